/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * decay: the books of what is owed to the system and when.
 *
 * Theory of operation.  Every holder of dirty pages (a set of arenas) has a
 * struct decay: its time, and when its next pass is due.  A pass purges
 * what was dirty already at the pass before; with DECAY_PASSES passes per
 * decay time a page goes back after between half and all of that time.  A
 * holder that owes nothing has no deadline.
 *
 * One global word, decay_deadline, is the earliest of all deadlines.  The
 * ticks of any thread (dsm_cache.h) compare the coarse clock with it, so what
 * is quiet decays too.  It is lowered by compare-and-swap; only who finds it
 * passed raises it: he stores "never" first, then looks at every holder, then
 * lowers it to what it found, so that a deadline armed meanwhile is not lost.
 */
#ifndef _DSM_DECAY_H_
#define	_DSM_DECAY_H_

#include "dsm_defs.h"

#define	DECAY_NEVER	UINT64_MAX
#define	DECAY_PASSES	2

struct decay {
	int64_t		ms;		/* atomic; -1 never, 0 at once */
	uint64_t	next;		/* atomic; DECAY_NEVER: not armed */
	uint32_t	busy;		/* atomic; a pass is running */
};

DSM_HIDDEN uint64_t	decay_clock;		/* ms, as last read by anyone */
DSM_HIDDEN uint64_t	decay_deadline;

void	 decay_init(struct decay *, int64_t ms);
/* Read the clock, in milliseconds, and remember it in decay_clock. */
uint64_t decay_now(void);
/* There is something dirty: see that a pass is due some time. */
void	 decay_arm(struct decay *, uint64_t now);
/* A new time; what is dirty already is looked at within it. */
void	 decay_set(struct decay *, int64_t ms, uint64_t now);
/* A pass purges what became dirty before this; 0: nothing, it never decays. */
uint64_t decay_before(const struct decay *, uint64_t now);
/* Start a pass if it is due; the caller runs it and calls decay_end. */
bool	 decay_begin(struct decay *, uint64_t now);
void	 decay_end(struct decay *, bool dirty, uint64_t now);
/* The global word: taken before a scan, lowered by its finds. */
void	 decay_scan(void);
void	 decay_lower(uint64_t when);

#endif /* !_DSM_DECAY_H_ */
