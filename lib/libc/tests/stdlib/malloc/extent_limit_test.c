/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Limits, and memory that hooks gave.
 */

#include "counting_test_subr.h"
#include "memlimit_test_subr.h"

#define	SIZE	((size_t)700000)

const char *malloc_conf = "narenas:2";

ATF_TC(hooked);
ATF_TC_HEAD(hooked, tc)
{

	atf_tc_set_md_var(tc, "descr", "Memory that hooks gave counts against "
	    "limits while it is used or dirty, and goes for others' sake");
}
ATF_TC_BODY(hooked, tc)
{
	static unsigned char *p[1000];
	unsigned char *q;
	size_t i, m, n, room = MIB(32);
	unsigned int ind = create_counting();

	for (i = 0; i < 3; i++) {
		/* What is due is taken, purged and kept, or declined by all. */
		counting.refuse = i == 0 ? 0 : i == 1 ? 1 << DALLOC :
		    1 << DALLOC | 1 << DECOMMIT | 1 << FORCED | 1 << LAZY;
		bind_to(0);
		purge();
		set("limit.hard", get("limit.held") + room);
		bind_to(ind);
		n = fill(p, nitems(p), SIZE);
		ATF_CHECK(n * SIZE >= room / 8 * 7);
		/* Hooks were not asked for more than is of use. */
		ATF_CHECK_MSG(counting.bytes <= 2 * room, "%zu",
		    counting.bytes);
		/* Nor has another arena any. */
		bind_to(0);
		ATF_CHECK(malloc(hide(MIB(8))) == NULL);
		bind_to(ind);
		drop(p, n, SIZE);
		/* What may hold anything has all of its memory. */
		m = fill(p, nitems(p), SIZE);
		ATF_CHECK_MSG(m + 2 >= (i < 2 ? n : n / 2), "%zu %zu", m, n);
		drop(p, m, SIZE);
		bind_to(0);
		q = malloc(hide(MIB(24)));
		ATF_CHECK(q != NULL || i == 2);
		ATF_CHECK(get("limit.held") <= get("limit.hard") + SLACK);
		free(q);
		set("limit.hard", 0);
	}
}

ATF_TC(others);
ATF_TC_HEAD(others, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is dirty goes through hooks when "
	    "another arena meets a limit");
}
ATF_TC_BODY(others, tc)
{
	static unsigned char *p[1000];
	size_t i, n, room = MIB(32);
	unsigned int ind = create_counting(), old;

	for (i = 0; i < 2; i++) {
		purge();
		set("limit.hard", i == 0 ? get("limit.held") + room : 0);
		/* Less than may lie unused. */
		old = bind_to(ind);
		for (n = 0; n < 4; n++) {
			ATF_REQUIRE((p[n] = malloc(SIZE)) != NULL);
			memset(p[n], (int)n, SIZE);
		}
		drop(p, n, SIZE);
		(void)bind_to(old);
		ATF_CHECK(figure(ind, "pdirty") >= 4 * SIZE / PAGE);
		if (i == 0) {
			n = fill(p, nitems(p), SIZE);
			ATF_CHECK(n * SIZE > room - MIB(2));
			ATF_CHECK_EQ(0, figure(ind, "pdirty"));
		} else {
			set("limit.soft", get("limit.held"));
			ATF_REQUIRE((p[0] = malloc(hide(MIB(8)))) != NULL);
			ATF_CHECK(figure(ind, "pdirty") < SIZE / PAGE);
		}
	}
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, hooked);
	ATF_TP_ADD_TC(tp, others);

	return (atf_no_error());
}
