/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * region: up to 512 pages cut into runs for slabs and for blocks up to half
 * a region.
 *
 * Theory of operation.  A region is 2 MiB, 2 MiB-aligned (512 pages of
 * 4 KiB, 32 of 64 KiB); only the first of a process is smaller, so that a
 * small process cannot be turned huge behind its back.  Four bitmaps say of
 * each page whether it is used, touched (may hold other than zeroes), muzzy
 * (free, and purged lazily since it was touched), and old (was as it is at the
 * last decay pass over what is dirty, or over what is muzzy).  Free and touched
 * and not muzzy is "dirty": what the arenas owe the system.
 *
 * A run is taken from the region whose longest free run fits tightest, of
 * the first few such from one that has dirty pages, or else muzzy ones; in it
 * the lowest dirty place that is long enough, else the lowest that has memory,
 * else the lowest.  So long runs are kept for long requests, regions polarise
 * into full and empty, and memory that is there is used before more is asked
 * for.  The longest run is kept incrementally: it is searched anew only when it
 * was cut itself.  Regions hang in lists by longest run, under one mask.  An
 * empty region but the last goes back to the pool.
 *
 * Decay: a pass goes through the regions, those first that it has seen
 * longest ago; in each it purges what is dirty and old, then makes all that is
 * dirty old.  It may stop anywhere and go on later.  With two passes per decay
 * time a page goes back after between half and all of it.  While a run is
 * being purged its pages are marked used, so no lock is held.  A region where
 * that fails (locked memory) counts as seen, so that it stops no other.
 * What is muzzy has passes of its own, in their own order.
 *
 * Huge pages.  A region in a range that the pool has marked may be one huge
 * page: then all of it that is free is dirty once a page of it was taken.  It
 * goes back whole, or when an eighth of it can go: then it is broken up first,
 * and marked lest the kernel makes it whole again with memory that nobody
 * asked for.  Once it is empty that mark is taken back.  Each may divide a
 * mapping, in three: there are REGION_BROKEN_MAX at the most, from where on
 * nothing is to become huge, so that a process keeps well under 1,000, until
 * half of them have gone.  Lazily it goes whole too; as one page of it is
 * written to all has memory for good, and is dirty again.
 *
 * The other way: a region of small pages that the passes have found in use but
 * for a twentieth, from hpa_hugify_delay_ms on, becomes a huge page, be it one
 * that was broken up and has filled again or one from when the process was
 * small.  That takes half a millisecond, so a visit makes one at the most, and
 * only if so much of its time is left.  Who walks through a heap at random gets
 * it back in a million steps (20 ns each with 16 MiB, 250 with 512).  One that
 * cannot be made is marked like one that was broken up, for else it might
 * become huge by itself later.
 *
 * Locks: the set's, one for all arenas that share pages; below bin and
 * large, above pool.
 */
#ifndef _DSM_REGION_H_
#define	_DSM_REGION_H_

#include <sys/queue.h>

#include "dsm_budget.h"
#include "dsm_defs.h"
#include "dsm_lock.h"
#include "dsm_pool.h"

#define	REGION_BYTES	MIB(2)
#define	REGION_FIRST	MIB(1)		/* the first of the process */
#define	REGION_RUN_MAX	(REGION_BYTES / 2)
#define	REGION_PAGES	512
#define	REGION_WORDS	(REGION_PAGES / 64)
#define	REGION_BROKEN_MAX 256
/* bits_quarter() of a full region is 32. */
#define	REGION_BUCKETS	33

struct region {
	/* Constant while in use. */
	char		*addr;
	struct regions	*set;
	uint16_t	 npages;
	/* Under the set's lock. */
	uint16_t	 nused;
	uint16_t	 ndirty;
	uint16_t	 nmuzzy;
	uint16_t	 longest;
	uint32_t	 pass[PAGES_KINDS]; /* the last that saw it whole */
	uint32_t	 refused;	/* atomic; the last in which it was not
					   worth breaking up for a slab */
	uint64_t	 dense;		/* since when it is found so, ms; 0 */
	bool		 busy;		/* being made huge, or reaped: stays */
	bool		 huge;		/* may be one huge page */
	bool		 broken;	/* was one or could not be made one, and
					   has a mark against it */
	bool		 pinned;	/* its pages stay, used or not */
	bool		 idle;		/* empty since the last pass */
	LIST_ENTRY(region) link;	/* by longest run */
	LIST_ENTRY(region) breaks;	/* if broken */
	TAILQ_ENTRY(region) all[PAGES_KINDS]; /* seen longest ago first */
	uint64_t	 used[REGION_WORDS];
	uint64_t	 touched[REGION_WORDS];
	uint64_t	 muzzy[REGION_WORDS];
	uint64_t	 old[REGION_WORDS];
};

LIST_HEAD(region_list, region);

/* A pass in small enough parts. */
#define	REGIONS_PASS	1024

/* What a purge is to take of the regions that it sees: of pages of a kind */
enum regions_what {
	REGIONS_OLD,		/* those that were so at the pass before */
	REGIONS_ANY,		/* those of any age */
	REGIONS_ALL		/* and those few of huge pages too */
};

/* All regions that arenas share. */
struct regions {
	struct pool	*pool;		/* constant */
	/* Under the lock. */
	struct lock	 lock;
	struct region_list bucket[REGION_BUCKETS];
	TAILQ_HEAD(, region) all[PAGES_KINDS];
	uint64_t	 mask;		/* buckets that are not empty */
	uint32_t	 pass[PAGES_KINDS]; /* the decay pass that runs or
					   ran */
	unsigned	 count;		/* of regions; atomic */
	unsigned	 nnew;		/* made since the pass over dirty pages
					   began; atomic */
	unsigned	 seen[PAGES_KINDS]; /* of those, by this pass */
	unsigned	 nempty;
	unsigned	 nbroken;
	struct region_list broken;
	uint64_t	 nhugify;	/* huge pages made, */
	uint64_t	 nfail;		/* not made, */
	uint64_t	 nbreak;	/* and broken up */
	/* Written under the lock, read by anyone; in pages. */
	size_t		 pages;
	size_t		 used;
	size_t		 dirty;
	size_t		 muzzy;
	size_t		 fresh;		/* taken untouched since last asked;
					   atomic, blocks from the pool add */
	size_t		 direct;	/* bytes of blocks outside regions;
					   atomic */
	struct purged	 purged[PAGES_KINDS];
};

void	 regions_init(struct regions *, struct pool *);
/* A run of bytes (whole pages, at most REGION_RUN_MAX); its region and first
 * page, and whether it reads as zero. */
void	*region_alloc(struct regions *, size_t size, struct region **,
	    uint16_t *page, bool *zeroed);
void	 region_free(struct region *, unsigned page, size_t size,
	    uint64_t now);
/* The same, and the pages go back to the system before. */
void	 region_give_back(struct region *, unsigned page, size_t size,
	    uint64_t now);
/* The pages of a run that is about to be freed count as dirty for long. */
void	 region_age(struct region *, unsigned page, size_t size);
/* Take the pages behind a run too, if they are free. */
bool	 region_extend(struct region *, unsigned page, size_t osize,
	    size_t nsize);
/* Free pages in a slab of a region, so many bytes from this one on, are about
 * to be purged: false when it is not worth it. */
bool	 region_break(struct region *, void *page, size_t size,
	    struct budget *);
/* It was asked that in this pass already, and it was not. */
static inline bool
region_refuses(const struct region *r)
{

	return (load_rlx(&r->huge) &&
	    load_rlx(&r->refused) == load_rlx(&r->set->pass[PAGES_DIRTY]));
}
/* A pass begins: it has seen no region yet. */
void	 regions_pass(struct regions *, enum pages);
/* Let the pass over the budget's kind of pages see its regions up to a part (of
 * REGIONS_PASS) of all, as the budget allows, and purge what is asked for of
 * them; how many bytes. */
size_t	 regions_purge(struct regions *, enum regions_what, unsigned part,
	    struct budget *);
/* Purge pages, each range in a region: how many of the leading ones were
 * done. */
unsigned regions_purge_pages(struct regions *, struct region *const *,
	    const struct os_range *, unsigned n, struct os_purge *);
/* A region from the pool, all of it free, of "size" or less, but no less than
 * "need", which is nobody else's yet; into the set, locked, and out of it; and
 * back to the pool. */
struct region *region_get(struct regions *, size_t size, size_t need,
	    size_t align, size_t *dirty, size_t *charged);
void	 region_add(struct region *, size_t dirty, size_t charged);
void	 region_detach(struct region *);
void	 region_delete(struct region *, uint64_t now);
/* Memory of a program's hooks: no lock may be held while there is more asked
 * for or given back.  So region_alloc() does not, and empty regions stay: the
 * first of these makes room for a run, where there is none and no limit is in
 * its way, the other lets empty ones go that were so at the last call as well,
 * or all. */
bool	 regions_grow(struct regions *, size_t size);
void	 regions_trim(struct regions *, bool all);
/* The pool is lent from now on. */
void	 regions_lend(struct regions *);
/* Give up all that is in use: every region goes back to the pool. */
void	 regions_reset(struct regions *, uint64_t now);
bool	 region_valid(const struct region *);	/* for assertions */
/* For what purges, under the lock.  Take pages [page, page + n), which are
 * free: do they read as zero?  Make such free again, joined with what is free
 * beside them, and dirty if the caller has counted them so.  The longest free
 * run, and that it has changed. */
bool	 region_take(struct region *, unsigned page, unsigned n);
/* What is muzzy of these is dirty again. */
void	 region_rewrite(struct region *, unsigned page, unsigned n);
void	 region_release(struct region *, unsigned page, unsigned n,
	    uint64_t now);
unsigned region_find_longest(const struct region *);
/* May a huge page be broken up for n pages of it that are free? */
bool	 region_yields(unsigned n, bool all);
/* A huge page is to be broken up: its free pages all are to go.  Do it, without
 * the lock; false: the system did not take the advice, so it stays huge.  One
 * that was has gone. */
void	 region_broken(struct region *);
bool	 region_unhuge(const struct region *, void *page);
void	 region_stays_huge(struct region *);
void	 region_mended(struct region *);
/* Tell who has the budget of one that is broken up, and keep it until he has
 * seen to the rest of it. */
void	 region_tell(struct region *, struct budget *);
void	 region_reaped(struct region *, uint64_t now);
/* Has it been dense for long enough to be made huge, in small pages?  Do that,
 * without the lock; it is busy meanwhile. */
bool	 region_ripe(struct region *, uint64_t now);
void	 region_hugify(struct region *, uint64_t now);
/* It may go if it is empty. */
void	 region_settle(struct region *, uint64_t now);
/* Of a set, locked: one with that many free pages in a row, or NULL. */
struct region *region_fit(struct regions *, unsigned n);
void	 region_set_longest(struct region *, unsigned longest);

/* Are there many regions that a pass over dirty pages has not counted?  A
 * sixteenth of what is there may be late. */
static inline bool
regions_outgrown(const struct regions *rs)
{

	return (load_rlx(&rs->nnew) > load_rlx(&rs->count) / 16);
}

/* Bytes were taken from the pool that had no memory yet. */
static inline void
regions_fresh(struct regions *rs, size_t bytes)
{

	(void)add_rlx(&rs->fresh, bytes >> os_page_shift);
}

#endif /* !_DSM_REGION_H_ */
