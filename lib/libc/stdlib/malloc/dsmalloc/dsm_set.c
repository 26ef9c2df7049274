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
static struct set set_auto;		/* of the automatic arenas */
struct set	*set_all = &set_auto;
struct stats_arena set_gone;
static unsigned	 set_most = UINT32_MAX;	/* arenas to bind to; atomic */

void
set_restart(struct set *s)
{

	decay_init(&s->decay, s == &set_auto ? conf.dirty_decay_ms :
	    load_rlx(&set_auto.decay.ms));
	decay_init(&s->muzzy, s == &set_auto ? conf.muzzy_decay_ms :
	    load_rlx(&set_auto.muzzy.ms));
	s->look = set_dirty_least();
	s->capping = false;
	s->peak = s->pause = 0;
	s->round = s->muzzy_round = 0;
	s->cursor = s->stage = 0;
	s->muzzy_stage = false;
	memset(&s->grown, 0, sizeof(s->grown));
	memset(&s->capped, 0, sizeof(s->capped));
	memset(s->regions.purged, 0, sizeof(s->regions.purged));
	memset(s->pool.purged, 0, sizeof(s->pool.purged));
	s->regions.nhugify = s->regions.nfail = s->regions.nbreak = 0;
}

static void
set_init(struct set *s, struct hooks *h, unsigned ind)
{

	pool_init(&s->pool, h, ind);
	regions_init(&s->regions, &s->pool);
	set_restart(s);
	if (s->decay.ms == 0)
		pool_unmark(&s->pool, POOL_MARKLESS_NOW);
}

/* One more arena in a set, behind the others; NULL without memory. */
static struct arena *
set_add(struct set *s, unsigned ind)
{
	struct arena *a, **end = &s->arenas;

	LOCK_ASSERT(&set_lock);
	if ((a = arena_new(ind, s, &s->regions)) == NULL)
		return (NULL);
	while (*end != NULL)
		end = &(*end)->next;
	store_rel(end, a);
	add_rlx(&s->narenas, 1);
	return (a);
}

struct arena *
set_new(unsigned ind)
{
	struct arena *a;
	struct set *s;

	if ((s = base_alloc(BASE_SET, sizeof(*s))) == NULL)
		return (NULL);
	memset(s, 0, sizeof(*s));
	s->shut = SET_DEAD;
	set_init(s, &hooks_default, ind);
	if ((a = set_add(s, ind)) == NULL) {
		base_free(BASE_SET, s, sizeof(*s));
		return (NULL);
	}
	s->next = set_all;
	store_rel(&set_all, s);
	return (a);
}

bool
set_boot(void)
{
	struct arena *a;

	arena_boot();
	set_init(&set_auto, &hooks_default, 0);
	lock_take(&set_lock);
	a = set_add(&set_auto, 0);
	lock_drop(&set_lock);
	return (a != NULL);
}

struct arena *
set_bind(void)
{
	struct arena *a, *best = NULL;
	unsigned i, none = arena_nauto();

	lock_take(&set_lock);
	for (i = arena_nauto(); i-- > 0;)
		if ((a = arena_get(i)) == NULL)
			none = i;
		else if (best == NULL || best->ind >= load_rlx(&set_most) ||
		    load_rlx(&a->nthreads) <= load_rlx(&best->nthreads))
			best = a;
	if (load_rlx(&best->nthreads) != 0 &&
	    none < DSM_MIN(arena_nauto(), load_rlx(&set_most)) &&
	    (a = set_add(&set_auto, none)) != NULL)
		best = a;
	add_rlx(&best->nthreads, 1);
	lock_drop(&set_lock);
	return (best);
}

struct arena *
set_bind_to(unsigned index)
{
	struct arena *a;

	lock_take(&set_lock);
	a = arena_get(index);
	if (a == NULL && index < arena_nauto())
		a = set_add(&set_auto, index);
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

	store_rlx(&set_most, n);
}

size_t
set_out(const struct set *s)
{
	const struct arena *a;
	size_t out = 0;

	SET_ARENAS(s, a)
		out += arena_out(a);
	return (out);
}

size_t
set_pages(const struct set *s, size_t *active)
{
	size_t direct = 0, stock = 0, used;
	const struct arena *a;

	SET_ARENAS(s, a) {
		direct += load_rlx(&a->large.direct);
		stock += load_rlx(&a->large.stock_bytes);
	}
	used = (load_rlx(&s->regions.used) << os_page_shift) + direct;
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

bool
set_exists(unsigned index)
{
	const struct arena *a = arena_get(index);

	return (index == ARENA_ALL ||
	    (a != NULL && load_rlx(&a->set->shut) == SET_OPEN));
}

bool
set_has(const struct set *s, unsigned index)
{

	return (index == ARENA_ALL || arena_get(index)->set == s);
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
		t->dirty += set_pages(s, &active) + set_muzzy(s);
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
		n += load_rlx(&s->shut) == SET_OPEN;
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

int64_t
set_decay_ms_get(unsigned index, enum pages kind)
{
	const struct set *s = &set_auto;

	if (index != ARENA_ALL && set_exists(index))
		s = arena_get(index)->set;
	return (load_rlx(kind == PAGES_DIRTY ? &s->decay.ms : &s->muzzy.ms));
}

static void
set_decay_dirty(struct set *s, int64_t ms, uint64_t now)
{

	/* What goes back at once had better not come by 2 MiB. */
	if (ms == 0)
		pool_unmark(&s->pool, POOL_MARKLESS_NOW);
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
	SETS(s) {
		if (!set_has(s, index))
			continue;
		if (kind == PAGES_DIRTY)
			set_decay_dirty(s, ms, now);
		else
			decay_set(&s->muzzy, ms, now);
	}
	set_overdue(now);
	return (true);
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

bool
set_stats_read(unsigned index, struct stats_arena *st)
{
	const struct set *s;
	struct arena *a;

	if (index == ARENA_DESTROYED) {
		*st = set_gone;
		return (true);
	}
	memset(st, 0, sizeof(*st));
	if (!set_exists(index))
		return (false);
	SETS(s)
		SET_ARENAS(s, a) {
			if (load_rlx(&s->shut) != SET_OPEN ||
			    (index != ARENA_ALL && a->ind != index))
				continue;
			arena_stats_add(a, st);
			if (a == load_acq(&s->arenas))
				set_stats_add(s, st);
		}
	return (true);
}
