/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * remote [BATCHES [PAIRS]]: two threads only allocate, two others only free,
 * or as many pairs as told.  Blocks of 16 to 256 bytes travel in batches of 64
 * through a bounded ring of 128 batches, shared by all four; who finds it full
 * or empty sleeps, so CPU time is the allocator's and the scheduler's, not
 * that of spinning.  What decides is the way of a block back to its owner:
 * locked operations, cache lines and collection per block, and whether freed
 * memory is reused before more is mapped.  An allocator that lets freed blocks
 * pile up shows it in its RSS.
 */

#include "wl.h"

#define	BATCH	64
#define	RING	128
#define	PAIRS	2
#define	PAIRS_MAX 32

static struct batch {
	void	*block[BATCH];
} ring[RING];
static unsigned long head, tail, batches;
static unsigned long producing;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static pthread_cond_t emptied = PTHREAD_COND_INITIALIZER;

static void *
producer(void *arg)
{
	struct batch b;
	uint64_t state;
	unsigned long n;
	unsigned i;

	state = seed(3, *(unsigned *)arg);
	for (n = 0; n < batches; n++) {
		for (i = 0; i < BATCH; i++)
			b.block[i] = get(uniform(&state, 16, 256));
		pthread_mutex_lock(&lock);
		while (head - tail == RING)
			pthread_cond_wait(&emptied, &lock);
		ring[head++ % RING] = b;
		pthread_mutex_unlock(&lock);
		pthread_cond_signal(&filled);
	}
	pthread_mutex_lock(&lock);
	producing--;
	pthread_mutex_unlock(&lock);
	pthread_cond_broadcast(&filled);
	return (NULL);
}

static void *
consumer(void *arg)
{
	struct batch b;
	unsigned i;

	(void)arg;
	for (;;) {
		pthread_mutex_lock(&lock);
		while (head == tail && producing > 0)
			pthread_cond_wait(&filled, &lock);
		if (head == tail)
			break;
		b = ring[tail++ % RING];
		pthread_mutex_unlock(&lock);
		pthread_cond_signal(&emptied);
		for (i = 0; i < BATCH; i++)
			put(b.block[i]);
	}
	pthread_mutex_unlock(&lock);
	return (NULL);
}

int
main(int argc, char **argv)
{
	static unsigned number[PAIRS_MAX];
	pthread_t thread[2 * PAIRS_MAX];
	unsigned long pairs;
	unsigned i;

	pairs = argument(argc, argv, 2, PAIRS);
	if (pairs > PAIRS_MAX)
		die("too many pairs");
	batches = argument(argc, argv, 1, 320000) / pairs;
	producing = pairs;
	for (i = 0; i < pairs; i++) {
		number[i] = i + 1;
		thread[i] = start(producer, &number[i]);
	}
	for (; i < 2 * pairs; i++)
		thread[i] = start(consumer, NULL);
	for (i = 0; i < 2 * pairs; i++)
		pthread_join(thread[i], NULL);
	return (0);
}
