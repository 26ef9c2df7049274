/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * large: blocks of whole pages, and the stock of freed ones.
 */

#include "dsm_large.h"
#include "dsm_map.h"
#include "unit_test_subr.h"

static struct fake	fake;
static struct pool	pool;
static struct regions	regions;
static struct large	large;
static bool	zeroed;

static void
setup(struct hooks *hooks, unsigned int ind)
{

	fresh_regions(&regions, &pool, hooks, ind);
	memset(&large, 0, sizeof(large));
	large_init(&large, &regions);
}

static void
setup_fake(void)
{

	fake_init(&fake);
	setup(&fake.hooks, IND);
}

static struct extent *
extent(const void *p)
{
	uint64_t w;

	w = map_find(p);
	ATF_REQUIRE(map_tag(w) == 0 && map_span(w) != NULL);
	return (map_span(w));
}

static char *
take(size_t size)
{
	char *p;

	p = large_alloc(&large, size, 1, &zeroed);
	if (p != NULL) {
		ATF_REQUIRE_EQ(p, extent(p)->span.addr);
		ATF_REQUIRE_EQ(ROUND_UP(size, os_page),
		    extent(p)->span.usable);
		ATF_REQUIRE_EQ(SPAN_LARGE, extent(p)->span.kind);
	}
	return (p);
}

static void
give(void *p, uint64_t now)
{

	large_free(extent(p), now);
}

ATF_TC(blocks);
ATF_TC_HEAD(blocks, tc)
{

	atf_tc_set_md_var(tc, "descr", "Blocks of all sizes and alignments, "
	    "from regions and from the pool, are apart, zeroed and counted");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(blocks, tc)
{
	static char *v[2000];
	size_t align, bytes, size;
	unsigned int n, i, shift;

	for (FOREACH_PAGE(shift)) {
		set_page(shift);
		setup_fake();
		n = 0;
		bytes = 0;
		for (align = 1; align <= MIB(8); align *= 2)
			for (size = 1; size <= MIB(5); size = size * 2 + 7) {
				v[n] = large_alloc(&large, size, align,
				    &zeroed);
				ATF_REQUIRE(v[n] != NULL);
				ATF_CHECK_EQ(0, (uintptr_t)v[n] % align);
				ATF_CHECK(zeroed || align > os_page);
				if (size >= MIB(2))
					ATF_CHECK_EQ(0, (uintptr_t)v[n] %
					    MIB(2));
				bytes += ROUND_UP(size, os_page);
				v[n][0] = v[n][size - 1] = (char)n;
				n++;
			}
		ATF_CHECK_EQ(n, large.nmalloc);
		ATF_CHECK_EQ(bytes, large.bytes);
		ATF_CHECK_EQ(bytes, regions.direct + regions.used * os_page);
		for (i = 0; i < n; i++) {
			ATF_REQUIRE_EQ((char)i, v[i][0]);
			give(v[i], 1);
			ATF_REQUIRE(large.nstock <= LARGE_STOCK &&
			    large.stock_bytes <= LARGE_STOCK_BYTES);
		}
		ATF_CHECK_EQ(n, large.ndalloc);
		(void)large_drain(&large, 2, 2);
		ATF_CHECK_EQ(0, large.bytes + regions.direct +
		    large.stock_bytes + large.nstock + regions.used);
		for (i = 0; i < n; i++)
			ATF_REQUIRE_EQ(0, map_tag(map_find(v[i])) %
			    MAP_TAG_FREE);
	}
	set_page(12);
	ATF_CHECK(!fake.wrong);
}

ATF_TC(stock);
ATF_TC_HEAD(stock, tc)
{

	atf_tc_set_md_var(tc, "descr", "A freed block serves its own size, or "
	    "one not more than an eighth below");
}
ATF_TC_BODY(stock, tc)
{
	char *a, *b, *c;
	size_t p;

	setup_fake();
	p = os_page;
	a = take(20 * p);
	b = take(18 * p);
	ATF_REQUIRE(take(p) != NULL);
	give(a, 1);
	ATF_CHECK_EQ(SPAN_STOCK, extent(a)->span.kind);
	ATF_CHECK_EQ(1, large.nstock);
	c = large_alloc(&large, 17 * p, 1, &zeroed);
	ATF_CHECK(c != a);
	/* 18 and an eighth of it are 20. */
	ATF_CHECK_EQ(a, large_alloc(&large, 18 * p, 1, &zeroed));
	ATF_CHECK(!zeroed);
	ATF_CHECK_EQ(20 * p, extent(a)->span.usable);
	give(b, 1);
	give(a, 1);
	/* An exact fit goes before a younger one that is near. */
	ATF_CHECK_EQ(b, take(18 * p));
	ATF_CHECK_EQ(1, large.nstock);
	ATF_CHECK_EQ(20 * p, large.stock_bytes);
	/* Not for who wants it aligned. */
	ATF_CHECK(large_alloc(&large, 20 * p, 2 * p, &zeroed) != a);
	ATF_CHECK_EQ(a, take(20 * p));
	ATF_CHECK_EQ(0, large.nstock + large.stock_bytes);
}

ATF_TC(bounds);
ATF_TC_HEAD(bounds, tc)
{

	atf_tc_set_md_var(tc, "descr", "The stock is bounded in blocks, bytes "
	    "and age; the oldest go first");
}
ATF_TC_BODY(bounds, tc)
{
	char *v[LARGE_STOCK + 3];
	unsigned int i;

	setup_fake();
	for (i = 0; i < nitems(v); i++)
		v[i] = take(2 * os_page);
	for (i = 0; i < nitems(v); i++)
		give(v[i], i);
	ATF_CHECK_EQ(LARGE_STOCK, large.nstock);
	for (i = 0; i < nitems(v); i++)
		ATF_CHECK_EQ_MSG(i < 3, map_find(v[i]) == 0, "%u", i);
	ATF_CHECK(!large_drain(&large, 3, 100));
	ATF_CHECK(large_drain(&large, 6, 100));
	ATF_CHECK_EQ(LARGE_STOCK - 3, large.nstock);
	ATF_CHECK(large_drain(&large, 100, 100));
	ATF_CHECK_EQ(0, large.nstock + large.stock_bytes);
	ATF_CHECK_EQ(2 * nitems(v), regions.dirty);

	for (i = 0; i < 5; i++)
		v[i] = take(LARGE_STOCK_BYTES / 4);
	for (i = 0; i < 5; i++)
		give(v[i], i);
	ATF_CHECK_EQ(4, large.nstock);
	ATF_CHECK_EQ(0, map_find(v[0]));
	/* What is larger than all the stock may be goes straight back. */
	v[0] = take(MIB(2) + 1);
	i = large.nstock;
	give(v[0], 6);
	ATF_CHECK_EQ(i, large.nstock);
	ATF_CHECK_EQ(MAP_TAG_FREE, map_tag(map_find(v[0])));
	ATF_CHECK_EQ(0, regions.direct);
}

ATF_TC(resize);
ATF_TC_HEAD(resize, tc)
{

	atf_tc_set_md_var(tc, "descr", "Blocks shrink and grow where they are, "
	    "or move by page tables; contents and books stay");
}
ATF_TC_BODY(resize, tc)
{
	static const size_t sizes[] = { 64 << 10, 100 << 10, 90 << 10,
	    400 << 10, 40 << 10, 3 << 20, 5 << 20, 4900 << 10, 3 << 20,
	    40 << 20, 64 << 20, 2 << 20 };
	struct extent *e;
	char *p, *q;
	size_t have, other, want;
	unsigned int i, moved;

	setup(&hooks_default, 0);
	other = 0;
	moved = 0;
	p = NULL;
	for (i = 0; i < nitems(sizes); i++) {
		want = sizes[i];
		q = p == NULL ? NULL : large_resize(extent(p), want, 1);
		if (q == NULL) {
			if (p != NULL)
				give(p, 1);
			p = take(want);
			ATF_REQUIRE(p != NULL);
		} else {
			have = MIN(want, sizes[i - 1]);
			ATF_CHECK_EQ_MSG(have, painted(q, have, i - 1),
			    "%zu to %zu", sizes[i - 1], want);
			moved += q != p;
			p = q;
		}
		e = extent(p);
		ATF_CHECK_EQ(p, e->span.addr);
		ATF_CHECK(e->span.usable >= want && e->span.usable -
		    want <= e->span.usable / 8);
		ATF_CHECK_EQ(e->span.size + other, large.bytes);
		ATF_CHECK_EQ((e->span.region == NULL ? e->span.size : 0) +
		    other, regions.direct);
		(void)large_drain(&large, 2, 2);
		ATF_CHECK_EQ(pool.mapped, pool.clean + pool.held[PAGES_DIRTY] +
		    regions.direct + regions.pages * os_page);
		paint(p, want, i);
		if (i == 8) {
			/* Something behind it: then it must move. */
			other = os_page * 400;
			ATF_REQUIRE(take(other) != NULL);
		}
	}
	ATF_CHECK(moved > 0);
	ATF_CHECK_EQ(NULL, large_resize(extent(p), SIZE_LARGE_MAX + 1, 1));
}

ATF_TC(stays);
ATF_TC_HEAD(stays, tc)
{

	atf_tc_set_md_var(tc, "descr", "A block that has no room behind it and "
	    "cannot move stays as it was");
}
ATF_TC_BODY(stays, tc)
{
	char *a, *b;

	setup_fake();
	a = take(4 * os_page);
	b = take(4 * os_page);
	ATF_REQUIRE_EQ(a + 4 * os_page, b);
	ATF_CHECK_EQ(NULL, large_resize(extent(a), 5 * os_page, 1));
	ATF_CHECK_EQ(b, large_resize(extent(b), 5 * os_page, 1));
	ATF_CHECK_EQ(NULL, large_resize(extent(b), REGION_RUN_MAX + 1, 1));
	ATF_CHECK_EQ(9 * os_page, large.bytes);
	/* Memory of a program's own hooks is not moved by the kernel. */
	a = take(MIB(3));
	ATF_CHECK_EQ(NULL, large_resize(extent(a), MIB(30), 1));
	ATF_CHECK_EQ(MIB(3), extent(a)->span.usable);
	/* An eighth or more goes back, less does not. */
	ATF_CHECK_EQ(a, large_resize(extent(a), MIB(3) - KIB(256), 1));
	ATF_CHECK_EQ(MIB(3), regions.direct);
	ATF_CHECK_EQ(a, large_resize(extent(a), MIB(2), 1));
	ATF_CHECK_EQ(MIB(2), regions.direct);
	ATF_CHECK_EQ(MIB(1), pool.held[PAGES_DIRTY]);
	ATF_CHECK(!fake.wrong);
}

static void
free_twice(void *arg)
{

	large_free(arg, 1);
	large_free(arg, 1);
}

ATF_TC(misuse);
ATF_TC_HEAD(misuse, tc)
{

	atf_tc_set_md_var(tc, "descr", "A double free of a block in stock is "
	    "found");
}
ATF_TC_BODY(misuse, tc)
{
	char word[64];
	char *p;

	setup_fake();
	p = take(KIB(100));
	(void)snprintf(word, sizeof(word), "free(%p): the block of %u bytes",
	    (void *)p, 100 << 10);
	expect_death(free_twice, extent(p), word, "double free");
}

ATF_TC(no_memory);
ATF_TC_HEAD(no_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "NULL when there is no space, no "
	    "descriptor, or never could be, and nothing is lost");
}
ATF_TC_BODY(no_memory, tc)
{
	size_t used;
	char *p;

	setup_fake();
	ATF_CHECK_EQ(NULL, take(SIZE_LARGE_MAX + 1));
	ATF_CHECK_EQ(NULL, take(SIZE_MAX));
	ATF_CHECK_EQ(NULL, large_alloc(&large, 1, SIZE_LARGE_MAX * 2,
	    &zeroed));
	ATF_CHECK_EQ(0, fake.nalloc);
	p = take(KIB(40));
	fake.max = 0;
	used = base_bytes();
	ATF_CHECK_EQ(NULL, take(MIB(40)));
	ATF_CHECK_EQ(NULL, large_alloc(&large, KIB(64), MIB(32), &zeroed));
	ATF_CHECK_EQ(used, base_bytes());
	ATF_CHECK_EQ(1, large.nmalloc);
	fake.max = SIZE_MAX;
	used = regions.used;
	(void)exhaust_base(BASE_SPAN, sizeof(struct extent));
	ATF_CHECK_EQ(NULL, take(KIB(80)));
	ATF_CHECK_EQ(used, regions.used);
	/* Freed it is in stock, from where it needs none. */
	give(p, 1);
	ATF_CHECK_EQ(p, take(KIB(40)));
	memory_again();
	ATF_CHECK(take(KIB(80)) != NULL);
}

ATF_TC(zero);
ATF_TC_HEAD(zero, tc)
{

	atf_tc_set_md_var(tc, "descr", "The system clears what came straight "
	    "from the pool, and nothing else");
}
ATF_TC_BODY(zero, tc)
{
	const size_t size = MIB(3) + KIB(20);
	char *p;

	setup_fake();
	p = take(KIB(200));
	ATF_REQUIRE(p != NULL);
	ATF_CHECK(!large_zero(extent(p)));
	p = take(size);
	ATF_REQUIRE(p != NULL);
	memset(p, 7, size);
	ATF_CHECK(large_zero(extent(p)));
	ATF_CHECK_EQ(1, fake.purges);
	ATF_CHECK_EQ(size, all_bytes(p, size, 0));
	memset(p, 7, size);
	fake.purge_left = 0;
	ATF_CHECK(!large_zero(extent(p)));
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, blocks);
	ATF_TP_ADD_TC(tp, stock);
	ATF_TP_ADD_TC(tp, bounds);
	ATF_TP_ADD_TC(tp, resize);
	ATF_TP_ADD_TC(tp, stays);
	ATF_TP_ADD_TC(tp, misuse);
	ATF_TP_ADD_TC(tp, no_memory);
	ATF_TP_ADD_TC(tp, zero);

	return (atf_no_error());
}
