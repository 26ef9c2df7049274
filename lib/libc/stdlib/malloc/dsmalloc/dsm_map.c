/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <string.h>

#include "dsm_base.h"
#include "dsm_bits.h"
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
/*
 * The bits of a leaf's pages; they lie behind one that is not in the window.
 * One is for 4 KiB of words, so for 2 MiB of addresses; larger pages have
 * several, which are set and cleared together.
 */
#define	PIECE_BYTES	MAP_GRANULE
#define	PIECE_SHIFT	(2 * MAP_GRANULE_SHIFT - 3)
#define	LEAF_PIECES	(LEAF_BYTES / PIECE_BYTES)
#define	PAGE_PIECES	(os_page / PIECE_BYTES)
#define	PAGE_SPAN	((uintptr_t)PAGE_PIECES << PIECE_SHIFT)

struct leaf_use {
	uint64_t	 word[LEAF_PIECES / BITS_WORD];	/* atomic */
};

struct map_window map_window;

/* Atomic.  Common symbols come last in the data: so the other variables stay
 * together, in a page or two that every process touches. */
uint64_t *map_root[MAP_ROOT_WORDS] __attribute__((__common__));
static struct lock map_lock DSM_ALIGNED(DSM_CACHELINE) =
    LOCK_INITIALIZER(LOCK_MAP);
static bool	 map_begun;		/* there is a leaf; under the lock */
static struct leaf_use map_near_use[WINDOW_GIB];
static uint64_t	 map_huge;		/* leaves of the window; atomic */
static size_t	 map_used;		/* bytes; atomic */

_Static_assert(WINDOW_GIB <= BITS_WORD, "a bit for each");

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
	size_t align = base_thp == BASE_THP_NEVER ? os_page : HUGE_BYTES;
	uintptr_t first;
	char *p;

	LOCK_ASSERT(&map_lock);
	gib = DSM_MAX(gib, 1u);
	p = os_reserve(gib * LEAF_BYTES + align - os_page);
	if (p == NULL)
		return;
	map_window.word = (uint64_t *)(void *)ROUND_UP((uintptr_t)p, align);
	first = DSM_MIN(i + 1 + WINDOW_ABOVE(gib), MAP_ROOT_WORDS);
	first -= DSM_MIN(first, gib);
	map_window.first = first * MAP_LEAF_WORDS;
	store_rel(&map_window.n, gib * MAP_LEAF_WORDS);
}

/* A leaf of the window, about to be used, becomes a huge page, if it may; no
 * page of it is counted any more but all. */
static bool
map_leaf_huge(uint64_t *leaf, uintptr_t at)
{

	if ((uintptr_t)leaf % LEAF_BYTES != 0 || !base_may_be_huge() ||
	    !os_huge(leaf, LEAF_BYTES))
		return (false);
	memset(&map_near_use[at], 0xff, sizeof(map_near_use[at]));
	(void)__atomic_fetch_or(&map_huge, (uint64_t)1 << at,
	    __ATOMIC_RELAXED);
	(void)add_rlx(&map_used, LEAF_BYTES);
	return (true);
}

/* Memory for a leaf: its place in the window, when it has one. */
static uint64_t *
map_leaf_memory(uintptr_t i)
{
	uintptr_t at = i * MAP_LEAF_WORDS - map_window.first;
	uint64_t *leaf = map_window.word + at;
	bool near = at < map_window.n;

	if (!near)
		leaf = os_map(LEAF_BYTES + os_page, os_page);
	else if (!os_commit(leaf, LEAF_BYTES))
		leaf = NULL;
	if (leaf != NULL && !(near && map_leaf_huge(leaf,
	    at / MAP_LEAF_WORDS)))
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

/* The bits of the leaf that a prepared address is in. */
static inline struct leaf_use *
map_use(uintptr_t a)
{
	uintptr_t at = (a >> MAP_GRANULE_SHIFT) - map_window.first;

	if (likely(at < map_window.n))
		return (&map_near_use[at / MAP_LEAF_WORDS]);
	return ((struct leaf_use *)(void *)(load_acq(&map_root[a >>
	    MAP_LEAF_SHIFT]) + MAP_LEAF_WORDS));
}

/* The number of the bit, in a leaf, that an address's word has. */
static inline unsigned
map_piece(uintptr_t a)
{

	return ((unsigned)(a >> PIECE_SHIFT & (LEAF_PIECES - 1)));
}

/* The pages of words from that of "a" to that of "last" have memory now. */
static void DSM_NOINLINE
map_touch(uintptr_t a, uintptr_t last)
{
	uint64_t bit, *word;

	last |= PAGE_SPAN - 1;
	for (a = ROUND_DOWN(a, PAGE_SPAN); a < last;
	    a += (uintptr_t)1 << PIECE_SHIFT) {
		word = &map_use(a)->word[map_piece(a) / BITS_WORD];
		bit = (uint64_t)1 << map_piece(a) % BITS_WORD;
		if ((load_rlx(word) & bit) == 0 && (__atomic_fetch_or(word,
		    bit, __ATOMIC_RELAXED) & bit) == 0)
			(void)add_rlx(&map_used, PIECE_BYTES);
	}
}

/* Is it known that they have: in the window, and one piece? */
static inline bool
map_touched(uintptr_t a, uintptr_t last)
{
	uintptr_t at = (a >> MAP_GRANULE_SHIFT) - map_window.first;
	uint64_t word;

	if (unlikely(at >= map_window.n || (a ^ last) >> PIECE_SHIFT != 0))
		return (false);
	/* The leaves' bits are one array. */
	at >>= PIECE_SHIFT - MAP_GRANULE_SHIFT;
	word = load_rlx(&map_near_use[0].word[at / BITS_WORD]);
	return ((word >> at % BITS_WORD & 1) != 0);
}

void
map_set_one(const void *addr, const void *span, unsigned tag)
{

	if (span != NULL && unlikely(!map_touched((uintptr_t)addr,
	    (uintptr_t)addr)))
		map_touch((uintptr_t)addr, (uintptr_t)addr);
	store_rlx(map_place((uintptr_t)addr),
	    (uint64_t)(uintptr_t)span << MAP_TAG_BITS | tag);
}

void
map_set(const void *addr, size_t size, const void *span, unsigned tag)
{
	uint64_t word = (uint64_t)(uintptr_t)span << MAP_TAG_BITS | tag;
	uintptr_t a = (uintptr_t)addr, end = a + size, stop;
	uint64_t *last, *slot;

	if (word != 0 && unlikely(!map_touched(a, end - 1)))
		map_touch(a, end - 1);
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

/* The pieces of a leaf for [a, end), which have memory: their bits; how
 * many. */
static unsigned
map_held(uintptr_t a, uintptr_t end, struct leaf_use *held)
{
	const uint64_t *word = map_use(a)->word;
	unsigned from = map_piece(a), i, n = 0;
	unsigned to = from + (unsigned)((end - a) >> PIECE_SHIFT);

	memset(held, 0, sizeof(*held));
	for (i = from / BITS_WORD; i * BITS_WORD < to; i++) {
		held->word[i] = load_rlx(&word[i]) & bits_mask(i, from, to);
		n += (unsigned)__builtin_popcountll(held->word[i]);
	}
	return (n);
}

/*
 * A part of a huge page does not go back, unless that is broken up, for which
 * it is to be worth it: which of the n pieces of a leaf that are not needed can
 * go?
 */
static bool
map_break(uintptr_t a, unsigned n)
{
	uintptr_t at = ((a >> MAP_GRANULE_SHIFT) - map_window.first) /
	    MAP_LEAF_WORDS;
	uint64_t bit;

	if (at >= map_window.n / MAP_LEAF_WORDS)
		return (true);
	bit = (uint64_t)1 << at;
	if ((load_rlx(&map_huge) & bit) == 0)
		return (true);
	if (n < LEAF_PIECES / 8 || !os_nohuge(map_window.word + at *
	    MAP_LEAF_WORDS, LEAF_BYTES))
		return (false);
	(void)__atomic_fetch_and(&map_huge, ~bit, __ATOMIC_RELAXED);
	os_break(map_place(a));
	return (true);
}

/* Give back pieces [from, to) of the leaf that a is in. */
static void
map_purge(uintptr_t a, unsigned from, unsigned to)
{
	uint64_t *leaf = load_acq(&map_root[a >> MAP_LEAF_SHIFT]);
	struct leaf_use *use = map_use(a);
	unsigned i;

	if (!os_purge_forced((char *)leaf + from * PIECE_BYTES, (to - from) *
	    PIECE_BYTES))
		return;
	for (i = from / BITS_WORD; i * BITS_WORD < to; i++)
		(void)__atomic_fetch_and(&use->word[i],
		    ~bits_mask(i, from, to), __ATOMIC_RELAXED);
	(void)add_rlx(&map_used, -((to - from) * PIECE_BYTES));
}

static void
map_release_leaf(uintptr_t a, uintptr_t end)
{
	struct leaf_use held;
	unsigned from, n, to = 0;

	if ((n = map_held(a, end, &held)) == 0 || !map_break(a, n))
		return;
	while (bits_next_run(held.word, &to, &from, LEAF_PIECES))
		map_purge(a, from, to);
}

/* What whole pages of words are for, of [addr, addr + size); piece by piece, a
 * leaf's at a time. */
#define	MAP_WHOLE(a, end, stop, addr, size)				\
	for ((a) = ROUND_UP((uintptr_t)(addr), PAGE_SPAN),		\
	    (end) = ROUND_DOWN((uintptr_t)(addr) + (size), PAGE_SPAN);	\
	    (a) < (end) && ((stop) = DSM_MIN(end, ROUND_UP((a) + 1,	\
	    GIB(1))), true); (a) = (stop))

void
map_release(const void *addr, size_t size)
{
	uintptr_t a, end, stop;

	MAP_WHOLE(a, end, stop, addr, size)
		map_release_leaf(a, stop);
}

bool
map_holds(const void *addr, size_t size)
{
	uintptr_t a, end, stop;
	struct leaf_use held;

	MAP_WHOLE(a, end, stop, addr, size)
		if (map_held(a, stop, &held) != 0)
			return (true);
	return (false);
}

size_t
map_bytes(void)
{

	return (load_rlx(&map_used));
}

unsigned
map_nhuge(void)
{

	return ((unsigned)__builtin_popcountll(load_rlx(&map_huge)));
}
