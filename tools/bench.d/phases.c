/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * phases [ROUNDS]: the fragmentation of hours in seconds.  A population of
 * 32 MiB goes through phases, each with sizes of its own, from 16 bytes up to
 * 256 KiB, up and down again.  A phase begins with the death of random nine
 * tenths of all bytes; blocks of the new sizes fill the room and replace random
 * ones, until twice the population has been allocated, so that some of every
 * phase survive into the next ones.  In two phases the population is a quarter
 * of that.  Printed after each phase: the live bytes in per cent of the
 * resident ones (less this program's own table); their mean is "live_percent".
 * What decides is whether a page that served one size can serve another while a
 * few blocks stay in it, and what goes back to the system, how soon.
 */

#include "wl.h"

#define	LIVE	(32UL << 20)
#define	SLOTS	(4UL << 20)

static const struct phase {
	size_t	lo, hi, live;
} phases[] = {
	{ 16, 64, LIVE }, { 64, 256, LIVE }, { 4096, 16384, LIVE },
	{ 256, 1024, LIVE / 4 }, { 32768, 262144, LIVE }, { 32, 128, LIVE },
	{ 1024, 4096, LIVE }, { 16, 4096, LIVE / 4 }, { 128, 512, LIVE },
	{ 16384, 65536, LIVE }
};

struct block {
	struct block	*self;		/* what put() looks at */
	size_t		 size;
};

static struct block *slot[SLOTS];
static size_t live, nslots, most;
static uint64_t state;

static void
add(const struct phase *p)
{
	size_t size;

	size = (powerlaw2(&state, (double)p->lo, (double)p->hi) + 15) &
	    ~(size_t)15;
	if (nslots == SLOTS)
		die("too many blocks");
	slot[nslots] = get(size);
	slot[nslots++]->size = size;
	live += size;
	if (nslots > most)
		most = nslots;
}

static void
drop(void)
{
	size_t i;

	i = uniform(&state, 0, nslots - 1);
	live -= slot[i]->size;
	put(slot[i]);
	slot[i] = slot[--nslots];
}

static double
run(const struct phase *p)
{
	size_t done;

	while (live > p->live / 10)
		drop();
	for (done = 0; done < 2 * p->live; ) {
		done -= live;
		add(p);
		done += live;
		while (live > p->live)
			drop();
	}
	return (100.0 * (double)live / (status_mib("VmRSS:") * 1048576 -
	    (double)(most * sizeof(slot[0]))));
}

int
main(int argc, char **argv)
{
	char name[32];
	unsigned long i, n;
	double percent, total;

	n = argument(argc, argv, 1, 2) * NELEM(phases);
	state = seed(15, 1);
	for (total = 0, i = 0; i < n; i++) {
		percent = run(&phases[i % NELEM(phases)]);
		snprintf(name, sizeof(name), "phase%lu", i + 1);
		figure(name, percent);
		total += percent;
	}
	figure("live_percent", total / (double)n);
	while (nslots > 0)
		drop();
	return (0);
}
