/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Run a command a number of times without and with a library preloaded, in
 * turns, and print both medians of its page faults without input or output:
 * h_rusage [-n times] library command ...
 */

#include <sys/types.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define	MAXTIMES	101

extern char	**environ;

static int
compare(const void *a, const void *b)
{
	long x, y;

	x = *(const long *)a;
	y = *(const long *)b;
	return (x < y ? -1 : x > y);
}

/* The environment, and the library preloaded. */
static char **
preloaded(const char *library)
{
	char *assignment, **env;
	size_t n;

	for (n = 0; environ[n] != NULL; n++)
		;
	env = malloc((n + 2) * sizeof(*env));
	assignment = malloc(strlen(library) + sizeof("LD_PRELOAD="));
	if (env == NULL || assignment == NULL)
		exit(3);
	(void)strcat(strcpy(assignment, "LD_PRELOAD="), library);
	memcpy(env, environ, n * sizeof(*env));
	env[n] = assignment;
	env[n + 1] = NULL;
	return (env);
}

/* Page faults of one run, which has no pages of this process to copy. */
static long
faults(char *argv[], char *env[])
{
	struct rusage ru;
	pid_t pid;
	int status;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, env) != 0)
		exit(3);
	if (wait4(pid, &status, 0, &ru) != pid || status != 0)
		exit(4);
	return (ru.ru_minflt);
}

int
main(int argc, char *argv[])
{
	long plain[MAXTIMES], with[MAXTIMES];
	char **env;
	int ch, i, n;

	n = MAXTIMES;
	while ((ch = getopt(argc, argv, "+n:")) != -1)
		switch (ch) {
		case 'n':
			n = atoi(optarg);
			break;
		default:
			return (2);
		}
	argc -= optind;
	argv += optind;
	if (argc < 2 || n < 1 || n > MAXTIMES)
		return (2);
	env = preloaded(argv[0]);
	for (i = 0; i < n; i++) {
		plain[i] = faults(argv + 1, environ);
		with[i] = faults(argv + 1, env);
	}
	qsort(plain, (size_t)n, sizeof(plain[0]), compare);
	qsort(with, (size_t)n, sizeof(with[0]), compare);
	printf("%ld %ld\n", plain[n / 2], with[n / 2]);
	return (0);
}
