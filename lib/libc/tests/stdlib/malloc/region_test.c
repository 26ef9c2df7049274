/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * region: runs of pages, and the bitmaps that they are found in.
 */

#ifdef __linux__
#define	_GNU_SOURCE
#include <sys/prctl.h>
#include <sys/uio.h>

#include <fcntl.h>
#endif

#include "dsm_bits.h"
#include "dsm_conf.h"
#include "unit_test_subr.h"

static struct fake	fake;
static struct pool	pool;
static struct regions	regions;

static void
setup(void)
{

	fake_init(&fake);
	fresh_regions(&regions, &pool, &fake.hooks, IND);
}

static bool
take(struct run *run, size_t size)
{

	return (run_take(&regions, run, size));
}

/* One pass. */
static size_t
purge(enum regions_what what, size_t most)
{
	struct budget b = BUDGET_ALL;

	b.most = most;
	regions_pass(&regions, PAGES_DIRTY);
	return (regions_purge(&regions, what, REGIONS_PASS, &b));
}

static bool
all_valid(void)
{
	size_t dirty, pages, used;
	unsigned int nempty;
	struct region *r;

	dirty = pages = used = 0;
	nempty = 0;
	TAILQ_FOREACH(r, &regions.all[PAGES_DIRTY], all[PAGES_DIRTY]) {
		if (!region_valid(r))
			return (false);
		dirty += r->ndirty;
		pages += r->npages;
		used += r->nused;
		nempty += r->nused == 0;
	}
	return (dirty == regions.dirty && pages == regions.pages &&
	    used == regions.used && nempty == regions.nempty && nempty <= 1);
}

#define	NBITS	192

static unsigned int
naive(const uint64_t *map, bool set, unsigned int from, unsigned int end)
{

	while (from < end && (map[from / 64] >> (from % 64) & 1) != set)
		from++;
	return (from);
}

/* All functions of dsm_bits.h over [from, end) of one map. */
static bool
bits_agree(const uint64_t *map, unsigned int from, unsigned int end)
{
	uint64_t c[NBITS / 64], s[NBITS / 64];
	unsigned int i, in, n;

	n = 0;
	memcpy(c, map, sizeof(c));
	memcpy(s, map, sizeof(s));
	bits_clear(c, from, end);
	bits_set(s, from, end);
	for (i = 0; i < NBITS; i++) {
		in = i >= from && i < end;
		if (bits_test(c, i) != (!in && bits_test(map, i)) ||
		    bits_test(s, i) != (in || bits_test(map, i)))
			return (false);
		n += in && bits_test(map, i);
	}
	return (bits_count(map, from, end) == n &&
	    bits_next_set(map, from, end) == naive(map, true, from, end) &&
	    bits_next_clear(map, from, end) == naive(map, false, from, end));
}

ATF_TC(bits);
ATF_TC_HEAD(bits, tc)
{

	atf_tc_set_md_var(tc, "descr", "Bitmaps, over all bounds, against what "
	    "a loop over bits says");
}
ATF_TC_BODY(bits, tc)
{
	uint64_t map[NBITS / 64];
	unsigned int end, from, i, k, start;

	memset(map, 0, sizeof(map));
	for (k = 0; k < 6; k++) {
		/* Empty, full, and some with runs of several lengths. */
		for (i = 0; i < NBITS; i++)
			if (k == 1 || (k > 1 && i / (3 * k) % 2 == 0))
				bits_set(map, i, i + 1);
			else
				bits_clear(map, i, i + 1);
		for (end = 0; end <= NBITS; end++) {
			for (from = 0; from <= end; from++)
				ATF_REQUIRE_MSG(bits_agree(map, from, end),
				    "map %u, [%u, %u)", k, from, end);
			for (start = end; start > 0 &&
			    !bits_test(map, start - 1); start--)
				continue;
			ATF_REQUIRE_EQ(start, bits_run_start(map, end));
		}
	}
}

ATF_TC(quarters);
ATF_TC_HEAD(quarters, tc)
{

	atf_tc_set_md_var(tc, "descr", "Size classes of runs rise by one, four "
	    "to a doubling");
}
ATF_TC_BODY(quarters, tc)
{
	size_t n;
	unsigned int q;

	for (n = 1; n < 100000; n++) {
		q = bits_quarter(n) - bits_quarter(n - 1);
		ATF_REQUIRE(q <= 1);
	}
	for (n = 8; n < (size_t)1 << 40; n *= 2)
		ATF_CHECK_EQ(bits_quarter(n) + 4, bits_quarter(2 * n));
	ATF_CHECK_EQ(REGION_BUCKETS - 1, bits_quarter(REGION_PAGES));
}

ATF_TC(runs);
ATF_TC_HEAD(runs, tc)
{

	atf_tc_set_md_var(tc, "descr", "Runs come from the lowest place that "
	    "holds them, join when freed, and are zeroed once, on all pages");
}
ATF_TC_BODY(runs, tc)
{
	struct run a, b, c, d;
	unsigned int shift;

	for (FOREACH_PAGE(shift)) {
		set_page(shift);
		setup();
		ATF_REQUIRE(take(&a, os_page) && take(&b, 2 * os_page) &&
		    take(&c, os_page) && take(&d, 3 * os_page));
		/* The first region of a process is half as large. */
		ATF_CHECK_EQ(REGION_FIRST / os_page, a.r->npages);
		ATF_CHECK(a.zeroed && b.zeroed && c.zeroed && d.zeroed);
		ATF_CHECK_EQ(a.p + os_page, b.p);
		ATF_CHECK_EQ(b.p + 2 * os_page, c.p);
		ATF_CHECK_EQ(7, regions.used);
		ATF_CHECK_EQ(7, regions.fresh);
		run_give(&b);
		ATF_CHECK_EQ(2, regions.dirty);
		ATF_REQUIRE(take(&b, os_page));
		ATF_CHECK_EQ(a.p + os_page, b.p);
		ATF_CHECK(!b.zeroed);
		ATF_CHECK_EQ(7, regions.fresh);
		run_give(&b);
		run_give(&c);
		run_give(&a);
		ATF_CHECK_EQ(4, regions.dirty);
		ATF_CHECK(all_valid());
		/* The four are one again. */
		ATF_REQUIRE(take(&a, 4 * os_page));
		ATF_CHECK_EQ(d.p - 4 * os_page, a.p);
		ATF_CHECK_EQ(0, regions.dirty);
		/* Partly fresh is not zeroed. */
		run_give(&d);
		ATF_REQUIRE(take(&d, 5 * os_page));
		ATF_CHECK_EQ(a.p + 4 * os_page, d.p);
		ATF_CHECK(!d.zeroed);
		ATF_CHECK(all_valid());
	}
	set_page(12);
	ATF_CHECK(!fake.wrong);
}

ATF_TC(fits);
ATF_TC_HEAD(fits, tc)
{

	atf_tc_set_md_var(tc, "descr", "A run is taken where it fits tightest; "
	    "the longest possible is half a region");
}
ATF_TC_BODY(fits, tc)
{
	struct run a, b, c, first, r[4];
	unsigned int i;

	setup();
	/* The first region is full, then two with room. */
	ATF_REQUIRE(take(&first, REGION_FIRST));
	for (i = 0; i < nitems(r); i++)
		ATF_REQUIRE(take(&r[i], REGION_RUN_MAX));
	ATF_CHECK(r[0].r == r[1].r && r[2].r == r[3].r && r[0].r != r[2].r);
	ATF_CHECK_EQ(0, (uintptr_t)r[0].r->addr % REGION_BYTES);
	run_give(&r[0]);
	run_give(&r[3]);
	ATF_REQUIRE(take(&a, REGION_RUN_MAX - 10 * os_page));
	ATF_REQUIRE(take(&b, 8 * os_page));
	/* Where ten pages are left, not where half a region is. */
	ATF_CHECK_EQ(a.r, b.r);
	ATF_REQUIRE(take(&c, REGION_RUN_MAX));
	ATF_CHECK(c.r != a.r && c.r->nused == 2 * REGION_RUN_MAX / os_page);
	ATF_CHECK(all_valid());
	ATF_CHECK_EQ((REGION_FIRST + 2 * REGION_BYTES) / os_page,
	    regions.pages);
}

ATF_TC(extend);
ATF_TC_HEAD(extend, tc)
{

	atf_tc_set_md_var(tc, "descr", "A run grows into free pages behind it, "
	    "to the end of the region and no further");
}
ATF_TC_BODY(extend, tc)
{
	struct run a, b;
	size_t half;

	setup();
	half = REGION_FIRST / 2;
	ATF_REQUIRE(take(&a, half) && take(&b, os_page));
	ATF_CHECK(!region_extend(a.r, a.page, half, half + os_page));
	run_give(&b);
	ATF_CHECK(region_extend(a.r, a.page, half, half + 2 * os_page));
	ATF_CHECK(all_valid());
	ATF_CHECK_EQ(0, regions.dirty);
	ATF_CHECK(!region_extend(a.r, a.page, half + 2 * os_page,
	    REGION_FIRST + os_page));
	ATF_CHECK(region_extend(a.r, a.page, half + 2 * os_page,
	    REGION_FIRST));
	ATF_CHECK_EQ(0, a.r->longest);
	ATF_CHECK(!region_extend(a.r, a.page, REGION_FIRST,
	    REGION_FIRST + os_page));
	a.size = REGION_FIRST;
	run_give(&a);
	ATF_CHECK(all_valid());
}

ATF_TC(ageing);
ATF_TC_HEAD(ageing, tc)
{

	atf_tc_set_md_var(tc, "descr", "A pass purges what was dirty at the "
	    "pass before and was not used since; pages are then zero");
}
ATF_TC_BODY(ageing, tc)
{
	struct run keep, r[3];
	unsigned int i, shift;

	for (FOREACH_PAGE(shift)) {
		set_page(shift);
		setup();
		for (i = 0; i < nitems(r); i++) {
			ATF_REQUIRE(take(&r[i], os_page));
			memset(r[i].p, 1, os_page);
			ATF_REQUIRE(take(&keep, os_page));
			memset(keep.p, 2, os_page);
		}
		run_give(&r[0]);
		run_give(&r[1]);
		ATF_CHECK_EQ(0, purge(REGIONS_OLD, SIZE_MAX));
		/* One becomes younger; another is dirty from now on. */
		ATF_REQUIRE(take(&r[0], os_page));
		run_give(&r[0]);
		run_give(&r[2]);
		ATF_CHECK_EQ(os_page, purge(REGIONS_OLD, SIZE_MAX));
		ATF_CHECK_EQ(1, r[0].page + 1);
		ATF_CHECK_EQ(2, regions.dirty);
		ATF_CHECK_EQ(2 * os_page, purge(REGIONS_OLD, SIZE_MAX));
		ATF_CHECK_EQ(0, purge(REGIONS_OLD, SIZE_MAX));
		ATF_CHECK_EQ(0, regions.dirty);
		ATF_CHECK_EQ(3 * os_page, regions.purged[PAGES_DIRTY].bytes);
		ATF_CHECK_EQ(2, regions.purged[PAGES_DIRTY].npurge);
		for (i = 0; i < nitems(r); i++) {
			ATF_REQUIRE(take(&r[i], os_page));
			ATF_CHECK(r[i].zeroed);
			ATF_CHECK_EQ(os_page, all_bytes(r[i].p, os_page, 0));
		}
		ATF_CHECK_EQ(os_page, all_bytes(keep.p, os_page, 2));
		ATF_CHECK(all_valid());
	}
	set_page(12);
	ATF_CHECK(!fake.wrong);
}

#define	NRUNS	400

/* Dirty runs of a page that cannot join, in several regions. */
static void
scatter(struct run *r)
{
	struct run keep;
	unsigned int i;

	setup();
	for (i = 0; i < NRUNS; i++)
		ATF_REQUIRE(take(&r[i], os_page) && take(&keep, os_page));
	for (i = 0; i < NRUNS; i++)
		run_give(&r[i]);
}

ATF_TC(everything);
ATF_TC_HEAD(everything, tc)
{

	atf_tc_set_md_var(tc, "descr", "All can be purged whatever its age, or "
	    "as much as is asked for");
}
ATF_TC_BODY(everything, tc)
{
	struct run r[NRUNS];
	size_t bytes;

	scatter(r);
	ATF_CHECK_EQ(NRUNS, regions.dirty);
	bytes = purge(REGIONS_ANY, 10 * os_page);
	ATF_CHECK_MSG(bytes >= 10 * os_page && bytes <= 128 * os_page,
	    "%zu pages", bytes / os_page);
	ATF_CHECK_EQ(NRUNS - bytes / os_page, regions.dirty);
	bytes += purge(REGIONS_ALL, SIZE_MAX);
	ATF_CHECK_EQ(NRUNS * os_page, bytes);
	ATF_CHECK_EQ(NRUNS, fake.purges);
	ATF_CHECK_EQ(0, regions.dirty);
	ATF_CHECK(all_valid() && !fake.wrong);
}

ATF_TC(purge_fails);
ATF_TC_HEAD(purge_fails, tc)
{

	atf_tc_set_md_var(tc, "descr", "What cannot be purged stays dirty, and "
	    "the attempt ends");
	atf_tc_set_md_var(tc, "timeout", "30");
}
ATF_TC_BODY(purge_fails, tc)
{
	struct run r[NRUNS];
	unsigned int i;

	scatter(r);
	fake.purge_left = 0;
	for (i = 0; i < 3; i++)
		ATF_CHECK_EQ(0, purge(REGIONS_OLD, SIZE_MAX));
	ATF_CHECK_EQ(0, purge(REGIONS_ALL, SIZE_MAX));
	ATF_CHECK_EQ(NRUNS, regions.dirty);
	fake.purge_left = 100;
	ATF_CHECK_EQ(100 * os_page, purge(REGIONS_ALL, SIZE_MAX));
	ATF_CHECK_EQ(NRUNS - 100, regions.dirty);
	fake.purge_left = UINT32_MAX;
	ATF_CHECK_EQ((NRUNS - 100) * os_page, purge(REGIONS_ALL, SIZE_MAX));
	ATF_CHECK(all_valid());
}

ATF_TC(parts);
ATF_TC_HEAD(parts, tc)
{

	atf_tc_set_md_var(tc, "descr", "A pass can be made in parts, each "
	    "region seen once; without time it stops and goes on");
}
ATF_TC_BODY(parts, tc)
{
	struct run r[16], rest[16];
	struct budget all = BUDGET_ALL, none = BUDGET_ALL;
	unsigned int i;
	size_t bytes;

	setup();
	ATF_REQUIRE(take(&rest[0], REGION_FIRST));
	/* Of each of 16 regions a half and a page. */
	for (i = 0; i < nitems(r); i++)
		ATF_REQUIRE(take(&r[i], REGION_RUN_MAX) &&
		    take(&rest[i], REGION_RUN_MAX));
	for (i = 0; i < nitems(r); i++)
		run_give(&r[i]);
	ATF_CHECK_EQ(0, purge(REGIONS_OLD, SIZE_MAX));
	regions_pass(&regions, PAGES_DIRTY);
	bytes = 0;
	for (i = 1; i <= 4; i++) {
		bytes += regions_purge(&regions, REGIONS_OLD,
		    i * REGIONS_PASS / 4, &all);
		ATF_CHECK_EQ(i * 4 * REGION_RUN_MAX, bytes);
		ATF_CHECK_EQ(0, regions_purge(&regions, REGIONS_OLD,
		    i * REGIONS_PASS / 4, &all));
	}
	ATF_CHECK(!all.more && all_valid());

	for (i = 0; i < nitems(r); i++)
		ATF_REQUIRE(take(&r[i], REGION_RUN_MAX));
	for (i = 0; i < nitems(r); i++)
		run_give(&r[i]);
	none.until = os_time_ns();
	regions_pass(&regions, PAGES_DIRTY);
	ATF_CHECK_EQ(0, regions_purge(&regions, REGIONS_ANY, REGIONS_PASS,
	    &none));
	ATF_CHECK(none.more);
	none.least = 2 * BUDGET_BATCH + 1;
	ATF_CHECK_EQ(3 * BUDGET_BATCH, regions_purge(&regions, REGIONS_ANY,
	    REGIONS_PASS, &none));
	ATF_CHECK_EQ(nitems(r) * REGION_RUN_MAX - 3 * BUDGET_BATCH,
	    regions_purge(&regions, REGIONS_ANY, REGIONS_PASS, &all));
	ATF_CHECK(all_valid() && !fake.wrong);
}

ATF_TC(resumes);
ATF_TC_HEAD(resumes, tc)
{

	atf_tc_set_md_var(tc, "descr", "What was not purged for want of time "
	    "comes next, and is old still");
}
ATF_TC_BODY(resumes, tc)
{
	struct budget all = BUDGET_ALL, b = BUDGET_ALL;
	struct run keep, r[40];
	unsigned int i;

	/* So few that a batch holds them all, and the region counts as seen. */
	ATF_REQUIRE(nitems(r) < OS_PURGE_MAX);
	setup();
	for (i = 0; i < nitems(r); i++)
		ATF_REQUIRE(take(&r[i], os_page) && take(&keep, os_page));
	for (i = 0; i < nitems(r); i++)
		run_give(&r[i]);
	ATF_CHECK_EQ(0, purge(REGIONS_OLD, SIZE_MAX));
	regions_pass(&regions, PAGES_DIRTY);
	/* The hook that is called first takes all the time there is. */
	b.until = os_time_ns() + 20000000;
	fake.slow = 40000000;
	ATF_CHECK_EQ(os_page, regions_purge(&regions, REGIONS_OLD,
	    REGIONS_PASS, &b));
	ATF_CHECK(b.more && all_valid());
	fake.slow = 0;
	ATF_CHECK_EQ((nitems(r) - 1) * os_page, regions_purge(&regions,
	    REGIONS_OLD, REGIONS_PASS, &all));
	ATF_CHECK(all_valid() && !fake.wrong);
}

ATF_TC(skips);
ATF_TC_HEAD(skips, tc)
{

	atf_tc_set_md_var(tc, "descr", "A region with memory that cannot be "
	    "purged keeps none of the others from it");
}
ATF_TC_BODY(skips, tc)
{
	struct budget b = BUDGET_ALL;
	struct run r[NRUNS];
	size_t first;

	scatter(r);
	first = TAILQ_FIRST(&regions.all[PAGES_DIRTY])->ndirty;
	ATF_REQUIRE(first > OS_PURGE_MAX && first < NRUNS);
	regions_pass(&regions, PAGES_DIRTY);
	fake.purge_left = 0;
	ATF_CHECK_EQ(0, regions_purge(&regions, REGIONS_ANY, REGIONS_PASS,
	    &b));
	fake.purge_left = UINT32_MAX;
	ATF_CHECK_EQ((NRUNS - first) * os_page, regions_purge(&regions,
	    REGIONS_ANY, REGIONS_PASS, &b));
	ATF_CHECK_EQ(first * os_page, purge(REGIONS_ANY, SIZE_MAX));
	ATF_CHECK(all_valid() && !fake.wrong);
}

ATF_TC(empty);
ATF_TC_HEAD(empty, tc)
{

	atf_tc_set_md_var(tc, "descr", "Empty regions but one go to the pool, "
	    "dirty with the time or clean, and come back from there");
}
ATF_TC_BODY(empty, tc)
{
	struct run r[7];
	unsigned int i;

	setup();
	for (i = 0; i < nitems(r); i++)
		ATF_REQUIRE(take(&r[i], REGION_RUN_MAX));
	ATF_CHECK_EQ(7 * REGION_RUN_MAX, regions.pages * os_page);
	for (i = 0; i < nitems(r); i++) {
		run_give(&r[i]);
		ATF_CHECK(all_valid());
	}
	ATF_CHECK_EQ(1, regions.nempty);
	ATF_CHECK_EQ(7 * REGION_RUN_MAX, regions.pages * os_page +
	    pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(1, TAILQ_FIRST(&pool.lru[PAGES_DIRTY])->stamp);
	for (i = 0; i < nitems(r); i++)
		ATF_REQUIRE(take(&r[i], REGION_RUN_MAX));
	ATF_CHECK(!r[6].zeroed);
	ATF_CHECK_EQ(0, regions.dirty);
}

ATF_TC(no_memory);
ATF_TC_HEAD(no_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "NULL when there is no space, or no "
	    "descriptor for it, and nothing is lost");
}
ATF_TC_BODY(no_memory, tc)
{
	struct run a, b;

	setup();
	fake.max = 0;
	ATF_CHECK(!take(&a, os_page));
	ATF_CHECK(all_valid());
	fake.max = SIZE_MAX;
	ATF_REQUIRE(take(&a, REGION_FIRST));
	(void)exhaust_base(BASE_REGION, sizeof(struct region));
	ATF_CHECK(!take(&b, os_page));
	ATF_CHECK_EQ(fake.mapped, regions.pages * os_page + pool.clean);
	run_give(&a);
	ATF_CHECK(take(&b, os_page));
	memory_again();
	ATF_CHECK(take(&a, REGION_RUN_MAX));
	ATF_CHECK(all_valid());
}

ATF_TC(random);
ATF_TC_HEAD(random, tc)
{

	atf_tc_set_md_var(tc, "descr", "Whatever is done, runs do not overlap, "
	    "say truly whether they are zeroed, and the books are right");
}
ATF_TC_BODY(random, tc)
{
	static struct run b[128];
	unsigned int i, n, seed;
	char *last;

	setup();
	seed = 1;
	for (n = 0; n < 20000; n++) {
		seed = seed * 1103515245 + 12345;
		i = seed >> 16 & 127;
		if (b[i].p != NULL) {
			last = b[i].p + b[i].size - os_page;
			ATF_REQUIRE(b[i].p[0] == (char)i && *last == (char)i);
			run_give(&b[i]);
		} else {
			ATF_REQUIRE(take(&b[i], ((seed >> 23 & 31) + 1) *
			    os_page));
			last = b[i].p + b[i].size - os_page;
			ATF_REQUIRE(!b[i].zeroed ||
			    (b[i].p[0] == 0 && *last == 0));
			b[i].p[0] = *last = (char)i;
		}
		if (n % 64 == 0)
			(void)purge(n % 1024 == 0 ?
			    REGIONS_ALL : REGIONS_OLD, SIZE_MAX);
		if (n % 16 == 0)
			ATF_REQUIRE(all_valid());
	}
	ATF_CHECK(!fake.wrong);
}

/* Regions of the system's memory, until one may be huge; a run of half of it,
 * from *page on. */
static struct region *
huge_region(uint16_t *page)
{
	struct region *r;
	bool zeroed;

	fresh_regions(&regions, &pool, &hooks_default, 0);
	do
		ATF_REQUIRE(region_alloc(&regions, REGION_RUN_MAX, &r, page,
		    &zeroed) != NULL);
	while (!r->huge && pool.mapped < MIB(64));
	if (!r->huge)
		atf_tc_skip("huge pages are not for the asking");
	return (r);
}

ATF_TC(told);
ATF_TC_HEAD(told, tc)
{

	atf_tc_set_md_var(tc, "descr", "Who breaks up a huge page is told of "
	    "it, and it stays until he is done with it");
}
ATF_TC_BODY(told, tc)
{
	struct budget b = BUDGET_ALL;
	struct region *r, *s;
	uint16_t first, page;
	unsigned int n;
	bool zeroed;
	char *p;

	r = huge_region(&first);
	p = region_alloc(&regions, REGION_RUN_MAX, &s, &page, &zeroed);
	ATF_REQUIRE(p != NULL && s == r);
	memset(r->addr, 1, REGION_BYTES);
	region_free(r, page, REGION_RUN_MAX, 0);
	b.most = REGION_RUN_MAX;
	b.reaps = true;
	regions_pass(&regions, PAGES_DIRTY);
	ATF_CHECK_EQ(REGION_RUN_MAX, regions_purge(&regions, REGIONS_ANY,
	    REGIONS_PASS, &b));
	if (r->huge)
		atf_tc_skip("huge pages cannot be broken up");
	ATF_CHECK_EQ(r, b.broken);
	ATF_REQUIRE(region_alloc(&regions, REGION_RUN_MAX, &s, &page,
	    &zeroed) != NULL && s == r);
	p = region_alloc(&regions, os_page, &s, &page, &zeroed);
	ATF_REQUIRE(p != NULL && s != r);
	region_free(s, page, os_page, 0);
	n = regions.count;
	region_free(r, first, REGION_BYTES, 0);
	ATF_CHECK_EQ(n, regions.count);
	ATF_CHECK_EQ(2, regions.nempty);
	region_reaped(r, 0);
	ATF_CHECK_EQ(n - 1, regions.count);
	ATF_CHECK_EQ(1, regions.nempty);
}

#ifdef PR_SET_THP_DISABLE
ATF_TC(no_huge);
ATF_TC_HEAD(no_huge, tc)
{

	atf_tc_set_md_var(tc, "descr", "Where it turns out that there are no "
	    "huge pages, books are put right");
}
ATF_TC_BODY(no_huge, tc)
{
	struct region *r, *s;
	uint16_t page;
	size_t dirt;
	bool zeroed;

	r = huge_region(&page);
	ATF_REQUIRE(os_thp(false) == OS_THP_UNKNOWN);
	ATF_REQUIRE(r->nused == REGION_PAGES / 2);
	ATF_CHECK_EQ(REGION_PAGES / 2, r->ndirty);
	ATF_CHECK_EQ(REGION_PAGES / 2, regions.dirty);
	region_free(r, page, os_page, 0);
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) != 1)
		atf_tc_skip("huge pages cannot be switched off");
	ATF_CHECK_EQ(OS_THP_NOBODY, os_thp(true));
	ATF_CHECK_EQ(OS_THP_NOBODY, os_thp(false));
	ATF_CHECK_EQ(0, purge(REGIONS_OLD, SIZE_MAX));
	ATF_CHECK(!r->huge && region_valid(r));
	ATF_CHECK_EQ(1, r->ndirty);
	ATF_CHECK_EQ(1, regions.dirty);
	/* And nothing is marked any more once the pool grows. */
	ATF_REQUIRE(pool.marks.n != 0);
	ATF_REQUIRE(pool_alloc(&pool, MIB(64), os_page, &dirt) != NULL);
	ATF_CHECK_EQ(0, pool.marks.n);
	ATF_REQUIRE(region_alloc(&regions, REGION_RUN_MAX, &s, &page,
	    &zeroed) != NULL && s == r);
	ATF_REQUIRE(region_alloc(&regions, REGION_RUN_MAX, &s, &page,
	    &zeroed) != NULL && s != r);
	ATF_CHECK(!s->huge);
}

/* The advice that the mapping of p has by the system's account, hg or nh. */
static bool
advised(const void *p, const char *what)
{
	char line[512];
	unsigned long hi, lo;
	bool found = false, here = false;
	FILE *f;

	ATF_REQUIRE((f = fopen("/proc/self/smaps", "r")) != NULL);
	while (!found && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			here = (uintptr_t)p >= lo && (uintptr_t)p < hi;
		else
			found = here && strncmp(line, "VmFlags:", 8) == 0 &&
			    strstr(line, what) != NULL;
	(void)fclose(f);
	return (found);
}

/* A region in use, of which somebody else holds a page. */
static struct region *
pinned_region(int fd)
{
	struct run half[2];
	struct iovec iov;

	/* The first of all is smaller. */
	do
		ATF_REQUIRE(take(&half[0], REGION_RUN_MAX));
	while (half[0].r->npages != REGION_PAGES);
	ATF_REQUIRE(take(&half[1], REGION_RUN_MAX));
	ATF_REQUIRE(half[0].r == half[1].r && !half[0].r->huge);
	memset(half[0].r->addr, 1, REGION_BYTES);
	iov.iov_base = half[0].r->addr;
	iov.iov_len = os_page;
	ATF_REQUIRE_EQ((ssize_t)os_page, vmsplice(fd, &iov, 1, 0));
	return (half[0].r);
}

static void
hugify(struct region *r)
{

	r->busy = true;
	region_hugify(r, 1);
	if (!pool_marked(&pool, r->addr))
		atf_tc_skip("huge pages are not for the asking");
	ATF_CHECK(!r->busy && region_valid(r));
}

ATF_TC(not_made);
ATF_TC_HEAD(not_made, tc)
{

	atf_tc_set_md_var(tc, "descr", "A region that cannot be made a huge "
	    "page is none later either, when others may be again");
}
ATF_TC_BODY(not_made, tc)
{
	struct region *r, *s;
	int fds[2];

	ATF_REQUIRE(pipe(fds) == 0);
	conf.hpa = true;
	fresh_regions(&regions, &pool, &hooks_default, 0);
	r = pinned_region(fds[1]);
	s = pinned_region(fds[1]);
	hugify(r);
	hugify(s);
	ATF_CHECK_EQ(2, regions.nfail);
	ATF_CHECK_EQ(0, regions.nhugify);
	ATF_CHECK(!r->huge && advised(r->addr, " nh"));
	ATF_CHECK(!s->huge && advised(s->addr, " nh"));
	ATF_CHECK_EQ(2, regions.nbroken);
	/* There were too many; one goes, and they are few enough. */
	pool_unmark(&pool, POOL_MARKLESS_FULL);
	lock_take(&regions.lock);
	regions.nbroken = REGION_BROKEN_MAX / 2 + 1;
	s->broken = false;
	region_mended(s);
	lock_drop(&regions.lock);
	ATF_CHECK(advised(s->addr, " hg"));
	ATF_CHECK(advised(r->addr, " nh"));
	/* With nobody else at it, it is made, and no more on the list. */
	(void)close(fds[0]);
	(void)close(fds[1]);
	regions.nbroken = 1;
	hugify(r);
	if (regions.nfail == 2) {
		ATF_CHECK(r->huge && !r->broken && regions.nbroken == 0);
		ATF_CHECK(advised(r->addr, " hg"));
	}
}
#endif

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, bits);
	ATF_TP_ADD_TC(tp, quarters);
	ATF_TP_ADD_TC(tp, runs);
	ATF_TP_ADD_TC(tp, fits);
	ATF_TP_ADD_TC(tp, extend);
	ATF_TP_ADD_TC(tp, ageing);
	ATF_TP_ADD_TC(tp, everything);
	ATF_TP_ADD_TC(tp, purge_fails);
	ATF_TP_ADD_TC(tp, parts);
	ATF_TP_ADD_TC(tp, resumes);
	ATF_TP_ADD_TC(tp, skips);
	ATF_TP_ADD_TC(tp, empty);
	ATF_TP_ADD_TC(tp, no_memory);
	ATF_TP_ADD_TC(tp, random);
	ATF_TP_ADD_TC(tp, told);
#ifdef PR_SET_THP_DISABLE
	ATF_TP_ADD_TC(tp, no_huge);
	ATF_TP_ADD_TC(tp, not_made);
#endif

	return (atf_no_error());
}
