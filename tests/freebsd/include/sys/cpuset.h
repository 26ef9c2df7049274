/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_CPUSET_H_
#define	_STUB_SYS_CPUSET_H_

#include <sys/types.h>

#define	CPU_LEVEL_WHICH	3
#define	CPU_WHICH_PID	2

typedef struct {
	long	__bits[16];
} cpuset_t;

#endif /* !_STUB_SYS_CPUSET_H_ */
