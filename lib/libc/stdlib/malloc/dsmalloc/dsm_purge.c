/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * purge: the part of pool that gives dirty extents back to the system.
 */
#include "dsm_lent.h"
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
pool_due(struct pool *pl, uint64_t before, size_t keep, size_t max,
    struct pool_batch *pb)
{
	size_t bytes = 0, most;
	struct extent *s;

	LOCK_ASSERT(&pl->lock);
	for (pb->n = 0; pb->n < NITEMS(pb->r) && bytes < max; pb->n++) {
		s = TAILQ_FIRST(&pl->lru);
		if (s == NULL || (s->stamp >= before && pl->dirty <= keep))
			break;
		most = max - bytes;
		if (s->stamp >= before)
			most = DSM_MIN(most, pl->dirty - keep);
		pb->stamp[pb->n] = s->stamp;
		pool_take_end(pl, s, pool_piece(pl, s, most), &pb->r[pb->n],
		    &pb->dirty[pb->n]);
		bytes += pb->dirty[pb->n];
	}
}

/* Where a part of a huge page goes that is worth it, break that up. */
static void
pool_break(struct pool *pl, const struct os_range *r, unsigned n)
{
	uintptr_t end, p;
	unsigned i;
	char *last;

	for (i = 0; i < n; i++) {
		p = (uintptr_t)r[i].addr;
		end = p + r[i].len;
		if (p % POOL_HUGE != 0 && DSM_MIN(r[i].len, POOL_HUGE -
		    p % POOL_HUGE) >= POOL_BREAK && pool_marked(pl, r[i].addr))
			os_break(r[i].addr);
		last = (char *)r[i].addr + r[i].len - os_page;
		if (DSM_MIN(r[i].len, end % POOL_HUGE) >= POOL_BREAK &&
		    pool_marked(pl, last))
			os_break(last);
	}
}

size_t
pool_owed(struct pool *pl, uint64_t old, uint64_t young, uint64_t since)
{
	unsigned looks = POOL_LOOKS;
	size_t owed = 0;
	struct extent *s;

	if (pool_is_lent(pl))
		return (lent_owed(pl, old, young, since));
	lock_take(&pl->lock);
	TAILQ_FOREACH(s, &pl->lru, lru) {
		if (s->stamp >= young || looks-- == 0)
			break;
		owed += extent_owed(s, old, since);
	}
	lock_drop(&pl->lock);
	return (ROUND_DOWN(owed, POOL_HUGE));
}

/* The first of a batch are clean now; failed: no more of it can be. */
static void
pool_return(struct pool *pl, const struct pool_batch *pb, unsigned done,
    bool failed, struct budget *b)
{
	unsigned i;

	lock_take(&pl->lock);
	pl->npurge++;
	for (i = 0; i < pb->n; i++) {
		/* What could not be purged (locked memory) counts as young
		 * again. */
		extent_insert(pl, pb->r[i].addr, pb->r[i].len,
		    i < done ? 0 : pb->dirty[i],
		    failed ? pl->youngest : pb->stamp[i]);
		if (i < done) {
			b->bytes += pb->dirty[i];
			pl->purged += pb->dirty[i];
		}
	}
	lock_drop(&pl->lock);
}

size_t
pool_purge(struct pool *pl, uint64_t before, size_t keep, struct budget *b)
{
	size_t bytes = b->bytes;
	struct pool_batch pb;
	bool failed = false;
	unsigned done;

	if (pool_is_lent(pl))
		return (lent_purge(pl, before, keep, b));
	while (!failed && budget_left(b)) {
		lock_take(&pl->lock);
		pool_due(pl, before, keep, budget_batch(b), &pb);
		lock_drop(&pl->lock);
		if (pb.n == 0)
			break;
		pool_break(pl, pb.r, pb.n);
		done = hooks_purge(pl->hooks, pb.r, pb.n, pl->ind,
		    budget_until(b));
		failed = done < pb.n && budget_left(b);
		pool_return(pl, &pb, done, failed, b);
	}
	return (b->bytes - bytes);
}
