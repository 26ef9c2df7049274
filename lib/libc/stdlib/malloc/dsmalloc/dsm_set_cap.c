/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * set: what goes back to the system because there is too much of it.
 */
#include "dsm_arena.h"
#include "dsm_limit.h"
#include "dsm_os.h"
#include "dsm_set.h"
#include "dsm_set_cap.h"
#include "dsm_set_purge.h"
#include "dsm_set_shed.h"

/*
 * How far a set may outgrow what its program uses: what is handed out, at
 * its peak, plus an eighth for the free slots of slabs and dirty pages that
 * a mix of sizes needs at hand as it comes and goes.
 */
#define	SET_ALLOWED(peak)	((peak) + (peak) / 8 + SET_FRESH)
/* Shedding goes below that by this much, lest it be called at each step, if a
 * visit's time is enough for that. */
#define	SET_MARGIN(peak)	((peak) / 32)
/* Where not enough could be shed all regions were looked at in vain: so many
 * times SET_FRESH pass before the next try; and one after any look at 32 MiB or
 * more, where half a one makes no difference and many arenas make a look dear.
 */
#define	SET_PAUSE(peak)	((peak) / 64 / SET_FRESH)
/*
 * A program that needs the pages after all faults them in again, at some
 * 2 us each with the purge: 1 MiB costs half a millisecond.  So that this
 * ends, a part of what is shed is allowed on top from then on: a 128th of it
 * as long as no more is shed than a quarter of one processor pays for, and
 * from there twice the part for each eighth of a GiB, up to a quarter.
 */
#define	SET_SHED_CHEAP	MIB(512)	/* a second */
#define	SET_SHED_STEP		MIB(128)
#define	SET_CREDIT_SHIFT(sum)	((sum) <= SET_SHED_CHEAP ? 7 :	\
	7 - DSM_MIN(((sum) - SET_SHED_CHEAP) / SET_SHED_STEP, 5))

/* How often what may be dirty has changed; atomic. */
static uint32_t set_recaps;

/* The cap has slabs purged again when so much of what is active has come or
 * gone, since what it finds may have been purged already. */
#define	SET_SPARSE_STEP(active)	(set_dirty_least() / 16 + (active) / 32)

/* Credit for what was shed; threads that race lose some. */
static void
credit_add(struct set_credit *c, size_t shed, uint64_t now)
{
	size_t sum = load_rlx(&c->shed) + shed;

	if (now - load_rlx(&c->since) >= 1000) {
		store_rlx(&c->since, now);
		sum = shed;
	}
	store_rlx(&c->shed, sum);
	(void)add_rlx(&c->bytes, shed >> SET_CREDIT_SHIFT(sum));
}

/* Who makes memory dirty beyond the cap pays as he goes: for "least" bytes in
 * any case, for more as long as any visit. */
static struct budget
set_budget(size_t least, size_t most)
{
	struct budget b = BUDGET_ALL;

	b.until = os_time_ns() + DECAY_VISIT_NS;
	b.least = least;
	b.most = most;
	return (b);
}

/* The same, and where that is not enough free pages of sparse slabs too. */
static void
set_shed_all(struct set *s, struct budget *b, uint64_t now)
{

	set_shed(s, b);
	if (!budget_left(b))
		return;
	set_spare(s, now);
	set_purge_sparse(s, b, now);
	if (budget_left(b))
		set_shed(s, b);
}

void
set_recap(void)
{
	struct set *s;

	(void)__atomic_fetch_add(&set_recaps, 1, __ATOMIC_SEQ_CST);
	SETS(s)
		__atomic_store_n(&s->look, 0, __ATOMIC_SEQ_CST);
}

void
set_relieve(size_t bytes)
{
	uint64_t now = load_rlx(&decay_clock);
	struct budget b = BUDGET_ALL;
	struct set *s;

	b.most = bytes;
	SETS(s)
		if (budget_left(&b) && set_enter(s)) {
			set_shed_muzzy(s, &b);
			set_leave(s);
		}
	SETS(s)
		if (budget_left(&b) && set_enter(s)) {
			set_shed_all(s, &b, now);
			set_leave(s);
		}
	limit_recount(set_held);
}

/* What may be dirty beside so much that is in use. */
static size_t
set_dirty_max(size_t active)
{
	int64_t max = load_rlx(&set_dirty_most);

	if (max >= 0)
		return ((size_t)max + active);
	return (DSM_MAX(active / 100 * (size_t)-max, SET_DIRTY_LEAST));
}

/* Memory in slabs beyond half as much again as is handed out of them: it holds
 * little but what threads have at hand, after all else was freed. */
static size_t
set_waste(const struct set *s, size_t active)
{
	size_t out = set_out(s);

	return (active - DSM_MIN(active, out + out / 2));
}

/* That counts as unused, and leaves less room for what is dirty.  Who has
 * freed so much does not swing, and has no use for credit. */
static size_t
set_allowed(const struct set *s, size_t active, size_t waste)
{
	size_t cap, credit = load_rlx(&s->capped.bytes);

	cap = set_dirty_max(active - waste) +
	    credit - DSM_MIN(credit, waste);
	return (cap - DSM_MIN(waste, cap - cap / 8));
}

/* Where it is too much by itself, free pages of slabs go. */
static void
set_cap_slabs(struct set *s, size_t active, size_t waste)
{
	size_t most = set_dirty_least() / 4 * 3;
	size_t last = load_rlx(&s->sparse);
	uint64_t now = load_rlx(&decay_clock);
	struct budget b;

	if (waste <= most || DSM_MAX(active, last) - DSM_MIN(active, last) <
	    SET_SPARSE_STEP(active))
		return;
	store_rlx(&s->sparse, active);
	b = set_budget(waste - most, SIZE_MAX);
	set_spare(s, now);
	set_purge_sparse(s, &b, now);
}

/*
 * Dirty memory is bounded by amount as well as by time: dirty_max beyond as
 * much as is active, since a program whose large blocks come and go is about to
 * ask for the same again (with a quarter of what is active, tensors and blocks
 * to 64 MiB took two to three times the page faults); or, if it is a share,
 * that part of what is active.  Once it is above, an eighth of the cap goes
 * too, the part that is not beyond it as the time of each look allows, so that
 * looks are SET_FRESH apart meanwhile.  Else the next look is an eighth of
 * dirty_max, or of the share, later; and so it is where nothing may go, or
 * nothing can, being locked in memory.  A program whose use swings by more than
 * that many times a second, and is given the same pages again, earns a higher
 * cap as growth does.
 */
static void
set_cap(struct set *s)
{
	size_t active, cap, dirty, idle, low, next, step, stock, waste;
	uint32_t recaps = __atomic_load_n(&set_recaps, __ATOMIC_SEQ_CST);
	struct budget b = BUDGET_ALL;

	dirty = set_pages(s, &active);
	waste = set_waste(s, active);
	stock = dirty - DSM_MIN(dirty, set_dirty(s));
	idle = limit_unused();
	cap = DSM_MIN(set_allowed(s, active, waste), idle);
	step = (load_rlx(&set_dirty_most) < 0 ? cap : set_dirty_least()) / 8;
	low = cap - cap / 8;
	if (dirty > (load_rlx(&s->capping) ? low : cap) &&
	    load_rlx(&s->decay.ms) >= 0) {
		b = set_budget(dirty - DSM_MIN(dirty, cap), dirty - low);
		set_ease(s, &b, load_rlx(&decay_clock));
		set_shed(s, &b);
		set_eased(s, &b);
		dirty -= DSM_MIN(dirty, b.bytes);
		credit_add(&s->capped, b.bytes, load_rlx(&decay_clock));
		set_cap_slabs(s, active, waste);
	}
	store_rlx(&s->capping, b.more);
	next = step;
	if (b.more)
		next = DSM_MIN(next, SET_FRESH);
	next += dirty;
	if (dirty <= cap && !b.more)
		next = DSM_MAX(DSM_MIN(set_dirty_least(), cap),
		    DSM_MIN(cap, next));
	__atomic_store_n(&s->look, next - DSM_MIN(next, stock),
	    __ATOMIC_SEQ_CST);
	/* What may be dirty has changed meanwhile, and the look with it? */
	if (__atomic_load_n(&set_recaps, __ATOMIC_SEQ_CST) != recaps)
		store_rlx(&s->look, 0);
}

int64_t
set_dirty_max_get(void)
{

	return (load_rlx(&set_dirty_most));
}

/* What a program has earned by asking for the same pages again it had with the
 * old one.  Within a hook nothing is purged: the next free does that. */
void
set_dirty_max_set(int64_t max)
{
	struct set *s;

	store_rlx(&set_dirty_most, max);
	set_recap();
	if (hooks_within())
		return;
	SETS(s)
		if (set_enter(s)) {
			store_rlx(&s->capped.bytes, 0);
			set_cap(s);
			set_leave(s);
		}
}

/*
 * Memory has grown by another SET_FRESH.  If it has more pages now than
 * its use explains, then those that are free are of the wrong size or in
 * the wrong place, and it is they that should go: dirty ones, then those in
 * sparse slabs.  A program that goes on in the same pages takes no fresh
 * ones and never gets here; one whose use swings stays below its peak.
 */
void DSM_COLD
set_grown_slow(struct set *s)
{
	uint64_t now = decay_now();
	size_t active, allowed, dirty, more, pause, peak;
	struct budget b;

	store_rlx(&s->regions.fresh, 0);
	limit_recount(set_held);
	limit_grown(set_held(), now);
	if ((pause = load_rlx(&s->pause)) != 0) {
		store_rlx(&s->pause, pause - 1);
		return;
	}
	if (load_rlx(&s->decay.ms) < 0)
		return;
	peak = set_out(s);
	peak = DSM_MAX(load_rlx(&s->peak), peak);
	store_rlx(&s->peak, peak);
	store_rlx(&s->pause, DSM_MIN(SET_PAUSE(peak), (size_t)1));
	allowed = SET_ALLOWED(peak) + load_rlx(&s->grown.bytes);
	dirty = set_pages(s, &active);
	if (active + dirty <= allowed)
		return;
	more = active + dirty - allowed;
	b = set_budget(more, more + SET_MARGIN(peak));
	set_ease(s, &b, now);
	set_shed_all(s, &b, now);
	set_eased(s, &b);
	if (b.more)
		store_rlx(&s->pause, 0);
	else if (b.bytes < b.most) {
		store_rlx(&s->pause, SET_PAUSE(peak));
		add_rlx(&s->wanting, 1);
	}
	credit_add(&s->grown, b.bytes, now);
}

/*
 * With a decay time of 0 a batch that frees block after block would have each
 * one purged by a call of its own, and every call interrupts all processors
 * that the program runs on: what is freed within a millisecond goes together,
 * or as so much of it has come.  Who comes last leaves no more than that.  To
 * look for it takes some 300 ns for each MiB in use, as long as to purge 8 KiB
 * and have them back by page faults: so it is more, and later, for a fiftieth
 * of the time, where that is much.  What the last visit had to leave does not
 * count.
 */
#define	SET_AT_ONCE(used)	DSM_MAX(KIB(64), (used) / 128)
#define	SET_AT_ONCE_MS(used)	(1 + (used) / MIB(64))

static bool
set_is_due_now(const struct set *s, size_t stock, uint64_t now)
{
	size_t dirty = set_dirty(s) + stock, stuck = load_rlx(&s->stuck);
	size_t used = set_taken(s);

	if (load_rlx(&s->decay.ms) != 0)
		return (false);
	if (now >= load_rlx(&s->decay.visited) + SET_AT_ONCE_MS(used))
		return (dirty > stuck || load_rlx(&s->decay.thin) != 0);
	return (dirty >= stuck + SET_AT_ONCE(used));
}

static void DSM_NOINLINE
set_freed_slow(struct arena *a, uint64_t now)
{
	size_t stock = load_rlx(&a->large.stock_bytes);
	struct set *s = load_acq(&a->set);

	if (load_rlx(&a->large.nstock) != 0)
		decay_stir(&s->decay);
	/* It may have freed what is of a set that it was in before, of which
	 * nothing is in stock. */
	for (; s != NULL && !hooks_within(); s = s->before, stock = 0) {
		if (set_dirty(s) > load_rlx(&s->look))
			set_cap(s);
		if (set_is_due_now(s, stock, now))
			set_at_once(s, now);
	}
}

/* With nothing to do, once a flush or large block. */
void
set_freed(struct arena *a, uint64_t now)
{
	const struct set *s = load_acq(&a->set);

	if (unlikely(load_rlx(&s->decay.next) == DECAY_NEVER ||
	    set_dirty(s) > load_rlx(&s->look) || load_rlx(&s->eager)))
		set_freed_slow(a, now);
}

/* What the program's hooks have lent is of use to its own arena alone, unless
 * it is a limit that there is no more for. */
static bool
set_helps(const struct set *s, const struct arena *a)
{
	const struct set *own = load_acq(&a->set);

	return (s == own || load_rlx(&limit_hard) != 0 ||
	    (!pool_is_lent(&s->pool) && !pool_is_lent(&own->pool)));
}

bool
set_may_reclaim(const struct arena *a, size_t size)
{
	const struct set *s;

	SETS(s)
		if (set_helps(s, a) && size <= load_rlx(&s->pool.mapped))
			return (true);
	return (false);
}

void
set_reclaim(const struct arena *a)
{
	struct set *s;

	if (load_rlx(&limit_hard) == 0) {
		limit_refused(set_held());
		set_recap();
	}
	SETS(s) {
		if (!set_helps(s, a) || !set_enter(s))
			continue;
		set_purge_all(s, load_rlx(&decay_clock));
		pool_trim(&s->pool);
		set_leave(s);
	}
	limit_recount(set_held);
}
