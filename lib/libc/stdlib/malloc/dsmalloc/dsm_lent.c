/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_base.h"
#include "dsm_hooks.h"
#include "dsm_lent.h"

/* What alloc may say in the low bits of an address. */
#define	LENT_PINNED	0x1u
#define	LENT_FLAGS	0xffu

/* How a free extent is that is not dirty. */
#define	STATE_RAW	1u		/* may hold anything */
#define	STATE_DECOMMITTED 2u
#define	STATE_PINNED	4u		/* stays as it is; raw, too */

static struct extent *
lent_new(char *p, size_t size, size_t dirty, unsigned state, uint64_t stamp)
{
	struct extent *e;

	if ((e = base_alloc(BASE_SPAN, sizeof(*e))) == NULL)
		return (NULL);
	e->span.addr = p;
	e->span.size = size;
	e->span.region = NULL;
	e->span.kind = SPAN_NONE;
	e->dirty = dirty;
	e->muzzy = false;
	e->state = (uint8_t)state;
	e->stamp = stamp;
	return (e);
}

static void
lent_delete(struct extent *e)
{

	base_free(BASE_SPAN, e, sizeof(*e));
}

/* Into the pool: what is not clean by age. */
static void
lent_link(struct pool *pl, struct extent *e)
{
	struct extent_list *owed = &pl->owed[e->muzzy];
	struct extent *o = NULL;

	LOCK_ASSERT(&pl->lock);
	e->span.kind = SPAN_FREE;
	e->span.owner = pl;
	if (e->dirty != 0) {
		TAILQ_FOREACH_REVERSE(o, owed, extent_list, link)
			if (o->stamp <= e->stamp)
				break;
		if (o != NULL)
			TAILQ_INSERT_AFTER(owed, o, e, link);
		else
			TAILQ_INSERT_HEAD(owed, e, link);
		pl->held[e->muzzy] += e->dirty;
	} else {
		TAILQ_INSERT_HEAD(&pl->kept, e, link);
		pl->clean += e->span.size;
	}
	extent_mark(e, e, MAP_TAG_FREE);
}

/* Out of it: from here on it is the caller's alone. */
static void
lent_unlink(struct pool *pl, struct extent *e)
{

	LOCK_ASSERT(&pl->lock);
	if (e->dirty != 0) {
		TAILQ_REMOVE(&pl->owed[e->muzzy], e, link);
		pl->held[e->muzzy] -= e->dirty;
	} else {
		TAILQ_REMOVE(&pl->kept, e, link);
		pl->clean -= e->span.size;
	}
	e->span.kind = SPAN_NONE;
	extent_mark(e, NULL, 0);
}

static void
lent_put(struct pool *pl, struct extent *e)
{

	lock_take(&pl->lock);
	lent_link(pl, e);
	lock_drop(&pl->lock);
}

void
lent_adopt(struct pool *pl, struct extent_list *all)
{
	struct extent *e;

	TAILQ_INIT(&pl->owed[PAGES_DIRTY]);
	TAILQ_INIT(&pl->owed[PAGES_MUZZY]);
	TAILQ_INIT(&pl->kept);
	TAILQ_INIT(&pl->pinned);
	while ((e = TAILQ_FIRST(all)) != NULL) {
		TAILQ_REMOVE(all, e, link);
		e->muzzy = false;
		e->state = 0;
		lent_link(pl, e);
	}
}

/*
 * The hooks, each with no lock held and the thread's cache out of its reach.
 */

/* Others may be set at any time: what is called is of one set. */
static struct hooks *
lent_hooks(const struct pool *pl)
{

	return (load_acq(&pl->hooks));
}

bool
lent_divide(struct pool *pl, void *p, size_t head, size_t tail)
{
	struct hooks_guard g;
	bool ok;

	hooks_enter(&g);
	ok = hooks_split(lent_hooks(pl), p, head, tail, pl->ind);
	hooks_leave(&g);
	return (ok);
}

static bool
lent_merge(struct pool *pl, char *a, size_t alen, char *b, size_t blen)
{
	struct hooks_guard g;
	bool ok;

	hooks_enter(&g);
	ok = hooks_merge(lent_hooks(pl), a, alen, b, blen, pl->ind);
	hooks_leave(&g);
	return (ok);
}

static bool
lent_dalloc(struct pool *pl, const struct extent *e)
{
	struct hooks *h = lent_hooks(pl);
	struct hooks_guard g;
	bool ok;

	hooks_enter(&g);
	ok = h->dalloc != NULL && !h->dalloc(h, e->span.addr, e->span.size,
	    (e->state & STATE_DECOMMITTED) == 0, pl->ind);
	hooks_leave(&g);
	return (ok);
}

static void
lent_destroy(struct pool *pl, const struct extent *e)
{
	struct hooks *h = lent_hooks(pl);
	struct hooks_guard g;

	hooks_enter(&g);
	if (h->destroy != NULL)
		h->destroy(h, e->span.addr, e->span.size,
		    (e->state & STATE_DECOMMITTED) == 0, pl->ind);
	hooks_leave(&g);
}

static bool
lent_commit(struct pool *pl, struct extent *e)
{
	struct hooks *h = lent_hooks(pl);
	struct hooks_guard g;
	bool ok;

	if ((e->state & STATE_DECOMMITTED) == 0)
		return (true);
	hooks_enter(&g);
	ok = h->commit != NULL && !h->commit(h, e->span.addr, e->span.size, 0,
	    e->span.size, pl->ind);
	hooks_leave(&g);
	if (ok)
		e->state &= (uint8_t)~STATE_DECOMMITTED;
	return (ok);
}

/* decommit or one of the purges, of [off, off + len) of an extent. */
static bool
lent_part(struct pool *pl, struct hooks *h, hooks_part *f, char *p,
    size_t size, size_t off, size_t len)
{
	struct hooks_guard g;
	bool ok;

	hooks_enter(&g);
	ok = f != NULL && !f(h, p, size, off, len, pl->ind);
	hooks_leave(&g);
	return (ok);
}

bool
lent_purge_part(struct pool *pl, bool lazy, char *p, size_t size, size_t off,
    size_t len)
{
	struct hooks *h = lent_hooks(pl);

	return (lent_part(pl, h, lazy ? h->purge_lazy : h->purge_forced, p,
	    size, off, len));
}

/* An extent is due, but may be muzzy first. */
static bool
lent_ease(struct pool *pl, struct extent *e, const struct budget *b)
{

	if (!b->lazy || !lent_purge_part(pl, true, e->span.addr, e->span.size,
	    0, e->span.size))
		return (false);
	e->muzzy = true;
	e->stamp = b->now;
	return (true);
}

/* An extent is due: true when it is gone, else it is as it is. */
static bool
lent_retire(struct pool *pl, struct extent *e)
{
	char *p = e->span.addr;
	struct hooks *h = lent_hooks(pl);
	size_t size = e->span.size;

	if (lent_dalloc(pl, e))
		return (true);
	e->dirty = 0;
	e->muzzy = false;
	e->state = 0;
	if (lent_part(pl, h, h->decommit, p, size, 0, size))
		e->state = STATE_DECOMMITTED;
	else if (!lent_part(pl, h, h->purge_forced, p, size, 0, size)) {
		e->state = STATE_RAW;
		(void)lent_part(pl, h, h->purge_lazy, p, size, 0, size);
	}
	return (false);
}

/*
 * What is pinned, for as long as the pool has it.
 */

static bool
lent_pin(struct pool *pl, char *p, size_t size)
{
	struct extent *e;

	if ((e = lent_new(p, size, 0, STATE_PINNED, 0)) == NULL)
		return (false);
	lock_take(&pl->lock);
	TAILQ_INSERT_HEAD(&pl->pinned, e, link);
	lock_drop(&pl->lock);
	return (true);
}

bool
lent_pinned(struct pool *pl, const void *p)
{
	struct extent *e;

	lock_take(&pl->lock);
	TAILQ_FOREACH(e, &pl->pinned, link)
		if ((size_t)((const char *)p - e->span.addr) < e->span.size)
			break;
	lock_drop(&pl->lock);
	return (e != NULL);
}

static void
lent_unpin_all(struct pool *pl)
{
	struct extent *e;

	LOCK_ASSERT(&pl->lock);
	while ((e = TAILQ_FIRST(&pl->pinned)) != NULL) {
		TAILQ_REMOVE(&pl->pinned, e, link);
		lent_delete(e);
	}
}

/*
 * Taking.
 */

/* The smallest of a list that serves, taken out; exact: without a cut. */
static struct extent *
lent_take(struct pool *pl, struct extent_list *l, size_t size, size_t align,
    bool exact)
{
	struct extent *best = NULL, *e;

	lock_take(&pl->lock);
	TAILQ_FOREACH(e, l, link)
		if (extent_fit(e, size, align) != NULL &&
		    (!exact || e->span.size == size) &&
		    (best == NULL || e->span.size < best->span.size))
			best = e;
	if (best != NULL)
		lent_unlink(pl, best);
	lock_drop(&pl->lock);
	return (best);
}

/* Divide an extent that is the caller's: the part behind, or NULL. */
static struct extent *
lent_cut(struct pool *pl, struct extent *e, size_t head)
{
	size_t tail = e->span.size - head;
	struct extent *t;

	t = lent_new(e->span.addr + head, tail, DSM_MIN(e->dirty, tail),
	    e->state, e->stamp);
	if (t == NULL)
		return (NULL);
	if (!lent_divide(pl, e->span.addr, head, tail)) {
		lent_delete(t);
		return (NULL);
	}
	t->muzzy = e->muzzy;
	e->span.size = head;
	e->dirty = DSM_MIN(e->dirty, head);
	return (t);
}

/* Bring an extent to the size that is wanted; what is cut off stays free. */
static struct extent *
lent_carve(struct pool *pl, struct extent *e, size_t size, size_t align)
{
	size_t head = (size_t)(extent_fit(e, size, align) - e->span.addr);
	struct extent *t;

	if (head != 0) {
		t = lent_cut(pl, e, head);
		lent_put(pl, e);
		if ((e = t) == NULL)
			return (NULL);
	}
	if (e->span.size != size) {
		t = lent_cut(pl, e, size);
		lent_put(pl, t != NULL ? t : e);
		if (t == NULL)
			return (NULL);
	}
	return (e);
}

/* An extent from the hooks; NULL when they have none that we can use. */
static struct extent *
lent_grow(struct pool *pl, size_t size, size_t align)
{
	struct hooks *h = lent_hooks(pl);
	struct hooks_guard g;
	bool commit = true, zero = false;
	uintptr_t a;
	unsigned flags, state;
	struct extent *e;
	char *p;

	hooks_enter(&g);
	a = (uintptr_t)h->alloc(h, NULL, size, align, &zero, &commit, pl->ind);
	hooks_leave(&g);
	if (a == 0)
		return (NULL);
	flags = (unsigned)(a & LENT_FLAGS);
	p = (char *)(a - flags);
	state = (zero ? 0 : STATE_RAW) | (commit ? 0 : STATE_DECOMMITTED) |
	    ((flags & LENT_PINNED) != 0 ? STATE_PINNED : 0);
	if ((e = lent_new(p, size, 0, state, 0)) == NULL)
		return (NULL);
	if (((uintptr_t)p & (DSM_MAX(align, os_page) - 1)) != 0 ||
	    !map_prepare(p - MAP_GRANULE, size + 2 * MAP_GRANULE) ||
	    ((state & STATE_PINNED) != 0 && !lent_pin(pl, p, size))) {
		if (!lent_dalloc(pl, e))
			lent_destroy(pl, e);
		lent_delete(e);
		return (NULL);
	}
	lock_take(&pl->lock);
	pl->mapped += size;
	lock_drop(&pl->lock);
	return (e);
}

static struct extent *
lent_reuse(struct pool *pl, size_t size, size_t align, bool exact)
{
	struct extent *e;

	if ((e = lent_take(pl, &pl->owed[PAGES_DIRTY], size, align,
	    exact)) == NULL && (e = lent_take(pl, &pl->owed[PAGES_MUZZY],
	    size, align, exact)) == NULL)
		e = lent_take(pl, &pl->kept, size, align, exact);
	return (e == NULL ? NULL : lent_carve(pl, e, size, align));
}

/* What is not known to be zero is not clean, though it did not count as dirty
 * and is charged. */
static size_t
lent_dirty(const struct extent *e)
{

	return (e->dirty == 0 && e->state != 0 ? 1 : e->dirty);
}

void *
lent_alloc(struct pool *pl, size_t size, size_t align, size_t *dirty)
{
	struct extent *e;
	char *p;

	align = DSM_MAX(align, os_page);
	/* Where nothing can be split there may be one of just that size. */
	if ((e = lent_reuse(pl, size, align, true)) == NULL &&
	    (e = lent_reuse(pl, size, align, false)) == NULL &&
	    (e = lent_grow(pl, size, align)) == NULL)
		return (NULL);
	if (!lent_commit(pl, e)) {
		lent_put(pl, e);
		return (NULL);
	}
	p = e->span.addr;
	*dirty = lent_dirty(e);
	lent_delete(e);
	return (p);
}

/*
 * Giving.
 */

/* A free neighbour of the same state, taken out. */
static struct extent *
lent_neighbour(struct pool *pl, const struct extent *e, const char *at)
{
	struct extent *n = NULL;
	uint64_t w;

	lock_take(&pl->lock);
	w = map_find(at);
	if (map_tag(w) == MAP_TAG_FREE)
		n = map_span(w);
	if (n != NULL && (n->span.owner != pl || n->state != e->state ||
	    !n->dirty != !e->dirty || n->muzzy != e->muzzy))
		n = NULL;
	if (n != NULL)
		lent_unlink(pl, n);
	lock_drop(&pl->lock);
	return (n);
}

/* Join two that are the caller's; false when the hooks will not. */
static bool
lent_join(struct pool *pl, struct extent *a, struct extent *b)
{

	if (!lent_merge(pl, a->span.addr, a->span.size, b->span.addr,
	    b->span.size))
		return (false);
	a->span.size += b->span.size;
	a->dirty += b->dirty;
	a->stamp = DSM_MIN(a->stamp, b->stamp);
	lent_delete(b);
	return (true);
}

/* An extent of the caller's becomes free, joined with its neighbours. */
static void
lent_insert(struct pool *pl, struct extent *e)
{
	struct extent *n;

	n = lent_neighbour(pl, e, e->span.addr - MAP_GRANULE);
	if (n != NULL && lent_join(pl, n, e))
		e = n;
	else if (n != NULL)
		lent_put(pl, n);
	n = lent_neighbour(pl, e, e->span.addr + e->span.size);
	if (n != NULL && !lent_join(pl, e, n))
		lent_put(pl, n);
	lent_put(pl, e);
}

void
lent_free(struct pool *pl, void *p, size_t size, size_t dirty, uint64_t now)
{
	unsigned state = 0;
	struct extent *e;

	if (lent_pinned(pl, p)) {
		state = STATE_PINNED | STATE_RAW;
		dirty = 0;
	}
	/* Without memory for a descriptor it is lost to us, and to the hooks
	 * unless they take it. */
	if ((e = lent_new(p, size, dirty, state, now)) != NULL) {
		lent_insert(pl, e);
		return;
	}
	lock_take(&pl->lock);
	pl->mapped -= size;
	lock_drop(&pl->lock);
	(void)lent_dalloc(pl, &(struct extent){ .span = { .addr = p,
	    .size = size } });
}

bool
lent_extend(struct pool *pl, void *p, size_t size, size_t more,
    size_t *dirty)
{
	char *end = (char *)p + size;
	struct extent *e = NULL;
	uint64_t w;

	lock_take(&pl->lock);
	w = map_find(end);
	if (map_tag(w) == MAP_TAG_FREE)
		e = map_span(w);
	if (e != NULL && (e->span.owner != pl || e->span.addr != end ||
	    e->span.size < more))
		e = NULL;
	if (e != NULL)
		lent_unlink(pl, e);
	lock_drop(&pl->lock);
	if (e == NULL || (e = lent_carve(pl, e, more, os_page)) == NULL)
		return (false);
	if (((e->state & STATE_PINNED) != 0) != lent_pinned(pl, p) ||
	    !lent_commit(pl, e) || !lent_merge(pl, p, size, end, more)) {
		lent_put(pl, e);
		return (false);
	}
	*dirty = lent_dirty(e);
	lent_delete(e);
	return (true);
}

/* Take the next extent that is due out of the pool. */
static struct extent *
lent_due(struct pool *pl, enum pages kind, uint64_t before, size_t keep)
{
	struct extent *e;

	lock_take(&pl->lock);
	e = TAILQ_FIRST(&pl->owed[kind]);
	if (e != NULL && e->stamp >= before && pl->held[kind] <= keep)
		e = NULL;
	if (e != NULL)
		lent_unlink(pl, e);
	lock_drop(&pl->lock);
	return (e);
}

static void
lent_gone(struct pool *pl, struct extent *e)
{

	lock_take(&pl->lock);
	pl->mapped -= e->span.size;
	lock_drop(&pl->lock);
	lent_delete(e);
}

size_t
lent_owed(struct pool *pl, enum pages kind, uint64_t old, uint64_t young,
    uint64_t since)
{
	unsigned looks = POOL_LOOKS;
	struct extent *e;
	size_t owed = 0;

	lock_take(&pl->lock);
	TAILQ_FOREACH(e, &pl->owed[kind], link) {
		if (e->stamp >= young || looks-- == 0)
			break;
		owed += extent_owed(e, old, since);
	}
	lock_drop(&pl->lock);
	return (owed);
}

/* One that is due goes, or is kept; what of it was purged. */
static size_t
lent_purge_one(struct pool *pl, struct extent *e, const struct budget *b)
{
	size_t dirty = e->dirty;

	if (lent_ease(pl, e, b))
		lent_insert(pl, e);
	else if (lent_retire(pl, e))
		lent_gone(pl, e);
	else {
		if (e->state == STATE_RAW)
			dirty = 0;
		lent_insert(pl, e);
	}
	lock_take(&pl->lock);
	purged_add(&pl->purged[b->kind], 1, dirty);
	lock_drop(&pl->lock);
	return (dirty);
}

/* As one that is due, before it joins any other. */
void
lent_give_back(struct pool *pl, void *p, size_t size, uint64_t now)
{
	const struct budget b = BUDGET_ALL;
	struct extent *e = NULL;

	if (!lent_pinned(pl, p))
		e = lent_new(p, size, size, 0, now);
	if (e != NULL)
		(void)lent_purge_one(pl, e, &b);
	else
		lent_free(pl, p, size, size, now);
}

size_t
lent_purge(struct pool *pl, uint64_t before, size_t keep, struct budget *b)
{
	size_t bytes = b->bytes, dirty;
	struct extent *e;

	while (budget_left(b) && (e = lent_due(pl, b->kind, before,
	    keep)) != NULL) {
		dirty = lent_purge_one(pl, e, b);
		b->bytes += dirty;
		/* What no hook purges takes time too. */
		if (dirty == 0 && budget_late(b))
			break;
	}
	return (b->bytes - bytes);
}

/* Take the first one kept out of the pool that is not pinned, or any. */
static struct extent *
lent_pop(struct pool *pl, bool any)
{
	struct extent *e;

	lock_take(&pl->lock);
	TAILQ_FOREACH(e, &pl->kept, link)
		if (any || (e->state & STATE_PINNED) == 0)
			break;
	if (e != NULL)
		lent_unlink(pl, e);
	lock_drop(&pl->lock);
	return (e);
}

/* As far as dalloc takes it; the first that it declines ends it. */
void
lent_trim(struct pool *pl)
{
	struct extent *e;

	while ((e = lent_pop(pl, false)) != NULL) {
		if (!lent_dalloc(pl, e)) {
			lent_put(pl, e);
			break;
		}
		lent_gone(pl, e);
	}
}

void
lent_empty(struct pool *pl)
{
	struct extent *e;

	while ((e = lent_due(pl, PAGES_DIRTY, UINT64_MAX, 0)) != NULL ||
	    (e = lent_due(pl, PAGES_MUZZY, UINT64_MAX, 0)) != NULL ||
	    (e = lent_pop(pl, true)) != NULL) {
		if ((e->state & STATE_PINNED) != 0 || !lent_dalloc(pl, e))
			lent_destroy(pl, e);
		lent_gone(pl, e);
	}
	lock_take(&pl->lock);
	DSM_ASSERT(pl->mapped == 0);
	lent_unpin_all(pl);
	lock_drop(&pl->lock);
}
