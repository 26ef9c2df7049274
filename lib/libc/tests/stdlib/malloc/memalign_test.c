/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * posix_memalign, aligned_alloc, memalign, valloc, pvalloc.
 */

#define	_GNU_SOURCE

#include <sys/param.h>

#include <errno.h>
#include <malloc_np.h>

#include "malloc_test_subr.h"

static const size_t sizes[] = {
	0, 1, 2, 7, 8, 9, 15, 16, 17, 48, 64, 96, 100, 128, 160, 1000, 1024,
	4095, 4096, 4097, 12288, 16384, 20000, 32767, 32768, 32769, 65536,
	100000, 1048575, 1048576, 2097152, 2097153, 5000000
};

enum how { POSIX_MEMALIGN, ALIGNED_ALLOC, MEMALIGN };

static void *
allocate(enum how how, size_t a, size_t size)
{
	void *p;

	p = NULL;
	switch (how) {
	case POSIX_MEMALIGN:
		if (posix_memalign(&p, a, size) != 0)
			return (NULL);
		break;
	case ALIGNED_ALLOC:
		p = aligned_alloc(a, size);
		break;
	case MEMALIGN:
		p = memalign(a, size);
		break;
	}
	return (p);
}

static void
matrix(enum how how, size_t mina)
{
	void *p[16];
	size_t a, i, n, s, size, u;

	for (a = mina; a <= (size_t)8 << 20; a *= 2)
		for (s = 0; s < nitems(sizes); s++) {
			size = sizes[s];
			n = size > 100000 || a > 65536 ? 3 : nitems(p);
			for (i = 0; i < n; i++) {
				p[i] = allocate(how, hide(a), size);
				ATF_REQUIRE_MSG(p[i] != NULL,
				    "alignment %zu, size %zu", a, size);
				ATF_REQUIRE_MSG(((uintptr_t)p[i] & (a - 1)) ==
				    0, "alignment %zu, size %zu: %p", a, size,
				    p[i]);
				u = malloc_usable_size(p[i]);
				ATF_REQUIRE(u >= size);
				memset(p[i], (int)i + 1, u);
			}
			for (i = 0; i < n; i++) {
				ATF_REQUIRE_MSG(all_bytes(p[i], size,
				    (unsigned char)(i + 1)) == size,
				    "alignment %zu, size %zu: overlap", a,
				    size);
				free(p[i]);
			}
		}
}

ATF_TC(posix_memalign_matrix);
ATF_TC_HEAD(posix_memalign_matrix, tc)
{

	atf_tc_set_md_var(tc, "descr", "posix_memalign: alignments x sizes");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(posix_memalign_matrix, tc)
{

	matrix(POSIX_MEMALIGN, sizeof(void *));
}

ATF_TC(aligned_alloc_matrix);
ATF_TC_HEAD(aligned_alloc_matrix, tc)
{

	atf_tc_set_md_var(tc, "descr", "aligned_alloc: alignments x sizes, "
	    "multiples or not");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(aligned_alloc_matrix, tc)
{

	matrix(ALIGNED_ALLOC, 1);
}

ATF_TC(memalign_matrix);
ATF_TC_HEAD(memalign_matrix, tc)
{

	atf_tc_set_md_var(tc, "descr", "memalign: alignments x sizes");
	atf_tc_set_md_var(tc, "timeout", "300");
}
ATF_TC_BODY(memalign_matrix, tc)
{

	matrix(MEMALIGN, 1);
}

ATF_TC(zero_size);
ATF_TC_HEAD(zero_size, tc)
{

	atf_tc_set_md_var(tc, "descr", "Zero bytes are an aligned block of "
	    "their own");
}
ATF_TC_BODY(zero_size, tc)
{
	static const enum how hows[] = {
		POSIX_MEMALIGN, ALIGNED_ALLOC, MEMALIGN
	};
	void *p, *q;
	size_t a, i;

	for (i = 0; i < nitems(hows); i++)
		for (a = sizeof(void *); a <= (size_t)1 << 20; a *= 2) {
			p = allocate(hows[i], hide(a), hide(0));
			q = allocate(hows[i], hide(a), hide(0));
			ATF_REQUIRE_MSG(p != NULL && q != NULL,
			    "alignment %zu, way %zu", a, i);
			ATF_CHECK(p != q);
			ATF_CHECK_EQ(0, ((uintptr_t)p | (uintptr_t)q) &
			    (a - 1));
			free(p);
			free(q);
		}
	p = valloc(hide(0));
	q = pvalloc(hide(0));
	ATF_REQUIRE(p != NULL && q != NULL);
	ATF_CHECK(p != q);
	ATF_CHECK(malloc_usable_size(q) >= (size_t)getpagesize());
	memset(q, 1, (size_t)getpagesize());
	free(p);
	free(q);
}

ATF_TC(rounded_up);
ATF_TC_HEAD(rounded_up, tc)
{

	atf_tc_set_md_var(tc, "descr", "memalign rounds the alignment up to a "
	    "power of two, up to what there is");
}
ATF_TC_BODY(rounded_up, tc)
{
	static const struct {
		size_t given, want;
	} tab[] = {
		{ 0, 1 }, { 3, 4 }, { 5, 8 }, { 24, 32 }, { 100, 128 },
		{ 1025, 2048 }, { 4097, 8192 }, { 70000, 131072 }
	};
	void *p[8];
	size_t i, j;

	for (i = 0; i < nitems(tab); i++) {
		for (j = 0; j < nitems(p); j++) {
			p[j] = memalign(hide(tab[i].given), 100);
			ATF_REQUIRE(p[j] != NULL);
			ATF_CHECK_MSG(((uintptr_t)p[j] &
			    (tab[i].want - 1)) == 0, "memalign(%zu, 100) is "
			    "at %p", tab[i].given, p[j]);
		}
		for (j = 0; j < nitems(p); j++)
			free(p[j]);
	}
	errno = 0;
	ATF_CHECK(hidep(memalign(hide(SIZE_MAX / 2 + 2), 8)) == NULL);
	ATF_CHECK_EQ(EINVAL, errno);
}

ATF_TC(bad_alignment);
ATF_TC_HEAD(bad_alignment, tc)
{

	atf_tc_set_md_var(tc, "descr", "Alignments that are no power of two, "
	    "or too small for posix_memalign, are EINVAL");
}
ATF_TC_BODY(bad_alignment, tc)
{
	static const size_t bad[] = {
		0, 3, 5, 6, 7, 12, 24, 48, 100, 4095, 4097, 12288,
		SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2
	};
	void *p, *q;
	size_t i;
	int error;

	for (i = 0; i < nitems(bad); i++) {
		p = &p;
		errno = 4711;
		error = posix_memalign(&p, hide(bad[i]), 64);
		ATF_CHECK_MSG(error == EINVAL, "posix_memalign(%zu): %d",
		    bad[i], error);
		ATF_CHECK_MSG(p == &p, "the pointer was written to");
		ATF_CHECK_EQ_MSG(4711, errno,
		    "posix_memalign does not set errno");
		errno = 0;
		q = aligned_alloc(hide(bad[i]), 64);
		ATF_CHECK_MSG(q == NULL && errno == EINVAL,
		    "aligned_alloc(%zu): %p, errno %d", bad[i], q, errno);
	}
	for (i = 1; i < sizeof(void *); i *= 2) {
		p = &p;
		ATF_CHECK_EQ(EINVAL, posix_memalign(&p, hide(i), 64));
		ATF_CHECK(p == &p);
	}
}

ATF_TC(too_big);
ATF_TC_HEAD(too_big, tc)
{

	atf_tc_set_md_var(tc, "descr", "Sums of size and alignment that "
	    "overflow are ENOMEM");
}
ATF_TC_BODY(too_big, tc)
{
	static const size_t huge[] = {
		SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096, SIZE_MAX / 2 + 1
	};
	void *p, *q;
	size_t a, i;
	int error;

	for (i = 0; i < nitems(huge); i++)
		for (a = 16; a != 0; a *= 2) {
			p = &p;
			errno = 4711;
			error = posix_memalign(&p, hide(a), hide(huge[i]));
			ATF_CHECK_MSG(error == ENOMEM && p == &p &&
			    errno == 4711, "posix_memalign(%#zx, %#zx): %d, "
			    "errno %d", a, huge[i], error, errno);
			errno = 0;
			q = aligned_alloc(hide(a), hide(huge[i]));
			ATF_CHECK_MSG(q == NULL && errno == ENOMEM,
			    "aligned_alloc(%#zx, %#zx): %p, %d", a, huge[i],
			    q, errno);
			errno = 0;
			q = memalign(hide(a), hide(huge[i]));
			ATF_CHECK_MSG(q == NULL && errno == ENOMEM,
			    "memalign(%#zx, %#zx): %p, %d", a, huge[i], q,
			    errno);
		}
	/* The largest alignments, with a size that would fit. */
	p = &p;
	ATF_CHECK_EQ(ENOMEM, posix_memalign(&p, hide(SIZE_MAX / 2 + 1), 1));
	ATF_CHECK(p == &p);
	errno = 0;
	ATF_CHECK(hidep(pvalloc(hide(SIZE_MAX))) == NULL && errno ==
	    ENOMEM);
	errno = 0;
	ATF_CHECK(hidep(pvalloc(hide(SIZE_MAX - 4000))) == NULL && errno ==
	    ENOMEM);
	errno = 0;
	ATF_CHECK(hidep(valloc(hide(SIZE_MAX))) == NULL && errno ==
	    ENOMEM);
}

ATF_TC(pages);
ATF_TC_HEAD(pages, tc)
{

	atf_tc_set_md_var(tc, "descr", "valloc and pvalloc give whole pages");
}
ATF_TC_BODY(pages, tc)
{
	size_t page, s, size;
	void *p;

	page = (size_t)getpagesize();
	for (s = 0; s < nitems(sizes); s++) {
		size = sizes[s];
		p = valloc(size);
		ATF_REQUIRE(p != NULL);
		ATF_CHECK_EQ(0, (uintptr_t)p & (page - 1));
		ATF_CHECK(malloc_usable_size(p) >= size);
		memset(p, 1, size);
		free(p);
		p = pvalloc(size);
		ATF_REQUIRE(p != NULL);
		ATF_CHECK_EQ(0, (uintptr_t)p & (page - 1));
		size = (size + page - 1) & ~(page - 1);
		ATF_CHECK_MSG(malloc_usable_size(p) >= size,
		    "pvalloc(%zu): usable %zu", sizes[s],
		    malloc_usable_size(p));
		memset(p, 1, size);
		free(p);
	}
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, posix_memalign_matrix);
	ATF_TP_ADD_TC(tp, aligned_alloc_matrix);
	ATF_TP_ADD_TC(tp, memalign_matrix);
	ATF_TP_ADD_TC(tp, zero_size);
	ATF_TP_ADD_TC(tp, rounded_up);
	ATF_TP_ADD_TC(tp, bad_alignment);
	ATF_TP_ADD_TC(tp, too_big);
	ATF_TP_ADD_TC(tp, pages);

	return (atf_no_error());
}
