/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * The functions of malloc(3).  Each is its fast path from dsm_fast.h and,
 * where that gives up, one slow path that enters the gate, serves the
 * request from the thread's cache, its arena or arena 0, and leaves.
 */
#include <errno.h>
#include <string.h>

#include "dsm_api.h"
#include "dsm_arena.h"
#include "dsm_block.h"
#include "dsm_conf.h"
#include "dsm_fast.h"
#include "dsm_foreign.h"
#include "dsm_init.h"
#include "dsm_keeper.h"
#include "dsm_limit.h"
#include "dsm_oom.h"
#include "dsm_os.h"
#include "dsm_print.h"
#include "dsm_relief.h"
#include "dsm_set.h"
#include "dsm_set_cap.h"
#include "dsm_stats.h"

#define	API_ALIAS(f)	DSM_EXPORT __attribute__((__weak__, __alias__(#f)))

void	*malloc(size_t) API_ALIAS(__malloc);
void	*calloc(size_t, size_t) API_ALIAS(__calloc);
void	*realloc(void *, size_t) API_ALIAS(__realloc);
void	 free(void *) API_ALIAS(__free);
int	 posix_memalign(void **, size_t, size_t) API_ALIAS(__posix_memalign);
void	*aligned_alloc(size_t, size_t) API_ALIAS(__aligned_alloc);
void	 free_sized(void *, size_t) API_ALIAS(__free_sized);
void	 free_aligned_sized(void *, size_t, size_t)
	    API_ALIAS(__free_aligned_sized);
size_t	 malloc_usable_size(const void *) API_ALIAS(__malloc_usable_size);

/* In the one file that every program gets from the archive. */
static void __attribute__((__destructor__))
api_at_exit(void)
{

	stats_at_exit();
}

/* Out of memory, or a size that cannot be. */
static void * DSM_COLD
api_nomem(size_t size)
{

	if (conf.oom_report && size <= SIZE_LARGE_MAX)
		oom_report(size);
	if (conf.xmalloc)
		print_fatal("out of memory: a request of %zu bytes failed "
		    "(xmalloc:true)", size);
	errno = ENOMEM;
	return (NULL);
}

static DSM_INLINE void *
api_large(struct cache *c, size_t size, size_t align, bool *zeroed)
{
	struct arena *a = c != NULL ? c->arena : cache_arena_none();
	void *p;

	cache_tick_large(c);
	p = large_alloc(&a->large, size, align, zeroed);
	set_grown(a);
	return (p);
}

static DSM_INLINE void *
api_try(struct cache *c, size_t size, size_t align, unsigned class,
    bool *zeroed)
{

	if (class == 0)
		return (api_large(c, size, align, zeroed));
	if (likely(c != NULL))
		return (cache_malloc(c, class));
	return (cache_malloc_none(class));
}

/* The system has no more, or the limit is reached: bring together what we
 * have, and try again.  Within another call that may be at it. */
static void * DSM_COLD
api_try_again(struct cache *c, size_t size, size_t align, unsigned class,
    bool *zeroed)
{

	if (c != NULL && set_may_reclaim(c->arena, size)) {
		cache_flush_self();
		set_reclaim(c->arena);
	} else if (load_rlx(&limit_hard) != 0)
		limit_recount(set_held);
	else
		return (NULL);
	return (api_try(c, size, align, class, zeroed));
}

/*
 * Every allocation that is not a hit.  *zeroed says whether the memory is
 * known to read as zero.
 */
static void *
api_alloc(size_t size, size_t align, unsigned class, bool *zeroed)
{
	struct cache *c;
	void *p;

	*zeroed = false;
	if (!init_once())
		return (NULL);
	c = cache_enter();
	p = api_try(c, size, align, class, zeroed);
	if (unlikely(p == NULL))
		p = api_try_again(c, size, align, class, zeroed);
	cache_leave();
	relief_run();
	return (p);
}

/* What a thread's own cache or its arena's stock of large blocks serves: nearly
 * all. */
static DSM_INLINE void *
api_ready(size_t size, unsigned class)
{
	struct cache *c = cache_enter_quick();
	void *p;

	if (unlikely(c == NULL))
		return (NULL);
	if (class != 0)
		p = cache_malloc(c, class);
	else if ((p = large_restock(&c->arena->large, size)) != NULL)
		cache_tick_large(c);
	cache_leave_quick(c);
	/* What was in stock is no growth. */
	if (class != 0)
		relief_run();
	return (p);
}

static void * DSM_NOINLINE
malloc_slow(size_t size)
{
	unsigned class = 0;
	bool zeroed;
	void *p;

	if (size <= SIZE_SMALL_MAX)
		class = size_class(size + (size == 0));
	p = api_ready(size, class);
	if (unlikely(p == NULL))
		p = api_alloc(size, 1, class, &zeroed);
	return (likely(p != NULL) ? p : api_nomem(size));
}

DSM_EXPORT void *
__malloc(size_t size)
{
	void *p = fast_malloc(size);

	return (likely(p != NULL) ? p : malloc_slow(size));
}

/* A small block that no fast path takes, or one of another's making. */
static void DSM_NOINLINE
free_small(void *p, uint64_t word)
{
	struct cache *c;
	bool first;

	/* Beyond the map's window it is only here that there may be room. */
	if (fast_push(fast_entry(cache_self, map_tag(word)), p))
		return;
	if (likely((c = cache_enter_quick()) != NULL)) {
		cache_free(c, p, map_tag(word) / ARENA_TAG(1));
		cache_leave_quick(c);
		return;
	}
	/* What a thread frees first of all is another's, and goes home: it may
	 * share a cache line with that one's next. */
	first = cache_self == CACHE_EMPTY;
	c = cache_enter();
	if (likely(c != NULL && !first))
		cache_free(c, p, map_tag(word) / ARENA_TAG(1));
	else
		cache_free_none(p);
	cache_leave();
}

static DSM_INLINE void
free_extent(struct cache *c, struct extent *e)
{
	struct arena *a = arena_of_large(e->span.owner);
	uint64_t now;

	cache_tick_free(c, e->span.size);
	now = load_rlx(&decay_clock);
	large_free(e, now);
	set_freed(a, now);
}

static void DSM_NOINLINE
free_explicit(void *p, struct slab *s)
{

	cache_free_explicit(cache_enter(), p, s);
	cache_leave();
}

/* A large block, or whatever has no tag. */
static void DSM_NOINLINE
free_large(void *p, uint64_t word)
{
	struct extent *e;
	struct cache *c;

	if (unlikely(block_slab(word) != NULL)) {
		free_explicit(p, block_slab(word));
		return;
	}
	e = block_extent("free", p, word);
	if (likely((c = cache_enter_quick()) != NULL)) {
		free_extent(c, e);
		cache_leave_quick(c);
	} else {
		free_extent(cache_enter(), e);
		cache_leave();
	}
}

static void	free_slow(void *p, const void *caller);

/* Before anything else is done. */
static void DSM_COLD
free_first(void *p, const void *caller)
{

	keeper_start(caller, map_tag(map_word(p)) == 0);
	free_slow(p, NULL);
}

/* caller: where the program goes on; NULL: this is not a call of its own. */
static void DSM_NOINLINE
free_slow(void *p, const void *caller)
{
	uint64_t word;

	if (unlikely(load_rlx(&keeper_needed) && caller != NULL)) {
		free_first(p, caller);
		return;
	}
	word = map_word(p);
	if (unlikely(word == 0)) {
		if (p != NULL && !foreign_free(p))
			block_bad("free", p, word);
	} else if (likely(map_tag(word) == 0) ||
	    map_tag(word) == MAP_TAG_FREE)
		free_large(p, word);
	else
		free_small(p, word);
}

DSM_EXPORT void
__free(void *p)
{

	if (unlikely(!fast_free(p)))
		free_slow(p, __builtin_return_address(0));
}

#ifndef DSM_IN_LIBC
void	(*const foreign_own)(void *) = __free;
#endif

static void DSM_NOINLINE
free_sized_slow(void *p, size_t size, const void *caller)
{

	/* Where sizes are not trusted this is free(). */
	if (!size_trusted() && fast_free(p))
		return;
	block_check_size(p, size);
	free_slow(p, caller);
}

/* A small block of a wrong size is noticed when it is flushed, at the latest;
 * looking for it here would double the work. */
DSM_EXPORT void
__free_sized(void *p, size_t size)
{

#ifdef DSM_DEBUG
	block_check_size(p, size);
#endif
	if (unlikely(!fast_free_sized(p, size)))
		free_sized_slow(p, size, __builtin_return_address(0));
}

DSM_EXPORT void
__free_aligned_sized(void *p, size_t align, size_t size)
{

#ifdef DSM_DEBUG
	block_check_aligned(p, align, size);
#else
	(void)align;
	(void)size;
#endif
	__free(p);
}

static void * DSM_NOINLINE
calloc_slow(size_t size)
{
	unsigned class = 0;
	bool zeroed;
	void *p;

	if (size <= SIZE_SMALL_MAX)
		class = size_class(size + (size == 0));
	if ((p = api_alloc(size, 1, class, &zeroed)) == NULL)
		return (api_nomem(size));
	if (!zeroed && size > SIZE_SMALL_MAX)
		zeroed = large_zero(map_span(map_word(p)));
	return (zeroed ? p : memset(p, 0, size));
}

DSM_EXPORT void *
__calloc(size_t number, size_t size)
{
	void *p;

	if (unlikely(__builtin_mul_overflow(number, size, &size)))
		return (api_nomem(SIZE_MAX));
	p = fast_malloc(size);
	return (likely(p != NULL) ? memset(p, 0, size) : calloc_slow(size));
}

static size_t DSM_NOINLINE
usable_slow(const void *p)
{

	return (p == NULL ? 0 :
	    block_usable("malloc_usable_size", p, map_word(p)));
}

DSM_EXPORT size_t
__malloc_usable_size(const void *p)
{
	uint64_t word;

	if (likely(map_near(p, &word)) && likely(map_span(word) != NULL))
		return (((struct span *)map_span(word))->usable);
	return (usable_slow(p));
}

/* A new block, the old contents, the old block freed. */
static void *
realloc_copy(void *p, size_t osize, size_t nsize)
{
	void *q = __malloc(nsize);

	if (q == NULL)
		return (NULL);
	memcpy(q, p, DSM_MIN(osize, nsize));
	if (!fast_free(p))
		free_slow(p, NULL);
	return (q);
}

/* A small block: of its class it stays where it is. */
static void *
realloc_small(void *p, size_t osize, size_t size)
{

	if (size <= SIZE_SMALL_MAX &&
	    size_info[size_class(size)].size == osize)
		return (p);
	return (realloc_copy(p, osize, size));
}

/* A block that cannot be moved may be in the way of its copy: where it is a
 * limit that forbids to, there must be less of other things. */
static void * DSM_COLD
resize_again(struct cache *c, struct extent *e, size_t size, uint64_t now)
{

	if (c == NULL || e->span.region != NULL)
		return (NULL);
	cache_flush_self();
	set_reclaim(c->arena);
	return (large_resize(e, size, now));
}

static void *
realloc_large(void *p, size_t size)
{
	uint64_t now = load_rlx(&decay_clock), word = map_word(p);
	struct extent *e;
	struct arena *a;
	struct cache *c;
	size_t osize;
	void *q = NULL;

	if (unlikely(word == 0) && foreign_usable(p, &osize))
		return (realloc_copy(p, osize, size));
	if (block_slab(word) != NULL)
		return (realloc_small(p, block_slab(word)->size, size));
	c = cache_enter();
	e = block_extent("realloc", p, word);
	osize = e->span.size;
	if (size > SIZE_SMALL_MAX) {
		cache_tick_large(c);
		q = large_resize(e, size, now);
		if (unlikely(q == NULL && load_rlx(&limit_hard) != 0))
			q = resize_again(c, e, size, now);
		a = arena_of_large(e->span.owner);
		set_grown(a);
		set_freed(a, now);
	}
	cache_leave();
	relief_run();
	return (q != NULL ? q : realloc_copy(p, osize, size));
}

static void * DSM_NOINLINE
realloc_slow(void *p, size_t size)
{
	unsigned tag;

	if (p == NULL)
		return (__malloc(size));
	size += size == 0;
	tag = map_tag(map_word(p));
	if (tag == 0 || tag == MAP_TAG_FREE)
		return (realloc_large(p, size));
	return (realloc_small(p, size_info[tag / ARENA_TAG(1)].size, size));
}

/* The same class, small: where it is. */
DSM_EXPORT void *
__realloc(void *p, size_t size)
{
	size_t i = fast_index(size);
	uint64_t word;

	if (likely(i < NITEMS(size_table)) &&
	    likely(map_near(p, &word)) &&
	    likely(map_tag(word) == size_table[i] * 8u))
		return (p);
	return (realloc_slow(p, size));
}

/*
 * The class whose slots are aligned: a slab starts at a page, so a slot is
 * aligned to every power of two up to the page that divides its size.  0:
 * none is, the block must be large.
 */
static unsigned
align_class(size_t align, size_t size)
{
	unsigned class;

	if (align > os_page || size > SIZE_SMALL_MAX || align > SIZE_SMALL_MAX)
		return (0);
	size = ROUND_UP(size + (size == 0), align);
	if (size > SIZE_SMALL_MAX)
		return (0);
	for (class = size_class(size); class < SIZE_NCLASSES; class++)
		if ((size_info[class].size & (align - 1)) == 0)
			return (class);
	return (0);
}

static void * DSM_NOINLINE
align_slow(size_t align, size_t size)
{
	unsigned class;
	bool zeroed;
	void *p;

	if (!init_once())
		return (NULL);
	class = align_class(align, size);
	if (class != 0)
		p = __malloc(size_info[class].size);
	else
		p = api_alloc(DSM_MAX(size, (size_t)SIZE_SMALL_MAX + 1),
		    align, 0, &zeroed);
	return (p);
}

static int DSM_NOINLINE
posix_memalign_slow(void **out, size_t align, size_t size)
{
	int saved = errno;
	void *p;

	if (!IS_POW2(align) || align < sizeof(void *))
		return (EINVAL);
	if ((p = align_slow(align, size)) == NULL) {
		(void)api_nomem(size);
		errno = saved;
		return (ENOMEM);
	}
	*out = p;
	return (0);
}

DSM_EXPORT int
__posix_memalign(void **out, size_t align, size_t size)
{
	void *p;

	if (unlikely((p = fast_aligned(align, size)) == NULL))
		return (posix_memalign_slow(out, align, size));
	*out = p;
	return (0);
}

static void * DSM_NOINLINE
aligned_slow(size_t align, size_t size)
{
	void *p;

	if (unlikely(!IS_POW2(align))) {
		errno = EINVAL;
		return (NULL);
	}
	p = align_slow(align, size);
	return (likely(p != NULL) ? p : api_nomem(size));
}

DSM_EXPORT void *
__aligned_alloc(size_t align, size_t size)
{
	void *p;

	p = fast_aligned(align, size);
	return (likely(p != NULL) ? p : aligned_slow(align, size));
}

/*
 * The old and the BSD ones.  In a libc these are files of their own beside
 * the allocator; the stand-alone library has them all.
 */
#ifndef DSM_IN_LIBC
void	*memalign(size_t, size_t);
void	*valloc(size_t);
void	*pvalloc(size_t);
void	*reallocarray(void *, size_t, size_t);
void	*reallocf(void *, size_t);

/* Like glibc's: an alignment that is no power of two is rounded up. */
DSM_EXPORT void *
memalign(size_t align, size_t size)
{

	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return (NULL);
	}
	if (!IS_POW2(align))
		align = align == 0 ? 1 : (size_t)1 <<
		    (64 - __builtin_clzl(align));
	return (__aligned_alloc(align, size));
}

DSM_EXPORT void *
valloc(size_t size)
{

	return (init_once() ? __aligned_alloc(os_page, size) :
	    api_nomem(size));
}

DSM_EXPORT void *
pvalloc(size_t size)
{

	if (!init_once() || size > SIZE_LARGE_MAX)
		return (api_nomem(size));
	size = DSM_MAX(size, (size_t)1);
	return (__aligned_alloc(os_page, ROUND_UP(size, os_page)));
}

DSM_EXPORT void *
reallocarray(void *p, size_t number, size_t size)
{

	if (__builtin_mul_overflow(number, size, &size))
		return (api_nomem(SIZE_MAX));
	return (__realloc(p, size));
}

/* By the names that a tool may have put its own functions behind. */
DSM_EXPORT void *
reallocf(void *p, size_t size)
{
	void *q = realloc(p, size);

	if (q == NULL)
		free(p);
	return (q);
}
#else
void	_malloc_prefork(void);
void	_malloc_postfork(void);
void	_malloc_thread_cleanup(void);
void	_malloc_first_thread(void);

DSM_EXPORT void
_malloc_prefork(void)
{

	cache_prefork();
}

/* FreeBSD has one call for both sides; the child is told by its thread. */
DSM_EXPORT void
_malloc_postfork(void)
{

	if (cache_postfork_any())
		keeper_forked();
}

DSM_EXPORT void
_malloc_thread_cleanup(void)
{

	cache_exit_self();
	keeper_thread_end();
}

/* Now there are threads; this one is not there yet. */
DSM_EXPORT void
_malloc_first_thread(void)
{

	keeper_ready();
}
#endif
