/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * map: from an address to the span that holds it.
 *
 * Theory of operation.  Two levels over 48 bits: a root word for each GiB
 * and in each leaf a word for each 4 KiB granule (also where pages are
 * larger).  A span word is {descriptor, tag}: the descriptor's address
 * shifted left by 16, and below it the tag, the offset of the class's entry
 * in a thread's cache; tag 0, where nothing of ours is too, is an entry that
 * never hits.  So free() goes from the pointer to its stack by loads alone.
 *
 * The window.  Most processes have all their heap within some tens of GiB.
 * For WINDOW_GIB of address space around the first span, or fewer under
 * RLIMIT_AS, the leaves' places are reserved side by side, and reading a
 * word there is one subtraction, one comparison and one load that waits for
 * nothing but the pointer: that the root's load is not in the way makes
 * malloc() and free() in turns 17 per cent faster.  What is reserved can be
 * read, so no pointer can fault in free() or be taken for ours, and costs
 * neither memory nor a claim to it; a leaf becomes writable when its GiB is
 * first used.
 *
 * What it costs: a page of words is for 2 MiB of address space (512 pages).  It
 * has memory from the first word on that is set there, until map_release() is
 * told that none is; a bit of each says which have.  Where records may be huge
 * pages (base_may_be_huge()), a leaf of the window is one.
 *
 * Who may touch it: words are written by who makes or ends the span, while
 * nobody else has a pointer into it; those of free extents under the pool's
 * lock.  Leaves are made under map_lock and stay; the bits are atomic.
 * Reads are lock-free: a reader that holds a live pointer into a span sees
 * its word, since the pointer's hand-over orders it after the write.
 */
#ifndef _DSM_MAP_H_
#define	_DSM_MAP_H_

#include "dsm_defs.h"

#define	MAP_GRANULE_SHIFT	12
#define	MAP_GRANULE		((size_t)1 << MAP_GRANULE_SHIFT)
#define	MAP_LEAF_SHIFT		30
#define	MAP_LEAF_WORDS		(1u << (MAP_LEAF_SHIFT - MAP_GRANULE_SHIFT))
#define	MAP_ADDR_BITS		48
#define	MAP_ROOT_WORDS		(1u << (MAP_ADDR_BITS - MAP_LEAF_SHIFT))
#define	MAP_TAG_BITS		16
#define	MAP_TAG_MASK		((1u << MAP_TAG_BITS) - 1)

/* The window, set once, before any word in it is.  Every free() reads it: no
 * lock may lie in its cache line. */
struct map_window {
	uintptr_t	 first;		/* granule of the first word */
	uintptr_t	 n;		/* words; 0: there is no window */
	uint64_t	*word;
} DSM_ALIGNED(DSM_CACHELINE);

DSM_HIDDEN struct map_window map_window;
DSM_HIDDEN uint64_t	*map_root[MAP_ROOT_WORDS];	/* dsm_map.c's own */

/* The word in the window, if p is in it. */
static DSM_INLINE bool
map_near(const void *p, uint64_t *word)
{
	uintptr_t i = ((uintptr_t)p >> MAP_GRANULE_SHIFT) - map_window.first;

	if (unlikely(i >= map_window.n))
		return (false);
	*word = load_rlx(&map_window.word[i]);
	return (true);
}

/* The word for any address at all: 0 where nothing of ours is. */
uint64_t map_find(const void *);

static DSM_INLINE uint64_t
map_word(const void *p)
{
	uint64_t word;

	return (likely(map_near(p, &word)) ? word : map_find(p));
}

static inline void *
map_span(uint64_t word)
{

	return ((void *)(uintptr_t)(word >> MAP_TAG_BITS));
}

static inline unsigned
map_tag(uint64_t word)
{

	return ((unsigned)(word & MAP_TAG_MASK));
}

void	 map_init(void);
/* Make sure the leaves over [addr, addr + size) exist. */
bool	 map_prepare(const void *addr, size_t size);
/* Write the words of a prepared range, or of its first granule only. */
void	 map_set(const void *addr, size_t size, const void *span, unsigned tag);
void	 map_set_one(const void *addr, const void *span, unsigned tag);
void	 map_clear(const void *addr, size_t size);
/* Nothing in this range has a word, and nobody else may give it one: give back
 * what is only for it.  And would that be anything? */
void	 map_release(const void *addr, size_t size);
bool	 map_holds(const void *addr, size_t size);
/* Memory of all the leaves, and how many of them are to be huge pages. */
size_t	 map_bytes(void);
unsigned map_nhuge(void);

#endif /* !_DSM_MAP_H_ */
