/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * idle [THREADS]: 1,000 threads that worked once and then wait, as in a pool
 * that was sized for a peak.  Each allocates 300 blocks of 16 to 1,024 bytes (a
 * sixth of a megabyte), frees them all and goes to sleep; when all of them
 * sleep, one more thread allocates and frees for a while.  What decides is what
 * a sleeping thread keeps: caches, pages of its own, heaps.  Nearly nothing is
 * live at the end, so the resident memory then ("idle_mib", of which a few
 * megabytes are the threads' stacks) is the figure to look at.
 */

#include "wl.h"

#define	BLOCKS	300

static unsigned asleep;
static int over;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t slept = PTHREAD_COND_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;

static void
work(unsigned number, unsigned long turns)
{
	void *block[BLOCKS];
	uint64_t state;
	unsigned i;

	state = seed(14, number);
	for (; turns > 0; turns--) {
		for (i = 0; i < BLOCKS; i++)
			block[i] = get(uniform(&state, 16, 1024));
		for (i = 0; i < BLOCKS; i++)
			put(block[i]);
	}
}

static void *
sleeper(void *arg)
{

	work(*(unsigned *)arg, 1);
	pthread_mutex_lock(&lock);
	asleep++;
	pthread_cond_signal(&slept);
	while (!over)
		pthread_cond_wait(&ended, &lock);
	pthread_mutex_unlock(&lock);
	return (NULL);
}

/* Starts them one after another: each must have slept before the next runs. */
int
main(int argc, char **argv)
{
	static pthread_t thread[4096];
	unsigned i, n;

	n = (unsigned)argument(argc, argv, 1, 1000);
	if (n > NELEM(thread))
		die("too many threads");
	for (i = 0; i < n; i++) {
		thread[i] = start(sleeper, &i);
		pthread_mutex_lock(&lock);
		while (asleep <= i)
			pthread_cond_wait(&slept, &lock);
		pthread_mutex_unlock(&lock);
	}
	work(n, 5000);
	figure("idle_mib", status_mib("VmRSS:"));
	pthread_mutex_lock(&lock);
	over = 1;
	pthread_mutex_unlock(&lock);
	pthread_cond_broadcast(&ended);
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	return (0);
}
