/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * The fast paths.  malloc and free of a small block that the calling
 * thread's cache serves: no lock, no atomic, no branch but the ones that end
 * in a slow path.  dsm_api.c includes this; nothing else does.
 */
#ifndef _DSM_FAST_H_
#define	_DSM_FAST_H_

#include "dsm_cache.h"
#include "dsm_map.h"
#include "dsm_size.h"

/* The entry at a tag or at eight times a byte of size_table. */
static DSM_INLINE struct cache_entry *
fast_entry(struct cache *c, size_t offset)
{

	return ((struct cache_entry *)(void *)((char *)c + offset));
}

/*
 * The place of a size in size_table.  The empty asm keeps compilers from
 * testing the size beside the index, which costs a register and a move.
 */
static DSM_INLINE size_t
fast_index(size_t size)
{
	size_t i = (size - 1) >> 3;

	__asm__("" : "+r" (i));
	return (i);
}

/*
 * A slot from the stack of the request's class.  (size - 1) sends 0, which
 * wraps, to the slow path with all that is too large.  The null slot that
 * ends a stack is the test for "empty".  NULL: not here.
 */
static DSM_INLINE void *
fast_pop(size_t i)
{
	struct cache_entry *e;
	void *p, **sp;

	if (unlikely(i >= NITEMS(size_table)))
		return (NULL);
	e = fast_entry(cache_self, (size_t)size_table[i] * 8);
	sp = e->sp;
	p = *sp;
	if (unlikely(p == NULL))
		return (NULL);
	if (unlikely(--e->count < 0))
		return (NULL);
	e->sp = sp + 1;
	return (p);
}

static DSM_INLINE void *
fast_malloc(size_t size)
{

	return (fast_pop(fast_index(size)));
}

#define	FAST_EVEN(s)	&& ((s) == 8 || (s) % 16 == 0)
_Static_assert(1 SIZE_CLASSES(FAST_EVEN),
    "odd indices are of the evens' class");

/*
 * For alignments of 8 and 16, which a rotation makes 0 and 1, and all others
 * more.  From 16 bytes on a class begins at an even index: an odd one is of
 * the same class, and not of 8 bytes.
 */
static DSM_INLINE void *
fast_aligned(size_t align, size_t size)
{
	size_t odd = (align >> 3 | align << (sizeof(align) * 8 - 3)) - 1;

	return (likely(odd <= 1) ? fast_pop(fast_index(size) | odd) : NULL);
}

/* The slot is written before sp covers it: a forked child may look. */
static DSM_INLINE bool
fast_push(struct cache_entry *e, void *p)
{
	void **sp = e->sp;

	if (unlikely(sp == e->limit))
		return (false);
	*--sp = p;
	__atomic_signal_fence(__ATOMIC_RELEASE);
	e->sp = sp;
	return (true);
}

/* A pointer in the map's window. */
static DSM_INLINE bool
fast_free(void *p)
{
	uint64_t word;

	return (map_near(p, &word) &&
	    fast_push(fast_entry(cache_self, map_tag(word)), p));
}

/* The class is the size's: no metadata is read at all. */
static DSM_INLINE bool
fast_free_sized(void *p, size_t size)
{
	size_t i = fast_index(size);

	if (unlikely(i >= NITEMS(size_table) || p == NULL))
		return (false);
	return (fast_push(fast_entry(cache_self,
	    (size_t)load_rlx(&size_sized)[i] * 8), p));
}

#endif /* !_DSM_FAST_H_ */
