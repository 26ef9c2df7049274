/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_RANDOM_H_
#define	_STUB_SYS_RANDOM_H_

#define	GRND_NONBLOCK	0x1

#endif /* !_STUB_SYS_RANDOM_H_ */
