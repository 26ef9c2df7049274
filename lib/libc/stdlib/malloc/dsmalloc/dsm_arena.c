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
 * fewest threads, and again when a quota of processors has changed, unless the
 * program bound it.  What contends is theirs alone: bins and stocks of large
 * blocks.  Pages are not: the arenas are a set (dsm_set.h), so that what one
 * arena frees serves all (measured against regions for each arena: 10 to 15
 * per cent less memory with two arenas, and fewer page faults).  The regions'
 * lock is taken once a slab or large block, of 16 KiB at the least.
 * A domain's arenas would be a set of their own; an explicit arena
 * (dsm_explicit.h) is one by itself, and so is an automatic one that has got
 * hooks or a decay time of its own (dsm_apart.h).
 *
 * Lock order.  Each may be taken with those above it held, never the other
 * way round (debug builds assert it by enum lock_rank):
 *	watch		the keeper that sleeps has it
 *	cache		the registry of caches
 *	set		making an arena, claiming one, and binding threads
 *	arena		making an arena's bins
 *	bin		a bin, its slabs
 *	large		an arena's stock of large blocks
 *	region		a set's regions
 *	pool		free extents
 *	map		making a leaf
 *	base		metadata
 * Under those from bin to base no system call is made but to map or unmap
 * address space and to say of it that huge pages are wanted or not, once to ask
 * whether there are any, and to wake the thread that sleeps until something is
 * due: no purge, but of what held the allocator's own records.
 * Nothing of the program's is called under any, extent hooks neither, but
 * malloc_message() on the way to abort(), which no lock stops then
 * (lock_die()).
 *
 * Fork.  Slow paths run inside a gate (dsm_gate.h); the forker closes it
 * and waits, so that at fork no lock is held and no list is half changed.
 *
 * Failure.  Every layer answers NULL and leaves things as they were;
 * malloc() sets ENOMEM.
 *
 * Who may purge: set_tick(), once the global deadline has passed: any
 * thread's malloc looks at it at its countdowns, any free at some of its
 * flushes (a process that calls neither keeps what it has, unless there is a
 * keeper: dsm_keeper.h); set_freed(), when
 * dirty memory exceeds its cap; set_grown(), when memory would grow past what
 * its use explains; mallctl.
 */
#include "dsm_arena.h"
#include "dsm_base.h"
#include "dsm_conf.h"
#include "dsm_os.h"
#include "dsm_print.h"

static struct lock arena_lock = LOCK_INITIALIZER(LOCK_ARENA);
static struct arena *arena_table[ARENA_MAX];		/* atomic */
static unsigned	 arena_auto;		/* constant after boot */
static unsigned	 arena_end;		/* indices there are; atomic */
static struct arena *arena_hooks;	/* for requests of theirs, NULL: the
					   first; atomic */

/* Bins with less than this in free slots are not searched for pages to
 * purge: it is what two slabs of the smallest classes hold. */
#define	ARENA_SLACK	KIB(32)

/* Once, with the options read. */
void
arena_boot(void)
{

	arena_auto = conf.narenas != 0 ? conf.narenas : os_cpus();
	arena_auto = DSM_MIN(arena_auto, (unsigned)ARENA_AUTO_MAX);
	store_rlx(&arena_end, arena_auto);
}

void
arena_label(struct arena *a, const char *name)
{

	if (name != NULL)
		print_fmt(a->name, sizeof(a->name), "%s", name);
	else
		print_fmt(a->name, sizeof(a->name), "%s_%u", a->tagged ?
		    "auto" : "manual", a->ind);
}

struct arena *
arena_new(unsigned ind, struct set *s, struct regions *rs)
{
	struct arena *a;

	if ((a = base_alloc(BASE_ARENA, sizeof(*a))) == NULL)
		return (NULL);
	a->ind = ind;
	a->set = s;
	a->tagged = ind < arena_auto;
	arena_label(a, NULL);
	large_init(&a->large, rs);
	store_rel(&arena_table[ind], a);
	if (ind >= load_rlx(&arena_end))
		store_rel(&arena_end, ind + 1);
	return (a);
}

struct arena *
arena_of_bin(struct bin *b)
{

	return ((struct arena *)(void *)((char *)(b - b->class) -
	    offsetof(struct arena, bins)));
}

struct arena *
arena_get(unsigned ind)
{

	return (ind < ARENA_MAX ? load_acq(&arena_table[ind]) : NULL);
}

struct arena *
arena_zero(void)
{

	return (arena_get(0));
}

struct arena *
arena_within(void)
{
	struct arena *a = load_acq(&arena_hooks);

	return (a != NULL ? a : arena_zero());
}

void
arena_set_within(struct arena *a)
{

	store_rel(&arena_hooks, a);
}

unsigned
arena_nauto(void)
{

	return (arena_auto);
}

unsigned
arena_count(void)
{

	return (load_acq(&arena_end));
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
		bin_init(&a->bins[class], a->large.regions, class,
		    a->tagged ? ARENA_TAG(class) : 0, &a->nthreads);
	lock_drop(&arena_lock);
}

struct bin *
arena_bin(struct arena *a, unsigned class)
{
	struct bin *b = &a->bins[class];

	if (unlikely(load_acq(&b->regions) == NULL))
		arena_bin_init(a, class);
	return (b);
}

void
arena_move_to(struct arena *a, struct regions *rs)
{
	unsigned c;

	lock_take(&arena_lock);
	large_move_to(&a->large, rs);
	for (c = 1; c < SIZE_NCLASSES; c++)
		if (a->bins[c].regions != NULL)
			bin_move_to(&a->bins[c], rs);
	lock_drop(&arena_lock);
}

void
arena_collect(struct arena *a, uint64_t now)
{
	unsigned c;

	ARENA_BINS(a, c)
		bin_collect(&a->bins[c], now);
}

size_t
arena_active(const struct arena *a)
{
	size_t bytes = load_rlx(&a->large.bytes);
	unsigned c;

	ARENA_BINS(a, c)
		bytes += bin_bytes(&a->bins[c]);
	return (bytes);
}

size_t
arena_out(const struct arena *a)
{
	size_t bytes = load_rlx(&a->large.bytes);
	unsigned c;

	ARENA_BINS(a, c)
		bytes += bin_out(&a->bins[c]);
	return (bytes);
}

static bool
arena_has_slack(const struct arena *a, unsigned class)
{

	return (arena_has_bin(a, class) &&
	    bin_slack(&a->bins[class]) >= ARENA_SLACK);
}

bool
arena_purge_bin(struct arena *a, unsigned class, struct budget *b,
    uint64_t now)
{

	if (!arena_has_slack(a, class))
		return (true);
	if (budget_left(b))
		(void)bin_purge(&a->bins[class], b, now);
	return (!b->more);
}

void
arena_purge_slabs(struct arena *a, struct budget *b, uint64_t now)
{
	unsigned c;

	for (c = 1; c < SIZE_NCLASSES; c++)
		if (!arena_purge_bin(a, c, b, now))
			break;
}

void
arena_spare(struct arena *a, uint64_t now)
{
	unsigned c;

	for (c = 1; c < SIZE_NCLASSES; c++)
		if (arena_has_slack(a, c))
			bin_spare(&a->bins[c], now);
}

/* The child has one thread, the caller, and no lock is held. */
void
arena_forked(struct arena *mine)
{
	struct arena *a;
	unsigned i;

	for (i = 0; i < arena_count(); i++)
		if ((a = arena_get(i)) != NULL)
			store_rlx(&a->nthreads, a == mine);
}

void
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
	ARENA_BINS(a, c)
		st->small += bin_stats(&a->bins[c], &st->bins[c]) *
		    size_info[c].size;
}

void
arena_reset(struct arena *a)
{
	unsigned c;

	ARENA_BINS(a, c)
		bin_reset(&a->bins[c]);
	large_reset(&a->large);
	add_rlx(&a->resets, 1);
}

void
arena_recount(struct arena *a)
{
	unsigned c;

	ARENA_BINS(a, c)
		bin_recount(&a->bins[c]);
	large_recount(&a->large);
}
