/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_ERRNO_H_
#define	_STUB_ERRNO_H_

int	*__error(void);

#define	errno	(*__error())
#define	EPERM	1
#define	ENOENT	2
#define	EINTR	4
#define	EAGAIN	35
#define	ENOMEM	12
#define	EFAULT	14
#define	EINVAL	22
#define	ERANGE	34

#endif /* !_STUB_ERRNO_H_ */
