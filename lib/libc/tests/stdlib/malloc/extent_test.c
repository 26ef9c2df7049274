/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Extent hooks: arenas whose memory comes from the program.
 */

#include <errno.h>

#include "counting_test_subr.h"

const char *malloc_conf = "narenas:2";

/* A life in an arena of these hooks: all that was given must come back. */
static void
live(ssize_t ms)
{
	unsigned int ind = create_counting();

	counting.ind = ind;
	decay_ms(ind, ms);
	(void)bind_to(ind);
	exercise(6);
	ATF_REQUIRE_EQ(0, arena_act(ind, "purge"));
	exercise(3);
	(void)bind_to(0);
	ATF_CHECK(counting.bytes != 0);
	ATF_REQUIRE_EQ(0, arena_act(ind, "destroy"));
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

ATF_TC(settings);
ATF_TC_HEAD(settings, tc)
{

	atf_tc_set_md_var(tc, "descr", "What the manual says that reaches a "
	    "hook does, and nothing else");
}
ATF_TC_BODY(settings, tc)
{
	static const unsigned int always = 1 << ALLOC | 1 << DALLOC |
	    1 << FORCED, cuts = 1 << SPLIT | 1 << MERGE;
	static const struct {
		ssize_t		ms, muzzy;
		bool		uncommitted;
		unsigned int	refuse, reached, maybe;
	} on[] = {
		{ 0, 0, false, 0, always, cuts },
		{ 10000, 0, false, 0, always | cuts, 0 },
		{ 0, 10000, false, 0, always | cuts | 1 << LAZY, 0 },
		{ 0, 0, true, 0, always | 1 << COMMIT, cuts },
		{ 0, 0, false, 1 << DALLOC, always | cuts | 1 << DECOMMIT |
		    1 << COMMIT | 1 << DESTROY, 0 },
		{ 0, 0, false, 1 << DALLOC | 1 << DECOMMIT, always | cuts |
		    1 << DECOMMIT | 1 << DESTROY, 0 },
		{ 0, 0, false, 1 << DALLOC | 1 << DECOMMIT | 1 << FORCED,
		    always | cuts | 1 << DECOMMIT | 1 << LAZY | 1 << DESTROY,
		    0 }
	};
	unsigned int i, j;

	for (i = 0; i < nitems(on); i++) {
		memset(counting.n, 0, sizeof(counting.n));
		counting.refuse = on[i].refuse;
		counting.uncommitted = on[i].uncommitted;
		set("arenas.muzzy_decay_ms", (size_t)on[i].muzzy);
		live(on[i].ms);
		for (j = 0; j < NHOOKS; j++)
			ATF_CHECK_MSG((on[i].maybe >> j & 1) != 0 ||
			    (on[i].reached >> j & 1) == (counting.n[j] != 0),
			    "%u: hook %u, %u calls", i, j, counting.n[j]);
	}
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
	ind = create_counting();
	(void)bind_to(ind);
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
	(void)bind_to(0);
	ATF_REQUIRE_EQ(0, arena_act(ind, "destroy"));
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
	ind = create_counting();
	(void)bind_to(ind);
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

	(void)bind_to(create(&crook));
	p = malloc(hide(100));
	q = malloc(hide((size_t)5 << 20));
	(void)bind_to(0);
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
	size_t after, before;
	unsigned int i, ind = create_counting();

	counting.recurses = true;
	flush();
	before = get("stats.arenas.0.small.allocated");
	/* Regions are asked for as a cache is filled with slots of just the
	 * size that the hook allocates and frees: none of them is lost. */
	(void)bind_to(ind);
	for (i = 0; i < nitems(v); i++)
		ATF_REQUIRE((v[i] = malloc(hide(100))) != NULL);
	ATF_CHECK(counting.n[ALLOC] >= 4);
	for (i = 0; i < nitems(v); i++)
		free(v[i]);
	(void)bind_to(0);
	ATF_REQUIRE_EQ(0, arena_act(ind, "destroy"));
	flush();
	after = get("stats.arenas.0.small.allocated");
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
	(void)bind_to(ind);
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
	(void)bind_to(0);
	ATF_REQUIRE_EQ(0, arena_act(ind, "destroy"));
	/* The next arena has the default ones again. */
	ATF_REQUIRE_EQ(ind, create(NULL));
	ATF_CHECK_EQ(hooks_of(0), hooks_of(ind));
	p = NULL;
	ATF_CHECK_EQ(EFAULT, mallctl(name, NULL, NULL, &p, sizeof(p)));
	ATF_CHECK_EQ(EINVAL, mallctl(name, NULL, NULL, &p, 1));
}

/* Hooks that ask for what would have to wait for themselves. */
static struct {
	extent_hooks_t	 hooks;		/* first */
	extent_hooks_t	*base;
	unsigned int	 asked;
	pthread_mutex_t	 lock;
} asking = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *
ask_alloc(extent_hooks_t *h, void *new, size_t size, size_t align, bool *zero,
    bool *commit, unsigned ind)
{

	return (asking.base->alloc(h, new, size, align, zero, commit, ind));
}

static bool
ask_dalloc(extent_hooks_t *h, void *p, size_t size, bool committed,
    unsigned ind)
{
	extent_hooks_t *other = asking.base;

	asking.asked++;
	ATF_CHECK_EQ(EFAULT, arena_set(ind, "reset", NULL, 0));
	ATF_CHECK_EQ(EFAULT, arena_set(ind, "destroy", NULL, 0));
	ATF_CHECK_EQ(EFAULT, arena_set(ind, "extent_hooks", &other,
	    sizeof(other)));
	return (asking.base->dalloc(h, p, size, committed, ind));
}

ATF_TC(asks);
ATF_TC_HEAD(asks, tc)
{

	atf_tc_set_md_var(tc, "descr", "A hook that resets or destroys its "
	    "arena, or changes its hooks, is refused and does not hang");
}
ATF_TC_BODY(asks, tc)
{
	unsigned int ind;

	asking.base = hooks_of(0);
	asking.hooks.alloc = ask_alloc;
	asking.hooks.dalloc = ask_dalloc;
	ind = create(&asking);
	bind_to(ind);
	exercise(3);
	ATF_REQUIRE_EQ(0, arena_set(ind, "purge", NULL, 0));
	ATF_CHECK(asking.asked != 0);
	/* It has not been harmed. */
	exercise(3);
	bind_to(0);
	ATF_REQUIRE_EQ(0, arena_set(ind, "reset", NULL, 0));
	ATF_REQUIRE_EQ(0, arena_set(ind, "destroy", NULL, 0));
}

/* One lock for all hooks, with malloc() called under it. */
static void *
lock_alloc(extent_hooks_t *h, void *new, size_t size, size_t align, bool *zero,
    bool *commit, unsigned ind)
{
	void *p, *v[100];
	unsigned int i;

	(void)pthread_mutex_lock(&asking.lock);
	for (i = 0; i < nitems(v); i++)
		ATF_REQUIRE((v[i] = malloc(hide(50000))) != NULL);
	for (i = 0; i < nitems(v); i++)
		free(v[i]);
	p = asking.base->alloc(h, new, size, align, zero, commit, ind);
	(void)pthread_mutex_unlock(&asking.lock);
	return (p);
}

static bool
lock_dalloc(extent_hooks_t *h, void *p, size_t size, bool committed,
    unsigned ind)
{

	(void)pthread_mutex_lock(&asking.lock);
	asking.asked++;
	(void)asking.base->dalloc(h, p, size, committed, ind);
	(void)pthread_mutex_unlock(&asking.lock);
	return (false);
}

ATF_TC(locks);
ATF_TC_HEAD(locks, tc)
{

	atf_tc_set_md_var(tc, "descr", "A hook that calls malloc() with a lock "
	    "held does not meet another one that takes it");
}
ATF_TC_BODY(locks, tc)
{
	unsigned int i, ind;
	void *p;

	asking.base = hooks_of(0);
	asking.hooks.alloc = lock_alloc;
	asking.hooks.dalloc = lock_dalloc;
	(void)alarm(60);
	ind = create(&asking);
	decay_ms(MALLCTL_ARENAS_ALL, 1);
	bind_to(ind);
	/* Each is due when the next is asked for. */
	for (i = 1; i <= 100; i++) {
		p = malloc(hide((size_t)i << 21));
		ATF_REQUIRE(p != NULL);
		free(p);
		(void)usleep(3000);
	}
	(void)alarm(0);
	ATF_CHECK(asking.asked != 0);
	bind_to(0);
	ATF_REQUIRE_EQ(0, arena_set(ind, "destroy", NULL, 0));
}

#define	NTHREADS 16

static void *
works(void *arg)
{

	(void)bind_to(*(unsigned int *)arg);
	exercise(3);
	(void)bind_to(0);
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
		ind = create_counting();
		decay_ms(ind, round == 1 ? 0 : 5);
		counting.refuse = round == 2 ? 1 << DALLOC : 0;
		for (i = 0; i < NTHREADS; i++)
			ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, works,
			    &ind));
		for (i = 0; i < 20; i++)
			ATF_REQUIRE_EQ(0, arena_act(ind, "purge"));
		for (i = 0; i < NTHREADS; i++)
			ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
		ATF_REQUIRE_EQ(0, arena_act(ind, round % 2 == 0 ? "reset" :
		    "purge"));
		ATF_REQUIRE_EQ(0, arena_act(ind, "destroy"));
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

	(void)bind_to(ind);
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
		ATF_REQUIRE_EQ(0, arena_act(ind, "purge"));
	}
	(void)bind_to(0);
	ATF_REQUIRE_EQ(0, arena_act(ind, "destroy"));
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
	char *p, said[100];
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
	(void)bind_to(ind);
	p = malloc(hide(100));
	ATF_REQUIRE(p != NULL);
	paint(p, 100, 1);
	(void)bind_to(0);
	ATF_REQUIRE_EQ(100, pread(fileno(f), said, 100, p - file.p));
	ATF_CHECK_EQ(100, painted(said, 100, 1));
	/* What a child writes to the segment is here. */
	shared.used = 0;
	ind = create(&shared);
	(void)bind_to(ind);
	p = calloc(1, hide(100));
	(void)bind_to(0);
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
	ATF_TP_ADD_TC(tp, settings);
	ATF_TP_ADD_TC(tp, failures);
	ATF_TP_ADD_TC(tp, quota);
	ATF_TP_ADD_TC(tp, pinned);
	ATF_TP_ADD_TC(tp, skewed);
	ATF_TP_ADD_TC(tp, crooked);
	ATF_TP_ADD_TC(tp, recursion);
	ATF_TP_ADD_TC(tp, replaced);
	ATF_TP_ADD_TC(tp, asks);
	ATF_TP_ADD_TC(tp, locks);
	ATF_TP_ADD_TC(tp, threads);
	ATF_TP_ADD_TC(tp, segments);

	return (atf_no_error());
}
