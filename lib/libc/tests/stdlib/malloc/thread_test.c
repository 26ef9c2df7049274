/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Threads: blocks that go from one to another, threads that come and go,
 * threads that end while destructors still allocate.
 */

#define	_GNU_SOURCE

#include <sys/mman.h>
#include <sys/param.h>

#include <errno.h>
#include <malloc_np.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "malloc_test_subr.h"

#define	QUEUE		1024

static struct {
	pthread_mutex_t	 lock;
	pthread_cond_t	 cond;
	void		*block[QUEUE];
	size_t		 size[QUEUE];
	unsigned int	 head, tail;
	bool		 ended;
} queue = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, { NULL },
    { 0 }, 0, 0, false };

static atomic_uint	damaged;

static void *
produce(void *arg)
{
	size_t size;
	uintptr_t me;
	unsigned int i;
	void *p;

	me = (uintptr_t)arg;
	for (i = 0; i < 200000; i++) {
		size = 8 + (i * 2654435761U + me * 97) % 1500;
		if (i % 500 == 0)
			size = 40000 + i % 300000;
		p = malloc(size);
		if (p == NULL) {
			atomic_fetch_add(&damaged, 1);
			break;
		}
		memset(p, (int)(size & 0xff), size);
		pthread_mutex_lock(&queue.lock);
		while (queue.head - queue.tail == QUEUE)
			pthread_cond_wait(&queue.cond, &queue.lock);
		queue.block[queue.head % QUEUE] = p;
		queue.size[queue.head % QUEUE] = size;
		if (queue.head++ - queue.tail == QUEUE / 2)
			pthread_cond_broadcast(&queue.cond);
		pthread_mutex_unlock(&queue.lock);
	}
	return (NULL);
}

static void *
consume(void *arg)
{
	size_t size;
	void *p;

	for (;;) {
		pthread_mutex_lock(&queue.lock);
		while (queue.head == queue.tail && !queue.ended)
			pthread_cond_wait(&queue.cond, &queue.lock);
		if (queue.head == queue.tail) {
			pthread_mutex_unlock(&queue.lock);
			return (NULL);
		}
		p = queue.block[queue.tail % QUEUE];
		size = queue.size[queue.tail % QUEUE];
		queue.tail++;
		pthread_cond_broadcast(&queue.cond);
		pthread_mutex_unlock(&queue.lock);
		if (all_bytes(p, size, (unsigned char)size) != size)
			atomic_fetch_add(&damaged, 1);
		memset(p, 0xdd, MIN(size, 64));
		free(p);
	}
}

ATF_TC(producers);
ATF_TC_HEAD(producers, tc)
{

	atf_tc_set_md_var(tc, "descr", "Two threads allocate, two others free; "
	    "memory flows back");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(producers, tc)
{
	pthread_t c[2], p[2];
	long before;
	uintptr_t i;

	before = maxrss();
	for (i = 0; i < 2; i++) {
		ATF_REQUIRE_EQ(0, pthread_create(&p[i], NULL, produce,
		    (void *)i));
		ATF_REQUIRE_EQ(0, pthread_create(&c[i], NULL, consume, NULL));
	}
	for (i = 0; i < 2; i++)
		ATF_REQUIRE_EQ(0, pthread_join(p[i], NULL));
	pthread_mutex_lock(&queue.lock);
	queue.ended = true;
	pthread_cond_broadcast(&queue.cond);
	pthread_mutex_unlock(&queue.lock);
	for (i = 0; i < 2; i++)
		ATF_REQUIRE_EQ(0, pthread_join(c[i], NULL));
	ATF_CHECK_EQ(0, damaged);
	/* 450 MB went through, at most 2 MB were live. */
	ATF_CHECK_MSG(maxrss() - before < 64 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

static void *
short_life(void *arg)
{
	uintptr_t n;
	void *p, *q;

	n = (uintptr_t)arg;
	p = malloc(8 + n % 3000);
	q = malloc(100000);
	if (p == NULL || q == NULL)
		return ((void *)1);
	memset(p, 1, 8 + n % 3000);
	memset(q, 1, n % 50 == 0 ? 100000 : 1);
	free(q);
	/* The thread that joins frees it. */
	return (p);
}

ATF_TC(churn);
ATF_TC_HEAD(churn, tc)
{

	atf_tc_set_md_var(tc, "descr", "100,000 threads come and go, or as "
	    "many as DSM_TEST_THREADS says, and memory stays flat");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(churn, tc)
{
	pthread_attr_t attr;
	pthread_t t[4];
	const char *many;
	long before;
	uintptr_t i, j, n;
	void *p;

	before = 0;
	many = getenv("DSM_TEST_THREADS");
	n = many == NULL ? 100000 : strtoul(many, NULL, 10);
	ATF_REQUIRE_EQ(0, pthread_attr_init(&attr));
	ATF_REQUIRE_EQ(0, pthread_attr_setstacksize(&attr, 128 << 10));
	for (i = 0; i < n; i += nitems(t)) {
		for (j = 0; j < nitems(t); j++)
			ATF_REQUIRE_EQ(0, pthread_create(&t[j], &attr,
			    short_life, (void *)(i + j)));
		for (j = 0; j < nitems(t); j++) {
			ATF_REQUIRE_EQ(0, pthread_join(t[j], &p));
			ATF_REQUIRE(p != NULL && p != (void *)1);
			ATF_REQUIRE_EQ(8, all_bytes(p, 8, 1));
			free(p);
		}
		if (i == 4000)
			before = maxrss();
	}
	ATF_CHECK_MSG(maxrss() - before < 4 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

static void *
free_all(void *arg)
{
	void **p;
	size_t i;

	/* This thread never allocates. */
	p = arg;
	for (i = 0; i < 50000; i++)
		free(p[i]);
	return (NULL);
}

ATF_TC(only_frees);
ATF_TC_HEAD(only_frees, tc)
{

	atf_tc_set_md_var(tc, "descr", "What a thread frees that never "
	    "allocates is used again");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(only_frees, tc)
{
	static void *p[50000];
	pthread_t t;
	long before;
	size_t i;
	int round;

	before = 0;
	for (round = 0; round < 40; round++) {
		for (i = 0; i < nitems(p); i++) {
			p[i] = malloc(16 + i % 400);
			ATF_REQUIRE(p[i] != NULL);
			memset(p[i], round, 16);
		}
		ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, free_all, p));
		ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
		if (round == 4)
			before = maxrss();
	}
	/* Each round is 11 MB. */
	ATF_CHECK_MSG(maxrss() - before < 16 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

static void *
burst(void *arg)
{
	static const size_t n = 100000;
	void **p;
	size_t i;

	(void)arg;
	p = malloc(n * sizeof(*p));
	if (p == NULL)
		return ((void *)1);
	for (i = 0; i < n; i++) {
		p[i] = malloc(64);
		if (p[i] == NULL)
			return ((void *)1);
		memset(p[i], 1, 64);
	}
	for (i = 0; i < n; i++)
		free(p[i]);
	free(p);
	return (NULL);
}

ATF_TC(cache_of_the_dead);
ATF_TC_HEAD(cache_of_the_dead, tc)
{

	atf_tc_set_md_var(tc, "descr", "What a thread had cached is there for "
	    "others when it ends");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(cache_of_the_dead, tc)
{
	pthread_t t;
	long before;
	int i;
	void *r;

	before = 0;
	for (i = 0; i < 200; i++) {
		ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, burst, NULL));
		ATF_REQUIRE_EQ(0, pthread_join(t, &r));
		ATF_REQUIRE(r == NULL);
		if (i == 10)
			before = maxrss();
	}
	ATF_CHECK_MSG(maxrss() - before < 8 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

/* Destructors of thread-specific data, in every round that there is. */
static pthread_key_t	key;
static atomic_uint	destroyed;

static void
destroy(void *arg)
{
	void *p, *q;
	unsigned int *rounds;

	rounds = arg;
	p = malloc(1000);
	q = calloc(1, 70000);
	if (p == NULL || q == NULL || all_bytes(q, 70000, 0) != 70000)
		atomic_fetch_add(&damaged, 1);
	free(q);
	p = realloc(p, 5000);
	free(p);
	atomic_fetch_add(&destroyed, 1);
	if (*rounds > 0) {
		rounds = malloc(sizeof(*rounds));
		*rounds = *(unsigned int *)arg - 1;
		(void)pthread_setspecific(key, rounds);
	}
	free(arg);
}

static void *
with_key(void *arg)
{
	unsigned int *rounds;

	(void)arg;
	rounds = malloc(sizeof(*rounds));
	*rounds = 3;
	(void)pthread_setspecific(key, rounds);
	return (NULL);
}

ATF_TC(key_destructors);
ATF_TC_HEAD(key_destructors, tc)
{

	atf_tc_set_md_var(tc, "descr", "Destructors of thread-specific data "
	    "allocate and free, round after round; nothing leaks");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(key_destructors, tc)
{
	pthread_key_t more[8];
	pthread_t t;
	long before;
	int i;

	before = 0;
	ATF_REQUIRE_EQ(0, pthread_key_create(&key, destroy));
	for (i = 0; i < 8; i++)
		ATF_REQUIRE_EQ(0, pthread_key_create(&more[i], free));
	for (i = 0; i < 20000; i++) {
		ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, with_key, NULL));
		ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
		if (i == 1000)
			before = maxrss();
	}
	ATF_CHECK_EQ(0, damaged);
	/* Not every round's destructor need be called, but more than one. */
	ATF_CHECK_MSG(destroyed >= 2 * 20000, "%u destroyed", destroyed);
	ATF_CHECK_MSG(maxrss() - before < 4 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

/* Destructors of thread_local objects, as C++ has them. */
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *)
    __attribute__((__weak__));
static char dso;

static void
tls_destroy(void *arg)
{
	void *p;

	p = malloc(2000);
	if (p == NULL || all_bytes(arg, 500, 3) != 500)
		atomic_fetch_add(&damaged, 1);
	free(hidep(p));
	free(arg);
	atomic_fetch_add(&destroyed, 1);
}

static void *
with_tls(void *arg)
{
	int i;
	void *p;

	if (arg != NULL)
		free(malloc(10));
	for (i = 0; i < 3; i++) {
		p = malloc(500);
		if (p == NULL)
			return (NULL);
		memset(p, 3, 500);
		(void)__cxa_thread_atexit_impl(tls_destroy, p, &dso);
	}
	return (NULL);
}

ATF_TC(tls_destructors);
ATF_TC_HEAD(tls_destructors, tc)
{

	atf_tc_set_md_var(tc, "descr", "Destructors of thread-local objects "
	    "allocate and free; nothing leaks");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(tls_destructors, tc)
{
	pthread_t t;
	long before;
	int i;

	if (__cxa_thread_atexit_impl == NULL)
		atf_tc_skip("this libc has none");
	before = 0;
	for (i = 0; i < 20000; i++) {
		ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, with_tls,
		    i % 2 == 0 ? NULL : &dso));
		ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
		if (i == 1000)
			before = maxrss();
	}
	ATF_CHECK_EQ(0, damaged);
	ATF_CHECK_EQ(3 * 20000, destroyed);
	ATF_CHECK_MSG(maxrss() - before < 4 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

/* Exit with handlers that allocate, while other threads do. */
static void
at_exit(void)
{
	void *p;

	p = malloc(100000);
	if (p == NULL)
		_exit(1);
	memset(p, 1, 100000);
	p = realloc(p, 200000);
	free(p);
	p = malloc(100);
	free(hidep(p));
}

static void *
forever(void *arg)
{
	unsigned int i;
	void *p[16];

	(void)arg;
	memset(p, 0, sizeof(p));
	for (i = 0;; i++) {
		free(p[i % 16]);
		p[i % 16] = malloc(i % 5000);
	}
	return (NULL);
}

ATF_TC(exit_handlers);
ATF_TC_HEAD(exit_handlers, tc)
{

	atf_tc_set_md_var(tc, "descr", "atexit handlers allocate while other "
	    "threads do");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(exit_handlers, tc)
{
	pthread_t t;
	int i, j, status;
	pid_t pid;

	for (i = 0; i < 50; i++) {
		pid = fork_child(30);
		if (pid == 0) {
			for (j = 0; j < 20; j++)
				if (atexit(at_exit) != 0)
					_exit(2);
			for (j = 0; j < 3; j++)
				if (pthread_create(&t, NULL, forever, NULL))
					_exit(3);
			usleep(1000 * (i % 5));
			exit(42);
		}
		status = wait_for(pid, 30);
		ATF_REQUIRE_MSG(WIFEXITED(status) &&
		    WEXITSTATUS(status) == 42, "status %#x", status);
	}
}

ATF_TC(exit_from_thread);
ATF_TC_HEAD(exit_from_thread, tc)
{

	atf_tc_set_md_var(tc, "descr", "The first thread ends first, others "
	    "go on and end the process");
}
static void *
outlive(void *arg)
{
	pthread_t first;
	void *p[1000];
	int i;

	memcpy(&first, arg, sizeof(first));
	if (pthread_join(first, NULL) != 0)
		_exit(1);
	for (i = 0; i < 1000; i++)
		p[i] = malloc(100);
	for (i = 0; i < 1000; i++)
		free(p[i]);
	exit(43);
}

ATF_TC_BODY(exit_from_thread, tc)
{
	static pthread_t me;
	pthread_t t;
	int status;
	pid_t pid;

	pid = fork_child(30);
	if (pid == 0) {
		me = pthread_self();
		free(malloc(1000));
		(void)atexit(at_exit);
		if (pthread_create(&t, NULL, outlive, &me) != 0)
			_exit(2);
		pthread_exit(NULL);
	}
	status = wait_for(pid, 30);
	ATF_CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 43,
	    "status %#x", status);
}

static void *
some_of_all(void *arg)
{
	size_t i;
	void *p;

	for (i = 0; i < 2000; i++) {
		if ((p = malloc(hide(i))) == NULL)
			return ((void *)1);
		memset(p, 1, i);
		free(p);
	}
	/* All at a time, so that each has a cache of its own. */
	(void)pthread_barrier_wait(arg);
	return (NULL);
}

ATF_TC(locked_memory);
ATF_TC_HEAD(locked_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "Threads begin in a process whose "
	    "memory is locked, so that none can be given back");
}
ATF_TC_BODY(locked_memory, tc)
{
#ifdef MCL_ONFAULT
	static void *p[3000];
	pthread_barrier_t all;
	pthread_t t[40];
	void *r;
	size_t i;

	/* The first purge finds out what the system can do. */
	free(memset(hidep(malloc(3 << 20)), 1, 3 << 20));
	ATF_REQUIRE_EQ(0, mallctl("arena.0.purge", NULL, NULL, NULL, 0));
	/* Many records, which all go again, but cannot be purged. */
	for (i = 0; i < nitems(p); i++)
		ATF_REQUIRE((p[i] = malloc(hide(40000))) != NULL);
	if (mlockall(MCL_CURRENT | MCL_ONFAULT) != 0)
		atf_tc_skip("mlockall: %s", strerror(errno));
	for (i = 0; i < nitems(p); i++)
		free(p[i]);
	ATF_REQUIRE_EQ(0, pthread_barrier_init(&all, NULL, nitems(t)));
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, some_of_all,
		    &all));
	for (i = 0; i < nitems(t); i++) {
		ATF_REQUIRE_EQ(0, pthread_join(t[i], &r));
		ATF_CHECK(r == NULL);
	}
#else
	atf_tc_skip("all of it would be locked at once");
#endif
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, producers);
	ATF_TP_ADD_TC(tp, churn);
	ATF_TP_ADD_TC(tp, only_frees);
	ATF_TP_ADD_TC(tp, cache_of_the_dead);
	ATF_TP_ADD_TC(tp, key_destructors);
	ATF_TP_ADD_TC(tp, tls_destructors);
	ATF_TP_ADD_TC(tp, exit_handlers);
	ATF_TP_ADD_TC(tp, exit_from_thread);
	ATF_TP_ADD_TC(tp, locked_memory);

	return (atf_no_error());
}
