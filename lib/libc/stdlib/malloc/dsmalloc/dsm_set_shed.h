/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * set: what can go back to the system, one kind of it at a time.  When, and how
 * much, is for those above to say; the caller is on a visit (set_enter()).
 */
#ifndef _DSM_SET_SHED_H_
#define	_DSM_SET_SHED_H_

#include "dsm_budget.h"
#include "dsm_decay.h"
#include "dsm_defs.h"
#include "dsm_set.h"

/* Blocks in stock since before then become free pages; spare slabs too, with
 * what other threads have freed, young to the regions; free pages of slabs are
 * purged. */
void	 set_drain(struct set *, uint64_t before, uint64_t now);
void	 set_spare(struct set *, uint64_t now);
void	 set_purge_sparse(struct set *, struct budget *, uint64_t now);
/* The pool: what is as old as the decay time of the budget's kind of pages, and
 * a part of what is half as old and more, the oldest of that. */
void	 set_purge_pool(struct set *, const struct decay *, struct budget *,
	    uint64_t now);
/* What a budget is for from now on: dirty pages, which are muzzy afterwards if
 * the set has a time for that; and after it: these have their time. */
void	 set_ease(const struct set *, struct budget *, uint64_t now);
void	 set_eased(struct set *, const struct budget *);
/* Purge by a budget, of any age: what is dirty, extents first, then stocks,
 * then pages that nobody wanted since the pass before, then others; or what is
 * muzzy. */
void	 set_shed(struct set *, struct budget *);
void	 set_shed_muzzy(struct set *, struct budget *);

#endif /* !_DSM_SET_SHED_H_ */
