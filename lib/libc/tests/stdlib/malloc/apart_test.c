/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Automatic arenas with hooks of their own.
 */

#include "apart_test_subr.h"

const char *malloc_conf = "narenas:3";

ATF_TC(hooked);
ATF_TC_HEAD(hooked, tc)
{

	atf_tc_set_md_var(tc, "descr", "Hooks of an automatic arena serve it "
	    "from then on, and hear of no memory but their own");
}
ATF_TC_BODY(hooked, tc)
{
	static struct blocks new, old, others;
	unsigned int i;
	size_t bytes;

	make_all();
	take(&others);
	bind_to(1);
	take(&old);
	counting.ind = 1;
	ATF_REQUIRE_EQ(0, give_hooks(1, &counting));
	ATF_CHECK_EQ((void *)&counting.hooks, hooks_of(1));
	ATF_CHECK_EQ(counting.base, hooks_of(0));
	ATF_CHECK_EQ(0, counting.n[ALLOC]);
	add_up();
	take(&new);
	ATF_CHECK(counting.n[ALLOC] != 0);
	bytes = counting.bytes;
	ATF_CHECK(bytes > (size_t)20 << 20);
	add_up();
	/* Old blocks grow, shrink and go where they were. */
	for (i = 0; i < NBLOCKS; i++) {
		check_block(&old, i);
		old.p[i] = realloc(old.p[i], hide(i % 2 == 0 ?
		    sizes[i % nitems(sizes)] * 2 : sizes[i % nitems(sizes)]));
		ATF_REQUIRE(old.p[i] != NULL);
		check_block(&old, i);
	}
	give(&old);
	give(&new);
	exercise(4);
	flush();
	add_up();
	ATF_REQUIRE_EQ(0, arena_act(1, "purge"));
	ATF_CHECK_EQ(0, figure(1, "pdirty"));
	ATF_CHECK(counting.n[DALLOC] != 0 && counting.bytes < bytes / 2);
	/* No other arena has any of it. */
	bind_to(0);
	bytes = counting.n[ALLOC];
	take(&new);
	give(&others);
	give(&new);
	ATF_CHECK_EQ(bytes, counting.n[ALLOC]);
	ATF_REQUIRE_EQ(0, arena_act(MALLCTL_ARENAS_ALL, "purge"));
	ATF_CHECK_EQ(0, figure(MALLCTL_ARENAS_ALL, "pdirty"));
	add_up();
	/* It cannot be reset or destroyed, nor be without hooks. */
	ATF_CHECK_EQ(EFAULT, arena_act(1, "reset"));
	ATF_CHECK_EQ(EFAULT, arena_act(1, "destroy"));
	ATF_CHECK_EQ(EFAULT, give_hooks(1, NULL));
	ATF_CHECK_EQ(EFAULT, give_hooks(NARENAS, &counting));
}

static extent_alloc_t *original;
static unsigned int noriginal;

/* As RocksDB and Folly have it: the original's work, by the original, with
 * one's own pointer. */
static void *
own_alloc(extent_hooks_t *h, void *new, size_t size, size_t align, bool *zero,
    bool *commit, unsigned ind)
{

	__atomic_fetch_add(&noriginal, 1, __ATOMIC_RELAXED);
	return (original(h, new, size, align, zero, commit, ind));
}

ATF_TC(wrapped);
ATF_TC_HEAD(wrapped, tc)
{

	atf_tc_set_md_var(tc, "descr", "The hooks of an arena read, one "
	    "replaced, and written again; the first write of what it has "
	    "changes nothing");
}
ATF_TC_BODY(wrapped, tc)
{
	static extent_hooks_t own;
	static struct blocks b;
	unsigned int before;

	make_all();
	take(&b);
	own = *hooks_of(0);
	original = own.alloc;
	ATF_REQUIRE_EQ(0, give_hooks(0, hooks_of(0)));
	before = (unsigned int)figure(0, "mapped");
	ATF_CHECK_EQ(before, figure(0, "mapped"));
	own.alloc = own_alloc;
	ATF_REQUIRE_EQ(0, give_hooks(0, &own));
	give(&b);
	take(&b);
	ATF_CHECK(noriginal != 0);
	/* And back again, in use. */
	ATF_REQUIRE_EQ(0, give_hooks(0, hooks_of(1)));
	before = noriginal;
	give(&b);
	exercise(3);
	ATF_CHECK_EQ(before, noriginal);
	ATF_CHECK_EQ(hooks_of(1), hooks_of(0));
	flush();
	add_up();
}

ATF_TC(first);
ATF_TC_HEAD(first, tc)
{

	atf_tc_set_md_var(tc, "descr", "Arena 0 may have hooks, and those call "
	    "malloc(): another arena serves them");
}
ATF_TC_BODY(first, tc)
{
	static struct blocks b;
	unsigned int i, narenas;
	size_t len = sizeof(narenas);

	counting.ind = ARENA_0;
	counting.recurses = true;
	take(&b);
	ATF_REQUIRE_EQ(0, give_hooks(0, &counting));
	exercise(4);
	give(&b);
	take(&b);
	ATF_CHECK(counting.n[ALLOC] != 0);
	ATF_REQUIRE_EQ(0, arena_act(0, "purge"));
	ATF_CHECK(counting.n[DALLOC] != 0);
	give(&b);
	add_up();
	/* Nobody takes that arena away. */
	ATF_REQUIRE_EQ(0, mallctl("arenas.narenas", &narenas, &len, NULL, 0));
	ATF_CHECK_EQ(NARENAS + 1, narenas);
	ATF_CHECK(figure(NARENAS, "small.nmalloc") != 0);
	ATF_CHECK_EQ(EFAULT, arena_act(NARENAS, "reset"));
	ATF_CHECK_EQ(EFAULT, arena_act(NARENAS, "destroy"));
	ATF_CHECK_EQ(EFAULT, give_hooks(NARENAS, &counting));
	/* One is enough, however often. */
	for (i = 0; i < 3; i++) {
		ATF_REQUIRE_EQ(0, give_hooks(0, hooks_of(NARENAS)));
		ATF_REQUIRE_EQ(0, give_hooks(0, &counting));
	}
	ATF_REQUIRE_EQ(0, mallctl("arenas.narenas", &narenas, &len, NULL, 0));
	ATF_CHECK_EQ(NARENAS + 1, narenas);
}

ATF_TC(unmade);
ATF_TC_HEAD(unmade, tc)
{

	atf_tc_set_md_var(tc, "descr", "An arena that nobody has used yet is "
	    "made with its hooks");
}
ATF_TC_BODY(unmade, tc)
{
	ssize_t ms = 1;

	ATF_CHECK_EQ(hooks_of(0), hooks_of(2));
	ATF_CHECK(!is_made(2));
	ATF_CHECK_EQ(EFAULT, arena_set(2, "dirty_decay_ms", &ms, sizeof(ms)));
	counting.ind = 2;
	ATF_REQUIRE_EQ(0, give_hooks(2, &counting));
	ATF_CHECK(is_made(2));
	bind_to(2);
	free(malloc(hide(100)));
	ATF_CHECK(counting.n[ALLOC] != 0);
	add_up();
}

ATF_TC(twice);
ATF_TC_HEAD(twice, tc)
{

	atf_tc_set_md_var(tc, "descr", "An arena gets a time, then hooks: each "
	    "part of its memory goes back as it came");
}
ATF_TC_BODY(twice, tc)
{
	static struct blocks b[3];

	make_all();
	bind_to(1);
	take(&b[0]);
	decay_ms(1, 300);
	take(&b[1]);
	counting.ind = 1;
	ATF_REQUIRE_EQ(0, give_hooks(1, &counting));
	ATF_CHECK_EQ(300, time_of(1));
	take(&b[2]);
	give(&b[0]);
	give(&b[1]);
	flush();
	add_up();
	/* What it had between counts as its own, and goes with it. */
	ATF_CHECK(figure(1, "pdirty") > 1000);
	ATF_REQUIRE_EQ(0, arena_act(1, "purge"));
	ATF_CHECK_EQ(0, figure(1, "pdirty"));
	give(&b[2]);
	add_up();
}

ATF_TC(stocked);
ATF_TC_HEAD(stocked, tc)
{

	atf_tc_set_md_var(tc, "descr", "Freed blocks of the set that an arena "
	    "has left are not kept for its next request");
}
ATF_TC_BODY(stocked, tc)
{
	size_t dirty;
	void *p, *q;

	make_all();
	bind_to(1);
	ATF_REQUIRE((p = malloc(hide(200000))) != NULL);
	ATF_REQUIRE((q = malloc(hide(200000))) != NULL);
	memset(p, 1, 200000);
	memset(q, 1, 200000);
	free(p);
	counting.ind = 1;
	ATF_REQUIRE_EQ(0, give_hooks(1, &counting));
	ATF_CHECK_EQ(0, figure(1, "pdirty"));
	dirty = figure(0, "pdirty");
	ATF_CHECK(dirty >= 200000 / PAGE);
	free(q);
	ATF_CHECK_EQ(0, figure(1, "pdirty"));
	ATF_CHECK(figure(0, "pdirty") >= dirty + 200000 / PAGE);
	ATF_REQUIRE((p = malloc(hide(200000))) != NULL);
	ATF_CHECK(counting.n[ALLOC] != 0);
	/* Its own are. */
	free(p);
	ATF_CHECK_EQ(p, malloc(hide(200000)));
	free(p);
	add_up();
}

/* Every call of them. */
static unsigned int
calls(const struct counting *c)
{
	unsigned int i, n = 0;

	for (i = 0; i < NHOOKS; i++)
		n += c->n[i];
	return (n);
}

ATF_TC(unmoved);
ATF_TC_HEAD(unmoved, tc)
{

	atf_tc_set_md_var(tc, "descr", "Hooks that are written again, or "
	    "replaced by others, have nothing to do for that");
}
ATF_TC_BODY(unmoved, tc)
{
	static struct counting two;
	static struct sparse s;
	unsigned int n;

	make_all();
	memcpy(&two, &counting, sizeof(two));
	counting.ind = two.ind = 1;
	ATF_REQUIRE_EQ(0, give_hooks(1, &counting));
	two.base = counting.base;
	bind_to(1);
	take_sparse(&s);
	n = calls(&counting);
	ATF_REQUIRE(n != 0);
	ATF_REQUIRE_EQ(0, give_hooks(1, &counting));
	ATF_CHECK_EQ(n, calls(&counting));
	/* Nor for its time, that being its own already. */
	decay_ms(1, 20000);
	ATF_CHECK_EQ(n, calls(&counting));
	ATF_REQUIRE_EQ(0, give_hooks(1, &two));
	ATF_CHECK_EQ(n, calls(&counting));
	ATF_CHECK_EQ(0, calls(&two));
	/* The pages could have gone. */
	ATF_REQUIRE_EQ(0, give_hooks(1, &counting));
	ATF_REQUIRE_EQ(0, arena_act(1, "purge"));
	ATF_CHECK(counting.n[FORCED] != 0);
	give_sparse(&s);
}

#define	NTHREADS 6
#define	NSLOTS	512

static char	*slot[NSLOTS];
static uint32_t	stop;

/* Take each other's blocks out of the slots, put own ones in. */
static void *
swaps(void *arg)
{
	unsigned int ind = *(unsigned int *)arg, x = ind + 1;
	size_t size;
	char *p;

	bind_to(ind % NARENAS);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		x = x * 1664525 + 1013904223;
		size = sizes[(x >> 20) % (nitems(sizes) - (x % 16 != 0 ?
		    5 : 0))];
		p = malloc(size);
		ATF_REQUIRE(p != NULL);
		memset(p, (int)size, MIN(size, (size_t)64));
		p[0] = 'x';
		if (x % 64 == 0)
			ATF_REQUIRE((p = realloc(p, size * 2)) != NULL);
		ATF_CHECK_EQ('x', p[0]);
		p = __atomic_exchange_n(&slot[(x >> 8) % NSLOTS], p,
		    __ATOMIC_ACQ_REL);
		if (p != NULL)
			ATF_CHECK_EQ('x', p[0]);
		free(p);
	}
	return (NULL);
}

ATF_TC(threads);
ATF_TC_HEAD(threads, tc)
{

	atf_tc_set_md_var(tc, "descr", "Arenas leave while threads are at work "
	    "in them and free each other's blocks");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(threads, tc)
{
	static struct counting two;
	unsigned int i, ind[NTHREADS];
	pthread_t t[NTHREADS];
	extent_hooks_t *base = hooks_of(0);

	memcpy(&two, &counting, sizeof(two));
	two.base = base;
	two.recurses = counting.recurses = true;
	two.ind = 1;
	counting.ind = ARENA_0;
	for (i = 0; i < NTHREADS; i++) {
		ind[i] = i;
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, swaps, &ind[i]));
	}
	(void)usleep(100000);
	decay_ms(1, 30);
	(void)usleep(100000);
	ATF_REQUIRE_EQ(0, give_hooks(0, &counting));
	(void)usleep(100000);
	ATF_REQUIRE_EQ(0, give_hooks(1, &two));
	decay_ms(MALLCTL_ARENAS_ALL, 10);
	(void)usleep(100000);
	decay_ms(2, 0);
	for (i = 0; i < 10; i++) {
		ATF_REQUIRE_EQ(0, arena_act(MALLCTL_ARENAS_ALL, "purge"));
		(void)usleep(30000);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < NTHREADS; i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
	ATF_CHECK(counting.n[ALLOC] != 0 && two.n[ALLOC] != 0);
	add_up();
	for (i = 0; i < NSLOTS; i++)
		free(slot[i]);
	flush();
	ATF_REQUIRE_EQ(0, arena_act(MALLCTL_ARENAS_ALL, "purge"));
	add_up();
	ATF_CHECK_EQ(0, figure(MALLCTL_ARENAS_ALL, "pdirty"));
	ATF_CHECK_EQ(0, figure(MALLCTL_ARENAS_ALL, "large.allocated"));
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, hooked);
	ATF_TP_ADD_TC(tp, wrapped);
	ATF_TP_ADD_TC(tp, first);
	ATF_TP_ADD_TC(tp, unmade);
	ATF_TP_ADD_TC(tp, twice);
	ATF_TP_ADD_TC(tp, stocked);
	ATF_TP_ADD_TC(tp, unmoved);
	ATF_TP_ADD_TC(tp, threads);

	return (atf_no_error());
}
