/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * os_call: a raw system call; for the files of os (dsm_os.h) alone.
 *
 * libc's wrappers could be interposed (by libfaketime, fakeroot, a profiler)
 * with functions that allocate, libthr's may allocate themselves, and all of
 * them set errno.  The raw call answers a negative error number instead, and
 * errno stays as the application left it.  FreeBSD's __syscall(2) is the same
 * within libc and without.
 */
#ifndef _DSM_OS_CALL_H_
#define	_DSM_OS_CALL_H_

#include <sys/mman.h>
#include <sys/syscall.h>

#include <errno.h>
#include <unistd.h>

#include "dsm_defs.h"

#ifdef __FreeBSD__
#define	OS_ANON		(MAP_PRIVATE | MAP_ANON)
#else
#define	OS_ANON		(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#endif
#define	OS_RW		(PROT_READ | PROT_WRITE)

/* The result, or a negative error number. */
#if defined(__linux__) && defined(__x86_64__)
static inline long
os_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile ("syscall" : "=a" (r) : "0" (nr), "D" (a), "S" (b),
	    "d" (c), "r" (r10), "r" (r8), "r" (r9) : "rcx", "r11", "memory");
	return (r);
}
#elif defined(__linux__) && defined(__aarch64__)
static inline long
os_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile ("svc 0" : "+r" (x0) : "r" (x8), "r" (x1), "r" (x2),
	    "r" (x3), "r" (x4), "r" (x5) : "memory");
	return (x0);
}
#else
static inline long
os_call(long nr, long a, long b, long c, long d, long e, long f)
{
	int serrno;
	long r;

	serrno = errno;
#ifdef __FreeBSD__
	r = __syscall(nr, a, b, c, d, e, f);
#else
	r = syscall(nr, a, b, c, d, e, f);
#endif
	if (r == -1)
		r = -errno;
	errno = serrno;
	return (r);
}
#endif

static inline long
os_call3(long nr, long a, long b, long c)
{

	return (os_call(nr, a, b, c, 0, 0, 0));
}

static inline bool
os_failed(long r)
{

	return ((unsigned long)r > -4096UL);
}

static inline void *
os_mmap(void *addr, size_t size, int prot, int flags)
{
	long r;

	r = os_call(SYS_mmap, (long)addr, (long)size, prot, flags, -1, 0);
	return (os_failed(r) ? NULL : (void *)r);
}

static inline bool
os_madvise(void *addr, size_t size, int advice)
{

	return (os_call3(SYS_madvise, (long)addr, (long)size, advice) == 0);
}

#endif /* !_DSM_OS_CALL_H_ */
