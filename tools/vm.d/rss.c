/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * rss N LIBRARY COMMAND [ARGS...]: runs COMMAND N times with LIBRARY preloaded
 * ("-": with none) and prints the median of its peak resident sets, in KiB.
 * rss: whether a process that touches an aligned 2 MiB is given a huge page, 0
 * or 2048 KiB.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define	HUGE	((size_t)2 << 20)
#define	MAX	101

static int
compare(const void *a, const void *b)
{
	const long *x = a, *y = b;

	return ((*x > *y) - (*x < *y));
}

static int
touch(void)
{
	char buf[4096];
	const char *s;
	ssize_t n;
	char *p;
	int fd;

	p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return (2);
	p += -(uintptr_t)p & (HUGE - 1);
	*(volatile char *)p = 1;
	if ((fd = open("/proc/self/smaps_rollup", O_RDONLY)) < 0 ||
	    (n = read(fd, buf, sizeof(buf) - 1)) < 0)
		return (2);
	buf[n] = '\0';
	if ((s = strstr(buf, "AnonHugePages:")) == NULL)
		return (2);
	printf("%ld\n", strtol(s + 14, NULL, 10));
	return (0);
}

static long
run(const char *library, char **argv)
{
	struct rusage ru;
	int fd, status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		if (strcmp(library, "-") != 0)
			(void)setenv("LD_PRELOAD", library, 1);
		if ((fd = open("/dev/null", O_WRONLY)) >= 0)
			(void)dup2(fd, STDOUT_FILENO);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &ru) != pid || status != 0)
		exit(2);
	return (ru.ru_maxrss);
}

int
main(int argc, char **argv)
{
	long kib[MAX];
	int i, n;

	if (argc < 2)
		return (touch());
	n = atoi(argv[1]);
	if (argc < 4 || n < 1 || n > MAX)
		return (2);
	for (i = 0; i < n; i++)
		kib[i] = run(argv[2], argv + 3);
	qsort(kib, (size_t)n, sizeof(kib[0]), compare);
	printf("%ld\n", kib[n / 2]);
	return (0);
}
