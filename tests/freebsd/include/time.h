/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_TIME_H_
#define	_STUB_TIME_H_

#include <sys/types.h>

#define	CLOCK_MONOTONIC	4
#define	CLOCK_MONOTONIC_FAST 12

struct timespec {
	time_t	tv_sec;
	long	tv_nsec;
};

#endif /* !_STUB_TIME_H_ */
