/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_UNISTD_H_
#define	_STUB_UNISTD_H_

#include <sys/types.h>

off_t	__syscall(int64_t, ...);

#endif /* !_STUB_UNISTD_H_ */
