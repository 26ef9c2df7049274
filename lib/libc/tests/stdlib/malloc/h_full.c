/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Use all the memory that the process may have, by blocks of one size and
 * then another, several times each.  At least so many MiB of small ones, and
 * three quarters of that of large ones, must be had every time; and each time,
 * once all is free again, a thread with a stack of a quarter of that, a library
 * and a child: h_full MIB
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "others_subr.h"

static bool
whole(const unsigned char *p, size_t size, unsigned char c)
{

	return (p[0] == c && memcmp(p, p + 1, size - 1) == 0);
}

/*
 * Blocks of a size until there is no more: at least so many bytes of them can
 * be had, again and again, and what fails says ENOMEM.
 */
static bool
until_full(size_t size, size_t atleast)
{
	static unsigned char *p[400000];
	size_t i, n;
	unsigned int round;

	for (round = 0; round < 4; round++) {
		for (n = 0; n < nitems(p); n++) {
			errno = 0;
			p[n] = n % 9 == 0 ? calloc(1, size) : malloc(size);
			if (p[n] == NULL)
				break;
			memset(p[n], (int)n, size);
		}
		if (n == nitems(p) || errno != ENOMEM) {
			printf("size %zu: errno %d\n", size, errno);
			return (false);
		}
		for (i = 0; i < n; i++) {
			if (!whole(p[i], size, (unsigned char)i)) {
				printf("size %zu: damaged\n", size);
				return (false);
			}
			free(p[i]);
		}
		if (n * size < atleast) {
			printf("size %zu, round %u: only %zu KiB\n", size,
			    round, n * size >> 10);
			return (false);
		}
	}
	return (true);
}

int
main(int argc, char *argv[])
{
	static const size_t sizes[] = { 200, 3000, 20000, 100000, 3000000 };
	size_t atleast, i;

	if (argc != 2)
		return (2);
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	atleast = (size_t)atoi(argv[1]) << 20;
	for (i = 0; i < nitems(sizes); i++) {
		if (!until_full(sizes[i], sizes[i] < 1000000 ? atleast :
		    atleast / 4 * 3))
			return (1);
		if (!others(atleast / 4)) {
			printf("after size %zu\n", sizes[i]);
			return (3);
		}
	}
	return (0);
}
