# Make ${VERSION_MAP} from ${VERSION_DEF} and ${SYMBOL_MAPS}.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.if ${MK_SYMVER} == "yes" && !empty(VERSION_DEF) && !empty(SYMBOL_MAPS)
VERSION_MAP?=	Version.map
CLEANFILES+=	${VERSION_MAP}
_VERSION_GEN:=	${.PARSEDIR}/version_gen.awk
${VERSION_MAP}:	${VERSION_DEF} ${_VERSION_GEN} ${SYMBOL_MAPS}
	cat ${SYMBOL_MAPS} | ${CPP} -P - | \
	    ${AWK} -v vfile=${VERSION_DEF} -f ${_VERSION_GEN} > ${.TARGET}
.endif
.endif
