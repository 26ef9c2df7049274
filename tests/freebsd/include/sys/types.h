/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_TYPES_H_
#define	_STUB_SYS_TYPES_H_

#include <stddef.h>
#include <stdint.h>

typedef int64_t		id_t;
typedef int64_t		off_t;
typedef int32_t		pid_t;
typedef int64_t		segsz_t;
typedef int64_t		ssize_t;
typedef int64_t		time_t;
typedef unsigned int	u_int;
typedef unsigned long	u_long;

#endif /* !_STUB_SYS_TYPES_H_ */
