/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * cxx: C++'s operators new and delete, all twenty, in C: under the names
 * that the Itanium C++ ABI gives them, and without linking to a C++ library.
 *
 * They exist for speed (one call less) and for the sizes that the sized
 * forms of delete know.  When memory is out, the new handler and the
 * exception come from the program's C++ library, if it has one.
 *
 * Exceptions pass through this file, which is compiled with -fexceptions.
 */
#include <unwind.h>

#include "dsm_api.h"
#include "dsm_defs.h"
#include "dsm_print.h"

#define	CXX_WEAK	__attribute__((__weak__))

/* std::get_new_handler(), and std::bad_alloc's table of virtual functions,
 * type and destructor. */
void	(*_ZSt15get_new_handlerv(void))(void) CXX_WEAK;
extern const void *const _ZTVSt9bad_alloc[] CXX_WEAK;
extern char	_ZTISt9bad_alloc[] CXX_WEAK;
void	_ZNSt9bad_allocD1Ev(void *) CXX_WEAK;

/* The C++ ABI's, and the unwinder's, where a C++ library is. */
void	*__cxa_allocate_exception(size_t) CXX_WEAK;
void	__cxa_throw(void *, void *, void (*)(void *)) CXX_WEAK;
void	*__cxa_begin_catch(void *) CXX_WEAK;
void	__cxa_end_catch(void) CXX_WEAK;
extern __typeof__(_Unwind_GetLanguageSpecificData)
	_Unwind_GetLanguageSpecificData CXX_WEAK;
extern __typeof__(_Unwind_SetGR) _Unwind_SetGR CXX_WEAK;
extern __typeof__(_Unwind_SetIP) _Unwind_SetIP CXX_WEAK;

/* size_t is mangled as m, unsigned long. */
_Static_assert(__builtin_types_compatible_p(size_t, unsigned long),
    "another mangling of size_t");

/*
 * The forms that may not throw must catch what the handler throws.  C cannot
 * say so: cxx_guard() calls the handler from a frame whose personality
 * routine says that it catches everything, at the address that stands where
 * other languages have a table.  It returns false after an exception.
 */
bool	cxx_guard(void (*handler)(void));
_Unwind_Reason_Code cxx_personality(int, _Unwind_Action, uint64_t,
	    struct _Unwind_Exception *, struct _Unwind_Context *)
	    __attribute__((__used__));
void	cxx_caught(void *exception) __attribute__((__used__));

#define	CXX_STR_(x)	#x
#define	CXX_STR(x)	CXX_STR_(x)
#define	CXX_FRAME							\
	"	.text\n"						\
	"	.hidden	" CXX_STR(cxx_guard) "\n"			\
	"	.globl	" CXX_STR(cxx_guard) "\n"			\
	"	.type	" CXX_STR(cxx_guard) ", %function\n"		\
	CXX_STR(cxx_guard) ":\n"					\
	"	.cfi_startproc\n"					\
	"	.cfi_personality 0x1b, " CXX_STR(cxx_personality) "\n"	\
	"	.cfi_lsda 0x1b, .Lcxx_catch\n"
#define	CXX_FRAME_END							\
	"	.cfi_endproc\n"						\
	"	.size	" CXX_STR(cxx_guard) ", . - " CXX_STR(cxx_guard) "\n"

#if defined(__x86_64__)
__asm__ (CXX_FRAME
    "	endbr64\n"
    "	subq	$8, %rsp\n"
    "	.cfi_adjust_cfa_offset 8\n"
    "	call	*%rdi\n"
    "	movl	$1, %eax\n"
    "	jmp	.Lcxx_return\n"
    ".Lcxx_catch:\n"
    "	endbr64\n"
    "	movq	%rax, %rdi\n"
    "	call	" CXX_STR(cxx_caught) "\n"
    "	xorl	%eax, %eax\n"
    ".Lcxx_return:\n"
    "	addq	$8, %rsp\n"
    "	.cfi_adjust_cfa_offset -8\n"
    "	ret\n"
    CXX_FRAME_END);
#define	CXX_REG		0	/* rax, as the unwinder counts */
#elif defined(__aarch64__)
__asm__ (CXX_FRAME
    "	stp	x29, x30, [sp, -16]!\n"
    "	.cfi_def_cfa_offset 16\n"
    "	.cfi_offset 29, -16\n"
    "	.cfi_offset 30, -8\n"
    "	mov	x29, sp\n"
    "	blr	x0\n"
    "	mov	w0, 1\n"
    "	b	.Lcxx_return\n"
    ".Lcxx_catch:\n"
    "	bl	" CXX_STR(cxx_caught) "\n"
    "	mov	w0, 0\n"
    ".Lcxx_return:\n"
    "	ldp	x29, x30, [sp], 16\n"
    "	.cfi_restore 30\n"
    "	.cfi_restore 29\n"
    "	.cfi_def_cfa_offset 0\n"
    "	ret\n"
    CXX_FRAME_END);
#define	CXX_REG		0	/* x0 */
#else
/* Elsewhere an exception passes on to the caller. */
bool
cxx_guard(void (*handler)(void))
{

	handler();
	return (true);
}
#define	CXX_REG		0
#endif

/* Nothing of cxx_guard() is to be cleaned up when the unwinding is forced,
 * by pthread_exit() or cancellation; anything else stops there. */
_Unwind_Reason_Code
cxx_personality(int version, _Unwind_Action actions, uint64_t class,
    struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{

	(void)version;
	(void)class;
	if ((actions & _UA_FORCE_UNWIND) != 0)
		return (_URC_CONTINUE_UNWIND);
	if ((actions & _UA_SEARCH_PHASE) != 0)
		return (_URC_HANDLER_FOUND);
	_Unwind_SetGR(context, CXX_REG, (uintptr_t)exception);
	_Unwind_SetIP(context,
	    (uintptr_t)_Unwind_GetLanguageSpecificData(context));
	return (_URC_INSTALL_CONTEXT);
}

/* As catch (...) { }. */
void
cxx_caught(void *exception)
{

	__cxa_begin_catch(exception);
	__cxa_end_catch();
}

static void *
cxx_try(size_t size, size_t align)
{

	return (align == 0 ? __malloc(size) : __aligned_alloc(align, size));
}

static void
(*cxx_handler(void))(void)
{

	if (_ZSt15get_new_handlerv == NULL)
		return (NULL);
	return (_ZSt15get_new_handlerv());
}

/*
 * throw std::bad_alloc(), spelt out: an object of one pointer, past the two
 * words that head every virtual table.  The library's function for it would
 * not do, for a weak reference does not draw it out of a static library, but
 * what a program needs to catch the exception is there.
 */
static void
cxx_throw(void)
{
	const void **obj;

	if (_ZTVSt9bad_alloc == NULL || _ZTISt9bad_alloc == NULL ||
	    _ZNSt9bad_allocD1Ev == NULL || __cxa_throw == NULL ||
	    __cxa_allocate_exception == NULL)
		return;
	obj = __cxa_allocate_exception(sizeof(*obj));
	*obj = &_ZTVSt9bad_alloc[2];
	__cxa_throw(obj, _ZTISt9bad_alloc, _ZNSt9bad_allocD1Ev);
}

/* Call the handler as long as there is one and it does not help. */
static DSM_COLD void *
cxx_throwing(size_t size, size_t align)
{
	void (*handler)(void);
	void *p;

	while ((handler = cxx_handler()) != NULL) {
		handler();
		if ((p = cxx_try(size, align)) != NULL)
			return (p);
	}
	cxx_throw();
	print_fatal("operator new: out of memory (%zu bytes)", size);
}

static DSM_COLD void *
cxx_nothrow(size_t size, size_t align)
{
	void (*handler)(void);
	void *p;

	while ((handler = cxx_handler()) != NULL) {
		if (!cxx_guard(handler))
			return (NULL);
		if ((p = cxx_try(size, align)) != NULL)
			return (p);
	}
	return (NULL);
}

/*
 * The operators.  Z is the name's beginning: nw and na are new and new[], dl
 * and da delete and delete[].  An argument of type std::nothrow_t is a
 * reference, and one of std::align_val_t a size_t.
 */
#define	CXX_NEW(z)							\
	DSM_EXPORT void *z##m(size_t);					\
	DSM_EXPORT void *z##mRKSt9nothrow_t(size_t, const void *);	\
	DSM_EXPORT void *z##mSt11align_val_t(size_t, size_t);		\
	DSM_EXPORT void *z##mSt11align_val_tRKSt9nothrow_t(size_t,	\
	    size_t, const void *);					\
									\
	void *								\
	z##m(size_t size)						\
	{								\
		void *p = __malloc(size);				\
									\
		return (likely(p != NULL) ? p : cxx_throwing(size, 0));	\
	}								\
									\
	void *								\
	z##mRKSt9nothrow_t(size_t size, const void *tag)		\
	{								\
		void *p = __malloc(size);				\
									\
		(void)tag;						\
		return (likely(p != NULL) ? p : cxx_nothrow(size, 0));	\
	}								\
									\
	void *								\
	z##mSt11align_val_t(size_t size, size_t align)			\
	{								\
		void *p = __aligned_alloc(align, size);			\
									\
		return (likely(p != NULL) ? p :				\
		    cxx_throwing(size, align));				\
	}								\
									\
	void *								\
	z##mSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,	\
	    const void *tag)						\
	{								\
		void *p = __aligned_alloc(align, size);			\
									\
		(void)tag;						\
		return (likely(p != NULL) ? p :				\
		    cxx_nothrow(size, align));				\
	}

#define	CXX_DELETE(z)							\
	DSM_EXPORT void z##Pv(void *);					\
	DSM_EXPORT void z##PvRKSt9nothrow_t(void *, const void *);	\
	DSM_EXPORT void z##Pvm(void *, size_t);				\
	DSM_EXPORT void z##PvSt11align_val_t(void *, size_t);		\
	DSM_EXPORT void z##PvSt11align_val_tRKSt9nothrow_t(void *,	\
	    size_t, const void *);					\
	DSM_EXPORT void z##PvmSt11align_val_t(void *, size_t, size_t);	\
									\
	void								\
	z##Pv(void *p)							\
	{								\
									\
		__free(p);						\
	}								\
									\
	void								\
	z##PvRKSt9nothrow_t(void *p, const void *tag)			\
	{								\
									\
		(void)tag;						\
		__free(p);						\
	}								\
									\
	void								\
	z##Pvm(void *p, size_t size)					\
	{								\
									\
		__free_sized(p, size);					\
	}								\
									\
	void								\
	z##PvSt11align_val_t(void *p, size_t align)			\
	{								\
									\
		(void)align;						\
		__free(p);						\
	}								\
									\
	void								\
	z##PvSt11align_val_tRKSt9nothrow_t(void *p, size_t align,	\
	    const void *tag)						\
	{								\
									\
		(void)align;						\
		(void)tag;						\
		__free(p);						\
	}								\
									\
	void								\
	z##PvmSt11align_val_t(void *p, size_t size, size_t align)	\
	{								\
									\
		__free_aligned_sized(p, align, size);			\
	}

CXX_NEW(_Znw)
CXX_NEW(_Zna)
CXX_DELETE(_Zdl)
CXX_DELETE(_Zda)
