/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * blocks [MIB [MILLISECONDS]]: the block cache of a storage engine, such as
 * RocksDB's: MIB (4096) in blocks of 64 KiB, all of them written to.  Half of
 * them are replaced, at random, and 16 million words are read, each from
 * another random place ("read_s", of processor time).  "huge_pct" is how much
 * of the memory that is resident then is in huge pages; what decides the time
 * of reading is the processor's cache of address translations.  Then nine
 * tenths of the blocks are freed, at random, and the program allocates little
 * every hundredth of a second for MILLISECONDS (20000: twice the usual decay
 * time): "returned_pct" is how much of the freed memory has left the process,
 * "memfree_pct" how much is free in the system, if nobody else there took
 * or gave any meanwhile.
 */

#include <time.h>

#include "wl.h"

#define	MIB		1048576UL
#define	BLOCK		65536UL
#define	READS		(16UL << 20)

static void **block;
static uint64_t state;
static volatile uint64_t sum;

static void
fill(size_t i)
{

	block[i] = malloc(BLOCK);
	if (block[i] == NULL)
		die("out of memory");
	memset(block[i], (int)(i % 255 + 1), BLOCK);
}

static double
now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

/* Each place depends on what was read before: none is read ahead. */
static double
read_all(size_t n)
{
	double begin = now(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t r, x = 0;
	unsigned long i;

	for (i = 0; i < READS; i++) {
		r = rnd(&state) + (x & 1);
		x = ((uint64_t *)block[(r & 0xffffffff) * n >> 32])
		    [(r >> 32) % (BLOCK / 8)];
	}
	sum = x;
	return (now(CLOCK_PROCESS_CPUTIME_ID) - begin);
}

static double
rollup(const char *key)
{

	return (proc_mib("/proc/self/smaps_rollup", key));
}

static double
memfree(void)
{

	return (proc_mib("/proc/meminfo", "MemFree:"));
}

/* Returns how much was freed. */
static double
free_most(size_t n)
{
	double bytes = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (rnd(&state) % 10 != 0) {
			free(block[i]);
			block[i] = NULL;
			bytes += BLOCK;
		}
	return (bytes / MIB);
}

static void
light_load(unsigned long milliseconds)
{
	const struct timespec t = { 0, 10000000 };
	double begin = now(CLOCK_MONOTONIC);

	while ((now(CLOCK_MONOTONIC) - begin) * 1000 < (double)milliseconds) {
		put(get(100));
		nanosleep(&t, NULL);
	}
}

static void
verify(size_t n)
{
	const unsigned char *p;
	size_t i, j;

	for (i = 0; i < n; i++)
		for (p = block[i], j = 0; p != NULL && j < BLOCK; j += 64)
			if (p[j] != (unsigned char)(i % 255 + 1))
				die("a block was overwritten");
}

int
main(int argc, char **argv)
{
	double before, freed, rss;
	size_t i, n, which;

	n = argument(argc, argv, 1, 4096) * MIB / BLOCK;
	state = seed(29, 1);
	block = calloc(n, sizeof(block[0]));
	if (block == NULL)
		die("out of memory");
	for (i = 0; i < n; i++)
		fill(i);
	for (i = 0; i < n / 2; i++) {
		which = uniform(&state, 0, n - 1);
		free(block[which]);
		fill(which);
	}
	figure("huge_pct", 100 * rollup("AnonHugePages:") /
	    rollup("Anonymous:"));
	figure("rss_mib", status_mib("VmRSS:"));
	figure("read_s", read_all(n));
	rss = status_mib("VmRSS:");
	before = memfree();
	freed = free_most(n);
	light_load(argument(argc, argv, 2, 20000));
	figure("left_mib", status_mib("VmRSS:"));
	figure("returned_pct", 100 * (rss - status_mib("VmRSS:")) / freed);
	figure("memfree_pct", 100 * (memfree() - before) / freed);
	verify(n);
	return (0);
}
