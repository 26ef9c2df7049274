/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * pool: free extents.
 */

#include "dsm_map.h"
#include "dsm_pool.h"
#include "unit_test_subr.h"

#define	UNIT	MIB(1)		/* the first growth */

static struct fake	fake;
static struct pool	pool;
static size_t	dirt;
#define	zeroed	(dirt == 0)

static void
setup(void)
{

	fake_init(&fake);
	fresh_pool(&pool, &fake.hooks, IND);
}

static char *
take(size_t size)
{

	return (pool_alloc(&pool, size, os_page, &dirt));
}

static void
give(void *p, size_t size, uint64_t now)
{

	pool_free(&pool, p, size, size, now);
}

/* As long as it takes. */
static size_t
purge(uint64_t before, size_t keep)
{
	struct budget b = BUDGET_ALL;

	return (pool_purge(&pool, before, keep, &b));
}

/* When the oldest dirty extent was freed. */
static uint64_t
oldest(void)
{

	return (TAILQ_EMPTY(&pool.lru[PAGES_DIRTY]) ? UINT64_MAX :
	    TAILQ_FIRST(&pool.lru[PAGES_DIRTY])->stamp);
}

/* A free extent has its descriptor at both ends, and no other has. */
static bool
is_free(const char *p, size_t size)
{
	const struct span *s;
	uint64_t w;

	w = map_find(p);
	s = map_span(w);
	return (map_tag(w) == MAP_TAG_FREE && map_find(p + size - 1) == w &&
	    s->addr == p && s->size == size);
}

ATF_TC(growth);
ATF_TC_HEAD(growth, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is mapped at a time doubles from "
	    "1 to 64 MiB, and shrinks when the system refuses");
}
ATF_TC_BODY(growth, tc)
{
	size_t mapped, unit;
	unsigned int i;

	setup();
	unit = UNIT;
	for (i = 0; i < 9; i++) {
		mapped = fake.mapped;
		ATF_REQUIRE(take(unit) != NULL);
		ATF_CHECK(zeroed);
		ATF_CHECK_EQ(unit, fake.mapped - mapped);
		if (unit < MIB(64))
			unit *= 2;
	}
	ATF_CHECK_EQ(0, pool.clean + pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(fake.mapped, pool.mapped);
	/* What is larger than the unit is mapped as it is. */
	mapped = fake.mapped;
	ATF_REQUIRE(take(MIB(100) + os_page) != NULL);
	ATF_CHECK_EQ(MIB(100) + os_page, fake.mapped - mapped);

	fake.max = MIB(9);
	mapped = fake.mapped;
	ATF_REQUIRE(take(MIB(3)) != NULL);
	ATF_CHECK_EQ(MIB(8), fake.mapped - mapped);
	fake.max = os_page;
	mapped = fake.mapped;
	ATF_CHECK_EQ(NULL, take(MIB(6)));
	ATF_CHECK_EQ(MIB(5), pool.clean);
	ATF_REQUIRE(take(MIB(5)) != NULL);
	ATF_REQUIRE(take(os_page) != NULL);
	ATF_CHECK_EQ(os_page, fake.mapped - mapped);
	ATF_CHECK_EQ(NULL, take(2 * os_page));
	ATF_CHECK_EQ(fake.mapped, pool.mapped);
	/* It begins again small. */
	fake.max = SIZE_MAX;
	mapped = fake.mapped;
	ATF_REQUIRE(take(2 * os_page) != NULL);
	ATF_CHECK(fake.mapped - mapped <= MIB(2));
	ATF_CHECK(!fake.wrong);
}

ATF_TC(reuse);
ATF_TC_HEAD(reuse, tc)
{

	atf_tc_set_md_var(tc, "descr", "Dirty before clean before new, the "
	    "tightest first, and only clean memory counts as zeroed");
}
ATF_TC_BODY(reuse, tc)
{
	char *p[6];
	unsigned int i;

	setup();
	/* Three holes between blocks that stay. */
	for (i = 0; i < nitems(p); i++)
		p[i] = take((i + 1) * 8 * os_page);
	for (i = 1; i < nitems(p); i += 2)
		give(p[i], (i + 1) * 8 * os_page, i);
	ATF_CHECK_EQ((2 + 4 + 6) * 8 * os_page, pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(p[3], take(32 * os_page));
	ATF_CHECK(!zeroed);
	ATF_CHECK_EQ(p[1], take(11 * os_page));
	ATF_CHECK_EQ(p[1] + 11 * os_page, take(5 * os_page));
	ATF_CHECK_EQ(p[5], take(45 * os_page));
	/* None of the dirty fits: a clean one. */
	ATF_REQUIRE(take(60 * os_page) != NULL);
	ATF_CHECK(zeroed);
	ATF_CHECK_EQ(UNIT, pool.mapped);
	ATF_CHECK(!fake.wrong);
}

ATF_TC(merges);
ATF_TC_HEAD(merges, tc)
{

	atf_tc_set_md_var(tc, "descr", "Free neighbours of one state join, in "
	    "whatever order they are freed, if the hook lets them");
}
ATF_TC_BODY(merges, tc)
{
	static const unsigned int orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 },
	    { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	char *p[3];
	unsigned int i, j;

	for (i = 0; i < nitems(orders); i++) {
		setup();
		for (j = 0; j < 3; j++)
			p[j] = take(4 * os_page);
		ATF_CHECK_EQ(0, map_find(p[0]));
		for (j = 0; j < 3; j++)
			give(p[orders[i][j]], 4 * os_page, 100 - j);
		ATF_CHECK(is_free(p[0], 12 * os_page));
		/* The rest of the unit is clean, and stays apart. */
		ATF_CHECK(is_free(p[0] + 12 * os_page, UNIT - 12 * os_page));
		ATF_CHECK_EQ(12 * os_page, pool.held[PAGES_DIRTY]);
		/* It is as old as its oldest part. */
		ATF_CHECK_EQ(98, oldest());
		ATF_CHECK_EQ(12 * os_page, purge(99, SIZE_MAX));
		ATF_CHECK(is_free(p[0], UNIT));
		ATF_CHECK_EQ(UNIT, pool.clean);
		ATF_CHECK_EQ(p[0], take(UNIT));
		ATF_CHECK_EQ(0, map_find(p[0]) | map_find(p[0] + UNIT - 1));
		ATF_CHECK(!fake.wrong);
	}
	setup();
	p[0] = take(os_page);
	p[1] = take(os_page);
	fake.no_merge = true;
	give(p[0], os_page, 1);
	give(p[1], os_page, 1);
	ATF_CHECK(is_free(p[0], os_page) && is_free(p[1], os_page));
}

ATF_TC(splits);
ATF_TC_HEAD(splits, tc)
{

	atf_tc_set_md_var(tc, "descr", "Aligned requests are cut out of the "
	    "middle; a hook that refuses loses nothing");
}
ATF_TC_BODY(splits, tc)
{
	size_t align;
	char *p, *q;

	setup();
	q = take(os_page);
	for (align = os_page; align <= MIB(16); align *= 2) {
		p = pool_alloc(&pool, 3 * os_page, align, &dirt);
		ATF_REQUIRE(p != NULL);
		ATF_CHECK_EQ(0, (uintptr_t)p % align);
		ATF_CHECK_EQ(pool.mapped - 4 * os_page, pool.clean +
		    pool.held[PAGES_DIRTY]);
		give(p, 3 * os_page, 1);
		(void)purge(2, SIZE_MAX);
		ATF_CHECK_EQ(pool.mapped - os_page, pool.clean);
	}
	/* All is one again. */
	give(q, os_page, 1);
	(void)purge(2, SIZE_MAX);
	ATF_CHECK_EQ(pool.mapped, pool.clean);

	setup();
	fake.no_split = true;
	ATF_CHECK_EQ(NULL, take(os_page));
	ATF_CHECK_EQ(pool.mapped, pool.clean);
	ATF_CHECK(take(UNIT) != NULL);
	ATF_CHECK(!fake.wrong);
}

ATF_TC(extend);
ATF_TC_HEAD(extend, tc)
{

	atf_tc_set_md_var(tc, "descr", "A block grows into a free neighbour "
	    "that is large enough, and says whether that is zeroed");
}
ATF_TC_BODY(extend, tc)
{
	char *p, *q;

	setup();
	p = take(os_page);
	/* Blocks of a program's own hooks stay where and what they are. */
	ATF_CHECK(!pool_extend(&pool, p, os_page, os_page, &dirt));

	fresh_pool(&pool, &hooks_default, 0);
	p = take(os_page);
	ATF_CHECK(!pool_extend(&pool, p, os_page, UNIT, &dirt));
	ATF_CHECK(pool_extend(&pool, p, os_page, 2 * os_page, &dirt));
	ATF_CHECK(zeroed);
	q = take(4 * os_page);
	ATF_CHECK_EQ(p + 3 * os_page, q);
	ATF_CHECK(!pool_extend(&pool, p, 3 * os_page, os_page, &dirt));
	give(q, 4 * os_page, 1);
	ATF_CHECK(!pool_extend(&pool, p, 3 * os_page, UNIT, &dirt));
	ATF_CHECK(pool_extend(&pool, p, 3 * os_page, os_page, &dirt));
	ATF_CHECK(!zeroed);
	ATF_CHECK(is_free(q + os_page, 3 * os_page));
	ATF_CHECK(pool_extend(&pool, p, 4 * os_page, 3 * os_page, &dirt));
	ATF_CHECK_EQ(0, pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(UNIT - 7 * os_page, pool.clean);
	/* Dirty pages and clean ones behind them. */
	give(p + 5 * os_page, 2 * os_page, 1);
	ATF_CHECK(pool_extend(&pool, p, 5 * os_page, 4 * os_page, &dirt));
	ATF_CHECK_EQ(2 * os_page, dirt);
	ATF_CHECK_EQ(0, pool.held[PAGES_DIRTY]);
	give(p + 7 * os_page, 2 * os_page, 1);
	(void)purge(UINT64_MAX, 0);
	pool_forget(&pool, p, 7 * os_page);
	ATF_CHECK_EQ(UNIT - 7 * os_page, pool.mapped);
}

/* n dirty extents of a page each that cannot join, freed at 0, 1, 2 ... */
static void
scatter(char **p, unsigned int n)
{
	unsigned int i;

	setup();
	for (i = 0; i < n; i++) {
		p[i] = take(os_page);
		memset(p[i], 1, os_page);
		ATF_REQUIRE(take(os_page) != NULL);
	}
	/* Not in the order of addresses. */
	for (i = 0; i < n; i++)
		give(p[i * 7 % n], os_page, i);
}

#define	NSCATTER	150		/* more than two vectors, not by 7 */

ATF_TC(purges);
ATF_TC_HEAD(purges, tc)
{

	atf_tc_set_md_var(tc, "descr", "Purged is what is old, oldest first, "
	    "by age or by amount, in any number");
}
ATF_TC_BODY(purges, tc)
{
	char *p[NSCATTER];
	unsigned int i;

	scatter(p, NSCATTER);
	ATF_CHECK_EQ(0, oldest());
	ATF_CHECK_EQ(0, purge(0, SIZE_MAX));
	ATF_CHECK_EQ(10 * os_page, purge(10, SIZE_MAX));
	for (i = 0; i < NSCATTER; i++)
		ATF_CHECK_EQ(i >= 10, p[i * 7 % NSCATTER][0]);
	ATF_CHECK_EQ(10, oldest());
	ATF_CHECK_EQ(10, fake.purges);
	/* By amount: 100 pages may stay. */
	ATF_CHECK_EQ(40 * os_page, purge(0, 100 * os_page));
	ATF_CHECK_EQ(50, oldest());
	ATF_CHECK_EQ(100 * os_page, pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(100 * os_page, purge(1000, SIZE_MAX));
	ATF_CHECK_EQ(0, pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(UINT64_MAX, oldest());
	ATF_CHECK_EQ(NSCATTER, fake.purges);
	ATF_CHECK_EQ(NSCATTER * os_page, pool.purged[PAGES_DIRTY].bytes);
	ATF_CHECK_EQ(1 + 1 + 2, pool.purged[PAGES_DIRTY].npurge);
	for (i = 0; i < NSCATTER; i++)
		ATF_CHECK_EQ(0, p[i][0]);
	ATF_CHECK(!fake.wrong);
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
	char *p[NSCATTER];

	scatter(p, NSCATTER);
	fake.purge_left = 0;
	ATF_CHECK_EQ(0, purge(UINT64_MAX, SIZE_MAX));
	ATF_CHECK_EQ(0, purge(0, 0));
	ATF_CHECK_EQ(NSCATTER * os_page, pool.held[PAGES_DIRTY]);
	scatter(p, NSCATTER);
	fake.purge_left = 70;
	ATF_CHECK_EQ(70 * os_page, purge(UINT64_MAX, SIZE_MAX));
	ATF_CHECK_EQ((NSCATTER - 70) * os_page, pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(70 * os_page, pool.purged[PAGES_DIRTY].bytes);
	fake.purge_left = UINT32_MAX;
	(void)purge(UINT64_MAX, 0);
	ATF_CHECK_EQ(0, pool.held[PAGES_DIRTY]);
	ATF_CHECK(!fake.wrong);
}

ATF_TC(budget);
ATF_TC_HEAD(budget, tc)
{

	atf_tc_set_md_var(tc, "descr", "Without time nothing is purged but "
	    "what must be; of a long extent the end goes first");
}
ATF_TC_BODY(budget, tc)
{
	struct budget b = BUDGET_ALL;
	size_t size;
	char *p;

	setup();
	size = 16 * BUDGET_BATCH;
	p = take(size);
	ATF_REQUIRE(p != NULL);
	memset(p, 1, size);
	give(p, size, 1);
	b.until = os_time_ns();
	ATF_CHECK_EQ(0, pool_purge(&pool, 2, SIZE_MAX, &b));
	ATF_CHECK(b.more);
	ATF_CHECK_EQ(size, pool.held[PAGES_DIRTY]);
	ATF_CHECK(is_free(p, size));
	ATF_CHECK_EQ(1, oldest());
	b.least = BUDGET_BATCH + 1;
	ATF_CHECK_EQ(2 * BUDGET_BATCH, pool_purge(&pool, 2, SIZE_MAX, &b));
	ATF_CHECK_EQ(size - 2 * BUDGET_BATCH, pool.held[PAGES_DIRTY]);
	ATF_CHECK(is_free(p, size - 2 * BUDGET_BATCH));
	ATF_CHECK_EQ(1, p[size - 2 * BUDGET_BATCH - 1]);
	ATF_CHECK_EQ(2 * BUDGET_BATCH, all_bytes(p + size - 2 * BUDGET_BATCH,
	    2 * BUDGET_BATCH, 0));
	ATF_CHECK_EQ(1, oldest());
	/* What cannot be cut goes in one. */
	fake.no_split = true;
	b.least = 3 * BUDGET_BATCH;
	ATF_CHECK_EQ(size - 2 * BUDGET_BATCH, pool_purge(&pool, 2, SIZE_MAX,
	    &b));
	ATF_CHECK_EQ(0, pool.held[PAGES_DIRTY]);
	ATF_CHECK(!fake.wrong);
}

ATF_TC(evenly);
ATF_TC_HEAD(evenly, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is owed is none of what is young, "
	    "all of what is old, and goes evenly between");
}
ATF_TC_BODY(evenly, tc)
{
	size_t owed, size;
	uint64_t age;
	char *p;

	setup();
	size = MIB(64);
	p = take(size);
	ATF_REQUIRE(p != NULL);
	give(p, size, 1000);
	/* A decay time of 2000, visited every 100. */
	for (age = 0; age <= 1000; age += 100)
		ATF_CHECK_EQ(0, pool_owed(&pool, PAGES_DIRTY, 1000 + age - 2000,
		    1000 + age - 1000, 100));
	for (; age <= 2000; age += 100) {
		owed = pool_owed(&pool, PAGES_DIRTY, 1000 + age - 2000,
		    1000 + age - 1000, 100);
		ATF_CHECK_MSG(owed >= size / 10 - MIB(4) &&
		    owed <= size / 10 + MIB(4), "at %ju: %zu MiB",
		    (uintmax_t)age, owed >> 20);
		(void)purge(0, pool.held[PAGES_DIRTY] - owed);
	}
	ATF_CHECK_EQ(0, pool.held[PAGES_DIRTY]);
	ATF_CHECK(!fake.wrong);
}

ATF_TC(no_memory);
ATF_TC_HEAD(no_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "Without memory for a descriptor a cut "
	    "is refused, and freed space goes back to where it came from");
}
ATF_TC_BODY(no_memory, tc)
{
	size_t mapped;
	char *p[3];
	unsigned int i;

	setup();
	for (i = 0; i < nitems(p); i++)
		p[i] = take(2 * os_page);
	(void)exhaust_base(BASE_SPAN, sizeof(struct extent));
	/* The rest of the unit needs no new descriptor. */
	ATF_CHECK(take(os_page) != NULL);
	ATF_CHECK_EQ(NULL, pool_alloc(&pool, os_page, 64 * os_page, &dirt));
	ATF_CHECK_EQ(pool.mapped - 7 * os_page, pool.clean);
	mapped = pool.mapped;
	give(p[1], 2 * os_page, 1);
	ATF_CHECK_EQ(1, fake.ndalloc);
	ATF_CHECK_EQ(mapped - 2 * os_page, pool.mapped);
	ATF_CHECK_EQ(fake.mapped, pool.mapped);
	ATF_CHECK_EQ(0, pool.held[PAGES_DIRTY]);
	ATF_CHECK_EQ(0, map_find(p[1]));
	memory_again();
	give(p[0], 2 * os_page, 1);
	ATF_CHECK(is_free(p[0], 2 * os_page));
	ATF_CHECK(!fake.wrong);
}

ATF_TC(random);
ATF_TC_HEAD(random, tc)
{

	atf_tc_set_md_var(tc, "descr", "Whatever is done, extents do not "
	    "overlap and the sums are right");
}
ATF_TC_BODY(random, tc)
{
	static struct {
		char	*p;
		size_t	 size;
	} b[64];
	unsigned int i, n, seed;
	size_t out;

	setup();
	seed = 1;
	out = 0;
	for (n = 0; n < 20000; n++) {
		seed = seed * 1103515245 + 12345;
		i = seed >> 16 & 63;
		if (b[i].p != NULL) {
			ATF_REQUIRE_EQ((char)i, b[i].p[0]);
			ATF_REQUIRE_EQ((char)i, b[i].p[b[i].size - 1]);
			give(b[i].p, b[i].size, n);
			out -= b[i].size;
			b[i].p = NULL;
		} else {
			b[i].size = ((seed >> 22 & 63) + 1) * os_page;
			b[i].p = pool_alloc(&pool, b[i].size, os_page <<
			    (seed >> 28 & 3), &dirt);
			ATF_REQUIRE(b[i].p != NULL);
			ATF_REQUIRE(!zeroed || (b[i].p[0] == 0 &&
			    b[i].p[b[i].size - 1] == 0));
			b[i].p[0] = b[i].p[b[i].size - 1] = (char)i;
			out += b[i].size;
		}
		if (n % 256 == 0)
			(void)purge(n - MIN(n, 128), SIZE_MAX);
		ATF_REQUIRE_EQ(pool.mapped, pool.clean +
		    pool.held[PAGES_DIRTY] + out);
		ATF_REQUIRE_EQ(pool.mapped, fake.mapped);
	}
	ATF_CHECK(!fake.wrong);
}

ATF_TC(marks);
ATF_TC_HEAD(marks, tc)
{

	atf_tc_set_md_var(tc, "descr", "Where memory may be huge is known, "
	    "and forgotten with it");
}
ATF_TC_BODY(marks, tc)
{
	char *lo, *p;

	fresh_pool(&pool, &hooks_default, 0);
	/* For one great request, nothing; nor while the pool is small. */
	p = take(MIB(15));
	ATF_CHECK(!pool_marked(&pool, p));
	p = take(MIB(4));
	ATF_CHECK(!pool_marked(&pool, p));
	ATF_REQUIRE(pool.mapped > MIB(16));
	while (pool.marks.n == 0 && pool.mapped < MIB(256))
		ATF_REQUIRE(take(MIB(2)) != NULL);
	if (pool.marks.n == 0)
		atf_tc_skip("huge pages are not for the asking");
	lo = pool.marks.mark[0].lo;
	ATF_REQUIRE(pool.marks.mark[0].hi >= lo + MIB(8));
	ATF_CHECK(pool_marked(&pool, lo));
	ATF_CHECK(!pool_marked(&pool, lo - 1));
	ATF_CHECK(!pool_marked(&pool, pool.marks.mark[0].hi));
	/* A part of a huge page goes: what is left of it cannot be one. */
	pool_forget(&pool, lo + MIB(3), MIB(2));
	ATF_CHECK_EQ(2, pool.marks.n);
	ATF_CHECK(pool_marked(&pool, lo + MIB(2) - 1));
	ATF_CHECK(!pool_marked(&pool, lo + MIB(2)));
	ATF_CHECK(!pool_marked(&pool, lo + MIB(6) - 1));
	ATF_CHECK(pool_marked(&pool, lo + MIB(6)));
	pool_forget(&pool, lo, MIB(2));
	ATF_CHECK_EQ(1, pool.marks.n);
	ATF_CHECK(!pool_marked(&pool, lo));
	/* Known still, but nothing more comes to it. */
	pool_unmark(&pool, POOL_MARKLESS_NOW);
	ATF_CHECK(pool_marked(&pool, lo + MIB(6)));
	pool_mark(&pool, lo, MIB(2), false);
	ATF_CHECK(!pool_marked(&pool, lo));
}

ATF_TC(tails);
ATF_TC_HEAD(tails, tc)
{

	atf_tc_set_md_var(tc, "descr", "The rest of a huge page is dirty, "
	    "and serves the next block");
}
ATF_TC_BODY(tails, tc)
{
	const size_t size = MIB(1) + KIB(100);
	char *p, *q;

	fresh_pool(&pool, &hooks_default, 0);
	while (pool.marks.n == 0 && pool.mapped < MIB(256))
		ATF_REQUIRE(take(MIB(2)) != NULL);
	if (pool.marks.n == 0)
		atf_tc_skip("huge pages are not for the asking");
	ATF_REQUIRE_EQ(0, pool.held[PAGES_DIRTY]);
	p = pool_alloc(&pool, size, POOL_HUGE, &dirt);
	ATF_REQUIRE(pool_marked(&pool, p));
	ATF_CHECK_EQ(POOL_HUGE - size, pool.held[PAGES_DIRTY]);
	q = take(size);
	ATF_CHECK_EQ(p + size, q);
	ATF_CHECK_EQ(POOL_HUGE - size, dirt);
	ATF_CHECK_EQ(2 * (POOL_HUGE - size), pool.held[PAGES_DIRTY]);
	ATF_CHECK(pool_extend(&pool, q, size, POOL_HUGE, &dirt));
	ATF_CHECK_EQ(2 * (POOL_HUGE - size), dirt);
	ATF_CHECK_EQ(2 * (POOL_HUGE - size), pool.held[PAGES_DIRTY]);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, growth);
	ATF_TP_ADD_TC(tp, reuse);
	ATF_TP_ADD_TC(tp, merges);
	ATF_TP_ADD_TC(tp, splits);
	ATF_TP_ADD_TC(tp, extend);
	ATF_TP_ADD_TC(tp, purges);
	ATF_TP_ADD_TC(tp, purge_fails);
	ATF_TP_ADD_TC(tp, budget);
	ATF_TP_ADD_TC(tp, evenly);
	ATF_TP_ADD_TC(tp, no_memory);
	ATF_TP_ADD_TC(tp, marks);
	ATF_TP_ADD_TC(tp, tails);
	ATF_TP_ADD_TC(tp, random);

	return (atf_no_error());
}
