/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * aligned [ITERATIONS]: everything comes from posix_memalign and aligned_alloc:
 * alignments of 16 to 512 bytes, each half as frequent as the one before, now
 * and then a page, with sizes of 1 to 16 alignments, in 20,000 slots replaced
 * at random.  As programs of vector arithmetic, of databases and of direct
 * input and output do.  What decides is whether an aligned request has a fast
 * path, and how much room alignment wastes.  Every block's alignment is
 * verified; mimalloc 2.0.9 fails that (aligned_alloc(256, 256), for one).
 */

#include "wl.h"

static void *slot[20000];

static void *
aligned(uint64_t *state)
{
	size_t align, size;
	uint64_t r;
	void *p;

	r = rnd(state);
	align = r % 256 == 0 ? 4096 : (size_t)16 << __builtin_ctzll(
	    (r >> 8) | 32);
	size = align * uniform(state, 1, 16);
	if (r & 128) {
		p = aligned_alloc(align, size);
		if (p == NULL)
			die("out of memory");
	} else if (posix_memalign(&p, align, size) != 0)
		die("out of memory");
	if ((uintptr_t)p % align != 0)
		die("a block is not aligned");
	*(void **)p = p;
	((char *)p)[size - 1] = 1;
	return (p);
}

int
main(int argc, char **argv)
{
	uint64_t state;
	unsigned long i, n;
	size_t s;

	n = argument(argc, argv, 1, 12000000);
	state = seed(12, 1);
	for (i = 0; i < n; i++) {
		s = uniform(&state, 0, NELEM(slot) - 1);
		put(slot[s]);
		slot[s] = aligned(&state);
	}
	for (s = 0; s < NELEM(slot); s++)
		put(slot[s]);
	return (0);
}
