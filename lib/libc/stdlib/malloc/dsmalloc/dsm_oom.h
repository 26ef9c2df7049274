/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * oom: the page that oom_report asks for, of where the memory is when there
 * is no more.
 *
 * Theory of operation.  It is written from within a call that has failed, in
 * any state of the process: no lock is taken, nothing is allocated, and the
 * only system calls are those that ask the clock and the limit on address
 * space, and that write.  Counters are read as they are, so figures may be off
 * by what other threads do meanwhile.  It has at most OOM_ROWS arenas and as
 * many size classes, the largest, and comes once a second at the most.
 */
#ifndef _DSM_OOM_H_
#define	_DSM_OOM_H_

#include "dsm_defs.h"

#define	OOM_ROWS	8

/* A request of so many bytes has failed. */
void	 oom_report(size_t size);

#endif /* !_DSM_OOM_H_ */
