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

void
regions_init(struct regions *rs, struct pool *pool)
{
	unsigned i;

	rs->pool = pool;
	lock_init(&rs->lock, LOCK_REGION);
	for (i = 0; i < REGION_BUCKETS; i++)
		LIST_INIT(&rs->bucket[i]);
	TAILQ_INIT(&rs->all[PAGES_DIRTY]);
	TAILQ_INIT(&rs->all[PAGES_MUZZY]);
	LIST_INIT(&rs->broken);
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

void
region_set_longest(struct region *r, unsigned longest)
{
	unsigned was = r->longest;

	r->longest = (uint16_t)longest;
	if (bits_quarter(was) != bits_quarter(longest)) {
		region_unlink(r, was);
		region_link(r);
	}
}

unsigned
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
	unsigned dirty = 0, i, muzzy = 0;

	for (i = 0; i < REGION_WORDS; i++) {
		dirty += (unsigned)__builtin_popcountll(r->touched[i] &
		    ~r->used[i] & ~r->muzzy[i]);
		muzzy += (unsigned)__builtin_popcountll(r->touched[i] &
		    ~r->used[i] & r->muzzy[i]);
	}
	if (r->huge)
		dirty = r->nused == 0 && r->ndirty == 0 ? 0 :
		    r->npages - (unsigned)r->nused;
	return (r->nused == bits_count(r->used, 0, r->npages) &&
	    r->nmuzzy == bits_count(r->muzzy, 0, r->npages) &&
	    r->nmuzzy == muzzy &&
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
	unsigned k;

	LOCK_ASSERT(&rs->lock);
	r->refused = rs->pass[PAGES_DIRTY] - 1;
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
	add_rlx(&rs->count, 1);
	add_rlx(&rs->nnew, 1);
	for (k = 0; k < PAGES_KINDS; k++) {
		r->pass[k] = rs->pass[k];
		rs->seen[k]++;
		TAILQ_INSERT_TAIL(&rs->all[k], r, all[k]);
	}
	region_link(r);
}

static struct region *
region_new(struct regions *rs)
{
	size_t align = REGION_BYTES, charged, dirty, size = REGION_BYTES;
	struct region *r;

	LOCK_ASSERT(&rs->lock);
	if (load_rlx(&rs->pool->mapped) == 0 && !conf_all_huge()) {
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

/* All marks are advice for good or bad at once: what was broken up keeps the
 * one against it, all else may be huge again. */
static void
regions_remark(struct regions *rs)
{
	char *but[REGION_BROKEN_MAX / 2 + 1];
	struct region *r;
	unsigned i, n = 0;

	LIST_FOREACH(r, &rs->broken, breaks) {
		DSM_ASSERT(n < NITEMS(but));
		for (i = n++; i > 0 && but[i - 1] > r->addr; i--)
			but[i] = but[i - 1];
		but[i] = r->addr;
	}
	pool_remark(rs->pool, but, n);
}

/* It goes, or is huge again, and with it a mapping or two. */
void
region_mended(struct region *r)
{
	struct regions *rs = r->set;

	LOCK_ASSERT(&rs->lock);
	LIST_REMOVE(r, breaks);
	if (--rs->nbroken == REGION_BROKEN_MAX / 2)
		regions_remark(rs);
}

void
region_detach(struct region *r)
{
	struct regions *rs = r->set;
	unsigned k;

	LOCK_ASSERT(&rs->lock);
	region_unlink(r, r->longest);
	for (k = 0; k < PAGES_KINDS; k++) {
		TAILQ_REMOVE(&rs->all[k], r, all[k]);
		rs->seen[k] -= r->pass[k] == rs->pass[k];
	}
	rs->nempty--;
	sub_rlx(&rs->count, 1);
	rs->pages -= r->npages;
	rs->dirty -= r->ndirty;
	rs->muzzy -= r->nmuzzy;
	if (r->broken)
		region_mended(r);
}

/* With one page of it dirty all that has memory is. */
void
region_delete(struct region *r, uint64_t now)
{
	size_t dirty = (size_t)(r->ndirty + r->nmuzzy) << os_page_shift;
	size_t size = (size_t)r->npages << os_page_shift;
	struct regions *rs = r->set;

	if (r->broken)
		(void)pool_mark(rs->pool, r->addr, REGION_BYTES, false);
	if (r->ndirty == 0 && r->nmuzzy != 0)
		pool_free_muzzy(rs->pool, r->addr, size, dirty, now);
	else
		pool_free(rs->pool, r->addr, size, dirty, now);
	base_free(BASE_REGION, r, sizeof(*r));
}

/*
 * The region whose longest run fits n pages tightest; among the first few
 * of those one that has as many dirty pages, or else muzzy ones.
 */
struct region *
region_fit(struct regions *rs, unsigned n)
{
	struct region *fit = NULL, *r;
	unsigned b = bits_quarter(n), tries = REGION_TRIES;
	uint64_t m;

	for (m = rs->mask & ~(uint64_t)0 << b; m != 0; m &= m - 1) {
		LIST_FOREACH(r, &rs->bucket[__builtin_ctzll(m)], link) {
			if (r->longest >= n && r->ndirty >= n)
				return (r);
			if (r->longest >= n && (fit == NULL ||
			    (r->nmuzzy >= n && fit->nmuzzy < n)))
				fit = r;
			if (tries == 0 || --tries == 0)
				break;
		}
		/* In the request's own bucket all may be too short; any of
		 * the others will do. */
		if (fit != NULL && (tries == 0 || rs->dirty + rs->muzzy < n))
			break;
	}
	return (fit);
}

void
region_rewrite(struct region *r, unsigned page, unsigned n)
{
	unsigned muzzy;

	if (r->huge) {
		page = 0;
		n = r->npages;
	}
	muzzy = bits_count(r->muzzy, page, page + n);
	bits_clear(r->muzzy, page, page + n);
	r->nmuzzy -= muzzy;
	r->set->muzzy -= muzzy;
	r->ndirty += muzzy;
	r->set->dirty += muzzy;
}

bool
region_take(struct region *r, unsigned page, unsigned n)
{
	unsigned dirty, end = page + n, i, touched = 0;
	uint64_t m;

	if (r->nused == 0)
		r->set->nempty--;
	r->idle = false;
	if (unlikely(r->nmuzzy != 0))
		region_rewrite(r, page, n);
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

/* The lowest run of n pages that have memory, dirty ones or muzzy too; npages
 * when there is none. */
static unsigned
region_search_held(const struct region *r, unsigned n, bool muzzy)
{
	uint64_t map[REGION_WORDS];
	unsigned end, i, start = 0;

	for (i = 0; i < REGION_WORDS; i++)
		map[i] = r->touched[i] & ~r->used[i];
	for (i = 0; i < REGION_WORDS && !muzzy && r->nmuzzy != 0; i++)
		map[i] &= ~r->muzzy[i];
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

/* Where n pages are taken: the lowest dirty ones, since they have memory, else
 * the lowest that may have some, else the lowest. */
static unsigned
region_place(const struct region *r, unsigned n)
{
	unsigned start = r->npages;

	/* Where all that is free is dirty the lowest run is. */
	if (r->ndirty >= n && r->ndirty + r->nused < r->npages)
		start = region_search_held(r, n, false);
	if (start == r->npages && r->nmuzzy != 0 && r->ndirty + r->nmuzzy >= n)
		start = region_search_held(r, n, true);
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
	size_t charged, had = rs->used + rs->dirty + rs->muzzy, most = n;

	if (r->huge && r->nused == 0 && r->ndirty + r->nmuzzy == 0)
		most = r->npages;
	if (!limit_charge(most << os_page_shift, &charged))
		return (false);
	*zeroed = region_take(r, page, n);
	limit_settle(charged, (rs->used + rs->dirty + rs->muzzy - had) <<
	    os_page_shift);
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

void
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
	if (r->nused == 0) {
		r->set->nempty++;
		region_settle(r, now);
	}
}

void
region_settle(struct region *r, uint64_t now)
{

	if (r->nused == 0 && !r->busy && r->set->nempty > 1 &&
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
	decay_stir(rs->pool->decay);
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
