/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * To preload beside an allocator: each program that starts adds a line to the
 * file $CLIENTS_PROOF, with its own path and that of the file whose malloc it
 * uses.  It must stand before the allocator in LD_PRELOAD.
 */
#define	_GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * The first malloc that there is, which may be the program's own.  In a
 * program that is not position-independent the first may also be only its
 * way to the next.
 */
static int
find(Dl_info *info)
{
	const ElfW(Sym) *sym;
	void *p;

	p = dlsym(RTLD_DEFAULT, "malloc");
	if (dladdr1(p, info, (void **)&sym, RTLD_DL_SYMENT) == 0)
		return (0);
	if (sym != NULL && sym->st_shndx == SHN_UNDEF)
		return (dladdr(dlsym(RTLD_NEXT, "malloc"), info));
	return (1);
}

static void __attribute__((__constructor__))
proof(void)
{
	const char *path = getenv("CLIENTS_PROOF");
	char exe[1024], line[2200];
	Dl_info info;
	ssize_t len;
	int fd, n;

	if (path == NULL || !find(&info))
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
