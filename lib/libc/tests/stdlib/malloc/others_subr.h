/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a process with little may want besides malloc: a thread, a library, a
 * child.  For programs that may run under any malloc.
 */

#ifndef _OTHERS_SUBR_H_
#define	_OTHERS_SUBR_H_

#include <sys/wait.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define	nitems(x)	(sizeof(x) / sizeof((x)[0]))

static inline void *
short_life(void *arg)
{
	void *p[50];
	size_t i;

	for (i = 0; i < nitems(p); i++)
		p[i] = malloc(i * 100);
	for (i = 0; i < nitems(p); i++)
		free(p[i]);
	return (arg);
}

/* A thread: its stack is to be had, and a cache. */
static inline bool
thread(size_t stack)
{
	pthread_attr_t attr;
	pthread_t t;
	bool ok;

	if (pthread_attr_init(&attr) != 0 ||
	    pthread_attr_setstacksize(&attr, stack) != 0)
		return (false);
	ok = pthread_create(&t, &attr, short_life, NULL) == 0 &&
	    pthread_join(t, NULL) == 0;
	(void)pthread_attr_destroy(&attr);
	return (ok);
}

/* A library that is not there yet: the C library's, with one of it or other. */
static inline bool
library(void)
{
	void *h;

	h = dlopen("libresolv.so.2", RTLD_NOW);
	return (h != NULL && dlclose(h) == 0);
}

/* A child: where memory is promised, so is all of the parent's once more. */
static inline bool
child(void)
{
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		(void)short_life(NULL);
		_exit(0);
	}
	return (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

static inline bool
others(size_t stack)
{

	if (!thread(stack))
		printf("no thread\n");
	else if (!library())
		printf("no library\n");
	else if (!child())
		printf("no child\n");
	else
		return (true);
	return (false);
}

#endif /* !_OTHERS_SUBR_H_ */
