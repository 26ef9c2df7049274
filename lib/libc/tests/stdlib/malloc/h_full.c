/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Use all the memory that the process may have, by blocks of one size and
 * then another, several times each.  At least so many MiB of small ones, and a
 * quarters of that of large ones, must be had every time: h_full MiB
 */

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define	nitems(x)	(sizeof(x) / sizeof((x)[0]))

static bool
whole(const unsigned char *p, size_t size, unsigned char c)
{

	return (p[0] == c && memcmp(p, p + 1, size - 1) == 0);
}

static void *
short_life(void *arg)
{
	void *p[50];
	size_t i;

	for (i = 0; i < nitems(p); i++)
		p[i] = malloc(i * 100);
	for (i = 0; i < nitems(p); i++)
		free(p[i]);
	return (arg);
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
	pthread_attr_t attr;
	pthread_t t;
	size_t atleast, i;

	if (argc != 2 || pthread_attr_init(&attr) != 0 ||
	    pthread_attr_setstacksize(&attr, 256 << 10) != 0)
		return (2);
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	atleast = (size_t)atoi(argv[1]) << 20;
	for (i = 0; i < nitems(sizes); i++) {
		if (!until_full(sizes[i], sizes[i] < 1000000 ? atleast :
		    atleast / 4 * 3))
			return (1);
		/* A stack is to be had again, and the thread a cache. */
		if (pthread_create(&t, &attr, short_life, NULL) != 0 ||
		    pthread_join(t, NULL) != 0)
			return (3);
	}
	return (0);
}
