/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the black-box tests share of mallctl().
 */

#ifndef _MALLCTL_TEST_SUBR_H_
#define	_MALLCTL_TEST_SUBR_H_

#include "malloc_np.h"
#include "malloc_test_subr.h"

/* A figure of eight bytes. */
static inline size_t
get(const char *name)
{
	size_t len, n;

	len = sizeof(n);
	ATF_REQUIRE_EQ_MSG(0, mallctl(name, &n, &len, NULL, 0), "%s", name);
	return (n);
}

static inline void
set(const char *name, size_t n)
{

	ATF_REQUIRE_EQ_MSG(0, mallctl(name, NULL, NULL, &n, sizeof(n)), "%s",
	    name);
}

/* A figure of an arena. */
static inline size_t
figure(unsigned int ind, const char *what)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "stats.arenas.%u.%s", ind, what);
	return (get(name));
}

/* This thread's cache gives all back. */
static inline void
flush(void)
{

	ATF_REQUIRE_EQ(0, mallctl("thread.tcache.flush", NULL, NULL, NULL, 0));
}

/* What nobody uses has no memory from here on. */
static inline void
purge(void)
{

	flush();
	ATF_REQUIRE_EQ(0, mallctl("arena.4096.purge", NULL, NULL, NULL, 0));
}

/* What of this process is in memory. */
static inline size_t
rss_bytes(void)
{
	unsigned long pages = 0;
	FILE *f;

	ATF_REQUIRE((f = fopen("/proc/self/statm", "r")) != NULL);
	ATF_REQUIRE(fscanf(f, "%*u %lu", &pages) == 1);
	(void)fclose(f);
	return (pages * (size_t)getpagesize());
}

/* A new arena, with hooks of its own unless they are NULL. */
static inline unsigned int
create(void *hooks)
{
	unsigned int ind;
	size_t len = sizeof(ind);
	extent_hooks_t *h = hooks;

	ATF_REQUIRE_EQ(0, mallctl("arenas.create", &ind, &len, hooks != NULL ?
	    &h : NULL, hooks != NULL ? sizeof(h) : 0));
	return (ind);
}

/* This thread's arena from now on; the one until now. */
static inline unsigned int
bind_to(unsigned int ind)
{
	unsigned int old;
	size_t len = sizeof(old);

	ATF_REQUIRE_EQ(0, mallctl("thread.arena", &old, &len, &ind,
	    sizeof(ind)));
	return (old);
}

/* Have arena.<ind>.<what> take a value, or do what it does; its answer. */
static inline int
arena_set(unsigned int ind, const char *what, void *v, size_t size)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.%s", ind, what);
	return (mallctl(name, NULL, NULL, v, size));
}

static inline int
arena_act(unsigned int ind, const char *what)
{

	return (arena_set(ind, what, NULL, 0));
}

#endif /* !_MALLCTL_TEST_SUBR_H_ */
