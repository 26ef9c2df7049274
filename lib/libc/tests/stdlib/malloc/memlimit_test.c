/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The limits on what a process holds, and what it is told when it is out of
 * memory.
 */

#include <pthread.h>
#include <stdbool.h>

#include "memlimit_test_subr.h"

const char *malloc_conf = "oom_report:true";

static void
quiet(void *arg, const char *s)
{

	(void)arg;
	(void)s;
}

ATF_TC(hard);
ATF_TC_HEAD(hard, tc)
{

	atf_tc_set_md_var(tc, "descr", "Beyond the hard limit there is "
	    "nothing, up to it nearly all of it for any size, time and again");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(hard, tc)
{
	static const size_t sizes[] = {
		96, 3000, 20000, 100000, 700000, 3000000
	};
	static unsigned char *p[400000];
	size_t i, n, room;
	unsigned int round;

	malloc_message = quiet;
	purge();
	room = MIB(32);
	set("limit.hard", get("limit.held") + room);
	for (round = 0; round < 2; round++)
		for (i = 0; i < nitems(sizes); i++) {
			n = fill(p, nitems(p), sizes[i]);
			drop(p, n, sizes[i]);
			ATF_CHECK_MSG(n * sizes[i] >= room / 8 * 7,
			    "%zu bytes of size %zu", n * sizes[i], sizes[i]);
		}
	/* Raised, there is more at once. */
	n = fill(p, nitems(p), 5000);
	set("limit.hard", get("limit.hard") + MIB(4));
	p[n] = malloc(5000);
	ATF_CHECK(p[n] != NULL);
	free(p[n]);
	/* Below what is held: nothing new, but what is there serves. */
	set("limit.hard", 1);
	ATF_CHECK(malloc(hide(200000)) == NULL);
	drop(p, n, 5000);
	set("limit.hard", 0);
	for (i = 0; i < 20; i++) {
		p[i] = malloc(hide(3000000));
		ATF_CHECK(p[i] != NULL);
	}
	for (i = 0; i < 20; i++)
		free(p[i]);
}

ATF_TC(hard_realloc);
ATF_TC_HEAD(hard_realloc, tc)
{

	atf_tc_set_md_var(tc, "descr", "A large block grows to the hard limit, "
	    "and is whole when it cannot");
}
ATF_TC_BODY(hard_realloc, tc)
{
	unsigned char *p, *q;
	void *other[80];
	size_t i, size;

	malloc_message = quiet;
	purge();
	set("limit.hard", get("limit.held") + MIB(40));
	/* 4 MiB of holes, which have to go first. */
	for (i = 0; i < nitems(other); i++)
		memset(other[i] = malloc(hide(100000)), 1, 100000);
	for (i = 0; i < nitems(other); i += 2)
		free(other[i]);
	size = MIB(10);
	p = malloc(size);
	ATF_REQUIRE(p != NULL);
	memset(p, 0x5a, size);
	/* A copy would need twice as much. */
	while ((q = realloc(p, size + MIB(2))) != NULL) {
		p = q;
		memset(p + size, 0x5a, MIB(2));
		size += MIB(2);
		ATF_REQUIRE(get("limit.held") <= get("limit.hard") + SLACK);
		ATF_REQUIRE(size <= MIB(40));
	}
	ATF_CHECK_EQ(ENOMEM, errno);
	ATF_CHECK_MSG(size >= MIB(34), "only %zu", size);
	ATF_CHECK_EQ(size, all_bytes(p, size, 0x5a));
	free(p);
	for (i = 1; i < nitems(other); i += 2)
		free(other[i]);
	set("limit.hard", 0);
}

/* What all threads have, at least, and the most that it was. */
static size_t	have, most;

static void *
greedy(void *arg)
{
	static const size_t sizes[] = { 64, 1000, 9000, 60000, 1500000 };
	static __thread void *p[40000];
	size_t i, n, now, round, size;

	for (round = 0; round < 6; round++) {
		size = sizes[(round + (uintptr_t)arg) % nitems(sizes)];
		for (n = 0; n < nitems(p); n++) {
			p[n] = malloc(size);
			if (p[n] == NULL)
				break;
			*(char *)p[n] = 1;
			now = __atomic_add_fetch(&have, size,
			    __ATOMIC_SEQ_CST);
			if (now > __atomic_load_n(&most, __ATOMIC_RELAXED))
				__atomic_store_n(&most, now,
				    __ATOMIC_RELAXED);
		}
		(void)__atomic_sub_fetch(&have, n * size, __ATOMIC_SEQ_CST);
		for (i = 0; i < n; i++)
			free(p[i]);
	}
	return (NULL);
}

ATF_TC(hard_threads);
ATF_TC_HEAD(hard_threads, tc)
{

	atf_tc_set_md_var(tc, "descr", "Threads that take all there is do not "
	    "pass the hard limit together");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(hard_threads, tc)
{
	pthread_t t[4];
	size_t hard;
	uintptr_t i;

	malloc_message = quiet;
	hard = MIB(24);
	set("limit.hard", hard);
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, greedy,
		    (void *)i));
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
	set("limit.hard", 0);
	ATF_CHECK_MSG(most <= hard + SLACK, "%zu of %zu", most, hard);
	ATF_CHECK_MSG(most >= hard / 4 * 3, "only %zu of %zu", most, hard);
}

/* A compiler may think that malloc() does not change them. */
static volatile unsigned int ncalls;
static volatile size_t told_held, told_soft;
static void	*volatile spare[64];

/* The program's function may do anything. */
static void
notify(size_t held, size_t soft)
{
	size_t i;

	ncalls++;
	told_held = held;
	told_soft = soft;
	for (i = 0; i < nitems(spare); i++) {
		free(spare[i]);
		spare[i] = NULL;
	}
	free(malloc(hide(100000)));
	purge();
	errno = EDOM;
}

static void
set_notify(void (*fn)(size_t, size_t))
{

	ATF_REQUIRE_EQ(0, mallctl("limit.notify", NULL, NULL, &fn,
	    sizeof(fn)));
}

ATF_TC(soft);
ATF_TC_HEAD(soft, tc)
{

	atf_tc_set_md_var(tc, "descr", "Near the soft limit unused memory "
	    "goes back first; beyond it the program is called, and can help");
}
ATF_TC_BODY(soft, tc)
{
	static void *p[20000];
	void (*fn)(size_t, size_t);
	size_t held, i, len, n, soft;

	set_notify(notify);
	len = sizeof(fn);
	ATF_REQUIRE_EQ(0, mallctl("limit.notify", &fn, &len, NULL, 0));
	ATF_CHECK(fn == notify);
	/* 24 MiB of dirty pages and small objects in this thread's cache. */
	for (i = 0; i < 240; i++)
		memset(p[i] = malloc(hide(100000)), 1, 100000);
	held = get("limit.held");
	for (i = 0; i < 240; i++)
		free(p[i]);
	ATF_CHECK_MSG(get("limit.held") > held - MIB(4),
	    "nothing is dirty: %zu of %zu", get("limit.held"), held);
	/* The same again in other places fits, for they go. */
	soft = held + MIB(8);
	set("limit.soft", soft);
	ATF_CHECK_EQ(soft, get("limit.soft"));
	for (n = 0; n < 2600; n++) {
		memset(p[n] = malloc(hide(9000)), 1, 9000);
		ATF_REQUIRE_MSG(get("limit.held") <= soft, "%zu of %zu held",
		    get("limit.held"), soft);
	}
	ATF_CHECK_EQ(0, ncalls);
	/* Beyond, and the program has something to let go of. */
	set("limit.soft", 0);
	for (i = 0; i < nitems(spare); i++)
		memset(spare[i] = malloc(hide(150000)), 1, 150000);
	soft = get("limit.held") + MIB(4);
	set("limit.soft", soft);
	errno = EDOM + 1;
	for (; n < 5000 && ncalls == 0; n++)
		memset(p[n] = malloc(hide(9000)), 1, 9000);
	ATF_CHECK_EQ(1, ncalls);
	ATF_CHECK_EQ(EDOM + 1, errno);
	ATF_CHECK_EQ(soft, told_soft);
	ATF_CHECK_MSG(told_held >= soft && told_held < soft + MIB(3),
	    "%zu, limit %zu", told_held, soft);
	ATF_CHECK_MSG(get("limit.held") < soft - MIB(5), "%zu, limit %zu",
	    get("limit.held"), soft);
	/* It is not a hard one, and calls do not come in a row. */
	for (; n < 12000; n++) {
		ATF_REQUIRE((p[n] = malloc(hide(9000))) != NULL);
		memset(p[n], 1, 9000);
	}
	ATF_CHECK_MSG(ncalls <= 2, "%u calls", ncalls);
	set("limit.soft", 0);
	set_notify(NULL);
	for (i = 0; i < n; i++)
		free(p[i]);
}

ATF_TC(soft_dirty);
ATF_TC_HEAD(soft_dirty, tc)
{

	atf_tc_set_md_var(tc, "descr", "Near the soft limit dirty pages go "
	    "that might stay otherwise");
}
ATF_TC_BODY(soft_dirty, tc)
{
	static void *p[640];
	void *q[3];
	size_t i, soft;

	for (i = 0; i < nitems(p); i++)
		memset(p[i] = malloc(hide(100000)), 1, 100000);
	/* Holes that serve no large block, less than an eighth of all. */
	for (i = 0; i < nitems(p); i += 10)
		free(p[i]);
	soft = get("limit.held") + MIB(5);
	set("limit.soft", soft);
	for (i = 0; i < nitems(q); i++)
		memset(q[i] = malloc(hide(MIB(3) / 2)), 1, MIB(3) / 2);
	ATF_CHECK_MSG(get("limit.held") < soft - soft / 16 + MIB(2),
	    "%zu held, limit %zu", get("limit.held"), soft);
	set("limit.soft", 0);
	for (i = 0; i < nitems(q); i++)
		free(q[i]);
	for (i = 0; i < nitems(p); i++)
		if (i % 10 != 0)
			free(p[i]);
}

ATF_TC(keys);
ATF_TC_HEAD(keys, tc)
{

	atf_tc_set_md_var(tc, "descr", "What keys take and what they refuse");
}
ATF_TC_BODY(keys, tc)
{
	uint32_t small;
	size_t n;

	ATF_CHECK_EQ(0, get("limit.soft"));
	ATF_CHECK_EQ(0, get("limit.hard"));
	ATF_CHECK(get("limit.held") > 0);
	n = SIZE_MAX;
	ATF_CHECK_EQ(EFAULT, mallctl("limit.soft", NULL, NULL, &n,
	    sizeof(n)));
	ATF_CHECK_EQ(EFAULT, mallctl("limit.hard", NULL, NULL, &n,
	    sizeof(n)));
	ATF_CHECK_EQ(EPERM, mallctl("limit.held", NULL, NULL, &n, sizeof(n)));
	small = 5;
	ATF_CHECK_EQ(EINVAL, mallctl("limit.soft", NULL, NULL, &small,
	    sizeof(small)));
	ATF_CHECK_EQ(0, get("limit.soft"));
	/* One does not touch the other. */
	set("limit.hard", MIB(1000));
	set("limit.soft", MIB(500));
	ATF_CHECK_EQ(MIB(1000), get("limit.hard"));
	ATF_CHECK_EQ(MIB(500), get("limit.soft"));
	set("limit.hard", 0);
	ATF_CHECK_EQ(MIB(500), get("limit.soft"));
	set("limit.soft", 0);
}

static int
child(void)
{
	static unsigned char *p[4000];

	if (fill(p, nitems(p), 20000) < MIB(28) / 20000)
		return (1);
	return (0);
}

ATF_TC(fork);
ATF_TC_HEAD(fork, tc)
{

	atf_tc_set_md_var(tc, "descr", "The child has the limits too");
}
ATF_TC_BODY(fork, tc)
{
	int status;
	pid_t pid;

	malloc_message = quiet;
	set("limit.hard", get("limit.held") + MIB(32));
	pid = fork_child(60);
	if (pid == 0)
		_exit(child());
	status = wait_for(pid, 60);
	ATF_CHECK_MSG(status == 0, "status %#x", status);
	set("limit.hard", 0);
}

static char	said[16384];
static volatile unsigned int lines;

static void
note(void *arg, const char *s)
{
	size_t n;

	(void)arg;
	n = strlen(said);
	(void)snprintf(said + n, sizeof(said) - n, "%s", s);
	lines++;
}

/* Whoever listens may allocate, and fail again. */
static void
hear(void *arg, const char *s)
{

	note(arg, s);
	free(malloc(hide(MIB(100))));
}

ATF_TC(report);
ATF_TC_HEAD(report, tc)
{

	atf_tc_set_md_var(tc, "descr", "oom_report: one page that says where "
	    "the memory is, once a second");
}
ATF_TC_BODY(report, tc)
{
	static const char *const words[] = {
		"out of memory: a request of 104857600 bytes", "hard 4",
		"held: ", "active ", "dirty ", "muzzy ", "retained ",
		"largest free run ", "arena 0: ", "class 3072: 1"
	};
	static void *p[4000];
	size_t i;

	for (i = 0; i < nitems(p); i++)
		ATF_REQUIRE((p[i] = malloc(hide(3000))) != NULL);
	set("limit.hard", MIB(40));
	malloc_message = hear;
	for (i = 0; i < 1000; i++)
		ATF_REQUIRE(malloc(hide(MIB(100))) == NULL);
	malloc_message = quiet;
	printf("%s", said);
	for (i = 0; i < nitems(words); i++)
		ATF_CHECK_MSG(strstr(said, words[i]) != NULL,
		    "does not say \"%s\"", words[i]);
	ATF_CHECK_MSG(lines >= 6 && lines <= 24, "%u lines", lines);
	ATF_CHECK_MSG(strlen(said) < 2400, "%zu bytes", strlen(said));
	/* What cannot be is no shortage. */
	usleep(1200000);
	said[0] = '\0';
	malloc_message = hear;
	ATF_CHECK(malloc(hide(SIZE_MAX / 2)) == NULL);
	ATF_CHECK_STREQ("", said);
	ATF_CHECK(calloc(1, hide(MIB(100))) == NULL);
	malloc_message = quiet;
	ATF_CHECK(strstr(said, "out of memory") != NULL);
	set("limit.hard", 0);
	for (i = 0; i < nitems(p); i++)
		free(p[i]);
}

/* What an arena of these times keeps of so much, used and freed. */
static void
leave(ssize_t dirty_ms, ssize_t muzzy_ms, size_t size)
{
	unsigned int ind = create(NULL), old = bind_to(ind);
	void *p;

	ATF_REQUIRE_EQ(0, arena_set(ind, "dirty_decay_ms", &dirty_ms,
	    sizeof(dirty_ms)));
	ATF_REQUIRE_EQ(0, arena_set(ind, "muzzy_decay_ms", &muzzy_ms,
	    sizeof(muzzy_ms)));
	ATF_REQUIRE((p = malloc(hide(size))) != NULL);
	memset(p, 1, size);
	free(p);
	(void)bind_to(old);
}

/* A figure in the report, in MiB. */
static size_t
said_mib(const char *what)
{
	char unit[8] = "";
	double n = 0;
	const char *p;

	ATF_REQUIRE((p = strstr(said, what)) != NULL);
	ATF_REQUIRE_EQ(2, sscanf(p + strlen(what), " %lf %3s", &n, unit));
	return (strcmp(unit, "MiB") == 0 ? (size_t)n : 0);
}

ATF_TC(report_unused);
ATF_TC_HEAD(report_unused, tc)
{

	atf_tc_set_md_var(tc, "descr", "oom_report: dirty, muzzy and retained "
	    "memory, each by itself");
}
ATF_TC_BODY(report_unused, tc)
{
	struct rlimit rl;
	size_t n;

	leave(-1, 0, MIB(16));
	leave(0, -1, MIB(32));
	leave(0, 0, MIB(64));
	/* More than there is, which nothing that is free could serve. */
	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_AS, &rl));
	rl.rlim_cur = MIB(400);
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_AS, &rl));
	malloc_message = note;
	ATF_CHECK(malloc(hide(MIB(1000))) == NULL);
	malloc_message = quiet;
	printf("%s", said);
	n = said_mib("dirty");
	ATF_CHECK_MSG(n >= 16 && n < 18, "%zu MiB dirty", n);
	n = said_mib("muzzy");
	ATF_CHECK_MSG(n >= 32 && n < 34, "%zu MiB muzzy", n);
	n = said_mib("retained");
	ATF_CHECK_MSG(n >= 64 && n < 80, "%zu MiB retained", n);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, hard);
	ATF_TP_ADD_TC(tp, hard_realloc);
	ATF_TP_ADD_TC(tp, hard_threads);
	ATF_TP_ADD_TC(tp, soft);
	ATF_TP_ADD_TC(tp, soft_dirty);
	ATF_TP_ADD_TC(tp, keys);
	ATF_TP_ADD_TC(tp, fork);
	ATF_TP_ADD_TC(tp, report);
	ATF_TP_ADD_TC(tp, report_unused);

	return (atf_no_error());
}
