/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * large [ITERATIONS]: one thread replaces random ones of 32 large blocks of
 * 64 KiB to 64 MiB, each doubling as frequent as the next, and writes one word
 * to each page.  After mimalloc-bench's test of large blocks, with a wider
 * range of sizes.  What decides is whether the memory of a freed block serves
 * the next one of another size, without page faults, which cost a thousand
 * times what the search does, and how much of it is kept for that.
 */

#include "wl.h"

static void *slot[32];

int
main(int argc, char **argv)
{
	uint64_t state;
	unsigned long i, n;
	size_t low, s;

	n = argument(argc, argv, 1, 800);
	state = seed(10, 1);
	for (i = 0; i < n; i++) {
		s = uniform(&state, 0, NELEM(slot) - 1);
		put(slot[s]);
		low = (size_t)65536 << uniform(&state, 0, 9);
		slot[s] = get(uniform(&state, low, 2 * low));
	}
	for (s = 0; s < NELEM(slot); s++)
		put(slot[s]);
	return (0);
}
