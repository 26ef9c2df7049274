/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * extent: what a pool has in its books, and its free extents, for all who keep
 * them: pool where the memory is the system's, lent where a program's hooks
 * have lent it.  How they do, and under which lock, is said at the tops of
 * dsm_pool.h and dsm_lent.h.
 */
#ifndef _DSM_EXTENT_H_
#define	_DSM_EXTENT_H_

#include "dsm_budget.h"
#include "dsm_defs.h"
#include "dsm_lock.h"
#include "dsm_map.h"
#include "dsm_mark.h"
#include "dsm_os.h"
#include "dsm_size.h"
#include "dsm_span.h"

/* The tag behind the last class's: an entry of a cache that never hits, by
 * which free extents are told from spans in use without reading either. */
#define	MAP_TAG_FREE	(SIZE_NCLASSES * 24)

/* Classes of bits_quarter() up to SIZE_LARGE_MAX in pages of 4 KiB. */
#define	POOL_BUCKETS	136

/* What a free extent is. */
enum extent_is { EXTENT_CLEAN, EXTENT_DIRTY, EXTENT_MUZZY, EXTENT_STATES };

struct decay;
struct hooks;

struct pool {
	/* Constant. */
	struct hooks	*hooks;
	unsigned	 ind;		/* the arena that hooks are told */
	struct decay	*decay;		/* of what is dirty here and in regions
					   from here; NULL: it stays */
	/* Under the lock. */
	struct lock	 lock;
	struct extent_list bucket[EXTENT_STATES][POOL_BUCKETS];
	uint64_t	 mask[EXTENT_STATES][(POOL_BUCKETS + 63) / 64];
	struct extent_list lru[PAGES_KINDS];	/* oldest first */
	uint64_t	 youngest;	/* when the last one was freed */
	size_t		 grow;		/* next mapping's bytes */
	unsigned	 markless;	/* POOL_MARKLESS_*: why nothing is */
	struct marks	 marks;
	/* Of lent memory (dsm_lent.c); "lent" is for good. */
	bool		 lent;		/* atomic */
	struct extent_list owed[PAGES_KINDS];	/* oldest first */
	struct extent_list kept;
	struct extent_list pinned;	/* not free ones: what alloc gave */
	/* Written under the lock, read by anyone. */
	size_t		 mapped;
	size_t		 held[PAGES_KINDS];	/* bytes with memory */
	size_t		 clean;
	struct purged	 purged[PAGES_KINDS];
};

/* A free extent's words in the map; where in it that much begins, or NULL. */
static inline void
extent_mark(const struct extent *s, const struct extent *word, unsigned tag)
{

	map_set_one(s->span.addr, word, tag);
	map_set_one(s->span.addr + s->span.size - MAP_GRANULE, word, tag);
}
static inline char *
extent_fit(const struct extent *s, size_t size, size_t align)
{
	char *p = (char *)ROUND_UP((uintptr_t)s->span.addr, align);

	return (p + size <= s->span.addr + s->span.size ? p : NULL);
}
/* What of an extent: "since" of the time that it has left until its age is
 * that of "old". */
static inline size_t
extent_owed(const struct extent *s, uint64_t old, uint64_t since)
{
	uint64_t left = s->stamp - DSM_MIN(s->stamp, old) + since;

	return (left == 0 ? s->dirty : (s->dirty >> os_page_shift) * since /
	    left << os_page_shift);
}
/* Extents whose age is looked at for that in one visit. */
#define	POOL_LOOKS	256

#endif /* !_DSM_EXTENT_H_ */
