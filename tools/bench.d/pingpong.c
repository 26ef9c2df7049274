/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * pingpong [ITERATIONS]: one thread, mixed sizes of 16 to 512 bytes, a live
 * window of 64 blocks.  Every turn replaces a random block of the window, and
 * every turn also allocates and frees one block at once.  Everything fits the
 * innermost caches, so what decides is the length of the fast path and the
 * mapping from a size to its class; no page is ever needed after the start.
 */

#include "wl.h"

int
main(int argc, char **argv)
{
	void *window[64] = { NULL };
	uint64_t r, state;
	unsigned long i, n;

	n = argument(argc, argv, 1, 150000000);
	state = seed(1, 1);
	for (i = 0; i < n; i++) {
		r = rnd(&state);
		put(window[r % 64]);
		window[r % 64] = get(16 + (r >> 6) % 497);
		put(get(16 + (r >> 20) % 497));
	}
	for (i = 0; i < 64; i++)
		put(window[i]);
	return (0);
}
