# A library: LIB, SHLIB_MAJOR, SRCS, INCS, MAN, FILES, VERSION_MAP; with
# INTERNALLIB, one that is not installed.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.include <bsd.init.mk>
.include <bsd.symver.mk>

PICFLAG?=	-fPIC

.c.pico:
	${CC} ${PICFLAG} -DPIC ${CFLAGS} ${CFLAGS.${.IMPSRC:T}} -c ${.IMPSRC} \
	    -o ${.TARGET}

OBJS+=		${SRCS:N*.h:T:R:S/$/.o/}
SOBJS+=		${OBJS:.o=.pico}
_LIBS=		lib${LIB}.a
.if defined(INSTALL_PIC_ARCHIVE)
_LIBS+=		lib${LIB}_pic.a
.endif
.if defined(SHLIB_MAJOR)
SHLIB_NAME?=	lib${LIB}.so.${SHLIB_MAJOR}
SHLIB_LINK?=	${SHLIB_NAME:R}
.endif
.NOPATH:	${OBJS} ${SOBJS} ${_LIBS} ${SHLIB_NAME}
CLEANFILES+=	${OBJS} ${SOBJS} ${_LIBS} ${SHLIB_NAME} ${SHLIB_LINK} \
		${OBJS:.o=.d} ${SOBJS:.pico=.pico.d}
LDADD+=		${LIBADD:S/^/-l/}

CFLAGS+=	-MD -MP -MF ${.TARGET}.d
.for _d in ${OBJS} ${SOBJS}
CLEANFILES+=	${_d}.d
.-include "${.OBJDIR}/${_d}.d"
.endfor

all:		${_LIBS} ${SHLIB_NAME}

lib${LIB}.a:	${OBJS}
	@rm -f ${.TARGET}
	${AR} ${ARFLAGS} ${.TARGET} ${OBJS}

lib${LIB}_pic.a: ${SOBJS}
	@rm -f ${.TARGET}
	${AR} ${ARFLAGS} ${.TARGET} ${SOBJS}

.if defined(SHLIB_NAME)
.if !empty(VERSION_MAP)
LDFLAGS+=	-Wl,--version-script=${VERSION_MAP}
${SHLIB_NAME}:	${VERSION_MAP}
_CHECK_EXPORTS=	${NM} -D --defined-only ${.TARGET}.new | \
		    ${AWK} -v map=${VERSION_MAP} -f ${_VERSION_CHECK}
.endif
_VERSION_CHECK:= ${.PARSEDIR}/version_check.awk
# It gets its name when it is whole: it may be preloaded meanwhile.
${SHLIB_NAME}:	${SOBJS} ${DPADD}
	${CC} ${CFLAGS:M-[fOg]*} ${LDFLAGS} -shared -Wl,-soname,${SHLIB_NAME} \
	    -Wl,--fatal-warnings -o ${.TARGET}.new ${SOBJS} ${LDADD}
	@${_CHECK_EXPORTS}
	@mv -f ${.TARGET}.new ${.TARGET}
	@${LN} -fs ${SHLIB_NAME} ${SHLIB_LINK}
.endif

.if !defined(INTERNALLIB)
realinstall:	libinstall
.endif
libinstall: .PHONY ${_LIBS} ${SHLIB_NAME}
.for _l in ${_LIBS}
	${_INSTALL_FILE} -m ${LIBMODE} ${_l} ${DESTDIR}${LIBDIR}/${_l}
.endfor
.if defined(SHLIB_NAME)
	${_INSTALL_FILE} -m ${LIBMODE} ${SHLIB_NAME} \
	    ${DESTDIR}${SHLIBDIR}/${SHLIB_NAME}
	${LN} -fs ${SHLIB_NAME} ${DESTDIR}${SHLIBDIR}/${SHLIB_LINK}
.endif

.include <bsd.incs.mk>
.include <bsd.files.mk>
.include <bsd.man.mk>
.include <bsd.subdir.mk>
.include <bsd.clean.mk>
.endif
