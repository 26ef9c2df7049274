/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <string.h>

#include "dsm_explicit.h"
#include "dsm_map.h"
#include "dsm_os.h"
#include "dsm_set.h"
#include "dsm_set_cap.h"

/* An arena that was destroyed, or else a new one; not open yet. */
static struct arena *
explicit_spare(void)
{
	struct arena *a;
	unsigned i;

	LOCK_ASSERT(&set_lock);
	for (i = arena_nauto(); (a = arena_get(i)) != NULL; i++)
		if (load_rlx(&a->set->shut) == SET_DEAD)
			return (a);
	return (i < ARENA_MAX ? set_new(i) : NULL);
}

unsigned
explicit_create(struct hooks *h)
{
	struct arena *a;

	lock_take(&set_lock);
	if ((a = explicit_spare()) != NULL) {
		/* Before anyone can get a block from it. */
		size_distrust();
		set_restart(a->set);
		set_oversize_renew(a);
		pool_init(&a->set->pool, &hooks_default, a->ind);
		if (h != NULL)
			pool_lend(&a->set->pool, h);
		arena_label(a, NULL);
		set_open(a->set);
	}
	lock_drop(&set_lock);
	return (a != NULL ? a->ind : 0);
}

/* Shut an arena to passes, and wait for those that are at it. */
static struct arena *
explicit_claim(unsigned index, bool unbound)
{
	struct arena *a = NULL;

	lock_take(&set_lock);
	if (index >= arena_nauto() && index < ARENA_MAX && set_exists(index))
		a = arena_get(index);
	if (a != NULL && ((unbound && load_rlx(&a->nthreads) != 0) ||
	    a == arena_within()))
		a = NULL;
	if (a != NULL)
		store_rlx(&a->set->shut, SET_SHUT);
	lock_drop(&set_lock);
	if (a != NULL) {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		while (load_acq(&a->set->busy) != 0)
			os_yield();
	}
	return (a);
}

/* The descriptors of all slabs and blocks in a region. */
static void
explicit_drop_spans(const struct region *r)
{
	char *end = r->addr + ((size_t)r->npages << os_page_shift), *p;
	struct span *s;
	size_t size;

	for (p = r->addr; p < end; p += size) {
		size = os_page;
		if ((s = map_span(map_word(p))) == NULL)
			continue;
		size = s->size;
		if (s->kind == SPAN_SLAB)
			slab_drop((struct slab *)(void *)s);
		else
			large_drop((struct extent *)(void *)s);
	}
}

static void
explicit_drop(struct arena *a)
{
	struct regions *rs = &a->set->regions;
	struct region *r;

	TAILQ_FOREACH(r, &rs->all[PAGES_DIRTY], all[PAGES_DIRTY])
		explicit_drop_spans(r);
	arena_reset(a);
	regions_reset(rs, load_rlx(&decay_clock));
}

bool
explicit_reset(unsigned index)
{
	uint64_t now = decay_now();
	struct arena *a;

	if ((a = explicit_claim(index, false)) == NULL)
		return (false);
	explicit_drop(a);
	set_open(a->set);
	set_freed(a, now);
	return (true);
}

bool
explicit_destroy(unsigned index)
{
	struct arena *a;

	if ((a = explicit_claim(index, true)) == NULL)
		return (false);
	explicit_drop(a);
	pool_empty(&a->set->pool);
	lock_take(&set_lock);
	arena_stats_add(a, &set_gone);
	set_stats_add(a->set, &set_gone);
	arena_recount(a);
	store_rel(&a->set->shut, SET_DEAD);
	lock_drop(&set_lock);
	return (true);
}

struct hooks *
explicit_hooks_get(unsigned index)
{
	const struct set *s;

	if (index < arena_nauto() && arena_get(index) == NULL)
		return (&hooks_default);
	if (index >= ARENA_MAX || !set_exists(index))
		return (NULL);
	s = load_acq(&arena_get(index)->set);
	return (load_rlx(&s->pool.hooks));
}

bool
explicit_hooks_set(unsigned index, struct hooks *h)
{
	struct arena *a;

	if (h == NULL || h->alloc == NULL ||
	    (a = explicit_claim(index, false)) == NULL)
		return (false);
	if (!pool_is_lent(&a->set->pool))
		regions_lend(&a->set->regions);
	pool_lend(&a->set->pool, h);
	set_open(a->set);
	return (true);
}

bool
explicit_name_get(unsigned index, char name[ARENA_NAME])
{
	bool ok;

	lock_take(&set_lock);
	ok = index < ARENA_MAX && set_exists(index);
	if (ok)
		memcpy(name, arena_get(index)->name, ARENA_NAME);
	lock_drop(&set_lock);
	return (ok);
}

bool
explicit_name_set(unsigned index, const char *name)
{
	bool ok;

	lock_take(&set_lock);
	ok = index < ARENA_MAX && set_exists(index);
	if (ok)
		arena_label(arena_get(index), name);
	lock_drop(&set_lock);
	return (ok);
}
