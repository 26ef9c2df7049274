/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Muzzy pages: what is purged lazily first, and by force later.
 */

#include <errno.h>
#include <fcntl.h>

#include "clock_test_subr.h"
#include "dsm_set.h"
#include "dsm_set_purge.h"
#include "mallctl_test_subr.h"
#include "unit_test_subr.h"

const char *malloc_conf = "narenas:1";

#define	NEVER	(-1)

/* Sizes of all kinds of large blocks: in regions, and straight from a pool. */
static const size_t sizes[] = { 40000, 300000, 700000, 1500000, 3000000 };
#define	NBLOCKS	30

static int
set_ms(unsigned int ind, const char *what, ssize_t ms)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%s_decay_ms", what);
	return (arena_set(ind, name, &ms, sizeof(ms)));
}

static void
act(unsigned int ind, const char *what)
{

	ATF_REQUIRE_EQ(0, arena_act(ind, what));
}

static void
times(unsigned int ind, ssize_t dirty, ssize_t muzzy)
{

	ATF_REQUIRE_EQ(0, set_ms(ind, "dirty", dirty));
	ATF_REQUIRE_EQ(0, set_ms(ind, "muzzy", muzzy));
}

/* Blocks of all sizes from an arena, all written to, and freed again. */
static void
use(unsigned int ind)
{
	unsigned int i, old = bind_to(ind);
	char *v[NBLOCKS];

	for (i = 0; i < NBLOCKS; i++) {
		ATF_REQUIRE((v[i] = malloc(sizes[i % nitems(sizes)])) != NULL);
		memset(v[i], 0x55, sizes[i % nitems(sizes)]);
	}
	for (i = 0; i < NBLOCKS; i++)
		free(v[i]);
	(void)bind_to(old);
}

/* What any thread's slow paths do, for so long. */
static void
tick(unsigned int ms)
{
	uint64_t start = now_ms();

	do {
		usleep(5000);
		set_tick(decay_now());
	} while (now_ms() - start < ms);
}

/* Has an arena pages that are neither in use nor gone? */
static uint64_t
owes(unsigned int ind)
{

	return (figure(ind, "pdirty") + figure(ind, "pmuzzy"));
}

/* So long, and as long after that as there are some. */
static void
tick_off(unsigned int ind, unsigned int ms)
{
	unsigned int i;

	tick(ms);
	for (i = 0; i < 100 && owes(ind) != 0; i++)
		tick(100);
	ATF_CHECK_EQ(0, owes(ind));
}

#ifdef __linux__
/* What the system says of this process, in bytes: "Rss", "LazyFree". */
static size_t
rollup(const char *what)
{
	unsigned long kb = 0;
	char buf[4096], *p;
	ssize_t n;
	int fd;

	ATF_REQUIRE((fd = open("/proc/self/smaps_rollup", O_RDONLY)) != -1);
	n = read(fd, buf, sizeof(buf) - 1);
	ATF_REQUIRE(n > 0);
	(void)close(fd);
	buf[n] = '\0';
	ATF_REQUIRE((p = strstr(buf, what)) != NULL);
	ATF_REQUIRE(sscanf(p + strlen(what) + 1, "%lu", &kb) == 1);
	return (kb * 1024);
}

ATF_TC(system);
ATF_TC_HEAD(system, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is muzzy is the system's to take, "
	    "and is gone once it is purged by force");
}
ATF_TC_BODY(system, tc)
{
	size_t bytes, lazy, rss;
	unsigned int a;

	a = create(NULL);
	times(a, 0, NEVER);
	use(a);
	bytes = figure(a, "pmuzzy") * os_page;
	ATF_CHECK_MSG(bytes >= MIB(20), "%zu bytes", bytes);
	ATF_CHECK_EQ(0, figure(a, "pdirty"));
	rss = rollup("Rss:");
	lazy = rollup("LazyFree:");
	ATF_CHECK_MSG(rss >= bytes, "Rss %zu", rss);
	/* The kernel counts by the batch. */
	ATF_CHECK_MSG(lazy + MIB(1) >= bytes && lazy <= bytes + MIB(1),
	    "LazyFree %zu of %zu", lazy, bytes);
	act(a, "purge");
	ATF_CHECK_EQ(0, figure(a, "pmuzzy"));
	ATF_CHECK(rollup("LazyFree:") <= MIB(1));
	ATF_CHECK(rollup("Rss:") + bytes <= rss + MIB(1));

	/* Written to again it is not the system's. */
	use(a);
	ATF_CHECK(rollup("LazyFree:") + MIB(1) >= bytes);
	times(a, NEVER, NEVER);
	use(a);
	ATF_CHECK(figure(a, "pdirty") * os_page >= bytes / 2);
	bytes = figure(a, "pmuzzy") * os_page;
	lazy = rollup("LazyFree:");
	ATF_CHECK_MSG(lazy + MIB(1) >= bytes && lazy <= bytes + MIB(1),
	    "LazyFree %zu of %zu", lazy, bytes);
}
#endif

ATF_TC(figures);
ATF_TC_HEAD(figures, tc)
{

	atf_tc_set_md_var(tc, "descr", "Every page is counted as it becomes "
	    "muzzy, and as it is purged");
}
ATF_TC_BODY(figures, tc)
{
	uint64_t muzzy;
	unsigned int a;

	a = create(NULL);
	times(a, 0, NEVER);
	use(a);
	muzzy = figure(a, "pmuzzy");
	ATF_CHECK(muzzy != 0 && figure(a, "dirty_purged") >= muzzy);
	ATF_CHECK(figure(a, "dirty_npurge") != 0);
	ATF_CHECK(figure(a, "dirty_nmadvise") >= figure(a, "dirty_npurge"));
	ATF_CHECK_EQ(0, figure(a, "muzzy_npurge"));
	ATF_CHECK_EQ(0, figure(a, "muzzy_nmadvise"));
	ATF_CHECK_EQ(0, figure(a, "muzzy_purged"));
	ATF_CHECK_EQ(figure(a, "mapped"), figure(a, "retained") +
	    (muzzy + figure(a, "pactive") + figure(a, "pdirty")) * os_page);
	/* It is none of what is resident. */
	ATF_CHECK_EQ(get("stats.resident"), get("stats.active") +
	    get("stats.metadata") + figure(4096, "pdirty") * os_page);
	/* But of what counts for limits. */
	ATF_CHECK(get("limit.held") >= get("stats.active") +
	    get("stats.metadata") + muzzy * os_page);
	act(a, "purge");
	ATF_CHECK_EQ(0, figure(a, "pmuzzy"));
	ATF_CHECK_EQ(muzzy, figure(a, "muzzy_purged"));
	ATF_CHECK(figure(a, "muzzy_npurge") != 0);
	ATF_CHECK(figure(a, "muzzy_nmadvise") >= figure(a, "muzzy_npurge"));
	/* With nothing muzzy nothing of it is counted. */
	times(a, 0, 0);
	use(a);
	ATF_CHECK_EQ(0, figure(a, "pdirty") + figure(a, "pmuzzy"));
	ATF_CHECK_EQ(muzzy, figure(a, "muzzy_purged"));
}

/* What an arena has left of its pages in which state. */
#define	GONE	0u
#define	DIRTY	1u
#define	MUZZY	2u

static unsigned int
state(unsigned int ind)
{

	return ((figure(ind, "pdirty") != 0 ? DIRTY : 0) |
	    (figure(ind, "pmuzzy") != 0 ? MUZZY : 0));
}

ATF_TC(combinations);
ATF_TC_HEAD(combinations, tc)
{

	atf_tc_set_md_var(tc, "descr", "Times of 0, of some, and of no end, in "
	    "all combinations");
}
ATF_TC_BODY(combinations, tc)
{
	static const struct {
		ssize_t		dirty, muzzy;
		unsigned int	at_once, later;
	} c[] = {
		{ 0, 0, GONE, GONE },
		{ 0, 400, MUZZY, GONE },
		{ 0, NEVER, MUZZY, MUZZY },
		{ 400, 0, DIRTY, GONE },
		{ 400, 400, DIRTY, GONE },
		{ 400, NEVER, DIRTY, MUZZY },
		{ NEVER, 0, DIRTY, DIRTY },
		{ NEVER, 400, DIRTY, DIRTY },
		{ NEVER, NEVER, DIRTY, DIRTY },
	};
	unsigned int a, i, is, n;

	for (i = 0; i < nitems(c); i++) {
		a = create(NULL);
		times(a, c[i].dirty, c[i].muzzy);
		use(a);
		is = state(a);
		ATF_CHECK_EQ_MSG(c[i].at_once, is, "%u: at once %u", i, is);
		tick(800);
		for (n = 0; n < 100 && state(a) != c[i].later; n++)
			tick(100);
		is = state(a);
		ATF_CHECK_EQ_MSG(c[i].later, is, "%u: later %u", i, is);
		act(a, "destroy");
	}
}

/* The time, in ms, without what other processes took of it. */
static uint64_t
used_ms(void)
{

	return (now_ms() - waited_ns("thread-self") / 1000000);
}

ATF_TC(in_time);
ATF_TC_HEAD(in_time, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is muzzy goes in the second half "
	    "of its time, evenly, and the first half is its own");
}
ATF_TC_BODY(in_time, tc)
{
	uint64_t freed, half = 0, left, muzzy, start, t;
	unsigned int a;

	a = create(NULL);
	times(a, 0, 2000);
	start = now_ms();
	use(a);
	freed = used_ms();
	muzzy = figure(a, "pmuzzy");
	while ((left = figure(a, "pmuzzy")) != 0) {
		t = now_ms() - start;
		ATF_REQUIRE_MSG(used_ms() - freed < 3000,
		    "%ju of %ju pages are left", (uintmax_t)left,
		    (uintmax_t)muzzy);
		if (t < 950)
			ATF_REQUIRE_EQ_MSG(muzzy, left, "early, at %ju ms",
			    (uintmax_t)t);
		if (half == 0 && left <= muzzy / 2) {
			half = used_ms() - freed;
			ATF_CHECK_MSG(t >= 1050, "half at %ju ms",
			    (uintmax_t)t);
		}
		tick(10);
	}
	ATF_CHECK_MSG(half <= 2200, "half at %ju ms", (uintmax_t)half);
	/* A spare slab may have been closed meanwhile. */
	t = figure(a, "muzzy_purged");
	ATF_CHECK_MSG(t >= muzzy && t < muzzy + 64, "%ju of %ju pages",
	    (uintmax_t)t, (uintmax_t)muzzy);
}

/* The pieces of a report. */
static char	text[65536];

static void
gather(void *arg, const char *s)
{
	char **p = arg;

	ATF_REQUIRE(*p + strlen(s) < text + sizeof(text));
	*p = stpcpy(*p, s);
}

ATF_TC(changes);
ATF_TC_HEAD(changes, tc)
{

	atf_tc_set_md_var(tc, "descr", "A new time is for what is muzzy "
	    "already, arenas to come have the default, and bad times are "
	    "refused");
}
ATF_TC_BODY(changes, tc)
{
	ssize_t ms = 700, was;
	int64_t time;
	unsigned int a, b;
	size_t len = sizeof(was);
	char name[16], *p = text;

	ATF_REQUIRE_EQ(0, mallctl("opt.muzzy_decay_ms", &was, &len, NULL, 0));
	ATF_CHECK_EQ(0, was);
	a = create(NULL);
	times(a, 0, NEVER);
	use(a);
	ATF_CHECK(figure(a, "pmuzzy") != 0);
	times(a, 0, 0);
	ATF_CHECK_EQ(0, figure(a, "pmuzzy"));
	times(a, 0, NEVER);
	use(a);
	times(a, 0, 100);
	tick_off(a, 400);

	ATF_REQUIRE_EQ(0, mallctl("arenas.muzzy_decay_ms", &was, &len, &ms,
	    sizeof(ms)));
	ATF_CHECK_EQ(0, was);
	b = create(NULL);
	ATF_REQUIRE_EQ(0, mallctl("arenas.muzzy_decay_ms", &was, &len, NULL,
	    0));
	ATF_CHECK_EQ(700, was);
	ATF_CHECK(set_decay_ms_get(b, PAGES_MUZZY, &time));
	ATF_CHECK_EQ(700, time);
	ATF_CHECK(set_decay_ms_get(a, PAGES_MUZZY, &time));
	ATF_CHECK_EQ(100, time);
	ATF_CHECK_EQ(EFAULT, set_ms(b, "muzzy", -2));
	ATF_CHECK_EQ(EFAULT, set_ms(b, "muzzy",
	    (ssize_t)INT64_C(18446744072001)));
	ATF_CHECK_EQ(0, set_ms(b, "muzzy", (ssize_t)INT64_C(18446744072000)));
	ATF_CHECK(set_ms(999, "muzzy", 1) != 0);

	ATF_REQUIRE_EQ(0, set_ms(a, "dirty", NEVER));
	ATF_CHECK_EQ(NEVER, (ssize_t)figure(a, "dirty_decay_ms"));
	ATF_CHECK_EQ(100, figure(a, "muzzy_decay_ms"));
	ATF_CHECK_EQ(10000, figure(0, "dirty_decay_ms"));
	ATF_CHECK_EQ(0, figure(0, "muzzy_decay_ms"));
	ATF_CHECK_EQ(NEVER, (ssize_t)figure(4096, "muzzy_decay_ms"));
	ATF_REQUIRE_EQ(0, set_ms(4096, "muzzy", 100));
	ATF_CHECK_EQ(100, figure(4096, "muzzy_decay_ms"));
	malloc_stats_print(gather, &p, "Jmbl");
	(void)snprintf(name, sizeof(name), "\"%u\":{", a);
	ATF_REQUIRE((p = strstr(text, name)) != NULL);
	ATF_CHECK(strstr(p, "\"dirty_decay_ms\":-1,\"muzzy_decay_ms\":100,") !=
	    NULL);
}

ATF_TC(zeroes);
ATF_TC_HEAD(zeroes, tc)
{

	atf_tc_set_md_var(tc, "descr", "calloc() clears what comes from muzzy "
	    "pages, of every size");
}
ATF_TC_BODY(zeroes, tc)
{
	static const size_t all[] = { 8, 100, 1000, 9000, 32000, 40000, 300000,
	    1000000, 1500000, 5000000 };
	unsigned int a, i, old, round;
	char *p;

	a = create(NULL);
	times(a, 0, NEVER);
	for (round = 0; round < 3; round++) {
		use(a);
		ATF_REQUIRE(figure(a, "pmuzzy") != 0);
		old = bind_to(a);
		for (i = 0; i < nitems(all); i++) {
			p = calloc(1, all[i]);
			ATF_REQUIRE(p != NULL);
			ATF_CHECK_EQ_MSG(all[i], all_bytes(p, all[i], 0),
			    "%zu bytes", all[i]);
			memset(p, 0x55, all[i]);
			free(p);
		}
		(void)bind_to(old);
	}
}

ATF_TC(in_silence);
ATF_TC_HEAD(in_silence, tc)
{

	atf_tc_set_md_var(tc, "descr", "Background threads see to both times "
	    "where the program does nothing");
}
ATF_TC_BODY(in_silence, tc)
{
	bool on = true;
	unsigned int a, i;

	a = create(NULL);
	times(a, 300, 200);
	ATF_REQUIRE_EQ(0, mallctl("background_thread", NULL, NULL, &on,
	    sizeof(on)));
	use(a);
	ATF_CHECK(figure(a, "pdirty") != 0);
	for (i = 0; i < 200 && owes(a) != 0; i++)
		usleep(100000);
	ATF_CHECK_EQ(0, owes(a));
	ATF_CHECK(figure(a, "muzzy_purged") != 0);
	on = false;
	ATF_REQUIRE_EQ(0, mallctl("background_thread", NULL, NULL, &on,
	    sizeof(on)));
}

ATF_TC(ends);
ATF_TC_HEAD(ends, tc)
{

	atf_tc_set_md_var(tc, "descr", "Arenas with muzzy pages are reset and "
	    "destroyed as others are");
}
ATF_TC_BODY(ends, tc)
{
	unsigned int a, b;
	uint64_t mapped;

	a = create(NULL);
	times(a, 0, NEVER);
	use(a);
	act(a, "reset");
	ATF_CHECK_EQ(0, figure(a, "pactive"));
	use(a);
	ATF_CHECK(figure(a, "pmuzzy") != 0);
	ATF_CHECK_EQ(0, figure(a, "pdirty"));
	mapped = figure(a, "mapped");
	ATF_CHECK(get("stats.mapped") >= mapped);
	mapped = get("stats.mapped") - mapped;
	act(a, "destroy");
	ATF_CHECK_EQ(mapped, get("stats.mapped"));
	b = create(NULL);
	ATF_CHECK_EQ(a, b);
	ATF_CHECK_EQ(0, figure(b, "pmuzzy") + figure(b, "dirty_purged") +
	    figure(b, "muzzy_purged"));
}

ATF_TC(limit);
ATF_TC_HEAD(limit, tc)
{

	atf_tc_set_md_var(tc, "descr", "Near a limit muzzy pages go, before "
	    "dirty ones do");
}
ATF_TC_BODY(limit, tc)
{
	unsigned int a, b, i;
	size_t soft;
	char *v[40];

	a = create(NULL);
	times(a, 0, NEVER);
	use(a);
	b = create(NULL);
	times(b, NEVER, 0);
	use(b);
	ATF_REQUIRE(figure(a, "pmuzzy") * os_page >= MIB(20));
	ATF_REQUIRE(figure(b, "pdirty") * os_page >= MIB(20));
	soft = get("limit.held") + MIB(16);
	set("limit.soft", soft);
	for (i = 0; i < nitems(v); i++) {
		ATF_REQUIRE((v[i] = malloc(MIB(1) / 2)) != NULL);
		memset(v[i], 1, MIB(1) / 2);
	}
	ATF_CHECK_MSG(figure(a, "muzzy_purged") * os_page >= MIB(4),
	    "%ju pages", (uintmax_t)figure(a, "muzzy_purged"));
	ATF_CHECK_EQ(0, figure(b, "dirty_purged"));
	ATF_CHECK(get("limit.held") <= soft);
	for (i = 0; i < nitems(v); i++)
		free(v[i]);
}

/*
 * Hooks that count.
 */
enum { LAZY, FORCED, DECOMMIT, NCOUNTS };
static unsigned int	counts[NCOUNTS];
static bool		refuses[NCOUNTS];
static extent_hooks_t	*base;

#define	COUNTING(name, which, member)					\
static bool								\
name(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,	\
    unsigned ind)							\
{									\
									\
	(void)h;							\
	counts[which]++;						\
	return (refuses[which] ||					\
	    base->member(base, p, size, off, len, ind));		\
}

COUNTING(count_lazy, LAZY, purge_lazy)
COUNTING(count_forced, FORCED, purge_forced)
COUNTING(count_decommit, DECOMMIT, decommit)

static bool
keep(extent_hooks_t *h, void *p, size_t size, bool committed, unsigned ind)
{

	(void)h;
	(void)p;
	(void)size;
	(void)committed;
	(void)ind;
	return (true);
}

ATF_TC(hooks);
ATF_TC_HEAD(hooks, tc)
{

	atf_tc_set_md_var(tc, "descr", "Hooks are asked to purge lazily, and "
	    "to retire what was purged so; where they cannot that is at once");
}
ATF_TC_BODY(hooks, tc)
{
	static extent_hooks_t h;
	size_t len = sizeof(base);
	uint64_t muzzy, start;
	unsigned int a;

	ATF_REQUIRE_EQ(0, mallctl("arena.0.extent_hooks", (void *)&base, &len,
	    NULL, 0));
	h = *base;
	h.dalloc = keep;
	h.purge_lazy = count_lazy;
	h.purge_forced = count_forced;
	h.decommit = count_decommit;
	refuses[DECOMMIT] = true;
	a = create(&h);
	times(a, 0, NEVER);
	use(a);
	muzzy = figure(a, "pmuzzy");
	ATF_CHECK(muzzy * os_page >= MIB(10));
	ATF_CHECK(counts[LAZY] != 0);
	ATF_CHECK_EQ(0, counts[FORCED] + counts[DECOMMIT]);
	ATF_CHECK_EQ(counts[LAZY], figure(a, "dirty_nmadvise"));
	act(a, "purge");
	ATF_CHECK_EQ(0, figure(a, "pmuzzy"));
	ATF_CHECK_EQ(muzzy, figure(a, "muzzy_purged"));
	ATF_CHECK(counts[FORCED] != 0 && counts[DECOMMIT] != 0);

	/* Muzzy for a time, then by force. */
	memset(counts, 0, sizeof(counts));
	times(a, 0, 1000);
	start = now_ms();
	use(a);
	muzzy = figure(a, "pmuzzy");
	ATF_CHECK(muzzy != 0 && counts[LAZY] != 0);
	tick(300);
	ATF_CHECK((muzzy == figure(a, "pmuzzy") && counts[FORCED] == 0) ||
	    now_ms() - start >= 500);
	tick_off(a, 1000);
	ATF_CHECK(counts[FORCED] != 0);

	memset(counts, 0, sizeof(counts));
	refuses[LAZY] = true;
	times(a, 0, NEVER);
	use(a);
	ATF_CHECK_EQ(0, figure(a, "pmuzzy") + figure(a, "pdirty"));
	ATF_CHECK(counts[LAZY] != 0 && counts[FORCED] != 0);
	h.purge_lazy = NULL;
	use(a);
	ATF_CHECK_EQ(0, figure(a, "pmuzzy") + figure(a, "pdirty"));
}

ATF_TC(late_hooks);
ATF_TC_HEAD(late_hooks, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is muzzy as an arena gets hooks "
	    "is dirty to these");
}
ATF_TC_BODY(late_hooks, tc)
{
	static extent_hooks_t h;
	extent_hooks_t *new = &h;
	size_t len = sizeof(base);
	uint64_t muzzy;
	unsigned int a;
	char name[64];

	a = create(NULL);
	times(a, 0, NEVER);
	use(a);
	muzzy = figure(a, "pmuzzy");
	ATF_CHECK(muzzy != 0);
	ATF_REQUIRE_EQ(0, set_ms(a, "dirty", NEVER));
	(void)snprintf(name, sizeof(name), "arena.%u.extent_hooks", a);
	ATF_REQUIRE_EQ(0, mallctl(name, (void *)&base, &len, NULL, 0));
	h = *base;
	h.dalloc = keep;
	h.decommit = NULL;
	h.purge_forced = count_forced;
	ATF_REQUIRE_EQ(0, mallctl(name, NULL, NULL, &new, sizeof(new)));
	ATF_CHECK_EQ(0, figure(a, "pmuzzy"));
	ATF_CHECK_EQ(muzzy, figure(a, "pdirty"));
	act(a, "purge");
	ATF_CHECK_EQ(0, figure(a, "pdirty"));
	ATF_CHECK(counts[FORCED] != 0);
	act(a, "destroy");
}

ATF_TP_ADD_TCS(tp)
{

#ifdef __linux__
	ATF_TP_ADD_TC(tp, system);
#endif
	ATF_TP_ADD_TC(tp, figures);
	ATF_TP_ADD_TC(tp, combinations);
	ATF_TP_ADD_TC(tp, in_time);
	ATF_TP_ADD_TC(tp, changes);
	ATF_TP_ADD_TC(tp, zeroes);
	ATF_TP_ADD_TC(tp, in_silence);
	ATF_TP_ADD_TC(tp, ends);
	ATF_TP_ADD_TC(tp, limit);
	ATF_TP_ADD_TC(tp, hooks);
	ATF_TP_ADD_TC(tp, late_hooks);

	return (atf_no_error());
}
