/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What threads cost:
 *
 *	h_threads idle [-m] n	resident KiB of n idle threads
 *	h_threads churn [-m] n	page faults of starting and joining n threads,
 *				one at a time, after some for warming up
 *
 * With -m each thread allocates and frees a little.
 */

#include <sys/types.h>
#include <sys/resource.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t	ready, leave;
static bool			allocates;

static void
use_malloc(void)
{
	static const size_t sizes[] = { 16, 100, 1000 };
	size_t i;
	void *p;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		p = malloc(sizes[i]);
		if (p == NULL)
			exit(1);
		memset(p, 1, sizes[i]);
		__asm__ volatile("" : "+r" (p) : : "memory");
		free(p);
	}
}

static void *
idle(void *arg)
{

	if (allocates)
		use_malloc();
	(void)pthread_barrier_wait(&ready);
	(void)pthread_barrier_wait(&leave);
	return (arg);
}

static void *
pass(void *arg)
{

	if (allocates)
		use_malloc();
	return (arg);
}

static long
resident(void)
{
	char buf[256];
	FILE *f;
	long pages;

	f = fopen("/proc/self/statm", "r");
	if (f == NULL || fgets(buf, sizeof(buf), f) == NULL ||
	    sscanf(buf, "%*d %ld", &pages) != 1)
		exit(3);
	(void)fclose(f);
	return (pages * (getpagesize() / 1024));
}

static long
faults(void)
{
	struct rusage ru;

	(void)getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_minflt);
}

static void
run(void *(*fn)(void *), unsigned int n)
{
	pthread_t t;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (pthread_create(&t, NULL, fn, NULL) != 0 ||
		    pthread_join(t, NULL) != 0)
			exit(1);
}

int
main(int argc, char *argv[])
{
	pthread_attr_t attr;
	pthread_t *t;
	long before, cost;
	unsigned int i, n;
	int arg;

	arg = 2;
	if (argc > 2 && strcmp(argv[2], "-m") == 0) {
		allocates = true;
		arg++;
	}
	if (argc != arg + 1 || (n = (unsigned int)atoi(argv[arg])) == 0)
		return (2);
	/* Whatever is the process's and not a thread's. */
	use_malloc();
	(void)resident();
	if (strcmp(argv[1], "churn") == 0) {
		run(pass, 200);
		before = faults();
		run(pass, n);
		printf("%ld\n", faults() - before);
		return (0);
	}
	if (strcmp(argv[1], "idle") != 0)
		return (2);
	t = calloc(n, sizeof(*t));
	if (t == NULL)
		return (1);
	memset(t, 1, n * sizeof(*t));
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, 64 << 10);
	(void)pthread_barrier_init(&ready, NULL, n + 1);
	(void)pthread_barrier_init(&leave, NULL, n + 1);
	before = resident();
	for (i = 0; i < n; i++)
		if (pthread_create(&t[i], &attr, idle, NULL) != 0)
			return (1);
	(void)pthread_barrier_wait(&ready);
	cost = resident() - before;
	(void)pthread_barrier_wait(&leave);
	for (i = 0; i < n; i++)
		if (pthread_join(t[i], NULL) != 0)
			return (1);
	printf("%ld\n", cost);
	return (0);
}
