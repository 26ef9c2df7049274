/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * explicit: arenas that a program creates, resets and destroys.
 *
 * Theory of operation.  Each is a set by itself.  Its map words have tag 0, as
 * large blocks' do: plain free() gives a slot straight back to its bin, so
 * that no thread keeps one in its cache, unless it is bound to the arena
 * (thread.arena).  From the first such arena on sized frees look at the map
 * too (size_distrust()).
 *
 * Reset gives up all slabs, blocks and regions at once.  That nobody
 * allocates or frees there meanwhile is the caller's to see to, and that
 * threads bound to it have flushed their caches before: one that has not is
 * found out at its next fill or flush, by arena's "resets", and the program
 * aborts.  Passes of other threads are kept out by "shut".
 *
 * Destroy resets, and gives all memory back.  What the arena has counted is
 * added up under ARENA_DESTROYED.  Its descriptors stay for the next one that
 * is created, which has the same index, so cycles cost no metadata.
 *
 * Whoever claims an arena waits for the visits to it, so no hook may: one is
 * perhaps part of such a visit.
 *
 * Locks: the sets', to claim an arena; the rest runs without it.
 */
#ifndef _DSM_EXPLICIT_H_
#define	_DSM_EXPLICIT_H_

#include "dsm_arena.h"
#include "dsm_defs.h"

/* The new one's index; 0: no memory, or no index left.  Of default hooks where
 * none are given. */
unsigned explicit_create(struct hooks *);
/* False: there is none of that index, or, for the second, threads are bound
 * to it. */
bool	 explicit_reset(unsigned index);
bool	 explicit_destroy(unsigned index);
/* The hooks of any arena, NULL: there is none; others for an explicit one,
 * which nobody may use meanwhile, and which must be able to handle the memory
 * that it has. */
struct hooks *explicit_hooks_get(unsigned index);
bool	 explicit_hooks_set(unsigned index, struct hooks *);
/* Of any arena; false: there is none. */
bool	 explicit_name_get(unsigned index, char name[ARENA_NAME]);
bool	 explicit_name_set(unsigned index, const char *name);

#endif /* !_DSM_EXPLICIT_H_ */
