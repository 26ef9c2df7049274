/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * bin: free pages of its slabs go back to the system.
 */
#include "dsm_bin.h"
#include "dsm_budget.h"
#include "dsm_map.h"

/* Slabs of one round of purging: each gives a range or more, and all no more
 * than a batch. */
#define	BIN_ROUND	16
#define	BIN_SLABS(b)							\
	DSM_MAX(BUDGET_BATCH / slab_geom[(b)->class].bytes, 1u)
/* Slabs to look at before the lock is dropped and taken again: a bin may have a
 * hundred thousand of which nothing goes any more. */
#define	BIN_LOOKS	64

void
bin_spare(struct bin *b, uint64_t now)
{
	struct slab *next, *s;
	unsigned looks = BIN_LOOKS;

	lock_take(&b->lock);
	b->round++;
	bin_drain(b, now);
	s = b->current;
	if (s != NULL && slab_nfree(s) > s->nslots / 2) {
		b->current = NULL;
		(void)bin_relist(b, s, now);
	}
	/* One that lies further behind is purged like others. */
	for (s = TAILQ_FIRST(&b->list[SLAB_LISTS - 1]); s != NULL &&
	    b->nempty > 0 && looks-- > 0; s = next) {
		next = TAILQ_NEXT(s, link);
		if (slab_is_empty(s) && s->owed == 0) {
			bin_unlist(b, s);
			bin_close(b, s, now);
		}
	}
	bin_unlock(b, now);
}

static uint8_t
bin_kept(const struct slab *s)
{
	unsigned n = s->nslots - slab_nfree(s);

	return ((uint8_t)(n == 0 ? 0 : 32 - __builtin_clz(n)));
}

/* A slab stands behind those that this round has yet to see. */
static void
bin_seen(struct bin *b, struct slab *s, uint8_t kept)
{

	s->kept = kept;
	s->seen = b->round;
	TAILQ_REMOVE(&b->list[s->list], s, link);
	TAILQ_INSERT_TAIL(&b->list[s->list], s, link);
}

/*
 * Take sparse slabs that this round has not seen off their lists; not those
 * that have been purged, until about half of the slots that were taken then are
 * free: of a quarter of them, here and there, hardly a page is free, and when
 * few are left, in threads' stacks, nearly all are.  False: there are no more.
 */
static bool
bin_sparse(struct bin *b, struct slab **v, unsigned max, unsigned *n)
{
	struct slab *s;
	unsigned k, looks = BIN_LOOKS;

	LOCK_ASSERT(&b->lock);
	*n = 0;
	for (k = 1; k < SLAB_LISTS; k++)
		while ((s = TAILQ_FIRST(&b->list[k])) != NULL &&
		    s->seen != b->round) {
			if (*n == max || looks-- == 0)
				return (true);
			if (bin_kept(s) >= s->kept)
				bin_seen(b, s, s->kept);
			else {
				bin_unlist(b, s);
				v[(*n)++] = s;
			}
		}
	return (false);
}

/* Ranges of free pages of one set that wait to be purged together. */
struct bin_ranges {
	unsigned	 n;
	size_t		 bytes;
	struct region	*in[OS_PURGE_MAX];
	struct os_range	 r[OS_PURGE_MAX];
};

static void
bin_give(struct bin_ranges *br, struct budget *bu)
{
	struct os_purge how = OS_PURGE_FORCED;
	unsigned done, i;

	if (br->n == 0)
		return;
	done = regions_purge_pages(br->in[0]->set, br->in, br->r, br->n, &how);
	for (i = 0; i < done; i++)
		bu->bytes += br->r[i].len;
	br->n = 0;
	br->bytes = 0;
}

/* Is a huge page broken up for the free pages of a slab?  On a visit also if
 * all slabs' in it together are worth it: they are likelier than others to be
 * used again, and count half. */
static bool
bin_yields(const struct slab *s, const struct os_range *r, struct budget *bu)
{
	struct region *in = s->span.region;
	size_t size = r->len;

	if (bu->every)
		size = REGION_BYTES;
	else if (region_refuses(in))
		return (false);
	else if (bu->most == SIZE_MAX && load_rlx(&in->huge))
		size = slab_pages(in) / 2;
	return (region_break(in, r->addr, size, bu));
}

/* The free pages of a slab that nothing is filled from: were they given, or is
 * it not worth it? */
static bool
bin_purge_slab(struct slab *s, struct bin_ranges *br, struct budget *bu)
{
	struct region *in = s->span.region;
	struct os_range r;
	unsigned at = 0;

	if (!slab_free_pages(s, &at, &r))
		return (true);
	if (!bin_yields(s, &r, bu))
		return (false);
	if (br->n != 0 && br->in[0]->set != in->set)
		bin_give(br, bu);
	do {
		if (br->n == NITEMS(br->r))
			bin_give(br, bu);
		br->in[br->n] = in;
		br->r[br->n++] = r;
		br->bytes += r.len;
	} while (slab_free_pages(s, &at, &r));
	return (true);
}

/* Any slab may be one for which a huge page is broken up. */
static bool
bin_goes_on(const struct bin_ranges *br, struct budget *bu)
{

	return (bu->bytes + br->bytes < bu->least || !budget_late(bu));
}

size_t
bin_purge(struct bin *b, struct budget *bu, uint64_t now)
{
	struct slab *v[BIN_ROUND];
	bool given[BIN_ROUND];
	struct bin_ranges br;
	size_t before, bytes = bu->bytes;
	unsigned done, i, n;
	bool more;

	do {
		before = bu->bytes;
		lock_take(&b->lock);
		more = bin_sparse(b, v, DSM_MIN(NITEMS(v), BIN_SLABS(b)), &n);
		lock_drop(&b->lock);
		br.n = 0;
		br.bytes = 0;
		done = 0;
		while (done < n && (done == 0 || bin_goes_on(&br, bu))) {
			given[done] = bin_purge_slab(v[done], &br, bu);
			done++;
		}
		more |= done < n;
		bin_give(&br, bu);
		lock_take(&b->lock);
		for (i = 0; i < n; i++)
			if (bin_relist(b, v[i], now) && i < done)
				bin_seen(b, v[i], given[i] ? bin_kept(v[i]) :
				    SLAB_WHOLE);
		bin_unlock(b, now);
		/* Slabs of which nothing goes take time all the same. */
	} while (more && budget_left(bu) && (bu->bytes != before ||
	    !budget_late(bu)));
	return (bu->bytes - bytes);
}

/* The next slab of a region from a page on that may be purged, taken off its
 * list. */
static struct slab *
bin_take_next(struct region *r, unsigned *page, uint64_t now)
{
	struct slab *s;
	struct bin *b;
	unsigned at;
	bool ok;

	while ((s = slab_next(r, page, &b)) != NULL) {
		at = *page - 1;
		lock_take(&b->lock);
		/* It may have been closed, and be another bin's by now.  The
		 * map is read first: slab_open() writes it last. */
		ok = slab_at(r, at) == s;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		ok = ok && s->span.owner == b &&
		    s->list != SLAB_UNLISTED && bin_kept(s) < s->kept;
		if (ok)
			bin_unlist(b, s);
		bin_unlock(b, now);
		if (ok)
			break;
	}
	return (s);
}

static void
bin_put_back(struct slab *s, bool given, uint64_t now)
{
	struct bin *b = s->span.owner;

	lock_take(&b->lock);
	if (bin_relist(b, s, now))
		bin_seen(b, s, given ? bin_kept(s) : SLAB_WHOLE);
	bin_unlock(b, now);
}

void
bin_purge_region(struct region *r, struct budget *bu, uint64_t now)
{
	struct slab *v[BIN_ROUND];
	bool given[BIN_ROUND];
	struct bin_ranges br;
	unsigned i, n, page = 0;

	do {
		br.n = 0;
		br.bytes = 0;
		for (n = 0; n < BIN_ROUND && (v[n] = bin_take_next(r, &page,
		    now)) != NULL; n++)
			given[n] = bin_purge_slab(v[n], &br, bu);
		bin_give(&br, bu);
		for (i = 0; i < n; i++)
			bin_put_back(v[i], given[i], now);
	} while (n == BIN_ROUND);
}
