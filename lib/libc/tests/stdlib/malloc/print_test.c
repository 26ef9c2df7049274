/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * print: formatting, and where messages go.
 */

#include <errno.h>
#include <limits.h>

#include "dsm_print.h"
#include "unit_test_subr.h"

static char	said[4096];
static unsigned int nsaid;

static void
hear(void *arg, const char *s)
{

	if (arg != NULL)
		*(const char **)arg = s;
	(void)snprintf(said, sizeof(said), "%s", s);
	nsaid++;
}

/* The same text and length as stdio's. */
#define	SAME(...) do {							\
	char a_[256], b_[256];						\
	size_t n_;							\
									\
	(void)snprintf(b_, sizeof(b_), __VA_ARGS__);			\
	n_ = print_fmt(a_, sizeof(a_), __VA_ARGS__);			\
	ATF_CHECK_STREQ(b_, a_);					\
	ATF_CHECK_EQ(strlen(b_), n_);					\
} while (0)

ATF_TC(conversions);
ATF_TC_HEAD(conversions, tc)
{

	atf_tc_set_md_var(tc, "descr", "Every conversion says what printf(3) "
	    "says");
}
ATF_TC_BODY(conversions, tc)
{
	static const long long values[] = { 0, 1, -1, 9, 10, 12345, INT_MAX,
	    INT_MIN, LLONG_MAX, LLONG_MIN };
	unsigned int i;

	SAME("%s", "");
	SAME("100%% of %s and %s", "this", "that");
	SAME("%c%c", 'x', 'y');
	SAME("<%5s|%-5s|%.2s|%-6.3s|%6.3s|%.*s>", "ab", "ab", "abc", "abcdef",
	    "abcdef", 2, "xyz");
	SAME("%p", (const void *)said);
	for (i = 0; i < nitems(values); i++) {
		SAME("%d %i %u %x", (int)values[i], (int)values[i],
		    (unsigned int)values[i], (unsigned int)values[i]);
		SAME("%ld %lu %lx %zu %zd", (long)values[i],
		    (unsigned long)values[i], (unsigned long)values[i],
		    (size_t)values[i], (ssize_t)values[i]);
		SAME("%lld %llu %llx", values[i],
		    (unsigned long long)values[i],
		    (unsigned long long)values[i]);
		SAME("[%12d] [%-12d] [%012d] [%3d]", (int)values[i],
		    (int)values[i], (int)values[i], (int)values[i]);
		SAME("[%20llx] [%-20llx] [%020llx] [%*d]", values[i],
		    values[i], values[i], 9, (int)values[i]);
	}
}

ATF_TC(bounds);
ATF_TC_HEAD(bounds, tc)
{

	atf_tc_set_md_var(tc, "descr", "A result is cut to the buffer, always "
	    "ended, and nothing is written behind it");
}
ATF_TC_BODY(bounds, tc)
{
	static const char whole[] = "abc 12345 0000000077";
	char buf[64];
	size_t len, n;

	for (len = 1; len < sizeof(buf); len++) {
		memset(buf, '#', sizeof(buf));
		n = print_fmt(buf, len, "%s %d %010d", "abc", 12345, 77);
		ATF_CHECK_EQ(MIN(len - 1, sizeof(whole) - 1), n);
		ATF_CHECK_EQ('\0', buf[n]);
		ATF_CHECK_EQ(0, memcmp(buf, whole, n));
		ATF_CHECK_EQ(sizeof(buf) - len, all_bytes(buf + len,
		    sizeof(buf) - len, '#'));
	}
}

ATF_TC(sinks);
ATF_TC_HEAD(sinks, tc)
{

	atf_tc_set_md_var(tc, "descr", "A piece goes to its sink, or to "
	    "malloc_message, and errno stays");
}
ATF_TC_BODY(sinks, tc)
{
	static char longtext[3000];
	const char *arg;
	struct print_sink own = { hear, &arg }, none = { NULL, NULL };

	arg = NULL;
	errno = 4711;
	print_to(&own, "%s %u", "seven", 7u);
	ATF_CHECK_STREQ("seven 7", said);
	ATF_CHECK(arg != NULL);
	malloc_message = hear;
	print_to(&none, "%s", "eight");
	ATF_CHECK_STREQ("eight", said);
	print_warn("a %s", "warning");
	ATF_CHECK_STREQ("<dsmalloc>: a warning\n", said);
	ATF_CHECK_EQ(3, nsaid);

	/* What is too long is cut, but a line ends. */
	memset(longtext, 'x', sizeof(longtext) - 1);
	print_to(&own, "%s", longtext);
	ATF_CHECK_EQ(1023, strlen(said));
	print_warn("%s", longtext);
	ATF_CHECK_EQ(1023, strlen(said));
	ATF_CHECK_EQ('\n', said[1022]);
	ATF_CHECK_EQ(5, nsaid);
	ATF_CHECK_EQ(4711, errno);
}

static void
fatal(void *arg)
{

	print_fatal("the %s", (const char *)arg);
}

static void
fatal_again(void *arg, const char *s)
{

	os_write(STDERR_FILENO, s, strlen(s));
	print_fatal("second %p", arg);
}

static void
fatal_twice(void *arg)
{

	malloc_message = fatal_again;
	fatal(arg);
}

static void
failed_assertion(void *arg)
{

	(void)arg;
	dsm_assert_fail("a == b", "file.c", 17);
}

ATF_TC(fatal);
ATF_TC_HEAD(fatal, tc)
{

	atf_tc_set_md_var(tc, "descr", "What is fatal is said in a line, and "
	    "aborts, also in the message function itself");
}
ATF_TC_BODY(fatal, tc)
{
	static char end[] = "end";

	expect_death(fatal, end, "<dsmalloc>: the end\n", "");
	expect_death(fatal_twice, end, "<dsmalloc>: the end\n", "");
	expect_death(failed_assertion, NULL,
	    "<dsmalloc>: file.c:17: Failed assertion: \"a == b\"\n", "");
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, conversions);
	ATF_TP_ADD_TC(tp, bounds);
	ATF_TP_ADD_TC(tp, sinks);
	ATF_TP_ADD_TC(tp, fatal);

	return (atf_no_error());
}
