/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * hooks: where address space comes from and what may be done with it, in
 * the nine calls that jemalloc's extent hooks are.  The default set stands on
 * os; it may be called by a program's own.  All memory of a pool is asked for,
 * purged and returned through its hooks.  What has no call there, moving pages
 * by mremap and advice on huge pages, is only for memory that is the system's,
 * as hooks_movable() says.
 *
 * Default hooks run under the pool's lock, but for purges.  A program's own run
 * under none, between hooks_enter() and hooks_leave(): they may call malloc()
 * and mallctl(), which are then served by arena 0 without a cache, or by
 * another where that has hooks itself (dsm_apart.h).  A NULL
 * member means "cannot"; only alloc must be there.  Every hook but alloc
 * returns true when it did NOT do it.
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

/* Of these, those that are told [off, off + len) of an extent. */
typedef bool hooks_part(struct hooks *, void *, size_t, size_t, size_t,
	    unsigned);

DSM_HIDDEN struct hooks hooks_default;

/* The state of a thread while it runs a hook of the program's. */
struct hooks_guard {
	void		*cache;
	int		 error;		/* errno, which free() preserves */
};

void	 hooks_enter(struct hooks_guard *);
void	 hooks_leave(const struct hooks_guard *);
/* Take this thread's cache away, and give it back; set by dsm_cache.c. */
DSM_HIDDEN void *(*hooks_hide)(void);
DSM_HIDDEN void (*hooks_show)(void *);
/* Is this thread in a hook?  Then it may have locks of the program's, and no
 * other hook is to be called but for what it asks for itself. */
DSM_HIDDEN bool (*hooks_at)(void);
bool	 hooks_within(void);

void	*hooks_alloc(struct hooks *, size_t size, size_t align, unsigned ind);
bool	 hooks_dalloc(struct hooks *, void *, size_t size, unsigned ind);
/* Purge, by force so that they are zero on next touch, or lazily: how many of
 * the leading ranges were done. */
unsigned hooks_purge(struct hooks *, const struct os_range *, unsigned n,
	    unsigned ind, struct os_purge *);
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
