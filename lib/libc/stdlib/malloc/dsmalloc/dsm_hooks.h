/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * hooks: where address space comes from and what may be done with it, in
 * the nine calls that jemalloc's extent hooks are.  The default set stands on
 * os and is the only one so far.  All memory of a pool is asked for, purged
 * and returned through its hooks.  What has no call there, moving pages by
 * mremap and advice on huge pages, is only for memory that is the system's, as
 * hooks_movable() says.
 *
 * The set is constant once a pool has it.  alloc, dalloc, split and merge run
 * under the pool's lock, purges under none.  A NULL member means "cannot";
 * only alloc must be there.  Every hook but alloc returns true when it did NOT
 * do it.
 */
#ifndef _DSM_HOOKS_H_
#define	_DSM_HOOKS_H_

#include "dsm_defs.h"
#include "dsm_os.h"

struct hooks {
	void	*(*alloc)(struct hooks *, void *, size_t, size_t, bool *,
		    bool *, unsigned);
	bool	 (*dalloc)(struct hooks *, void *, size_t, bool, unsigned);
	void	 (*destroy)(struct hooks *, void *, size_t, bool, unsigned);
	bool	 (*commit)(struct hooks *, void *, size_t, size_t, size_t,
		    unsigned);
	bool	 (*decommit)(struct hooks *, void *, size_t, size_t, size_t,
		    unsigned);
	bool	 (*purge_lazy)(struct hooks *, void *, size_t, size_t, size_t,
		    unsigned);
	bool	 (*purge_forced)(struct hooks *, void *, size_t, size_t,
		    size_t, unsigned);
	bool	 (*split)(struct hooks *, void *, size_t, size_t, size_t, bool,
		    unsigned);
	bool	 (*merge)(struct hooks *, void *, size_t, void *, size_t, bool,
		    unsigned);
};

DSM_HIDDEN struct hooks hooks_default;

void	*hooks_alloc(struct hooks *, size_t size, size_t align, unsigned ind);
bool	 hooks_dalloc(struct hooks *, void *, size_t size, unsigned ind);
/* Purge, zero on next touch: how many of the leading ranges were done.  None
 * is begun after "until" (os_time_ns()). */
unsigned hooks_purge(struct hooks *, const struct os_range *, unsigned n,
	    unsigned ind, uint64_t until);
bool	 hooks_merge(struct hooks *, void *a, size_t alen, void *b,
	    size_t blen, unsigned ind);
bool	 hooks_split(struct hooks *, void *a, size_t alen, size_t blen,
	    unsigned ind);
/* Memory of the default set is the system's: its pages may be moved by the
 * kernel, and be huge. */
static inline bool
hooks_movable(const struct hooks *h)
{

	return (h == &hooks_default);
}

#endif /* !_DSM_HOOKS_H_ */
