/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * insn: operations for callgrind to count, one dump of counts per pattern.
 * Run under valgrind --tool=callgrind --collect-atstart=no; only what lies
 * between two toggles is collected, so neither the start nor the warming up of
 * a pattern counts, and the reader of the dumps adds up what was executed
 * inside the allocator's own object.  Prints a line "PATTERN OPERATIONS" in the
 * order of the dumps, and 0 operations where a function does not exist.  A
 * second thread is alive all the time.
 */

#include <sys/types.h>

#include <dlfcn.h>
#include <malloc.h>
#include <valgrind/callgrind.h>

#include "wl.h"

#define	SMALL	8		/* what any thread's cache holds */
#define	TURNS	2000
#define	BURST	8000
#define	BURST8K	400
#define	WARM	4
#define	ROUNDS	8

#define	COUNT(stmt)	do {						\
	CALLGRIND_TOGGLE_COLLECT;					\
	stmt;								\
	CALLGRIND_TOGGLE_COLLECT;					\
} while (0)

static void *block[BURST];
static unsigned order[BURST];
static void *volatile sink;
static void (*sized)(void *, size_t);

/* The second thread does one task at a time for the first one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static enum { IDLE, FREE, FREE_COUNTED } task;

static void *
helper(void *arg)
{
	int i;

	pthread_mutex_lock(&lock);
	for (;;) {
		while (task == IDLE)
			pthread_cond_wait(&changed, &lock);
		if (task == FREE_COUNTED)
			CALLGRIND_TOGGLE_COLLECT;
		for (i = 0; i < BURST; i++)
			free(block[i]);
		if (task == FREE_COUNTED)
			CALLGRIND_TOGGLE_COLLECT;
		task = IDLE;
		pthread_cond_broadcast(&changed);
	}
	return (arg);
}

static void
by_helper(int what)
{

	pthread_mutex_lock(&lock);
	task = what;
	pthread_cond_broadcast(&changed);
	while (task != IDLE)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void
fill(unsigned n, size_t size)
{
	unsigned i;

	for (i = 0; i < n; i++)
		block[i] = malloc(size);
}

static void
clear(unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		free(block[i]);
}

static unsigned long
cached_malloc(void)
{

	COUNT(fill(SMALL, 64));
	clear(SMALL);
	return (SMALL);
}

static unsigned long
cached_free(void)
{

	fill(SMALL, 64);
	COUNT(clear(SMALL));
	return (SMALL);
}

static void
clear_sized(void)
{
	unsigned i;

	for (i = 0; i < SMALL; i++)
		sized(block[i], 64);
}

static unsigned long
sized_free(void)
{

	if (sized == NULL)
		return (0);
	fill(SMALL, 64);
	COUNT(clear_sized());
	return (SMALL);
}

static void
fill_calloc(void)
{
	unsigned i;

	for (i = 0; i < SMALL; i++)
		block[i] = calloc(1, 64);
}

static unsigned long
cached_calloc(void)
{

	COUNT(fill_calloc());
	clear(SMALL);
	return (SMALL);
}

static void
fill_memalign(void)
{
	unsigned i;

	for (i = 0; i < SMALL; i++)
		if (posix_memalign(&block[i], 16, 64) != 0)
			die("posix_memalign failed");
}

static unsigned long
cached_memalign(void)
{

	COUNT(fill_memalign());
	clear(SMALL);
	return (SMALL);
}

static unsigned long
realloc_same(void)
{
	unsigned i;
	void *p;

	p = malloc(64);
	CALLGRIND_TOGGLE_COLLECT;
	for (i = 0; i < SMALL; i++)
		p = realloc(p, 57 + i);
	CALLGRIND_TOGGLE_COLLECT;
	free(p);
	return (SMALL);
}

static unsigned long
usable_size(void)
{
	unsigned i;

	fill(SMALL, 64);
	CALLGRIND_TOGGLE_COLLECT;
	for (i = 0; i < SMALL; i++)
		sink = (void *)malloc_usable_size(block[i]);
	CALLGRIND_TOGGLE_COLLECT;
	clear(SMALL);
	return (SMALL);
}

static unsigned long
large(void)
{

	CALLGRIND_TOGGLE_COLLECT;
	sink = malloc(200 * 1024);
	free(sink);
	CALLGRIND_TOGGLE_COLLECT;
	return (1);
}

static unsigned long
burst64(void)
{

	COUNT(fill(BURST, 64); clear(BURST));
	return (BURST);
}

static unsigned long
burst64_random(void)
{
	unsigned i;

	CALLGRIND_TOGGLE_COLLECT;
	fill(BURST, 64);
	for (i = 0; i < BURST; i++)
		free(block[order[i]]);
	CALLGRIND_TOGGLE_COLLECT;
	return (BURST);
}

static unsigned long
burst8k(void)
{

	COUNT(fill(BURST8K, 8192); clear(BURST8K));
	return (BURST8K);
}

static unsigned long
remote_free(void)
{

	fill(BURST, 64);
	by_helper(FREE_COUNTED);
	return (BURST);
}

static unsigned long
burst64_remote(void)
{

	COUNT(fill(BURST, 64));
	by_helper(FREE_COUNTED);
	return (BURST);
}

static const struct pattern {
	const char	*name;
	unsigned long	(*run)(void);
	int		 rounds;
} patterns[] = {
	{ "malloc64", cached_malloc, TURNS },
	{ "free64", cached_free, TURNS },
	{ "free_sized64", sized_free, TURNS },
	{ "calloc64", cached_calloc, TURNS },
	{ "posix_memalign16", cached_memalign, TURNS },
	{ "realloc_same_class", realloc_same, TURNS },
	{ "malloc_usable_size", usable_size, TURNS },
	{ "burst64_in_order", burst64, ROUNDS },
	{ "burst64_random", burst64_random, ROUNDS },
	{ "burst8k_in_order", burst8k, ROUNDS },
	{ "malloc_free_200k", large, TURNS },
	{ "remote_free64", remote_free, ROUNDS },
	{ "burst64_remote", burst64_remote, ROUNDS },
};

int
main(void)
{
	const struct pattern *p;
	uint64_t state;
	unsigned long n;
	unsigned i, j, t;
	int r;

	*(void **)&sized = dlsym(RTLD_DEFAULT, "free_sized");
	if (sized == NULL)
		*(void **)&sized = dlsym(RTLD_DEFAULT, "__free_sized");
	state = seed(8, 1);
	for (i = 0; i < BURST; i++)
		order[i] = i;
	for (i = BURST - 1; i > 0; i--) {
		j = (unsigned)uniform(&state, 0, i);
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	pthread_detach(start(helper, NULL));
	by_helper(FREE);
	for (p = patterns; p < patterns + NELEM(patterns); p++) {
		for (r = 0; r < (p->rounds > ROUNDS ? 100 : WARM); r++)
			p->run();
		CALLGRIND_ZERO_STATS;
		for (n = 0, r = 0; r < p->rounds; r++)
			n += p->run();
		CALLGRIND_DUMP_STATS_AT(p->name);
		printf("%s %lu\n", p->name, n);
	}
	fflush(stdout);
	return (0);
}
