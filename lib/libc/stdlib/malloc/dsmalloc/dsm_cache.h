/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * cache: one thread's stacks of ready slots, one per size class.
 *
 * Theory of operation.  Each class's entry is {sp, limit, count, base}.  A
 * stack grows down from its end, where a null slot lies: malloc loads the
 * slot at sp and finds null when the stack is empty; free compares sp with
 * limit.  The empty cache, whose every stack is empty and full at once, is
 * what a thread has before its first call, so the fast paths never ask
 * whether there is a cache; the dead one, alike, is what it has after its
 * end, and never becomes a cache again.  While a thread runs a hook of the
 * program's, from within a slow path, it has the hidden one, and arena 0
 * serves it: nothing here is changed under the slow path's hands.
 *
 * count is the countdown of malloc calls to the next tick; calls so far are
 * folded + base - count, exactly.  At a tick the thread reads the clock,
 * looks at the decay deadline, trims idle stacks and, when there are to be
 * more or fewer arenas, may move to another.  base adapts so that
 * ticks are 1 to 10 ms apart, in slow programs too, and starts at one again
 * when a thread has freed much, since it may fall silent.
 *
 * A stack starts in the cache's inline slots and doubles, in an array of
 * base memory, when it overflows while the thread is within its budget;
 * else its older half is flushed.  Repeated misses double what is filled.
 * Who does nothing but free, some mebibyte of a class, may fall silent then:
 * the limit moves up, all is flushed each time, and little is left at the end;
 * as good as nothing where all there was of the class is free by then.
 *
 * Who may touch it: its thread alone; statistics read it without a lock.
 * A thread in a slow path has "inside" set, the word by which it is inside the
 * fork gate (dsm_gate.h).  So in a child the other threads' caches are whole,
 * and serve new threads as they are.
 *
 * Life (dsm_cache_life.c): made or taken from the pool at a thread's first slow
 * path; flushed and put back there, with its arrays, at the thread's end; never
 * unmapped.
 */
#ifndef _DSM_CACHE_H_
#define	_DSM_CACHE_H_

#include <sys/queue.h>

#include "dsm_arena.h"
#include "dsm_defs.h"
#include "dsm_gate.h"
#include "dsm_pool.h"
#include "dsm_size.h"

struct cache_entry {
	void		**sp;		/* the next slot to hand out */
	void		**limit;	/* the lowest place */
	int32_t		  count;	/* requests to the next tick */
	int32_t		  base;		/* where count started */
};

/* size_table's bytes times 8 are entries' offsets, and so are map tags. */
_Static_assert(sizeof(struct cache_entry) == 24, "three times eight bytes");
_Static_assert(ARENA_TAG(1) == sizeof(struct cache_entry), "tags are offsets");
_Static_assert(MAP_TAG_FREE == ARENA_TAG(SIZE_NCLASSES), "one past the last");

/* What only slow paths read of a class. */
struct cache_class {
	void		**end;		/* where the null slot is */
	uint64_t	  folded;	/* requests counted before base */
	uint16_t	  cap;		/* slots of the stack */
	uint16_t	  fill;		/* slots the next fill asks for */
	uint16_t	  seen;		/* requests at the last trim, modulo */
	uint8_t		  used;		/* filled since the last trim */
	uint8_t		  full;		/* so often since it was filled; once
					   narrowed, towards the next look */
	uint32_t	  out;		/* slots, at the last look; or 0 */
};

/* All inline slots and their null ends. */
#define	CACHE_INL(s)	+ SIZE_INLINE(s) + 1
#define	CACHE_INLINE	(0 SIZE_CLASSES(CACHE_INL))

struct cache {
	/* By offset: 0 and MAP_TAG_FREE never hit. */
	struct cache_entry entry[SIZE_NCLASSES + 1];
	/* Its thread. */
	struct arena	*arena;
	uint32_t	 inside;	/* depth in slow paths; atomic */
	uint32_t	 resets;	/* the arena's, when it was last seen */
	int32_t		 base;		/* countdown of a 64-byte class */
	int32_t		 pace;		/* countdowns to a look at the clock */
	int32_t		 skip;		/* of those, still to come */
	uint64_t	 ticked;	/* when, ms */
	uint64_t	 restarted;	/* all countdowns at one, ns */
	bool		 wound;		/* since then some may be longer */
	uint64_t	 trimmed;
	uint32_t	 wanting;	/* its set's, as it was then */
	uint32_t	 spreads;	/* set_spreads, as it was last seen */
	bool		 told;		/* the program chose the arena */
	size_t		 bytes;		/* that grown stacks may hold */
	struct cache_class class[SIZE_NCLASSES];
	/* Under the registry's lock. */
	SLIST_ENTRY(cache) all;
	SLIST_ENTRY(cache) idle;
	bool		 isidle;
	void		*slots[CACHE_INLINE];
};

_Static_assert(sizeof(struct cache) <= 8192, "two pages a thread");

/*
 * The empty and the dead cache are no more than a cache's entries, all alike,
 * and so one may begin within the other: nothing beyond the entries is looked
 * at before a cache is told from them.
 */
DSM_HIDDEN const struct cache_entry cache_sentinel[SIZE_NCLASSES + 3];

#define	CACHE_EMPTY	((struct cache *)(uintptr_t)&cache_sentinel[0])
#define	CACHE_DEAD	((struct cache *)(uintptr_t)&cache_sentinel[1])
#define	CACHE_HIDDEN	((struct cache *)(uintptr_t)&cache_sentinel[2])

_Static_assert(offsetof(struct cache, entry) == 0, "a cache starts with them");

static inline bool
cache_is_sentinel(const struct cache *c)
{

	return ((uintptr_t)c - (uintptr_t)cache_sentinel <
	    sizeof(cache_sentinel));
}

DSM_HIDDEN __thread struct cache *cache_self
    __attribute__((__tls_model__("initial-exec")));

/* For hooks_enter() and hooks_leave(). */
void	*cache_hide(void);
void	 cache_show(void *);
bool	 cache_is_hidden(void);
/* Called when a thread gets its first cache, to hear of the thread's end. */
DSM_HIDDEN void (*cache_attached)(struct cache *);

/* Enter the gate: this thread's cache, or NULL where there is none or this
 * is a re-entrant call (then serve from arena 0, uncached). */
struct cache *cache_enter(void);
void	 cache_leave(void);
/*
 * The same for the most common case alone: a thread that has a cache and is
 * not inside, and no fork.  NULL: not entered, do the whole.
 */
static DSM_INLINE struct cache *
cache_enter_quick(void)
{
	struct cache *c = cache_self;

	if (unlikely(cache_is_sentinel(c) || c->inside != 0))
		return (NULL);
	store_rlx(&c->inside, 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (likely(load_acq(&gate_word) == 0))
		return (c);
	store_rel(&c->inside, 0);
	return (NULL);
}

static DSM_INLINE void
cache_leave_quick(struct cache *c)
{

	store_rel(&c->inside, 0);
}

/* The same without a cache: initialisation; it leaves by gate_leave_stray(). */
void	 cache_enter_stray(void);
/* Within the gate. */
void	*cache_malloc(struct cache *, unsigned class);
void	 cache_free(struct cache *, void *, unsigned class);
void	*cache_malloc_none(unsigned class);
/* Who serves a request without a cache. */
struct arena *cache_arena_none(void);
void	 cache_free_none(void *);
/* A slot of an explicit arena: only who is bound to that keeps it. */
void	 cache_free_explicit(struct cache *, void *, struct slab *);
/* Bind this thread to an arena for good, and count it there; false: it has no
 * cache, or there is no such arena. */
bool	 cache_bind(unsigned index);
/* Serve it from an arena, which its thread is counted in already; one that had
 * another moves. */
void	 cache_serve(struct cache *, struct arena *);
void	 cache_move(struct cache *, struct arena *, uint64_t now);
/* This thread's arena: 0 for one without a cache. */
struct arena *cache_arena(void);
/* Every so many large requests: the clock and the deadlines. */
void	 cache_tick_now(struct cache *, bool freed);
static inline void
cache_tick_large(struct cache *c)
{

	if (unlikely(c == NULL || --c->entry[0].count < 0))
		cache_tick_now(c, false);
}

/* Every so many large or flushing frees, or MiB: what they free is due some
 * time. */
static inline void
cache_tick_free(struct cache *c, size_t size)
{

	if (unlikely(c == NULL ||
	    (c->entry[0].count -= 1 + (int32_t)(size >> 20)) < 0))
		cache_tick_now(c, true);
}

void	 cache_exit_self(void);		/* the thread has ended */
/* This thread is to have none; it may be inside all the same. */
void	 cache_disown(void);
/* Has this thread entered, with a cache, or is it in a hook? */
static inline bool
cache_is_inside(void)
{
	const struct cache *c = cache_self;

	return (c == CACHE_HIDDEN || (!cache_is_sentinel(c) &&
	    load_rlx(&c->inside) != 0));
}

/* Within the gate: this thread's slots, and everyone's figures. */
void	 cache_flush_self(void);
size_t	 cache_bytes_all(void);
uint64_t cache_requests(unsigned ind, unsigned class);

/* For its life: what a new one begins as; all its slots go back; what it has
 * counted goes to the arena that it served. */
void	 cache_init(struct cache *);
void	 cache_flush_all(struct cache *, uint64_t now);
void	 cache_account(struct cache *);

void	 cache_prefork(void);
void	 cache_postfork(void);
void	 cache_postfork_child(void);
/* For a libc with one call for both sides: true in the child. */
bool	 cache_postfork_any(void);

#endif /* !_DSM_CACHE_H_ */
