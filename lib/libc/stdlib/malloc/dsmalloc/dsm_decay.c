/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_decay.h"
#include "dsm_os.h"

uint64_t decay_clock;
uint64_t decay_deadline = DECAY_NEVER;
uint64_t decay_grace;
uint32_t decay_alarm;
static uint64_t	decay_until;		/* atomic; 0: nobody sleeps */

/* The longest sleep, some weeks: what the system takes in nanoseconds. */
#define	DECAY_SLEEP_MAX	(UINT64_C(1) << 31)

void
decay_init(struct decay *d, int64_t ms)
{

	d->ms = ms;
	d->next = DECAY_NEVER;
	d->start = d->begun = 0;
	d->visited = 0;
	d->busy = d->thin = 0;
}

uint64_t
decay_now(void)
{
	uint64_t now = os_clock_ns() / DECAY_NS;

	/* Others read it all the time, and it seldom changes. */
	if (load_rlx(&decay_clock) != now)
		store_rlx(&decay_clock, now);
	return (now);
}

void
decay_rouse(void)
{

	__atomic_store_n(&decay_until, 0, __ATOMIC_SEQ_CST);
	(void)__atomic_fetch_add(&decay_alarm, 1, __ATOMIC_SEQ_CST);
	os_wake(&decay_alarm, 1);
}

void
decay_lower(uint64_t when)
{
	uint64_t was = __atomic_load_n(&decay_deadline, __ATOMIC_SEQ_CST);

	while (when < was && !__atomic_compare_exchange_n(&decay_deadline,
	    &was, when, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		continue;
	if (when < was &&
	    unlikely(when < __atomic_load_n(&decay_until, __ATOMIC_SEQ_CST)))
		decay_rouse();
}

void
decay_sleep(uint32_t alarm)
{
	uint64_t now, until = load_rlx(&decay_deadline);

	__atomic_store_n(&decay_until, until, __ATOMIC_SEQ_CST);
	now = os_time_ns() / DECAY_NS;
	if (__atomic_load_n(&decay_deadline, __ATOMIC_SEQ_CST) >= until &&
	    now < until)
		os_wait_for(&decay_alarm, alarm, until == DECAY_NEVER ?
		    UINT64_MAX : DSM_MIN(until - now, DECAY_SLEEP_MAX) *
		    DECAY_NS);
	store_rlx(&decay_until, 0);
}

void
decay_scan(void)
{

	__atomic_store_n(&decay_deadline, DECAY_NEVER, __ATOMIC_SEQ_CST);
}

uint64_t
decay_round(const struct decay *d)
{

	return ((uint64_t)load_rlx(&d->ms) / DECAY_ROUNDS);
}

static uint64_t
decay_step(const struct decay *d)
{

	return (load_rlx(&d->ms) == 0 ? DECAY_LEFT :
	    DSM_MAX(decay_round(d) / DECAY_STEPS, 1u));
}

/* Nobody has armed it earlier. */
static void
decay_due(struct decay *d, uint64_t when)
{
	uint64_t was = load_rlx(&d->next);

	while (when < was && !__atomic_compare_exchange_n(&d->next, &was,
	    when, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		continue;
	decay_lower(when);
}

/* The time since the last visit, without that when there was nothing to do. */
static void
decay_begin_round(struct decay *d, uint64_t now)
{
	uint64_t none = 0;

	if (load_rlx(&d->start) == 0 && __atomic_compare_exchange_n(&d->start,
	    &none, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		store_rlx(&d->visited, now);
		store_rlx(&d->begun, now);
	}
}

void
decay_arm(struct decay *d, uint64_t now)
{

	if (load_rlx(&d->ms) < 0 || load_rlx(&d->next) != DECAY_NEVER)
		return;
	decay_begin_round(d, now);
	decay_due(d, now + decay_step(d));
}

void
decay_set(struct decay *d, int64_t ms, uint64_t now)
{

	store_rlx(&d->ms, ms);
	store_rlx(&d->start, 0);
	__atomic_store_n(&d->next, DECAY_NEVER, __ATOMIC_SEQ_CST);
	if (ms < 0)
		return;
	/* Another may arm it meanwhile, by the time that it had. */
	decay_begin_round(d, now);
	decay_due(d, ms == 0 ? now : now + decay_step(d));
}

bool
decay_enter(struct decay *d, uint64_t now)
{

	if (load_rlx(&d->ms) < 0 || __atomic_exchange_n(&d->busy, 1,
	    __ATOMIC_ACQUIRE) != 0)
		return (false);
	__atomic_store_n(&d->next, DECAY_NEVER, __ATOMIC_SEQ_CST);
	decay_begin_round(d, now);
	return (true);
}

bool
decay_begin(struct decay *d, uint64_t now)
{

	return (load_rlx(&d->next) <= now && decay_enter(d, now));
}

/* What was to go at once and is left could not: locked in memory, perhaps. */
static uint64_t
decay_pause(const struct decay *d, bool more)
{

	if (load_rlx(&d->ms) == 0)
		return (DECAY_AGAIN);
	return (more ? DECAY_SOON : decay_step(d));
}

void
decay_end(struct decay *d, bool dirty, bool more, uint64_t now)
{

	store_rlx(&d->visited, now);
	if (!dirty)
		store_rlx(&d->start, 0);
	__atomic_store_n(&d->busy, 0, __ATOMIC_SEQ_CST);
	if (dirty && load_rlx(&d->ms) >= 0)
		decay_due(d, now + decay_pause(d, more));
	/* Armed meanwhile, and passed over by a scan. */
	decay_lower(decay_next(d));
}

uint64_t
decay_next(const struct decay *d)
{

	if (__atomic_load_n(&d->busy, __ATOMIC_SEQ_CST) != 0 ||
	    load_rlx(&d->ms) < 0)
		return (DECAY_NEVER);
	return (__atomic_load_n(&d->next, __ATOMIC_SEQ_CST));
}

unsigned
decay_part(const struct decay *d, uint64_t now)
{
	uint64_t round = decay_round(d), start = load_rlx(&d->start);

	if (now < start)
		return (0);
	if (now - start >= round)
		return (DECAY_PARTS);
	return ((unsigned)((now - start) * DECAY_PARTS / round));
}

/* At its time, however late the last one ended, lest the lateness adds up. */
void
decay_turn(struct decay *d, uint64_t now)
{
	uint64_t round = decay_round(d), start = load_rlx(&d->start);

	start = now - start < 2 * round ? start + round : now;
	store_rlx(&d->start, start);
	store_rlx(&d->begun, start);
}

bool
decay_renew(struct decay *d, uint64_t now)
{

	if (now >= load_rlx(&d->begun) + decay_round(d))
		return (false);
	store_rlx(&d->start, now);
	return (true);
}

struct budget
decay_budget(const struct decay *d, uint64_t now, uint64_t ns)
{
	uint64_t since = now - DSM_MIN(now, load_rlx(&d->visited));
	struct budget b = BUDGET_ALL;

	/* One batch at the least, whatever time it takes to come to that. */
	b.least = 1;
	b.until = os_time_ns() + DSM_MAX(since * (DECAY_NS / 500), ns);
	return (b);
}
