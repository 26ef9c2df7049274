/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * scattered [BYTES [MIB]]: what it takes to give MIB (1024) back to the system
 * that lie in ranges of BYTES (4096, a multiple of that), with as much in use
 * between them, while a second thread runs on another processor, which has to
 * hear of every range that is unmapped.  "each_ms" is the processor time of one
 * madvise for each range of a mapping; "purge_ms" that of the allocator's own
 * purge of every second one of its blocks, and "purged_mib" what has left the
 * process by that.  The allocator has jemalloc's mallctl, and no memory of its
 * goes back before (MALLOC_CONF=dirty_decay_ms:-1).  What decides is how many
 * ranges a system call takes, and of which the kernel knows that nobody has
 * cached them.
 */

#include <sys/mman.h>

#include <dlfcn.h>
#include <time.h>

#include "wl.h"

#define	MIB	1048576UL

static size_t n, size;
static volatile int over;

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return ((double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6);
}

static void *
spin(void *arg)
{
	static volatile char page[4096];

	(void)arg;
	while (!over)
		page[0]++;
	return (NULL);
}

/* Every second range of what is mapped at p. */
static double
each(char *p)
{
	double begin;
	size_t i;

	madvise(p, 2 * n * size, MADV_NOHUGEPAGE);
	memset(p, 1, 2 * n * size);
	begin = now_ms();
	for (i = 0; i < n; i++)
		if (madvise(p + 2 * i * size, size, MADV_DONTNEED) != 0)
			die("madvise fails");
	return (now_ms() - begin);
}

/* Those blocks of the 2n that are to stay are left in the first half. */
static void
allocate(void **block)
{
	size_t i;

	for (i = 0; i < 2 * n; i++)
		block[i] = get(size);
	for (i = 0; i < n; i++) {
		put(block[2 * i]);
		block[i] = block[2 * i + 1];
	}
}

static void
purge(void)
{
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);

	*(void **)&mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	if (mallctl == NULL || mallctl("arena.4096.purge", NULL, NULL, NULL,
	    0) != 0)
		die("no mallctl with arena.4096.purge");
}

int
main(int argc, char **argv)
{
	double before, begin;
	pthread_t other;
	void **block;
	size_t i;
	char *p;

	size = argument(argc, argv, 1, 4096);
	n = argument(argc, argv, 2, 1024) * MIB / size;
	if (n == 0)
		die("less than one block");
	other = start(spin, NULL);
	p = mmap(NULL, 2 * n * size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		die("out of memory");
	figure("each_ms", each(p));
	munmap(p, 2 * n * size);
	block = malloc(2 * n * sizeof(block[0]));
	if (block == NULL)
		die("out of memory");
	allocate(block);
	before = status_mib("VmRSS:");
	begin = now_ms();
	purge();
	figure("purge_ms", now_ms() - begin);
	figure("purged_mib", before - status_mib("VmRSS:"));
	over = 1;
	pthread_join(other, NULL);
	for (i = 0; i < n; i++)
		put(block[i]);
	return (0);
}
