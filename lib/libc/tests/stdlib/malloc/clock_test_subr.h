/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Time as it passes, and what of it a process could not use, without
 * allocating.
 */

#ifndef _CLOCK_TEST_SUBR_H_
#define	_CLOCK_TEST_SUBR_H_

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* What a file says, as a string; none: empty. */
static inline void
slurp(const char *path, char *buf, size_t size)
{
	ssize_t n = -1;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		n = read(fd, buf, size - 1);
		(void)close(fd);
	}
	buf[n < 0 ? 0 : n] = '\0';
}

static inline uint64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* For how many ns a thread, "thread-self" or "self/task/<id>", has waited for
 * a processor so far; 0 where the system does not say. */
static inline uint64_t
waited_ns(const char *thread)
{
	char buf[128], path[64], *p;

	(void)snprintf(path, sizeof(path), "/proc/%.32s/schedstat", thread);
	slurp(path, buf, sizeof(buf));
	(void)strtoull(buf, &p, 10);
	return (strtoull(p, NULL, 10));
}

#endif /* !_CLOCK_TEST_SUBR_H_ */
