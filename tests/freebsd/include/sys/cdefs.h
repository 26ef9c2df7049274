/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */
#ifndef _STUB_SYS_CDEFS_H_
#define	_STUB_SYS_CDEFS_H_

#ifdef __cplusplus
#define	__BEGIN_DECLS	extern "C" {
#define	__END_DECLS	}
#else
#define	__BEGIN_DECLS
#define	__END_DECLS
#endif

#define	__dead2		__attribute__((__noreturn__))
#define	__pure		__attribute__((__pure__))
#define	__result_use_check __attribute__((__warn_unused_result__))
#define	__malloc_like	__attribute__((__malloc__))
#define	__alloc_size(x)	__attribute__((__alloc_size__(x)))
#define	__alloc_size2(n, x) __attribute__((__alloc_size__(n, x)))
#define	__alloc_align(x) __attribute__((__alloc_align__(x)))
#define	__unused	__attribute__((__unused__))
#define	__used		__attribute__((__used__))
#define	__hidden	__attribute__((__visibility__("hidden")))
#define	__weak_reference(sym, alias)					\
	__asm__ (".weak " #alias);					\
	__asm__ (".equ " #alias ", " #sym)
#define	__sym_compat(sym, impl, verid)					\
	__asm__ (".symver " #impl ", " #sym "@" #verid)

#endif /* !_STUB_SYS_CDEFS_H_ */
