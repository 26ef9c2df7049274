/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Extent hooks that count, with a book of what they have given, and a mix of
 * work for an arena.
 */

#ifndef _COUNTING_TEST_SUBR_H_
#define	_COUNTING_TEST_SUBR_H_

#include <sys/mman.h>

#include <pthread.h>
#include <stdbool.h>

#include "mallctl_test_subr.h"

#define	NBLOCKS	200
#define	MAXEXT	4096
#define	PAGE	((size_t)4096)
#define	ARENA_0	4096

static const size_t sizes[] = { 8, 24, 100, 500, 1500, 5000, 30000, 40000,
    200000, 700000, 1500000, 3000000 };

enum { ALLOC, DALLOC, DESTROY, COMMIT, DECOMMIT, LAZY, FORCED, SPLIT, MERGE,
    NHOOKS };

/*
 * A set of hooks that counts its calls, keeps its own book of what it has
 * given and does what the program cannot do itself by the default hooks.
 */
struct counting {
	extent_hooks_t	 hooks;		/* first */
	extent_hooks_t	*base;		/* the default ones */
	unsigned int	 ind;		/* the arena that it serves; 0: any
					   but 0, ARENA_0: that */
	unsigned int	 n[NHOOKS];
	unsigned int	 refuse;	/* bits by hook: does not do it */
	unsigned int	 flags;		/* of what alloc returns */
	bool		 raw;		/* what it gives is not zero */
	bool		 uncommitted;	/* nor is it committed */
	bool		 recurses;	/* calls malloc() and mallctl() */
	size_t		 quota;		/* bytes it gives; 0: no end */
	size_t		 skew;		/* of addresses, for alignment */
	pthread_mutex_t	 lock;
	unsigned int	 next;
	struct {
		char	*p;
		size_t	 size;
		bool	 decommitted;
	} ext[MAXEXT];
	size_t		 bytes;		/* given and not back */
};

static inline void
recurse(struct counting *c)
{
	void *p[3];
	int i;

	if (!c->recurses)
		return;
	for (i = 0; i < 3; i++)
		ATF_REQUIRE((p[i] = malloc(hide((size_t)100 << 5 * i))) !=
		    NULL);
	(void)get("stats.allocated");
	for (i = 0; i < 3; i++)
		free(p[i]);
}

/* Called in: count, and say whether to refuse. */
static inline bool
called(extent_hooks_t *h, int which, unsigned int ind)
{
	struct counting *c = (struct counting *)(void *)h;

	__atomic_fetch_add(&c->n[which], 1, __ATOMIC_RELAXED);
	ATF_CHECK(c->ind == 0 ? ind != 0 : ind == c->ind % ARENA_0);
	recurse(c);
	return ((c->refuse >> which & 1) != 0);
}

/* The entry that holds all of a range, or none. */
static inline int
find(struct counting *c, const char *p, size_t size)
{
	unsigned int i;

	for (i = 0; i < MAXEXT; i++)
		if (c->ext[i].p != NULL && p >= c->ext[i].p &&
		    p + size <= c->ext[i].p + c->ext[i].size)
			return ((int)i);
	return (-1);
}

static inline void
enter(struct counting *c, char *p, size_t size, bool decommitted)
{
	unsigned int i;

	for (i = 0; i < MAXEXT && c->ext[i].p != NULL; i++)
		;
	ATF_REQUIRE(i < MAXEXT);
	c->ext[i].p = p;
	c->ext[i].size = size;
	c->ext[i].decommitted = decommitted;
}

/* An extent of just that place and size must be in the book. */
static inline int
exact(struct counting *c, const char *p, size_t size)
{
	int i;

	i = find(c, p, size);
	ATF_REQUIRE_MSG(i >= 0 && c->ext[i].p == p && c->ext[i].size == size,
	    "%p %zu", (const void *)p, size);
	return (i);
}

static inline void *
count_alloc(extent_hooks_t *h, void *new, size_t size, size_t align,
    bool *zero, bool *commit, unsigned ind)
{
	struct counting *c = (struct counting *)(void *)h;
	char *p;

	if (called(h, ALLOC, ind))
		return (NULL);
	ATF_CHECK_EQ(NULL, new);
	ATF_CHECK(size % PAGE == 0 && align >= PAGE);
	(void)pthread_mutex_lock(&c->lock);
	if (c->quota != 0 && c->bytes + size > c->quota) {
		(void)pthread_mutex_unlock(&c->lock);
		return (NULL);
	}
	c->bytes += size;
	(void)pthread_mutex_unlock(&c->lock);
	p = c->base->alloc(h, NULL, size + c->skew, align, zero, commit, ind);
	ATF_REQUIRE(p != NULL);
	if (c->skew != 0 && align <= PAGE)
		p += c->skew;
	if (c->raw) {
		memset(p, 0xa5, size);
		*zero = false;
	}
	if (c->uncommitted) {
		ATF_REQUIRE_EQ(0, mprotect(p, size, PROT_NONE));
		*commit = false;
	}
	(void)pthread_mutex_lock(&c->lock);
	enter(c, p, size, c->uncommitted);
	(void)pthread_mutex_unlock(&c->lock);
	return (p + c->flags);
}

static inline void
leave(struct counting *c, char *p, size_t size)
{

	(void)pthread_mutex_lock(&c->lock);
	c->ext[exact(c, p, size)].p = NULL;
	c->bytes -= size;
	(void)pthread_mutex_unlock(&c->lock);
	ATF_REQUIRE_EQ(0, munmap(p, size));
}

static inline bool
count_dalloc(extent_hooks_t *h, void *p, size_t size, bool committed,
    unsigned ind)
{

	(void)committed;
	if (called(h, DALLOC, ind))
		return (true);
	leave((struct counting *)(void *)h, p, size);
	return (false);
}

static inline void
count_destroy(extent_hooks_t *h, void *p, size_t size, bool committed,
    unsigned ind)
{

	(void)committed;
	(void)called(h, DESTROY, ind);
	leave((struct counting *)(void *)h, p, size);
}

static inline bool
commits(extent_hooks_t *h, char *p, size_t size, size_t off, size_t len,
    bool decommit)
{
	struct counting *c = (struct counting *)(void *)h;
	int i;

	(void)pthread_mutex_lock(&c->lock);
	i = exact(c, p, size);
	ATF_CHECK(off == 0 && len == size);
	ATF_CHECK(c->ext[i].decommitted != decommit);
	c->ext[i].decommitted = decommit;
	(void)pthread_mutex_unlock(&c->lock);
	if (decommit)
		ATF_REQUIRE(mmap(p, size, PROT_NONE, MAP_FIXED | MAP_PRIVATE |
		    MAP_ANON, -1, 0) == (void *)p);
	else
		ATF_REQUIRE_EQ(0, mprotect(p, size, PROT_READ | PROT_WRITE));
	return (false);
}

static inline bool
count_commit(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,
    unsigned ind)
{

	return (called(h, COMMIT, ind) || commits(h, p, size, off, len,
	    false));
}

static inline bool
count_decommit(extent_hooks_t *h, void *p, size_t size, size_t off,
    size_t len, unsigned ind)
{

	return (called(h, DECOMMIT, ind) || commits(h, p, size, off, len,
	    true));
}

/* What is purged is within an extent that the book has; if it need not be
 * zero it is not. */
static inline bool
purges(extent_hooks_t *h, char *p, size_t size, size_t off, size_t len,
    int byte)
{
	struct counting *c = (struct counting *)(void *)h;

	(void)pthread_mutex_lock(&c->lock);
	ATF_CHECK(find(c, p, size) >= 0 && off + len <= size);
	ATF_CHECK((off | len | size) % PAGE == 0);
	(void)pthread_mutex_unlock(&c->lock);
	memset(p + off, byte, len);
	return (false);
}

static inline bool
count_lazy(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,
    unsigned ind)
{

	return (called(h, LAZY, ind) || purges(h, p, size, off, len, 0x5a));
}

static inline bool
count_forced(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,
    unsigned ind)
{

	return (called(h, FORCED, ind) || purges(h, p, size, off, len, 0));
}

static inline bool
count_split(extent_hooks_t *h, void *p, size_t size, size_t a, size_t b,
    bool committed, unsigned ind)
{
	struct counting *c = (struct counting *)(void *)h;
	int i;

	(void)committed;
	if (called(h, SPLIT, ind))
		return (true);
	ATF_CHECK_EQ(size, a + b);
	(void)pthread_mutex_lock(&c->lock);
	i = exact(c, p, size);
	c->ext[i].size = a;
	enter(c, (char *)p + a, b, c->ext[i].decommitted);
	(void)pthread_mutex_unlock(&c->lock);
	return (false);
}

static inline bool
count_merge(extent_hooks_t *h, void *a, size_t alen, void *b, size_t blen,
    bool committed, unsigned ind)
{
	struct counting *c = (struct counting *)(void *)h;
	int i, j;

	(void)committed;
	if (called(h, MERGE, ind))
		return (true);
	ATF_CHECK_EQ((char *)a + alen, b);
	(void)pthread_mutex_lock(&c->lock);
	i = exact(c, a, alen);
	j = exact(c, b, blen);
	ATF_CHECK_EQ(c->ext[i].decommitted, c->ext[j].decommitted);
	c->ext[i].size += blen;
	c->ext[j].p = NULL;
	(void)pthread_mutex_unlock(&c->lock);
	return (false);
}

static struct counting counting = { .hooks = { count_alloc, count_dalloc,
    count_destroy, count_commit, count_decommit, count_lazy, count_forced,
    count_split, count_merge }, .lock = PTHREAD_MUTEX_INITIALIZER };

static inline extent_hooks_t *
hooks_of(unsigned int ind)
{
	extent_hooks_t *h;
	size_t len = sizeof(h);
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.extent_hooks", ind);
	ATF_REQUIRE_EQ(0, mallctl(name, &h, &len, NULL, 0));
	return (h);
}

/* A new arena of these. */
static inline unsigned int
create_counting(void)
{

	if (counting.base == NULL)
		counting.base = hooks_of(0);
	return (create(&counting));
}

static inline void
decay_ms(unsigned int ind, ssize_t ms)
{

	ATF_REQUIRE_EQ(0, arena_set(ind, "dirty_decay_ms", &ms, sizeof(ms)));
}

/* Allocate, fill, look at, resize and free a mix of sizes. */
static inline void
exercise(unsigned int rounds)
{
	char *v[NBLOCKS] = { NULL };
	size_t size[NBLOCKS];
	unsigned int i, r, x = rounds;

	for (r = 0; r < rounds * NBLOCKS; r++) {
		x = x * 1664525 + 1013904223;
		i = (x >> 8) % NBLOCKS;
		if (v[i] != NULL) {
			ATF_CHECK_EQ(size[i], painted(v[i], size[i], i));
			if (x % 4 == 0) {
				size[i] = size[i] / 2 + 1;
				v[i] = realloc(v[i], hide(size[i]));
				ATF_REQUIRE(v[i] != NULL);
				ATF_CHECK_EQ(size[i] - 1, painted(v[i],
				    size[i] - 1, i));
			}
			free(v[i]);
		}
		size[i] = sizes[(x >> 16) % nitems(sizes)];
		v[i] = x % 3 == 0 ? calloc(1, hide(size[i])) :
		    malloc(hide(size[i]));
		ATF_REQUIRE(v[i] != NULL);
		if (x % 3 == 0)
			ATF_CHECK_EQ(size[i], all_bytes(v[i], size[i], 0));
		size[i] = MIN(size[i], (size_t)9000);
		paint(v[i], size[i], i);
	}
	for (i = 0; i < NBLOCKS; i++)
		free(v[i]);
}

#endif /* !_COUNTING_TEST_SUBR_H_ */
