/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * gate: what keeps slow paths and forks apart.
 *
 * Theory of operation.  Who is inside has a word raised: its cache's, or the
 * count of strays, who have none.  It raises that, then looks whether the gate
 * is shut; the forker shuts it, then looks at those words and waits until all
 * are zero: one of them sees the other.  A thread that finds it shut steps back
 * and waits.  The forker itself may go in and out meanwhile, for other fork
 * handlers allocate; it is known by the address of a thread-local word, which
 * is the same in the child.  tests/spin/fork.pml is the model.
 *
 * Which caches there are, and what becomes of them, is cache's.
 */
#ifndef _DSM_GATE_H_
#define	_DSM_GATE_H_

#include "dsm_defs.h"

DSM_HIDDEN uint32_t	gate_word;	/* a fork is in progress; atomic */
DSM_HIDDEN const void	*gate_forker;	/* whose it is; atomic */

/* Has the caller shut it? */
static inline bool
gate_is_mine(const void *self)
{

	return (load_rlx(&gate_forker) == self);
}

/* With the caller's word raised: may it go on? */
static inline bool
gate_is_open(const void *self)
{

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (likely(load_acq(&gate_word) == 0) || gate_is_mine(self));
}

/* By a word of the thread's own: nobody else writes it, no locked add. */
void	 gate_enter_again(uint32_t *inside, const void *self);
static inline void
gate_enter(uint32_t *inside, const void *self)
{

	store_rlx(inside, 1);
	if (unlikely(!gate_is_open(self)))
		gate_enter_again(inside, self);
}

void	 gate_enter_stray(const void *self);
void	 gate_leave_stray(void);
/* Of a thread that is inside already, by its word. */
void	 gate_add_stray(void);
/* The forker's: shut it to all others, wait until a word is zero, or there are
 * no strays; in the child, where those are gone, they count no more. */
void	 gate_shut(const void *self);
void	 gate_await(const uint32_t *inside);
void	 gate_await_strays(void);
void	 gate_forget_strays(void);
void	 gate_reopen(void);
/* Is this the thread that shut it last, not its copy in a child? */
bool	 gate_is_forker(void);

#endif /* !_DSM_GATE_H_ */
