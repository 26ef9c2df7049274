/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mallctl, its MIB forms, and malloc_stats_print.
 */

#define	_GNU_SOURCE

#include <sys/param.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "mallctl_test_subr.h"

#define	STRINGIFY_(x)	#x
#define	STRINGIFY(x)	STRINGIFY_(x)
#define	ALL		STRINGIFY(MALLCTL_ARENAS_ALL)

ATF_TC(version);
ATF_TC_HEAD(version, tc)
{

	atf_tc_set_md_var(tc, "descr", "version is a string, and read-only");
}
ATF_TC_BODY(version, tc)
{
	const char *v;
	size_t len;

	v = NULL;
	len = sizeof(v);
	ATF_REQUIRE_EQ(0, mallctl("version", &v, &len, NULL, 0));
	ATF_REQUIRE(v != NULL);
	ATF_CHECK_EQ(sizeof(v), len);
	ATF_CHECK(strlen(v) >= 3 && strlen(v) < 200);
	ATF_CHECK_EQ(EPERM, mallctl("version", NULL, NULL, &v, sizeof(v)));
}

ATF_TC(epoch);
ATF_TC_HEAD(epoch, tc)
{

	atf_tc_set_md_var(tc, "descr", "epoch is a number that a write raises");
}
ATF_TC_BODY(epoch, tc)
{
	uint64_t e0, e1, one;
	size_t len;

	len = sizeof(e0);
	ATF_REQUIRE_EQ(0, mallctl("epoch", &e0, &len, NULL, 0));
	ATF_CHECK_EQ(sizeof(e0), len);
	one = 1;
	len = sizeof(e1);
	ATF_REQUIRE_EQ(0, mallctl("epoch", NULL, NULL, &one, sizeof(one)));
	ATF_REQUIRE_EQ(0, mallctl("epoch", &e1, &len, NULL, 0));
	ATF_CHECK_MSG(e1 > e0, "%ju, then %ju", (uintmax_t)e0, (uintmax_t)e1);
	/* Both at once: the new value comes back. */
	ATF_REQUIRE_EQ(0, mallctl("epoch", &e0, &len, &one, sizeof(one)));
	ATF_CHECK(e0 > e1);
}

ATF_TC(no_such_name);
ATF_TC_HEAD(no_such_name, tc)
{

	atf_tc_set_md_var(tc, "descr", "Names that are none are ENOENT");
}
ATF_TC_BODY(no_such_name, tc)
{
	static const char *const names[] = {
		"no_such_name", "", ".", "epoch.", "epoch.x", ".epoch",
		"opt.no_such_option", "opt", "arenas", "arena", "versionx",
		"versio", "arena.x.name", "arena.99999.dirty_decay_ms",
		"arenas.narenas.x", "a.very.long.name.with.many.components.x"
	};
	char buf[256];
	size_t i, len, mib[16], miblen;

	for (i = 0; i < nitems(names); i++) {
		len = sizeof(buf);
		ATF_CHECK_EQ_MSG(ENOENT, mallctl(names[i], buf, &len, NULL, 0),
		    "\"%s\"", names[i]);
	}
	miblen = nitems(mib);
	ATF_CHECK_EQ(ENOENT, mallctlnametomib("no_such_name", mib, &miblen));
	miblen = nitems(mib);
	ATF_CHECK_EQ(ENOENT, mallctlnametomib("opt.no_such", mib, &miblen));
	/* A MIB that leads nowhere. */
	mib[0] = 100000;
	len = sizeof(buf);
	ATF_CHECK_EQ(ENOENT, mallctlbymib(mib, 1, buf, &len, NULL, 0));
}

ATF_TC(wrong_size);
ATF_TC_HEAD(wrong_size, tc)
{

	atf_tc_set_md_var(tc, "descr", "A value of the wrong size is EINVAL, "
	    "and nothing is written beyond it");
}
ATF_TC_BODY(wrong_size, tc)
{
	unsigned char buf[64];
	uint64_t one;
	unsigned int n;
	size_t len;

	memset(buf, 0xa5, sizeof(buf));
	len = 4;
	ATF_CHECK_EQ(EINVAL, mallctl("epoch", buf, &len, NULL, 0));
	ATF_CHECK_EQ(sizeof(buf) - 4, all_bytes(buf + 4, sizeof(buf) - 4,
	    0xa5));
	len = 16;
	ATF_CHECK_EQ(EINVAL, mallctl("epoch", buf, &len, NULL, 0));
	ATF_CHECK_EQ(sizeof(buf) - 16, all_bytes(buf + 16, sizeof(buf) - 16,
	    0xa5));
	one = 1;
	/* Clients write an int there too, which is accepted. */
	ATF_CHECK_EQ(0, mallctl("epoch", NULL, NULL, &one, 4));
	ATF_CHECK_EQ(EINVAL, mallctl("epoch", NULL, NULL, &one, 2));
	len = sizeof(n) - 1;
	ATF_CHECK_EQ(EINVAL, mallctl("arenas.narenas", &n, &len, NULL, 0));
}

ATF_TC(read_only);
ATF_TC_HEAD(read_only, tc)
{

	atf_tc_set_md_var(tc, "descr", "Writing what is read-only is EPERM "
	    "and changes nothing");
}
ATF_TC_BODY(read_only, tc)
{
	ssize_t ms0, ms1, ms2;
	unsigned int n0, n1, n2;
	size_t len;

	len = sizeof(n0);
	ATF_REQUIRE_EQ(0, mallctl("arenas.narenas", &n0, &len, NULL, 0));
	ATF_CHECK(n0 >= 1);
	n1 = n0 + 7;
	ATF_CHECK_EQ(EPERM, mallctl("arenas.narenas", NULL, NULL, &n1,
	    sizeof(n1)));
	ATF_REQUIRE_EQ(0, mallctl("arenas.narenas", &n2, &len, NULL, 0));
	ATF_CHECK_EQ(n0, n2);
	len = sizeof(ms0);
	ATF_REQUIRE_EQ(0, mallctl("opt.dirty_decay_ms", &ms0, &len, NULL, 0));
	ms1 = ms0 + 1;
	ATF_CHECK_EQ(EPERM, mallctl("opt.dirty_decay_ms", NULL, NULL, &ms1,
	    sizeof(ms1)));
	ATF_REQUIRE_EQ(0, mallctl("opt.dirty_decay_ms", &ms2, &len, NULL, 0));
	ATF_CHECK_EQ(ms0, ms2);
}

ATF_TC(mib);
ATF_TC_HEAD(mib, tc)
{

	atf_tc_set_md_var(tc, "descr", "A MIB leads where its name does");
}
ATF_TC_BODY(mib, tc)
{
	size_t len, mib[8], miblen;
	ssize_t ms0, ms1;
	unsigned int n0, n1;

	memset(mib, 0xff, sizeof(mib));
	miblen = nitems(mib);
	ATF_REQUIRE_EQ(0, mallctlnametomib("arenas.narenas", mib, &miblen));
	ATF_CHECK_EQ(2, miblen);
	len = sizeof(n0);
	n1 = 0;
	ATF_REQUIRE_EQ(0, mallctl("arenas.narenas", &n0, &len, NULL, 0));
	ATF_REQUIRE_EQ(0, mallctlbymib(mib, miblen, &n1, &len, NULL, 0));
	ATF_CHECK_EQ(n0, n1);
	ATF_CHECK_EQ(EPERM, mallctlbymib(mib, miblen, NULL, NULL, &n0,
	    sizeof(n0)));
	len = 1;
	ATF_CHECK_EQ(EINVAL, mallctlbymib(mib, miblen, &n1, &len, NULL, 0));

	miblen = nitems(mib);
	ATF_REQUIRE_EQ(0, mallctlnametomib("opt.dirty_decay_ms", mib,
	    &miblen));
	ATF_CHECK_EQ(2, miblen);
	len = sizeof(ms0);
	ATF_REQUIRE_EQ(0, mallctl("opt.dirty_decay_ms", &ms0, &len, NULL, 0));
	ATF_REQUIRE_EQ(0, mallctlbymib(mib, miblen, &ms1, &len, NULL, 0));
	ATF_CHECK_EQ(ms0, ms1);
	ATF_CHECK(ms0 >= -1);

	/* A prefix has a MIB, but no value. */
	miblen = 1;
	ATF_CHECK_EQ(0, mallctlnametomib("opt.dirty_decay_ms", mib, &miblen));
	ATF_CHECK_EQ(1, miblen);
	len = sizeof(ms0);
	ATF_CHECK(mallctlbymib(mib, 1, &ms0, &len, NULL, 0) != 0);
}

struct sink {
	size_t	calls;
	size_t	len;
	char	text[1 << 18];
};

static void
collect(void *opaque, const char *text)
{
	struct sink *s;
	size_t n;
	void *p;

	/* The callback may allocate. */
	p = malloc(100);
	free(hidep(p));
	s = opaque;
	n = MIN(strlen(text), sizeof(s->text) - 1 - s->len);
	memcpy(s->text + s->len, text, n);
	s->len += n;
	s->calls++;
}

ATF_TC(stats_print);
ATF_TC_HEAD(stats_print, tc)
{

	atf_tc_set_md_var(tc, "descr", "malloc_stats_print gives text to the "
	    "callback, which may allocate");
}
ATF_TC_BODY(stats_print, tc)
{
	static struct sink s;
	void *p;

	p = malloc(1000000);
	ATF_REQUIRE(p != NULL);
	malloc_stats_print(collect, &s, NULL);
	ATF_CHECK(s.calls > 0);
	ATF_CHECK_MSG(s.len > 100, "only %zu characters", s.len);
	ATF_CHECK(strchr(s.text, '\n') != NULL);
	ATF_CHECK_MSG(strstr(s.text, "llocated") != NULL, "%s", s.text);
	/* Whole lines. */
	ATF_CHECK_EQ('\n', s.text[s.len - 1]);
	memset(&s, 0, sizeof(s));
	malloc_stats_print(collect, &s, "");
	ATF_CHECK(s.len > 100);
	free(p);
}

ATF_TC(message);
ATF_TC_HEAD(message, tc)
{

	atf_tc_set_md_var(tc, "descr", "Without a callback the statistics go "
	    "to malloc_message");
}
static struct sink messages;

static void
message_sink(void *opaque, const char *text)
{

	(void)opaque;
	collect(&messages, text);
}

ATF_TC_BODY(message, tc)
{

	malloc_message = message_sink;
	malloc_stats_print(NULL, NULL, NULL);
	ATF_CHECK_MSG(messages.len > 100, "only %zu characters", messages.len);
}

ATF_TC(message_default);
ATF_TC_HEAD(message_default, tc)
{

	atf_tc_set_md_var(tc, "descr", "Without either they go to standard "
	    "error");
}
ATF_TC_BODY(message_default, tc)
{
	char buf[65536];
	size_t len;
	int fds[2];
	pid_t pid;

	ATF_REQUIRE_EQ(0, pipe(fds));
	pid = fork_child(20);
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		(void)close(fds[0]);
		(void)close(fds[1]);
		malloc_stats_print(NULL, NULL, NULL);
		_exit(0);
	}
	(void)close(fds[1]);
	len = read_all(fds[0], buf, sizeof(buf));
	ATF_CHECK_EQ(0, wait_for(pid, 20));
	ATF_CHECK(len > 100);
}

ATF_TC(requests);
ATF_TC_HEAD(requests, tc)
{

	atf_tc_set_md_var(tc, "descr", "Requests are counted, each once");
}
ATF_TC_BODY(requests, tc)
{
	char name[80];
	uint64_t before;
	size_t len, size;
	unsigned int bin, i;
	void *p;

	for (bin = 0, size = 0; size != 1024; bin++) {
		(void)snprintf(name, sizeof(name), "arenas.bin.%u.size", bin);
		len = sizeof(size);
		ATF_REQUIRE_EQ(0, mallctl(name, &size, &len, NULL, 0));
	}
	(void)snprintf(name, sizeof(name),
	    "stats.arenas.%u.bins.%u.nrequests", MALLCTL_ARENAS_ALL, bin - 1);
	before = get(name);
	for (i = 0; i < 10000; i++)
		free(hidep(malloc(hide(1024))));
	ATF_CHECK_EQ(10000, get(name) - before);
	before = get(name);
	for (i = 0; i < 10000; i++) {
		ATF_REQUIRE_EQ(0, posix_memalign(&p, 16, hide(1024)));
		free(p);
	}
	ATF_CHECK_EQ(10000, get(name) - before);
}

ATF_TC(purge);
ATF_TC_HEAD(purge, tc)
{

	atf_tc_set_md_var(tc, "descr", "A purge gives all dirty pages back, "
	    "and counts them");
}
ATF_TC_BODY(purge, tc)
{
	static void *p[300];
	uint64_t before, dirty;
	ssize_t never;
	size_t i;

	never = -1;
	ATF_REQUIRE_EQ(0, mallctl("arena." ALL ".dirty_decay_ms", NULL, NULL,
	    &never, sizeof(never)));
	/* More extents than one system call purges, with a gap between. */
	for (i = 0; i < nitems(p); i++) {
		p[i] = malloc((2 << 20) + 65536);
		ATF_REQUIRE(p[i] != NULL);
		memset(p[i], 1, 1);
	}
	for (i = 0; i < nitems(p); i += 2)
		free(p[i]);
	dirty = get("stats.arenas." ALL ".pdirty");
	before = get("stats.arenas." ALL
	    ".dirty_purged");
	ATF_CHECK(dirty >= ((uint64_t)nitems(p) / 2 << 21) /
	    (uint64_t)getpagesize());
	/* What never decays is left alone by a decay pass. */
	ATF_REQUIRE_EQ(0, mallctl("arena." ALL
	    ".decay", NULL, NULL, NULL, 0));
	ATF_CHECK_EQ(dirty, get("stats.arenas."
	    ALL ".pdirty"));
	ATF_REQUIRE_EQ(0, mallctl("arena." ALL
	    ".purge", NULL, NULL, NULL, 0));
	ATF_CHECK_EQ(0, get("stats.arenas." ALL
	    ".pdirty"));
	ATF_CHECK_EQ(dirty, get("stats.arenas."
	    ALL ".dirty_purged") - before);
	for (i = 1; i < nitems(p); i += 2)
		free(p[i]);
}

ATF_TC(decay_now);
ATF_TC_HEAD(decay_now, tc)
{

	atf_tc_set_md_var(tc, "descr", "With a decay time of 0 nothing stays "
	    "dirty");
}
ATF_TC_BODY(decay_now, tc)
{
	static const size_t sizes[] = { 100000, 1500000, 5000000, 40000 };
	ssize_t zero;
	uint64_t epoch = 1;
	size_t i;
	void *p;

	zero = 0;
	ATF_REQUIRE_EQ(0, mallctl("arena." ALL ".dirty_decay_ms", NULL, NULL,
	    &zero, sizeof(zero)));
	for (i = 0; i < nitems(sizes); i++) {
		p = malloc(sizes[i]);
		ATF_REQUIRE(p != NULL);
		memset(p, 1, sizes[i]);
		free(p);
		ATF_REQUIRE_EQ(0, mallctl("epoch", NULL, NULL, &epoch,
		    sizeof(epoch)));
		ATF_CHECK_EQ_MSG(0, get("stats.arenas."
		    ALL ".pdirty"), "%zu", sizes[i]);
		ATF_CHECK_MSG(get("stats.active") < sizes[i] + 1000000,
		    "%zu", sizes[i]);
	}
}

ATF_TC(decay_frees);
ATF_TC_HEAD(decay_frees, tc)
{

	atf_tc_set_md_var(tc, "descr", "A thread that only frees gives memory "
	    "back as time goes by");
}
ATF_TC_BODY(decay_frees, tc)
{
	static void *p[64 << 10];
	const struct timespec pause = { 0, 5000000 };
	size_t i, purged;
	ssize_t ms;

	ms = 100;
	ATF_REQUIRE_EQ(0, mallctl("arena." ALL ".dirty_decay_ms", NULL, NULL,
	    &ms, sizeof(ms)));
	for (i = 0; i < nitems(p); i++) {
		ATF_REQUIRE((p[i] = malloc(256)) != NULL);
		memset(p[i], 1, 256);
	}
	/*
	 * Visits are brief, and on an emulator or a busy machine most of one
	 * is over before anything is purged: so there are many, at 64 blocks
	 * or so each.  The last frees of 16 MiB need not bring another.
	 */
	for (i = 0; i < nitems(p); i++) {
		free(p[i]);
		if (i % 64 == 0)
			(void)nanosleep(&pause, NULL);
	}
	purged = get("stats.arenas." ALL ".dirty_purged") * get("arenas.page");
	ATF_CHECK_MSG(purged > 6 << 20, "%zu", purged);
}

ATF_TC(mapped);
ATF_TC_HEAD(mapped, tc)
{

	atf_tc_set_md_var(tc, "descr", "Blocks that leave holes just too small "
	    "for the next do not use up address space");
}
ATF_TC_BODY(mapped, tc)
{
	static void *p[1000];
	size_t i, size;

	/* 2 MiB are 56 of nine pages and a hole of eight, and so on. */
	for (size = 9 * 4096; size < 200000; size += 40960) {
		for (i = 0; i < nitems(p); i++)
			ATF_REQUIRE((p[i] = malloc(hide(size))) != NULL);
		ATF_CHECK_MSG(get("stats.mapped") <
		    2 * get("stats.active") + (64 << 20),
		    "%zu: %ju mapped, %ju active", size,
		    (uintmax_t)get("stats.mapped"),
		    (uintmax_t)get("stats.active"));
		for (i = 0; i < nitems(p); i++)
			free(p[i]);
	}
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, version);
	ATF_TP_ADD_TC(tp, epoch);
	ATF_TP_ADD_TC(tp, no_such_name);
	ATF_TP_ADD_TC(tp, wrong_size);
	ATF_TP_ADD_TC(tp, read_only);
	ATF_TP_ADD_TC(tp, mib);
	ATF_TP_ADD_TC(tp, stats_print);
	ATF_TP_ADD_TC(tp, message);
	ATF_TP_ADD_TC(tp, message_default);
	ATF_TP_ADD_TC(tp, requests);
	ATF_TP_ADD_TC(tp, purge);
	ATF_TP_ADD_TC(tp, decay_now);
	ATF_TP_ADD_TC(tp, decay_frees);
	ATF_TP_ADD_TC(tp, mapped);

	return (atf_no_error());
}
