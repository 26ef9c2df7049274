/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * set: what can go back to the system, one kind of it at a time.
 */
#include "dsm_arena.h"
#include "dsm_set.h"
#include "dsm_set_shed.h"

void
set_drain(struct set *s, uint64_t before, uint64_t now)
{
	struct arena *a;

	SET_ARENAS(s, a)
		(void)large_drain(&a->large, before, now);
}

void
set_spare(struct set *s, uint64_t now)
{
	struct arena *a;

	SET_ARENAS(s, a) {
		arena_collect(a, now);
		arena_spare(a, now);
	}
}

void
set_purge_sparse(struct set *s, struct budget *b, uint64_t now)
{
	struct arena *a;

	SET_ARENAS(s, a)
		arena_purge_slabs(a, b, now);
}

void
set_purge_pool(struct set *s, const struct decay *d, struct budget *b,
    uint64_t now)
{
	uint64_t round = decay_round(d);
	uint64_t old = now - DSM_MIN(now, 2 * round);
	size_t held, owed;

	if (b->kind == PAGES_DIRTY)
		set_drain(s, old + round, now);
	owed = pool_owed(&s->pool, b->kind, old, old + round, now -
	    DSM_MIN(now, load_rlx(&d->visited)));
	held = load_rlx(&s->pool.held[b->kind]);
	(void)pool_purge(&s->pool, old, held - DSM_MIN(held, owed), b);
}

void
set_ease(const struct set *s, struct budget *b, uint64_t now)
{

	b->lazy = load_rlx(&s->muzzy.ms) != 0;
	b->now = now;
}

void
set_eased(struct set *s, const struct budget *b)
{

	if (b->lazy && set_muzzy(s) != 0)
		decay_arm(&s->muzzy, b->now);
}

void
set_shed(struct set *s, struct budget *b)
{

	(void)pool_purge(&s->pool, 0, 0, b);
	if (!budget_left(b))
		return;
	set_drain(s, DECAY_NEVER, load_rlx(&decay_clock));
	regions_pass(&s->regions, PAGES_DIRTY);
	(void)regions_purge(&s->regions, REGIONS_OLD, REGIONS_PASS, b);
	if (!budget_left(b))
		return;
	regions_pass(&s->regions, PAGES_DIRTY);
	(void)regions_purge(&s->regions, REGIONS_ANY, REGIONS_PASS, b);
}

void
set_shed_muzzy(struct set *s, struct budget *b)
{

	if (set_muzzy(s) == 0)
		return;
	b->kind = PAGES_MUZZY;
	(void)pool_purge(&s->pool, 0, 0, b);
	if (budget_left(b)) {
		regions_pass(&s->regions, PAGES_MUZZY);
		(void)regions_purge(&s->regions, REGIONS_ANY, REGIONS_PASS, b);
	}
	b->kind = PAGES_DIRTY;
}
