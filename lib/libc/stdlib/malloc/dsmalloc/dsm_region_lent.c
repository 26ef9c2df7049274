/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * region: what is particular to explicit arenas: memory that hooks lend, and
 * giving up all regions at once.
 */
#include "dsm_bits.h"
#include "dsm_lent.h"
#include "dsm_limit.h"
#include "dsm_region.h"

/* Is there room?  Then it is not for want of it that nothing was taken, or
 * there was none before. */
static bool
regions_have(struct regions *rs, size_t size)
{
	bool have;

	lock_take(&rs->lock);
	have = region_fit(rs, (unsigned)(size >> os_page_shift)) != NULL;
	lock_drop(&rs->lock);
	return (have);
}

bool
regions_grow(struct regions *rs, size_t size)
{
	struct region *r;
	size_t charged, dirty;

	if (!pool_is_lent(rs->pool) || !limit_allows(size))
		return (false);
	if (regions_have(rs, size))
		return (true);
	r = region_get(rs, REGION_BYTES, size, os_page, &dirty, &charged);
	if (r == NULL)
		return (false);
	r->pinned = lent_pinned(rs->pool, r->addr);
	lock_take(&rs->lock);
	region_add(r, dirty, charged);
	lock_drop(&rs->lock);
	return (true);
}

/* An empty region that may go. */
static struct region *
regions_idle(struct regions *rs, bool all)
{
	struct region *r;

	lock_take(&rs->lock);
	TAILQ_FOREACH(r, &rs->all[PAGES_DIRTY], all[PAGES_DIRTY])
		if (r->nused == 0 && (all || r->idle))
			break;
	if (r != NULL)
		region_detach(r);
	lock_drop(&rs->lock);
	return (r);
}

void
regions_trim(struct regions *rs, bool all)
{
	struct region *r;

	/* Their pages have been dirty since before the last call. */
	while ((r = regions_idle(rs, all)) != NULL)
		region_delete(r, 0);
	lock_take(&rs->lock);
	TAILQ_FOREACH(r, &rs->all[PAGES_DIRTY], all[PAGES_DIRTY])
		r->idle = r->nused == 0;
	lock_drop(&rs->lock);
}

void
regions_lend(struct regions *rs)
{
	struct region *r;
	unsigned i;

	lock_take(&rs->lock);
	TAILQ_FOREACH(r, &rs->all[PAGES_DIRTY], all[PAGES_DIRTY]) {
		/* What other hooks purged is dirty to these. */
		region_rewrite(r, 0, r->npages);
		for (i = 0; i < REGION_WORDS && r->huge; i++)
			r->touched[i] |= bits_mask(i, 0, r->npages);
		if (r->huge && r->nused == 0) {
			rs->dirty += r->npages - r->ndirty;
			r->ndirty = r->npages;
		}
		r->huge = r->broken = false;
	}
	rs->nbroken = 0;
	LIST_INIT(&rs->broken);
	lock_drop(&rs->lock);
}

void
regions_reset(struct regions *rs, uint64_t now)
{
	struct region *r;

	for (;;) {
		lock_take(&rs->lock);
		if ((r = TAILQ_FIRST(&rs->all[PAGES_DIRTY])) != NULL) {
			region_rewrite(r, 0, r->npages);
			rs->nempty += r->nused != 0;
			rs->used -= r->nused;
			rs->dirty += r->nused;
			r->ndirty += r->nused;
			r->nused = 0;
			region_detach(r);
		}
		lock_drop(&rs->lock);
		if (r == NULL)
			break;
		region_delete(r, now);
	}
}

unsigned
regions_purge_pages(struct regions *rs, struct region *const *in,
    const struct os_range *v, unsigned n, struct os_purge *how)
{
	struct pool *pl = rs->pool;
	unsigned i;

	if (!pool_is_lent(pl))
		return (hooks_purge(pl->hooks, v, n, pl->ind, how));
	for (i = 0; i < n; i++) {
		if (how->until != UINT64_MAX && os_time_ns() >= how->until)
			break;
		how->calls++;
		if (!lent_purge_part(pl, how->lazy, in[i]->addr,
		    (size_t)in[i]->npages << os_page_shift,
		    (size_t)((char *)v[i].addr - in[i]->addr), v[i].len))
			break;
	}
	return (i);
}
