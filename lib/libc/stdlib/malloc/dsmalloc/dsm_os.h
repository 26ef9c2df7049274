/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * os: everything that the allocator asks of the system; behind this header
 * dsm_os.c has what is the same on all, and each has a file of its own
 * (dsm_os_linux.c, dsm_os_freebsd.c).
 *
 * Theory of operation.  Each function is one question or one request.  None
 * takes a lock, allocates, changes errno, or calls a libc function that an
 * interposer could have replaced (mmap, clock_gettime, open): they issue raw
 * system calls.  Addresses and lengths are multiples of the page size, which
 * is read at run time.  Booleans answer "was it done?".
 *
 * After start-up only mmap, munmap, mremap, madvise, futex, sched_yield and the
 * clock are used, so that a program in a sandbox that kills goes on.  Others
 * only come once 64 MiB are in use: process_madvise, what os_thp() needs, and
 * the reading of files that say what a program may have (dsm_cgroup.h).
 */
#ifndef _DSM_OS_H_
#define	_DSM_OS_H_

#include "dsm_defs.h"

/* One piece of address space; laid out as a struct iovec. */
struct os_range {
	void	*addr;
	size_t	 len;
};

/* Most ranges of one os_purge_many() call: UIO_MAXIOV is 1024, and 64 cover
 * an arena's pass with one kilobyte of stack. */
#define	OS_PURGE_MAX	64

/* How ranges are purged, and how many calls of advice that took. */
struct os_purge {
	uint64_t until;		/* os_time_ns(): none is begun after it */
	bool	 lazy;		/* as os_purge_lazy(), else by force */
	unsigned calls;
};

#define	OS_PURGE_FORCED	{ UINT64_MAX, false, 0 }

enum os_thp { OS_THP_UNKNOWN, OS_THP_ALL, OS_THP_ASKERS, OS_THP_NOBODY };

/* Set once by os_init(); constant afterwards. */
DSM_HIDDEN size_t	 os_page;		/* a page, 4 KiB to 64 KiB */
DSM_HIDDEN unsigned	 os_page_shift;		/* its logarithm */

void	 os_init(void);

/* Fresh zeroed memory, aligned to align (a power of two); NULL when out. */
void	*os_map(size_t size, size_t align);
/* The same exactly at addr, never over another mapping; false when taken. */
bool	 os_map_at(void *addr, size_t size);
/* False: it stays, and where nobody keeps it its address space is lost. */
bool	 os_unmap(void *addr, size_t size);
/* Move a mapping's pages to the dsize bytes at dst (mapped, overwritten), at
 * least as many; what is more is fresh.  The old range is gone on success.
 * *lost: it failed, and dst is no longer mapped. */
bool	 os_move(void *addr, size_t size, void *dst, size_t dsize, bool *lost);
/* Address space that reads as zero and has neither memory nor a claim to it;
 * os_commit() makes it writable, if it fails it stays as it is. */
void	*os_reserve(size_t size);
bool	 os_commit(void *addr, size_t size);
bool	 os_decommit(void *addr, size_t size);
/* The kernel may take the pages later; contents indeterminate from now on. */
bool	 os_purge_lazy(void *addr, size_t size);
/* The pages are gone now and read as zero: true only when that is certain. */
bool	 os_purge_forced(void *addr, size_t size);
/* Purge many, n at most OS_PURGE_MAX; how many leading ranges were done. */
unsigned os_purge_many(const struct os_range *r, unsigned n,
	    struct os_purge *);
/* To whom the system gives huge pages of 2 MiB, if this process may have any;
 * it is asked once, by files and prctl, unless ask is false. */
enum os_thp	os_thp(bool ask);
/* Advice on huge pages; true when the kernel took it. */
bool	 os_nohuge(void *addr, size_t size);
bool	 os_huge(void *addr, size_t size);
/* Make [addr, addr + size), whole places for huge pages, such at once: that
 * takes half a millisecond each; true when it is. */
bool	 os_collapse(void *addr, size_t size);
/* If the page at addr, whose contents may go, is part of a huge page: break
 * that up, so that pages of it can be given back one by one. */
void	 os_break(void *addr);

uint64_t os_address_limit(void);	/* RLIMIT_AS; UINT64_MAX = none */
unsigned os_cpus(void);			/* usable by this process, >= 1 */
size_t	 os_memory(void);		/* of the machine; 0: not known */
uint64_t os_clock_ns(void);		/* coarse and monotonic */
uint64_t os_time_ns(void);		/* fine, to measure what takes 100 us */
bool	 os_secure(void);		/* set-user-ID: environment ignored */

/* Sleep while *w == v (may return early); wake up to n sleepers. */
void	 os_wait(uint32_t *w, uint32_t v);
/* The same for so long at the most; UINT64_MAX: for ever. */
void	 os_wait_for(uint32_t *w, uint32_t v, uint64_t ns);
void	 os_wake(uint32_t *w, unsigned n);
void	 os_yield(void);
uint32_t os_tid(void);
void	 os_name(const char *);		/* of this thread, 15 letters */

/* Bytes read, or -1; the buffer is not terminated. */
/* os_readlink's failure is the negative errno. */
long	 os_readlink(const char *path, char *buf, size_t len);
long	 os_readfile(const char *path, char *buf, size_t len);
long	 os_readat(const char *path, uint64_t off, char *buf, size_t len);
/* Is this in memory that the program break has given? */
bool	 os_in_break(const void *addr, size_t size);
/* Copy from addr, false where it cannot be read; only on the way to abort:
 * a sandbox may kill for the system call. */
bool	 os_peek(const void *addr, void *buf, size_t len);
void	 os_write(int fd, const char *buf, size_t len);
void	 os_abort(void) __attribute__((__noreturn__));

#endif /* !_DSM_OS_H_ */
