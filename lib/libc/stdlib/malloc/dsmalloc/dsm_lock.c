/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_defs.h"
#include "dsm_lock.h"
#include "dsm_os.h"

/*
 * How often to look before sleeping.  Sleeping and being woken costs two
 * system calls and a switch, 3 to 5 us; a critical section of the allocator
 * takes 0.1 to 0.3 us.  A pause takes 40 ns on recent processors, so 100 of
 * them cost about what the sleep would, and waiting costs at most twice what
 * the better choice would have; on older processors, with pauses of 4 ns,
 * they still outlast a critical section or two.
 */
#define	LOCK_SPINS	100

/* How often a dying thread looks, and lets others run, before it goes on
 * without the lock: if one of those holds it, it is given up by then. */
#define	LOCK_PATIENCE	1000

static uint32_t	lock_dying;	/* a thread's id; atomic */

static inline void
lock_pause(void)
{

#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	/* yield does nothing on most; an isb takes about as long as a pause
	 * on x86. */
	__asm__ volatile ("isb");
#else
	__asm__ volatile ("");
#endif
}

void
lock_init(struct lock *l, enum lock_rank rank)
{

	(void)rank;		/* only for debug builds */
	*l = (struct lock)LOCK_INITIALIZER(rank);
}

void
lock_die(void)
{

	store_rlx(&lock_dying, os_tid());
}

static bool
lock_is_dying(void)
{
	uint32_t tid = load_rlx(&lock_dying);

	return (unlikely(tid != 0) && tid == os_tid());
}

static DSM_COLD void
lock_slow_dying(struct lock *l)
{
	uint32_t free;
	unsigned i;

	for (i = 0; i < LOCK_PATIENCE; i++) {
		free = 0;
		if (__atomic_compare_exchange_n(&l->word, &free, 1, false,
		    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		os_yield();
	}
}

/*
 * The lock was held.  Who slept takes it with 2, not 1: others may sleep
 * still, and a wake-up too many is only slow.
 */
DSM_NOINLINE void
lock_slow(struct lock *l)
{
	uint32_t free;
	unsigned i;

	for (i = 0; i < LOCK_SPINS; i++) {
		lock_pause();
		free = 0;
		if (load_rlx(&l->word) == 0 &&
		    __atomic_compare_exchange_n(&l->word, &free, 1, false,
		    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
	}
	if (lock_is_dying()) {
		lock_slow_dying(l);
		return;
	}
	while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE) != 0)
		os_wait(&l->word, 2);
}

/* One is enough: it takes the lock with 2 and so wakes the next. */
DSM_NOINLINE void
lock_wake(struct lock *l)
{

	os_wake(&l->word, 1);
}

#ifdef DSM_DEBUG

#define	LOCK_HELD_MAX	32	/* ranks, and some taken by lock_try() */

/* The locks of this thread. */
static __thread struct {
	const struct lock *held[LOCK_HELD_MAX];
	unsigned	 n;
} lock_mine __attribute__((__tls_model__("initial-exec")));

void
lock_check(const struct lock *l)
{
	unsigned i;

	if (lock_is_dying())
		return;
	for (i = 0; i < lock_mine.n; i++)
		DSM_ASSERT(lock_mine.held[i]->rank < l->rank);
}

void
lock_enter(const struct lock *l)
{

	if (lock_is_dying())
		return;
	DSM_ASSERT(lock_mine.n < LOCK_HELD_MAX);
	lock_mine.held[lock_mine.n++] = l;
}

void
lock_leave(const struct lock *l)
{
	unsigned i;

	if (lock_is_dying())
		return;
	for (i = lock_mine.n; i > 0 && lock_mine.held[i - 1] != l; i--)
		;
	DSM_ASSERT(i > 0);
	lock_mine.held[i - 1] = lock_mine.held[--lock_mine.n];
}

void
lock_none(void)
{

	DSM_ASSERT(lock_mine.n == 0 || lock_is_dying());
}

bool
lock_held(const struct lock *l)
{
	unsigned i;

	if (lock_is_dying())
		return (load_rlx(&l->word) != 0);
	for (i = 0; i < lock_mine.n; i++) {
		if (lock_mine.held[i] == l)
			return (true);
	}
	return (false);
}

#endif /* DSM_DEBUG */
