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
 *
 * Free pages that have memory are dirty, or muzzy: those were purged lazily,
 * so that the kernel may take them when it is short of memory; what they hold
 * is lost either way.  A visit is to either kind, and it purges what is dirty
 * lazily or by force.
 */
#ifndef _DSM_BUDGET_H_
#define	_DSM_BUDGET_H_

#include "dsm_defs.h"
#include "dsm_os.h"

#define	BUDGET_BATCH	KIB(512)

enum pages { PAGES_DIRTY, PAGES_MUZZY, PAGES_KINDS };

struct region;

struct budget {
	uint64_t	 until;		/* os_time_ns(); UINT64_MAX: no end */
	size_t		 least;
	size_t		 most;
	size_t		 bytes;		/* purged so far */
	bool		 more;		/* time was over before the work was */
	enum pages	 kind;		/* what is purged */
	bool		 lazy;		/* and how, if it is dirty */
	bool		 every;		/* page, whatever that breaks up */
	uint64_t	 now;		/* since when it is muzzy then, ms */
	bool		 tried;		/* pages of regions, and some went */
	bool		 reaps;		/* tell of a huge page broken up: */
	struct region	*broken;	/* busy, for region_reaped() */
};

#define	BUDGET_ALL							\
	{ UINT64_MAX, 0, SIZE_MAX, 0, false, PAGES_DIRTY, false, false,	\
	    0, false, false, NULL }

/* What was purged of one kind. */
struct purged {
	uint64_t	 npurge;	/* batches */
	uint64_t	 ncalls;	/* of advice, or hooks */
	uint64_t	 bytes;
};

static inline void
purged_add(struct purged *p, unsigned calls, size_t bytes)
{

	p->npurge++;
	p->ncalls += calls;
	p->bytes += bytes;
}

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

/* How a batch is to be purged. */
static inline struct os_purge
budget_purge(const struct budget *b)
{
	struct os_purge how = OS_PURGE_FORCED;

	how.until = budget_until(b);
	how.lazy = b->lazy;
	return (how);
}

/* Where none of a batch could be purged lazily: try it by force. */
static inline bool
budget_retry(struct budget *b, unsigned done, struct os_purge *how)
{

	if (done != 0 || !how->lazy || !budget_left(b))
		return (false);
	how->lazy = false;
	how->until = budget_until(b);
	return (true);
}

/* The bytes of a batch. */
static inline size_t
budget_batch(const struct budget *b)
{

	return (DSM_MIN(b->most - b->bytes, b->until == UINT64_MAX ? SIZE_MAX :
	    BUDGET_BATCH));
}

#endif /* !_DSM_BUDGET_H_ */
