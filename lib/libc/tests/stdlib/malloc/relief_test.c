/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * relief: limits that follow a control group while the program runs.
 */

#include <malloc_np.h>
#include <pthread.h>

#include "cgroup_test_subr.h"
#include "dsm_conf.h"
#include "dsm_limit.h"
#include "dsm_relief.h"
#include "dsm_set.h"

#define	MOUNT	"30 23 0:26 / /cg rw - cgroup2 c rw\n"

static void	*block[64];

/* Take so many MiB that were not there before. */
static void
grow(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		memset(hidep(malloc(hide(MIB(1)))), 1, MIB(1));
}

/* The control group is read again once this has passed. */
static void
later(void)
{

	usleep((LIMIT_LOOK_MS + 200) * 1000);
	grow(3);
}

ATF_TC(memory);
ATF_TC_HEAD(memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "A limit that is a share follows the "
	    "control group's, once much is held");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(memory, tc)
{

	begin("0::/g\n", MOUNT);
	put("/cg/g/memory.max", "400000000\n");
	conf.limit = "cgroup:50%";
	conf.limit_hard = "cgroup:90%";
	relief_boot();
	ATF_CHECK_EQ(200000000, limit_soft);
	ATF_CHECK_EQ(360000000, limit_hard);
	ATF_CHECK_EQ(200000000 / 8, limit_idle);
	put("/cg/g/memory.max", "300000000\n");
	later();
	ATF_CHECK_EQ_MSG(200000000, limit_soft, "a small process has looked");
	grow(64);
	ATF_CHECK_EQ(150000000, limit_soft);
	ATF_CHECK_EQ(270000000, limit_hard);
	put("/cg/g/memory.high", "200000000\n");
	grow(3);
	ATF_CHECK_EQ_MSG(150000000, limit_soft, "looked too soon");
	later();
	ATF_CHECK_EQ(100000000, limit_soft);
	ATF_CHECK_EQ(180000000, limit_hard);
	/* A limit in bytes stays, the other one follows. */
	relief_set_soft(123);
	put("/cg/g/memory.high", "max\n");
	relief_look();
	ATF_CHECK_EQ(123, limit_soft);
	ATF_CHECK_EQ(270000000, limit_hard);
	relief_set_soft(0);
	relief_set_hard(0);
}

ATF_TC(idle);
ATF_TC_HEAD(idle, tc)
{

	atf_tc_set_md_var(tc, "descr", "What may lie unused follows the "
	    "control group's memory, without any limit of ours");
}
ATF_TC_BODY(idle, tc)
{
	unsigned int i;
	size_t held;

	begin("0::/g\n", MOUNT);
	put("/cg/g/memory.max", "134217728\n");
	grow(64);
	ATF_CHECK_EQ(MIB(16), limit_idle);
	ATF_CHECK_EQ(0, limit_soft);
	ATF_CHECK_EQ(0, limit_hard);
	held = set_held();
	for (i = 0; i < nitems(block); i++)
		memset(block[i] = malloc(hide(MIB(1))), 1, MIB(1));
	for (i = 0; i < nitems(block); i++)
		free(block[i]);
	ATF_CHECK_MSG(set_held() <= held + MIB(20), "%zu, was %zu",
	    set_held(), held);
}

static void *
arena(void *arg)
{
	unsigned int ind;
	size_t len;

	free(malloc(hide(100)));
	len = sizeof(ind);
	if (mallctl("thread.arena", &ind, &len, NULL, 0) != 0)
		return ((void *)-1);
	*(unsigned int *)arg = ind;
	(void)sleep(1);
	return (NULL);
}

/* Threads that live at a time: the highest arena that one has. */
static unsigned int
spread(void)
{
	pthread_t t[4];
	unsigned int i, ind[nitems(t)], most;
	void *r;

	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, arena, &ind[i]));
	most = 0;
	for (i = 0; i < nitems(t); i++) {
		ATF_REQUIRE_EQ(0, pthread_join(t[i], &r));
		ATF_REQUIRE_EQ(NULL, r);
		most = MAX(most, ind[i]);
	}
	return (most);
}

/* A quota of one processor, then none, then the same again. */
static void
follow(void (*quota)(const char *))
{

	if (arena_count() < 2)
		atf_tc_skip("one processor");
	quota("100000");
	grow(64);
	ATF_CHECK_EQ(0, spread());
	quota("-1");
	later();
	ATF_CHECK_MSG(spread() >= 1, "only one arena");
	quota("100000");
	later();
	ATF_CHECK_EQ(0, spread());
}

static void
fake_quota(const char *us)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s 100000\n",
	    us[0] == '-' ? "max" : us);
	put("/cg/g/cpu.max", text);
}

ATF_TC(quota);
ATF_TC_HEAD(quota, tc)
{

	atf_tc_set_md_var(tc, "descr", "Threads are spread over as many arenas "
	    "as the quota is processors, also when it changes");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(quota, tc)
{

	begin("0::/g\n", MOUNT);
	follow(fake_quota);
}

static pthread_barrier_t	move, moved;
static unsigned int		where[6];

/* The arena in which a thread is now, after some ticks. */
static unsigned int
here(void)
{
	unsigned int i, ind;
	size_t len;

	for (i = 0; i < 200000; i++)
		free(hidep(malloc(hide(100))));
	len = sizeof(ind);
	ATF_REQUIRE_EQ(0, mallctl("thread.arena", &ind, &len, NULL, 0));
	return (ind);
}

static void *
live_on(void *arg)
{
	unsigned int *ind, last, round;

	ind = arg;
	last = 1;
	/* The first two choose, where they may be already. */
	if (ind < where + 2)
		ATF_REQUIRE_EQ(0, mallctl("thread.arena", NULL, NULL, &last,
		    sizeof(last)));
	for (round = 0; round < 3; round++) {
		(void)pthread_barrier_wait(&move);
		*ind = here();
		(void)pthread_barrier_wait(&moved);
	}
	return (NULL);
}

/* How many of the threads that may be moved are in arena 0 now. */
static unsigned int
in_first(void)
{
	unsigned int i, n;

	(void)pthread_barrier_wait(&move);
	(void)pthread_barrier_wait(&moved);
	ATF_CHECK_EQ(1, where[0]);
	ATF_CHECK_EQ(1, where[1]);
	for (i = 2, n = 0; i < nitems(where); i++)
		n += where[i] == 0;
	return (n);
}

ATF_TC(rebind);
ATF_TC_HEAD(rebind, tc)
{

	atf_tc_set_md_var(tc, "descr", "Threads that run move with the quota, "
	    "but those that the program has bound");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(rebind, tc)
{
	pthread_t t[nitems(where)];
	unsigned int i, n;

	if (arena_count() < 2)
		atf_tc_skip("one processor");
	begin("0::/g\n", MOUNT);
	fake_quota("200000");
	ATF_REQUIRE_EQ(0, pthread_barrier_init(&move, NULL,
	    (unsigned int)nitems(t) + 1));
	ATF_REQUIRE_EQ(0, pthread_barrier_init(&moved, NULL,
	    (unsigned int)nitems(t) + 1));
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, live_on,
		    &where[i]));
	grow(64);
	n = in_first();
	ATF_CHECK_MSG(n < 4, "all are in the first arena");
	fake_quota("100000");
	later();
	ATF_CHECK_EQ(4, in_first());
	fake_quota("200000");
	later();
	n = in_first();
	ATF_CHECK_MSG(n > 0 && n < 4, "%u of 4 are in the first arena", n);
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
}

#define	REAL	"/sys/fs/cgroup/cpu/dsmalloc-test"

static char	real[64];

static int
write_real(const char *file, const char *text)
{
	char path[128];
	FILE *f;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", real, file);
	f = fopen(path, "w");
	if (f == NULL)
		return (-1);
	r = fputs(text, f);
	return (fclose(f) == 0 && r >= 0 ? 0 : -1);
}

static void
real_quota(const char *us)
{

	ATF_REQUIRE_EQ(0, write_real("cpu.cfs_quota_us", us));
}

/* A group of our own at the top of version 1's hierarchy, where that can be
 * had; it goes when the process has gone. */
ATF_TC_WITH_CLEANUP(real_quota);
ATF_TC_HEAD(real_quota, tc)
{

	atf_tc_set_md_var(tc, "descr", "The same with a group of the system's "
	    "own");
	atf_tc_set_md_var(tc, "require.user", "root");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(real_quota, tc)
{
	FILE *f;

	(void)snprintf(real, sizeof(real), REAL ".%ld", (long)getpid());
	f = fopen("group", "w");
	ATF_REQUIRE(f != NULL);
	(void)fprintf(f, "%s", real);
	(void)fclose(f);
	if (mkdir(real, 0755) != 0 || write_real("cpu.cfs_quota_us", "-1") != 0
	    || write_real("tasks", "0") != 0)
		atf_tc_skip("no group can be made");
	follow(real_quota);
}
ATF_TC_CLEANUP(real_quota, tc)
{
	char path[64];
	FILE *f;
	size_t n;

	(void)tc;
	f = fopen("group", "r");
	if (f == NULL)
		return;
	n = fread(path, 1, sizeof(path) - 1, f);
	path[n] = '\0';
	(void)fclose(f);
	(void)rmdir(path);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, memory);
	ATF_TP_ADD_TC(tp, idle);
	ATF_TP_ADD_TC(tp, quota);
	ATF_TP_ADD_TC(tp, rebind);
	ATF_TP_ADD_TC(tp, real_quota);

	return (atf_no_error());
}
