/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * foreign: pointers that another allocator in the process has given out.
 *
 * Theory of operation.  A preloaded malloc is not the only one.  A plugin
 * opened with RTLD_DEEPBIND finds the C library's malloc first, and a
 * sanitizer or valgrind puts its own before everybody's; what these allocate
 * ends up in functions of ours all the same.  Only where the map knows nothing
 * of a pointer is it asked here whose it is, and the owner is given it.  A
 * pointer that is nobody's is the program's mistake.
 *
 * A libc has only itself.  Locks: none.
 */
#ifndef _DSM_FOREIGN_H_
#define	_DSM_FOREIGN_H_

#include "dsm_defs.h"

#ifndef DSM_IN_LIBC
/* This allocator's free(): what else that name leads to is a tool's.  Said by
 * whoever defines it, above here. */
DSM_HIDDEN void	(*const foreign_own)(void *);
/* Free it where it belongs; false when that is not known. */
bool	foreign_free(void *);
/* The bytes that it has; false likewise. */
bool	foreign_usable(const void *, size_t *);
#else
static inline bool
foreign_free(void *p)
{

	(void)p;
	return (false);
}

static inline bool
foreign_usable(const void *p, size_t *size)
{

	(void)p;
	(void)size;
	return (false);
}
#endif

#endif /* !_DSM_FOREIGN_H_ */
