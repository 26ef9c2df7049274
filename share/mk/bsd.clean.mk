# Remove what the build made.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.if !target(clean)
clean:
.endif
clean: _clean
_clean: .PHONY
.if !empty(CLEANFILES)
	@rm -f ${CLEANFILES:O:u}
.endif
.endif
