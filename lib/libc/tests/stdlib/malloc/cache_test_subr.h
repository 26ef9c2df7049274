/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of cache share.
 */

#ifndef _CACHE_TEST_SUBR_H_
#define	_CACHE_TEST_SUBR_H_

#include <pthread.h>

#include "dsm_cache.h"
#include "dsm_map.h"
#include "dsm_set.h"
#include "unit_test_subr.h"

#define	MAXV	20000

static void	*v[MAXV];

/* Caches that are threads', not waiting for the next. */
static inline unsigned int
threads(void)
{
	struct stats_arena st;

	ATF_REQUIRE(set_stats_read(ARENA_ALL, &st));
	return (st.nthreads);
}

static inline void *
take(unsigned int class)
{
	struct cache *c;
	void *p;

	c = cache_enter();
	p = c != NULL ? cache_malloc(c, class) : cache_malloc_none(class);
	cache_leave();
	return (p);
}

static inline void
give(void *p, unsigned int class)
{
	struct cache *c;

	c = cache_enter();
	if (c != NULL)
		cache_free(c, p, class);
	else
		cache_free_none(p);
	cache_leave();
}

/* Run fn in a thread, to its end. */
static inline void
in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	ATF_REQUIRE_EQ(0, pthread_create(&t, NULL, fn, arg));
	ATF_REQUIRE_EQ(0, pthread_join(t, NULL));
}

/* Takes and gives, and says in *arg what its cache was. */
static inline void *
short_life(void *arg)
{
	unsigned int i;

	for (i = 0; i < 300; i++)
		v[i] = take(5);
	for (i = 0; i < 300; i++)
		give(v[i], 5);
	*(struct cache **)arg = cache_self;
	return (NULL);
}

#endif /* !_CACHE_TEST_SUBR_H_ */
