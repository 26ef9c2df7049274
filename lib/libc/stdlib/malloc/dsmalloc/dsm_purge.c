/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * purge: the part of pool that gives memory and address space back to the
 * system.
 */
#include "dsm_bits.h"
#include "dsm_conf.h"
#include "dsm_lent.h"
#include "dsm_limit.h"
#include "dsm_os.h"
#include "dsm_pool.h"

/* A part of a huge page for which it is broken up: that takes as long as the
 * faults by which a quarter of it would come back.  A smaller part leaves the
 * process and is the kernel's to find when it is short of memory. */
#define	POOL_BREAK	(POOL_HUGE / 4)

/* Extents that are out of the pool, to be purged without a lock. */
struct pool_batch {
	unsigned	 n;
	struct os_range	 r[OS_PURGE_MAX];
	size_t		 dirty[OS_PURGE_MAX];
	uint64_t	 stamp[OS_PURGE_MAX];
};

/* Where the part of an extent begins that goes next, with so much of its dirt:
 * at its end, so that what is left is in one piece, and whole huge pages where
 * it may be some. */
static char *
pool_piece(const struct pool *pl, const struct extent *s, size_t max)
{
	char *end = s->span.addr + s->span.size, *p;

	if (s->dirty <= max)
		return (s->span.addr);
	max *= s->span.size / s->dirty;
	p = end - ROUND_UP(max, os_page);
	p = (char *)ROUND_DOWN((uintptr_t)p, max > BUDGET_BATCH ||
	    mark_find(&pl->marks, end - 1) ? POOL_HUGE : os_page);
	return (DSM_MAX(p, s->span.addr));
}

/* Take the end of an extent out of the pool; all, where it cannot be cut. */
static void
pool_take_end(struct pool *pl, struct extent *s, char *p, struct os_range *r,
    size_t *dirty)
{

	r->addr = p;
	r->len = (size_t)(s->span.addr + s->span.size - p);
	if (extent_cut(pl, s, p, r->len, dirty))
		return;
	r->addr = s->span.addr;
	r->len = s->span.size;
	*dirty = s->dirty;
	extent_remove(pl, s);
}

/* Take a batch of what is due, the oldest first. */
static void
pool_due(struct pool *pl, uint64_t before, size_t keep,
    const struct budget *b, struct pool_batch *pb)
{
	size_t bytes = 0, *held = &pl->held[b->kind], max = budget_batch(b);
	size_t most;
	struct extent *s;

	LOCK_ASSERT(&pl->lock);
	for (pb->n = 0; pb->n < NITEMS(pb->r) && bytes < max; pb->n++) {
		s = TAILQ_FIRST(&pl->lru[b->kind]);
		if (s == NULL || (s->stamp >= before && *held <= keep))
			break;
		most = max - bytes;
		if (s->stamp >= before)
			most = DSM_MIN(most, *held - keep);
		pb->stamp[pb->n] = s->stamp;
		pool_take_end(pl, s, pool_piece(pl, s, most), &pb->r[pb->n],
		    &pb->dirty[pb->n]);
		bytes += pb->dirty[pb->n];
	}
}

/* So much of what may be a huge page goes, with this page of it: is it worth
 * breaking that up, or is there none? */
static bool
pool_break_part(struct pool *pl, void *page, size_t part)
{

	if (!pool_marked(pl, page))
		return (true);
	if (part < POOL_BREAK)
		return (false);
	os_break(page);
	return (true);
}

/* Where a part of a huge page goes that is worth it, break that up.  False,
 * if this is to be done lazily: a smaller part is among them. */
static bool
pool_break(struct pool *pl, const struct os_range *r, unsigned n, bool lazy)
{
	size_t head, least = lazy ? 1 : POOL_BREAK, tail;
	bool worth = true;
	unsigned i;
	char *p;

	for (i = 0; i < n; i++) {
		p = r[i].addr;
		head = DSM_MIN(r[i].len, -(uintptr_t)p % POOL_HUGE);
		tail = DSM_MIN(r[i].len, ((uintptr_t)p + r[i].len) %
		    POOL_HUGE);
		if (head >= least)
			worth &= pool_break_part(pl, p, head);
		if (tail >= least)
			worth &= pool_break_part(pl, p + r[i].len - os_page,
			    tail);
	}
	return (worth);
}

size_t
pool_owed(struct pool *pl, enum pages kind, uint64_t old, uint64_t young,
    uint64_t since)
{
	unsigned looks = POOL_LOOKS;
	size_t owed = 0;
	struct extent *s;

	if (pool_is_lent(pl))
		return (lent_owed(pl, kind, old, young, since));
	lock_take(&pl->lock);
	TAILQ_FOREACH(s, &pl->lru[kind], lru) {
		if (s->stamp >= young || looks-- == 0)
			break;
		owed += extent_owed(s, old, since);
	}
	lock_drop(&pl->lock);
	return (ROUND_DOWN(owed, POOL_HUGE));
}

/* The first of a batch are purged now; failed: no more of it can be.  What
 * cannot be (locked memory) counts as dirty, and as young again. */
static void
pool_return(struct pool *pl, const struct pool_batch *pb, unsigned done,
    bool failed, const struct os_purge *how, struct budget *b)
{
	size_t bytes = 0;
	unsigned i;

	lock_take(&pl->lock);
	for (i = 0; i < done; i++) {
		extent_insert(pl, pb->r[i].addr, pb->r[i].len,
		    how->lazy ? pb->dirty[i] : 0, how->lazy, b->now);
		bytes += pb->dirty[i];
	}
	for (; i < pb->n; i++)
		extent_insert(pl, pb->r[i].addr, pb->r[i].len, pb->dirty[i],
		    b->kind == PAGES_MUZZY && !failed,
		    failed ? pl->youngest : pb->stamp[i]);
	purged_add(&pl->purged[b->kind], how->calls, bytes);
	lock_drop(&pl->lock);
	b->bytes += bytes;
}

/* Purge a batch that is out of the pool; false when that cannot be. */
static bool
pool_purge_batch(struct pool *pl, const struct pool_batch *pb,
    struct budget *b)
{
	struct os_purge how = budget_purge(b);
	unsigned done;
	bool failed;

	how.lazy &= pool_break(pl, pb->r, pb->n, how.lazy);
	do
		done = hooks_purge(pl->hooks, pb->r, pb->n, pl->ind, &how);
	while (budget_retry(b, done, &how));
	failed = done < pb->n && !how.lazy && budget_left(b);
	pool_return(pl, pb, done, failed, &how, b);
	return (!failed);
}

void
pool_give_back(struct pool *pl, void *p, size_t size, uint64_t now)
{
	struct os_purge how = OS_PURGE_FORCED;
	struct os_range r = { p, size };
	bool gone;

	if (pool_is_lent(pl)) {
		lent_give_back(pl, p, size, now);
		return;
	}
	(void)pool_break(pl, &r, 1, false);
	gone = hooks_purge(pl->hooks, &r, 1, pl->ind, &how) == 1;
	if (gone) {
		lock_take(&pl->lock);
		purged_add(&pl->purged[PAGES_DIRTY], how.calls, size);
		lock_drop(&pl->lock);
	}
	pool_free(pl, p, size, gone ? 0 : size, now);
	if (gone && (!conf.retain || unlikely(load_rlx(&limit_wall) != 0)))
		pool_trim(pl);
}

size_t
pool_purge(struct pool *pl, uint64_t before, size_t keep, struct budget *b)
{
	size_t bytes = b->bytes;
	struct pool_batch pb;
	bool ok = true;

	if (pool_is_lent(pl))
		return (lent_purge(pl, before, keep, b));
	while (ok && budget_left(b)) {
		lock_take(&pl->lock);
		pool_due(pl, before, keep, b, &pb);
		lock_drop(&pl->lock);
		if (pb.n == 0)
			break;
		ok = pool_purge_batch(pl, &pb, b);
	}
	if (b->bytes != bytes && unlikely(load_rlx(&limit_wall) != 0))
		pool_trim(pl);
	return (b->bytes - bytes);
}

/* Take a free extent of one state out of the pool, the largest first. */
static bool
pool_pop(struct pool *pl, enum extent_is is, struct os_range *r)
{
	struct extent *s;
	unsigned b, end;

	for (b = end = POOL_BUCKETS; b-- > 0;)
		if (bits_test(pl->mask[is], b))
			break;
	if (b >= end)
		return (false);
	s = TAILQ_FIRST(&pl->bucket[is][b]);
	r->addr = s->span.addr;
	r->len = s->span.size;
	extent_remove(pl, s);
	return (true);
}

void
pool_trim(struct pool *pl)
{
	struct os_range r;

	if (pool_is_lent(pl)) {
		lent_trim(pl);
		return;
	}
	lock_take(&pl->lock);
	while (pool_pop(pl, EXTENT_CLEAN, &r)) {
		map_release(r.addr, r.len);
		if (!hooks_dalloc(pl->hooks, r.addr, r.len, pl->ind)) {
			extent_insert(pl, r.addr, r.len, 0, false, 0);
			break;
		}
		pl->mapped -= r.len;
		mark_cut(&pl->marks, r.addr, r.len);
	}
	lock_drop(&pl->lock);
}

void
pool_empty(struct pool *pl)
{
	struct os_range r;

	if (pool_is_lent(pl)) {
		lent_empty(pl);
		return;
	}
	lock_take(&pl->lock);
	while (pool_pop(pl, EXTENT_DIRTY, &r) ||
	    pool_pop(pl, EXTENT_MUZZY, &r) || pool_pop(pl, EXTENT_CLEAN, &r)) {
		map_release(r.addr, r.len);
		/* What stays is nobody's. */
		(void)hooks_dalloc(pl->hooks, r.addr, r.len, pl->ind);
		pl->mapped -= r.len;
		mark_cut(&pl->marks, r.addr, r.len);
	}
	DSM_ASSERT(pl->mapped == 0);
	pl->grow = POOL_GROW_MIN;
	lock_drop(&pl->lock);
}

/* Has the map memory for an extent's inside, other than where its own words
 * are? */
static bool
extent_mapped(const struct extent *s)
{

	return (s->span.size > 2 * MAP_GRANULE &&
	    map_holds(s->span.addr + MAP_GRANULE, s->span.size -
	    2 * MAP_GRANULE));
}

/* Take such extents out of the pool; how many. */
static unsigned
pool_take_mapped(struct pool *pl, struct os_range *r, unsigned max)
{
	const uint64_t *mask = pl->mask[EXTENT_CLEAN];
	struct extent *next, *s;
	unsigned b = 0, n = 0;

	LOCK_ASSERT(&pl->lock);
	for (; (b = bits_next_set(mask, b, POOL_BUCKETS)) < POOL_BUCKETS; b++)
		for (s = TAILQ_FIRST(&pl->bucket[EXTENT_CLEAN][b]);
		    s != NULL && n < max; s = next) {
			next = TAILQ_NEXT(s, link);
			if (!extent_mapped(s))
				continue;
			r[n].addr = s->span.addr;
			r[n++].len = s->span.size;
			extent_remove(pl, s);
		}
	return (n);
}

void
pool_purge_map(struct pool *pl, struct budget *b)
{
	struct os_range r[OS_PURGE_MAX];
	unsigned i, n;

	if (pool_is_lent(pl))
		return;
	lock_take(&pl->lock);
	n = pool_take_mapped(pl, r, NITEMS(r));
	lock_drop(&pl->lock);
	if (n == 0)
		return;
	for (i = 0; i < n && !budget_late(b); i++)
		map_release(r[i].addr, r[i].len);
	lock_take(&pl->lock);
	for (i = 0; i < n; i++)
		extent_insert(pl, r[i].addr, r[i].len, 0, false, 0);
	lock_drop(&pl->lock);
}
