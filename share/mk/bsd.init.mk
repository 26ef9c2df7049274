# What every kind of Makefile starts with.
.if ${.MAKE.OS} == "FreeBSD"
.include "/usr/share/mk/${.PARSEFILE}"
.else
.if !target(__<bsd.init.mk>__)
__<bsd.init.mk>__:
.if exists(${.CURDIR}/../Makefile.inc)
.include "${.CURDIR}/../Makefile.inc"
.endif
.include <bsd.own.mk>
.include <bsd.sys.mk>
.MAIN:		all
.PHONY:		all check clean includes install manlint beforeinstall \
		realinstall afterinstall
all:
install:	beforeinstall .WAIT realinstall .WAIT afterinstall
beforeinstall realinstall afterinstall:
.endif
.endif
