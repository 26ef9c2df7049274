/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Muzzy pages in the parts: extents of a pool, and runs of regions.
 */

#include "unit_test_subr.h"

static struct fake	fake;
static struct pool	pool;
static struct regions	regions;

static void
setup(void)
{

	fake_init(&fake);
	fake.hooks.purge_lazy = fake_purge;
	fresh_regions(&regions, &pool, &fake.hooks, IND);
}

static size_t
purge_pool(enum pages kind, bool lazy, uint64_t now)
{
	struct budget b = BUDGET_ALL;

	b.kind = kind;
	b.lazy = lazy;
	b.now = now;
	return (pool_purge(&pool, UINT64_MAX, 0, &b));
}

static size_t
purge_regions(enum pages kind, enum regions_what what, bool lazy)
{
	struct budget b = BUDGET_ALL;

	b.kind = kind;
	b.lazy = lazy;
	b.now = 7;
	regions_pass(&regions, kind);
	return (regions_purge(&regions, what, REGIONS_PASS, &b));
}

ATF_TC(extents);
ATF_TC_HEAD(extents, tc)
{

	atf_tc_set_md_var(tc, "descr", "Dirty extents are used before muzzy "
	    "ones, and these before clean ones; each joins its like");
}
ATF_TC_BODY(extents, tc)
{
	size_t dirt, size = 4 * os_page;
	char *p[3];
	unsigned int i;

	setup();
	for (i = 0; i < nitems(p); i++)
		ATF_REQUIRE((p[i] = pool_alloc(&pool, size, os_page,
		    &dirt)) != NULL);
	ATF_REQUIRE(p[1] == p[0] + size && p[2] == p[1] + size);
	pool_free(&pool, p[1], size, size, 1);
	ATF_CHECK_EQ(size, purge_pool(PAGES_DIRTY, true, 5));
	ATF_CHECK_EQ(0, pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(size, pool.held[PAGES_MUZZY]);
	ATF_CHECK_EQ(5, TAILQ_FIRST(&pool.lru[PAGES_MUZZY])->stamp);
	ATF_CHECK_EQ(pool.mapped, pool.clean + 3 * size);
	/* A dirty neighbour stays by itself. */
	pool_free(&pool, p[2], size, size, 2);
	ATF_CHECK_EQ(size, pool.held[PAGES_DIRTY]);
	ATF_CHECK(pool_alloc(&pool, size, os_page, &dirt) == p[2]);
	ATF_CHECK(pool_alloc(&pool, size, os_page, &dirt) == p[1]);
	ATF_CHECK_EQ(size, dirt);
	ATF_CHECK_EQ(0, pool.held[PAGES_MUZZY]);
	/* Muzzy ones join: here three of them, freed one by one. */
	for (i = 0; i < nitems(p); i++) {
		pool_free(&pool, p[i], size, size, i);
		(void)purge_pool(PAGES_DIRTY, true, 10 + i);
	}
	ATF_CHECK_EQ(3 * size, pool.held[PAGES_MUZZY]);
	ATF_CHECK_EQ(3 * size,
	    TAILQ_FIRST(&pool.lru[PAGES_MUZZY])->span.size);
	ATF_CHECK_EQ(10, TAILQ_FIRST(&pool.lru[PAGES_MUZZY])->stamp);
	/* What cannot be purged is dirty again, and was muzzy in vain. */
	fake.purge_left = 0;
	ATF_CHECK_EQ(0, purge_pool(PAGES_MUZZY, false, 0));
	ATF_CHECK_EQ(0, pool.held[PAGES_MUZZY]);
	ATF_CHECK_EQ(3 * size, pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(0, purge_pool(PAGES_DIRTY, true, 0));
	ATF_CHECK_EQ(3 * size, pool.held[PAGES_DIRTY]);
	/* Lazily only is not possible: by force. */
	fake.purge_left = UINT32_MAX;
	fake.hooks.purge_lazy = NULL;
	ATF_CHECK_EQ(3 * size, purge_pool(PAGES_DIRTY, true, 0));
	ATF_CHECK_EQ(0, pool.held[PAGES_DIRTY] + pool.held[PAGES_MUZZY]);
	ATF_CHECK_EQ(pool.mapped, pool.clean);
	ATF_CHECK(!fake.wrong);
}

static void
take(struct run *run, size_t size)
{

	ATF_REQUIRE(run_take(&regions, run, size));
}

ATF_TC(runs);
ATF_TC_HEAD(runs, tc)
{

	atf_tc_set_md_var(tc, "descr", "Dirty runs of a region are used before "
	    "muzzy ones, and these before untouched ones; each kind grows old "
	    "by its own passes");
}
ATF_TC_BODY(runs, tc)
{
	struct run a[8], b;
	char *p[nitems(a)];
	unsigned int i;

	setup();
	for (i = 0; i < nitems(a); i++) {
		take(&a[i], 2 * os_page);
		p[i] = a[i].p;
	}
	for (i = 1; i < 4; i++)
		run_give(&a[i]);
	run_give(&a[6]);
	/* Old at the second pass only. */
	ATF_CHECK_EQ(0, purge_regions(PAGES_DIRTY, REGIONS_OLD, true));
	ATF_CHECK_EQ(8 * os_page, purge_regions(PAGES_DIRTY, REGIONS_OLD,
	    true));
	ATF_CHECK_EQ(0, regions.dirty);
	ATF_CHECK_EQ(8, regions.muzzy);
	ATF_CHECK(region_valid(a[0].r));
	run_give(&a[5]);
	/* Dirty before muzzy, though that is lower. */
	take(&b, 2 * os_page);
	ATF_CHECK(b.p == p[5] && !b.zeroed);
	take(&b, 2 * os_page);
	ATF_CHECK(b.p == p[1] && !b.zeroed);
	ATF_CHECK_EQ(6, regions.muzzy);
	/* Passes over one kind do not age the other. */
	ATF_CHECK_EQ(0, purge_regions(PAGES_MUZZY, REGIONS_OLD, false));
	run_give(&a[7]);
	ATF_CHECK_EQ(0, purge_regions(PAGES_DIRTY, REGIONS_OLD, true));
	ATF_CHECK_EQ(2, regions.dirty);
	ATF_CHECK_EQ(6 * os_page, purge_regions(PAGES_MUZZY, REGIONS_OLD,
	    false));
	ATF_CHECK_EQ(0, regions.muzzy);
	ATF_CHECK_EQ(2 * os_page, purge_regions(PAGES_DIRTY, REGIONS_OLD,
	    false));
	take(&b, 2 * os_page);
	ATF_CHECK(b.p == p[2] && b.zeroed);
	ATF_CHECK(region_valid(a[0].r) && !fake.wrong);
}

ATF_TC(random_runs);
ATF_TC_HEAD(random_runs, tc)
{

	atf_tc_set_md_var(tc, "descr", "Whatever is done to regions with muzzy "
	    "pages, runs say truly whether they are zeroed, and the books are "
	    "right");
}
ATF_TC_BODY(random_runs, tc)
{
	static struct run b[128];
	size_t dirty, muzzy;
	unsigned int i, n, seed = 1;
	struct region *r;
	char *last;

	setup();
	for (n = 0; n < 20000; n++) {
		seed = seed * 1103515245 + 12345;
		i = seed >> 16 & 127;
		if (b[i].p != NULL) {
			last = b[i].p + b[i].size - os_page;
			ATF_REQUIRE(b[i].p[0] == (char)(i + 1) &&
			    *last == (char)(i + 1));
			run_give(&b[i]);
		} else {
			take(&b[i], ((seed >> 23 & 31) + 1) * os_page);
			last = b[i].p + b[i].size - os_page;
			ATF_REQUIRE(!b[i].zeroed ||
			    (b[i].p[0] == 0 && *last == 0));
			b[i].p[0] = *last = (char)(i + 1);
		}
		fake.purge_left = n % 1000 < 900 ? UINT32_MAX : seed % 3;
		if (n % 32 == 0)
			(void)purge_regions(PAGES_DIRTY, REGIONS_OLD,
			    n % 96 != 0);
		if (n % 32 == 16)
			(void)purge_regions(PAGES_MUZZY, n % 512 == 16 ?
			    REGIONS_ANY : REGIONS_OLD, false);
		dirty = muzzy = 0;
		TAILQ_FOREACH(r, &regions.all[PAGES_MUZZY], all[PAGES_MUZZY]) {
			ATF_REQUIRE(region_valid(r));
			dirty += r->ndirty;
			muzzy += r->nmuzzy;
		}
		ATF_REQUIRE_EQ(dirty, regions.dirty);
		ATF_REQUIRE_EQ(muzzy, regions.muzzy);
	}
	ATF_CHECK(regions.purged[PAGES_MUZZY].bytes > 1000 * os_page);
	ATF_CHECK(!fake.wrong);
}

#ifdef __linux__
ATF_TC(huge);
ATF_TC_HEAD(huge, tc)
{

	atf_tc_set_md_var(tc, "descr", "A huge page is muzzy as a whole, and "
	    "dirty as a whole when some of it is used");
}
ATF_TC_BODY(huge, tc)
{
	struct run a, b;

	fresh_regions(&regions, &pool, &hooks_default, 0);
	do
		take(&a, REGION_RUN_MAX);
	while (!a.r->huge && pool.mapped < MIB(64));
	if (!a.r->huge)
		atf_tc_skip("huge pages are not for the asking");
	memset(a.p, 1, a.size);
	take(&b, REGION_RUN_MAX);
	ATF_REQUIRE(b.r == a.r);
	memset(b.p, 1, b.size);
	run_give(&a);
	run_give(&b);
	ATF_REQUIRE(a.r->nused == 0 && a.r->ndirty == REGION_PAGES);
	ATF_CHECK(purge_regions(PAGES_DIRTY, REGIONS_ALL, true) >=
	    REGION_BYTES);
	ATF_CHECK(a.r->huge && region_valid(a.r));
	ATF_CHECK_EQ(REGION_PAGES, a.r->nmuzzy);
	ATF_CHECK_EQ(0, a.r->ndirty);
	/* Both halves are not needed: the other one has memory, too. */
	take(&b, REGION_RUN_MAX);
	ATF_REQUIRE(b.r == a.r);
	ATF_CHECK(!b.zeroed && region_valid(a.r));
	ATF_CHECK_EQ(0, a.r->nmuzzy);
	ATF_CHECK_EQ(REGION_PAGES / 2, a.r->ndirty);
	run_give(&b);
	ATF_CHECK(purge_regions(PAGES_DIRTY, REGIONS_ALL, true) >=
	    REGION_BYTES);
	ATF_CHECK_EQ(REGION_PAGES, a.r->nmuzzy);
	ATF_CHECK(purge_regions(PAGES_MUZZY, REGIONS_ANY, false) >=
	    REGION_BYTES);
	ATF_CHECK_EQ(0, a.r->nmuzzy + a.r->ndirty);
	take(&b, REGION_RUN_MAX);
	ATF_CHECK(b.r == a.r && b.zeroed && all_bytes(b.p, b.size, 0) ==
	    b.size);
}
#endif

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, extents);
	ATF_TP_ADD_TC(tp, runs);
	ATF_TP_ADD_TC(tp, random_runs);
#ifdef __linux__
	ATF_TP_ADD_TC(tp, huge);
#endif

	return (atf_no_error());
}
