/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_bin.h"
#include "dsm_decay.h"
#include "dsm_map.h"
#include "dsm_print.h"

/* A current slab is never relisted. */
#define	SLAB_NEVER	INT32_MAX

/* A fill that has at least this part of what it wanted does not open a slab
 * for the rest: 1/2. */
#define	BIN_ENOUGH(n)	((n) / 2)

static void
bin_lists_init(struct bin *b)
{
	unsigned i;

	for (i = 0; i < SLAB_LISTS; i++)
		TAILQ_INIT(&b->list[i]);
}

void
bin_init(struct bin *b, struct regions *rs, unsigned class, unsigned tag,
    const uint32_t *threads)
{

	lock_init(&b->lock, LOCK_BIN);
	bin_lists_init(b);
	b->class = (uint8_t)class;
	b->tag = (uint16_t)tag;
	b->threads = threads;
	b->decay = rs->pool->decay;
	store_rel(&b->regions, rs);
}

void
bin_move_to(struct bin *b, struct regions *rs)
{

	lock_take(&b->lock);
	store_rel(&b->decay, rs->pool->decay);
	store_rel(&b->regions, rs);
	lock_drop(&b->lock);
}

/* Relist a slab when more of its slots are free. */
static inline void
slab_set_most(struct slab *s, unsigned most)
{

	s->left += (int32_t)most - s->most;
	s->most = (int32_t)most;
}

/*
 * The list of a slab with room: list k holds those with up to (k + 1)
 * quarters free; the last those that are not empty.
 */
static unsigned
slab_fullness(struct slab *s)
{
	unsigned k;

	k = slab_nfree(s) * SLAB_LISTS / (s->nslots + 1u);
	slab_set_most(s, (k == SLAB_LISTS - 1 ? s->nslots :
	    ((k + 1) * (s->nslots + 1u) + SLAB_LISTS - 1) / SLAB_LISTS) - 1);
	return (k);
}

void
bin_close(struct bin *b, struct slab *s, uint64_t now)
{

	b->curslabs--;
	slab_close(s, now);
}

/* The current slab can take the next breath alone. */
static bool
bin_roomy(const struct bin *b)
{

	return (b->current != NULL &&
	    slab_nfree(b->current) > b->current->nslots / 2);
}

/*
 * A slab that is not current has so many free slots that it belongs on
 * another list, or is empty.  False: it was closed.
 */
bool DSM_NOINLINE
bin_relist(struct bin *b, struct slab *s, uint64_t now)
{
	bool freed = s->most != SLAB_NEVER;
	unsigned list;

	LOCK_ASSERT(&b->lock);
	if (s->list != SLAB_UNLISTED)
		TAILQ_REMOVE(&b->list[s->list], s, link);
	if (slab_is_empty(s)) {
		if ((b->nempty > 0 || bin_roomy(b)) && s->owed == 0) {
			bin_close(b, s, now);
			return (false);
		}
		b->nempty++;
	}
	s->kept = SLAB_WHOLE;
	s->seen = (uint8_t)(b->round - 1);
	list = slab_fullness(s);
	s->list = (uint8_t)list;
	TAILQ_INSERT_HEAD(&b->list[list], s, link);
	/* Its free pages are for a round to see, be nothing else dirty. */
	if (freed && list != 0)
		decay_thin(load_rlx(&b->decay));
	return (true);
}

/* Take a slab off its list; its frees then only set bits. */
void
bin_unlist(struct bin *b, struct slab *s)
{

	LOCK_ASSERT(&b->lock);
	TAILQ_REMOVE(&b->list[s->list], s, link);
	if (slab_is_empty(s))
		b->nempty--;
	s->list = SLAB_UNLISTED;
	slab_set_most(s, SLAB_NEVER);
}

/* A full slab that is not current waits for its first free slot. */
static void
slab_retire(struct slab *s)
{

	s->list = SLAB_UNLISTED;
	slab_set_most(s, 0);
}

/*
 * Take the inbox and bring its slabs' remote frees in.  A slab that was
 * empty but owed may be seen again with nothing new: it is unlisted as an
 * empty one first, so that it is not counted twice.
 */
void
bin_drain(struct bin *b, uint64_t now)
{
	struct slab *next, *s;

	LOCK_ASSERT(&b->lock);
	if (load_rlx(&b->inbox) == NULL)
		return;
	store_rlx(&b->pending, 0);
	s = __atomic_exchange_n(&b->inbox, NULL, __ATOMIC_ACQUIRE);
	for (; s != NULL; s = next) {
		next = slab_far(s)->inbox;
		if (s->list != SLAB_UNLISTED && slab_is_empty(s))
			b->nempty--;
		b->ndalloc += slab_collect(s);
		if (s->left < 0)
			(void)bin_relist(b, s, now);
	}
}

/* Unlock, and look whether a pusher came by meanwhile. */
void
bin_unlock(struct bin *b, uint64_t now)
{

	for (;;) {
		lock_drop(&b->lock);
		/* The pusher stores "again", then tries the lock; we unlock,
		 * then load it: one of the two sees the other. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (likely(load_rlx(&b->again) == 0) || !lock_try(&b->lock))
			return;
		store_rlx(&b->again, 0);
		bin_drain(b, now);
	}
}

void
bin_collect(struct bin *b, uint64_t now)
{

	if (load_rlx(&b->inbox) == NULL)
		return;
	lock_take(&b->lock);
	bin_drain(b, now);
	bin_unlock(b, now);
}

static void
bin_try_collect(struct bin *b, uint64_t now)
{

	if (!lock_try(&b->lock)) {
		store_rlx(&b->again, 1);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!lock_try(&b->lock))
			return;
		store_rlx(&b->again, 0);
	}
	bin_drain(b, now);
	bin_unlock(b, now);
}

/* The next slab to fill from: the fullest with room, or a new one. */
static struct slab *
bin_next(struct bin *b, bool open)
{
	struct slab *s = NULL;
	unsigned i;

	for (i = 0; i < SLAB_LISTS && s == NULL; i++)
		s = TAILQ_FIRST(&b->list[i]);
	if (s != NULL) {
		bin_unlist(b, s);
	} else {
		if (!open || (s = slab_open(b->regions, b, b->class,
		    b->tag)) == NULL)
			return (NULL);
		b->nslabs++;
		b->curslabs++;
		slab_set_most(s, SLAB_NEVER);
	}
	return (s);
}

/* Pages that a program's hooks lend are asked for with no lock held; others
 * may take them first. */
#define	BIN_GROWS	4

static bool DSM_COLD
bin_grow(struct bin *b)
{
	struct regions *rs = b->regions;
	bool ok;

	LOCK_ASSERT(&b->lock);
	if (!pool_is_lent(rs->pool))
		return (false);
	lock_drop(&b->lock);
	ok = regions_grow(rs, slab_geom[b->class].bytes);
	lock_take(&b->lock);
	return (ok);
}

unsigned
bin_fill(struct bin *b, void **dst, unsigned n)
{
	unsigned got = 0, tries = BIN_GROWS;
	struct slab *s;

	lock_take(&b->lock);
	bin_drain(b, load_rlx(&decay_clock));
	while (got < n) {
		if ((s = b->current) == NULL || slab_nfree(s) == 0) {
			if ((s = bin_next(b, got < BIN_ENOUGH(n) || got == 0))
			    == NULL) {
				if (got != 0 || tries-- == 0 || !bin_grow(b))
					break;
				continue;
			}
			if (b->current != NULL)
				slab_retire(b->current);
			b->current = s;
		}
		got += slab_take(s, dst + got, n - got);
	}
	b->nmalloc += got;
	b->nfills++;
	bin_unlock(b, load_rlx(&decay_clock));
	return (got);
}

/* What a flush has given to bins of other arenas. */
struct bin_guests {
	struct bin	*bin;		/* the last of them */
	struct bin	*full;		/* one that should collect, or NULL */
	uint32_t	 bytes;		/* given to "bin", not announced yet */
};

/* Once for a row of slots of one bin: it is a locked operation on a line of
 * another's. */
static void
guests_announce(struct bin_guests *g)
{

	if (g->bin != NULL && add_rlx(&g->bin->pending, g->bytes) + g->bytes >
	    BIN_PENDING)
		g->full = g->bin;
}

static void
bin_push(struct bin *b, struct slab *s)
{
	struct slab *head = load_rlx(&b->inbox);

	do
		slab_far(s)->inbox = head;
	while (!__atomic_compare_exchange_n(&b->inbox, &head, s, true,
	    __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* Free slots of a slab of another arena. */
static unsigned DSM_NOINLINE
bin_put_remote(struct slab *s, void *const *v, unsigned i, unsigned n,
    struct bin_guests *g)
{
	struct bin *b = s->span.owner;
	uint32_t size = s->size;
	unsigned first = i;
	bool push;

	/* Once the last slot's bit is out and no push is ours to do, the slab
	 * may be closed by its owner: do not touch it after. */
	i = slab_put_remote(s, v, i, n, &push);
	if (b != g->bin) {
		guests_announce(g);
		g->bin = b;
		g->bytes = 0;
	}
	g->bytes += size * (i - first);
	if (push) {
		bin_push(b, s);
		/* Who drains may be asleep: a round comes by. */
		decay_stir(load_rlx(&b->decay));
		/* An ending thread lowers the count, then drains: one of us
		 * sees the other. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (unlikely(load_rlx(b->threads) == 0))
			g->full = b;
	}
	return (i);
}

/*
 * A pointer that does not have its bin's tag.  A thread that is bound to an
 * explicit arena caches blocks of automatic ones too, which have one while
 * that arena's have none.  Sized frees do not look at the map before they
 * cache a pointer, so any other, or one of a wrong size, is found when it is
 * flushed.
 */
static void DSM_NOINLINE
bin_check(const struct bin *b, const void *p, uint64_t w)
{
	const struct slab *s = map_span(w);

	if (s != NULL && s->span.kind == SPAN_SLAB &&
	    s->span.class == b->class)
		return;
	if (map_tag(w) == 0 || map_tag(w) == MAP_TAG_FREE)
		print_fatal("free(%p, %u): not a block of this allocator's "
		    "small sizes", p, size_info[b->class].size);
	print_fatal("free(%p, %u): wrong size, the block has %u bytes", p,
	    size_info[b->class].size, s->size);
}

/*
 * Slots of this bin's own slabs, from v[i] on, which is one of "next": the
 * index of the first that is not.  Slots that come back at random are looked
 * up one by one; two of the same slab in a row are the start of a run, which
 * is not.
 */
static DSM_INLINE unsigned
bin_put_own(struct bin *b, struct slab *next, void *const *v, unsigned i,
    unsigned n, uint64_t now)
{
	void *const *at = v + i, *const *end = v + n, *p = *at;
	struct slab *s = NULL;
	uint64_t w;

	LOCK_ASSERT(&b->lock);
	for (;;) {
		if (next == s) {
			at = v + slab_put(s, v, (unsigned)(at - v), n) - 1;
			if (s->left < 0 && !bin_relist(b, s, now))
				s = NULL;
		} else {
			s = next;
			if (unlikely(slab_put_one(s, p)) &&
			    !bin_relist(b, s, now))
				s = NULL;
		}
		if (++at == end)
			break;
		p = *at;
		w = map_word(p);
		if (unlikely(map_tag(w) != b->tag))
			break;
		next = map_span(w);
		if (unlikely(next->span.owner != b))
			break;
	}
	return ((unsigned)(at - v));
}

void
bin_flush(struct bin *b, void *const *v, unsigned n, uint64_t now)
{
	struct bin_guests g = { NULL, NULL, 0 };
	unsigned first, i = 0, own = 0;
	struct slab *s;
	uint64_t w;

	while (i < n) {
		w = map_word(v[i]);
		if (unlikely(map_tag(w) != b->tag))
			bin_check(b, v[i], w);
		s = map_span(w);
		if (unlikely(s->span.owner != b)) {
			i = bin_put_remote(s, v, i, n, &g);
			continue;
		}
		if (own == 0)
			lock_take(&b->lock);
		first = i;
		i = bin_put_own(b, s, v, i, n, now);
		own += i - first;
	}
	if (own != 0) {
		b->ndalloc += own;
		b->nflushes++;
		bin_unlock(b, now);
	}
	guests_announce(&g);
	if (g.full != NULL)
		bin_try_collect(g.full, now);
}

size_t
bin_out(const struct bin *b)
{
	uint64_t freed = load_rlx(&b->ndalloc), taken = load_rlx(&b->nmalloc);

	return (taken > freed ? (taken - freed) * size_info[b->class].size : 0);
}

size_t
bin_bytes(const struct bin *b)
{

	return ((size_t)load_rlx(&b->curslabs) * slab_geom[b->class].bytes);
}

size_t
bin_slack(const struct bin *b)
{
	size_t bytes = bin_bytes(b), out = bin_out(b);

	return (bytes > out ? bytes - out : 0);
}

void
bin_requests(struct bin *b, uint64_t n)
{

	lock_take(&b->lock);
	b->nrequests += n;
	bin_unlock(b, load_rlx(&decay_clock));
}

size_t
bin_stats(struct bin *b, struct stats_bin *st)
{
	size_t out;

	lock_take(&b->lock);
	st->nmalloc += b->nmalloc;
	st->ndalloc += b->ndalloc;
	st->nrequests += b->nrequests;
	st->nfills += b->nfills;
	st->nflushes += b->nflushes;
	st->nslabs += b->nslabs;
	st->curslabs += b->curslabs;
	out = b->nmalloc - b->ndalloc;
	st->curregs += out;
	bin_unlock(b, load_rlx(&decay_clock));
	return (out);
}

/* What was out counts as given back. */
void
bin_reset(struct bin *b)
{

	lock_take(&b->lock);
	bin_lists_init(b);
	b->current = NULL;
	b->nempty = 0;
	store_rlx(&b->curslabs, 0);
	store_rlx(&b->ndalloc, b->nmalloc);
	lock_drop(&b->lock);
}

void
bin_recount(struct bin *b)
{

	lock_take(&b->lock);
	store_rlx(&b->nmalloc, 0);
	store_rlx(&b->ndalloc, 0);
	b->nfills = b->nflushes = b->nslabs = b->nrequests = 0;
	lock_drop(&b->lock);
}

bool
bin_valid(struct bin *b)
{
	unsigned i, nempty = 0;
	struct slab *s;

	for (i = 0; i < SLAB_LISTS; i++)
		TAILQ_FOREACH(s, &b->list[i], link) {
			if (s->list != i || slab_nfree(s) == 0 ||
			    s->span.owner != b)
				return (false);
			nempty += slab_is_empty(s);
		}
	return (nempty == b->nempty);
}
