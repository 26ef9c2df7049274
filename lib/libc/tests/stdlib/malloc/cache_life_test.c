/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * cache: the gate, and what ends of threads and forks do to caches.
 */

#define	_GNU_SOURCE	/* _Fork */

#include "cache_test_subr.h"

const char *malloc_conf = "narenas:1";

static uint32_t	passed;

static void *
enter_once(void *arg)
{

	(void)cache_enter();
	cache_leave();
	__atomic_store_n(&passed, 1, __ATOMIC_SEQ_CST);
	return (arg);
}

static void *
stay_inside(void *arg)
{

	(void)cache_enter();
	__atomic_store_n(&passed, 1, __ATOMIC_SEQ_CST);
	usleep(200000);
	__atomic_store_n(&passed, 2, __ATOMIC_SEQ_CST);
	cache_leave();
	return (arg);
}

ATF_TC(gate);
ATF_TC_HEAD(gate, tc)
{

	atf_tc_set_md_var(tc, "descr", "The forker waits for who is inside, "
	    "others wait for the forker, which may enter itself");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(gate, tc)
{
	pthread_t t;

	cache_prefork();
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, enter_once, NULL));
	usleep(200000);
	ATF_CHECK_EQ(0, load_acq(&passed));
	give(take(5), 5);
	cache_postfork();
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
	ATF_CHECK_EQ(1, load_acq(&passed));

	__atomic_store_n(&passed, 0, __ATOMIC_SEQ_CST);
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, stay_inside, NULL));
	while (load_acq(&passed) == 0)
		usleep(1000);
	cache_prefork();
	ATF_CHECK_EQ(2, load_acq(&passed));
	cache_postfork();
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
}

static bool	stop;

/* In and out of the gate, through slots, until told to stop. */
static void *
churn(void *arg)
{
	void *p[32];
	unsigned int i;

	while (!load_acq(&stop)) {
		for (i = 0; i < nitems(p); i++)
			p[i] = take(5 + i);
		for (i = 0; i < nitems(p); i++)
			give(p[i], 5 + i);
	}
	return (arg);
}

/* What a child can do, and its own children too; 0 when all went well. */
static int
child(unsigned int depth)
{
	struct cache *c;
	pthread_t t;
	pid_t pid;
	unsigned int i;
	int status;

	(void)alarm(20);
	if (threads() != 1)
		return (2);
	for (i = 0; i < 1000; i++)
		v[i] = take(5);
	for (i = 0; i < 1000; i++)
		give(v[i], 5);
	if (pthread_create(&t, NULL, short_life, &c) != 0 ||
	    pthread_join(t, NULL) != 0)
		return (3);
	if (depth == 0)
		return (0);
	if ((pid = fork()) == 0)
		_exit(child(depth - 1));
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return (4);
	return (0);
}

/* Fork so often while threads run fn. */
static void
fork_while(void *(*fn)(void *), unsigned int n)
{
	pthread_t t[3];
	pid_t pid;
	unsigned int i;
	int status;

	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, fn, NULL));
	(void)take(5);
	for (i = 0; i < n; i++) {
		if ((pid = fork()) == 0)
			_exit(child(2));
		ATF_REQUIRE(pid != -1);
		status = wait_for(pid, 30);
		ATF_REQUIRE_MSG(status == 0, "fork %u: status %#x", i,
		    status);
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
	ATF_CHECK_EQ(1, threads());
}

static void *
one_slot(void *arg)
{

	give(take(5), 5);
	return (arg);
}

ATF_TC(forks);
ATF_TC_HEAD(forks, tc)
{

	atf_tc_set_md_var(tc, "descr", "A child of a process with threads at "
	    "and in the gate allocates, makes threads, and forks again");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(forks, tc)
{

	fork_while(churn, 40);
}

/* Threads that come and go, until told to stop. */
static void *
come_and_go(void *arg)
{
	pthread_t t;

	while (!load_acq(&stop))
		if (pthread_create(&t, NULL, one_slot, NULL) == 0)
			(void)pthread_join(t, NULL);
	return (arg);
}

ATF_TC(forks_at_ends);
ATF_TC_HEAD(forks_at_ends, tc)
{

	atf_tc_set_md_var(tc, "descr", "The same where threads begin and end "
	    "meanwhile");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(forks_at_ends, tc)
{

	fork_while(come_and_go, 100);
}

ATF_TC(left_inside);
ATF_TC_HEAD(left_inside, tc)
{

	atf_tc_set_md_var(tc, "descr", "A child forgets the flag of a thread "
	    "that was copied as it looked at the gate, and can fork");
}
ATF_TC_BODY(left_inside, tc)
{
	struct cache *c;
	pid_t pid;

	(void)take(5);
	in_thread(short_life, &c);
	cache_prefork();
	c->inside = 1;
	if ((pid = _Fork()) == 0) {
		(void)alarm(20);
		cache_postfork_child();
		cache_prefork();
		cache_postfork();
		_exit(threads() == 1 ? 0 : 2);
	}
	c->inside = 0;
	cache_postfork();
	ATF_CHECK_EQ(0, wait_for(pid, 30));
}

/* A thread that ends, held up inside by one that has a bin's lock. */
static struct cache *ending;
static pthread_barrier_t stages, forking;

static void *
end_early(void *arg)
{

	(void)take(5);
	__atomic_store_n(&ending, cache_self, __ATOMIC_SEQ_CST);
	(void)pthread_barrier_wait(&stages);
	cache_exit_self();
	return (arg);
}

static void *
hold_bin(void *arg)
{
	struct bin *b;

	b = arena_bin(arena_zero(), 5);
	lock_take(&b->lock);
	(void)pthread_barrier_wait(&stages);
	/* The other sleeps for it, inside; soon the forker waits for that. */
	while (load_acq(&b->lock.word) != 2)
		os_yield();
	(void)pthread_barrier_wait(&forking);
	usleep(200);
	lock_drop(&b->lock);
	return (arg);
}

/* One of many, for the list to be long. */
static void *
one_of_many(void *arg)
{

	(void)take(5);
	(void)pthread_barrier_wait(arg);
	return (NULL);
}

/* Walks the list again and again, so that its lock is seldom free. */
static void *
walk(void *arg)
{

	while (!load_acq(&stop))
		(void)cache_bytes_all();
	return (arg);
}

ATF_TC(ends_at_fork);
ATF_TC_HEAD(ends_at_fork, tc)
{

	atf_tc_set_md_var(tc, "descr", "A forker that waited for a thread that "
	    "ends waits for all of its end");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(ends_at_fork, tc)
{
	pthread_barrier_t all;
	pthread_t many[200], t[2], walker;
	unsigned int early, i;

	early = 0;
	ATF_REQUIRE_EQ(0, pthread_barrier_init(&stages, NULL, 3));
	ATF_REQUIRE_EQ(0, pthread_barrier_init(&forking, NULL, 2));
	ATF_REQUIRE_EQ(0, pthread_barrier_init(&all, NULL, nitems(many)));
	for (i = 0; i < nitems(many); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&many[i], NULL, one_of_many,
		    &all));
	for (i = 0; i < nitems(many); i++)
		ATF_REQUIRE_EQ(0, pthread_join(many[i], NULL));
	ATF_REQUIRE_EQ(0, pthread_create(&walker, NULL, walk, NULL));
	for (i = 0; i < 100; i++) {
		ATF_REQUIRE_EQ(0, pthread_create(&t[0], NULL, end_early,
		    NULL));
		/* It has its slot before the bin is locked. */
		while (load_acq(&ending) == NULL)
			os_yield();
		ATF_REQUIRE_EQ(0, pthread_create(&t[1], NULL, hold_bin,
		    NULL));
		(void)pthread_barrier_wait(&stages);
		(void)pthread_barrier_wait(&forking);
		cache_prefork();
		early += !load_acq(&ending->isidle);
		cache_postfork();
		ATF_REQUIRE_EQ(0, pthread_join(t[0], NULL));
		ATF_REQUIRE_EQ(0, pthread_join(t[1], NULL));
		ending = NULL;
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	ATF_REQUIRE_EQ(0, pthread_join(walker, NULL));
	ATF_CHECK_EQ_MSG(0, early, "%u times", early);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, gate);
	ATF_TP_ADD_TC(tp, forks);
	ATF_TP_ADD_TC(tp, forks_at_ends);
	ATF_TP_ADD_TC(tp, left_inside);
	ATF_TP_ADD_TC(tp, ends_at_fork);

	return (atf_no_error());
}
