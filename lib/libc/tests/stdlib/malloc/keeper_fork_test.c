/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Programs with background threads that fork.
 */

#define	_GNU_SOURCE

#include <sched.h>

#include "keeper_work_test_subr.h"

/*
 * A handler that fork calls when the allocator's own has been called: those
 * that were registered before others come after them.
 */
static bool	dismisses;

static void
at_fork(void)
{

	if (dismisses)
		(void)turn(false);
}

static void
early(int argc, char **argv, char **env)
{

	(void)argc;
	(void)argv;
	(void)env;
	(void)pthread_atfork(at_fork, NULL, NULL);
}

static void (*first)(int, char **, char **)
    __attribute__((__section__(".preinit_array"), __used__)) = early;

/* In a child: no thread before there is something to keep. */
static void
child(bool on)
{
	unsigned int base, ms;

	if (count_keepers(NULL) != 0)
		_exit(10);
	if (is_on("background_thread") != on)
		_exit(11);
	if (get("stats.background_thread.num_threads") != 0)
		_exit(12);
	base = rss_mib();
	dirty((size_t)64 << 20);
	if (await_keepers(on) != on)
		_exit(13);
	ms = await_rss(base + NOTHING, 1500);
	if (on != (ms < 1500))
		_exit(14);
	if (turn(!on) != 0 || await_keepers(!on) != !on)
		_exit(15);
	_exit(0);
}

ATF_TC(forked);
ATF_TC_HEAD(forked, tc)
{

	atf_tc_set_md_var(tc, "descr", "A child has its own, when it needs it, "
	    "and the parent keeps its");
}
ATF_TC_BODY(forked, tc)
{
	unsigned int base, ms;
	int i, status;
	pid_t pid;

	decay(1000);
	for (i = 0; i < 2; i++) {
		ATF_REQUIRE_EQ(0, turn(i == 1));
		ATF_REQUIRE_EQ((unsigned int)i, await_keepers(i == 1));
		pid = fork_child(30);
		if (pid == 0)
			child(i == 1);
		status = wait_for(pid, 30);
		ATF_CHECK_MSG(status == 0, "%d: status %#x", i, status);
		ATF_CHECK_EQ((unsigned int)i, count_keepers(NULL));
	}
	base = rss_mib();
	dirty((size_t)64 << 20);
	ms = await_rss(base + NOTHING, 2500);
	ATF_CHECK_MSG(ms <= 1200, "%u ms", ms);
}

ATF_TC(storm);
ATF_TC_HEAD(storm, tc)
{

	atf_tc_set_md_var(tc, "descr", "fork while it is switched on and off, "
	    "and has work; children use it too");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(storm, tc)
{
	unsigned int i;
	pthread_t t;
	int status;
	pid_t pid;

	decay(2);
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, switcher, NULL));
	for (i = 0; i < 300; i++) {
		dirty((size_t)1 << 20);
		pid = fork_child(20);
		if (pid == 0) {
			dirty((size_t)1 << 20);
			if (i % 4 == 0)
				usleep(3000);
			_exit(turn(i % 2 == 0) == 0 &&
			    turn(false) == 0 &&
			    await_keepers(0) == 0 ? 0 : 1);
		}
		status = wait_for(pid, 20);
		ATF_REQUIRE_MSG(status == 0, "fork %u: status %#x", i, status);
	}
	atomic_store(&stop, true);
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
}

/* A background thread, asleep, that does not run while this one does. */
static void
take_turns(void)
{
	const struct sched_param none = { .sched_priority = 0 };
	int tid = 0;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET((size_t)sched_getcpu(), &cpu);
	ATF_REQUIRE_EQ(1, count_keepers(&tid));
	ATF_REQUIRE_EQ(0, sched_setaffinity(0, sizeof(cpu), &cpu));
	ATF_REQUIRE_EQ(0, sched_setaffinity(tid, sizeof(cpu), &cpu));
	ATF_REQUIRE_EQ(0, sched_setscheduler(tid, SCHED_IDLE, &none));
	usleep(10000);
}

ATF_TC(dismissed);
ATF_TC_HEAD(dismissed, tc)
{

	atf_tc_set_md_var(tc, "descr", "fork between a thread's dismissal and "
	    "its end; the child has another, and waits for that one only");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(dismissed, tc)
{
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < 10; i++) {
		ATF_REQUIRE_EQ(0, turn(true));
		ATF_REQUIRE_EQ(1, await_keepers(1));
		take_turns();
		dismisses = true;
		pid = fork_child(20);
		dismisses = false;
		if (pid == 0) {
			if (turn(true) != 0)
				_exit(10);
			usleep(2000);
			_exit(turn(false) != 0 ? 11 : 0);
		}
		status = wait_for(pid, 20);
		ATF_REQUIRE_MSG(status == 0, "fork %u: status %#x", i, status);
		ATF_CHECK(!is_on("background_thread"));
	}
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, forked);
	ATF_TP_ADD_TC(tp, storm);
	ATF_TP_ADD_TC(tp, dismissed);

	return (atf_no_error());
}
