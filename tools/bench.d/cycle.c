/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * cycle [LIMIT [CYCLES]]: goes through the whole range 8 B to 1 MiB, one mix of
 * sizes after another, with at most 64 MiB (as requested) live at all times.
 * At each change the threads are replaced; each new thread takes over what
 * another one left, and replaces all of it, oldest first, by blocks of the new
 * mix, then those once more.  Prints the peak RSS, and fails when it is above
 * LIMIT MiB (96).  Memory that only serves the size, or the thread, that it
 * served first does not pass.
 *
 * Live blocks are chained through their first words, so that the program
 * itself needs next to nothing: a chain has about 64 KiB, and 16 chains are
 * filled at a time, at random, so that neighbours die at different times.
 * Sizes are 8 or multiples of 16, because alignment leaves an allocator no
 * choice.
 */

#include "wl.h"

#define	LIVE	(64UL << 20)
#define	WORKERS	2
#define	CHAINS	1024
#define	OPEN	16
#define	CHAIN	(LIVE / WORKERS / CHAINS * 2)

static const struct mix {
	size_t	lo, hi;
} mixes[] = {
	{ 8, 32 }, { 32768, 131072 }, { 128, 512 }, { 524288, 1048576 },
	{ 32, 128 }, { 8192, 32768 }, { 8, 64 }, { 131072, 524288 },
	{ 512, 2048 }, { 2048, 8192 }, { 8, 1048576 }
};

struct chain {
	void	*first;
	size_t	 bytes;
};

static struct worker {
	const struct mix *mix;
	uint64_t	 state;
	size_t		 live;
	size_t		 head, tail;
	struct chain	 chain[CHAINS];
} worker[WORKERS];

static void
drop(struct worker *w)
{
	struct chain *c;
	void *next, *p;

	if (w->head == w->tail)
		die("no chain to free");
	c = &w->chain[w->tail++ % CHAINS];
	for (p = c->first; p != NULL; p = next) {
		next = *(void **)p;
		free(p);
	}
	w->live -= c->bytes;
}

static void
close_chain(struct worker *w, struct chain *c)
{

	if (w->head - w->tail == CHAINS)
		die("too many chains");
	w->chain[w->head++ % CHAINS] = *c;
	*c = (struct chain){ NULL, 0 };
}

static void
add(struct worker *w, struct chain *open, size_t size)
{
	struct chain *c;
	void *p;

	c = &open[rnd(&w->state) % OPEN];
	p = get(size);
	*(void **)p = c->first;
	c->first = p;
	c->bytes += size;
	w->live += size;
	if (c->bytes >= CHAIN)
		close_chain(w, c);
}

static size_t
choose(struct worker *w)
{
	size_t size;

	if (w->mix->hi / w->mix->lo > 100)
		size = powerlaw2(&w->state, (double)w->mix->lo,
		    (double)w->mix->hi);
	else
		size = uniform(&w->state, w->mix->lo, w->mix->hi);
	return (size <= 8 ? 8 : (size + 15) & ~(size_t)15);
}

static void *
work(void *arg)
{
	struct chain open[OPEN] = { { NULL, 0 } };
	struct worker *w = arg;
	size_t done, i, size;

	for (done = 0; done < 2 * LIVE / WORKERS; done += size) {
		size = choose(w);
		while (w->live + size > LIVE / WORKERS)
			drop(w);
		add(w, open, size);
	}
	for (i = 0; i < OPEN; i++)
		if (open[i].first != NULL)
			close_chain(w, &open[i]);
	return (NULL);
}

int
main(int argc, char **argv)
{
	pthread_t thread[WORKERS];
	unsigned long cycles, limit;
	double peak;
	size_t i, m, n;

	limit = argument(argc, argv, 1, 96);
	cycles = argument(argc, argv, 2, 2);
	for (i = 0; i < WORKERS; i++)
		worker[i].state = seed(6, i);
	for (n = 0; n < cycles * NELEM(mixes); n++) {
		m = n % NELEM(mixes);
		for (i = 0; i < WORKERS; i++) {
			worker[i].mix = &mixes[m];
			thread[i] = start(work, &worker[(i + n) % WORKERS]);
		}
		for (i = 0; i < WORKERS; i++)
			pthread_join(thread[i], NULL);
		printf("%8zu - %8zu bytes: %.1f MiB live, RSS %.1f MiB\n",
		    mixes[m].lo, mixes[m].hi, (double)(worker[0].live +
		    worker[1].live) / 1048576, status_mib("VmRSS:"));
	}
	peak = status_mib("VmHWM:");
	printf("cycle: peak RSS %.1f MiB, limit %lu MiB\n", peak, limit);
	return (peak > (double)limit);
}
