/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * fork while other threads are anywhere inside malloc.
 */

#define	_GNU_SOURCE

#include <sys/param.h>

#include <malloc_np.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "malloc_test_subr.h"

#define	STORMERS	16

static atomic_bool	stop;
static atomic_uint	handled;

/* Allocates all the time, of every kind, with all slow paths. */
static void *
storm(void *arg)
{
	static _Atomic(void *) shared[256];
	uint64_t x;
	size_t size;
	void *p;

	x = (uintptr_t)arg * 2654435761U + 88172645463325252ULL;
	while (!atomic_load(&stop)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		size = (size_t)(x >> 8) % ((size_t)1 << (4 + (x >> 40) % 15));
		if ((x >> 50) % 1000 == 0)
			size += 500000;
		p = (x & 7) == 0 ? calloc(1, size) : malloc(size);
		if (p != NULL)
			memset(p, 1, MIN(size, 64));
		p = atomic_exchange(&shared[(x >> 16) & 255], p);
		if ((x & 31) == 1)
			p = realloc(p, size * 2 + 1);
		free(p);
	}
	return (NULL);
}

static void *
child_thread(void *arg)
{
	int i;
	void *p[100];

	(void)arg;
	for (i = 0; i < 100; i++)
		p[i] = malloc((size_t)i * 50);
	for (i = 0; i < 100; i++)
		free(p[i]);
	return (NULL);
}

/* Every class and some large blocks. */
static void
allocate(void)
{
	void *p[NCLASSES * 4];
	size_t c;
	unsigned int n;
	int i;

	n = 0;
	for (FOREACH_CLASS(c, 1 << 20))
		for (i = 0; i < 4; i++) {
			p[n] = malloc(c);
			if (p[n] == NULL)
				_exit(10);
			memset(p[n], (int)(n & 0xff), MIN(c, 4096));
			n++;
		}
	while (n-- > 0) {
		if (all_bytes(p[n], 8, (unsigned char)n) != 8)
			_exit(11);
		free(p[n]);
	}
}

/* The child allocates, starts a thread, and forks again. */
static void
child(void)
{
	pthread_t t;
	pid_t pid;
	int status;

	allocate();
	if (pthread_create(&t, NULL, child_thread, NULL) != 0 ||
	    pthread_join(t, NULL) != 0)
		_exit(12);
	pid = fork();
	if (pid == 0) {
		allocate();
		_exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid || status != 0)
		_exit(13);
	_exit(0);
}

static void
start(pthread_t *t)
{
	uintptr_t i;

	for (i = 0; i < STORMERS; i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, storm,
		    (void *)(i + 1)));
	usleep(20000);
}

static void
end(pthread_t *t)
{
	unsigned int i;

	atomic_store(&stop, true);
	for (i = 0; i < STORMERS; i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
}

/* So often, or as often as DSM_TEST_FORKS says. */
static unsigned int
fork_often(unsigned int times)
{
	const char *often;
	unsigned int i;
	int status;
	pid_t pid;

	often = getenv("DSM_TEST_FORKS");
	if (often != NULL)
		times = (unsigned int)strtoul(often, NULL, 10);
	for (i = 0; i < times; i++) {
		pid = fork();
		ATF_REQUIRE(pid != -1);
		if (pid == 0)
			child();
		status = wait_for(pid, 60);
		ATF_REQUIRE_MSG(status == 0, "fork %u: status %#x", i,
		    status);
	}
	return (times);
}

ATF_TC(storm);
ATF_TC_HEAD(storm, tc)
{

	atf_tc_set_md_var(tc, "descr", "fork in an allocation storm of 16 "
	    "threads; the child allocates, starts a thread and forks");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(storm, tc)
{
	pthread_t t[STORMERS];

	start(t);
	(void)fork_often(50);
	end(t);
}

static void
handler(void)
{
	void *p, *q;

	p = malloc(3000);
	q = calloc(1, 300000);
	p = realloc(p, 30000);
	free(q);
	free(p);
	atomic_fetch_add(&handled, 1);
}

/* Registered before the library's constructor registers its own, and so run
 * between those: where its gate is shut to all but the forking thread. */
static atomic_bool	armed;

static void
early_handler(void)
{

	if (atomic_load(&armed))
		handler();
}

static void
register_early(void)
{

	(void)pthread_atfork(early_handler, early_handler, early_handler);
}

#ifdef __linux__
__attribute__((__section__(".preinit_array"), __used__))
static void	(*preinit)(void) = register_early;
#else
__attribute__((__constructor__(101)))
static void
construct(void)
{

	register_early();
}
#endif

ATF_TC(handlers);
ATF_TC_HEAD(handlers, tc)
{

	atf_tc_set_md_var(tc, "descr", "pthread_atfork handlers allocate, in "
	    "the storm, registered before the library's and after");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(handlers, tc)
{
	pthread_t t[STORMERS];
	unsigned int n;

	ATF_REQUIRE_EQ(0, pthread_atfork(handler, handler, handler));
	free(malloc(100));
	ATF_REQUIRE_EQ(0, pthread_atfork(handler, handler, handler));
	atomic_store(&armed, true);
	start(t);
	n = fork_often(30);
	end(t);
	ATF_CHECK_EQ(n * 6, handled);
}

static void *
forker(void *arg)
{
	unsigned int *failed;
	int i, status;
	pid_t pid;

	failed = arg;
	for (i = 0; i < 30; i++) {
		pid = fork();
		if (pid == 0) {
			(void)alarm(60);
			child();
		}
		if (pid == -1 || waitpid(pid, &status, 0) != pid ||
		    status != 0)
			++*failed;
	}
	return (NULL);
}

ATF_TC(two_forkers);
ATF_TC_HEAD(two_forkers, tc)
{

	atf_tc_set_md_var(tc, "descr", "Two threads fork at a time, in the "
	    "storm");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(two_forkers, tc)
{
	pthread_t f[2], t[STORMERS];
	unsigned int failed[2], i;

	start(t);
	memset(failed, 0, sizeof(failed));
	for (i = 0; i < 2; i++)
		ATF_REQUIRE_EQ(0, pthread_create(&f[i], NULL, forker,
		    &failed[i]));
	for (i = 0; i < 2; i++) {
		ATF_REQUIRE_EQ(0, pthread_join(f[i], NULL));
		ATF_CHECK_EQ(0, failed[i]);
	}
	end(t);
}

static void *
churn(void *arg)
{
	pthread_t t;

	(void)arg;
	while (!atomic_load(&stop)) {
		if (pthread_create(&t, NULL, child_thread, NULL) == 0)
			(void)pthread_join(t, NULL);
	}
	return (NULL);
}

ATF_TC(thread_churn);
ATF_TC_HEAD(thread_churn, tc)
{

	atf_tc_set_md_var(tc, "descr", "fork while threads begin and end");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(thread_churn, tc)
{
	pthread_t t[4];
	unsigned int i;

	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, churn, NULL));
	(void)fork_often(300);
	atomic_store(&stop, true);
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
}

static pthread_mutex_t	handlerlock = PTHREAD_MUTEX_INITIALIZER;

static void
handler_lock(void)
{

	(void)pthread_mutex_lock(&handlerlock);
}

static void
handler_unlock(void)
{

	(void)pthread_mutex_unlock(&handlerlock);
}

/* Where a report goes: it allocates, and wants what a forker has. */
static void
locked_sink(void *arg, const char *text)
{

	(void)arg;
	(void)text;
	(void)sched_yield();
	handler_lock();
	free(hidep(malloc(hide(1000))));
	handler_unlock();
}

static void *
report(void *arg)
{

	while (!atomic_load(&stop))
		malloc_stats_print(locked_sink, arg, NULL);
	return (NULL);
}

ATF_TC(report);
ATF_TC_HEAD(report, tc)
{

	atf_tc_set_md_var(tc, "descr", "fork while another thread's report of "
	    "statistics waits for a lock of a fork handler's");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(report, tc)
{
	pthread_t t;

	ATF_REQUIRE_EQ(0, pthread_atfork(handler_lock, handler_unlock,
	    handler_unlock));
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, report, NULL));
	(void)fork_often(200);
	atomic_store(&stop, true);
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
}

ATF_TC(flat);
ATF_TC_HEAD(flat, tc)
{

	atf_tc_set_md_var(tc, "descr", "A line of descent of 100 processes "
	    "does not grow, though each had threads that are gone");
	atf_tc_set_md_var(tc, "timeout", "120");
}
static void *
cache_some(void *arg)
{
	void *p[500];
	unsigned int i;

	(void)arg;
	for (i = 0; i < nitems(p); i++)
		p[i] = malloc(256);
	for (i = 0; i < nitems(p); i++)
		free(p[i]);
	atomic_fetch_add(&handled, 1);
	while (!atomic_load(&stop))
		usleep(1000);
	return (NULL);
}

static void
descend(int generations)
{
	pthread_t t[4];
	unsigned int i;
	int status;
	pid_t pid;

	while (generations-- > 0) {
		atomic_store(&handled, 0);
		atomic_store(&stop, false);
		for (i = 0; i < nitems(t); i++)
			if (pthread_create(&t[i], NULL, cache_some,
			    NULL) != 0)
				_exit(20);
		while (atomic_load(&handled) < nitems(t))
			usleep(500);
		pid = fork();
		if (pid == -1)
			_exit(21);
		if (pid != 0) {
			/* The child goes on; this one waits for it. */
			atomic_store(&stop, true);
			if (waitpid(pid, &status, 0) != pid)
				_exit(22);
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 23);
		}
	}
	/* 100 x 4 threads x 128 KB would be 50 MB. */
	_exit(maxrss() < 30 << 10 ? 0 : 24);
}

ATF_TC_BODY(flat, tc)
{
	int status;
	pid_t pid;

	pid = fork_child(100);
	if (pid == 0)
		descend(100);
	status = wait_for(pid, 100);
	ATF_CHECK_MSG(status == 0, "status %#x%s", status,
	    WIFEXITED(status) && WEXITSTATUS(status) == 24 ? ": grew" : "");
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, storm);
	ATF_TP_ADD_TC(tp, handlers);
	ATF_TP_ADD_TC(tp, two_forkers);
	ATF_TP_ADD_TC(tp, thread_churn);
	ATF_TP_ADD_TC(tp, report);
	ATF_TP_ADD_TC(tp, flat);

	return (atf_no_error());
}
