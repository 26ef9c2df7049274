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

ATF_TC(deadlines);
ATF_TC_HEAD(deadlines, tc)
{

	atf_tc_set_md_var(tc, "descr", "A pass is due a part of the decay time "
	    "after the first dirt, not later for more of it");
}
ATF_TC_BODY(deadlines, tc)
{
	static const struct {
		int64_t	 ms;
		uint64_t due;
	} times[] = {
		{ 10000, NOW + 10000 / DECAY_PASSES },
		{ 1, NOW + 1 / DECAY_PASSES },
		{ 0, NOW },
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

ATF_TC(passes);
ATF_TC_HEAD(passes, tc)
{

	atf_tc_set_md_var(tc, "descr", "A pass begins when due, once, and ends "
	    "with a new deadline if there is dirt left");
}
ATF_TC_BODY(passes, tc)
{
	struct decay d;

	decay_init(&d, 100);
	decay_arm(&d, NOW);
	ATF_CHECK(!decay_begin(&d, NOW + 49));
	ATF_CHECK(decay_begin(&d, NOW + 50));
	/* It runs: nobody else begins, also when it is due again. */
	ATF_CHECK(!decay_begin(&d, NOW + 50));
	decay_arm(&d, NOW + 50);
	ATF_CHECK(!decay_begin(&d, NOW + 1000));
	decay_end(&d, true, NOW + 60);
	ATF_CHECK_EQ(NOW + 100, d.next);
	ATF_CHECK(decay_begin(&d, NOW + 100));
	decay_end(&d, true, NOW + 110);
	ATF_CHECK_EQ(NOW + 160, d.next);
	ATF_CHECK(decay_begin(&d, NOW + 1000));
	decay_end(&d, false, NOW + 1000);
	ATF_CHECK_EQ(DECAY_NEVER, d.next);
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
	decay_init(&d, 10000);
	decay_arm(&d, NOW);
	decay_set(&d, 10, NOW + 1);
	ATF_CHECK_EQ(NOW + 1 + 5, d.next);
	ATF_CHECK_EQ(NOW + 1 + 5, decay_deadline);
	decay_set(&d, 20000, NOW + 2);
	ATF_CHECK_EQ(NOW + 2 + 10000, d.next);
	decay_set(&d, -1, NOW + 3);
	ATF_CHECK_EQ(DECAY_NEVER, d.next);
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
	ATF_TP_ADD_TC(tp, passes);
	ATF_TP_ADD_TC(tp, changes);
	ATF_TP_ADD_TC(tp, the_word);
	ATF_TP_ADD_TC(tp, the_clock);

	return (atf_no_error());
}
