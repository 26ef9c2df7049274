/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_LIMITS_H_
#define	_STUB_LIMITS_H_

#define	CHAR_BIT	8
#define	INT_MAX		__INT_MAX__
#define	UINT_MAX	(__INT_MAX__ * 2U + 1U)
#define	LONG_MAX	__LONG_MAX__

#endif /* !_STUB_LIMITS_H_ */
