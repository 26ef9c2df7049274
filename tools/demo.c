/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2025 The dsmalloc authors
 */

/*
 * The demonstration of tools/run: some threads allocate and free blocks of
 * many sizes, some of them each other's, and the allocator then reports what
 * it sees.
 */

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "malloc_np.h"

#define	NTHREADS	4
#define	NROUNDS		500000
#define	NSLOTS		4096

/* Slots that all threads put blocks into and take blocks out of. */
static void *slots[NSLOTS];

/* Small sizes often, larger ones ever more seldom, up to 64 KiB. */
static size_t
pick_size(uint64_t r)
{

	return (1 + (r >> 32) % ((size_t)16 << (r % 8) * (r / 8 % 8) / 4));
}

/* Exchange new blocks for old ones, which another thread may have made. */
static void *
work(void *arg)
{
	uint64_t *count, r;
	void *block;
	size_t size;
	int i;

	count = arg;
	r = 88172645463325252ULL + (uintptr_t)arg;
	for (i = 0; i < NROUNDS; i++) {
		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		size = pick_size(r);
		block = malloc(size);
		if (block == NULL)
			abort();
		memset(block, (int)r, size);
		*count += size;
		free(__atomic_exchange_n(&slots[r % NSLOTS], block,
		    __ATOMIC_ACQ_REL));
	}
	return (NULL);
}

int
main(void)
{
	uint64_t counts[NTHREADS], total;
	struct timespec begin, end;
	pthread_t threads[NTHREADS];
	double seconds;
	int i;

	printf("%d threads, %d allocations each, freed by whoever comes next\n",
	    NTHREADS, NROUNDS);
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	total = 0;
	memset(counts, 0, sizeof(counts));
	for (i = 0; i < NTHREADS; i++)
		if (pthread_create(&threads[i], NULL, work, &counts[i]) != 0)
			abort();
	for (i = 0; i < NTHREADS; i++) {
		(void)pthread_join(threads[i], NULL);
		total += counts[i];
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - begin.tv_sec) +
	    (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	printf("%.0f MiB passed through in %.2f seconds; this is what the "
	    "allocator makes of it:\n\n", (double)total / (1 << 20), seconds);
	(void)fflush(stdout);

	malloc_stats_print(NULL, NULL, NULL);
	return (0);
}
