/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * bulk [THREADS [ROUNDS [BLOCKS]]]: each of four threads, or as many as told,
 * allocates 4,000 blocks of 64 bytes, frees them in the order of their
 * allocation, and does it again.  No thread sees another's blocks, and no
 * cache of an allocator's should hold so many.  What decides is what it takes
 * to get blocks in bulk from what threads share and to put them back.
 */

#include "wl.h"

#define	THREADS		4
#define	THREADS_MAX	64
#define	ROUNDS		10000
#define	BLOCKS		4000

static unsigned long rounds;
static size_t blocks;

static void *
work(void *arg)
{
	void *block[BLOCKS];
	unsigned long n;
	size_t i;

	for (n = 0; n < rounds; n++) {
		for (i = 0; i < blocks; i++)
			block[i] = get(64);
		for (i = 0; i < blocks; i++)
			put(block[i]);
	}
	return (arg);
}

int
main(int argc, char **argv)
{
	pthread_t thread[THREADS_MAX];
	unsigned long i, threads;

	threads = argument(argc, argv, 1, THREADS);
	rounds = argument(argc, argv, 2, ROUNDS);
	blocks = argument(argc, argv, 3, BLOCKS);
	if (threads > THREADS_MAX || blocks > BLOCKS)
		die("too many threads or blocks");
	for (i = 0; i < threads; i++)
		thread[i] = start(work, NULL);
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return (0);
}
