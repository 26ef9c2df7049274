/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * ctl: the tree of keys that mallctl(3) reads and writes.  The table is in
 * dsm_ctl.c; the keys opt.* come from the table of options, the keys
 * stats.* from that of statistics.
 */
#ifndef _DSM_CTL_H_
#define	_DSM_CTL_H_

#include "dsm_defs.h"
#include "dsm_hooks.h"
#include "dsm_limit.h"

/* The longest name has seven components. */
#define	CTL_DEPTH	7
/* The longest key, with its placeholders. */
#define	CTL_NAME_MAX	64

enum ctl_type {
	CTL_VOID,			/* an action: no value either way */
	CTL_BOOL,
	CTL_UNSIGNED,
	CTL_U32,
	CTL_U64,
	CTL_SIZE,
	CTL_SSIZE,
	CTL_STRING,
	CTL_BUFFER,			/* of the caller's, for a string */
	CTL_HOOKS,			/* an extent_hooks_t * */
	CTL_EPOCH,			/* a u64, written before it is read */
	CTL_CREATE,			/* an unsigned; hooks may go in */
	CTL_NOTIFY
};

union ctl_value {
	bool		 b;
	unsigned	 u;
	uint32_t	 u32;
	uint64_t	 u64;
	size_t		 z;
	ptrdiff_t	 zs;		/* a ssize_t */
	const char	*s;
	char		*buf;
	struct hooks	*hooks;
	limit_notify_fn	*notify;
};

struct ctl_key;

/* A handler's answer: there are threads to start or to wait for, outside the
 * gate (dsm_keeper.h). */
#define	CTL_SETTLE	(-1)

/* index: of the arena in [0], of the bin in [1], where the key has them. */
typedef int ctl_handler(const struct ctl_key *, const unsigned *index,
	    union ctl_value *);

struct ctl_key {
	const char	*name;		/* <i> an arena, <j> a bin */
	ctl_handler	*get;		/* NULL: cannot be read */
	ctl_handler	*set;		/* NULL: cannot be written */
	const void	*where;		/* for the handlers */
	enum ctl_type	 type;
};

unsigned ctl_count(void);
/*
 * Key number n, of all three tables.  A name that is put together from two
 * pieces is in buf.
 */
struct ctl_key ctl_key(unsigned n, char buf[CTL_NAME_MAX]);
/* The MIB of a name, whole or the beginning of one; 0 when there is none. */
unsigned ctl_lookup(const char *, size_t mib[CTL_DEPTH]);
/* The key of a whole MIB, and its indices; false when there is none. */
bool	 ctl_find(const size_t *mib, size_t n, struct ctl_key *,
	    unsigned index[2], char buf[CTL_NAME_MAX]);

#endif /* !_DSM_CTL_H_ */
