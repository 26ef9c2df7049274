/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * mark: which address ranges may be huge pages.
 *
 * Theory of operation.  Advice that asks for huge pages divides mappings, so
 * it is given for long ranges, and there are few: a short array, searched from
 * end to end.  The system keeps the advice with the mapping; this is the copy
 * of it that says, without asking, whether memory may come by 2 MiB.  It errs
 * to that side only: a mark that is known and was not taken does no harm, one
 * that is there and not known makes the books of dirty memory wrong.
 *
 * Locks: the pool's whose marks they are.
 */
#ifndef _DSM_MARK_H_
#define	_DSM_MARK_H_

#include "dsm_defs.h"

/* A huge page, where it is what x86-64's and arm64's is with 4 KiB pages;
 * others are too big for the regions' way. */
#define	POOL_HUGE	MIB(2)
/* Ranges that are marked, each of which may cost the process two mappings. */
#define	MARKS_MAX	32

struct mark {
	char		*lo;
	char		*hi;
};

struct marks {
	unsigned	 n;
	struct mark	 mark[MARKS_MAX];
};

/* Keep in mind that [p, p + size) is marked; false: there are too many. */
bool	 mark_add(struct marks *, char *p, size_t size);
/* [p, p + size) is marked no more, nor what is left of a huge page of it. */
void	 mark_cut(struct marks *, char *p, size_t size);
bool	 mark_find(const struct marks *, const void *p);
/* What is marked is not to become huge from now on; it may again, but for n
 * huge pages, in order of their addresses. */
void	 mark_advise_against(const struct marks *);
void	 mark_advise_for(const struct marks *, char *const *but, unsigned n);

#endif /* !_DSM_MARK_H_ */
