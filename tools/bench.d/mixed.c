/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mixed [RESTARTS [THREADS [LIVE]]]: four threads, or as many as told, joined
 * and started anew RESTARTS times, with blocks of 8 bytes to 3 MiB by a power
 * law (1.1 KiB in the mean; large ones are rare and yet are most of the bytes).
 * Each thread lets its live set grow to 12,000 blocks, or as many as told, and
 * shrink to a quarter, three times over, and now and then exchanges a block
 * with a table of 2,048 that all threads share and that outlives them.  What
 * decides is the page layer: how pages flow between small and large uses and
 * between threads, what is given back when and at what cost in page faults,
 * and how little a peak leaves behind.
 */

#include <stdatomic.h>

#include "wl.h"

#define	THREADS	4
#define	THREADS_MAX 64
#define	LIVE	12000
#define	SHARED	2048

static _Atomic(void *) shared[SHARED];
static size_t live;

static struct worker {
	uint64_t	 state;
	size_t		 nlive;
	void		*live[LIVE];
} worker[THREADS_MAX];

static void
grow(struct worker *w, size_t limit)
{
	uint64_t r;
	size_t i;

	while (w->nlive < limit) {
		r = rnd(&w->state);
		w->live[w->nlive++] = get(powerlaw53(&w->state));
		if (r % 4 == 0) {		/* a short life */
			i = (r >> 2) % w->nlive;
			put(w->live[i]);
			w->live[i] = w->live[--w->nlive];
		} else if (r % 16 == 1) {	/* to or from other threads */
			i = (r >> 4) % w->nlive;
			w->live[i] = atomic_exchange(
			    &shared[(r >> 32) % SHARED], w->live[i]);
		}
	}
}

static void
shrink(struct worker *w, size_t limit)
{
	size_t i;

	while (w->nlive > limit) {
		i = uniform(&w->state, 0, w->nlive - 1);
		put(w->live[i]);
		w->live[i] = w->live[--w->nlive];
	}
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	int i;

	for (i = 0; i < 3; i++) {
		grow(w, live);
		shrink(w, live / 4);
	}
	shrink(w, 0);
	return (NULL);
}

int
main(int argc, char **argv)
{
	pthread_t thread[THREADS_MAX];
	unsigned long n, round, threads;
	size_t i;

	n = argument(argc, argv, 1, 80);
	threads = argument(argc, argv, 2, THREADS);
	if (threads > THREADS_MAX)
		die("too many threads");
	live = argument(argc, argv, 3, LIVE);
	if (live > LIVE)
		die("too many blocks");
	for (i = 0; i < threads; i++)
		worker[i].state = seed(5, i);
	for (round = 0; round < n; round++) {
		for (i = 0; i < threads; i++)
			thread[i] = start(work, &worker[i]);
		for (i = 0; i < threads; i++)
			pthread_join(thread[i], NULL);
		for (i = round % 2; i < SHARED; i += 2)
			put(atomic_exchange(&shared[i], NULL));
	}
	for (i = 0; i < SHARED; i++)
		put(atomic_load(&shared[i]));
	return (0);
}
