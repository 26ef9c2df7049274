/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the black-box tests of malloc share.
 */

#ifndef _MALLOC_TEST_SUBR_H_
#define	_MALLOC_TEST_SUBR_H_

#include <sys/param.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef nitems			/* <sys/param.h> has it on BSD */
#define	nitems(x)	(sizeof(x) / sizeof((x)[0]))
#endif

#define	SMALL_MAX	((size_t)32 << 10)
#define	LARGE_MAX	((size_t)8 << 20)
#define	NCLASSES	80

/* Sizes and pointers that the compiler knows nothing about. */
static inline size_t
hide(size_t n)
{

	__asm__ volatile("" : "+r" (n));
	return (n);
}

static inline void *
hidep(void *p)
{

	__asm__ volatile("" : "+r" (p) : : "memory");
	return (p);
}

/*
 * The size class above size: 8, then multiples of 16 up to 128, then four to
 * a doubling.
 */
static inline size_t
next_class(size_t size)
{
	size_t p;

	if (size < 8)
		return (8);
	if (size < 128)
		return ((size + 16) & ~(size_t)15);
	for (p = 128; p * 2 <= size; p *= 2)
		;
	return ((size / (p / 4) + 1) * (p / 4));
}

/* Every class up to max; for (FOREACH_CLASS(c, max)) */
#define	FOREACH_CLASS(c, max)						\
	(c) = 8; (c) <= (max); (c) = next_class(c)

static inline void
paint(void *p, size_t size, unsigned int seed)
{
	unsigned char *c;
	size_t i;

	c = p;
	for (i = 0; i < size; i++)
		c[i] = (unsigned char)(seed + i * 7 + (i >> 8) * 13);
}

/* The offset of the first byte that is not painted, or size. */
static inline size_t
painted(const void *p, size_t size, unsigned int seed)
{
	const unsigned char *c;
	size_t i;

	c = p;
	for (i = 0; i < size; i++)
		if (c[i] != (unsigned char)(seed + i * 7 + (i >> 8) * 13))
			break;
	return (i);
}

/* The offset of the first byte that is not c, or size. */
static inline size_t
all_bytes(const void *p, size_t size, unsigned char c)
{
	const unsigned char *b;
	size_t i;

	b = p;
	if (size == 0 || (b[0] == c && memcmp(b, b + 1, size - 1) == 0))
		return (size);
	for (i = 0; i < size; i++)
		if (b[i] != c)
			break;
	return (i);
}

/* Maximum resident set so far, in KiB. */
static inline long
maxrss(void)
{
	struct rusage ru;

	(void)getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_maxrss);
}

/* A number from a file in /proc: the first, or the one after a word. */
static inline long
proc_number(const char *path, const char *word)
{
	char buf[8192], *p;
	size_t len = 0;
	ssize_t n;
	int fd;

	/* stdio would allocate. */
	fd = open(path, O_RDONLY);
	if (fd == -1)
		return (-1);
	while ((n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(fd);
	buf[len] = '\0';
	p = word == NULL ? buf : strstr(buf, word);
	return (p == NULL ? -1 :
	    strtol(p + (word == NULL ? 0 : strlen(word)), NULL, 10));
}

/* Fork; the child has so many seconds, then it dies by SIGALRM. */
static inline pid_t
fork_child(unsigned int seconds)
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	ATF_REQUIRE(pid != -1);
	if (pid == 0)
		(void)alarm(seconds);
	return (pid);
}

/* Wait for a child; at most seconds, then it is killed and the case fails. */
static inline int
wait_for(pid_t pid, unsigned int seconds)
{
	int status;
	unsigned int i;
	pid_t r;

	for (i = 0; i < seconds * 1000; i++) {
		r = waitpid(pid, &status, WNOHANG);
		ATF_REQUIRE(r != -1);
		if (r == pid)
			return (status);
		usleep(1000);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	atf_tc_fail("the child hangs");
}

/* All that comes from fd, as a string; what does not fit is left out. */
static inline size_t
read_all(int fd, char *buf, size_t size)
{
	size_t len;
	ssize_t n;

	len = 0;
	while ((n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	(void)close(fd);
	return (len);
}

#endif /* !_MALLOC_TEST_SUBR_H_ */
