/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What goes back when: arenas with times of their own side by side, and a cap
 * that is a share of what is in use.
 */

#include <sys/resource.h>

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

static size_t
rss(void)
{
	unsigned long pages = 0;
	FILE *f;

	ATF_REQUIRE((f = fopen("/proc/self/statm", "r")) != NULL);
	ATF_REQUIRE(fscanf(f, "%*u %lu", &pages) == 1);
	(void)fclose(f);
	return (pages * (size_t)getpagesize());
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
	before = rss();
	take(a, v);
	bytes = rss() - before;
	ATF_REQUIRE_MSG(bytes >= MIB(30), "%zu bytes", bytes);
	take(b, w);
	ATF_CHECK(rss() - before >= 2 * bytes - MIB(1));

	give(v);
	ATF_CHECK_EQ(0, figure(a, "pdirty"));
	ATF_CHECK(figure(a, "dirty_purged") * page >= bytes - MIB(1));
	ATF_CHECK_MSG(rss() - before <= bytes + MIB(2), "%zu of %zu are left",
	    rss() - before, 2 * bytes);
	give(w);
	ATF_CHECK(figure(b, "pdirty") * page >= bytes - MIB(2));
	ATF_CHECK_EQ(0, figure(b, "dirty_purged"));
	ATF_CHECK_EQ(0, figure(b, "dirty_npurge"));
	ATF_CHECK_MSG(rss() - before >= bytes - MIB(2), "%zu of %zu are left",
	    rss() - before, bytes);
	/* So it is until it is told otherwise. */
	set_times(b, 0);
	ATF_CHECK_EQ(0, figure(b, "pdirty"));
	ATF_CHECK(rss() - before <= MIB(2));
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

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, side_by_side);
	ATF_TP_ADD_TC(tp, neighbours);
	ATF_TP_ADD_TC(tp, share);

	return (atf_no_error());
}
