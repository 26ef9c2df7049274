/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What goes back when: arenas with times of their own side by side, and a cap
 * that is a share of what is in use.
 */

#include <sys/resource.h>

#include <errno.h>
#include <stdbool.h>

#include "mallctl_test_subr.h"

const char *malloc_conf = "narenas:1,dirty_max:25%";

#define	MIB(n)		((size_t)(n) << 20)
#define	PAGE		((size_t)4096)
#define	NBLOCKS		200

/* A mix of blocks, of slabs and of pages: about 40 MiB. */
static const size_t sizes[] = { 3000, 20000, 70000, 300000, 600000 };
#define	SIZE(i)		sizes[(i) % nitems(sizes)]

static void
set_times(unsigned int ind, ssize_t dirty)
{

	ATF_REQUIRE_EQ(0, arena_set(ind, "dirty_decay_ms", &dirty,
	    sizeof(dirty)));
}

/* All blocks from an arena, written to. */
static void
take(unsigned int ind, char **v)
{
	unsigned int i, old = bind_to(ind);

	for (i = 0; i < NBLOCKS; i++) {
		ATF_REQUIRE((v[i] = malloc(SIZE(i))) != NULL);
		memset(v[i], 0x5a, SIZE(i));
	}
	(void)bind_to(old);
}

static void
give(char **v)
{
	unsigned int i;

	for (i = 0; i < NBLOCKS; i++)
		free(v[i]);
	flush();
}

static long
faults(void)
{
	struct rusage ru;

	ATF_REQUIRE(getrusage(RUSAGE_SELF, &ru) == 0);
	return (ru.ru_minflt);
}

ATF_TC(side_by_side);
ATF_TC_HEAD(side_by_side, tc)
{

	atf_tc_set_md_var(tc, "descr", "Of two arenas one gives all back at "
	    "once and one keeps it for ever, in figures and in memory");
}
ATF_TC_BODY(side_by_side, tc)
{
	char *v[NBLOCKS], *w[NBLOCKS];
	size_t before, bytes, page = get("arenas.page");
	unsigned int a, b;

	a = create(NULL);
	b = create(NULL);
	set_times(a, 0);
	set_times(b, -1);
	before = rss_bytes();
	take(a, v);
	bytes = rss_bytes() - before;
	ATF_REQUIRE_MSG(bytes >= MIB(30), "%zu bytes", bytes);
	take(b, w);
	ATF_CHECK(rss_bytes() - before >= 2 * bytes - MIB(1));

	give(v);
	ATF_CHECK_EQ(0, figure(a, "pdirty"));
	ATF_CHECK(figure(a, "dirty_purged") * page >= bytes - MIB(1));
	ATF_CHECK_MSG(rss_bytes() - before <= bytes + MIB(2),
	    "%zu of %zu are left", rss_bytes() - before, 2 * bytes);
	give(w);
	ATF_CHECK(figure(b, "pdirty") * page >= bytes - MIB(2));
	ATF_CHECK_EQ(0, figure(b, "dirty_purged"));
	ATF_CHECK_EQ(0, figure(b, "dirty_npurge"));
	ATF_CHECK_MSG(rss_bytes() - before >= bytes - MIB(2),
	    "%zu of %zu are left", rss_bytes() - before, bytes);
	/* So it is until it is told otherwise. */
	set_times(b, 0);
	ATF_CHECK_EQ(0, figure(b, "pdirty"));
	ATF_CHECK(rss_bytes() - before <= MIB(2));
}

ATF_TC(neighbours);
ATF_TC_HEAD(neighbours, tc)
{

	atf_tc_set_md_var(tc, "descr", "While one arena gives all back at "
	    "once, again and again, another takes no page faults");
}
ATF_TC_BODY(neighbours, tc)
{
	char *v[NBLOCKS], *w[NBLOCKS];
	unsigned int a, b, i;
	long batch = 0, before, serving = 0;

	a = create(NULL);
	b = create(NULL);
	set_times(a, 0);
	set_times(b, -1);
	for (i = 0; i < 3; i++) {
		take(b, w);
		give(w);
	}
	for (i = 0; i < 10; i++) {
		before = faults();
		take(a, v);
		give(v);
		batch += faults() - before;
		before = faults();
		take(b, w);
		give(w);
		serving += faults() - before;
	}
	ATF_CHECK_MSG(batch > 20000, "%ld in the batch arena", batch);
	ATF_CHECK_MSG(serving <= 50, "%ld in the serving one", serving);
}

/* How much is dirty beside so much in use, in the end and at most beyond the
 * share, as blocks come and go. */
static void
churn(size_t active, size_t size, size_t *over, size_t *last)
{
	size_t page = get("arenas.page"), quarter;
	unsigned int a, i, n = (unsigned int)(MIB(64) / size), old, round;
	char **v, *p;

	a = create(NULL);
	set_times(a, 1000000);
	v = calloc(n, sizeof(*v));
	old = bind_to(a);
	ATF_REQUIRE((p = malloc(active)) != NULL);
	memset(p, 1, active);
	*over = 0;
	for (round = 0; round < 2; round++) {
		for (i = 0; i < n; i++) {
			ATF_REQUIRE((v[i] = malloc(size)) != NULL);
			memset(v[i], 1, size);
		}
		for (i = 0; i < n; i++) {
			free(v[i]);
			*last = figure(a, "pdirty") * page;
			quarter = figure(a, "pactive") * page / 4;
			*over = MAX(*over, *last - MIN(*last, quarter));
		}
	}
	(void)bind_to(old);
	free(p);
	free(v);
}

ATF_TC(share);
ATF_TC_HEAD(share, tc)
{

	atf_tc_set_md_var(tc, "descr", "No more is dirty than the share of "
	    "what is in use that dirty_max says, and not much less");
}
ATF_TC_BODY(share, tc)
{
	static const size_t blocks[] = { 50000, 300000, 1500000 };
	size_t last, over;
	unsigned int i;

	ATF_CHECK_EQ(-25, (ssize_t)get("opt.dirty_max"));
	for (i = 0; i < nitems(blocks); i++) {
		churn(MIB(128), blocks[i], &over, &last);
		/* Looks are an eighth apart. */
		ATF_CHECK_MSG(over <= MIB(8), "blocks of %zu: %zu KiB",
		    blocks[i], over >> 10);
		ATF_CHECK_MSG(last >= MIB(20) && last <= MIB(40),
		    "blocks of %zu: %zu KiB in the end", blocks[i],
		    last >> 10);
		/* With little in use some may wait all the same. */
		churn(MIB(2), blocks[i], &over, &last);
		ATF_CHECK_MSG(last <= MIB(4), "blocks of %zu: %zu KiB",
		    blocks[i], last >> 10);
	}
}

/* So much dirty memory and what is between, in blocks of 300,000 bytes. */
static void
make_dirty(size_t bytes)
{
	static void *v[1000];
	size_t i, n = bytes / 300000;

	ATF_REQUIRE(n <= nitems(v));
	for (i = 0; i < n; i++) {
		ATF_REQUIRE((v[i] = malloc(hide(300000))) != NULL);
		memset(v[i], 1, 300000);
	}
	for (i = 0; i < n; i++)
		free(v[i]);
}

/* How much is dirty beyond that many bytes, and below them. */
static void
check_dirty(unsigned int ind, size_t bytes, size_t over, size_t under)
{
	size_t dirty = figure(ind, "pdirty") * PAGE;

	ATF_CHECK_MSG(dirty <= bytes + over && dirty + under >= bytes,
	    "%zu KiB of %zu", dirty >> 10, bytes >> 10);
}

ATF_TC(at_run_time);
ATF_TC_HEAD(at_run_time, tc)
{

	atf_tc_set_md_var(tc, "descr", "dirty_max takes new values: what is "
	    "beyond them goes at once, in all arenas, and what is not stays");
}
ATF_TC_BODY(at_run_time, tc)
{
	size_t before;
	unsigned int a;
	char *p;

	ATF_CHECK_EQ(-25, (ssize_t)get("dirty_max"));
	set("dirty_max", MIB(256));
	ATF_CHECK_EQ(MIB(256), get("dirty_max"));
	ATF_CHECK_EQ(-25, (ssize_t)get("opt.dirty_max"));
	a = create(NULL);
	set_times(a, 1000000);
	set_times(0, 1000000);
	make_dirty(MIB(128));
	check_dirty(0, MIB(128), MIB(24), MIB(4));
	(void)bind_to(a);
	make_dirty(MIB(64));
	check_dirty(a, MIB(64), MIB(12), MIB(4));

	before = rss_bytes();
	set("dirty_max", MIB(48));
	check_dirty(0, MIB(48), MIB(1), MIB(8));
	check_dirty(a, MIB(48), MIB(1), MIB(8));
	ATF_CHECK_MSG(rss_bytes() + MIB(90) <= before, "%zu MiB",
	    (before - rss_bytes()) >> 20);
	/* It holds from then on; looks are an eighth apart. */
	make_dirty(MIB(128));
	check_dirty(a, MIB(48), MIB(8), MIB(8));
	set("dirty_max", MIB(256));
	check_dirty(a, MIB(48), MIB(8), MIB(8));
	make_dirty(MIB(128));
	check_dirty(a, MIB(128), MIB(24), MIB(4));

	ATF_REQUIRE((p = hidep(malloc(hide(MIB(40))))) != NULL);
	memset(p, 1, MIB(40));
	make_dirty(MIB(128));
	set("dirty_max", (size_t)-50);
	ATF_CHECK_EQ(-50, (ssize_t)get("dirty_max"));
	check_dirty(a, MIB(20), MIB(1), MIB(4));
	set("dirty_max", 0);
	check_dirty(0, 0, MIB(1), 0);
	free(p);
}

ATF_TC(earned);
ATF_TC_HEAD(earned, tc)
{

	atf_tc_set_md_var(tc, "descr", "A new dirty_max is not exceeded for "
	    "what was earned with the old one");
}
ATF_TC_BODY(earned, tc)
{
	unsigned int i;

	set_times(0, 1000000);
	set("dirty_max", MIB(8));
	for (i = 0; i < 40; i++)
		make_dirty(MIB(128));
	ATF_CHECK(figure(0, "pdirty") * PAGE >= MIB(24));
	set("dirty_max", MIB(8));
	check_dirty(0, MIB(8), MIB(1), MIB(4));
}

ATF_TC(bad_values);
ATF_TC_HEAD(bad_values, tc)
{

	atf_tc_set_md_var(tc, "descr", "What dirty_max cannot be is refused");
}
ATF_TC_BODY(bad_values, tc)
{
	static const ssize_t bad[] = { -1001, SSIZE_MAX,
	    -SSIZE_MAX, ((ssize_t)1 << 46) + 1 };
	unsigned int i, n = 0;
	ssize_t v;

	for (i = 0; i < nitems(bad); i++) {
		v = bad[i];
		ATF_CHECK_EQ(EFAULT, mallctl("dirty_max", NULL, NULL, &v,
		    sizeof(v)));
	}
	ATF_CHECK_EQ(EINVAL, mallctl("dirty_max", NULL, NULL, &n,
	    sizeof(n)));
	ATF_CHECK_EQ(-25, (ssize_t)get("dirty_max"));
	set("dirty_max", (size_t)-1000);
	set("dirty_max", (size_t)1 << 46);
	ATF_CHECK_EQ((size_t)1 << 46, get("dirty_max"));
}

static extent_hooks_t capping, *base;
static bool in_hook, was_called;

/* A hook that makes less memory wait, while some is given back. */
static bool
cap_within(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,
    unsigned ind)
{

	ATF_CHECK(!in_hook);
	in_hook = was_called = true;
	set("dirty_max", 0);
	in_hook = false;
	return (base->purge_forced(h, p, size, off, len, ind));
}

ATF_TC(hook);
ATF_TC_HEAD(hook, tc)
{

	atf_tc_set_md_var(tc, "descr", "A hook that sets dirty_max comes to no "
	    "other hook, the next free to what is beyond it");
}
ATF_TC_BODY(hook, tc)
{
	size_t len = sizeof(base);
	unsigned int a;

	set("dirty_max", MIB(128));
	ATF_REQUIRE_EQ(0, mallctl("arena.0.extent_hooks", &base, &len, NULL,
	    0));
	capping = *base;
	capping.purge_forced = cap_within;
	capping.dalloc = NULL;
	capping.decommit = NULL;
	(void)bind_to(a = create(&capping));
	set_times(a, 1000000);
	make_dirty(MIB(64));
	check_dirty(a, MIB(64), MIB(12), MIB(4));
	set("dirty_max", MIB(48));
	ATF_CHECK(was_called);
	ATF_CHECK_EQ(0, get("dirty_max"));
	free(malloc(hide(300000)));
	check_dirty(a, 0, MIB(1), 0);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, side_by_side);
	ATF_TP_ADD_TC(tp, neighbours);
	ATF_TP_ADD_TC(tp, share);
	ATF_TP_ADD_TC(tp, at_run_time);
	ATF_TP_ADD_TC(tp, earned);
	ATF_TP_ADD_TC(tp, bad_values);
	ATF_TP_ADD_TC(tp, hook);

	return (atf_no_error());
}
