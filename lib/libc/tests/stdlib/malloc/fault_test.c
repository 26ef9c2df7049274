/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every system call for memory that fails: malloc says ENOMEM or finds
 * another way, nothing is damaged, nothing is lost, and when there is memory
 * again everything goes on.
 */

#define	_GNU_SOURCE

#include <sys/mman.h>
#include <sys/param.h>

#include <errno.h>
#include <malloc_np.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "inject.h"
#include "malloc_test_subr.h"

#define	BLOCKS	1000

static struct {
	unsigned char	*p;
	size_t		 size;
} block[BLOCKS];

/* Which calls fail: the nth, or all from it on, or so many of a thousand; and
 * how many there were.  A signal handler is at them in the middle of malloc. */
static volatile unsigned int fail_at, calls, failed;
static volatile bool	 fail_on;
static volatile uint64_t fail_permille, fail_random;

/* A mapping that needs no memory, in the place of one that is gone. */
static bool
unpromised(const long *a)
{

	return (a[2] == PROT_READ && (a[3] & MAP_FIXED_NOREPLACE) != 0);
}

/*
 * In a signal handler.  A move that fails may have unmapped its destination
 * before, and so may a new mapping have unmapped what it replaces, where the
 * system promises no more memory than it has; here they have.  EAGAIN is
 * madvise's own.
 */
static int
fail(long nr, const long *a)
{

	if (nr == SYS_mmap && unpromised(a))
		return (0);
	calls++;
	fail_random = fail_random * UINT64_C(6364136223846793005) + 1;
	if (!(calls == fail_at || (fail_on && calls > fail_at) ||
	    (fail_random >> 33) % 1000 < fail_permille))
		return (0);
	failed++;
	if (nr == SYS_mremap && (a[3] & MREMAP_FIXED) != 0)
		(void)inject_call(SYS_munmap, (const long[6]){ a[4], a[2] });
	if (nr == SYS_mmap && (a[3] & MAP_FIXED) != 0)
		(void)inject_call(SYS_munmap, (const long[6]){ a[0], a[1] });
	if (nr == SYS_madvise || nr == SYS_process_madvise)
		return (calls % 2 == 0 ? EAGAIN : EINVAL);
	return (ENOMEM);
}

static void
never(unsigned int at, bool on, unsigned int permille)
{

	calls = failed = 0;
	fail_at = at;
	fail_on = on;
	fail_permille = permille;
}

/* What a child that finds something wrong says. */
static void __attribute__((__noreturn__, __format__(__printf__, 1, 2)))
wrong(const char *fmt, ...)
{
	char buf[200];
	va_list ap;
	int n;

	never(0, false, 0);
	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	(void)!write(STDOUT_FILENO, buf, (size_t)n);
	_exit(1);
}

/* Keep what an allocation gave; only memory may be short. */
static void
keep(unsigned int i, void *p, size_t size)
{

	if (p == NULL && (errno != ENOMEM || failed == 0))
		wrong("no memory for %zu bytes: errno %d\n", size, errno);
	if (p == NULL)
		return;
	block[i].p = p;
	block[i].size = size;
	paint(p, MIN(size, 4096), i);
	block[i].p[size - 1] = (unsigned char)i;
}

static void
look(unsigned int i)
{
	size_t n = MIN(block[i].size - 1, 4096);

	if (block[i].p != NULL && (painted(block[i].p, n, i) < n ||
	    block[i].p[block[i].size - 1] != (unsigned char)i))
		wrong("block %u of %zu bytes damaged\n", i, block[i].size);
}

static void
drop(unsigned int i)
{

	look(i);
	errno = 4711;
	free(block[i].p);
	if (errno != 4711)
		wrong("free changed errno to %d\n", errno);
	block[i].p = NULL;
}

static void
resize(unsigned int i, size_t size)
{
	size_t n;
	void *p;

	if (block[i].p == NULL)
		return;
	look(i);
	errno = 0;
	if ((p = realloc(block[i].p, size)) == NULL) {
		if (errno != ENOMEM || failed == 0)
			wrong("realloc to %zu: errno %d\n", size, errno);
		look(i);
		return;
	}
	n = MIN(MIN(size, block[i].size) - 1, 4096);
	if (painted(p, n, i) < n)
		wrong("realloc to %zu lost at %zu of %zu\n", size,
		    painted(p, n, i), n);
	keep(i, p, size);
}

static void *
in_thread(void *arg)
{
	void *p[100];
	size_t i;

	for (i = 0; i < nitems(p); i++)
		p[i] = malloc(i * 50);
	for (i = 0; i < nitems(p); i++)
		free(p[i]);
	return (arg);
}

static void
thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, in_thread, NULL) == 0)
		(void)pthread_join(t, NULL);
}

static void
fill(unsigned int i)
{
	static const size_t sizes[] = {
		40, 600, 3000, 20000, 33000, 140000, 600000, 1500000, 5000000
	};
	size_t size = sizes[i % 100 < 91 ? i % 4 : i % 9] + i % 50;
	unsigned char *p = NULL;

	switch (i % 7) {
	case 0:
		p = calloc(1, size);
		if (p != NULL && all_bytes(p, size, 0) != size)
			wrong("calloc of %zu is not zero\n", size);
		break;
	case 1:
		p = aligned_alloc((size_t)64 << i % 17, size);
		break;
	default:
		p = malloc(size);
		break;
	}
	keep(i, p, size);
}

/* Something of everything that leads to system calls. */
static void
scenario(void)
{
	unsigned int i;

	for (i = 0; i < BLOCKS; i++) {
		if (block[i].p == NULL)
			fill(i);
		if (i % 200 == 100)
			thread();
	}
	for (i = 0; i < BLOCKS; i += 50)
		resize(i, 2000000 + i * 1000);
	for (i = 0; i < BLOCKS; i += 50)
		resize(i, 9000000);
	for (i = 0; i < BLOCKS; i += 100)
		resize(i, 70000);
	for (i = 0; i < BLOCKS; i++)
		if (i % 3 != 0)
			drop(i);
	(void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
	for (i = 0; i < BLOCKS; i++)
		if (block[i].p == NULL && i % 2 == 0)
			fill(i);
}

static void
release(void)
{
	unsigned int i;

	for (i = 0; i < BLOCKS; i++)
		drop(i);
	(void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
}

/* Resident and mapped, in KiB. */
static void
usage(long *resident, long *mapped)
{
	char buf[100];
	FILE *f;

	f = fopen("/proc/self/statm", "r");
	if (f == NULL || fgets(buf, sizeof(buf), f) == NULL ||
	    sscanf(buf, "%ld %ld", mapped, resident) != 2)
		wrong("no /proc/self/statm\n");
	(void)fclose(f);
	*mapped *= getpagesize() / 1024;
	*resident *= getpagesize() / 1024;
}

/* After the failure: all of it again, with all the memory there is. */
static void
recover(void)
{
	long mapped, resident;

	never(0, false, 0);
	scenario();
	release();
	usage(&resident, &mapped);
	/* 200 MB were live, most of them twice. */
	if (resident > 64 << 10)
		wrong("%ld KiB are still resident\n", resident);
}

/* Run fn in a child of its own, say what it says, and require a clean end. */
static void
in_child(void (*fn)(unsigned int), unsigned int arg, const char *what)
{
	int status;
	pid_t pid;

	pid = fork_child(60);
	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	status = wait_for(pid, 60);
	ATF_REQUIRE_MSG(status == 0, "%s %u: status %#x", what, arg, status);
}

static void
one(unsigned int n)
{

	never(n, false, 0);
	scenario();
	recover();
}

static void
from(unsigned int n)
{

	never(n, true, 0);
	scenario();
	release();
	recover();
}

/* How many calls there are to fail, from a child: the parent stays as new. */
static unsigned int
count(void)
{
	unsigned int n;
	int fds[2];
	pid_t pid;

	ATF_REQUIRE(pipe(fds) == 0);
	pid = fork_child(60);
	if (pid == 0) {
		never(0, false, 0);
		scenario();
		n = calls;
		_exit(write(fds[1], &n, sizeof(n)) != (ssize_t)sizeof(n));
	}
	ATF_REQUIRE_EQ(0, wait_for(pid, 60));
	ATF_REQUIRE_EQ((ssize_t)sizeof(n), read(fds[0], &n, sizeof(n)));
	(void)close(fds[0]);
	(void)close(fds[1]);
	printf("%u calls\n", n);
	ATF_REQUIRE(n >= 40);
	return (n);
}

static void
begin(void)
{

	inject_decide = fail;
	if (!inject_start())
		atf_tc_skip("no seccomp filters here");
}

/* fn for every call that there is to fail. */
static void
for_each_call(void (*fn)(unsigned int), const char *what)
{
	unsigned int i, n;

	begin();
	n = count();
	for (i = 1; i <= n; i++)
		in_child(fn, i, what);
}

ATF_TC(any_one);
ATF_TC_HEAD(any_one, tc)
{

	atf_tc_set_md_var(tc, "descr", "Any one call fails");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(any_one, tc)
{

	for_each_call(one, "with call");
}

ATF_TC(from_one_on);
ATF_TC_HEAD(from_one_on, tc)
{

	atf_tc_set_md_var(tc, "descr", "All calls fail from any one on");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(from_one_on, tc)
{

	for_each_call(from, "from call");
}

/* Address space that is lost is lost for good; memory must not be. */
static void
some(unsigned int permille)
{
	long mapped, resident, start;
	unsigned int i;

	scenario();
	release();
	usage(&start, &mapped);
	never(0, false, permille);
	for (i = 0; i < 30; i++) {
		scenario();
		release();
	}
	never(0, false, 0);
	release();
	usage(&resident, &mapped);
	printf("%ld KiB resident, %ld before; %ld mapped\n", resident, start,
	    mapped);
	fflush(stdout);
	/* 30 times 200 MB were live.  Where advice on huge pages fails the
	 * system may fill up one of which a part is in use or was. */
	if (resident > start + (64 << 10))
		wrong("grew by %ld KiB\n", resident - start);
	recover();
}

ATF_TC(some_all_the_time);
ATF_TC_HEAD(some_all_the_time, tc)
{

	atf_tc_set_md_var(tc, "descr", "One call in a hundred fails, or five, "
	    "again and again, and memory does not leak");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(some_all_the_time, tc)
{

	begin();
	in_child(some, 10, "permille");
	in_child(some, 50, "permille");
	in_child(some, 500, "permille");
}

/* madvise that does nothing, and says that it has been done. */
static int
pretend(long nr, const long *a)
{

	(void)a;
	calls++;
	return (nr == SYS_madvise || nr == SYS_process_madvise ?
	    INJECT_NOTHING : 0);
}

ATF_TC(pretended_purge);
ATF_TC_HEAD(pretended_purge, tc)
{

	atf_tc_set_md_var(tc, "descr", "Where madvise discards nothing, as "
	    "under an emulator, calloc still gives zeros");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(pretended_purge, tc)
{
	unsigned char *p[200];
	size_t i, size;
	unsigned int round;

	inject_decide = pretend;
	if (!inject_start())
		atf_tc_skip("no seccomp filters here");
	for (round = 0; round < 8; round++) {
		size = (size_t)5000 << round % 8;
		for (i = 0; i < nitems(p); i++) {
			p[i] = malloc(size);
			ATF_REQUIRE(p[i] != NULL);
			memset(p[i], 0xa5, size);
		}
		for (i = 0; i < nitems(p); i++)
			free(p[i]);
		ATF_REQUIRE_EQ(0, mallctl("arena.4096.purge", NULL, NULL,
		    NULL, 0));
		for (i = 0; i < nitems(p); i++) {
			p[i] = calloc(1, size);
			ATF_REQUIRE(p[i] != NULL);
			ATF_REQUIRE_EQ(size, all_bytes(p[i], size, 0));
		}
		for (i = 0; i < nitems(p); i++)
			free(p[i]);
	}
	ATF_CHECK(calls > 0);
	recover();
}

/* The kernel is short of memory for its own books, and stays so. */
static int
again(long nr, const long *a)
{

	(void)a;
	calls++;
	return (nr == SYS_madvise || nr == SYS_process_madvise ? EAGAIN : 0);
}

static void
purge_again(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		scenario();
		release();
	}
	inject_decide = NULL;
	recover();
}

ATF_TC(again_for_ever);
ATF_TC_HEAD(again_for_ever, tc)
{

	atf_tc_set_md_var(tc, "descr", "madvise that always says EAGAIN is not "
	    "asked for ever");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(again_for_ever, tc)
{

	inject_decide = again;
	if (!inject_start())
		atf_tc_skip("no seccomp filters here");
	in_child(purge_again, 3, "rounds");
}

ATF_TC(first);
ATF_TC_HEAD(first, tc)
{

	atf_tc_set_md_var(tc, "descr", "The very first calls fail");
}
ATF_TC_BODY(first, tc)
{
	char path[1024];
	int status;
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s/h_first",
	    atf_tc_get_config_var(tc, "srcdir"));
	pid = fork_child(60);
	if (pid == 0) {
		(void)execl(path, path, (char *)NULL);
		_exit(127);
	}
	status = wait_for(pid, 60);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		atf_tc_skip("no seccomp filters here");
	ATF_CHECK_MSG(status == 0, "status %#x", status);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, any_one);
	ATF_TP_ADD_TC(tp, from_one_on);
	ATF_TP_ADD_TC(tp, some_all_the_time);
	ATF_TP_ADD_TC(tp, pretended_purge);
	ATF_TP_ADD_TC(tp, again_for_ever);
	ATF_TP_ADD_TC(tp, first);

	return (atf_no_error());
}
