/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * stats: the table of statistics and the sums.  This program runs on the
 * allocator that it asks.
 */

#include "dsm_api.h"
#include "dsm_arena.h"
#include "dsm_cache.h"
#include "dsm_set.h"
#include "dsm_stats.h"
#include "unit_test_subr.h"

#define	CLASS	19		/* 768 bytes: nobody else here wants that */
#define	N	1000

static void	*v[N];

ATF_TC(table);
ATF_TC_HEAD(table, tc)
{

	atf_tc_set_md_var(tc, "descr", "Every statistic has a key of its own, "
	    "one help text, and is taken from where it is kept");
}
ATF_TC_BODY(table, tc)
{
	static const char *const prefix[] = { [STATS_PROCESS] = "stats.",
	    [STATS_KEEPER] = "stats.background_thread.",
	    [STATS_ARENA] = "stats.arenas.<i>.",
	    [STATS_SMALL] = "stats.arenas.<i>.small.",
	    [STATS_BIN] = "stats.arenas.<i>.bins.<j>." };
	static struct stats_arena a;
	static struct stats s;
	const struct stats_item *it;
	char *p;
	uint64_t got, want;
	unsigned int i, j;

	for (i = 0; i < stats_nitems; i++) {
		it = &stats_items[i];
		for (j = 0; j < i; j++)
			ATF_CHECK(strcmp(stats_items[j].key, it->key) != 0);
		ATF_CHECK_EQ_MSG(0, strncmp(it->key, prefix[it->scope],
		    strlen(prefix[it->scope])), "%s", it->key);
		ATF_CHECK(it->help != NULL && it->help[0] != '\0');
		ATF_CHECK(it->scope != STATS_PROCESS || it->head != NULL ||
		    it->unit == STATS_COUNT);

		/* Only its own member, of bin 3, is not zero. */
		memset(&s, 0, sizeof(s));
		memset(&a, 0, sizeof(a));
		p = it->scope == STATS_PROCESS ||
		    it->scope == STATS_KEEPER ? (char *)&s :
		    it->scope == STATS_ARENA ? (char *)&a :
		    (char *)&a.bins[4];
		want = 7 * os_page;
		memcpy(p + it->offset, &want, it->type == STATS_UNSIGNED ?
		    sizeof(unsigned int) : sizeof(want));
		got = stats_value(it, &s, &a, 3);
		ATF_CHECK_EQ_MSG(it->unit == STATS_PAGES ? 7 : want, got,
		    "%s: %ju", it->key, (uintmax_t)got);
		if (it->scope == STATS_BIN)
			ATF_CHECK_EQ(0, stats_value(it, &s, &a, 2));
	}
}

ATF_TC(small);
ATF_TC_HEAD(small, tc)
{

	atf_tc_set_md_var(tc, "descr", "Small objects are counted exactly: "
	    "requests, objects in use or cached, bytes in use");
}
ATF_TC_BODY(small, tc)
{
	static struct stats after, before;
	struct stats_bin *a, *b;
	unsigned int i;

	/* What is cached now is not handed out later. */
	free(malloc(size_info[CLASS].size));
	stats_read(&before);
	for (i = 0; i < N; i++)
		v[i] = __malloc(size_info[CLASS].size);
	stats_read(&after);
	a = &after.total.bins[CLASS];
	b = &before.total.bins[CLASS];
	ATF_CHECK_EQ(N, a->nrequests - b->nrequests);
	ATF_CHECK_EQ(N * size_info[CLASS].size, after.allocated -
	    before.allocated);
	ATF_CHECK(a->curregs >= N);
	ATF_CHECK_EQ(a->curregs, a->nmalloc - a->ndalloc);
	ATF_CHECK(a->nfills > b->nfills && a->nfills - b->nfills < N);
	ATF_CHECK(a->curslabs * slab_geom[CLASS].nslots >= N);
	ATF_CHECK_EQ(a->curslabs - b->curslabs, a->nslabs - b->nslabs);
	for (i = 0; i < N; i++)
		__free(v[i]);
	stats_read(&after);
	ATF_CHECK_EQ(before.allocated, after.allocated);
	ATF_CHECK(a->nflushes > b->nflushes);
	ATF_CHECK_EQ(N, a->nrequests - b->nrequests);
}

ATF_TC(aligned);
ATF_TC_HEAD(aligned, tc)
{

	atf_tc_set_md_var(tc, "descr", "A request for alignment counts once");
}
ATF_TC_BODY(aligned, tc)
{
	static const size_t aligns[] = { 8, 16, 32, 256 };
	static struct stats after, before;
	uint64_t n;
	unsigned int i, k;

	for (k = 0; k < nitems(aligns); k++) {
		stats_read(&before);
		for (i = 0; i < N; i++)
			ATF_REQUIRE_EQ(0, __posix_memalign(&v[i], aligns[k],
			    size_info[CLASS].size));
		stats_read(&after);
		n = after.total.bins[CLASS].nrequests -
		    before.total.bins[CLASS].nrequests;
		ATF_CHECK_EQ_MSG(N, n, "%zu: %ju", aligns[k], (uintmax_t)n);
		for (i = 0; i < N; i++)
			__free(v[i]);
	}
}

ATF_TC(large);
ATF_TC_HEAD(large, tc)
{

	atf_tc_set_md_var(tc, "descr", "Large objects are counted exactly");
}
ATF_TC_BODY(large, tc)
{
	static struct stats after, before;

	stats_read(&before);
	v[0] = __malloc(KIB(100));
	v[1] = __malloc(MIB(5) + 1);
	stats_read(&after);
	ATF_CHECK_EQ(KIB(100) + MIB(5) + os_page, after.allocated -
	    before.allocated);
	ATF_CHECK_EQ(KIB(100) + MIB(5) + os_page, after.total.large -
	    before.total.large);
	ATF_CHECK_EQ(KIB(100) + MIB(5) + os_page, after.active -
	    before.active);
	ATF_CHECK(after.mapped >= before.mapped + MIB(5));
	ATF_CHECK_EQ(2, after.total.large_nmalloc -
	    before.total.large_nmalloc);
	__free(v[0]);
	__free(v[1]);
	stats_read(&after);
	ATF_CHECK_EQ(before.allocated, after.allocated);
	ATF_CHECK_EQ(2, after.total.large_ndalloc -
	    before.total.large_ndalloc);
	ATF_CHECK(after.total.dirty >= before.total.dirty + MIB(5));
}

ATF_TC(sums);
ATF_TC_HEAD(sums, tc)
{

	atf_tc_set_md_var(tc, "descr", "The figures fit each other, and the "
	    "arenas' add up to the total's");
}
ATF_TC_BODY(sums, tc)
{
	static struct stats_arena one, sum;
	static struct stats s;
	unsigned int c, i;

	for (i = 0; i < N; i++)
		v[i] = __malloc(i * 97 % 50000);
	for (i = 0; i < N; i += 2)
		__free(v[i]);
	stats_read(&s);
	ATF_CHECK_EQ(arena_count(), s.narenas);
	ATF_CHECK_EQ(1, s.nthreads);
	ATF_CHECK(s.allocated <= s.active && s.active <= s.resident);
	ATF_CHECK_EQ(s.active + s.total.dirty + s.metadata, s.resident);
	ATF_CHECK_EQ(s.total.small + s.total.large - s.cached, s.allocated);
	ATF_CHECK_EQ(s.active + s.total.dirty + s.retained, s.mapped);
	ATF_CHECK(!stats_read_arena(arena_count() - 1, &one) ||
	    arena_count() == 1);
	for (i = 0; i < s.narenas; i++) {
		if (!stats_read_arena(i, &one))
			continue;
		sum.small += one.small;
		sum.large += one.large;
		sum.active += one.active;
		sum.nthreads += one.nthreads;
		for (c = 1; c < SIZE_NCLASSES; c++)
			sum.bins[c].nrequests += one.bins[c].nrequests;
	}
	ATF_CHECK_EQ(s.total.small, sum.small);
	ATF_CHECK_EQ(s.total.large, sum.large);
	ATF_CHECK_EQ(s.total.active, sum.active);
	ATF_CHECK_EQ(s.total.nthreads, sum.nthreads);
	for (c = 1; c < SIZE_NCLASSES; c++)
		ATF_CHECK_EQ(s.total.bins[c].nrequests,
		    sum.bins[c].nrequests);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, table);
	ATF_TP_ADD_TC(tp, small);
	ATF_TP_ADD_TC(tp, aligned);
	ATF_TP_ADD_TC(tp, large);
	ATF_TP_ADD_TC(tp, sums);

	return (atf_no_error());
}
