#
# SPDX-License-Identifier: BSD-2-Clause
#
# What the library takes from others and what it shows them: the names that
# it defines and needs, and how much thread-local storage.  public_names,
# which is put before this, prints the names in the Symbol.maps.

archive()
{
	echo "$(dirname "$(dsm_library)")/libdsmalloc.a"
}

# Fail when the first file of sorted names has a line that the second has not.
within()
{
	comm -23 "${1}" "${2}" >extra
	[ ! -s extra ] || atf_fail "${3}: $(tr '\n' ' ' <extra)"
}

describe()
{
	atf_set "descr" "${1}"
	atf_set "require.progs" "nm readelf"
}

atf_test_case exported
exported_head()
{
	describe "The shared library exports what the maps list, and no more"
}
exported_body()
{
	public_names | sort -u >public
	nm -D --defined-only "$(dsm_library)" | awk '{ print $NF }' |
	    sort -u >defined
	within defined public "exported but not listed"
	within public defined "listed but not there"
	[ $(wc -l <public) -gt 40 ] || atf_fail "a short list"
}

atf_test_case reserved
reserved_head()
{
	describe "Every other global in the archive has a reserved name"
}
reserved_body()
{
	public_names | sort -u >public
	nm -g --defined-only "$(archive)" | awk 'NF == 3 { print $3 }' |
	    sort -u >defined
	[ $(grep -c '^__dsm_' defined) -gt 100 ] || atf_fail "a short list"
	# Section groups of position-independent code are the compiler's.
	grep -v -e '^__dsm_' -e '^__x86.get_pc_thunk' -e '^DW\.ref\.' \
	    defined >others
	within others public "neither public nor reserved"
}

# The names that may be asked of others: none that allocates, locks, or does
# more than its name says, for we are called from anywhere.
allowed()
{
	# Memory and strings.
	echo memchr memcmp bcmp memcpy memmove memset
	echo strchr strlen strncmp strrchr
	# The process, its threads and its forks.
	echo environ __environ getauxval __errno_location __error
	echo pthread_atfork __register_atfork pthread_key_create
	echo pthread_setspecific __rseq_offset __rseq_size
	# For a thread of our own, where there may be one (dsm_spawn.h).
	echo gnu_get_libc_version pthread_attr_destroy pthread_attr_init
	echo pthread_attr_setstacksize pthread_detach pthread_join
	echo pthread_setcancelstate pthread_sigmask sigfillset
	# What compilers and linkers put in.
	echo __popcountdi2 _GLOBAL_OFFSET_TABLE_ __tls_get_addr
	echo _ITM_deregisterTMCloneTable _ITM_registerTMCloneTable
	echo __cxa_finalize __gmon_start__ __stack_chk_fail
	echo __dso_handle
}

# What a C++ program has anyway; without it, nobody throws.  And what a static
# program or an older C library lacks.
allowed_weak()
{
	echo pthread_create _dl_find_object
	echo _Unwind_GetLanguageSpecificData _Unwind_SetGR _Unwind_SetIP
	echo _ZNSt9bad_allocD1Ev _ZSt15get_new_handlerv
	echo _ZTISt9bad_alloc _ZTVSt9bad_alloc
	echo __cxa_allocate_exception __cxa_begin_catch __cxa_end_catch
	echo __cxa_throw
	# What tools have that replace malloc, and glibc's own malloc.
	echo __asan_init __hwasan_init __lsan_init __msan_init __tsan_init
	echo _vgnU_freeres __libc_free
}

# undefined file letters [nm flag]: names of these kinds
undefined()
{
	nm ${3} -u "${1}" | sed -n "s/^ *[${2}] \([^@]*\).*/\1/p" | sort -u
}

atf_test_case needed
needed_head()
{
	describe "The library calls nothing outside a short list"
}
needed_body()
{
	allowed | tr ' ' '\n' >strong
	allowed_weak | tr ' ' '\n' | sort -u - strong >weak
	sort -o strong -u strong
	undefined "$(dsm_library)" U -D >needed
	[ -s needed ] || atf_fail "nothing needed: cannot be"
	within needed strong "the shared library needs"
	undefined "$(dsm_library)" wv -D >needed
	within needed weak "the shared library would like"

	# In the archive, what one object needs another may have.
	nm -g --defined-only "$(archive)" | awk 'NF == 3 { print $3 }' |
	    sort -u - strong >all
	undefined "$(archive)" U >needed
	[ -s needed ] || atf_fail "nothing needed: cannot be"
	within needed all "the archive needs"
	undefined "$(archive)" wv >needed
	sort -o all -u all weak
	within needed all "the archive would like"
}

atf_test_case tls
tls_head()
{
	describe "Static thread-local storage is at most 64 bytes"
}
tls_body()
{
	local size

	unset MALLOC_CONF LD_PRELOAD
	[ "$("$(atf_get_srcdir)/h_conf" bool:config.debug)" = \
	    "config.debug=false" ] || atf_skip "a debug build"
	# TLS offset address address file-size memory-size flags alignment
	size=$(readelf -lW "$(dsm_library)" | awk '$1 == "TLS" { print $6 }')
	[ -n "${size}" ] || atf_fail "no TLS segment: cannot be"
	[ $((size)) -le 64 ] || atf_fail "$((size)) bytes"
}

atf_init_test_cases()
{
	atf_add_test_case exported
	atf_add_test_case reserved
	atf_add_test_case needed
	atf_add_test_case tls
}
