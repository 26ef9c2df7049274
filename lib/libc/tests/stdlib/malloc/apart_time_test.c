/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Automatic arenas with a decay time of their own.
 */

#include "apart_test_subr.h"

const char *malloc_conf = "narenas:3";

ATF_TC(times);
ATF_TC_HEAD(times, tc)
{

	atf_tc_set_md_var(tc, "descr", "Automatic arenas decay each by its own "
	    "time, once they have one");
}
ATF_TC_BODY(times, tc)
{
	static struct blocks b;
	ssize_t ms = 5;

	make_all();
	decay_ms(1, -1);
	decay_ms(2, 0);
	ATF_CHECK_EQ(10000, time_of(0));
	ATF_CHECK_EQ(-1, time_of(1));
	ATF_CHECK_EQ(0, time_of(2));
	bind_to(1);
	take(&b);
	give(&b);
	flush();
	bind_to(2);
	take(&b);
	ATF_CHECK(figure(2, "mapped") > 1000 * PAGE);
	give(&b);
	flush();
	ATF_CHECK_EQ(0, figure(2, "pdirty"));
	ATF_CHECK(figure(2, "dirty_purged") > 1000);
	ATF_CHECK(figure(1, "pdirty") > 1000);
	ATF_CHECK_EQ(0, figure(1, "dirty_purged"));
	add_up();
	/* No such arena, no such time. */
	ATF_CHECK(arena_set(NARENAS + 1, "dirty_decay_ms", &ms, sizeof(ms)) !=
	    0);
	ms = -2;
	ATF_CHECK_EQ(EFAULT, arena_set(1, "dirty_decay_ms", &ms, sizeof(ms)));
	ATF_CHECK_EQ(-1, time_of(1));
	/* What arenas have for themselves is purged with them, and alone. */
	bind_to(0);
	take(&b);
	give(&b);
	ATF_CHECK(figure(0, "pdirty") > 1000);
	ATF_REQUIRE_EQ(0, arena_act(1, "purge"));
	ATF_CHECK_EQ(0, figure(1, "pdirty"));
	ATF_CHECK(figure(0, "pdirty") > 1000);
	add_up();
}

ATF_TC(defaults);
ATF_TC_HEAD(defaults, tc)
{

	atf_tc_set_md_var(tc, "descr", "A time for arenas to come, and one for "
	    "all");
}
ATF_TC_BODY(defaults, tc)
{
	ssize_t ms, old = 0;
	size_t len = sizeof(ms);

	bind_to(0);
	bind_to(1);
	ms = 77;
	ATF_REQUIRE_EQ(0, mallctl("arenas.dirty_decay_ms", &old, &len, &ms,
	    sizeof(ms)));
	ATF_CHECK_EQ(10000, old);
	ATF_REQUIRE_EQ(0, mallctl("arenas.dirty_decay_ms", &old, &len, NULL,
	    0));
	ATF_CHECK_EQ(77, old);
	ATF_CHECK_EQ(10000, time_of(0));
	ATF_CHECK_EQ(10000, time_of(1));
	ATF_CHECK_EQ(EFAULT, mallctl("arena.2.dirty_decay_ms", &ms, &len, NULL,
	    0));
	bind_to(2);
	ATF_CHECK_EQ(77, time_of(2));
	ATF_CHECK_EQ(77, time_of(create(NULL)));
	/* They do not agree. */
	ATF_CHECK_EQ(EFAULT, mallctl("arena.4096.dirty_decay_ms", &ms, &len,
	    NULL, 0));
	decay_ms(MALLCTL_ARENAS_ALL, 55);
	ATF_CHECK_EQ(55, time_of(MALLCTL_ARENAS_ALL));
	ATF_CHECK_EQ(55, time_of(0));
	ATF_CHECK_EQ(55, time_of(2));
	ATF_CHECK_EQ(55, time_of(3));
	ATF_CHECK_EQ(55, time_of(create(NULL)));
	/* An arena that is the only one keeps what it has. */
	add_up();
}

ATF_TC(alone);
ATF_TC_HEAD(alone, tc)
{

	atf_tc_set_md_var(tc, "descr", "A time for the only arena is not one "
	    "for those that come, and its pages stay with it");
}
ATF_TC_BODY(alone, tc)
{
	static struct blocks b;
	size_t dirty;

	take(&b);
	give(&b);
	dirty = figure(0, "pdirty");
	ATF_CHECK(dirty > 1000);
	decay_ms(0, 5000);
	ATF_CHECK_EQ(dirty, figure(0, "pdirty"));
	/* It is used again, not left to lie. */
	take(&b);
	ATF_CHECK(figure(0, "pdirty") < dirty / 2);
	bind_to(1);
	ATF_CHECK_EQ(10000, time_of(1));
	ATF_CHECK_EQ(5000, time_of(0));
	give(&b);
	add_up();
}

/* A second in which nobody does more than look at the clock. */
static void *
looks(void *arg)
{
	const struct timespec pause = { 0, 10000000 };
	unsigned int i;

	bind_to(0);
	for (i = 0; i < 100; i++) {
		free(malloc(hide(100)));
		(void)nanosleep(&pause, NULL);
	}
	return (arg);
}

static void
idle(void)
{
	pthread_t t;

	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, looks, NULL));
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
}

struct group {
	size_t		 size;
	unsigned int	 n;
	char		*p[10];
};

static void
take_group(struct group *g)
{
	unsigned int i;

	for (i = 0; i < g->n; i++) {
		ATF_REQUIRE((g->p[i] = malloc(hide(g->size))) != NULL);
		memset(g->p[i], 1, g->size);
	}
}

static void *
frees(void *arg)
{
	const struct group *g = arg;
	unsigned int i;

	bind_to(2);
	for (i = 0; i < g->n; i++)
		free(g->p[i]);
	return (NULL);
}

static size_t
allocated(unsigned int ind)
{

	return (figure(ind, "small.allocated") +
	    figure(ind, "large.allocated"));
}

/* With so much left in arena 1, nothing dirty in either set. */
static bool
is_gone(size_t n)
{

	return (allocated(1) <= n && figure(0, "pdirty") == 0 &&
	    figure(1, "pdirty") == 0);
}

ATF_TC(quiet);
ATF_TC_HEAD(quiet, tc)
{

	atf_tc_set_md_var(tc, "descr", "What others free decays, in the set "
	    "that an arena has left and in its own, while it sleeps");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(quiet, tc)
{
	/* Slots of which only a slab's bits tell that they are free; a run of
	 * a region; pages from the pool.  Each in the old set and the new. */
	static struct group g[] = {
		{ .size = 4000, .n = 10 }, { .size = 200000, .n = 1 },
		{ .size = 3000000, .n = 1 },
		{ .size = 2000, .n = 10 }, { .size = 250000, .n = 1 },
		{ .size = 4000000, .n = 1 }
	};
	size_t n;
	pthread_t t;
	unsigned int i, j;

	decay_ms(MALLCTL_ARENAS_ALL, 100);
	make_all();
	bind_to(1);
	for (i = 0; i < 3; i++)
		take_group(&g[i]);
	decay_ms(1, 200);
	for (; i < nitems(g); i++)
		take_group(&g[i]);
	/* The arena has a thread, which does nothing. */
	ATF_REQUIRE_EQ(0, arena_act(MALLCTL_ARENAS_ALL, "purge"));
	idle();
	for (i = 0; i < nitems(g); i++) {
		n = allocated(1);
		ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, frees, &g[i]));
		ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
		n -= g[i].n * g[i].size;
		idle();
		for (j = 0; j < 10 && !is_gone(n); j++)
			idle();
		ATF_CHECK_MSG(is_gone(n), "%zu: %zu allocated, not %zu; %zu "
		    "and %zu pages", g[i].size, allocated(1), n,
		    figure(0, "pdirty"), figure(1, "pdirty"));
	}
	add_up();
}

ATF_TC(capped);
ATF_TC_HEAD(capped, tc)
{

	atf_tc_set_md_var(tc, "descr", "dirty_max holds for what an arena "
	    "frees of the set that it has left");
}
ATF_TC_BODY(capped, tc)
{
	static char *v[100];
	size_t n, purged;
	unsigned int i;

	make_all();
	for (i = 0; i < nitems(v); i++) {
		v[i] = malloc(hide((size_t)4 << 20));
		ATF_REQUIRE(v[i] != NULL);
		memset(v[i], 1, 1);
	}
	free(v[0]);
	v[0] = NULL;
	ATF_REQUIRE_EQ(0, arena_act(MALLCTL_ARENAS_ALL, "purge"));
	purged = figure(0, "dirty_purged");
	ATF_CHECK(purged != 0);
	counting.ind = ARENA_0;
	ATF_REQUIRE_EQ(0, give_hooks(0, &counting));
	/* What it has had purged stays with it. */
	ATF_CHECK_EQ(purged, figure(0, "dirty_purged"));
	ATF_CHECK_EQ(0, figure(1, "dirty_purged"));
	for (i = 0; i < nitems(v); i++)
		free(v[i]);
	n = figure(MALLCTL_ARENAS_ALL, "pdirty");
	ATF_CHECK_MSG(n <= ((size_t)80 << 20) / PAGE, "%zu pages", n);
	add_up();
}

ATF_TC(sparse);
ATF_TC_HEAD(sparse, tc)
{

	atf_tc_set_md_var(tc, "descr", "Free pages of slabs that an arena had "
	    "before it got a time or hooks go, though nothing else does");
}
ATF_TC_BODY(sparse, tc)
{
	static struct sparse s[2];
	unsigned int before, i, n;

	decay_ms(MALLCTL_ARENAS_ALL, 200);
	make_all();
	for (i = 0; i < nitems(s); i++) {
		bind_to(i + 1);
		take_sparse(&s[i]);
		before = sparse_pages(&s[i]);
		ATF_REQUIRE_MSG(before > 900, "%u pages", before);
		if (i == 0)
			decay_ms(1, 300);
		else {
			counting.ind = 2;
			ATF_REQUIRE_EQ(0, give_hooks(2, &counting));
		}
		/* It has nothing of its new set, and uses nothing. */
		for (n = 0; n < 10 && sparse_pages(&s[i]) > before / 2; n++)
			idle();
		ATF_CHECK_MSG(n < 10, "%u pages of %u", sparse_pages(&s[i]),
		    before);
	}
	for (i = 0; i < nitems(s); i++)
		give_sparse(&s[i]);
	add_up();
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, times);
	ATF_TP_ADD_TC(tp, defaults);
	ATF_TP_ADD_TC(tp, alone);
	ATF_TP_ADD_TC(tp, quiet);
	ATF_TP_ADD_TC(tp, capped);
	ATF_TP_ADD_TC(tp, sparse);

	return (atf_no_error());
}
