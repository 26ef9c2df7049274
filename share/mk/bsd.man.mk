# Manual pages: MAN=page.sect ..., MLINKS=from.sect to.sect ...
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.if ${MK_MAN} != "no"
realinstall:	maninstall
maninstall: .PHONY ${MAN}
.for _p in ${MAN}
	${_INSTALL_FILE} -m ${MANMODE} ${.ALLSRC:M*${_p}} \
	    ${DESTDIR}${MANDIR}${_p:E}/${_p:T}
.endfor
# The two ends of a link may be in different sections.
.for _from _to in ${MLINKS}
	@mkdir -p ${DESTDIR}${MANDIR}${_to:E}
	${LN} -fs ../man${_from:E}/${_from} ${DESTDIR}${MANDIR}${_to:E}/${_to}
.endfor
.if !empty(MAN)
# All pages at once: they refer to each other.
manlint: .PHONY ${MAN}
	${MANDOC} -Tlint -Wwarning ${.ALLSRC:O:u}
.endif
.endif
.endif
