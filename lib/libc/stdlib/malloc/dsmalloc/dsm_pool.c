/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_base.h"
#include "dsm_bits.h"
#include "dsm_conf.h"
#include "dsm_lent.h"
#include "dsm_pool.h"

#define	POOL_GROW_MAX	MIB(64)
/* A region of which nothing is used yet is an eighth of this. */
#define	POOL_MARK_MIN	MIB(16)
/* From here on 64 MiB are in use, and the system may be asked by calls that
 * kill in a sandbox.  A pool grows by half of what it has. */
#define	POOL_ASK_MIN	MIB(96)
/* A block that is more than this part of the pool is often a table that is used
 * here and there only: it does not come in huge pages. */
#define	POOL_AHEAD	8
/* How many extents of the request's own class to look at for one that fits;
 * those of the next class all do. */
#define	POOL_TRIES	8

/* bits_quarter() of the largest request in 4 KiB pages. */
_Static_assert((SIZE_LARGE_BITS - 12) * 4 - 4 < POOL_BUCKETS,
    "a bucket for every size");

void
pool_init(struct pool *pl, struct hooks *hooks, unsigned ind)
{

	pl->hooks = hooks;
	pl->ind = ind;
	lock_init(&pl->lock, LOCK_POOL);
	TAILQ_INIT(&pl->lru[PAGES_DIRTY]);
	TAILQ_INIT(&pl->lru[PAGES_MUZZY]);
	pl->grow = POOL_GROW_MIN;
	pl->lent = false;
}

static unsigned
extent_bucket(size_t size)
{

	return (bits_quarter(size >> os_page_shift));
}

static unsigned
extent_is(const struct extent *s)
{

	if (s->dirty == 0)
		return (EXTENT_CLEAN);
	return (s->muzzy ? EXTENT_MUZZY : EXTENT_DIRTY);
}

/* Put a descriptor on its lists and into the map. */
static void
extent_link(struct pool *pl, struct extent *s)
{
	unsigned b = extent_bucket(s->span.size), d = extent_is(s);
	struct extent_list *lru = &pl->lru[s->muzzy];
	struct extent *o;

	LOCK_ASSERT(&pl->lock);
	/* A list is made when it gets its first extent: two pages of empty
	 * ones are not worth touching at every start. */
	if (!bits_test(pl->mask[d], b))
		TAILQ_INIT(&pl->bucket[d][b]);
	TAILQ_INSERT_HEAD(&pl->bucket[d][b], s, link);
	pl->mask[d][b / 64] |= (uint64_t)1 << (b % 64);
	if (d != EXTENT_CLEAN) {
		/* Almost always the youngest; a joined extent may be older. */
		TAILQ_FOREACH_REVERSE(o, lru, extent_list, lru)
			if (o->stamp <= s->stamp)
				break;
		if (o != NULL)
			TAILQ_INSERT_AFTER(lru, o, s, lru);
		else
			TAILQ_INSERT_HEAD(lru, s, lru);
		pl->held[s->muzzy] += s->dirty;
	} else
		pl->clean += s->span.size;
	extent_mark(s, s, MAP_TAG_FREE);
}

static void
extent_unlink(struct pool *pl, struct extent *s)
{
	unsigned b = extent_bucket(s->span.size), d = extent_is(s);

	LOCK_ASSERT(&pl->lock);
	TAILQ_REMOVE(&pl->bucket[d][b], s, link);
	if (TAILQ_EMPTY(&pl->bucket[d][b]))
		pl->mask[d][b / 64] &= ~((uint64_t)1 << (b % 64));
	if (d != EXTENT_CLEAN) {
		TAILQ_REMOVE(&pl->lru[s->muzzy], s, lru);
		pl->held[s->muzzy] -= s->dirty;
	} else
		pl->clean -= s->span.size;
	extent_mark(s, NULL, 0);
}

/* The free extent whose first or last granule is at p. */
static struct extent *
extent_at(struct pool *pl, const char *p)
{
	uint64_t w = map_find(p);
	struct extent *s;

	if (map_tag(w) != MAP_TAG_FREE)
		return (NULL);
	s = map_span(w);
	return (s->span.owner == pl ? s : NULL);
}

/* Is an extent of the same state as its neighbour beyond the edge? */
static bool
extent_joins(const struct pool *pl, const struct extent *s, size_t dirty,
    bool muzzy, const char *edge)
{

	return (!s->dirty == !dirty && s->muzzy == muzzy &&
	    mark_find(&pl->marks, edge - 1) == mark_find(&pl->marks, edge));
}

/*
 * Make [p, p + size) a free extent, joined with neighbours of its state.
 * Without memory for a descriptor the space is lost to the process, not to
 * the kernel: give it back.
 */
void
extent_insert(struct pool *pl, char *p, size_t size, size_t dirty,
    bool muzzy, uint64_t stamp)
{
	struct extent *next, *prev, *s;

	prev = extent_at(pl, p - MAP_GRANULE);
	next = extent_at(pl, p + size);
	s = NULL;
	if (prev != NULL && extent_joins(pl, prev, dirty, muzzy, p) &&
	    hooks_merge(pl->hooks, prev->span.addr, prev->span.size, p, size,
	    pl->ind)) {
		extent_unlink(pl, prev);
		p = prev->span.addr;
		size += prev->span.size;
		dirty += prev->dirty;
		stamp = DSM_MIN(stamp, prev->stamp);
		s = prev;
	}
	if (next != NULL && extent_joins(pl, next, dirty, muzzy, p + size) &&
	    hooks_merge(pl->hooks, p, size, next->span.addr, next->span.size,
	    pl->ind)) {
		extent_unlink(pl, next);
		size += next->span.size;
		dirty += next->dirty;
		stamp = DSM_MIN(stamp, next->stamp);
		if (s == NULL)
			s = next;
		else
			base_free(BASE_SPAN, next, sizeof(*next));
	}
	if (s == NULL && (s = base_alloc(BASE_SPAN, sizeof(*s))) == NULL) {
		if (hooks_dalloc(pl->hooks, p, size, pl->ind)) {
			pl->mapped -= size;
			mark_cut(&pl->marks, p, size);
		}
		return;
	}
	s->span.addr = p;
	s->span.size = size;
	s->span.owner = pl;
	s->span.region = NULL;
	s->span.kind = SPAN_FREE;
	s->dirty = dirty;
	s->muzzy = muzzy;
	s->stamp = stamp;
	extent_link(pl, s);
}

/* Is a request too big for space where each touch brings 2 MiB? */
static bool
pool_is_ahead(const struct pool *pl, size_t size)
{

	return (pl->mapped >= POOL_MARK_MIN && size > POOL_HUGE &&
	    size > pl->mapped / POOL_AHEAD && !conf_all_huge() &&
	    os_thp(false) != OS_THP_ALL);
}

static bool
extent_marked(const struct pool *pl, const struct extent *s)
{

	return (mark_find(&pl->marks, s->span.addr) ||
	    mark_find(&pl->marks, s->span.addr + s->span.size - 1));
}

/* The best of a list's first few, none that is marked if small is set. */
static struct extent *
bucket_fit(const struct pool *pl, const struct extent_list *l, size_t size,
    size_t align, bool small)
{
	unsigned tries = POOL_TRIES;
	struct extent *best = NULL, *s;

	TAILQ_FOREACH(s, l, link) {
		if (tries-- == 0)
			break;
		if (!(small && extent_marked(pl, s)) &&
		    extent_fit(s, size, align) != NULL &&
		    (best == NULL || s->span.size < best->span.size))
			best = s;
	}
	return (best);
}

/* The best fitting free extent of one state, or NULL. */
static struct extent *
pool_fit(struct pool *pl, enum extent_is is, size_t size, size_t align,
    bool small)
{
	unsigned b, end;
	struct extent *s;

	b = extent_bucket(size);
	/* Only lists with their bit set exist. */
	for (end = POOL_BUCKETS; (b = bits_next_set(pl->mask[is], b,
	    end)) < end; b++)
		if ((s = bucket_fit(pl, &pl->bucket[is][b], size, align,
		    small)) != NULL)
			return (s);
	return (NULL);
}

/* The part of an extent's dirt that is counted as in "size" bytes of it:
 * some, where there is any. */
static size_t
extent_share(size_t dirty, size_t whole, size_t size)
{

	if (dirty == 0 || dirty == whole)
		return (DSM_MIN(dirty, size));
	dirty = dirty / (whole >> os_page_shift) * (size >> os_page_shift);
	return (ROUND_UP(DSM_MAX(dirty, 1u), os_page));
}

/* Cut [p, p + size) out of a free extent, and what of it is dirty; the rest
 * stays free. */
bool
extent_cut(struct pool *pl, struct extent *s, char *p, size_t size,
    size_t *dirty)
{
	size_t head = (size_t)(p - s->span.addr);
	size_t tail = s->span.size - size - head;
	size_t was = s->dirty, whole = s->span.size;
	struct extent *t = NULL;

	if (head != 0 && tail != 0 &&
	    (t = base_alloc(BASE_SPAN, sizeof(*t))) == NULL)
		return (false);
	if ((head != 0 && !hooks_split(pl->hooks, s->span.addr, head,
	    size + tail, pl->ind)) || (tail != 0 && !hooks_split(pl->hooks,
	    p, size, tail, pl->ind))) {
		if (t != NULL)
			base_free(BASE_SPAN, t, sizeof(*t));
		return (false);
	}
	extent_unlink(pl, s);
	*dirty = extent_share(was, whole, size);
	if (t != NULL)
		*t = *s;
	if (tail != 0) {
		if (t == NULL)
			t = s;
		t->span.addr = p + size;
		t->span.size = tail;
		t->dirty = extent_share(was, whole, tail);
		extent_link(pl, t);
	}
	if (head != 0) {
		s->span.size = head;
		s->dirty = extent_share(was, whole, head);
		extent_link(pl, s);
	} else if (tail == 0) {
		s->span.kind = SPAN_NONE;
		base_free(BASE_SPAN, s, sizeof(*s));
	}
	return (true);
}

/* May the memory of a pool that has, or is about to have, so much be huge, and
 * does it take advice? */
static bool
pool_advised(const struct pool *pl, size_t mapped)
{

	return (conf.thp != CONF_THP_DEFAULT && hooks_movable(pl->hooks) &&
	    os_page * (os_page / sizeof(uint64_t)) == POOL_HUGE &&
	    os_thp(mapped >= POOL_ASK_MIN) != OS_THP_NOBODY);
}

/* Is a pool big enough, or small but good enough, or are all the processes' to
 * be huge anyway? */
static bool
pool_may_mark(const struct pool *pl, size_t size, bool small)
{

	if (pl->markless != 0 || size < POOL_HUGE ||
	    conf.thp == CONF_THP_NEVER || !pool_advised(pl, pl->mapped))
		return (false);
	return (small || conf_all_huge() || pl->mapped >= POOL_MARK_MIN ||
	    os_thp(false) == OS_THP_ALL);
}

/* A mark that is known without one does no harm, one that is not does. */
static bool
pool_mark_locked(struct pool *pl, char *p, size_t size)
{

	if (!mark_add(&pl->marks, p, size))
		return (false);
	if (os_huge(p, size))
		return (true);
	mark_cut(&pl->marks, p, size);
	return (false);
}

bool
pool_mark(struct pool *pl, void *p, size_t size, bool marked)
{

	lock_take(&pl->lock);
	if (!marked)
		marked = pool_may_mark(pl, size, conf.hpa) &&
		    pool_mark_locked(pl, p, size);
	else if ((marked = mark_add(&pl->marks, p, size)))
		(void)os_huge(p, size);
	else
		(void)os_nohuge(p, size);
	lock_drop(&pl->lock);
	return (marked);
}

void
pool_unmark(struct pool *pl, unsigned why)
{

	lock_take(&pl->lock);
	if (pl->markless == 0)
		mark_advise_against(&pl->marks);
	pl->markless |= why;
	lock_drop(&pl->lock);
}

void
pool_remark(struct pool *pl, char *const *but, unsigned n)
{

	lock_take(&pl->lock);
	if (pl->markless == POOL_MARKLESS_FULL && pool_advised(pl, pl->mapped))
		mark_advise_for(&pl->marks, but, n);
	pl->markless &= ~POOL_MARKLESS_FULL;
	lock_drop(&pl->lock);
}

/*
 * Advice for what was just mapped; step: by a growth unit.  Nothing but the
 * first unit, which is too small for a huge page, goes without: what is not
 * marked is not to be huge, whatever the system does else, or books were
 * wrong, and a small process was big.
 */
static void
pool_advise(struct pool *pl, char *p, size_t size, bool step)
{

	if (!pool_advised(pl, pl->mapped + size)) {
		mark_advise_against(&pl->marks);
		pl->marks.n = 0;
	} else if (step && pool_may_mark(pl, size, false))
		(void)pool_mark_locked(pl, p, size);
	else if (pl->mapped != 0 || size >= POOL_HUGE)
		(void)os_nohuge(p, size);
}

/*
 * New address space: the growth unit if the system grants it, else halves
 * of it down to the need itself (RLIMIT_AS, overcommit 2, a full machine).
 */
static bool
pool_grow(struct pool *pl, size_t size, size_t align)
{
	size_t unit = DSM_MAX(pl->grow, ROUND_UP(size, os_page));
	bool step = !pool_is_ahead(pl, size);
	char *p;

	if (!step)
		unit = ROUND_UP(size, os_page);
	else if (conf_all_huge())
		unit = ROUND_UP(unit, POOL_HUGE);
	while ((p = hooks_alloc(pl->hooks, unit, DSM_MAX(align,
	    unit >= POOL_HUGE ? POOL_HUGE : os_page), pl->ind)) == NULL) {
		if (unit == size)
			return (false);
		step = false;
		unit = DSM_MAX(size, ROUND_DOWN(unit / 2, os_page));
		pl->grow = POOL_GROW_MIN;
	}
	if (!map_prepare(p - MAP_GRANULE, unit + 2 * MAP_GRANULE)) {
		(void)hooks_dalloc(pl->hooks, p, unit, pl->ind);
		return (false);
	}
	pool_advise(pl, p, unit, step);
	pl->mapped += unit;
	pl->grow = DSM_MAX(POOL_GROW_MIN, DSM_MIN(POOL_GROW_MAX,
	    ROUND_DOWN(pl->mapped / 2, POOL_HUGE)));
	extent_insert(pl, p, unit, 0, false, 0);
	return (true);
}

/* If [p, p + size) is in a clean or muzzy extent, it is dirty from now on. */
static void
extent_dirty(struct pool *pl, char *p, size_t size)
{
	struct extent *s;
	size_t dirty;

	s = extent_at(pl, p);
	if (s == NULL)
		s = extent_at(pl, p + size - MAP_GRANULE);
	if (s != NULL && extent_is(s) != EXTENT_DIRTY && s->span.addr <= p &&
	    p + size <= s->span.addr + s->span.size &&
	    extent_cut(pl, s, p, size, &dirty))
		extent_insert(pl, p, size, size, false, pl->youngest);
}

/*
 * [p, p + size) was taken where memory may come in huge pages: what is left of
 * the first and the last of those gets memory together with it; also where it
 * was dirty, since that may have been in part.
 */
static void
pool_taken(struct pool *pl, char *p, size_t size)
{
	char *head = (char *)ROUND_DOWN((uintptr_t)p, POOL_HUGE);
	char *tail = (char *)ROUND_UP((uintptr_t)p + size, POOL_HUGE);

	if (head != p && mark_find(&pl->marks, head))
		extent_dirty(pl, head, (size_t)(p - head));
	if (tail != p + size && mark_find(&pl->marks, tail - 1))
		extent_dirty(pl, p + size, (size_t)(tail - p) - size);
}

/*
 * Take all of a free extent and the head of the one behind it: dirt and clean
 * space do not join, but what is left of a huge page and the space behind it
 * serve one block.  Of default hooks' memory only; nothing can fail.
 */
static bool
extent_cut_two(struct pool *pl, struct extent *s, size_t size, size_t *dirty)
{
	size_t first = s->span.size, part;
	char *p = s->span.addr;
	struct extent *next = extent_at(pl, p + first);

	if (!hooks_movable(pl->hooks) || next == NULL || first >= size ||
	    next->span.addr != p + first || first + next->span.size < size ||
	    !extent_cut(pl, next, p + first, size - first, dirty) ||
	    !extent_cut(pl, s, p, first, &part))
		return (false);
	*dirty += part;
	pool_taken(pl, p + first, size - first);
	return (true);
}

/* The same for a block that may start anywhere, before a clean extent. */
static char *
pool_take_two(struct pool *pl, const struct extent *s, size_t size,
    size_t *dirty)
{
	struct extent *prev = extent_at(pl, s->span.addr - MAP_GRANULE);
	char *p;

	if (prev == NULL || !mark_find(&pl->marks, prev->span.addr))
		return (NULL);
	p = prev->span.addr;
	return (extent_cut_two(pl, prev, size, dirty) ? p : NULL);
}

/* What is dirty has its memory, huge or not; small: what is clean is not to be
 * huge. */
static void *
pool_take(struct pool *pl, size_t size, size_t align, bool small,
    size_t *dirty)
{
	struct extent *s;
	char *p;

	if ((s = pool_fit(pl, EXTENT_DIRTY, size, align, false)) == NULL &&
	    (s = pool_fit(pl, EXTENT_MUZZY, size, align, false)) == NULL) {
		if ((s = pool_fit(pl, EXTENT_CLEAN, size, align, small)) ==
		    NULL)
			return (NULL);
		if (align <= os_page &&
		    (p = pool_take_two(pl, s, size, dirty)) != NULL)
			return (p);
	}
	p = extent_fit(s, size, align);
	if (!extent_cut(pl, s, p, size, dirty))
		return (NULL);
	pool_taken(pl, p, size);
	return (p);
}

void *
pool_alloc(struct pool *pl, size_t size, size_t align, size_t *dirty)
{
	bool small;
	void *p;

	if (pool_is_lent(pl))
		return (lent_alloc(pl, size, align, dirty));
	lock_take(&pl->lock);
	small = pool_is_ahead(pl, size);
	if ((p = pool_take(pl, size, align, small, dirty)) == NULL &&
	    (pool_grow(pl, size, align) || small))
		p = pool_take(pl, size, align, false, dirty);
	lock_drop(&pl->lock);
	return (p);
}

void
pool_free(struct pool *pl, void *p, size_t size, size_t dirty, uint64_t now)
{

	if (pool_is_lent(pl))
		lent_free(pl, p, size, dirty, now);
	else {
		lock_take(&pl->lock);
		pl->youngest = DSM_MAX(pl->youngest, now);
		extent_insert(pl, p, size, dirty, false, now);
		lock_drop(&pl->lock);
	}
	if (dirty != 0)
		decay_stir(pl->decay);
}

void
pool_free_muzzy(struct pool *pl, void *p, size_t size, size_t dirty,
    uint64_t now)
{

	/* To hooks it is an extent as any, whatever is in it. */
	if (pool_is_lent(pl)) {
		pool_free(pl, p, size, dirty, now);
		return;
	}
	lock_take(&pl->lock);
	extent_insert(pl, p, size, dirty, true, now);
	lock_drop(&pl->lock);
}

bool
pool_marked(struct pool *pl, const void *p)
{
	bool found;

	lock_take(&pl->lock);
	found = mark_find(&pl->marks, p);
	lock_drop(&pl->lock);
	return (found);
}

bool
pool_extend(struct pool *pl, void *p, size_t size, size_t more,
    size_t *dirty)
{
	char *end = (char *)p + size;
	struct extent *s;
	bool ok = false;

	if (pool_is_lent(pl))
		return (lent_extend(pl, p, size, more, dirty));
	lock_take(&pl->lock);
	s = extent_at(pl, end);
	if (s != NULL && s->span.addr == end && s->span.size >= more &&
	    hooks_movable(pl->hooks)) {
		ok = extent_cut(pl, s, end, more, dirty);
		if (ok)
			pool_taken(pl, end, more);
	} else if (s != NULL && s->span.addr == end)
		ok = extent_cut_two(pl, s, more, dirty);
	lock_drop(&pl->lock);
	return (ok);
}

void
pool_forget(struct pool *pl, void *p, size_t size)
{

	lock_take(&pl->lock);
	pl->mapped -= size;
	mark_cut(&pl->marks, p, size);
	lock_drop(&pl->lock);
}

void
extent_remove(struct pool *pl, struct extent *s)
{

	extent_unlink(pl, s);
	s->span.kind = SPAN_NONE;
	base_free(BASE_SPAN, s, sizeof(*s));
}

/* All free extents of one state go over to the new hooks. */
static void
pool_lend_free(struct pool *pl, enum extent_is is, struct extent_list *all)
{
	struct extent *e;
	unsigned b;

	for (b = 0; b < POOL_BUCKETS; b++)
		while (bits_test(pl->mask[is], b)) {
			e = TAILQ_FIRST(&pl->bucket[is][b]);
			extent_unlink(pl, e);
			TAILQ_INSERT_TAIL(all, e, link);
		}
}

void
pool_lend(struct pool *pl, struct hooks *h)
{
	struct extent_list all = TAILQ_HEAD_INITIALIZER(all);

	lock_take(&pl->lock);
	store_rel(&pl->hooks, h);
	if (!pl->lent) {
		pool_lend_free(pl, EXTENT_DIRTY, &all);
		pool_lend_free(pl, EXTENT_MUZZY, &all);
		pool_lend_free(pl, EXTENT_CLEAN, &all);
		pl->marks.n = 0;
		store_rlx(&pl->lent, true);
		lent_adopt(pl, &all);
	}
	lock_drop(&pl->lock);
}
