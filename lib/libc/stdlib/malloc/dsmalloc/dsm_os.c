/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * os: what is the same on every system.
 */
#include <fcntl.h>
#include <time.h>

#include "dsm_os.h"
#include "dsm_os_call.h"

/* FreeBSD's name, and Linux's. */
#ifdef CLOCK_MONOTONIC_FAST
#define	OS_CLOCK_COARSE	CLOCK_MONOTONIC_FAST
#else
#define	OS_CLOCK_COARSE	CLOCK_MONOTONIC_COARSE
#endif
#ifdef SYS_pread
#define	OS_PREAD	SYS_pread
#else
#define	OS_PREAD	SYS_pread64
#endif

size_t		os_page;
unsigned	os_page_shift;

/* A part of a mapping may stay when the process has too many of them. */
bool
os_unmap(void *addr, size_t size)
{

	return (os_call3(SYS_munmap, (long)addr, (long)size, 0) == 0);
}

void *
os_reserve(size_t size)
{

	return (os_mmap(NULL, size, PROT_READ, OS_ANON));
}

bool
os_purge_lazy(void *addr, size_t size)
{

	return (os_madvise(addr, size, MADV_FREE));
}

/* Not through the vDSO: finding it is libc's business, and libc's own
 * clock_gettime may be interposed by something that allocates. */
static uint64_t
os_gettime(int clock)
{
	struct timespec ts = { 0, 0 };

	(void)os_call3(SYS_clock_gettime, clock, (long)&ts, 0);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

uint64_t
os_clock_ns(void)
{

	return (os_gettime(OS_CLOCK_COARSE));
}

uint64_t
os_time_ns(void)
{

	return (os_gettime(CLOCK_MONOTONIC));
}

void
os_yield(void)
{

	(void)os_call3(SYS_sched_yield, 0, 0, 0);
}

long
os_readlink(const char *path, char *buf, size_t len)
{

	return (os_call(SYS_readlinkat, AT_FDCWD, (long)path, (long)buf,
	    (long)len, 0, 0));
}

long
os_readfile(const char *path, char *buf, size_t len)
{

	return (os_readat(path, 0, buf, len));
}

long
os_readat(const char *path, uint64_t off, char *buf, size_t len)
{
	size_t n;
	long fd, r;

	fd = os_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC,
	    0, 0, 0);
	if (os_failed(fd))
		return (-1);
	/* A file in /proc is read in pieces however long the buffer. */
	n = 0;
	do {
		r = os_call(OS_PREAD, fd, (long)(buf + n),
		    (long)(len - n), (long)(off + n), 0, 0);
		if (r > 0)
			n += (size_t)r;
	} while (n < len && (r > 0 || r == -EINTR));
	(void)os_call3(SYS_close, fd, 0, 0);
	return (r < 0 && n == 0 ? -1 : (long)n);
}

void
os_write(int fd, const char *buf, size_t len)
{
	long r;

	while (len > 0) {
		r = os_call3(SYS_write, fd, (long)buf, (long)len);
		if (r == -EINTR)
			continue;
		if (r <= 0)
			return;
		buf += r;
		len -= (size_t)r;
	}
}
