/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_UMTX_H_
#define	_STUB_SYS_UMTX_H_

#include <stdint.h>
#include <time.h>

struct _umtx_time {
	struct timespec	_timeout;
	uint32_t	_flags;
	uint32_t	_clockid;
};

#define	UMTX_OP_WAIT_UINT_PRIVATE 15
#define	UMTX_OP_WAKE_PRIVATE	16

#endif /* !_STUB_SYS_UMTX_H_ */
