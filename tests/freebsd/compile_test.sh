#
# SPDX-License-Identifier: BSD-2-Clause
#
# The sources must compile for FreeBSD, where this runs on another system:
# against headers in include/ that declare what the sources use of FreeBSD's,
# and nothing else.

# The words after which a compiler compiles for FreeBSD.
target()
{
	case $("${1}" --version) in
	*clang*)
		echo "${1} --target=x86_64-unknown-freebsd15 -nostdlibinc"
		;;
	*)
		echo "${1} -D__FreeBSD__=15 -U__linux__ -U__gnu_linux__" \
		    "-nostdinc -isystem $("${1}" -print-file-name=include)"
		;;
	esac
}

# <sys/queue.h> is every BSD's, and this system's as well.
queue()
{
	mkdir -p host/sys
	echo '#include <sys/queue.h>' | "${1}" -E - |
	    sed -n 's/^# 1 "\(.*queue\.h\)".*/\1/p' |
	    while read -r header; do
		    ln -fs "${header}" host/sys/queue.h
	    done
}

# compile compiler flag ...: all sources
compile()
{
	local cc top words

	cc=${1}
	shift
	top=$(dsm_tree)
	[ -n "${top}" ] || atf_skip "the sources are not here"
	command -v "${cc}" >/dev/null || return 0
	queue "${cc}"
	words="$(target "${cc}") -ffreestanding -std=gnu11 -fsyntax-only -O2"
	words="${words} -Wall -Wextra -Wshadow -Wstrict-prototypes"
	words="${words} -Wmissing-prototypes -Wcast-qual -Wwrite-strings"
	words="${words} -Werror -fPIC -fvisibility=hidden -fexceptions"
	words="${words} -isystem ${top}/tests/freebsd/include -isystem host"
	words="${words} -I${top}/lib/libc/stdlib/malloc"
	words="${words} -I${top}/lib/libc/stdlib/malloc/dsmalloc"
	for file in "${top}"/lib/libc/stdlib/malloc/dsmalloc/dsm_*.c; do
		case ${file} in
		*/dsm_os_linux.c)
			continue
			;;
		esac
		# shellcheck disable=SC2086
		atf_check ${words} "${@}" "${file}"
	done
}

atf_test_case standalone
standalone_head()
{
	atf_set descr "The stand-alone library, for production and debugging"
}
standalone_body()
{
	for cc in gcc clang; do
		compile ${cc} -DMALLOC_PRODUCTION
		compile ${cc}
	done
}

atf_test_case libc
libc_head()
{
	atf_set descr "The part of libc, for production and debugging"
}
libc_body()
{
	for cc in gcc clang; do
		compile ${cc} -DDSM_IN_LIBC -DMALLOC_PRODUCTION
		compile ${cc} -DDSM_IN_LIBC
	done
}

atf_init_test_cases()
{
	atf_add_test_case standalone
	atf_add_test_case libc
}
