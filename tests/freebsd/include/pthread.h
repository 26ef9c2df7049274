/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_PTHREAD_H_
#define	_STUB_PTHREAD_H_

#include <signal.h>
#include <stddef.h>

#define	PTHREAD_CANCEL_DISABLE 1
#define	PTHREAD_DESTRUCTOR_ITERATIONS 4

typedef int		 pthread_key_t;
typedef struct pthread	*pthread_t;
typedef struct pthread_attr *pthread_attr_t;

int	 pthread_attr_destroy(pthread_attr_t *);
int	 pthread_attr_init(pthread_attr_t *);
int	 pthread_attr_setstacksize(pthread_attr_t *, size_t);
int	 pthread_create(pthread_t *, const pthread_attr_t *,
	    void *(*)(void *), void *);
int	 pthread_detach(pthread_t);
int	 pthread_join(pthread_t, void **);
int	 pthread_setcancelstate(int, int *);
int	 pthread_sigmask(int, const sigset_t *, sigset_t *);
int	 pthread_atfork(void (*)(void), void (*)(void), void (*)(void));
void	*pthread_getspecific(pthread_key_t);
int	 pthread_key_create(pthread_key_t *, void (*)(void *));
int	 pthread_key_delete(pthread_key_t);
pthread_t pthread_self(void);
int	 pthread_setspecific(pthread_key_t, const void *);

#endif /* !_STUB_PTHREAD_H_ */
