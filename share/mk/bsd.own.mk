# Where things are installed, as whom, and the options common to all.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.if !target(__<bsd.own.mk>__)
__<bsd.own.mk>__:

__DEFAULT_YES_OPTIONS+=	MAN SYMVER TESTS WERROR
.include <bsd.mkopt.mk>

PREFIX?=	/usr
BINDIR?=	${PREFIX}/bin
LIBDIR?=	${PREFIX}/lib
SHLIBDIR?=	${LIBDIR}
INCLUDEDIR?=	${PREFIX}/include
SHAREDIR?=	${PREFIX}/share
MANDIR?=	${SHAREDIR}/man/man
TESTSBASE?=	/usr/tests

BINMODE?=	755
LIBMODE?=	644
FILESMODE?=	644
MANMODE?=	644

# Only root can give files away; what others install stays their own.
.if !defined(_UID)
_UID!=		id -u
.endif
.if ${_UID} == 0
_OWN?=		-o root -g 0
.endif

# This is GNU's install(1), where -D makes the leading directories.
_INSTALL_FILE=	${INSTALL} -D ${_OWN}
.endif
.endif
