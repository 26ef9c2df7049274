/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * cache: the registry of all threads', and what becomes of them at a fork.
 */
#include "dsm_base.h"
#include "dsm_cache.h"

/* In a cache line to itself: others that all slow paths read may lie near. */
static struct {
	struct lock	 lock;
	/* Under it. */
	SLIST_HEAD(, cache) all;
	SLIST_HEAD(, cache) idle;
} DSM_ALIGNED(DSM_CACHELINE) cache_registry = {
	.lock = LOCK_INITIALIZER(LOCK_CACHE)
};

struct cache *
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

void
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

void
cache_postfork_any(void)
{

	if (gate_is_forker())
		cache_postfork();
	else
		cache_postfork_child();
}
