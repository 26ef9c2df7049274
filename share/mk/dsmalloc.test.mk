# What this tree's tests have in common: the library, in one of three ways.
#
# A test program is linked with the shared library.  One named in
# TESTS_INTERNAL is linked with the archive, and so reaches the hidden symbols
# of dsm_*.h too; one in TESTS_PLAIN is linked with neither, for it is run with
# the library preloaded.  Shell tests begin with
# tests/library.subr, which runs commands under the library.
#
# Include this after naming the tests, before <bsd.test.mk>.

_DSM_LIBDIR=	${DSM_OBJTOP}/lib/libdsmalloc
_DSM_MALLOCDIR=	${DSM_SRCTOP}/lib/libc/stdlib/malloc

WARNS?=		6
CFLAGS+=	-I${_DSM_MALLOCDIR} -I${_DSM_MALLOCDIR}/dsmalloc \
		-fno-builtin-malloc -fno-builtin-calloc \
		-fno-builtin-realloc -fno-builtin-free \
		-fno-builtin-aligned_alloc -fno-builtin-posix_memalign
CXXFLAGS+=	-I${_DSM_MALLOCDIR}
LDFLAGS+=	-pthread

.if defined(WITHOUT_MALLOC_PRODUCTION)
MK_MALLOC_PRODUCTION?= no
.endif
MK_MALLOC_PRODUCTION?= yes
.if ${MK_MALLOC_PRODUCTION} != "no"
CFLAGS+=	-DMALLOC_PRODUCTION
.endif

# From a test's directory up and down to the library's, first where both are
# installed, then where both are built: no test holds an absolute path, and
# all work below any DESTDIR.
_DSM_INSTALLED:= ${TESTSDIR:S,/, ,g:@_d@..@:ts/}${LIBDIR:U/usr/lib}
_DSM_BUILT:=	${.OBJDIR:S,^${DSM_OBJTOP}/,,:S,/, ,g:@_d@..@:ts/}/lib/libdsmalloc
_DSM_RPATH=	-Wl,-rpath,'$$ORIGIN/${_DSM_INSTALLED}:$$ORIGIN/${_DSM_BUILT}'

.for _p in ${ATF_TESTS_C} ${ATF_TESTS_CXX} ${PLAIN_TESTS_C} ${PROGS} ${PROGS_CXX}
.if !empty(TESTS_INTERNAL:M${_p})
DPADD.${_p}+=	${_DSM_LIBDIR}/libdsmalloc.a
LDADD.${_p}+=	${_DSM_LIBDIR}/libdsmalloc.a
.if ${.MAKE.OS} == "FreeBSD"
LIBADD.${_p}+=	execinfo
.endif
.elif empty(TESTS_PLAIN:M${_p})
DPADD.${_p}+=	${_DSM_LIBDIR}/libdsmalloc.so.1
LDADD.${_p}+=	-Wl,--no-as-needed ${_DSM_LIBDIR}/libdsmalloc.so \
		-Wl,--as-needed
LDFLAGS.${_p}+=	${_DSM_RPATH}
.endif
.endfor

# A shell test begins with the two relative paths and the functions over them.
CLEANFILES+=	library.sh
library.sh: ${DSM_SRCTOP}/tests/library.subr Makefile
	@(echo 'dsm_installed="${_DSM_INSTALLED}"'; \
	    echo 'dsm_built="${_DSM_BUILT}"'; \
	    cat ${DSM_SRCTOP}/tests/library.subr) > ${.TARGET}
.for _t in ${ATF_TESTS_SH}
ATF_TESTS_SH_SRC_${_t}?= library.sh ${_t}.sh
.endfor
