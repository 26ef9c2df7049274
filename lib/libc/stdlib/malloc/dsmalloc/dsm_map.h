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
 * in a thread's cache; tag 0 is an entry that never hits.  So free() goes
 * from the pointer to its stack with two loads and no test.
 *
 * A root word is not an address but the distance of its leaf from the root
 * itself, a multiple of 64 KiB.  Zero, for a GiB in which we have nothing,
 * thus makes the root its own leaf: it is as large as one, and the low 16
 * bits of all its words are zero, which is tag 0.  So no pointer below 2^48
 * can fault in free() or be taken for ours, and no memory is spent on an
 * empty leaf.
 *
 * Who may touch it: words are written by the span's owner, under the lock
 * that gives or takes the span; leaves are made under map_lock and stay.
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

/* The root serves as the leaf of every GiB that has none. */
_Static_assert(MAP_ROOT_WORDS >= MAP_LEAF_WORDS, "the root is a leaf");

extern uintptr_t map_root[MAP_ROOT_WORDS];

static DSM_INLINE uint64_t
map_word(const void *p)
{
	uintptr_t a = (uintptr_t)p;
	const char *leaf = (const char *)map_root +
	    map_root[a >> MAP_LEAF_SHIFT];

	return (load_rlx((const uint64_t *)(const void *)leaf +
	    ((a >> MAP_GRANULE_SHIFT) & (MAP_LEAF_WORDS - 1))));
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
/* The word for any address at all: 0 where nothing of ours is. */
uint64_t map_find(const void *);
/* Make sure the leaves over [addr, addr + size) exist. */
bool	 map_prepare(const void *addr, size_t size);
/* Write the words of a prepared range, or of its first granule only. */
void	 map_set(const void *addr, size_t size, const void *span, unsigned tag);
void	 map_set_one(const void *addr, const void *span, unsigned tag);
void	 map_clear(const void *addr, size_t size);

#endif /* !_DSM_MAP_H_ */
