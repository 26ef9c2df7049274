/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Looking at background threads from within, without allocating.
 */

#ifndef _KEEPER_TEST_SUBR_H_
#define	_KEEPER_TEST_SUBR_H_

#include <sys/param.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "clock_test_subr.h"

#define	KEEPER_NAME	"dsmalloc_keeper"

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

/* fn(arg) for the id of each thread of this process. */
static inline void
each_thread(void (*fn)(const char *, void *), void *arg)
{
	static char buf[32768];
	struct dirent64 *d;
	long n, off;
	int fd;

	fd = open("/proc/self/task", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (off = 0; off < n; off += d->d_reclen) {
			d = (struct dirent64 *)(void *)(buf + off);
			if (d->d_name[0] != '.')
				fn(d->d_name, arg);
		}
	(void)close(fd);
}

/* Threads that have the name, and one of these. */
struct keepers {
	unsigned int	n;
	int		tid;
};

static inline void
is_keeper(const char *thread, void *arg)
{
	struct keepers *k = arg;
	char comm[64], path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm",
	    thread);
	slurp(path, comm, sizeof(comm));
	if (strcmp(comm, KEEPER_NAME "\n") == 0) {
		k->n++;
		k->tid = atoi(thread);
	}
}

static inline unsigned int
count_keepers(int *tid)
{
	struct keepers k = { .n = 0 };

	each_thread(is_keeper, &k);
	if (tid != NULL)
		*tid = k.tid;
	return (k.n);
}

/* The same once there are so many, or after some time: a thread has its name
 * later than pthread_create() returns, and is listed still when
 * pthread_join() does. */
static inline unsigned int
await_keepers(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < 2000 && count_keepers(NULL) != n; i++)
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

static inline void
add_waited(const char *thread, void *sum)
{
	char name[64];

	if (atoi(thread) == (int)syscall(SYS_gettid))
		return;
	(void)snprintf(name, sizeof(name), "self/task/%.20s", thread);
	*(uint64_t *)sum += waited_ns(name);
}

/* How long the other threads have waited for a processor. */
static inline uint64_t
waited_ms(void)
{
	uint64_t sum = 0;

	each_thread(add_waited, &sum);
	return (sum / 1000000);
}

/* Milliseconds until resident memory is below so much, or a limit, without
 * those that other processes took. */
static inline unsigned int
await_rss(unsigned int mib, unsigned int limit)
{
	uint64_t late = waited_ms(), lost, ms, start = now_ms();
	bool below;

	for (;; (void)usleep(5000)) {
		below = rss_mib() < mib;
		ms = now_ms() - start;
		if (!below && ms < limit)
			continue;
		lost = waited_ms();
		lost -= MIN(late, lost);
		if (!below && ms < 8 * limit && ms < limit + lost)
			continue;
		return ((unsigned int)(ms - MIN(ms, lost)));
	}
}

#endif /* !_KEEPER_TEST_SUBR_H_ */
