/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_SYSCALL_H_
#define	_STUB_SYS_SYSCALL_H_

#define	SYS_read	3
#define	SYS_write	4
#define	SYS_close	6
#define	SYS_munmap	73
#define	SYS_madvise	75
#define	SYS_getrlimit	194
#define	SYS___sysctl	202
#define	SYS_clock_gettime 232
#define	SYS_issetugid	253
#define	SYS_sched_yield	331
#define	SYS_sigprocmask	340
#define	SYS_sigaction	416
#define	SYS_thr_self	432
#define	SYS_thr_set_name 464
#define	SYS_thr_kill	433
#define	SYS__umtx_op	454
#define	SYS_pread	475
#define	SYS_mmap	477
#define	SYS_cpuset_getaffinity 487
#define	SYS_openat	499
#define	SYS_readlinkat	500
#define	SYS_pipe2	542

#endif /* !_STUB_SYS_SYSCALL_H_ */
