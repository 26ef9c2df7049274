/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * bin: slots by the batch, of this arena and for others.
 */

#include <pthread.h>

#include "dsm_bin.h"
#include "dsm_cache.h"
#include "dsm_map.h"
#include "unit_test_subr.h"

#define	CLASS	5		/* 64 bytes */
#define	MAXV	8192

static struct fake	fake;
static struct pool	pool;
static struct regions	regions;
static struct bin	bins[2];	/* of two arenas */
static uint32_t	threads[2];
static void	*v[MAXV];

static void
setup(unsigned int class)
{
	unsigned int i;

	fake_init(&fake);
	fresh_regions(&regions, &pool, &fake.hooks, IND);
	memset(bins, 0, sizeof(bins));
	for (i = 0; i < nitems(bins); i++) {
		threads[i] = 1;
		bin_init(&bins[i], &regions, class, ARENA_TAG(class),
		    &threads[i]);
	}
}

/* Exactly n slots into v, in fills of some length. */
static void
fill(struct bin *b, unsigned int n, unsigned int step)
{
	unsigned int got, i;

	for (i = 0; i < n; i += got) {
		got = bin_fill(b, v + i, MIN(step, n - i));
		ATF_REQUIRE(got != 0);
	}
}

static unsigned int
nslots(unsigned int class)
{

	return (slab_geom[class].nslots);
}

/* As a decay round does, however long it takes. */
static size_t
purge(struct bin *b)
{
	struct budget bu = BUDGET_ALL;

	bin_spare(b, 1);
	return (bin_purge(b, &bu, 1));
}

ATF_TC(fills);
ATF_TC_HEAD(fills, tc)
{

	atf_tc_set_md_var(tc, "descr", "Every slot is handed out once, and "
	    "counted, whatever the batches, of each class");
}
ATF_TC_BODY(fills, tc)
{
	static const unsigned int steps[] = { 1, 3, 16, 128, 1000 };
	unsigned int c, i, k, n;

	for (c = 1; c < SIZE_NCLASSES; c++)
		for (k = 0; k < nitems(steps); k++) {
			setup(c);
			n = MIN(MAXV, 3 * nslots(c));
			fill(&bins[0], n, steps[k]);
			ATF_CHECK_EQ(n, bins[0].nmalloc);
			for (i = 0; i < n; i++)
				*(unsigned int *)v[i] = i;
			for (i = 0; i < n; i++) {
				ATF_REQUIRE_EQ(i, *(unsigned int *)v[i]);
				ATF_REQUIRE_EQ(ARENA_TAG(c),
				    map_tag(map_find(v[i])));
			}
			ATF_CHECK_EQ((n + nslots(c) - 1) / nslots(c),
			    bins[0].curslabs);
			ATF_CHECK(bin_valid(&bins[0]));
			bin_flush(&bins[0], v, n, 1);
			ATF_CHECK_EQ(n, bins[0].ndalloc);
			ATF_CHECK_EQ(1, bins[0].nflushes);
			/* The current slab stays, and an empty one. */
			ATF_CHECK(bins[0].curslabs <= 2);
			ATF_CHECK(bins[0].nempty <= 1);
			ATF_CHECK(bin_valid(&bins[0]));
		}
	ATF_CHECK(!fake.wrong);
}

ATF_TC(fullest);
ATF_TC_HEAD(fullest, tc)
{

	atf_tc_set_md_var(tc, "descr", "The fullest slab with room is filled "
	    "from; a fill that has half of what it wants opens none");
}
ATF_TC_BODY(fullest, tc)
{
	void *full, *out[400];
	unsigned int i, n;

	setup(CLASS);
	n = nslots(CLASS);
	fill(&bins[0], 4 * n, n);
	/* Of four slabs the first three get a half, a few, all but one. */
	bin_flush(&bins[0], v, n / 2, 1);
	bin_flush(&bins[0], v + n, 3, 1);
	full = v[n];
	bin_flush(&bins[0], v + 2 * n, n - 1, 1);
	ATF_CHECK(bin_valid(&bins[0]));
	ATF_CHECK_EQ(3, bin_fill(&bins[0], out, 3));
	ATF_CHECK_EQ(map_span(map_find(full)), map_span(map_find(out[0])));
	/* Next the half full one. */
	ATF_CHECK_EQ(n / 2, bin_fill(&bins[0], out, n / 2));
	for (i = 0; i < n / 2; i++)
		ATF_CHECK_EQ(map_span(map_find(v[0])),
		    map_span(map_find(out[i])));
	ATF_CHECK_EQ(n - 1, bin_fill(&bins[0], out, n - 1));
	ATF_CHECK_EQ(4, bins[0].curslabs);
	/* Now all are full: 5 in the last, and a fill of 8 makes do. */
	bin_flush(&bins[0], v + 3 * n, 5, 1);
	ATF_CHECK_EQ(5, bin_fill(&bins[0], out, 8));
	bin_flush(&bins[0], v + 3 * n, 3, 1);
	ATF_CHECK_EQ(8, bin_fill(&bins[0], out, 8));
	ATF_CHECK_EQ(5, bins[0].curslabs);
}

ATF_TC(inbox);
ATF_TC_HEAD(inbox, tc)
{

	atf_tc_set_md_var(tc, "descr", "What another arena's thread frees "
	    "comes back by the inbox, before a slab is opened");
}
ATF_TC_BODY(inbox, tc)
{
	void *again[64];
	unsigned int n;

	setup(CLASS);
	n = nslots(CLASS);
	fill(&bins[0], 2 * n, n);
	bin_flush(&bins[1], v, 64, 1);
	ATF_CHECK(bins[0].inbox != NULL);
	ATF_CHECK_EQ(64 * 64, bins[0].pending);
	ATF_CHECK_EQ(0, bins[0].ndalloc + bins[1].ndalloc);
	ATF_CHECK_EQ(64, bin_fill(&bins[0], again, 64));
	ATF_CHECK_EQ(0, memcmp(again, v, sizeof(again)));
	ATF_CHECK_EQ(2, bins[0].curslabs);
	ATF_CHECK_EQ(64, bins[0].ndalloc);
	ATF_CHECK_EQ(NULL, bins[0].inbox);
	ATF_CHECK_EQ(0, bins[0].pending);

	/* All of it: the slabs close but for one. */
	bin_flush(&bins[1], v, 2 * n, 1);
	bin_collect(&bins[0], 1);
	ATF_CHECK(bin_valid(&bins[0]));
	ATF_CHECK_EQ(64 + 2 * n, bins[0].ndalloc);
	ATF_CHECK(bins[0].curslabs <= 2);
	ATF_CHECK_EQ(0, bins[1].nflushes);
}

ATF_TC(collects);
ATF_TC_HEAD(collects, tc)
{

	atf_tc_set_md_var(tc, "descr", "The freer itself collects when much "
	    "waits, or when the arena has no thread left");
}
ATF_TC_BODY(collects, tc)
{
	unsigned int n;

	setup(CLASS);
	n = BIN_PENDING / 64;
	fill(&bins[0], 2 * n, 128);
	bin_flush(&bins[1], v, n, 1);
	ATF_CHECK_EQ(0, bins[0].ndalloc);
	bin_flush(&bins[1], v + n, 1, 1);
	ATF_CHECK_EQ(n + 1, bins[0].ndalloc);
	ATF_CHECK_EQ(NULL, bins[0].inbox);
	threads[0] = 0;
	bin_flush(&bins[1], v + n + 1, 1, 1);
	ATF_CHECK_EQ(n + 2, bins[0].ndalloc);

	/* Who holds the lock meanwhile is told, and sees to it after. */
	lock_take(&bins[0].lock);
	bin_flush(&bins[1], v + n + 2, 1, 1);
	ATF_CHECK_EQ(1, bins[0].again);
	ATF_CHECK_EQ(n + 2, bins[0].ndalloc);
	lock_drop(&bins[0].lock);
	bin_requests(&bins[0], 7);
	ATF_CHECK_EQ(n + 3, bins[0].ndalloc);
	ATF_CHECK_EQ(0, bins[0].again);
	ATF_CHECK_EQ(7, bins[0].nrequests);
	ATF_CHECK(bin_valid(&bins[0]));
}

ATF_TC(owed);
ATF_TC_HEAD(owed, tc)
{

	atf_tc_set_md_var(tc, "descr", "An empty slab stays as long as a freer "
	    "owes an announcement, and is counted once when that comes");
}
ATF_TC_BODY(owed, tc)
{
	struct slab *s;
	unsigned int n;

	setup(CLASS);
	n = nslots(CLASS);
	fill(&bins[0], n + 1, n);
	s = map_span(map_find(v[0]));
	ATF_REQUIRE_EQ(4, s->nwords);
	/* One word is freed and announced; freers of the others stand
	 * between their bits and their announcements. */
	bin_flush(&bins[1], v, 64, 1);
	slab_remote(s)[1] = slab_remote(s)[2] = slab_remote(s)[3] =
	    UINT64_MAX;
	bin_collect(&bins[0], 1);
	ATF_CHECK_EQ(n, slab_nfree(s));
	ATF_CHECK_EQ(3, s->owed);
	ATF_CHECK_EQ(1, bins[0].nempty);
	ATF_CHECK(bin_valid(&bins[0]));
	/* Used and emptied again, it still stays. */
	fill(&bins[0], 3 * n, n);
	bin_flush(&bins[0], v, 3 * n, 1);
	ATF_CHECK_EQ(SPAN_SLAB, s->span.kind);
	ATF_CHECK(bin_valid(&bins[0]));
	/* Now they go on. */
	slab_far(s)->arrived = 3;
	slab_far(s)->inbox = NULL;
	bins[0].inbox = s;
	bin_collect(&bins[0], 1);
	ATF_CHECK_EQ(0, s->span.kind == SPAN_SLAB ? s->owed : 0);
	ATF_CHECK(bin_valid(&bins[0]));
	ATF_CHECK(bins[0].nempty <= 1);
}

/* Somebody allocates while the pages of slabs are being purged. */
static void	*meanwhile;
static bool	inside;

static bool
purge_and_fill(struct hooks *h, void *p, size_t size, size_t off, size_t len,
    unsigned int ind)
{

	if (meanwhile == NULL)
		ATF_REQUIRE_EQ(1, bin_fill(&bins[0], &meanwhile, 1));
	if ((char *)meanwhile >= (char *)p + off &&
	    (char *)meanwhile < (char *)p + off + len)
		inside = true;
	return (fake_purge(h, p, size, off, len, ind));
}

ATF_TC(sparse);
ATF_TC_HEAD(sparse, tc)
{

	atf_tc_set_md_var(tc, "descr", "Slabs that are half empty give their "
	    "free pages back, once, and what lives in them stays");
}
ATF_TC_BODY(sparse, tc)
{
	static void *stay[MAXV / 128];
	size_t bytes, slab;
	unsigned int i, n, nstay;

	setup(CLASS);
	slab = (size_t)nslots(CLASS) * 64;
	n = 16 * nslots(CLASS);
	ATF_REQUIRE(n <= MAXV);
	fill(&bins[0], n, 128);
	for (i = 0; i < n; i++)
		memset(v[i], 1, 64);
	ATF_CHECK_EQ(0, purge(&bins[0]));
	/* Two on the first page of each slab stay. */
	nstay = 0;
	for (i = 0; i < n; i++)
		if (i % nslots(CLASS) == 5 || i % nslots(CLASS) == 17)
			stay[nstay++] = v[i];
		else
			bin_flush(&bins[0], v + i, 1, 1);
	ATF_CHECK_EQ(nstay * 64, bin_out(&bins[0]));
	/* Each but for a page. */
	bytes = purge(&bins[0]);
	ATF_CHECK_EQ_MSG(16 * (slab - os_page), bytes, "%zu", bytes);
	ATF_CHECK_EQ(0, purge(&bins[0]));
	for (i = 0; i < nstay; i++)
		ATF_CHECK_EQ(64, all_bytes(stay[i], 64, 1));
	ATF_CHECK(bin_valid(&bins[0]));
	/* Used again and freed again, a slab is looked at again; an empty
	 * one is kept, another closed. */
	fill(&bins[0], n - nstay, 128);
	ATF_CHECK_EQ(16, bins[0].curslabs);
	bin_flush(&bins[0], v, n - nstay, 1);
	fake.hooks.purge_forced = purge_and_fill;
	ATF_CHECK(purge(&bins[0]) >= 14 * (slab - os_page));
	ATF_CHECK(meanwhile != NULL && !inside);
	ATF_CHECK(bin_valid(&bins[0]));
	/* With nothing left all are closed. */
	bin_flush(&bins[0], stay, nstay, 1);
	bin_flush(&bins[0], &meanwhile, 1, 1);
	ATF_CHECK(bin_valid(&bins[0]));
	(void)purge(&bins[0]);
	ATF_CHECK(bin_valid(&bins[0]));
	ATF_CHECK_EQ_MSG(0, bins[0].curslabs, "%u", bins[0].curslabs);
	ATF_CHECK(!fake.wrong);
}

/* Free all but every so many-th. */
static void
thin(struct bin *b, unsigned int n, unsigned int step, unsigned int before)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (i % step != 0 && i % before == 0)
			bin_flush(b, v + i, 1, 1);
}

ATF_TC(sparser);
ATF_TC_HEAD(sparser, tc)
{

	atf_tc_set_md_var(tc, "descr", "Slabs of which little could be purged "
	    "are purged again when little of that is left");
}
ATF_TC_BODY(sparser, tc)
{
	size_t bytes, slab;
	unsigned int n, per;

	setup(CLASS);
	per = nslots(CLASS);
	slab = (size_t)per * 64;
	n = 16 * per;
	ATF_REQUIRE(n <= MAXV && per % 64 == 0);
	fill(&bins[0], n, 128);
	/* Of eight slots one is left, on each page. */
	thin(&bins[0], n, 8, 1);
	ATF_CHECK_EQ(0, purge(&bins[0]));
	thin(&bins[0], n, 16, 8);
	ATF_CHECK_EQ(0, purge(&bins[0]));
	/* One in each slab is. */
	thin(&bins[0], n, per, 16);
	bytes = purge(&bins[0]);
	ATF_CHECK_EQ_MSG(16 * (slab - os_page), bytes, "%zu", bytes);
	ATF_CHECK_EQ(0, purge(&bins[0]));
	ATF_CHECK(bin_valid(&bins[0]));
	ATF_CHECK(!fake.wrong);
}

/* Free pages of the slabs of a region that nothing is filled from. */
static size_t
idle_pages(struct region *r)
{
	struct os_range range;
	struct slab *s;
	size_t bytes = 0;
	unsigned int at, i;

	for (i = 0; i < r->npages; i++)
		if ((s = slab_at(r, i)) != NULL && s->list != SLAB_UNLISTED)
			for (at = 0; slab_free_pages(s, &at, &range); )
				bytes += range.len;
	return (bytes);
}

#define	OTHER	29		/* 4 KiB */

ATF_TC(region);
ATF_TC_HEAD(region, tc)
{

	atf_tc_set_md_var(tc, "descr", "The slabs of a region are purged "
	    "together, whatever their bins; not those in use");
}
ATF_TC_BODY(region, tc)
{
	struct budget b = BUDGET_ALL;
	unsigned int i, n;
	struct region *r;
	size_t idle;

	setup(CLASS);
	bin_init(&bins[1], &regions, OTHER, ARENA_TAG(OTHER), &threads[1]);
	n = 8 * nslots(OTHER);
	fill(&bins[1], n, 8);
	thin(&bins[1], n, nslots(OTHER), 1);
	n = 4 * nslots(CLASS);
	fill(&bins[0], n, 128);
	thin(&bins[0], n, nslots(CLASS), 1);
	r = ((struct slab *)map_span(map_find(v[0])))->span.region;
	idle = idle_pages(r);
	ATF_REQUIRE(idle != 0);
	bin_purge_region(r, &b, 1);
	ATF_CHECK_EQ(idle, b.bytes);
	bin_purge_region(r, &b, 1);
	ATF_CHECK_EQ(idle, b.bytes);
	for (i = 0; i < nitems(bins); i++) {
		ATF_CHECK(bin_valid(&bins[i]));
		ATF_CHECK(bins[i].current != NULL &&
		    bins[i].current->list == SLAB_UNLISTED);
	}
	ATF_CHECK(!fake.wrong);
}

/* Slabs on a list that the bin's round has come by. */
static unsigned int
count_seen(struct bin *b)
{
	struct slab *s;
	unsigned int i, n = 0;

	for (i = 0; i < SLAB_LISTS; i++)
		TAILQ_FOREACH(s, &b->list[i], link)
			n += s->seen == b->round;
	return (n);
}

ATF_TC(many);
ATF_TC_HEAD(many, tc)
{

	atf_tc_set_md_var(tc, "descr", "Slabs that have nothing left to give "
	    "do not keep the bin's lock, nor a visit, however many there are");
}
ATF_TC_BODY(many, tc)
{
	struct budget late = BUDGET_ALL;
	unsigned int i, n, nslabs = 400, per;
	struct slab *s;

	setup(OTHER);
	per = nslots(OTHER);
	n = nslabs * per;
	ATF_REQUIRE(n <= MAXV);
	fill(&bins[0], n, 8);
	thin(&bins[0], n, per, 1);
	ATF_CHECK(purge(&bins[0]) != 0);
	bin_spare(&bins[0], 1);
	late.until = 1;
	ATF_CHECK_EQ(0, bin_purge(&bins[0], &late, 1));
	ATF_CHECK(late.more);
	ATF_CHECK(count_seen(&bins[0]) > 0);
	ATF_CHECK_MSG(count_seen(&bins[0]) < 100, "%u",
	    count_seen(&bins[0]));
	/* It goes on where it was. */
	for (i = 0; i < nslabs && late.more; i++) {
		late.more = false;
		ATF_CHECK_EQ(0, bin_purge(&bins[0], &late, 1));
	}
	ATF_CHECK_MSG(count_seen(&bins[0]) >= nslabs - 1, "%u",
	    count_seen(&bins[0]));
	/* An empty one behind them all is left where it is, purged. */
	for (i = 0; i < n; i += per)
		if (((struct slab *)map_span(map_find(v[i])))->list !=
		    SLAB_UNLISTED)
			break;
	bin_flush(&bins[0], v + i, 1, 1);
	ATF_CHECK_EQ(1, bins[0].nempty);
	ATF_CHECK_EQ((size_t)per * 4096, bin_purge(&bins[0], &late, 1));
	s = TAILQ_LAST(&bins[0].list[SLAB_LISTS - 1], slab_head);
	ATF_CHECK(slab_is_empty(s));
	n = bins[0].curslabs;
	bin_spare(&bins[0], 1);
	ATF_CHECK_EQ(n, bins[0].curslabs);
	ATF_CHECK(bin_valid(&bins[0]));
	ATF_CHECK(!fake.wrong);
}

ATF_TC(foreign);
ATF_TC_HEAD(foreign, tc)
{

	atf_tc_set_md_var(tc, "descr", "A slot of another class, and what is "
	    "no slot, are found when they are flushed");
}
static void
flush_one(void *arg)
{

	bin_flush(&bins[0], &arg, 1, 1);
}
ATF_TC_BODY(foreign, tc)
{
	struct bin other;
	void *p;

	setup(CLASS);
	memset(&other, 0, sizeof(other));
	bin_init(&other, &regions, CLASS + 1, ARENA_TAG(CLASS + 1),
	    &threads[0]);
	ATF_REQUIRE_EQ(1, bin_fill(&other, &p, 1));
	expect_death(flush_one, p, "free(", "wrong size, the block has 80");
	expect_death(flush_one, &other, "free(", "not a block");
	expect_death(flush_one, pool_alloc(&pool, os_page, os_page,
	    &(size_t){ 0 }), "free(", "not a block");
}

ATF_TC(no_memory);
ATF_TC_HEAD(no_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "A fill without memory gives what there "
	    "is, then nothing, and recovers");
}
ATF_TC_BODY(no_memory, tc)
{
	unsigned int n;

	setup(CLASS);
	fake.max = 0;
	ATF_CHECK_EQ(0, bin_fill(&bins[0], v, 10));
	ATF_CHECK_EQ(0, bins[0].curslabs);
	fake.max = SIZE_MAX;
	n = nslots(CLASS);
	fill(&bins[0], n - 3, 128);
	/* A descriptor with bitmaps of 4 words. */
	(void)exhaust_base(BASE_SLAB, (size_t)3 * DSM_CACHELINE);
	ATF_CHECK_EQ(3, bin_fill(&bins[0], v + n - 3, 10));
	ATF_CHECK_EQ(0, bin_fill(&bins[0], v, 1));
	ATF_CHECK_EQ(n, bins[0].nmalloc);
	bin_flush(&bins[0], v, 1, 1);
	ATF_CHECK_EQ(1, bin_fill(&bins[0], v, 10));
	memory_again();
	ATF_CHECK_EQ(10, bin_fill(&bins[0], v + n, 10));
	ATF_CHECK(bin_valid(&bins[0]));
}

/* Slots on their way from the thread of one arena to that of another. */
static void	*ring[64];

static void *
free_ring(void *arg)
{
	void *p;
	unsigned int i;

	(void)arg;
	for (i = 0; i < 100000; i++) {
		while ((p = __atomic_exchange_n(&ring[i % nitems(ring)], NULL,
		    __ATOMIC_ACQUIRE)) == NULL)
			os_yield();
		bin_flush(&bins[1], &p, 1, 1);
	}
	return (NULL);
}

ATF_TC(two_threads);
ATF_TC_HEAD(two_threads, tc)
{

	atf_tc_set_md_var(tc, "descr", "One allocates and another frees: "
	    "nothing is lost, and the slabs stay few");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(two_threads, tc)
{
	pthread_t t;
	void *none, *p;
	unsigned int i;

	setup(CLASS);
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, free_ring, NULL));
	for (i = 0; i < 100000; i++) {
		ATF_REQUIRE_EQ(1, bin_fill(&bins[0], &p, 1));
		memset(p, 1, 64);
		for (none = NULL; !__atomic_compare_exchange_n(&ring[i %
		    nitems(ring)], &none, p, false, __ATOMIC_RELEASE,
		    __ATOMIC_RELAXED); none = NULL)
			os_yield();
	}
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
	bin_collect(&bins[0], 1);
	ATF_CHECK_EQ(100000, bins[0].nmalloc);
	ATF_CHECK_EQ(100000, bins[0].ndalloc);
	ATF_CHECK(bins[0].nslabs < 100);
	ATF_CHECK(bin_valid(&bins[0]));
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, fills);
	ATF_TP_ADD_TC(tp, fullest);
	ATF_TP_ADD_TC(tp, inbox);
	ATF_TP_ADD_TC(tp, collects);
	ATF_TP_ADD_TC(tp, owed);
	ATF_TP_ADD_TC(tp, sparse);
	ATF_TP_ADD_TC(tp, sparser);
	ATF_TP_ADD_TC(tp, region);
	ATF_TP_ADD_TC(tp, many);
	ATF_TP_ADD_TC(tp, foreign);
	ATF_TP_ADD_TC(tp, no_memory);
	ATF_TP_ADD_TC(tp, two_threads);

	return (atf_no_error());
}
