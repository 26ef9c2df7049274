# The top of the tree: the library, its tests, and "check" over all of them.
#
# Debian's bmake does not look for this tree's share/mk by itself, so the
# first make only starts a second one that does.  FreeBSD's make finds it.

.if ${.MAKE.OS} != "FreeBSD" && !defined(DSM_MK)
.MAIN: all
all check clean includes install manlint: .PHONY
	@cd ${.CURDIR} && env -u MAKEOBJDIRPREFIX -u MAKEOBJDIR \
	    ${MAKEOBJDIRPREFIX:DOBJTOP=${MAKEOBJDIRPREFIX}${.CURDIR}} \
	    MAKESYSPATH=${.CURDIR}/share/mk ${.MAKE} ${.TARGET}
.else
SUBDIR=		lib tests
SUBDIR_DEPEND_tests= lib

.if ${.MAKE.OS} != "FreeBSD"
# One Kyuafile over the built tests, so that one kyua sees them all.
_SUBDIR_TARGETS= all clean includes install manlint

Kyuafile: Makefile
	@(echo 'syntax(2)'; echo 'test_suite("dsmalloc")'; \
	    echo 'include("lib/libc/tests/Kyuafile")'; \
	    echo 'include("tests/Kyuafile")') > ${.TARGET}

check: all Kyuafile
	@rm -f kyua.db
	${KYUA} test -r ${.OBJDIR}/kyua.db -k ${.OBJDIR}/Kyuafile

clean: cleantop
cleantop: .PHONY
	@rm -f Kyuafile kyua.db
.endif

.include "Makefile.inc"
.include <bsd.subdir.mk>
.endif
