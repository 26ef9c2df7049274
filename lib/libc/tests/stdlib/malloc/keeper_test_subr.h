/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Looking at background threads from within, without allocating.
 */

#ifndef _KEEPER_TEST_SUBR_H_
#define	_KEEPER_TEST_SUBR_H_

#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define	KEEPER_NAME	"dsmalloc_keeper"

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

/* A number in a thread's status; how often it has gone to sleep is one. */
#define	SLEEPS	"\nvoluntary_ctxt_switches:"

static inline size_t
status_of(int tid, const char *what, int base)
{
	static char buf[4096];
	char path[64], *p;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	slurp(path, buf, sizeof(buf));
	p = strstr(buf, what);
	return (p == NULL ? 0 : strtoull(p + strlen(what), NULL, base));
}

/* Threads that have the name; *tid: of one of these. */
static inline unsigned int
count_keepers(int *tid)
{
	static char buf[32768];
	unsigned int found = 0;
	char comm[64], path[64];
	struct dirent64 *d;
	long n, off;
	int fd;

	fd = open("/proc/self/task", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (off = 0; off < n; off += d->d_reclen) {
			d = (struct dirent64 *)(void *)(buf + off);
			(void)snprintf(path, sizeof(path),
			    "/proc/self/task/%.20s/comm", d->d_name);
			slurp(path, comm, sizeof(comm));
			if (strcmp(comm, KEEPER_NAME "\n") != 0)
				continue;
			found++;
			if (tid != NULL)
				*tid = atoi(d->d_name);
		}
	(void)close(fd);
	return (found);
}

/* The same once a thread that was just started has its name, or after a
 * second. */
static inline unsigned int
await_keepers(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < 100 && count_keepers(NULL) != n; i++)
		(void)usleep(10000);
	return (count_keepers(NULL));
}

/* Resident memory, MiB. */
static inline unsigned int
rss_mib(void)
{
	char buf[128], *p;

	slurp("/proc/self/statm", buf, sizeof(buf));
	(void)strtoul(buf, &p, 10);
	return ((unsigned int)(strtoul(p, NULL, 10) *
	    (size_t)getpagesize() >> 20));
}

static inline uint64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* Milliseconds until resident memory is below so much, or a limit. */
static inline unsigned int
await_rss(unsigned int mib, unsigned int limit)
{
	uint64_t start = now_ms();

	while (rss_mib() >= mib && now_ms() - start < limit)
		(void)usleep(5000);
	return ((unsigned int)(now_ms() - start));
}

#endif /* !_KEEPER_TEST_SUBR_H_ */
