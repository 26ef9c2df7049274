/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * h_keeper: with the option background_thread, print how many such threads
 * there are after each of: the start; use that leaves nothing to give back; a
 * large block that the C library frees; one that the program frees.
 * h_keeper thread: after a thread in which only the C library freed one, while
 * it runs and after its end.
 *
 * It has more thread-local storage than the stack of such a thread.
 */

#define	_GNU_SOURCE

#include <pthread.h>

#include "keeper_test_subr.h"
#include "malloc_np.h"

#define	LARGE	((size_t)8 << 20)

static __thread volatile char local[1 << 20];
static unsigned int n[4];

/* After the time that a thread has to come up. */
static unsigned int
count(void)
{

	usleep(100000);
	return (count_keepers(NULL));
}

/* The same where one should come if any does. */
static unsigned int
count_more(void)
{
	bool on;
	size_t len = sizeof(on);

	if (mallctl("background_thread", &on, &len, NULL, 0) != 0)
		exit(4);
	return (on ? await_keepers(1) : count());
}

static int
compare(const void *a, const void *b)
{

	return (*(const char *)a - *(const char *)b);
}

/* qsort(3) allocates as much as it sorts. */
static void
libc_frees(void)
{
	static char v[100000];

	qsort(v, sizeof(v), 1, compare);
}

static void *
small(void *p)
{
	size_t i;

	for (i = 0; i < 3; i++)
		free(malloc(100 * i));
	return (p);
}

static void *
thread(void *p)
{

	libc_frees();
	n[0] = count();
	local[0] = 1;
	return (p);
}

static void
in_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, thread, NULL) != 0)
		exit(2);
	(void)pthread_join(t, NULL);
	n[1] = count_more();
	printf("%u %u\n", n[0], n[1]);
}

int
main(int argc, char **argv)
{
	char *p;

	if (argc > 1 && strcmp(argv[1], "thread") == 0) {
		in_thread();
		return (0);
	}
	n[0] = count();
	(void)small(NULL);
	n[1] = count();
	libc_frees();
	n[2] = count();
	p = malloc(LARGE);
	if (p == NULL)
		return (2);
	memset(p, 1, LARGE);
	errno = 4711;
	free(p);
	if (errno != 4711)
		return (3);
	n[3] = count_more();
	printf("%u %u %u %u\n", n[0], n[1], n[2], n[3]);
	return (0);
}
