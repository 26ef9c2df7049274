/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * region: runs of pages, and the bitmaps that they are found in.
 */

#include "dsm_bits.h"
#include "region_test_subr.h"

#define	NBITS	192

static unsigned int
naive(const uint64_t *map, bool set, unsigned int from, unsigned int end)
{

	while (from < end && (map[from / 64] >> (from % 64) & 1) != set)
		from++;
	return (from);
}

static bool
run_agrees(const uint64_t *map, unsigned int from, unsigned int end)
{
	unsigned int at = from, first = naive(map, true, from, end), start;

	if (first == end)
		return (!bits_next_run(map, &at, &start, end));
	return (bits_next_run(map, &at, &start, end) && start == first &&
	    at == naive(map, false, first, end));
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
	return (bits_count(map, from, end) == n && run_agrees(map, from, end) &&
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

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, bits);
	ATF_TP_ADD_TC(tp, quarters);
	ATF_TP_ADD_TC(tp, runs);
	ATF_TP_ADD_TC(tp, fits);
	ATF_TP_ADD_TC(tp, extend);
	ATF_TP_ADD_TC(tp, empty);
	ATF_TP_ADD_TC(tp, no_memory);
	ATF_TP_ADD_TC(tp, random);

	return (atf_no_error());
}
