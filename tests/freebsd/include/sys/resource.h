/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_RESOURCE_H_
#define	_STUB_SYS_RESOURCE_H_

#include <stdint.h>

#define	RLIMIT_AS	10
#define	RLIM_INFINITY	((rlim_t)INT64_MAX)

typedef int64_t rlim_t;

struct rlimit {
	rlim_t	rlim_cur;
	rlim_t	rlim_max;
};

#endif /* !_STUB_SYS_RESOURCE_H_ */
