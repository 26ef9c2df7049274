/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * arena: the unit of policy and of contention; see dsm_arena.c.
 */
#ifndef _DSM_ARENA_H_
#define	_DSM_ARENA_H_

#include "dsm_bin.h"
#include "dsm_decay.h"
#include "dsm_defs.h"
#include "dsm_large.h"
#include "dsm_pool.h"
#include "dsm_region.h"
#include "dsm_size.h"

/* MALLOCX_ARENA ends at 4094; the automatic ones may be at most this many. */
#define	ARENA_AUTO_MAX	1024

/* Dirty memory is looked at for every so many fresh bytes taken. */
#define	ARENA_FRESH	MIB(1)

/* What is allowed on top because it was shed in vain, and what was shed in
 * the second that began then, ms.  Atomic. */
struct arena_credit {
	size_t		 bytes;		/* fading */
	size_t		 shed;
	uint64_t	 since;
};

/* What arenas share: their pages, and when those go back. */
struct arena_set {
	/* Each with its own lock. */
	struct regions	 regions;
	struct pool	 pool;
	struct decay	 decay;
	size_t		 look;		/* dirty bytes to look at the cap at;
					   atomic */
	/* Atomic: how far growth may go before unused pages are shed. */
	size_t		 peak;		/* of bytes handed out, fading */
	size_t		 pause;		/* in looks, after one in vain */
	struct arena_credit grown;
	struct arena_credit capped;	/* the same of the cap */
};

struct arena {
	/* Constant. */
	struct arena_set *set;
	unsigned	 ind;
	/* Atomic. */
	uint32_t	 nthreads;
	/* Each with its own lock. */
	struct large	 large;
	struct bin	 bins[SIZE_NCLASSES];
};

/* Figures of one arena or of all. */
struct stats_arena {
	size_t		mapped;		/* bytes of address space in regions */
	size_t		active;		/* bytes of pages in slabs and blocks */
	size_t		dirty;		/* bytes of free pages not given back */
	size_t		retained;	/* bytes of free, untouched pages */
	size_t		small;		/* bytes of small slots out */
	size_t		large;		/* bytes of large blocks */
	uint64_t	large_nmalloc;
	uint64_t	large_ndalloc;
	uint64_t	npurge;		/* purging calls */
	uint64_t	purged;		/* bytes purged */
	unsigned	nthreads;
	struct stats_bin bins[SIZE_NCLASSES];
};

bool	 arena_boot(void);
/* The automatic arena with the fewest threads; counts one more. */
struct arena *arena_bind(void);
void	 arena_unbind(struct arena *);
/* The arena of a re-entrant or cacheless request. */
struct arena *arena_zero(void);
static inline struct arena *
arena_of_large(struct large *l)
{

	return ((struct arena *)(void *)((char *)l -
	    offsetof(struct arena, large)));
}
struct bin *arena_bin(struct arena *, unsigned class);

/* Any thread's slow paths: purge what is overdue, anywhere. */
void	 arena_tick(uint64_t now);
void	 arena_grown_slow(struct arena *);
/* Something of this arena, or of its set, may have become dirty. */
void	 arena_freed(struct arena *, uint64_t now);
/* This arena may have taken memory that it had not used before. */
static inline void
arena_grown(struct arena *a)
{

	if (unlikely(load_rlx(&a->set->regions.fresh) > ARENA_FRESH >>
	    os_page_shift))
		arena_grown_slow(a);
}
/* What the program has been handed out lately, at its peak, in bytes. */
size_t	 arena_used(void);
/* Bring in what other arenas' threads have freed. */
void	 arena_collect(struct arena *, uint64_t now);
void	 arena_forked(struct arena *mine);
/* Out of memory: could what is free here serve a request of that size? */
bool	 arena_may_reclaim(size_t size);
/* Free slabs and blocks become pages again, and free pages the system's. */
void	 arena_reclaim(void);

/* For mallctl and statistics: index >= arena_count() means all. */
unsigned arena_count(void);
bool	 arena_decay_all(unsigned index, bool everything);
int64_t	 arena_decay_ms_get(void);
bool	 arena_decay_ms_set(unsigned index, int64_t ms);
bool	 arena_stats_read(unsigned index, struct stats_arena *);

/* The tag of a class: its entry's offset in a cache (dsm_cache.h). */
#define	ARENA_TAG(class)	((class) * 24u)

#endif /* !_DSM_ARENA_H_ */
