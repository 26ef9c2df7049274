/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * set: arenas that share their pages, and when those go back.
 *
 * Theory of operation.  A set has one pool, one set of regions and one decay
 * time; its arenas have bins and stocks of large blocks each, for those are
 * what threads contend for.  What one arena frees so serves all.  The
 * automatic arenas are one set but for those that have left it (dsm_apart.h),
 * and each explicit one is one by itself.  Sets
 * hang in a list that decay's scan walks without a lock: they only ever come,
 * and are never unmapped, nor are their arenas.  A destroyed arena and its set
 * are shut, and serve the next one that is created, under the same index.
 *
 * What goes back, and when.  By age: each set has its decay time, and any
 * thread that finds the one global deadline passed visits all sets that are
 * due, so that a quiet one decays too.  A visit is short (dsm_decay.h), goes on
 * where the one before had to stop, and purges by the batch, the pool's extents
 * first, then runs of regions, then free pages of sparse slabs.  To break up a
 * huge page takes longer than a visit should: of one that is, all slabs are
 * seen to at once, so that each is broken up for all that it holds.  Visits end
 * when nothing is dirty, but for what is not worth breaking up a huge page for,
 * and a round has come by all slabs since one of them thinned out.  With a time
 * for muzzy pages what is dirty is purged lazily, and by force when that time
 * is over too, in rounds and visits of their own; free pages of slabs are
 * neither dirty nor muzzy in any figure, and always go by force.  By amount:
 * dirty memory is capped, and what is beyond the cap is purged by who frees it,
 * or has lowered it, however long that takes (set_cap()).  By growth: a set
 * that takes fresh pages while it has more than its use explains sheds free
 * ones (set_grown_slow()), what is too much in any case, and a little more as a
 * visit's time allows; where that is not enough, threads give back what they
 * keep unused.
 * For both, muzzy pages are gone: the kernel may have them.  By limit: near
 * one, what is free goes by force whatever its age, muzzy pages first
 * (dsm_relief.h).
 *
 * Here is what a set is.  What gives memory back has files above this one, each
 * of which calls only those before it: dsm_set_shed.h, one kind at a time;
 * dsm_set_purge.h, by age; dsm_set_cap.h, by amount, by growth, for limits.
 *
 * Locks: one of all sets, for making arenas and binding threads; above that
 * of arenas.  All else is read and written as its parts say, counters by
 * atomics.  A visit runs under no lock.
 */
#ifndef _DSM_SET_H_
#define	_DSM_SET_H_

#include "dsm_arena.h"
#include "dsm_decay.h"
#include "dsm_defs.h"
#include "dsm_lock.h"
#include "dsm_pool.h"
#include "dsm_region.h"

/* Whether passes and threads may come to a set: not while it is reset or being
 * destroyed, nor when its arena has been. */
enum { SET_OPEN, SET_SHUT, SET_DEAD };

/* Dirty memory is looked at for every so many fresh bytes taken.  Twice as
 * many cost a process of 7 MiB half a one, and save it a quarter of its
 * page faults, a hundredth of its time. */
#define	SET_FRESH	KIB(512)

/* So much may always be dirty where the cap is a share of what is in use. */
#define	SET_DIRTY_LEAST	MIB(1)

/* What is allowed on top because it was shed in vain, and what was shed in
 * the second that began then, ms.  Atomic. */
struct set_credit {
	size_t		 bytes;		/* fading */
	size_t		 shed;
	uint64_t	 since;
};

struct set {
	/* Each with its own lock. */
	struct regions	 regions;
	struct pool	 pool;
	struct decay	 decay;		/* of what is dirty */
	struct decay	 muzzy;
	/* By who is on a visit. */
	uint64_t	 round;		/* that this is one of, by its start */
	unsigned	 first;		/* bin of that, modulo their number, */
	unsigned	 cursor;	/* and how many were looked at */
	unsigned	 stage;		/* what the next visit begins with */
	bool		 tried;		/* pages of regions were purged in it */
	size_t		 still;		/* dirty as the last one ended, */
	unsigned	 barren;	/* and so many left that as it was */
	uint64_t	 muzzy_round;	/* the same of what is muzzy */
	bool		 muzzy_stage;
	/* Atomic. */
	size_t		 stuck;		/* dirty bytes that did not go when all
					   was to */
	size_t		 look;		/* dirty bytes to look at the cap at */
	bool		 capping;	/* the cap was exceeded; less is to
					   stay before that is over */
	/* Atomic: how far growth may go before unused pages are shed. */
	size_t		 peak;		/* of bytes handed out, fading */
	uint64_t	 faded;		/* when it last did, ms */
	size_t		 pause;		/* in looks, after one in vain */
	uint32_t	 wanting;	/* so often too little was shed */
	struct set_credit grown;
	struct set_credit capped;	/* the same of the cap */
	size_t		 sparse;	/* what was active when the cap last
					   had slabs purged */
	/* Written under the sets' lock. */
	struct arena	*arenas;	/* atomic; they stay */
	unsigned	 narenas;	/* atomic */
	/* Constant. */
	struct set	*next;
	struct set	*before;	/* its arena was in that, and still has
					   memory of it */
	/* Atomic. */
	bool		 eager;		/* look at each free: the decay time is
					   0, or there is a set before */
	size_t		 left;		/* handed out by arenas that have left
					   it, as they did */
	uint32_t	 busy;		/* passes that are at it */
	uint32_t	 shut;		/* SET_*; written under the lock */
};

/* What all sets have together, in bytes. */
struct set_totals {
	size_t		 mapped;
	size_t		 active;
	size_t		 dirty;
	size_t		 muzzy;
	size_t		 run;		/* the longest free run, at least */
};

bool	 set_boot(void);
/* The automatic arena with the fewest threads; counts one more. */
struct arena *set_bind(void);
/* The same for a thread that is bound to one already, which stays where it is
 * unless that is one too many or has at least two threads more; it is not
 * counted there any less. */
struct arena *set_rebind(struct arena *);
/* The same for an arena by its index, which is made if it is an automatic
 * one; NULL where there is none. */
struct arena *set_bind_to(unsigned index);

/* For dsm_explicit.c, under the lock: a set, shut, with an arena of its own;
 * a set's state of mind as when it was made; let passes and threads come to
 * it, when it was shut; all figures of its pages. */
DSM_HIDDEN struct lock	set_lock;
DSM_HIDDEN struct stats_arena set_gone;	/* of destroyed arenas, added up */
struct arena *set_new(unsigned ind);
/* The same without an arena, open, with the times of a set unless it is NULL,
 * and for an arena that is in that one; which goes over to it, but for the
 * pages that it has. */
struct set *set_make(unsigned ind, const struct set *like);
void	 set_move(struct arena *, struct set *);
/* Automatic arenas to come are not to be in this one. */
void	 set_unshare(const struct set *);
/* One of them, which is made now; NULL without memory. */
struct arena *set_add_auto(unsigned ind);
void	 set_restart(struct set *);
void	 set_open(struct set *);
void	 set_stats_add(const struct set *, struct stats_arena *);
/* Spread threads over so many arenas at the most. */
void	 set_spread(unsigned n);
DSM_HIDDEN uint32_t set_spreads;	/* atomic; how often that changed */

/* For what gives memory back.  Every set; the arenas of one, in the order in
 * which they were made. */
DSM_HIDDEN struct set *set_all;	/* atomic; written under the lock */
DSM_HIDDEN int64_t set_dirty_most;	/* dirty_max; atomic */
#define	SETS(s)								\
	for ((s) = load_acq(&set_all); (s) != NULL; (s) = (s)->next)
static inline struct arena *
set_arena(const struct set *s, struct arena *a)
{

	/* One that has left stays in the list. */
	while (a != NULL && load_acq(&a->set) != s)
		a = load_acq(&a->next);
	return (a);
}

#define	SET_ARENAS(s, a)						\
	for ((a) = set_arena(s, load_acq(&(s)->arenas)); (a) != NULL;	\
	    (a) = set_arena(s, load_acq(&(a)->next)))
/* Begin and end a visit; false: the set is shut. */
bool	 set_enter(struct set *);
void	 set_leave(struct set *);
/* Does this set hold the pages of that arena? */
bool	 set_has(const struct set *, unsigned index);
/* What is handed out of a set, to threads' caches too, in bytes. */
size_t	 set_out(const struct set *);
/* What may always be dirty of a set, whatever is in use. */
static inline size_t
set_dirty_least(void)
{
	int64_t max = load_rlx(&set_dirty_most);

	return (max < 0 ? SET_DIRTY_LEAST : (size_t)max);
}
/* A set's free pages that have memory, in bytes: dirty ones, and muzzy ones. */
static inline size_t
set_dirty(const struct set *s)
{

	return ((load_rlx(&s->regions.dirty) << os_page_shift) +
	    load_rlx(&s->pool.held[PAGES_DIRTY]));
}
static inline size_t
set_muzzy(const struct set *s)
{

	return ((load_rlx(&s->regions.muzzy) << os_page_shift) +
	    load_rlx(&s->pool.held[PAGES_MUZZY]));
}
/* Bytes of pages that are taken: by slabs, and blocks in use or in stock. */
static inline size_t
set_taken(const struct set *s)
{

	return ((load_rlx(&s->regions.used) << os_page_shift) +
	    load_rlx(&s->regions.direct));
}
/* The dirty ones and large blocks in stock; *active: all others of its pages
 * that are taken. */
size_t	 set_pages(const struct set *, size_t *active);

/* How many sets there are, and threads bound to their arenas. */
size_t	 set_count(void);
size_t	 set_threads(void);
/* What the program has been handed out lately, at its peak, in bytes. */
size_t	 set_used(void);
/* Memory of the whole process that counts for limits (dsm_limit.h). */
size_t	 set_held(void);
/* Of counters as they are: without a lock. */
void	 set_totals(struct set_totals *);

/* For mallctl and statistics, by an arena's index or ARENA_ALL; statistics
 * also for ARENA_DESTROYED.  False: there is no such arena. */
bool	 set_exists(unsigned index);
/* Of all: false too when they do not agree.  For all includes those to come;
 * what is overdue with a new time is left to the caller. */
bool	 set_decay_ms_get(unsigned index, enum pages, int64_t *ms);
bool	 set_decay_ms_set(unsigned index, enum pages, int64_t ms);
/* For those to come alone. */
int64_t	 set_decay_ms_new(enum pages);
void	 set_decay_ms_renew(enum pages, int64_t ms);
/* From which size on blocks go back as they are freed; 0: none does.  The same
 * of all. */
bool	 set_oversize_get(unsigned index, size_t *);
bool	 set_oversize_set(unsigned index, size_t);
/* Of an arena that begins anew. */
void	 set_oversize_renew(struct arena *);
bool	 set_stats_read(unsigned index, struct stats_arena *);

#endif /* !_DSM_SET_H_ */
