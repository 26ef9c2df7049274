/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_STDLIB_H_
#define	_STUB_STDLIB_H_

#include <sys/cdefs.h>

#include <stddef.h>

void	*aligned_alloc(size_t, size_t);
int	 atexit(void (*)(void));
void	*calloc(size_t, size_t);
void	 free(void *);
char	*getenv(const char *);
void	*malloc(size_t);
int	 posix_memalign(void **, size_t, size_t);
void	*realloc(void *, size_t);

#endif /* !_STUB_STDLIB_H_ */
