/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * pool: address space between the hooks and those who cut it up.
 *
 * Theory of operation.  A pool is a set of free extents, runs of whole pages of
 * any length, each either dirty (some of it was written to and not given back:
 * about how much is known, not where), or muzzy (dirty, until that was purged
 * lazily), or clean (reads as zero).  Regions and blocks above half a region
 * are taken from it and go back to it whole, so pages flow between arenas,
 * between threads that come and go, and between small and large uses.
 * Neighbours join if they are the same of these, and both marked (see below) or
 * both not: a free extent's first and last granule carry a map word with
 * MAP_TAG_FREE, under which free() finds nothing.
 *
 * Life of an extent: mapped (clean) -> taken -> freed (dirty) -> taken again
 * first, or purged in order of age: clean, or muzzy, and after its time as that
 * clean.  Best fit by size class, dirty before muzzy before clean.  Address
 * space is kept until the process ends, unless the system has refused some
 * (dsm_limit.h); what a pool maps at a time is half of what it has, 1 MiB to
 * 64 MiB, less when the system refuses, and for a block that is not to be huge
 * just what that needs.
 *
 * Huge pages.  While a process is small its memory comes in small pages: each
 * huge one that is touched at one end is 2 MiB resident.  The system is told
 * so, since it may give huge pages to all.  Once POOL_MARK_MIN
 * is mapped what the pool maps is marked, before anyone touches it: regions
 * are filled page by page, blocks mostly are, and what is ahead of the use is
 * an eighth at the most.  A block that is more than an eighth of the pool may
 * be a table that is used here and there only (a compressor's are): it gets
 * space that is not marked.  One that mremap moves on is marked, since it was
 * filled before it grew.  What shares a huge page with what is taken has
 * memory from then on, and counts as dirty.
 *
 * That is thp:auto.  With "always" all is marked from the first byte on, with
 * "never" nothing is, and with "default" no advice is given, so that books are
 * kept as if there were no huge pages.  Whether there are any at all is asked
 * once, when that cannot kill a program in a sandbox any more: where there are
 * not, marks are given up; where all processes get them, great blocks do too.
 *
 * Memory of a program's own hooks is another matter: see dsm_lent.h, to which
 * the functions here hand over.
 *
 * Locks: the pool's, below a set's region lock, above map and base.
 * Purging runs with the extents taken out and no lock held, a batch at a time
 * (dsm_budget.h), of a long extent the end first.  Lazily goes what is not in
 * parts of huge pages that are not worth breaking up: they go by force, since
 * lazily they would be broken up first.  Failure: NULL.
 */
#ifndef _DSM_POOL_H_
#define	_DSM_POOL_H_

#include "dsm_budget.h"
#include "dsm_decay.h"
#include "dsm_defs.h"
#include "dsm_extent.h"
#include "dsm_hooks.h"

#define	POOL_GROW_MIN	MIB(1)		/* the first mapping */

/* Too many regions are broken up, for the time being; what is freed goes back
 * at once, and so had better not come by 2 MiB. */
#define	POOL_MARKLESS_FULL	1u
#define	POOL_MARKLESS_NOW	2u

void	 pool_init(struct pool *, struct hooks *, unsigned ind);
/* From now on all comes from and goes to these; nobody may be at it. */
void	 pool_lend(struct pool *, struct hooks *);
static inline bool
pool_is_lent(const struct pool *pl)
{

	return (unlikely(load_rlx(&pl->lent)));
}
/* *dirty: about how many bytes of it have memory; 0: it reads as zero. */
void	*pool_alloc(struct pool *, size_t size, size_t align, size_t *dirty);
void	 pool_free(struct pool *, void *, size_t size, size_t dirty,
	    uint64_t now);
/* The same, and what of it has memory goes back to the system before. */
void	 pool_give_back(struct pool *, void *, size_t size, uint64_t now);
/* The same, but what was dirty is muzzy, since now. */
void	 pool_free_muzzy(struct pool *, void *, size_t size, size_t dirty,
	    uint64_t now);
/* Take the "more" bytes behind [p, p + size) too, if they are free. */
bool	 pool_extend(struct pool *, void *p, size_t size, size_t more,
	    size_t *dirty);
/* Give clean address space back to where it came from, as far as it takes
 * it: what is free in pieces may do in one. */
void	 pool_trim(struct pool *);
/* Give all of it back, which must be free; used as it may be. */
void	 pool_empty(struct pool *);
/* Address space that left by mremap is not ours any more. */
void	 pool_forget(struct pool *, void *, size_t size);
/* This is filled or about to be: it may be huge, if the pool is big enough.
 * marked: a part of it came from where it was that already.  Is it marked? */
bool	 pool_mark(struct pool *, void *, size_t size, bool marked);
/* May p be in a huge page? */
bool	 pool_marked(struct pool *, const void *p);
/* Nothing is to become huge from now on; what is may be still.  And the
 * reverse, when there are not too many any more: what is marked may, but for n
 * huge pages, in order of their addresses. */
void	 pool_unmark(struct pool *, unsigned why);
void	 pool_remark(struct pool *, char *const *but, unsigned n);
/* For what purges, under the lock.  [p, p + size) is a free extent, joined with
 * neighbours of its state; or is cut out of one, with its share of the dirt,
 * false: it cannot be; an extent is taken out whole. */
void	 extent_insert(struct pool *, char *p, size_t size, size_t dirty,
	    bool muzzy, uint64_t stamp);
bool	 extent_cut(struct pool *, struct extent *, char *p, size_t size,
	    size_t *dirty);
void	 extent_remove(struct pool *, struct extent *);
/* Of what was freed before "young" how much should go now, so that it goes
 * evenly and is gone at the age of "old", "since" ms after the last time. */
size_t	 pool_owed(struct pool *, enum pages, uint64_t old, uint64_t young,
	    uint64_t since);
/* Purge extents of the budget's kind that are so since before "before", and
 * older ones until at most "keep" bytes of these are left, as the budget
 * allows; how many bytes. */
size_t	 pool_purge(struct pool *, uint64_t before, size_t keep,
	    struct budget *);
/* Give back what the map has for clean extents, which is nothing but zeroes, as
 * the budget's time allows. */
void	 pool_purge_map(struct pool *, struct budget *);

#endif /* !_DSM_POOL_H_ */
