#
# SPDX-License-Identifier: BSD-2-Clause
#
# The manual pages are well-formed, and name what there is: no less, no more.
# The Makefile puts the pages before this script, as page_malloc and
# page_malloc_np.

atf_test_case lint
lint_head()
{
	atf_set "descr" "mandoc has nothing to warn of"
	atf_set "require.progs" "mandoc"
}
lint_body()
{
	page_malloc >malloc.3
	page_malloc_np >malloc_np.3
	atf_check mandoc -T lint -W warning malloc.3 malloc_np.3
}

# same table page: the two files have the same lines.
same()
{
	sort "${1}" >"${1}.sorted"
	sort "${2}" >"${2}.sorted"
	[ -s "${1}" ] || atf_fail "the table is empty"
	atf_check diff "${1}.sorted" "${2}.sorted"
}

atf_test_case options
options_head()
{
	atf_set "descr" "malloc(3) has every option with its default"
}
options_body()
{
	"$(atf_get_srcdir)/h_tables" options >table ||
	    atf_fail "no table of options"
	page_malloc | awk '
		/^\.Sh / { section = $2 }
		section == "OPTIONS" && /^\.It Cm / {
			print $3 ($6 == "Cm" ? " " $7 : "")
		}' >page
	same table page
}

atf_test_case keys
keys_head()
{
	atf_set "descr" "malloc_np(3) has every key with its type and access"
}
keys_body()
{
	"$(atf_get_srcdir)/h_tables" keys >table || atf_fail "no table of keys"
	page_malloc_np | awk '
		/^\.Sh / { section = $2 " " $3 }
		section == "MALLCTL KEYS" && /^\.It Va / {
			sub(/^\.It Va /, "")
			sub(/ Pq Vt /, " ")
			sub(/ ; /, " ")
			print
		}' >page
	same table page
}

atf_init_test_cases()
{
	atf_add_test_case lint
	atf_add_test_case options
	atf_add_test_case keys
}
