/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * cache: a thread's stacks, from its first call to its end.
 */

#include "cache_test_subr.h"

const char *malloc_conf = "narenas:1";

static unsigned int
cached(const struct cache *c, unsigned int class)
{

	return ((unsigned int)(c->class[class].end - c->entry[class].sp));
}

/* Slots that bins have handed out and not got back, of all classes. */
static size_t
out(void)
{
	struct stats_arena st;
	size_t n;
	unsigned int c;

	ATF_REQUIRE(set_stats_read(ARENA_ALL, &st));
	for (c = 1, n = 0; c < SIZE_NCLASSES; c++)
		n += st.bins[c].curregs;
	return (n);
}

ATF_TC(sentinels);
ATF_TC_HEAD(sentinels, tc)
{

	atf_tc_set_md_var(tc, "descr", "Before its first call and after its "
	    "end a thread has a cache in which everything misses");
}
static void *
sentinels_thread(void *arg)
{

	ATF_CHECK_EQ(CACHE_EMPTY, cache_self);
	ATF_CHECK(cache_enter() == cache_self);
	ATF_CHECK(cache_self != CACHE_EMPTY && cache_self != CACHE_DEAD);
	cache_leave();
	cache_exit_self();
	ATF_CHECK_EQ(CACHE_DEAD, cache_self);
	cache_exit_self();
	/* It is served, but gets no cache again. */
	v[0] = take(5);
	ATF_REQUIRE(v[0] != NULL);
	give(v[0], 5);
	ATF_CHECK_EQ(CACHE_DEAD, cache_self);
	ATF_CHECK_EQ(0, out());
	return (arg);
}
ATF_TC_BODY(sentinels, tc)
{
	const struct cache_entry *e;
	unsigned int i, k;

	for (k = 0; k < 2; k++)
		for (i = 0; i < SIZE_NCLASSES + 1; i++) {
			e = &cache_sentinel[k + i];
			ATF_CHECK(e->sp == e->limit && *e->sp == NULL);
			ATF_CHECK(e->count <= 0);
		}
	in_thread(sentinels_thread, NULL);
	ATF_CHECK_EQ(0, threads());
}

ATF_TC(nesting);
ATF_TC_HEAD(nesting, tc)
{

	atf_tc_set_md_var(tc, "descr", "A call within a call gets no cache");
}
ATF_TC_BODY(nesting, tc)
{
	struct cache *c;

	c = cache_enter();
	ATF_REQUIRE(c != NULL);
	ATF_CHECK_EQ(1, threads());
	ATF_CHECK_EQ(arena_zero(), c->arena);
	ATF_CHECK_EQ(1, c->arena->nthreads);
	ATF_CHECK_EQ(NULL, cache_enter());
	ATF_CHECK_EQ(NULL, cache_enter());
	cache_leave();
	cache_leave();
	cache_leave();
	ATF_CHECK_EQ(0, c->inside);
	ATF_CHECK_EQ(c, cache_enter());
	cache_leave();
}

ATF_TC(slots);
ATF_TC_HEAD(slots, tc)
{

	atf_tc_set_md_var(tc, "descr", "Slots of every class are apart, come "
	    "back last in first out, and each request is counted");
}
ATF_TC_BODY(slots, tc)
{
	struct cache *c;
	void *p;
	unsigned int class, i, n;

	for (class = 1; class < SIZE_NCLASSES; class++) {
		n = MIN(3000, (8u << 20) / size_info[class].size);
		for (i = 0; i < n; i++) {
			v[i] = take(class);
			ATF_REQUIRE(v[i] != NULL);
			ATF_REQUIRE_EQ(ARENA_TAG(class),
			    map_tag(map_find(v[i])));
			paint(v[i], 8, i);
		}
		c = cache_self;
		ATF_CHECK_EQ(n, cache_requests(0, class));
		ATF_CHECK_EQ(n, cache_requests(ARENA_ALL, class));
		for (i = 0; i < n; i++)
			ATF_REQUIRE_EQ(8, painted(v[i], 8, i));
		for (i = 0; i < n; i++) {
			give(v[i], class);
			p = take(class);
			ATF_REQUIRE_EQ(v[i], p);
			give(p, class);
			ATF_REQUIRE(cached(c, class) <= c->class[class].cap);
		}
		ATF_CHECK_EQ(2 * n, cache_requests(0, class));
	}
	ATF_CHECK_EQ(0, cache_bytes_all() % 8);
	ATF_CHECK(cache_bytes_all() != 0);
	c = cache_enter();
	cache_flush_self();
	cache_leave();
	ATF_CHECK_EQ(0, cache_bytes_all());
	ATF_CHECK_EQ(0, out());
}

ATF_TC(budget);
ATF_TC_HEAD(budget, tc)
{

	atf_tc_set_md_var(tc, "descr", "Stacks grow for who takes and gives "
	    "much, to 128 KiB each and 1 MiB together; less for who only "
	    "gives");
}
static void *
only_frees(void *arg)
{
	struct cache *c;
	unsigned int i;

	for (i = 0; i < MAXV; i++)
		give(v[i], 5);
	c = cache_self;
	ATF_CHECK(cached(c, 5) * 64 <= KIB(8));
	ATF_CHECK(c->class[5].cap > size_info[5].inl);
	return (arg);
}
ATF_TC_BODY(budget, tc)
{
	struct cache *c;
	size_t all;
	unsigned int class, i, n, round;

	for (round = 0; round < 3; round++)
		for (class = 1; class < SIZE_NCLASSES; class++) {
			n = MIN(MAXV, MIB(1) / size_info[class].size);
			for (i = 0; i < n; i++)
				v[i] = take(class);
			for (i = 0; i < n; i++)
				give(v[i], class);
			c = cache_self;
			ATF_CHECK(cached(c, class) * size_info[class].size <=
			    MAX(KIB(128), 2 * size_info[class].size));
		}
	/* A burst of a common size is kept whole. */
	ATF_CHECK(c->class[5].cap * 64 > KIB(32));
	all = 0;
	for (class = 1; class < SIZE_NCLASSES; class++)
		if (c->class[class].cap > size_info[class].inl)
			all += (c->class[class].cap - size_info[class].inl) *
			    size_info[class].size;
	ATF_CHECK_EQ(MIB(1), c->bytes + all);
	ATF_CHECK(cache_bytes_all() <= MIB(1) + KIB(512));

	for (i = 0; i < MAXV; i++)
		v[i] = take(5);
	in_thread(only_frees, NULL);
}

ATF_TC(falls_silent);
ATF_TC_HEAD(falls_silent, tc)
{

	atf_tc_set_md_var(tc, "descr", "A thread that frees much at last has "
	    "little of it left, and then goes on as before");
}
ATF_TC_BODY(falls_silent, tc)
{
	const unsigned int class = 29;	/* 4 KiB; a stack of 31 */
	struct cache *c;
	unsigned int cap, i, n = 1000;
	void *p;

	for (i = 0; i < 2 * n; i++)
		v[i] = take(class);
	c = cache_self;
	/* A burst that comes and goes keeps what the stack holds. */
	for (i = 0; i < 100; i++)
		give(v[i], class);
	cap = c->class[class].cap;
	ATF_CHECK(cap >= 15);
	ATF_CHECK(cached(c, class) >= cap / 2);
	for (; i < n; i++) {
		give(v[i], class);
		ATF_CHECK(c->entry[class].sp >= c->entry[class].limit);
	}
	ATF_CHECK(cached(c, class) <= 8);
	ATF_CHECK_EQ(c->class[class].end - 8, c->entry[class].limit);
	/* No other is in use at last: each may be what keeps a region. */
	for (; i < 2 * n; i++)
		give(v[i], class);
	ATF_CHECK_EQ(1, cached(c, class));
	/* Others ask for as many: this may go on. */
	for (i = 0; i < n; i++) {
		ATF_REQUIRE_EQ(1, bin_fill(arena_bin(c->arena, class), &p, 1));
		give(p, class);
	}
	ATF_CHECK_EQ(c->class[class].end - 8, c->entry[class].limit);
	ATF_CHECK_EQ(cap, c->class[class].cap);
	for (i = 0; i < n; i++)
		ATF_REQUIRE((v[i] = take(class)) != NULL);
	for (i = 0; i < 100; i++)
		give(v[i], class);
	ATF_CHECK(cached(c, class) >= cap / 2);
	for (; i < n; i++)
		give(v[i], class);
}

ATF_TC(ends);
ATF_TC_HEAD(ends, tc)
{

	atf_tc_set_md_var(tc, "descr", "A thread's end gives all slots back, "
	    "keeps its counts, and its cache serves the next");
}
ATF_TC_BODY(ends, tc)
{
	struct cache *c, *first;
	struct stats_arena st;
	size_t before;
	unsigned int i;

	in_thread(short_life, &first);
	before = base_bytes();
	for (i = 0; i < 100; i++) {
		in_thread(short_life, &c);
		ATF_CHECK_EQ(first, c);
		ATF_CHECK(c->isidle && c->arena == NULL);
	}
	ATF_CHECK_EQ(before, base_bytes());
	ATF_CHECK_EQ(0, out());
	ATF_CHECK_EQ(0, threads());
	ATF_CHECK_EQ(0, arena_zero()->nthreads);
	/* None is at work that has counted any. */
	ATF_CHECK_EQ(0, cache_requests(0, 5));
	ATF_REQUIRE(set_stats_read(0, &st));
	ATF_CHECK_EQ(101 * 300, st.bins[5].nrequests);
	/* The array that its stack had grown to is still there. */
	ATF_CHECK(c->class[5].cap > size_info[5].inl);
}

ATF_TC(slows_down);
ATF_TC_HEAD(slows_down, tc)
{

	atf_tc_set_md_var(tc, "descr", "A thread that was as fast as can be "
	    "looks at the clock within some thousands of requests");
}
ATF_TC_BODY(slows_down, tc)
{
	static const unsigned int class[] = { 1, 5, 20, SIZE_NCLASSES - 1 };
	struct cache *c;
	unsigned int i, n;

	c = cache_enter();
	ATF_REQUIRE(c != NULL);
	for (i = 0; i < nitems(class); i++) {
		c->base = 4096;
		c->pace = c->skip = 64;
		c->entry[class[i]].count = 0;
		c->ticked = 1;
		for (n = 0; n < 100000 && c->ticked == 1; n++)
			cache_free(c, cache_malloc(c, class[i]), class[i]);
		ATF_CHECK_MSG(n <= 3 * 4096, "class %u: %u", class[i], n);
	}
	cache_leave();
}

/* 64 slots of 64 bytes, so that there are some at hand: how many. */
static unsigned int
come_and_go(struct cache *c)
{
	unsigned int i;

	for (i = 0; i < 64; i++)
		v[i] = cache_malloc(c, 5);
	for (i = 0; i < 64; i++)
		cache_free(c, v[i], 5);
	ATF_REQUIRE(cached(c, 5) >= 16);
	return (cached(c, 5));
}

/* A look at the clock, so many ms after stacks were trimmed. */
static void
look(struct cache *c, unsigned int ms)
{

	c->entry[0].count = 0;
	c->trimmed = decay_now() - ms;
	cache_tick_large(c);
}

ATF_TC(ticks);
ATF_TC_HEAD(ticks, tc)
{

	atf_tc_set_md_var(tc, "descr", "Ticks close together get rarer, those "
	    "far apart get frequent, and idle stacks shrink");
}
ATF_TC_BODY(ticks, tc)
{
	struct cache *c;
	unsigned int i, n;

	c = cache_enter();
	ATF_REQUIRE(c != NULL);
	ATF_CHECK_EQ(1, c->base);
	for (i = 0; i < 100000; i++) {
		/* However slow this machine is. */
		c->ticked = UINT64_MAX / 2;
		c->ticked = decay_now();
		cache_tick_large(c);
	}
	ATF_CHECK_MSG(c->base >= 1024, "%d", c->base);
	c->entry[0].count = 0;
	c->ticked = decay_now() - 50;
	cache_tick_large(c);
	ATF_CHECK(c->base == 1 && c->pace == 1);

	/* Not due by itself meanwhile, however long the above took. */
	c->trimmed = decay_now();
	n = come_and_go(c);
	/* It was filled since the last look: no. */
	look(c, 2000);
	ATF_CHECK_EQ(n, cached(c, 5));
	/* It was of use, but not all of it: the youngest stay. */
	ATF_CHECK_EQ(v[63], cache_malloc(c, 5));
	cache_free(c, v[63], 5);
	look(c, 2000);
	ATF_CHECK_EQ(n / 2, cached(c, 5));
	ATF_CHECK_EQ(v[63], cache_malloc(c, 5));
	cache_free(c, v[63], 5);
	look(c, 2000);
	/* It was not asked for anything. */
	ATF_CHECK_EQ(n / 4, cached(c, 5));
	look(c, 2000);
	ATF_CHECK_EQ(0, cached(c, 5));
	cache_leave();
}

ATF_TC(wanted_back);
ATF_TC_HEAD(wanted_back, tc)
{

	atf_tc_set_md_var(tc, "descr", "Where a set wants memory back its own "
	    "threads give it what they have at hand, be it in use, and no "
	    "others");
}
ATF_TC_BODY(wanted_back, tc)
{
	struct set other = { .wanting = 7 }, *own;
	struct cache *c;
	unsigned int n;

	c = cache_enter();
	ATF_REQUIRE(c != NULL);
	own = c->arena->set;
	n = come_and_go(c);
	look(c, 0);
	ATF_CHECK_EQ(n, cached(c, 5));
	own->wanting++;
	look(c, 0);
	ATF_CHECK_EQ(n / 8, cached(c, 5));
	/* Once; and who comes to serve another set is not asked for what that
	 * wanted before. */
	n = come_and_go(c);
	look(c, 0);
	ATF_CHECK_EQ(n, cached(c, 5));
	c->arena->set = &other;
	cache_serve(c, c->arena);
	look(c, 0);
	ATF_CHECK_EQ(n, cached(c, 5));
	c->arena->set = own;
	cache_leave();
}

ATF_TC(no_memory);
ATF_TC_HEAD(no_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "Without memory a request fails, and a "
	    "thread lives without a cache, or with small stacks");
}
static void *
no_cache(void *arg)
{
	void *p;

	ATF_CHECK_EQ(NULL, cache_enter());
	cache_leave();
	ATF_CHECK_EQ(CACHE_EMPTY, cache_self);
	p = take(5);
	ATF_REQUIRE(p != NULL);
	give(p, 5);
	return (arg);
}
static void *
hold_thread(void *arg)
{

	/* There is a thread already when memory ends. */
	ATF_REQUIRE(pthread_barrier_wait(arg) <= 0);
	ATF_REQUIRE(pthread_barrier_wait(arg) <= 0);
	return (no_cache(NULL));
}
ATF_TC_BODY(no_memory, tc)
{
	pthread_barrier_t barrier;
	pthread_t t;
	unsigned int i, n;

	ATF_REQUIRE_EQ(0, pthread_barrier_init(&barrier, NULL, 2));
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, hold_thread, &barrier));
	v[0] = take(5);
	ATF_REQUIRE(pthread_barrier_wait(&barrier) <= 0);
	(void)exhaust_base(BASE_CACHE, sizeof(struct cache));
	ATF_REQUIRE(pthread_barrier_wait(&barrier) <= 0);
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));

	for (n = 1; n < MAXV && (v[n] = take(SIZE_NCLASSES - 1)) != NULL; n++)
		memset(v[n], (int)n, SIZE_SMALL_MAX);
	ATF_CHECK(n < MAXV);
	ATF_CHECK_EQ(NULL, take(SIZE_NCLASSES - 1));
	for (i = 1; i < n; i++) {
		ATF_CHECK_EQ(SIZE_SMALL_MAX, all_bytes(v[i], SIZE_SMALL_MAX,
		    (unsigned char)i));
		give(v[i], SIZE_NCLASSES - 1);
	}
	ATF_CHECK(take(SIZE_NCLASSES - 1) != NULL);
	memory_again();
	give(v[0], 5);
	/* Nobody was left inside the gate. */
	cache_prefork();
	cache_postfork();
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, sentinels);
	ATF_TP_ADD_TC(tp, nesting);
	ATF_TP_ADD_TC(tp, slots);
	ATF_TP_ADD_TC(tp, budget);
	ATF_TP_ADD_TC(tp, falls_silent);
	ATF_TP_ADD_TC(tp, ends);
	ATF_TP_ADD_TC(tp, slows_down);
	ATF_TP_ADD_TC(tp, ticks);
	ATF_TP_ADD_TC(tp, wanted_back);
	ATF_TP_ADD_TC(tp, no_memory);

	return (atf_no_error());
}
