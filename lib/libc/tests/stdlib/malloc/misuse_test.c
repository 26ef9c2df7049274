/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pointers that are not there to be freed: one clear line, then abort.
 */

#define	_GNU_SOURCE

#include <sys/mman.h>
#include <sys/param.h>

#include <errno.h>
#include <malloc_np.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "malloc_test_subr.h"

static int	 announcefd;
static char	 staticmem[4096] __attribute__((__aligned__(64)));

/*
 * Run fn in a child.  It must die by SIGABRT, and the first thing it says
 * must be one whole line that names the address, which fn announces.
 */
static void
expect_abort(void (*fn)(void), const char *what)
{
	char addr[32], buf[16384], *nl;
	void *p;
	ssize_t n;
	int fds[2], ptrs[2], status;
	pid_t pid;

	ATF_REQUIRE(pipe(fds) == 0 && pipe(ptrs) == 0);
	pid = fork_child(60);
	if (pid == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)dup2(fds[1], STDERR_FILENO);
		(void)close(fds[0]);
		(void)close(ptrs[0]);
		announcefd = ptrs[1];
		fn();
		_exit(0);
	}
	(void)close(fds[1]);
	(void)close(ptrs[1]);
	(void)read_all(fds[0], buf, sizeof(buf));
	n = read(ptrs[0], &p, sizeof(p));
	(void)close(ptrs[0]);
	status = wait_for(pid, 60);
	ATF_CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
	    "%s: status %#x", what, status);
	ATF_REQUIRE_MSG(n == (ssize_t)sizeof(p), "%s: no address", what);
	nl = strchr(buf, '\n');
	ATF_REQUIRE_MSG(nl != NULL, "%s: no message: \"%s\"", what, buf);
	*nl = '\0';
	printf("%s: %s\n", what, buf);
	(void)snprintf(addr, sizeof(addr), "%p", p);
	ATF_CHECK_MSG(strstr(buf, addr) != NULL,
	    "%s: the message does not name %s: \"%s\"", what, addr, buf);
	ATF_CHECK_MSG(strlen(buf) < 200, "%s: not a short line: \"%s\"", what,
	    buf);
}

/* In the child: tell the parent which address the message should name. */
static void
announce(void *p)
{

	if (write(announcefd, &p, sizeof(p)) != (ssize_t)sizeof(p))
		_exit(99);
}

static void
misfree(void *p)
{

	announce(p);
	free(hidep(p));
}

static void
free_twice(void *p)
{

	announce(p);
	free(p);
	free(hidep(p));
}

/* A properly aligned address in an array. */
static void *
inside(char mem[256])
{

	return (hidep((void *)(((uintptr_t)mem + 63) & ~(uintptr_t)63)));
}

/* Many blocks of a size, so that what the cache holds is flushed. */
static void
flush(size_t size)
{
	static void *p[40000];
	size_t i;

	for (i = 0; i < nitems(p); i++)
		p[i] = malloc(size);
	for (i = 0; i < nitems(p); i++)
		free(hidep(p[i]));
}

static void
free_stack(void)
{
	char mem[256];

	misfree(inside(mem));
}

static void
free_static(void)
{

	misfree(staticmem);
}

static void
free_function(void)
{

	misfree((void *)((uintptr_t)free_function & ~(uintptr_t)15));
}

static void
free_low(void)
{

	misfree((void *)(uintptr_t)0x10);
}

static void
free_mapped(void)
{
	char *p;

	p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON, -1, 0);
	misfree(p + 4096);
}

static void
free_unmapped(void)
{
	char *p;

	p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON, -1, 0);
	(void)munmap(p, 1 << 16);
	misfree(p);
}

static void
free_large_interior(void)
{
	char *p;

	p = malloc(1 << 20);
	misfree(p + 4096);
}

static void
free_large_unaligned(void)
{
	char *p;

	p = malloc(1 << 20);
	misfree(p + 16);
}

static void
free_large_twice(void)
{

	free_twice(malloc(1 << 20));
}

static void
free_huge_twice(void)
{

	free_twice(malloc(64 << 20));
}

static void
realloc_freed(void)
{
	void *p;

	p = malloc(1 << 20);
	announce(p);
	free(p);
	p = realloc(hidep(p), 2 << 20);
	free(p);
}

static void
realloc_stack(void)
{
	char mem[256];
	void *p;

	p = inside(mem);
	announce(p);
	p = realloc(p, 1000);
	free(hidep(p));
}

static void
free_small_twice(void)
{

	free_twice(malloc(64));
	flush(64);
	flush(64);
}

static void
free_medium_twice(void)
{

	free_twice(malloc(8192));
	flush(8192);
}

static void *
free_in_thread(void *p)
{

	free(p);
	return (NULL);
}

static void
free_twice_in_threads(void)
{
	pthread_t t;
	void *p;
	int i;

	p = malloc(64);
	announce(p);
	/* A thread's exit flushes its cache. */
	for (i = 0; i < 2; i++)
		if (pthread_create(&t, NULL, free_in_thread, p) == 0)
			(void)pthread_join(t, NULL);
	flush(64);
	flush(64);
}

static void
free_small_interior(void)
{
	char *p;

	p = malloc(256);
	misfree(p + 16);
	flush(256);
	flush(256);
}

/* A message function that allocates, of the size that went wrong too. */
static void
allocating_message(void *arg, const char *text)
{
	void *p[3000];	/* more than a cache has */
	size_t i;

	(void)arg;
	for (i = 0; i < nitems(p); i++)
		p[i] = malloc(hide(64));
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(98);
	for (i = 0; i < nitems(p); i++)
		free(p[i]);
}

static void
message_allocates(void)
{

	malloc_message = allocating_message;
	free_small_twice();
}

static void
free_past_end(void)
{
	char *p;

	p = malloc(1 << 20);
	misfree(p + malloc_usable_size(p));
}

static void
usable_of_stack(void)
{
	char mem[256];
	void *p;

	p = inside(mem);
	announce(p);
	_exit((int)(malloc_usable_size(p) & 1));
}

/*
 * Sized frees that lie.  A small size is taken as it is; what is wrong with it
 * is seen when the cache is flushed, so others are freed on top of it.
 */
static void
lie(void *wrong, size_t size)
{
	static void *p[4000];
	size_t i;

	for (i = 0; i < nitems(p); i++)
		p[i] = malloc(size);
	free_sized(hidep(wrong), hide(size));
	for (i = 0; i < nitems(p); i++)
		free(hidep(p[i]));
}

static void
sized_small_as_small(void)
{
	void *p;

	p = malloc(64);
	announce(p);
	lie(p, 1000);
}

static void
sized_small_as_large(void)
{
	void *p;

	p = malloc(64);
	announce(p);
	free_sized(hidep(p), hide(100000));
}

static void
sized_large_as_small(void)
{
	void *p;

	p = malloc(1 << 20);
	announce(p);
	lie(p, 64);
}

static void
sized_large_as_larger(void)
{
	void *p;

	p = malloc(1 << 20);
	announce(p);
	free_sized(hidep(p), hide(3 << 20));
}

static void
sized_stack(void)
{
	char mem[256];
	void *p;

	p = inside(mem);
	announce(p);
	lie(p, 48);
}

static void
aligned_sized_misaligned(void)
{
	char *p;

	p = malloc(100);
	if (((uintptr_t)p & 4095) == 0)
		p = malloc(100);
	announce(p);
	free_aligned_sized(hidep(p), hide(4096), 100);
}

static void
aligned_sized_larger(void)
{
	void *p;

	p = aligned_alloc(64, 128);
	announce(p);
	free_aligned_sized(hidep(p), 64, hide(100000));
}

/* Some misuse only a build with assertions looks for. */
static bool
debugging(void)
{
	bool debug;
	size_t len;

	len = sizeof(debug);
	ATF_REQUIRE_EQ(0, mallctl("config.debug", &debug, &len, NULL, 0));
	return (debug);
}

#define	ABORTS_IF(looked_for, fn, text)					\
ATF_TC(fn);								\
ATF_TC_HEAD(fn, tc)							\
{									\
	atf_tc_set_md_var(tc, "descr", text " aborts with a message");	\
	atf_tc_set_md_var(tc, "timeout", "120");			\
}									\
ATF_TC_BODY(fn, tc)							\
{									\
	if (!(looked_for))						\
		atf_tc_skip("a production build does not look");	\
	expect_abort(fn, #fn);						\
}

#define	ABORTS(fn, text)	ABORTS_IF(true, fn, text)

ABORTS(free_stack, "Freeing memory on the stack")
ABORTS(free_static, "Freeing static memory")
ABORTS(free_function, "Freeing a function")
ABORTS(free_low, "Freeing a small integer")
ABORTS(free_mapped, "Freeing the program's own mapping")
ABORTS(free_unmapped, "Freeing an address where nothing is")
ABORTS(free_large_interior, "Freeing a page inside a large block")
ABORTS(free_large_unaligned, "Freeing the inside of a large block")
ABORTS(free_large_twice, "Freeing a large block twice")
ABORTS(free_huge_twice, "Freeing a huge block twice")
ABORTS(realloc_freed, "Resizing a large block that is free")
ABORTS(realloc_stack, "Resizing memory on the stack")
ABORTS(free_small_twice, "Freeing a small block twice")
ABORTS(free_medium_twice, "Freeing a medium block twice")
ABORTS(free_twice_in_threads, "Freeing a block in two threads")
ABORTS(free_small_interior, "Freeing the inside of a small block")
ABORTS(message_allocates, "A message function that allocates")

ABORTS(free_past_end, "Freeing the end of a large block")
ABORTS(usable_of_stack, "Asking for the size of memory on the stack")
ABORTS(sized_small_as_small, "A sized free with the size of another class")
ABORTS(sized_small_as_large, "A sized free of a small block as a large one")
ABORTS(sized_large_as_small, "A sized free of a large block as a small one")
ABORTS(sized_large_as_larger, "A sized free with more than the block has")
ABORTS(sized_stack, "A sized free of memory on the stack")

ABORTS_IF(debugging(), aligned_sized_misaligned,
    "An aligned free of what is not")
ABORTS_IF(debugging(), aligned_sized_larger,
    "An aligned free with too large a size")

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, free_stack);
	ATF_TP_ADD_TC(tp, free_static);
	ATF_TP_ADD_TC(tp, free_function);
	ATF_TP_ADD_TC(tp, free_low);
	ATF_TP_ADD_TC(tp, free_mapped);
	ATF_TP_ADD_TC(tp, free_unmapped);
	ATF_TP_ADD_TC(tp, free_large_interior);
	ATF_TP_ADD_TC(tp, free_large_unaligned);
	ATF_TP_ADD_TC(tp, free_large_twice);
	ATF_TP_ADD_TC(tp, free_huge_twice);
	ATF_TP_ADD_TC(tp, realloc_freed);
	ATF_TP_ADD_TC(tp, realloc_stack);
	ATF_TP_ADD_TC(tp, free_small_twice);
	ATF_TP_ADD_TC(tp, free_medium_twice);
	ATF_TP_ADD_TC(tp, free_twice_in_threads);
	ATF_TP_ADD_TC(tp, free_small_interior);
	ATF_TP_ADD_TC(tp, free_past_end);
	ATF_TP_ADD_TC(tp, usable_of_stack);
	ATF_TP_ADD_TC(tp, sized_small_as_small);
	ATF_TP_ADD_TC(tp, sized_small_as_large);
	ATF_TP_ADD_TC(tp, sized_large_as_small);
	ATF_TP_ADD_TC(tp, sized_large_as_larger);
	ATF_TP_ADD_TC(tp, sized_stack);
	ATF_TP_ADD_TC(tp, aligned_sized_misaligned);
	ATF_TP_ADD_TC(tp, aligned_sized_larger);
	ATF_TP_ADD_TC(tp, message_allocates);

	return (atf_no_error());
}
