/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_USER_H_
#define	_STUB_SYS_USER_H_

#include <sys/types.h>

/* Only what is used; the real structure has 1088 bytes. */
struct kinfo_proc {
	segsz_t	ki_rssize;
};

#endif /* !_STUB_SYS_USER_H_ */
