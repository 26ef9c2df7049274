/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where malloc is called from: signal handlers, children that are no ordinary
 * forks, fibers that move between threads, threads that could not be made.
 */

#define	_GNU_SOURCE

#include <sys/mman.h>
#include <sys/param.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <errno.h>
#include <malloc_np.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <ucontext.h>

#include "malloc_test_subr.h"

static atomic_bool	stop;
static atomic_uint	damaged;

/* Some of all sizes; false when something is wrong with them. */
static bool
use(unsigned int seed)
{
	unsigned char *p[64];
	size_t i, size;
	bool ok;

	ok = true;
	for (i = 0; i < nitems(p); i++) {
		size = (i * 97 + seed) % (i % 16 == 0 ? 100000 : 2000) + 1;
		p[i] = malloc(size);
		if (p[i] == NULL)
			return (false);
		memset(p[i], (int)(i + seed), size);
		p[i] = realloc(p[i], size * 2);
		if (p[i] == NULL)
			return (false);
	}
	for (i = 0; i < nitems(p); i++) {
		ok = ok && *p[i] == (unsigned char)(i + seed);
		free(p[i]);
	}
	return (ok);
}

static void *
storm(void *arg)
{
	unsigned int i;

	for (i = 0; !atomic_load(&stop); i++)
		if (!use(i))
			atomic_fetch_add(&damaged, 1);
	return (arg);
}

static void
begin(pthread_t *t, size_t n)
{
	size_t i;

	atomic_store(&stop, false);
	for (i = 0; i < n; i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, storm, NULL));
}

static void
end(pthread_t *t, size_t n)
{
	size_t i;

	atomic_store(&stop, true);
	for (i = 0; i < n; i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
	ATF_CHECK_EQ(0, damaged);
}

/* What the handler interrupts is this loop, which has nothing of malloc. */
static atomic_uint	handled;

static void
handler(int sig)
{

	(void)sig;
	if (!use(atomic_fetch_add(&handled, 1)))
		atomic_fetch_add(&damaged, 1);
}

static void *
spin(void *arg)
{
	volatile unsigned long n;

	for (n = 0; !atomic_load(&stop); n++)
		;
	return (arg);
}

ATF_TC(signals);
ATF_TC_HEAD(signals, tc)
{

	atf_tc_set_md_var(tc, "descr", "A signal handler allocates where it "
	    "interrupted something else than malloc");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(signals, tc)
{
	struct sigaction sa;
	pthread_t t[2];
	unsigned int before, i, j;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = handler;
	sa.sa_flags = SA_RESTART;
	ATF_REQUIRE_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	for (i = 0; i < nitems(t); i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, spin, NULL));
	/* The first of them is a thread's first request. */
	for (i = 0; i < 1000; i++) {
		before = atomic_load(&handled);
		ATF_REQUIRE_EQ(0, pthread_kill(t[i % nitems(t)], SIGUSR1));
		if (!use(i))
			atomic_fetch_add(&damaged, 1);
		for (j = 0; j < 1000 && atomic_load(&handled) == before; j++)
			usleep(10);
	}
	end(t, nitems(t));
	ATF_CHECK(handled > 100);
}

ATF_TC(vforked);
ATF_TC_HEAD(vforked, tc)
{

	atf_tc_set_md_var(tc, "descr", "vfork and posix_spawn while threads "
	    "allocate; a child of vfork that allocates");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(vforked, tc)
{
	char *argv[] = { (char *)(uintptr_t)"true", NULL };
	pthread_t t[4];
	unsigned int i;
	pid_t pid;

	begin(t, nitems(t));
	for (i = 0; i < 100; i++) {
		ATF_REQUIRE_EQ(0, posix_spawn(&pid, "/bin/true", NULL, NULL,
		    argv, environ));
		ATF_CHECK_EQ(0, wait_for(pid, 30));
		pid = vfork();
		ATF_REQUIRE(pid != -1);
		if (pid == 0) {
			/* In its parent's memory, and as its thread. */
			if (!use(i))
				_exit(1);
			(void)execv("/bin/true", argv);
			_exit(127);
		}
		ATF_CHECK_EQ(0, wait_for(pid, 30));
		ATF_CHECK(use(i));
	}
	end(t, nitems(t));
}

/* No handler hears of it; so threads must be at rest, as for any allocator. */
ATF_TC(cloned);
ATF_TC_HEAD(cloned, tc)
{

	atf_tc_set_md_var(tc, "descr", "clone without CLONE_VM, past all fork "
	    "handlers");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(cloned, tc)
{
	pthread_t t[4];
	unsigned int i;
	long pid;

	for (i = 0; i < 50; i++) {
		begin(t, nitems(t));
		ATF_CHECK(use(i));
		end(t, nitems(t));
		pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
		ATF_REQUIRE(pid != -1);
		if (pid == 0) {
			(void)alarm(30);
			_exit(use(i) && use(i + 1) ? 0 : 1);
		}
		ATF_CHECK_EQ(0, wait_for((pid_t)pid, 30));
	}
}

ATF_TC(no_threads);
ATF_TC_HEAD(no_threads, tc)
{

	atf_tc_set_md_var(tc, "descr", "pthread_create that fails for want of "
	    "memory costs none, and the next thread can be made");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(no_threads, tc)
{
	pthread_attr_t attr;
	pthread_t t;
	struct rlimit rl, was;
	long before;
	unsigned int i, n;

	ATF_REQUIRE_EQ(0, pthread_attr_init(&attr));
	ATF_REQUIRE_EQ(0, pthread_attr_setstacksize(&attr, (size_t)1 << 30));
	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_AS, &was));
	rl = was;
	rl.rlim_cur = (rlim_t)1 << 30;
	before = 0;
	n = 0;
	for (i = 0; i < 20000; i++) {
		ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_AS, &rl));
		if (pthread_create(&t, &attr, storm, NULL) == EAGAIN)
			n++;
		ATF_REQUIRE(i % 100 != 0 || use(i));
		ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_AS, &was));
		if (i == 100)
			before = maxrss();
	}
	ATF_CHECK_EQ(20000, n);
	ATF_CHECK_MSG(maxrss() - before < 4 << 10, "grew by %ld KiB",
	    maxrss() - before);
	begin(&t, 1);
	end(&t, 1);
}

/*
 * Fibers: whoever is free runs the next that is ready.  A fiber allocates,
 * changes the thread, allocates, and frees what it had from before.
 */
#define	FIBERS		40
#define	TURNS		400
#define	RUNNERS		4
#define	STACK		((size_t)64 << 10)

static struct fiber {
	ucontext_t	 context;
	ucontext_t	*runner;	/* where to go when it yields */
	atomic_int	 state;		/* 0 ready, 1 runs, 2 is at its end */
	unsigned int	 n;
	unsigned char	*kept[16];
} fibers[FIBERS];

static pthread_barrier_t start;
static unsigned int	moved;

/* In the runner's stack there is what the fiber must not remember. */
static void __attribute__((__noinline__))
yield(struct fiber *f)
{

	(void)swapcontext(&f->context, f->runner);
}

static void
fiber_main(int n)
{
	struct fiber *f = &fibers[n];
	unsigned char *p;
	long was;
	unsigned int turn;
	size_t size;

	for (turn = 0; turn < TURNS; turn++) {
		size = 16 + (turn * 31 + (unsigned int)n * 7) % 1000;
		p = malloc(size);
		if (p == NULL)
			break;
		memset(p, n, size);
		/* Not pthread_self(), which compilers call but once. */
		was = syscall(SYS_gettid);
		yield(f);
		if (was != syscall(SYS_gettid))
			__atomic_fetch_add(&moved, 1, __ATOMIC_RELAXED);
		if (all_bytes(p, size, (unsigned char)n) != size)
			atomic_fetch_add(&damaged, 1);
		free(f->kept[turn % nitems(f->kept)]);
		f->kept[turn % nitems(f->kept)] = malloc(size);
		free(p);
	}
	f->n = turn;
	atomic_store(&f->state, 2);
	(void)setcontext(f->runner);
}

static void *
run_fibers(void *arg)
{
	ucontext_t here;
	struct fiber *f;
	unsigned int i, left;
	int ready;

	(void)pthread_barrier_wait(&start);
	do {
		left = 0;
		for (i = 0; i < FIBERS; i++) {
			f = &fibers[(i + (uintptr_t)arg * 11) % FIBERS];
			left += atomic_load(&f->state) != 2;
			ready = 0;
			if (!atomic_compare_exchange_strong(&f->state, &ready,
			    1))
				continue;
			f->runner = &here;
			(void)swapcontext(&here, &f->context);
			/* Whoever has it next sees all that it left. */
			if (atomic_load(&f->state) != 2)
				atomic_store(&f->state, 0);
		}
	} while (left != 0);
	return (NULL);
}

static void
make_fiber(int n)
{
	ucontext_t *uc = &fibers[n].context;

	ATF_REQUIRE_EQ(0, getcontext(uc));
	uc->uc_stack.ss_size = STACK;
	uc->uc_stack.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON, -1, 0);
	ATF_REQUIRE(uc->uc_stack.ss_sp != MAP_FAILED);
	makecontext(uc, (void (*)(void))fiber_main, 1, n);
}

ATF_TC(fibers_move);
ATF_TC_HEAD(fibers_move, tc)
{

	atf_tc_set_md_var(tc, "descr", "Fibers that move between threads while "
	    "they allocate");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(fibers_move, tc)
{
	pthread_t t[RUNNERS];
	unsigned int i, j;

	for (i = 0; i < FIBERS; i++)
		make_fiber((int)i);
	ATF_REQUIRE_EQ(0, pthread_barrier_init(&start, NULL, RUNNERS));
	for (i = 0; i < RUNNERS; i++)
		ATF_REQUIRE_EQ(0, pthread_create(&t[i], NULL, run_fibers,
		    (void *)(uintptr_t)i));
	for (i = 0; i < RUNNERS; i++)
		ATF_REQUIRE_EQ(0, pthread_join(t[i], NULL));
	for (i = 0; i < FIBERS; i++) {
		ATF_CHECK_EQ(TURNS, fibers[i].n);
		for (j = 0; j < nitems(fibers[i].kept); j++)
			free(fibers[i].kept[j]);
	}
	ATF_CHECK_EQ(0, damaged);
	ATF_CHECK_MSG(moved > 10, "only %u moves: nothing was tested", moved);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, signals);
	ATF_TP_ADD_TC(tp, vforked);
	ATF_TP_ADD_TC(tp, cloned);
	ATF_TP_ADD_TC(tp, no_threads);
	ATF_TP_ADD_TC(tp, fibers_move);

	return (atf_no_error());
}
