/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Decay in a program that hardly allocates any more.
 */
#include "malloc_test_subr.h"

#define	MIB(n)	((long)(n) << 20)
#define	BLOCKS	300000

const char *malloc_conf = "dirty_decay_ms:1000";

/* Resident memory. */
static long
resident(void)
{

	return (proc_number("/proc/self/status", "VmRSS:") << 10);
}

static void *block[BLOCKS];

/* 192 MiB of 100 bytes to a MiB. */
static void
use(void)
{
	size_t i, size;
	long bytes;

	for (bytes = 0, i = 0; i < BLOCKS && bytes < MIB(192); i++) {
		size = (size_t)100 << i * 7 % 14;
		block[i] = malloc(hide(size));
		ATF_REQUIRE(block[i] != NULL);
		memset(block[i], 1, size);
		bytes += (long)size;
	}
	while (i-- > 0)
		free(block[i]);
}

ATF_TC(rare);
ATF_TC_HEAD(rare, tc)
{

	atf_tc_set_md_var(tc, "descr", "A program that frees all it has and "
	    "then asks for 100 bytes ten times a second gives its memory back "
	    "in time");
}
ATF_TC_BODY(rare, tc)
{
	long before;
	unsigned int i;

	free(malloc(hide(1)));
	before = resident();
	ATF_REQUIRE(before > 0);
	use();
	for (i = 0; i < 20; i++) {
		usleep(100000);
		free(malloc(hide(100)));
	}
	ATF_CHECK_MSG(resident() < before + MIB(24), "%ld MiB, %ld before",
	    resident() >> 20, before >> 20);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, rare);

	return (atf_no_error());
}
