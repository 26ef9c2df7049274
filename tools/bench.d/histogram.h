/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Times of single calls: a histogram of 32 steps to each doubling, and the
 * clocks.  What reading the clock takes is subtracted.
 */

#ifndef HISTOGRAM_H
#define	HISTOGRAM_H

#include <time.h>

#include "wl.h"

#define	HISTOGRAM_STEPS	32

struct histogram {
	uint64_t	 n[64 * HISTOGRAM_STEPS];
	uint64_t	 count;
	uint64_t	 most;		/* ns */
	uint64_t	 empty;		/* ns */
};

static inline uint64_t
clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return ((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
}

static inline unsigned
histogram_step(uint64_t ns)
{
	unsigned doubling;

	if (ns < HISTOGRAM_STEPS)
		return ((unsigned)ns);
	doubling = 63 - (unsigned)__builtin_clzll(ns / HISTOGRAM_STEPS);
	return ((doubling + 1) * HISTOGRAM_STEPS +
	    (unsigned)((ns >> doubling) % HISTOGRAM_STEPS));
}

/* The least time that goes to this step or one above it. */
static inline double
histogram_ns(unsigned step)
{
	unsigned doubling = step / HISTOGRAM_STEPS;

	if (doubling == 0)
		return (step);
	return ((double)((uint64_t)(HISTOGRAM_STEPS + step % HISTOGRAM_STEPS) <<
	    (doubling - 1)));
}

static inline void
histogram_add(struct histogram *h, uint64_t ns)
{

	ns -= ns < h->empty ? ns : h->empty;
	h->n[histogram_step(ns)]++;
	h->count++;
	if (ns > h->most)
		h->most = ns;
}

/* Nanoseconds that all but so many of a million calls have kept below. */
static inline double
histogram_most(const struct histogram *h, unsigned but)
{
	uint64_t left = h->count * but / 1000000;
	unsigned i;

	for (i = NELEM(h->n); i-- > 0 && h->n[i] <= left; )
		left -= h->n[i];
	return (histogram_ns(i + 1));
}

/* Forget all, and see what it takes to measure nothing by this clock. */
static inline void
histogram_init(struct histogram *h, clockid_t clock)
{
	uint64_t begin;
	int i;

	memset(h, 0, sizeof(*h));
	for (i = 0; i < 10000; i++) {
		begin = clock_ns(clock);
		histogram_add(h, clock_ns(clock) - begin);
	}
	begin = (uint64_t)histogram_most(h, 500000);
	memset(h, 0, sizeof(*h));
	h->empty = begin;
}

/* In microseconds, but the median, in nanoseconds. */
static inline void
histogram_figures(const struct histogram *h)
{

	figure("p50_ns", histogram_most(h, 500000));
	figure("p99_us", histogram_most(h, 10000) / 1e3);
	figure("p999_us", histogram_most(h, 1000) / 1e3);
	figure("p9999_us", histogram_most(h, 100) / 1e3);
	figure("max_us", (double)h->most / 1e3);
}

#endif /* !HISTOGRAM_H */
