/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * Bitmaps of whole 64-bit words: runs of pages in a region.  All bounds are
 * bit numbers; "end" is one past the last.
 */
#ifndef _DSM_BITS_H_
#define	_DSM_BITS_H_

#include "dsm_defs.h"

#define	BITS_WORD	64u

static inline bool
bits_test(const uint64_t *map, unsigned i)
{

	return (map[i / BITS_WORD] >> (i % BITS_WORD) & 1);
}

/*
 * Set bit i, modulo 64, of a word; was it set?  The x86 instruction keeps what
 * it was, which no compiler makes use of.
 */
static DSM_INLINE bool
bits_test_and_set(uint64_t *word, uint64_t i)
{
	uint64_t w = *word;
	bool was;

#if defined(__x86_64__)
	__asm__("btsq %2, %0" : "+r" (w), "=@ccc" (was) : "r" (i));
#else
	was = w >> (i % BITS_WORD) & 1;
	w |= (uint64_t)1 << (i % BITS_WORD);
#endif
	*word = w;
	return (was);
}

/* The first bit that is set in map ^ flip (flip 0: set, ~0: clear). */
static inline unsigned
bits_next(const uint64_t *map, uint64_t flip, unsigned from, unsigned end)
{
	unsigned i;
	uint64_t w;

	if (from >= end)
		return (end);
	i = from / BITS_WORD;
	w = (map[i] ^ flip) & (~(uint64_t)0 << (from % BITS_WORD));
	while (w == 0) {
		if (++i * BITS_WORD >= end)
			return (end);
		w = map[i] ^ flip;
	}
	from = i * BITS_WORD + (unsigned)__builtin_ctzll(w);
	return (DSM_MIN(from, end));
}

#define	bits_next_set(m, from, end)	bits_next((m), 0, (from), (end))
#define	bits_next_clear(m, from, end)	bits_next((m), ~(uint64_t)0, (from), \
					    (end))

/* The first run of bits that are set from *at on, of n: where it starts, and
 * ends, where the next is to be looked for.  False: there is none. */
static inline bool
bits_next_run(const uint64_t *map, unsigned *at, unsigned *start, unsigned n)
{
	unsigned end;
	uint64_t w;

	*start = bits_next_set(map, *at, n);
	if (*start >= n)
		return (false);
	w = ~(map[*start / BITS_WORD] >> (*start % BITS_WORD));
	end = *start + (w != 0 ? (unsigned)__builtin_ctzll(w) : BITS_WORD);
	if (end % BITS_WORD == 0)
		end = bits_next_clear(map, end, n);
	*at = DSM_MIN(end, n);
	return (true);
}

/* Where the run of clear bits that ends before "end" starts. */
static inline unsigned
bits_run_start(const uint64_t *map, unsigned end)
{
	unsigned i;
	uint64_t w;

	if (end == 0)
		return (0);
	i = (end - 1) / BITS_WORD;
	w = map[i] & (~(uint64_t)0 >> (BITS_WORD - 1 - (end - 1) % BITS_WORD));
	while (w == 0) {
		if (i-- == 0)
			return (0);
		w = map[i];
	}
	return ((i + 1) * BITS_WORD - (unsigned)__builtin_clzll(w));
}

/* The part of word i that [from, end) covers. */
static inline uint64_t
bits_mask(unsigned i, unsigned from, unsigned end)
{
	uint64_t m = ~(uint64_t)0;

	if (from > i * BITS_WORD)
		m <<= from % BITS_WORD;
	if (end < (i + 1) * BITS_WORD)
		m &= ~(~(uint64_t)0 << (end % BITS_WORD));
	return (m);
}

static inline void
bits_set(uint64_t *map, unsigned from, unsigned end)
{
	unsigned i;

	for (i = from / BITS_WORD; i * BITS_WORD < end; i++)
		map[i] |= bits_mask(i, from, end);
}

static inline void
bits_clear(uint64_t *map, unsigned from, unsigned end)
{
	unsigned i;

	for (i = from / BITS_WORD; i * BITS_WORD < end; i++)
		map[i] &= ~bits_mask(i, from, end);
}

static inline unsigned
bits_count(const uint64_t *map, unsigned from, unsigned end)
{
	unsigned i, n = 0;

	for (i = from / BITS_WORD; i * BITS_WORD < end; i++)
		n += (unsigned)__builtin_popcountll(map[i] &
		    bits_mask(i, from, end));
	return (n);
}

/*
 * Sizes in pages, in classes of a quarter of a doubling, so that free space
 * can be found by a mask: 0 to 7 alone, then four classes to a doubling.
 */
static inline unsigned
bits_quarter(size_t n)
{
	unsigned lg;

	if (n < 8)
		return ((unsigned)n);
	lg = 63 - (unsigned)__builtin_clzll(n);
	return (lg * 4 - 4 + (unsigned)(n >> (lg - 2) & 3));
}

/* The least size of a class. */
static inline size_t
bits_quarter_least(unsigned b)
{

	return (b < 8 ? b : (size_t)(4 + b % 4) << (b / 4 - 1));
}

#endif /* !_DSM_BITS_H_ */
