#
# SPDX-License-Identifier: BSD-2-Clause
#
# The library on aarch64: cross-compiled, and run under an emulator with pages
# of 4, 16 and 64 KiB.  The binaries are the same for all.
#
# The emulator's page size is what the program is told and what mappings are
# aligned to; it does not refuse what a kernel with large pages would.

target=aarch64-linux-gnu
pages="4096 16384 65536"

# Skip where the cross-compiler or the emulator is not installed.
need()
{
	top=$(dsm_tree)
	[ -n "${top}" ] || atf_skip "the sources are not here"
	command -v qemu-aarch64 >/dev/null || atf_skip "no qemu-aarch64"
	command -v ${target}-g++ >/dev/null || atf_skip "no ${target}-g++"
}

# Build the library in obj/ here.
build()
{
	need
	env -u MAKEFLAGS -u MAKELEVEL -u MAKEOBJDIR -u MAKEOBJDIRPREFIX \
	    OBJTOP="$(pwd)/obj" MAKESYSPATH="${top}/share/mk" \
	    bmake -C "${top}/lib/libdsmalloc" CC=${target}-gcc \
	    CXX=${target}-g++ AR=${target}-ar NM=${target}-nm all \
	    >build.out 2>&1 || {
		tail -n 40 build.out
		atf_fail "the library does not build"
	}
}

# program name source flag ...: a program with the library
program()
{
	local name=${1}
	shift
	atf_check ${target}-gcc -std=gnu11 -O2 -Wall -Wextra -Werror \
	    -Wno-unused-parameter -DMALLOC_PRODUCTION -fno-builtin-malloc \
	    -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free \
	    -I"${top}/tests" -I"${top}/tests/aarch64/include" \
	    -I"${top}/lib/libc/stdlib/malloc" -o "${name}" "${@}" -pthread \
	    -Wl,--no-as-needed obj/lib/libdsmalloc/libdsmalloc.so \
	    -Wl,-rpath,"$(pwd)/obj/lib/libdsmalloc"
}

# emulate page command ...
emulate()
{
	local page=${1}
	shift
	qemu-aarch64 -p "${page}" -L /usr/${target} "${@}" >out 2>&1
	status=${?}
	cat out
	return ${status}
}

# unit program [option ...]: at every page size
unit()
{
	local name=${1} page
	shift
	program "${name}" \
	    "${top}/lib/libc/tests/stdlib/malloc/${name}.c"
	for page in ${pages}; do
		echo "${name}, pages of ${page}"
		emulate "${page}" "./${name}" "${@}" ||
		    atf_fail "${name} with pages of ${page}:" \
		    "$(grep -B 2 ': FAILED' out | tr '\n' ' ')"
		grep -q '^[1-9][0-9]* passed, 0 failed' out ||
		    atf_fail "${name} tested nothing"
	done
}

atf_test_case page_size
page_size_head()
{
	atf_set "descr" "The allocator's page is the system's"
	atf_set "timeout" "300"
}
page_size_body()
{
	local page

	build
	cat >page.c <<'END'
#include <malloc_np.h>
#include <stdio.h>
#include <unistd.h>

int
main(void)
{
	size_t len, page;

	len = sizeof(page);
	if (mallctl("arenas.page", &page, &len, NULL, 0) != 0)
		return (1);
	printf("%zu %ld\n", page, sysconf(_SC_PAGESIZE));
	return (0);
}
END
	program page page.c
	for page in ${pages}; do
		emulate "${page}" ./page || atf_fail "page"
		[ "$(cat out)" = "${page} ${page}" ] ||
		    atf_fail "pages of ${page}: $(cat out)"
	done
}

atf_test_case unit_tests
unit_tests_head()
{
	atf_set "descr" "The tests of malloc, at every page size"
	atf_set "timeout" "1200"
}
unit_tests_body()
{
	build
	unit malloc_test
	unit free_test
	unit realloc_test
	unit memalign_test
	unit mallctl_test
	unit conf_var_test
	unit cxx_test
	unit misuse_test
	# Those that start 20,000 threads and more take minutes here, and what
	# they measure is the emulator's memory; so does the one of bursts.
	# With pages that are not its host's, the emulator loses the end of a
	# first thread that ends first, whatever the allocator; and it cannot
	# fork a program with threads, which rules fork_test out.
	unit thread_test -x churn -x key_destructors -x tls_destructors \
	    -x cache_of_the_dead -x exit_from_thread
}

atf_test_case stress
stress_head()
{
	atf_set "descr" "The stress program, linked and with the library" \
	    "preloaded, at every page size"
	atf_set "timeout" "300"
}
stress_body()
{
	local page

	build
	program stress "${top}/tests/stress/stress.c"
	atf_check ${target}-gcc -O2 -I"${top}/tests" -o plain \
	    "${top}/tests/stress/stress.c" -pthread
	for page in ${pages}; do
		emulate "${page}" ./stress -s "${page}" -T 5 ||
		    atf_fail "linked, pages of ${page}"
		grep -q '^stress: passed' out || atf_fail "no verdict"
		emulate "${page}" -E \
		    LD_PRELOAD="$(pwd)/obj/lib/libdsmalloc/libdsmalloc.so.1" \
		    ./plain -s "${page}" -T 3 -t 16 ||
		    atf_fail "preloaded, pages of ${page}"
		grep -q '^stress: passed' out || atf_fail "no verdict"
		! grep -q 'stress: absent' out || atf_fail "not preloaded"
	done
}

# The thread pointer is an ordinary value to compilers for this machine.
atf_test_case fibers
fibers_head()
{
	atf_set "descr" "Fibers that move between threads, linked with the" \
	    "library and with its sources optimised into them"
	atf_set "timeout" "300"
}
fibers_body()
{
	local dir sources

	build
	unit process_test -x signals -x vforked -x cloned -x no_threads
	dir=${top}/lib/libc/stdlib/malloc
	sources=$(ls "${dir}"/dsmalloc/dsm_*.c | grep -v freebsd)
	# shellcheck disable=SC2086
	atf_check -e ignore ${target}-gcc -O3 -flto -w -std=gnu11 \
	    -DMALLOC_PRODUCTION -fvisibility=hidden -fno-builtin \
	    -I"${top}/tests/aarch64/include" -I"${dir}" -I"${dir}/dsmalloc" \
	    -o fibers "${top}/lib/libc/tests/stdlib/malloc/process_test.c" \
	    ${sources} -pthread
	emulate 4096 ./fibers -x signals -x vforked -x cloned -x no_threads ||
	    atf_fail "optimised at link time"
	grep -q '^1 passed, 0 failed' out || atf_fail "it tested nothing"
}

atf_init_test_cases()
{
	atf_add_test_case page_size
	atf_add_test_case unit_tests
	atf_add_test_case stress
	atf_add_test_case fibers
}
