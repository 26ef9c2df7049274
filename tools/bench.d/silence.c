/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * silence HOW [MILLISECONDS [MIB]]: MIB (1024) in blocks of 100 bytes to 1 MiB,
 * each doubling of size as many bytes, are all freed, in random order, and
 * then there is as good as nothing to do.  Prints the resident memory at its
 * peak, when all is freed, in quarters of MILLISECONDS (10000, the usual decay
 * time) from there ("at25" to "at100"), and after 1.2 times as long ("end").
 * HOW is
 *
 *	alone	one thread does it, then a malloc and free of 100 bytes a second
 *	remote	another thread frees, the owner sleeps, and it is that other one
 *		that then does a malloc and free of 100 bytes a second
 *	still	as alone, but then there is no malloc or free any more
 *	asleep	as remote, and neither is there
 *
 * What decides is who looks after memory that nobody uses.
 */

#include <sys/mman.h>

#include <fcntl.h>
#include <time.h>

#include "wl.h"

#define	MIB	1048576UL

static void **block;
static size_t nblocks, room, total;
static int freed, ticks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_t freeing;

/* Also while nobody is to call malloc: without stdio. */
static double
rss_mib(void)
{
	char buf[128];
	ssize_t n;
	int fd;

	fd = open("/proc/self/statm", O_RDONLY);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n < 0)
		die("cannot read /proc/self/statm");
	close(fd);
	buf[n] = '\0';
	return (strtod(strchr(buf, ' '), NULL) * (double)getpagesize() / MIB);
}

static void
pause_ms(double ms)
{
	struct timespec t;

	t.tv_sec = (time_t)(ms / 1e3);
	t.tv_nsec = (long)((ms - (double)t.tv_sec * 1e3) * 1e6);
	while (nanosleep(&t, &t) != 0)
		continue;
}

static void
allocate(void)
{
	uint64_t state = seed(41, 1);
	size_t bytes, size;

	for (bytes = 0; bytes < total; bytes += size) {
		size = powerlaw2(&state, 100, MIB);
		if (nblocks == room)
			die("too many blocks");
		block[nblocks++] = get(size);
	}
}

/* The pointers' own memory goes too: what is left is the allocator's. */
static void
free_all(void)
{
	uint64_t state = seed(41, 2);
	size_t i, j;
	void *p;

	for (i = nblocks; i > 0; i--) {
		j = uniform(&state, 0, i - 1);
		p = block[j];
		block[j] = block[i - 1];
		put(p);
	}
	munmap(block, room * sizeof(block[0]));
	pthread_mutex_lock(&lock);
	freed = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (;;) {
		pause_ms(1000);
		if (ticks)
			put(get(100));
	}
}

static void *
freer(void *arg)
{

	(void)arg;
	free_all();
	return (NULL);
}

static void *
owner(void *arg)
{

	allocate();
	if (!*(const int *)arg)
		free_all();
	freeing = start(freer, NULL);
	for (;;)
		pause();
	return (NULL);
}

static double
peak_then_freed(void)
{
	double most = 0, rss;
	int over;

	do {
		rss = rss_mib();
		most = rss > most ? rss : most;
		pause_ms(1);
		pthread_mutex_lock(&lock);
		over = freed;
		pthread_mutex_unlock(&lock);
	} while (!over);
	return (most);
}

int
main(int argc, char **argv)
{
	static const char *const name[] = { "freed", "at25", "at50", "at75",
	    "at100", "end" };
	double ms, peak, rss[NELEM(name)];
	const char *how;
	int remote;
	size_t i;

	how = argc > 1 ? argv[1] : "alone";
	remote = strcmp(how, "remote") == 0 || strcmp(how, "asleep") == 0;
	ticks = strcmp(how, "remote") == 0 || strcmp(how, "alone") == 0;
	if (!remote && !ticks && strcmp(how, "still") != 0)
		die("silence alone|remote|still|asleep");
	ms = (double)argument(argc, argv, 2, 10000);
	total = argument(argc, argv, 3, 1024) * MIB;
	room = total / 256;
	block = mmap(NULL, room * sizeof(block[0]), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		die("out of memory");
	start(owner, &remote);
	peak = peak_then_freed();
	for (i = 0; i < NELEM(rss); i++) {
		if (i > 0)
			pause_ms(i < NELEM(rss) - 1 ? ms / 4 : ms / 5);
		rss[i] = rss_mib();
	}
	figure("peak", peak);
	for (i = 0; i < NELEM(rss); i++)
		figure(name[i], rss[i]);
	return (0);
}
