/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * limit: what is a limit, and the accounts of the hard one.
 */

#include <pthread.h>

#include "dsm_limit.h"
#include "unit_test_subr.h"

#define	HARD	MIB(64)
#define	NTHREADS 4

static size_t	held_bytes;

static size_t
held(void)
{

	return (__atomic_load_n(&held_bytes, __ATOMIC_SEQ_CST));
}

ATF_TC(parse);
ATF_TC_HEAD(parse, tc)
{

	atf_tc_set_md_var(tc, "descr", "Sizes and shares, and what is neither");
}
ATF_TC_BODY(parse, tc)
{
	static const struct {
		const char *text;
		enum limit_base base;
		size_t	 value;
	} good[] = {
		{ "0", LIMIT_BYTES, 0 },
		{ "12345", LIMIT_BYTES, 12345 },
		{ "64K", LIMIT_BYTES, 64 << 10 },
		{ "512M", LIMIT_BYTES, (size_t)512 << 20 },
		{ "3g", LIMIT_BYTES, (size_t)3 << 30 },
		{ "64T", LIMIT_BYTES, (size_t)64 << 40 },
		{ "cgroup:85%", LIMIT_CGROUP, 85 },
		{ "cgroup:1%", LIMIT_CGROUP, 1 },
		{ "physical:100%", LIMIT_PHYSICAL, 100 },
	};
	static const char *const bad[] = {
		"", "x", "-1", "M", "1.5G", "12KB", "5 M", "0x10", "85%",
		"cgroup", "cgroup:", "cgroup:85", "cgroup:%", "cgroup:5%%",
		"cgroup:0%", "cgroup:101%", "cgroup:-5%", "cgroup:512M",
		"physical:", "physical:5", "Cgroup:5%", "65T",
		"99999999999999999999", "99999999999999999T",
		"cgroup:99999999999999999999%"
	};
	struct limit l;
	size_t i;

	for (i = 0; i < nitems(good); i++) {
		ATF_CHECK_MSG(limit_parse(good[i].text, strlen(good[i].text),
		    &l) == NULL, "%s", good[i].text);
		ATF_CHECK_EQ_MSG(good[i].base, l.base, "%s", good[i].text);
		ATF_CHECK_EQ_MSG(good[i].value, l.value, "%s: %zu",
		    good[i].text, l.value);
	}
	for (i = 0; i < nitems(bad); i++)
		ATF_CHECK_MSG(limit_parse(bad[i], strlen(bad[i]), &l) != NULL,
		    "%s: %zu", bad[i], l.value);
	/* A piece of a longer text. */
	ATF_CHECK(limit_parse("12345678", 3, &l) == NULL);
	ATF_CHECK_EQ(123, l.value);
}

ATF_TC(bytes);
ATF_TC_HEAD(bytes, tc)
{

	atf_tc_set_md_var(tc, "descr", "A share is of the group's memory or "
	    "the machine's, whichever is less");
}
ATF_TC_BODY(bytes, tc)
{
	struct limit l;

	l.base = LIMIT_BYTES;
	l.value = 77;
	ATF_CHECK_EQ(77, limit_bytes(&l, 10, 20));
	l.base = LIMIT_CGROUP;
	l.value = 50;
	ATF_CHECK_EQ(500, limit_bytes(&l, 1000, 5000));
	ATF_CHECK_EQ(2500, limit_bytes(&l, SIZE_MAX, 5000));
	l.base = LIMIT_PHYSICAL;
	ATF_CHECK_EQ(2500, limit_bytes(&l, 1000, 5000));
}

ATF_TC(charges);
ATF_TC_HEAD(charges, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is charged is gone, what is "
	    "settled is back, and counting makes it right");
}
ATF_TC_BODY(charges, tc)
{
	size_t a, b;

	limit_set(0, 0, SIZE_MAX);
	ATF_CHECK(limit_charge(SIZE_MAX / 2, &a));
	ATF_CHECK_EQ(0, a);
	held_bytes = MIB(10);
	limit_set(0, HARD, SIZE_MAX);
	/* Not counted yet: nothing is to be had. */
	ATF_CHECK(!limit_charge(1, &a));
	limit_recount(held);
	ATF_CHECK(!limit_charge(MIB(54) + 1, &a));
	ATF_CHECK(limit_charge(MIB(54), &a));
	ATF_CHECK_EQ(MIB(54), a);
	ATF_CHECK(!limit_charge(1, &b));
	/* Counting does not forget what is in flight. */
	limit_recount(held);
	ATF_CHECK(!limit_charge(1, &b));
	/* A part of it was needed. */
	held_bytes += MIB(4);
	limit_settle(a, MIB(4));
	ATF_CHECK(!limit_charge(MIB(50) + 1, &b));
	ATF_CHECK(limit_charge(MIB(50), &b));
	limit_settle(b, 0);
	/* More went back than anyone said. */
	held_bytes = MIB(1);
	limit_recount(held);
	ATF_CHECK(limit_charge(MIB(63), &b));
	limit_settle(b, 0);
	/* Below what is held. */
	held_bytes = MIB(80);
	limit_recount(held);
	ATF_CHECK(!limit_charge(1, &b));
	/* A charge of before is settled when there is no limit any more. */
	held_bytes = 0;
	limit_recount(held);
	ATF_CHECK(limit_charge(MIB(1), &a));
	limit_set(0, 0, SIZE_MAX);
	limit_settle(a, MIB(1));
	limit_set(0, HARD, SIZE_MAX);
	held_bytes = MIB(1);
	limit_recount(held);
	ATF_CHECK(limit_charge(MIB(63), &a));
	limit_settle(a, 0);
}

static int	go, stop;

/* The threads are made while the allocator that they need has no limit. */
static void
wait_go(void)
{

	while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
		usleep(1000);
}

/* Take and give back, and see that the limit holds all the time. */
static void *
worker(void *arg)
{
	size_t charged, n, over = 0, seed = (size_t)(uintptr_t)arg;
	unsigned int i;

	wait_go();
	for (i = 0; i < 300000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		n = (seed >> 40) % MIB(20) + 1;
		if (!limit_charge(n, &charged))
			continue;
		if (__atomic_add_fetch(&held_bytes, n, __ATOMIC_SEQ_CST) >
		    HARD)
			over++;
		limit_settle(charged, n);
		(void)__atomic_fetch_sub(&held_bytes, n, __ATOMIC_SEQ_CST);
		if (i % 3 == 0)
			limit_recount(held);
	}
	return ((void *)over);
}

static void *
counter(void *arg)
{

	wait_go();
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		limit_recount(held);
	return (arg);
}

ATF_TC(threads);
ATF_TC_HEAD(threads, tc)
{

	atf_tc_set_md_var(tc, "descr", "No charge is lost while others count");
}
ATF_TC_BODY(threads, tc)
{
	pthread_t c, t[NTHREADS];
	size_t charged;
	unsigned int i;
	void *over;

	ATF_REQUIRE_EQ(0, pthread_create(&c, NULL, counter, NULL));
	for (i = 0; i < NTHREADS; i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, worker,
		    (void *)(uintptr_t)(i + 1)));
	held_bytes = 0;
	limit_set(0, HARD, SIZE_MAX);
	limit_recount(held);
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	for (i = 0; i < NTHREADS; i++) {
		ATF_REQUIRE_EQ(0, pthread_join(t[i], &over));
		ATF_CHECK_EQ_MSG(NULL, over, "%zu times beyond the limit",
		    (size_t)(uintptr_t)over);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	ATF_REQUIRE_EQ(0, pthread_join(c, NULL));
	limit_recount(held);
	ATF_CHECK(limit_charge(HARD, &charged));
	limit_settle(charged, 0);
	limit_set(0, 0, SIZE_MAX);
}

ATF_TC(growth);
ATF_TC_HEAD(growth, tc)
{

	atf_tc_set_md_var(tc, "descr", "Growth raises the flag near the soft "
	    "limit, and when the control group is to be looked at");
}
ATF_TC_BODY(growth, tc)
{

	limit_pending = 0;
	limit_grown(MIB(60), 1000);
	ATF_CHECK_EQ(0, limit_pending);
	limit_set(MIB(64), 0, SIZE_MAX);
	limit_grown(MIB(60), 1000);
	ATF_CHECK_EQ(0, limit_pending);
	limit_tight = 1;
	limit_grown(MIB(60) + 1, 1000);
	ATF_CHECK_EQ(1, limit_pending);
	ATF_CHECK_EQ(1, limit_tight);
	limit_pending = 0;
	limit_grown(MIB(60), 1000);
	ATF_CHECK_EQ(0, limit_tight);
	limit_set(0, 0, SIZE_MAX);
	ATF_CHECK(!limit_look_due(1000000));
	limit_grown(LIMIT_LOOK_MIN, 2000);
	ATF_CHECK_EQ(1, limit_pending);
	ATF_CHECK(limit_look_due(2000));
	ATF_CHECK(!limit_look_due(2000 + LIMIT_LOOK_MS - 1));
	limit_pending = 0;
	limit_grown(LIMIT_LOOK_MIN, 2000 + LIMIT_LOOK_MS - 1);
	ATF_CHECK_EQ(0, limit_pending);
	limit_grown(1, 2000 + LIMIT_LOOK_MS);
	ATF_CHECK_EQ(1, limit_pending);
	ATF_CHECK(limit_look_due(2000 + LIMIT_LOOK_MS));
	limit_pending = 0;
}

ATF_TC(wall);
ATF_TC_HEAD(wall, tc)
{

	atf_tc_set_md_var(tc, "descr", "Where the system refused memory an "
	    "eighth may lie unused, until more is held again");
}
ATF_TC_BODY(wall, tc)
{

	limit_set(0, 0, SIZE_MAX);
	ATF_CHECK_EQ(SIZE_MAX, limit_unused());
	limit_refused(MIB(48));
	ATF_CHECK_EQ(MIB(6), limit_unused());
	limit_set(0, 0, MIB(5));
	ATF_CHECK_EQ(MIB(5), limit_unused());
	limit_set(0, 0, MIB(7));
	ATF_CHECK_EQ(MIB(6), limit_unused());
	limit_grown(MIB(48), 1000);
	ATF_CHECK_EQ(MIB(6), limit_unused());
	limit_grown(MIB(48) + 1, 1000);
	ATF_CHECK_EQ(MIB(7), limit_unused());
	limit_set(0, 0, SIZE_MAX);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, parse);
	ATF_TP_ADD_TC(tp, bytes);
	ATF_TP_ADD_TC(tp, charges);
	ATF_TP_ADD_TC(tp, threads);
	ATF_TP_ADD_TC(tp, growth);
	ATF_TP_ADD_TC(tp, wall);

	return (atf_no_error());
}
