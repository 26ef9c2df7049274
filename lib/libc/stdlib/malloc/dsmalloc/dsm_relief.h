/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * relief: what is done as memory comes near a limit, and where limits come
 * from.
 *
 * Theory of operation.  Growth raises limit_pending (dsm_limit.h), and the
 * thread that grew comes here at the end of its slow path, outside the gate.
 * Near the soft limit it gives back its own cache, which nobody else's may be
 * touched for, then dirty pages, then free pages of sparse slabs; other
 * threads give theirs back at their next ticks, and no stack grows meanwhile.
 * If that much is held all the same, it calls the program's function, which
 * may allocate and free; once a second at the most, since each mebibyte of
 * further growth comes here.
 *
 * From RELIEF_ACTIVE held on it also reads what the control group allows, when
 * some time has passed since it did.  Limits that are a share follow that, and
 * so do the number of arenas that threads are spread over, where the option
 * does not say it, and the caps on dirty memory and caches.  Not before: a
 * sandbox that kills forbids opening files.  Only shares that the options ask
 * for are made out at the start.
 *
 * Locks: none; one thread at a time is let in to read, others go on.
 */
#ifndef _DSM_RELIEF_H_
#define	_DSM_RELIEF_H_

#include "dsm_defs.h"
#include "dsm_limit.h"

/* The options' limits come into force; once, before there are threads. */
void	 relief_boot(void);
/* What growth asked for; outside the gate. */
void	 relief_run_slow(void);
/* Read the control group now, within the gate. */
void	 relief_look(void);
/* New limits in bytes, from mallctl: within the gate. */
void	 relief_set_soft(size_t);
void	 relief_set_hard(size_t);

static inline void
relief_run(void)
{

	if (unlikely(load_rlx(&limit_pending)))
		relief_run_slow();
}

#endif /* !_DSM_RELIEF_H_ */
