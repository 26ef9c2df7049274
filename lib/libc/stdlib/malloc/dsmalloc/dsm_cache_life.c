/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * cache: its life, from a thread's first slow path to its end, or to a fork,
 * and the registry of all threads'.
 */
#include "dsm_base.h"
#include "dsm_cache.h"
#include "dsm_conf.h"
#include "dsm_set.h"
#include "dsm_set_cap.h"

void (*cache_attached)(struct cache *);

/* In a cache line to itself: others that all slow paths read may lie near. */
static struct {
	struct lock	 lock;
	/* Under it. */
	SLIST_HEAD(, cache) all;
	SLIST_HEAD(, cache) idle;
} DSM_ALIGNED(DSM_CACHELINE) cache_registry = {
	.lock = LOCK_INITIALIZER(LOCK_CACHE)
};

/* One from the pool of dead threads', or a new one; NULL without memory. */
static struct cache *
cache_get(void)
{
	struct cache *c;

	lock_take(&cache_registry.lock);
	if ((c = SLIST_FIRST(&cache_registry.idle)) != NULL) {
		SLIST_REMOVE_HEAD(&cache_registry.idle, idle);
		c->isidle = false;
	} else if ((c = base_alloc(BASE_CACHE, sizeof(*c))) != NULL) {
		cache_init(c);
		SLIST_INSERT_HEAD(&cache_registry.all, c, all);
	}
	lock_drop(&cache_registry.lock);
	return (c);
}

/* Back to that pool. */
static void
cache_put(struct cache *c)
{

	lock_take(&cache_registry.lock);
	SLIST_INSERT_HEAD(&cache_registry.idle, c, idle);
	c->isidle = true;
	lock_drop(&cache_registry.lock);
}

/* Slots in all caches, in bytes: read while their threads run. */
size_t
cache_bytes_all(void)
{
	struct cache *c;
	size_t bytes = 0;
	ptrdiff_t n;
	unsigned i;

	lock_take(&cache_registry.lock);
	SLIST_FOREACH(c, &cache_registry.all, all)
		for (i = 1; i < SIZE_NCLASSES; i++) {
			n = load_rlx(&c->class[i].end) -
			    load_rlx(&c->entry[i].sp);
			/* An array may be changing under us. */
			if (n > 0 && n <= UINT16_MAX)
				bytes += (size_t)n * size_info[i].size;
		}
	lock_drop(&cache_registry.lock);
	return (bytes);
}

/*
 * Malloc calls of a class by threads of one arena, or of all: the live
 * caches' countdowns.  What dead threads counted is in their bins.
 */
uint64_t
cache_requests(unsigned ind, unsigned class)
{
	struct arena *a;
	struct cache *c;
	uint64_t n = 0;

	lock_take(&cache_registry.lock);
	SLIST_FOREACH(c, &cache_registry.all, all)
		if ((a = load_rlx(&c->arena)) != NULL &&
		    (ind == ARENA_ALL || a->ind == ind))
			n += load_rlx(&c->class[class].folded) +
			    (uint64_t)(int64_t)(load_rlx(&c->entry[class].base)
			    - load_rlx(&c->entry[class].count));
	lock_drop(&cache_registry.lock);
	return (n);
}

void
cache_enter_stray(void)
{

	gate_enter_stray(&cache_self);
}

/*
 * This thread's first slow path: it gets a cache and is bound to an arena.
 * The gate is passed as a stray; the cache is entered before that is left.
 */
static struct cache * DSM_COLD
cache_attach(void)
{
	struct cache *c;

	cache_enter_stray();
	if (!conf.tcache || (c = cache_get()) == NULL)
		return (NULL);
	cache_serve(c, set_bind());
	c->spreads = load_rlx(&set_spreads);
	c->told = false;
	store_rlx(&c->inside, 1);
	cache_self = c;
	gate_leave_stray();
	if (cache_attached != NULL)
		cache_attached(c);
	return (c);
}

/* A thread that has no cache yet, or none any more. */
static struct cache * DSM_COLD
cache_enter_none(struct cache *c)
{

	/* Inside already, in a hook. */
	if (c == CACHE_HIDDEN)
		return (NULL);
	if (c == CACHE_EMPTY)
		return (cache_attach());
	cache_enter_stray();
	return (NULL);
}

struct cache *
cache_enter(void)
{
	struct cache *c = cache_self;

	if (unlikely(cache_is_sentinel(c)))
		return (cache_enter_none(c));
	if (unlikely(c->inside != 0)) {
		store_rlx(&c->inside, c->inside + 1);
		return (NULL);
	}
	gate_enter(&c->inside, &cache_self);
	return (c);
}

void
cache_leave(void)
{
	struct cache *c = cache_self;

	if (unlikely(c == CACHE_HIDDEN))
		return;
	if (unlikely(cache_is_sentinel(c)))
		gate_leave_stray();
	else
		store_rel(&c->inside, c->inside - 1);
}

bool
cache_bind(unsigned index)
{
	struct cache *c = cache_self;
	struct arena *a;

	if (cache_is_sentinel(c))
		return (index == arena_zero()->ind);
	if (index != c->arena->ind) {
		if ((a = set_bind_to(index)) == NULL)
			return (false);
		cache_move(c, a, load_rlx(&decay_clock));
	}
	c->told = true;
	return (true);
}

struct arena *
cache_arena(void)
{

	return (cache_is_sentinel(cache_self) ? arena_zero() :
	    cache_self->arena);
}

/*
 * The end of a thread.  Its slots go back, nothing is purged.  The arena's
 * count of threads falls before its inboxes are drained a last time, so a
 * pusher that still saw this thread there is not relied upon by none.
 */
static void
cache_exit(struct cache *c)
{
	uint64_t now = load_rlx(&decay_clock);
	struct arena *a = c->arena;

	gate_enter(&c->inside, &cache_self);
	cache_flush_all(c, now);
	cache_account(c);
	arena_unbind(a);
	arena_collect(a, now);
	set_freed(a, now);
	c->arena = NULL;
	/* Once it is in the pool another thread may have it, "inside" and
	 * all: pass the rest of the gate as a stray. */
	gate_add_stray();
	store_rel(&c->inside, 0);
	cache_self = CACHE_DEAD;
	cache_put(c);
	cache_leave();
}

void
cache_exit_self(void)
{

	if (!cache_is_sentinel(cache_self))
		cache_exit(cache_self);
}

void
cache_disown(void)
{

	cache_exit_self();
	cache_self = CACHE_DEAD;
}

void
cache_flush_self(void)
{
	struct cache *c = cache_self;
	uint64_t now = decay_now();

	if (cache_is_sentinel(c))
		return;
	cache_flush_all(c, now);
	set_freed(c->arena, now);
}

void
cache_prefork(void)
{
	struct cache *c;

	gate_shut(&cache_self);
	/* New caches are made by strays: with none of those inside the list
	 * is stable.  An ending thread goes from its cache to the strays. */
	gate_await_strays();
	SLIST_FOREACH(c, &cache_registry.all, all)
		if (c != cache_self)
			gate_await(&c->inside);
	gate_await_strays();
}

void
cache_postfork(void)
{

	gate_reopen();
}

/*
 * The other threads are gone; their caches, slots and all, are free.  A
 * thread that found the gate closed may have been copied just as it stepped
 * in to look: what it had raised nobody lowers here.
 */
void
cache_postfork_child(void)
{
	struct cache *c, *self = cache_self;

	gate_forget_strays();
	SLIST_FOREACH(c, &cache_registry.all, all) {
		if (c == self)
			continue;
		store_rlx(&c->inside, 0);
		if (!c->isidle) {
			c->isidle = true;
			c->arena = NULL;
			SLIST_INSERT_HEAD(&cache_registry.idle, c, idle);
		}
	}
	arena_forked(self->arena);
	cache_postfork();
}

bool
cache_postfork_any(void)
{

	if (gate_is_forker()) {
		cache_postfork();
		return (false);
	}
	cache_postfork_child();
	return (true);
}
