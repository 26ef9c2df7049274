/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_AUXV_H_
#define	_STUB_SYS_AUXV_H_

#define	AT_PAGESZ	6

int	elf_aux_info(int, void *, int);

#endif /* !_STUB_SYS_AUXV_H_ */
