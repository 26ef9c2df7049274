#
# SPDX-License-Identifier: BSD-2-Clause
#
# System calls, and memory that a program's hooks have given.

# trace ARGS ...: of h_hooked; sets segment, and leaves the calls in trace.out
trace()
{
	strace -f -v -s 0 -o trace.out -e trace=%memory,process_madvise,prctl \
	    "$(atf_get_srcdir)/h_hooked" "${@}" >out
	status=${?}
	segment=$(cat out)
	[ ${status} -ne 77 ] || atf_skip "no address space"
}

# The calls for the segment, and how many others there were.
check()
{
	"$(atf_get_srcdir)/h_hooked" check ${segment} <trace.out >checked
}

atf_test_case untouched
untouched_head()
{
	atf_set "descr" "No system call is made for memory that hooks gave"
	atf_set "require.progs" "strace"
}
untouched_body()
{
	local conf

	strace -o true.out /bin/true || atf_skip "strace does not work here"
	for conf in "" muzzy_decay_ms:100 background_thread:true thp:always \
	    retain:false,dirty_decay_ms:0; do
		MALLOC_CONF="${conf:+${conf},}narenas:2"
		export MALLOC_CONF
		trace use
		[ ${status} -eq 0 ] || atf_fail "h_hooked: ${status}"
		check || {
			cat checked
			atf_fail "${conf}: calls for the segment"
		}
		cat checked
		# Calls for other memory there were.
		[ "$(sed -n 's/ addresses.*//p' checked)" -gt 20 ] ||
		    atf_fail "too few calls"
		grep -q madvise trace.out || atf_fail "no madvise"
	done
}

atf_test_case found
found_head()
{
	atf_set "descr" "A system call for such memory would be found"
	atf_set "require.progs" "strace"
}
found_body()
{
	local n=0

	strace -o true.out /bin/true || atf_skip "strace does not work here"
	while trace wrong ${n}; [ ${status} -ne 3 ]; do
		[ ${status} -eq 0 ] || atf_fail "wrong ${n}: ${status}"
		check && atf_fail "call ${n} was not found"
		[ "$(wc -l <checked)" -eq 2 ] || {
			cat checked
			atf_fail "call ${n}"
		}
		n=$((n + 1))
	done
	[ ${n} -eq 8 ] || atf_fail "only ${n}"
}

atf_init_test_cases()
{
	atf_add_test_case untouched
	atf_add_test_case found
}
