/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Arenas that the program creates, by mallctl() and thread.arena.
 */

#include <errno.h>
#include <pthread.h>

#include "mallctl_test_subr.h"

#define	NBLOCKS	300
#define	ALL	"4096"

const char *malloc_conf = "narenas:2";

/* Sizes of all kinds: slots, runs of regions, and beyond these. */
static const size_t sizes[] = { 1, 8, 24, 64, 100, 500, 1500, 5000, 30000,
    40000, 200000, 700000, 1500000, 3000000 };

/* Of large blocks only the head is painted. */
#define	EDGE(size)	MIN((size), (size_t)5000)

/* Fill v with blocks of all sizes from an arena, painted. */
static void
take(unsigned int ind, char **v, unsigned int n)
{
	unsigned int i, old = bind_to(ind);

	for (i = 0; i < n; i++) {
		v[i] = malloc(hide(sizes[i % nitems(sizes)]));
		ATF_REQUIRE(v[i] != NULL);
		paint(v[i], EDGE(sizes[i % nitems(sizes)]), i);
	}
	(void)bind_to(old);
}

static void
check(char **v, unsigned int n)
{
	unsigned int i;
	size_t len;

	for (i = 0; i < n; i++) {
		len = EDGE(sizes[i % nitems(sizes)]);
		ATF_CHECK_EQ(len, painted(v[i], len, i));
	}
}

ATF_TC(indices);
ATF_TC_HEAD(indices, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "Arenas that are created come behind "
	    "the automatic ones, up to 4094, and "
	    "indices are used again");
}
ATF_TC_BODY(indices, tc)
{
	unsigned int a, b, n;
	size_t len = sizeof(n);
	int error;

	a = create(NULL);
	b = create(NULL);
	/* Behind the automatic ones. */
	ATF_CHECK_EQ(2, a);
	ATF_CHECK_EQ(3, b);
	ATF_REQUIRE_EQ(0, mallctl("arenas.narenas", &n, &len, NULL, 0));
	ATF_CHECK_EQ(4, n);
	ATF_CHECK_EQ(EFAULT, arena_act(0, "destroy"));
	ATF_CHECK_EQ(EFAULT, arena_act(1, "reset"));
	ATF_CHECK_EQ(EFAULT, arena_act(4, "reset"));
	ATF_CHECK_EQ(EFAULT, arena_act(4096, "destroy"));
	ATF_REQUIRE_EQ(0, arena_act(a, "destroy"));
	ATF_CHECK_EQ(EFAULT, arena_act(a, "destroy"));
	ATF_CHECK_EQ(EFAULT, arena_act(a, "reset"));
	error = mallctl("thread.arena", NULL, NULL, &a, sizeof(a));
	ATF_CHECK_EQ(EFAULT, error);
	ATF_CHECK_EQ(a, create(NULL));
	/* To the last one, and no further. */
	do {
		len = sizeof(n);
		error = mallctl("arenas.create", &n, &len, NULL, 0);
	} while (error == 0);
	ATF_CHECK_EQ(EAGAIN, error);
	ATF_REQUIRE_EQ(0, arena_act(4094, "destroy"));
	ATF_CHECK_EQ(4094, create(NULL));
}

ATF_TC(names);
ATF_TC_HEAD(names, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "Arenas have names");
}
ATF_TC_BODY(names, tc)
{
	unsigned int a = create(NULL);
	char buf[32], *p = buf;
	const char *name;
	size_t len = sizeof(p);

	ATF_REQUIRE_EQ(0, mallctl("arena.2.name", &p, &len, NULL, 0));
	ATF_CHECK_STREQ("manual_2", buf);
	ATF_REQUIRE_EQ(0, mallctl("arena.0.name", &p, &len, NULL, 0));
	ATF_CHECK_STREQ("auto_0", buf);
	name = "a name of more than thirty-one bytes";
	ATF_REQUIRE_EQ(0, mallctl("arena.2.name", NULL, NULL, &name,
	    sizeof(name)));
	ATF_REQUIRE_EQ(0, mallctl("arena.2.name", &p, &len, NULL, 0));
	ATF_CHECK_EQ(31, strlen(buf));
	ATF_CHECK_EQ(0, strncmp(name, buf, 31));
	len = 1;
	ATF_CHECK_EQ(EINVAL, mallctl("arena.2.name", &p, &len, NULL, 0));
	name = NULL;
	ATF_CHECK_EQ(EFAULT, mallctl("arena.2.name", NULL, NULL, &name,
	    sizeof(name)));
	/* The next one does not inherit it. */
	ATF_REQUIRE_EQ(0, arena_act(a, "destroy"));
	len = sizeof(p);
	ATF_CHECK_EQ(EFAULT, mallctl("arena.2.name", &p, &len, NULL, 0));
	ATF_REQUIRE_EQ(a, create(NULL));
	ATF_REQUIRE_EQ(0, mallctl("arena.2.name", &p, &len, NULL, 0));
	ATF_CHECK_STREQ("manual_2", buf);
}

ATF_TC(books);
ATF_TC_HEAD(books, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "What an arena hands out is counted "
	    "there, exactly");
}
ATF_TC_BODY(books, tc)
{
	static char *v[NBLOCKS];
	unsigned int a = create(NULL), i;
	size_t large = 0, len = sizeof(i), n = 0, small = 0;

	/* What goes to one arena is counted there, and exactly. */
	take(a, v, NBLOCKS);
	for (i = 0; i < NBLOCKS; i++)
		if (sizes[i % nitems(sizes)] <= SMALL_MAX) {
			small += malloc_usable_size(v[i]);
			n++;
		} else
			large += malloc_usable_size(v[i]);
	ATF_CHECK_EQ(n, figure(a, "small.nmalloc") -
	    figure(a, "small.ndalloc"));
	ATF_CHECK_EQ(n, figure(a, "small.nrequests"));
	ATF_CHECK_EQ(small, figure(a, "small.allocated"));
	ATF_CHECK_EQ(large, figure(a, "large.allocated"));
	ATF_CHECK_EQ(NBLOCKS - n, figure(a, "large.nmalloc"));
	ATF_CHECK(figure(a, "mapped") >= small + large);
	check(v, NBLOCKS);
	/* Not bound to it, so each goes straight back. */
	for (i = 0; i < NBLOCKS; i++)
		if (i % 2 == 0)
			free(v[i]);
		else
			free_sized(v[i], sizes[i % nitems(sizes)]);
	ATF_CHECK_EQ(0, figure(a, "small.allocated"));
	ATF_CHECK_EQ(0, figure(a, "large.allocated"));
	ATF_CHECK_EQ(NBLOCKS - n, figure(a, "large.ndalloc"));
	/* Bound to it, they stay at hand. */
	(void)bind_to(a);
	ATF_REQUIRE_EQ(0, mallctl("stats.arenas.2.nthreads", &i, &len, NULL,
	    0));
	ATF_CHECK_EQ(1, i);
	v[0] = malloc(hide(100));
	free(v[0]);
	ATF_CHECK_EQ(v[0], malloc(hide(100)));
	free(v[0]);
	ATF_CHECK(figure(a, "small.allocated") > 0);
	flush();
	ATF_CHECK_EQ(0, figure(a, "small.allocated"));
}

ATF_TC(resizes);
ATF_TC_HEAD(resizes, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "Blocks of explicit arenas can be "
	    "resized");
}
ATF_TC_BODY(resizes, tc)
{
	unsigned int a = create(NULL), i, old;
	char *p;

	for (i = 0; i < nitems(sizes); i++) {
		old = bind_to(a);
		p = malloc(hide(sizes[i]));
		ATF_REQUIRE(p != NULL);
		(void)bind_to(old);
		ATF_CHECK(malloc_usable_size(p) >= sizes[i]);
		paint(p, sizes[i], i);
		ATF_CHECK_EQ(p, realloc(p, hide(malloc_usable_size(p))));
		p = realloc(p, hide(2 * sizes[i] + 100));
		ATF_REQUIRE(p != NULL);
		ATF_CHECK_EQ(sizes[i], painted(p, sizes[i], i));
		p = realloc(p, hide(sizes[i] / 2 + 1));
		ATF_REQUIRE(p != NULL);
		ATF_CHECK_EQ(sizes[i] / 2, painted(p, sizes[i] / 2, i));
		free(p);
	}
	ATF_CHECK_EQ(0, figure(a, "small.allocated"));
	ATF_CHECK_EQ(0, figure(a, "large.allocated"));
}

ATF_TC(resets);
ATF_TC_HEAD(resets, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "Reset gives up all blocks of an arena, "
	    "and no other's");
}
ATF_TC_BODY(resets, tc)
{
	static char *other[NBLOCKS], *v[NBLOCKS];
	unsigned int a = create(NULL), b = create(NULL), i;

	take(b, other, NBLOCKS);
	for (i = 0; i < 20; i++) {
		take(a, v, NBLOCKS);
		check(v, NBLOCKS);
		if (i % 2 == 0)
			free(v[i]);
		if (i % 3 == 0)
			(void)bind_to(a);
		ATF_REQUIRE_EQ(0, arena_act(a, "reset"));
		ATF_CHECK_EQ(0, figure(a, "small.allocated"));
		ATF_CHECK_EQ(0, figure(a, "large.allocated"));
		ATF_CHECK_EQ(0, figure(a, "pactive"));
		ATF_CHECK_EQ(figure(a, "small.nmalloc"),
		    figure(a, "small.ndalloc"));
		(void)bind_to(0);
	}
	check(other, NBLOCKS);
	/* What is in no use can go. */
	ATF_REQUIRE_EQ(0, arena_act(a, "purge"));
	ATF_CHECK_EQ(0, figure(a, "pdirty"));
	ATF_CHECK_EQ(figure(a, "mapped"), figure(a, "retained"));
}

/* In a child: a cache with blocks of an arena that was reset. */
static void *
keep_and_flush(void *arg)
{
	pthread_barrier_t *b = arg;

	(void)bind_to(2);
	free(malloc(hide(100)));
	(void)pthread_barrier_wait(b);
	(void)pthread_barrier_wait(b);
	flush();
	return (NULL);
}

ATF_TC(forgotten);
ATF_TC_HEAD(forgotten, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "A cache with blocks of an arena that "
	    "was reset is found out");
}
ATF_TC_BODY(forgotten, tc)
{
	pthread_barrier_t b;
	pthread_t t;
	char said[1024];
	pid_t pid;
	int fd[2], status;

	ATF_REQUIRE_EQ(0, pipe(fd));
	pid = fork_child(10);
	if (pid == 0) {
		(void)dup2(fd[1], STDERR_FILENO);
		(void)create(NULL);
		(void)pthread_barrier_init(&b, NULL, 2);
		(void)pthread_create(&t, NULL, keep_and_flush, &b);
		(void)pthread_barrier_wait(&b);
		(void)arena_act(2, "reset");
		(void)pthread_barrier_wait(&b);
		(void)pthread_join(t, NULL);
		_exit(0);
	}
	(void)close(fd[1]);
	(void)read_all(fd[0], said, sizeof(said));
	status = wait_for(pid, 10);
	ATF_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ATF_CHECK_MSG(strstr(said, "arena 2 was reset") != NULL, "%s", said);
}

ATF_TC(destroys);
ATF_TC_HEAD(destroys, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "Destroy gives all memory back and "
	    "keeps the statistics");
}
ATF_TC_BODY(destroys, tc)
{
	static char *v[NBLOCKS];
	unsigned int a = create(NULL);
	uint64_t gone, n, all;

	gone = figure(MALLCTL_ARENAS_DESTROYED, "small.nmalloc");
	take(a, v, NBLOCKS);
	n = figure(a, "small.nmalloc");
	all = figure(MALLCTL_ARENAS_ALL, "mapped") - figure(a, "mapped");
	(void)bind_to(a);
	ATF_CHECK_EQ(EFAULT, arena_act(a, "destroy"));
	(void)bind_to(0);
	ATF_REQUIRE_EQ(0, arena_act(a, "destroy"));
	ATF_CHECK_EQ(all, figure(MALLCTL_ARENAS_ALL, "mapped"));
	ATF_CHECK_EQ(gone + n, figure(MALLCTL_ARENAS_DESTROYED,
	    "small.nmalloc"));
	ATF_CHECK_EQ(gone + n, figure(MALLCTL_ARENAS_DESTROYED,
	    "small.ndalloc"));
	ATF_CHECK_EQ(0, figure(MALLCTL_ARENAS_DESTROYED, "small.allocated"));
	/* The next of that number starts from nothing. */
	ATF_REQUIRE_EQ(a, create(NULL));
	ATF_CHECK_EQ(0, figure(a, "small.nmalloc"));
	ATF_CHECK_EQ(0, figure(a, "large.nmalloc"));
	ATF_CHECK_EQ(0, figure(a, "mapped"));
	ATF_CHECK_EQ(0, figure(a, "dirty_purged"));
}

ATF_TC(cycles);
ATF_TC_HEAD(cycles, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "10,000 arenas, one after the other, "
	    "cost no metadata");
}
ATF_TC_BODY(cycles, tc)
{
	static char *v[20];
	unsigned int a, i;
	size_t after, before = 0;
	uint64_t mapped = 0;

	for (i = 0; i < 10000; i++) {
		a = create(NULL);
		ATF_REQUIRE_EQ(2, a);
		take(a, v, nitems(v));
		if (i % 2 == 0)
			ATF_REQUIRE_EQ(0, arena_act(a, "reset"));
		ATF_REQUIRE_EQ(0, arena_act(a, "destroy"));
		if (i == 100) {
			before = get("stats.metadata");
			mapped = figure(MALLCTL_ARENAS_ALL, "mapped");
		}
	}
	after = get("stats.metadata");
	ATF_CHECK_EQ_MSG(before, after, "%zu %zu", before, after);
	ATF_CHECK_EQ(mapped, figure(MALLCTL_ARENAS_ALL, "mapped"));
}

ATF_TC(decays);
ATF_TC_HEAD(decays, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "Arenas decay each by its own time");
}
ATF_TC_BODY(decays, tc)
{
	static char *v[NBLOCKS];
	unsigned int a = create(NULL), b = create(NULL), i;
	ssize_t never = -1, now = 0, ms;
	size_t len = sizeof(ms);

	/* Two arenas at 0 and -1, side by side. */
	ATF_REQUIRE_EQ(0, mallctl("arena.2.dirty_decay_ms", NULL, NULL, &now,
	    sizeof(now)));
	ATF_REQUIRE_EQ(0, mallctl("arena.3.dirty_decay_ms", NULL, NULL,
	    &never, sizeof(never)));
	ATF_REQUIRE_EQ(0, mallctl("arena.2.dirty_decay_ms", &ms, &len, NULL,
	    0));
	ATF_CHECK_EQ(0, ms);
	ATF_REQUIRE_EQ(0, mallctl("arena.0.dirty_decay_ms", &ms, &len, NULL,
	    0));
	ATF_CHECK_EQ(10000, ms);
	take(b, v, NBLOCKS);
	for (i = 0; i < NBLOCKS; i++)
		free(v[i]);
	ATF_CHECK(figure(b, "pdirty") > 1000);
	ATF_CHECK_EQ(0, figure(b, "dirty_npurge"));
	take(a, v, NBLOCKS);
	for (i = 0; i < NBLOCKS; i++)
		free(v[i]);
	ATF_CHECK_EQ(0, figure(a, "pdirty"));
	ATF_CHECK(figure(a, "dirty_purged") > 1000);
	ATF_CHECK(figure(b, "pdirty") > 1000);
	ATF_CHECK_EQ(0, figure(b, "dirty_npurge"));
	/* The new default is for those to come. */
	ATF_REQUIRE_EQ(0, mallctl("arenas.dirty_decay_ms", NULL, NULL,
	    &never, sizeof(never)));
	ATF_REQUIRE_EQ(0, mallctl("arena.2.dirty_decay_ms", &ms, &len, NULL,
	    0));
	ATF_CHECK_EQ(0, ms);
	ATF_REQUIRE_EQ(4, create(NULL));
	ATF_REQUIRE_EQ(0, mallctl("arena.4.dirty_decay_ms", &ms, &len, NULL,
	    0));
	ATF_CHECK_EQ(-1, ms);
}

#define	NTHREADS 16

static void *
lives(void *arg)
{
	char *v[40];
	unsigned int a, i, round;

	(void)arg;
	for (round = 0; round < 40; round++) {
		a = create(NULL);
		take(a, v, nitems(v));
		check(v, nitems(v));
		for (i = 0; i < nitems(v); i += 2)
			free(v[i]);
		ATF_REQUIRE_EQ(0, arena_act(a, "reset"));
		take(a, v, nitems(v));
		check(v, nitems(v));
		ATF_REQUIRE_EQ(0, arena_act(a, "destroy"));
	}
	return (NULL);
}

static uint32_t	done;

static void *
meddles(void *arg)
{

	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) == 0) {
		ATF_REQUIRE_EQ(0, mallctl("arena." ALL ".purge", NULL, NULL,
		    NULL, 0));
		(void)figure(MALLCTL_ARENAS_ALL, "mapped");
	}
	return (arg);
}

ATF_TC(threads);
ATF_TC_HEAD(threads, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "16 threads create, use, reset and "
	    "destroy, one purges");
}
ATF_TC_BODY(threads, tc)
{
	pthread_t m, t[NTHREADS];
	unsigned int i;

	ATF_REQUIRE_EQ(0, pthread_create(&m, NULL, meddles, NULL));
	for (i = 0; i < NTHREADS; i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, lives, NULL));
	for (i = 0; i < NTHREADS; i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	ATF_REQUIRE_EQ(0, pthread_join(m, NULL));
	ATF_CHECK(create(NULL) <= 2 + NTHREADS);
	ATF_CHECK_EQ(0, figure(MALLCTL_ARENAS_DESTROYED, "small.allocated"));
}

static void *
frees_all(void *arg)
{
	char **v = arg;
	unsigned int i;

	check(v, NBLOCKS);
	for (i = 0; i < NBLOCKS; i++)
		free(v[i]);
	return (NULL);
}

ATF_TC(by_others);
ATF_TC_HEAD(by_others, tc)
{

	atf_tc_set_md_var(tc, "descr",
	    "Other threads free what an arena "
	    "handed out");
}
ATF_TC_BODY(by_others, tc)
{
	static char *v[NBLOCKS];
	unsigned int a = create(NULL), i;
	pthread_t t;

	for (i = 0; i < 50; i++) {
		take(a, v, NBLOCKS);
		ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, frees_all, v));
		ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
		ATF_CHECK_EQ(0, figure(a, "small.allocated"));
		ATF_CHECK_EQ(0, figure(a, "large.allocated"));
	}
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, indices);
	ATF_TP_ADD_TC(tp, names);
	ATF_TP_ADD_TC(tp, books);
	ATF_TP_ADD_TC(tp, resizes);
	ATF_TP_ADD_TC(tp, resets);
	ATF_TP_ADD_TC(tp, forgotten);
	ATF_TP_ADD_TC(tp, destroys);
	ATF_TP_ADD_TC(tp, cycles);
	ATF_TP_ADD_TC(tp, decays);
	ATF_TP_ADD_TC(tp, threads);
	ATF_TP_ADD_TC(tp, by_others);

	return (atf_no_error());
}
