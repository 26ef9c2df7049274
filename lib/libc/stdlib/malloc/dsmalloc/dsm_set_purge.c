/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * set: what goes back to the system because its time has come, or all of it.
 */
#include "dsm_arena.h"
#include "dsm_conf.h"
#include "dsm_set.h"
#include "dsm_set_purge.h"
#include "dsm_set_shed.h"

_Static_assert(DECAY_PARTS == REGIONS_PASS, "a round is a pass");

static void
credit_fade(struct set_credit *c)
{

	store_rlx(&c->bytes, load_rlx(&c->bytes) / 4 * 3);
}

/* In the time of a round the peak fades half the way to what is handed out now,
 * the credits by a quarter. */
static void
set_fade(struct set *s, uint64_t now)
{
	size_t out, peak = load_rlx(&s->peak);

	/* Clocks that are read in different ways differ a little. */
	if (now < load_rlx(&s->faded) + decay_round(&s->decay))
		return;
	store_rlx(&s->faded, now);
	out = set_out(s);
	store_rlx(&s->peak, out + (peak - DSM_MIN(peak, out)) / 2);
	credit_fade(&s->grown);
	credit_fade(&s->capped);
}

/* Purge all that is dirty, now. */
static void
set_purge(struct set *s, struct budget *b, uint64_t now)
{

	b->every = true;
	set_spare(s, now);
	set_drain(s, DECAY_NEVER, now);
	set_purge_sparse(s, b, now);
	set_fade(s, now);
	if (pool_is_lent(&s->pool))
		regions_trim(&s->regions, true);
	regions_pass(&s->regions, PAGES_DIRTY);
	(void)regions_purge(&s->regions, REGIONS_ALL, REGIONS_PASS, b);
	(void)pool_purge(&s->pool, DECAY_NEVER, 0, b);
	pool_purge_map(&s->pool, b);
	if (!conf.retain)
		pool_trim(&s->pool);
}

/* Give all back that can be, now. */
void
set_purge_all(struct set *s, uint64_t now)
{
	struct budget b = BUDGET_ALL;

	set_shed_muzzy(s, &b);
	set_purge(s, &b, now);
}

static unsigned
set_nbins(const struct set *s)
{

	return (load_rlx(&s->narenas) * (SIZE_NCLASSES - 1));
}

/* A round begins with what takes no purging. */
static void
set_round(struct set *s, uint64_t now)
{

	store_rlx(&s->decay.thin, 0);
	set_spare(s, now);
	if (pool_is_lent(&s->pool))
		regions_trim(&s->regions, false);
	regions_pass(&s->regions, PAGES_DIRTY);
	/* What the last one left over comes first. */
	s->first += s->cursor;
	s->cursor = 0;
}

/* A bin by its number among all of a set. */
static struct arena *
set_bin(const struct set *s, unsigned i, unsigned *class)
{
	unsigned n = i / (SIZE_NCLASSES - 1);
	struct arena *a;

	*class = 1 + i % (SIZE_NCLASSES - 1);
	SET_ARENAS(s, a)
		if (n-- == 0)
			break;
	return (a);
}

/* The arena after one; the first after the last. */
static struct arena *
set_after(const struct set *s, struct arena *a)
{

	if (a != NULL)
		a = set_arena(s, load_acq(&a->next));
	return (a != NULL ? a : set_arena(s, load_acq(&s->arenas)));
}

/* Sparse slabs of bins up to a part of all. */
static void
set_purge_slabs(struct set *s, unsigned part, struct budget *b, uint64_t now)
{
	unsigned class, n = set_nbins(s), end = n * part / DECAY_PARTS;
	struct arena *a;

	if (s->cursor >= end)
		return;
	a = set_bin(s, (s->first + s->cursor) % n, &class);
	for (; s->cursor < end; s->cursor++) {
		if (a != NULL && !arena_purge_bin(a, class, b, now))
			break;
		if (++class == SIZE_NCLASSES) {
			class = 1;
			a = set_after(s, a);
		}
	}
}

/* Rounds in which nothing was to be purged and nothing changed: what is freed
 * as one begins is old by the end of the second. */
#define	SET_BARREN	3

static bool
set_stocks(const struct set *s)
{
	const struct arena *a;

	SET_ARENAS(s, a)
		if (load_rlx(&a->large.nstock) != 0)
			return (true);
	return (false);
}

static bool
set_owes(const struct set *s)
{

	return (set_dirty(s) != 0 || set_stocks(s));
}

/* Is all that is left in huge pages that are not worth breaking up for it? */
static bool
set_is_barren(const struct set *s)
{

	return (s->barren >= SET_BARREN && set_dirty(s) == s->still &&
	    load_rlx(&s->pool.held[PAGES_DIRTY]) == 0 && !set_stocks(s));
}

static void
set_round_over(struct set *s)
{
	size_t dirty = set_dirty(s);

	s->barren = s->tried || dirty != s->still ? 0 : s->barren + 1;
	s->still = dirty;
	s->tried = false;
}

/* Are there slabs that this round has not come to?  It may be the last. */
static bool
set_is_amid(const struct set *s)
{

	return (load_rlx(&s->decay.ms) != 0 && (s->cursor < set_nbins(s) ||
	    load_rlx(&s->decay.thin) != 0));
}

/* Is somebody to come again, once all slabs were seen?  Who frees more has it
 * asked anew. */
static bool
set_is_due_again(struct set *s, uint64_t now)
{
	struct arena *a;

	if (set_owes(s) && !set_is_barren(s))
		return (true);
	/* What others have freed since the round began. */
	SET_ARENAS(s, a)
		arena_collect(a, now);
	if (set_owes(s) && !set_is_barren(s))
		return (true);
	s->barren = 0;
	return (false);
}

/* A huge page was broken up, which is most of the work: with what it was for
 * goes all else that is free in it. */
static void
set_reap(struct budget *b, uint64_t now)
{
	struct region *r = b->broken;

	if (r == NULL)
		return;
	b->broken = NULL;
	if (!load_rlx(&r->huge))
		bin_purge_region(r, b, now);
	region_reaped(r, now);
}

/* A visit: large pieces first; but where the last one had no time left, this
 * begins with what comes next. */
static void
set_visit(struct set *s, struct budget *b, uint64_t now)
{
	uint64_t round = load_rlx(&s->decay.start);
	unsigned i, part;

	set_fade(s, now);
	if (s->round == round && regions_outgrown(&s->regions) &&
	    decay_renew(&s->decay, now))
		round = now;
	if (s->round != round) {
		s->round = round;
		set_round(s, now);
	}
	part = decay_part(&s->decay, now);
	b->reaps = true;
	for (i = 0; i < 3 && !b->more; i++) {
		if (s->stage == 0)
			set_purge_pool(s, &s->decay, b, now);
		else if (s->stage == 1)
			(void)regions_purge(&s->regions, REGIONS_OLD, part, b);
		else
			set_purge_slabs(s, part, b, now);
		set_reap(b, now);
		s->stage = (s->stage + 1) % 3;
	}
	if (!b->more && (part == DECAY_PARTS || !set_owes(s)))
		pool_purge_map(&s->pool, b);
	if (!conf.retain)
		pool_trim(&s->pool);
	/* The pages of regions do not wait for those of slabs. */
	s->tried |= b->tried;
	if (part == DECAY_PARTS && (!b->more || s->stage == 0)) {
		set_round_over(s);
		decay_turn(&s->decay, now);
	}
}

/* A visit that was begun, by a budget, and ends.  With a decay time of 0
 * everything goes. */
static void
set_due_by(struct set *s, struct budget *b, uint64_t now)
{

	set_ease(s, b, now);
	if (load_rlx(&s->decay.ms) == 0) {
		store_rlx(&s->decay.thin, 0);
		set_purge(s, b, now);
		store_rlx(&s->stuck, set_dirty(s));
	} else
		set_visit(s, b, now);
	set_eased(s, b);
	decay_end(&s->decay, set_is_amid(s) || set_is_due_again(s, now),
	    b->more, now);
}

/* With a decay time of 0 who makes it dirty pays. */
static void
set_due(struct set *s, uint64_t now, uint64_t ns)
{
	struct budget b = BUDGET_ALL;

	if (load_rlx(&s->decay.ms) != 0)
		b = decay_budget(&s->decay, now, ns);
	set_due_by(s, &b, now);
}

/* A visit to what is muzzy: extents, then pages of regions, in turn likewise. */
static void
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
static void
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

/* The books of one set that are due; of the others, when. */
static void
set_due_books(struct set *s, uint64_t now, uint64_t ns)
{

	if (decay_begin(&s->decay, now))
		set_due(s, now, ns);
	else
		decay_lower(decay_next(&s->decay));
	if (decay_begin(&s->muzzy, now))
		set_due_muzzy(s, now, ns);
	else
		decay_lower(decay_next(&s->muzzy));
}

void
set_overdue(uint64_t now)
{
	struct set *s;

	if (likely(load_rlx(&decay_deadline) > now) || hooks_within())
		return;
	decay_scan();
	SETS(s) {
		/* One that is shut has its deadline when it is opened. */
		if (!set_enter(s))
			continue;
		set_due_books(s, now, DECAY_VISIT_NS);
		set_leave(s);
	}
}

void
set_tick(uint64_t now)
{

	if (unlikely(load_rlx(&decay_deadline) <= now -
	    load_rlx(&decay_grace)))
		set_overdue(now);
}

static uint64_t
set_next(const struct set *s)
{
	uint64_t dirty = decay_next(&s->decay), muzzy = decay_next(&s->muzzy);

	return (DSM_MIN(dirty, muzzy));
}

/* The set that was due first, if one is by now, entered. */
static struct set *
set_enter_first(uint64_t now)
{
	struct set *first = NULL, *s;
	uint64_t due = now, next;

	SETS(s)
		if (load_rlx(&s->shut) == SET_OPEN &&
		    (next = set_next(s)) <= due) {
			due = next;
			first = s;
		}
	return (first != NULL && set_enter(first) ? first : NULL);
}

/* The deadline becomes that of all others, who have others to visit them. */
struct set *
set_keep_first(uint64_t now)
{
	struct set *mine, *s;

	decay_scan();
	mine = set_enter_first(now);
	SETS(s)
		if (s != mine && set_enter(s)) {
			decay_lower(set_next(s));
			set_leave(s);
		}
	return (mine);
}

void
set_keep(struct set *s, uint64_t now, uint64_t ns)
{

	set_due_books(s, now, ns);
	set_leave(s);
}

void
set_at_once(struct set *s, uint64_t now)
{

	if (!set_enter(s))
		return;
	if (decay_enter(&s->decay, now))
		set_due(s, now, DECAY_VISIT_NS);
	set_leave(s);
}

void
set_settle(void)
{
	uint64_t now = load_rlx(&decay_clock);
	struct set *s;

	SETS(s)
		if (load_rlx(&s->decay.ms) == 0 && (set_owes(s) ||
		    load_rlx(&s->decay.thin) != 0))
			set_at_once(s, now);
}

/* What is due by now, however long it takes. */
static void
set_decay_now(struct set *s, uint64_t now)
{
	struct budget b = BUDGET_ALL;

	if (decay_enter(&s->decay, now))
		set_due_by(s, &b, now);
	b = (struct budget)BUDGET_ALL;
	if (decay_enter(&s->muzzy, now)) {
		set_visit_muzzy(s, &b, now);
		decay_end(&s->muzzy, set_muzzy(s) != 0, false, now);
	}
}

bool
set_decay(unsigned index, bool everything)
{
	uint64_t now = decay_now();
	struct set *s;

	if (!set_exists(index))
		return (false);
	SETS(s) {
		if (!set_has(s, index) || !set_enter(s))
			continue;
		if (everything)
			set_purge_all(s, now);
		else
			set_decay_now(s, now);
		if (set_owes(s))
			decay_arm(&s->decay, now);
		set_leave(s);
	}
	return (true);
}
