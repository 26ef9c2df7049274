/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Programs that fall silent with much unused memory, with a background thread
 * and without.
 */

#define	_GNU_SOURCE

#include "keeper_work_test_subr.h"

#define	BURST	((size_t)256 << 20)
#define	NBLOCKS	((size_t)1 << 16)
/* Resident beyond what there was: what dirty_max may leave, which is looked at
 * in steps of an eighth. */
#define	CAPPED	(64 + 64 / 8)

/* And what is little of a burst. */
#define	LITTLE	32

static char	*blocks[NBLOCKS];

/* Blocks of 100 bytes to 1 MiB, half of them small. */
static size_t
take(void)
{
	size_t n, size, total = 0;
	uint32_t r = 1;

	for (n = 0; n < NBLOCKS && total < BURST; n++) {
		r = r * 1664525 + 1013904223;
		size = (size_t)100 << (r >> 16) % 14;
		size += size * (r >> 24) / 256 % ((size_t)1 << 20);
		blocks[n] = malloc(size);
		ATF_REQUIRE(blocks[n] != NULL);
		memset(blocks[n], 1, size);
		total += size;
	}
	return (n);
}

static void *
give(void *arg)
{
	size_t n = (size_t)(uintptr_t)arg;

	while (n > 0)
		free(blocks[--n]);
	return (NULL);
}

static void
burst(void)
{

	(void)give((void *)(uintptr_t)take());
}

ATF_TC(off);
ATF_TC_HEAD(off, tc)
{

	atf_tc_set_md_var(tc, "descr", "By default there is no thread, and "
	    "without any call at most dirty_max stays");
}
ATF_TC_BODY(off, tc)
{
	unsigned int base, rss;

	decay(1000);
	base = rss_mib();
	burst();
	ATF_CHECK(rss_mib() < base + CAPPED + NOTHING);
	usleep(1500000);
	rss = rss_mib();
	ATF_CHECK_MSG(rss < base + CAPPED + NOTHING, "%u MiB", rss - base);
	/* Else the other cases show nothing. */
	ATF_CHECK_MSG(rss > base + CAPPED / 2, "%u MiB", rss - base);
	ATF_CHECK_EQ(0, count_keepers(NULL));
	ATF_CHECK(!is_on("background_thread"));
	ATF_CHECK(!is_on("opt.background_thread"));
	ATF_CHECK_EQ(4, get("opt.max_background_threads"));
	ATF_CHECK_EQ(4, get("max_background_threads"));
	ATF_CHECK_EQ(0, get("stats.background_thread.num_threads"));
	ATF_CHECK_EQ(0, get("stats.background_thread.num_runs"));
	ATF_CHECK_EQ(0, get("stats.background_thread.run_interval"));
}

/* What is owed in the end is owed for some rounds more. */
static bool
falls_asleep(int tid)
{
	unsigned int i;
	size_t runs, slept;

	for (i = 0; i < 10; i++) {
		usleep(1000000);
		runs = get("stats.background_thread.num_runs");
		slept = status_of(tid, SLEEPS, 10);
		usleep(1000000);
		if (runs == get("stats.background_thread.num_runs") &&
		    slept == status_of(tid, SLEEPS, 10))
			return (true);
	}
	return (false);
}

ATF_TC(on);
ATF_TC_HEAD(on, tc)
{

	atf_tc_set_md_var(tc, "descr", "With one, all has gone after 1.2 times "
	    "dirty_decay_ms; then it sleeps for ever");
}
ATF_TC_BODY(on, tc)
{
	unsigned int base, ms;
	size_t runs;
	uint64_t first, start;
	int tid = 0;

	decay(2000);
	ATF_REQUIRE_EQ(0, turn(true));
	ATF_CHECK(is_on("background_thread"));
	ATF_CHECK(!is_on("opt.background_thread"));
	ATF_CHECK_EQ(1, get("stats.background_thread.num_threads"));
	ATF_CHECK_EQ(1, await_keepers(1));
	ATF_REQUIRE_EQ(1, count_keepers(&tid));
	/* Not SIGKILL, SIGSTOP, nor the two that are glibc's. */
	ATF_CHECK_EQ(~UINT64_C(0x180040100), status_of(tid, "SigBlk:", 16));
	/* A round is on when the rest comes. */
	first = now_ms();
	dirty((size_t)1 << 20);
	usleep(100000);
	base = rss_mib();
	burst();
	start = now_ms();
	ms = await_rss(base + LITTLE, 5000);
	ATF_CHECK_MSG(ms <= (start - first < 900 ? 2400 : 3400), "%u ms", ms);
	/* What is freed where that round, or the one that began anew as memory
	 * grew, has been already may wait for half the time more. */
	ms += await_rss(base + NOTHING, 5000);
	ATF_CHECK_MSG(ms <= 3400, "%u ms", ms);
	/* Not all at once. */
	ATF_CHECK_MSG(now_ms() - start >= 900, "%u ms", ms);
	runs = get("stats.background_thread.num_runs");
	ATF_CHECK_MSG(runs >= 10, "%zu runs", runs);
	ATF_CHECK(get("stats.background_thread.run_interval") >= 1000000);
	ATF_CHECK_MSG(falls_asleep(tid), "it goes on");
	ATF_CHECK_EQ(0, turn(false));
	ATF_CHECK_EQ(0, await_keepers(0));
	ATF_CHECK_EQ(0, get("stats.background_thread.num_threads"));
	ATF_CHECK(!is_on("background_thread"));
}

ATF_TC(rests);
ATF_TC_HEAD(rests, tc)
{

	atf_tc_set_md_var(tc, "descr", "It sleeps for ever though there are "
	    "free pages that no huge page is broken up for, until there are "
	    "more");
}
ATF_TC_BODY(rests, tc)
{
	const size_t n = 1600, size = 40000;
	unsigned int base;
	size_t i;
	int tid = 0;

	decay(200);
	ATF_REQUIRE_EQ(0, turn(true));
	ATF_REQUIRE_EQ(1, await_keepers(1));
	(void)count_keepers(&tid);
	base = rss_mib();
	for (i = 0; i < n; i++) {
		blocks[i] = hidep(malloc(size));
		ATF_REQUIRE(blocks[i] != NULL);
		memset(blocks[i], 1, size);
	}
	for (i = 0; i < n; i += 100)
		free(blocks[i]);
	ATF_CHECK_MSG(falls_asleep(tid), "it goes on");
	for (i = 0; i < n; i++)
		if (i % 100 != 0)
			free(blocks[i]);
	ATF_CHECK(await_rss(base + NOTHING, 10000) < 10000);
	ATF_CHECK_MSG(falls_asleep(tid), "it goes on again");
}

ATF_TC(switched);
ATF_TC_HEAD(switched, tc)
{

	atf_tc_set_md_var(tc, "descr", "Switched on and off all the time, by "
	    "two threads, while there is work");
}

ATF_TC_BODY(switched, tc)
{
	unsigned int i;
	pthread_t t[2];
	void *bad;

	decay(5);
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, switcher, NULL));
	for (i = 0; i < 1000; i++) {
		free(hidep(malloc(hide(1000000))));
		if (i % 16 == 0)
			usleep(1000);
	}
	atomic_store(&stop, true);
	for (i = 0; i < nitems(t); i++) {
		ATF_REQUIRE_EQ(0, pthread_join(t[i], &bad));
		ATF_CHECK(bad == NULL);
	}
	ATF_CHECK_EQ(0, turn(false));
	ATF_CHECK_EQ(0, await_keepers(0));
	ATF_CHECK_EQ(0, turn(true));
	ATF_CHECK_EQ(1, await_keepers(1));
}

/* Create an arena for what this thread allocates; the key of its time. */
static unsigned int
enter_arena(extent_hooks_t *h, char key[64])
{
	unsigned int ind = create(h);

	(void)bind_to(ind);
	(void)snprintf(key, 64, "arena.%u.dirty_decay_ms", ind);
	return (ind);
}

ATF_TC(woken);
ATF_TC_HEAD(woken, tc)
{

	atf_tc_set_md_var(tc, "descr", "It is woken for what is due earlier "
	    "than what it sleeps for");
}
ATF_TC_BODY(woken, tc)
{
	unsigned int base, ms;
	uint64_t start;
	char key[64];

	ATF_REQUIRE_EQ(0, turn(true));
	usleep(100000);
	base = rss_mib();
	/* From the sleep without an end. */
	decay(500);
	dirty((size_t)32 << 20);
	ms = await_rss(base + NOTHING, 2000);
	ATF_CHECK_MSG(ms <= 750, "%u ms", ms);
	/* It has a time of 20 minutes, a 64th of that is 18 seconds. */
	usleep(1000000);
	decay(1200000);
	dirty((size_t)32 << 20);
	usleep(100000);
	(void)enter_arena(NULL, key);
	set(key, 500);
	start = now_ms();
	dirty((size_t)32 << 20);
	ATF_CHECK(rss_mib() >= base + 60 || now_ms() - start > 200);
	ms = await_rss(base + 32 + NOTHING, 2000);
	ATF_CHECK_MSG(ms <= 750, "%u ms", ms);
	usleep(100000);
	decay(500);
	ms = await_rss(base + NOTHING, 2000);
	ATF_CHECK_MSG(ms <= 750, "%u ms", ms);
}

/* What one thread allocates another frees, which then calls malloc now and
 * then. */
static atomic_bool	taken;

static void *
sleeper(void *arg)
{

	*(size_t *)arg = take();
	atomic_store(&taken, true);
	while (!atomic_load(&stop))
		usleep(10000);
	return (NULL);
}

/* Visits of this thread, one a second, that may have come to nothing since
 * another process took their time; in ms. */
static uint64_t
put_off(void)
{
	struct rusage ru;

	ATF_REQUIRE_EQ(0, getrusage(RUSAGE_THREAD, &ru));
	return ((uint64_t)ru.ru_nivcsw * 1000);
}

ATF_TC(others);
ATF_TC_HEAD(others, tc)
{

	atf_tc_set_md_var(tc, "descr", "Without a thread: one allocates, "
	    "another frees all, and a malloc a second gives all back");
}
ATF_TC_BODY(others, tc)
{
	unsigned int base;
	uint64_t limit, start;
	pthread_t t;
	size_t n;

	decay(10000);
	base = rss_mib();
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, sleeper, &n));
	while (!atomic_load(&taken))
		usleep(1000);
	/* Whatever was there before is over. */
	usleep(200000);
	free(hidep(malloc(hide(100))));
	(void)give((void *)(uintptr_t)n);
	start = now_ms();
	limit = 12000 - put_off();
	while (rss_mib() >= base + 32 && now_ms() - start < 60000) {
		usleep(950000);
		free(hidep(malloc(hide(100))));
	}
	limit += put_off();
	ATF_CHECK_MSG(now_ms() - start <= limit, "%u MiB after %ju ms",
	    rss_mib() - base, (uintmax_t)(now_ms() - start));
	ATF_CHECK_EQ(0, count_keepers(NULL));
	atomic_store(&stop, true);
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
}

/* Hooks: the default ones, but that dalloc does something before. */
static extent_hooks_t	hooks;
static bool		(*true_dalloc)(extent_hooks_t *, void *, size_t, bool,
			    unsigned);
static atomic_uint	at_once, most_at_once, ndalloc;
static unsigned int	delay_ms;
static int		wish = -1;	/* switch it on, off */
static atomic_int	error;
static atomic_bool	in_keeper;

static bool
hook_dalloc(extent_hooks_t *h, void *p, size_t size, bool committed,
    unsigned int ind)
{
	char name[32] = "";
	unsigned int n;
	bool keeper;
	int e;

	(void)pthread_getname_np(pthread_self(), name, sizeof(name));
	keeper = strcmp(name, KEEPER_NAME) == 0;
	n = atomic_fetch_add(&at_once, keeper) + keeper;
	if (n > atomic_load(&most_at_once))
		atomic_store(&most_at_once, n);
	if (delay_ms != 0)
		usleep(delay_ms * 1000);
	atomic_store(&in_keeper, keeper);
	if (wish >= 0 && (e = turn(wish != 0)) != 0)
		atomic_store(&error, e);
	atomic_fetch_sub(&at_once, keeper);
	atomic_fetch_add(&ndalloc, 1);
	return (true_dalloc(h, p, size, committed, ind));
}

static extent_hooks_t *
my_hooks(void)
{
	extent_hooks_t *h;
	size_t len = sizeof(h);

	ATF_REQUIRE_EQ(0, mallctl("arena.0.extent_hooks", &h, &len, NULL, 0));
	hooks = *h;
	true_dalloc = h->dalloc;
	hooks.dalloc = hook_dalloc;
	return (&hooks);
}

static void
await_dalloc(void)
{
	unsigned int i, n = atomic_load(&ndalloc);

	for (i = 0; i < 3000 && atomic_load(&ndalloc) == n; i++)
		usleep(10000);
	ATF_REQUIRE_MSG(atomic_load(&ndalloc) != n, "dalloc is not called");
}

/* Work for the thread, and forks. */
static void *
forker(void *arg)
{
	int status;
	pid_t pid;

	while (!atomic_load(&stop)) {
		dirty((size_t)1 << 20);
		if ((pid = fork()) == 0)
			_exit(0);
		if (pid != -1)
			(void)waitpid(pid, &status, 0);
	}
	return (arg);
}

ATF_TC(hooked);
ATF_TC_HEAD(hooked, tc)
{

	atf_tc_set_md_var(tc, "descr", "Extent hooks switch it on and off, in "
	    "the thread itself and in others");
	atf_tc_set_md_var(tc, "timeout", "60");
}
ATF_TC_BODY(hooked, tc)
{
	unsigned int i, ind;
	char key[64];
	pthread_t t;

	set("max_background_threads", 1);
	ind = enter_arena(my_hooks(), key);
	set(key, 100);
	ATF_REQUIRE_EQ(0, turn(true));
	wish = 0;
	dirty((size_t)16 << 20);
	await_dalloc();
	ATF_CHECK(atomic_load(&in_keeper));
	ATF_CHECK_EQ(0, await_keepers(0));
	ATF_CHECK(!is_on("background_thread"));
	wish = -1;
	ATF_REQUIRE_EQ(0, turn(true));
	ATF_CHECK_EQ(1, await_keepers(1));

	/* From this one, while another forks, and the thread has to do. */
	decay(2);
	set(key, (size_t)-1);
	(void)snprintf(key, sizeof(key), "arena.%u.purge", ind);
	wish = 0;
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, forker, NULL));
	for (i = 0; i < 200; i++) {
		ATF_REQUIRE_EQ(0, turn(true));
		dirty((size_t)16 << 20);
		ATF_REQUIRE_EQ(0, mallctl(key, NULL, NULL, NULL, 0));
		ATF_CHECK(!is_on("background_thread"));
	}
	atomic_store(&stop, true);
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
	ATF_CHECK(!atomic_load(&in_keeper));
	ATF_CHECK_EQ(0, await_keepers(0));
	wish = 1;
	dirty((size_t)16 << 20);
	ATF_REQUIRE_EQ(0, mallctl(key, NULL, NULL, NULL, 0));
	ATF_CHECK(is_on("background_thread"));
	wish = -1;
	/* It comes with the next work, from here. */
	decay(100);
	dirty((size_t)16 << 20);
	(void)bind_to(0);
	dirty((size_t)16 << 20);
	ATF_CHECK_EQ(1, await_keepers(1));
	ATF_CHECK_EQ(0, atomic_load(&error));
}

/* Work for every arena, twice, and until so many were at it at once. */
static void
keep_all(const unsigned int *ind, unsigned int n, unsigned int want)
{
	unsigned int i, round;

	atomic_store(&most_at_once, 0);
	for (round = 0; round < 2 || (round < 20 &&
	    atomic_load(&most_at_once) < want); round++) {
		for (i = 0; i < n; i++) {
			(void)bind_to(ind[i]);
			dirty((size_t)16 << 20);
		}
		usleep(700000);
	}
}

ATF_TC(most);
ATF_TC_HEAD(most, tc)
{

	atf_tc_set_md_var(tc, "descr", "There are as many as sets of arenas, "
	    "and no more than max_background_threads");
}
ATF_TC_BODY(most, tc)
{
	static const size_t bad[] = { 0, 5 }, good[] = { 1, 2, 4 };
	unsigned int i, ind[4];
	char key[64];
	size_t want;

	for (i = 0; i < nitems(bad); i++)
		ATF_CHECK_EQ(EINVAL, mallctl("max_background_threads", NULL,
		    NULL, (void *)(uintptr_t)&bad[i], sizeof(bad[i])));
	ATF_REQUIRE_EQ(0, turn(true));
	(void)my_hooks();
	delay_ms = 200;
	for (i = 0; i < nitems(ind); i++) {
		ind[i] = enter_arena(&hooks, key);
		set(key, 50);
	}
	for (i = 0; i < nitems(good); i++) {
		want = good[i];
		set("max_background_threads", want);
		ATF_CHECK_EQ(want, get("max_background_threads"));
		keep_all(ind, nitems(ind), (unsigned int)want);
		ATF_CHECK_EQ(want,
		    get("stats.background_thread.num_threads"));
		ATF_CHECK_EQ(want, count_keepers(NULL));
		ATF_CHECK_MSG(atomic_load(&most_at_once) == want,
		    "%u at once, not %zu", atomic_load(&most_at_once), want);
	}
	set("max_background_threads", 1);
	ATF_CHECK_EQ(1, await_keepers(1));
}

ATF_TC(ends);
ATF_TC_HEAD(ends, tc)
{

	atf_tc_set_md_var(tc, "descr", "A process ends with its last thread, "
	    "and by exit");
}

static void *
last(void *arg)
{

	usleep(100000);
	free(hidep(malloc(hide(100))));
	return (arg);
}

ATF_TC_BODY(ends, tc)
{
	int i, status;
	pthread_t t;
	pid_t pid;

	for (i = 0; i < 3; i++) {
		pid = fork_child(20);
		if (pid == 0) {
			decay(1000);
			if (turn(true) != 0)
				_exit(1);
			dirty((size_t)64 << 20);
			if (i == 0)
				exit(0);
			if (i == 1 && pthread_create(&t, NULL, last,
			    NULL) != 0)
				_exit(2);
			pthread_exit(NULL);
		}
		status = wait_for(pid, 20);
		ATF_CHECK_MSG(status == 0, "%d: status %#x", i, status);
	}
}

/* What h_keeper says with these options. */
static void
program(const atf_tc_t *tc, const char *conf, const char *arg,
    const char *want)
{
	char buf[256], path[1024];
	int fd[2], status;
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s/h_keeper",
	    atf_tc_get_config_var(tc, "srcdir"));
	ATF_REQUIRE_EQ(0, pipe(fd));
	pid = fork_child(20);
	if (pid == 0) {
		(void)dup2(fd[1], STDOUT_FILENO);
		(void)close(fd[0]);
		(void)close(fd[1]);
		(void)setenv("MALLOC_CONF", conf, 1);
		(void)execl(path, path, arg, (char *)NULL);
		_exit(127);
	}
	(void)close(fd[1]);
	(void)read_all(fd[0], buf, sizeof(buf));
	status = wait_for(pid, 20);
	ATF_CHECK_MSG(status == 0, "%s: status %#x", conf, status);
	ATF_CHECK_STREQ_MSG(want, buf, "%s", conf);
}

ATF_TC(option);
ATF_TC_HEAD(option, tc)
{

	atf_tc_set_md_var(tc, "descr", "By the option it comes with the first "
	    "work that the program itself makes");
}
ATF_TC_BODY(option, tc)
{

	program(tc, "background_thread:true", NULL, "0 0 0 1\n");
	program(tc, "background_thread:true", "thread", "0 1\n");
	program(tc, "background_thread:true,tcache:false", NULL, "0 0 0 1\n");
	program(tc, "background_thread:false", NULL, "0 0 0 0\n");
	program(tc, "background_thread:false", "thread", "0 0\n");
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, off);
	ATF_TP_ADD_TC(tp, on);
	ATF_TP_ADD_TC(tp, rests);
	ATF_TP_ADD_TC(tp, switched);
	ATF_TP_ADD_TC(tp, woken);
	ATF_TP_ADD_TC(tp, others);
	ATF_TP_ADD_TC(tp, hooked);
	ATF_TP_ADD_TC(tp, most);
	ATF_TP_ADD_TC(tp, ends);
	ATF_TP_ADD_TC(tp, option);

	return (atf_no_error());
}
