/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * decay: the books of what is owed to the system and when.
 *
 * Theory of operation.  Every holder of dirty pages (a set of arenas) has a
 * struct decay: its time, and when it is to be visited next.  A round takes
 * half of the decay time, and comes by everything once, in the same order
 * each time: what it finds dirty that was dirty at the round before goes
 * back.  So a page that nobody uses goes between half of the time and all of
 * it after it was freed, and what was freed at once goes evenly over the
 * second half.  What comes in the midst of a round is by itself not gone
 * through in step with it, and may have to wait for half a round more; so one
 * that much has come to begins anew, for the time of a round at the most.
 * A round is made in DECAY_STEPS visits; each brings it as far
 * as the time has come, however late it is itself.  A holder that owes nothing
 * has no round and no deadline.
 *
 * No visit is long: it has DECAY_VISIT_NS, or a 500th of the time since the
 * one before where that is more, so that a program of one malloc a second
 * keeps up too.  What it leaves over is for the next, DECAY_SOON later.
 *
 * One global word, decay_deadline, is the earliest of all deadlines.  The
 * ticks of any thread (dsm_cache.h) compare the coarse clock with it, so what
 * is quiet decays too.  It is lowered by compare-and-swap; only who finds it
 * passed raises it: he stores "never" first, then looks at every holder, then
 * lowers it to what it found, so that a deadline armed meanwhile is not lost.
 * A holder that is being visited is passed over; whose visit ends lowers the
 * word to what is its deadline then.
 *
 * One thread may sleep until the deadline (dsm_keeper.h).  It says until when,
 * then looks at the word again; who lowers the word does so, then looks until
 * when the sleeper sleeps: one of them sees the other.  What is waited on is a
 * count of alarms, read before that, and raised before the call that wakes.
 * tests/spin/keeper.pml is the model.
 */
#ifndef _DSM_DECAY_H_
#define	_DSM_DECAY_H_

#include "dsm_budget.h"
#include "dsm_defs.h"

#define	DECAY_NEVER	UINT64_MAX
#define	DECAY_NS	1000000		/* in the unit of all times here */
#define	DECAY_ROUNDS	2		/* in a decay time */
#define	DECAY_STEPS	32		/* in a round */
#define	DECAY_PARTS	1024		/* a round, as decay_part() has it */
#define	DECAY_SOON	1		/* ms */
#define	DECAY_AGAIN	1000		/* ms: for what could not go at once */
#define	DECAY_VISIT_NS	100000
/* With a time of 0, when others come for what is not purged by who freed it,
 * ms.  A look at all that there is takes some 300 us a GiB: 10 ms had a program
 * of 3 GiB spend two fifths of its time on that. */
#define	DECAY_LEFT	100

struct decay {
	int64_t		ms;		/* atomic; -1 never, 0 at once */
	uint64_t	next;		/* atomic; DECAY_NEVER: not armed */
	uint64_t	start;		/* atomic; of the round; 0: none */
	uint64_t	begun;		/* atomic; the same before it was
					   begun anew */
	uint64_t	visited;	/* atomic; when last */
	uint32_t	busy;		/* atomic; a visit is on */
	uint32_t	thin;		/* atomic; since the round began, or
					   all was to go, slabs have become
					   sparse */
};

DSM_HIDDEN uint64_t	decay_clock;		/* ms, as last read by anyone */
DSM_HIDDEN uint64_t	decay_deadline;
DSM_HIDDEN uint64_t	decay_grace;		/* ms that ticks let pass */
DSM_HIDDEN uint32_t	decay_alarm;		/* wake-ups so far */

void	 decay_init(struct decay *, int64_t ms);
/* Read the clock, in milliseconds, and remember it in decay_clock. */
uint64_t decay_now(void);
/* There is something dirty: see that a round begins, if none is on. */
void	 decay_arm(struct decay *, uint64_t now);
/* The same by who has made it so, at a line's worth; NULL: nobody's. */
static inline void
decay_stir(struct decay *d)
{

	if (d != NULL && unlikely(load_rlx(&d->next) == DECAY_NEVER))
		decay_arm(d, load_rlx(&decay_clock));
}

/* Free pages that are not dirty, which this round may have passed by: until
 * the next one begins, visits go on. */
static inline void
decay_thin(struct decay *d)
{

	if (d != NULL && unlikely(load_rlx(&d->thin) == 0)) {
		store_rlx(&d->thin, 1);
		decay_stir(d);
	}
}

/* A new time; what is dirty already is looked at within it. */
void	 decay_set(struct decay *, int64_t ms, uint64_t now);
/* Start a visit if it is due; who does calls decay_end. */
bool	 decay_begin(struct decay *, uint64_t now);
/* The same whether it is due or not: false when another's is on. */
bool	 decay_enter(struct decay *, uint64_t now);
/* dirty: something is owed still; more: also by this visit. */
void	 decay_end(struct decay *, bool dirty, bool more, uint64_t now);
/* In a visit.  How far the round should be, of DECAY_PARTS. */
unsigned decay_part(const struct decay *, uint64_t now);
/* The round begins anew, for what has come since; false: it has done so for as
 * long as it may. */
bool	 decay_renew(struct decay *, uint64_t now);
/* This round is done, the next begins. */
void	 decay_turn(struct decay *, uint64_t now);
/* The length of a round, ms. */
uint64_t decay_round(const struct decay *);
/* What this visit may purge: for so long, or a part of the time since. */
struct budget decay_budget(const struct decay *, uint64_t now, uint64_t ns);
/* The global word: taken before a scan, lowered by its finds. */
void	 decay_scan(void);
void	 decay_lower(uint64_t when);
/* When it is due, as far as a scan has to know. */
uint64_t decay_next(const struct decay *);
/* By one thread: sleep until the deadline, an earlier one, or an alarm after
 * the one given.  It may return early. */
void	 decay_sleep(uint32_t alarm);
void	 decay_rouse(void);

#endif /* !_DSM_DECAY_H_ */
