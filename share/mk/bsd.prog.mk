# Programs: PROG, or PROGS and PROGS_CXX with SRCS.p and LDADD.p; SCRIPTS.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.include <bsd.init.mk>

PROGS+=		${PROG}
.if defined(PROG)
SRCS.${PROG}?=	${SRCS:U${PROG}.c}
.endif
all:		${PROGS} ${PROGS_CXX} ${SCRIPTS}

CFLAGS+=	-MD -MP -MF ${.TARGET}.d
CXXFLAGS+=	-MD -MP -MF ${.TARGET}.d
.for _p in ${PROGS_CXX}
SRCS.${_p}?=	${_p}.cc
_LINK.${_p}=	${CXX} ${CXXFLAGS}
.endfor
.for _p in ${PROGS}
SRCS.${_p}?=	${_p}.c
_LINK.${_p}=	${CC} ${CFLAGS}
.endfor
.for _p in ${PROGS} ${PROGS_CXX}
_OBJS.${_p}=	${SRCS.${_p}:N*.h:T:R:S/$/.o/}
.NOPATH:	${_OBJS.${_p}} ${_p}
CLEANFILES+=	${_p} ${_OBJS.${_p}} ${_OBJS.${_p}:S/$/.d/} ${_p}.d
${_p}:		${_OBJS.${_p}} ${DPADD} ${DPADD.${_p}}
	${_LINK.${_p}:N-M*:N${.TARGET}.d} ${LDFLAGS} ${LDFLAGS.${_p}} \
	    -o ${.TARGET} ${_OBJS.${_p}} ${LDADD.${_p}} ${LDADD} \
	    ${LIBADD.${_p}:S/^/-l/} ${LIBADD:S/^/-l/}
.for _d in ${_OBJS.${_p}}
.-include "${.OBJDIR}/${_d}.d"
.endfor
.endfor

realinstall:	proginstall
proginstall: .PHONY ${PROGS} ${PROGS_CXX} ${SCRIPTS}
.for _p in ${PROGS} ${PROGS_CXX} ${SCRIPTS}
	${_INSTALL_FILE} -m ${BINMODE} ${_p} \
	    ${DESTDIR}${BINDIR.${_p}:U${BINDIR}}/${_p}
.endfor

.include <bsd.incs.mk>
.include <bsd.files.mk>
.include <bsd.man.mk>
.include <bsd.subdir.mk>
.include <bsd.clean.mk>
.endif
