# ATF_TESTS_C, ATF_TESTS_CXX, ATF_TESTS_SH, PLAIN_TESTS_C, TESTS_SUBDIRS.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.include <bsd.init.mk>

.if !defined(TESTSDIR)
.error Please define TESTSDIR when including bsd.test.mk
.endif
TESTSUITE?=	${.CURDIR:T}
KYUAFILE?=	auto
BINDIR=		${TESTSDIR}
FILESDIR=	${TESTSDIR}
PROGS+=		${ATF_TESTS_C} ${PLAIN_TESTS_C}
PROGS_CXX+=	${ATF_TESTS_CXX}
SCRIPTS+=	${ATF_TESTS_SH}
_TESTS=		${ATF_TESTS_C} ${ATF_TESTS_CXX} ${ATF_TESTS_SH} ${PLAIN_TESTS_C}

.for _t in ${ATF_TESTS_C}
LIBADD.${_t}+=	atf-c
TEST_INTERFACE.${_t}=	atf
.endfor
.for _t in ${ATF_TESTS_CXX}
LIBADD.${_t}+=	atf-c++ atf-c
TEST_INTERFACE.${_t}=	atf
.endfor
.for _t in ${PLAIN_TESTS_C}
TEST_INTERFACE.${_t}=	plain
.endfor

ATF_SH?=	/usr/bin/atf-sh
.for _t in ${ATF_TESTS_SH}
TEST_INTERFACE.${_t}=	atf
ATF_TESTS_SH_SRC_${_t}?= ${_t}.sh
CLEANFILES+=	${_t}
.NOPATH:	${_t}
${_t}:		${ATF_TESTS_SH_SRC_${_t}}
	@(echo '#! ${ATF_SH}'; cat ${.ALLSRC}) > ${.TARGET} && chmod +x ${.TARGET}
.endfor

# Tests find their data beside them, wherever they are built.
.if !empty(PACKAGE)
FILES+=		${${PACKAGE}FILES}
.endif
.for _f in ${FILES:NKyuafile}
all:		${.OBJDIR}/${_f}
CLEANFILES+=	${_f}
${.OBJDIR}/${_f}: ${.CURDIR}/${_f}
	@${LN} -fs ${.ALLSRC} ${.TARGET}
.endfor

SUBDIR+=	${TESTS_SUBDIRS}
_SUBDIR_TARGETS= all clean includes install manlint

.if ${KYUAFILE} == "auto"
all:		Kyuafile
CLEANFILES+=	Kyuafile kyua.db
FILES+=		Kyuafile
.NOPATH:	Kyuafile
Kyuafile:	Makefile
	@(echo 'syntax(2)'; echo 'test_suite("${TESTSUITE}")') > ${.TARGET}
.for _t in ${_TESTS}
	@echo '${TEST_INTERFACE.${_t}}_test_program{name="${_t}"${TEST_METADATA:D, ${TEST_METADATA:ts,}}${TEST_METADATA.${_t}:D, ${TEST_METADATA.${_t}:ts,}}}' >> ${.TARGET}
.endfor
.for _d in ${TESTS_SUBDIRS} ${KYUA_SUBDIRS}
	@echo 'include("${_d}/Kyuafile")' >> ${.TARGET}
.endfor
.endif

check:		all
	@rm -f kyua.db
	${KYUA} test -r ${.OBJDIR}/kyua.db -k ${.OBJDIR}/Kyuafile

.include <bsd.prog.mk>
.endif
