/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * arenas [MILLISECONDS [MIB]]: two arenas of one process, made by jemalloc's
 * mallctl.  In one, where a decay time of 0 has everything go back at once, a
 * batch job allocates MIB (64) in blocks of 1 to 64 KiB and frees all of it,
 * over and over.  In the other a server replaces 4,096 blocks of 16 bytes to
 * 4 KiB at random.  The server's page faults, and what 99.9 % of its calls of
 * malloc and free took at the most, are printed for MILLISECONDS (1500) in
 * which the batch job sleeps ("still_faults", "still_p999_us"), and for as long
 * in which it runs ("busy_faults", "busy_p999_us", and so many "turns" of it).
 * What decides is what arenas have in common.
 */

#ifndef _GNU_SOURCE
#define	_GNU_SOURCE
#endif

#include <sys/resource.h>

#include <dlfcn.h>

#include "histogram.h"

#define	MIB	1048576UL
#define	LIVE	4096

static int (*ctl)(const char *, void *, size_t *, void *, size_t);
static void *live[LIVE];
static struct histogram times;
static size_t total;
static uint64_t state;
static unsigned long turns;
static int busy;		/* 0: not yet, 1: now, 2: no more */

static void
set(const char *key, void *value, size_t len)
{

	if (ctl(key, NULL, NULL, value, len) != 0)
		die(key);
}

/* An arena for this thread; its index. */
static unsigned
arena(void)
{
	unsigned index;
	size_t len = sizeof(index);

	if (ctl("arenas.create", &index, &len, NULL, 0) != 0)
		die("no arenas.create");
	set("thread.arena", &index, sizeof(index));
	return (index);
}

static void
turn(void **block, size_t room)
{
	size_t bytes, n, size;

	for (bytes = n = 0; bytes < total && n < room; bytes += size) {
		size = powerlaw2(&state, 1024, 65536);
		block[n++] = get(size);
	}
	while (n > 0)
		put(block[--n]);
}

static void *
batch(void *arg)
{
	ssize_t ms = 0;
	size_t room = total / 1024;
	char key[64];
	void **block;

	(void)arg;
	state = seed(47, 1);
	snprintf(key, sizeof(key), "arena.%u.dirty_decay_ms", arena());
	set(key, &ms, sizeof(ms));
	block = malloc(room * sizeof(block[0]));
	if (block == NULL)
		die("out of memory");
	while (__atomic_load_n(&busy, __ATOMIC_ACQUIRE) == 0)
		usleep(1000);
	for (; __atomic_load_n(&busy, __ATOMIC_ACQUIRE) == 1; turns++)
		turn(block, room);
	free(block);
	return (NULL);
}

static double
faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ((double)ru.ru_minflt);
}

static void
replace(size_t i, size_t size)
{
	uint64_t begin;
	void *p;

	if (live[i] != NULL && *(void **)live[i] != live[i])
		die("a block was overwritten");
	begin = clock_ns(CLOCK_MONOTONIC);
	free(live[i]);
	p = malloc(size);
	histogram_add(&times, clock_ns(CLOCK_MONOTONIC) - begin);
	if (p == NULL)
		die("out of memory");
	*(void **)p = live[i] = p;
}

static void
serve(uint64_t ms)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + ms * 1000000;
	static uint64_t which;

	if (which == 0)
		which = seed(47, 2);
	while (clock_ns(CLOCK_MONOTONIC) < end)
		replace(rnd(&which) % LIVE, powerlaw2(&which, 16, 4096));
}

static void
measure(uint64_t ms, const char *what)
{
	char key[64];
	double before;

	histogram_init(&times, CLOCK_MONOTONIC);
	before = faults();
	serve(ms);
	before = faults() - before;
	snprintf(key, sizeof(key), "%s_faults", what);
	figure(key, before);
	snprintf(key, sizeof(key), "%s_p999_us", what);
	figure(key, histogram_most(&times, 1000) / 1e3);
}

int
main(int argc, char **argv)
{
	pthread_t thread;
	uint64_t ms;
	size_t i;

	*(void **)&ctl = dlsym(RTLD_DEFAULT, "mallctl");
	if (ctl == NULL)
		die("no mallctl");
	ms = argument(argc, argv, 1, 1500);
	total = argument(argc, argv, 2, 64) * MIB;
	(void)arena();
	thread = start(batch, NULL);
	serve(ms);
	measure(ms, "still");
	__atomic_store_n(&busy, 1, __ATOMIC_RELEASE);
	measure(ms, "busy");
	__atomic_store_n(&busy, 2, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	figure("turns", (double)turns);
	for (i = 0; i < LIVE; i++)
		free(live[i]);
	return (0);
}
