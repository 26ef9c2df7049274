/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * apart: automatic arenas that have pages for themselves.
 *
 * Theory of operation.  Automatic arenas share a set, and so its hooks and its
 * decay time.  One that is given others leaves it for a set that is made for
 * it: from then on its pages come from there, and no other arena's do.  If no
 * other arena shares the set it has that already, and automatic arenas that
 * are made later get another.
 *
 * What it has taken before stays where it is.  Each slab and each block knows
 * the region that it is a run of, or the regions whose pool it comes from, and
 * so goes back to them: to the old hooks, and by the old decay time.  Slabs
 * serve the arena on until they are empty; blocks in stock are given up, and
 * old ones do not come into it again.  Whoever frees where no arena of the set
 * may notice says so by decay_stir(), and an arena looks at the caps of the
 * sets that it was in ("before") too.  So hooks are never asked about memory
 * that they have not given, with two exceptions, which jemalloc has always: an
 * arena whose hooks are replaced by yet others, and an explicit one.
 *
 * Nobody waits: threads that are at it meanwhile take from the one set or the
 * other, as they saw the arena's bins and blocks to be.
 *
 * What hooks allocate themselves comes from arena 0.  When that has hooks, an
 * explicit arena is made for it, which nobody can reset or destroy.
 *
 * Locks: the sets', and under it those of the arena's parts, one by one.
 */
#ifndef _DSM_APART_H_
#define	_DSM_APART_H_

#include "dsm_defs.h"
#include "dsm_hooks.h"

/* Each returns 0, EFAULT: there is no such arena, or the hooks are none, or
 * EAGAIN: no memory. */
/* See to it that an arena, if it is an automatic one, shares no pages. */
int	 apart_own(unsigned index);
/* Hooks for any arena; an automatic one is made if it has not been yet. */
int	 apart_hooks_set(unsigned index, struct hooks *);

#endif /* !_DSM_APART_H_ */
