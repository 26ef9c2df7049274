/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * h_thp [-d | -s] MIB [BLOCKS]: use so much memory in small objects, then so
 * many blocks of 3,000,000 bytes, and print in KiB: what of the process is in
 * huge pages, how long the mappings with these blocks are that have advice for or
 * against them, and all others that have advice for them; by malloc's own
 * account what is dirty, and how many huge pages its records have.  -d: with huge pages
 * switched off for this process, and those that it executes.  -s: stay for a
 * second, and have what is due given back meanwhile.
 */
#include <sys/prctl.h>

#include <inttypes.h>
#include <malloc_np.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define	MAX	((size_t)1 << 18)

static char *block[MAX];
static size_t nblocks;

static void
use(size_t size)
{
	char *p;

	if (nblocks == MAX || (p = malloc(size)) == NULL)
		exit(2);
	block[nblocks++] = p;
	memset(p, 1, size);
}

static bool
has_blocks(uintptr_t lo, uintptr_t hi)
{
	size_t i;

	for (i = 0; i < nblocks; i++)
		if ((uintptr_t)block[i] >= lo && (uintptr_t)block[i] < hi)
			return (true);
	return (false);
}

static void
print_mappings(void)
{
	long against = 0, asked = 0, huge = 0, other = 0;
	uintptr_t a, b, hi = 0, lo = 0;
	char line[512];
	FILE *f;

	if ((f = fopen("/proc/self/smaps", "r")) == NULL)
		exit(2);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &a, &b) == 2) {
			lo = a;
			hi = b;
		}
		if (strncmp(line, "AnonHugePages:", 14) == 0)
			huge += strtol(line + 14, NULL, 10);
		if (strncmp(line, "VmFlags:", 8) != 0)
			continue;
		if (!has_blocks(lo, hi)) {
			if (strstr(line, " hg") != NULL)
				other += (long)((hi - lo) >> 10);
			continue;
		}
		if (strstr(line, " hg") != NULL)
			asked += (long)((hi - lo) >> 10);
		if (strstr(line, " nh") != NULL)
			against += (long)((hi - lo) >> 10);
	}
	(void)fclose(f);
	printf("huge=%ld\nfor=%ld\nagainst=%ld\nother=%ld\n", huge, asked,
	    against, other);
}

static void
stay(void)
{
	int i;

	for (i = 0; i < 20; i++) {
		/* Something dirty. */
		free(malloc(100000));
		(void)usleep(50000);
		if (mallctl("arena.4096.decay", NULL, NULL, NULL, 0) != 0)
			exit(2);
	}
}

static size_t
figure(const char *name)
{
	size_t len, n;

	len = sizeof(n);
	if (mallctl(name, &n, &len, NULL, 0) != 0)
		exit(2);
	return (n);
}

int
main(int argc, char **argv)
{
	size_t dirty, i, n;
	bool stays;

	if (argc > 1 && strcmp(argv[1], "-d") == 0) {
		argv[1] = argv[0];
		if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0 ||
		    prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) != 1)
			return (77);
		(void)execv("/proc/self/exe", argv + 1);
		return (2);
	}
	stays = argc > 1 && strcmp(argv[1], "-s") == 0;
	argc -= stays;
	argv += stays;
	if (argc < 2)
		return (2);
	n = strtoul(argv[1], NULL, 10) << 10;
	for (i = 0; i < n; i++)
		use(1024);
	n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	for (i = 0; i < n; i++)
		use(3000000);
	if (stays)
		stay();
	dirty = figure("stats.arenas.4096.pdirty");
	print_mappings();
	printf("dirty=%zu\nrecords=%zu\n", dirty * (size_t)getpagesize() >> 10,
	    figure("stats.metadata_thp"));
	return (0);
}
