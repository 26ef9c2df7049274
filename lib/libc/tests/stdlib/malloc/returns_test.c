/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a program has freed goes back to the system: what of it, and by whom.
 * Nothing here depends on how long anything takes.
 */

#define	_GNU_SOURCE
#include <sys/mman.h>

#include <pthread.h>

#include "mallctl_test_subr.h"

#define	MIB(n)		((size_t)(n) << 20)
#define	TOTAL		MIB(256)
#define	DIRTY_MAX	16
#define	LITTLE		12		/* all may wait to be due */
#define	KEPT		6		/* a page each for slots in stacks */

const char *malloc_conf = "dirty_max:16M,dirty_decay_ms:3600000";

static void **block;
static size_t nblocks;
static int stop;

static long
rss_mib(void)
{
	long kib;

	kib = proc_number("/proc/self/status", "VmRSS:");
	if (kib < 0)
		atf_tc_skip("no /proc/self/status");
	return (kib >> 10);
}

static uint64_t
rnd(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (x);
}

/* Blocks of so many bytes together, none of which the kernel has yet; their
 * addresses are in memory of their own, which counts from the start. */
static void
allocate(size_t total, size_t lo, size_t hi)
{
	size_t bytes, room, size;

	room = total / lo;
	block = mmap(NULL, room * sizeof(block[0]), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ATF_REQUIRE(block != MAP_FAILED);
	nblocks = 0;
	for (bytes = 0; bytes < total && nblocks < room; bytes += size) {
		size = lo;
		while (size < hi && rnd() % 2 != 0)
			size *= 2;
		size -= rnd() % (lo / 2);
		block[nblocks] = hidep(malloc(size));
		ATF_REQUIRE(block[nblocks] != NULL);
		memset(block[nblocks++], 1, size);
	}
}

static void
free_all(void)
{
	size_t i, j;
	void *p;

	for (i = nblocks; i > 0; i--) {
		j = rnd() % i;
		p = block[j];
		block[j] = block[i - 1];
		free(p);
	}
}

ATF_TC(pages_of_slabs);
ATF_TC_HEAD(pages_of_slabs, tc)
{

	atf_tc_set_md_var(tc, "descr", "A purge gives back every free page "
	    "between others, also of huge pages in use");
}
static void
take_pages(void)
{
	size_t i;

	nblocks = TOTAL / 4096;
	block = calloc(nblocks, sizeof(block[0]));
	ATF_REQUIRE(block != NULL);
	for (i = 0; i < nblocks; i++) {
		block[i] = hidep(malloc(4096));
		ATF_REQUIRE(block[i] != NULL);
		memset(block[i], 1, 4096);
	}
}

/* Free every second page; the resident memory before. */
static long
free_halves(void)
{
	long before;
	size_t i;

	before = rss_mib();
	for (i = 0; i < nblocks; i += 2)
		free(block[i]);
	return (before);
}

/* Calls of malloc, a millisecond each, while more is resident than that. */
static void
idle(int ms, long limit)
{

	for (; ms > 0 && rss_mib() >= limit; ms--) {
		usleep(1000);
		free(malloc(hide(100)));
	}
}

/* Most of that has gone, and the others are as they were. */
static void
check_halves(long before)
{
	long now = rss_mib();
	size_t i;

	ATF_CHECK_MSG(now < before - (long)(TOTAL >> 20) * 4 / 10,
	    "%ld MiB, %ld before", now, before);
	for (i = 1; i < nblocks; i += 2)
		ATF_REQUIRE_EQ(4096, all_bytes(block[i], 4096, 1));
}

ATF_TC_BODY(pages_of_slabs, tc)
{
	long before;

	set("arena.4096.dirty_decay_ms", (size_t)-1);
	take_pages();
	before = free_halves();
	purge();
	check_halves(before);
}

ATF_TC(slabs_decay);
ATF_TC_HEAD(slabs_decay, tc)
{

	atf_tc_set_md_var(tc, "descr", "Free pages between others go as time "
	    "goes by, when nothing else is left that is to go");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(slabs_decay, tc)
{
	long before;

	take_pages();
	before = free_halves();
	/* What is dirty beside them has gone long before they have. */
	set("arena.4096.dirty_decay_ms", 20);
	free(malloc(hide(100000)));
	idle(20000, before - (long)(TOTAL >> 20) * 4 / 10);
	check_halves(before);
}

ATF_TC(thinned);
ATF_TC_HEAD(thinned, tc)
{

	atf_tc_set_md_var(tc, "descr", "So do those of slabs that thin out "
	    "when nothing is dirty and all rounds are over");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(thinned, tc)
{
	long before;

	set("arena.4096.dirty_decay_ms", 20);
	take_pages();
	idle(500, 0);
	before = free_halves();
	idle(20000, before - (long)(TOTAL >> 20) * 4 / 10);
	check_halves(before);
}

ATF_TC(silence);
ATF_TC_HEAD(silence, tc)
{

	atf_tc_set_md_var(tc, "descr", "When all is freed at random no more "
	    "than dirty_max stays, whatever caches hold");
}
ATF_TC_BODY(silence, tc)
{
	long before, now;

	allocate(TOTAL, 128, MIB(1));
	before = rss_mib();
	free_all();
	now = rss_mib();
	ATF_CHECK_MSG(now <= before - (long)(TOTAL >> 20) + DIRTY_MAX + 8,
	    "%ld MiB, %ld before", now, before);
}

static void *
owner(void *arg)
{

	(void)arg;
	allocate(MIB(LITTLE), 128, MIB(1));
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) != 2)
		usleep(10000);
	return (NULL);
}

ATF_TC(asleep);
ATF_TC_HEAD(asleep, tc)
{

	atf_tc_set_md_var(tc, "descr", "What another thread allocated, who "
	    "sleeps, goes back too, by one malloc now and then");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(asleep, tc)
{
	pthread_t t;
	long limit;
	int i;

	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, owner, NULL));
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0)
		usleep(1000);
	limit = rss_mib() - LITTLE * 2 / 3;
	free_all();
	ATF_CHECK_MSG(rss_mib() > limit, "it went before its time");
	set("arena.4096.dirty_decay_ms", 500);
	for (i = 0; i < 1000 && rss_mib() > limit; i++) {
		usleep(100000);
		free(malloc(hide(100)));
	}
	ATF_CHECK_MSG(rss_mib() <= limit, "%ld MiB, not %ld", rss_mib(),
	    limit);
	__atomic_store_n(&stop, 2, __ATOMIC_RELEASE);
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
}

ATF_TC(kept);
ATF_TC_HEAD(kept, tc)
{

	atf_tc_set_md_var(tc, "descr", "A background thread gives back all "
	    "that is around what a thread that says nothing has cached");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(kept, tc)
{
	bool on = true;
	long limit;
	int i;

	allocate(TOTAL, 128, MIB(1));
	limit = rss_mib() - (long)(TOTAL >> 20) + KEPT;
	set("arena.4096.dirty_decay_ms", 500);
	ATF_REQUIRE_EQ(0, mallctl("background_thread", NULL, NULL, &on,
	    sizeof(on)));
	free_all();
	for (i = 0; i < 50 && rss_mib() > limit; i++)
		sleep(1);
	ATF_CHECK_MSG(rss_mib() <= limit, "%ld MiB, not %ld", rss_mib(),
	    limit);
}

static long
faults(void)
{
	struct rusage ru;

	ATF_REQUIRE_EQ(0, getrusage(RUSAGE_THREAD, &ru));
	return (ru.ru_minflt);
}

/* Allocates and frees 16 MiB in an arena where that goes back at once. */
static void *
batch(void *arg)
{
	static void *mine[1024];
	ssize_t ms = 0;
	unsigned int i, ind = create(NULL);
	long *n = arg;

	ATF_REQUIRE_EQ(0, arena_set(ind, "dirty_decay_ms", &ms, sizeof(ms)));
	(void)bind_to(ind);
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0) {
		for (i = 0; i < nitems(mine); i++) {
			mine[i] = hidep(malloc(hide(16384)));
			ATF_REQUIRE(mine[i] != NULL);
			memset(mine[i], 1, 16384);
		}
		for (i = 0; i < nitems(mine); i++)
			free(mine[i]);
		__atomic_store_n(n, faults(), __ATOMIC_RELEASE);
	}
	return (NULL);
}

/* Blocks of up to 16 pages come and go; the page faults of that. */
static long
serve(void)
{
	static void *live[128];
	unsigned int i, n;
	long before;
	size_t size;

	before = faults();
	for (n = 0; n < 100000; n++) {
		i = (unsigned int)(rnd() % nitems(live));
		free(live[i]);
		size = 16 + rnd() % 65536;
		live[i] = hidep(malloc(size));
		ATF_REQUIRE(live[i] != NULL);
		memset(live[i], 1, size);
	}
	return (faults() - before);
}

ATF_TC(arenas);
ATF_TC_HEAD(arenas, tc)
{

	atf_tc_set_md_var(tc, "descr", "An arena that purges all it has takes "
	    "no page of another's");
}
ATF_TC_BODY(arenas, tc)
{
	long busy, n = 0, still;
	pthread_t t;

	(void)bind_to(create(NULL));
	(void)serve();
	still = serve();
	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, batch, &n));
	/* Its faults go on as long as we look. */
	while (__atomic_load_n(&n, __ATOMIC_ACQUIRE) < 20000)
		usleep(1000);
	busy = serve();
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
	ATF_CHECK_MSG(busy <= 2 * still, "%ld page faults, %ld before, and "
	    "%ld of the other", busy, still, n);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, pages_of_slabs);
	ATF_TP_ADD_TC(tp, slabs_decay);
	ATF_TP_ADD_TC(tp, thinned);
	ATF_TP_ADD_TC(tp, silence);
	ATF_TP_ADD_TC(tp, kept);
	ATF_TP_ADD_TC(tp, asleep);
	ATF_TP_ADD_TC(tp, arenas);

	return (atf_no_error());
}
