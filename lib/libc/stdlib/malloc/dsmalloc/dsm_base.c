/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <sys/queue.h>

#include <string.h>

#include "dsm_base.h"
#include "dsm_lock.h"
#include "dsm_os.h"

/*
 * A chunk is 64 KiB: the largest page that one binary has to serve, so that
 * an empty chunk can always be purged; small enough that one barely used
 * type costs little address space and no more than a page of memory.
 */
#define	CHUNK_BYTES	KIB(64)
/* Address space is taken sixteen chunks at a time: under 2 MiB, so that no
 * kernel turns descriptors into a huge page. */
#define	GROW_BYTES	MIB(1)
#define	BASE_ALIGN	DSM_CACHELINE

struct chunk {
	LIST_ENTRY(chunk) link;		/* its type's chunks with room */
	void		*free;		/* given back, linked through */
	uint32_t	 bump;		/* offset of the never used rest */
	uint32_t	 live;
	uint32_t	 size;		/* of an object */
	bool		 listed;
};

_Static_assert(sizeof(struct chunk) <= BASE_ALIGN, "a header is one line");

LIST_HEAD(chunk_list, chunk);

/* All under base_lock. */
static struct lock base_lock = LOCK_INITIALIZER(LOCK_BASE);
static struct chunk_list base_room[BASE_NTYPES];
static struct chunk_list base_idle;	/* empty chunks, purged */
static char	*base_next;		/* unused address space */
static size_t	 base_left;
static size_t	 base_used;		/* bytes bumped and mapped */

size_t
base_bytes(void)
{

	return (load_rlx(&base_used));
}

/* An empty chunk: an idle one, or fresh address space. */
static struct chunk *
chunk_new(void)
{
	struct chunk *c;
	uintptr_t a;
	char *p;

	if ((c = LIST_FIRST(&base_idle)) != NULL) {
		LIST_REMOVE(c, link);
		return (c);
	}
	if (base_left < CHUNK_BYTES) {
		if ((p = os_map(GROW_BYTES, os_page)) == NULL)
			return (NULL);
		a = ROUND_UP((uintptr_t)p, CHUNK_BYTES);
		base_left = GROW_BYTES - (a - (uintptr_t)p);
		base_next = (char *)a;
	}
	c = (struct chunk *)(void *)base_next;
	base_next += CHUNK_BYTES;
	base_left -= CHUNK_BYTES;
	return (c);
}

static void
chunk_open(struct chunk *c, enum base_type type, uint32_t size)
{

	c->free = NULL;
	c->bump = BASE_ALIGN;
	c->live = 0;
	c->size = size;
	c->listed = true;
	LIST_INSERT_HEAD(&base_room[type], c, link);
	base_used += BASE_ALIGN;
}

/* The last object has gone: give the pages back, keep the addresses. */
static void
chunk_close(struct chunk *c)
{

	base_used -= c->bump;
	if (c->listed)
		LIST_REMOVE(c, link);
	/* Another type's objects come next, and they want zeroes: locked
	 * memory is not given back. */
	memset(c, 0, os_purge_forced(c, CHUNK_BYTES) ? sizeof(*c) :
	    CHUNK_BYTES);
	LIST_INSERT_HEAD(&base_idle, c, link);
}

static bool
chunk_full(const struct chunk *c)
{

	return (c->free == NULL && c->bump + c->size > CHUNK_BYTES);
}

static void *
chunk_take(struct chunk *c)
{
	void *p;

	if ((p = c->free) != NULL)
		memcpy(&c->free, p, sizeof(c->free));
	else {
		p = (char *)c + c->bump;
		c->bump += c->size;
		base_used += c->size;
	}
	c->live++;
	if (chunk_full(c)) {
		LIST_REMOVE(c, link);
		c->listed = false;
	}
	return (p);
}

static void
base_count(size_t more)
{

	lock_take(&base_lock);
	base_used += more;
	lock_drop(&base_lock);
}

static void *
base_alloc_own(size_t size)
{
	void *p;

	size = ROUND_UP(size, os_page);
	if ((p = os_map(size, os_page)) != NULL)
		base_count(size);
	return (p);
}

void *
base_alloc(enum base_type type, size_t size)
{
	struct chunk *c;
	void *p = NULL;

	size = ROUND_UP(size, BASE_ALIGN);
	if (size > CHUNK_BYTES / 2)
		return (base_alloc_own(size));
	lock_take(&base_lock);
	if ((c = LIST_FIRST(&base_room[type])) == NULL &&
	    (c = chunk_new()) != NULL)
		chunk_open(c, type, (uint32_t)size);
	if (c != NULL) {
		DSM_ASSERT(c->size == size);
		p = chunk_take(c);
	}
	lock_drop(&base_lock);
	return (p);
}

void
base_free(enum base_type type, void *p, size_t size)
{
	struct chunk *c;

	size = ROUND_UP(size, BASE_ALIGN);
	if (size > CHUNK_BYTES / 2) {
		size = ROUND_UP(size, os_page);
		os_unmap(p, size);
		base_count(-size);
		return;
	}
	c = (struct chunk *)ROUND_DOWN((uintptr_t)p, CHUNK_BYTES);
	lock_take(&base_lock);
	DSM_ASSERT(c->size == size && c->live > 0);
	memcpy(p, &c->free, sizeof(c->free));
	c->free = p;
	if (!c->listed) {
		LIST_INSERT_HEAD(&base_room[type], c, link);
		c->listed = true;
	}
	/* One chunk with room stays, so that a type that breathes around a
	 * chunk's edge does not purge at every turn. */
	if (--c->live == 0 && (LIST_FIRST(&base_room[type]) != c ||
	    LIST_NEXT(c, link) != NULL))
		chunk_close(c);
	lock_drop(&base_lock);
}
