/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Switching background threads on and off, and work for them.
 */

#ifndef _KEEPER_WORK_TEST_SUBR_H_
#define	_KEEPER_WORK_TEST_SUBR_H_

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "keeper_test_subr.h"
#include "mallctl_test_subr.h"

/* MiB resident beyond what there was that count as nothing. */
#define	NOTHING	12

static inline int
turn(bool on)
{

	return (mallctl("background_thread", NULL, NULL, &on, sizeof(on)));
}

static inline bool
is_on(const char *key)
{
	bool on;
	size_t len = sizeof(on);

	ATF_REQUIRE_EQ(0, mallctl(key, &on, &len, NULL, 0));
	return (on);
}

/* From nothing, so that times count from what is freed next. */
static inline void
decay(ssize_t ms)
{

	purge();
	set("arena.4096.dirty_decay_ms", (size_t)ms);
}

/* So many bytes, used and freed. */
static inline void
dirty(size_t size)
{
	char *p = malloc(size);

	ATF_REQUIRE(p != NULL);
	memset(p, 1, size);
	free(p);
}

/* On and off, until told to stop. */
static atomic_bool	stop;

static inline void *
switcher(void *arg)
{
	uintptr_t bad = 0;
	unsigned int i;

	(void)arg;
	for (i = 0; !atomic_load(&stop); i++)
		bad += turn(i % 2 == 0) != 0;
	return ((void *)bad);
}

#endif /* !_KEEPER_WORK_TEST_SUBR_H_ */
