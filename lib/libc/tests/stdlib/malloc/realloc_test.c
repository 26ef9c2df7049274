/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * realloc, reallocarray, reallocf.
 */

#define	_GNU_SOURCE

#include <sys/param.h>

#include <errno.h>
#include <malloc_np.h>

#include "malloc_test_subr.h"

ATF_TC(keeps_contents);
ATF_TC_HEAD(keeps_contents, tc)
{

	atf_tc_set_md_var(tc, "descr", "Contents survive from every class to "
	    "every other, up and down");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(keeps_contents, tc)
{
	size_t from, keep, off, to;
	void *p, *q;

	for (FOREACH_CLASS(from, LARGE_MAX)) {
		for (FOREACH_CLASS(to, LARGE_MAX)) {
			/* All pairs of small ones, the rest more coarsely. */
			if ((from > SMALL_MAX || to > SMALL_MAX) &&
			    ((from & (from - 1)) != 0 ||
			    (to & (to - 1)) != 0))
				continue;
			p = malloc(from);
			ATF_REQUIRE(p != NULL);
			keep = MIN(from, to);
			paint(p, from, (unsigned int)(from ^ to));
			q = realloc(p, to);
			ATF_REQUIRE(q != NULL);
			off = painted(q, keep, (unsigned int)(from ^ to));
			ATF_REQUIRE_MSG(off == keep,
			    "%zu to %zu: lost at %zu", from, to, off);
			ATF_REQUIRE(malloc_usable_size(q) >= to);
			ATF_REQUIRE(((uintptr_t)q & (to >= 16 ? 15 : 7)) == 0);
			memset(q, 0xee, to);
			free(q);
		}
	}
}

ATF_TC(grow_and_shrink);
ATF_TC_HEAD(grow_and_shrink, tc)
{

	atf_tc_set_md_var(tc, "descr", "One block from small to huge and back, "
	    "with neighbours");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(grow_and_shrink, tc)
{
	void *near[64], *p;
	size_t off, prev, size, top;
	unsigned int n;

	p = NULL;
	prev = 0;
	n = 0;
	top = (size_t)64 << 20;
	memset(near, 0, sizeof(near));
	for (size = 1; size <= top; size += size / 3 + 1) {
		p = realloc(p, size);
		ATF_REQUIRE(p != NULL);
		off = painted(p, prev, 5);
		ATF_REQUIRE_MSG(off == prev, "%zu to %zu: lost at %zu", prev,
		    size, off);
		paint(p, size, 5);
		/* Somebody in the way, now and then. */
		if (n < 64 && size < 4 << 20 && (n % 3) == 0) {
			near[n] = malloc(size);
			ATF_REQUIRE(near[n] != NULL);
			memset(near[n], 0xcc, size);
		}
		n++;
		prev = size;
	}
	while (size > 1) {
		size -= size / 4 + 1;
		p = realloc(p, size);
		ATF_REQUIRE(p != NULL);
		off = painted(p, MIN(size, prev), 5);
		ATF_REQUIRE_MSG(off == MIN(size, prev),
		    "%zu to %zu: lost at %zu", prev, size, off);
		prev = size;
	}
	free(p);
	for (n = 0; n < 64; n++)
		free(near[n]);
}

ATF_TC(shrink_frees);
ATF_TC_HEAD(shrink_frees, tc)
{

	atf_tc_set_md_var(tc, "descr", "What a shrunken block gives up can be "
	    "used by others");
}
ATF_TC_BODY(shrink_frees, tc)
{
	void *p[200];
	long before;
	size_t i;

	before = maxrss();
	for (i = 0; i < nitems(p); i++) {
		p[i] = malloc(4 << 20);
		ATF_REQUIRE(p[i] != NULL);
		memset(p[i], 1, 4 << 20);
		p[i] = realloc(p[i], 4096);
		ATF_REQUIRE(p[i] != NULL);
		ATF_CHECK_EQ(4096, all_bytes(p[i], 4096, 1));
	}
	/* 800 MiB went through. */
	ATF_CHECK_MSG(maxrss() - before < 128 << 10, "grew by %ld KiB",
	    maxrss() - before);
	for (i = 0; i < nitems(p); i++)
		free(p[i]);
}

ATF_TC(same_place);
ATF_TC_HEAD(same_place, tc)
{

	atf_tc_set_md_var(tc, "descr", "A size within the usable size does not "
	    "move the block");
}
ATF_TC_BODY(same_place, tc)
{
	size_t c;
	void *p;

	for (FOREACH_CLASS(c, LARGE_MAX)) {
		p = malloc(c);
		ATF_REQUIRE(p != NULL);
		ATF_CHECK_MSG(realloc(p, c) == p, "%zu to itself", c);
		ATF_CHECK_MSG(realloc(p, malloc_usable_size(p)) == p,
		    "%zu to its usable size", c);
		free(p);
	}
}

ATF_TC(null);
ATF_TC_HEAD(null, tc)
{

	atf_tc_set_md_var(tc, "descr", "With NULL they allocate");
}
ATF_TC_BODY(null, tc)
{
	void *p;

	p = realloc(NULL, hide(100));
	ATF_REQUIRE(p != NULL);
	memset(p, 1, 100);
	free(p);
	p = realloc(NULL, hide(0));
	ATF_CHECK(p != NULL);
	free(p);
	p = reallocarray(NULL, 10, 10);
	ATF_REQUIRE(p != NULL);
	memset(p, 1, 100);
	free(p);
	p = reallocf(NULL, hide(0));
	ATF_CHECK(p != NULL);
	free(p);
}

/* The four ways to say 0. */
static void *
to_zero(unsigned int how, void *p)
{

	switch (how % 4) {
	case 0:
		return (realloc(p, hide(0)));
	case 1:
		return (reallocarray(p, hide(0), 8));
	case 2:
		return (reallocarray(p, 8, hide(0)));
	default:
		return (reallocf(p, hide(0)));
	}
}

ATF_TC(zero);
ATF_TC_HEAD(zero, tc)
{

	atf_tc_set_md_var(tc, "descr", "With 0 the block shrinks to one of its "
	    "own, as with 1; the memory is not lost");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(zero, tc)
{
	long before;
	size_t c;
	unsigned int how, i;
	void *p, *q, *r;

	for (FOREACH_CLASS(c, LARGE_MAX))
		for (how = 0; how < 4; how++) {
			p = malloc(c);
			ATF_REQUIRE(p != NULL);
			memset(p, 7, c);
			errno = 4711;
			q = to_zero(how, p);
			ATF_REQUIRE_MSG(q != NULL, "size %zu, way %u", c, how);
			ATF_CHECK_EQ(4711, errno);
			r = malloc(1);
			ATF_REQUIRE(r != NULL);
			ATF_CHECK(q != r);
			ATF_CHECK_EQ(malloc_usable_size(r),
			    malloc_usable_size(q));
			ATF_CHECK_EQ(7, *(char *)q);
			free(r);
			free(q);
		}
	before = maxrss();
	for (i = 0; i < 20000; i++) {
		p = malloc(65536);
		ATF_REQUIRE(p != NULL);
		memset(p, 2, 65536);
		free(to_zero(i, p));
	}
	ATF_CHECK_MSG(maxrss() - before < 64 << 10, "grew by %ld KiB",
	    maxrss() - before);
	for (i = 0; i < 1000000; i++) {
		p = malloc(256);
		ATF_REQUIRE(p != NULL);
		memset(p, 2, 256);
		free(to_zero(i, p));
	}
	ATF_CHECK_MSG(maxrss() - before < 64 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

ATF_TC(array);
ATF_TC_HEAD(array, tc)
{

	atf_tc_set_md_var(tc, "descr", "reallocarray multiplies and keeps");
}
ATF_TC_BODY(array, tc)
{
	size_t n;
	void *p;

	p = NULL;
	for (n = 1; n < 100000; n *= 3) {
		p = reallocarray(p, n, 12);
		ATF_REQUIRE(p != NULL);
		ATF_REQUIRE(malloc_usable_size(p) >= n * 12);
		if (n > 1)
			ATF_CHECK_EQ(n / 3 * 12, painted(p, n / 3 * 12, 9));
		paint(p, n * 12, 9);
	}
	free(p);
}

ATF_TC(reallocf);
ATF_TC_HEAD(reallocf, tc)
{

	atf_tc_set_md_var(tc, "descr", "reallocf resizes, and frees the block "
	    "when that fails");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(reallocf, tc)
{
	long before;
	unsigned int i;
	void *p, *q;

	p = reallocf(NULL, 100);
	ATF_REQUIRE(p != NULL);
	paint(p, 100, 3);
	p = reallocf(p, 100000);
	ATF_REQUIRE(p != NULL);
	ATF_CHECK_EQ(100, painted(p, 100, 3));
	free(p);
	before = maxrss();
	for (i = 0; i < 10000; i++) {
		p = malloc(100000);
		ATF_REQUIRE(p != NULL);
		memset(p, 1, 100000);
		errno = 0;
		q = reallocf(p, hide(SIZE_MAX / 2));
		ATF_REQUIRE(q == NULL);
		ATF_REQUIRE_EQ(ENOMEM, errno);
	}
	/* A leak would be 1 GB. */
	ATF_CHECK_MSG(maxrss() - before < 64 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

ATF_TC(aligned);
ATF_TC_HEAD(aligned, tc)
{

	atf_tc_set_md_var(tc, "descr", "An aligned block can be resized like "
	    "any other");
}
ATF_TC_BODY(aligned, tc)
{
	size_t a, size;
	void *p;

	for (a = 16; a <= (size_t)4 << 20; a *= 2)
		for (size = 1; size <= 300000; size *= 7) {
			ATF_REQUIRE_EQ(0, posix_memalign(&p, a, size));
			paint(p, size, 4);
			p = realloc(p, size * 2);
			ATF_REQUIRE(p != NULL);
			ATF_REQUIRE_EQ(size, painted(p, size, 4));
			memset(p, 1, size * 2);
			p = realloc(p, size / 2 + 1);
			ATF_REQUIRE(p != NULL);
			ATF_REQUIRE_EQ(size / 2 + 1,
			    all_bytes(p, size / 2 + 1, 1));
			free(p);
		}
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, keeps_contents);
	ATF_TP_ADD_TC(tp, grow_and_shrink);
	ATF_TP_ADD_TC(tp, shrink_frees);
	ATF_TP_ADD_TC(tp, same_place);
	ATF_TP_ADD_TC(tp, null);
	ATF_TP_ADD_TC(tp, zero);
	ATF_TP_ADD_TC(tp, array);
	ATF_TP_ADD_TC(tp, reallocf);
	ATF_TP_ADD_TC(tp, aligned);

	return (atf_no_error());
}
