/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * size: the classes, and the slabs that follow from them.
 */

#include "dsm_region.h"
#include "dsm_size.h"
#include "unit_test_subr.h"

ATF_TC(classes);
ATF_TC_HEAD(classes, tc)
{

	atf_tc_set_md_var(tc, "descr", "The classes are jemalloc's: 8, steps "
	    "of 16 to 128, then four to a doubling");
}
ATF_TC_BODY(classes, tc)
{
	size_t size;
	unsigned int c;

	ATF_CHECK_EQ(0, size_info[0].size);
	size = 0;
	for (c = 1; c < SIZE_NCLASSES; c++) {
		size = next_class(size);
		ATF_CHECK_EQ_MSG(size, size_info[c].size, "class %u", c);
	}
	ATF_CHECK_EQ(SIZE_SMALL_MAX, size);
}

ATF_TC(table);
ATF_TC_HEAD(table, tc)
{

	atf_tc_set_md_var(tc, "descr", "Every size gets the smallest class "
	    "that holds it");
}
ATF_TC_BODY(table, tc)
{
	size_t size;
	unsigned int c;

	for (size = 1; size <= SIZE_SMALL_MAX; size++) {
		ATF_REQUIRE_EQ(0, size_table[(size - 1) >> 3] % 3);
		c = size_class(size);
		ATF_REQUIRE_MSG(c >= 1 && c < SIZE_NCLASSES &&
		    size_info[c].size >= size && size_info[c - 1].size < size,
		    "%zu: class %u", size, c);
	}
}

ATF_TC(slots);
ATF_TC_HEAD(slots, tc)
{

	atf_tc_set_md_var(tc, "descr", "Multiplying by the inverse divides, "
	    "for each byte of each slab on pages of any size");
}
ATF_TC_BODY(slots, tc)
{
	size_t off;
	unsigned int bad, c, shift;

	bad = 0;
	for (FOREACH_PAGE(shift)) {
		set_page(shift);
		for (c = 1; c < SIZE_NCLASSES; c++) {
			for (off = 0; off < slab_geom[c].bytes; off++)
				bad += slab_product(off, size_info[c].inv) >>
				    32 != off / size_info[c].size;
		}
	}
	set_page(12);
	ATF_CHECK_EQ(0, bad);
}

/* What is wrong with the slab of class c, or NULL. */
static const char *
bad_geometry(unsigned int c)
{
	const struct slab_geom *g;
	size_t size, tail;

	g = &slab_geom[c];
	size = size_info[c].size;
	if (g->bytes == 0 || g->bytes % os_page != 0)
		return ("not whole pages");
	if (g->bytes > REGION_RUN_MAX)
		return ("longer than a run can be");
	if (g->nslots < 8)
		return ("fewer than 8 slots");
	tail = g->bytes - g->nslots * size;
	if (tail >= size)
		return ("a slot is lost");
	/* Of nearly all classes below 1 %. */
	if (tail * (os_page < 65536 ? 60 : 15) > g->bytes)
		return ("a long tail");
	if (g->nwords != (g->nslots + (tail != 0) + 63) / 64)
		return ("bitmaps of a wrong length");
	if (g->nwords > 128)
		return ("no base type for the bitmaps");
	return (NULL);
}

ATF_TC(slabs);
ATF_TC_HEAD(slabs, tc)
{

	atf_tc_set_md_var(tc, "descr", "Every class has a slab that holds "
	    "together on pages of any size");
}
ATF_TC_BODY(slabs, tc)
{
	const char *why;
	unsigned int c, shift;

	for (FOREACH_PAGE(shift))
		for (c = 1; c < SIZE_NCLASSES; c++) {
			set_page(shift);
			why = bad_geometry(c);
			set_page(12);
			ATF_CHECK_MSG(why == NULL, "%u bytes, %u KiB pages: %s",
			    size_info[c].size, 1u << (shift - 10), why);
		}
	for (c = 1; c < SIZE_NCLASSES; c++)
		ATF_CHECK(size_info[c].inl >= 2);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, classes);
	ATF_TP_ADD_TC(tp, table);
	ATF_TP_ADD_TC(tp, slots);
	ATF_TP_ADD_TC(tp, slabs);

	return (atf_no_error());
}
