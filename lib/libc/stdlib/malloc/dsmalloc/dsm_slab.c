/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <string.h>

#include "dsm_base.h"
#include "dsm_bits.h"
#include "dsm_map.h"
#include "dsm_print.h"
#include "dsm_slab.h"

/* The largest bitmap: a 64 KiB slab of 8-byte slots, where pages are so
 * large, has 8192 of them in 128 words. */
#define	SLAB_WORDS_MAX	128

_Static_assert(SLAB_WORDS_MAX <= UINT8_MAX + 1, "hint holds a word's index");
/* Bitmaps of one word to four share a base type: each type costs a process
 * a page, and what a descriptor of a large slab wastes is little. */
#define	SLAB_WORDS_MIN	4

_Static_assert(SLAB_WORDS_MIN << (BASE_ARRAY - BASE_SLAB - 1) ==
    SLAB_WORDS_MAX, "a base type for every bitmap");

/* The shortest run of free slots that is taken as such. */
#define	SLAB_RUN	8

struct slab_geom slab_geom[SIZE_NCLASSES];

/*
 * The slab of a class, in bytes: about 16 KiB up to 128-byte slots (64 KiB of
 * 8 bytes, so that all records are under 3.8 per cent of it), 32 KiB to 1 KiB,
 * 64 KiB to 4 KiB, 16 slots to 8 KiB and 8 above, in whole pages; up to
 * SLAB_MORE pages more if that brings the unused tail under one per cent, or
 * where nothing does, as low as it gets (of all classes and sizes of pages,
 * 1.6 per cent, but for two classes of 64 KiB pages 6 per cent).  Untouched
 * slots cost no memory, so a large slab is paid for only as it is used; large
 * ones spread the cost of opening and closing.
 */
#define	SLAB_BASE(s)	((s) <= 8 ? 65536u : (s) <= 128 ? 16384u :	\
			    (s) <= 1024 ? 32768u : (s) <= 4096 ? 65536u : \
			    (s) <= 8192 ? (s) * 16 : (s) * 8)
#define	SLAB_MORE	4u

/* slab_product() tells a slot's start from other addresses in a slab of so many
 * bytes: see there. */
static bool
slab_exact(const struct size_info *si, uint32_t bytes)
{
	uint32_t error = si->inv * si->size;	/* beyond 2^32 */

	return ((uint64_t)(bytes / si->size) * error < si->inv);
}

static uint32_t
slab_bytes(const struct size_info *si)
{
	uint32_t size = si->size;
	uint32_t base = ROUND_UP(SLAB_BASE(size), (uint32_t)os_page);
	uint32_t best = base, bytes, k;

	for (k = 0; k <= SLAB_MORE; k++) {
		bytes = base + k * (uint32_t)os_page;
		if (!slab_exact(si, bytes))
			break;
		if (bytes % size * 100 <= bytes)
			return (bytes);
		if ((uint64_t)(bytes % size) * best <
		    (uint64_t)(best % size) * bytes)
			best = bytes;
	}
	return (best);
}

/* 1 where a slab of a class has a tail, 0 else. */
static unsigned
slab_tail(unsigned class)
{
	const struct slab_geom *g = &slab_geom[class];

	return (g->bytes != g->nslots * size_info[class].size);
}

/* Where slab_far begins, behind so many words of the first bitmap. */
static size_t
slab_far_at(unsigned nwords)
{

	return (ROUND_UP(offsetof(struct slab, avail) + nwords *
	    sizeof(uint64_t), DSM_CACHELINE));
}

/* Which base type holds a descriptor, and its size. */
static void
slab_describe(struct slab_geom *g)
{
	unsigned lg, words;

	lg = g->nwords <= SLAB_WORDS_MIN ? 0 :
	    32 - (unsigned)__builtin_clz((g->nwords - 1u) / SLAB_WORDS_MIN);
	words = SLAB_WORDS_MIN << lg;
	g->type = (uint16_t)(BASE_SLAB + lg);
	g->size = (uint16_t)(slab_far_at(words) +
	    ROUND_UP(sizeof(struct slab_far) + words * sizeof(uint64_t),
	    DSM_CACHELINE));
	g->far = (uint16_t)slab_far_at(g->nwords);
}

void
slab_boot(void)
{
	struct slab_geom *g;
	unsigned c;

	for (c = 1; c < SIZE_NCLASSES; c++) {
		g = &slab_geom[c];
		g->bytes = slab_bytes(&size_info[c]);
		g->nslots = (uint16_t)(g->bytes / size_info[c].size);
		g->nwords = (uint16_t)((g->nslots + slab_tail(c) + 63) / 64);
		slab_describe(g);
		DSM_ASSERT(slab_exact(&size_info[c], g->bytes));
	}
}

/*
 * The tail, too short for a slot, may be long enough that its first byte
 * looks like the start of one.  It has a bit for that, which says "free" for
 * ever: it is above all others and is not counted, so it is never taken, and
 * who frees it is told.
 */
static void
slab_fill_avail(struct slab *s)
{
	uint64_t *avail = slab_avail(s), *remote = slab_remote(s);
	unsigned bits = s->nslots + slab_tail(s->span.class);
	unsigned i, tail = bits % 64;

	for (i = 0; i < s->nwords; i++) {
		avail[i] = ~(uint64_t)0;
		remote[i] = 0;
	}
	if (tail != 0)
		avail[i - 1] = ((uint64_t)1 << tail) - 1;
	s->hint = 0;
	s->list = SLAB_UNLISTED;
	s->most = 0;
	s->left = -(int32_t)s->nslots;
	s->kept = SLAB_WHOLE;
	s->seen = 0;
}

struct slab *
slab_open(struct regions *rs, struct bin *bin, unsigned class, unsigned tag)
{
	const struct slab_geom *g = &slab_geom[class];
	struct slab *s;
	bool zeroed;

	if ((s = base_alloc((enum base_type)g->type, g->size)) == NULL)
		return (NULL);
	s->span.addr = region_alloc(rs, g->bytes, &s->span.region,
	    &s->span.page, &zeroed);
	if (s->span.addr == NULL) {
		base_free((enum base_type)g->type, s, g->size);
		return (NULL);
	}
	s->span.size = g->bytes;
	s->span.usable = size_info[class].size;
	s->span.owner = bin;
	s->span.class = (uint8_t)class;
	s->span.kind = SPAN_SLAB;
	s->size = size_info[class].size;
	s->inv = size_info[class].inv;
	s->nslots = g->nslots;
	s->nwords = g->nwords;
	s->far = g->far;
	s->owed = 0;
	slab_far(s)->arrived = 0;
	slab_fill_avail(s);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	map_set(s->span.addr, g->bytes, s, tag);
	return (s);
}

/* Nothing of ours is there any more. */
static DSM_INLINE void
slab_forget(struct slab *s)
{

	map_clear(s->span.addr, s->span.size);
	s->span.kind = SPAN_NONE;
}

void
slab_drop(struct slab *s)
{
	const struct slab_geom *g = &slab_geom[s->span.class];

	slab_forget(s);
	base_free((enum base_type)g->type, s, g->size);
}

void
slab_close(struct slab *s, uint64_t now)
{
	const struct slab_geom *g = &slab_geom[s->span.class];

	DSM_ASSERT(slab_valid(s) && slab_nfree(s) == s->nslots && s->owed == 0);
	slab_forget(s);
	region_free(s->span.region, s->span.page, s->span.size, now);
	base_free((enum base_type)g->type, s, g->size);
}

/* Take the slots of up to n set bits of a word, one by one. */
static unsigned
take_bits(uint64_t *word, char *base, size_t size, void **dst, unsigned n)
{
	void **at = dst, **end = dst + n;
	uint64_t w = *word;

	do {
		*at++ = base + (unsigned)__builtin_ctzll(w) * size;
		w &= w - 1;
	} while (w != 0 && at < end);
	*word = w;
	return ((unsigned)(at - dst));
}

/* The same for a run of bits from the first: a pointer is the one before and
 * the size. */
static unsigned
take_run(uint64_t *word, char *base, size_t size, void **dst, unsigned n)
{
	unsigned first = (unsigned)__builtin_ctzll(*word);
	char *p = base + first * size;
	void **end = dst + n;

	*word &= ~(~(uint64_t)0 >> (BITS_WORD - n) << first);
	for (; dst < end; p += size)
		*dst++ = p;
	return (n);
}

/* How many set bits a word has from its first on. */
static unsigned
word_run(uint64_t w)
{

	w = ~(w >> __builtin_ctzll(w));
	return (w == 0 ? BITS_WORD : (unsigned)__builtin_ctzll(w));
}

/*
 * New slabs are all one run.  Where slots have come back at random the runs
 * are short, and to look for their ends costs more than it saves.
 */
unsigned
slab_take(struct slab *s, void **dst, unsigned n)
{
	uint64_t *avail = slab_avail(s);
	unsigned got, i, run;
	size_t size = s->size;
	char *base;

	n = DSM_MIN(n, slab_nfree(s));
	for (i = s->hint, got = 0; got < n;) {
		if (avail[i] == 0) {
			i++;
			continue;
		}
		base = s->span.addr + i * BITS_WORD * size;
		run = DSM_MIN(word_run(avail[i]), n - got);
		if (run >= SLAB_RUN)
			got += take_run(&avail[i], base, size, dst + got, run);
		else
			got += take_bits(&avail[i], base, size, dst + got,
			    n - got);
	}
	s->hint = (uint8_t)DSM_MIN(i, s->nwords - 1u);
	s->left += (int32_t)n;
	return (n);
}

/* Of a mask of slots that were freed these are free already. */
static void DSM_COLD
slab_bad_mask(const struct slab *s, uint64_t word, uint64_t mask)
{

	slab_bad_free(s, s->span.addr + (word * 64 +
	    (unsigned)__builtin_ctzll(mask)) * s->size);
}

unsigned
slab_collect(struct slab *s)
{
	uint64_t *avail = slab_avail(s), m, *remote = slab_remote(s);
	unsigned got = 0, i;
	int32_t seen = 0;
	uint32_t n;

	n = __atomic_exchange_n(&slab_far(s)->arrived, 0, __ATOMIC_ACQ_REL);
	for (i = 0; i < s->nwords; i++) {
		if (load_rlx(&remote[i]) == 0)
			continue;
		m = __atomic_exchange_n(&remote[i], 0, __ATOMIC_ACQUIRE);
		seen++;
		if (unlikely((avail[i] & m) != 0))
			slab_bad_mask(s, i, avail[i] & m);
		avail[i] |= m;
		got += (unsigned)__builtin_popcountll(m);
		if (i < s->hint)
			s->hint = (uint8_t)i;
	}
	s->owed += seen - (int32_t)n;
	s->left -= (int32_t)got;
	return (got);
}

unsigned
slab_put(struct slab *s, void *const *v, unsigned i, unsigned n)
{
	uint64_t *avail = slab_avail(s), mask, word;
	unsigned first = i;

	while (i < n && slab_has(s, v[i])) {
		mask = slab_gather(s, v, &i, n, &word);
		if (unlikely((avail[word] & mask) != 0))
			slab_bad_mask(s, word, avail[word] & mask);
		avail[word] |= mask;
	}
	s->hint = 0;
	s->left -= (int32_t)(i - first);
	return (i);
}

/* OR a mask into a remote word; true when the slab has to be announced. */
static bool
slab_announce(struct slab *s, uint64_t word, uint64_t mask)
{
	uint64_t was;

	was = __atomic_fetch_or(&slab_remote(s)[word], mask,
	    __ATOMIC_ACQ_REL);
	if (unlikely((was & mask) != 0))
		slab_bad_mask(s, word, was & mask);
	return (was == 0 && __atomic_fetch_add(&slab_far(s)->arrived, 1,
	    __ATOMIC_ACQ_REL) == 0);
}

unsigned
slab_put_remote(struct slab *s, void *const *v, unsigned i, unsigned n,
    bool *push)
{
	uint64_t mask, word;
	bool more;

	*push = false;
	do {
		mask = slab_gather(s, v, &i, n, &word);
		/* Once the last of these are out its owner may close it. */
		more = i < n && slab_has(s, v[i]);
		*push |= slab_announce(s, word, mask);
	} while (more);
	return (i);
}

struct slab *
slab_at(const struct region *r, unsigned page)
{
	struct slab *s = map_span(map_word(r->addr + ((size_t)page <<
	    os_page_shift)));

	return (s != NULL && load_rlx(&s->span.kind) == SPAN_SLAB &&
	    s->span.region == r && s->span.page == page ? s : NULL);
}

size_t
slab_pages(struct region *r)
{
	struct os_range range;
	struct slab *s;
	size_t bytes = 0;
	unsigned at, i;

	for (i = 0; i < r->npages; i++)
		if ((s = slab_at(r, i)) != NULL)
			for (at = 0; slab_free_pages(s, &at, &range); )
				bytes += range.len;
	return (bytes);
}

struct slab *
slab_next(struct region *r, unsigned *page, struct bin **owner)
{
	struct slab *s = NULL;

	/* Who closes a slab gives its pages back under this lock, after the map
	 * has forgotten it, and only then the record. */
	lock_take(&r->set->lock);
	while (s == NULL && *page < r->npages)
		s = slab_at(r, (*page)++);
	if (s != NULL)
		*owner = s->span.owner;
	lock_drop(&r->set->lock);
	return (s);
}

bool
slab_valid(struct slab *s)
{
	unsigned i, n = 0;

	for (i = 0; i < s->nwords; i++)
		n += (unsigned)__builtin_popcountll(slab_avail(s)[i]);
	return (s->span.kind == SPAN_SLAB &&
	    n == slab_nfree(s) + slab_tail(s->span.class) &&
	    slab_nfree(s) <= s->nslots);
}

void
slab_bad_free(const struct slab *s, const void *p)
{
	size_t off = (size_t)((const char *)p - s->span.addr);

	if (off % s->size != 0)
		print_fatal("free(%p): not the start of a block but %zu bytes "
		    "into one of %u at %p", p, off % s->size, s->size,
		    (const void *)((const char *)p - off % s->size));
	if (off >= (size_t)s->nslots * s->size)
		print_fatal("free(%p): not a block but behind the last one of "
		    "%u bytes", p, s->size);
	print_fatal("free(%p): the block of %u bytes is free already "
	    "(double free)", p, s->size);
}
