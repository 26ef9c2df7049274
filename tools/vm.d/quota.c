/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * quota PROCESSORS MIB: over how many arenas are new threads spread, and what
 * are the limits, as the control group's files change?  These are those of
 * version 2 in the working directory, where the process goes, and which may
 * have so much.  The options want to be limit:cgroup:50%,limit_hard:cgroup:90%.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "malloc_np.h"

#define	MIB		((size_t)1 << 20)
#define	NTHREADS	16
/* The group is looked at every five seconds. */
#define	LATER_US	5300000

static pthread_barrier_t all;
static bool	wrong;

static void
must(bool ok, const char *what)
{

	if (ok)
		return;
	printf("cannot %s: %s\n", what, strerror(errno));
	exit(2);
}

static void
put(const char *file, const char *text)
{
	FILE *f;

	f = fopen(file, "w");
	must(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0, file);
}

/* Take so many MiB, for good. */
static void
grow(unsigned int n)
{
	void *volatile p;

	while (n-- > 0) {
		p = malloc(MIB);
		must(p != NULL, "grow");
		memset(p, 1, MIB);
	}
}

static void *
arena(void *arg)
{
	size_t len;

	free(malloc(100 + (size_t)(rand() & 1)));
	len = sizeof(unsigned int);
	must(mallctl("thread.arena", arg, &len, NULL, 0) == 0, "tell arena");
	(void)pthread_barrier_wait(&all);
	return (NULL);
}

/* The arenas of threads that live at a time. */
static unsigned int
spread(void)
{
	pthread_t t[NTHREADS];
	unsigned int i, ind[NTHREADS], most;

	for (i = 0; i < NTHREADS; i++)
		must(pthread_create(&t[i], NULL, arena, &ind[i]) == 0,
		    "make a thread");
	most = 0;
	for (i = 0; i < NTHREADS; i++) {
		(void)pthread_join(t[i], NULL);
		if (ind[i] > most)
			most = ind[i];
	}
	return (most + 1);
}

static size_t
get(const char *key)
{
	size_t len, n;

	len = sizeof(n);
	must(mallctl(key, &n, &len, NULL, 0) == 0, key);
	return (n >> 20);
}

static void
look(const char *quota, unsigned int arenas, size_t mib)
{
	size_t hard, soft;
	unsigned int n;

	soft = get("limit.soft");
	hard = get("limit.hard");
	n = spread();
	printf("; %s: %u arenas, limits %zu and %zu MiB", quota, n, soft, hard);
	if (n != arenas || soft != mib / 2 || hard != mib * 9 / 10)
		wrong = true;
}

/* Up to the hard limit, which is before the system kills. */
static void
fill(size_t mib)
{
	static void *p[100000];
	size_t n;

	for (n = 0; n < sizeof(p) / sizeof(p[0]); n++) {
		if ((p[n] = malloc(50000)) == NULL)
			break;
		memset(p[n], 1, 50000);
	}
	printf("; full at %zu MiB", get("limit.held"));
	if (get("limit.held") < mib * 9 / 10 - 4 || errno != ENOMEM)
		wrong = true;
	while (n-- > 0)
		free(p[n]);
}

int
main(int argc, char **argv)
{
	unsigned int cpus;
	size_t mib;

	if (argc != 3)
		return (2);
	cpus = (unsigned int)atoi(argv[1]);
	mib = (size_t)atoi(argv[2]);
	must(pthread_barrier_init(&all, NULL, NTHREADS) == 0, "wait");
	put("cgroup.procs", "0\n");
	printf("%u processors", cpus);
	/* Not before much is held. */
	put("cpu.max", "100000 100000\n");
	grow(70);
	look("one", 1, mib);
	put("cpu.max", "max\n");
	put("memory.max", "300M\n");
	usleep(LATER_US);
	grow(3);
	look("all", cpus, 300);
	put("cpu.max", "150000 100000\n");
	put("memory.max", "max\n");
	put("memory.high", "200M\n");
	usleep(LATER_US);
	grow(3);
	look("1.5", 2, 200);
	put("memory.high", "max\n");
	put("memory.max", "200M\n");
	fill(200);
	printf("\n");
	return (wrong);
}
