/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_arena.h"
#include "dsm_block.h"
#include "dsm_foreign.h"
#include "dsm_print.h"

void DSM_COLD
block_bad(const char *what, const void *p, uint64_t word)
{
	const struct span *s = map_span(word);

	if (s == NULL)
		print_fatal("%s(%p): not memory of this allocator (or freed "
		    "already, and its pages given back)", what, p);
	if (map_tag(word) == MAP_TAG_FREE)
		print_fatal("%s(%p): in free memory (a double free?), %zu "
		    "bytes at %p", what, p, s->size, (const void *)s->addr);
	if (s->kind == SPAN_STOCK)
		print_fatal("%s(%p): the block of %zu bytes is free already "
		    "(double free)", what, p, s->size);
	print_fatal("%s(%p): not the start of a block but %zu bytes into one "
	    "of %zu at %p", what, p, (size_t)((const char *)p - s->addr),
	    s->size, (const void *)s->addr);
}

size_t
block_usable(const char *what, const void *p, uint64_t word)
{
	unsigned tag = map_tag(word);
	size_t size;

	if (likely(tag != 0 && tag != MAP_TAG_FREE))
		return (size_info[tag / ARENA_TAG(1)].size);
	if (unlikely(word == 0) && foreign_usable(p, &size))
		return (size);
	if (block_slab(word) != NULL)
		return (block_slab(word)->size);
	return (block_extent(what, p, word)->span.size);
}

/* Is this the size of the block, as malloc() was asked for it? */
static bool
size_fits(size_t size, size_t usable)
{

	if (usable > SIZE_SMALL_MAX)
		return (size > SIZE_SMALL_MAX && size <= usable);
	return (size <= SIZE_SMALL_MAX &&
	    size_info[size_class(size + (size == 0))].size == usable);
}

void
block_check_size(const void *p, size_t size)
{
	uint64_t word = map_word(p);
	size_t usable;

	if (word == 0)
		return;
	usable = block_usable("free_sized", p, word);
	if (unlikely(!size_fits(size, usable)))
		print_fatal("free_sized(%p, %zu): wrong size, the block has "
		    "%zu bytes", p, size, usable);
}

#ifdef DSM_DEBUG
void
block_check_aligned(const void *p, size_t align, size_t size)
{
	uint64_t word = map_word(p);
	size_t usable;

	if (word == 0)
		return;
	if (!IS_POW2(align) || ((uintptr_t)p & (align - 1)) != 0)
		print_fatal("free_aligned_sized(%p, %zu, %zu): wrong "
		    "alignment", p, align, size);
	usable = block_usable("free_aligned_sized", p, word);
	if (size > usable)
		print_fatal("free_aligned_sized(%p, %zu, %zu): wrong size, "
		    "the block has %zu bytes", p, align, size, usable);
}
#endif
