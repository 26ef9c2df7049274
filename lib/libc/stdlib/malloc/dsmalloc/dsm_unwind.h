/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * unwind: a short backtrace for messages that precede abort().  Frame
 * pointers only, each checked to lie higher on this thread's stack, so that
 * it never allocates, never locks and never faults.
 */
#ifndef _DSM_UNWIND_H_
#define	_DSM_UNWIND_H_

#include "dsm_defs.h"

void	unwind_init(void);
/* Return addresses of the callers, at most max; how many were found. */
unsigned unwind_stack(void **pcs, unsigned max);

#endif /* !_DSM_UNWIND_H_ */
