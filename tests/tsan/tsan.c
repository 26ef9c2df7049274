/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Threads that allocate, free what others have allocated, end and are
 * replaced, while one stops all as a fork does and another reads statistics
 * and purges: for ThreadSanitizer to watch.  The allocator is compiled with it,
 * its entry points under other names, for the sanitizer has a malloc of its
 * own.
 *
 * Every block is written by who has it, without any other synchronisation
 * than the hand-over itself: an order that the allocator lacks between a
 * free and the next malloc of the memory is a race of these writes.
 */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dsm_api.h"
#include "dsm_arena.h"
#include "dsm_cache.h"
#include "dsm_keeper.h"
#include "dsm_set.h"
#include "dsm_set_purge.h"
#include "dsm_stats.h"

#define	NTHREADS	4
#define	NLIVES		4	/* threads that follow each other */
#define	NOPS		12000	/* of a thread */
#define	NRING		256

const char *malloc_conf = "narenas:2,dirty_decay_ms:5,dirty_max:1M";

static void	*ring[NRING];
static uint32_t	 running = NTHREADS;

static size_t
pick_size(uint32_t r)
{
	static const size_t sizes[] = { 8, 24, 64, 64, 64, 200, 1000, 5000,
	    30000 };

	if (r % 256 == 0)
		return (40000 + r / 256 % 16 * 20000);
	if (r % 1024 == 1)
		return (3 << 20);
	return (sizes[r / 8 % (sizeof(sizes) / sizeof(sizes[0]))]);
}

/* Put a new block on the ring, and free what was there. */
static void
turn(uint32_t r)
{
	size_t size = pick_size(r);
	char *p, *q;

	p = r % 5 == 0 ? __calloc(1, size) : __malloc(size);
	if (p == NULL)
		return;
	memset(p, (int)r, size > 64 ? 64 : size);
	p[size - 1] = (char)r;
	if (r % 7 == 0)
		p = __realloc(p, size + size / 2);
	q = __atomic_exchange_n(&ring[(r >> 16) % NRING], p,
	    __ATOMIC_ACQ_REL);
	if (q != NULL) {
		q[0]++;
		__free(q);
	}
}

static void *
life(void *arg)
{
	uint32_t i, r = (uint32_t)(uintptr_t)arg * 2654435761u + 1;

	for (i = 0; i < NOPS; i++) {
		r = r * 1664525 + 1013904223;
		turn(r >> 4);
	}
	return (NULL);
}

static void *
lives(void *arg)
{
	uintptr_t i, me = (uintptr_t)arg;
	pthread_t t;

	for (i = 0; i < NLIVES; i++)
		if (pthread_create(&t, NULL, life,
		    (void *)(me * NLIVES + i)) != 0 ||
		    pthread_join(t, NULL) != 0)
			return ((void *)1);
	__atomic_fetch_sub(&running, 1, __ATOMIC_RELEASE);
	return (NULL);
}

/* What a thread that forks does before and after, in the parent. */
static void *
forker(void *arg)
{

	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0) {
		cache_prefork();
		__free(__malloc(100));
		cache_postfork();
	}
	return (arg);
}

/* What reports and purges do. */
static void *
observer(void *arg)
{
	static struct stats s;

	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0) {
		stats_read(&s);
		(void)set_decay(ARENA_ALL, s.nthreads % 2 == 0);
	}
	return (arg);
}

/* What mallctl does about background threads. */
static void *
switcher(void *arg)
{
	uint32_t i;

	for (i = 0; __atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0; i++) {
		keeper_turn(i % 2 == 0);
		if (!keeper_settle())
			return ((void *)1);
		usleep(2000);
	}
	return (arg);
}

int
main(void)
{
	static void *(*const fns[])(void *) = { forker, observer, switcher,
	    lives,
	    lives, lives, lives };
	pthread_t t[sizeof(fns) / sizeof(fns[0])];
	void *bad, *any = NULL;
	uintptr_t i, n = sizeof(fns) / sizeof(fns[0]);

	__free(__malloc(1));
	for (i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, fns[i],
		    i < 3 ? NULL : (void *)i) != 0)
			return (2);
	for (i = 0; i < n; i++) {
		(void)pthread_join(t[i], &bad);
		any = bad != NULL ? bad : any;
	}
	for (i = 0; i < NRING; i++)
		__free(ring[i]);
	puts(any == NULL ? "done" : "failed");
	return (any != NULL);
}
