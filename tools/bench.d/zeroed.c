/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * zeroed [ITERATIONS]: everything comes from calloc, 16 bytes to 1 MiB by a
 * power law (the mean is 180 bytes), in 20,000 slots replaced at random, with
 * a table of 256 KiB to 8 MiB every thousandth time; of each a word at either
 * end is written, and large ones are used sparsely.  What decides is the
 * clearing: memory fresh from the system need not be cleared, nor a page be
 * touched that the program does not touch, while reused memory must be.
 */

#include "wl.h"

static unsigned char *slot[20000];

static unsigned char *
zeroed(size_t size)
{
	unsigned char *p;
	size_t i;

	p = calloc(1, size);
	if (p == NULL)
		die("out of memory");
	for (i = 0; i < size; i += size / 4 + 1)
		if (p[i] != 0)
			die("calloc's memory is not zero");
	p[0] = p[size - 1] = 1;
	return (p);
}

int
main(int argc, char **argv)
{
	uint64_t state;
	unsigned long i, n;
	size_t s;

	n = argument(argc, argv, 1, 10000000);
	state = seed(11, 1);
	for (i = 0; i < n; i++) {
		s = uniform(&state, 0, NELEM(slot) - 1);
		free(slot[s]);
		slot[s] = zeroed(powerlaw2(&state, 16, 1048576));
		if (i % 1000 == 0)
			free(zeroed(uniform(&state, 262144, 8388608)));
	}
	for (s = 0; s < NELEM(slot); s++)
		free(slot[s]);
	return (0);
}
