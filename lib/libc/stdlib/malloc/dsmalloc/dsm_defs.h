/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * What every file of the allocator includes first: compiler shorthands and
 * assertions.  The production build (MALLOC_PRODUCTION) has no assertions.
 */
#ifndef _DSM_DEFS_H_
#define	_DSM_DEFS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsm_namespace.h"

#ifndef MALLOC_PRODUCTION
#define	DSM_DEBUG
#endif

#define	likely(x)	__builtin_expect(!!(x), 1)
#define	unlikely(x)	__builtin_expect(!!(x), 0)
#define	DSM_NOINLINE	__attribute__((__noinline__))
#define	DSM_INLINE	inline __attribute__((__always_inline__))
#define	DSM_COLD	__attribute__((__cold__, __noinline__))
#define	DSM_EXPORT	__attribute__((__visibility__("default")))
/* A variable of ours, to be reached without a look at the GOT: compilers
 * take what is declared only for anybody's. */
#define	DSM_HIDDEN	extern __attribute__((__visibility__("hidden")))
#define	DSM_PRINTF(f, a) __attribute__((__format__(__printf__, (f), (a))))
#define	DSM_ALIGNED(n)	__attribute__((__aligned__(n)))
#define	DSM_CACHELINE	64

#define	KIB(n)		((size_t)(n) << 10)
#define	MIB(n)		((size_t)(n) << 20)
#define	GIB(n)		((size_t)(n) << 30)

#define	ROUND_UP(x, a)	(((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define	ROUND_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define	IS_POW2(x)	((x) != 0 && ((x) & ((x) - 1)) == 0)
#define	NITEMS(a)	(sizeof(a) / sizeof((a)[0]))
#define	DSM_MIN(a, b)	((a) < (b) ? (a) : (b))
#define	DSM_MAX(a, b)	((a) > (b) ? (a) : (b))

/* Atomics by their weakest sufficient order, named at each use. */
#define	load_rlx(p)	__atomic_load_n((p), __ATOMIC_RELAXED)
#define	load_acq(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define	store_rlx(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define	store_rel(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define	add_rlx(p, v)	__atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define	sub_rlx(p, v)	__atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)

/* Of what is done once in a while only: is it time again?  *last, atomic, is
 * when it was done; 0: never. */
static inline bool
due_again(uint64_t *last, uint64_t now, uint64_t pause)
{
	uint64_t was = load_rlx(last);

	return ((was == 0 || now - was >= pause) &&
	    __atomic_compare_exchange_n(last, &was, now, false,
	    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

void	dsm_assert_fail(const char *expr, const char *file, int line)
	    __attribute__((__noreturn__));

#ifdef DSM_DEBUG
#define	DSM_ASSERT(e) \
	((e) ? (void)0 : dsm_assert_fail(#e, __FILE__, __LINE__))
#else
#define	DSM_ASSERT(e)	((void)sizeof(!(e)))
#endif

#endif /* !_DSM_DEFS_H_ */
