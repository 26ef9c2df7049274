/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <errno.h>
#include <string.h>

#include "dsm_hooks.h"
#include "dsm_lock.h"

void *(*hooks_hide)(void);
void (*hooks_show)(void *);
bool (*hooks_at)(void);

static void *
default_alloc(struct hooks *h, void *addr, size_t size, size_t align,
    bool *zero, bool *commit, unsigned ind)
{

	(void)h;
	(void)ind;
	if (addr != NULL) {
		if (!os_map_at(addr, size))
			return (NULL);
	} else if ((addr = os_map(size, align)) == NULL)
		return (NULL);
	*zero = true;
	*commit = true;
	return (addr);
}

static bool
default_dalloc(struct hooks *h, void *addr, size_t size, bool committed,
    unsigned ind)
{

	(void)h;
	(void)committed;
	(void)ind;
	return (!os_unmap(addr, size));
}

static void
default_destroy(struct hooks *h, void *addr, size_t size, bool committed,
    unsigned ind)
{

	(void)default_dalloc(h, addr, size, committed, ind);
}

static bool
default_commit(struct hooks *h, void *addr, size_t size, size_t off,
    size_t len, unsigned ind)
{

	(void)h;
	(void)size;
	(void)ind;
	return (!os_commit((char *)addr + off, len));
}

static bool
default_decommit(struct hooks *h, void *addr, size_t size, size_t off,
    size_t len, unsigned ind)
{

	(void)h;
	(void)size;
	(void)ind;
	return (!os_decommit((char *)addr + off, len));
}

static bool
default_purge_lazy(struct hooks *h, void *addr, size_t size, size_t off,
    size_t len, unsigned ind)
{

	(void)h;
	(void)size;
	(void)ind;
	return (!os_purge_lazy((char *)addr + off, len));
}

static bool
default_purge_forced(struct hooks *h, void *addr, size_t size, size_t off,
    size_t len, unsigned ind)
{

	(void)h;
	(void)size;
	(void)ind;
	return (!os_purge_forced((char *)addr + off, len));
}

/* Mappings divide and join by themselves. */
static bool
default_split(struct hooks *h, void *addr, size_t size, size_t a, size_t b,
    bool committed, unsigned ind)
{

	(void)h;
	(void)addr;
	(void)size;
	(void)a;
	(void)b;
	(void)committed;
	(void)ind;
	return (false);
}

static bool
default_merge(struct hooks *h, void *a, size_t alen, void *b, size_t blen,
    bool committed, unsigned ind)
{

	(void)h;
	(void)a;
	(void)alen;
	(void)b;
	(void)blen;
	(void)committed;
	(void)ind;
	return (false);
}

struct hooks hooks_default = {
	.alloc = default_alloc,
	.dalloc = default_dalloc,
	.destroy = default_destroy,
	.commit = default_commit,
	.decommit = default_decommit,
	.purge_lazy = default_purge_lazy,
	.purge_forced = default_purge_forced,
	.split = default_split,
	.merge = default_merge,
};

void
hooks_enter(struct hooks_guard *g)
{

	lock_none();
	g->error = errno;
	g->cache = hooks_hide != NULL ? hooks_hide() : NULL;
}

void
hooks_leave(const struct hooks_guard *g)
{

	if (hooks_show != NULL)
		hooks_show(g->cache);
	errno = g->error;
}

bool
hooks_within(void)
{

	return (hooks_at != NULL && hooks_at());
}

/* Zeroed, committed memory, or NULL. */
void *
hooks_alloc(struct hooks *h, size_t size, size_t align, unsigned ind)
{
	bool commit = true, zero = true;
	void *p;

	if ((p = h->alloc(h, NULL, size, align, &zero, &commit, ind)) == NULL)
		return (NULL);
	if (!commit && (h->commit == NULL ||
	    h->commit(h, p, size, 0, size, ind))) {
		(void)hooks_dalloc(h, p, size, ind);
		return (NULL);
	}
	if (!zero)
		memset(p, 0, size);
	return (p);
}

bool
hooks_dalloc(struct hooks *h, void *p, size_t size, unsigned ind)
{

	return (h->dalloc != NULL && !h->dalloc(h, p, size, true, ind));
}

unsigned
hooks_purge(struct hooks *h, const struct os_range *r, unsigned n,
    unsigned ind, struct os_purge *how)
{
	hooks_part *purge = how->lazy ? h->purge_lazy : h->purge_forced;
	unsigned i;

	if (h == &hooks_default)
		return (os_purge_many(r, n, how));
	for (i = 0; i < n && purge != NULL; i++) {
		if (how->until != UINT64_MAX && os_time_ns() >= how->until)
			break;
		how->calls++;
		if (purge(h, r[i].addr, r[i].len, 0, r[i].len, ind))
			break;
	}
	return (i);
}

bool
hooks_merge(struct hooks *h, void *a, size_t alen, void *b, size_t blen,
    unsigned ind)
{

	return (h->merge != NULL && !h->merge(h, a, alen, b, blen, true, ind));
}

bool
hooks_split(struct hooks *h, void *a, size_t alen, size_t blen, unsigned ind)
{

	return (h->split != NULL &&
	    !h->split(h, a, alen + blen, alen, blen, true, ind));
}
