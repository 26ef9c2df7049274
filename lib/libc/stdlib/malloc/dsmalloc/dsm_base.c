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
/* Address space is taken sixteen chunks at a time: the first is too short for a
 * huge page, and small processes have no other. */
#define	GROW_BYTES	MIB(1)
#define	HUGE_BYTES	MIB(2)
/* So much of a huge page that is not in use is worth breaking it up for, and so
 * much of all records may lie unused in them; from where on with "auto". */
#define	HUGE_PART	8
#define	HUGE_MIN	(HUGE_PART * HUGE_BYTES)
#define	HUGE_CHUNKS	(HUGE_BYTES / CHUNK_BYTES)
#define	BASE_ALIGN	DSM_CACHELINE

struct chunk {
	LIST_ENTRY(chunk) link;		/* its type's with room, or idle */
	void		*free;		/* given back, linked through */
	uint32_t	 bump;		/* offset of the never used rest */
	uint32_t	 live;
	uint32_t	 size;		/* of an object; 0: not in use */
	bool		 listed;
	bool		 idle;
	bool		 huge;		/* part of a huge page */
};

_Static_assert(sizeof(struct chunk) <= BASE_ALIGN, "a header is one line");

LIST_HEAD(chunk_list, chunk);

enum base_thp	base_thp;

/* All under base_lock. */
static struct lock base_lock = LOCK_INITIALIZER(LOCK_BASE);
static struct chunk_list base_room[BASE_NTYPES];
static struct chunk_list base_idle;	/* empty chunks, purged if not huge */
static char	*base_next;		/* unused address space */
static size_t	 base_left;
static bool	 base_next_huge;
static size_t	 base_used;		/* bytes bumped, mapped and huge */
static size_t	 base_kept;		/* of idle chunks, huge */
static unsigned	 base_huge;		/* pages */

size_t
base_bytes(void)
{

	return (load_rlx(&base_used));
}

unsigned
base_nhuge(void)
{

	return (load_rlx(&base_huge));
}

bool
base_may_be_huge(void)
{

	if (base_thp == BASE_THP_NEVER || os_page != KIB(4))
		return (false);
	if (base_thp == BASE_THP_GROWN)
		return (base_bytes() >= HUGE_MIN &&
		    os_thp(true) != OS_THP_NOBODY);
	return (os_thp(false) != OS_THP_NOBODY);
}

/* Address space for chunks in a huge page. */
static bool
base_grow_huge(void)
{
	char *p;

	if (!base_may_be_huge() || (p = os_map(HUGE_BYTES, HUGE_BYTES)) == NULL)
		return (false);
	base_next = p;
	base_left = HUGE_BYTES;
	base_next_huge = os_huge(p, HUGE_BYTES);
	if (base_next_huge) {
		base_used += HUGE_BYTES;
		base_huge++;
	}
	return (true);
}

/* The same in small ones.  Two pieces side by side are long enough for a huge
 * page, and there are systems that give those to all. */
static bool
base_grow(void)
{
	uintptr_t a;
	char *p;

	if ((p = os_map(GROW_BYTES, os_page)) == NULL)
		return (false);
	if (base_next != NULL)
		(void)os_nohuge(p, GROW_BYTES);
	a = ROUND_UP((uintptr_t)p, CHUNK_BYTES);
	base_left = GROW_BYTES - (a - (uintptr_t)p);
	base_next = (char *)a;
	base_next_huge = false;
	return (true);
}

/* An empty chunk: an idle one, or fresh address space. */
static struct chunk *
chunk_new(void)
{
	struct chunk *c;

	if ((c = LIST_FIRST(&base_idle)) != NULL) {
		LIST_REMOVE(c, link);
		base_kept -= c->huge ? CHUNK_BYTES : 0;
		return (c);
	}
	if (base_left < CHUNK_BYTES && !base_grow_huge() && !base_grow())
		return (NULL);
	c = (struct chunk *)(void *)base_next;
	c->huge = base_next_huge;
	base_next += CHUNK_BYTES;
	base_left -= CHUNK_BYTES;
	return (c);
}

/* Count so many bytes of a chunk as in use: a huge page counts as a whole. */
static void
chunk_count(const struct chunk *c, size_t more)
{

	base_used += c->huge ? 0 : more;
}

static void
chunk_open(struct chunk *c, enum base_type type, uint32_t size)
{

	c->free = NULL;
	c->bump = BASE_ALIGN;
	c->live = 0;
	c->size = size;
	c->listed = true;
	c->idle = false;
	LIST_INSERT_HEAD(&base_room[type], c, link);
	chunk_count(c, BASE_ALIGN);
}

/* The chunks of a huge page, by number. */
static struct chunk *
huge_chunk(char *page, unsigned i)
{

	return ((struct chunk *)(void *)(page + i * CHUNK_BYTES));
}

/* How many of them are not in use. */
static unsigned
huge_idle(char *page)
{
	unsigned i, n = 0;

	for (i = 0; i < HUGE_CHUNKS; i++)
		n += huge_chunk(page, i)->size == 0;
	return (n);
}

/* Make small pages of a huge one, and give back those behind what its chunks
 * use; their headers' stay.  All that is not in use is zero, and stays so. */
static void
huge_break(char *page)
{
	struct os_purge how = OS_PURGE_FORCED;
	struct os_range v[HUGE_CHUNKS];
	struct chunk *c;
	unsigned i, n = 0;
	size_t used;

	if (!os_nohuge(page, HUGE_BYTES))
		return;
	if (base_next > page && base_next < page + HUGE_BYTES)
		base_next_huge = false;
	base_huge--;
	base_used -= HUGE_BYTES;
	for (i = 0; i < HUGE_CHUNKS; i++) {
		c = huge_chunk(page, i);
		c->huge = false;
		base_used += c->bump;
		base_kept -= c->idle ? CHUNK_BYTES : 0;
		used = ROUND_UP(DSM_MAX(c->bump, sizeof(*c)), os_page);
		v[n].addr = (char *)c + used;
		v[n].len = CHUNK_BYTES - used;
		n += v[n].len != 0;
	}
	os_break(v[0].addr);
	(void)os_purge_many(v, n, &how);
}

/* Break up huge pages while too much is kept in them. */
static void
huge_shed(void)
{
	struct chunk *c;
	char *page;

	LIST_FOREACH(c, &base_idle, link) {
		if (base_kept <= base_used / HUGE_PART + HUGE_BYTES)
			break;
		page = (char *)ROUND_DOWN((uintptr_t)c, HUGE_BYTES);
		if (c->huge && huge_idle(page) >= HUGE_CHUNKS / HUGE_PART)
			huge_break(page);
	}
}

/* The last object has gone: give the pages back, keep the addresses. */
static void
chunk_close(struct chunk *c)
{
	bool huge = c->huge;

	if (c->listed)
		LIST_REMOVE(c, link);
	if (huge) {
		memset(c, 0, c->bump);
		base_kept += CHUNK_BYTES;
	} else {
		base_used -= c->bump;
		/* Another type's objects come next, and they want zeroes:
		 * locked memory is not given back. */
		memset(c, 0, os_purge_forced(c, CHUNK_BYTES) ? sizeof(*c) :
		    CHUNK_BYTES);
	}
	c->idle = true;
	c->huge = huge;
	LIST_INSERT_HEAD(&base_idle, c, link);
	if (huge)
		huge_shed();
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
		chunk_count(c, c->size);
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
		(void)os_unmap(p, size);
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
