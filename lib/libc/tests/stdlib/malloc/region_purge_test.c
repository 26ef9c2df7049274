/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * region: which free pages go back to the system, and when; and huge pages,
 * which are broken up for that, or made where a region is dense.
 */

#ifdef __linux__
#define	_GNU_SOURCE
#include <sys/prctl.h>
#include <sys/uio.h>

#include <fcntl.h>
#endif

#include "dsm_conf.h"
#include "region_test_subr.h"

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
	struct budget b = BUDGET_ALL;
	struct run r[NRUNS];
	unsigned int i;

	scatter(r);
	fake.purge_left = 0;
	for (i = 0; i < 3; i++)
		ATF_CHECK_EQ(0, purge(REGIONS_OLD, SIZE_MAX));
	regions_pass(&regions, PAGES_DIRTY);
	ATF_CHECK_EQ(0, regions_purge(&regions, REGIONS_ALL, REGIONS_PASS, &b));
	ATF_CHECK(!b.tried);
	ATF_CHECK_EQ(0, purge(REGIONS_ALL, SIZE_MAX));
	ATF_CHECK_EQ(NRUNS, regions.dirty);
	fake.purge_left = 100;
	ATF_CHECK_EQ(100 * os_page, purge(REGIONS_ALL, SIZE_MAX));
	ATF_CHECK_EQ(NRUNS - 100, regions.dirty);
	fake.purge_left = UINT32_MAX;
	regions_pass(&regions, PAGES_DIRTY);
	ATF_CHECK_EQ((NRUNS - 100) * os_page, regions_purge(&regions,
	    REGIONS_ALL, REGIONS_PASS, &b));
	ATF_CHECK(b.tried);
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

	ATF_TP_ADD_TC(tp, ageing);
	ATF_TP_ADD_TC(tp, everything);
	ATF_TP_ADD_TC(tp, purge_fails);
	ATF_TP_ADD_TC(tp, parts);
	ATF_TP_ADD_TC(tp, resumes);
	ATF_TP_ADD_TC(tp, skips);
	ATF_TP_ADD_TC(tp, told);
#ifdef PR_SET_THP_DISABLE
	ATF_TP_ADD_TC(tp, no_huge);
	ATF_TP_ADD_TC(tp, not_made);
#endif

	return (atf_no_error());
}
