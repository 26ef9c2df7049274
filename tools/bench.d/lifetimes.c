/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * lifetimes [ITERATIONS]: one thread, 8 MiB live in 84,000 slots, each turn
 * replaces the block of a random slot.  Sizes are 16 bytes to 8 KiB by a
 * power law (each doubling of the size has as many bytes; the mean is 100), so
 * lifetimes have nothing to do with addresses and hardly a page is ever wholly
 * free.  What decides is locality (how densely the allocator packs and how soon
 * it reuses), the cost of fill and flush, and the memory around the 8 MiB.
 */

#include "wl.h"

static void *slot[84000];

int
main(int argc, char **argv)
{
	uint64_t state;
	unsigned long i, n;
	size_t s;

	n = argument(argc, argv, 1, 50000000);
	state = seed(2, 1);
	for (i = 0; i < n; i++) {
		s = uniform(&state, 0, NELEM(slot) - 1);
		put(slot[s]);
		slot[s] = get(powerlaw2(&state, 16, 8192));
	}
	for (s = 0; s < NELEM(slot); s++)
		put(slot[s]);
	return (0);
}
