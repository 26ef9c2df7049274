/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * Theory of operation.  Initialisation is lazy and idempotent, under one
 * atomic word: 0 not begun, 1 one thread is at it, 2 done.  A request of the
 * thread that is at it (a malloc_message that allocates) is refused.  Only
 * raw system calls are made: options are read, the processors counted, base
 * memory and arena 0 mapped.
 *
 * The end of a thread is heard of by libc's own hook where we are part of
 * it (_malloc_thread_cleanup), else by a pthread key.  Its destructor runs
 * again, as often as the system allows, so that other keys' destructors
 * still find a cache.  Fork is heard of by pthread_atfork handlers that a
 * constructor registers, or by libc's hooks.
 */
#include <limits.h>
#include <pthread.h>

#include "dsm_arena.h"
#include "dsm_base.h"
#include "dsm_cache.h"
#include "dsm_conf.h"
#include "dsm_init.h"
#include "dsm_keeper.h"
#include "dsm_map.h"
#include "dsm_os.h"
#include "dsm_relief.h"
#include "dsm_set.h"
#include "dsm_slab.h"
#include "dsm_unwind.h"

#define	INIT_BUSY	1u

uint32_t	init_state;
static uint32_t	init_owner;		/* the thread that is at it */

#ifndef DSM_IN_LIBC
static pthread_key_t init_key;

/* Run in the last round of destructors but one, when the others have had
 * theirs; the key's value is the number of the round.  The last is left to
 * what takes the whole thread down, a sanitizer for one. */
#define	INIT_ROUNDS	(PTHREAD_DESTRUCTOR_ITERATIONS - 1)

static void
init_thread_end(void *arg)
{
	uintptr_t round = (uintptr_t)arg;

	if (round < INIT_ROUNDS && pthread_setspecific(init_key,
	    (void *)(round + 1)) == 0)
		return;
	cache_exit_self();
	keeper_thread_end();
}

static void
init_thread_begin(struct cache *c)
{

	(void)c;
	(void)pthread_setspecific(init_key, (void *)(uintptr_t)1);
}

static void
init_hooks(void)
{

	if (pthread_key_create(&init_key, init_thread_end) == 0)
		cache_attached = init_thread_begin;
}

/*
 * glibc's dynamic linker fills thread-local storage in only when everything
 * is relocated, but before that a resolver of another library may call malloc.
 * A resolver of our own runs first, at the end of our own relocation, and has
 * the thread do without a cache until then.
 */
#if defined(__GLIBC__) && defined(PIC)
static void
init_nothing(void)
{
}

/* Only the linker calls it. */
static void (* __attribute__((__unused__))
init_resolve(void))(void)
{

	cache_self = CACHE_DEAD;
	return (init_nothing);
}

static void	init_relocated(void)
		    __attribute__((__ifunc__("init_resolve")));
#else
static void
init_relocated(void)
{
}
#endif

static void
init_postfork_child(void)
{

	cache_postfork_child();
	keeper_forked();
}

/* Where we are not libc, the library's constructor asks to hear of forks. */
static void __attribute__((__constructor__))
init_constructor(void)
{

	(void)pthread_atfork(cache_prefork, cache_postfork,
	    init_postfork_child);
	init_relocated();
	keeper_ready();
}
#endif /* !DSM_IN_LIBC */

static bool
init_parts(void)
{

	os_init();
	map_init();
	slab_boot();
	conf_init();
	base_thp = (enum base_thp)conf.metadata_thp;
	unwind_init();
	(void)decay_now();
	if (!set_boot())
		return (false);
	hooks_hide = cache_hide;
	hooks_show = cache_show;
	hooks_at = cache_is_hidden;
	relief_boot();
	keeper_boot();
#ifndef DSM_IN_LIBC
	init_hooks();
#endif
	return (true);
}

/* The fork gate, so that no child is born with half of it done and nobody at
 * it.  Who waits for another thread waits outside. */
bool DSM_COLD
init_slow(void)
{
	uint32_t none = 0, tid = os_tid();
	bool ok;

	if (load_rlx(&init_owner) == tid)
		return (false);
	cache_enter_stray();
	while (!__atomic_compare_exchange_n(&init_state, &none, INIT_BUSY,
	    false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		gate_leave_stray();
		if (none == INIT_DONE)
			return (true);
		os_yield();
		none = 0;
		cache_enter_stray();
	}
	store_rlx(&init_owner, tid);
	ok = init_parts();
	store_rlx(&init_owner, 0);
	store_rel(&init_state, ok ? INIT_DONE : 0);
	gate_leave_stray();
	return (ok);
}
