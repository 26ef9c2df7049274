/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * decay: what is due when.
 */

#include <pthread.h>
#include <time.h>

#include "dsm_decay.h"
#include "unit_test_subr.h"

#define	NOW	((uint64_t)1000000)

static int	stop;

ATF_TC(deadlines);
ATF_TC_HEAD(deadlines, tc)
{

	atf_tc_set_md_var(tc, "descr", "A visit is due a step after the first "
	    "dirt, not later for more of it");
}
ATF_TC_BODY(deadlines, tc)
{
	static const struct {
		int64_t	 ms;
		uint64_t due;
	} times[] = {
		{ 10000, NOW + 10000 / DECAY_ROUNDS / DECAY_STEPS },
		{ 1, NOW + 1 },
		{ 0, NOW + DECAY_LEFT },
		{ -1, DECAY_NEVER },
	};
	struct decay d;
	unsigned int i;

	for (i = 0; i < nitems(times); i++) {
		decay_scan();
		decay_init(&d, times[i].ms);
		ATF_CHECK(!decay_begin(&d, DECAY_NEVER - 1));
		ATF_CHECK_EQ(DECAY_NEVER, decay_deadline);
		decay_arm(&d, NOW);
		ATF_CHECK_EQ(times[i].due, d.next);
		ATF_CHECK_EQ(times[i].due, decay_deadline);
		decay_arm(&d, NOW + 5);
		decay_arm(&d, NOW - 5);
		ATF_CHECK_EQ(times[i].due, d.next);
	}
}

#define	STEP	(64000 / DECAY_ROUNDS / DECAY_STEPS)

ATF_TC(visits);
ATF_TC_HEAD(visits, tc)
{

	atf_tc_set_md_var(tc, "descr", "A visit begins when due, once, and "
	    "ends with a new deadline if there is dirt left, a near one if it "
	    "had no time for all");
}
ATF_TC_BODY(visits, tc)
{
	struct decay d;

	decay_init(&d, 64000);
	decay_arm(&d, NOW);
	ATF_CHECK(!decay_begin(&d, NOW + STEP - 1));
	ATF_CHECK(decay_begin(&d, NOW + STEP));
	/* It is on: nobody else begins, also when it is due again. */
	ATF_CHECK(!decay_begin(&d, NOW + STEP));
	decay_arm(&d, NOW + STEP);
	ATF_CHECK(!decay_begin(&d, NOW + 3 * STEP));
	ATF_CHECK(!decay_enter(&d, NOW + 3 * STEP));
	decay_end(&d, true, false, NOW + STEP + 10);
	/* Armed meanwhile, that counts. */
	ATF_CHECK_EQ(NOW + 2 * STEP, d.next);
	ATF_CHECK(decay_begin(&d, NOW + 2 * STEP));
	decay_end(&d, true, false, NOW + 2 * STEP + 10);
	ATF_CHECK_EQ(NOW + 3 * STEP + 10, d.next);
	ATF_CHECK(decay_begin(&d, NOW + 4 * STEP));
	decay_end(&d, true, true, NOW + 4 * STEP);
	ATF_CHECK_EQ(NOW + 4 * STEP + DECAY_SOON, d.next);
	ATF_CHECK_EQ(NOW, d.start);
	ATF_CHECK(decay_enter(&d, NOW + 4 * STEP));
	decay_end(&d, false, false, NOW + 4 * STEP);
	ATF_CHECK_EQ(DECAY_NEVER, d.next);
	ATF_CHECK_EQ(0, d.start);
}

ATF_TC(rounds);
ATF_TC_HEAD(rounds, tc)
{

	atf_tc_set_md_var(tc, "descr", "A round goes as far as the time, and "
	    "the next begins where it should have ended");
}
ATF_TC_BODY(rounds, tc)
{
	struct decay d;

	decay_init(&d, 2 * DECAY_PARTS);
	ATF_CHECK_EQ(DECAY_PARTS, decay_round(&d));
	decay_arm(&d, NOW);
	ATF_CHECK_EQ(0, decay_part(&d, NOW));
	ATF_CHECK_EQ(0, decay_part(&d, NOW - 1));
	ATF_CHECK_EQ(300, decay_part(&d, NOW + 300));
	ATF_CHECK_EQ(DECAY_PARTS, decay_part(&d, NOW + DECAY_PARTS));
	ATF_CHECK_EQ(DECAY_PARTS, decay_part(&d, NOW + 10 * DECAY_PARTS));
	decay_turn(&d, NOW + DECAY_PARTS + 100);
	ATF_CHECK_EQ(100, decay_part(&d, NOW + DECAY_PARTS + 100));
	/* It may begin anew for as long as a round, counted from its start. */
	ATF_CHECK(decay_renew(&d, NOW + DECAY_PARTS + 700));
	ATF_CHECK_EQ(0, decay_part(&d, NOW + DECAY_PARTS + 700));
	ATF_CHECK(!decay_renew(&d, NOW + 2 * DECAY_PARTS));
	ATF_CHECK_EQ(300, decay_part(&d, NOW + 2 * DECAY_PARTS - 24));
	/* After a long silence it begins anew. */
	decay_turn(&d, NOW + 4 * DECAY_PARTS);
	ATF_CHECK_EQ(0, decay_part(&d, NOW + 4 * DECAY_PARTS));
	decay_set(&d, 0, NOW);
	ATF_CHECK_EQ(DECAY_PARTS, decay_part(&d, NOW));
}

/* Of a time so long that the test's own does not count. */
#define	AGES	UINT64_C(500000000)		/* ms */

ATF_TC(budgets);
ATF_TC_HEAD(budgets, tc)
{

	atf_tc_set_md_var(tc, "descr", "A visit may last 100 us, or a 500th of "
	    "the time since the last; who must pay, pays");
}
ATF_TC_BODY(budgets, tc)
{
	struct budget b;
	struct decay d;
	uint64_t start;

	decay_init(&d, 10);
	decay_arm(&d, NOW);
	start = os_time_ns();
	b = decay_budget(&d, NOW + 10, DECAY_VISIT_NS);
	ATF_CHECK(b.until >= start + DECAY_VISIT_NS);
	ATF_CHECK(b.until <= os_time_ns() + DECAY_VISIT_NS);
	start = os_time_ns();
	b = decay_budget(&d, NOW + AGES, DECAY_VISIT_NS);
	ATF_CHECK(b.until >= start + AGES * 2000);
	ATF_CHECK(b.until <= os_time_ns() + AGES * 2000);
	ATF_CHECK(budget_left(&b) && !b.more);
	ATF_CHECK_EQ(BUDGET_BATCH, budget_batch(&b));

	b.until = os_time_ns();
	ATF_CHECK_MSG(budget_left(&b), "no batch at all");
	b.least = 0;
	ATF_CHECK(!budget_left(&b) && b.more);
	b.more = false;
	b.least = 4096;
	ATF_CHECK(budget_left(&b) && !b.more);
	ATF_CHECK_EQ(UINT64_MAX, budget_until(&b));
	b.bytes = 4096;
	ATF_CHECK(!budget_left(&b) && b.more);
	ATF_CHECK_EQ(b.until, budget_until(&b));
	b.until = UINT64_MAX;
	b.most = 8192;
	ATF_CHECK(budget_left(&b));
	ATF_CHECK_EQ(4096, budget_batch(&b));
	b.bytes = 8192;
	b.more = false;
	ATF_CHECK(!budget_left(&b) && !b.more);
}

ATF_TC(changes);
ATF_TC_HEAD(changes, tc)
{

	atf_tc_set_md_var(tc, "descr", "A new time counts from when it is set");
}
ATF_TC_BODY(changes, tc)
{
	struct decay d;

	decay_scan();
	decay_init(&d, 1000000);
	decay_arm(&d, NOW);
	decay_set(&d, 64, NOW + 1);
	ATF_CHECK_EQ(NOW + 1 + 1, d.next);
	ATF_CHECK_EQ(NOW + 1 + 1, decay_deadline);
	decay_set(&d, 64000, NOW + 2);
	ATF_CHECK_EQ(NOW + 2 + STEP, d.next);
	ATF_CHECK_EQ(NOW + 2, d.start);
	decay_set(&d, -1, NOW + 3);
	ATF_CHECK_EQ(DECAY_NEVER, d.next);
	ATF_CHECK(!decay_enter(&d, NOW + 3));
	decay_set(&d, 0, NOW + 4);
	ATF_CHECK_EQ(NOW + 4, d.next);
	ATF_CHECK(decay_begin(&d, NOW + 4));
}

static void *
lower(void *arg)
{
	uint64_t i, me;

	me = (uint64_t)(uintptr_t)arg;
	for (i = 100000; i > 0; i--)
		decay_lower(i * 4 + me);
	return (NULL);
}

ATF_TC(meanwhile);
ATF_TC_HEAD(meanwhile, tc)
{

	atf_tc_set_md_var(tc, "descr", "A shorter time is in force at once, "
	    "whoever arms it by the longer one at that moment");
}
static void *
arm(void *arg)
{

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		decay_arm(arg, NOW);
	return (NULL);
}
ATF_TC_BODY(meanwhile, tc)
{
	static struct decay d;
	unsigned int i, late = 0, pause;
	pthread_t t;

	decay_init(&d, 64);
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, arm, &d));
	for (i = 0; i < 2000000; i++) {
		decay_set(&d, 3600000, NOW);
		/* A visit has begun, and ends in no time. */
		__atomic_store_n(&d.next, DECAY_NEVER, __ATOMIC_SEQ_CST);
		for (pause = i % 100; pause > 0; pause--)
			(void)hide(pause);
		decay_set(&d, 64, NOW);
		late += decay_next(&d) != NOW + 1;
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
	ATF_CHECK_MSG(late == 0, "%u", late);
}

ATF_TC(the_word);
ATF_TC_HEAD(the_word, tc)
{

	atf_tc_set_md_var(tc, "descr", "The earliest deadline is only ever "
	    "lowered, by whomever");
}
ATF_TC_BODY(the_word, tc)
{
	pthread_t t[4];
	uintptr_t i;

	decay_scan();
	ATF_CHECK_EQ(DECAY_NEVER, decay_deadline);
	decay_lower(NOW);
	decay_lower(NOW + 1);
	ATF_CHECK_EQ(NOW, decay_deadline);
	decay_lower(NOW - 1);
	ATF_CHECK_EQ(NOW - 1, decay_deadline);
	decay_scan();
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, lower,
		    (void *)i));
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
	ATF_CHECK_EQ(4, decay_deadline);
}

ATF_TC(the_clock);
ATF_TC_HEAD(the_clock, tc)
{

	atf_tc_set_md_var(tc, "descr", "The clock counts milliseconds, and "
	    "what was read is remembered");
}
ATF_TC_BODY(the_clock, tc)
{
	struct timespec start, end;
	uint64_t a, b;
	int64_t ms;

	ATF_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
	a = decay_now();
	ATF_CHECK_EQ(a, decay_clock);
	usleep(100000);
	ATF_CHECK_EQ(a, decay_clock);
	b = decay_now();
	ATF_CHECK_EQ(b, decay_clock);
	ATF_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
	ms = (end.tv_sec - start.tv_sec) * 1000 +
	    (end.tv_nsec - start.tv_nsec) / 1000000;
	/* It may be coarse, and this thread may have been put aside. */
	ATF_CHECK_MSG(b - a >= 80 && b - a <= (uint64_t)ms + 20, "%ju of %jd "
	    "ms", (uintmax_t)(b - a), (intmax_t)ms);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, deadlines);
	ATF_TP_ADD_TC(tp, visits);
	ATF_TP_ADD_TC(tp, rounds);
	ATF_TP_ADD_TC(tp, budgets);
	ATF_TP_ADD_TC(tp, changes);
	ATF_TP_ADD_TC(tp, meanwhile);
	ATF_TP_ADD_TC(tp, the_word);
	ATF_TP_ADD_TC(tp, the_clock);

	return (atf_no_error());
}
