/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_lock.h"
#include "dsm_map.h"
#include "dsm_os.h"

#define	LEAF_BYTES	(MAP_LEAF_WORDS * sizeof(uint64_t))
/* Leaves lie at multiples of this from the root: the tag's bits are zero. */
#define	LEAF_ALIGN	((size_t)1 << MAP_TAG_BITS)
#define	HUGE_BYTES	MIB(2)

uintptr_t map_root[MAP_ROOT_WORDS];

static struct lock map_lock = LOCK_INITIALIZER(LOCK_MAP);

/*
 * The root is 2 MiB of zeroes of which a process touches a page or two.
 * Should it happen to fill a huge page's place, ask for small ones.
 */
void
map_init(void)
{
	uintptr_t a = (uintptr_t)map_root, end = a + sizeof(map_root);

	/* The mapping goes on behind the root by what else the library has
	 * in its data: allow it as much as the root itself. */
	if (ROUND_UP(a, HUGE_BYTES) - a < HUGE_BYTES / 8)
		(void)os_nohuge((void *)ROUND_DOWN(a, os_page),
		    ROUND_UP(end, os_page) - ROUND_DOWN(a, os_page));
}

uint64_t
map_find(const void *p)
{
	uintptr_t a = (uintptr_t)p;

	if (a >> MAP_ADDR_BITS != 0 || load_acq(&map_root[a >>
	    MAP_LEAF_SHIFT]) == 0)
		return (0);
	return (map_word(p));
}

static bool
map_leaf(unsigned i)
{
	uintptr_t p, off;
	bool ok = true;

	lock_take(&map_lock);
	if (map_root[i] == 0) {
		p = (uintptr_t)os_map(LEAF_BYTES + LEAF_ALIGN, os_page);
		ok = p != 0;
		if (ok) {
			off = ROUND_UP(p - (uintptr_t)map_root, LEAF_ALIGN);
			(void)os_nohuge((void *)p, LEAF_BYTES + LEAF_ALIGN);
			store_rel(&map_root[i], off);
		}
	}
	lock_drop(&map_lock);
	return (ok);
}

bool
map_prepare(const void *addr, size_t size)
{
	uintptr_t a = (uintptr_t)addr, last = a + size - 1;
	uintptr_t i;

	if (last < a || last >> MAP_ADDR_BITS != 0)
		return (false);
	for (i = a >> MAP_LEAF_SHIFT; i <= last >> MAP_LEAF_SHIFT; i++)
		if (load_acq(&map_root[i]) == 0 && !map_leaf((unsigned)i))
			return (false);
	return (true);
}

static inline uint64_t *
map_slot(uintptr_t a)
{
	char *leaf = (char *)map_root + map_root[a >> MAP_LEAF_SHIFT];

	DSM_ASSERT(map_root[a >> MAP_LEAF_SHIFT] != 0);
	return ((uint64_t *)(void *)leaf +
	    ((a >> MAP_GRANULE_SHIFT) & (MAP_LEAF_WORDS - 1)));
}

void
map_set_one(const void *addr, const void *span, unsigned tag)
{

	store_rlx(map_slot((uintptr_t)addr),
	    (uint64_t)(uintptr_t)span << MAP_TAG_BITS | tag);
}

void
map_set(const void *addr, size_t size, const void *span, unsigned tag)
{
	uint64_t word = (uint64_t)(uintptr_t)span << MAP_TAG_BITS | tag;
	uintptr_t a = (uintptr_t)addr, end = a + size, stop;
	uint64_t *last, *slot;

	for (; a < end; a = stop) {
		stop = DSM_MIN(end, ROUND_UP(a + 1, GIB(1)));
		slot = map_slot(a);
		last = slot + ((stop - a) >> MAP_GRANULE_SHIFT);
		for (; slot < last; slot++)
			store_rlx(slot, word);
	}
}

void
map_clear(const void *addr, size_t size)
{

	map_set(addr, size, NULL, 0);
}
