/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * burst fifo | lifo | random [ROUNDS]: one thread allocates 200,000 blocks of
 * 16 to 256 bytes (27 MB), then frees all of them, in the order of their
 * allocation, in reverse, or at random, and does it again.  No cache holds a
 * burst.  What decides is the cost per object of taking blocks from the pages
 * in bulk and of putting them back, in random order also the cache misses of
 * finding where each one belongs; and whether the pages of one burst are kept
 * for the next one, rather than given to the system and faulted in again.
 */

#include "wl.h"

#define	BLOCKS	200000

static void *block[BLOCKS];
static unsigned order[BLOCKS];

static void
shuffle(uint64_t *state)
{
	unsigned i, j, t;

	for (i = BLOCKS - 1; i > 0; i--) {
		j = (unsigned)uniform(state, 0, i);
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
}

int
main(int argc, char **argv)
{
	uint64_t state;
	unsigned long n, rounds;
	unsigned i;
	char how;

	how = argc > 1 ? argv[1][0] : 'f';
	rounds = argument(argc, argv, 2, how == 'r' ? 40 : 200);
	state = seed(8, 1);
	for (i = 0; i < BLOCKS; i++)
		order[i] = how == 'l' ? BLOCKS - 1 - i : i;
	if (how == 'r')
		shuffle(&state);
	for (n = 0; n < rounds; n++) {
		for (i = 0; i < BLOCKS; i++)
			block[i] = get(uniform(&state, 16, 256));
		for (i = 0; i < BLOCKS; i++)
			put(block[order[i]]);
	}
	return (0);
}
