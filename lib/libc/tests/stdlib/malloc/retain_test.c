/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * retain:false: address space goes back with the memory.
 */

#include "mallctl_test_subr.h"

#define	MIB(n)	((long)(n) << 20)

const char *malloc_conf = "retain:false,dirty_decay_ms:300";

/* The process's address space, in bytes. */
static long
space(void)
{

	return (proc_number("/proc/self/status", "VmSize:") << 10);
}

/* 200 MiB of a mix, all of it let go of. */
static void
use(void)
{
	static void *p[20000];
	size_t bytes, i, n, size;

	bytes = 0;
	for (n = 0; n < nitems(p) && bytes < (size_t)MIB(200); n++) {
		size = n % 50 == 0 ? 3000000 : n % 10 == 0 ? 50000 : 2000;
		p[n] = malloc(size);
		ATF_REQUIRE(p[n] != NULL);
		memset(p[n], 1, size);
		bytes += size;
	}
	for (i = 0; i < n; i++)
		free(p[(i * 7919) % n]);
}

ATF_TC(purge);
ATF_TC_HEAD(purge, tc)
{

	atf_tc_set_md_var(tc, "descr", "A purge unmaps what is free, time and "
	    "again");
}
ATF_TC_BODY(purge, tc)
{
	long before;
	unsigned int round;

	free(malloc(hide(1)));
	before = space();
	ATF_REQUIRE(before > 0);
	for (round = 0; round < 5; round++) {
		use();
		purge();
		ATF_CHECK_MSG(space() < before + MIB(16), "%ld MiB, %ld "
		    "before", space() >> 20, before >> 20);
	}
}

ATF_TC(decay);
ATF_TC_HEAD(decay, tc)
{

	atf_tc_set_md_var(tc, "descr", "So does decay");
}
ATF_TC_BODY(decay, tc)
{
	long before;
	unsigned int i;

	free(malloc(hide(1)));
	before = space();
	ATF_REQUIRE(before > 0);
	use();
	ATF_CHECK(space() > before + MIB(40));
	for (i = 0; i < 200; i++) {
		usleep(10000);
		free(malloc(hide(100000)));
		free(malloc(hide(100)));
	}
	ATF_CHECK_MSG(space() < before + MIB(32), "%ld MiB, %ld before",
	    space() >> 20, before >> 20);
}

ATF_TC(oversize);
ATF_TC_HEAD(oversize, tc)
{

	atf_tc_set_md_var(tc, "descr", "And free(), of what does not lie "
	    "unused");
}
ATF_TC_BODY(oversize, tc)
{
	long before;
	char *p;

	set("arena.4096.dirty_decay_ms", (size_t)-1);
	set("arena.4096.oversize_threshold", (size_t)MIB(1));
	free(malloc(hide(1)));
	before = space();
	ATF_REQUIRE((p = hidep(malloc(hide((size_t)MIB(64))))) != NULL);
	memset(p, 1, (size_t)MIB(64));
	ATF_CHECK(space() >= before + MIB(64));
	free(p);
	ATF_CHECK_MSG(space() < before + MIB(2), "%ld MiB, %ld before",
	    space() >> 20, before >> 20);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, purge);
	ATF_TP_ADD_TC(tp, decay);
	ATF_TP_ADD_TC(tp, oversize);

	return (atf_no_error());
}
