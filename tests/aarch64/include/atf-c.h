/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * As much of atf-c(3) as the tests here use, in one header: there is no ATF
 * for the machine that they are cross-compiled for.
 *
 *	program [-x case] ...
 *
 * runs every case but those after -x, each in a process of its own, says a
 * line for each that fails or is skipped, and how many passed.
 */

#ifndef _ATF_C_H_
#define	_ATF_C_H_

#include <sys/wait.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct atf_tc {
	const char	*name;
	void		(*body)(const struct atf_tc *);
	const struct atf_tc *next;
};
typedef struct atf_tc atf_tc_t;
typedef int atf_error_t;

enum { ATF_PASSED, ATF_FAILED, ATF_SKIPPED };

static int		 atf_result;	/* of the case that runs */
static char		**atf_except;	/* cases not to be run */
static unsigned int	 atf_nexcept, atf_counts[3];

#define	ATF_TC(tc)							\
	static void tc##_body(const atf_tc_t *);			\
	static const atf_tc_t tc##_tc = { #tc, tc##_body, NULL }
#define	ATF_TC_WITHOUT_HEAD(tc)	ATF_TC(tc)
#define	ATF_TC_HEAD(tc, arg)						\
	static void __attribute__((__unused__))				\
	tc##_head(atf_tc_t *arg __attribute__((__unused__)))
#define	ATF_TC_BODY(tc, arg)						\
	static void							\
	tc##_body(const atf_tc_t *arg __attribute__((__unused__)))
#define	ATF_TP_ADD_TCS(tp)	static atf_error_t atf_add(int tp)
#define	ATF_TP_ADD_TC(tp, tc)	((void)(tp), atf_run(&tc##_tc))
#define	atf_no_error()		0
#define	atf_tc_set_md_var(tc, ...) ((void)(tc))

static void __attribute__((__noreturn__, __unused__,
    __format__(__printf__, 1, 2)))
atf_tc_skip(const char *fmt, ...)
{

	va_list ap;

	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)puts("");
	(void)fflush(stdout);
	_exit(ATF_SKIPPED);
}

static void __attribute__((__noreturn__, __unused__,
    __format__(__printf__, 1, 2)))
atf_tc_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)puts("");
	(void)fflush(stdout);
	_exit(ATF_FAILED);
}

#define	ATF_REQUIRE_MSG(e, fmt, ...)					\
	((e) ? (void)0 : atf_tc_fail("%s:%d: %s: " fmt, __FILE__,	\
	    __LINE__, #e, ##__VA_ARGS__))
#define	ATF_CHECK_MSG(e, fmt, ...)					\
	((e) ? (void)0 : (void)(atf_result = ATF_FAILED,		\
	    printf("%s:%d: %s: " fmt "\n", __FILE__, __LINE__, #e,	\
	    ##__VA_ARGS__)))
#define	ATF_REQUIRE(e)			ATF_REQUIRE_MSG(e, "false")
#define	ATF_CHECK(e)			ATF_CHECK_MSG(e, "false")
#define	ATF_REQUIRE_EQ(a, b)		ATF_REQUIRE_MSG((a) == (b), "differ")
#define	ATF_CHECK_EQ(a, b)		ATF_CHECK_MSG((a) == (b), "differ")
#define	ATF_REQUIRE_EQ_MSG(a, b, ...)	ATF_REQUIRE_MSG((a) == (b), __VA_ARGS__)
#define	ATF_CHECK_EQ_MSG(a, b, ...)	ATF_CHECK_MSG((a) == (b), __VA_ARGS__)

static void __attribute__((__unused__))
atf_run(const atf_tc_t *tc)
{
	unsigned int i, result;
	int status;
	pid_t pid;

	for (i = 0; i < atf_nexcept; i++)
		if (strcmp(atf_except[i], tc->name) == 0)
			return;
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)alarm(120);
		tc->body(tc);
		(void)fflush(stdout);
		_exit(atf_result);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		exit(2);
	result = WIFEXITED(status) && WEXITSTATUS(status) <= ATF_SKIPPED ?
	    (unsigned int)WEXITSTATUS(status) : ATF_FAILED;
	if (result != ATF_PASSED)
		(void)printf("%s: %s, status %#x\n", tc->name,
		    result == ATF_FAILED ? "FAILED" : "skipped",
		    (unsigned int)status);
	atf_counts[result]++;
}

static atf_error_t atf_add(int);

int
main(int argc, char *argv[])
{
	int ch;

	atf_except = calloc((size_t)argc, sizeof(*atf_except));
	while ((ch = getopt(argc, argv, "x:")) == 'x')
		atf_except[atf_nexcept++] = optarg;
	if (atf_except == NULL || ch != -1 || optind != argc)
		return (2);
	(void)atf_add(0);
	(void)printf("%u passed, %u failed, %u skipped\n",
	    atf_counts[ATF_PASSED], atf_counts[ATF_FAILED],
	    atf_counts[ATF_SKIPPED]);
	return (atf_counts[ATF_FAILED] == 0 &&
	    atf_counts[ATF_PASSED] != 0 ? 0 : 1);
}

#endif /* !_ATF_C_H_ */
