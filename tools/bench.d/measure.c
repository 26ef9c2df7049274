/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * measure [-t] WARM PROGRAM [ARGS...]: touches twice WARM MiB of memory in a
 * child that then ends, runs PROGRAM, and prints one line: user and system
 * seconds, wall seconds, peak RSS in KiB, page faults, context switches, exit
 * status; then KEY=VALUE for each line "= KEY VALUE" that PROGRAM wrote, the
 * rest of which is lost; with -t also rss=MS:KIB,MS:KIB..., its RSS over time.
 * After two minutes PROGRAM is killed.
 *
 * Virtual machines hand free memory back to their hypervisor, and getting it
 * again costs ten times an ordinary page fault; hence the warming, once by
 * huge pages, once by small ones, right before the run.  This process stays
 * small, because a child's peak RSS begins with that of its parent.
 */

#define	_GNU_SOURCE

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define	INTERVAL	25		/* milliseconds between samples */
#define	LIMIT		120		/* seconds */

struct text {
	size_t	length;
	char	text[65536];
};

static struct text figures, series;
static char line[512];
static size_t nline;

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
		touch(mib << 20, MADV_HUGEPAGE);
		touch(mib << 20, MADV_NOHUGEPAGE);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
append(struct text *t, const char *s)
{
	size_t n;

	n = strlen(s);
	if (t->length + n >= sizeof(t->text))
		return;
	memcpy(t->text + t->length, s, n + 1);
	t->length += n;
}

/* A character of what the program writes; a line too long is no figure. */
static void
character(char c)
{
	char key[64], value[64], word[130];

	if (c != '\n') {
		if (nline < sizeof(line) - 1)
			line[nline++] = c;
		return;
	}
	line[nline] = '\0';
	nline = 0;
	if (sscanf(line, "= %63s %63s", key, value) != 2)
		return;
	snprintf(word, sizeof(word), " %s=%s", key, value);
	append(&figures, word);
}

static void
sample(pid_t pid, double since)
{
	char name[64], word[64];
	long pages;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%ld/statm", (long)pid);
	f = fopen(name, "r");
	if (f == NULL)
		return;
	if (fscanf(f, "%*d %ld", &pages) == 1 && pages > 0) {
		snprintf(word, sizeof(word), "%s%.0f:%ld",
		    series.length == 0 ? " rss=" : ",", 1000 * (now() - since),
		    pages * (sysconf(_SC_PAGESIZE) / 1024));
		append(&series, word);
	}
	fclose(f);
}

/* Reads until the program's output is closed, which is mostly at its end. */
static void
watch(pid_t pid, int fd, int sampling, double begin)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char buffer[4096];
	double next;
	ssize_t i, n;
	int ms;

	next = begin;
	for (;;) {
		if (sampling && now() >= next) {
			sample(pid, begin);
			next = now() + INTERVAL / 1e3;
		}
		ms = sampling ? (int)(1000 * (next - now())) + 1 : 1000;
		if (poll(&p, 1, ms > 0 ? ms : 0) > 0) {
			n = read(fd, buffer, sizeof(buffer));
			if (n <= 0)
				break;
			for (i = 0; i < n; i++)
				character(buffer[i]);
		}
		if (now() > begin + LIMIT)
			kill(pid, SIGKILL);
	}
}

static pid_t
run(char **argv, int *output)
{
	pid_t pid;
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return (-1);
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(fd[1]);
	*output = fd[0];
	return (pid);
}

int
main(int argc, char **argv)
{
	struct rusage ru;
	double begin;
	pid_t pid;
	int fd, sampling, status;

	sampling = argc > 1 && strcmp(argv[1], "-t") == 0;
	argc -= sampling;
	argv += sampling;
	if (argc < 3) {
		fprintf(stderr, "usage: measure [-t] WARM PROGRAM [ARGS...]\n");
		return (2);
	}
	warm(strtoul(argv[1], NULL, 10));
	begin = now();
	pid = run(argv + 2, &fd);
	if (pid == -1) {
		perror("measure");
		return (2);
	}
	watch(pid, fd, sampling, begin);
	if (wait4(pid, &status, 0, &ru) != pid) {
		perror("measure");
		return (2);
	}
	begin = now() - begin;
	printf("%ld.%06ld %ld.%06ld %.6f %ld %ld %ld %d%s%s\n",
	    (long)ru.ru_utime.tv_sec, (long)ru.ru_utime.tv_usec,
	    (long)ru.ru_stime.tv_sec, (long)ru.ru_stime.tv_usec, begin,
	    ru.ru_maxrss, ru.ru_minflt + ru.ru_majflt,
	    ru.ru_nvcsw + ru.ru_nivcsw,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	    figures.text, series.text);
	return (0);
}
