/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * base: memory for the allocator's own descriptors.
 *
 * Theory of operation.  Base memory never comes from user regions, so a
 * program that writes past its blocks does not meet our descriptors.  It is
 * handed out by type: a chunk of 64 KiB holds objects of one type only, so a
 * descriptor's memory is reused for its own type while its chunk lives, and
 * a stale reader never sees another kind of object there.  A chunk that
 * empties gives its pages back and serves any type again; its address space
 * is kept, so reading a stale descriptor never faults.
 *
 * Objects above half a chunk are whole mappings of their own.
 *
 * Huge pages.  Chunks come by 1 MiB, and none of that is to be huge.  Where
 * metadata_thp says so they come by 2 MiB in one huge page: always, or, with
 * "auto", once there is so much that what a huge page has ahead of the use is
 * an eighth of it.  A chunk of such that empties keeps its memory for the next,
 * as long as all those kept are an eighth and one huge page more; beyond that a
 * huge page with as much to give is broken up, and comes in small ones from
 * then on.
 *
 * Locks: one, base_lock, the last of the order.  Failure: NULL.
 */
#ifndef _DSM_BASE_H_
#define	_DSM_BASE_H_

#include "dsm_defs.h"

/* What base memory is for.  Slab descriptors come in the powers of two of
 * their bitmaps' words; cache arrays in powers of two of bytes. */
enum base_type {
	BASE_SPAN,
	BASE_REGION,
	BASE_CACHE,
	BASE_ARENA,
	BASE_SET,
	BASE_SLAB,		/* up to 4, 8, 16 ... 128 words */
	BASE_ARRAY = BASE_SLAB + 6,	/* 4, 8 ... 4096 pointers */
	BASE_NTYPES = BASE_ARRAY + 11
};

/* Zeroed when first used, as it was left when reused. */
void	*base_alloc(enum base_type, size_t size);
void	 base_free(enum base_type, void *, size_t size);
size_t	 base_bytes(void);		/* resident, as far as we know */
/* Whether records come in huge pages; set before the first of them comes. */
enum base_thp { BASE_THP_NEVER, BASE_THP_GROWN, BASE_THP_ALWAYS };
DSM_HIDDEN enum base_thp	base_thp;
/* May what is mapped for records now be huge? */
bool	 base_may_be_huge(void);
unsigned base_nhuge(void);		/* huge pages asked for */

#endif /* !_DSM_BASE_H_ */
