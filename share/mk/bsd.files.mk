# Data: FILES, to FILESDIR; more kinds of them by FILESGROUPS.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
FILESGROUPS?=	FILES
realinstall:	filesinstall
filesinstall: .PHONY
.for _g in ${FILESGROUPS}
filesinstall:	_install${_g}
_install${_g}: .PHONY ${${_g}}
.for _f in ${${_g}}
	${_INSTALL_FILE} -m ${${_g}MODE:U${FILESMODE}} ${.ALLSRC:M*${_f}:[1]} \
	    ${DESTDIR}${${_g}DIR:U${FILESDIR}}/${${_g}NAME:U${_f:T}}
.endfor
.endfor
.endif
