/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <string.h>

#include "dsm_base.h"
#include "dsm_cache.h"
#include "dsm_limit.h"
#include "dsm_map.h"
#include "dsm_os.h"
#include "dsm_print.h"
#include "dsm_set.h"
#include "dsm_set_cap.h"
#include "dsm_set_purge.h"

/* A stack holds at most this many bytes of slots.  Half of it costs a tenth
 * more instructions in a burst of 64-byte blocks, and saves a server of two
 * threads, whose blocks come and go in thousands, 3 of its 25 MiB. */
#define	CACHE_CLASS_BYTES	KIB(128)
/* What a thread that only allocates may have ready of a class. */
#define	CACHE_FILL_BYTES	KIB(16)
/* What a thread that only frees may gather of a class. */
#define	CACHE_FREE_BYTES	KIB(8)
/* So does one that allocated before, when a stack has run full so many times,
 * and half of it was flushed.  By then a twentieth of what a burst was is less
 * than the stack held, so the next one fills little more than it would. */
#define	CACHE_FREE_RUNS		16
#define	CACHE_FREE_MIN		8	/* slots, be they as large as can be */
/* From then on, how many slots are out is looked at when half of them may have
 * come back, but not within so many runs: with 2 a thread that falls silent
 * leaves a fifth more, with 4 bursts of 8 KiB take a 25th more instructions;
 * and not after more than "full" can count above the runs before. */
#define	CACHE_FREE_LOOK		3
#define	CACHE_FREE_LOOK_MAX	(UINT8_MAX - CACHE_FREE_RUNS - 1)
/* Grown stacks of one thread hold at most this together, and those of all
 * threads this or an eighth of what the program uses: a thousand threads
 * that sleep keep what they have. */
#define	CACHE_BYTES		MIB(1)
#define	CACHE_BYTES_ALL(used)	DSM_MAX(MIB(8), (used) / 8)
/* A first fill: few, so that a thread that needs one touches little; but whole
 * cache lines, which are then no other's. */
#define	CACHE_FILL_FIRST(size)	((size) <= 8 ? 8 : (size) <= 256 ? 4 :	\
    (size) <= 1024 ? 2 : 1)
#define	CACHE_FILL_MIN		4
#define	CACHE_FILL_MAX		128
/* Countdown bounds: a tick after at most so many requests or bytes. */
#define	CACHE_COUNT_MAX		4096
#define	CACHE_COUNT_BYTES	KIB(256)
#define	CACHE_TICK_SHORT	1	/* ms: ticks closer than this double */
#define	CACHE_TICK_LONG		10	/* ms: further apart restart at 1 */
/* Reading the clock is a system call, some 100 ns: in a program that counts
 * down every few microseconds it is done at every 64th time only. */
#define	CACHE_PACE_MAX		64
/* A countdown of many requests counts as several, so that a thread that slows
 * down looks at the clock within some 8192 of them. */
#define	CACHE_PACE(count)	(1 + (count) / 128)
/* So much time lies between two starts anew of all countdowns: a hundred times
 * what one costs. */
#define	CACHE_RESTART_NS	100000
/* Stacks not filled for this long give half back, or all of it where nothing
 * was asked of them: each slot there may be the last of a slab.  Less than a
 * second, so that a program of one request a second does it at each. */
#define	CACHE_TRIM_MS		900
/* Large requests and flushes between two looks at the clock; a thread that
 * only frees has no others. */
#define	CACHE_LARGE_TICK	16
/* The same for requests of threads without a cache. */
#define	CACHE_NONE_TICK		64

/* The slot that every empty stack ends in. */
static void *cache_null[1];

#define	CACHE_NONE	{ cache_null, cache_null, 0, 0 },
#define	CACHE_NONE_(s)	CACHE_NONE

const struct cache_entry cache_sentinel[SIZE_NCLASSES + 3] = {
	CACHE_NONE SIZE_CLASSES(CACHE_NONE_) CACHE_NONE CACHE_NONE CACHE_NONE
};
__thread struct cache *cache_self = CACHE_EMPTY;
/* In a cache line to itself: others that all slow paths read may lie near. */
static struct {
	size_t		 bytes;		/* that grown stacks may hold; atomic */
} DSM_ALIGNED(DSM_CACHELINE) cache_granted;

void
cache_init(struct cache *c)
{
	void **slot = c->slots;
	unsigned i;

	for (i = 0; i < NITEMS(c->entry); i++)
		c->entry[i].sp = c->entry[i].limit = cache_null;
	for (i = 1; i < SIZE_NCLASSES; i++) {
		c->class[i].cap = size_info[i].inl;
		c->class[i].fill = CACHE_FILL_FIRST(size_info[i].size);
		c->class[i].end = slot + c->class[i].cap;
		c->entry[i].limit = slot;
		c->entry[i].sp = c->class[i].end;
		c->class[i].full = 1;
		slot = c->class[i].end + 1;
	}
	c->base = c->pace = 1;
	c->bytes = CACHE_BYTES;
	c->ticked = c->trimmed = load_rlx(&decay_clock);
}

/* The countdown of a class: fewer of larger slots. */
static int32_t
cache_count(const struct cache *c, unsigned class)
{
	uint32_t size = size_info[class].size;
	uint32_t max = CACHE_COUNT_BYTES / size;

	return ((int32_t)DSM_MAX(DSM_MIN((uint32_t)c->base, max), 1u));
}

/* Fold the requests so far into the count and start a new countdown. */
static void
cache_fold(struct cache *c, unsigned class)
{
	struct cache_entry *e = &c->entry[class];

	c->class[class].folded += (uint64_t)(int64_t)(e->base - e->count);
	e->base = e->count = cache_count(c, class);
}

/* The arena was reset: nothing of before may be left here.  What automatic
 * arenas' slots there are have a tag. */
static void DSM_COLD
cache_recheck(struct cache *c)
{
	void **p;
	unsigned i;

	for (i = 1; i < SIZE_NCLASSES; i++)
		for (p = c->entry[i].sp; p < c->class[i].end; p++)
			if (map_tag(map_word(*p)) != ARENA_TAG(i))
				print_fatal("arena %u was reset while a "
				    "thread's cache held blocks of it "
				    "(thread.tcache.flush first)",
				    c->arena->ind);
	c->resets = load_rlx(&c->arena->resets);
}

static inline void
cache_check(struct cache *c)
{

	if (unlikely(c->resets != load_rlx(&c->arena->resets)))
		cache_recheck(c);
}

static void
cache_flush_part(struct cache *c, unsigned class, unsigned n, uint64_t now)
{
	struct cache_entry *e = &c->entry[class];
	struct cache_class *k = &c->class[class];
	void **from = k->end - n;
	size_t left = (size_t)(from - e->sp);

	cache_check(c);
	bin_flush(arena_bin(c->arena, class), from, n, now);
	/* The youngest stay, at the end. */
	memmove(k->end - left, e->sp, left * sizeof(void *));
	e->sp = k->end - left;
}

/*
 * How many slots of a stack go because they were not needed since the last
 * look.  Where memory is wanted back most of those in use do too: a program
 * that frees and asks for as much in turn never comes to the lowest, and each
 * may be the last of a slab.  To take 4,000 anew costs a tenth of the page
 * faults between two times that it is wanted.
 */
static unsigned
cache_unused(struct cache *c, unsigned class, bool wanted)
{
	const struct cache_entry *e = &c->entry[class];
	struct cache_class *k = &c->class[class];
	unsigned n = (unsigned)(k->end - e->sp);
	uint16_t seen = k->seen;

	k->seen = (uint16_t)(k->folded +
	    (uint64_t)(int64_t)(e->base - e->count));
	if (k->used)
		n = wanted ? n - n / 8 : 0;
	else if (k->seen != seen)
		n = (n + 1) / 2;
	k->used = 0;
	return (n);
}

/* How often too little was shed of the set that its slots are of. */
static uint32_t
cache_wanting(const struct cache *c)
{

	return (load_rlx(&load_acq(&c->arena->set)->wanting));
}

static void
cache_trim(struct cache *c, uint64_t now)
{
	uint32_t wanting = cache_wanting(c);
	unsigned i, n;

	for (i = 1; i < SIZE_NCLASSES; i++)
		if ((n = cache_unused(c, i, c->wanting != wanting)) != 0)
			cache_flush_part(c, i, n, now);
	c->trimmed = now;
	c->wanting = wanting;
	set_freed(c->arena, now);
}

void
cache_serve(struct cache *c, struct arena *a)
{

	c->arena = a;
	c->resets = load_rlx(&a->resets);
	c->wanting = cache_wanting(c);
}

void
cache_move(struct cache *c, struct arena *a, uint64_t now)
{
	struct arena *old = c->arena;

	cache_flush_all(c, now);
	cache_account(c);
	cache_serve(c, a);
	arena_unbind(old);
	arena_collect(old, now);
	set_freed(old, now);
}

/* The number of arenas to spread over has changed. */
static void DSM_COLD
cache_rebind(struct cache *c, uint64_t now)
{
	struct arena *a;

	c->spreads = load_rlx(&set_spreads);
	if (!c->told && (a = set_rebind(c->arena)) != c->arena)
		cache_move(c, a, now);
}

/* The clock, the pace of ticks, the deadlines, idle stacks. */
static void
cache_tick(struct cache *c, bool freed)
{
	uint64_t now = decay_now(), since = now - c->ticked;

	/* Frees say nothing about the pace of requests to come. */
	if (since < CACHE_TICK_SHORT && !freed) {
		c->wound = true;
		if (c->base < CACHE_COUNT_MAX)
			c->base *= 2;
		else if (c->pace < CACHE_PACE_MAX)
			c->pace *= 2;
	} else if (since > CACHE_TICK_LONG)
		c->base = c->pace = 1;
	c->skip = c->pace;
	c->ticked = now;
	if (unlikely(now - c->trimmed > CACHE_TRIM_MS ||
	    c->wanting != cache_wanting(c) || load_rlx(&limit_tight)))
		cache_trim(c, now);
	if (unlikely(c->spreads != load_rlx(&set_spreads)))
		cache_rebind(c, now);
	set_tick(now);
}

/* Requests without a cache: one in so many looks at the clock. */
static void
cache_tick_none(void)
{
	static uint32_t	requests;	/* atomic */

	if (add_rlx(&requests, 1) % CACHE_NONE_TICK == 0)
		set_tick(decay_now());
}

/*
 * A thread that frees much may be about to fall silent, and its countdowns,
 * made for the pace that it had, may then take hours: they start anew at one.
 * To climb again takes a busy thread about a microsecond.
 */
static void
cache_restart(struct cache *c)
{
	unsigned i;

	c->wound = false;
	c->base = c->pace = c->skip = 1;
	for (i = 1; i < SIZE_NCLASSES; i++) {
		cache_fold(c, i);
		/* Of what a thread goes on to free alone nothing is kept. */
		c->class[i].seen = (uint16_t)c->class[i].folded;
	}
}

void
cache_tick_now(struct cache *c, bool freed)
{
	uint64_t ns;

	if (c == NULL) {
		cache_tick_none();
		return;
	}
	c->entry[0].count = CACHE_LARGE_TICK;
	cache_tick(c, freed);
	if (freed && c->wound &&
	    (ns = os_time_ns()) - c->restarted >= CACHE_RESTART_NS) {
		c->restarted = ns;
		cache_restart(c);
	}
}

/* Arrays are powers of two from 4 to 4096 places, the null slot's included;
 * each has a base type of its own. */
#define	CACHE_ARRAY_MAX	4096u

static enum base_type
cache_array_type(size_t places)
{

	return (BASE_ARRAY + (unsigned)__builtin_ctzll(places) - 2);
}

_Static_assert(BASE_ARRAY + 10 == BASE_NTYPES - 1 &&
    CACHE_ARRAY_MAX == 4u << 10, "a base type for every array");

static bool
cache_is_inline(const struct cache *c, void *const *limit)
{

	return (limit >= c->slots && limit < c->slots + CACHE_INLINE);
}

/* A larger array for a stack, when it may hold that much. */
static bool DSM_NOINLINE
cache_grow_slow(struct cache *c, unsigned class, size_t max)
{
	struct cache_entry *e = &c->entry[class];
	struct cache_class *k = &c->class[class];
	size_t more, n, old = k->cap + 1u, places;
	void **array, **was = k->end - k->cap;

	places = (size_t)1 << (64 - __builtin_clzll(old));
	more = (places - old) * size_info[class].size;
	if ((places - 1) * size_info[class].size > max || more > c->bytes ||
	    places > CACHE_ARRAY_MAX)
		return (false);
	if (add_rlx(&cache_granted.bytes, more) + more >
	    DSM_MIN(CACHE_BYTES_ALL(set_used()), limit_unused()) ||
	    load_rlx(&limit_tight) || (array = base_alloc(
	    cache_array_type(places), places * sizeof(*array))) == NULL) {
		sub_rlx(&cache_granted.bytes, more);
		return (false);
	}
	n = (size_t)(k->end - e->sp);
	memcpy(array + places - 1 - n, e->sp, n * sizeof(*array));
	array[places - 1] = NULL;
	if (!cache_is_inline(c, was))
		base_free(cache_array_type(old), was, old * sizeof(*array));
	c->bytes -= more;
	k->cap = (uint16_t)(places - 1);
	k->end = array + k->cap;
	e->limit = array;
	e->sp = k->end - n;
	return (true);
}

/* A stack as large as it may be is by far the most common. */
static inline bool
cache_grow(struct cache *c, unsigned class, size_t max)
{

	return ((c->class[class].cap + 2u) * size_info[class].size <= max &&
	    cache_grow_slow(c, class, max));
}

/* The lowest slots of a fill may be single ones between other threads': of a
 * first fill the last come first. */
static void
cache_turn(void **v, unsigned n)
{
	void *p;
	unsigned i;

	for (i = 0; i < n / 2; i++) {
		p = v[i];
		v[i] = v[n - 1 - i];
		v[n - 1 - i] = p;
	}
}

/* Fill an empty stack. */
static bool
cache_fill(struct cache *c, unsigned class)
{
	struct cache_entry *e = &c->entry[class];
	struct cache_class *k = &c->class[class];
	unsigned got, want = k->fill;
	bool first = !k->used;

	/* A second fill since anything was flushed or trimmed: more. */
	if (k->used) {
		want = DSM_MIN(want * 2u, CACHE_FILL_MAX);
		if (want > k->cap)
			(void)cache_grow(c, class, CACHE_FILL_BYTES);
		want = DSM_MIN(want, k->cap);
		k->fill = (uint16_t)want;
	}
	DSM_ASSERT(want <= k->cap && e->sp == k->end);
	k->used = 1;
	k->full = 0;
	e->limit = k->end - k->cap;
	cache_check(c);
	got = bin_fill(arena_bin(c->arena, class), k->end - want, want);
	if (got == 0)
		return (false);
	if (unlikely(got < want))
		memmove(k->end - got, k->end - want, got * sizeof(void *));
	e->sp = k->end - got;
	if (first)
		cache_turn(e->sp, got);
	set_grown(c->arena);
	return (true);
}

void *
cache_malloc(struct cache *c, unsigned class)
{
	struct cache_entry *e = &c->entry[class];
	void *p;

	if (e->count <= 0) {
		/* Below zero it has counted this request, perhaps twice, as
		 * the end of this function does. */
		e->count = 0;
		c->skip -= CACHE_PACE(e->base);
		cache_fold(c, class);
		if (c->skip <= 0)
			cache_tick(c, false);
	}
	if (*e->sp == NULL && !cache_fill(c, class))
		return (NULL);
	p = *e->sp++;
	e->count--;
	return (p);
}

/*
 * A thread frees, and frees on: what it has at hand when it falls silent is to
 * be little, and as good as nothing where it frees all that there is, since
 * each slot may be the last of a region, with all that is kept of that.  So
 * while the slots that are out become fewer it has no more than comes to half
 * of them by the next look.  p is one of those that it frees.
 */
static void
cache_narrow(struct cache *c, unsigned class, const void *p)
{
	const struct slab *s = map_span(map_word(p));
	struct cache_entry *e = &c->entry[class];
	struct cache_class *k = &c->class[class];
	size_t most, out, runs, size = size_info[class].size;

	/* With p itself. */
	out = bin_out(s->span.owner) / size;
	most = DSM_MIN(k->cap, DSM_MAX(CACHE_FREE_MIN,
	    CACHE_FREE_BYTES / size));
	if (out <= k->out / 4 * 3)
		most = DSM_MIN(most, DSM_MAX(out / (2 * CACHE_FREE_LOOK), 1));
	runs = DSM_MAX(out / (2 * most), CACHE_FREE_LOOK);
	k->out = (uint32_t)DSM_MIN(out, UINT32_MAX);
	k->full = (uint8_t)(UINT8_MAX - DSM_MIN(runs, CACHE_FREE_LOOK_MAX));
	e->limit = k->end - most;
}

/* A stack has run full, and p is to go there. */
static void
cache_full(struct cache *c, unsigned class, const void *p)
{
	struct cache_entry *e = &c->entry[class];
	struct cache_class *k = &c->class[class];
	uint64_t now = load_rlx(&decay_clock);

	k->fill = (uint16_t)DSM_MAX(k->fill / 2, CACHE_FILL_MIN);
	if (k->fill > k->cap)
		k->fill = k->cap;
	if (k->full < CACHE_FREE_RUNS) {
		cache_flush_part(c, class, (k->cap + 1u) / 2, now);
		k->full++;
		k->out = 0;
	} else {
		cache_flush_part(c, class, (unsigned)(k->end - e->sp), now);
		if (k->out == 0 || ++k->full == UINT8_MAX)
			cache_narrow(c, class, p);
	}
	set_freed(c->arena, now);
	cache_tick_free(c, 0);
}

void
cache_free(struct cache *c, void *p, unsigned class)
{
	struct cache_entry *e = &c->entry[class];

	/* A stack that runs full after it ran empty grows for good; a thread
	 * that only frees gets what makes a flush worth its while. */
	if (e->sp == e->limit && !cache_grow(c, class,
	    c->class[class].full == 0 ? CACHE_CLASS_BYTES : CACHE_FREE_BYTES))
		cache_full(c, class, p);
	*--e->sp = p;
}

void *
cache_hide(void)
{
	struct cache *c = cache_self;

	cache_self = CACHE_HIDDEN;
	return (c);
}

void
cache_show(void *c)
{

	cache_self = c;
}

bool
cache_is_hidden(void)
{

	return (cache_self == CACHE_HIDDEN);
}

struct arena *
cache_arena_none(void)
{

	return (cache_is_hidden() ? arena_within() : arena_zero());
}

void *
cache_malloc_none(unsigned class)
{
	void *p;

	cache_tick_none();
	if (bin_fill(arena_bin(cache_arena_none(), class), &p, 1) == 0)
		return (NULL);
	return (p);
}

void
cache_free_none(void *p)
{
	struct slab *s = map_span(map_word(p));

	cache_tick_none();
	bin_flush(s->span.owner, &p, 1, load_rlx(&decay_clock));
}

void
cache_free_explicit(struct cache *c, void *p, struct slab *s)
{
	struct bin *b = s->span.owner;
	uint64_t now = load_rlx(&decay_clock);
	struct arena *a = arena_of_bin(b);

	if (c != NULL && c->arena == a) {
		cache_check(c);
		cache_free(c, p, b->class);
		return;
	}
	bin_flush(b, &p, 1, now);
	set_freed(a, now);
	cache_tick_free(c, 0);
}

void
cache_flush_all(struct cache *c, uint64_t now)
{
	unsigned i, n;

	for (i = 1; i < SIZE_NCLASSES; i++) {
		n = (unsigned)(c->class[i].end - c->entry[i].sp);
		if (n != 0)
			cache_flush_part(c, i, n, now);
		c->class[i].used = 0;
	}
}

void
cache_account(struct cache *c)
{
	struct cache_class *k;
	unsigned i;

	for (i = 1; i < SIZE_NCLASSES; i++) {
		cache_fold(c, i);
		k = &c->class[i];
		if (k->folded != 0)
			bin_requests(arena_bin(c->arena, i), k->folded);
		k->folded = 0;
	}
}
