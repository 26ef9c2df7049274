/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * chains [BUFFERS]: text-like buffers that grow by realloc.  256 of them are
 * alive at a time; each begins with 16 bytes and grows by a random step of up
 * to its own size (as buffers do that double when they must) until it reaches
 * a final size drawn by a power law from 32 bytes to 1 MiB, and a quarter are
 * then shrunk to fit.  Between two steps of one buffer others take theirs, and
 * every step also replaces one of 16,384 small blocks, so that there is seldom
 * room behind a buffer.  What decides is how often realloc moves, what a move
 * costs for middle sizes, and what the blocks left behind are good for.
 */

#include "wl.h"

#define	BUFFERS	256
#define	SMALL	16384

static struct buffer {
	char	*base;
	size_t	 size, last;
} buffer[BUFFERS];
static void *small[SMALL];

static void
begin(struct buffer *b, uint64_t *state)
{

	b->size = 16;
	b->last = powerlaw2(state, 32, 1048576);
	b->base = malloc(b->size);
	if (b->base == NULL)
		die("out of memory");
	b->base[0] = 'x';
}

static void
resize(struct buffer *b, size_t size)
{

	b->base = realloc(b->base, size);
	if (b->base == NULL)
		die("out of memory");
	if (b->base[0] != 'x')
		die("realloc lost data");
	if (size > b->size)
		memset(b->base + b->size, 'y', size - b->size);
	b->size = size;
}

static void
step(struct buffer *b, uint64_t *state)
{

	if (b->size < b->last) {
		resize(b, b->size + uniform(state, b->size / 4, b->size));
		return;
	}
	if (rnd(state) % 4 == 0)
		resize(b, b->last);
	free(b->base);
	begin(b, state);
}

int
main(int argc, char **argv)
{
	uint64_t state;
	unsigned long i, n;
	size_t s;

	n = argument(argc, argv, 1, 15000000);
	state = seed(9, 1);
	for (i = 0; i < BUFFERS; i++)
		begin(&buffer[i], &state);
	for (i = 0; i < n; i++) {
		step(&buffer[uniform(&state, 0, BUFFERS - 1)], &state);
		s = uniform(&state, 0, SMALL - 1);
		put(small[s]);
		small[s] = get(powerlaw2(&state, 16, 2048));
	}
	for (i = 0; i < BUFFERS; i++)
		free(buffer[i].base);
	for (i = 0; i < SMALL; i++)
		put(small[i]);
	return (0);
}
