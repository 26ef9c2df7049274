/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * map: from an address to its word.  The map does not touch what it maps, so
 * these tests use addresses where nothing is.
 */

#include <sys/mman.h>
#include <sys/resource.h>

#include "dsm_map.h"
#include "unit_test_subr.h"

#define	ROLLUP		"/proc/self/smaps_rollup"

#define	LEAF		((uintptr_t)1 << MAP_LEAF_SHIFT)
#define	TOP		((uintptr_t)1 << MAP_ADDR_BITS)
/* A GiB far from what the system maps by itself. */
#define	SOMEWHERE	((uintptr_t)0x100000000000)

static void *
at(uintptr_t a)
{

	return ((void *)a);
}

ATF_TC(nothing);
ATF_TC_HEAD(nothing, tc)
{

	atf_tc_set_md_var(tc, "descr", "No address has a word before it gets "
	    "one, none can fault, and all hit the entry that never hits");
}
ATF_TC_BODY(nothing, tc)
{
	static const uintptr_t high[] = { TOP, TOP + 1, TOP * 2,
	    (uintptr_t)1 << 63, UINTPTR_MAX - 4096, UINTPTR_MAX };
	uintptr_t a;
	unsigned int g, i, tags;

	tags = 0;
	for (a = 0; a < TOP; a += LEAF)
		for (g = 0; g < MAP_LEAF_WORDS; g += 4093)
			tags += map_tag(map_word(at(a + g * MAP_GRANULE)));
	ATF_CHECK_EQ(0, tags);
	ATF_CHECK_EQ(0, map_find(NULL));
	ATF_CHECK_EQ(0, map_find(at(SOMEWHERE)));
	ATF_CHECK_EQ(0, map_find(at(TOP - 1)));
	for (i = 0; i < nitems(high); i++)
		ATF_CHECK_EQ(0, map_find(at(high[i])));
}

/*
 * Give [a, a + n granules) a word: it and nothing beside it has it then, for
 * every byte's address; and none has it when it is cleared.
 */
static void
check_range(uintptr_t a, size_t n)
{
	struct span span;
	uintptr_t g;
	uint64_t w;

	ATF_REQUIRE(map_prepare(at(a - MAP_GRANULE), (n + 2) * MAP_GRANULE));
	map_set(at(a), n * MAP_GRANULE, &span, 1008);
	for (g = a; g < a + n * MAP_GRANULE; g += MAP_GRANULE / 2) {
		w = map_find(at(g));
		ATF_REQUIRE(map_span(w) == &span && map_tag(w) == 1008);
		ATF_REQUIRE_EQ(w, map_word(at(g + MAP_GRANULE / 2 - 1)));
	}
	ATF_CHECK_EQ(0, map_find(at(a - 1)));
	ATF_CHECK_EQ(0, map_find(at(g)));
	map_clear(at(a), n * MAP_GRANULE);
	for (g = a; g < a + n * MAP_GRANULE; g += MAP_GRANULE)
		ATF_REQUIRE_EQ(0, map_find(at(g)));
}

ATF_TC(ranges);
ATF_TC_HEAD(ranges, tc)
{

	atf_tc_set_md_var(tc, "descr", "Words of ranges within leaves, up to "
	    "and over their borders");
}
ATF_TC_BODY(ranges, tc)
{
	static const int starts[] = { -700, -2, -1, 0, 1, 2, 1000 };
	static const size_t lengths[] = { 1, 2, 3, 512, 1500 };
	unsigned int i, j;

	for (i = 0; i < nitems(starts); i++)
		for (j = 0; j < nitems(lengths); j++)
			check_range(SOMEWHERE + (uintptr_t)(starts[i] *
			    (long)MAP_GRANULE), lengths[j]);
	/* More than a leaf. */
	check_range(SOMEWHERE - MAP_GRANULE, MAP_LEAF_WORDS + 2);
	/* The lowest and the highest. */
	check_range(MAP_GRANULE, 3);
	check_range(TOP - 4 * MAP_GRANULE, 3);
}

ATF_TC(words);
ATF_TC_HEAD(words, tc)
{

	atf_tc_set_md_var(tc, "descr", "Any descriptor and any tag survive, "
	    "and one granule can be set alone");
}
ATF_TC_BODY(words, tc)
{
	static const uintptr_t spans[] = { 0, 64, 0x7fffffffffc0, TOP - 64 };
	unsigned int i, tag;
	uint64_t w;

	ATF_REQUIRE(map_prepare(at(SOMEWHERE), 3 * MAP_GRANULE));
	for (i = 0; i < nitems(spans); i++)
		for (tag = 0; tag <= MAP_TAG_MASK; tag += 4095) {
			map_set_one(at(SOMEWHERE + MAP_GRANULE), at(spans[i]),
			    tag);
			w = map_find(at(SOMEWHERE + MAP_GRANULE));
			ATF_CHECK_EQ(spans[i], (uintptr_t)map_span(w));
			ATF_CHECK_EQ(tag, map_tag(w));
			ATF_CHECK_EQ(0, map_find(at(SOMEWHERE)));
			ATF_CHECK_EQ(0, map_find(at(SOMEWHERE +
			    2 * MAP_GRANULE)));
		}
}

/* Give a word to one granule of each of so many pages of words. */
static void
set_some(uintptr_t a, size_t n, const void *span)
{
	size_t i;

	for (i = 0; i < n; i++)
		map_set_one(at(a + i * LEAF / 512 + LEAF / 1024), span, 24);
}

ATF_TC(release);
ATF_TC_HEAD(release, tc)
{

	atf_tc_set_md_var(tc, "descr", "Pages of words are counted once each, "
	    "and given back where all is released, not beside");
}
ATF_TC_BODY(release, tc)
{
	uintptr_t a = SOMEWHERE, span = LEAF / 512;
	size_t before = map_bytes();
	struct span s;

	if (os_page != 4096)
		atf_tc_skip("other pages than 4 KiB");
	ATF_REQUIRE(map_prepare(at(a), 2 * LEAF));
	ATF_CHECK(!map_holds(at(a), 2 * LEAF));
	set_some(a, 1000, &s);
	set_some(a + 100 * span, 10, &s);
	map_set(at(a), span, &s, 24);
	ATF_CHECK_EQ(before + 1000 * os_page, map_bytes());
	map_clear(at(a), span);
	set_some(a + span, 998, NULL);
	ATF_CHECK_EQ(before + 1000 * os_page, map_bytes());
	ATF_CHECK(map_holds(at(a), 2 * LEAF));
	/* All of a page's words have to go for it to go. */
	ATF_CHECK(!map_holds(at(a + 4096), span));
	map_release(at(a + 4096), span);
	ATF_CHECK_EQ(before + 1000 * os_page, map_bytes());
	map_release(at(a), 999 * span + span - 4096);
	ATF_CHECK_EQ(before + os_page, map_bytes());
	ATF_CHECK(!map_holds(at(a), 999 * span));
	ATF_CHECK(map_holds(at(a), 1000 * span));
	ATF_CHECK_EQ(&s, map_span(map_find(at(a + 999 * span + span / 2))));
	ATF_CHECK_EQ(0, map_find(at(a + span / 2)));
	check_range(a + 5 * span - 4096, 3);
	ATF_CHECK_EQ(before + 3 * os_page, map_bytes());
}

ATF_TC(impossible);
ATF_TC_HEAD(impossible, tc)
{

	atf_tc_set_md_var(tc, "descr", "Addresses that cannot be mapped, and "
	    "leaves that there is no memory for, are refused");
}
ATF_TC_BODY(impossible, tc)
{
	uintptr_t a;

	ATF_CHECK(!map_prepare(at(TOP), MAP_GRANULE));
	ATF_CHECK(!map_prepare(at(TOP - MAP_GRANULE), 2 * MAP_GRANULE));
	ATF_CHECK(!map_prepare(at(UINTPTR_MAX - MAP_GRANULE + 1),
	    2 * MAP_GRANULE));
	ATF_CHECK(map_prepare(at(TOP - MAP_GRANULE), MAP_GRANULE));

	/* One leaf is there, the next cannot be made. */
	a = SOMEWHERE + LEAF;
	ATF_REQUIRE(map_prepare(at(a), MAP_GRANULE));
	no_more_memory();
	ATF_CHECK(!map_prepare(at(a), LEAF + MAP_GRANULE));
	ATF_CHECK(!map_prepare(at(a + LEAF), MAP_GRANULE));
	ATF_CHECK_EQ(0, map_find(at(a + LEAF)));
	ATF_CHECK(map_prepare(at(a), LEAF));
	memory_again();
	ATF_CHECK(map_prepare(at(a), LEAF + MAP_GRANULE));
	check_range(a + LEAF, 1);
}

ATF_TC(late_window);
ATF_TC_HEAD(late_window, tc)
{

	atf_tc_set_md_var(tc, "descr", "A window that there is no address "
	    "space for at first does not hide the leaves made meanwhile");
}
ATF_TC_BODY(late_window, tc)
{
	struct rlimit rl = { 64 * LEAF, 64 * LEAF };
	size_t n = 64 * LEAF;
	struct span span;
	char *p;

	ATF_REQUIRE(setrlimit(RLIMIT_AS, &rl) == 0);
	/* Leave room for a leaf or two, not for the window. */
	do
		p = mmap(NULL, n -= MIB(1), PROT_NONE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	while (p == MAP_FAILED);
	ATF_REQUIRE(munmap(p, MIB(16)) == 0);
	ATF_REQUIRE(map_prepare(at(SOMEWHERE), MAP_GRANULE));
	ATF_CHECK_EQ(0, map_window.n);
	map_set_one(at(SOMEWHERE), &span, 24);
	ATF_REQUIRE(munmap(p + MIB(16), n - MIB(16)) == 0);
	ATF_REQUIRE(map_prepare(at(SOMEWHERE + LEAF), MAP_GRANULE));
	ATF_CHECK_EQ(map_find(at(SOMEWHERE)), map_word(at(SOMEWHERE)));
	ATF_CHECK_EQ(&span, map_span(map_word(at(SOMEWHERE))));
}

/*
 * Leaves of the window that are huge pages: a part of one stays, an eighth and
 * more goes.
 */
ATF_TC(huge);
ATF_TC_HEAD(huge, tc)
{

	atf_tc_set_md_var(tc, "descr", "metadata_thp:always has leaves that "
	    "are huge pages, until an eighth of one is not needed");
}
ATF_TC_BODY(huge, tc)
{
	uintptr_t a, span = LEAF / 512;
	struct span s;
	size_t before;
	long rss;

	if (os_thp(true) == OS_THP_NOBODY || os_page != 4096)
		atf_tc_skip("no huge pages");
	/* A window as one is opened with the option; the test has none yet. */
	ATF_REQUIRE_EQ(0, map_window.n);
	base_thp = BASE_THP_ALWAYS;
	a = SOMEWHERE;
	before = map_bytes();
	rss = proc_number(ROLLUP, "Rss:");
	ATF_REQUIRE(map_prepare(at(a), LEAF));
	ATF_CHECK_EQ(1, map_nhuge());
	ATF_CHECK_EQ(before + MIB(2), map_bytes());
	set_some(a, 400, &s);
	ATF_CHECK_EQ(before + MIB(2), map_bytes());
	if (proc_number(ROLLUP, "AnonHugePages:") == 0)
		atf_tc_skip("the system has no huge page to give");
	ATF_CHECK_EQ(2048, proc_number(ROLLUP, "AnonHugePages:"));
	set_some(a, 300, NULL);
	map_release(at(a), 63 * span);
	ATF_CHECK_EQ(before + MIB(2), map_bytes());
	ATF_CHECK_EQ(1, map_nhuge());
	map_release(at(a), 300 * span);
	ATF_CHECK_EQ(before + 212 * os_page, map_bytes());
	ATF_CHECK_EQ(0, map_nhuge());
	ATF_CHECK_EQ(0, proc_number(ROLLUP, "AnonHugePages:"));
	rss = proc_number(ROLLUP, "Rss:") - rss;
	ATF_CHECK_MSG(rss < 1200, "%ld KiB", rss);
	ATF_CHECK_EQ(&s, map_span(map_find(at(a + 399 * span + span / 2))));
	ATF_CHECK_EQ(0, map_find(at(a + span / 2)));
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, nothing);
	ATF_TP_ADD_TC(tp, ranges);
	ATF_TP_ADD_TC(tp, words);
	ATF_TP_ADD_TC(tp, release);
	ATF_TP_ADD_TC(tp, huge);
	ATF_TP_ADD_TC(tp, impossible);
	ATF_TP_ADD_TC(tp, late_window);

	return (atf_no_error());
}
