/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * hooks: what the allocator makes of a set of extent hooks, and the default
 * set.
 */

#include "unit_test_subr.h"

/* A hook set of no more than alloc, and what that answers. */
static struct {
	bool	zero;
	bool	commit;
} answer;
static bool	commit_refused;
static unsigned int ncommit;

static void *
dirty_alloc(struct hooks *h, void *addr, size_t size, size_t align, bool *zero,
    bool *commit, unsigned int ind)
{
	void *p;

	p = fake_alloc(h, addr, size, align, zero, commit, ind);
	if (p != NULL)
		memset(p, 0xa5, size);
	*zero = answer.zero;
	*commit = answer.commit;
	return (p);
}

static bool
count_commit(struct hooks *h, void *p, size_t size, size_t off, size_t len,
    unsigned int ind)
{
	struct fake *f;

	(void)p;
	f = fake_of(h, ind);
	if (off != 0 || len != size)
		f->wrong = true;
	ncommit++;
	return (commit_refused);
}

ATF_TC(alloc);
ATF_TC_HEAD(alloc, tc)
{

	atf_tc_set_md_var(tc, "descr", "Memory from a hook is committed and "
	    "zeroed where the hook did not, or given back");
}
ATF_TC_BODY(alloc, tc)
{
	struct fake f;
	size_t size;
	char *p;

	size = 4 * os_page;
	fake_init(&f);
	f.hooks.alloc = dirty_alloc;
	answer.zero = false;
	answer.commit = true;
	p = hooks_alloc(&f.hooks, size, os_page, IND);
	ATF_REQUIRE(p != NULL);
	ATF_CHECK_EQ(size, all_bytes(p, size, 0));
	/* It is taken at its word. */
	answer.zero = true;
	p = hooks_alloc(&f.hooks, size, os_page, IND);
	ATF_CHECK_EQ(size, all_bytes(p, size, 0xa5));

	answer.commit = false;
	ATF_CHECK_EQ(NULL, hooks_alloc(&f.hooks, size, os_page, IND));
	ATF_CHECK_EQ(1, f.ndalloc);
	f.hooks.commit = count_commit;
	commit_refused = true;
	ATF_CHECK_EQ(NULL, hooks_alloc(&f.hooks, size, os_page, IND));
	ATF_CHECK_EQ(2, f.ndalloc);
	commit_refused = false;
	ATF_CHECK(hooks_alloc(&f.hooks, size, os_page, IND) != NULL);
	ATF_CHECK_EQ(2, ncommit);
	ATF_CHECK_EQ(3 * size, f.mapped);
	f.max = 0;
	ATF_CHECK_EQ(NULL, hooks_alloc(&f.hooks, size, os_page, IND));
	ATF_CHECK(!f.wrong);
}

ATF_TC(purge);
ATF_TC_HEAD(purge, tc)
{

	atf_tc_set_md_var(tc, "descr", "Purging stops at the first range that "
	    "the hook refuses, and says how many it did");
}
ATF_TC_BODY(purge, tc)
{
	struct os_purge how = OS_PURGE_FORCED;
	struct os_range r[5];
	struct fake f;
	unsigned int i, n;
	char *p;

	fake_init(&f);
	p = hooks_alloc(&f.hooks, nitems(r) * os_page, os_page, IND);
	ATF_REQUIRE(p != NULL);
	for (i = 0; i < nitems(r); i++) {
		r[i].addr = p + i * os_page;
		r[i].len = os_page;
	}
	for (n = 0; n <= nitems(r); n++) {
		memset(p, 1, nitems(r) * os_page);
		f.purge_left = n;
		how.calls = 0;
		ATF_CHECK_EQ(n, hooks_purge(&f.hooks, r, nitems(r), IND,
		    &how));
		ATF_CHECK_EQ(MIN(n + 1, nitems(r)), how.calls);
		for (i = 0; i < nitems(r); i++)
			ATF_CHECK_EQ(i >= n, p[i * os_page]);
	}
	f.hooks.purge_forced = NULL;
	ATF_CHECK_EQ(0, hooks_purge(&f.hooks, r, nitems(r), IND, &how));
	/* None is begun after the time. */
	f.hooks.purge_forced = fake_purge;
	f.purge_left = UINT32_MAX;
	how.until = os_time_ns();
	ATF_CHECK_EQ(0, hooks_purge(&f.hooks, r, nitems(r), IND, &how));
	how.until = os_time_ns() + UINT64_C(60000000000);
	ATF_CHECK_EQ(nitems(r), hooks_purge(&f.hooks, r, nitems(r), IND,
	    &how));
	/* Lazily is another hook's. */
	how.lazy = true;
	ATF_CHECK_EQ(0, hooks_purge(&f.hooks, r, nitems(r), IND, &how));
	f.hooks.purge_lazy = fake_purge;
	ATF_CHECK_EQ(nitems(r), hooks_purge(&f.hooks, r, nitems(r), IND,
	    &how));
	ATF_CHECK(!f.wrong);
}

ATF_TC(others);
ATF_TC_HEAD(others, tc)
{

	atf_tc_set_md_var(tc, "descr", "True from a hook is no, and no hook is "
	    "no");
}
ATF_TC_BODY(others, tc)
{
	struct fake f;
	char *p;

	fake_init(&f);
	p = hooks_alloc(&f.hooks, 3 * os_page, os_page, IND);
	ATF_REQUIRE(p != NULL);
	ATF_CHECK(hooks_split(&f.hooks, p, os_page, 2 * os_page, IND));
	ATF_CHECK(hooks_merge(&f.hooks, p, os_page, p + os_page, 2 * os_page,
	    IND));
	f.no_split = f.no_merge = true;
	ATF_CHECK(!hooks_split(&f.hooks, p, os_page, 2 * os_page, IND));
	ATF_CHECK(!hooks_merge(&f.hooks, p, os_page, p + os_page, 2 * os_page,
	    IND));
	f.hooks.split = NULL;
	f.hooks.merge = NULL;
	ATF_CHECK(!hooks_split(&f.hooks, p, os_page, 2 * os_page, IND));
	ATF_CHECK(!hooks_merge(&f.hooks, p, os_page, p + os_page, 2 * os_page,
	    IND));
	ATF_CHECK(hooks_dalloc(&f.hooks, p, 3 * os_page, IND));
	f.hooks.dalloc = NULL;
	ATF_CHECK(!hooks_dalloc(&f.hooks, p, 3 * os_page, IND));
	ATF_CHECK(!hooks_movable(&f.hooks));
	ATF_CHECK(hooks_movable(&hooks_default));
	ATF_CHECK(!f.wrong);
}

ATF_TC(defaults);
ATF_TC_HEAD(defaults, tc)
{

	atf_tc_set_md_var(tc, "descr", "Each of the nine default hooks does "
	    "what it is for");
}
ATF_TC_BODY(defaults, tc)
{
	struct hooks *h;
	size_t align, size;
	bool commit, zero;
	unsigned char vec;
	char *p;

	h = &hooks_default;
	size = 8 * os_page;
	for (align = os_page; align <= (size_t)64 << 20; align *= 4) {
		zero = commit = false;
		p = h->alloc(h, NULL, size, align, &zero, &commit, 0);
		ATF_REQUIRE(p != NULL && zero && commit);
		ATF_CHECK_EQ(0, (uintptr_t)p % align);
		ATF_CHECK_EQ(size, all_bytes(p, size, 0));
		ATF_CHECK(!h->dalloc(h, p, size, true, 0));
		ATF_CHECK(mincore(p, size, &vec) != 0);
	}
	p = h->alloc(h, NULL, size, os_page, &zero, &commit, 0);
	ATF_REQUIRE(p != NULL);
	/* At an address: never over what is there. */
	ATF_CHECK_EQ(NULL, h->alloc(h, p, size, os_page, &zero, &commit, 0));
	/* What stays is not said to have gone. */
	ATF_CHECK(h->dalloc(h, p + 1, size, true, 0));
	ATF_CHECK(!h->dalloc(h, p, size, true, 0));
	ATF_CHECK_EQ(p, h->alloc(h, p, size, os_page, &zero, &commit, 0));

	memset(p, 1, size);
	ATF_CHECK(!h->purge_forced(h, p, size, os_page, os_page, 0));
	ATF_CHECK_EQ(os_page, all_bytes(p, os_page, 1));
	ATF_CHECK_EQ(os_page, all_bytes(p + os_page, os_page, 0));
	ATF_CHECK_EQ(6 * os_page, all_bytes(p + 2 * os_page, 6 * os_page, 1));
	(void)h->purge_lazy(h, p, size, 0, os_page, 0);
	ATF_CHECK(!h->decommit(h, p, size, 0, os_page, 0));
	ATF_CHECK(!h->commit(h, p, size, 0, os_page, 0));
	memset(p, 1, size);
	ATF_CHECK(!h->split(h, p, size, os_page, size - os_page, true, 0));
	ATF_CHECK(!h->merge(h, p, os_page, p + os_page, size - os_page, true,
	    0));
	ATF_CHECK_EQ(size, all_bytes(p, size, 1));
	h->destroy(h, p, size, true, 0);
	ATF_CHECK(mincore(p, size, &vec) != 0);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, alloc);
	ATF_TP_ADD_TC(tp, purge);
	ATF_TP_ADD_TC(tp, others);
	ATF_TP_ADD_TC(tp, defaults);

	return (atf_no_error());
}
