/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * What malloc offers beyond <stdlib.h>; see malloc_np(3).  The header gets
 * along with glibc's <stdlib.h> and <malloc.h>, in C and in C++: where those
 * declare the same function, the declarations agree.
 */
#ifndef _MALLOC_NP_H_
#define	_MALLOC_NP_H_

#ifndef __cplusplus
#include <stdbool.h>
#endif
#include <stddef.h>
#include <stdlib.h>

/* glibc declares with noexcept or an attribute, and C++ wants both alike. */
#ifdef __GLIBC__
#define	_MALLOC_NP_THROW	__THROW
#else
#define	_MALLOC_NP_THROW
#endif

/* FreeBSD alone promises not to change what it measures. */
#ifdef __FreeBSD__
#define	_MALLOC_NP_CONST	const
#else
#define	_MALLOC_NP_CONST
#endif

/* In the place of an arena's index in a name or a MIB: all arenas. */
#define	MALLCTL_ARENAS_ALL	4096
/* The statistics of arenas that were destroyed. */
#define	MALLCTL_ARENAS_DESTROYED 4097

/* In the low bits of what an alloc hook returns: the memory stays as it is. */
#define	EXTENT_ALLOC_FLAG_PINNED 0x1U
#define	EXTENT_ALLOC_FLAG_MASK	0xFFU

#ifdef __cplusplus
extern "C" {
#endif

/* Where an arena's memory comes from; see malloc_np(3), EXTENT HOOKS. */
typedef struct extent_hooks_s extent_hooks_t;
typedef void	*extent_alloc_t(extent_hooks_t *, void *, size_t, size_t,
		    bool *, bool *, unsigned);
typedef bool	 extent_dalloc_t(extent_hooks_t *, void *, size_t, bool,
		    unsigned);
typedef void	 extent_destroy_t(extent_hooks_t *, void *, size_t, bool,
		    unsigned);
typedef bool	 extent_commit_t(extent_hooks_t *, void *, size_t, size_t,
		    size_t, unsigned);
typedef bool	 extent_decommit_t(extent_hooks_t *, void *, size_t, size_t,
		    size_t, unsigned);
typedef bool	 extent_purge_t(extent_hooks_t *, void *, size_t, size_t,
		    size_t, unsigned);
typedef bool	 extent_split_t(extent_hooks_t *, void *, size_t, size_t,
		    size_t, bool, unsigned);
typedef bool	 extent_merge_t(extent_hooks_t *, void *, size_t, void *,
		    size_t, bool, unsigned);
struct extent_hooks_s {
	extent_alloc_t	*alloc;
	extent_dalloc_t	*dalloc;
	extent_destroy_t *destroy;
	extent_commit_t	*commit;
	extent_decommit_t *decommit;
	extent_purge_t	*purge_lazy;
	extent_purge_t	*purge_forced;
	extent_split_t	*split;
	extent_merge_t	*merge;
};

/* Options of the program; a definition in the program replaces it. */
extern const char *malloc_conf;
/* Where messages and statistics go; NULL is standard error. */
extern void (*malloc_message)(void *_opaque, const char *_text);

size_t	 malloc_usable_size(_MALLOC_NP_CONST void *_ptr) _MALLOC_NP_THROW;
void	 malloc_stats_print(void (*_cb)(void *, const char *), void *_opaque,
	    const char *_opts);
int	 mallctl(const char *_name, void *_oldp, size_t *_oldlenp,
	    void *_newp, size_t _newlen);
int	 mallctlnametomib(const char *_name, size_t *_mibp,
	    size_t *_miblenp);
int	 mallctlbymib(const size_t *_mib, size_t _miblen, void *_oldp,
	    size_t *_oldlenp, void *_newp, size_t _newlen);

void	 free_sized(void *_ptr, size_t _size) _MALLOC_NP_THROW;
void	 free_aligned_sized(void *_ptr, size_t _alignment, size_t _size)
	    _MALLOC_NP_THROW;
void	*memalign(size_t _alignment, size_t _size) _MALLOC_NP_THROW;
void	*pvalloc(size_t _size) _MALLOC_NP_THROW;
void	*valloc(size_t _size) _MALLOC_NP_THROW;
void	*reallocarray(void *_ptr, size_t _number, size_t _size)
	    _MALLOC_NP_THROW;
void	*reallocf(void *_ptr, size_t _size) _MALLOC_NP_THROW;

/*
 * The same functions under names that no program replaces: for a program
 * that defines its own malloc() and builds on this one.
 */
void	*__malloc(size_t _size) _MALLOC_NP_THROW;
void	*__calloc(size_t _number, size_t _size) _MALLOC_NP_THROW;
void	*__realloc(void *_ptr, size_t _size) _MALLOC_NP_THROW;
void	 __free(void *_ptr) _MALLOC_NP_THROW;
int	 __posix_memalign(void **_ptr, size_t _alignment, size_t _size)
	    _MALLOC_NP_THROW;
void	*__aligned_alloc(size_t _alignment, size_t _size) _MALLOC_NP_THROW;
size_t	 __malloc_usable_size(const void *_ptr) _MALLOC_NP_THROW;
void	 __free_sized(void *_ptr, size_t _size) _MALLOC_NP_THROW;
void	 __free_aligned_sized(void *_ptr, size_t _alignment, size_t _size)
	    _MALLOC_NP_THROW;
void	 __malloc_stats_print(void (*_cb)(void *, const char *),
	    void *_opaque, const char *_opts);
int	 __mallctl(const char *_name, void *_oldp, size_t *_oldlenp,
	    void *_newp, size_t _newlen);
int	 __mallctlnametomib(const char *_name, size_t *_mibp,
	    size_t *_miblenp);
int	 __mallctlbymib(const size_t *_mib, size_t _miblen, void *_oldp,
	    size_t *_oldlenp, void *_newp, size_t _newlen);

#ifdef __cplusplus
}
#endif

#undef _MALLOC_NP_CONST
#undef _MALLOC_NP_THROW

#endif /* !_MALLOC_NP_H_ */
