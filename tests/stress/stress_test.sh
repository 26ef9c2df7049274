#
# SPDX-License-Identifier: BSD-2-Clause
#
# The stress program for a few seconds each; "stress -T 60" by hand, longer.
# Its output, which holds the seed, is kept by kyua when it fails.

stress()
{
	env LD_PRELOAD="$(dsm_library)" "$(atf_get_srcdir)/stress" \
	    -T "${STRESS_SECONDS:-5}" "${@}" >out 2>&1
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

atf_test_case fork_storm
fork_storm_head()
{
	atf_set "descr" "16 threads while the process forks all the time"
	atf_set "timeout" "300"
}
fork_storm_body()
{
	stress -t 16 -F 1
}

# Those that a system does not allow end with status 3.  Memory is purged
# soon, for a test of ten seconds would see little of it.
restricted()
{
	export MALLOC_CONF=dirty_decay_ms:20
	env LD_PRELOAD="$(dsm_library)" "$(atf_get_srcdir)/stress" -T 0 \
	    "${@}" >out 2>&1
	[ ${?} -ne 3 ] || atf_skip "$(cat out)"
	stress "${@}"
}

atf_test_case failures
failures_head()
{
	atf_set "descr" "8 threads, and one system call in a hundred fails"
	atf_set "timeout" "300"
}
failures_body()
{
	restricted -t 8 -I 10
	grep -q '^stress: [1-9][0-9]* of .* calls failed' out ||
	    atf_fail "none failed"
	restricted -t 8 -I 200
	grep -q '^stress: [1-9][0-9]* of .* calls failed' out ||
	    atf_fail "none failed"
}

atf_test_case address_space
address_space_head()
{
	atf_set "descr" "4 threads in 64 MiB of address space"
	atf_set "timeout" "300"
}
address_space_body()
{
	restricted -t 4 -A 64
	! grep -q ', 0 allocations failed' out ||
	    atf_fail "there was memory enough: the test tested nothing"
}

atf_test_case locked
locked_head()
{
	atf_set "descr" "4 threads with all memory locked"
	atf_set "timeout" "300"
}
locked_body()
{
	restricted -t 4 -L -m 64
}

# It is the whole machine's setting, so only who says so gets it changed.
atf_test_case overcommit cleanup
overcommit_head()
{
	atf_set "descr" "8 threads where the system promises no more memory" \
	    "than it has"
	atf_set "timeout" "300"
}
overcommit_body()
{
	local knob=/proc/sys/vm/overcommit_memory

	if [ "$(cat ${knob})" != 2 ]; then
		[ "${DSM_TEST_SYSCTL:-no}" = yes ] ||
		    atf_skip "it takes vm.overcommit_memory=2;" \
		    "DSM_TEST_SYSCTL=yes sets that for as long as this runs"
		cat ${knob} >was
		echo 2 >${knob} || atf_skip "cannot set vm.overcommit_memory"
	fi
	stress -t 8
}
overcommit_cleanup()
{
	[ ! -s was ] || cat was >/proc/sys/vm/overcommit_memory
}

atf_init_test_cases()
{
	atf_add_test_case detects
	atf_add_test_case two
	atf_add_test_case eight
	atf_add_test_case many
	atf_add_test_case small
	atf_add_test_case forks
	atf_add_test_case fork_storm
	atf_add_test_case little_memory
	atf_add_test_case failures
	atf_add_test_case address_space
	atf_add_test_case locked
	atf_add_test_case overcommit
}
