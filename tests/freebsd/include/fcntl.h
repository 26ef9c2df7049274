/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_FCNTL_H_
#define	_STUB_FCNTL_H_

#define	O_RDONLY	0x0000
#define	O_NONBLOCK	0x0004
#define	O_CLOEXEC	0x00100000
#define	AT_FDCWD	(-100)

#endif /* !_STUB_FCNTL_H_ */
