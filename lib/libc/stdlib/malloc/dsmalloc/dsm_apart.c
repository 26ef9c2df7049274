/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <errno.h>

#include "dsm_apart.h"
#include "dsm_explicit.h"
#include "dsm_set.h"

/* Does no other arena take pages of its set? */
static bool
apart_is_alone(const struct arena *a)
{
	const struct set *s = a->set;
	struct arena *other;

	SET_ARENAS(s, other)
		if (other != a)
			return (false);
	return (true);
}

/* A set for an arena, of these hooks unless they are NULL. */
static int
apart_leave(struct arena *a, struct hooks *h)
{
	struct set *s;

	LOCK_ASSERT(&set_lock);
	if ((s = set_make(a->ind, a->set)) == NULL)
		return (EAGAIN);
	if (h != NULL)
		pool_lend(&s->pool, h);
	set_move(a, s);
	return (0);
}

/* Blocks in stock and free pages of slabs are still the old set's, whose visits
 * do not come here any more. */
static void
apart_settle(struct arena *a)
{
	struct budget b = BUDGET_ALL;
	uint64_t now = decay_now();

	(void)large_drain(&a->large, DECAY_NEVER, now);
	arena_collect(a, now);
	arena_spare(a, now);
	arena_purge_slabs(a, &b, now);
}

/* Drop the lock; no arena has to settle that is still where it was before. */
static void
apart_end(struct arena *a, const struct set *before)
{
	bool left = a->set != before;

	lock_drop(&set_lock);
	if (left)
		apart_settle(a);
}

int
apart_own(unsigned index)
{
	const struct set *before;
	struct arena *a;
	int error = 0;

	if (!set_exists(index))
		return (EFAULT);
	if (index >= arena_nauto())
		return (0);
	lock_take(&set_lock);
	a = arena_get(index);
	before = a->set;
	if (apart_is_alone(a))
		set_unshare(before);
	else
		error = apart_leave(a, NULL);
	apart_end(a, before);
	return (error);
}

/* Arena 0 is about to have hooks: these need another for themselves. */
static bool
apart_stand_in(void)
{
	unsigned ind;

	if (arena_within() != arena_zero())
		return (true);
	if ((ind = explicit_create(NULL)) == 0)
		return (false);
	(void)explicit_name_set(ind, "hooks");
	arena_set_within(arena_get(ind));
	return (true);
}

/* New hooks for an arena that has some; else it leaves its set. */
static int
apart_lend(struct arena *a, struct hooks *h)
{

	LOCK_ASSERT(&set_lock);
	if (load_rlx(&a->set->pool.hooks) == h)
		return (0);
	if (!pool_is_lent(&a->set->pool))
		return (apart_leave(a, h));
	pool_lend(&a->set->pool, h);
	return (0);
}

int
apart_hooks_set(unsigned index, struct hooks *h)
{
	const struct set *before;
	struct arena *a;
	int error;

	if (h == NULL || h->alloc == NULL)
		return (EFAULT);
	if (index >= arena_nauto())
		return (explicit_hooks_set(index, h) ? 0 : EFAULT);
	if (index == 0 && h != &hooks_default && !apart_stand_in())
		return (EAGAIN);
	lock_take(&set_lock);
	if ((a = arena_get(index)) == NULL)
		a = set_add_auto(index);
	if (a == NULL) {
		lock_drop(&set_lock);
		return (EAGAIN);
	}
	before = a->set;
	error = apart_lend(a, h);
	apart_end(a, before);
	return (error);
}
