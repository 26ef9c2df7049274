/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <stdlib.h>

#include "dsm_foreign.h"
#include "dsm_os.h"

#ifndef DSM_IN_LIBC
size_t	malloc_usable_size(const void *);

/* What tools that replace malloc have in the process, and nobody else. */
extern char	__asan_init[] __attribute__((__weak__));
extern char	__hwasan_init[] __attribute__((__weak__));
extern char	__lsan_init[] __attribute__((__weak__));
extern char	__msan_init[] __attribute__((__weak__));
extern char	__tsan_init[] __attribute__((__weak__));
extern char	_vgnU_freeres[] __attribute__((__weak__));

/*
 * Is there a tool, so that free() and the like lead to it?  A sanitizer has
 * functions of these names; valgrind has the processor that it plays go
 * elsewhere at these addresses.
 */
static bool
foreign_tool(void)
{

	return (_vgnU_freeres != NULL || (free != foreign_own &&
	    (__asan_init != NULL || __hwasan_init != NULL ||
	    __lsan_init != NULL || __msan_init != NULL ||
	    __tsan_init != NULL)));
}

#ifdef __GLIBC__
extern void	__libc_free(void *) __attribute__((__weak__));

/* What stands before each block of glibc's: its documented layout. */
struct foreign_chunk {
	size_t	before;		/* of the chunk before, if that is free */
	size_t	size;		/* with flags in the lowest bits */
};
#define	FOREIGN_USED	((size_t)1)	/* the chunk before is in use */
#define	FOREIGN_MAPPED	((size_t)2)	/* a mapping of its own */
#define	FOREIGN_THREAD	((size_t)4)	/* not from the program break */
#define	FOREIGN_FLAGS	((size_t)7)
#define	FOREIGN_ALIGN	16
#define	FOREIGN_MIN	32		/* the smallest chunk */
/* Heaps of threads' arenas have this size and alignment, and begin with a
 * pointer to their arena, which is in such a heap. */
#define	FOREIGN_HEAP	MIB(64)

/* Does the chunk at a, in the program break or a thread's heap, look whole? */
static bool
foreign_heap(uintptr_t a, const struct foreign_chunk *c, size_t size)
{
	struct foreign_chunk next;
	uintptr_t arena, heap;

	if (size < FOREIGN_MIN || size % FOREIGN_ALIGN != 0)
		return (false);
	if ((c->size & FOREIGN_THREAD) != 0) {
		heap = ROUND_DOWN(a, FOREIGN_HEAP);
		if (a - heap + size > FOREIGN_HEAP ||
		    !os_peek((const void *)heap, &arena, sizeof(arena)) ||
		    arena % FOREIGN_HEAP > KIB(4) || arena < FOREIGN_HEAP)
			return (false);
	} else if (!os_in_break((const void *)a, size))
		return (false);
	return (os_peek((const void *)(a + size), &next, sizeof(next)) &&
	    (next.size & FOREIGN_USED) != 0);
}

/*
 * Is p a live block of glibc's malloc?  Read through the kernel, as p may be
 * anything; and believed only when all that can be checked is right.
 */
static bool
foreign_glibc(const void *p, size_t *usable)
{
	uintptr_t a = (uintptr_t)p - sizeof(struct foreign_chunk);
	struct foreign_chunk c;
	size_t size;

	if (__libc_free == NULL || (uintptr_t)p < os_page ||
	    (uintptr_t)p % FOREIGN_ALIGN != 0 ||
	    !os_peek((const void *)a, &c, sizeof(c)))
		return (false);
	size = c.size & ~FOREIGN_FLAGS;
	if ((c.size & FOREIGN_FLAGS) == FOREIGN_MAPPED) {
		*usable = size - sizeof(c);
		return (size >= os_page && c.before < size &&
		    (a - c.before) % os_page == 0 &&
		    (c.before + size) % os_page == 0);
	}
	*usable = size - sizeof(c.size);
	return ((c.size & FOREIGN_MAPPED) == 0 && foreign_heap(a, &c, size));
}
#else
static void	(*__libc_free)(void *);

static bool
foreign_glibc(const void *p, size_t *usable)
{

	(void)p;
	(void)usable;
	return (false);
}
#endif

DSM_COLD bool
foreign_free(void *p)
{
	size_t usable;

	if (foreign_tool())
		free(p);
	else if (foreign_glibc(p, &usable))
		__libc_free(p);
	else
		return (false);
	return (true);
}

DSM_COLD bool
foreign_usable(const void *p, size_t *size)
{

	if (!foreign_tool())
		return (foreign_glibc(p, size));
	*size = malloc_usable_size(p);
	return (true);
}
#endif /* !DSM_IN_LIBC */
