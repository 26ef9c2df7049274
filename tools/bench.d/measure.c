/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * measure WARM PROGRAM [ARGS...]: touches WARM MiB of memory in a child that
 * then ends, runs PROGRAM, and prints one line: user and system seconds, wall
 * seconds, peak RSS in KiB, page faults, context switches and exit status.
 *
 * Virtual machines hand free memory back to their hypervisor, and getting it
 * again costs ten times an ordinary page fault; hence the warming, half of it
 * by huge pages, half by small ones, right before the run.  This process stays
 * small, because a child's peak RSS begins with that of its parent.
 */

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static void
touch(size_t bytes, int advice)
{
	size_t i;
	char *p;

	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return;
	madvise(p, bytes, advice);
	for (i = 0; i < bytes; i += 4096)
		p[i] = 1;
}

static void
warm(size_t mib)
{
	pid_t pid;

	if (mib == 0)
		return;
	pid = fork();
	if (pid == 0) {
		touch(mib << 19, MADV_HUGEPAGE);
		touch(mib << 19, MADV_NOHUGEPAGE);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
	struct rusage ru;
	double begin;
	pid_t pid;
	int fd, status;

	if (argc < 3) {
		fprintf(stderr, "usage: measure WARM PROGRAM [ARGS...]\n");
		return (2);
	}
	warm(strtoul(argv[1], NULL, 10));
	begin = now();
	pid = fork();
	if (pid == 0) {
		fd = open("/dev/null", O_WRONLY);
		if (fd >= 0)
			dup2(fd, 1);
		execv(argv[2], argv + 2);
		_exit(127);
	}
	if (pid == -1 || wait4(pid, &status, 0, &ru) != pid) {
		perror("measure");
		return (2);
	}
	begin = now() - begin;
	printf("%ld.%06ld %ld.%06ld %.6f %ld %ld %ld %d\n",
	    (long)ru.ru_utime.tv_sec, (long)ru.ru_utime.tv_usec,
	    (long)ru.ru_stime.tv_sec, (long)ru.ru_stime.tv_usec, begin,
	    ru.ru_maxrss, ru.ru_minflt + ru.ru_majflt,
	    ru.ru_nvcsw + ru.ru_nivcsw,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return (0);
}
