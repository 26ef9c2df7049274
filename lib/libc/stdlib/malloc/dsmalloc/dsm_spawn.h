/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * spawn: starting a thread of our own, and where that may be done.
 *
 * Theory of operation.  It is started by pthread_create(3), though a raw system
 * call could be made anywhere: libraries change credentials thread by thread,
 * and a thread that they do not know keeps the old ones.  So it may be started
 * only where nobody is in the midst of what pthread_create() needs.  That is
 * where a program might start a thread itself: malloc and pthread_create() are
 * alike in that both may be called from anywhere but a signal handler.  The
 * exceptions are calls of malloc by those who make pthread_create() work, the C
 * library and the dynamic linker, which hold their locks, or have a list half
 * changed (a thread's vector of thread-local storage is freed under the lock
 * of the cache of stacks; a library's is allocated as it is loaded).
 *
 * They call us directly, so the address that the call returns to tells them
 * from the program: spawn_safe().  It does so only where nobody has put
 * functions of his own before malloc's or before pthread_create(), and where
 * the dynamic linker answers without a lock to whom an address belongs.
 * Otherwise, and in static programs, where all is one, no call of malloc(3) is
 * safe.  The end of a thread is in any case, as its keys' destructors run,
 * and so is mallctl(3), which only programs call.
 */
#ifndef _DSM_SPAWN_H_
#define	_DSM_SPAWN_H_

#include <pthread.h>

#include "dsm_defs.h"

/* Are there threads at all? */
bool	 spawn_can(void);
/* May one be started in a call of malloc(3) or free(3) that returns there? */
bool	 spawn_safe(const void *caller);
/* Start one, with all signals blocked and a stack of SPAWN_STACK. */
bool	 spawn_thread(pthread_t *, void *(*)(void *), void *arg);
/* Wait for its end, or have nobody wait. */
void	 spawn_join(pthread_t);
void	 spawn_leave(pthread_t);

#endif /* !_DSM_SPAWN_H_ */
