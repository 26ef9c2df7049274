/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * spawn [PROCESSES]: starts /bin/true 2,000 times by fork and exec, one after
 * another, as a shell script does, under the allocator that this program runs
 * under.  What decides is what an allocator does before main and at the first
 * request: relocations, system calls, page faults.  The peak of the resident
 * memory is the largest process's, which makes it that of a tiny program.
 */

#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>

#include "wl.h"

/*
 * The command that started this program, which names the loader and what it
 * preloads when there is one, up to this program's own name.
 */
static size_t
command(char *self, char **argv, size_t most)
{
	static char text[16384];
	ssize_t got;
	size_t i, n;
	int fd;

	fd = open("/proc/self/cmdline", O_RDONLY);
	if (fd == -1)
		die("cannot open /proc/self/cmdline");
	got = read(fd, text, sizeof(text) - 1);
	if (got <= 0)
		die("cannot read /proc/self/cmdline");
	close(fd);
	n = 0;
	for (i = 0; i < (size_t)got && n < most; i += strlen(&text[i]) + 1) {
		if (strcmp(&text[i], self) == 0)
			return (n);
		argv[n++] = &text[i];
	}
	die("cannot find this program in its own command");
	return (0);
}

int
main(int argc, char **argv)
{
	char *child[32];
	size_t words;
	unsigned long n;
	pid_t pid;
	int status;

	words = command(argv[0], child, NELEM(child) - 2);
	child[words] = (char *)(uintptr_t)"/bin/true";
	child[words + 1] = NULL;
	for (n = argument(argc, argv, 1, 2000); n > 0; n--) {
		pid = fork();
		if (pid == 0) {
			execv(child[0], child);
			_exit(127);
		}
		if (pid == -1 || waitpid(pid, &status, 0) != pid ||
		    status != 0)
			die("cannot run /bin/true");
	}
	return (0);
}
