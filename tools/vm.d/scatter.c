/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * Thousands of holes between blocks in use, other ones each time: how many
 * mappings the process has then is printed, and a thread, a library and a child
 * must still be had.  Runs under any malloc.
 */
#include "others_subr.h"

#define	MIB		((size_t)1 << 20)
#define	BLOCKS		4000
#define	ROUNDS		5

static unsigned char	*block[BLOCKS];

/* Each third so much that some mallocs have a mapping for it. */
static size_t
size_of(size_t i, size_t round)
{

	return (i % 3 == 0 ? 200000 + i * 10 :
	    33000 + (i * 37 + round) % 9000);
}

static bool
fill(size_t round)
{
	size_t i;

	for (i = 0; i < BLOCKS; i++) {
		if (block[i] != NULL)
			continue;
		block[i] = malloc(size_of(i, round));
		if (block[i] == NULL) {
			printf("round %zu: no memory\n", round);
			return (false);
		}
		*block[i] = (unsigned char)i;
	}
	return (true);
}

static bool
empty(size_t round)
{
	size_t i;

	for (i = 0; i < BLOCKS; i++) {
		if (*block[i] != (unsigned char)i) {
			printf("round %zu: damaged\n", round);
			return (false);
		}
		if ((i / (round + 1)) % 2 == 0) {
			free(block[i]);
			block[i] = NULL;
		}
	}
	return (true);
}

static long
mappings(void)
{
	FILE *f;
	long n;
	int c;

	if ((f = fopen("/proc/self/maps", "r")) == NULL)
		return (-1);
	for (n = 0; (c = getc(f)) != EOF;)
		n += c == '\n';
	(void)fclose(f);
	return (n);
}

int
main(void)
{
	long most, n;
	size_t round;

	(void)setvbuf(stdout, NULL, _IONBF, 0);
	most = 0;
	for (round = 0; round < ROUNDS; round++) {
		if (!fill(round) || !empty(round))
			return (1);
		n = mappings();
		if (n > most)
			most = n;
		if (!others(MIB)) {
			printf("round %zu: %ld mappings\n", round, n);
			return (1);
		}
	}
	printf("%ld mappings\n", most);
	return (0);
}
