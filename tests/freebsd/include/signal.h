/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SIGNAL_H_
#define	_STUB_SIGNAL_H_

#include <stdint.h>

#define	SIGABRT		6
#define	SIG_BLOCK	1
#define	SIG_UNBLOCK	2
#define	SIG_SETMASK	3

typedef struct __sigset {
	uint32_t __bits[4];
} sigset_t;

struct sigaction {
	void	(*sa_handler)(int);
	int	 sa_flags;
	sigset_t sa_mask;
};

int	sigfillset(sigset_t *);

#endif /* !_STUB_SIGNAL_H_ */
