# Turn WITH_FOO and WITHOUT_FOO into MK_FOO={yes,no}; WITHOUT wins.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.for _o in ${__DEFAULT_YES_OPTIONS}
.if defined(WITHOUT_${_o})
MK_${_o}?=	no
.endif
MK_${_o}?=	yes
.endfor
.for _o in ${__DEFAULT_NO_OPTIONS}
.if defined(WITH_${_o}) && !defined(WITHOUT_${_o})
MK_${_o}?=	yes
.endif
MK_${_o}?=	no
.endfor
.undef __DEFAULT_YES_OPTIONS
.undef __DEFAULT_NO_OPTIONS
.endif
