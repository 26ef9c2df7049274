/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_PARAM_H_
#define	_STUB_SYS_PARAM_H_

#include <sys/types.h>

#define	__FreeBSD_version 1500000
#define	PAGE_SIZE	4096
#define	PIPE_BUF	512

#endif /* !_STUB_SYS_PARAM_H_ */
