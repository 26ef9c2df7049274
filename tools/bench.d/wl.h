/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the workloads share: a seeded generator, power-law sizes, the touching
 * and checking of blocks, and figures for the report.  Only what reports
 * allocates (a buffer or two of stdio's), so that what is measured is the
 * allocator that the program is run under.
 */

#ifndef WL_H
#define	WL_H

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define	NELEM(a)	(sizeof(a) / sizeof((a)[0]))

/* xorshift64*; the state must not be 0. */
static inline uint64_t
rnd(uint64_t *state)
{
	uint64_t x;

	x = *state;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return (x * 0x2545f4914f6cdd1dULL >> 16);
}

/* A seed from small numbers that is never 0 and differs in many bits. */
static inline uint64_t
seed(unsigned a, unsigned b)
{

	return ((a * 0x9e3779b97f4a7c15ULL ^ b * 0xc2b2ae3d27d4eb4fULL) | 1);
}

static inline size_t
uniform(uint64_t *state, size_t lo, size_t hi)
{

	return (lo + (rnd(state) & 0xffffffff) * (hi - lo + 1) / 0x100000000);
}

static inline double
fraction(uint64_t *state)
{

	return ((double)(rnd(state) & 0xffffffff) / 4294967296.0);
}

/* Sizes with density 1/s^2: each doubling of size has as many bytes. */
static inline size_t
powerlaw2(uint64_t *state, double lo, double hi)
{

	return ((size_t)(lo / (1.0 - fraction(state) * (1.0 - lo / hi))));
}

/* Sizes with density 1/s^(5/3) from 8 B to 3 MiB; the mean is 1.1 KiB. */
static inline size_t
powerlaw53(uint64_t *state)
{
	const double tail = 1.9073e-4;	/* (8 / 3 MiB)^(2/3) */
	double u;

	u = 1.0 - fraction(state) * (1.0 - tail);
	return ((size_t)(8.0 / (u * sqrt(u))));
}

static inline void
die(const char *what)
{

	fprintf(stderr, "bench: %s\n", what);
	abort();
}

/* Allocates at least 8 bytes; touches every page, the first word, the last. */
static inline void *
get(size_t size)
{
	size_t i;
	char *p;

	p = malloc(size);
	if (p == NULL)
		die("out of memory");
	for (i = 4096; i < size; i += 4096)
		p[i] = 1;
	p[size - 1] = 2;
	*(void **)(void *)p = p;
	return (p);
}

/* Frees what get() gave, having looked at it once more. */
static inline void
put(void *p)
{

	if (p == NULL)
		return;
	if (*(void **)p != p)
		die("a block was overwritten");
	free(p);
}

/* A figure for the report, beside what every run is measured by. */
static inline void
figure(const char *key, double value)
{

	printf("= %s %.2f\n", key, value);
	fflush(stdout);
}

/* The program's first argument, or what it does when there is none. */
static inline unsigned long
argument(int argc, char **argv, int i, unsigned long otherwise)
{

	return (argc > i ? strtoul(argv[i], NULL, 0) : otherwise);
}

static inline pthread_t
start(void *(*body)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, arg) != 0)
		die("cannot create a thread");
	return (thread);
}

/* A line of a file in /proc, in MiB. */
static inline double
proc_mib(const char *file, const char *key)
{
	char line[256];
	double kib;
	FILE *f;

	kib = 0;
	f = fopen(file, "r");
	if (f == NULL)
		die("cannot read /proc");
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtod(line + strlen(key), NULL);
	fclose(f);
	return (kib / 1024);
}

/* Of this process's status, such as "VmRSS:" or "VmHWM:". */
static inline double
status_mib(const char *key)
{

	return (proc_mib("/proc/self/status", key));
}

#endif /* !WL_H */
