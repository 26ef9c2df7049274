/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <string.h>

#include "dsm_base.h"
#include "dsm_bits.h"
#include "dsm_conf.h"
#include "dsm_limit.h"
#include "dsm_region.h"

_Static_assert(REGION_BYTES / REGION_PAGES == MAP_GRANULE,
    "a bit for the smallest page");
_Static_assert(sizeof(struct region) <= 512, "the budget of a descriptor");
_Static_assert(REGION_BYTES == POOL_HUGE, "a region may be a huge page");

/* Regions of the request's own bucket to try: in it some are too short. */
#define	REGION_TRIES	6
/* So many pages of a huge one are worth breaking it up for, which takes 140 us
 * and more and slows down who uses the rest: an eighth is what a set may hold
 * beyond its use (dsm_arena.c).  What is shed because of growth, as a request
 * waits, breaks up no more than half a millisecond's worth of them; and none
 * where all is wanted huge, since a small process has a few sparse ones. */
#define	REGION_BREAK	(REGION_PAGES / 8)
#define	REGION_BREAKS	4
/* Regions to look at before the lock is dropped and taken again. */
#define	REGION_LOOKS	64

void
regions_init(struct regions *rs, struct pool *pool)
{
	unsigned i;

	rs->pool = pool;
	lock_init(&rs->lock, LOCK_REGION);
	for (i = 0; i < REGION_BUCKETS; i++)
		LIST_INIT(&rs->bucket[i]);
	TAILQ_INIT(&rs->all);
}

static void
region_link(struct region *r)
{
	struct regions *rs = r->set;
	unsigned b = bits_quarter(r->longest);

	LIST_INSERT_HEAD(&rs->bucket[b], r, link);
	rs->mask |= (uint64_t)1 << b;
}

static void
region_unlink(struct region *r, unsigned longest)
{
	struct regions *rs = r->set;
	unsigned b = bits_quarter(longest);

	LIST_REMOVE(r, link);
	if (LIST_EMPTY(&rs->bucket[b]))
		rs->mask &= ~((uint64_t)1 << b);
}

/* The longest run has changed: hang the region where it belongs. */
static void
region_set_longest(struct region *r, unsigned longest)
{
	unsigned was = r->longest;

	r->longest = (uint16_t)longest;
	if (bits_quarter(was) != bits_quarter(longest)) {
		region_unlink(r, was);
		region_link(r);
	}
}

static unsigned
region_find_longest(const struct region *r)
{
	unsigned best = 0, end, start = 0;

	while ((start = bits_next_clear(r->used, start, r->npages)) <
	    r->npages) {
		end = bits_next_set(r->used, start, r->npages);
		if (end - start > best)
			best = end - start;
		start = end;
	}
	return (best);
}

bool
region_valid(const struct region *r)
{
	unsigned dirty = 0, i;

	for (i = 0; i < REGION_WORDS; i++)
		dirty += (unsigned)__builtin_popcountll(r->touched[i] &
		    ~r->used[i]);
	if (r->huge)
		dirty = r->nused == 0 && r->ndirty == 0 ? 0 :
		    r->npages - (unsigned)r->nused;
	return (r->nused == bits_count(r->used, 0, r->npages) &&
	    r->ndirty == dirty && r->longest == region_find_longest(r));
}

struct region *
region_get(struct regions *rs, size_t size, size_t need, size_t align,
    size_t *dirty, size_t *charged)
{
	struct region *r;

	if ((r = base_alloc(BASE_REGION, sizeof(*r))) == NULL)
		return (NULL);
	memset(r, 0, sizeof(*r));
	while ((r->addr = pool_alloc(rs->pool, size, align, dirty)) == NULL) {
		if (size <= need) {
			base_free(BASE_REGION, r, sizeof(*r));
			return (NULL);
		}
		size = DSM_MAX(need, ROUND_UP(size / 2, os_page));
	}
	/* Where a part of it has memory all of it counts. */
	if (!limit_charge(*dirty == 0 ? 0 : size - *dirty, charged)) {
		pool_free(rs->pool, r->addr, size, *dirty, 0);
		base_free(BASE_REGION, r, sizeof(*r));
		return (NULL);
	}
	r->set = rs;
	r->npages = (uint16_t)(size >> os_page_shift);
	r->longest = r->npages;
	return (r);
}

void
region_add(struct region *r, size_t dirty, size_t charged)
{
	struct regions *rs = r->set;

	LOCK_ASSERT(&rs->lock);
	r->pass = rs->pass;
	if (dirty != 0) {
		/* Where is not known: all may be, and what is not counts as
		 * fresh here, since it won't when it is taken. */
		bits_set(r->touched, 0, r->npages);
		r->ndirty = r->npages;
		rs->fresh += r->npages - (dirty >> os_page_shift);
	}
	rs->pages += r->npages;
	rs->dirty += r->ndirty;
	rs->nempty++;
	limit_settle(charged, charged);
	rs->count++;
	rs->seen++;
	TAILQ_INSERT_TAIL(&rs->all, r, all);
	region_link(r);
}

static struct region *
region_new(struct regions *rs)
{
	size_t align = REGION_BYTES, charged, dirty, size = REGION_BYTES;
	struct region *r;

	LOCK_ASSERT(&rs->lock);
	if (load_rlx(&rs->pool->mapped) == 0 && conf.thp != CONF_THP_ALWAYS) {
		size = REGION_FIRST;
		align = os_page;
	}
	if ((r = region_get(rs, size, size, align, &dirty, &charged)) == NULL)
		return (NULL);
	r->huge = size == REGION_BYTES && pool_marked(rs->pool, r->addr) &&
	    pool_marked(rs->pool, r->addr + size - 1);
	region_add(r, dirty, charged);
	return (r);
}

void
region_detach(struct region *r)
{
	struct regions *rs = r->set;

	LOCK_ASSERT(&rs->lock);
	region_unlink(r, r->longest);
	TAILQ_REMOVE(&rs->all, r, all);
	rs->nempty--;
	rs->count--;
	rs->seen -= r->pass == rs->pass;
	rs->pages -= r->npages;
	rs->dirty -= r->ndirty;
	if (r->broken)
		rs->nbroken--;
}

void
region_delete(struct region *r, uint64_t now)
{
	struct regions *rs = r->set;

	if (r->broken)
		pool_mark(rs->pool, r->addr, REGION_BYTES, false);
	pool_free(rs->pool, r->addr, (size_t)r->npages << os_page_shift,
	    (size_t)r->ndirty << os_page_shift, now);
	base_free(BASE_REGION, r, sizeof(*r));
}

/*
 * The region whose longest run fits n pages tightest; among the first few
 * of those one that has as many dirty pages.
 */
static struct region *
region_fit(struct regions *rs, unsigned n)
{
	struct region *fit = NULL, *r;
	unsigned b = bits_quarter(n), tries = REGION_TRIES;
	uint64_t m;

	for (m = rs->mask & ~(uint64_t)0 << b; m != 0; m &= m - 1) {
		LIST_FOREACH(r, &rs->bucket[__builtin_ctzll(m)], link) {
			if (r->longest >= n && r->ndirty >= n)
				return (r);
			if (r->longest >= n && fit == NULL)
				fit = r;
			if (tries == 0 || --tries == 0)
				break;
		}
		/* In the request's own bucket all may be too short; any of
		 * the others will do. */
		if (fit != NULL && (tries == 0 || rs->dirty < n))
			break;
	}
	return (fit);
}

/* Take pages [page, page + n) of a region; true when they read as zero. */
static bool
region_take(struct region *r, unsigned page, unsigned n)
{
	unsigned dirty, end = page + n, i, touched = 0;
	uint64_t m;

	if (r->nused == 0)
		r->set->nempty--;
	r->idle = false;
	for (i = page / BITS_WORD; i * BITS_WORD < end; i++) {
		m = bits_mask(i, page, end);
		if ((r->touched[i] & m) == m)
			touched += DSM_MIN(end, (i + 1) * BITS_WORD) -
			    DSM_MAX(page, i * BITS_WORD);
		else
			touched += (unsigned)__builtin_popcountll(
			    r->touched[i] & m);
		r->used[i] |= m;
		r->touched[i] |= m;
		r->old[i] &= ~m;
	}
	if (r->huge && r->nused == 0 && r->ndirty == 0) {
		/* The first touch brings memory for all. */
		r->ndirty = r->npages;
		r->set->dirty += r->npages;
		r->set->fresh += r->npages;
	}
	dirty = r->huge ? n : touched;
	r->nused += n;
	r->ndirty -= dirty;
	r->set->used += n;
	r->set->dirty -= dirty;
	r->set->fresh += n - dirty;
	return (touched == 0);
}

/* The lowest run of n dirty pages; npages when there is none. */
static unsigned
region_search_dirty(const struct region *r, unsigned n)
{
	uint64_t map[REGION_WORDS];
	unsigned end, i, start = 0;

	for (i = 0; i < REGION_WORDS; i++)
		map[i] = r->touched[i] & ~r->used[i];
	for (;;) {
		start = bits_next_set(map, start, r->npages);
		end = bits_next_clear(map, start, r->npages);
		if (end - start >= n || start == r->npages)
			break;
		start = end;
	}
	return (start);
}

/* The lowest run of n free pages, in a region that has one. */
static unsigned
region_search(const struct region *r, unsigned n)
{
	unsigned end, start = 0;

	for (;;) {
		start = bits_next_clear(r->used, start, r->npages);
		end = bits_next_set(r->used, start, r->npages);
		if (end - start >= n)
			break;
		DSM_ASSERT(end < r->npages);
		start = end;
	}
	return (start);
}

/* Where n pages are taken: the lowest dirty ones, since they have memory,
 * else the lowest. */
static unsigned
region_place(const struct region *r, unsigned n)
{
	unsigned start = r->npages;

	/* Where all that is free is dirty the lowest run is. */
	if (r->ndirty >= n && r->ndirty + r->nused < r->npages)
		start = region_search_dirty(r, n);
	return (start < r->npages ? start : region_search(r, n));
}

/* The length of the free run that a page is in. */
static unsigned
region_run(const struct region *r, unsigned page)
{

	return (bits_next_set(r->used, page, r->npages) -
	    bits_run_start(r->used, page));
}

/*
 * The same under a hard limit.  What is charged before is the most that it may
 * be: the first pages of a huge one bring memory for all of it.
 */
static bool DSM_COLD
region_take_charged(struct region *r, unsigned page, unsigned n, bool *zeroed)
{
	struct regions *rs = r->set;
	size_t charged, had = rs->used + rs->dirty, most = n;

	if (r->huge && r->nused == 0 && r->ndirty == 0)
		most = r->npages;
	if (!limit_charge(most << os_page_shift, &charged))
		return (false);
	*zeroed = region_take(r, page, n);
	limit_settle(charged, (rs->used + rs->dirty - had) << os_page_shift);
	return (true);
}

/* Take pages if a limit does not forbid it. */
static inline bool
region_try_take(struct region *r, unsigned page, unsigned n, bool *zeroed)
{

	if (unlikely(load_rlx(&limit_hard) != 0))
		return (region_take_charged(r, page, n, zeroed));
	*zeroed = region_take(r, page, n);
	return (true);
}

void *
region_alloc(struct regions *rs, size_t size, struct region **rp,
    uint16_t *page, bool *zeroed)
{
	unsigned len, n = (unsigned)(size >> os_page_shift), start;
	struct region *r;
	char *p;

	lock_take(&rs->lock);
	if ((r = region_fit(rs, n)) == NULL && (pool_is_lent(rs->pool) ||
	    (r = region_new(rs)) == NULL || r->longest < n)) {
		lock_drop(&rs->lock);
		return (NULL);
	}
	start = region_place(r, n);
	len = region_run(r, start);
	if (!region_try_take(r, start, n, zeroed)) {
		lock_drop(&rs->lock);
		return (NULL);
	}
	if (len == r->longest)
		region_set_longest(r, region_find_longest(r));
	DSM_ASSERT(region_valid(r));
	p = r->addr + ((size_t)start << os_page_shift);
	lock_drop(&rs->lock);
	*rp = r;
	*page = (uint16_t)start;
	return (p);
}

/* Make pages free again and see how long a run they are part of now. */
static void
region_release(struct region *r, unsigned page, unsigned n, uint64_t now)
{
	unsigned run;

	bits_clear(r->used, page, page + n);
	r->nused -= n;
	r->set->used -= n;
	run = bits_next_set(r->used, page + n, r->npages) -
	    bits_run_start(r->used, page);
	if (run > r->longest)
		region_set_longest(r, run);
	DSM_ASSERT(region_valid(r));
	if (r->nused == 0 && ++r->set->nempty > 1 &&
	    !pool_is_lent(r->set->pool)) {
		region_detach(r);
		region_delete(r, now);
	}
}

void
region_free(struct region *r, unsigned page, size_t size, uint64_t now)
{
	unsigned n = (unsigned)(size >> os_page_shift);
	struct regions *rs = r->set;

	lock_take(&rs->lock);
	r->ndirty += n;
	rs->dirty += n;
	region_release(r, page, n, now);
	lock_drop(&rs->lock);
}

void
region_age(struct region *r, unsigned page, size_t size)
{

	lock_take(&r->set->lock);
	bits_set(r->old, page, page + (unsigned)(size >> os_page_shift));
	lock_drop(&r->set->lock);
}

bool
region_extend(struct region *r, unsigned page, size_t osize, size_t nsize)
{
	unsigned end, n, start;
	bool ok, zeroed;

	start = page + (unsigned)(osize >> os_page_shift);
	n = (unsigned)((nsize - osize) >> os_page_shift);
	lock_take(&r->set->lock);
	end = bits_next_set(r->used, start, r->npages);
	ok = end - start >= n && start + n <= r->npages &&
	    region_try_take(r, start, n, &zeroed);
	if (ok && end - start == r->longest)
		region_set_longest(r, region_find_longest(r));
	lock_drop(&r->set->lock);
	return (ok);
}

/* A run held for purging: its pages are marked used meanwhile. */
struct region_hold {
	struct region	*region;
	uint16_t	 page;
	uint16_t	 n;
	bool		 first;		/* of a huge page to break up, or,
					   later, of one that cannot be */
};

/* What a purge is after, and what it holds. */
struct region_purge {
	enum regions_what what;
	bool		 brief;		/* its time is limited */
	unsigned	 breaks;	/* huge pages that may be broken up */
	unsigned	 part;		/* of a pass */
	size_t		 room;		/* bytes that it may still hold */
	unsigned	 n;
	struct region_hold hold[OS_PURGE_MAX];
};

/* The free pages of a region that have memory, of any age or old ones; how
 * many. */
static unsigned
region_due(const struct region *r, bool everything, uint64_t *due)
{
	unsigned i, n = 0;

	for (i = 0; i < REGION_WORDS; i++) {
		due[i] = bits_mask(i, 0, r->npages) & ~r->used[i];
		if (!r->huge)
			due[i] &= r->touched[i];
		if (!everything)
			due[i] &= r->old[i];
		n += (unsigned)__builtin_popcountll(due[i]);
	}
	return (n);
}

/* A huge page is broken up: its free pages all are to go, those too that were
 * never touched, for they have memory. */
static void
region_broken(struct region *r)
{
	unsigned i;

	for (i = 0; i < REGION_WORDS; i++) {
		r->old[i] = bits_mask(i, 0, r->npages) & ~r->used[i];
		r->touched[i] |= r->old[i];
	}
	r->huge = false;
	if (!r->broken) {
		r->broken = true;
		if (++r->set->nbroken > REGION_BROKEN_MAX)
			pool_unmark(r->set->pool);
	}
}

static bool
region_unhuge(const struct region *r, void *page)
{

	os_break(page);
	return (os_nohuge(r->addr, REGION_BYTES));
}

/* The system did not take the advice: it may make it whole again. */
static void
region_stays_huge(struct region *r)
{
	unsigned nfree = r->npages - (unsigned)r->nused;

	LOCK_ASSERT(&r->set->lock);
	r->set->dirty += nfree - r->ndirty;
	r->ndirty = (uint16_t)nfree;
	r->huge = true;
	r->broken = false;
	r->set->nbroken--;
}

bool
region_break(struct region *r, void *page, size_t size)
{
	bool huge, yields;

	if (r->pinned)
		return (false);
	lock_take(&r->set->lock);
	huge = r->huge;
	yields = !huge || (unsigned)(r->npages - r->nused) +
	    (unsigned)(size >> os_page_shift) >= REGION_BREAK;
	if (huge && yields)
		region_broken(r);
	lock_drop(&r->set->lock);
	if (huge && yields && !region_unhuge(r, page)) {
		lock_take(&r->set->lock);
		region_stays_huge(r);
		lock_drop(&r->set->lock);
	}
	return (yields);
}

/* The system gives no huge pages: what was not touched has no memory. */
static void
region_small(struct region *r)
{
	uint64_t dirty[REGION_WORDS];
	unsigned n;

	r->huge = false;
	n = region_due(r, true, dirty);
	r->set->dirty -= r->ndirty - n;
	r->ndirty = (uint16_t)n;
}

/* Hold pages [page, end) of a region, as many as there is room for; how
 * many. */
static unsigned
region_hold_run(struct region *r, unsigned page, unsigned end,
    struct region_purge *rp)
{
	struct region_hold *h = &rp->hold[rp->n++];
	size_t room = ((rp->room - 1) >> os_page_shift) + 1;

	h->region = r;
	h->page = (uint16_t)page;
	h->n = (uint16_t)DSM_MIN(end - page, room);
	h->first = false;
	(void)region_take(r, page, h->n);
	rp->room -= DSM_MIN(rp->room, (size_t)h->n << os_page_shift);
	return (h->n);
}

/* May a huge page be broken up for the n pages of it that are due? */
static bool
region_yields(unsigned n, const struct region_purge *rp)
{

	return (n != 0 && (n >= REGION_BREAK || rp->what == REGIONS_ALL));
}

/*
 * Hold the runs of one region that are due; true when there was room for all.
 * A huge page goes whole, and one that is broken up is a batch by itself.
 */
static bool
region_hold_due(struct region *r, struct region_purge *rp)
{
	uint64_t due[REGION_WORDS];
	unsigned end, n, start = 0;
	struct region_hold *broken = NULL;

	if (r->pinned)
		return (true);
	n = region_due(r, rp->what != REGIONS_OLD, due);
	if (r->huge && n < r->npages) {
		if (!region_yields(n, rp))
			return (true);
		if (rp->n != 0 && (rp->brief || rp->n == NITEMS(rp->hold)))
			return (false);
		if (rp->breaks == 0)
			return (true);
		rp->breaks--;
		region_broken(r);
		(void)region_due(r, true, due);
		broken = &rp->hold[rp->n];
	}
	if (r->huge || broken != NULL)
		rp->room = DSM_MAX(rp->room, REGION_BYTES);
	while ((start = bits_next_set(due, start, r->npages)) < r->npages) {
		if (rp->n == NITEMS(rp->hold) || rp->room == 0)
			return (false);
		end = bits_next_clear(due, start, r->npages);
		start += region_hold_run(r, start, end, rp);
		if (broken != NULL)
			broken->first = true;
		broken = NULL;
	}
	return (true);
}

/* A pass has seen a region: what of it is dirty now is old from here on. */
static void
region_seen(struct region *r)
{
	struct regions *rs = r->set;

	if (r->ndirty != 0)
		(void)region_due(r, true, r->old);
	else
		memset(r->old, 0, sizeof(r->old));
	r->pass = rs->pass;
	rs->seen++;
	TAILQ_REMOVE(&rs->all, r, all);
	TAILQ_INSERT_TAIL(&rs->all, r, all);
}

/* It has not seen it after all: it is the next again. */
static void
region_unseen(struct region *r)
{
	struct regions *rs = r->set;

	if (r->pass != rs->pass)
		return;
	r->pass = rs->pass - 1;
	rs->seen--;
	TAILQ_REMOVE(&rs->all, r, all);
	TAILQ_INSERT_HEAD(&rs->all, r, all);
}

/* Hold due runs of regions that this pass has not seen; false: it has now
 * seen all those of its part, or none is left. */
static bool
regions_hold(struct regions *rs, struct region_purge *rp)
{
	size_t end = ((size_t)rs->count * rp->part + REGIONS_PASS - 1) /
	    REGIONS_PASS;
	unsigned looks = REGION_LOOKS;
	struct region *r;
	bool whole;

	rp->n = 0;
	while ((r = TAILQ_FIRST(&rs->all)) != NULL && r->pass != rs->pass &&
	    rs->seen < end) {
		if (looks-- == 0)
			return (true);
		if (r->huge && os_thp(false) == OS_THP_NOBODY)
			region_small(r);
		if (r->ndirty != 0) {
			whole = region_hold_due(r, rp);
			region_set_longest(r, region_find_longest(r));
			if (!whole)
				return (true);
		}
		region_seen(r);
	}
	return (false);
}

/* Have the system, or the hooks, take what is held; how many of the runs they
 * took.  A huge page is not broken up for nothing. */
static unsigned
regions_give(struct regions *rs, struct region_purge *rp, uint64_t until)
{
	struct region_hold *h;
	struct region *in[OS_PURGE_MAX];
	struct os_range v[OS_PURGE_MAX];
	unsigned i;

	for (i = 0; i < rp->n; i++) {
		h = &rp->hold[i];
		in[i] = h->region;
		v[i].addr = h->region->addr + ((size_t)h->page <<
		    os_page_shift);
		v[i].len = (size_t)h->n << os_page_shift;
		if (h->first) {
			h->first = !region_unhuge(h->region, v[i].addr);
			until = UINT64_MAX;
		}
	}
	return (regions_purge_pages(rs, in, v, rp->n, until));
}

/* A run was purged, or could not be: it is free again. */
static size_t
region_put(const struct region_hold *h, bool purged)
{
	struct region *r = h->region;

	if (h->first)
		region_stays_huge(r);
	if (purged)
		bits_clear(r->touched, h->page, h->page + h->n);
	else
		bits_set(r->old, h->page, h->page + h->n);
	if (!purged || (r->huge && h->n < r->npages)) {
		r->ndirty += h->n;
		r->set->dirty += h->n;
	}
	region_release(r, h->page, h->n, 0);
	return (purged ? (size_t)h->n << os_page_shift : 0);
}

/* Purge what is held; false when that cannot be. */
static bool
regions_purge_held(struct regions *rs, struct region_purge *rp,
    struct budget *b)
{
	unsigned done, i;
	bool failed;
	size_t bytes = 0;

	done = regions_give(rs, rp, budget_until(b));
	failed = done < rp->n && budget_left(b);
	lock_take(&rs->lock);
	/* The next time others are to have their turn. */
	if (failed && rp->hold[done].region->pass != rs->pass)
		region_seen(rp->hold[done].region);
	for (i = 0; i < rp->n; i++) {
		if (i >= done && !failed)
			region_unseen(rp->hold[i].region);
		bytes += region_put(&rp->hold[i], i < done);
	}
	rs->npurge++;
	rs->purged += bytes;
	lock_drop(&rs->lock);
	b->bytes += bytes;
	return (!failed);
}

void
regions_pass(struct regions *rs)
{

	lock_take(&rs->lock);
	rs->pass++;
	rs->seen = 0;
	lock_drop(&rs->lock);
}

size_t
regions_purge(struct regions *rs, enum regions_what what, unsigned part,
    struct budget *b)
{
	bool more = true, ok = true;
	struct region_purge rp;
	size_t bytes = b->bytes;

	rp.what = what;
	rp.brief = b->until != UINT64_MAX;
	rp.breaks = b->most == SIZE_MAX ? UINT32_MAX :
	    conf.thp == CONF_THP_ALWAYS ? 0 : REGION_BREAKS;
	rp.part = part;
	while (more && ok && budget_left(b)) {
		rp.room = budget_batch(b);
		lock_take(&rs->lock);
		more = regions_hold(rs, &rp);
		lock_drop(&rs->lock);
		if (rp.n != 0)
			ok = regions_purge_held(rs, &rp, b);
	}
	return (b->bytes - bytes);
}
