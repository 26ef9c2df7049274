/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <errno.h>

#include "dsm_cache.h"
#include "dsm_conf.h"
#include "dsm_gate.h"
#include "dsm_keeper.h"
#include "dsm_lock.h"
#include "dsm_os.h"
#include "dsm_print.h"
#include "dsm_set.h"
#include "dsm_set_purge.h"
#include "dsm_spawn.h"

#define	KEEPER_VISIT_NS	1000000
#define	KEEPER_GRACE	100		/* ms */
/* Where no thread can be had, the next try is so many ms later. */
#define	KEEPER_RETRY	1000

uint32_t keeper_needed;

/* Atomic.  Initialised, it is in the page of data that each process has. */
static struct {
	uint32_t	on;
	uint32_t	ready;
	uint32_t	busy;		/* held by who starts and stops */
	uint32_t	era;
	size_t		most;
	size_t		n;		/* written by who is busy */
	uint64_t	retry;		/* not before, ms */
	uint64_t	runs;
	uint64_t	slept;		/* ns, between those */
} keeper = { .most = 1 };
static struct lock keeper_watch = LOCK_INITIALIZER(LOCK_WATCH);
static pthread_t keeper_threads[KEEPER_MAX];	/* by who is busy */

static uint64_t
keeper_now(void)
{

	return (os_time_ns() / DECAY_NS);
}

static bool
keeper_claim(bool wait)
{
	uint32_t none = 0;

	while (!__atomic_compare_exchange_n(&keeper.busy, &none, 1, false,
	    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (!wait)
			return (false);
		os_wait(&keeper.busy, 1);
		none = 0;
	}
	return (true);
}

/* Too many, where on, or some where off. */
static bool
keeper_is_excess(void)
{
	size_t n = load_rlx(&keeper.n);

	return (n != 0 && (n > load_rlx(&keeper.most) ||
	    !__atomic_load_n(&keeper.on, __ATOMIC_SEQ_CST)));
}

/* End all, and wait for that, or let them go; by who is busy. */
static void
keeper_stop(bool wait)
{
	size_t i, n = load_rlx(&keeper.n);

	add_rlx(&keeper.era, 1);
	decay_rouse();
	for (i = 0; i < n; i++)
		if (wait)
			spawn_join(keeper_threads[i]);
		else
			spawn_leave(keeper_threads[i]);
	store_rlx(&decay_grace, 0);
	store_rlx(&keeper.n, 0);
}

/* None, where on and it may be. */
static bool
keeper_is_lacking(void)
{

	return (__atomic_load_n(&keeper.on, __ATOMIC_SEQ_CST) &&
	    load_rlx(&keeper.ready) && load_rlx(&keeper.n) == 0);
}

/* Is there another number of them than there should be, and that not known? */
static bool
keeper_is_unsettled(void)
{

	return (keeper_is_excess() ||
	    keeper_is_lacking() != load_rlx(&keeper_needed));
}

/* One who could not wait may have switched it off meanwhile, or on. */
static void
keeper_release(void)
{

	do {
		if (keeper_is_excess())
			keeper_stop(false);
		store_rlx(&keeper_needed, keeper_is_lacking());
		__atomic_store_n(&keeper.busy, 0, __ATOMIC_SEQ_CST);
		os_wake(&keeper.busy, UINT32_MAX);
	} while (keeper_is_unsettled() && keeper_claim(false));
}

/* What is due, within the gate; NULL: nothing is, and outside. */
static struct set *
keeper_due(void)
{
	uint64_t now = keeper_now();
	struct set *s;

	if (load_rlx(&decay_deadline) > now)
		return (NULL);
	(void)cache_enter();
	if ((s = set_keep_first(now)) == NULL)
		cache_leave();
	return (s);
}

/* On watch until something is due; NULL: the era is over. */
static struct set *
keeper_await(uint32_t era)
{
	uint64_t start = os_time_ns();
	struct set *s = NULL;
	uint32_t alarm;

	lock_take(&keeper_watch);
	for (;;) {
		alarm = load_acq(&decay_alarm);
		if (load_rlx(&keeper.era) != era || (s = keeper_due()) != NULL)
			break;
		decay_sleep(alarm);
	}
	lock_drop(&keeper_watch);
	(void)add_rlx(&keeper.slept, os_time_ns() - start);
	return (s);
}

static void	keeper_more(uint32_t era);

static void *
keeper_main(void *arg)
{
	uint32_t era = (uint32_t)(uintptr_t)arg;
	struct set *s;

	os_name("dsmalloc_keeper");
	cache_disown();
	while ((s = keeper_await(era)) != NULL) {
		(void)add_rlx(&keeper.runs, 1);
		set_keep(s, keeper_now(), KEEPER_VISIT_NS);
		cache_leave();
		keeper_more(era);
	}
	return (NULL);
}

/* One more; by who is busy. */
static bool
keeper_add(void)
{
	uint64_t now = keeper_now();
	size_t n = load_rlx(&keeper.n);

	if (now < load_rlx(&keeper.retry))
		return (false);
	if (!spawn_thread(&keeper_threads[n], keeper_main,
	    (void *)(uintptr_t)load_rlx(&keeper.era))) {
		store_rlx(&keeper.retry, now + KEEPER_RETRY);
		return (false);
	}
	store_rlx(&keeper.n, n + 1);
	store_rlx(&decay_grace, KEEPER_GRACE);
	return (true);
}

/* Is there work for one more? */
static bool
keeper_is_short(void)
{
	size_t n = load_rlx(&keeper.n);

	return (n < load_rlx(&keeper.most) && n < set_count());
}

static void
keeper_more(uint32_t era)
{

	if (!keeper_is_short() || !keeper_claim(false))
		return;
	if (load_rlx(&keeper.era) == era && keeper_is_short())
		(void)keeper_add();
	keeper_release();
}

/* The first, where none is; not where another is at it. */
static void
keeper_first(void)
{
	int saved = errno;

	if (keeper_claim(false)) {
		if (load_rlx(&keeper.on) && load_rlx(&keeper.n) == 0)
			(void)keeper_add();
		keeper_release();
	}
	errno = saved;
}

void
keeper_start(const void *caller, bool large)
{

	if ((large || load_rlx(&decay_deadline) != DECAY_NEVER) &&
	    load_rlx(&gate_word) == 0 && !cache_is_inside() &&
	    spawn_safe(caller))
		keeper_first();
}

void
keeper_thread_end(void)
{

	if (!load_rlx(&keeper.on))
		return;
	if (set_threads() != 0) {
		if (load_rlx(&keeper_needed) &&
		    load_rlx(&decay_deadline) != DECAY_NEVER)
			keeper_first();
	} else if (load_rlx(&keeper.n) != 0 && keeper_claim(false)) {
		keeper_stop(false);
		keeper_release();
	}
}

void
keeper_boot(void)
{

	store_rlx(&keeper.most, conf.max_background_threads);
	if (!conf.background_thread)
		return;
	if (!spawn_can()) {
		print_warn("background_thread: this program has no threads: "
		    "ignored");
		return;
	}
	keeper_turn(true);
	store_rlx(&keeper_needed, load_rlx(&keeper.ready));
}

void
keeper_ready(void)
{

	store_rlx(&keeper.ready, 1);
	store_rlx(&keeper_needed, load_rlx(&keeper.on));
}

/* Nobody is busy or on watch here, but may have been in the parent; on watch
 * also if it was let go and has yet to end. */
void
keeper_forked(void)
{

	if (!load_rlx(&keeper.on) && load_rlx(&keeper.n) == 0 &&
	    load_rlx(&keeper.busy) == 0 && load_rlx(&keeper_watch.word) == 0)
		return;
	decay_rouse();
	add_rlx(&keeper.era, 1);
	lock_init(&keeper_watch, LOCK_WATCH);
	store_rlx(&decay_grace, 0);
	store_rlx(&keeper.n, 0);
	store_rlx(&keeper.retry, 0);
	store_rlx(&keeper.runs, 0);
	store_rlx(&keeper.slept, 0);
	keeper_release();
}

bool
keeper_is_on(void)
{

	return (load_rlx(&keeper.on));
}

void
keeper_turn(bool on)
{

	__atomic_store_n(&keeper.on, on, __ATOMIC_SEQ_CST);
}

size_t
keeper_most(void)
{

	return (load_rlx(&keeper.most));
}

void
keeper_limit(size_t most)
{

	store_rlx(&keeper.most, most);
}

bool
keeper_settle(void)
{
	bool ok = true, outside = !cache_is_inside() &&
	    !gate_is_mine(&cache_self);
	int saved = errno;

	if (!keeper_claim(outside))
		return (true);
	if (outside && keeper_is_excess())
		keeper_stop(true);
	if (outside && load_rlx(&keeper.on) && load_rlx(&keeper.n) == 0) {
		store_rlx(&keeper.retry, 0);
		if (!(ok = keeper_add()))
			keeper_turn(false);
	}
	keeper_release();
	errno = saved;
	return (ok);
}

size_t
keeper_count(void)
{

	return (load_rlx(&keeper.n));
}

uint64_t
keeper_runs(void)
{

	return (load_rlx(&keeper.runs));
}

uint64_t
keeper_interval(void)
{
	uint64_t runs = load_rlx(&keeper.runs);

	return (runs != 0 ? load_rlx(&keeper.slept) / runs : 0);
}
