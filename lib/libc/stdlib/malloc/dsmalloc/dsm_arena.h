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
#include "dsm_defs.h"
#include "dsm_large.h"
#include "dsm_region.h"
#include "dsm_size.h"

/* MALLOCX_ARENA ends at 4094; the automatic ones may be at most so many, and
 * the explicit ones have the indices behind those. */
#define	ARENA_MAX	4095
#define	ARENA_AUTO_MAX	1024
/* In the place of an index: all, and what the destroyed ones have counted. */
#define	ARENA_ALL	4096
#define	ARENA_DESTROYED	4097
#define	ARENA_NAME	32		/* with its null byte */

struct set;

struct arena {
	/* Atomic, written under the sets' lock. */
	struct set	*set;		/* whose pages it takes */
	/* Constant. */
	unsigned	 ind;
	uint32_t	 tagged;	/* slots are cached by their class:
					   it is an automatic one */
	struct arena	*next;		/* of its first set; atomic */
	/* Atomic. */
	uint32_t	 nthreads;
	uint32_t	 resets;	/* blocks of before are gone */
	/* Under the sets' lock. */
	char		 name[ARENA_NAME];
	/* Each with its own lock. */
	struct large	 large;
	struct bin	 bins[SIZE_NCLASSES];
};

/* Figures of one arena or of all. */
struct stats_arena {
	size_t		mapped;		/* bytes of address space in regions */
	size_t		active;		/* bytes of pages in slabs and blocks */
	size_t		dirty;		/* bytes of free pages not given back */
	size_t		muzzy;		/* and of those purged lazily */
	size_t		retained;	/* bytes of free, untouched pages */
	size_t		small;		/* bytes of small slots out */
	size_t		large;		/* bytes of large blocks */
	uint64_t	large_nmalloc;
	uint64_t	large_ndalloc;
	struct purged	purged[PAGES_KINDS];
	int64_t		decay_ms[PAGES_KINDS];
	uint64_t	nhugify;	/* regions made huge pages, */
	uint64_t	nhugify_failed;	/* that could not be made such, */
	uint64_t	ndehugify;	/* and broken up */
	unsigned	nthreads;
	struct stats_bin bins[SIZE_NCLASSES];
};

void	 arena_boot(void);
/* A new arena on the pages of a set; NULL when out of memory. */
struct arena *arena_new(unsigned ind, struct set *, struct regions *);
/* Give it a name, as much as fits; NULL: the one it has by default. */
void	 arena_label(struct arena *, const char *name);
/* Take pages from others from now on; what it has stays. */
void	 arena_move_to(struct arena *, struct regions *);
/* By index; NULL: not made yet, or no index. */
struct arena *arena_get(unsigned ind);
/* How many automatic ones there may be, and how many indices are in use. */
unsigned arena_nauto(void);
unsigned arena_count(void);
/* The arena of a re-entrant or cacheless request; of a hook's, which must not
 * come to hooks, and to have that be another one. */
struct arena *arena_zero(void);
struct arena *arena_within(void);
void	 arena_set_within(struct arena *);
static inline struct arena *
arena_of_large(struct large *l)
{

	return ((struct arena *)(void *)((char *)l -
	    offsetof(struct arena, large)));
}
struct arena *arena_of_bin(struct bin *);
struct bin *arena_bin(struct arena *, unsigned class);
/* Those that are in use: arena_bin() makes the others. */
static inline bool
arena_has_bin(const struct arena *a, unsigned class)
{

	return (load_acq(&a->bins[class].regions) != NULL);
}
#define	ARENA_BINS(a, c)						\
	for ((c) = 1; (c) < SIZE_NCLASSES; (c)++)			\
		if (arena_has_bin((a), (c)))
/* A thread leaves. */
void	 arena_unbind(struct arena *);
void	 arena_forked(struct arena *mine);

/* Bring in what other arenas' threads have freed. */
void	 arena_collect(struct arena *, uint64_t now);
/* Bytes of pages in slabs and blocks; bytes handed out, about. */
size_t	 arena_active(const struct arena *);
size_t	 arena_out(const struct arena *);
/* Close the spare slabs of bins with much that is free. */
void	 arena_spare(struct arena *, uint64_t now);
/* Give back free pages of sparse slabs of one class, or of all, where there
 * may be some; false: the budget's time is over. */
bool	 arena_purge_bin(struct arena *, unsigned class, struct budget *,
	    uint64_t now);
void	 arena_purge_slabs(struct arena *, struct budget *, uint64_t now);
void	 arena_stats_add(struct arena *, struct stats_arena *);
/* All blocks are gone, and the pages with them; start counting anew. */
void	 arena_reset(struct arena *);
void	 arena_recount(struct arena *);

/* The tag of a class: its entry's offset in a cache (dsm_cache.h). */
#define	ARENA_TAG(class)	((class) * 24u)

#endif /* !_DSM_ARENA_H_ */
