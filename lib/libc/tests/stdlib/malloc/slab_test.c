/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * slab: slots and their two bitmaps, of every class and on all pages.
 */

#include "dsm_map.h"
#include "dsm_slab.h"
#include "unit_test_subr.h"

#define	TAG	480
#define	MAXSLOTS 8192

static struct fake	fake;
static struct pool	pool;
static struct regions	regions;
static struct bin	*const owner = (struct bin *)(void *)&fake;
static void	*v[MAXSLOTS];

static void
setup(void)
{

	fake_init(&fake);
	fresh_regions(&regions, &pool, &fake.hooks, IND);
}

static struct slab *
open_slab(unsigned int class)
{
	struct slab *s;

	s = slab_open(&regions, owner, class, TAG);
	ATF_REQUIRE(s != NULL);
	ATF_REQUIRE(slab_valid(s) && slab_nfree(s) == s->nslots);
	return (s);
}

/* for (FOREACH_SLAB(shift, class)): every class on every page size. */
#define	FOREACH_SLAB(shift, class)					\
	(shift) = 12, (class) = 0;					\
	(class) = (class) % (SIZE_NCLASSES - 1) + 1,			\
	    (class) == 1 ? set_page(shift), setup() : (void)0,		\
	    (shift) <= 16;						\
	(shift) += (class) == SIZE_NCLASSES - 1 ? 2 : 0

ATF_TC(slots);
ATF_TC_HEAD(slots, tc)
{

	atf_tc_set_md_var(tc, "descr", "All slots can be had, lowest first, "
	    "all are found by the map, and the empty slab leaves no trace");
}
ATF_TC_BODY(slots, tc)
{
	struct slab *s;
	size_t off;
	unsigned int c, half, i, n, shift;

	for (FOREACH_SLAB(shift, c)) {
		s = open_slab(c);
		n = s->nslots;
		ATF_CHECK_EQ(slab_geom[c].nslots, n);
		ATF_CHECK_EQ(size_info[c].size, s->span.usable);
		half = slab_take(s, v, n / 2);
		ATF_REQUIRE_EQ(n / 2, half);
		ATF_REQUIRE_EQ(n - half, slab_take(s, v + half, MAXSLOTS));
		ATF_REQUIRE_EQ(0, slab_take(s, v, 1));
		ATF_CHECK(slab_valid(s) && slab_nfree(s) == 0);
		for (i = 0; i < n; i++)
			ATF_REQUIRE_EQ(s->span.addr + i * s->size, v[i]);
		for (off = 0; off < s->span.size; off += MAP_GRANULE)
			ATF_REQUIRE(map_span(map_find(s->span.addr + off)) ==
			    s && map_tag(map_find(s->span.addr + off)) == TAG);
		/* Back, the last ones first: a run ends where another's
		 * slots begin. */
		ATF_REQUIRE_EQ(n, slab_put(s, v, half, n));
		ATF_CHECK(slab_valid(s) && slab_nfree(s) == n - half);
		v[half] = &fake;
		ATF_REQUIRE_EQ(half, slab_put(s, v, 0, half + 1));
		ATF_CHECK(slab_valid(s) && slab_nfree(s) == n);
		off = s->span.size;
		v[0] = s->span.addr;
		slab_close(s, 1);
		ATF_CHECK_EQ(0, map_find(v[0]));
		ATF_CHECK_EQ(0, map_find((char *)v[0] + off - 1));
		ATF_CHECK_EQ(0, regions.used);
		ATF_CHECK_EQ(off / os_page, regions.dirty +
		    pool.held[PAGES_DIRTY] / os_page);
		setup();
	}
	set_page(12);
}

ATF_TC(lowest);
ATF_TC_HEAD(lowest, tc)
{

	atf_tc_set_md_var(tc, "descr", "What was freed is taken again from the "
	    "lowest address on, in whatever order it was freed");
}
ATF_TC_BODY(lowest, tc)
{
	struct slab *s;
	char *last, *p;
	unsigned int i, k, n;

	setup();
	s = open_slab(2);
	n = slab_take(s, v, MAXSLOTS);
	for (k = 1; k < 40; k += 7) {
		for (i = 0; i < n; i += k)
			ATF_REQUIRE_EQ(1, slab_put(s, v + (n - 1 - i), 0, 1));
		last = NULL;
		for (i = 0; i < n; i += k) {
			ATF_REQUIRE_EQ(1, slab_take(s, (void **)(void *)&p,
			    1));
			ATF_REQUIRE(p > last);
			last = p;
		}
		ATF_REQUIRE_EQ(0, slab_nfree(s));
	}
}

ATF_TC(remote);
ATF_TC_HEAD(remote, tc)
{

	atf_tc_set_md_var(tc, "descr", "Remote frees wait in their bitmap, "
	    "announced once, until they are collected");
}
ATF_TC_BODY(remote, tc)
{
	struct slab *s;
	unsigned int c, half, n, shift;
	bool push;

	for (FOREACH_SLAB(shift, c)) {
		s = open_slab(c);
		n = slab_take(s, v, MAXSLOTS);
		half = n / 2;
		ATF_REQUIRE_EQ(half, slab_put_remote(s, v, 0, half, &push));
		ATF_CHECK(push);
		ATF_CHECK_EQ((half + 63) / 64, slab_far(s)->arrived);
		ATF_CHECK_EQ(0, slab_nfree(s));
		/* The inbox has it: no second announcement. */
		ATF_REQUIRE_EQ(n, slab_put_remote(s, v, half, n, &push));
		ATF_CHECK(!push);
		ATF_CHECK_EQ(n, slab_collect(s));
		ATF_CHECK(slab_valid(s) && slab_nfree(s) == n && s->owed == 0);
		ATF_CHECK_EQ(0, slab_far(s)->arrived);
		ATF_CHECK_EQ(0, slab_collect(s));
		ATF_CHECK_EQ(0, s->owed);
		ATF_CHECK_EQ(n, slab_take(s, v, MAXSLOTS));
		/* A run ends at a slot of another slab. */
		v[1] = &fake;
		ATF_CHECK_EQ(1, slab_put_remote(s, v, 0, n, &push));
		ATF_CHECK(push);
		ATF_CHECK_EQ(1, slab_collect(s));
		setup();
	}
	set_page(12);
}

ATF_TC(owed);
ATF_TC_HEAD(owed, tc)
{

	atf_tc_set_md_var(tc, "descr", "A word that is seen before its freer "
	    "has announced it is owed, until the announcement comes");
}
ATF_TC_BODY(owed, tc)
{
	struct slab *s;
	bool push;

	setup();
	s = open_slab(2);
	(void)slab_take(s, v, MAXSLOTS);
	/* A freer has set its bit and stands before its announcement. */
	slab_remote(s)[1] = 1;
	ATF_CHECK_EQ(1, slab_collect(s));
	ATF_CHECK_EQ(1, s->owed);
	(void)slab_put_remote(s, v, 0, 3, &push);
	ATF_CHECK_EQ(3, slab_collect(s));
	ATF_CHECK_EQ(1, s->owed);
	/* There it is. */
	(void)__atomic_fetch_add(&slab_far(s)->arrived, 1, __ATOMIC_RELEASE);
	ATF_CHECK_EQ(0, slab_collect(s));
	ATF_CHECK_EQ(0, s->owed);
}

/* The ways to free what is not there to be freed. */
static struct slab *victim;

static void
put_twice(void *arg)
{

	(void)arg;
	(void)slab_put(victim, v, 3, 4);
	(void)slab_put(victim, v, 2, 5);
}

static void
put_repeated(void *arg)
{

	(void)arg;
	v[4] = v[3];
	(void)slab_put(victim, v, 3, 5);
}

static void
put_inside(void *arg)
{

	v[3] = (char *)v[3] + (uintptr_t)arg;
	(void)slab_put(victim, v, 3, 4);
}

static void
remote_twice(void *arg)
{
	bool push;

	(void)arg;
	(void)slab_put_remote(victim, v, 3, 4, &push);
	(void)slab_put_remote(victim, v, 2, 5, &push);
}

static void
remote_repeated(void *arg)
{
	bool push;

	(void)arg;
	v[5] = v[3];
	(void)slab_put_remote(victim, v, 3, 6, &push);
}

static void
remote_inside(void *arg)
{
	bool push;

	v[3] = (char *)v[3] + (uintptr_t)arg;
	(void)slab_put_remote(victim, v, 3, 4, &push);
}

/* Noticed by whoever brings it in. */
static void
remote_behind(void *arg)
{

	remote_inside(arg);
	(void)slab_collect(victim);
}

static void
own_and_remote(void *arg)
{
	bool push;

	(void)arg;
	(void)slab_put(victim, v, 3, 4);
	(void)slab_put_remote(victim, v, 3, 4, &push);
	(void)slab_collect(victim);
}

ATF_TC(misuse);
ATF_TC_HEAD(misuse, tc)
{

	atf_tc_set_md_var(tc, "descr", "A double free is found by whichever "
	    "two ways it comes, and so is the inside of a slot");
}
ATF_TC_BODY(misuse, tc)
{
	static void (*const ways[])(void *) = { put_twice, put_repeated,
	    remote_twice, remote_repeated, own_and_remote };
	static const unsigned int classes[] = { 1, 2, 4, 9, 25,
	    SIZE_NCLASSES - 1 };
	char word[64];
	uintptr_t tail;
	unsigned int i, j;

	setup();
	for (i = 0; i < nitems(classes); i++) {
		victim = open_slab(classes[i]);
		(void)slab_take(victim, v, MAXSLOTS);
		(void)snprintf(word, sizeof(word), "free(%p): ", v[3]);
		for (j = 0; j < nitems(ways); j++)
			expect_death(ways[j], NULL, word, "double free");
		(void)snprintf(word, sizeof(word), "1 bytes into one of %u at "
		    "%p", victim->size, v[3]);
		expect_death(put_inside, (void *)1, word, "");
		expect_death(remote_inside, (void *)1, word, "");
		/* The tail holds no slot, though one might start there. */
		tail = (uintptr_t)victim->span.addr + (size_t)victim->nslots *
		    victim->size - (uintptr_t)v[3];
		if (victim->span.size == (size_t)victim->nslots *
		    victim->size)
			continue;
		expect_death(put_inside, (void *)tail, "behind the last", "");
		expect_death(put_inside, (void *)(tail + 1),
		    "not the start of a block", "");
		expect_death(remote_behind, (void *)tail, "behind the last",
		    "");
	}
}

ATF_TC(free_pages);
ATF_TC_HEAD(free_pages, tc)
{

	atf_tc_set_md_var(tc, "descr", "The pages that only free slots are on, "
	    "each once, and no other");
}
ATF_TC_BODY(free_pages, tc)
{
	struct os_range r;
	struct slab *s;
	size_t bytes, want;
	uintptr_t p;
	unsigned int at, c, i, j, k, n, shift;

	for (FOREACH_SLAB(shift, c))
		for (k = 2; k <= 512; k *= 4) {
			setup();
			s = open_slab(c);
			n = slab_take(s, v, MAXSLOTS);
			/* Every k-th slot stays. */
			for (i = 0; i < n; i++)
				if (i % k != 0)
					(void)slab_put(s, v, i, i + 1);
			memset(s->span.addr, 0, s->span.size);
			for (i = 0; i < n; i += k)
				memset(v[i], 1, s->size);
			want = 0;
			for (p = 0; p < s->span.size; p += os_page)
				if (all_bytes(s->span.addr + p, os_page, 0) ==
				    os_page)
					want += os_page;
			/* The unused tail is no slot's. */
			if (s->span.size - (size_t)n * s->size >= os_page)
				want = ROUND_DOWN(want, os_page);
			bytes = 0;
			for (at = 0, j = 0; slab_free_pages(s, &at, &r); j++) {
				ATF_REQUIRE_EQ(0, (uintptr_t)r.addr % os_page +
				    r.len % os_page);
				ATF_REQUIRE_EQ(r.len, all_bytes(r.addr, r.len,
				    0));
				bytes += r.len;
			}
			/* A page with the tail on it may be kept. */
			ATF_CHECK_MSG(bytes == want || bytes + os_page == want,
			    "%u bytes, %zu of %zu", s->size, bytes, want);
		}
	set_page(12);
}

ATF_TC(no_memory);
ATF_TC_HEAD(no_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "NULL without memory for the slab or "
	    "its descriptor, and nothing is lost");
}
ATF_TC_BODY(no_memory, tc)
{
	struct slab *s;
	size_t before;

	setup();
	fake.max = 0;
	/* The first makes its type's chunk. */
	ATF_CHECK_EQ(NULL, slab_open(&regions, owner, 1, TAG));
	before = base_bytes();
	ATF_CHECK_EQ(NULL, slab_open(&regions, owner, 1, TAG));
	ATF_CHECK_EQ(before, base_bytes());
	fake.max = SIZE_MAX;
	s = open_slab(1);
	/* 8192 slots: 128 words in each bitmap. */
	(void)exhaust_base(BASE_SLAB + 5, (size_t)35 * DSM_CACHELINE);
	before = regions.used;
	ATF_CHECK_EQ(NULL, slab_open(&regions, owner, 1, TAG));
	ATF_CHECK_EQ(before, regions.used);
	slab_close(s, 1);
	s = open_slab(1);
	memory_again();
	(void)open_slab(1);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, slots);
	ATF_TP_ADD_TC(tp, lowest);
	ATF_TP_ADD_TC(tp, remote);
	ATF_TP_ADD_TC(tp, owed);
	ATF_TP_ADD_TC(tp, misuse);
	ATF_TP_ADD_TC(tp, free_pages);
	ATF_TP_ADD_TC(tp, no_memory);

	return (atf_no_error());
}
