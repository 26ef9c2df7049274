#
# SPDX-License-Identifier: BSD-2-Clause
#
# The option thp: which advice the system gets, and what comes of it.

# measure CONF [ARGS ...]: sets huge, asked, against, other and dirty, in KiB,
# and records, in huge pages.
measure()
{
	local conf=${1}
	shift
	[ "$(getconf PAGESIZE)" = 4096 ] || atf_skip "other pages than 4 KiB"
	"$(atf_get_srcdir)/h_thp" 1 >/dev/null || atf_fail "h_thp fails"
	grep -q '^VmFlags:' /proc/self/smaps || atf_skip "no flags in smaps"
	env MALLOC_CONF="${conf}" "$(atf_get_srcdir)/h_thp" "${@}" >out
	case ${?} in
	0)	;;
	77)	atf_skip "huge pages cannot be switched off" ;;
	*)	atf_fail "h_thp ${*} fails" ;;
	esac
	echo "${conf} ${*}:" $(cat out)
	huge=$(sed -n 's/^huge=//p' out)
	asked=$(sed -n 's/^for=//p' out)
	against=$(sed -n 's/^against=//p' out)
	other=$(sed -n 's/^other=//p' out)
	records=$(sed -n 's/^records=//p' out)
	dirty=$(sed -n 's/^dirty=//p' out)
}

# is CONDITION ...: of numbers, as test(1) has it
is()
{
	[ "${@}" ] || atf_fail "not ${*}"
}

# Huge pages are given to those who ask, and there are some.
given()
{
	grep -q '\[madvise\]\|\[always\]' \
	    /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null &&
	    [ "${huge}" -gt 0 ]
}

atf_test_case auto
auto_head()
{
	atf_set "descr" "Memory of small processes is kept from being huge," \
	    "that of others asked to be"
}
auto_body()
{
	measure thp:auto 4
	is "${huge}" -eq 0
	is "${asked}" -eq 0
	is "${against}" -ge 3072
	# Nothing has been said of what one region holds, and no call made.
	measure thp:auto 0
	is "${against}" -eq 0
	measure "" 200
	is "${asked}" -ge 150000
	is "${against}" -le 50000
}

atf_test_case always
always_head()
{
	atf_set "descr" "thp:always asks for all, from the first byte on"
}
always_body()
{
	measure thp:always 4
	is "${against}" -eq 0
	is "${asked}" -ge 4096
	given || atf_skip "the system gives no huge pages"
	is "${huge}" -ge 4096
	measure thp:always 200 20
	is "${against}" -eq 0
	is "${asked}" -ge 250000
}

atf_test_case never
never_head()
{
	atf_set "descr" "thp:never keeps all memory from being huge"
}
never_body()
{
	measure thp:never 200 20
	is "${huge}" -eq 0
	is "${asked}" -eq 0
	is "${against}" -ge 250000
}

atf_test_case default
default_head()
{
	atf_set "descr" "thp:default gives no advice at all"
}
default_body()
{
	measure thp:default 200 20
	is "${asked}" -eq 0
	is "${against}" -eq 0
}

atf_test_case disabled
disabled_head()
{
	atf_set "descr" "Where huge pages are switched off, memory that was" \
	    "never touched is not taken for dirty"
}
disabled_body()
{
	measure "" 200 60
	if given; then
		# By 2 MiB, 60 blocks have 71,000 KiB more than they hold.
		is "${asked}" -ge 150000
	fi
	measure "" -d 200 60
	is "${huge}" -eq 0
	is "${asked}" -eq 0
	is "${dirty}" -le 8192
}

atf_test_case hpa
hpa_head()
{
	atf_set "descr" "hpa makes huge pages of what a small process uses" \
	    "for long, and eager those from the first byte on; none, none"
}
hpa_body()
{
	local soon=hpa_hugify_delay_ms:50,dirty_decay_ms:200 conf
	measure hpa:true,hpa_hugify_style:eager 4
	is "${against}" -eq 0
	is "${asked}" -ge 4096
	given || atf_skip "the system gives no huge pages"
	for conf in thp:auto hpa:true,hpa_hugify_style:none \
	    hpa:true,hpa_hugify_sync:false hpa:true,thp:never \
	    hpa:true,hpa_hugify_delay_ms:100000; do
		measure "${soon},${conf}" -s 12
		is "${huge}" -eq 0
	done
	measure "${soon},hpa:true" -s 12
	is "${huge}" -ge 8192
	is "${huge}" -le 12288
}

atf_test_case metadata
metadata_head()
{
	atf_set "descr" "metadata_thp:always puts the records into huge" \
	    "pages, and nothing else; disabled, and auto in a small process," \
	    "none"
}
metadata_body()
{
	local conf
	for conf in thp:never thp:never,metadata_thp:disabled \
	    thp:never,metadata_thp:auto; do
		measure "${conf}" 200
		is "${other}" -eq 0
		is "${records}" -eq 0
		is "${huge}" -eq 0
	done
	# A leaf of the map, and 3 MiB of descriptors.
	measure thp:never,metadata_thp:always 200
	is "${asked}" -eq 0
	is "${records}" -ge 2
	is "${records}" -le 6
	is "${other}" -eq $((records * 2048))
	given || atf_skip "the system gives no huge pages"
	is "${huge}" -eq "${other}"
}

atf_init_test_cases()
{
	atf_add_test_case auto
	atf_add_test_case always
	atf_add_test_case never
	atf_add_test_case default
	atf_add_test_case disabled
	atf_add_test_case hpa
	atf_add_test_case metadata
}
