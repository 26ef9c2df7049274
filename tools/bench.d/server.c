/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * server [GENERATIONS [LINES [BLOCKS]]]: a simulated server after Larson and
 * Krishnan.  Four lines of threads each keep 5,000 live blocks of 8 to 1,000
 * bytes, if not told otherwise.  A thread replaces random ones of them, ten
 * times as many, then starts its successor, hands its array over and ends; so
 * most of the blocks a thread frees were allocated by a thread that no longer
 * exists.  What decides is what becomes of a dead thread's cache and partly
 * used pages, the cost of a thread's start and end, and how near the memory
 * stays to the 10 MB that are live.
 */

#include "wl.h"

#define	LINES		4
#define	LINES_MAX	64
#define	BLOCKS		5000
#define	REPLACED	10		/* times as many */

static struct line {
	uint64_t	 state;
	unsigned long	 generations;
	void		*block[BLOCKS];
} line[LINES_MAX];
static size_t blocks;
static unsigned running;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;

static void *
serve(void *arg)
{
	struct line *l = arg;
	size_t i, s;

	for (i = 0; i < REPLACED * blocks; i++) {
		s = uniform(&l->state, 0, blocks - 1);
		put(l->block[s]);
		l->block[s] = get(uniform(&l->state, 8, 1000));
	}
	if (--l->generations > 0) {
		pthread_detach(start(serve, l));
		return (NULL);
	}
	pthread_mutex_lock(&lock);
	running--;
	pthread_mutex_unlock(&lock);
	pthread_cond_signal(&ended);
	return (NULL);
}

int
main(int argc, char **argv)
{
	unsigned long lines, n;
	unsigned i;
	size_t s;

	n = argument(argc, argv, 1, 300);
	lines = argument(argc, argv, 2, LINES);
	if (lines > LINES_MAX)
		die("too many lines");
	blocks = argument(argc, argv, 3, BLOCKS);
	if (blocks == 0 || blocks > BLOCKS)
		die("too many blocks");
	running = (unsigned)lines;
	for (i = 0; i < lines; i++) {
		line[i].state = seed(4, i);
		line[i].generations = n;
		for (s = 0; s < blocks; s++)
			line[i].block[s] = get(uniform(&line[i].state, 8,
			    1000));
	}
	for (i = 0; i < lines; i++)
		pthread_detach(start(serve, &line[i]));
	pthread_mutex_lock(&lock);
	while (running > 0)
		pthread_cond_wait(&ended, &lock);
	pthread_mutex_unlock(&lock);
	for (i = 0; i < lines; i++)
		for (s = 0; s < blocks; s++)
			put(line[i].block[s]);
	return (0);
}
