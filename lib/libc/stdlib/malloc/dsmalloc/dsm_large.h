/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * large: blocks beyond the small classes, whole pages each.
 *
 * Theory of operation.  A block up to half a region is a run of a region; a
 * larger one comes straight from the pool, at a 2 MiB boundary when it is
 * that large.  Its first granule's map word points at its descriptor with
 * tag 0, so free() comes here without a test.
 *
 * Freed blocks first go to the arena's stock, the last few, from which the
 * next request of nearly their size is served with its pages warm, its
 * descriptor made and its map word written.  The stock is bounded in number
 * and bytes, oldest out first, and decay takes out what has lain in it for a
 * round, which then counts as dirty for that long.
 *
 * Each block's pages go back to the regions or pool that they are of, which
 * are others than the next block's where the arena has left a set since
 * (dsm_apart.h): such a block does not go to the stock.
 *
 * Blocks beyond a size that the program may set, for each arena, are neither
 * for the stock nor to lie dirty: their pages go back to the system as they are
 * freed, and so do those by which a block shrinks, if they are so many.  What
 * else is dirty is left alone.  Within a hook it is not done, for a hook would
 * be called; nor in a huge page of which too little would go.
 *
 * Locks: the arena's large lock for stock and counters; region, pool, map
 * and base are taken without it.
 */
#ifndef _DSM_LARGE_H_
#define	_DSM_LARGE_H_

#include "dsm_defs.h"
#include "dsm_lock.h"
#include "dsm_region.h"
#include "dsm_span.h"

#define	LARGE_STOCK	8		/* blocks */
/* With 2 MiB chains of reallocations have nearly twice the page faults: what
 * is in stock serves nobody else, and memory looks grown (dsm_set.h). */
#define	LARGE_STOCK_BYTES KIB(512)

struct large {
	/* Atomic, written under the lock: where pages come from. */
	struct regions	*regions;
	/* Under the lock. */
	struct lock	 lock;
	size_t		 keeps;		/* the largest block for the stock,
					   wherever it is from; 0 once moved */
	struct extent	*stock[LARGE_STOCK + 1];	/* oldest first */
	struct extent_list straight;	/* what is not in a region, stock too */
	unsigned	 nstock;
	bool		 moved;		/* to regions other than before */
	size_t		 stock_bytes;
	/* Written under the lock, read by anyone. */
	size_t		 oversize;	/* more goes back as it is freed */
	size_t		 bytes;		/* in blocks that are out */
	uint64_t	 nmalloc;
	uint64_t	 ndalloc;
};

void	 large_init(struct large *, struct regions *);
/* Take pages from others from now on; blocks that there are stay. */
void	 large_move_to(struct large *, struct regions *);
/* The blocks that go back as they are freed: so large and larger; 0: none. */
void	 large_oversize_set(struct large *, size_t);
size_t	 large_oversize(const struct large *);
/* size > 0; align a power of two; NULL when out of memory. */
void	*large_alloc(struct large *, size_t size, size_t align, bool *zeroed);
/* The same from the stock alone: NULL where that has nothing near. */
void	*large_restock(struct large *, size_t size);
void	 large_free(struct extent *, uint64_t now);
/* Make a block nsize bytes where it is, or by moving its pages; the address
 * it has then, or NULL when only a copy can. */
void	*large_resize(struct extent *, size_t nsize, uint64_t now);
/* Have the system clear a block, if that is the better way; else false. */
bool	 large_zero(struct extent *);
/* A block in a region that is given up as a whole, used or in stock. */
void	 large_drop(struct extent *);
/* Give all blocks back that are not in regions; those are gone. */
void	 large_reset(struct large *);
void	 large_recount(struct large *);
/* Let go of the stock that was freed before "before"; true if any. */
bool	 large_drain(struct large *, uint64_t before, uint64_t now);

#endif /* !_DSM_LARGE_H_ */
