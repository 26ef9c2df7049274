/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The operators of C++ by their linkage names, without a C++ library.
 */

#define	_GNU_SOURCE

#include <sys/param.h>

#include <dlfcn.h>
#include <stdio.h>

#include "malloc_test_subr.h"

#if SIZE_MAX == UINT64_MAX
#define	SZ	"m"
#else
#define	SZ	"j"
#endif
#define	NT	"RKSt9nothrow_t"
#define	AL	"St11align_val_t"

static const char	nothrow;

static void *
lookup(const char *name)
{
	Dl_info ours, its;
	void *f;

	f = dlsym(RTLD_DEFAULT, name);
	ATF_REQUIRE_MSG(f != NULL, "%s: absent", name);
	ATF_REQUIRE(dladdr(f, &its) != 0);
	ATF_REQUIRE(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &ours) != 0);
	ATF_REQUIRE_MSG(its.dli_fbase == ours.dli_fbase, "%s is from %s", name,
	    its.dli_fname);
	return (f);
}

/* One allocating operator; extra says what it takes besides the size. */
enum extra { NONE, NOTHROW, ALIGN, ALIGN_NOTHROW, SIZE, SIZE_ALIGN };

static void *
new(void *f, enum extra extra, size_t size, size_t a)
{

	switch (extra) {
	case NONE:
		return (((void *(*)(size_t))f)(size));
	case NOTHROW:
		return (((void *(*)(size_t, const void *))f)(size, &nothrow));
	case ALIGN:
		return (((void *(*)(size_t, size_t))f)(size, a));
	case ALIGN_NOTHROW:
		return (((void *(*)(size_t, size_t, const void *))f)(size, a,
		    &nothrow));
	default:
		return (NULL);
	}
}

static void
delete(void *f, enum extra extra, void *p, size_t size, size_t a)
{

	switch (extra) {
	case NONE:
		((void (*)(void *))f)(p);
		break;
	case NOTHROW:
		((void (*)(void *, const void *))f)(p, &nothrow);
		break;
	case ALIGN:
		((void (*)(void *, size_t))f)(p, a);
		break;
	case ALIGN_NOTHROW:
		((void (*)(void *, size_t, const void *))f)(p, a, &nothrow);
		break;
	case SIZE:
		((void (*)(void *, size_t))f)(p, size);
		break;
	case SIZE_ALIGN:
		((void (*)(void *, size_t, size_t))f)(p, size, a);
		break;
	}
}

static const struct op {
	const char	*name;
	enum extra	 extra;
} news[] = {
	{ "_Znw" SZ, NONE }, { "_Zna" SZ, NONE },
	{ "_Znw" SZ NT, NOTHROW }, { "_Zna" SZ NT, NOTHROW },
	{ "_Znw" SZ AL, ALIGN }, { "_Zna" SZ AL, ALIGN },
	{ "_Znw" SZ AL NT, ALIGN_NOTHROW }, { "_Zna" SZ AL NT, ALIGN_NOTHROW },
}, deletes[] = {
	{ "_ZdlPv", NONE }, { "_ZdaPv", NONE },
	{ "_ZdlPv" NT, NOTHROW }, { "_ZdaPv" NT, NOTHROW },
	{ "_ZdlPv" SZ, SIZE }, { "_ZdaPv" SZ, SIZE },
	{ "_ZdlPv" AL, ALIGN }, { "_ZdaPv" AL, ALIGN },
	{ "_ZdlPv" SZ AL, SIZE_ALIGN }, { "_ZdaPv" SZ AL, SIZE_ALIGN },
	{ "_ZdlPv" AL NT, ALIGN_NOTHROW }, { "_ZdaPv" AL NT, ALIGN_NOTHROW },
};

static int
aligned(enum extra e)
{

	return (e == ALIGN || e == ALIGN_NOTHROW || e == SIZE_ALIGN);
}

ATF_TC(all);
ATF_TC_HEAD(all, tc)
{

	atf_tc_set_md_var(tc, "descr", "All twenty, in every combination that "
	    "may meet");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(all, tc)
{
	void *fd, *fn, *p[40];
	long before;
	size_t a, c, d, i, n;

	before = maxrss();
	for (n = 0; n < nitems(news); n++)
		for (d = 0; d < nitems(deletes); d++) {
			if (aligned(news[n].extra) !=
			    aligned(deletes[d].extra))
				continue;
			fn = lookup(news[n].name);
			fd = lookup(deletes[d].name);
			for (c = 0; c < 2000000; c = c * 2 + 1) {
				a = aligned(news[n].extra) ?
				    (size_t)1 << (c * 7 % 17) : 1;
				for (i = 0; i < nitems(p); i++) {
					p[i] = new(fn, news[n].extra, c, a);
					ATF_REQUIRE_MSG(p[i] != NULL,
					    "%s(%zu)", news[n].name, c);
					ATF_REQUIRE_MSG(((uintptr_t)p[i] &
					    (MAX(a, c >= 16 ? 16 : 8) - 1)) ==
					    0, "%s(%zu, %zu): %p",
					    news[n].name, c, a, p[i]);
					memset(p[i], (int)i, c);
				}
				for (i = 0; i < nitems(p); i++) {
					ATF_REQUIRE_EQ(c, all_bytes(p[i], c,
					    (unsigned char)i));
					delete(fd, deletes[d].extra, p[i], c,
					    a);
				}
			}
		}
	/* One round's largest sizes are 60 MB, all of them 3 GB. */
	ATF_CHECK_MSG(maxrss() - before < 256 << 10, "grew by %ld KiB",
	    maxrss() - before);
	for (d = 0; d < nitems(deletes); d++)
		delete(lookup(deletes[d].name), deletes[d].extra, NULL, 0, 16);
}

ATF_TC(nothrow_null);
ATF_TC_HEAD(nothrow_null, tc)
{

	atf_tc_set_md_var(tc, "descr", "The nothrow forms give NULL where "
	    "there is no C++ library");
}
ATF_TC_BODY(nothrow_null, tc)
{
	size_t n;

	for (n = 0; n < nitems(news); n++)
		if (news[n].extra == NOTHROW ||
		    news[n].extra == ALIGN_NOTHROW)
			ATF_CHECK_MSG(new(lookup(news[n].name), news[n].extra,
			    hide(SIZE_MAX / 2), 64) == NULL, "%s",
			    news[n].name);
}

ATF_TC(throw_without_library);
ATF_TC_HEAD(throw_without_library, tc)
{

	atf_tc_set_md_var(tc, "descr", "The throwing forms abort with a "
	    "message where there is no C++ library");
}
ATF_TC_BODY(throw_without_library, tc)
{
	char buf[4096];
	size_t i, len;
	int fds[2], status;
	pid_t pid;

	for (i = 0; i < nitems(news); i++) {
		if (news[i].extra != NONE && news[i].extra != ALIGN)
			continue;
		ATF_REQUIRE_EQ(0, pipe(fds));
		pid = fork_child(30);
		if (pid == 0) {
			(void)dup2(fds[1], STDERR_FILENO);
			(void)signal(SIGABRT, SIG_DFL);
			(void)new(lookup(news[i].name), news[i].extra,
			    hide(SIZE_MAX / 2), 64);
			_exit(0);
		}
		(void)close(fds[1]);
		len = read_all(fds[0], buf, sizeof(buf));
		status = wait_for(pid, 30);
		ATF_CHECK_MSG(WIFSIGNALED(status) &&
		    WTERMSIG(status) == SIGABRT, "%s: status %#x",
		    news[i].name, status);
		ATF_CHECK_MSG(len > 0, "%s: no message", news[i].name);
	}
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, all);
	ATF_TP_ADD_TC(tp, nothrow_null);
	ATF_TP_ADD_TC(tp, throw_without_library);

	return (atf_no_error());
}
