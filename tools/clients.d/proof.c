/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * To preload beside an allocator: each program that starts adds a line to the
 * file $CLIENTS_PROOF, with its own path and that of the file whose malloc it
 * uses.
 */
#define	_GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void __attribute__((__constructor__))
proof(void)
{
	const char *path = getenv("CLIENTS_PROOF");
	char exe[1024], line[2200];
	Dl_info info;
	ssize_t len;
	int fd, n;

	if (path == NULL || dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) == 0)
		return;
	len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (len == -1)
		return;
	exe[len] = '\0';
	n = snprintf(line, sizeof(line), "%s %s\n", exe, info.dli_fname);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd == -1)
		return;
	/* A program that cannot write it is one that is not proven. */
	if (write(fd, line, (size_t)n) != n)
		line[0] = '\0';
	close(fd);
}
