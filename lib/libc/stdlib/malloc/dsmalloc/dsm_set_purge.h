/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * set: what goes back to the system because its time has come, or all of it.
 * The theory of operation is at the top of dsm_set.h.
 */
#ifndef _DSM_SET_PURGE_H_
#define	_DSM_SET_PURGE_H_

#include "dsm_defs.h"
#include "dsm_set.h"

/* Any thread's slow paths: purge what is overdue, anywhere.  A keeper's: the
 * set that is due longest, if one is, and a visit to it for so many ns. */
void	 set_tick(uint64_t now);
void	 set_overdue(uint64_t now);	/* the same, keeper or not */
struct set *set_keep_first(uint64_t now);
void	 set_keep(struct set *, uint64_t now, uint64_t ns);
/* Give all back that can be, now, on a visit; where the decay time is 0, and
 * who made it dirty does, with no visit begun. */
void	 set_purge_all(struct set *, uint64_t now);
void	 set_at_once(struct set *, uint64_t now);
/* Where all goes at once, also the little that waits for more. */
void	 set_settle(void);
/* For mallctl, by an arena's index or ARENA_ALL: purge what is due by now, or
 * everything.  False: there is no such arena. */
bool	 set_decay(unsigned index, bool everything);

#endif /* !_DSM_SET_PURGE_H_ */
