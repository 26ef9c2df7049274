/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * api: the functions of malloc(3) under their second, strong names, which
 * an application that has a malloc of its own does not replace.
 */
#ifndef _DSM_API_H_
#define	_DSM_API_H_

#include "dsm_defs.h"

void	*__malloc(size_t size);
void	*__calloc(size_t number, size_t size);
void	*__realloc(void *ptr, size_t size);
void	 __free(void *ptr);
int	 __posix_memalign(void **ptr, size_t align, size_t size);
void	*__aligned_alloc(size_t align, size_t size);
void	 __free_sized(void *ptr, size_t size);
void	 __free_aligned_sized(void *ptr, size_t align, size_t size);
size_t	 __malloc_usable_size(const void *ptr);

#endif /* !_DSM_API_H_ */
