/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * span: a run of pages with one use.  This is what a map word points at: the
 * head of a slab's descriptor, a large block, or a free extent of a pool.
 * Descriptors live in base memory; each kind has its own type there, so a
 * stale pointer to one never reads as another.
 */
#ifndef _DSM_SPAN_H_
#define	_DSM_SPAN_H_

#include <sys/queue.h>

#include "dsm_defs.h"

enum span_kind {
	SPAN_NONE,		/* the descriptor is not in use */
	SPAN_SLAB,
	SPAN_LARGE,
	SPAN_STOCK,		/* a freed large block kept for the next */
	SPAN_FREE		/* an extent of a pool */
};

struct region;
struct regions;

struct span {
	/* Written by whoever makes the span, and of a block by who resizes
	 * it; else constant while it lives. */
	char		*addr;
	size_t		 size;		/* bytes, whole pages */
	size_t		 usable;	/* bytes of a block in it */
	void		*owner;		/* its bin, large or pool, by kind */
	struct region	*region;	/* NULL: straight from the pool */
	uint16_t	 page;		/* first page in the region */
	uint8_t		 class;		/* of a slab */
	uint8_t		 kind;		/* enum span_kind; atomic for checks */
};

/* A large block, or a free extent. */
struct extent {
	struct span	 span;
	/* Under the lock of the list that the extent is on. */
	TAILQ_ENTRY(extent) link;	/* pool bucket */
	TAILQ_ENTRY(extent) lru;	/* a pool's, not clean, by age, or an
					   arena's blocks outside regions */
	struct regions	*home;		/* of a block outside regions: whose
					   pages it has */
	size_t		 dirty;		/* bytes written to, about; 0: clean */
	uint64_t	 stamp;		/* when it was freed, ms, or became
					   muzzy */
	bool		 muzzy;		/* what was dirty is, in a free one */
	uint8_t		 state;		/* of a lent one (dsm_lent.c) */
};

TAILQ_HEAD(extent_list, extent);

#endif /* !_DSM_SPAN_H_ */
