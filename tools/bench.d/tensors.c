/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * tensors [STEPS]: two threads, each a training loop.  Weights of 24 layers
 * (256 KiB to 4 MiB) stay for good; every step goes forward, allocating for
 * each layer an activation whose size depends on the step's sequence length
 * and a scratch buffer that dies at once and is grown by realloc half the time,
 * then backward, freeing the activations in reverse and allocating a gradient
 * for each, all of which die at the end of the step; between them come 50 small
 * blocks of bookkeeping per layer.  What decides is the reuse of large blocks
 * of sizes that never quite repeat, without page faults and without keeping two
 * steps' worth of them, and realloc of middle to large sizes.
 */

#include "wl.h"

#define	LAYERS	24
#define	NOTES	50

struct loop {
	uint64_t	 state;
	unsigned long	 steps;
	void		*weights[LAYERS], *activation[LAYERS];
	void		*gradient[LAYERS], *note[LAYERS][NOTES];
};

static size_t
width(unsigned layer)
{

	return ((size_t)262144 << (layer % 5));
}

static void
scratch(struct loop *l, size_t size)
{
	char *p;

	p = get(size);
	if (rnd(&l->state) % 2 == 0) {
		p = realloc(p, size + size / 2);
		if (p == NULL)
			die("out of memory");
		memset(p + size, 1, size / 2);
		*(void **)(void *)p = p;
	}
	put(p);
}

static void
forward(struct loop *l, size_t length)
{
	unsigned i, j;

	for (i = 0; i < LAYERS; i++) {
		l->activation[i] = get(width(i) / 512 * length);
		scratch(l, width(i + 2) / 1024 * length);
		for (j = 0; j < NOTES; j++)
			l->note[i][j] = get(uniform(&l->state, 24, 512));
	}
}

static void
backward(struct loop *l)
{
	unsigned i, j;

	for (i = LAYERS; i-- > 0; ) {
		l->gradient[i] = get(width(i));
		put(l->activation[i]);
		for (j = 0; j < NOTES; j++)
			put(l->note[i][j]);
	}
	for (i = 0; i < LAYERS; i++)
		put(l->gradient[i]);
}

static void *
train(void *arg)
{
	struct loop *l = arg;
	unsigned long step;
	unsigned i;

	for (i = 0; i < LAYERS; i++)
		l->weights[i] = get(width(i));
	for (step = 0; step < l->steps; step++) {
		forward(l, uniform(&l->state, 64, 512));
		backward(l);
	}
	for (i = 0; i < LAYERS; i++)
		put(l->weights[i]);
	return (NULL);
}

int
main(int argc, char **argv)
{
	static struct loop loop[2];
	pthread_t thread[2];
	unsigned i;

	for (i = 0; i < 2; i++) {
		loop[i].state = seed(16, i);
		loop[i].steps = argument(argc, argv, 1, 100);
		thread[i] = start(train, &loop[i]);
	}
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	return (0);
}
