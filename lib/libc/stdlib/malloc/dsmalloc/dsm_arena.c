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
 * fewest threads, for life.  What contends is theirs alone: bins and stocks
 * of large blocks.  Pages are not: the arenas are a set, which has one pool,
 * one set of regions and one decay time, so that what one arena frees serves
 * all (measured against regions for each arena: 10 to 15 per cent less
 * memory with two arenas, and fewer page faults).  The regions' lock is
 * taken once a slab or large block, of 16 KiB at the least.  A domain's
 * arenas would be a set of their own, an explicit arena one by itself.
 *
 * Lock order.  Each may be taken with those above it held, never the other
 * way round (debug builds assert it by enum lock_rank):
 *	cache		the registry of caches
 *	arena		making an arena, and an arena's bins
 *	bin		a bin, its slabs
 *	large		an arena's stock of large blocks
 *	region		a set's regions
 *	pool		free extents
 *	map		making a leaf
 *	base		metadata
 * Under those from bin to base no system call is made but to map or unmap
 * address space and to say of it that huge pages are wanted or not: no purge.
 * Nothing of the program's is called under any but malloc_message() on the
 * way to abort(), which no lock stops then (lock_die()).
 *
 * Fork.  Slow paths run inside a gate (dsm_cache.c); the forker closes it
 * and waits, so that at fork no lock is held and no list is half changed.
 *
 * Failure.  Every layer answers NULL and leaves things as they were;
 * malloc() sets ENOMEM.
 *
 * Who may purge: arena_tick(), once the global deadline has passed: any
 * thread's malloc looks at it at its countdowns, any free at some of its
 * flushes (a process that calls neither keeps what it has); arena_freed(),
 * when dirty memory exceeds its cap; arena_grown(), when memory would grow
 * past what its use explains; mallctl.
 */
#include <string.h>

#include "dsm_arena.h"
#include "dsm_base.h"
#include "dsm_conf.h"
#include "dsm_os.h"

static struct lock arena_lock = LOCK_INITIALIZER(LOCK_ARENA);
static struct arena *arena_table[ARENA_AUTO_MAX];	/* atomic */
static unsigned	 arena_auto;		/* constant after boot */
static struct arena_set arena_set;	/* of the automatic arenas */

/* Bins with less than this in free slots are not searched for pages to
 * purge: it is what two slabs of the smallest classes hold. */
#define	ARENA_SLACK	KIB(32)

/*
 * How far a set may outgrow what its program uses: what is handed out, at
 * its peak, plus an eighth for the free slots of slabs and dirty pages that
 * a mix of sizes needs at hand as it comes and goes.
 */
#define	ARENA_ALLOWED(peak)	((peak) + (peak) / 8 + ARENA_FRESH)
/* Shedding goes below that by this much, lest it be called at each step. */
#define	ARENA_MARGIN(peak)	((peak) / 32)
/* Where not enough could be shed all regions were looked at in vain: so many
 * times ARENA_FRESH pass before the next try. */
#define	ARENA_PAUSE(peak)	((peak) / 64 / ARENA_FRESH)
/*
 * A program that needs the pages after all faults them in again, at some
 * 2 us each with the purge: 1 MiB costs half a millisecond.  So that this
 * ends, a part of what is shed is allowed on top from then on: a 128th of it
 * as long as no more is shed than a quarter of one processor pays for, and
 * from there twice the part for each eighth of a GiB, up to a quarter.
 */
#define	ARENA_SHED_CHEAP	MIB(512)	/* a second */
#define	ARENA_SHED_STEP		MIB(128)
#define	ARENA_CREDIT_SHIFT(sum)	((sum) <= ARENA_SHED_CHEAP ? 7 :	\
	7 - DSM_MIN(((sum) - ARENA_SHED_CHEAP) / ARENA_SHED_STEP, 5))

static struct arena *
arena_new(unsigned ind)
{
	struct arena *a;

	if ((a = base_alloc(BASE_ARENA, sizeof(*a))) == NULL)
		return (NULL);
	a->ind = ind;
	a->set = &arena_set;
	large_init(&a->large, &arena_set.regions);
	store_rel(&arena_table[ind], a);
	return (a);
}

/* Once, with the options read; arena 0 always exists. */
bool
arena_boot(void)
{

	arena_auto = conf.narenas != 0 ? conf.narenas : os_cpus();
	arena_auto = DSM_MIN(arena_auto, (unsigned)ARENA_AUTO_MAX);
	pool_init(&arena_set.pool, &hooks_default, 0);
	regions_init(&arena_set.regions, &arena_set.pool);
	decay_init(&arena_set.decay, conf.dirty_decay_ms);
	arena_set.look = conf.dirty_max;
	if (conf.dirty_decay_ms == 0)
		pool_unmark(&arena_set.pool);
	return (arena_new(0) != NULL);
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
		bin_init(&a->bins[class], &a->set->regions, class,
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

/* Pages of an arena's slabs and blocks, in bytes. */
static size_t
arena_active(const struct arena *a)
{
	size_t bytes = load_rlx(&a->large.bytes);
	unsigned c;

	for (c = 1; c < SIZE_NCLASSES; c++)
		if (load_acq(&a->bins[c].regions) != NULL)
			bytes += (size_t)load_rlx(&a->bins[c].curslabs) *
			    slab_geom[c].bytes;
	return (bytes);
}

/* What is handed out of a set, to threads' caches too, in bytes. */
static size_t
set_out(void)
{
	struct arena *a;
	size_t out = 0;
	unsigned c, i;

	for (i = 0; i < arena_auto; i++) {
		if ((a = arena_get(i)) == NULL)
			continue;
		out += load_rlx(&a->large.bytes);
		for (c = 1; c < SIZE_NCLASSES; c++)
			if (load_acq(&a->bins[c].regions) != NULL)
				out += bin_out(&a->bins[c]);
	}
	return (out);
}

/* A set's free pages that have memory, in bytes. */
static size_t
set_dirty(void)
{

	return ((load_rlx(&arena_set.regions.dirty) << os_page_shift) +
	    load_rlx(&arena_set.pool.dirty));
}

/* The same with large blocks in stock; *active: all others of its pages that
 * are taken. */
static size_t
set_pages(size_t *active)
{
	size_t direct = 0, stock = 0, used;
	struct arena *a;
	unsigned i;

	for (i = 0; i < arena_auto; i++)
		if ((a = arena_get(i)) != NULL) {
			direct += load_rlx(&a->large.direct);
			stock += load_rlx(&a->large.stock_bytes);
		}
	used = (load_rlx(&arena_set.regions.used) << os_page_shift) + direct;
	*active = used - DSM_MIN(stock, used);
	return (set_dirty() + stock);
}

/* Give back free slabs and free pages of sparse ones, where there may be
 * some. */
static size_t
arena_purge_slabs(struct arena *a, size_t limit, uint64_t now)
{
	size_t bytes = 0;
	unsigned c;

	for (c = 1; c < SIZE_NCLASSES && bytes < limit; c++)
		if (load_acq(&a->bins[c].regions) != NULL &&
		    bin_slack(&a->bins[c]) >= ARENA_SLACK)
			bytes += bin_purge(&a->bins[c], limit - bytes, now);
	return (bytes);
}

/* Credit for what was shed; threads that race lose some. */
static void
credit_add(struct arena_credit *c, size_t shed, uint64_t now)
{
	size_t sum = load_rlx(&c->shed) + shed;

	if (now - load_rlx(&c->since) >= 1000) {
		store_rlx(&c->since, now);
		sum = shed;
	}
	store_rlx(&c->shed, sum);
	(void)add_rlx(&c->bytes, shed >> ARENA_CREDIT_SHIFT(sum));
}

static void
credit_fade(struct arena_credit *c)
{

	store_rlx(&c->bytes, load_rlx(&c->bytes) / 4 * 3);
}

/* In every pass the peak fades half the way to what is handed out now, the
 * credits by a quarter. */
static void
set_fade(void)
{
	size_t out = set_out(), peak = load_rlx(&arena_set.peak);

	store_rlx(&arena_set.peak, out + (peak - DSM_MIN(peak, out)) / 2);
	credit_fade(&arena_set.grown);
	credit_fade(&arena_set.capped);
}

/* One pass over a set; everything: whatever its age. */
static void
set_pass(bool everything, uint64_t now)
{
	uint64_t before = everything ? DECAY_NEVER :
	    decay_before(&arena_set.decay, now);
	struct arena *a;
	unsigned i;

	for (i = 0; i < arena_auto; i++) {
		if ((a = arena_get(i)) == NULL)
			continue;
		arena_collect(a, now);
		if (before == 0)
			continue;
		/* Of any age: what comes from it is young to the regions. */
		(void)large_drain(&a->large, DECAY_NEVER, now);
		(void)arena_purge_slabs(a, SIZE_MAX, now);
	}
	set_fade();
	if (before == 0)
		return;
	(void)regions_purge(&arena_set.regions, before == DECAY_NEVER,
	    SIZE_MAX);
	(void)pool_purge(&arena_set.pool, before, SIZE_MAX);
}

static bool
set_owes(void)
{
	struct arena *a;
	unsigned i;

	if (set_dirty() != 0)
		return (true);
	for (i = 0; i < arena_auto; i++)
		if ((a = arena_get(i)) != NULL && load_rlx(&a->large.nstock))
			return (true);
	return (false);
}

void
arena_tick(uint64_t now)
{

	if (likely(load_rlx(&decay_deadline) > now))
		return;
	decay_scan();
	if (decay_begin(&arena_set.decay, now)) {
		set_pass(false, now);
		decay_end(&arena_set.decay, set_owes(), now);
	}
	decay_lower(load_rlx(&arena_set.decay.next));
}

/*
 * Purge about this many dirty bytes: the pool's oldest extents first, then
 * stocks, then pages that nobody wanted since the pass before, then others.
 */
static size_t
set_shed(size_t excess)
{
	size_t dirty = load_rlx(&arena_set.pool.dirty), done;
	uint64_t now = load_rlx(&decay_clock);
	struct arena *a;
	unsigned i;

	done = pool_purge(&arena_set.pool, 0, dirty - DSM_MIN(dirty, excess));
	if (done >= excess)
		return (done);
	for (i = 0; i < arena_auto; i++)
		if ((a = arena_get(i)) != NULL)
			(void)large_drain(&a->large, DECAY_NEVER, now);
	done += regions_purge(&arena_set.regions, false, excess - done);
	if (done < excess)
		done += regions_purge(&arena_set.regions, true, excess - done);
	return (done);
}

/*
 * Dirty memory is bounded by amount as well as by time: dirty_max beyond as
 * much as is active, since a program whose large blocks come and go is about
 * to ask for the same again (with a quarter of what is active, tensors and
 * blocks to 64 MiB took two to three times the page faults).  While there is
 * room the next look is an eighth of dirty_max later; and so it is where
 * nothing may go, or nothing can, being locked in memory.  A program whose
 * use swings by more than that many times a second, and is given the same
 * pages again, earns a higher cap as growth does.
 */
static void
set_cap(void)
{
	size_t active, cap, dirty, look, shed;

	dirty = set_pages(&active);
	cap = conf.dirty_max + active + load_rlx(&arena_set.capped.bytes);
	if (dirty > cap && load_rlx(&arena_set.decay.ms) >= 0) {
		shed = set_shed(dirty - cap + cap / 8);
		dirty -= DSM_MIN(dirty, shed);
		credit_add(&arena_set.capped, shed, load_rlx(&decay_clock));
	}
	look = dirty + conf.dirty_max / 8;
	if (dirty <= cap)
		look = DSM_MAX(conf.dirty_max, DSM_MIN(cap, look));
	store_rlx(&arena_set.look, look);
}

/*
 * Memory has grown by another ARENA_FRESH.  If it has more pages now than
 * its use explains, then those that are free are of the wrong size or in
 * the wrong place, and it is they that should go: dirty ones, then those in
 * sparse slabs.  A program that goes on in the same pages takes no fresh
 * ones and never gets here; one whose use swings stays below its peak.
 */
void DSM_COLD
arena_grown_slow(struct arena *a)
{
	uint64_t now = load_rlx(&decay_clock);
	size_t active, allowed, dirty, excess, pause, peak, shed;
	unsigned i;

	store_rlx(&a->set->regions.fresh, 0);
	if ((pause = load_rlx(&arena_set.pause)) != 0) {
		store_rlx(&arena_set.pause, pause - 1);
		return;
	}
	if (load_rlx(&arena_set.decay.ms) < 0)
		return;
	peak = set_out();
	peak = DSM_MAX(load_rlx(&arena_set.peak), peak);
	store_rlx(&arena_set.peak, peak);
	allowed = ARENA_ALLOWED(peak) + load_rlx(&arena_set.grown.bytes);
	dirty = set_pages(&active);
	if (active + dirty <= allowed)
		return;
	excess = active + dirty - allowed + ARENA_MARGIN(peak);
	if ((shed = set_shed(excess)) < excess) {
		for (i = 0; i < arena_auto && shed < excess; i++)
			if ((a = arena_get(i)) != NULL)
				shed += arena_purge_slabs(a, excess - shed,
				    now);
		shed += set_shed(excess - DSM_MIN(excess, shed));
	}
	if (shed < excess)
		store_rlx(&arena_set.pause, ARENA_PAUSE(peak));
	credit_add(&arena_set.grown, shed, now);
}

void
arena_freed(struct arena *a, uint64_t now)
{
	size_t dirty = set_dirty();

	if (unlikely(load_rlx(&arena_set.decay.next) == DECAY_NEVER) &&
	    (dirty != 0 || load_rlx(&a->large.nstock) != 0))
		decay_arm(&arena_set.decay, now);
	if (dirty > load_rlx(&arena_set.look))
		set_cap();
	if (unlikely(load_rlx(&arena_set.decay.ms) == 0))
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

bool
arena_decay_all(unsigned index, bool everything)
{
	uint64_t now = decay_now();

	if (index < arena_auto && arena_get(index) == NULL)
		return (false);
	set_pass(everything, now);
	if (set_owes())
		decay_arm(&arena_set.decay, now);
	return (true);
}

size_t
arena_used(void)
{

	return (load_rlx(&arena_set.peak));
}

bool
arena_may_reclaim(size_t size)
{

	return (size <= load_rlx(&arena_set.pool.mapped));
}

void
arena_reclaim(void)
{

	set_pass(true, load_rlx(&decay_clock));
	pool_trim(&arena_set.pool);
}

int64_t
arena_decay_ms_get(void)
{

	return (load_rlx(&arena_set.decay.ms));
}

bool
arena_decay_ms_set(unsigned index, int64_t ms)
{
	uint64_t now = decay_now();

	if (index < arena_auto && arena_get(index) == NULL)
		return (false);
	/* What goes back at once had better not come by 2 MiB. */
	if (ms == 0)
		pool_unmark(&arena_set.pool);
	decay_set(&arena_set.decay, ms, now);
	store_rlx(&arena_set.look, conf.dirty_max);
	arena_tick(now);
	return (true);
}

static void
arena_stats_add(struct arena *a, struct stats_arena *st)
{
	size_t active = arena_active(a);
	unsigned c;

	st->mapped += active;
	st->active += active;
	st->large += load_rlx(&a->large.bytes);
	st->large_ndalloc += load_acq(&a->large.ndalloc);
	st->large_nmalloc += load_rlx(&a->large.nmalloc);
	st->nthreads += load_rlx(&a->nthreads);
	for (c = 1; c < SIZE_NCLASSES; c++)
		if (load_acq(&a->bins[c].regions) != NULL)
			st->small += bin_stats(&a->bins[c], &st->bins[c]) *
			    size_info[c].size;
}

/* The pages that the arenas of a set share count as the first one's. */
static void
set_stats_add(struct stats_arena *st)
{
	const struct regions *rs = &arena_set.regions;
	const struct pool *pl = &arena_set.pool;
	size_t active, dirty, mapped = load_rlx(&pl->mapped);

	dirty = set_pages(&active);
	st->mapped += mapped - DSM_MIN(active, mapped);
	st->dirty += dirty;
	st->retained += mapped - DSM_MIN(active + dirty, mapped);
	st->npurge += load_rlx(&rs->npurge) + load_rlx(&pl->npurge);
	st->purged += load_rlx(&rs->purged) + load_rlx(&pl->purged);
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
	if (index == 0 || index >= arena_auto)
		set_stats_add(st);
	return (true);
}
