/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * base: the allocator's own memory.
 */

#include "unit_test_subr.h"

#define	CHUNK	((size_t)64 << 10)

/* Two types, with the sizes that the allocator itself asks for. */
#define	TYPE_A	(BASE_ARRAY + 6)
#define	SIZE_A	(256 * sizeof(void *))
#define	TYPE_B	(BASE_ARRAY + 7)
#define	SIZE_B	(512 * sizeof(void *))
#define	TYPE_C	(BASE_SLAB + 5)
#define	SIZE_C	1000		/* not a number of cache lines */
#define	NOBJS	200

static uintptr_t
chunk(const void *p)
{

	return ((uintptr_t)p & ~(CHUNK - 1));
}

ATF_TC(objects);
ATF_TC_HEAD(objects, tc)
{

	atf_tc_set_md_var(tc, "descr", "Objects are zeroed, aligned to cache "
	    "lines, apart, and share a chunk with their own type only");
}
ATF_TC_BODY(objects, tc)
{
	char *a[NOBJS], *b[NOBJS], *c;
	unsigned int i, j;

	for (i = 0; i < NOBJS; i++) {
		a[i] = base_alloc(TYPE_A, SIZE_A);
		b[i] = base_alloc(TYPE_B, SIZE_B);
		ATF_REQUIRE(a[i] != NULL && b[i] != NULL);
		ATF_CHECK_EQ(0, (uintptr_t)a[i] % 64 + (uintptr_t)b[i] % 64);
		ATF_CHECK_EQ(SIZE_A, all_bytes(a[i], SIZE_A, 0));
		ATF_CHECK_EQ(SIZE_B, all_bytes(b[i], SIZE_B, 0));
		c = base_alloc(TYPE_C, SIZE_C);
		ATF_CHECK(c != NULL && (uintptr_t)c % 64 == 0);
		paint(a[i], SIZE_A, i);
		paint(b[i], SIZE_B, i + 1000);
	}
	for (i = 0; i < NOBJS; i++) {
		ATF_CHECK_EQ(SIZE_A, painted(a[i], SIZE_A, i));
		ATF_CHECK_EQ(SIZE_B, painted(b[i], SIZE_B, i + 1000));
		for (j = 0; j < NOBJS; j++)
			ATF_REQUIRE(chunk(a[i]) != chunk(b[j]));
	}
}

ATF_TC(reuse);
ATF_TC_HEAD(reuse, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is given back serves its own type "
	    "first, and takes no more memory");
}
ATF_TC_BODY(reuse, tc)
{
	char *a[NOBJS], *p;
	size_t before;
	unsigned int i, round;

	for (i = 0; i < NOBJS; i++)
		a[i] = base_alloc(TYPE_A, SIZE_A);
	before = base_bytes();
	for (round = 0; round < 100; round++) {
		i = round % NOBJS;
		p = a[i];
		base_free(TYPE_A, a[i], SIZE_A);
		a[i] = base_alloc(TYPE_A, SIZE_A);
		ATF_CHECK_EQ(p, a[i]);
	}
	ATF_CHECK_EQ(before, base_bytes());
}

ATF_TC(empty_chunks);
ATF_TC_HEAD(empty_chunks, tc)
{

	atf_tc_set_md_var(tc, "descr", "An empty chunk gives its pages back, "
	    "can still be read, and serves any type");
}
ATF_TC_BODY(empty_chunks, tc)
{
	char *a[NOBJS], *b;
	size_t before;
	unsigned int i, in, gone;

	before = base_bytes();
	for (i = 0; i < NOBJS; i++) {
		a[i] = base_alloc(TYPE_A, SIZE_A);
		memset(a[i], 1, SIZE_A);
	}
	ATF_CHECK(base_bytes() >= before + NOBJS * SIZE_A);
	for (i = 0; i < NOBJS; i++)
		base_free(TYPE_A, a[i], SIZE_A);
	/* One chunk stays open. */
	ATF_CHECK(base_bytes() <= before + CHUNK);
	gone = 0;
	for (i = 0; i < NOBJS; i++)
		gone += all_bytes(a[i], SIZE_A, 0) == SIZE_A;
	ATF_CHECK(gone >= NOBJS - CHUNK / SIZE_A);
	in = 0;
	for (i = 0; i < NOBJS; i++) {
		b = base_alloc(TYPE_B, SIZE_B);
		ATF_REQUIRE(b != NULL);
		in += chunk(b) == chunk(a[0]) || chunk(b) == chunk(a[100]);
	}
	ATF_CHECK(in > 0);
}

ATF_TC(large_objects);
ATF_TC_HEAD(large_objects, tc)
{

	atf_tc_set_md_var(tc, "descr", "Above half a chunk, an object is a "
	    "mapping of its own and leaves without trace");
}
ATF_TC_BODY(large_objects, tc)
{
	size_t before, size;
	unsigned char vec;
	char *p;

	size = CHUNK / 2 + 1;
	before = base_bytes();
	p = base_alloc(BASE_ARENA, size);
	ATF_REQUIRE(p != NULL);
	ATF_CHECK_EQ(0, (uintptr_t)p % os_page);
	ATF_CHECK_EQ(size, all_bytes(p, size, 0));
	ATF_CHECK_EQ(before + ROUND_UP(size, os_page), base_bytes());
	base_free(BASE_ARENA, p, size);
	ATF_CHECK_EQ(before, base_bytes());
	ATF_CHECK(mincore(p, 1, &vec) != 0);
}

ATF_TC(no_memory);
ATF_TC_HEAD(no_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "NULL when the system has nothing, and "
	    "all is well when it has again");
}
ATF_TC_BODY(no_memory, tc)
{
	void *p;

	p = base_alloc(TYPE_A, SIZE_A);
	ATF_REQUIRE(p != NULL);
	(void)exhaust_base(TYPE_A, SIZE_A);
	ATF_CHECK(base_alloc(TYPE_A, SIZE_A) == NULL);
	ATF_CHECK(base_alloc(BASE_ARENA, CHUNK) == NULL);
	base_free(TYPE_A, p, SIZE_A);
	ATF_CHECK_EQ(p, base_alloc(TYPE_A, SIZE_A));
	memory_again();
	ATF_CHECK(base_alloc(TYPE_A, SIZE_A) != NULL);
	ATF_CHECK(base_alloc(BASE_ARENA, CHUNK) != NULL);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, objects);
	ATF_TP_ADD_TC(tp, reuse);
	ATF_TP_ADD_TC(tp, empty_chunks);
	ATF_TP_ADD_TC(tp, large_objects);
	ATF_TP_ADD_TC(tp, no_memory);

	return (atf_no_error());
}
