#
# SPDX-License-Identifier: BSD-2-Clause
#
# Options from the environment.

atf_test_case environment
environment_head()
{
	atf_set "descr" "MALLOC_CONF is read"
}
environment_body()
{
	atf_check -o inline:"opt.dirty_decay_ms=0\nopt.narenas=1\n" \
	    env MALLOC_CONF=dirty_decay_ms:0,narenas:1 \
	    "$(atf_get_srcdir)/h_conf" ssize_t:opt.dirty_decay_ms \
	    unsigned:opt.narenas
	atf_check -o inline:"opt.dirty_decay_ms=-1\n" \
	    env MALLOC_CONF=dirty_decay_ms:-1 \
	    "$(atf_get_srcdir)/h_conf" ssize_t:opt.dirty_decay_ms
	# The last one wins.
	atf_check -o inline:"opt.narenas=2\n" \
	    env MALLOC_CONF=narenas:3,narenas:2 \
	    "$(atf_get_srcdir)/h_conf" unsigned:opt.narenas
	atf_check -o inline:"arenas.narenas=1\n" \
	    env MALLOC_CONF=narenas:1 \
	    "$(atf_get_srcdir)/h_conf" unsigned:arenas.narenas
	atf_check \
	    -o inline:"limit.soft=67108864\nlimit.hard=134217728\nopt.limit=64M\n" \
	    env MALLOC_CONF=limit:64M,limit_hard:128M \
	    "$(atf_get_srcdir)/h_conf" size_t:limit.soft size_t:limit.hard \
	    string:opt.limit
	# Nothing said, nothing printed.
	atf_check -o not-match:"=$" env MALLOC_CONF= \
	    "$(atf_get_srcdir)/h_conf" ssize_t:opt.dirty_decay_ms
}

atf_test_case archive
archive_head()
{
	atf_set "descr" "stats_print:true works in a program linked with the" \
	    "archive"
}
archive_body()
{
	atf_check -e match:"End dsmalloc statistics" \
	    env MALLOC_CONF=stats_print:true "$(atf_get_srcdir)/h_archive"
	atf_check env MALLOC_CONF=stats_print:false \
	    "$(atf_get_srcdir)/h_archive"
}

# bad MALLOC_CONF word ...: the message has one line for each word, and all
# name the source; good options before and after take effect all the same.
bad()
{
	local conf word

	conf=${1}
	shift
	atf_check -o inline:"opt.narenas=1\nopt.dirty_decay_ms=77\n" \
	    -e save:err env \
	    MALLOC_CONF="narenas:1,${conf},dirty_decay_ms:77" \
	    "$(atf_get_srcdir)/h_conf" unsigned:opt.narenas \
	    ssize_t:opt.dirty_decay_ms
	cat err
	for word in "${@}"; do
		grep -q "MALLOC_CONF.*${word}" err ||
		    grep -q "${word}.*MALLOC_CONF" err ||
		    atf_fail "no line names MALLOC_CONF and ${word}"
	done
	[ $(wc -l <err) -eq ${#} ] || atf_fail "not ${#} lines"
}

atf_test_case unknown_option
unknown_option_head()
{
	atf_set "descr" "An unknown option is named on standard error and the" \
	    "program goes on"
}
unknown_option_body()
{
	bad no_such_option:1 no_such_option
	bad no_such_option:1,another:true no_such_option another
}

atf_test_case bad_value
bad_value_head()
{
	atf_set "descr" "A bad value is named with its option"
}
bad_value_body()
{
	# The good ones stand after them.
	bad narenas:banana narenas
	bad dirty_decay_ms:-2 dirty_decay_ms
	bad dirty_decay_ms:10x dirty_decay_ms
	bad narenas: narenas
	bad narenas:99999999999999999999999999 narenas
}

atf_test_case garbage
garbage_head()
{
	atf_set "descr" "No text makes the program fail"
}
garbage_body()
{
	local conf

	for conf in : , :: ,, narenas "narenas:1:2" a:b:c ",narenas:1" \
	    "narenas:1," ":1" " " "$(printf '%05000d' 0)" \
	    "$(printf 'x%.0s' 1 2 3 4 5 6 7 8 9):" "%s%n:%s" "a;b" \
	    "dirty_decay_ms:$(printf '%0300d' 1)"; do
		atf_check -o ignore -e ignore env MALLOC_CONF="${conf}" \
		    "$(atf_get_srcdir)/h_conf" unsigned:arenas.narenas
	done
}

atf_init_test_cases()
{
	atf_add_test_case environment
	atf_add_test_case archive
	atf_add_test_case unknown_option
	atf_add_test_case bad_value
	atf_add_test_case garbage
}
