/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Programs in sandboxes: system calls that are refused with an error, and
 * system calls that kill.
 */

#define	_GNU_SOURCE

#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc_np.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "malloc_test_subr.h"

#define	NALLOWED	16

/* Threads that contend are to meet. */
const char *malloc_conf = "narenas:1";

/* What malloc may need, and what the test needs to end. */
static const int memory[] = {
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex,
	SYS_clock_gettime, SYS_exit, SYS_exit_group, SYS_rt_sigreturn, -1
};

/* For threads that end: what pthread_exit() does beside. */
static const int threads[] = {
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex,
	SYS_clock_gettime, SYS_exit, SYS_exit_group, SYS_rt_sigreturn,
	SYS_rt_sigprocmask, -1
};

/* Without memory: what there is must do. */
static const int nothing[] = {
	SYS_exit_group, SYS_rt_sigreturn, SYS_futex, -1
};

/* Allow the system calls, for all threads; the rest gets the answer. */
static bool
enter(const int *allowed, uint32_t answer)
{
	struct sock_filter filter[NALLOWED + 3];
	struct sock_fprog prog;
	unsigned int i, n;

	for (n = 0; allowed[n] != -1; n++)
		;
	filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    (uint32_t)offsetof(struct seccomp_data, nr));
	for (i = 0; i < n; i++)
		filter[i + 1] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i],
		    (uint8_t)(n - i), 0);
	filter[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer);
	filter[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_ALLOW);
	prog.len = (unsigned short)(n + 3);
	prog.filter = filter;
	return (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_TSYNC, &prog) == 0);
}

/* Some 40 MB of everything, resized, freed in part and purged. */
static bool
use(unsigned int seed)
{
	static const size_t sizes[] = {
		24, 200, 1000, 5000, 30000, 50000, 140000, 600000
	};
	static unsigned char *p[2000];
	size_t size;
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < nitems(p); i++) {
			size = sizes[i % 20 == 0 ? i / 20 % 8 : i % 5] +
			    i % 10;
			p[i] = i % 3 == 0 ? calloc(1, size) : malloc(size);
			if (p[i] == NULL)
				return (false);
			if (i % 3 == 0 && all_bytes(p[i], size, 0) != size)
				return (false);
			memset(p[i], (int)(seed + i), size);
		}
		p[0] = realloc(p[0], 3000000);
		p[0] = p[0] == NULL ? NULL : realloc(p[0], 9000000);
		p[0] = p[0] == NULL ? NULL : realloc(p[0], 100000);
		if (p[0] == NULL)
			return (false);
		for (i = 1; i < nitems(p); i += 2)
			free(p[i]);
		(void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
		for (i = 0; i < nitems(p); i += 2) {
			if (*p[i] != (unsigned char)(seed + i))
				return (false);
			free(p[i]);
		}
		(void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
	}
	return (true);
}

/* Run fn in a child in the sandbox; it is to end with 0. */
static void
sandboxed(const int *allowed, uint32_t answer, bool (*fn)(unsigned int))
{
	int status;
	pid_t pid;

	pid = fork_child(60);
	if (pid == 0) {
		/* Some of malloc is in use before. */
		free(hidep(malloc(100)));
		if (!enter(allowed, answer))
			_exit(77);
		_exit(fn(1) ? 0 : 1);
	}
	status = wait_for(pid, 60);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		atf_tc_skip("no seccomp filters here");
	ATF_CHECK_MSG(!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS,
	    "killed for a system call");
	ATF_CHECK_MSG(status == 0, "status %#x", status);
}

/* glibc 2.36 is killed here: its malloc calls mprotect(2) and brk(2).  In the
 * other cases of this file it aborts. */
ATF_TC(kills);
ATF_TC_HEAD(kills, tc)
{

	atf_tc_set_md_var(tc, "descr", "A sandbox that kills for every system "
	    "call but those that malloc is known for");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(kills, tc)
{

	sandboxed(memory, SECCOMP_RET_KILL_PROCESS, use);
}

static atomic_uint	ready, done;

static void *
contend(void *arg)
{
	void *p[64];
	unsigned int i, j;
	bool *go = arg;

	free(hidep(malloc(100)));
	atomic_fetch_add(&ready, 1);
	while (!__atomic_load_n(go, __ATOMIC_ACQUIRE))
		;
	for (i = 0; i < 500; i++) {
		for (j = 0; j < nitems(p); j++)
			p[j] = malloc((size_t)(i * 640 + j * 100) % 90000);
		for (j = 0; j < nitems(p); j++)
			free(p[j]);
	}
	atomic_fetch_add(&done, 1);
	return (NULL);
}

/* Not joined: what that does is pthread's business. */
static bool
in_threads(unsigned int n)
{
	static bool go;
	pthread_t t;
	unsigned int i;

	for (i = 0; i < 4; i++)
		if (pthread_create(&t, NULL, contend, &go) != 0)
			return (false);
	while (atomic_load(&ready) < 4)
		usleep(100);
	if (!enter(threads, SECCOMP_RET_KILL_PROCESS))
		return (false);
	__atomic_store_n(&go, true, __ATOMIC_RELEASE);
	while (atomic_load(&done) < 4)
		;
	return (n != 0);
}

ATF_TC(kills_threads);
ATF_TC_HEAD(kills_threads, tc)
{

	atf_tc_set_md_var(tc, "descr", "The same with threads that contend and "
	    "end");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(kills_threads, tc)
{
	static const int all[] = { -1 };

	/* A filter that allows everything; the real one comes later. */
	sandboxed(all, SECCOMP_RET_ALLOW, in_threads);
}

ATF_TC(refuses);
ATF_TC_HEAD(refuses, tc)
{

	atf_tc_set_md_var(tc, "descr", "Sandboxes that answer EPERM or ENOSYS, "
	    "also to madvise, mremap, futex and the clock");
	atf_tc_set_md_var(tc, "timeout", "240");
}
ATF_TC_BODY(refuses, tc)
{
	static const int least[] = {
		SYS_mmap, SYS_munmap, SYS_exit_group, SYS_rt_sigreturn, -1
	};
	static const uint32_t answers[] = { EPERM, ENOSYS, EINVAL };
	size_t i;

	for (i = 0; i < nitems(answers); i++) {
		sandboxed(memory, SECCOMP_RET_ERRNO | answers[i], use);
		sandboxed(least, SECCOMP_RET_ERRNO | answers[i], use);
	}
}

/* No memory from the system: errno says so, what is there is used. */
static bool
run_dry(unsigned int seed)
{
	static unsigned char *p[200000];
	size_t i, n;

	for (n = 0; n < nitems(p); n++) {
		errno = 0;
		if ((p[n] = malloc(1000)) == NULL)
			break;
		memset(p[n], (int)(seed + n), 1000);
	}
	if (n == nitems(p) || errno != ENOMEM)
		return (false);
	for (i = 0; i < n; i++) {
		if (all_bytes(p[i], 1000, (unsigned char)(seed + i)) != 1000)
			return (false);
		errno = 4711;
		free(p[i]);
		if (errno != 4711)
			return (false);
	}
	for (i = 0; i < n / 2; i++)
		if ((p[i] = malloc(1000)) == NULL)
			return (false);
	(void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
	return (true);
}

ATF_TC(refuses_memory);
ATF_TC_HEAD(refuses_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "A sandbox that gives no memory: "
	    "ENOMEM, and what is freed can be had again");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(refuses_memory, tc)
{

	sandboxed(nothing, SECCOMP_RET_ERRNO | EPERM, run_dry);
	sandboxed(nothing, SECCOMP_RET_ERRNO | ENOSYS, run_dry);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, kills);
	ATF_TP_ADD_TC(tp, kills_threads);
	ATF_TP_ADD_TC(tp, refuses);
	ATF_TP_ADD_TC(tp, refuses_memory);

	return (atf_no_error());
}
