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

/* Regions that are dense become huge pages soon. */
const char *malloc_conf = "hpa_hugify_delay_ms:100";

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
	/* With nothing freed ever, all but what is of the time when it was
	 * small: up to 16 MiB, and what was mapped ahead by then. */
	ATF_CHECK_MSG(resident() - huge() < 26 * 1024, "only %ld KiB of %ld",
	    huge(), resident());
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

/* Blocks of 64 KiB, and which of them stay. */
static void
fill_64k(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (blocks[i] == NULL) {
			ATF_REQUIRE((blocks[i] = malloc(65536)) != NULL);
			memset(blocks[i], 1, 65536);
		}
}

static void
free_64k(size_t n, size_t every)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (every == 0 || i % every != 0) {
			free(blocks[i]);
			blocks[i] = NULL;
		}
}

/* So many huge pages are broken up that nothing is to be huge any more, until
 * they have gone. */
ATF_TC_WITHOUT_HEAD(many_broken);
ATF_TC_BODY(many_broken, tc)
{
	const size_t n = 640 * MB >> 16;

	require_madvise();
	fill_64k(n);
	if (huge() == 0)
		atf_tc_skip("the system has no huge page to give");
	free_64k(n, 8);
	purge();
	ATF_CHECK_MSG(huge() < 64 * 1024, "%ld KiB are huge", huge());
	fill_64k(n);
	ATF_CHECK_MSG(huge() < 64 * 1024, "%ld KiB are huge", huge());
	free_64k(n, 0);
	purge();
	fill_64k(n);
	ATF_CHECK_MSG(huge() > 512 * 1024, "only %ld KiB are huge", huge());
}

static uint64_t
count(const char *name)
{
	size_t len;
	uint64_t n;

	len = sizeof(n);
	ATF_REQUIRE_EQ_MSG(0, mallctl(name, &n, &len, NULL, 0), "%s", name);
	return (n);
}

/* Visit what is dirty for two seconds, or until so much is huge. */
static void
decay(long enough)
{
	ssize_t ms = 200;
	int i;

	ATF_REQUIRE_EQ(0, mallctl("arena.4096.dirty_decay_ms", NULL, NULL, &ms,
	    sizeof(ms)));
	for (i = 0; i < 40 && huge() < enough; i++) {
		/* Something dirty. */
		free(malloc(100000));
		(void)usleep(50000);
		ATF_REQUIRE_EQ(0, mallctl("arena.4096.decay", NULL, NULL, NULL,
		    0));
	}
}

/* What is of the time when the process was small, and what was broken up and
 * has filled again, becomes huge once it has been full for a while. */
ATF_TC_WITHOUT_HEAD(hugified);
ATF_TC_BODY(hugified, tc)
{
	const size_t n = 96 * MB >> 16;
	long before, first, full, half, rss;
	size_t i;

	require_madvise();
	rss = resident();
	fill_64k(n);
	if ((first = huge()) == 0)
		atf_tc_skip("the system has no huge page to give");
	ATF_CHECK_MSG(first <= 84 * 1024, "%ld KiB are huge", first);
	decay(94 * 1024);
	full = huge();
	if (count("stats.arenas.4096.hpa_shard.nhugify_failures") != 0)
		atf_tc_skip("the system makes no huge pages");
	ATF_CHECK_MSG(full >= 92 * 1024, "%ld, %ld KiB are huge", first, full);
	ATF_CHECK(count("stats.arenas.4096.hpa_shard.nhugifies") >= 4);
	free_64k(n, 8);
	purge();
	half = huge();
	before = resident();
	ATF_CHECK_MSG(half < full / 4, "%ld of %ld KiB are huge", half, full);
	ATF_CHECK_MSG(before - rss < 24 * 1024, "%ld KiB are left",
	    before - rss);
	ATF_CHECK(count("stats.arenas.4096.hpa_shard.ndehugifies") >= 44);
	fill_64k(n);
	ATF_CHECK_MSG(huge() < full / 4, "%ld KiB are huge at once", huge());
	decay(90 * 1024);
	ATF_CHECK_MSG(huge() >= 88 * 1024, "%ld KiB are huge again", huge());
	ATF_CHECK_MSG(resident() - rss < 102 * 1024, "%ld KiB for 96 MiB",
	    resident() - rss);
	for (i = 0; i < n; i++)
		ATF_REQUIRE_EQ(65536, all_bytes(blocks[i], 65536, 1));
}

/* The same where all goes back at once: then nothing is to be huge at all. */
ATF_TC_WITHOUT_HEAD(many_broken_now);
ATF_TC_BODY(many_broken_now, tc)
{
	const size_t n = 640 * MB >> 16;
	ssize_t ms = 0;

	require_madvise();
	fill_64k(n);
	if (huge() == 0)
		atf_tc_skip("the system has no huge page to give");
	ATF_REQUIRE_EQ(0, mallctl("arena.4096.dirty_decay_ms", NULL, NULL, &ms,
	    sizeof(ms)));
	free_64k(n, 8);
	free_64k(n, 0);
	fill_64k(n);
	ATF_CHECK_EQ_MSG(0, huge(), "%ld KiB are huge", huge());
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
	ATF_TP_ADD_TC(tp, many_broken);
	ATF_TP_ADD_TC(tp, many_broken_now);
	ATF_TP_ADD_TC(tp, hugified);
	ATF_TP_ADD_TC(tp, blocks);
	ATF_TP_ADD_TC(tp, grown);
	ATF_TP_ADD_TC(tp, cache);
	return (atf_no_error());
}
