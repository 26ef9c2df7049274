/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * arena: the automatic arenas, and when they give memory back.  They are
 * global, so each case, a process of its own, starts from new ones.
 */

#include <errno.h>

#include "dsm_apart.h"
#include "dsm_arena.h"
#include "dsm_conf.h"
#include "dsm_map.h"
#include "dsm_set.h"
#include "dsm_set_cap.h"
#include "dsm_set_purge.h"
#include "malloc_np.h"
#include "unit_test_subr.h"

#define	NARENAS	4

const char *malloc_conf = "narenas:4,dirty_max:4M";

static uint64_t	now;

static char *
take_large(struct arena *a, size_t size)
{
	bool zeroed;
	char *p;

	p = large_alloc(&a->large, size, 1, &zeroed);
	ATF_REQUIRE(p != NULL);
	memset(p, 1, size);
	set_grown(a);
	return (p);
}

static void
give_large(struct arena *a, void *p)
{

	large_free(map_span(map_find(p)), now);
	set_freed(a, now);
}

/* A decay time for all arenas, as by its key. */
static void
set_time(int64_t ms)
{

	ATF_REQUIRE(set_decay_ms_set(ARENA_ALL, PAGES_DIRTY, ms));
	set_overdue(decay_now());
}

/* Take n blocks and give all back: that much is dirty then, or in stock. */
static void
make_dirty(struct arena *a, unsigned int n, size_t size)
{
	static char *p[256];
	unsigned int i;

	now = decay_now();
	ATF_REQUIRE(n <= nitems(p));
	for (i = 0; i < n; i++)
		p[i] = take_large(a, size);
	for (i = 0; i < n; i++)
		give_large(a, p[i]);
}

/* Dirty bytes of all arenas, with what is in their stocks. */
static size_t
dirty(void)
{
	struct stats_arena st;
	struct arena *a;

	ATF_REQUIRE(set_stats_read(ARENA_ALL, &st));
	a = arena_zero();
	return (st.dirty + a->large.stock_bytes);
}

/* A visit, and those that come soon because its time was too short. */
static void
tick(void)
{
	unsigned int i;

	set_tick(now);
	for (i = 0; i < 10000 && decay_deadline == now + DECAY_SOON; i++)
		set_tick(++now);
}

ATF_TC(binding);
ATF_TC_HEAD(binding, tc)
{

	atf_tc_set_md_var(tc, "descr", "A thread gets the arena with the "
	    "fewest, made when it is first needed");
}
ATF_TC_BODY(binding, tc)
{
	struct arena *a[2 * NARENAS];
	struct stats_arena st;
	unsigned int i, j, same;

	ATF_CHECK_EQ(NARENAS, arena_count());
	ATF_CHECK(set_stats_read(0, &st) && !set_stats_read(1, &st));
	for (i = 0; i < nitems(a); i++) {
		a[i] = set_bind();
		ATF_REQUIRE(a[i] != NULL);
		ATF_CHECK(set_stats_read(a[i]->ind, &st));
		ATF_CHECK_EQ(i / NARENAS + 1, st.nthreads);
	}
	ATF_CHECK_EQ(arena_zero(), a[0]);
	for (i = 0; i < nitems(a); i++) {
		same = 0;
		for (j = 0; j < nitems(a); j++)
			same += a[i] == a[j];
		ATF_CHECK_EQ(2, same);
		ATF_CHECK_EQ(&a[i]->large, &arena_of_large(&a[i]->large)->
		    large);
	}
	arena_unbind(a[6]);
	ATF_CHECK_EQ(a[6], set_bind());
	/* A forked child has one thread. */
	arena_forked(a[2]);
	for (i = 0; i < NARENAS; i++)
		ATF_CHECK_EQ(i == 2, a[i]->nthreads);
}

ATF_TC(no_memory);
ATF_TC_HEAD(no_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "Where no arena can be made, those that "
	    "there are serve more threads");
}
ATF_TC_BODY(no_memory, tc)
{
	struct arena *a;
	unsigned int i;

	a = set_bind();
	(void)exhaust_base(BASE_ARENA, sizeof(struct arena));
	for (i = 0; i < 3; i++)
		ATF_CHECK_EQ(a, set_bind());
	memory_again();
	ATF_CHECK_EQ(4, a->nthreads);
	ATF_CHECK(set_bind() != a);
}

ATF_TC(bins);
ATF_TC_HEAD(bins, tc)
{

	atf_tc_set_md_var(tc, "descr", "A bin is set up at its first use, with "
	    "the tag of its class, and collected with its arena");
}
ATF_TC_BODY(bins, tc)
{
	struct arena *a, *other;
	struct bin *b;
	void *p;
	unsigned int c;

	a = set_bind();
	other = set_bind();
	ATF_REQUIRE(a != other);
	for (c = 1; c < SIZE_NCLASSES; c++) {
		ATF_CHECK_EQ(NULL, a->bins[c].regions);
		b = arena_bin(a, c);
		ATF_CHECK(b == &a->bins[c] && b == arena_bin(a, c));
		ATF_CHECK_EQ(&a->set->regions, b->regions);
		ATF_REQUIRE_EQ(1, bin_fill(b, &p, 1));
		ATF_CHECK_EQ(ARENA_TAG(c), map_tag(map_find(p)));
		bin_flush(arena_bin(other, c), &p, 1, 1);
		ATF_CHECK_EQ(0, b->ndalloc);
		arena_collect(a, 1);
		ATF_CHECK_EQ(1, b->ndalloc);
	}
}

static int64_t
decay_of_all(void)
{
	int64_t ms;

	ATF_REQUIRE(set_decay_ms_get(ARENA_ALL, PAGES_DIRTY, &ms));
	return (ms);
}

ATF_TC(decay_times);
ATF_TC_HEAD(decay_times, tc)
{

	atf_tc_set_md_var(tc, "descr", "The decay time is set for all arenas, "
	    "that there are and will be");
}
ATF_TC_BODY(decay_times, tc)
{
	ATF_CHECK_EQ(conf.dirty_decay_ms, decay_of_all());
	set_time(700);
	ATF_CHECK_EQ(700, decay_of_all());
	(void)set_bind();
	ATF_CHECK_EQ(1, set_bind()->ind);
	ATF_CHECK(!set_decay(2, true));
	ATF_CHECK(set_decay(1, true));
}

ATF_TC(by_hand);
ATF_TC_HEAD(by_hand, tc)
{

	atf_tc_set_md_var(tc, "descr", "All that is dirty can be purged by "
	    "hand: in runs, in stock, in sparse slabs and in the pool");
}
ATF_TC_BODY(by_hand, tc)
{
	static void *v[4096];
	struct arena *a;
	struct bin *b;
	char *p;
	unsigned int i, n;

	a = set_bind();
	make_dirty(a, 4, KIB(100));
	make_dirty(a, 1, MIB(3));
	/* Four slabs and more, of which a slot each stays. */
	b = arena_bin(a, 5);
	for (n = 0; n < nitems(v); n++)
		ATF_REQUIRE_EQ(1, bin_fill(b, v + n, 1));
	memset(v[0], 1, 64);
	for (i = 0; i < n; i++)
		memset(v[i], 1, 64);
	for (i = 0; i < n; i++)
		if (i % 256 != 0)
			bin_flush(b, v + i, 1, now);
	ATF_CHECK(dirty() >= MIB(3) + KIB(400));
	p = v[256 * 3];
	ATF_CHECK_EQ(64, all_bytes(p + 4096, 64, 1));
	/* What another arena's thread has freed counts too. */
	bin_flush(arena_bin(set_bind(), 5), v, 1, now);
	ATF_CHECK(b->inbox != NULL);
	ATF_CHECK(set_decay(ARENA_ALL, true));
	ATF_CHECK_EQ(0, dirty());
	ATF_CHECK_EQ(NULL, b->inbox);
	ATF_CHECK_EQ(64, all_bytes(p, 64, 1));
	ATF_CHECK_EQ(64, all_bytes(p + 4096, 64, 0));
}

ATF_TC(by_time);
ATF_TC_HEAD(by_time, tc)
{

	atf_tc_set_md_var(tc, "descr", "Two decay times later nothing is "
	    "dirty, whoever looks at the clock; before the first much still "
	    "is");
}
ATF_TC_BODY(by_time, tc)
{
	struct arena *a;
	uint64_t start;

	a = set_bind();
	set_time(300);
	make_dirty(a, 4, KIB(100));
	make_dirty(a, 1, MIB(3));
	start = now;
	for (now = start; now < start + 150; now += 10)
		set_tick(now);
	ATF_CHECK(dirty() >= MIB(3) + KIB(400));
	for (; now <= start + 600; now += 10)
		tick();
	ATF_CHECK_EQ(0, dirty());
	ATF_CHECK_EQ(DECAY_NEVER, decay_deadline);
}

ATF_TC(evenly);
ATF_TC_HEAD(evenly, tc)
{

	atf_tc_set_md_var(tc, "descr", "What was freed at once goes evenly, "
	    "over the second half of the decay time");
}
ATF_TC_BODY(evenly, tc)
{
	static char *p[64];
	struct arena *a;
	size_t most, now_dirty, was;
	uint64_t start;
	unsigned int i;

	a = set_bind();
	set_time(32000);
	/* What stays keeps the cap high; each region half of it is freed. */
	for (i = 0; i < nitems(p); i++)
		p[i] = take_large(a, MIB(1));
	start = now = decay_now();
	for (i = 0; i < nitems(p); i += 2)
		give_large(a, p[i]);
	was = dirty();
	ATF_REQUIRE(was >= MIB(30));
	for (; now < start + 16000; now += 100)
		set_tick(now);
	/* Blocks in stock were counted twice. */
	ATF_CHECK(dirty() >= was - LARGE_STOCK_BYTES);
	was = dirty();
	most = 0;
	for (; now <= start + 32000; now += 1000) {
		set_tick(now);
		if (now == start + 32000)
			tick();
		now_dirty = dirty();
		most = MAX(most, was - now_dirty);
		was = now_dirty;
	}
	ATF_CHECK_EQ_MSG(0, was, "%zu KiB are left", was >> 10);
	ATF_CHECK_MSG(most <= MIB(6), "%zu KiB at once", most >> 10);
}

ATF_TC(briefly);
ATF_TC_HEAD(briefly, tc)
{

	atf_tc_set_md_var(tc, "descr", "No visit gives back more than its time "
	    "allows, and the next come soon until all is done");
}
ATF_TC_BODY(briefly, tc)
{
	struct stats_arena st;
	struct arena *a;
	unsigned int visits;
	uint64_t purged;
	char *p;

	a = set_bind();
	p = take_large(a, MIB(256));
	set_time(0);
	set_time(200);
	make_dirty(a, 64, MIB(3));
	ATF_REQUIRE(dirty() >= MIB(150));
	now += 400;
	for (visits = 0; visits < 10000 && dirty() != 0; visits++) {
		ATF_REQUIRE(set_stats_read(ARENA_ALL, &st));
		purged = st.purged[PAGES_DIRTY].bytes;
		set_tick(now);
		ATF_REQUIRE(set_stats_read(ARENA_ALL, &st));
		/* At 5 us a MiB, a fourth of what is known anywhere. */
		purged = st.purged[PAGES_DIRTY].bytes - purged;
		ATF_CHECK_MSG(purged <= MIB(160), "%ju MiB",
		    (uintmax_t)purged >> 20);
		if (dirty() != 0)
			ATF_CHECK_EQ(now + DECAY_SOON, decay_deadline);
		now += DECAY_SOON;
	}
	ATF_CHECK_EQ(0, dirty());
	ATF_CHECK_MSG(visits > 3, "%u visits", visits);
	give_large(a, p);
}

ATF_TC(in_time);
ATF_TC_HEAD(in_time, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is freed between two passes goes "
	    "back within the decay time, stocks too");
}
ATF_TC_BODY(in_time, tc)
{
	static const size_t size[] = { KIB(100), KIB(1200), MIB(3) };
	struct arena *a;
	uint64_t start;
	char *p[nitems(size)];
	unsigned int i;

	a = set_bind();
	set_time(300);
	for (i = 0; i < nitems(size); i++)
		p[i] = take_large(a, size[i]);
	make_dirty(a, 1, KIB(300));
	start = now + 100;
	for (now = start, i = 0; i < nitems(size); i++)
		give_large(a, p[i]);
	for (; now < start + 300; now += 10)
		set_tick(now);
	now = start + 300;
	tick();
	ATF_CHECK_EQ(0, dirty());
}

ATF_TC(at_once);
ATF_TC_HEAD(at_once, tc)
{

	atf_tc_set_md_var(tc, "descr", "With a decay time of 0 nothing stays "
	    "dirty, with -1 everything does");
}
ATF_TC_BODY(at_once, tc)
{
	static const size_t sizes[] = { KIB(40), KIB(600), MIB(3) };
	struct arena *a;
	unsigned int i;
	void *p;

	a = set_bind();
	set_time(0);
	for (i = 0; i < nitems(sizes); i++) {
		make_dirty(a, 2, sizes[i]);
		ATF_CHECK_EQ_MSG(0, dirty(), "%zu KiB: %zu", sizes[i] >> 10,
		    dirty() >> 10);
	}
	/* A little, in the millisecond of the last purge, waits for more, for
	 * whoever wants to know, or for the next to look. */
	a->set->decay.visited = now + 1000;
	make_dirty(a, 1, KIB(40));
	ATF_CHECK(dirty() >= KIB(40));
	make_dirty(a, 2, KIB(40));
	ATF_CHECK_EQ(0, dirty());
	a->set->decay.visited = now + 1000;
	make_dirty(a, 1, KIB(40));
	set_tick(now);
	ATF_CHECK(dirty() >= KIB(40));
	set_settle();
	ATF_CHECK_EQ(0, dirty());
	a->set->decay.visited = now + 1000;
	make_dirty(a, 1, KIB(40));
	set_tick(now + DECAY_LEFT);
	ATF_CHECK_EQ(0, dirty());
	a->set->decay.visited = now + 1000;
	make_dirty(a, 1, KIB(40));
	ATF_CHECK(set_decay(ARENA_ALL, false));
	ATF_CHECK_EQ(0, dirty());
	/* A 128th of 24 MiB is 192 KiB. */
	p = take_large(a, MIB(24));
	a->set->decay.visited = now + 1000;
	make_dirty(a, 4, KIB(40));
	ATF_CHECK(dirty() >= 4 * KIB(40));
	make_dirty(a, 5, KIB(40));
	ATF_CHECK_EQ(0, dirty());
	give_large(a, p);
	ATF_CHECK_EQ(0, dirty());

	set_time(-1);
	make_dirty(a, 10, MIB(3));
	for (i = 0; i < 3; i++)
		set_tick(DECAY_NEVER - 1);
	ATF_CHECK(dirty() >= 10 * MIB(3));
}

ATF_TC(thinned_at_once);
ATF_TC_HEAD(thinned_at_once, tc)
{

	atf_tc_set_md_var(tc, "descr", "With a decay time of 0 slabs that thin "
	    "out in the millisecond of the last purge do not stay so, be "
	    "nothing dirty");
}
ATF_TC_BODY(thinned_at_once, tc)
{
	static void *v[4096];
	struct arena *a;
	struct bin *b;
	char *p;
	unsigned int i, round;

	a = set_bind();
	set_time(0);
	b = arena_bin(a, 5);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < nitems(v); i++)
			if (round == 0 || i % 256 != 0) {
				ATF_REQUIRE_EQ(1, bin_fill(b, v + i, 1));
				memset(v[i], 1, 64);
			}
		p = v[256 * 3];
		now = decay_now();
		a->set->decay.visited = now + 1000;
		for (i = 0; i < nitems(v); i++)
			if (i % 256 != 0)
				bin_flush(b, v + i, 1, now);
		set_freed(a, now);
		ATF_CHECK_EQ(0, dirty());
		ATF_CHECK_EQ(64, all_bytes(p + 4096, 64, 1));
		/* Who comes by, or wants to know. */
		if (round < 2)
			set_tick(now + DECAY_LEFT);
		else
			set_settle();
		ATF_CHECK_EQ_MSG(64, all_bytes(p + 4096, 64, 0), "round %u",
		    round);
		ATF_CHECK_EQ(64, all_bytes(p, 64, 1));
	}
}

ATF_TC(stuck);
ATF_TC_HEAD(stuck, tc)
{

	atf_tc_set_md_var(tc, "descr", "With a decay time of 0 what cannot go "
	    "is not tried again at each free, until more is dirty");
}
ATF_TC_BODY(stuck, tc)
{
	struct arena *a;
	struct decay *d;

	a = set_bind();
	d = &a->set->decay;
	make_dirty(a, 4, KIB(100));
	if (mlockall(MCL_CURRENT) != 0)
		atf_tc_skip("mlockall: %s", strerror(errno));
	set_time(0);
	ATF_CHECK_EQ(0, a->large.nstock);
	ATF_CHECK(dirty() >= KIB(400));
	d->visited = 5;
	set_freed(a, now);
	ATF_CHECK_EQ(5, d->visited);
	make_dirty(a, 2, KIB(100));
	ATF_CHECK_EQ(5, d->visited);
	make_dirty(a, 12, KIB(100));
	ATF_CHECK_EQ(now, d->visited);
	/* Free again to go, and more of it. */
	ATF_CHECK_EQ(0, munlockall());
	make_dirty(a, 24, KIB(100));
	ATF_CHECK_EQ(0, dirty());
}

ATF_TC(of_before);
ATF_TC_HEAD(of_before, tc)
{

	atf_tc_set_md_var(tc, "descr", "What an arena with a decay time of its "
	    "own has in stock does not have those purged that it has left");
}
ATF_TC_BODY(of_before, tc)
{
	struct arena *a;
	struct set *before;

	a = set_bind();
	(void)set_bind();
	set_time(0);
	before = a->set;
	ATF_REQUIRE_EQ(0, apart_own(a->ind));
	ATF_REQUIRE_EQ(before, a->set->before);
	ATF_CHECK(set_decay_ms_set(a->ind, PAGES_DIRTY, 10000));
	now = decay_now() + 1000;
	before->decay.visited = now;
	make_dirty(a, 2, KIB(100));
	ATF_CHECK(a->large.stock_bytes >= KIB(200));
	ATF_CHECK(before->decay.visited > decay_now());
}

ATF_TC(by_amount);
ATF_TC_HEAD(by_amount, tc)
{

	atf_tc_set_md_var(tc, "descr", "No more is dirty than dirty_max beyond "
	    "what is active");
}
ATF_TC_BODY(by_amount, tc)
{
	struct arena *a;
	char *p;

	a = set_bind();
	make_dirty(a, 100, KIB(300));
	/* While much is active more may be dirty: looks are rare then. */
	ATF_CHECK_MSG(dirty() <= 2 * (size_t)conf.dirty_max, "%zu KiB",
	    dirty() >> 10);
	ATF_CHECK(dirty() >= (size_t)conf.dirty_max / 2);
	make_dirty(a, 10, MIB(3));
	ATF_CHECK_MSG(dirty() <= (size_t)conf.dirty_max + MIB(3), "%zu KiB",
	    dirty() >> 10);
	/* With 64 MiB active it may be as much. */
	p = take_large(a, MIB(64));
	make_dirty(a, 30, MIB(3));
	ATF_CHECK_MSG(dirty() > MIB(32) && dirty() <= MIB(64 + 3) +
	    conf.dirty_max, "%zu KiB", dirty() >> 10);
	give_large(a, p);
	ATF_CHECK(dirty() <= (size_t)conf.dirty_max + MIB(64) / 8);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, binding);
	ATF_TP_ADD_TC(tp, no_memory);
	ATF_TP_ADD_TC(tp, bins);
	ATF_TP_ADD_TC(tp, decay_times);
	ATF_TP_ADD_TC(tp, by_hand);
	ATF_TP_ADD_TC(tp, by_time);
	ATF_TP_ADD_TC(tp, evenly);
	ATF_TP_ADD_TC(tp, briefly);
	ATF_TP_ADD_TC(tp, in_time);
	ATF_TP_ADD_TC(tp, at_once);
	ATF_TP_ADD_TC(tp, thinned_at_once);
	ATF_TP_ADD_TC(tp, stuck);
	ATF_TP_ADD_TC(tp, of_before);
	ATF_TP_ADD_TC(tp, by_amount);

	return (atf_no_error());
}
