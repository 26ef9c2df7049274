/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_STRING_H_
#define	_STUB_STRING_H_

#include <stddef.h>

void	*memchr(const void *, int, size_t);
int	 memcmp(const void *, const void *, size_t);
void	*memcpy(void *, const void *, size_t);
void	*memmove(void *, const void *, size_t);
void	*memset(void *, int, size_t);
char	*strchr(const char *, int);
int	 strcmp(const char *, const char *);
size_t	 strlen(const char *);
int	 strncmp(const char *, const char *, size_t);
char	*strrchr(const char *, int);

#endif /* !_STUB_STRING_H_ */
