/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * Theory of operation.
 *
 * An allocation.  malloc() takes a slot from the calling thread's cache; an
 * empty stack is filled from the class's bin in the thread's arena; the bin
 * takes slots from its current slab, from the fullest other, from what other
 * threads have given back, or opens a slab on a run of pages of one of the
 * arena's regions; a region comes from the pool, the pool's space from the
 * hooks, the default ones' from the system.  A large block is a run of a
 * region, or comes from the pool.
 *
 * A free.  free() looks the pointer's tag up in the map and pushes it on
 * that class's stack; a full stack gives its older half back to the bins of
 * the slabs that the slots are of: under the bin's lock where it is the
 * thread's own arena's, through the slab's remote bitmap else.  A slab that
 * empties closes, its run is free and dirty, an empty region goes to the
 * pool, and decay gives dirty pages back to the system in time.
 *
 * Automatic arenas.  As many as the process has processors, made when a
 * thread needs one; a thread is bound at its first use to the one with the
 * fewest threads, for life.  They share one pool, so whole regions and
 * blocks beyond half a region flow between them.  A domain's arenas would be
 * a set with a pool of its own.
 *
 * Lock order.  Each may be taken with those above it held, never the other
 * way round (debug builds assert it by enum lock_rank):
 *	init		initialisation, the registry of caches
 *	ctl		mallctl
 *	arena		making an arena, and an arena's bins
 *	bin		a bin, its slabs
 *	large		an arena's stock of large blocks
 *	region		an arena's regions
 *	pool		free extents
 *	decay		(no lock: atomics)
 *	map		making a leaf
 *	base		metadata
 * No system call but mmap is made under a lock above base, no purge under
 * any, and no callback of the program's under any but malloc_message() on
 * the way to abort(), which no lock stops then (lock_die()).
 *
 * Fork.  Slow paths run inside a gate (dsm_cache.c); the forker closes it
 * and waits, so that at fork no lock is held and no list is half changed.
 *
 * Failure.  Every layer answers NULL and leaves things as they were;
 * malloc() sets ENOMEM.
 *
 * Who may purge: arena_tick(), on any thread's slow path once the global
 * deadline has passed, for every arena; arena_freed(), for the caller's
 * arena, when dirty memory exceeds its cap; mallctl.
 */
#include <string.h>

#include "dsm_arena.h"
#include "dsm_base.h"
#include "dsm_conf.h"
#include "dsm_os.h"

static struct lock arena_lock = LOCK_INITIALIZER(LOCK_ARENA);
static struct arena *arena_table[ARENA_AUTO_MAX];	/* atomic */
static unsigned	 arena_auto;		/* constant after boot */
static struct pool arena_pool;
static struct decay pool_decay;
static int64_t	 arena_decay_ms;	/* of new arenas; atomic */

/* Automatic arenas use dirty_max together; an arena looks at the sum only
 * when it holds this part of it. */
#define	ARENA_SHARE	4

/* Bins with less than this in free slots are not searched for pages to
 * purge: it is what one slab of most classes holds. */
#define	ARENA_SLACK	KIB(64)

static struct arena *
arena_new(unsigned ind)
{
	struct arena *a;

	if ((a = base_alloc(BASE_ARENA, sizeof(*a))) == NULL)
		return (NULL);
	a->ind = ind;
	decay_init(&a->decay, load_rlx(&arena_decay_ms));
	regions_init(&a->regions, &arena_pool);
	large_init(&a->large, &a->regions);
	store_rel(&arena_table[ind], a);
	return (a);
}

/* Once, with the options read; arena 0 always exists. */
bool
arena_boot(void)
{

	arena_auto = conf.narenas != 0 ? conf.narenas : os_cpus();
	arena_auto = DSM_MIN(arena_auto, (unsigned)ARENA_AUTO_MAX);
	arena_decay_ms = conf.dirty_decay_ms;
	pool_init(&arena_pool, &hooks_default, 0);
	decay_init(&pool_decay, conf.dirty_decay_ms);
	return (arena_new(0) != NULL);
}

struct arena *
arena_of_large(struct large *l)
{

	return ((struct arena *)(void *)((char *)l -
	    offsetof(struct arena, large)));
}

struct arena *
arena_zero(void)
{

	return (load_acq(&arena_table[0]));
}

unsigned
arena_count(void)
{

	return (arena_auto);
}

static struct arena *
arena_get(unsigned i)
{

	return (load_acq(&arena_table[i]));
}

struct arena *
arena_bind(void)
{
	struct arena *a, *best = NULL;
	unsigned i;

	lock_take(&arena_lock);
	for (i = 0; i < arena_auto; i++) {
		if ((a = arena_get(i)) == NULL)
			a = arena_new(i);
		if (a == NULL)
			break;
		if (best == NULL || load_rlx(&a->nthreads) <
		    load_rlx(&best->nthreads))
			best = a;
		if (load_rlx(&best->nthreads) == 0)
			break;
	}
	add_rlx(&best->nthreads, 1);
	lock_drop(&arena_lock);
	return (best);
}

void
arena_unbind(struct arena *a)
{

	sub_rlx(&a->nthreads, 1);
	/* A pusher stores to an inbox, then loads this count; we look at the
	 * inboxes next. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* A bin is set up at its first use: an unused one costs no memory. */
static void DSM_NOINLINE
arena_bin_init(struct arena *a, unsigned class)
{

	lock_take(&arena_lock);
	if (a->bins[class].regions == NULL)
		bin_init(&a->bins[class], &a->regions, class,
		    ARENA_TAG(class), &a->nthreads);
	lock_drop(&arena_lock);
}

struct bin *
arena_bin(struct arena *a, unsigned class)
{

	if (unlikely(load_acq(&a->bins[class].regions) == NULL))
		arena_bin_init(a, class);
	return (&a->bins[class]);
}

void
arena_collect(struct arena *a, uint64_t now)
{
	unsigned c;

	for (c = 1; c < SIZE_NCLASSES; c++)
		if (load_acq(&a->bins[c].regions) != NULL)
			bin_collect(&a->bins[c], now);
}

/* Free slots in slabs of one arena, in bytes, about. */
static size_t
arena_slack(const struct arena *a)
{
	size_t slack = 0;
	unsigned c;

	for (c = 1; c < SIZE_NCLASSES; c++)
		if (load_acq(&a->bins[c].regions) != NULL)
			slack += bin_slack(&a->bins[c]);
	return (slack);
}

/* Give back free pages of sparse slabs, where there may be some. */
static size_t
arena_purge_slabs(struct arena *a, uint64_t now)
{
	size_t bytes = 0;
	unsigned c;

	for (c = 1; c < SIZE_NCLASSES; c++)
		if (load_acq(&a->bins[c].regions) != NULL &&
		    bin_slack(&a->bins[c]) >= ARENA_SLACK)
			bytes += bin_purge(&a->bins[c], now);
	return (bytes);
}

static size_t
arena_dirty(const struct arena *a)
{

	return (load_rlx(&a->regions.dirty) << os_page_shift);
}

static size_t
arena_active(const struct arena *a)
{

	return ((load_rlx(&a->regions.used) << os_page_shift) +
	    load_rlx(&a->large.direct));
}

/* One pass over an arena; everything: whatever its age. */
static void
arena_pass(struct arena *a, bool everything, uint64_t now)
{
	uint64_t before = everything ? DECAY_NEVER :
	    decay_before(&a->decay, now);

	arena_collect(a, now);
	if (before == 0)
		return;
	(void)large_drain(&a->large, before, now);
	(void)arena_purge_slabs(a, now);
	(void)regions_purge(&a->regions, before == DECAY_NEVER, SIZE_MAX);
}

static void
pool_pass(bool everything, uint64_t now)
{

	(void)pool_purge(&arena_pool, everything ? DECAY_NEVER :
	    decay_before(&pool_decay, now), SIZE_MAX);
}

static bool
arena_owes(const struct arena *a)
{

	return (load_rlx(&a->regions.dirty) != 0 ||
	    load_rlx(&a->large.nstock) != 0);
}

void
arena_tick(uint64_t now)
{
	struct arena *a;
	unsigned i;

	if (likely(load_rlx(&decay_deadline) > now))
		return;
	decay_scan();
	for (i = 0; i < arena_auto; i++) {
		if ((a = arena_get(i)) == NULL)
			continue;
		if (decay_begin(&a->decay, now)) {
			arena_pass(a, false, now);
			decay_end(&a->decay, arena_owes(a), now);
		}
		decay_lower(load_rlx(&a->decay.next));
	}
	/* What the arenas let go of is the pool's now. */
	if (load_rlx(&arena_pool.dirty) != 0)
		decay_arm(&pool_decay, now);
	if (decay_begin(&pool_decay, now)) {
		pool_pass(false, now);
		decay_end(&pool_decay, load_rlx(&arena_pool.dirty) != 0, now);
	}
	decay_lower(load_rlx(&pool_decay.next));
}

/* Dirty and active bytes of all automatic arenas and their pool. */
static void
arena_sums(size_t *dirty, size_t *active)
{
	struct arena *a;
	unsigned i;

	*dirty = load_rlx(&arena_pool.dirty);
	*active = 0;
	for (i = 0; i < arena_auto; i++)
		if ((a = arena_get(i)) != NULL) {
			*dirty += arena_dirty(a) +
			    load_rlx(&a->large.stock_bytes);
			*active += arena_active(a);
		}
}

/*
 * Purge about this many dirty bytes: the pool's oldest extents first, then
 * the stock and the pages of each arena, this one's last, since it is at
 * work.
 */
static void
arena_shed(struct arena *mine, size_t excess)
{
	size_t dirty = load_rlx(&arena_pool.dirty), done;
	uint64_t now = load_rlx(&decay_clock);
	struct arena *a;
	unsigned i;

	done = pool_purge(&arena_pool, 0, dirty - DSM_MIN(dirty, excess));
	for (i = 1; i <= arena_auto && done < excess; i++) {
		a = arena_get((mine->ind + i) % arena_auto);
		if (a == NULL || load_rlx(&a->decay.ms) < 0)
			continue;
		(void)large_drain(&a->large, DECAY_NEVER, now);
		done += regions_purge(&a->regions, true, excess - done);
	}
}

/*
 * Dirty memory is bounded by amount as well as by time: dirty_max, or a
 * quarter of what is active where that is more.
 */
static void
arena_cap(struct arena *a)
{
	size_t active, cap, dirty;

	arena_sums(&dirty, &active);
	cap = DSM_MAX(conf.dirty_max, active / 4);
	if (dirty > cap && load_rlx(&a->decay.ms) >= 0)
		arena_shed(a, dirty - cap + cap / 8);
}

/*
 * Memory grows although there are dirty pages, or free ones in sparse slabs:
 * they are of the wrong size or in the wrong place, and it is they that
 * should go.  What is dirty beyond an eighth of what is active is purged
 * down to a sixteenth.  A program that goes on in the same pages takes no
 * fresh ones and never gets here.
 */
void DSM_COLD
arena_grown_slow(struct arena *a)
{
	size_t active, dirty, slack = 0;
	struct arena *o;
	unsigned i;

	store_rlx(&a->regions.fresh, 0);
	if (load_rlx(&a->decay.ms) < 0)
		return;
	arena_sums(&dirty, &active);
	if (dirty > active / 8 + ARENA_FRESH)
		arena_shed(a, dirty - active / 16);
	for (i = 0; i < arena_auto; i++)
		if ((o = arena_get(i)) != NULL &&
		    (slack = arena_slack(o)) > arena_active(o) / 8 +
		    ARENA_FRESH)
			(void)arena_purge_slabs(o, load_rlx(&decay_clock));
}

void
arena_freed(struct arena *a, uint64_t now)
{

	if (load_rlx(&a->regions.dirty) != 0 ||
	    load_rlx(&a->large.nstock) != 0)
		decay_arm(&a->decay, now);
	if (load_rlx(&arena_pool.dirty) != 0)
		decay_arm(&pool_decay, now);
	if (arena_dirty(a) + load_rlx(&arena_pool.dirty) >
	    conf.dirty_max / ARENA_SHARE)
		arena_cap(a);
	if (unlikely(load_rlx(&a->decay.ms) == 0))
		arena_tick(now);
}

/* The child has one thread, the caller, and no lock is held. */
void
arena_forked(struct arena *mine)
{
	struct arena *a;
	unsigned i;

	for (i = 0; i < arena_auto; i++)
		if ((a = arena_get(i)) != NULL)
			store_rlx(&a->nthreads, a == mine);
}

static void
arena_decay_one(struct arena *a, bool everything, uint64_t now)
{

	arena_pass(a, everything, now);
	if (arena_owes(a))
		decay_arm(&a->decay, now);
}

bool
arena_decay_all(unsigned index, bool everything)
{
	uint64_t now = decay_now();
	struct arena *a;
	unsigned i;

	if (index < arena_auto && arena_get(index) == NULL)
		return (false);
	for (i = 0; i < arena_auto; i++)
		if ((index >= arena_auto || index == i) &&
		    (a = arena_get(i)) != NULL)
			arena_decay_one(a, everything, now);
	pool_pass(everything, now);
	if (load_rlx(&arena_pool.dirty) != 0)
		decay_arm(&pool_decay, now);
	return (true);
}

int64_t
arena_decay_ms_get(unsigned index)
{
	struct arena *a;

	if (index >= arena_auto)
		return (load_rlx(&arena_decay_ms));
	a = arena_get(index);
	return (a == NULL ? load_rlx(&arena_decay_ms) :
	    load_rlx(&a->decay.ms));
}

bool
arena_decay_ms_set(unsigned index, int64_t ms)
{
	uint64_t now = decay_now();
	struct arena *a;
	unsigned i;

	if (index < arena_auto && arena_get(index) == NULL)
		return (false);
	for (i = 0; i < arena_auto; i++)
		if ((index >= arena_auto || index == i) &&
		    (a = arena_get(i)) != NULL)
			decay_set(&a->decay, ms, now);
	if (index >= arena_auto) {
		store_rlx(&arena_decay_ms, ms);
		decay_set(&pool_decay, ms, now);
	}
	arena_tick(now);
	return (true);
}

static void
arena_stats_add(struct arena *a, struct stats_arena *st)
{
	size_t dirty, pages, used;
	unsigned c;

	/* They change while they are read: what is taken off is read first. */
	dirty = arena_dirty(a);
	used = load_acq(&a->regions.used) << os_page_shift;
	pages = load_rlx(&a->regions.pages) << os_page_shift;
	st->mapped += pages + load_rlx(&a->large.direct);
	st->active += arena_active(a);
	st->dirty += dirty;
	pages -= DSM_MIN(pages, used);
	st->retained += pages - DSM_MIN(dirty, pages);
	st->large += load_rlx(&a->large.bytes);
	st->large_ndalloc += load_acq(&a->large.ndalloc);
	st->large_nmalloc += load_rlx(&a->large.nmalloc);
	st->npurge += load_rlx(&a->regions.npurge);
	st->purged += load_rlx(&a->regions.purged);
	st->nthreads += load_rlx(&a->nthreads);
	for (c = 1; c < SIZE_NCLASSES; c++)
		if (load_acq(&a->bins[c].regions) != NULL)
			st->small += bin_stats(&a->bins[c], &st->bins[c]) *
			    size_info[c].size;
}

/* What the pool holds belongs to no arena but to all of them. */
static void
pool_stats_add(struct stats_arena *st)
{
	size_t clean = load_rlx(&arena_pool.clean);
	size_t dirty = load_rlx(&arena_pool.dirty);

	st->mapped += clean + dirty;
	st->dirty += dirty;
	st->retained += clean;
	st->npurge += load_rlx(&arena_pool.npurge);
	st->purged += load_rlx(&arena_pool.purged);
}

bool
arena_stats_read(unsigned index, struct stats_arena *st)
{
	struct arena *a;
	unsigned i;

	memset(st, 0, sizeof(*st));
	if (index < arena_auto && arena_get(index) == NULL)
		return (false);
	for (i = 0; i < arena_auto; i++)
		if ((index >= arena_auto || index == i) &&
		    (a = arena_get(i)) != NULL)
			arena_stats_add(a, st);
	if (index >= arena_auto)
		pool_stats_add(st);
	return (true);
}
