/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * h_hooked use: use two arenas with hooks, which give memory from a segment of
 * this program's own, and others; the hooks make no system call.  It prints the
 * segment's address and size.
 * h_hooked wrong N: the same, and the program makes a system call of kind N for
 * a page of the segment.  The status is 3 where there is no such N.
 * h_hooked check ADDRESS SIZE: look through what strace(1) wrote, from standard
 * input, for system calls for the segment, and print them and how many others
 * had an address.  The status is 1 where there is one.
 */
#define	_GNU_SOURCE

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <inttypes.h>
#include <malloc_np.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define	SEGMENT	((size_t)16 << 30)
#define	NBLOCKS	400
#define	NROUNDS	3

static char	*segment;
static size_t	 used;			/* of it; atomic */
static unsigned int ncalls;		/* of dalloc; atomic */

static void *
seg_alloc(extent_hooks_t *h, void *new, size_t size, size_t align, bool *zero,
    bool *commit, unsigned ind)
{
	size_t at, end, was = __atomic_load_n(&used, __ATOMIC_RELAXED);

	(void)h;
	(void)new;
	(void)ind;
	do {
		at = (was + align - 1) & ~(align - 1);
		end = at + size;
		if (end > SEGMENT)
			return (NULL);
	} while (!__atomic_compare_exchange_n(&used, &was, end, false,
	    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	*zero = *commit = true;
	return (segment + at);
}

/* Every other is declined, and so comes to be purged; what is not is lost. */
static bool
seg_dalloc(extent_hooks_t *h, void *p, size_t size, bool committed,
    unsigned ind)
{

	(void)h;
	(void)p;
	(void)size;
	(void)committed;
	(void)ind;
	return (__atomic_fetch_add(&ncalls, 1, __ATOMIC_RELAXED) % 2 == 0);
}

static bool
seg_purge(extent_hooks_t *h, void *p, size_t size, size_t off, size_t len,
    unsigned ind)
{

	(void)h;
	(void)size;
	(void)ind;
	memset((char *)p + off, 0, len);
	return (false);
}

static bool
seg_split(extent_hooks_t *h, void *p, size_t size, size_t a, size_t b,
    bool committed, unsigned ind)
{

	(void)h;
	(void)p;
	(void)size;
	(void)a;
	(void)b;
	(void)committed;
	(void)ind;
	return (false);
}

static bool
seg_merge(extent_hooks_t *h, void *a, size_t alen, void *b, size_t blen,
    bool committed, unsigned ind)
{

	(void)h;
	(void)a;
	(void)alen;
	(void)b;
	(void)blen;
	(void)committed;
	(void)ind;
	return (false);
}

static extent_hooks_t hooks = { .alloc = seg_alloc, .dalloc = seg_dalloc,
    .purge_lazy = seg_purge, .purge_forced = seg_purge, .split = seg_split,
    .merge = seg_merge };

/* A key of an arena's; what cannot be ends the program. */
static void
arena(unsigned int ind, const char *what, void *v, size_t size)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.%s", ind, what);
	if (mallctl(name, NULL, NULL, v, size) != 0) {
		fprintf(stderr, "%s\n", name);
		exit(2);
	}
}

static void
bind_to(unsigned int ind)
{

	if (mallctl("thread.arena", NULL, NULL, &ind, sizeof(ind)) != 0)
		exit(2);
}

/* A block that grows, with another one behind it each time. */
static void
grow(void)
{
	char *p = NULL, *behind[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if ((p = realloc(p, (size_t)3000000 << i)) == NULL ||
		    (behind[i] = malloc(3000000)) == NULL)
			exit(2);
		memset(p, 1, 5000);
	}
	for (i = 0; i < 4; i++)
		free(behind[i]);
	free(p);
}

/* Blocks from 8 bytes to some MiB, that grow, shrink and go. */
static void
work(unsigned int ind)
{
	static const size_t sizes[] = { 8, 100, 1500, 5000, 30000, 40000,
	    200000, 700000, 1500000, 3000000, 9000000 };
	char *v[NBLOCKS] = { NULL };
	unsigned int i, r, x = ind + 1;
	size_t size;

	bind_to(ind);
	for (r = 0; r < NROUNDS * NBLOCKS; r++) {
		x = x * 1664525 + 1013904223;
		i = (x >> 8) % NBLOCKS;
		size = sizes[(x >> 20) % (r % 8 == 0 ? 11 : 6)];
		if (x % 5 == 0)
			v[i] = realloc(v[i], size * 2);
		else {
			free(v[i]);
			v[i] = x % 3 == 0 ? calloc(1, size) : malloc(size);
		}
		if (v[i] == NULL)
			exit(2);
		memset(v[i], 1, size < 5000 ? size : 5000);
		if (r % 100 == 0)
			arena(ind, "purge", NULL, 0);
	}
	for (i = 0; i < NBLOCKS; i++)
		free(v[i]);
	grow();
	arena(ind, "purge", NULL, 0);
}

static void *
thread(void *arg)
{

	work(*(unsigned int *)arg);
	return (NULL);
}

/* By two threads each in: an explicit arena of these hooks, arena 0 with them,
 * and arena 1 without. */
static void
use(void)
{
	extent_hooks_t *h = &hooks;
	unsigned int ind[6] = { 0, 1, 0, 0, 1, 0 }, i;
	size_t len = sizeof(ind[0]);
	ssize_t now = 0;
	pthread_t t[6];

	work(0);
	if (mallctl("arenas.create", &ind[2], &len, &h, sizeof(h)) != 0)
		exit(2);
	ind[5] = ind[2];
	arena(0, "extent_hooks", &h, sizeof(h));
	for (i = 0; i < 6; i++)
		if (pthread_create(&t[i], NULL, thread, &ind[i]) != 0)
			exit(2);
	for (i = 0; i < 6; i++)
		(void)pthread_join(t[i], NULL);
	bind_to(1);
	arena(ind[2], "reset", NULL, 0);
	work(ind[2]);
	arena(0, "dirty_decay_ms", &now, sizeof(now));
	work(0);
	bind_to(1);
	arena(ind[2], "destroy", NULL, 0);
}

static int
wrong(int n)
{
	char *p = segment + 8192;
	struct iovec iov = { p, 4096 };

	switch (n) {
	case 0:
		return (madvise(p, 4096, MADV_NORMAL));
	case 1:
		return (munmap(p, 4096));
	case 2:
		return (mprotect(p, 4096, PROT_READ));
	case 3:
		return (mremap(p, 4096, 4096, 0) == MAP_FAILED);
	case 4:
		return (mmap(p, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_FIXED, -1, 0) == MAP_FAILED);
	case 5:
		/* From before it into it. */
		return (msync(segment - 4096, 8192, MS_ASYNC) * 0);
	case 6:
		return ((int)syscall(SYS_prctl, 0x53564d41, 0, p, 4096, "x") *
		    0);
	case 7:
		return ((int)syscall(SYS_process_madvise, -1, &iov, 1,
		    MADV_DONTNEED, 0) * 0);
	default:
		return (3);
	}
}

/* The first number in s, at *end behind it; NULL there where there is none. */
static uintmax_t
number(const char *s, const char **end)
{
	char *p;
	uintmax_t n;

	while (*s != '\0' && *s != ',' && (*s < '0' || *s > '9'))
		s++;
	if (*s == '\0' || *s == ',') {
		*end = NULL;
		return (0);
	}
	n = strtoumax(s, &p, 0);
	*end = p;
	return (n);
}

/* Has a call an address with a length that meets the segment? */
static bool
meets(const char *call, uintmax_t seg, uintmax_t size, unsigned int *n)
{
	const char *end, *next, *s = call;
	uintmax_t addr, len;

	while ((s = strstr(s, "0x")) != NULL) {
		addr = number(s, &end);
		s = end;
		len = *end == ',' ? number(end + 1, &next) : 0;
		if (addr < 1 << 20)
			continue;
		++*n;
		if (addr < seg + size && addr + (len == 0 ? 1 : len) > seg)
			return (true);
	}
	return (false);
}

static int
check(uintmax_t seg, uintmax_t size)
{
	static char line[1 << 16];
	char *p;
	unsigned int bad = 0, n = 0;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		/* Not what the call returned. */
		if ((p = strstr(line, " = ")) != NULL)
			*p = '\0';
		if (meets(line, seg, size, &n)) {
			printf("%s\n", line);
			bad++;
		}
	}
	printf("%u addresses, %u calls for the segment\n", n, bad);
	return (bad == 0 ? 0 : 1);
}

int
main(int argc, char *argv[])
{

	if (argc == 4 && strcmp(argv[1], "check") == 0)
		return (check(strtoumax(argv[2], NULL, 0), strtoumax(argv[3],
		    NULL, 0)));
	segment = mmap(NULL, SEGMENT, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (segment == MAP_FAILED)
		return (77);
	printf("%p %zu\n", (void *)segment, SEGMENT);
	if (argc == 2 && strcmp(argv[1], "use") == 0)
		use();
	if (argc == 3 && strcmp(argv[1], "wrong") == 0)
		return (wrong(atoi(argv[2])));
	return (0);
}
