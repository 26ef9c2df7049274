/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <errno.h>
#include <string.h>

#include "dsm_cache.h"
#include "dsm_cgroup.h"
#include "dsm_conf.h"
#include "dsm_os.h"
#include "dsm_relief.h"
#include "dsm_set.h"
#include "dsm_set_cap.h"

/* Between two calls of the program's function, ms. */
#define	RELIEF_CALL_MS	1000

/* What the limits were given as.  Written within the gate; two threads that
 * set limits at a time get one or the other. */
static struct limit relief_soft, relief_hard;
/* Atomic. */
static uint32_t	 relief_looking;
static uint64_t	 relief_called;		/* when, ms */

static bool
relief_is_share(const struct limit *l)
{

	return (l->base != LIMIT_BYTES);
}

/* The limits in bytes, and what follows them. */
static void
relief_apply(size_t cgroup, size_t physical)
{
	size_t hard = limit_bytes(&relief_hard, cgroup, physical);
	size_t least = cgroup, soft = limit_bytes(&relief_soft, cgroup,
	    physical);

	if (soft != 0)
		least = DSM_MIN(least, soft);
	if (hard != 0)
		least = DSM_MIN(least, hard);
	limit_set(soft, hard, LIMIT_IDLE(least));
	set_recap();
	limit_recount(set_held);
}

void
relief_look(void)
{
	struct cgroup cg;

	if (__atomic_exchange_n(&relief_looking, 1, __ATOMIC_ACQUIRE) != 0)
		return;
	cgroup_read(&cg);
	if (conf.narenas == 0)
		set_spread(cg.cpus);
	relief_apply(cg.memory, os_memory());
	store_rel(&relief_looking, 0);
}

/* The limits have changed. */
static void
relief_renew(void)
{

	if (relief_is_share(&relief_soft) || relief_is_share(&relief_hard))
		relief_look();
	else
		relief_apply(SIZE_MAX, 0);
}

static void
relief_change(struct limit *l, size_t bytes)
{

	l->base = LIMIT_BYTES;
	l->value = bytes;
	relief_renew();
}

void
relief_set_soft(size_t bytes)
{

	relief_change(&relief_soft, bytes);
}

void
relief_set_hard(size_t bytes)
{

	relief_change(&relief_hard, bytes);
}

/* The options have been looked at when they were read. */
void
relief_boot(void)
{

	if (conf.limit[0] == '\0' && conf.limit_hard[0] == '\0')
		return;
	(void)limit_parse(conf.limit, strlen(conf.limit), &relief_soft);
	(void)limit_parse(conf.limit_hard, strlen(conf.limit_hard),
	    &relief_hard);
	relief_renew();
}

/* Give back what this thread may, down to the mark; what is held then. */
static size_t
relief_shrink(size_t soft)
{
	size_t held = set_held(), mark = LIMIT_MARK(soft);

	if (held <= mark)
		return (held);
	cache_flush_self();
	set_relieve(held - mark);
	held = set_held();
	store_rlx(&limit_tight, held > mark);
	return (held);
}

static void
relief_call(size_t held, size_t soft, uint64_t now)
{
	limit_notify_fn *fn = load_acq(&limit_notify);
	int saved = errno;

	if (fn == NULL || !due_again(&relief_called, now, RELIEF_CALL_MS))
		return;
	fn(held, soft);
	errno = saved;
}

void DSM_COLD
relief_run_slow(void)
{
	size_t held = 0, soft;
	uint64_t now;

	/* Within another call something may be half done: leave it to that
	 * one. */
	if (cache_enter() == NULL && (hooks_within() ||
	    !cache_is_sentinel(cache_self))) {
		cache_leave();
		return;
	}
	store_rlx(&limit_pending, 0);
	now = decay_now();
	if (limit_look_due(now))
		relief_look();
	if ((soft = load_rlx(&limit_soft)) != 0)
		held = relief_shrink(soft);
	cache_leave();
	if (soft != 0 && held >= soft)
		relief_call(held, soft, now);
}
