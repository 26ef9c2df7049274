/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * base: the allocator's own memory.
 */

#include "unit_test_subr.h"

#define	ROLLUP		"/proc/self/smaps_rollup"

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

/* Two types more, of which a chunk holds eight objects. */
#define	TYPE_D		(BASE_ARRAY + 8)
#define	TYPE_E		(BASE_ARRAY + 9)
#define	SIZE_D		((size_t)8128)
#define	PER_CHUNK	8
#define	HUGE		((size_t)2 << 20)

static char *objs[(64 << 20) / SIZE_D];
static unsigned int nobjs;

static void
records(enum base_type type, size_t bytes)
{
	char *p;

	while (nobjs * SIZE_D < bytes) {
		ATF_REQUIRE((p = base_alloc(type, SIZE_D)) != NULL);
		ATF_REQUIRE_EQ(SIZE_D, all_bytes(p, SIZE_D, 0));
		memset(p, 1, SIZE_D);
		objs[nobjs++] = p;
	}
}

/* What is resident is what is said to be, but for the headers of empty chunks
 * and what this program itself touches. */
static void
check_resident(long before, size_t bytes, size_t slack)
{
	size_t rss = (size_t)(proc_number(ROLLUP, "Rss:") - before) << 10;

	bytes = base_bytes() - bytes;
	ATF_CHECK_MSG(rss <= bytes + slack && bytes <= rss + slack,
	    "%zu resident, %zu known", rss, bytes);
}

ATF_TC(huge);
ATF_TC_HEAD(huge, tc)
{

	atf_tc_set_md_var(tc, "descr", "metadata_thp:auto has huge pages once "
	    "there is much, little ahead of the use, and gives them back");
}
ATF_TC_BODY(huge, tc)
{
	size_t before, live;
	unsigned int i, n;
	long huge, rss;

	if (os_thp(true) == OS_THP_NOBODY || os_page != 4096)
		atf_tc_skip("no huge pages");
	memset(objs, 0, sizeof(objs));
	rss = proc_number(ROLLUP, "Rss:");
	huge = proc_number(ROLLUP, "AnonHugePages:");
	before = base_bytes();
	base_thp = BASE_THP_GROWN;
	records(TYPE_D, 8 * HUGE - 2 * CHUNK - before);
	ATF_CHECK_EQ(0, base_nhuge());
	check_resident(rss, before, HUGE / 4);
	records(TYPE_D, 24 * HUGE);
	ATF_CHECK_MSG(base_nhuge() >= 16 && base_nhuge() <= 18, "%u",
	    base_nhuge());
	ATF_CHECK(base_bytes() - before <= 24 * HUGE / (PER_CHUNK *
	    SIZE_D) * CHUNK + HUGE);
	huge = proc_number(ROLLUP, "AnonHugePages:") - huge;
	if (huge == 0)
		atf_tc_skip("the system has no huge page to give");
	ATF_CHECK_EQ((long)(base_nhuge() * HUGE >> 10), huge);
	check_resident(rss, before, HUGE / 4);
	/* Of every 32 chunks one stays. */
	for (i = n = 0; i < nobjs; i++)
		if (i / PER_CHUNK % 32 != 0) {
			base_free(TYPE_D, objs[i], SIZE_D);
			objs[i] = NULL;
		} else
			n++;
	live = n * SIZE_D;
	ATF_CHECK_MSG(base_bytes() - before <= live + live / 8 + 3 * HUGE / 2,
	    "%zu for %zu", base_bytes() - before, live);
	check_resident(rss, before, 24 * HUGE / CHUNK * os_page + HUGE / 8);
	for (i = 0; i < nobjs; i++)
		if (objs[i] != NULL)
			ATF_REQUIRE_EQ(SIZE_D, all_bytes(objs[i], SIZE_D, 1));
	/* What was kept is used first, and is all zero. */
	n = base_nhuge();
	nobjs = 0;
	records(TYPE_E, 20 * HUGE);
	ATF_CHECK_EQ(n, base_nhuge());
	check_resident(rss, before, HUGE);
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
	ATF_TP_ADD_TC(tp, huge);
	ATF_TP_ADD_TC(tp, no_memory);

	return (atf_no_error());
}
