/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * lines_known CASE: does what the counts of lines_plugin.c are known of, and
 * says what they must be: calls of "touch", lines and locked instructions of
 * the library, which is the same source built with -DLIBRARY.  Threads take
 * turns strictly, so the counts are exact.
 */

#include <sys/mman.h>

#include <semaphore.h>
#include <string.h>

#include "wl.h"

#define	TURNS	100
#define	READERS	3

/* A line to itself, and those before and after it. */
struct cell {
	char		 before[64];
	_Atomic uint64_t value[8];
	char		 after[64];
};

void	 touch(struct cell *, int how);

#ifdef LIBRARY
/* A call that begins on one page and ends on the next, after an instruction
 * that is run with it. */
void	 step(void);

__asm__(".text; .balign 4096; .skip 4093; .hidden step; .globl step; "
    "step: nop; call 1f; ret; 1: ret");

void
touch(struct cell *c, int how)
{
	uint64_t one = 1, v;

	switch (how) {
	case 'r':		/* read */
		(void)*(volatile uint64_t *)&c->value[0];
		break;
	case 'w':		/* write */
		*(volatile uint64_t *)&c->value[0] = 1;
		break;
	case 'n':		/* write its neighbour */
		*(volatile uint64_t *)&c->value[7] = 1;
		break;
	case 'l':		/* two that lock, and one that looks like it */
		__asm__ volatile("lock addq %1, %0; xchgq %1, %0; "
		    "xchgq %1, %2" : "+m" (c->value[0]), "+r" (one),
		    "=r" (v));
		break;
	case 'x':		/* 16 bytes that span two lines */
		memset((char *)&c->value[7] + 4, 0, 8);
		break;
	case 'p':		/* nothing */
		step();
		break;
	case 'c':		/* the C library, on its behalf */
		memmove(&c->value[0], &c->value[1], one + 31);
		break;
	}
}
#else
static struct cell *shared;		/* a page of them */

/* A thread that touches its cell whenever it is told to. */
static struct puppet {
	pthread_t	 thread;
	sem_t		 go, done;
	struct cell	*cell;
	int		 how;
} puppet[1 + READERS];

static void *
dance(void *arg)
{
	struct puppet *p = arg;

	for (;;) {
		sem_wait(&p->go);
		if (p->how == 0)
			return (NULL);
		touch(p->cell, p->how);
		if (p->how == 'p')
			p->cell->value[0]++;
		sem_post(&p->done);
	}
}

static void
make(struct puppet *p)
{

	sem_init(&p->go, 0, 0);
	sem_init(&p->done, 0, 0);
	p->thread = start(dance, p);
}

static void
tell(struct puppet *p, struct cell *c, int how)
{

	p->cell = c;
	p->how = how;
	sem_post(&p->go);
	sem_wait(&p->done);
}

static void
end(struct puppet *p)
{

	p->how = 0;
	sem_post(&p->go);
	pthread_join(p->thread, NULL);
}

/* Several read what one has written. */
static void
readers(void)
{
	int i, j;

	for (i = 0; i < TURNS; i++) {
		tell(&puppet[0], shared, 'w');
		for (j = 1; j <= READERS; j++)
			tell(&puppet[j], shared, 'r');
	}
}

/* A thread that begins has what the one before it had. */
static void
successors(void)
{
	int i;

	for (i = 0; i < TURNS; i++) {
		tell(&puppet[0], shared, 'w');
		end(&puppet[0]);
		make(&puppet[0]);
	}
}

/* Memory is new each time. */
static void
fresh(void)
{
	int i;

	for (i = 0; i < TURNS; i++) {
		tell(&puppet[0], shared, 'w');
		tell(&puppet[1], shared, 'w');
		mmap(shared, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
}

static const struct known {
	const char	*name;
	unsigned	 calls, lines, locked;
	/* What is run, or what two threads do in turn, the second to this
	 * cell. */
	void		(*run)(void);
	int		 how[2];
	unsigned	 cell;
} known[] = {
	/* The first of all touches moves nothing. */
	{ "write-write", 2 * TURNS, 2 * TURNS - 1, 0, NULL, { 'w', 'w' }, 0 },
	{ "write-read", 2 * TURNS, 2 * TURNS - 1, 0, NULL, { 'w', 'r' }, 0 },
	{ "read-read", 2 * TURNS, 0, 0, NULL, { 'r', 'r' }, 0 },
	{ "neighbours", 2 * TURNS, 2 * TURNS - 1, 0, NULL, { 'w', 'n' }, 0 },
	{ "apart", 2 * TURNS, 0, 0, NULL, { 'w', 'w' }, 1 },
	{ "readers", (1 + READERS) * TURNS, (1 + READERS) * TURNS - 1, 0,
	    readers, { 0, 0 }, 0 },
	{ "locked", 2 * TURNS, 2 * TURNS - 1, 4 * TURNS, NULL, { 'l', 'l' },
	    0 },
	/* Two lines each, and the address of memset, which another thread
	 * wrote when it loaded the library. */
	{ "across", 2 * TURNS, 4 * TURNS - 2 + 2, 0, NULL, { 'x', 'x' }, 0 },
	/* A read before each write, and the address of memmove. */
	{ "callee", 2 * TURNS, 4 * TURNS - 2 + 2, 0, NULL, { 'c', 'c' }, 0 },
	{ "program", 2 * TURNS, 0, 0, NULL, { 'p', 'p' }, 0 },
	{ "successors", TURNS, 0, 0, successors, { 0, 0 }, 0 },
	{ "fresh", 2 * TURNS, TURNS, 0, fresh, { 0, 0 }, 0 },
};

static void
run(const struct known *k)
{
	int i;

	if (k->run != NULL) {
		k->run();
		return;
	}
	for (i = 0; i < TURNS; i++) {
		tell(&puppet[0], shared, k->how[0]);
		tell(&puppet[1], shared + k->cell, k->how[1]);
	}
}

int
main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc < 2 && i < NELEM(known); i++)
		printf("%s %u %u %u\n", known[i].name, known[i].calls,
		    known[i].lines, known[i].locked);
	if (argc < 2)
		return (0);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("out of memory");
	for (i = 0; i < NELEM(puppet); i++)
		make(&puppet[i]);
	for (i = 0; i < NELEM(known); i++)
		if (strcmp(argv[1], known[i].name) == 0)
			run(&known[i]);
	for (i = 0; i < NELEM(puppet); i++)
		end(&puppet[i]);
	return (0);
}
#endif
