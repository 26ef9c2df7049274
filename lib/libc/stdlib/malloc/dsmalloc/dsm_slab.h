/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * slab: a span of equal slots of one size class.
 *
 * Theory of operation.  Slots are tracked by two bitmaps in the descriptor,
 * outside user memory: "avail", the slots that are free, under the lock of
 * the slab's bin; and "remote", the slots that threads of other arenas have
 * freed, atomic.  Freed memory is never written.
 *
 * Who may touch the remote bitmap: anyone may OR bits into it; only the
 * collector, under the bin's lock, takes them out.
 *
 * The remote protocol (tests/spin/remote.pml is this, and one thing more
 * that would be allowed: a collector that looks past the inbox):
 *	freer		ORs its mask into a word; only if the word was 0 it adds
 *			1 to the slab's "arrived", and if that was 0 it pushes
 *			the slab on its bin's inbox.
 *	collector	takes the whole inbox by one exchange; of each slab it
 *			reads the link, then n = exchange(arrived, 0), then
 *			swaps the words out; owed += non-zero words - n.
 *	close		only when owed is 0: then no freer stands between its
 *			OR and its push, so no late push onto a descriptor
 *			that serves another bin by then can exist.
 * The OR and the add release, the exchanges acquire.  The exchange of
 * "arrived" releases too, and the add acquires: the link that the collector
 * has read is then the next freer's to write.  A word is looked at before it
 * is exchanged, since most are zero; what comes after the look comes with an
 * announcement of its own.  slab_open() clears the words plainly: nobody else
 * knows the slab then.
 *
 * Life: open (all free) -> current slab of its bin, full, or in a list of
 * those with room -> closed when all is free and nothing owed.
 */
#ifndef _DSM_SLAB_H_
#define	_DSM_SLAB_H_

#include <sys/queue.h>

#include "dsm_bits.h"
#include "dsm_defs.h"
#include "dsm_region.h"
#include "dsm_size.h"
#include "dsm_span.h"

struct bin;

/* Lists of a bin by fullness; current and full slabs are on none. */
#define	SLAB_LISTS	4
#define	SLAB_UNLISTED	SLAB_LISTS
#define	SLAB_WHOLE	UINT8_MAX

/* What freers of other arenas write, on cache lines of its own. */
struct slab_far {
	/* Atomic. */
	uint32_t	 arrived;	/* announcements not yet taken */
	struct slab	*inbox;		/* next; written by the pusher */
	uint64_t	 remote[];	/* [nwords] */
};

/* By cache lines: who frees from afar reads none that the bin writes. */
struct slab {
	struct span	 span;
	/* Constant while open. */
	uint32_t	 size;		/* of a slot */
	uint32_t	 inv;		/* ceil(2^32 / size) */
	uint16_t	 nslots;
	uint16_t	 nwords;	/* of each bitmap */
	uint16_t	 far;		/* where slab_far begins, in bytes */
	/* Under the bin's lock. */
	int32_t		 most		/* free slots it has where it is */
	    DSM_ALIGNED(DSM_CACHELINE);
	int32_t		 left;		/* of those, not yet free; negative:
					   it is to be relisted */
	uint8_t		 list;		/* fullness, or SLAB_UNLISTED */
	uint8_t		 hint;		/* no free slot in words below */
	uint8_t		 kept;		/* bits of the number of slots that
					   were taken as its free pages were
					   given back; SLAB_WHOLE: not yet */
	uint8_t		 seen;		/* the bin's round that came by last */
	int32_t		 owed;		/* words seen - announcements seen */
	TAILQ_ENTRY(slab) link;
	uint64_t	 avail[];	/* [nwords] */
};

TAILQ_HEAD(slab_head, slab);

/* A geometry computed once the page size is known. */
struct slab_geom {
	uint32_t	bytes;
	uint16_t	nslots;
	uint16_t	nwords;
	/* Of the descriptor: its base type and size, its member "far". */
	uint16_t	type;
	uint16_t	size;
	uint16_t	far;
};

DSM_HIDDEN struct slab_geom slab_geom[SIZE_NCLASSES];

static inline uint64_t *
slab_avail(struct slab *s)
{

	return (s->avail);
}

static inline struct slab_far *
slab_far(struct slab *s)
{

	return ((struct slab_far *)(void *)((char *)s + s->far));
}

static inline uint64_t *
slab_remote(struct slab *s)
{

	return (slab_far(s)->remote);
}

static inline unsigned
slab_nfree(const struct slab *s)
{

	return ((unsigned)(s->most - s->left));
}

/*
 * Which slot an offset lies in: the high half of this.  inv is too large by
 * e / size, e < size, and exact for every byte of a slab where e times its
 * bytes stays under 2^32: so it does for all classes, at pages of 64 KiB too.
 * The low half is below inv for a slot's first byte alone: what inv's error
 * adds to it over a whole slab is less than inv (slab_exact()).
 */
static DSM_INLINE uint64_t
slab_product(size_t off, uint64_t inv)
{

	return ((uint64_t)off * inv);
}

void	 slab_boot(void);
struct slab *slab_open(struct regions *, struct bin *, unsigned class,
	    unsigned tag);
void	 slab_close(struct slab *, uint64_t now);
/* The same without giving the pages back, whatever is in use. */
void	 slab_drop(struct slab *);
/* Up to n free slots, lowest first, into dst; how many. */
unsigned slab_take(struct slab *, void **dst, unsigned n);
/* Bring in what others have freed; how many slots. */
unsigned slab_collect(struct slab *);
/* Bytes of such in all slabs of a region, about: bins are not locked. */
size_t	 slab_pages(struct region *);
/* The slab that begins at a page of a region, if one does; the next one from
 * *page on, with the bin that it is of: until that is locked it may go. */
struct slab *slab_at(const struct region *, unsigned page);
struct slab *slab_next(struct region *, unsigned *page, struct bin **);
bool	 slab_valid(struct slab *);
void	 slab_bad_free(const struct slab *, const void *)
	    __attribute__((__noreturn__));

/*
 * Give back one slot, which the map says is in this slab: is it to be relisted
 * now?  A slot that is free already, or a pointer that is not a slot's start,
 * is the program's error.
 */
static DSM_INLINE bool
slab_put_one(struct slab *s, const void *p)
{
	uint64_t product = slab_product((uintptr_t)p -
	    (uintptr_t)s->span.addr, s->inv), slot = product >> 32;

	if (unlikely((uint32_t)product >= s->inv ||
	    bits_test_and_set(&slab_avail(s)[slot / 64], slot)))
		slab_bad_free(s, p);
	s->hint = 0;
	return (--s->left < 0);
}

/*
 * The leading pointers from v[*i] on, which is in this slab, whose bits are in
 * one word: which word, and the bits; *i becomes the index of the first that is
 * not.  To set one bit after the other in memory takes twice as long.
 */
static DSM_INLINE uint64_t
slab_gather(const struct slab *s, void *const *v, unsigned *i, unsigned n,
    uint64_t *word)
{
	uintptr_t base = (uintptr_t)s->span.addr, off = (uintptr_t)v[*i] - base;
	uint64_t inv = s->inv, product = slab_product(off, inv), mask = 0;

	*word = product >> 38;
	do {
		if (unlikely((uint32_t)product >= inv ||
		    bits_test_and_set(&mask, product >> 32)))
			slab_bad_free(s, v[*i]);
		if (++*i == n)
			break;
		off = (uintptr_t)v[*i] - base;
		product = slab_product(off, inv);
	} while (off < s->span.size && product >> 38 == *word);
	return (mask);
}

/* The whole pages of free slots from slot *at on: the next run of them.  For
 * each of them before Linux 6.13 there is a system call; this is little beside
 * it where it is in line. */
static DSM_INLINE bool
slab_free_pages(struct slab *s, unsigned *at, struct os_range *r)
{
	uintptr_t base = (uintptr_t)s->span.addr, from, to;
	unsigned start;

	while (bits_next_run(slab_avail(s), at, &start, s->nslots)) {
		from = ROUND_UP(base + (size_t)start * s->size, os_page);
		to = ROUND_DOWN(base + (size_t)*at * s->size, os_page);
		r->addr = (void *)from;
		r->len = to - from;
		if (from < to)
			return (true);
	}
	return (false);
}

/* A pointer of a slab, by its address. */
static DSM_INLINE bool
slab_has(const struct slab *s, const void *p)
{

	return ((uintptr_t)p - (uintptr_t)s->span.addr < s->span.size);
}

/* Give back the leading pointers of v that are this slab's: the index of the
 * first that is not. */
unsigned slab_put(struct slab *, void *const *v, unsigned i, unsigned n);
/*
 * The same for a slab of another arena, of which v[i] is: one atomic OR for
 * each word that is met.  *push becomes true when the slab must be put on its
 * bin's inbox.
 */
unsigned slab_put_remote(struct slab *, void *const *v, unsigned i,
	    unsigned n, bool *push);

#endif /* !_DSM_SLAB_H_ */
