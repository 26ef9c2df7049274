/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Run a command, bound its time, measure it, and leave nothing of it behind.
 *
 *	nurse [-o file] [-t seconds] command [argument ...]
 *
 * Whatever the command started, daemons too, is killed when the command ends,
 * when its time is over, and when the nurse is told to end or its parent dies.
 * With -o, a line is added to the file: the seconds that the command took, and
 * its peak resident set in KiB, or that of the largest process that it waited
 * for.  The status is the command's; 124 when its time is over; 128 and the
 * signal's number when a signal ended it.
 */
#define	_GNU_SOURCE

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static sigset_t signals;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ts.tv_sec + ts.tv_nsec / 1e9);
}

static pid_t
start(char **argv)
{
	sigset_t none;
	pid_t pid;

	if ((pid = fork()) == -1)
		err(125, "fork");
	if (pid != 0)
		return (pid);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	warn("%s", argv[0]);
	_exit(127);
}

/* Wait until pid ends: its status in wait(2)'s form, -1 when it is not to. */
static int
watch(pid_t pid, double limit, struct rusage *ru)
{
	struct timespec left;
	double end = now() + limit, rest;
	int sig, status;
	pid_t got;

	for (;;) {
		/* Orphans of the command's come here, too. */
		while ((got = wait4(-1, &status, WNOHANG, ru)) > 0)
			if (got == pid)
				return (status);
		rest = end - now();
		if (rest <= 0)
			return (-1);
		left.tv_sec = (time_t)rest;
		left.tv_nsec = (long)((rest - (double)left.tv_sec) * 1e9);
		sig = sigtimedwait(&signals, NULL, &left);
		if (sig > 0 && sig != SIGCHLD)
			return (-1);
	}
}

/* Kill all children.  Theirs become ours, so it takes more than one round. */
static void
bury(void)
{
	static const struct timespec tick = { 0, 10000000 };
	char path[64];
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	while (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
		if ((f = fopen(path, "r")) == NULL)
			err(125, "%s", path);
		while (fscanf(f, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		fclose(f);
		nanosleep(&tick, NULL);
	}
}

static void
record(const char *path, double seconds, const struct rusage *ru)
{
	char line[64];
	int fd, n;

	n = snprintf(line, sizeof(line), "%.3f %ld\n", seconds,
	    ru->ru_maxrss);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0666);
	if (fd == -1 || write(fd, line, (size_t)n) != n)
		err(125, "%s", path);
	close(fd);
}

int
main(int argc, char **argv)
{
	const char *out = NULL;
	struct rusage ru;
	double begin, limit = 3600;
	pid_t parent = getppid(), pid;
	int ch, status;

	while ((ch = getopt(argc, argv, "+o:t:")) != -1)
		switch (ch) {
		case 'o':
			out = optarg;
			break;
		case 't':
			limit = strtod(optarg, NULL);
			break;
		default:
			return (125);
		}
	if (optind == argc)
		errx(125, "no command");
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1 ||
	    prctl(PR_SET_PDEATHSIG, SIGTERM) == -1)
		err(125, "prctl");
	if (getppid() != parent)
		return (125);

	memset(&ru, 0, sizeof(ru));
	begin = now();
	pid = start(argv + optind);
	status = watch(pid, limit, &ru);
	if (out != NULL && status != -1)
		record(out, now() - begin, &ru);
	bury();
	if (status == -1)
		return (124);
	return (WIFEXITED(status) ? WEXITSTATUS(status) :
	    128 + WTERMSIG(status));
}
