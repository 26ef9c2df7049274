# Read before any Makefile: default commands, rules, and where to build.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
DSM_MK=		yes

.SUFFIXES:	.c .cc .S .o .pico .a .so .sh

CC?=		cc
CXX?=		c++
CFLAGS?=	-O2 -g
CXXFLAGS?=	${CFLAGS}
CPP?=		cpp
AR?=		ar
ARFLAGS?=	-crD
AWK?=		awk
ECHO?=		echo
INSTALL?=	install
LN?=		ln
NM?=		nm
MANDOC?=	mandoc
KYUA?=		kyua

# Each directory is built in the same one below OBJTOP, made on demand.
.if !defined(OBJTOP)
_srctop:=	${.PARSEDIR:tA:H:H}
.if !empty(MAKEOBJDIRPREFIX)
OBJTOP=		${MAKEOBJDIRPREFIX}${_srctop}
.else
OBJTOP=		${_srctop}/obj
.endif
.endif
_objdir:=	${OBJTOP}${.CURDIR:tA:S,^${.PARSEDIR:tA:H:H},,}
.if !exists(${_objdir}/)
_made!=		mkdir -p ${_objdir} && echo yes
.endif
.OBJDIR:	${_objdir}

.c.o:
	${CC} ${CFLAGS} ${CFLAGS.${.IMPSRC:T}} -c ${.IMPSRC} -o ${.TARGET}

.cc.o:
	${CXX} ${CXXFLAGS} ${CXXFLAGS.${.IMPSRC:T}} -c ${.IMPSRC} -o ${.TARGET}
.endif
