/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Options that a program brings along in malloc_conf.
 */

#include <malloc_np.h>

#include "malloc_test_subr.h"

const char *malloc_conf = "dirty_decay_ms:12345";

ATF_TC(malloc_conf);
ATF_TC_HEAD(malloc_conf, tc)
{

	atf_tc_set_md_var(tc, "descr", "The program's malloc_conf is read");
}
ATF_TC_BODY(malloc_conf, tc)
{
	ssize_t ms;
	size_t len;

	if (getenv("MALLOC_CONF") != NULL)
		atf_tc_skip("MALLOC_CONF is set and would win");
	len = sizeof(ms);
	ATF_REQUIRE_EQ(0, mallctl("opt.dirty_decay_ms", &ms, &len, NULL, 0));
	ATF_CHECK_EQ_MSG(12345, ms, "opt.dirty_decay_ms is %zd", ms);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, malloc_conf);

	return (atf_no_error());
}
