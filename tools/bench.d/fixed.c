/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * fixed [THREADS [ITERATIONS]]: ping-pong of one size, as the smallest
 * benchmarks of every allocator have it.  Each thread allocates a block of 64
 * bytes and frees it at once, and nothing is ever shared.  What decides is the
 * bare length of the path of malloc and free; with several threads, that there
 * is nothing in it that they have in common.
 */

#include "wl.h"

static unsigned long iterations;

static void *
work(void *arg)
{
	unsigned long i;

	for (i = 0; i < iterations; i++)
		put(get(64));
	return (arg);
}

int
main(int argc, char **argv)
{
	pthread_t thread[64];
	unsigned long i, threads;

	threads = argument(argc, argv, 1, 1);
	if (threads > NELEM(thread))
		die("too many threads");
	iterations = argument(argc, argv, 2, 400000000) / threads;
	for (i = 0; i < threads; i++)
		thread[i] = start(work, NULL);
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return (0);
}
