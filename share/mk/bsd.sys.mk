# Warnings, by FreeBSD's levels.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.if defined(WARNS)
.if ${WARNS} >= 1 && ${MK_WERROR} == "yes"
CWARNFLAGS+=	-Werror
.endif
.if ${WARNS} >= 2
CWARNFLAGS+=	-Wall -Wno-format-y2k
.endif
.if ${WARNS} >= 3
CWARNFLAGS+=	-Wextra -Wno-unused-parameter -Wpointer-arith
CWARNFLAGS.c+=	-Wstrict-prototypes -Wmissing-prototypes
.endif
.if ${WARNS} >= 4
CWARNFLAGS+=	-Wreturn-type -Wcast-qual -Wwrite-strings -Wswitch -Wshadow
.endif
.if ${WARNS} >= 6
CWARNFLAGS+=	-Wchar-subscripts
CWARNFLAGS.c+=	-Wnested-externs -Wold-style-definition
.endif
.endif
CSTD?=		gnu11
CFLAGS+=	-std=${CSTD} ${CWARNFLAGS} ${CWARNFLAGS.c}
CXXFLAGS+=	${CWARNFLAGS}
.endif
