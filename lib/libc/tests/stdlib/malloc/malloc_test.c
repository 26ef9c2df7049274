/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * malloc, calloc, free, malloc_usable_size: what every caller relies on.
 */

#define	_GNU_SOURCE

#include <sys/param.h>

#include <dlfcn.h>
#include <errno.h>
#include <malloc_np.h>

#include "malloc_test_subr.h"

ATF_TC(in_effect);
ATF_TC_HEAD(in_effect, tc)
{

	atf_tc_set_md_var(tc, "descr", "malloc comes from the library that "
	    "has mallctl and reallocf");
}
ATF_TC_BODY(in_effect, tc)
{
	static const char *const names[] = {
		"malloc", "calloc", "realloc", "free", "posix_memalign",
		"aligned_alloc", "memalign", "valloc", "pvalloc",
		"reallocarray", "reallocf", "malloc_usable_size", "free_sized",
		"free_aligned_sized", "malloc_stats_print", "mallctl",
		"mallctlnametomib", "mallctlbymib"
	};
	Dl_info first, info;
	void *f;
	size_t i;

	memset(&first, 0, sizeof(first));
	for (i = 0; i < nitems(names); i++) {
		f = dlsym(RTLD_DEFAULT, names[i]);
		ATF_REQUIRE_MSG(f != NULL, "%s: absent", names[i]);
		ATF_REQUIRE_MSG(dladdr(f, &info) != 0, "%s: dladdr", names[i]);
		if (i == 0)
			first = info;
		ATF_CHECK_MSG(info.dli_fbase == first.dli_fbase,
		    "%s is from %s, malloc from %s", names[i], info.dli_fname,
		    first.dli_fname);
	}
}

ATF_TC(cfree);
ATF_TC_HEAD(cfree, tc)
{

	atf_tc_set_md_var(tc, "descr", "The library has no cfree");
}
ATF_TC_BODY(cfree, tc)
{
	Dl_info its, ours;
	void *f;

	ATF_REQUIRE(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &ours) != 0);
	f = dlsym(RTLD_DEFAULT, "cfree");
	/* libc may have one for programs of long ago. */
	if (f != NULL && dladdr(f, &its) != 0)
		ATF_CHECK_MSG(its.dli_fbase != ours.dli_fbase, "%s has it",
		    its.dli_fname);
}

ATF_TC(alignment);
ATF_TC_HEAD(alignment, tc)
{

	atf_tc_set_md_var(tc, "descr", "Blocks of every class are aligned to "
	    "16 bytes, to 8 below that size");
}
ATF_TC_BODY(alignment, tc)
{
	void *p[64];
	size_t c, i, n, size;
	int d;

	for (FOREACH_CLASS(c, LARGE_MAX)) {
		n = c > SMALL_MAX ? 4 : nitems(p);
		for (d = -1; d <= 1; d++) {
			size = c + (size_t)d;
			for (i = 0; i < n; i++) {
				p[i] = malloc(size);
				ATF_REQUIRE(p[i] != NULL);
				ATF_REQUIRE_MSG(((uintptr_t)p[i] &
				    (size >= 16 ? 15 : 7)) == 0,
				    "malloc(%zu) is at %p", size, p[i]);
			}
			for (i = 0; i < n; i++)
				free(p[i]);
		}
	}
}

ATF_TC(usable_size);
ATF_TC_HEAD(usable_size, tc)
{

	atf_tc_set_md_var(tc, "descr", "Every byte of the usable size can be "
	    "written and is the block's own");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(usable_size, tc)
{
	void *p[3][NCLASSES];
	size_t c, k, n, u[3][NCLASSES];
	int d;

	ATF_CHECK_EQ(0, malloc_usable_size(NULL));
	n = 0;
	for (FOREACH_CLASS(c, 1 << 20)) {
		ATF_REQUIRE(n < NCLASSES);
		for (d = 0; d < 3; d++) {
			p[d][n] = malloc(c + (size_t)d - 1);
			ATF_REQUIRE(p[d][n] != NULL);
			u[d][n] = malloc_usable_size(p[d][n]);
			ATF_REQUIRE_MSG(u[d][n] >= c + (size_t)d - 1,
			    "size %zu, usable %zu", c + (size_t)d - 1,
			    u[d][n]);
			paint(p[d][n], u[d][n], (unsigned int)(n * 3) +
			    (unsigned int)d);
		}
		n++;
	}
	for (k = 0; k < n; k++)
		for (d = 0; d < 3; d++) {
			ATF_CHECK_EQ_MSG(u[d][k], painted(p[d][k], u[d][k],
			    (unsigned int)(k * 3) + (unsigned int)d),
			    "usable size %zu overwritten", u[d][k]);
			ATF_CHECK_EQ(u[d][k], malloc_usable_size(p[d][k]));
			free(p[d][k]);
		}
}

ATF_TC(waste);
ATF_TC_HEAD(waste, tc)
{

	atf_tc_set_md_var(tc, "descr", "Four classes to a doubling: no more "
	    "than a quarter is wasted from 128 bytes on");
}
ATF_TC_BODY(waste, tc)
{
	size_t n, u;
	void *p;

	for (n = 128; n <= SMALL_MAX; n += n / 16) {
		p = malloc(n);
		ATF_REQUIRE(p != NULL);
		u = malloc_usable_size(p);
		ATF_CHECK_MSG(u <= n + n / 4 + 16, "malloc(%zu): %zu", n, u);
		free(p);
	}
}

ATF_TC(zero_size);
ATF_TC_HEAD(zero_size, tc)
{

	atf_tc_set_md_var(tc, "descr", "Zero bytes are a block of their own");
}
ATF_TC_BODY(zero_size, tc)
{
	void *p, *q, *r;

	p = malloc(hide(0));
	q = malloc(hide(0));
	r = calloc(hide(0), 100);
	ATF_REQUIRE(p != NULL && q != NULL && r != NULL);
	ATF_CHECK(p != q && q != r && p != r);
	free(r);
	r = calloc(100, hide(0));
	ATF_CHECK(r != NULL);
	free(p);
	free(q);
	free(r);
}

ATF_TC(too_big);
ATF_TC_HEAD(too_big, tc)
{

	atf_tc_set_md_var(tc, "descr", "Sizes that cannot be fail with ENOMEM");
}
ATF_TC_BODY(too_big, tc)
{
	static const size_t sizes[] = {
		SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 7, SIZE_MAX - 4095,
		SIZE_MAX - 4096, SIZE_MAX - 65536, SIZE_MAX - (2 << 20),
		SIZE_MAX / 2 + 1, SIZE_MAX / 2, SIZE_MAX / 4 * 3
	};
	void *p, *q;
	size_t i;

	p = malloc(100);
	ATF_REQUIRE(p != NULL);
	paint(p, 100, 1);
	for (i = 0; i < nitems(sizes); i++) {
		errno = 0;
		q = malloc(hide(sizes[i]));
		ATF_CHECK_MSG(q == NULL && errno == ENOMEM,
		    "malloc(%#zx): %p, errno %d", sizes[i], q, errno);
		errno = 0;
		q = calloc(1, hide(sizes[i]));
		ATF_CHECK_MSG(q == NULL && errno == ENOMEM,
		    "calloc(1, %#zx): %p, errno %d", sizes[i], q, errno);
		errno = 0;
		q = realloc(NULL, hide(sizes[i]));
		ATF_CHECK_MSG(q == NULL && errno == ENOMEM,
		    "realloc(NULL, %#zx): %p, errno %d", sizes[i], q, errno);
		errno = 0;
		q = realloc(hidep(p), hide(sizes[i]));
		ATF_CHECK_MSG(q == NULL && errno == ENOMEM,
		    "realloc(p, %#zx): %p, errno %d", sizes[i], q, errno);
	}
	ATF_CHECK_EQ(100, painted(p, 100, 1));
	free(p);
}

ATF_TC(overflow);
ATF_TC_HEAD(overflow, tc)
{

	atf_tc_set_md_var(tc, "descr", "calloc and reallocarray see a product "
	    "that overflows");
}
ATF_TC_BODY(overflow, tc)
{
	static const struct {
		size_t n, size;
	} tab[] = {
		{ SIZE_MAX, SIZE_MAX }, { SIZE_MAX, 2 }, { 2, SIZE_MAX },
		{ SIZE_MAX / 2 + 1, 2 }, { 16, SIZE_MAX / 16 + 1 },
		{ SIZE_MAX / 2 + 2, 2 },	/* the product wraps to 2 */
		{ (size_t)1 << (sizeof(size_t) * 4),
		    (size_t)1 << (sizeof(size_t) * 4) },
		{ ((size_t)1 << (sizeof(size_t) * 4)) + 1,
		    ((size_t)1 << (sizeof(size_t) * 4)) },
	};
	void *p, *q;
	size_t i;

	p = malloc(100);
	ATF_REQUIRE(p != NULL);
	paint(p, 100, 2);
	for (i = 0; i < nitems(tab); i++) {
		errno = 0;
		q = calloc(hide(tab[i].n), hide(tab[i].size));
		ATF_CHECK_MSG(q == NULL && errno == ENOMEM,
		    "calloc(%#zx, %#zx): %p, errno %d", tab[i].n, tab[i].size,
		    q, errno);
		errno = 0;
		q = reallocarray(hidep(p), hide(tab[i].n), hide(tab[i].size));
		ATF_CHECK_MSG(q == NULL && errno == ENOMEM,
		    "reallocarray(p, %#zx, %#zx): %p, errno %d", tab[i].n,
		    tab[i].size, q, errno);
		errno = 0;
		q = reallocarray(NULL, hide(tab[i].n), hide(tab[i].size));
		ATF_CHECK_MSG(q == NULL && errno == ENOMEM,
		    "reallocarray(NULL, %#zx, %#zx): %p, errno %d", tab[i].n,
		    tab[i].size, q, errno);
	}
	ATF_CHECK_EQ(100, painted(p, 100, 2));
	free(p);
}

ATF_TC(calloc_zeroes);
ATF_TC_HEAD(calloc_zeroes, tc)
{

	atf_tc_set_md_var(tc, "descr", "calloc gives zeros, also from memory "
	    "that was used before");
	atf_tc_set_md_var(tc, "timeout", "180");
}
ATF_TC_BODY(calloc_zeroes, tc)
{
	void *p[300];
	size_t c, i, n, off, u;
	int round;

	for (FOREACH_CLASS(c, LARGE_MAX)) {
		n = c <= SMALL_MAX ? 300 : c <= 1 << 20 ? 8 : 3;
		for (round = 0; round < 3; round++) {
			for (i = 0; i < n; i++) {
				p[i] = malloc(c);
				ATF_REQUIRE(p[i] != NULL);
				memset(p[i], 0xa5, malloc_usable_size(p[i]));
			}
			for (i = 0; i < n; i++)
				free(p[i]);
			for (i = 0; i < n; i++) {
				p[i] = round == 0 ? calloc(1, c) :
				    round == 1 ? calloc(c / 8, 8) :
				    calloc(c - 1, 1);
				ATF_REQUIRE(p[i] != NULL);
				u = c - (round == 2);
				off = all_bytes(p[i], u, 0);
				ATF_REQUIRE_MSG(off == u,
				    "calloc of %zu, round %d, block %zu: "
				    "offset %zu", u, round, i, off);
				memset(p[i], 0x5a, u);
			}
			for (i = 0; i < n; i++)
				free(p[i]);
		}
	}
}

ATF_TC(calloc_mixed);
ATF_TC_HEAD(calloc_mixed, tc)
{

	atf_tc_set_md_var(tc, "descr", "calloc gives zeros from memory that "
	    "had other sizes before");
	atf_tc_set_md_var(tc, "timeout", "180");
}
ATF_TC_BODY(calloc_mixed, tc)
{
	struct {
		unsigned char *p;
		size_t size;
	} slot[64];
	size_t off, size;
	uint64_t x;
	unsigned int i, j;

	memset(slot, 0, sizeof(slot));
	x = 88172645463325252ULL;
	for (i = 0; i < 6000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		j = (unsigned int)(x % 64);
		free(slot[j].p);
		size = (size_t)(x >> 8) % ((size_t)1 << (4 + (x >> 40) % 18));
		slot[j].size = size;
		if ((x >> 60) & 1) {
			slot[j].p = calloc(1, size);
			ATF_REQUIRE(slot[j].p != NULL);
			off = all_bytes(slot[j].p, size, 0);
			ATF_REQUIRE_MSG(off == size, "calloc of %zu, round "
			    "%u: offset %zu", size, i, off);
		} else {
			slot[j].p = malloc(size);
			ATF_REQUIRE(slot[j].p != NULL);
		}
		memset(slot[j].p, 0xff, malloc_usable_size(slot[j].p));
	}
	for (j = 0; j < 64; j++)
		free(slot[j].p);
}

ATF_TC(distinct);
ATF_TC_HEAD(distinct, tc)
{

	atf_tc_set_md_var(tc, "descr", "Many live blocks of each small class "
	    "do not overlap, freed in three orders");
	atf_tc_set_md_var(tc, "timeout", "180");
}
ATF_TC_BODY(distinct, tc)
{
	static void *p[5000];
	size_t c, i, j, n, off;
	int round;

	for (FOREACH_CLASS(c, SMALL_MAX)) {
		n = MIN(nitems(p), ((size_t)4 << 20) / c);
		for (round = 0; round < 3; round++) {
			for (i = 0; i < n; i++) {
				p[i] = malloc(c);
				ATF_REQUIRE(p[i] != NULL);
				memset(p[i], (int)(i * 31 + i / 256), c);
			}
			for (i = 0; i < n; i++) {
				off = all_bytes(p[i], c,
				    (unsigned char)(i * 31 + i / 256));
				ATF_REQUIRE_MSG(off == c,
				    "size %zu, block %zu, offset %zu", c, i,
				    off);
			}
			for (i = 0; i < n; i++) {
				j = round == 0 ? i : round == 1 ? n - 1 - i :
				    (i * 7919) % n;
				/* 7919 is prime: a permutation or nearly. */
				free(p[j]);
				p[j] = NULL;
			}
			for (i = 0; i < n; i++)
				free(p[i]);
		}
	}
}

ATF_TC(memory_returns);
ATF_TC_HEAD(memory_returns, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is freed is used again, whatever "
	    "the size: no growth");
	atf_tc_set_md_var(tc, "timeout", "180");
}
ATF_TC_BODY(memory_returns, tc)
{
	static void *p[20000];
	long before;
	size_t c, i, n;

	before = maxrss();
	for (FOREACH_CLASS(c, (size_t)2 << 20)) {
		n = MIN(nitems(p), ((size_t)16 << 20) / c);
		for (i = 0; i < n; i++) {
			p[i] = malloc(c);
			ATF_REQUIRE(p[i] != NULL);
			memset(p[i], 1, c);
		}
		for (i = 0; i < n; i++)
			free(p[i]);
	}
	/* 16 MiB live at a time; a class that kept its own would need 1 GiB. */
	ATF_CHECK_MSG(maxrss() - before < 80 << 10, "grew by %ld KiB",
	    maxrss() - before);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, in_effect);
	ATF_TP_ADD_TC(tp, cfree);
	ATF_TP_ADD_TC(tp, alignment);
	ATF_TP_ADD_TC(tp, usable_size);
	ATF_TP_ADD_TC(tp, waste);
	ATF_TP_ADD_TC(tp, zero_size);
	ATF_TP_ADD_TC(tp, too_big);
	ATF_TP_ADD_TC(tp, overflow);
	ATF_TP_ADD_TC(tp, calloc_zeroes);
	ATF_TP_ADD_TC(tp, calloc_mixed);
	ATF_TP_ADD_TC(tp, distinct);
	ATF_TP_ADD_TC(tp, memory_returns);

	return (atf_no_error());
}
