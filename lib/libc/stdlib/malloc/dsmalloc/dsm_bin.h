/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * bin: one size class of one arena.
 *
 * Theory of operation.  A bin hands slots to caches by the batch (fill) and
 * takes them back by the batch (flush); a batch takes the lock once.  It has
 * a current slab, from which it fills, and the other slabs with room in four
 * lists by fullness; the fullest is drained first, so that the emptiest get
 * the chance to empty and close.  Full slabs are on no list.  One empty slab
 * is kept, so that a program that breathes does not open and close.
 *
 * Slots of a slab of this bin that a thread of another arena frees go
 * through the slab's remote bitmap (dsm_slab.h) and the bin's inbox, a
 * lock-free stack of slabs.  The inbox is collected before a new slab is
 * opened, by every decay round, and by the pusher itself when BIN_PENDING
 * bytes wait or the arena has no thread left: it tries the lock, and if that
 * is taken leaves the mark "again" and tries once more; the holder looks at
 * the mark after it has unlocked (tests/spin/handover.pml).
 *
 * Sparse slabs.  A few long-lived slots can pin many slabs, whose free pages
 * no one else gives back.  Here they are visible: bin_purge() takes slabs
 * that are a quarter empty or more off their lists, so that nothing is filled
 * from them, purges their free pages without the lock, and lists them again.
 * It comes by each of them once between two calls of bin_spare(): those of a
 * huge page that is not worth breaking up for them are looked at again then,
 * and so are those of which half of what was taken is free since.
 *
 * Locks: the bin's.  Under it region, pool, map and base may be taken.
 */
#ifndef _DSM_BIN_H_
#define	_DSM_BIN_H_

#include "dsm_defs.h"
#include "dsm_lock.h"
#include "dsm_slab.h"

/* Bytes freed by others that may wait before a pusher collects. */
#define	BIN_PENDING	KIB(64)

/*
 * By cache lines: what every fill and flush writes is on the lock's own, and
 * nothing that others read without it.
 */
struct bin {
	/* Under the lock. */
	struct lock	 lock DSM_ALIGNED(DSM_CACHELINE);
	unsigned	 nempty;	/* of the listed ones */
	uint8_t		 round;		/* of looks at sparse slabs */
	struct slab	*current;
	uint64_t	 nmalloc;	/* slots filled */
	uint64_t	 ndalloc;	/* slots flushed or collected */
	uint64_t	 nfills;
	uint64_t	 nflushes;
	uint64_t	 nrequests;	/* folded from the caches' counts */
	uint32_t	 curslabs;
	struct slab_head list[SLAB_LISTS]	/* [0] holds the fullest */
	    DSM_ALIGNED(DSM_CACHELINE);
	/* Atomic, written under the lock: where slabs come from; NULL: not yet
	 * used. */
	struct regions	*regions DSM_ALIGNED(DSM_CACHELINE);
	struct decay	*decay;		/* theirs */
	/* Constant after bin_init(). */
	const uint32_t	*threads;	/* how many are bound to its arena */
	uint16_t	 tag;		/* of its slabs' map words */
	uint8_t		 class;
	/* Atomic, seldom written. */
	uint32_t	 again;		/* a pusher found the lock taken */
	/* Atomic: written by other arenas' threads. */
	struct slab	*inbox DSM_ALIGNED(DSM_CACHELINE);
	uint32_t	 pending;	/* bytes announced, about */
	/* Under the lock; who opens a slab has just looked at the inbox. */
	uint64_t	 nslabs;
};

/* Figures of one size class, of one arena or of all. */
struct stats_bin {
	uint64_t	nmalloc;	/* slots handed to caches or callers */
	uint64_t	ndalloc;	/* slots given back */
	uint64_t	nrequests;	/* malloc calls of this class */
	uint64_t	nfills;
	uint64_t	nflushes;
	uint64_t	nslabs;		/* slabs ever opened */
	size_t		curregs;	/* slots in use or cached */
	size_t		curslabs;
};

void	 bin_init(struct bin *, struct regions *, unsigned class,
	    unsigned tag, const uint32_t *threads);
/* Open slabs in others from now on; those that there are stay. */
void	 bin_move_to(struct bin *, struct regions *);
/* Up to n slots into dst, lowest address first; 0 when out of memory. */
unsigned bin_fill(struct bin *, void **dst, unsigned n);
/* Give slots of this class back: own ones here, others to their slabs. */
void	 bin_flush(struct bin *, void *const *v, unsigned n, uint64_t now);
/* Bring in what others have freed, now. */
void	 bin_collect(struct bin *, uint64_t now);
/* Bytes of slots handed out, of the bin's slabs, and of the rest of these,
 * about. */
size_t	 bin_out(const struct bin *);
size_t	 bin_bytes(const struct bin *);
size_t	 bin_slack(const struct bin *);
/* The same, close the kept empty slabs, and let a sparse current one be like
 * others. */
void	 bin_spare(struct bin *, uint64_t now);
/* Give back free pages of slabs that are a quarter empty or more, as the budget
 * allows; how many bytes. */
size_t	 bin_purge(struct bin *, struct budget *, uint64_t now);
/* The same for all slabs of a region, whatever bins they are of, at once: its
 * huge page was broken up, and with that most is done. */
void	 bin_purge_region(struct region *, struct budget *, uint64_t now);
/* Count malloc calls that ended threads made. */
void	 bin_requests(struct bin *, uint64_t n);
/* All slabs are gone; forget what was counted. */
void	 bin_reset(struct bin *);
void	 bin_recount(struct bin *);
/* Add this bin's figures; how many of its slots are out. */
size_t	 bin_stats(struct bin *, struct stats_bin *);
bool	 bin_valid(struct bin *);

/* For the parts of bin, under the lock but for the last, which ends that.  Take
 * a slab off its list, and put one back, or close it: false; close one that is
 * on no list; bring in what is in the inbox; unlock. */
void	 bin_unlist(struct bin *, struct slab *);
bool	 bin_relist(struct bin *, struct slab *, uint64_t now);
void	 bin_close(struct bin *, struct slab *, uint64_t now);
void	 bin_drain(struct bin *, uint64_t now);
void	 bin_unlock(struct bin *, uint64_t now);
static inline bool
slab_is_empty(const struct slab *s)
{

	return (slab_nfree(s) == s->nslots);
}

#endif /* !_DSM_BIN_H_ */
