/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * print: bounded formatting without stdio, and the one way in which the
 * allocator speaks to people.  Nothing here allocates, locks or changes
 * errno.
 */
#ifndef _DSM_PRINT_H_
#define	_DSM_PRINT_H_

#include <stdarg.h>

#include "dsm_defs.h"

/* Where the text of a report goes: malloc_stats_print's callback. */
struct print_sink {
	void	(*cb)(void *, const char *);
	void	*arg;
};

/*
 * %s %c %d %u %x %p %%, with l, ll, z, width, -, 0 and precision of %s.
 * The result is always terminated (len > 0); returned is its length, which
 * is less than len, not the length that the whole text would have had.
 */
size_t	print_vfmt(char *buf, size_t len, const char *fmt, va_list);
size_t	print_fmt(char *buf, size_t len, const char *fmt, ...) DSM_PRINTF(3, 4);
/* A size for people, "12.3 MiB", in at most 15 characters. */
const char *print_size(uint64_t bytes, char buf[16]);
/* One formatted piece (at most 1023 bytes) to a sink; NULL cb: message. */
void	print_to(const struct print_sink *, const char *fmt, ...)
	    DSM_PRINTF(2, 3);
/* A line "<dsmalloc>: ..." through malloc_message or to stderr. */
void	print_warn(const char *fmt, ...) DSM_PRINTF(1, 2);
/* The same, then a short backtrace where that is safe, then abort. */
void	print_fatal(const char *fmt, ...) DSM_PRINTF(1, 2)
	    __attribute__((__noreturn__));
/* print sits below unwind, which gives it the backtrace's printer here. */
DSM_HIDDEN void (*print_backtrace)(void);

/* Public: where messages go instead of stderr; an application may set it or
 * define it. */
extern void (*malloc_message)(void *, const char *);

#endif /* !_DSM_PRINT_H_ */
