#
# SPDX-License-Identifier: BSD-2-Clause
#
# The stress program for a few seconds each; "stress -T 60" by hand, longer.
# Its output, which holds the seed, is kept by kyua when it fails.

stress()
{
	env LD_PRELOAD="$(dsm_library)" "$(atf_get_srcdir)/stress" -T "${STRESS_SECONDS:-5}" "${@}" \
	    >out 2>&1
	status=${?}
	cat out
	[ ${status} -eq 0 ] || atf_fail "stress ${*}: exit status ${status}"
	! grep -q 'stress: absent' out ||
	    atf_fail "the library lacks entry points"
	grep -q '^stress: passed' out || atf_fail "no verdict"
}

# The stress program can fail: it runs over an allocator that is broken.
atf_test_case detects
detects_head()
{
	atf_set "descr" "The stress program finds a broken allocator out"
	atf_set "timeout" "120"
	atf_set "require.progs" "cc"
}
detects_body()
{
	cat >bad.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

/* Every so often, free does it twice later, or malloc misplaces a block. */
void *
malloc(size_t n)
{
	static void *(*next)(size_t);
	static unsigned int calls;
	static char *last;

	if (next == NULL)
		next = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
	if (n == 128 && __sync_add_and_fetch(&calls, 1) % 1000 == 0 &&
	    last != NULL)
		return (last);
	if (n == 128)
		return (last = next(n));
	return (next(n));
}
END
	atf_check -e ignore cc -O1 -fno-builtin -fPIC -shared -o bad.so bad.c
	env LD_PRELOAD="./bad.so $(dsm_library)" "$(atf_get_srcdir)/stress" \
	    -T 60 -t 2 -s 1 >out 2>&1 && atf_fail "nothing found"
	cat out
	grep -q '^stress: FAILED: .*' out || atf_fail "no verdict"
	grep -q '^stress: seed 1, ' out || atf_fail "no seed"
}

atf_test_case two
two_head()
{
	atf_set "descr" "2 threads"
	atf_set "timeout" "300"
}
two_body()
{
	stress -t 2
}

atf_test_case eight
eight_head()
{
	atf_set "descr" "8 threads"
	atf_set "timeout" "300"
}
eight_body()
{
	stress -t 8
}

atf_test_case many
many_head()
{
	atf_set "descr" "64 threads"
	atf_set "timeout" "300"
}
many_body()
{
	stress -t 64
}

atf_test_case small
small_head()
{
	atf_set "descr" "4 threads, small sizes only"
	atf_set "timeout" "300"
}
small_body()
{
	stress -t 4 -l
}

atf_test_case forks
forks_head()
{
	atf_set "descr" "8 threads while the process forks"
	atf_set "timeout" "300"
}
forks_body()
{
	stress -t 8 -F 20
}

atf_test_case little_memory
little_memory_head()
{
	atf_set "descr" "4 threads that meet the end of memory"
	atf_set "timeout" "300"
}
little_memory_body()
{
	(ulimit -v 200000 && stress -t 4 -n -m 400) || atf_fail "failed"
	grep -q ', 0 allocations failed' out &&
	    atf_fail "there was memory enough: the test tested nothing"
	return 0
}

atf_init_test_cases()
{
	atf_add_test_case detects
	atf_add_test_case two
	atf_add_test_case eight
	atf_add_test_case many
	atf_add_test_case small
	atf_add_test_case forks
	atf_add_test_case little_memory
}
