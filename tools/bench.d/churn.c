/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * churn [THREADS [ALIVE]]: short-lived threads, four alive at a time, if not
 * told otherwise.  Each allocates 200 blocks of 16 to 1,024 bytes, frees three
 * quarters of them, leaves the rest to its successor, which frees them first,
 * and ends.  As in a server that starts a thread for every request.  What
 * decides is what an allocator sets up for a thread and takes down after it,
 * in time, system calls and page faults, and whether the memory of dead
 * threads is used again.
 */

#include "wl.h"

#define	LINES	4
#define	LINES_MAX 64
#define	BLOCKS	200
#define	LEFT	50

static struct line {
	uint64_t	 state;
	unsigned long	 threads;
	void		*left[LEFT];
} line[LINES_MAX];

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
	pthread_t thread[LINES_MAX];
	unsigned long lines;
	unsigned i;

	lines = argument(argc, argv, 2, LINES);
	if (lines > LINES_MAX)
		die("too many at a time");
	for (i = 0; i < lines; i++) {
		line[i].state = seed(13, i);
		line[i].threads = argument(argc, argv, 1, 40000) / lines;
		thread[i] = start(serve, &line[i]);
	}
	for (i = 0; i < lines; i++)
		pthread_join(thread[i], NULL);
	return (0);
}
