/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Large blocks that go back to the system as they are freed, while all else
 * stays.
 */

#include <errno.h>

#include "counting_test_subr.h"

const char *malloc_conf =
    "narenas:1,dirty_decay_ms:-1,oversize_threshold:1M";

#define	KIB(n)		((size_t)(n) << 10)
#define	MIB(n)		((size_t)(n) << 20)
/* What the rest of the process may come by meanwhile. */
#define	SLACK		KIB(128)

/* A region has up to 1 MiB; 2 MiB and more are at its boundary. */
static const size_t over[] = { MIB(1), MIB(1) + 1, MIB(1) + KIB(512), MIB(2),
    MIB(5), MIB(64) };
static const size_t under[] = { 33000, KIB(100), KIB(600), MIB(1) - PAGE };

static char *
take(size_t size)
{
	char *p;

	ATF_REQUIRE((p = hidep(malloc(hide(size)))) != NULL);
	memset(p, 0x5a, size);
	return (p);
}

static size_t
oversize(unsigned int ind)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.oversize_threshold", ind);
	return (get(name));
}

static int
set_oversize(unsigned int ind, size_t size)
{

	return (arena_set(ind, "oversize_threshold", &size, sizeof(size)));
}

/* Is all of a block's memory gone as it is freed, or all left? */
static void
check_free(unsigned int ind, size_t size, bool gone)
{
	size_t before, dirty, least, left, purged;
	char *p;

	least = (size / PAGE + (size % PAGE != 0)) * PAGE;
	p = take(size);
	dirty = figure(ind, "pdirty");
	purged = figure(ind, "dirty_purged");
	before = rss_bytes();
	free(p);
	left = rss_bytes();
	if (gone) {
		ATF_CHECK_MSG(left + least <= before + SLACK,
		    "%zu bytes: %zu stay", size, left + least - before);
		ATF_CHECK_EQ_MSG(dirty, figure(ind, "pdirty"), "%zu", size);
		ATF_CHECK_EQ_MSG(purged + least / PAGE, figure(ind,
		    "dirty_purged"), "%zu", size);
	} else {
		ATF_CHECK_MSG(left + SLACK >= before, "%zu bytes: %zu go",
		    size, before - left);
		ATF_CHECK_EQ_MSG(dirty + least / PAGE, figure(ind, "pdirty"),
		    "%zu", size);
		ATF_CHECK_EQ_MSG(purged, figure(ind, "dirty_purged"), "%zu",
		    size);
	}
}

ATF_TC(at_once);
ATF_TC_HEAD(at_once, tc)
{

	atf_tc_set_md_var(tc, "descr", "Blocks from the option's size on go "
	    "back as they are freed, smaller ones stay, and the next ones "
	    "are zero");
}
ATF_TC_BODY(at_once, tc)
{
	unsigned int i, round;
	char *p;

	ATF_CHECK_EQ(MIB(1), get("opt.oversize_threshold"));
	for (round = 0; round < 3; round++)
		for (i = 0; i < nitems(over); i++)
			check_free(0, over[i], true);
	for (i = 0; i < nitems(over); i++) {
		ATF_REQUIRE((p = hidep(calloc(1, hide(over[i])))) != NULL);
		ATF_CHECK_EQ(over[i], all_bytes(p, over[i], 0));
		free(p);
	}
	for (i = 0; i < nitems(under); i++)
		check_free(0, under[i], false);
}

ATF_TC(others);
ATF_TC_HEAD(others, tc)
{

	atf_tc_set_md_var(tc, "descr", "What else is unused stays as it is");
}
ATF_TC_BODY(others, tc)
{
	char *p[3], *v[200];
	size_t before, dirty, now, npurge;
	unsigned int i, j;

	for (i = 0; i < nitems(v); i++)
		v[i] = take(KIB(100));
	for (i = 0; i < nitems(p); i++)
		p[i] = take(MIB(4));
	for (i = 0; i < nitems(v); i++)
		free(v[i]);
	before = rss_bytes();
	dirty = figure(0, "pdirty");
	npurge = figure(0, "dirty_npurge");
	for (i = 0; i < nitems(p); i++)
		free(p[i]);
	now = rss_bytes();
	ATF_CHECK_MSG(before - now <= nitems(p) * MIB(4) + SLACK, "%zu KiB",
	    (before - now) >> 10);
	ATF_CHECK_EQ_MSG(dirty, figure(0, "pdirty"), "%zu, %zu", dirty,
	    figure(0, "pdirty"));
	ATF_CHECK_EQ(npurge + nitems(p), figure(0, "dirty_npurge"));
	before = rss_bytes();
	for (j = 0; j < 5; j++) {
		for (i = 0; i < nitems(v); i++)
			v[i] = take(KIB(100));
		for (i = 0; i < nitems(v); i++)
			free(v[i]);
	}
	ATF_CHECK_MSG(rss_bytes() <= before + SLACK, "%zu more",
	    rss_bytes() - before);
}

ATF_TC(at_run_time);
ATF_TC_HEAD(at_run_time, tc)
{

	atf_tc_set_md_var(tc, "descr", "Each arena has a size of its own, "
	    "all and those to come may get one, and 0 is none");
}
ATF_TC_BODY(at_run_time, tc)
{
	unsigned int a, b, i;
	size_t len = sizeof(size_t), n;

	a = create(NULL);
	(void)bind_to(a);
	ATF_CHECK_EQ(MIB(1), oversize(a));
	ATF_REQUIRE_EQ(0, set_oversize(a, 0));
	ATF_CHECK_EQ(0, oversize(a));
	ATF_CHECK_EQ(MIB(1), oversize(0));
	ATF_CHECK_EQ(EFAULT, mallctl("arena.4096.oversize_threshold", &n,
	    &len, NULL, 0));
	for (i = 0; i < nitems(over); i++)
		check_free(a, over[i], false);
	purge();
	/* Less than what an arena keeps of blocks for the next ones. */
	ATF_REQUIRE_EQ(0, set_oversize(a, KIB(64)));
	check_free(a, KIB(60), false);
	check_free(a, KIB(64), true);
	for (i = 1; i < nitems(under); i++)
		check_free(a, under[i], true);
	/* What is in stock does not stay for being there already. */
	free(take(KIB(60)));
	ATF_REQUIRE_EQ(0, set_oversize(a, 1));
	for (i = 0; i < nitems(under); i++)
		check_free(a, under[i], true);
	ATF_REQUIRE_EQ(0, set_oversize(a, SIZE_MAX));
	ATF_CHECK_EQ(SIZE_MAX, oversize(a));
	check_free(a, MIB(5), false);

	ATF_REQUIRE_EQ(0, set_oversize(ARENA_0, MIB(3)));
	ATF_CHECK_EQ(MIB(3), oversize(ARENA_0));
	b = create(NULL);
	ATF_CHECK_EQ(MIB(3), oversize(0));
	ATF_CHECK_EQ(MIB(3), oversize(a));
	ATF_CHECK_EQ(MIB(3), oversize(b));
	/* One that is made again begins as all do. */
	ATF_REQUIRE_EQ(0, set_oversize(b, MIB(2)));
	ATF_REQUIRE_EQ(0, arena_act(b, "destroy"));
	ATF_CHECK_EQ(MIB(3), oversize(ARENA_0));
	ATF_CHECK_EQ(EFAULT, set_oversize(b, MIB(2)));
	ATF_CHECK_EQ(b, create(NULL));
	ATF_CHECK_EQ(MIB(3), oversize(b));

	ATF_CHECK_EQ(ENOENT, set_oversize(b + 2, 0));
	ATF_CHECK_EQ(ENOENT, mallctl("arena.4094.oversize_threshold", &n,
	    &len, NULL, 0));
	i = 0;
	ATF_CHECK_EQ(EINVAL, arena_set(0, "oversize_threshold", &i,
	    sizeof(i)));
	ATF_CHECK_EQ(MIB(3), oversize(0));
}

ATF_TC(huge);
ATF_TC_HEAD(huge, tc)
{

	atf_tc_set_md_var(tc, "descr", "Blocks that are in huge pages with "
	    "others go back too");
}
ATF_TC_BODY(huge, tc)
{
	static char *v[400];
	size_t before, now;
	unsigned int i;

	for (i = 0; i < nitems(v); i++)
		v[i] = take(i % 4 == 0 ? MIB(1) : KIB(340));
	before = rss_bytes();
	for (i = 0; i < nitems(v); i += 4)
		free(v[i]);
	now = rss_bytes();
	ATF_CHECK_MSG(now + MIB(nitems(v) / 4) <= before + MIB(1),
	    "%zu KiB of %zu MiB", (before - now) >> 10, nitems(v) / 4);
	for (i = 0; i < nitems(v); i++)
		if (i % 4 != 0)
			ATF_REQUIRE_EQ(KIB(340), all_bytes(v[i], KIB(340),
			    0x5a));
}

ATF_TC(refused);
ATF_TC_HEAD(refused, tc)
{

	atf_tc_set_md_var(tc, "descr", "Where the system has refused memory "
	    "the address space goes back too");
}
ATF_TC_BODY(refused, tc)
{
	struct rlimit rl;
	long before;
	char *p;

	p = take(MIB(64));
	before = proc_number("/proc/self/status", "VmSize:");
	ATF_REQUIRE(before > 0);
	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_AS, &rl));
	rl.rlim_cur = ((rlim_t)before << 10) + MIB(4);
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_AS, &rl));
	ATF_REQUIRE_EQ(NULL, hidep(malloc(hide(MIB(32)))));
	free(p);
	rl.rlim_cur = rl.rlim_max;
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_AS, &rl));
	ATF_CHECK(proc_number("/proc/self/status", "VmSize:") + (64 << 10) <=
	    before + (1 << 10));
}

ATF_TC(resized);
ATF_TC_HEAD(resized, tc)
{

	atf_tc_set_md_var(tc, "descr", "What realloc() cuts off goes back, "
	    "what it moves does not");
}
ATF_TC_BODY(resized, tc)
{
	size_t before, dirty, purged;
	char *p, *q;

	p = take(MIB(8));
	dirty = figure(0, "pdirty");
	purged = figure(0, "dirty_purged");
	before = rss_bytes();
	ATF_REQUIRE_EQ(p, (q = realloc(p, hide(MIB(3)))));
	ATF_CHECK(rss_bytes() + MIB(5) <= before + SLACK);
	ATF_CHECK_EQ(dirty, figure(0, "pdirty"));
	ATF_CHECK_EQ(purged + MIB(5) / PAGE, figure(0, "dirty_purged"));
	/* Too little to go, but enough to be cut off. */
	ATF_REQUIRE_EQ(q, realloc(q, hide(MIB(2) + KIB(512))));
	ATF_CHECK_EQ(dirty + KIB(512) / PAGE, figure(0, "pdirty"));
	ATF_CHECK_EQ(purged + MIB(5) / PAGE, figure(0, "dirty_purged"));
	p = take(MIB(1));
	before = rss_bytes();
	ATF_REQUIRE((q = realloc(q, hide(MIB(40)))) != NULL);
	ATF_CHECK(rss_bytes() <= before + SLACK);
	ATF_CHECK_EQ(MIB(2) + KIB(512), all_bytes(q, MIB(2) + KIB(512), 0x5a));
	ATF_CHECK_EQ(purged + MIB(5) / PAGE, figure(0, "dirty_purged"));
	memset(q, 0x5a, MIB(40));
	before = rss_bytes();
	free(q);
	ATF_CHECK(rss_bytes() + MIB(40) <= before + SLACK);
	ATF_CHECK_EQ(MIB(1), all_bytes(p, MIB(1), 0x5a));
	free(p);
}

/* A block of hooked memory is freed; which of these hooks were called? */
static void
hooked(size_t size, unsigned int refuse, unsigned int dalloc,
    unsigned int decommit, unsigned int forced)
{
	unsigned int n[NHOOKS];
	char *p;

	counting.refuse = refuse;
	p = take(size);
	memcpy(n, counting.n, sizeof(n));
	free(p);
	ATF_CHECK_EQ_MSG(n[DALLOC] + dalloc, counting.n[DALLOC], "%zu", size);
	ATF_CHECK_EQ_MSG(n[DECOMMIT] + decommit, counting.n[DECOMMIT], "%zu",
	    size);
	ATF_CHECK_EQ_MSG(n[FORCED] + forced, counting.n[FORCED], "%zu", size);
	counting.refuse = 0;
}

ATF_TC(hooks);
ATF_TC_HEAD(hooks, tc)
{

	atf_tc_set_md_var(tc, "descr", "Memory of hooks goes back by these: a "
	    "block of its own by what an extent that is due is offered to, "
	    "one in a region by a purge");
}
ATF_TC_BODY(hooks, tc)
{
	unsigned int a, old;
	char *p, *q;

	a = create_counting();
	old = bind_to(a);
	/* Others of their regions, so that none is empty. */
	p = take(KIB(40));
	hooked(MIB(3), 0, 1, 0, 0);
	hooked(MIB(3), 1 << DALLOC, 1, 1, 0);
	hooked(MIB(3), 1 << DALLOC | 1 << DECOMMIT, 1, 1, 1);
	hooked(MIB(1), 0, 0, 0, 1);
	ATF_CHECK_EQ(0, figure(a, "pdirty"));
	/* Refused, it is dirty in a region, and raw elsewhere. */
	hooked(MIB(1), 1 << FORCED, 0, 0, 1);
	ATF_CHECK_EQ(MIB(1) / PAGE, figure(a, "pdirty"));
	hooked(KIB(900), 0, 0, 0, 0);
	hooked(MIB(3), ~0u, 1, 1, 1);
	ATF_REQUIRE((q = hidep(calloc(1, hide(MIB(3))))) != NULL);
	ATF_CHECK_EQ(MIB(3), all_bytes(q, MIB(3), 0));
	free(q);
	/* Hooks that allocate and free so much themselves. */
	ATF_REQUIRE_EQ(0, set_oversize(ARENA_0, KIB(64)));
	counting.recurses = true;
	exercise(20);
	counting.recurses = false;
	free(p);
	(void)bind_to(old);
	ATF_REQUIRE_EQ(0, arena_act(a, "destroy"));
	ATF_CHECK_EQ(0, counting.bytes);

	/* What is pinned stays. */
	counting.flags = 1;
	(void)bind_to(create_counting());
	hooked(MIB(3), 0, 0, 0, 0);
	hooked(MIB(1), 0, 0, 0, 0);
}

static char *saved;

/* Frees a block of the arena that it purges for. */
static bool
free_within(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,
    unsigned ind)
{
	unsigned int n = counting.n[DALLOC];
	char *mine = saved;

	saved = NULL;
	free(mine);
	ATF_CHECK_EQ(n, counting.n[DALLOC]);
	return (count_forced(h, p, size, off, len, ind));
}

ATF_TC(within);
ATF_TC_HEAD(within, tc)
{

	atf_tc_set_md_var(tc, "descr", "What a hook frees comes to no other "
	    "hook, and waits");
}
ATF_TC_BODY(within, tc)
{
	unsigned int a;
	char *p;

	counting.hooks.purge_forced = free_within;
	(void)bind_to(a = create_counting());
	saved = take(MIB(3));
	p = take(MIB(1));
	free(p);
	ATF_CHECK_EQ(NULL, saved);
	ATF_CHECK_EQ(MIB(3) / PAGE, figure(a, "pdirty"));
	ATF_CHECK_EQ(0, counting.n[DALLOC]);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, at_once);
	ATF_TP_ADD_TC(tp, others);
	ATF_TP_ADD_TC(tp, at_run_time);
	ATF_TP_ADD_TC(tp, huge);
	ATF_TP_ADD_TC(tp, refused);
	ATF_TP_ADD_TC(tp, resized);
	ATF_TP_ADD_TC(tp, hooks);
	ATF_TP_ADD_TC(tp, within);

	return (atf_no_error());
}
