/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * set: what goes back to the system because there is too much of it.  The
 * theory of operation is at the top of dsm_set.h.
 */
#ifndef _DSM_SET_CAP_H_
#define	_DSM_SET_CAP_H_

#include "dsm_defs.h"
#include "dsm_set.h"

/* Something of this arena, or of its set, may have become dirty. */
void	 set_freed(struct arena *, uint64_t now);
void	 set_grown_slow(struct set *);
/* This arena may have taken memory that it had not used before. */
static inline void
set_grown(struct arena *a)
{

	struct set *s = load_acq(&a->set);

	if (unlikely(load_rlx(&s->regions.fresh) > SET_FRESH >> os_page_shift))
		set_grown_slow(s);
}
/* Out of memory: could what is free serve this arena with that size? */
bool	 set_may_reclaim(const struct arena *, size_t size);
/* Free slabs and blocks become pages again, and free pages the system's. */
void	 set_reclaim(const struct arena *);
/* What may lie unused has changed: the next free looks at that. */
void	 set_recap(void);
/* What the option dirty_max is at run time; a new value is in force at once. */
int64_t	 set_dirty_max_get(void);
void	 set_dirty_max_set(int64_t);
/* Purge about so many bytes, whatever their age, without a lock held. */
void	 set_relieve(size_t bytes);

#endif /* !_DSM_SET_CAP_H_ */
