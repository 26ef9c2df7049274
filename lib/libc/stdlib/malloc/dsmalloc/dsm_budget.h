/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * budget: how much one visit to what is dirty may purge.
 *
 * Theory of operation.  A thread that purges is somebody's malloc or free,
 * and giving a gigabyte back takes some 50 ms.  So who purges by a budget
 * takes batches, each of BUDGET_BATCH bytes or OS_PURGE_MAX ranges or one huge
 * page, 50 to 100 us of system call, and asks budget_left() before each.  What
 * is left over waits for the next visit.
 *
 * A budget ends with its time, but not before "least" bytes are purged: those
 * the visitor has made dirty himself.  It ends at "most" bytes in any case.
 */
#ifndef _DSM_BUDGET_H_
#define	_DSM_BUDGET_H_

#include "dsm_defs.h"
#include "dsm_os.h"

#define	BUDGET_BATCH	KIB(512)

struct budget {
	uint64_t	 until;		/* os_time_ns(); UINT64_MAX: no end */
	size_t		 least;
	size_t		 most;
	size_t		 bytes;		/* purged so far */
	bool		 more;		/* time was over before the work was */
};

#define	BUDGET_ALL	{ UINT64_MAX, 0, SIZE_MAX, 0, false }

/* Is its time over, however little was purged?  Ask this and budget_left() only
 * with something left to do. */
static inline bool
budget_late(struct budget *b)
{

	b->more = b->until != UINT64_MAX && os_time_ns() >= b->until;
	return (b->more);
}

static inline bool
budget_left(struct budget *b)
{

	if (b->bytes >= b->most)
		return (false);
	return (b->bytes < b->least || !budget_late(b));
}

/* When a batch is to be broken off. */
static inline uint64_t
budget_until(const struct budget *b)
{

	return (b->bytes < b->least ? UINT64_MAX : b->until);
}

/* The bytes of a batch. */
static inline size_t
budget_batch(const struct budget *b)
{

	return (DSM_MIN(b->most - b->bytes, b->until == UINT64_MAX ? SIZE_MAX :
	    BUDGET_BATCH));
}

#endif /* !_DSM_BUDGET_H_ */
