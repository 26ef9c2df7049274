/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * set: pages that are purged in two stages, lazily and then by force.
 */
#include "dsm_conf.h"
#include "dsm_set.h"

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

void
set_visit_muzzy(struct set *s, struct budget *b, uint64_t now)
{
	unsigned i, part = decay_part(&s->muzzy, now);
	uint64_t round = load_rlx(&s->muzzy.start);

	b->kind = PAGES_MUZZY;
	b->now = now;
	if (s->muzzy_round != round) {
		s->muzzy_round = round;
		regions_pass(&s->regions, PAGES_MUZZY);
	}
	for (i = 0; i < 2 && !b->more; i++) {
		if (s->muzzy_stage == 0)
			set_purge_pool(s, &s->muzzy, b, now);
		else
			(void)regions_purge(&s->regions, REGIONS_OLD, part, b);
		s->muzzy_stage = !s->muzzy_stage;
	}
	if (!conf.retain)
		pool_trim(&s->pool);
	if (part == DECAY_PARTS && !b->more)
		decay_turn(&s->muzzy, now);
}

/* There is some left with a time of 0 where it had another before. */
void
set_due_muzzy(struct set *s, uint64_t now, uint64_t ns)
{
	struct budget b = BUDGET_ALL;

	if (load_rlx(&s->muzzy.ms) == 0)
		set_shed_muzzy(s, &b);
	else {
		b = decay_budget(&s->muzzy, now, ns);
		set_visit_muzzy(s, &b, now);
	}
	decay_end(&s->muzzy, set_muzzy(s) != 0, b.more, now);
}
