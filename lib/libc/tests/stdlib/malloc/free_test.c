/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * free and its sized forms.
 */

#define	_GNU_SOURCE

#include <sys/param.h>

#include <errno.h>
#include <malloc_np.h>

#include "malloc_test_subr.h"

ATF_TC(keeps_errno);
ATF_TC_HEAD(keeps_errno, tc)
{

	atf_tc_set_md_var(tc, "descr", "free leaves errno alone, for NULL, for "
	    "every class and for large blocks");
}
ATF_TC_BODY(keeps_errno, tc)
{
	void *p[100];
	size_t c, i, n;

	errno = 4711;
	free(hidep(NULL));
	free_sized(hidep(NULL), 0);
	free_sized(hidep(NULL), 100);
	free_aligned_sized(hidep(NULL), 64, 100);
	ATF_CHECK_EQ(4711, errno);
	for (FOREACH_CLASS(c, (size_t)64 << 20)) {
		n = c <= SMALL_MAX ? nitems(p) : 2;
		for (i = 0; i < n; i++) {
			p[i] = malloc(c);
			ATF_REQUIRE(p[i] != NULL);
		}
		for (i = 0; i < n; i++) {
			errno = 4711;
			if (i % 2 == 0)
				free(p[i]);
			else
				free_sized(p[i], c);
			ATF_CHECK_EQ_MSG(4711, errno, "size %zu", c);
		}
	}
}

ATF_TC(sized);
ATF_TC_HEAD(sized, tc)
{

	atf_tc_set_md_var(tc, "descr", "free_sized takes the size asked for: "
	    "around every class, and the memory is used again");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(sized, tc)
{
	static void *p[2000];
	long before;
	size_t c, i, n, size;
	int d, round;

	before = maxrss();
	for (round = 0; round < 3; round++)
		for (FOREACH_CLASS(c, LARGE_MAX))
			for (d = -1; d <= 1; d++) {
				size = c + (size_t)d;
				n = MIN(nitems(p), ((size_t)8 << 20) / c);
				for (i = 0; i < n; i++) {
					p[i] = i % 2 == 0 ? malloc(size) :
					    calloc(1, size);
					ATF_REQUIRE(p[i] != NULL);
					memset(p[i], (int)i, size);
				}
				for (i = 0; i < n; i++) {
					ATF_REQUIRE_EQ(size, all_bytes(p[i],
					    size, (unsigned char)i));
					free_sized(p[i], size);
				}
			}
	ATF_CHECK_MSG(maxrss() - before < 128 << 10, "grew by %ld KiB",
	    maxrss() - before);
	p[0] = malloc(hide(0));
	ATF_REQUIRE(p[0] != NULL);
	free_sized(p[0], 0);
	p[0] = realloc(NULL, 1000);
	p[0] = realloc(p[0], 50);
	ATF_REQUIRE(p[0] != NULL);
	free_sized(p[0], 50);
}

ATF_TC(aligned_sized);
ATF_TC_HEAD(aligned_sized, tc)
{

	atf_tc_set_md_var(tc, "descr", "free_aligned_sized takes alignment and "
	    "size asked for");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(aligned_sized, tc)
{
	void *p[32];
	long before;
	size_t a, i, size;
	int round;

	before = maxrss();
	for (round = 0; round < 4; round++)
		for (a = 1; a <= (size_t)4 << 20; a *= 2)
			for (size = 0; size <= 200000;
			    size = size * 3 + (size_t)round + 1) {
				for (i = 0; i < nitems(p); i++) {
					p[i] = aligned_alloc(a, size);
					ATF_REQUIRE(p[i] != NULL);
					memset(p[i], (int)i, size);
				}
				for (i = 0; i < nitems(p); i++) {
					ATF_REQUIRE_EQ(size, all_bytes(p[i],
					    size, (unsigned char)i));
					free_aligned_sized(p[i], a, size);
				}
			}
	ATF_CHECK_MSG(maxrss() - before < 256 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, keeps_errno);
	ATF_TP_ADD_TC(tp, sized);
	ATF_TP_ADD_TC(tp, aligned_sized);

	return (atf_no_error());
}
