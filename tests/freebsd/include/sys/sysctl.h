/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_SYSCTL_H_
#define	_STUB_SYS_SYSCTL_H_

#define	CTL_HW		6
#define	HW_PHYSMEM	5

#endif /* !_STUB_SYS_SYSCTL_H_ */
