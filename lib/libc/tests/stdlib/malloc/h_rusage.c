/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Run a command a number of times and print the median of its page faults
 * without input or output: h_rusage [-p preload] [-n times] command ...
 */

#include <sys/types.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define	MAXTIMES	101

static int
compare(const void *a, const void *b)
{
	long x, y;

	x = *(const long *)a;
	y = *(const long *)b;
	return (x < y ? -1 : x > y);
}

int
main(int argc, char *argv[])
{
	struct rusage ru;
	const char *preload;
	long faults[MAXTIMES];
	pid_t pid;
	int ch, i, n, status;

	preload = NULL;
	n = 21;
	while ((ch = getopt(argc, argv, "+n:p:")) != -1)
		switch (ch) {
		case 'n':
			n = atoi(optarg);
			break;
		case 'p':
			preload = optarg;
			break;
		default:
			return (2);
		}
	argv += optind;
	if (argv[0] == NULL || n < 1 || n > MAXTIMES)
		return (2);
	for (i = 0; i < n; i++) {
		pid = fork();
		if (pid == -1)
			return (3);
		if (pid == 0) {
			if (preload != NULL)
				(void)setenv("LD_PRELOAD", preload, 1);
			(void)execvp(argv[0], argv);
			_exit(127);
		}
		/* fork's own copies are the same in every run. */
		if (wait4(pid, &status, 0, &ru) != pid || status != 0)
			return (4);
		faults[i] = ru.ru_minflt;
	}
	qsort(faults, (size_t)n, sizeof(faults[0]), compare);
	printf("%ld\n", faults[n / 2]);
	return (0);
}
