/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * os for FreeBSD.
 *
 * What differs from Linux: mmap aligns by itself; mappings do not move;
 * MADV_DONTNEED does not discard, so that a forced purge is a new mapping
 * over the old; and superpages are the kernel's own business.
 */
#include <sys/param.h>
#include <sys/auxv.h>
#include <sys/cpuset.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysctl.h>
#include <sys/umtx.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "dsm_defs.h"
#include "dsm_os.h"
#include "dsm_os_call.h"

_Static_assert(sizeof(long) == 8, "arguments of 64 bits pass in one register");

/* No system calls: the auxiliary vector is in memory. */
void
os_init(void)
{
	int page;

	if (os_page != 0)
		return;
	if (elf_aux_info(AT_PAGESZ, &page, sizeof(page)) != 0 ||
	    !IS_POW2((unsigned)page))
		page = PAGE_SIZE;
	os_page_shift = (unsigned)__builtin_ctz((unsigned)page);
	os_page = (size_t)page;
}

/*
 * Address space.
 */

void *
os_map(size_t size, size_t align)
{
	int flags;

	flags = OS_ANON;
	if (align > os_page)
		flags |= MAP_ALIGNED(__builtin_ctzl(align));
	return (os_mmap(NULL, size, OS_RW, flags));
}

bool
os_map_at(void *addr, size_t size)
{

	return (os_mmap(addr, size, OS_RW, OS_ANON | MAP_FIXED | MAP_EXCL) !=
	    NULL);
}

bool
os_move(void *addr, size_t size, void *dst, size_t dsize, bool *lost)
{

	(void)addr;
	(void)size;
	(void)dst;
	(void)dsize;
	*lost = false;
	return (false);
}

bool
os_commit(void *addr, size_t size)
{

	return (os_mmap(addr, size, OS_RW, OS_ANON | MAP_FIXED) != NULL);
}

/* A guard reserves address space, and nothing else. */
bool
os_decommit(void *addr, size_t size)
{

	return (os_mmap(addr, size, PROT_NONE, MAP_GUARD | MAP_FIXED) != NULL);
}

/*
 * Purging.
 */

bool
os_purge_forced(void *addr, size_t size)
{

	return (os_commit(addr, size));
}

unsigned
os_purge_many(const struct os_range *r, unsigned n, struct os_purge *how)
{
	unsigned done;

	for (done = 0; done < n; done++) {
		if (how->until != UINT64_MAX && os_time_ns() >= how->until)
			break;
		how->calls++;
		if (!(how->lazy ? os_purge_lazy(r[done].addr, r[done].len) :
		    os_purge_forced(r[done].addr, r[done].len)))
			break;
	}
	return (done);
}

/*
 * Superpages: nobody takes advice on them.
 */

enum os_thp
os_thp(bool ask)
{

	(void)ask;
	return (OS_THP_ALL);
}

bool
os_nohuge(void *addr, size_t size)
{

	(void)addr;
	(void)size;
	return (false);
}

bool
os_huge(void *addr, size_t size)
{

	(void)addr;
	(void)size;
	return (false);
}

bool
os_collapse(void *addr, size_t size)
{

	(void)addr;
	(void)size;
	return (false);
}

/* A superpage is demoted when a part of it goes. */
void
os_break(void *addr)
{

	(void)addr;
}

/*
 * The machine and the process.
 */

/* The affinity mask, not the machine: a jail has fewer. */
unsigned
os_cpus(void)
{
	cpuset_t set;
	unsigned char byte[sizeof(set)];
	unsigned i, n;

	if (os_call(SYS_cpuset_getaffinity, CPU_LEVEL_WHICH, CPU_WHICH_PID,
	    -1, sizeof(set), (long)&set, 0) != 0)
		return (1);
	__builtin_memcpy(byte, &set, sizeof(set));
	n = 0;
	for (i = 0; i < sizeof(set); i++)
		n += (unsigned)__builtin_popcount(byte[i]);
	return (DSM_MAX(n, 1));
}

size_t
os_memory(void)
{
	unsigned long bytes = 0;
	size_t len = sizeof(bytes);
	int mib[] = { CTL_HW, HW_PHYSMEM };

	if (os_call(SYS___sysctl, (long)mib, 2, (long)&bytes, (long)&len, 0,
	    0) != 0)
		return (0);
	return (bytes);
}

bool
os_secure(void)
{

	return (os_call3(SYS_issetugid, 0, 0, 0) != 0);
}

uint64_t
os_address_limit(void)
{
	struct rlimit rl;

	if (os_call3(SYS_getrlimit, RLIMIT_AS, (long)&rl, 0) != 0 ||
	    rl.rlim_cur == RLIM_INFINITY)
		return (UINT64_MAX);
	return ((uint64_t)rl.rlim_cur);
}

/*
 * Threads.
 */

void
os_wait(uint32_t *w, uint32_t v)
{

	os_wait_for(w, v, UINT64_MAX);
}

/* With its clock named, since the default is one that can be set. */
void
os_wait_for(uint32_t *w, uint32_t v, uint64_t ns)
{
	struct _umtx_time t;

	t._timeout.tv_sec = (time_t)(ns / 1000000000);
	t._timeout.tv_nsec = (long)(ns % 1000000000);
	t._flags = 0;
	t._clockid = CLOCK_MONOTONIC;
	(void)os_call(SYS__umtx_op, (long)w, UMTX_OP_WAIT_UINT_PRIVATE, v,
	    ns == UINT64_MAX ? 0 : (long)sizeof(t),
	    ns == UINT64_MAX ? 0 : (long)&t, 0);
}

void
os_wake(uint32_t *w, unsigned n)
{

	(void)os_call3(SYS__umtx_op, (long)w, UMTX_OP_WAKE_PRIVATE,
	    (long)DSM_MIN(n, 0x7fffffffU));
}

uint32_t
os_tid(void)
{
	long tid;

	tid = 0;
	(void)os_call3(SYS_thr_self, (long)&tid, 0, 0);
	return ((uint32_t)tid);
}

void
os_name(const char *name)
{

	(void)os_call3(SYS_thr_set_name, (long)os_tid(), (long)name, 0);
}

/*
 * Other memory, and the end.
 */

/* Nobody's allocator uses the break here. */
bool
os_in_break(const void *addr, size_t size)
{

	(void)addr;
	(void)size;
	return (false);
}

/* Through a pipe: write(2) fails for memory that is not there. */
bool
os_peek(const void *addr, void *buf, size_t len)
{
	int fd[2];
	bool ok;

	if (len > PIPE_BUF ||
	    os_call3(SYS_pipe2, (long)fd, O_CLOEXEC | O_NONBLOCK, 0) != 0)
		return (false);
	ok = os_call3(SYS_write, fd[1], (long)addr, (long)len) == (long)len &&
	    os_call3(SYS_read, fd[0], (long)buf, (long)len) == (long)len;
	(void)os_call3(SYS_close, fd[0], 0, 0);
	(void)os_call3(SYS_close, fd[1], 0, 0);
	return (ok);
}

static void
os_raise_abort(void)
{

	(void)os_call3(SYS_thr_kill, (long)os_tid(), SIGABRT, 0);
}

/* As abort(3), but by system calls only: a handler runs first; should it
 * return, the default action takes its place. */
void
os_abort(void)
{
	struct sigaction dfl;
	sigset_t set;

	__builtin_memset(&dfl, 0, sizeof(dfl));		/* SIG_DFL */
	__builtin_memset(&set, 0, sizeof(set));
	set.__bits[0] = 1U << (SIGABRT - 1);
	(void)os_call3(SYS_sigprocmask, SIG_UNBLOCK, (long)&set, 0);
	os_raise_abort();
	(void)os_call3(SYS_sigaction, SIGABRT, (long)&dfl, 0);
	os_raise_abort();
	__builtin_trap();
}
