/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * limit: how much memory the process may hold.
 *
 * Theory of operation.  "Held" is what statistics call resident: pages in
 * use, unused ones not yet given back, and the allocator's records; and muzzy
 * pages, which they leave out.  Nobody counts it; set_held() adds it up from
 * counters that are there anyway.
 *
 * The hard limit.  Who takes pages that have no memory yet charges them
 * first: limit_charge() takes them out of limit_room, what the limit left
 * when it was last looked at, and refuses when that is not enough.  Once the
 * pages are in the counters limit_settle() puts back what was not needed.
 * Room only shrinks in this way.  limit_recount() makes it anew from what is
 * held: for each mebibyte of growth, after each purge, and before a request
 * is refused for good.  What is charged and may not be in the counters yet
 * is "in flight", and a charge between the reading of the two words fails the
 * compare-and-swap, so none is lost; one may be counted twice, until the
 * next time.  Records are not charged but counted, so the limit may be passed
 * by those that a mebibyte needs.
 *
 * The soft limit.  Growth beyond LIMIT_MARK() of it raises limit_pending, and
 * the thread that grew does what there is to do once it holds no lock
 * (dsm_relief.c).
 *
 * The wall.  Where the system itself refuses memory that could be had a moment
 * ago (RLIMIT_AS, overcommit 2, a full machine), what is held then is a limit
 * that nobody told: stacks, libraries and children need some of the rest.  So
 * until more than that is held again no more than a part of it lies unused,
 * and address space whose memory goes back goes back too.
 *
 * Without a limit all this is one test of a word where pages are taken.
 */
#ifndef _DSM_LIMIT_H_
#define	_DSM_LIMIT_H_

#include "dsm_defs.h"

/* Where memory is scarce enough that none is kept unused: 15/16. */
#define	LIMIT_MARK(soft)	((soft) - (soft) / 16)

/* From so much memory on the control group is read, which takes system calls
 * that a sandbox may not expect of a small program; every so many ms. */
#define	LIMIT_LOOK_MIN	MIB(64)
#define	LIMIT_LOOK_MS	5000

/* What may lie unused of what there may be. */
#define	LIMIT_IDLE(most)	((most) / 8)

/* What the user gave as a limit. */
enum limit_base { LIMIT_BYTES, LIMIT_CGROUP, LIMIT_PHYSICAL };

struct limit {
	enum limit_base	base;
	size_t		value;		/* bytes, or per cent; 0: no limit */
};

/* The program's function, told what is held and the soft limit. */
typedef void limit_notify_fn(size_t, size_t);

/* Atomic; bytes, 0 is none. */
DSM_HIDDEN size_t	limit_soft;
DSM_HIDDEN size_t	limit_hard;
DSM_HIDDEN size_t	limit_idle;	/* what may lie unused of it */
DSM_HIDDEN size_t	limit_wall;	/* held when the system refused */
DSM_HIDDEN uint32_t	limit_pending;	/* growth has come near to it */
DSM_HIDDEN uint32_t	limit_tight;	/* and little could be done */
DSM_HIDDEN limit_notify_fn *limit_notify;

/* A text such as 512M, cgroup:85% or physical:50%: NULL, or why it is none. */
const char *limit_parse(const char *, size_t len, struct limit *);
/* What that is in bytes now; the numbers it is a share of are given. */
size_t	 limit_bytes(const struct limit *, size_t cgroup, size_t physical);
/* New limits; what is held then is to be counted. */
void	 limit_set(size_t soft, size_t hard, size_t idle);
/* Memory has grown to this: see whether there is anything to be done. */
void	 limit_grown(size_t held, uint64_t now);
/* The system has no more for a process that holds this. */
void	 limit_refused(size_t held);
/* Is the control group to be looked at?  Who is told so does it. */
bool	 limit_look_due(uint64_t now);
bool	 limit_charge_slow(size_t bytes, size_t *charged);
void	 limit_settle_slow(size_t charged, size_t used);
void	 limit_recount(size_t (*held)(void));

/* What may lie unused now. */
static inline size_t
limit_unused(void)
{
	size_t idle = load_rlx(&limit_idle), wall = load_rlx(&limit_wall);

	return (likely(wall == 0) ? idle : DSM_MIN(idle, LIMIT_IDLE(wall)));
}

static inline bool
limit_charge(size_t bytes, size_t *charged)
{

	*charged = 0;
	return (likely(load_rlx(&limit_hard) == 0) ||
	    limit_charge_slow(bytes, charged));
}

/* Would that much be granted? */
static inline bool
limit_allows(size_t bytes)
{
	size_t charged;

	if (!limit_charge(bytes, &charged))
		return (false);
	if (unlikely(charged != 0))
		limit_settle_slow(charged, 0);
	return (true);
}

static inline void
limit_settle(size_t charged, size_t used)
{

	if (unlikely(charged != 0))
		limit_settle_slow(charged, used);
}

#endif /* !_DSM_LIMIT_H_ */
