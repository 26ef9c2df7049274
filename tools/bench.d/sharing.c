/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * sharing active | passive [TURNS]: false sharing, after Hoard's cache-thrash
 * and cache-scratch.  Four threads each allocate an object of 8 bytes, write to
 * it 1,000 times and free it, over and over.  "Active" is just that: an
 * allocator that serves two threads from one cache line makes them slow.
 * "Passive": the first object of each thread was allocated by the main thread,
 * side by side with the others', and the thread frees it before it begins; an
 * allocator that gives it the same memory again hands the line's other users on
 * to it.  What decides is which thread's memory a freed block becomes.
 */

#include "wl.h"

#define	THREADS	4
#define	WRITES	1000

static unsigned long turns;
static pthread_barrier_t barrier;

static void *
work(void *arg)
{
	volatile char *p;
	unsigned long i, j;

	pthread_barrier_wait(&barrier);
	free(arg);
	for (i = 0; i < turns; i++) {
		p = malloc(8);
		if (p == NULL)
			die("out of memory");
		for (j = 0; j < WRITES; j++)
			p[j % 8]++;
		free((void *)(uintptr_t)p);
	}
	return (NULL);
}

int
main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	void *first[THREADS] = { NULL };
	unsigned i;

	turns = argument(argc, argv, 2, 2400000) / THREADS;
	pthread_barrier_init(&barrier, NULL, THREADS);
	if (argc > 1 && argv[1][0] == 'p')
		for (i = 0; i < THREADS; i++)
			first[i] = malloc(8);
	for (i = 0; i < THREADS; i++)
		thread[i] = start(work, first[i]);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	return (0);
}
