/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * region: what gives dirty and muzzy pages back to the system.
 */
#include <string.h>

#include "dsm_bits.h"
#include "dsm_conf.h"
#include "dsm_region.h"

/* What is shed because of growth, as a request waits, breaks up no more than
 * half a millisecond's worth of huge pages; and none where all is wanted huge,
 * since a small process has a few sparse ones. */
#define	REGION_BREAKS	4
/* What it takes to make one; a visit that has so long yet makes one. */
#define	REGION_HUGIFY_NS 500000
/* Regions to look at before the lock is dropped and taken again. */
#define	REGION_LOOKS	64

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
	struct budget	*budget;
	enum pages	 kind;
	enum regions_what what;
	bool		 brief;		/* its time is limited */
	unsigned	 breaks;	/* huge pages that may be broken up, */
	unsigned	 makes;		/* and be made, */
	struct region	*ripe;		/* the next one; */
	uint64_t	 now;		/* ms, where some may be */
	unsigned	 part;		/* of a pass */
	size_t		 room;		/* bytes that it may still hold */
	unsigned	 n;
	struct region_hold hold[OS_PURGE_MAX];
};

/* What a run that was held for purging is from then on. */
enum region_left { LEFT_CLEAN, LEFT_DIRTY, LEFT_MUZZY };

/* The pages of a region that are dirty, or muzzy, of any age or old ones; how
 * many. */
static unsigned
region_due(const struct region *r, enum pages kind, bool everything,
    uint64_t *due)
{
	unsigned i, n = 0;

	for (i = 0; i < REGION_WORDS; i++) {
		due[i] = bits_mask(i, 0, r->npages) & ~r->used[i];
		if (!r->huge)
			due[i] &= r->touched[i];
		if (kind == PAGES_MUZZY)
			due[i] &= r->muzzy[i];
		else if (r->nmuzzy != 0)
			due[i] &= ~r->muzzy[i];
		if (!everything)
			due[i] &= r->old[i];
		n += (unsigned)__builtin_popcountll(due[i]);
	}
	return (n);
}

/* The system gives no huge pages: what was not touched has no memory. */
static void
region_small(struct region *r)
{
	uint64_t dirty[REGION_WORDS];
	unsigned n;

	r->huge = false;
	n = region_due(r, PAGES_DIRTY, true, dirty);
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

/*
 * Hold the runs of one region that are due; true when there was room for all.
 * A huge page goes whole, and one that is broken up is a batch by itself.
 */
static bool
region_hold_due(struct region *r, struct region_purge *rp)
{
	uint64_t due[REGION_WORDS];
	unsigned end = 0, n, start;
	struct region_hold *broken = NULL;

	if (r->pinned)
		return (true);
	n = region_due(r, rp->kind, rp->what != REGIONS_OLD, due);
	if (r->huge && n < r->npages) {
		if (!region_yields(n, rp->what == REGIONS_ALL))
			return (true);
		if (rp->n != 0 && (rp->brief || rp->n == NITEMS(rp->hold)))
			return (false);
		if (rp->breaks == 0)
			return (true);
		rp->breaks--;
		region_broken(r);
		region_tell(r, rp->budget);
		(void)region_due(r, PAGES_DIRTY, true, due);
		broken = &rp->hold[rp->n];
	}
	if (r->huge || broken != NULL)
		rp->room = DSM_MAX(rp->room, REGION_BYTES);
	while (bits_next_run(due, &end, &start, r->npages)) {
		if (rp->n == NITEMS(rp->hold) || rp->room == 0)
			return (false);
		end = start + region_hold_run(r, start, end, rp);
		if (broken != NULL)
			broken->first = true;
		broken = NULL;
	}
	return (true);
}

/* All pages of one kind are old, those of the other as they were. */
static void
region_grow_old(struct region *r, enum pages kind)
{
	uint64_t old[REGION_WORDS];
	unsigned i;

	(void)region_due(r, kind, true, old);
	for (i = 0; i < REGION_WORDS; i++) {
		if (kind == PAGES_DIRTY)
			old[i] |= r->old[i] & r->muzzy[i];
		else
			old[i] |= r->old[i] & ~r->muzzy[i];
		r->old[i] = old[i];
	}
}

/* A pass has seen a region: what it is over is old there from here on. */
static void
region_seen(struct region *r, enum pages kind)
{
	struct regions *rs = r->set;

	if (r->nmuzzy != 0)
		region_grow_old(r, kind);
	else if (kind == PAGES_DIRTY && r->ndirty != 0)
		(void)region_due(r, kind, true, r->old);
	else if (kind == PAGES_DIRTY)
		memset(r->old, 0, sizeof(r->old));
	r->pass[kind] = rs->pass[kind];
	rs->seen[kind]++;
	TAILQ_REMOVE(&rs->all[kind], r, all[kind]);
	TAILQ_INSERT_TAIL(&rs->all[kind], r, all[kind]);
}

/* It has not seen it after all: it is the next again. */
static void
region_unseen(struct region *r, enum pages kind)
{
	struct regions *rs = r->set;

	if (r->pass[kind] != rs->pass[kind])
		return;
	r->pass[kind] = rs->pass[kind] - 1;
	rs->seen[kind]--;
	TAILQ_REMOVE(&rs->all[kind], r, all[kind]);
	TAILQ_INSERT_HEAD(&rs->all[kind], r, all[kind]);
}

/* Hold due runs of regions that this pass has not seen; false: it has now
 * seen all those of its part, or none is left. */
static bool
regions_hold(struct regions *rs, struct region_purge *rp)
{
	size_t end = ((size_t)rs->count * rp->part + REGIONS_PASS - 1) /
	    REGIONS_PASS;
	enum pages kind = rp->kind;
	unsigned looks = REGION_LOOKS;
	struct region *r;
	bool whole;

	rp->n = 0;
	rp->ripe = NULL;
	while ((r = TAILQ_FIRST(&rs->all[kind])) != NULL &&
	    r->pass[kind] != rs->pass[kind] && rs->seen[kind] < end) {
		if (looks-- == 0)
			return (true);
		if (r->huge && os_thp(false) == OS_THP_NOBODY)
			region_small(r);
		if (rp->makes != 0 && region_ripe(r, rp->now)) {
			rp->makes--;
			rp->ripe = r;
			r->busy = true;
			region_seen(r, kind);
			return (true);
		}
		if ((kind == PAGES_DIRTY ? r->ndirty : r->nmuzzy) != 0) {
			whole = region_hold_due(r, rp);
			region_set_longest(r, region_find_longest(r));
			if (!whole)
				return (true);
		}
		region_seen(r, kind);
	}
	return (false);
}

/* Have the system, or the hooks, take what is held; how many of the runs they
 * took.  A huge page is not broken up for nothing. */
static unsigned
regions_give(struct regions *rs, struct region_purge *rp, struct budget *b,
    struct os_purge *how)
{
	struct region_hold *h;
	struct region *in[OS_PURGE_MAX];
	struct os_range v[OS_PURGE_MAX];
	unsigned done, i;

	for (i = 0; i < rp->n; i++) {
		h = &rp->hold[i];
		in[i] = h->region;
		v[i].addr = h->region->addr + ((size_t)h->page <<
		    os_page_shift);
		v[i].len = (size_t)h->n << os_page_shift;
		if (h->first) {
			h->first = !region_unhuge(h->region, v[i].addr);
			how->until = UINT64_MAX;
		}
	}
	do
		done = regions_purge_pages(rs, in, v, rp->n, how);
	while (budget_retry(b, done, how));
	return (done);
}

/* A run was purged, or could not be: it is free again.  Parts of what is huge
 * after all have their memory still. */
static void
region_put(const struct region_hold *h, enum region_left left, uint64_t now)
{
	struct region *r = h->region;

	if (h->first)
		region_stays_huge(r);
	if (left == LEFT_CLEAN)
		bits_clear(r->touched, h->page, h->page + h->n);
	if (r->huge && h->n < r->npages)
		left = LEFT_DIRTY;
	if (left == LEFT_MUZZY) {
		bits_set(r->muzzy, h->page, h->page + h->n);
		r->nmuzzy += h->n;
		r->set->muzzy += h->n;
	} else if (left == LEFT_DIRTY) {
		r->ndirty += h->n;
		r->set->dirty += h->n;
	}
	region_release(r, h->page, h->n, now);
}

/* Pinned memory stays, and so do few pages of a huge one. */
void
region_give_back(struct region *r, unsigned page, size_t size, uint64_t now)
{
	struct region_hold h = { r, (uint16_t)page,
	    (uint16_t)(size >> os_page_shift), false };
	struct os_range v = { r->addr + ((size_t)page << os_page_shift), size };
	struct os_purge how = OS_PURGE_FORCED;
	struct budget b = BUDGET_ALL;
	struct regions *rs = r->set;
	bool gone;

	gone = region_break(r, v.addr, size, &b) &&
	    regions_purge_pages(rs, &r, &v, 1, &how) == 1;
	lock_take(&rs->lock);
	if (gone)
		purged_add(&rs->purged[PAGES_DIRTY], how.calls, size);
	region_put(&h, gone ? LEFT_CLEAN : LEFT_DIRTY, now);
	lock_drop(&rs->lock);
	/* The pages of a huge one that could not be broken up have memory. */
	if (!gone || load_rlx(&rs->dirty) != 0)
		decay_stir(rs->pool->decay);
}

/* The first of the runs that are held are purged; failed: no more of them can
 * be.  What is not is what it was, and old still, but dirty where it cannot
 * be.  How many bytes were purged. */
static size_t
regions_put(const struct region_purge *rp, unsigned done, bool failed,
    bool lazy, uint64_t now)
{
	enum region_left left = lazy ? LEFT_MUZZY : LEFT_CLEAN;
	const struct region_hold *h;
	size_t bytes = 0;
	unsigned i;

	for (i = 0; i < rp->n; i++) {
		h = &rp->hold[i];
		if (i < done) {
			bytes += (size_t)h->n << os_page_shift;
			region_put(h, left, now);
			continue;
		}
		if (!failed)
			region_unseen(h->region, rp->kind);
		bits_set(h->region->old, h->page, h->page + h->n);
		region_put(h, rp->kind == PAGES_MUZZY && !failed ? LEFT_MUZZY :
		    LEFT_DIRTY, now);
	}
	return (bytes);
}

/* Purge what is held; false when that cannot be. */
static bool
regions_purge_held(struct regions *rs, struct region_purge *rp,
    struct budget *b)
{
	struct os_purge how = budget_purge(b);
	struct region *stuck;
	unsigned done;
	bool failed;
	size_t bytes;

	done = regions_give(rs, rp, b, &how);
	/* What is locked in memory is not worth coming for again and again. */
	b->tried |= done != 0;
	failed = done < rp->n && !how.lazy && budget_left(b);
	lock_take(&rs->lock);
	/* The next time others are to have their turn. */
	if (failed) {
		stuck = rp->hold[done].region;
		if (stuck->pass[rp->kind] != rs->pass[rp->kind])
			region_seen(stuck, rp->kind);
	}
	/* An empty region goes to the pool as old, but not what is muzzy: it
	 * is to have its time. */
	bytes = regions_put(rp, done, failed, how.lazy,
	    how.lazy || rp->kind == PAGES_MUZZY ? b->now : 0);
	purged_add(&rs->purged[rp->kind], how.calls, bytes);
	lock_drop(&rs->lock);
	b->bytes += bytes;
	return (!failed);
}

/* How many huge pages may be made: by visits alone, whose time is what matters,
 * not bytes. */
static unsigned
regions_makes(enum regions_what what, const struct budget *b)
{

	if (what != REGIONS_OLD || b->kind != PAGES_DIRTY ||
	    b->most != SIZE_MAX)
		return (0);
	if (b->until == UINT64_MAX)
		return (UINT32_MAX);
	return (os_time_ns() + REGION_HUGIFY_NS <= b->until);
}

void
regions_pass(struct regions *rs, enum pages kind)
{

	lock_take(&rs->lock);
	store_rlx(&rs->pass[kind], rs->pass[kind] + 1);
	rs->seen[kind] = 0;
	if (kind == PAGES_DIRTY)
		store_rlx(&rs->nnew, 0);
	lock_drop(&rs->lock);
}

size_t
regions_purge(struct regions *rs, enum regions_what what, unsigned part,
    struct budget *b)
{
	bool more = true, ok = true;
	struct region_purge rp;
	size_t bytes = b->bytes;

	rp.budget = b;
	rp.kind = b->kind;
	rp.what = what;
	rp.brief = b->until != UINT64_MAX;
	rp.breaks = b->most == SIZE_MAX ? UINT32_MAX :
	    conf_all_huge() ? 0 : REGION_BREAKS;
	rp.part = part;
	rp.makes = regions_makes(what, b);
	rp.now = rp.makes != 0 ? os_clock_ns() / 1000000 : 0;
	while (more && ok && budget_left(b)) {
		rp.room = budget_batch(b);
		lock_take(&rs->lock);
		more = regions_hold(rs, &rp);
		lock_drop(&rs->lock);
		if (rp.n != 0)
			ok = regions_purge_held(rs, &rp, b);
		if (rp.ripe != NULL)
			region_hugify(rp.ripe, rp.now);
	}
	return (b->bytes - bytes);
}
