/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * lent: how long a visit may take to memory of a program's hooks.
 */

#include "dsm_lent.h"
#include "dsm_region.h"
#include "unit_test_subr.h"

#define	NEXT	8
#define	EXTENT	MIB(2)
#define	SLOW	40000000	/* ns that a hook takes */
#define	BRIEF	20000000	/* ns that a visit has */

static struct fake	fake;
static struct pool	pool;
static struct regions	regions;

/* Hooks that keep what they gave, and purge slowly. */
static void
setup(void)
{

	fake_init(&fake);
	fake.hooks.dalloc = NULL;
	fake.no_merge = true;
	fake.slow = SLOW;
	fresh_regions(&regions, &pool, &fake.hooks, IND);
	pool_lend(&pool, &fake.hooks);
}

/* Dirty extents, freed one after the other. */
static void
fill(void)
{
	char *p[NEXT];
	uint64_t i;
	size_t dirt;

	for (i = 0; i < NEXT; i++)
		ATF_REQUIRE((p[i] = pool_alloc(&pool, EXTENT, os_page,
		    &dirt)) != NULL);
	for (i = 0; i < NEXT; i++)
		pool_free(&pool, p[i], EXTENT, EXTENT, i + 1);
	ATF_REQUIRE_EQ(NEXT * EXTENT, pool.held[PAGES_DIRTY]);
}

static struct budget
brief(size_t least)
{
	struct budget b = BUDGET_ALL;

	b.least = least;
	b.until = os_time_ns() + BRIEF;
	return (b);
}

ATF_TC(budget);
ATF_TC_HEAD(budget, tc)
{

	atf_tc_set_md_var(tc, "descr", "No extent is begun once the time is "
	    "over, but for what must be purged; none beyond the amount");
}
ATF_TC_BODY(budget, tc)
{
	struct budget b;

	setup();
	fill();
	b = brief(0);
	ATF_CHECK_EQ(EXTENT, pool_purge(&pool, NEXT + 1, SIZE_MAX, &b));
	ATF_CHECK(b.more);
	ATF_CHECK_EQ(1, fake.purges);
	ATF_CHECK_EQ((NEXT - 1) * EXTENT, pool.held[PAGES_DIRTY]);
	/* Its time was over before it came to this. */
	b = brief(EXTENT + 1);
	b.until -= BRIEF;
	ATF_CHECK_EQ(2 * EXTENT, pool_purge(&pool, NEXT + 1, SIZE_MAX, &b));
	ATF_CHECK(b.more);
	ATF_CHECK_EQ(3, fake.purges);
	fake.slow = 0;
	b = (struct budget)BUDGET_ALL;
	b.most = EXTENT;
	ATF_CHECK_EQ(EXTENT, pool_purge(&pool, NEXT + 1, SIZE_MAX, &b));
	b.most = SIZE_MAX;
	ATF_CHECK_EQ((NEXT - 4) * EXTENT, pool_purge(&pool, NEXT + 1,
	    SIZE_MAX, &b));
	ATF_CHECK(!b.more && pool.held[PAGES_DIRTY] == 0 && !fake.wrong);
	ATF_CHECK_EQ(NEXT * EXTENT, pool.purged[PAGES_DIRTY].bytes);
}

ATF_TC(refused);
ATF_TC_HEAD(refused, tc)
{

	atf_tc_set_md_var(tc, "descr", "Time passes with hooks that purge "
	    "nothing, too");
}
ATF_TC_BODY(refused, tc)
{
	struct budget b;

	setup();
	fill();
	fake.purge_left = 0;
	b = brief(1);
	ATF_CHECK_EQ(0, pool_purge(&pool, NEXT + 1, SIZE_MAX, &b));
	ATF_CHECK(b.more);
	/* It is kept, and not tried again. */
	ATF_CHECK_EQ((NEXT - 1) * EXTENT, pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(EXTENT, pool.clean);
}

ATF_TC(evenly);
ATF_TC_HEAD(evenly, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is owed is none of what is young, "
	    "all of what is old, and a part between");
}
ATF_TC_BODY(evenly, tc)
{

	setup();
	fill();
	/* Freed at 1 to 8, visited every 4. */
	ATF_CHECK_EQ(0, pool_owed(&pool, PAGES_DIRTY, 0, 1, 4));
	ATF_CHECK_EQ(4 * EXTENT, pool_owed(&pool, PAGES_DIRTY, 5, 5, 4));
	ATF_CHECK_EQ(NEXT * EXTENT, pool_owed(&pool, PAGES_DIRTY, 9, 9, 4));
	/* 4/5, 4/6, 4/7 and 4/8. */
	ATF_CHECK(pool_owed(&pool, PAGES_DIRTY, 0, 5, 4) > 5 * EXTENT / 2);
	ATF_CHECK(pool_owed(&pool, PAGES_DIRTY, 0, 5, 4) < 8 * EXTENT / 3);
}

/* Dirty pages between others that are in use. */
static void
scatter(unsigned int n)
{
	struct region *r;
	uint16_t page;
	bool zeroed;
	unsigned int i;
	char *p[64];

	ATF_REQUIRE(2 * n <= nitems(p));
	for (i = 0; i < 2 * n; i++) {
		while ((p[i] = region_alloc(&regions, os_page, &r, &page,
		    &zeroed)) == NULL)
			ATF_REQUIRE(regions_grow(&regions, os_page));
		ATF_REQUIRE_EQ(0, i == 0 ? 0 : p[i] - p[i - 1] - os_page);
	}
	for (i = 0; i < 2 * n; i += 2)
		region_free(r, (unsigned int)((size_t)(p[i] - r->addr) >>
		    os_page_shift), os_page, 1);
	ATF_REQUIRE_EQ(n, regions.dirty);
}

ATF_TC(pages);
ATF_TC_HEAD(pages, tc)
{

	atf_tc_set_md_var(tc, "descr", "Pages of regions: nor is any run begun "
	    "then, what was not purged comes next");
}
ATF_TC_BODY(pages, tc)
{
	struct budget b;

	setup();
	scatter(16);
	regions_pass(&regions, PAGES_DIRTY);
	b = brief(0);
	ATF_CHECK_EQ(os_page, regions_purge(&regions, REGIONS_ANY,
	    REGIONS_PASS, &b));
	ATF_CHECK(b.more);
	ATF_CHECK_EQ(1, fake.purges);
	ATF_CHECK_EQ(15, regions.dirty);
	fake.slow = 0;
	b = (struct budget)BUDGET_ALL;
	ATF_CHECK_EQ(15 * os_page, regions_purge(&regions, REGIONS_ANY,
	    REGIONS_PASS, &b));
	ATF_CHECK_EQ(0, regions.dirty);
	ATF_CHECK_EQ(16, fake.purges);
	ATF_CHECK(!fake.wrong);
}

ATF_TC(pinned);
ATF_TC_HEAD(pinned, tc)
{

	atf_tc_set_md_var(tc, "descr", "Free pages of a pinned region are not "
	    "worth a purge");
}
ATF_TC_BODY(pinned, tc)
{
	struct budget b = BUDGET_ALL;
	struct region *r;

	setup();
	scatter(16);
	r = TAILQ_FIRST(&regions.all[PAGES_DIRTY]);
	ATF_CHECK(region_break(r, r->addr, os_page, &b));
	r->pinned = true;
	ATF_CHECK(!region_break(r, r->addr, os_page, &b));
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, budget);
	ATF_TP_ADD_TC(tp, refused);
	ATF_TP_ADD_TC(tp, evenly);
	ATF_TP_ADD_TC(tp, pages);
	ATF_TP_ADD_TC(tp, pinned);
	return (atf_no_error());
}
