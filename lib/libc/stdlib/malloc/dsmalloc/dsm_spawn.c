/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#ifndef _GNU_SOURCE
#define	_GNU_SOURCE
#endif

#include <signal.h>
#include <stdlib.h>

#ifdef __GLIBC__
#include <dlfcn.h>
#include <gnu/libc-version.h>
#endif

#include "dsm_spawn.h"

/* Enough for the extent hooks of a program, too little to become a huge
 * page. */
#define	SPAWN_STACK	KIB(256)

/* Absent from a static program without threads, and from FreeBSD's libc. */
extern __typeof__(pthread_create) pthread_create __attribute__((__weak__));

bool
spawn_can(void)
{

	return (pthread_create != NULL);
}

#if defined(__FreeBSD__)
/* rtld and libthr have a malloc of their own. */
bool
spawn_safe(const void *caller)
{

	(void)caller;
	return (true);
}
#elif defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
extern __typeof__(_dl_find_object) _dl_find_object __attribute__((__weak__));
/* Not to be brought along where nothing else of malloc(3) is in use. */
extern __typeof__(free) free __attribute__((__weak__));

/* Whose is this address?  NULL: of no object, as compiled at run time. */
static const void *
spawn_object(uintptr_t addr)
{
	struct dl_find_object object;

	return (_dl_find_object((void *)addr, &object) == 0 ?
	    object.dlfo_link_map : NULL);
}

bool
spawn_safe(const void *caller)
{
	const void *libc, *whose;

	if (caller == NULL || _dl_find_object == NULL)
		return (false);
	libc = spawn_object((uintptr_t)gnu_get_libc_version);
	whose = spawn_object((uintptr_t)caller);
	return (libc != NULL && whose != libc &&
	    whose != spawn_object((uintptr_t)_dl_find_object) &&
	    spawn_object((uintptr_t)pthread_create) == libc &&
	    spawn_object((uintptr_t)free) ==
	    spawn_object((uintptr_t)spawn_thread));
}
#else
bool
spawn_safe(const void *caller)
{

	(void)caller;
	return (false);
}
#endif

/* A program with much static thread-local storage, which is in the stack,
 * needs a larger one. */
bool
spawn_thread(pthread_t *t, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	bool done;

	if (!spawn_can() || pthread_attr_init(&attr) != 0)
		return (false);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	done = (pthread_attr_setstacksize(&attr, SPAWN_STACK) == 0 &&
	    pthread_create(t, &attr, fn, arg) == 0) ||
	    pthread_create(t, NULL, fn, arg) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return (done);
}

/* No point at which the caller may be cancelled. */
void
spawn_join(pthread_t t)
{
	int state;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (pthread_join(t, NULL) != 0)
		spawn_leave(t);
	(void)pthread_setcancelstate(state, NULL);
}

void
spawn_leave(pthread_t t)
{

	(void)pthread_detach(t);
}
