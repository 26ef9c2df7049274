/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * lock: exclusion, sleeping, and the order that debug builds watch.
 */

#include <pthread.h>
#include <time.h>

#include "dsm_lock.h"
#include "unit_test_subr.h"

#define	NTHREADS	4
#define	NROUNDS		20000

static struct lock lock = LOCK_INITIALIZER(LOCK_BIN);
static unsigned long count;

static void *
count_up(void *arg)
{
	unsigned long n;
	unsigned int i;

	for (i = 0; i < NROUNDS; i++) {
		lock_take(&lock);
		n = count;
		/* So long that others give up spinning, now and then. */
		if (i % 2000 == 0)
			usleep(1000);
		count = n + 1;
		lock_drop(&lock);
	}
	return (arg);
}

ATF_TC(exclusion);
ATF_TC_HEAD(exclusion, tc)
{

	atf_tc_set_md_var(tc, "descr", "One thread at a time, and nobody "
	    "sleeps for ever");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(exclusion, tc)
{
	pthread_t t[NTHREADS];
	unsigned int i;

	for (i = 0; i < NTHREADS; i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, count_up, NULL));
	for (i = 0; i < NTHREADS; i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
	ATF_CHECK_EQ(NTHREADS * NROUNDS, count);
	ATF_CHECK_EQ(0, lock.word);
}

/* How much CPU time waiting for the lock cost, in ns. */
static void *
wait_for_lock(void *arg)
{
	struct timespec a, b;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	lock_take(&lock);
	lock_drop(&lock);
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	*(long *)arg = (long)(b.tv_sec - a.tv_sec) * 1000000000 +
	    b.tv_nsec - a.tv_nsec;
	return (NULL);
}

ATF_TC(sleeping);
ATF_TC_HEAD(sleeping, tc)
{

	atf_tc_set_md_var(tc, "descr", "Who waits long sleeps, says so in the "
	    "word, and is woken");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(sleeping, tc)
{
	pthread_t t[2];
	long used[2];
	unsigned int i;

	lock_take(&lock);
	ATF_CHECK_EQ(1, load_rlx(&lock.word));
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, wait_for_lock,
		    &used[i]));
	/* However long it takes until one runs and gives up spinning. */
	while (load_rlx(&lock.word) != 2)
		usleep(1000);
	usleep(300000);
	lock_drop(&lock);
	for (i = 0; i < nitems(t); i++) {
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
		ATF_CHECK_MSG(used[i] < 100000000, "waiting took %ld ns of "
		    "CPU", used[i]);
	}
}

static void *
try_once(void *arg)
{
	bool *got;

	got = arg;
	*got = lock_try(&lock);
	if (*got)
		lock_drop(&lock);
	return (NULL);
}

ATF_TC(try);
ATF_TC_HEAD(try, tc)
{

	atf_tc_set_md_var(tc, "descr", "lock_try takes a free lock only");
}
ATF_TC_BODY(try, tc)
{
	pthread_t t;
	bool got;

	ATF_CHECK(lock_try(&lock));
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, try_once, &got));
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
	ATF_CHECK(!got);
	lock_drop(&lock);
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, try_once, &got));
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
	ATF_CHECK(got);
}

#ifdef DSM_DEBUG
static void
wrong_order(void *arg)
{
	struct lock high, low;

	lock_init(&low, LOCK_BIN);
	lock_init(&high, *(enum lock_rank *)arg);
	lock_take(&high);
	lock_take(&low);
}

static void
drop_free(void *arg)
{

	lock_drop(arg);
}
#endif

ATF_TC(order);
ATF_TC_HEAD(order, tc)
{

	atf_tc_set_md_var(tc, "descr", "A debug build aborts when locks are "
	    "taken out of order, or dropped by who has them not");
}
ATF_TC_BODY(order, tc)
{
#ifdef DSM_DEBUG
	static enum lock_rank same = LOCK_BIN, lower = LOCK_REGION;
	struct lock high, low;

	lock_init(&low, LOCK_BIN);
	lock_init(&high, LOCK_REGION);
	expect_death(wrong_order, &lower, "Failed assertion", "rank");
	expect_death(wrong_order, &same, "Failed assertion", "rank");
	expect_death(drop_free, &low, "Failed assertion", "");

	/* In order, and dropped in any. */
	lock_take(&low);
	lock_take(&high);
	ATF_CHECK(lock_held(&low) && lock_held(&high));
	lock_drop(&low);
	ATF_CHECK(!lock_held(&low) && lock_held(&high));
	/* Trying may be out of order: it never waits. */
	ATF_CHECK(lock_try(&low));
	lock_drop(&high);
	lock_drop(&low);
#else
	atf_tc_skip("a production build");
#endif
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, exclusion);
	ATF_TP_ADD_TC(tp, sleeping);
	ATF_TP_ADD_TC(tp, try);
	ATF_TP_ADD_TC(tp, order);

	return (atf_no_error());
}
