/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * keeper: threads of our own that give memory back in a program that is
 * silent; off unless the option background_thread or mallctl(3) says so.
 *
 * Theory of operation.  A keeper is on watch: it sleeps until the one global
 * deadline (dsm_decay.h), for ever where nothing is owed, and is woken when an
 * earlier one is armed.  Then it takes the set that is due longest, leaves the
 * watch to the next keeper, visits that set, and comes back.  Its visits may
 * last KEEPER_VISIT_NS: they are in nobody's way but a fork's.  Program threads
 * that find the deadline passed leave it to the keepers for KEEPER_GRACE ms,
 * and do it themselves where those are late.
 *
 * How many.  A set is visited by one thread at a time, so there are no more
 * keepers than sets: one for the automatic arenas, which share their pages, and
 * one for each that was created, up to max_background_threads.  The first
 * starts the others, as it finds more sets than keepers.
 *
 * The first is started by mallctl(3), or, where that has never been asked but
 * the option set, when there is something to keep, by the first call that may
 * do that (dsm_spawn.h): a slow path of free(3), at its beginning, outside the
 * gate, with no lock held; or the end of a thread.  Not before the library's
 * constructor has run, or in a libc before the program has started a thread.
 * Forks take all of them away, and a child starts one in the same manner.
 *
 * Who is switched off ends at its next look: each keeper has the number of its
 * era, and looks whether that is still the present one after it has read the
 * alarm that it sleeps on, which is raised after the era's end.  mallctl(3)
 * waits for them, outside the gate, since a keeper may be waiting to get in.
 * Called from a hook, or a handler of a fork, it cannot wait, and lets them go;
 * so it is when the last thread that the program has here ends, for the process
 * is to end with its last thread, which would never come.  It says first what
 * is wanted; who is starting or stopping keepers by then looks at that when he
 * is done.  tests/spin/keeper.pml is the model.
 *
 * A keeper has no cache: it passes the gate as a stray, and what a hook that
 * it calls allocates, arena 0 serves.
 *
 * Locks: "busy" is held by who starts or stops keepers, across calls that
 * allocate; nobody inside the gate waits for it.  "watch" is held by who is on
 * watch, who passes the gate and takes no other lock under it.
 */
#ifndef _DSM_KEEPER_H_
#define	_DSM_KEEPER_H_

#include "dsm_decay.h"
#include "dsm_defs.h"

/* The most that the option allows, and its default. */
#define	KEEPER_MAX	4096

DSM_HIDDEN uint32_t keeper_needed;	/* on, but none is there; atomic */

/* What the option says, once; threads may be started from now on. */
void	 keeper_boot(void);
void	 keeper_ready(void);
/* Outside the gate: a free of something large, or of anything. */
void	 keeper_start(const void *caller, bool large);
/* A thread has ended but for its last steps; this is a child. */
void	 keeper_thread_end(void);
void	 keeper_forked(void);

/* For mallctl: what is wanted, and, outside the gate, to make it so; false: no
 * thread can be had, and it is off. */
bool	 keeper_is_on(void);
void	 keeper_turn(bool on);
size_t	 keeper_most(void);
void	 keeper_limit(size_t most);
bool	 keeper_settle(void);

/* For statistics; the interval in ns. */
size_t	 keeper_count(void);
uint64_t keeper_runs(void);
uint64_t keeper_interval(void);

#endif /* !_DSM_KEEPER_H_ */
