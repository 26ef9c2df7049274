/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * latency [HOW [MILLISECONDS [MIB]]]: the times of single calls of malloc and
 * free while much memory goes back to the system.  A second thread has
 * allocated twice MIB (1024) in blocks of 4 to 64 KiB; now it frees every
 * second one of them and sleeps, while this one, for MILLISECONDS (2000), does
 *
 *	often	what a server does, in 4,096 blocks of 16 bytes to 4 KiB, as
 *		fast as it can
 *	seldom	one malloc and free of 100 bytes a millisecond, of which the
 *		processor time is measured: it is free of what else the machine
 *		does, and what little is to do is all done by this thread
 *
 * Prints what half the calls took at the most, and 99, 99.9 and 99.99 % of
 * them, the longest of all, and how much memory has left the process.  What
 * decides is who purges how much at a time, and under which locks.
 */

#include "histogram.h"

#define	MIB	1048576UL
#define	LIVE	4096

static void *live[LIVE];
static void **block;
static size_t nblocks, room, total;
static int go;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct histogram times;

static void
tell(int what)
{

	pthread_mutex_lock(&lock);
	go = what;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void
await(int what)
{

	pthread_mutex_lock(&lock);
	while (go < what)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void *
other(void *arg)
{
	uint64_t state = seed(43, 1);
	size_t bytes, i, size;

	(void)arg;
	for (bytes = 0; bytes < 2 * total && nblocks < room; bytes += size) {
		size = powerlaw2(&state, 4096, 65536);
		block[nblocks++] = get(size);
	}
	tell(1);
	await(2);
	for (i = 0; i < nblocks; i += 2) {
		put(block[i]);
		block[i] = NULL;
	}
	await(3);
	for (i = 0; i < nblocks; i++)
		put(block[i]);
	return (NULL);
}

static void *
timed_malloc(size_t size, clockid_t clock)
{
	uint64_t begin = clock_ns(clock);
	void *p = malloc(size);

	histogram_add(&times, clock_ns(clock) - begin);
	if (p == NULL)
		die("out of memory");
	*(void **)p = p;
	return (p);
}

static void
timed_free(void *p, clockid_t clock)
{
	uint64_t begin;

	if (*(void **)p != p)
		die("a block was overwritten");
	begin = clock_ns(clock);
	free(p);
	histogram_add(&times, clock_ns(clock) - begin);
}

static void
often(uint64_t ms)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + ms * 1000000;
	uint64_t state = seed(43, 2);
	unsigned i;

	while (clock_ns(CLOCK_MONOTONIC) < end) {
		i = rnd(&state) % LIVE;
		timed_free(live[i], CLOCK_MONOTONIC);
		live[i] = timed_malloc(powerlaw2(&state, 16, 4096),
		    CLOCK_MONOTONIC);
	}
}

static void
seldom(uint64_t ms)
{
	const struct timespec t = { 0, 1000000 };
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + ms * 1000000;

	while (clock_ns(CLOCK_MONOTONIC) < end) {
		timed_free(timed_malloc(100, CLOCK_THREAD_CPUTIME_ID),
		    CLOCK_THREAD_CPUTIME_ID);
		nanosleep(&t, NULL);
	}
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "often";
	double before;
	pthread_t thread;
	uint64_t ms, state = seed(43, 3);
	size_t i;

	if (strcmp(how, "often") != 0 && strcmp(how, "seldom") != 0)
		die("latency often|seldom");
	ms = argument(argc, argv, 2, 2000);
	total = argument(argc, argv, 3, 1024) * MIB;
	room = 2 * total / 4096;
	block = malloc(room * sizeof(block[0]));
	if (block == NULL)
		die("out of memory");
	for (i = 0; i < LIVE && how[0] == 'o'; i++)
		live[i] = get(powerlaw2(&state, 16, 4096));
	thread = start(other, NULL);
	await(1);
	before = status_mib("VmRSS:");
	histogram_init(&times, how[0] == 'o' ? CLOCK_MONOTONIC :
	    CLOCK_THREAD_CPUTIME_ID);
	tell(2);
	(how[0] == 'o' ? often : seldom)(ms);
	histogram_figures(&times);
	figure("returned_mib", before - status_mib("VmRSS:"));
	tell(3);
	pthread_join(thread, NULL);
	for (i = 0; i < LIVE; i++)
		put(live[i]);
	return (0);
}
