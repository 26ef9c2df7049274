/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * cgroup: what the process's control group may have, on Linux.
 *
 * Theory of operation.  /proc/self/cgroup says which group the process is in,
 * of the one hierarchy of version 2 or, of version 1, of each controller's;
 * /proc/self/mountinfo says where those are mounted, and which group is the
 * top of what can be seen there.  The least of the limits from the group
 * itself up to that top holds.  All of it is read anew at each question, since
 * a process may be moved and a limit be changed while it runs: some ten files,
 * 50 us.  Where there is nothing of the kind nothing is limited.
 *
 * None of this may happen before a process has grown: a sandbox that kills
 * forbids opening files.  Who asks sees to that, and to asking one at a time.
 */
#ifndef _DSM_CGROUP_H_
#define	_DSM_CGROUP_H_

#include "dsm_defs.h"

struct cgroup {
	size_t		memory;		/* bytes; SIZE_MAX: no limit */
	unsigned	cpus;		/* whole ones; UINT32_MAX: no limit */
};

/* Stands before every path, so that tests may have files of their own. */
DSM_HIDDEN const char	*cgroup_prefix;

void	 cgroup_read(struct cgroup *);

#endif /* !_DSM_CGROUP_H_ */
