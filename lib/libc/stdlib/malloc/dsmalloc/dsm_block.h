/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * block: what a pointer is that a program gives back.
 *
 * What is not the start of a block is an error of the program's, which ends it
 * with a message that says what is known, on behalf of the function "what".
 * "word" is the pointer's map word.
 */
#ifndef _DSM_BLOCK_H_
#define	_DSM_BLOCK_H_

#include "dsm_defs.h"
#include "dsm_map.h"
#include "dsm_slab.h"
#include "dsm_span.h"

/* Not a block: say what we know. */
void	 block_bad(const char *what, const void *p, uint64_t word)
	    __attribute__((__noreturn__));
/* What a block can hold. */
size_t	 block_usable(const char *what, const void *p, uint64_t word);
/* By free_sized() and free_aligned_sized(): what is nobody's or another
 * allocator's is for free() to tell. */
void	 block_check_size(const void *p, size_t size);
#ifdef DSM_DEBUG
void	 block_check_aligned(const void *p, size_t align, size_t size);
#endif

/* The slab of an explicit arena that p is in, or NULL. */
static inline struct slab *
block_slab(uint64_t word)
{
	struct slab *s = map_span(word);

	return (s != NULL && map_tag(word) == 0 &&
	    s->span.kind == SPAN_SLAB ? s : NULL);
}

/* The live large block that starts at p. */
static inline struct extent *
block_extent(const char *what, const void *p, uint64_t word)
{
	struct extent *e = map_span(word);

	if (unlikely(e == NULL || map_tag(word) != 0 ||
	    e->span.kind != SPAN_LARGE || e->span.addr != p))
		block_bad(what, p, word);
	return (e);
}

#endif /* !_DSM_BLOCK_H_ */
