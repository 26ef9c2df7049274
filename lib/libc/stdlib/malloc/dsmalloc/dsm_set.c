/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <string.h>

#include "dsm_arena.h"
#include "dsm_base.h"
#include "dsm_bits.h"
#include "dsm_conf.h"
#include "dsm_os.h"
#include "dsm_set.h"

struct lock set_lock = LOCK_INITIALIZER(LOCK_SET);
static struct set set_first;
struct set	*set_all = &set_first;
struct stats_arena set_gone;
/* Under the lock: where automatic arenas are made; NULL: in a new one. */
static struct set *set_common = &set_first;
static int64_t	 set_ms[PAGES_KINDS];	/* of sets to be made; atomic */
static size_t	 set_oversize;		/* of arenas to be made; atomic */
static unsigned	 set_most = UINT32_MAX;	/* arenas to bind to; atomic */
uint32_t	 set_spreads;
int64_t		 set_dirty_most;

static void
set_start(struct set *s, int64_t dirty_ms, int64_t muzzy_ms)
{

	decay_init(&s->decay, dirty_ms);
	s->eager = dirty_ms == 0;
	decay_init(&s->muzzy, muzzy_ms);
	s->stuck = s->still = s->sparse = 0;
	s->tried = false;
	s->look = set_dirty_least();
	s->capping = false;
	store_rlx(&s->peak, 0);
	s->pause = 0;
	s->round = s->muzzy_round = 0;
	s->first = s->cursor = s->stage = s->barren = 0;
	s->muzzy_stage = false;
	memset(&s->grown, 0, sizeof(s->grown));
	memset(&s->capped, 0, sizeof(s->capped));
	memset(s->regions.purged, 0, sizeof(s->regions.purged));
	memset(s->pool.purged, 0, sizeof(s->pool.purged));
	s->regions.nhugify = s->regions.nfail = s->regions.nbreak = 0;
	/* What goes back at once had better not come by 2 MiB. */
	if (dirty_ms == 0)
		pool_unmark(&s->pool, POOL_MARKLESS_NOW);
}

void
set_restart(struct set *s)
{

	set_start(s, load_rlx(&set_ms[PAGES_DIRTY]),
	    load_rlx(&set_ms[PAGES_MUZZY]));
}

/* With the times of another set; NULL: those of sets to be made. */
static void
set_init(struct set *s, unsigned ind, const struct set *like)
{

	pool_init(&s->pool, &hooks_default, ind);
	s->pool.decay = &s->decay;
	regions_init(&s->regions, &s->pool);
	if (like != NULL)
		set_start(s, load_rlx(&like->decay.ms),
		    load_rlx(&like->muzzy.ms));
	else
		set_restart(s);
}

/* One more arena in a set, behind the others; NULL without memory. */
static struct arena *
set_add(struct set *s, unsigned ind)
{
	struct arena *a, **end = &s->arenas;

	LOCK_ASSERT(&set_lock);
	if ((a = arena_new(ind, s, &s->regions)) == NULL)
		return (NULL);
	set_oversize_renew(a);
	while (*end != NULL)
		end = &(*end)->next;
	store_rel(end, a);
	add_rlx(&s->narenas, 1);
	return (a);
}

static struct set *
set_alloc(unsigned ind, uint32_t shut, const struct set *like)
{
	struct set *s;

	if ((s = base_alloc(BASE_SET, sizeof(*s))) == NULL)
		return (NULL);
	memset(s, 0, sizeof(*s));
	s->shut = shut;
	set_init(s, ind, like);
	return (s);
}

static void
set_publish(struct set *s)
{

	LOCK_ASSERT(&set_lock);
	s->next = set_all;
	store_rel(&set_all, s);
}

struct arena *
set_new(unsigned ind)
{
	struct arena *a;
	struct set *s;

	if ((s = set_alloc(ind, SET_DEAD, NULL)) == NULL)
		return (NULL);
	if ((a = set_add(s, ind)) == NULL) {
		base_free(BASE_SET, s, sizeof(*s));
		return (NULL);
	}
	set_publish(s);
	return (a);
}

struct set *
set_make(unsigned ind, const struct set *like)
{
	struct set *s;

	if ((s = set_alloc(ind, SET_OPEN, like)) != NULL)
		set_publish(s);
	return (s);
}

struct arena *
set_add_auto(unsigned ind)
{

	if (set_common == NULL && (set_common = set_make(ind, NULL)) == NULL)
		return (NULL);
	return (set_add(set_common, ind));
}

void
set_unshare(const struct set *s)
{

	LOCK_ASSERT(&set_lock);
	if (set_common == s)
		set_common = NULL;
}

/* The arena that a set's pages count with: its first, or, where all have left,
 * the one that it was made for. */
static unsigned
set_index(const struct set *s)
{
	const struct arena *a = set_arena(s, load_acq(&s->arenas));

	return (a != NULL ? a->ind : s->pool.ind);
}

/* What has been purged so far goes along with the arena that it counts with. */
static void
set_move_counts(struct set *from, struct set *to)
{

	lock_take(&from->regions.lock);
	memcpy(to->regions.purged, from->regions.purged,
	    sizeof(to->regions.purged));
	memset(from->regions.purged, 0, sizeof(from->regions.purged));
	lock_drop(&from->regions.lock);
	lock_take(&from->pool.lock);
	memcpy(to->pool.purged, from->pool.purged, sizeof(to->pool.purged));
	memset(from->pool.purged, 0, sizeof(from->pool.purged));
	lock_drop(&from->pool.lock);
}

void
set_move(struct arena *a, struct set *s)
{
	struct set *from = a->set;

	LOCK_ASSERT(&set_lock);
	s->before = from;
	s->narenas = 1;
	s->eager = true;
	store_rel(&s->arenas, a);
	if (set_index(from) == a->ind)
		set_move_counts(from, s);
	(void)add_rlx(&from->left, arena_out(a));
	sub_rlx(&from->narenas, 1);
	store_rel(&a->set, s);
	arena_move_to(a, &s->regions);
	/* The set that is left learns of what is freed there. */
	decay_stir(&from->decay);
}

bool
set_boot(void)
{
	struct arena *a;

	arena_boot();
	set_ms[PAGES_DIRTY] = conf.dirty_decay_ms;
	set_ms[PAGES_MUZZY] = conf.muzzy_decay_ms;
	set_oversize = conf.oversize_threshold;
	set_dirty_most = conf.dirty_max;
	set_init(&set_first, 0, NULL);
	lock_take(&set_lock);
	a = set_add_auto(0);
	lock_drop(&set_lock);
	return (a != NULL);
}

/* The automatic arena that a thread is to be bound to next. */
static struct arena *
set_choose(void)
{
	struct arena *a, *best = NULL;
	unsigned i, none = arena_nauto();

	LOCK_ASSERT(&set_lock);
	for (i = arena_nauto(); i-- > 0;)
		if ((a = arena_get(i)) == NULL)
			none = i;
		else if (best == NULL || best->ind >= load_rlx(&set_most) ||
		    load_rlx(&a->nthreads) <= load_rlx(&best->nthreads))
			best = a;
	if (load_rlx(&best->nthreads) != 0 &&
	    none < DSM_MIN(arena_nauto(), load_rlx(&set_most)) &&
	    (a = set_add_auto(none)) != NULL)
		best = a;
	return (best);
}

struct arena *
set_bind(void)
{
	struct arena *a;

	lock_take(&set_lock);
	a = set_choose();
	add_rlx(&a->nthreads, 1);
	lock_drop(&set_lock);
	return (a);
}

struct arena *
set_rebind(struct arena *old)
{
	bool may = old->ind < load_rlx(&set_most);
	struct arena *a = old;

	lock_take(&set_lock);
	if (!may || load_rlx(&old->nthreads) > 1)
		a = set_choose();
	if (may && load_rlx(&a->nthreads) + 1 >= load_rlx(&old->nthreads))
		a = old;
	if (a != old)
		add_rlx(&a->nthreads, 1);
	lock_drop(&set_lock);
	return (a);
}

struct arena *
set_bind_to(unsigned index)
{
	struct arena *a;

	lock_take(&set_lock);
	a = arena_get(index);
	if (a == NULL && index < arena_nauto())
		a = set_add_auto(index);
	if (a != NULL && load_rlx(&a->set->shut) != SET_OPEN)
		a = NULL;
	if (a != NULL)
		add_rlx(&a->nthreads, 1);
	lock_drop(&set_lock);
	return (a);
}

void
set_spread(unsigned n)
{

	n = DSM_MIN(n, arena_nauto());
	if (n == DSM_MIN(load_rlx(&set_most), arena_nauto()))
		return;
	store_rlx(&set_most, n);
	add_rlx(&set_spreads, 1);
}

size_t
set_out(const struct set *s)
{
	struct arena *a;
	size_t out = 0;

	SET_ARENAS(s, a)
		out += arena_out(a);
	/* Not what an arena has of the set that it was in before. */
	out += load_rlx(&s->left);
	return (DSM_MIN(out, set_taken(s)));
}

size_t
set_pages(const struct set *s, size_t *active)
{
	size_t stock = 0, used = set_taken(s);
	struct arena *a;

	SET_ARENAS(s, a)
		stock += load_rlx(&a->large.stock_bytes);
	*active = used - DSM_MIN(stock, used);
	return (set_dirty(s) + stock);
}

/* A visit says that it is at it, then looks whether the set is shut; who shuts
 * it does so first, then looks: one of them sees the other. */
bool
set_enter(struct set *s)
{

	add_rlx(&s->busy, 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (likely(load_acq(&s->shut) == SET_OPEN))
		return (true);
	sub_rlx(&s->busy, 1);
	return (false);
}

void
set_leave(struct set *s)
{

	(void)__atomic_fetch_sub(&s->busy, 1, __ATOMIC_RELEASE);
}

void
set_open(struct set *s)
{

	store_rel(&s->shut, SET_OPEN);
	/* A scan has raised the global deadline, then looked whether this is
	 * shut. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	decay_lower(load_rlx(&s->decay.next));
	decay_lower(load_rlx(&s->muzzy.next));
}

static bool
set_is_open(const struct set *s)
{

	return (load_rlx(&s->shut) == SET_OPEN);
}

bool
set_exists(unsigned index)
{
	const struct arena *a = arena_get(index);

	return (index == ARENA_ALL ||
	    (a != NULL && set_is_open(load_acq(&a->set))));
}

bool
set_has(const struct set *s, unsigned index)
{

	return (index == ARENA_ALL || load_acq(&arena_get(index)->set) == s ||
	    set_index(s) == index);
}

size_t
set_used(void)
{
	const struct set *s;
	size_t bytes = 0;

	SETS(s)
		bytes += load_rlx(&s->peak);
	return (bytes);
}

/* The longest run in a set's free extents and in its regions. */
static size_t
set_run(const struct set *s)
{
	uint64_t m = load_rlx(&s->regions.mask);
	size_t run = 0;
	unsigned d, i;

	if (m != 0)
		run = bits_quarter_least(63 - (unsigned)__builtin_clzll(m));
	for (d = 0; d < EXTENT_STATES; d++)
		for (i = 0; i < NITEMS(s->pool.mask[d]); i++)
			if ((m = load_rlx(&s->pool.mask[d][i])) != 0)
				run = DSM_MAX(run, bits_quarter_least(i *
				    BITS_WORD + 63 -
				    (unsigned)__builtin_clzll(m)));
	return (run << os_page_shift);
}

void
set_totals(struct set_totals *t)
{
	size_t active, run;
	const struct set *s;

	memset(t, 0, sizeof(*t));
	SETS(s) {
		t->mapped += load_rlx(&s->pool.mapped);
		t->dirty += set_pages(s, &active);
		t->muzzy += set_muzzy(s);
		t->active += active;
		run = set_run(s);
		t->run = DSM_MAX(t->run, run);
	}
}

size_t
set_held(void)
{
	size_t active, bytes = base_bytes() + map_bytes();
	const struct set *s;

	SETS(s) {
		bytes += set_pages(s, &active) + set_muzzy(s);
		bytes += active;
	}
	return (bytes);
}

size_t
set_count(void)
{
	const struct set *s;
	size_t n = 0;

	SETS(s)
		n += set_is_open(s);
	return (n);
}

size_t
set_threads(void)
{
	const struct arena *a;
	const struct set *s;
	size_t n = 0;

	SETS(s)
		SET_ARENAS(s, a)
			n += load_rlx(&a->nthreads);
	return (n);
}

static struct decay *
set_book(struct set *s, enum pages kind)
{

	return (kind == PAGES_DIRTY ? &s->decay : &s->muzzy);
}

bool
set_decay_ms_get(unsigned index, enum pages kind, int64_t *ms)
{
	struct set *s;

	if (!set_exists(index))
		return (false);
	if (index != ARENA_ALL) {
		s = load_acq(&arena_get(index)->set);
		*ms = load_rlx(&set_book(s, kind)->ms);
		return (true);
	}
	*ms = load_rlx(&set_ms[kind]);
	SETS(s)
		if (set_is_open(s) && load_rlx(&set_book(s, kind)->ms) != *ms)
			return (false);
	return (true);
}

int64_t
set_decay_ms_new(enum pages kind)
{

	return (load_rlx(&set_ms[kind]));
}

/* Automatic arenas share pages with those of their times alone. */
void
set_decay_ms_renew(enum pages kind, int64_t ms)
{

	lock_take(&set_lock);
	store_rlx(&set_ms[kind], ms);
	if (set_common != NULL &&
	    load_rlx(&set_book(set_common, kind)->ms) != ms)
		set_common = NULL;
	lock_drop(&set_lock);
}

static void
set_decay_dirty(struct set *s, int64_t ms, uint64_t now)
{

	/* What goes back at once had better not come by 2 MiB. */
	if (ms == 0)
		pool_unmark(&s->pool, POOL_MARKLESS_NOW);
	store_rlx(&s->eager, ms == 0 || s->before != NULL);
	decay_set(&s->decay, ms, now);
	store_rlx(&s->look, set_dirty_least());
}

bool
set_decay_ms_set(unsigned index, enum pages kind, int64_t ms)
{
	uint64_t now = decay_now();
	struct set *s;

	if (!set_exists(index))
		return (false);
	/* A set that is made meanwhile has the one time or the other. */
	lock_take(&set_lock);
	if (index == ARENA_ALL)
		store_rlx(&set_ms[kind], ms);
	SETS(s) {
		if (!set_has(s, index))
			continue;
		if (kind == PAGES_DIRTY)
			set_decay_dirty(s, ms, now);
		else
			decay_set(&s->muzzy, ms, now);
	}
	lock_drop(&set_lock);
	return (true);
}

/* The next of the arenas in use that an index stands for, from *i on. */
static struct arena *
set_next_arena(unsigned index, unsigned *i)
{
	const bool all = index == ARENA_ALL;
	struct arena *a = NULL;

	if (!all)
		*i = DSM_MAX(*i, index);
	while (a == NULL && *i < (all ? arena_count() : index + 1)) {
		a = arena_get((*i)++);
		if (a != NULL && !set_is_open(load_acq(&a->set)))
			a = NULL;
	}
	return (a);
}

bool
set_oversize_get(unsigned index, size_t *size)
{
	struct arena *a;
	unsigned i = 0;

	if (!set_exists(index))
		return (false);
	if (index == ARENA_ALL)
		*size = load_rlx(&set_oversize);
	else
		*size = large_oversize(&arena_get(index)->large);
	while ((a = set_next_arena(index, &i)) != NULL)
		if (large_oversize(&a->large) != *size)
			return (false);
	return (true);
}

bool
set_oversize_set(unsigned index, size_t size)
{
	struct arena *a;
	unsigned i = 0;

	if (!set_exists(index))
		return (false);
	lock_take(&set_lock);
	if (index == ARENA_ALL)
		store_rlx(&set_oversize, size);
	while ((a = set_next_arena(index, &i)) != NULL)
		large_oversize_set(&a->large, size);
	lock_drop(&set_lock);
	return (true);
}

void
set_oversize_renew(struct arena *a)
{

	large_oversize_set(&a->large, load_rlx(&set_oversize));
}

/* The pages that the arenas of a set share count as the first one's. */
void
set_stats_add(const struct set *s, struct stats_arena *st)
{
	const struct regions *rs = &s->regions;
	const struct pool *pl = &s->pool;
	size_t active, dirty, mapped = load_rlx(&pl->mapped);
	size_t muzzy = set_muzzy(s);
	struct purged *p;
	unsigned k;

	dirty = set_pages(s, &active);
	st->mapped += mapped - DSM_MIN(active, mapped);
	st->dirty += dirty;
	st->muzzy += muzzy;
	st->retained += mapped - DSM_MIN(active + dirty + muzzy, mapped);
	for (k = 0; k < PAGES_KINDS; k++) {
		p = &st->purged[k];
		p->npurge += load_rlx(&rs->purged[k].npurge) +
		    load_rlx(&pl->purged[k].npurge);
		p->ncalls += load_rlx(&rs->purged[k].ncalls) +
		    load_rlx(&pl->purged[k].ncalls);
		p->bytes += load_rlx(&rs->purged[k].bytes) +
		    load_rlx(&pl->purged[k].bytes);
	}
	st->nhugify += load_rlx(&rs->nhugify);
	st->nhugify_failed += load_rlx(&rs->nfail);
	st->ndehugify += load_rlx(&rs->nbreak);
}

/* Arenas have figures of their own, and of the pages that count with them. */
bool
set_stats_read(unsigned index, struct stats_arena *st)
{
	const bool all = index == ARENA_ALL;
	const struct set *s;
	struct arena *a;
	unsigned i;

	if (index == ARENA_DESTROYED) {
		*st = set_gone;
		st->decay_ms[PAGES_DIRTY] = st->decay_ms[PAGES_MUZZY] = -1;
		return (true);
	}
	memset(st, 0, sizeof(*st));
	if (!set_exists(index))
		return (false);
	for (i = 0; i < PAGES_KINDS; i++)
		if (!set_decay_ms_get(index, i, &st->decay_ms[i]))
			st->decay_ms[i] = -1;
	i = 0;
	while ((a = set_next_arena(index, &i)) != NULL)
		arena_stats_add(a, st);
	SETS(s)
		if (set_is_open(s) && (all || set_index(s) == index))
			set_stats_add(s, st);
	return (true);
}
