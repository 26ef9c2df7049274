/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * region: what makes huge pages of regions, and small ones of huge ones.
 */
#include "dsm_bits.h"
#include "dsm_conf.h"
#include "dsm_region.h"

/* To break up a huge page takes 140 us and more and slows down who uses the
 * rest, so it is to be worth it: for an eighth, by default, since that is what
 * a set may hold beyond its use (dsm_arena.c). */
bool
region_yields(unsigned n, bool all)
{

	return (n != 0 && ((size_t)n << os_page_shift >=
	    conf.hpa_purge_threshold || all));
}

/* It has a mark of its own against being huge, in a range that may be. */
static void
region_bar(struct region *r)
{
	struct regions *rs = r->set;

	LOCK_ASSERT(&rs->lock);
	if (r->broken)
		return;
	r->broken = true;
	LIST_INSERT_HEAD(&rs->broken, r, breaks);
	if (++rs->nbroken > REGION_BROKEN_MAX)
		pool_unmark(rs->pool, POOL_MARKLESS_FULL);
}

/* Its free pages go, those too that were never touched, for they have
 * memory. */
void
region_broken(struct region *r)
{
	struct regions *rs = r->set;
	unsigned i;

	LOCK_ASSERT(&rs->lock);
	for (i = 0; i < REGION_WORDS; i++) {
		r->old[i] = bits_mask(i, 0, r->npages) & ~r->used[i];
		r->touched[i] |= r->old[i];
	}
	r->huge = false;
	rs->nbreak++;
	region_bar(r);
}

bool
region_unhuge(const struct region *r, void *page)
{

	os_break(page);
	return (os_nohuge(r->addr, REGION_BYTES));
}

/* All of it has memory, or may get it. */
static void
region_whole(struct region *r)
{
	unsigned nfree = r->npages - (unsigned)r->nused;

	r->set->dirty += nfree - r->ndirty;
	r->ndirty = (uint16_t)nfree;
	r->huge = true;
	if (r->broken) {
		r->broken = false;
		region_mended(r);
	}
}

/* The system did not take the advice: it may make it whole again. */
void
region_stays_huge(struct region *r)
{

	LOCK_ASSERT(&r->set->lock);
	region_whole(r);
	r->set->nbreak--;
}

/* What else lies in it is to go while one is at it; so long it stays. */
void
region_tell(struct region *r, struct budget *b)
{

	LOCK_ASSERT(&r->set->lock);
	if (b->reaps && b->broken == NULL && !r->busy) {
		r->busy = true;
		b->broken = r;
	}
}

void
region_reaped(struct region *r, uint64_t now)
{

	lock_take(&r->set->lock);
	r->busy = false;
	region_settle(r, now);
	lock_drop(&r->set->lock);
}

bool
region_break(struct region *r, void *page, size_t size, struct budget *b)
{
	bool huge, yields;

	if (r->pinned)
		return (false);
	lock_take(&r->set->lock);
	huge = r->huge;
	yields = !huge || region_yields((unsigned)(r->npages - r->nused) +
	    (unsigned)(size >> os_page_shift), false);
	if (huge && yields) {
		region_broken(r);
		region_tell(r, b);
	} else if (huge)
		store_rlx(&r->refused, r->set->pass[PAGES_DIRTY]);
	lock_drop(&r->set->lock);
	if (huge && yields && !region_unhuge(r, page)) {
		lock_take(&r->set->lock);
		region_stays_huge(r);
		lock_drop(&r->set->lock);
	}
	return (yields);
}

bool
region_ripe(struct region *r, uint64_t now)
{

	if (r->huge || r->pinned || r->busy || r->nmuzzy != 0 ||
	    pool_is_lent(r->set->pool) ||
	    r->npages != REGION_PAGES || !conf.hpa_hugify_sync ||
	    conf.hpa_hugify_style == CONF_HUGIFY_NONE ||
	    (size_t)r->nused << os_page_shift <
	    conf.hpa_hugification_threshold) {
		r->dense = 0;
		return (false);
	}
	if (r->dense == 0)
		r->dense = now;
	return (now - r->dense >= conf.hpa_hugify_delay_ms);
}

/* Where the pool may be huge, and is still under as many marks as it may have,
 * the region is one more, or a part of one. */
void
region_hugify(struct region *r, uint64_t now)
{
	struct regions *rs = r->set;
	bool marked, made, may;

	marked = pool_mark(rs->pool, r->addr, REGION_BYTES, false);
	made = marked && os_collapse(r->addr, REGION_BYTES);
	/* It may be huge all the same where no mark can be set against it. */
	may = marked && (made || !os_nohuge(r->addr, REGION_BYTES));
	lock_take(&rs->lock);
	r->busy = false;
	r->dense = 0;
	rs->nhugify += made;
	rs->nfail += marked && !made;
	if (may) {
		region_rewrite(r, 0, r->npages);
		region_whole(r);
	} else if (marked)
		region_bar(r);
	region_settle(r, now);
	lock_drop(&rs->lock);
}
