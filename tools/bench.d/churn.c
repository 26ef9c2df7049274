/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * churn [THREADS]: short-lived threads, four alive at a time.  Each allocates
 * 200 blocks of 16 to 1,024 bytes, frees three quarters of them, leaves the
 * rest to its successor, which frees them first, and ends.  As in a server that
 * starts a thread for every request.  What decides is what an allocator sets up
 * for a thread and takes down after it, in time, system calls and page faults,
 * and whether the memory of dead threads is used again.
 */

#include "wl.h"

#define	LINES	4
#define	BLOCKS	200
#define	LEFT	50

static struct line {
	uint64_t	 state;
	unsigned long	 threads;
	void		*left[LEFT];
} line[LINES];

static void *
request(void *arg)
{
	struct line *l = arg;
	void *block[BLOCKS];
	unsigned i;

	for (i = 0; i < BLOCKS; i++)
		block[i] = get(uniform(&l->state, 16, 1024));
	for (i = 0; i < LEFT; i++)
		put(l->left[i]);
	memcpy(l->left, block, sizeof(l->left));
	for (i = LEFT; i < BLOCKS; i++)
		put(block[i]);
	return (NULL);
}

static void *
serve(void *arg)
{
	struct line *l = arg;
	unsigned i;

	for (; l->threads > 0; l->threads--)
		pthread_join(start(request, l), NULL);
	for (i = 0; i < LEFT; i++)
		put(l->left[i]);
	return (NULL);
}

int
main(int argc, char **argv)
{
	pthread_t thread[LINES];
	unsigned i;

	for (i = 0; i < LINES; i++) {
		line[i].state = seed(13, i);
		line[i].threads = argument(argc, argv, 1, 40000) / LINES;
		thread[i] = start(serve, &line[i]);
	}
	for (i = 0; i < LINES; i++)
		pthread_join(thread[i], NULL);
	return (0);
}
