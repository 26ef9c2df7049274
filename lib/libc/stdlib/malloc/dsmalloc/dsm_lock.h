/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * lock: a four-byte adaptive mutex.  One compare-and-swap in, one exchange
 * out; a waiter spins a little, then sleeps in the kernel on the word.
 * Word: 0 free, 1 held, 2 held and somebody may sleep.  In debug builds each
 * lock has a rank, and a thread that takes a lock of a rank not above all it
 * holds aborts: the order is the one in dsm_arena.c's theory of operation.
 */
#ifndef _DSM_LOCK_H_
#define	_DSM_LOCK_H_

#include <stdbool.h>
#include <stdint.h>

#include "dsm_defs.h"

/* Ranks, in the order in which they may be taken. */
enum lock_rank {
	LOCK_WATCH = 1,		/* the keeper that sleeps */
	LOCK_CACHE,		/* the registry of caches */
	LOCK_SET,		/* making an arena, who is bound to it */
	LOCK_ARENA,		/* making an arena's bins */
	LOCK_BIN,		/* a bin and its slabs */
	LOCK_LARGE,		/* an arena's large blocks and stock */
	LOCK_REGION,		/* a set's regions */
	LOCK_POOL,		/* a set's free extents */
	LOCK_MAP,		/* making a leaf */
	LOCK_BASE,		/* metadata */
};

struct lock {
	uint32_t	word;		/* atomic */
#ifdef DSM_DEBUG
	uint32_t	rank;		/* constant */
#endif
};

#ifdef DSM_DEBUG
#define	LOCK_INITIALIZER(r)	{ 0, (r) }
#else
#define	LOCK_INITIALIZER(r)	{ 0 }
#endif

void	lock_init(struct lock *, enum lock_rank);
void	lock_slow(struct lock *);
void	lock_wake(struct lock *);
/* This thread is about to abort the program, perhaps with locks held, and its
 * message may go through a function that allocates: no lock stops it now. */
void	lock_die(void);
#ifdef DSM_DEBUG
/*
 * Rank bookkeeping.  The order is checked before a lock is waited for, so
 * that a wrong order is reported and does not hang; lock_try() may be out of
 * order, for it never waits.
 */
void	lock_check(const struct lock *);
void	lock_enter(const struct lock *);
void	lock_leave(const struct lock *);
bool	lock_held(const struct lock *);		/* by this thread */
void	lock_none(void);	/* this thread holds none */
#define	LOCK_ASSERT(l)	DSM_ASSERT(lock_held(l))
#else
static inline void lock_check(const struct lock *l) { (void)l; }
static inline void lock_enter(const struct lock *l) { (void)l; }
static inline void lock_leave(const struct lock *l) { (void)l; }
static inline void lock_none(void) { }
#define	LOCK_ASSERT(l)	((void)0)
#endif

static inline bool
lock_try(struct lock *l)
{
	uint32_t free = 0;

	if (!__atomic_compare_exchange_n(&l->word, &free, 1, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return (false);
	lock_enter(l);
	return (true);
}

static inline void
lock_take(struct lock *l)
{
	uint32_t free = 0;

	lock_check(l);
	if (unlikely(!__atomic_compare_exchange_n(&l->word, &free, 1, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		lock_slow(l);
	lock_enter(l);
}

static inline void
lock_drop(struct lock *l)
{

	lock_leave(l);
	if (unlikely(__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2))
		lock_wake(l);
}

#endif /* !_DSM_LOCK_H_ */
