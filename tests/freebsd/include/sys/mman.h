/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_MMAN_H_
#define	_STUB_SYS_MMAN_H_

#include <sys/types.h>

#define	PROT_NONE	0x00
#define	PROT_READ	0x01
#define	PROT_WRITE	0x02
#define	MAP_PRIVATE	0x0002
#define	MAP_FIXED	0x0010
#define	MAP_ANON	0x1000
#define	MAP_GUARD	0x00002000
#define	MAP_EXCL	0x00004000
#define	MAP_ALIGNED(n)	((n) << 24)
#define	MADV_FREE	5

#endif /* !_STUB_SYS_MMAN_H_ */
