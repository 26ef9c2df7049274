/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * init: bringing the allocator up at its first use, and the events of a
 * process that it must hear of: fork, the end of a thread, exit.
 */
#ifndef _DSM_INIT_H_
#define	_DSM_INIT_H_

#include "dsm_defs.h"

DSM_HIDDEN uint32_t	init_state;

#define	INIT_DONE	2u

bool	init_slow(void);

/* True when the allocator is up; false only when the system has no memory
 * for it, or for a request from within its own initialisation. */
static inline bool
init_once(void)
{

	return (likely(load_acq(&init_state) == INIT_DONE) || init_slow());
}

#endif /* !_DSM_INIT_H_ */
