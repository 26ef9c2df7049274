/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Extent hooks: arenas whose memory comes from the program.
 */

#include <sys/mman.h>

#include <errno.h>
#include <pthread.h>

#include "malloc_np.h"
#include "malloc_test_subr.h"

#define	NBLOCKS	200
#define	MAXEXT	4096
#define	PAGE	((size_t)4096)

const char *malloc_conf = "narenas:2";

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
	unsigned int	 ind;		/* the arena that it serves; 0: any */
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

static void
recurse(struct counting *c)
{
	size_t len = sizeof(size_t), n;
	void *p[3];
	int i;

	if (!c->recurses)
		return;
	for (i = 0; i < 3; i++)
		ATF_REQUIRE((p[i] = malloc(hide((size_t)100 << 5 * i))) !=
		    NULL);
	ATF_REQUIRE_EQ(0, mallctl("stats.allocated", &n, &len, NULL, 0));
	for (i = 0; i < 3; i++)
		free(p[i]);
}

/* Called in: count, and say whether to refuse. */
static bool
called(extent_hooks_t *h, int which, unsigned int ind)
{
	struct counting *c = (struct counting *)(void *)h;

	__atomic_fetch_add(&c->n[which], 1, __ATOMIC_RELAXED);
	ATF_CHECK(ind != 0 && (c->ind == 0 || ind == c->ind));
	recurse(c);
	return ((c->refuse >> which & 1) != 0);
}

/* The entry that holds all of a range, or none. */
static int
find(struct counting *c, const char *p, size_t size)
{
	unsigned int i;

	for (i = 0; i < MAXEXT; i++)
		if (c->ext[i].p != NULL && p >= c->ext[i].p &&
		    p + size <= c->ext[i].p + c->ext[i].size)
			return ((int)i);
	return (-1);
}

static void
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
static int
exact(struct counting *c, const char *p, size_t size)
{
	int i;

	i = find(c, p, size);
	ATF_REQUIRE_MSG(i >= 0 && c->ext[i].p == p && c->ext[i].size == size,
	    "%p %zu", (const void *)p, size);
	return (i);
}

static void *
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

static void
leave(struct counting *c, char *p, size_t size)
{

	(void)pthread_mutex_lock(&c->lock);
	c->ext[exact(c, p, size)].p = NULL;
	c->bytes -= size;
	(void)pthread_mutex_unlock(&c->lock);
	ATF_REQUIRE_EQ(0, munmap(p, size));
}

static bool
count_dalloc(extent_hooks_t *h, void *p, size_t size, bool committed,
    unsigned ind)
{

	(void)committed;
	if (called(h, DALLOC, ind))
		return (true);
	leave((struct counting *)(void *)h, p, size);
	return (false);
}

static void
count_destroy(extent_hooks_t *h, void *p, size_t size, bool committed,
    unsigned ind)
{

	(void)committed;
	(void)called(h, DESTROY, ind);
	leave((struct counting *)(void *)h, p, size);
}

static bool
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

static bool
count_commit(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,
    unsigned ind)
{

	return (called(h, COMMIT, ind) || commits(h, p, size, off, len,
	    false));
}

static bool
count_decommit(extent_hooks_t *h, void *p, size_t size, size_t off,
    size_t len, unsigned ind)
{

	return (called(h, DECOMMIT, ind) || commits(h, p, size, off, len,
	    true));
}

/* What is purged is within an extent that the book has; if it need not be
 * zero it is not. */
static bool
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

static bool
count_lazy(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,
    unsigned ind)
{

	return (called(h, LAZY, ind) || purges(h, p, size, off, len, 0x5a));
}

static bool
count_forced(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,
    unsigned ind)
{

	return (called(h, FORCED, ind) || purges(h, p, size, off, len, 0));
}

static bool
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

static bool
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

/*
 * The arena.
 */

static int
arena_set(unsigned int ind, const char *what, void *v, size_t size)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.%s", ind, what);
	return (mallctl(name, NULL, NULL, v, size));
}

static extent_hooks_t *
hooks_of(unsigned int ind)
{
	extent_hooks_t *h;
	size_t len = sizeof(h);
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.extent_hooks", ind);
	ATF_REQUIRE_EQ(0, mallctl(name, &h, &len, NULL, 0));
	return (h);
}

static unsigned int
create(void *hooks)
{
	unsigned int ind;
	size_t len = sizeof(ind);
	extent_hooks_t *h = hooks;

	if (counting.base == NULL)
		counting.base = hooks_of(0);
	ATF_REQUIRE_EQ(0, mallctl("arenas.create", &ind, &len, hooks != NULL ?
	    &h : NULL, hooks != NULL ? sizeof(h) : 0));
	return (ind);
}

static void
bind_to(unsigned int ind)
{

	ATF_REQUIRE_EQ(0, mallctl("thread.arena", NULL, NULL, &ind,
	    sizeof(ind)));
}

static void
decay_ms(unsigned int ind, ssize_t ms)
{

	ATF_REQUIRE_EQ(0, arena_set(ind, "dirty_decay_ms", &ms, sizeof(ms)));
}

/* Allocate, fill, look at, resize and free a mix of sizes. */
static void
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

/* A life in an arena of these hooks: all that was given must come back. */
static void
live(ssize_t ms)
{
	unsigned int ind = create(&counting);

	counting.ind = ind;
	decay_ms(ind, ms);
	bind_to(ind);
	exercise(6);
	ATF_REQUIRE_EQ(0, arena_set(ind, "purge", NULL, 0));
	exercise(3);
	bind_to(0);
	ATF_CHECK(counting.bytes != 0);
	ATF_REQUIRE_EQ(0, arena_set(ind, "destroy", NULL, 0));
	ATF_CHECK_EQ_MSG(0, counting.bytes, "%zu", counting.bytes);
	counting.ind = 0;
}

ATF_TC(all_nine);
ATF_TC_HEAD(all_nine, tc)
{

	atf_tc_set_md_var(tc, "descr", "Each of the nine hooks is reached");
}
ATF_TC_BODY(all_nine, tc)
{
	unsigned int i;

	/* With dalloc declining there is decommit and commit; with that, too,
	 * purge_lazy comes after purge_forced. */
	live(10000);
	ATF_CHECK(counting.n[DALLOC] != 0 && counting.n[DESTROY] == 0);
	counting.refuse = 1 << DALLOC;
	live(0);
	counting.refuse |= 1 << DECOMMIT | 1 << FORCED;
	live(0);
	for (i = 0; i < NHOOKS; i++)
		ATF_CHECK_MSG(counting.n[i] != 0, "hook %u", i);
}

ATF_TC(failures);
ATF_TC_HEAD(failures, tc)
{

	atf_tc_set_md_var(tc, "descr", "Each hook may fail, or not be there, "
	    "alone and with others");
}
ATF_TC_BODY(failures, tc)
{
	static const unsigned int some[] = { 1 << DALLOC, 1 << DECOMMIT,
	    1 << DALLOC | 1 << DECOMMIT, 1 << FORCED, 1 << SPLIT, 1 << MERGE,
	    1 << SPLIT | 1 << MERGE, 1 << DALLOC | 1 << DECOMMIT | 1 << FORCED,
	    1 << DALLOC | 1 << SPLIT, 1 << DALLOC | 1 << MERGE, 0x3fe &
	    ~(1 << DESTROY) & ~(1 << COMMIT) };
	extent_hooks_t all = counting.hooks;
	unsigned int i;

	for (i = 0; i < nitems(some); i++) {
		counting.refuse = some[i];
		live(i % 2 == 0 ? 0 : 10000);
	}
	counting.refuse = 0;
	counting.raw = true;
	live(0);
	counting.uncommitted = true;
	live(0);
	counting.raw = counting.uncommitted = false;
	for (i = DALLOC; i < NHOOKS; i++) {
		counting.hooks = all;
		switch (i) {
		case DALLOC:
			counting.hooks.dalloc = NULL;
			break;
		case COMMIT:
			counting.hooks.commit = NULL;
			counting.hooks.decommit = NULL;
			break;
		case LAZY:
			counting.hooks.purge_lazy = NULL;
			break;
		case FORCED:
			counting.hooks.purge_forced = NULL;
			break;
		case SPLIT:
			counting.hooks.split = NULL;
			break;
		case MERGE:
			counting.hooks.merge = NULL;
			break;
		default:
			continue;
		}
		live(0);
		live(-1);
	}
	/* None but alloc; destroy has to be there for the book's sake. */
	memset(&counting.hooks, 0, sizeof(counting.hooks));
	counting.hooks.alloc = count_alloc;
	counting.hooks.destroy = count_destroy;
	live(0);
	live(10000);
}

ATF_TC(quota);
ATF_TC_HEAD(quota, tc)
{

	atf_tc_set_md_var(tc, "descr", "Hooks with an end: malloc() fails "
	    "there, and goes on where memory was freed");
}
ATF_TC_BODY(quota, tc)
{
	static char *v[100000];
	unsigned int i, n, round, ind;
	size_t size;

	counting.quota = (size_t)5 << 20;
	ind = create(&counting);
	bind_to(ind);
	for (round = 0; round < 2 * nitems(sizes); round++) {
		size = sizes[round * 7 % nitems(sizes)];
		for (n = 0; n < nitems(v); n++) {
			if ((v[n] = malloc(hide(size))) == NULL)
				break;
			memset(v[n], 1, size);
		}
		ATF_CHECK(counting.bytes <= counting.quota);
		if (size * nitems(v) > counting.quota) {
			ATF_CHECK(n < nitems(v));
			ATF_CHECK_EQ(ENOMEM, errno);
			ATF_CHECK_MSG(n * size > counting.quota / 2 -
			    (1 << 20) || size > (2 << 20), "%u of %zu", n,
			    size);
		}
		for (i = 0; i < n; i++)
			free(v[i]);
	}
	bind_to(0);
	ATF_REQUIRE_EQ(0, arena_set(ind, "destroy", NULL, 0));
	ATF_CHECK_EQ(0, counting.bytes);
}

ATF_TC(pinned);
ATF_TC_HEAD(pinned, tc)
{

	atf_tc_set_md_var(tc, "descr", "Pinned memory is not offered to any "
	    "hook but destroy");
}
ATF_TC_BODY(pinned, tc)
{

	counting.flags = EXTENT_ALLOC_FLAG_PINNED;
	live(0);
	live(10000);
	ATF_CHECK_EQ(0, counting.n[DALLOC] + counting.n[COMMIT] +
	    counting.n[DECOMMIT] + counting.n[LAZY] + counting.n[FORCED]);
	ATF_CHECK(counting.n[DESTROY] != 0);
}

ATF_TC(skewed);
ATF_TC_HEAD(skewed, tc)
{

	atf_tc_set_md_var(tc, "descr", "Memory may begin at any page");
}
ATF_TC_BODY(skewed, tc)
{
	void *p;
	unsigned int ind;

	for (counting.skew = PAGE; counting.skew < 20 * PAGE;
	    counting.skew += 6 * PAGE)
		live(0);
	/* What is aligned is so nonetheless. */
	ind = create(&counting);
	bind_to(ind);
	ATF_REQUIRE_EQ(0, posix_memalign(&p, hide((size_t)1 << 16), 3 << 20));
	ATF_CHECK_EQ(0, (uintptr_t)p & 0xffff);
	free(p);
	ATF_REQUIRE_EQ(0, posix_memalign(&p, hide((size_t)1 << 21), 100));
	ATF_CHECK_EQ(0, (uintptr_t)p & 0x1fffff);
	free(p);
}

static char	crooked_memory[PAGE] __attribute__((__aligned__(4096)));
static unsigned int crooked_back;

static void *
crooked_alloc(extent_hooks_t *h, void *new, size_t size, size_t align,
    bool *zero, bool *commit, unsigned ind)
{

	return (crooked_memory + 0x100);
}

static bool
crooked_dalloc(extent_hooks_t *h, void *p, size_t size, bool committed,
    unsigned ind)
{

	crooked_back += ((uintptr_t)p & ~(uintptr_t)0xff) ==
	    ((uintptr_t)(crooked_memory + 0x100) & ~(uintptr_t)0xff);
	return (false);
}

ATF_TC(crooked);
ATF_TC_HEAD(crooked, tc)
{

	atf_tc_set_md_var(tc, "descr", "An address within a page is of no use "
	    "and goes back");
}
ATF_TC_BODY(crooked, tc)
{
	static extent_hooks_t crook = { .alloc = crooked_alloc,
	    .dalloc = crooked_dalloc };
	void *p, *q;

	bind_to(create(&crook));
	p = malloc(hide(100));
	q = malloc(hide((size_t)5 << 20));
	bind_to(0);
	ATF_CHECK_EQ(NULL, p);
	ATF_CHECK_EQ(NULL, q);
	ATF_CHECK(crooked_back >= 2);
}

ATF_TC(recursion);
ATF_TC_HEAD(recursion, tc)
{

	atf_tc_set_md_var(tc, "descr", "Hooks may call malloc() and mallctl()");
}
ATF_TC_BODY(recursion, tc)
{
	static char *v[80000];
	size_t after, before, len = sizeof(before);
	unsigned int i, ind = create(&counting);

	counting.recurses = true;
	ATF_REQUIRE_EQ(0, mallctl("thread.tcache.flush", NULL, NULL, NULL, 0));
	ATF_REQUIRE_EQ(0, mallctl("stats.arenas.0.small.allocated", &before,
	    &len, NULL, 0));
	/* Regions are asked for as a cache is filled with slots of just the
	 * size that the hook allocates and frees: none of them is lost. */
	bind_to(ind);
	for (i = 0; i < nitems(v); i++)
		ATF_REQUIRE((v[i] = malloc(hide(100))) != NULL);
	ATF_CHECK(counting.n[ALLOC] >= 4);
	for (i = 0; i < nitems(v); i++)
		free(v[i]);
	bind_to(0);
	ATF_REQUIRE_EQ(0, arena_set(ind, "destroy", NULL, 0));
	ATF_REQUIRE_EQ(0, mallctl("thread.tcache.flush", NULL, NULL, NULL, 0));
	ATF_REQUIRE_EQ(0, mallctl("stats.arenas.0.small.allocated", &after,
	    &len, NULL, 0));
	ATF_CHECK_EQ_MSG(before, after, "%zu %zu", before, after);
	live(10000);
	counting.refuse = 1 << DALLOC;
	live(0);
	counting.refuse |= 1 << DECOMMIT | 1 << FORCED;
	live(0);
}

static extent_alloc_t *original;

/* As RocksDB has it. */
static void *
own_alloc(extent_hooks_t *h, void *new, size_t size, size_t align, bool *zero,
    bool *commit, unsigned ind)
{

	ATF_CHECK(ind != 0);
	counting.n[ALLOC]++;
	return (original(h, new, size, align, zero, commit, ind));
}

ATF_TC(replaced);
ATF_TC_HEAD(replaced, tc)
{

	atf_tc_set_md_var(tc, "descr", "Hooks can be replaced, also by the "
	    "default ones with a member of one's own");
}
ATF_TC_BODY(replaced, tc)
{
	static extent_hooks_t own;
	extent_hooks_t *h, *p = &own;
	unsigned int ind = create(NULL);
	size_t len = sizeof(h);
	char name[64];

	h = hooks_of(ind);
	ATF_CHECK(h->alloc != NULL && h->merge != NULL);
	bind_to(ind);
	exercise(2);
	own = *h;
	original = h->alloc;
	own.alloc = own_alloc;
	(void)snprintf(name, sizeof(name), "arena.%u.extent_hooks", ind);
	ATF_REQUIRE_EQ(0, mallctl(name, &h, &len, &p, sizeof(p)));
	ATF_CHECK_EQ(hooks_of(0), h);
	ATF_CHECK_EQ(p, hooks_of(ind));
	exercise(2);
	free(malloc(hide((size_t)200 << 20)));
	ATF_CHECK(counting.n[ALLOC] != 0);
	bind_to(0);
	ATF_REQUIRE_EQ(0, arena_set(ind, "destroy", NULL, 0));
	/* The next arena has the default ones again. */
	ATF_REQUIRE_EQ(ind, create(NULL));
	ATF_CHECK_EQ(hooks_of(0), hooks_of(ind));
	p = NULL;
	ATF_CHECK_EQ(EFAULT, mallctl(name, NULL, NULL, &p, sizeof(p)));
	ATF_CHECK_EQ(EINVAL, mallctl(name, NULL, NULL, &p, 1));
}

#define	NTHREADS 16

static void *
works(void *arg)
{

	bind_to(*(unsigned int *)arg);
	exercise(3);
	bind_to(0);
	return (NULL);
}

ATF_TC(threads);
ATF_TC_HEAD(threads, tc)
{

	atf_tc_set_md_var(tc, "descr", "16 threads in one arena, one purges");
}
ATF_TC_BODY(threads, tc)
{
	pthread_t t[NTHREADS];
	unsigned int i, ind, round;

	counting.recurses = true;
	for (round = 0; round < 3; round++) {
		ind = create(&counting);
		decay_ms(ind, round == 1 ? 0 : 5);
		counting.refuse = round == 2 ? 1 << DALLOC : 0;
		for (i = 0; i < NTHREADS; i++)
			ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, works,
			    &ind));
		for (i = 0; i < 20; i++)
			ATF_REQUIRE_EQ(0, arena_set(ind, "purge", NULL, 0));
		for (i = 0; i < NTHREADS; i++)
			ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
		ATF_REQUIRE_EQ(0, arena_set(ind, round % 2 == 0 ? "reset" :
		    "purge", NULL, 0));
		ATF_REQUIRE_EQ(0, arena_set(ind, "destroy", NULL, 0));
		ATF_CHECK_EQ(0, counting.bytes);
	}
}

/*
 * Memory that is a file, or shared: purged pages are not zero, and there is no
 * more than there is.
 */
struct segment {
	extent_hooks_t	 hooks;		/* first */
	char		*p;
	size_t		 size;
	size_t		 used;
};

static void *
segment_alloc(extent_hooks_t *h, void *new, size_t size, size_t align,
    bool *zero, bool *commit, unsigned ind)
{
	struct segment *s = (struct segment *)(void *)h;
	size_t at = (s->used + align - 1) & ~(align - 1);

	(void)new;
	(void)commit;
	(void)ind;
	if (at + size > s->size)
		return (NULL);
	s->used = at + size;
	*zero = false;
	return (s->p + at);
}

/* Blocks to the end of a segment, freed and taken again. */
static void
segment_life(struct segment *s)
{
	unsigned int ind = create(s);
	char *v[1000];
	unsigned int i, n, round;

	bind_to(ind);
	for (round = 0; round < 5; round++) {
		for (n = 0; n < nitems(v); n++) {
			v[n] = calloc(1, hide(sizes[n % nitems(sizes)]));
			if (v[n] == NULL)
				break;
			ATF_CHECK(v[n] >= s->p && v[n] < s->p + s->size);
			ATF_CHECK_EQ(sizes[n % nitems(sizes)], all_bytes(v[n],
			    sizes[n % nitems(sizes)], 0));
			memset(v[n], 0xff, sizes[n % nitems(sizes)]);
		}
		ATF_CHECK(n > 20 && n < nitems(v));
		for (i = 0; i < n; i++)
			free(v[i]);
		ATF_REQUIRE_EQ(0, arena_set(ind, "purge", NULL, 0));
	}
	bind_to(0);
	ATF_REQUIRE_EQ(0, arena_set(ind, "destroy", NULL, 0));
}

ATF_TC(segments);
ATF_TC_HEAD(segments, tc)
{

	atf_tc_set_md_var(tc, "descr", "A file as a heap, whose contents stay, "
	    "and a shared segment that a child sees");
}
ATF_TC_BODY(segments, tc)
{
	static struct segment file, shared;
	char *p;
	FILE *f = tmpfile();
	pid_t pid;
	int status;
	unsigned int ind;

	file.size = shared.size = (size_t)16 << 20;
	file.hooks.alloc = shared.hooks.alloc = segment_alloc;
	ATF_REQUIRE(f != NULL);
	ATF_REQUIRE_EQ(0, ftruncate(fileno(f), (off_t)file.size));
	file.p = mmap(NULL, file.size, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fileno(f), 0);
	ATF_REQUIRE(file.p != MAP_FAILED);
	shared.p = mmap(NULL, shared.size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANON, -1, 0);
	ATF_REQUIRE(shared.p != MAP_FAILED);
	segment_life(&file);
	segment_life(&shared);
	/* What was last in the file is in it. */
	file.used = 0;
	ind = create(&file);
	bind_to(ind);
	p = malloc(hide(100));
	paint(p, 100, 1);
	ATF_REQUIRE(p != NULL);
	bind_to(0);
	p = mmap(NULL, file.size, PROT_READ, MAP_SHARED, fileno(f),
	    0) == MAP_FAILED ? NULL : p;
	ATF_REQUIRE(p != NULL);
	ATF_CHECK_EQ(100, painted(p, 100, 1));
	/* What a child writes to the segment is here. */
	shared.used = 0;
	ind = create(&shared);
	bind_to(ind);
	p = calloc(1, hide(100));
	bind_to(0);
	if ((pid = fork_child(10)) == 0) {
		paint(p, 100, 2);
		_exit(0);
	}
	status = wait_for(pid, 10);
	ATF_CHECK_EQ(0, status);
	ATF_CHECK_EQ(100, painted(p, 100, 2));
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, all_nine);
	ATF_TP_ADD_TC(tp, failures);
	ATF_TP_ADD_TC(tp, quota);
	ATF_TP_ADD_TC(tp, pinned);
	ATF_TP_ADD_TC(tp, skewed);
	ATF_TP_ADD_TC(tp, crooked);
	ATF_TP_ADD_TC(tp, recursion);
	ATF_TP_ADD_TC(tp, replaced);
	ATF_TP_ADD_TC(tp, threads);
	ATF_TP_ADD_TC(tp, segments);

	return (atf_no_error());
}
