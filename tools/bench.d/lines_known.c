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
static struct cell cell[2 + READERS] __attribute__((__aligned__(64)));
static struct cell *shared = cell;

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

/* Two threads touch a cell in turn, and have done so before. */
static void
in_turn(struct cell *a, int how_a, struct cell *b, int how_b)
{
	int i;

	for (i = 0; i < TURNS; i++) {
		tell(&puppet[0], a, how_a);
		tell(&puppet[1], b, how_b);
	}
}

static struct known {
	const char	*name;
	unsigned	 calls, lines, locked;
} known[] = {
	/* The first of all touches moves nothing. */
	{ "write-write",	2 * TURNS, 2 * TURNS - 1, 0 },
	{ "write-read",		2 * TURNS, 2 * TURNS - 1, 0 },
	{ "read-read",		2 * TURNS, 0, 0 },
	{ "neighbours",		2 * TURNS, 2 * TURNS - 1, 0 },
	{ "apart",		2 * TURNS, 0, 0 },
	{ "readers",		(1 + READERS) * TURNS,
	    (1 + READERS) * TURNS - 1, 0 },
	{ "locked",		2 * TURNS, 2 * TURNS - 1, 4 * TURNS },
	/* Two lines each, and the address of memset, which another thread
	 * wrote when it loaded the library. */
	{ "across",		2 * TURNS, 4 * TURNS - 2 + 2, 0 },
	/* A read before each write, and the address of memmove. */
	{ "callee",		2 * TURNS, 4 * TURNS - 2 + 2, 0 },
	{ "program",		2 * TURNS, 0, 0 },
	{ "successors",		TURNS, 0, 0 },
	{ "fresh",		2 * TURNS, TURNS, 0 },
};

static void
run(const char *name)
{
	int i, j;

	if (strcmp(name, "write-write") == 0)
		in_turn(shared, 'w', shared, 'w');
	else if (strcmp(name, "write-read") == 0)
		in_turn(shared, 'w', shared, 'r');
	else if (strcmp(name, "read-read") == 0)
		in_turn(shared, 'r', shared, 'r');
	else if (strcmp(name, "neighbours") == 0)
		in_turn(shared, 'w', shared, 'n');
	else if (strcmp(name, "apart") == 0)
		in_turn(&cell[0], 'w', &cell[1], 'w');
	else if (strcmp(name, "locked") == 0)
		in_turn(shared, 'l', shared, 'l');
	else if (strcmp(name, "across") == 0)
		in_turn(shared, 'x', shared, 'x');
	else if (strcmp(name, "callee") == 0)
		in_turn(shared, 'c', shared, 'c');
	else if (strcmp(name, "readers") == 0)
		for (i = 0; i < TURNS; i++) {
			tell(&puppet[0], shared, 'w');
			for (j = 1; j <= READERS; j++)
				tell(&puppet[j], shared, 'r');
		}
	else if (strcmp(name, "program") == 0)
		in_turn(shared, 'p', shared, 'p');
	else if (strcmp(name, "successors") == 0)
		for (i = 0; i < TURNS; i++) {
			tell(&puppet[0], shared, 'w');
			end(&puppet[0]);
			make(&puppet[0]);
		}
	else
		for (i = 0; i < TURNS; i++) {
			tell(&puppet[0], shared, 'w');
			tell(&puppet[1], shared, 'w');
			mmap(shared, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
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
	run(argv[1]);
	for (i = 0; i < NELEM(puppet); i++)
		end(&puppet[i]);
	return (0);
}
#endif
