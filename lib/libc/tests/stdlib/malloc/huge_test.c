/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Huge pages: who has them, and that they cost no memory.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <malloc_np.h>

#include "malloc_test_subr.h"

#define	MB	((size_t)1 << 20)
#define	BLOCK	1024
#define	NBLOCKS	(96 * MB / BLOCK)

static char *blocks[NBLOCKS];

/* A figure of /proc/self/smaps_rollup, in KiB; by system calls alone. */
static long
rollup(const char *what)
{
	char buf[4096];
	const char *p;
	ssize_t n;
	int fd;

	if ((fd = open("/proc/self/smaps_rollup", O_RDONLY)) < 0)
		atf_tc_skip("no /proc/self/smaps_rollup");
	n = read(fd, buf, sizeof(buf) - 1);
	ATF_REQUIRE(n > 0);
	(void)close(fd);
	buf[n] = '\0';
	p = strstr(buf, what);
	ATF_REQUIRE_MSG(p != NULL, "no %s in %s", what, buf);
	return (strtol(p + strlen(what), NULL, 10));
}

static long
resident(void)
{

	return (rollup("Rss:"));
}

static long
huge(void)
{

	return (rollup("AnonHugePages:"));
}

/* Those that the kernel gives to who asks for them. */
static void
require_madvise(void)
{
	char buf[64];
	ssize_t n = 0;
	int fd;

	fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	if (fd >= 0) {
		n = read(fd, buf, sizeof(buf) - 1);
		(void)close(fd);
	}
	buf[n > 0 ? n : 0] = '\0';
	if (strstr(buf, "[madvise]") == NULL || getpagesize() != 4096)
		atf_tc_skip("huge pages are not given to who asks: %s", buf);
}

static void
fill(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		blocks[i] = malloc(BLOCK);
		ATF_REQUIRE(blocks[i] != NULL);
		paint(blocks[i], BLOCK, (unsigned)i);
	}
}

static void
purge(void)
{

	ATF_REQUIRE_EQ(0, mallctl("arena.4096.purge", NULL, NULL, NULL, 0));
}

ATF_TC_WITHOUT_HEAD(dense);
ATF_TC_BODY(dense, tc)
{
	long before = resident();

	require_madvise();
	fill(6 * MB / BLOCK);
	ATF_CHECK_EQ_MSG(0, huge(), "a small heap has %ld KiB", huge());
	fill(NBLOCKS);
	if (huge() == 0)
		atf_tc_skip("the system has no huge page to give");
	ATF_CHECK_MSG(huge() > 48 * 1024, "only %ld KiB", huge());
	/* What a huge page holds ahead of the use, and what blocks lose. */
	ATF_CHECK_MSG(resident() - before < 112 * 1024, "%ld KiB for 102 MiB",
	    resident() - before);
}

ATF_TC_WITHOUT_HEAD(sparse);
ATF_TC_BODY(sparse, tc)
{
	static const size_t sizes[] = { 32 * MB, 40 * MB, 512 * MB };
	size_t i, j;
	long before;
	char *p;

	require_madvise();
	fill(NBLOCKS);
	for (j = 0; j < nitems(sizes); j++) {
		before = resident();
		p = calloc(1, sizes[j]);
		ATF_REQUIRE(p != NULL);
		for (i = 0; i < sizes[j]; i += 4 * MB)
			p[i] = 1;
		ATF_CHECK_MSG(resident() - before < 4 * 1024,
		    "%ld KiB for %zu pages", resident() - before,
		    sizes[j] / (4 * MB));
	}
}

/* What is free in a huge page goes back, and stays away. */
ATF_TC_WITHOUT_HEAD(broken);
ATF_TC_BODY(broken, tc)
{
	long before, full, hfull;
	size_t i;

	require_madvise();
	before = resident();
	fill(NBLOCKS);
	full = resident();
	if ((hfull = huge()) == 0)
		atf_tc_skip("the system has no huge page to give");
	/* Of each MiB an eighth stays. */
	for (i = 0; i < NBLOCKS; i++)
		if (i / 128 % 8 != 0) {
			free(blocks[i]);
			blocks[i] = NULL;
		}
	purge();
	ATF_CHECK_MSG(resident() - before < (full - before) / 4,
	    "%ld of %ld KiB are left", resident() - before, full - before);
	ATF_CHECK_MSG(huge() < hfull / 4, "%ld of %ld KiB are huge", huge(),
	    hfull);
	for (i = 0; i < NBLOCKS; i++)
		if (blocks[i] != NULL)
			ATF_REQUIRE_EQ(BLOCK, painted(blocks[i], BLOCK,
			    (unsigned)i));
}

/* Huge pages that two blocks share, or a block and free space. */
ATF_TC_WITHOUT_HEAD(blocks);
ATF_TC_BODY(blocks, tc)
{
	const size_t size = 3000000, n = 64;
	long before, full;
	size_t i;

	require_madvise();
	before = resident();
	for (i = 0; i < n; i++) {
		blocks[i] = malloc(size);
		ATF_REQUIRE(blocks[i] != NULL);
		paint(blocks[i], size, (unsigned)i);
	}
	if (huge() == 0)
		atf_tc_skip("the system has no huge page to give");
	for (i = 0; i < n; i++)
		if (i % 4 != 0)
			free(blocks[i]);
	purge();
	full = (long)(n / 4 * size / 1024);
	ATF_CHECK_MSG(resident() - before < full + full / 8,
	    "%ld KiB for %ld KiB", resident() - before, full);
	for (i = 0; i < n; i += 4) {
		ATF_CHECK_EQ(size, painted(blocks[i], size, (unsigned)i));
		free(blocks[i]);
	}
	purge();
	ATF_CHECK_MSG(resident() - before < 2 * 1024, "%ld KiB are left",
	    resident() - before);
}

/* How many mappings a block is in. */
static unsigned int
mappings(const char *p, size_t size)
{
	char line[512];
	unsigned int n = 0;
	uintptr_t lo, hi;
	FILE *f;

	ATF_REQUIRE((f = fopen("/proc/self/maps", "r")) != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &lo, &hi) == 2 &&
		    lo < (uintptr_t)p + size && hi > (uintptr_t)p)
			n++;
	(void)fclose(f);
	return (n);
}

/* A block that has grown often is filled as it grows, and is one mapping: on
 * older systems than Linux 6.17 it could not be moved else. */
ATF_TC_WITHOUT_HEAD(grown);
ATF_TC_BODY(grown, tc)
{
	size_t size = 16 * MB;
	char *p;

	require_madvise();
	p = malloc(size);
	ATF_REQUIRE(p != NULL);
	memset(p, 1, size);
	for (; size <= 256 * MB; size += 16 * MB) {
		p = realloc(p, size);
		ATF_REQUIRE(p != NULL);
		memset(p + size - 16 * MB, 1, 16 * MB);
	}
	ATF_CHECK_EQ_MSG(1, mappings(p, 256 * MB), "%u mappings",
	    mappings(p, 256 * MB));
	if (huge() == 0)
		atf_tc_skip("the system has no huge page to give");
	ATF_CHECK_MSG(huge() > 128 * 1024, "only %ld KiB", huge());
	free(p);
}

/* A cache of blocks that are replaced at random, most of which go then. */
ATF_TC_WITHOUT_HEAD(cache);
ATF_TC_BODY(cache, tc)
{
	const size_t n = 256 * MB / 65536, size = 65536;
	long before, full, hfull;
	uint64_t r = 1;
	size_t i, j, left = 0;

	require_madvise();
	before = resident();
	for (i = 0; i < n + n / 2; i++) {
		r = r * UINT64_C(6364136223846793005) + 1442695040888963407;
		j = i < n ? i : (r >> 33) % n;
		free(blocks[j]);
		blocks[j] = malloc(size);
		ATF_REQUIRE(blocks[j] != NULL);
		paint(blocks[j], size, (unsigned)j);
	}
	full = resident() - before;
	if ((hfull = huge()) == 0)
		atf_tc_skip("the system has no huge page to give");
	ATF_CHECK_MSG(hfull > full / 100 * 85, "%ld of %ld KiB are huge", hfull,
	    full);
	for (i = 0; i < n; i++) {
		r = r * UINT64_C(6364136223846793005) + 1442695040888963407;
		if ((r >> 33) % 10 != 0) {
			free(blocks[i]);
			blocks[i] = NULL;
		} else
			left += size >> 10;
	}
	purge();
	ATF_CHECK_MSG(resident() - before < (long)left + full / 20,
	    "%ld of %ld KiB are left, %zu used", resident() - before, full,
	    left);
	for (i = 0; i < n; i++)
		if (blocks[i] != NULL)
			ATF_REQUIRE_EQ(size, painted(blocks[i], size,
			    (unsigned)i));
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, dense);
	ATF_TP_ADD_TC(tp, sparse);
	ATF_TP_ADD_TC(tp, broken);
	ATF_TP_ADD_TC(tp, blocks);
	ATF_TP_ADD_TC(tp, grown);
	ATF_TP_ADD_TC(tp, cache);
	return (atf_no_error());
}
