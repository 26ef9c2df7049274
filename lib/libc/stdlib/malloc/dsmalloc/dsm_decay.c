/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_decay.h"
#include "dsm_os.h"

uint64_t decay_clock;
uint64_t decay_deadline = DECAY_NEVER;

void
decay_init(struct decay *d, int64_t ms)
{

	d->ms = ms;
	d->next = DECAY_NEVER;
	d->busy = 0;
}

uint64_t
decay_now(void)
{
	uint64_t now = os_clock_ns() / 1000000;

	/* Others read it all the time, and it seldom changes. */
	if (load_rlx(&decay_clock) != now)
		store_rlx(&decay_clock, now);
	return (now);
}

void
decay_lower(uint64_t when)
{
	uint64_t was = load_rlx(&decay_deadline);

	while (when < was && !__atomic_compare_exchange_n(&decay_deadline,
	    &was, when, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		continue;
}

void
decay_scan(void)
{

	__atomic_store_n(&decay_deadline, DECAY_NEVER, __ATOMIC_SEQ_CST);
}

void
decay_arm(struct decay *d, uint64_t now)
{
	int64_t ms = load_rlx(&d->ms);
	uint64_t none = DECAY_NEVER, when;

	if (ms < 0 || load_rlx(&d->next) != DECAY_NEVER)
		return;
	when = now + (uint64_t)ms / DECAY_PASSES;
	if (__atomic_compare_exchange_n(&d->next, &none, when, false,
	    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		decay_lower(when);
}

void
decay_set(struct decay *d, int64_t ms, uint64_t now)
{

	store_rlx(&d->ms, ms);
	__atomic_store_n(&d->next, DECAY_NEVER, __ATOMIC_SEQ_CST);
	decay_arm(d, now);
}

uint64_t
decay_before(const struct decay *d, uint64_t now)
{
	int64_t ms = load_rlx(&d->ms);

	if (ms <= 0)
		return (ms == 0 ? DECAY_NEVER : 0);
	return (now - DSM_MIN(now, (uint64_t)ms / DECAY_PASSES));
}

bool
decay_begin(struct decay *d, uint64_t now)
{

	if (load_rlx(&d->next) > now || __atomic_exchange_n(&d->busy, 1,
	    __ATOMIC_ACQUIRE) != 0)
		return (false);
	__atomic_store_n(&d->next, DECAY_NEVER, __ATOMIC_SEQ_CST);
	return (true);
}

void
decay_end(struct decay *d, bool dirty, uint64_t now)
{

	store_rel(&d->busy, 0);
	if (dirty)
		decay_arm(d, now);
}
