/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * os for Linux.
 */
#ifndef _GNU_SOURCE
#define	_GNU_SOURCE
#endif

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include <errno.h>
#include <link.h>
#include <linux/futex.h>
#include <signal.h>

#include "dsm_defs.h"
#include "dsm_os.h"
#include "dsm_os_call.h"

/* Newer than the oldest headers that we compile with. */
#ifndef MAP_FIXED_NOREPLACE
#define	MAP_FIXED_NOREPLACE	0x100000
#endif
#ifndef SYS_process_madvise
#define	SYS_process_madvise	440
#endif
#ifndef MADV_COLLAPSE
#define	MADV_COLLAPSE		25
#endif
#define	OS_PIDFD_SELF		(-10000)

/*
 * Fewest ranges for which process_madvise is tried: for fewer it saves little.
 * And the address space that must have been asked for before: a program in a
 * sandbox that kills for unknown system calls does not get there.  A pool
 * grows by half of what it has, so this much is there when 64 MiB are in use,
 * and not much earlier.
 */
#define	OS_VECTOR_MIN	4
#define	OS_VECTOR_BYTES	MIB(96)

/* From the auxiliary vector; constant after os_init(). */
static bool	os_is_secure;

/* What a first try showed; relaxed, as every thread finds the same. */
enum os_answer { OS_UNKNOWN, OS_YES, OS_NO };
static uint32_t	os_zeroes;	/* does MADV_DONTNEED zero? */
static uint32_t	os_vector;	/* does process_madvise purge us? */
static uint32_t	os_collapses;	/* is there MADV_COLLAPSE? */
static uint32_t	os_thp_answer;	/* enum os_thp */
static size_t	os_asked;	/* bytes that os_map() was asked for */

/* No system calls: the auxiliary vector is in memory. */
void
os_init(void)
{
	size_t page;
	int serrno;

	if (os_page != 0)
		return;
	serrno = errno;		/* getauxval sets it when it has no answer */
	page = getauxval(AT_PAGESZ);
	if (!IS_POW2(page))
		page = 4096;
	os_is_secure = getauxval(AT_SECURE) != 0;
	errno = serrno;
	os_page_shift = (unsigned)__builtin_ctzl(page);
	os_page = page;
}

/*
 * Address space.
 */

/* Cut size aligned bytes out of a mapping that is long enough. */
static void *
os_trim(uintptr_t base, size_t mapped, size_t size, size_t align)
{
	uintptr_t end, start;

	start = ROUND_UP(base, align);
	end = start + size;
	if (start > base)
		(void)os_unmap((void *)base, start - base);
	if (base + mapped > end)
		(void)os_unmap((void *)end, base + mapped - end);
	return ((void *)start);
}

/* Kernels often align by themselves; only when not, map more and trim. */
void *
os_map(size_t size, size_t align)
{
	size_t over;
	void *p;

	add_rlx(&os_asked, size);
	p = os_mmap(NULL, size, OS_RW, OS_ANON);
	if (p == NULL || align <= os_page ||
	    ((uintptr_t)p & (align - 1)) == 0)
		return (p);
	(void)os_unmap(p, size);
	if (__builtin_add_overflow(size, align - os_page, &over))
		return (NULL);
	p = os_mmap(NULL, over, OS_RW, OS_ANON);
	if (p == NULL)
		return (NULL);
	return (os_trim((uintptr_t)p, over, size, align));
}

/* 0, or the error: EEXIST when something is mapped there. */
static long
os_try_map_at(void *addr, size_t size)
{
	long r;

	r = os_call(SYS_mmap, (long)addr, (long)size, OS_RW,
	    OS_ANON | MAP_FIXED_NOREPLACE, -1, 0);
	if (r == (long)addr)
		return (0);
	if (os_failed(r))
		return (-r);
	/* Before Linux 4.17 the flag is ignored, the address a hint. */
	(void)os_unmap((void *)r, size);
	return (EEXIST);
}

bool
os_map_at(void *addr, size_t size)
{

	return (os_try_map_at(addr, size) == 0);
}

bool
os_move(void *addr, size_t size, void *dst, size_t dsize, bool *lost)
{
	long error, r;

	r = os_call(SYS_mremap, (long)addr, (long)size, (long)dsize,
	    MREMAP_MAYMOVE | MREMAP_FIXED, (long)dst, 0);
	*lost = false;
	if (!os_failed(r))
		return (true);
	/* A failed move may already have unmapped its destination; mapping
	 * that again may fail for the same reason, or because another thread
	 * was faster.  With EFAULT, old pages in several mappings, it has. */
	error = os_try_map_at(dst, dsize);
	*lost = error != 0 && (error != EEXIST || r == -EFAULT);
	return (false);
}

bool
os_commit(void *addr, size_t size)
{

	if (os_mmap(addr, size, OS_RW, OS_ANON | MAP_FIXED) != NULL)
		return (true);
	/* A kernel that counts memory strictly has unmapped it by then. */
	(void)os_mmap(addr, size, PROT_READ, OS_ANON | MAP_FIXED_NOREPLACE);
	return (false);
}

bool
os_decommit(void *addr, size_t size)
{

	return (os_mmap(addr, size, PROT_NONE, OS_ANON | MAP_FIXED) != NULL);
}

/*
 * Purging.
 */

/*
 * Whether MADV_DONTNEED really discards: an emulator may accept it and do
 * nothing.  Tried on a page of our own at the first forced purge, not at
 * start-up, where most programs would pay for what they never use; where none
 * is to be had, on one that is to be purged, which may be shared and then does
 * not tell that it is so everywhere.
 */
static DSM_COLD enum os_answer
os_try_zeroes(void *addr)
{
	enum os_answer answer = OS_UNKNOWN;
	void *own = os_map(os_page, os_page);
	volatile char *p = own != NULL ? own : addr;

	*p = 1;
	if (os_madvise((void *)(uintptr_t)p, os_page, MADV_DONTNEED))
		answer = *p == 0 ? OS_YES : OS_NO;
	if (own != NULL)
		(void)os_unmap(own, os_page);
	else if (answer == OS_NO)
		answer = OS_UNKNOWN;
	/* Nothing learnt: ask again. */
	if (answer != OS_UNKNOWN)
		store_rlx(&os_zeroes, answer);
	return (answer);
}

static inline enum os_answer
os_dontneed_zeroes(void *addr)
{
	enum os_answer answer = load_rlx(&os_zeroes);

	return (answer == OS_UNKNOWN ? os_try_zeroes(addr) : answer);
}

/* A new mapping over the old always zeroes, but forgets the advice on huge
 * pages, and where it fails the old one may be gone: for emulators only. */
bool
os_purge_forced(void *addr, size_t size)
{

	switch (os_dontneed_zeroes(addr)) {
	case OS_YES:
		return (os_madvise(addr, size, MADV_DONTNEED));
	case OS_NO:
		return (os_commit(addr, size));
	default:
		return (false);
	}
}

static bool
os_purge(void *addr, size_t size, struct os_purge *how)
{

	how->calls++;
	return (how->lazy ? os_purge_lazy(addr, size) :
	    os_purge_forced(addr, size));
}

/* How many leading ranges the first bytes of a vector are, wholly. */
static unsigned
os_whole_ranges(const struct os_range *r, unsigned n, size_t bytes)
{
	unsigned i;

	for (i = 0; i < n && r[i].len <= bytes; i++)
		bytes -= r[i].len;
	return (i);
}

/*
 * Purge several ranges by one system call, which spares a flush of all
 * processors' address translations for each but one.  A kernel that refuses
 * (before Linux 6.13) is not asked again; but a range that no call can purge,
 * being locked in memory, says nothing about the kernel.
 */
static unsigned
os_purge_vector(const struct os_range *r, unsigned n, struct os_purge *how)
{
	long done;

	how->calls++;
	done = os_call(SYS_process_madvise, OS_PIDFD_SELF, (long)r, n,
	    how->lazy ? MADV_FREE : MADV_DONTNEED, 0, 0);
	if (!os_failed(done)) {
		store_rlx(&os_vector, OS_YES);
		return (os_whole_ranges(r, n, (size_t)done));
	}
	if (!os_purge(r[0].addr, r[0].len, how))
		return (0);
	if (load_rlx(&os_vector) == OS_UNKNOWN || done == -EPERM)
		store_rlx(&os_vector, OS_NO);
	return (1);
}

/* The leading ranges that lie one behind the other. */
static unsigned
os_adjacent(const struct os_range *r, unsigned n, size_t *len)
{
	unsigned i;

	*len = r[0].len;
	for (i = 1; i < n && (char *)r[i].addr == (char *)r[0].addr + *len;
	    i++)
		*len += r[i].len;
	return (i);
}

unsigned
os_purge_many(const struct os_range *r, unsigned n, struct os_purge *how)
{
	unsigned done, more;
	size_t len;

	done = 0;
	if (n >= OS_VECTOR_MIN && load_rlx(&os_asked) >= OS_VECTOR_BYTES &&
	    os_dontneed_zeroes(r[0].addr) == OS_YES &&
	    load_rlx(&os_vector) != OS_NO)
		done = os_purge_vector(r, n, how);
	for (; done < n; done += more) {
		if (how->until != UINT64_MAX && os_time_ns() >= how->until)
			break;
		more = os_adjacent(r + done, n - done, &len);
		if (!os_purge(r[done].addr, len, how))
			break;
	}
	return (done);
}

/*
 * Huge pages.
 */

/* The word in brackets is the one in force: does it begin with this? */
static bool
os_thp_says(const char *file, const char *word)
{
	const char *p;
	char buf[128];
	size_t i;
	long n;

	n = os_readfile(file, buf, sizeof(buf) - 1);
	buf[DSM_MAX(n, 0)] = '\0';
	for (p = buf; *p != '[' && *p != '\0'; p++)
		continue;
	for (i = 0; *p != '\0' && word[i] != '\0' && p[1 + i] == word[i]; i++)
		continue;
	return (*p != '\0' && word[i] == '\0');
}

/* What /sys says, or nothing: there, those who ask may be given some. */
static enum os_thp
os_thp_system(void)
{
	const char *file = "/sys/kernel/mm/transparent_hugepage/"
	    "hugepages-2048kB/enabled";

	/* Since Linux 6.8 each size has its own; most look at the old one. */
	if (!os_thp_says(file, "always") && !os_thp_says(file, "madvise") &&
	    !os_thp_says(file, "never"))
		file = "/sys/kernel/mm/transparent_hugepage/enabled";
	if (os_thp_says(file, "never"))
		return (OS_THP_NOBODY);
	return (os_thp_says(file, "always") ? OS_THP_ALL : OS_THP_ASKERS);
}

/* A process may be excluded, since Linux 6.18 but for what it asks for: bit 1
 * of the answer. */
enum os_thp
os_thp(bool ask)
{
	enum os_thp thp = load_rlx(&os_thp_answer);
	long r;

	if (thp != OS_THP_UNKNOWN || !ask)
		return (thp);
	thp = os_thp_system();
	r = os_call(SYS_prctl, PR_GET_THP_DISABLE, 0, 0, 0, 0, 0);
	if (!os_failed(r) && r != 0 && thp != OS_THP_NOBODY)
		thp = (r & 2) != 0 ? OS_THP_ASKERS : OS_THP_NOBODY;
	store_rlx(&os_thp_answer, thp);
	return (thp);
}

bool
os_nohuge(void *addr, size_t size)
{

	return (os_madvise(addr, size, MADV_NOHUGEPAGE));
}

bool
os_huge(void *addr, size_t size)
{

	return (os_madvise(addr, size, MADV_HUGEPAGE));
}

bool
os_collapse(void *addr, size_t size)
{
	long r = -EINVAL;

	if (load_rlx(&os_collapses) != OS_NO)
		r = os_call3(SYS_madvise, (long)addr, (long)size,
		    MADV_COLLAPSE);
	/* A kernel that has no such thing (before Linux 6.1) is not asked
	 * again, nor is one that forbids it to this process.  One that has done
	 * it may refuse a single range. */
	if (r == 0)
		store_rlx(&os_collapses, OS_YES);
	else if (r == -EINVAL && load_rlx(&os_collapses) == OS_UNKNOWN)
		store_rlx(&os_collapses, OS_NO);
	return (!os_failed(r));
}

/*
 * Giving back a part of a huge page by MADV_DONTNEED takes it out of the
 * process and keeps it from everyone else until the kernel is short of
 * memory; MADV_FREE of a part of one breaks it up at once.
 */
void
os_break(void *addr)
{

	(void)os_madvise(addr, os_page, MADV_FREE);
}

/*
 * The machine and the process.
 */

/* The affinity mask, not the machine: a container has fewer. */
unsigned
os_cpus(void)
{
	unsigned long mask[128];	/* 8192 CPUs, Linux's most */
	unsigned i, n;
	long r;

	r = os_call3(SYS_sched_getaffinity, 0, sizeof(mask), (long)mask);
	n = 0;
	for (i = 0; r > 0 && i < (size_t)r / sizeof(mask[0]); i++)
		n += (unsigned)__builtin_popcountl(mask[i]);
	return (DSM_MAX(n, 1));
}

size_t
os_memory(void)
{
	struct sysinfo si;

	if (os_failed(os_call3(SYS_sysinfo, (long)&si, 0, 0)))
		return (0);
	return ((size_t)si.totalram * si.mem_unit);
}

bool
os_secure(void)
{

	return (os_is_secure);
}

uint64_t
os_address_limit(void)
{
	struct rlimit64 rl;

	if (os_failed(os_call(SYS_prlimit64, 0, RLIMIT_AS, 0, (long)&rl, 0,
	    0)) || rl.rlim_cur == RLIM64_INFINITY)
		return (UINT64_MAX);
	return (rl.rlim_cur);
}

/*
 * Threads.
 */

void
os_wait(uint32_t *w, uint32_t v)
{

	os_wait_for(w, v, UINT64_MAX);
}

/* By the monotonic clock. */
void
os_wait_for(uint32_t *w, uint32_t v, uint64_t ns)
{
	struct timespec ts;

	ts.tv_sec = (time_t)(ns / 1000000000);
	ts.tv_nsec = (long)(ns % 1000000000);
	(void)os_call(SYS_futex, (long)w, FUTEX_WAIT_PRIVATE, v,
	    ns == UINT64_MAX ? 0 : (long)&ts, 0, 0);
}

void
os_wake(uint32_t *w, unsigned n)
{

	(void)os_call3(SYS_futex, (long)w, FUTEX_WAKE_PRIVATE,
	    (long)DSM_MIN(n, 0x7fffffffU));
}

uint32_t
os_tid(void)
{

	return ((uint32_t)os_call3(SYS_gettid, 0, 0, 0));
}

void
os_name(const char *name)
{

	(void)os_call3(SYS_prctl, PR_SET_NAME, (long)name, 0);
}

/*
 * Other memory, and the end.
 */

/* Beyond the program's own data, which the break begins behind. */
bool
os_in_break(const void *addr, size_t size)
{
	uintptr_t a = (uintptr_t)addr, base = 0, data = 0;
	const ElfW(Phdr) *ph;
	unsigned long i, n;

	ph = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	n = ph == NULL ? 0 : getauxval(AT_PHNUM);
	for (i = 0; i < n; i++) {
		if (ph[i].p_type == PT_PHDR)
			base = (uintptr_t)ph - ph[i].p_vaddr;
		if (ph[i].p_type == PT_LOAD)
			data = ph[i].p_vaddr + ph[i].p_memsz;
	}
	return (n != 0 && a >= base + data &&
	    a + size <= (uintptr_t)os_call3(SYS_brk, 0, 0, 0));
}

bool
os_peek(const void *addr, void *buf, size_t len)
{
	struct os_range from, to;

	from.addr = (void *)(uintptr_t)addr;
	to.addr = buf;
	from.len = to.len = len;
	return (os_call(SYS_process_vm_readv,
	    os_call3(SYS_getpid, 0, 0, 0), (long)&to, 1, (long)&from, 1, 0) ==
	    (long)len);
}

static void
os_raise_abort(void)
{

	(void)os_call3(SYS_tgkill, os_call3(SYS_getpid, 0, 0, 0),
	    (long)os_tid(), SIGABRT);
}

/* As abort(3), without libc's lock: a handler runs first; should it return,
 * the default action takes its place. */
void
os_abort(void)
{
	/* The kernel's sigset_t of 8 bytes, and its struct sigaction, of
	 * which all zero is SIG_DFL, whatever its layout. */
	uint64_t dfl[8] = { 0 };
	uint64_t set = UINT64_C(1) << (SIGABRT - 1);

	(void)os_call(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&set, 0,
	    sizeof(set), 0, 0);
	os_raise_abort();
	(void)os_call(SYS_rt_sigaction, SIGABRT, (long)dfl, 0, sizeof(set), 0,
	    0);
	os_raise_abort();
	__builtin_trap();
}
