/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * lent: the free extents of a pool whose memory comes from a program's hooks.
 *
 * Theory of operation.  What differs from other pools (dsm_pool.h): nothing is
 * done to the memory but by hooks, and no hook is called with a lock held, for
 * it may call malloc() and mallctl().  So an extent is taken out of the pool
 * before anything is done with it, and is nobody else's meanwhile; neighbours
 * that are out at the same time do not join.
 *
 * Life of an extent: given by alloc, in just the size and alignment that are
 * needed -> taken -> freed: dirty, joined with neighbours by merge -> taken
 * again, divided by split -> or due: with a time for muzzy pages purged lazily,
 * if purge_lazy does that, and due again after that time.  Else offered to
 * dalloc, and if that declines to decommit, purge_forced and purge_lazy in
 * turn.  Whatever comes of it, it is kept then, not dirty any more, for later
 * requests.  What is decommitted goes through commit first.  When the arena is
 * destroyed all is offered to dalloc, and what that declines to destroy.
 *
 * An extent is a batch by itself, however long: none is begun once the time of
 * a visit (dsm_budget.h) is over.
 *
 * Memory that alloc calls pinned is never offered to any but destroy.
 *
 * Extents are few, for they are whole regions and large blocks: they are
 * looked through one by one.
 *
 * Locks: the pool's, never while a hook runs.  Failure: NULL.
 */
#ifndef _DSM_LENT_H_
#define	_DSM_LENT_H_

#include "dsm_budget.h"
#include "dsm_defs.h"
#include "dsm_extent.h"

/* As the functions of pool of the same names. */
void	*lent_alloc(struct pool *, size_t size, size_t align, size_t *dirty);
void	 lent_free(struct pool *, void *, size_t size, size_t dirty,
	    uint64_t now);
void	 lent_give_back(struct pool *, void *, size_t size, uint64_t now);
bool	 lent_extend(struct pool *, void *, size_t size, size_t more,
	    size_t *dirty);
size_t	 lent_owed(struct pool *, enum pages, uint64_t old, uint64_t young,
	    uint64_t since);
size_t	 lent_purge(struct pool *, uint64_t before, size_t keep,
	    struct budget *);
void	 lent_trim(struct pool *);
void	 lent_empty(struct pool *);
/* The first extents, of a pool that has just come to be lent and is locked. */
void	 lent_adopt(struct pool *, struct extent_list *);
/* Purge [off, off + len) of what was taken as [p, p + size). */
bool	 lent_purge_part(struct pool *, bool lazy, char *p, size_t size,
	    size_t off, size_t len);
bool	 lent_divide(struct pool *, void *, size_t head, size_t tail);
/* Was it pinned when it came? */
bool	 lent_pinned(struct pool *, const void *);

#endif /* !_DSM_LENT_H_ */
