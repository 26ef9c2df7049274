/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A program's first request fails for want of memory at any of its system
 * calls; the next finds memory.  The status is 0 when malloc can cope, 77
 * where the calls cannot be made to fail.  Nothing here may use malloc before.
 */

#define	_GNU_SOURCE

#include <sys/types.h>
#include <sys/wait.h>

#include <stdlib.h>
#include <unistd.h>

#include "inject.h"

/* A signal handler reads and writes them in the middle of malloc. */
static volatile unsigned int calls, fail_at;
static volatile bool	 fail_on;

static int
fail(long nr, const long *a)
{

	(void)nr;
	(void)a;
	calls++;
	return (calls == fail_at || (fail_on && calls > fail_at) ? ENOMEM : 0);
}

/* Say one line and end. */
static void __attribute__((__noreturn__))
wrong(const char *what)
{

	(void)!write(STDERR_FILENO, what, strlen(what));
	_exit(1);
}

/* The status says whether the request got as far as the failing call. */
static void __attribute__((__noreturn__))
try(unsigned int n, bool on)
{
	char *volatile p;

	calls = 0;
	fail_at = n;
	fail_on = on;
	errno = 0;
	p = malloc(100);
	if (p == NULL && errno != ENOMEM)
		wrong("failed with another errno than ENOMEM\n");
	if (p == NULL && calls < n)
		wrong("failed for no reason\n");
	if (p != NULL)
		memset(p, 1, 100);
	n = calls;
	fail_at = 0;
	fail_on = false;
	free(p);
	p = malloc(200);
	if (p == NULL)
		wrong("failed when there was memory again\n");
	memset(p, 2, 200);
	free(p);
	_exit(n >= 64 ? 64 : (int)n + 2);
}

int
main(void)
{
	unsigned int n, on;
	int status;
	pid_t pid;

	inject_decide = fail;
	if (!inject_start())
		return (77);
	for (on = 0; on < 2; on++)
		for (n = 1;; n++) {
			pid = fork();
			if (pid == 0)
				try(n, on != 0);
			if (pid == -1 || waitpid(pid, &status, 0) != pid ||
			    !WIFEXITED(status) || WEXITSTATUS(status) < 2)
				return (1);
			if ((unsigned int)WEXITSTATUS(status) - 2 < n)
				break;
			if (n > 60)
				wrong("no end of calls\n");
		}
	/* Nothing was tested if the first request was made before. */
	if (n < 3)
		wrong("fewer calls than can be\n");
	return (0);
}
