# Headers: INCS, to INCSDIR.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
INCSDIR?=	${INCLUDEDIR}
realinstall:	incsinstall
includes:	incsinstall
incsinstall: .PHONY ${INCS}
.for _f in ${INCS}
	${_INSTALL_FILE} -m ${FILESMODE} ${.ALLSRC:M*${_f}} \
	    ${DESTDIR}${INCSDIR}/${_f:T}
.endfor
.endif
