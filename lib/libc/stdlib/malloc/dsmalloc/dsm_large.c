/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_base.h"
#include "dsm_decay.h"
#include "dsm_large.h"
#include "dsm_lent.h"
#include "dsm_limit.h"
#include "dsm_map.h"
#include "dsm_print.h"

/* From this size on a block starts at a huge page's boundary: moving and
 * growing it by mremap is then a matter of page tables. */
#define	LARGE_ALIGN_MIN	MIB(2)
/* A stocked block serves a request down to 8/9 of its size: 12.5 % more
 * than asked for at most. */
#define	LARGE_FITS(have, want)	((have) >= (want) && \
				    (have) - (want) <= (want) / 8)
/* Shrinking a block gives pages back when an eighth or more is freed. */
#define	LARGE_TRIM(have, want)	((have) - (want) >= (have) / 8)

void
large_init(struct large *l, struct regions *rs)
{

	l->regions = rs;
	lock_init(&l->lock, LOCK_LARGE);
	l->keeps = LARGE_STOCK_BYTES;
	l->oversize = SIZE_MAX;
	TAILQ_INIT(&l->straight);
}

/* The largest block that may be in stock. */
static inline size_t
large_stocks(const struct large *l)
{

	return (DSM_MIN(l->oversize, (size_t)LARGE_STOCK_BYTES));
}

/* Kept as the largest block that does not, so that none is SIZE_MAX. */
void
large_oversize_set(struct large *l, size_t size)
{

	lock_take(&l->lock);
	store_rlx(&l->oversize, size - 1);
	if (!l->moved)
		l->keeps = large_stocks(l);
	lock_drop(&l->lock);
}

size_t
large_oversize(const struct large *l)
{

	return (load_rlx(&l->oversize) + 1);
}

void
large_move_to(struct large *l, struct regions *rs)
{

	lock_take(&l->lock);
	l->keeps = 0;
	l->moved = true;
	store_rel(&l->regions, rs);
	lock_drop(&l->lock);
}

/* Whose pages a block has. */
static inline struct regions *
large_home(const struct extent *e)
{

	return (e->span.region != NULL ? e->span.region->set : e->home);
}

static void
large_out(struct large *l, const struct extent *e)
{

	l->bytes += e->span.size;
	l->nmalloc++;
}

/* The youngest in stock that fits exactly, else that is near: its place, or
 * nstock where none is. */
static DSM_INLINE unsigned
stock_find(const struct large *l, size_t size)
{
	unsigned i = l->nstock, near = l->nstock;

	while (i-- > 0) {
		if (likely(l->stock[i]->span.size == size))
			return (i);
		if (near == l->nstock &&
		    LARGE_FITS(l->stock[i]->span.size, size))
			near = i;
	}
	return (near);
}

static DSM_INLINE struct extent *
stock_remove(struct large *l, unsigned i)
{
	struct extent *e = l->stock[i];
	unsigned n = l->nstock - 1;

	LOCK_ASSERT(&l->lock);
	for (; i < n; i++)
		l->stock[i] = l->stock[i + 1];
	store_rlx(&l->nstock, n);
	l->stock_bytes -= e->span.size;
	return (e);
}

void *
large_restock(struct large *l, size_t size)
{
	struct extent *e;
	void *p = NULL;
	unsigned i;

	if (size > LARGE_STOCK_BYTES || load_rlx(&l->nstock) == 0)
		return (NULL);
	lock_take(&l->lock);
	i = stock_find(l, ROUND_UP(size, os_page));
	if (likely(i < l->nstock)) {
		e = stock_remove(l, i);
		e->span.kind = SPAN_LARGE;
		large_out(l, e);
		p = e->span.addr;
	}
	lock_drop(&l->lock);
	return (p);
}

/* Pages straight from the pool: they are in the books before the charge is
 * settled. */
static bool
large_direct(struct large *l, struct extent *e, size_t size, size_t align,
    bool *zeroed)
{
	struct regions *rs = load_acq(&l->regions);
	size_t charged, dirty;

	if (size >= LARGE_ALIGN_MIN && align < LARGE_ALIGN_MIN &&
	    !pool_is_lent(rs->pool))
		align = LARGE_ALIGN_MIN;
	if (!limit_charge(size, &charged))
		return (false);
	e->span.region = NULL;
	e->home = rs;
	e->span.addr = pool_alloc(rs->pool, size, align, &dirty);
	if (e->span.addr == NULL) {
		limit_settle(charged, 0);
		return (false);
	}
	lock_take(&l->lock);
	TAILQ_INSERT_HEAD(&l->straight, e, lru);
	lock_drop(&l->lock);
	(void)add_rlx(&rs->direct, size);
	limit_settle(charged, size - dirty);
	regions_fresh(rs, size - dirty);
	*zeroed = dirty == 0;
	return (true);
}

/* Pages for a block, from a region or straight from the pool. */
static bool
large_pages(struct large *l, struct extent *e, size_t size, size_t align,
    bool *zeroed)
{
	size_t slack = align > os_page ? align - os_page : 0;
	struct regions *rs = load_acq(&l->regions);
	size_t head;
	char *p, *q;

	if (size + slack > REGION_RUN_MAX)
		return (large_direct(l, e, size, align, zeroed));
	while ((p = region_alloc(rs, size + slack, &e->span.region,
	    &e->span.page, zeroed)) == NULL)
		if (!regions_grow(rs, size + slack))
			return (false);
	if (slack != 0) {
		/* Cut the aligned part out of the run. */
		q = (char *)ROUND_UP((uintptr_t)p, align);
		head = (size_t)(q - p);
		if (head != 0)
			region_free(e->span.region, e->span.page, head, 0);
		e->span.page += (uint16_t)(head >> os_page_shift);
		if (slack != head)
			region_free(e->span.region, e->span.page +
			    (unsigned)(size >> os_page_shift), slack - head,
			    0);
		p = q;
	}
	e->span.addr = p;
	return (true);
}

void *
large_alloc(struct large *l, size_t size, size_t align, bool *zeroed)
{
	struct extent *e;
	void *p;

	if (size > SIZE_LARGE_MAX || align > SIZE_LARGE_MAX)
		return (NULL);
	*zeroed = false;
	if (align <= os_page && (p = large_restock(l, size)) != NULL)
		return (p);
	size = ROUND_UP(size, os_page);
	if ((e = base_alloc(BASE_SPAN, sizeof(*e))) == NULL)
		return (NULL);
	if (!large_pages(l, e, size, align, zeroed)) {
		base_free(BASE_SPAN, e, sizeof(*e));
		return (NULL);
	}
	e->span.size = e->span.usable = size;
	e->span.owner = l;
	e->span.kind = SPAN_LARGE;
	map_set_one(e->span.addr, e, 0);
	lock_take(&l->lock);
	large_out(l, e);
	lock_drop(&l->lock);
	return (e->span.addr);
}

/*
 * A table is often used here and there only: giving back the pages that it had
 * before costs a tenth of clearing them, and no page has memory again that is
 * not written to.  Where all of it is, small pages cost twice the clearing and
 * huge ones less.  A part of a huge page at either end leaves the process, and
 * stays with the kernel until that is short of memory: to break it up would
 * take as long as clearing it.
 */
bool
large_zero(struct extent *e)
{
	struct pool *pl = large_home(e)->pool;
	struct os_range r = { e->span.addr, e->span.size };
	struct os_purge how = OS_PURGE_FORCED;

	return (e->span.region == NULL && !pool_is_lent(pl) &&
	    hooks_purge(pl->hooks, &r, 1, pl->ind, &how) == 1);
}

/* The pages of a block from "off" on go back to where they came from, or first
 * to the system. */
static void
large_give(const struct extent *e, size_t off, size_t size, uint64_t now)
{
	const struct large *l = e->span.owner;
	bool over = unlikely(size > load_rlx(&l->oversize)) && !hooks_within();
	unsigned page = e->span.page + (unsigned)(off >> os_page_shift);
	char *p = e->span.addr + off;

	if (e->span.region != NULL && over)
		region_give_back(e->span.region, page, size, now);
	else if (e->span.region != NULL)
		region_free(e->span.region, page, size, now);
	else if (over)
		pool_give_back(e->home->pool, p, size, now);
	else
		pool_free(e->home->pool, p, size, size, now);
}

static void
large_release(struct extent *e, uint64_t now)
{

	map_set_one(e->span.addr, NULL, 0);
	large_give(e, 0, e->span.size, now);
	e->span.kind = SPAN_NONE;
	base_free(BASE_SPAN, e, sizeof(*e));
}

/* A block is about to be released: to the books it is gone. */
static void
large_gone(struct large *l, struct extent *e)
{

	LOCK_ASSERT(&l->lock);
	if (e->span.region == NULL) {
		TAILQ_REMOVE(&l->straight, e, lru);
		sub_rlx(&e->home->direct, e->span.size);
	}
}

static inline bool
stock_is_full(const struct large *l)
{

	return (l->nstock > LARGE_STOCK || l->stock_bytes > LARGE_STOCK_BYTES);
}

/* The oldest of the stock, if there is too much of it or it is too old. */
static struct extent *
large_excess(struct large *l, uint64_t before)
{
	struct extent *e;

	if (l->nstock == 0 ||
	    (!stock_is_full(l) && l->stock[0]->stamp >= before))
		return (NULL);
	e = stock_remove(l, 0);
	large_gone(l, e);
	return (e);
}

bool
large_drain(struct large *l, uint64_t before, uint64_t now)
{
	struct extent *e;
	bool any = false;

	for (;;) {
		lock_take(&l->lock);
		e = large_excess(l, before);
		lock_drop(&l->lock);
		if (e == NULL)
			return (any);
		any = true;
		/* Its pages have been dirty since it was freed. */
		if (e->span.region != NULL && e->stamp < before &&
		    before != UINT64_MAX)
			region_age(e->span.region, e->span.page, e->span.size);
		large_release(e, e->span.region == NULL ? e->stamp : now);
	}
}

/* Does a block go to the stock? */
static DSM_INLINE bool
large_keeps(const struct large *l, const struct extent *e)
{

	return (likely(e->span.size <= l->keeps) || (unlikely(l->moved) &&
	    e->span.size <= large_stocks(l) && large_home(e) == l->regions));
}

void
large_free(struct extent *e, uint64_t now)
{
	struct large *l = e->span.owner;
	struct extent *out = NULL;

	lock_take(&l->lock);
	if (unlikely(e->span.kind != SPAN_LARGE))
		print_fatal("free(%p): the block of %zu bytes is free already "
		    "(double free)", (void *)e->span.addr, e->span.size);
	l->bytes -= e->span.size;
	l->ndalloc++;
	if (large_keeps(l, e)) {
		e->span.kind = SPAN_STOCK;
		e->stamp = now;
		l->stock[l->nstock] = e;
		store_rlx(&l->nstock, l->nstock + 1);
		l->stock_bytes += e->span.size;
		e = NULL;
		if (unlikely(stock_is_full(l)))
			out = large_excess(l, 0);
	} else
		large_gone(l, e);
	lock_drop(&l->lock);
	if (e != NULL)
		large_release(e, now);
	if (out != NULL) {
		large_release(out, now);
		(void)large_drain(l, 0, now);
	}
}

static void
large_account(struct large *l, const struct extent *e, size_t osize)
{

	lock_take(&l->lock);
	l->bytes += e->span.size - osize;
	lock_drop(&l->lock);
	if (e->span.region == NULL)
		(void)add_rlx(&e->home->direct, e->span.size - osize);
}

static void
large_shrink(struct extent *e, size_t nsize, uint64_t now)
{
	size_t osize = e->span.size;
	struct large *l = e->span.owner;
	struct pool *pl = large_home(e)->pool;

	if (e->span.region == NULL && pool_is_lent(pl) &&
	    !lent_divide(pl, e->span.addr, nsize, osize - nsize))
		return;
	e->span.size = e->span.usable = nsize;
	large_account(l, e, osize);
	large_give(e, nsize, osize - nsize, now);
}

/* Grow into free pages behind the block. */
static bool
large_grow(struct extent *e, size_t nsize)
{
	struct large *l = e->span.owner;
	size_t charged = 0, dirty = 0, osize = e->span.size;

	if (e->span.region != NULL) {
		if (nsize > REGION_RUN_MAX || !region_extend(e->span.region,
		    e->span.page, osize, nsize))
			return (false);
	} else {
		if (!limit_charge(nsize - osize, &charged))
			return (false);
		if (!pool_extend(e->home->pool, e->span.addr, osize,
		    nsize - osize, &dirty)) {
			limit_settle(charged, 0);
			return (false);
		}
		regions_fresh(e->home, nsize - osize - dirty);
	}
	e->span.size = e->span.usable = nsize;
	large_account(l, e, osize);
	limit_settle(charged, nsize - osize - dirty);
	return (true);
}

/*
 * Move a block's pages to a larger place: page tables only.  *dirty: how much
 * of that had memory, which is dropped.  The block keeps a mapping of its own,
 * which before Linux 6.17 is all that can be moved again: it is made longer by
 * the same call, except where what comes has memory.
 */
static void *
large_move(struct extent *e, size_t nsize, size_t *dirty)
{
	struct large *l = e->span.owner;
	struct pool *pl = e->home->pool;
	size_t gone, msize, osize = e->span.size;
	bool lost, marked;
	char *p;

	if ((p = pool_alloc(pl, nsize, LARGE_ALIGN_MIN, dirty)) == NULL)
		return (NULL);
	msize = *dirty == 0 ? nsize : osize;
	marked = pool_marked(pl, e->span.addr);
	/* Before the old place is gone: then it may be another thread's. */
	map_set_one(e->span.addr, NULL, 0);
	if (!os_move(e->span.addr, osize, p, msize, &lost)) {
		map_set_one(e->span.addr, e, 0);
		/* What is not mapped is nobody's. */
		gone = lost ? msize : 0;
		pool_forget(pl, p, gone);
		if (gone != nsize)
			pool_free(pl, p + gone, nsize - gone,
			    DSM_MIN(*dirty, nsize - gone),
			    load_rlx(&decay_clock));
		return (NULL);
	}
	pool_forget(pl, e->span.addr, osize);
	e->span.addr = p;
	e->span.size = e->span.usable = nsize;
	map_set_one(p, e, 0);
	(void)pool_mark(pl, p, nsize, marked);
	large_account(l, e, osize);
	return (p);
}

/* The same where it may be; what is charged is what it grows by. */
static void *
large_try_move(struct extent *e, size_t nsize)
{
	size_t charged, dirty = 0, more = nsize - e->span.size;
	void *p;

	if (e->span.region != NULL || pool_is_lent(e->home->pool) ||
	    !hooks_movable(e->home->pool->hooks) ||
	    !limit_charge(more, &charged))
		return (NULL);
	p = large_move(e, nsize, &dirty);
	limit_settle(charged, p == NULL ? 0 : more - dirty);
	return (p);
}

void *
large_resize(struct extent *e, size_t nsize, uint64_t now)
{

	if (nsize > SIZE_LARGE_MAX)
		return (NULL);
	nsize = ROUND_UP(nsize, os_page);
	if (nsize <= e->span.size) {
		if (LARGE_TRIM(e->span.size, nsize) && nsize != e->span.size)
			large_shrink(e, nsize, now);
		return (e->span.addr);
	}
	if (large_grow(e, nsize))
		return (e->span.addr);
	return (large_try_move(e, nsize));
}

void
large_drop(struct extent *e)
{

	map_set_one(e->span.addr, NULL, 0);
	e->span.kind = SPAN_NONE;
	base_free(BASE_SPAN, e, sizeof(*e));
}

/* What was out counts as given back. */
void
large_reset(struct large *l)
{
	uint64_t now = load_rlx(&decay_clock);
	struct extent *e;

	for (;;) {
		lock_take(&l->lock);
		if ((e = TAILQ_FIRST(&l->straight)) != NULL)
			large_gone(l, e);
		lock_drop(&l->lock);
		if (e == NULL)
			break;
		large_release(e, now);
	}
	lock_take(&l->lock);
	store_rlx(&l->nstock, 0);
	l->stock_bytes = 0;
	store_rlx(&l->bytes, 0);
	store_rlx(&l->ndalloc, l->nmalloc);
	lock_drop(&l->lock);
}

void
large_recount(struct large *l)
{

	lock_take(&l->lock);
	store_rlx(&l->nmalloc, 0);
	store_rlx(&l->ndalloc, 0);
	lock_drop(&l->lock);
}
