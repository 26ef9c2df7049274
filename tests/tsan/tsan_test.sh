#
# SPDX-License-Identifier: BSD-2-Clause
#
# The allocator compiled with ThreadSanitizer, and threads that do all to it:
# nothing may be found.  Twins in which an order between threads is missing
# must be found out.

# The entry points, under names that leave the sanitizer's malloc alone.
names="malloc calloc realloc free posix_memalign aligned_alloc memalign"
names="${names} valloc pvalloc reallocarray reallocf free_sized"
names="${names} free_aligned_sized malloc_usable_size"

# Those who read counters that others write, by design without a lock; and
# the purge of free pages in slabs, which looks at bits that can only be set
# meanwhile.
suppressions()
{
	for function in arena_active arena_out arena_stats_add base_bytes \
	    bin_bytes set_taken \
	    bin_out bin_slack cache_bytes_all cache_requests set_decay \
	    set_dirty set_freed set_grown set_muzzy set_out set_owes \
	    set_pages \
	    set_stats_add set_tick; do
		echo "race_top:${function}"
	done
	echo "race:slab_free_pages"
}

# watched file ...: compiles sources into objects here
watched()
{
	local name words

	words="-O1 -g -std=gnu11 -fsanitize=thread -fPIE -fno-builtin -w"
	words="${words} -DMALLOC_PRODUCTION -I${malloc} -I${malloc}/dsmalloc"
	for name in ${names}; do
		words="${words} -D${name}=dsm_${name}"
	done
	printf '%s\n' "${@}" | xargs -n 1 -P 2 cc ${words} -c ||
	    atf_fail "does not compile"
}

# Compile everything, but for C++'s operators and other systems.
compile()
{
	local file files top

	top=$(dsm_tree)
	[ -n "${top}" ] || atf_skip "the sources are not here"
	echo 'int main(void) { return (0); }' >try.c
	cc -fsanitize=thread -o try try.c && ./try ||
	    atf_skip "no ThreadSanitizer here"
	malloc=${top}/lib/libc/stdlib/malloc
	files=${top}/tests/tsan/tsan.c
	for file in "${malloc}"/dsmalloc/dsm_*.c; do
		case ${file##*/} in
		dsm_cxx.c)	;;
		dsm_os_*)	;;
		*)		files="${files} ${file}" ;;
		esac
	done
	file=$(uname | tr '[:upper:]' '[:lower:]')
	watched ${files} "${malloc}/dsmalloc/dsm_os_${file}.c"
	suppressions >suppressions
}

# run [option=value]: links the objects and runs them; reports in out.  A
# report that lacks one of its stacks, which the sanitizer did not keep, may be
# one of those to suppress.
run()
{
	cc -fsanitize=thread -pie -o tsan *.o || atf_fail "does not link"
	TSAN_OPTIONS="suppressions=suppressions history_size=7 exitcode=0 ${1}" \
	    timeout -s KILL 60 ./tsan >all 2>&1
	status=${?}
	awk '
	    /^==================$/ { flush(); next }
	    { text = text $0 "\n" }
	    function flush() {
		if (text !~ /failed to restore the stack/)
			printf "%s", text
		text = ""
	    }
	    END { flush() }' all >out
}

atf_test_case sound
sound_head()
{
	atf_set "descr" "Threads that do everything to each other do not race"
	atf_set "require.progs" "cc timeout xargs"
	atf_set "timeout" "300"
}
sound_body()
{
	local i

	compile
	for i in 1 2; do
		run
		cat out
		! grep -q 'WARNING: ThreadSanitizer' out ||
		    atf_fail "races found"
		[ ${status} -eq 0 ] && grep -q '^done$' out ||
		    atf_fail "exit status ${status}"
	done
}

# twin file expression: compiled again, with its text changed, it must race
twin()
{
	local i

	sed -e "${2}" "${malloc}/dsmalloc/${1}" >"${1}"
	! cmp -s "${1}" "${malloc}/dsmalloc/${1}" ||
	    atf_fail "${1}: nothing to change by ${2}"
	watched "${1}"
	for i in 1 2 3 4 5; do
		run halt_on_error=1
		grep -q 'WARNING: ThreadSanitizer: data race' out && break
	done
	grep 'SUMMARY: ' out ||
	    atf_fail "${1}: not found out: ${2}"
	watched "${malloc}/dsmalloc/${1}"
}

atf_test_case broken
broken_head()
{
	atf_set "descr" "A missing order between threads is found out"
	atf_set "require.progs" "cc timeout xargs"
	atf_set "timeout" "300"
}
broken_body()
{
	compile
	# The collector does not release the link of a slab.
	twin dsm_slab.c '/exchange_n(&slab_far(s)->arrived/s/ACQ_REL/ACQUIRE/'
	# A slab is looked at when its owner may have closed it.
	twin dsm_slab.c '/more = i < n/d
	    s/} while (more)/} while (usleep(100), i < n \&\& slab_has(s, v[i]))/'
	# A slab is pushed on the inbox before its link is written.
	twin dsm_bin.c '/(&b->inbox, &head, s, true/{
	    n
	    s/RELEASE/RELAXED/
	}'
	# A fill that finds the bin locked goes ahead.
	twin dsm_bin.c 's/lock_take(&b->lock);/(void)lock_try(\&b->lock);/'
	# A new cache is announced before it is in the list.
	twin dsm_gate.c '/sub(&gate_strays, 1/s/RELEASE/RELAXED/'
}

atf_init_test_cases()
{
	atf_add_test_case sound
	atf_add_test_case broken
}
