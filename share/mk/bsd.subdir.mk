# Do a target in every SUBDIR; SUBDIR_DEPEND_a=b makes a wait for b.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.include <bsd.init.mk>

_SUBDIR_TARGETS?= all check clean includes install manlint
.for _t in ${_SUBDIR_TARGETS}
.for _d in ${SUBDIR}
${_t}: ${_t}.${_d:S,/,_,g}
${_t}.${_d:S,/,_,g}: .PHONY .MAKE ${SUBDIR_DEPEND_${_d}:S/^/${_t}./}
	@${ECHO} "===> ${.CURDIR:T}/${_d} (${_t})"
	@cd ${.CURDIR}/${_d} && ${.MAKE} ${_t}
.endfor
.if !target(${_t})
${_t}: .PHONY
.endif
.endfor
.endif
