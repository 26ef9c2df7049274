/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_lock.h"
#include "dsm_map.h"
#include "dsm_os.h"

#define	LEAF_BYTES	(MAP_LEAF_WORDS * sizeof(uint64_t))
#define	HUGE_BYTES	MIB(2)
/*
 * The window takes 1/512 of the address space that it is for: 128 MiB.  The
 * first span lies near its upper end, since systems map downwards.
 */
#define	WINDOW_GIB	64u
#define	WINDOW_ABOVE(n)	((n) / 8)

struct map_window map_window;

/* Atomic.  Common symbols come last in the data: so the other variables stay
 * together, in a page or two that every process touches. */
uint64_t *map_root[MAP_ROOT_WORDS] __attribute__((__common__));
static struct lock map_lock DSM_ALIGNED(DSM_CACHELINE) =
    LOCK_INITIALIZER(LOCK_MAP);
static bool	 map_begun;		/* there is a leaf; under the lock */

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

static inline uint64_t *
map_slot(uint64_t *leaf, uintptr_t a)
{

	return (leaf + ((a >> MAP_GRANULE_SHIFT) & (MAP_LEAF_WORDS - 1)));
}

uint64_t
map_find(const void *p)
{
	uintptr_t a = (uintptr_t)p;
	uint64_t *leaf;

	if (a >> MAP_ADDR_BITS != 0 ||
	    (leaf = load_acq(&map_root[a >> MAP_LEAF_SHIFT])) == NULL)
		return (0);
	return (load_rlx(map_slot(leaf, a)));
}

/*
 * Reserve the window around the GiB of the first span.  Not after the first
 * leaf: that is elsewhere then, and the window might lie over it.
 */
static void
map_open_window(uintptr_t i)
{
	uint64_t gib = DSM_MIN(os_address_limit() >> MAP_LEAF_SHIFT,
	    WINDOW_GIB);
	uintptr_t first;

	LOCK_ASSERT(&map_lock);
	gib = DSM_MAX(gib, 1u);
	if ((map_window.word = os_reserve(gib * LEAF_BYTES)) == NULL)
		return;
	first = DSM_MIN(i + 1 + WINDOW_ABOVE(gib), MAP_ROOT_WORDS);
	first -= DSM_MIN(first, gib);
	map_window.first = first * MAP_LEAF_WORDS;
	store_rel(&map_window.n, gib * MAP_LEAF_WORDS);
}

/* Memory for a leaf: its place in the window, when it has one. */
static uint64_t *
map_leaf_memory(uintptr_t i)
{
	uintptr_t at = i * MAP_LEAF_WORDS - map_window.first;
	uint64_t *leaf = map_window.word + at;

	if (at >= map_window.n)
		leaf = os_map(LEAF_BYTES, os_page);
	else if (!os_commit(leaf, LEAF_BYTES))
		leaf = NULL;
	if (leaf != NULL)
		(void)os_nohuge(leaf, LEAF_BYTES);
	return (leaf);
}

static bool
map_leaf(uintptr_t i)
{
	bool ok;

	lock_take(&map_lock);
	if (map_window.n == 0 && !map_begun)
		map_open_window(i);
	if (map_root[i] == NULL)
		store_rel(&map_root[i], map_leaf_memory(i));
	ok = map_root[i] != NULL;
	map_begun |= ok;
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
		if (load_acq(&map_root[i]) == NULL && !map_leaf(i))
			return (false);
	return (true);
}

/* The place of a prepared address's word. */
static inline uint64_t *
map_place(uintptr_t a)
{
	uint64_t *leaf = load_acq(&map_root[a >> MAP_LEAF_SHIFT]);

	DSM_ASSERT(leaf != NULL);
	return (map_slot(leaf, a));
}

void
map_set_one(const void *addr, const void *span, unsigned tag)
{

	store_rlx(map_place((uintptr_t)addr),
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
		slot = map_place(a);
		last = slot + ((stop - a) >> MAP_GRANULE_SHIFT);
		/* A slab's granules are a multiple of four. */
		for (; last - slot >= 4; slot += 4) {
			store_rlx(slot, word);
			store_rlx(slot + 1, word);
			store_rlx(slot + 2, word);
			store_rlx(slot + 3, word);
		}
		for (; slot < last; slot++)
			store_rlx(slot, word);
	}
}

void
map_clear(const void *addr, size_t size)
{

	map_set(addr, size, NULL, 0);
}
