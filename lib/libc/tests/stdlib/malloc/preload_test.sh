#
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs that know nothing of the library, with it preloaded; and what that
# costs them.

# Run a command without and with the library: the same output and status.
same()
{
	local status

	"${@}" >out.plain 2>err.plain
	status=${?}
	atf_check -s exit:${status} -o file:out.plain -e file:err.plain \
	    env LD_PRELOAD="$(dsm_library)" "${@}"
}

# The budgets are the production build's; assertions cost what they cost.
production()
{
	unset MALLOC_CONF LD_PRELOAD
	debug=$("$(atf_get_srcdir)/h_conf" bool:config.debug) ||
	    atf_fail "h_conf"
	[ "${debug}" = "config.debug=false" ] || atf_skip "a debug build"
}

atf_test_case programs
programs_head()
{
	atf_set "descr" "Every-day programs do the same as without"
	atf_set "timeout" "120"
}
programs_body()
{
	local prog

	# The loader says so when it cannot; then nothing would be tested.
	atf_check -o match:dsmalloc env LD_PRELOAD="$(dsm_library)" \
	    sh -c 'cat /proc/$$/maps'
	same true
	same false
	# Where nobody writes while this runs.
	same ls -lR /usr/include
	same sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo $i'
	same sh -c 'x=$(ls /usr/bin | sort -r | head -n 100); echo "$x" | wc'
	same awk 'BEGIN { for (i = 0; i < 200000; i++) a[i] = i "x";
	    for (i in a) n += length(a[i]); print n }'
	same find /usr/share/doc -maxdepth 2
	same sed 's/a/b/g' /etc/services /etc/passwd
	for prog in perl python3; do
		command -v ${prog} >/dev/null || continue
		case ${prog} in
		perl)
			same perl -e 'my %h; $h{$_ % 5000} .= "x$_"
			    for 1..200000; print scalar(keys %h),
			    length(join("", map { $h{$_} } sort keys %h))'
			same perl -e 'for (1..20) { my $p = fork();
			    exit 0 unless $p; waitpid $p, 0; print "$?\n" }'
			;;
		python3)
			same python3 -c 'import threading, json
def f(n): r.append(len(json.dumps({str(i): [i] * 5 for i in range(n)})))
r = []
t = [threading.Thread(target=f, args=(5000,)) for i in range(8)]
[x.start() for x in t]; [x.join() for x in t]; print(r)'
			;;
		esac
	done
}

atf_test_case system_calls
system_calls_head()
{
	atf_set "descr" "/bin/true makes at most 14 system calls more, of" \
	    "few kinds, and does not look at /sys or /proc"
	atf_set "require.progs" "strace"
}
system_calls_body()
{
	local call more plain with

	production
	strace -f -o plain /bin/true || atf_skip "strace does not work here"
	atf_check strace -f -E LD_PRELOAD="$(dsm_library)" -o with /bin/true
	grep -q dsmalloc with || atf_fail "the library was not loaded"
	plain=$(grep -c '(' plain)
	with=$(grep -c '(' with)
	echo "${plain} without, ${with} with"
	cat with
	[ ${plain} -gt 5 ] || atf_fail "nothing counted"
	[ $((with - plain)) -le 14 ] ||
	    atf_fail "$((with - plain)) system calls more"
	# What came on top: the loader's work for one library more, and what
	# malloc's own start may need.
	calls plain >plain.calls
	calls with >with.calls
	more=$(diff plain.calls with.calls | sed -n 's/^> \([a-z_0-9]*\) .*/\1/p' |
	    sort -u)
	for call in ${more}; do
		case ${call} in
		openat|read|pread64|fstat|newfstatat|mmap|mprotect|close) ;;
		munmap|mremap|madvise|futex|clock_gettime|clock_getres) ;;
		sched_getaffinity|readlink|readlinkat|getrandom) ;;
		*) atf_fail "unexpected: ${call}" ;;
		esac
	done
	! grep -E '"/(sys|proc)/' with || atf_fail "it reads /sys or /proc"
}

# The names of the calls in a trace, numbered each.
calls()
{
	sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "${1}" |
	    awk '{ print $1, ++n[$1] }' | sort
}

atf_test_case page_faults
page_faults_head()
{
	atf_set "descr" "/bin/true takes at most 12 page faults more"
}
page_faults_body()
{
	local both plain with

	production
	both=$("$(atf_get_srcdir)/h_rusage" "$(dsm_library)" /bin/true) ||
	    atf_fail "h_rusage"
	plain=${both% *}
	with=${both#* }
	echo "${plain} without, ${with} with"
	[ ${plain} -gt 10 ] || atf_fail "nothing counted"
	[ ${with} -gt ${plain} ] || atf_fail "the library was not loaded"
	[ $((with - plain)) -le 12 ] ||
	    atf_fail "$((with - plain)) page faults more"
}

atf_test_case static_tls
static_tls_head()
{
	atf_set "descr" "At most 64 bytes of static TLS"
	atf_set "require.progs" "readelf"
}
static_tls_body()
{
	local size

	production
	atf_check -o save:headers readelf -lW "$(dsm_library)"
	grep -q LOAD headers || atf_fail "no program headers"
	size=$(awk '$1 == "TLS" { print $6 }' headers)
	echo "TLS: ${size:-none}"
	[ $((${size:-0})) -le 64 ] || atf_fail "${size} bytes"
}

atf_test_case needed
needed_head()
{
	atf_set "descr" "The library needs the C library and nothing else," \
	    "and has no text relocations"
	atf_set "require.progs" "readelf"
}
needed_body()
{
	atf_check -o save:dynamic readelf -dW "$(dsm_library)"
	grep -q SONAME dynamic || atf_fail "no dynamic section"
	grep NEEDED dynamic | grep -Ev '\[(libc\.so\.[67]|ld-linux.*|libexecinfo\.so\.1|libc\.musl.*)\]' &&
	    atf_fail "it needs more"
	grep TEXTREL dynamic && atf_fail "text relocations"
	return 0
}

atf_test_case idle_thread
idle_thread_head()
{
	atf_set "descr" "An idle thread that has allocated costs at most 8 KiB"
	atf_set "timeout" "120"
}
idle_thread_body()
{
	local n plain with

	production
	n=500
	plain=$(env LD_PRELOAD="$(dsm_library)" "$(atf_get_srcdir)/h_threads" idle ${n}) ||
	    atf_fail "h_threads"
	with=$(env LD_PRELOAD="$(dsm_library)" "$(atf_get_srcdir)/h_threads" idle -m ${n}) ||
	    atf_fail "h_threads"
	echo "${n} threads: ${plain} KiB without, ${with} KiB with malloc"
	[ ${plain} -gt ${n} ] || atf_fail "nothing measured"
	[ $((with - plain)) -le $((n * 8)) ] ||
	    atf_fail "$(((with - plain) / n)) KiB a thread"
}

atf_test_case short_thread
short_thread_head()
{
	atf_set "descr" "Starting and joining a thread that allocates costs" \
	    "no page fault in the steady state"
	atf_set "timeout" "120"
}
short_thread_body()
{
	local plain with

	production
	plain=$(env LD_PRELOAD="$(dsm_library)" "$(atf_get_srcdir)/h_threads" churn 1000) ||
	    atf_fail "h_threads"
	with=$(env LD_PRELOAD="$(dsm_library)" "$(atf_get_srcdir)/h_threads" churn -m 1000) ||
	    atf_fail "h_threads"
	echo "1000 threads: ${plain} faults without, ${with} with malloc"
	# The stack may take some in either case; a fault now and then is not
	# the steady state's.
	[ $((with - plain)) -le 20 ] ||
	    atf_fail "$((with - plain)) page faults more in 1000 threads"
}

atf_init_test_cases()
{
	atf_add_test_case programs
	atf_add_test_case system_calls
	atf_add_test_case page_faults
	atf_add_test_case static_tls
	atf_add_test_case needed
	atf_add_test_case idle_thread
	atf_add_test_case short_thread
}
