/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of region share: regions over hooks that only pretend, and
 * what has to be true of them at any time.
 */

#ifndef _REGION_TEST_SUBR_H_
#define	_REGION_TEST_SUBR_H_

#include "unit_test_subr.h"

static struct fake	fake;
static struct pool	pool;
static struct regions	regions;

static inline void
setup(void)
{

	fake_init(&fake);
	fresh_regions(&regions, &pool, &fake.hooks, IND);
}

static inline bool
take(struct run *run, size_t size)
{

	return (run_take(&regions, run, size));
}

/* One pass. */
static inline size_t
purge(enum regions_what what, size_t most)
{
	struct budget b = BUDGET_ALL;

	b.most = most;
	regions_pass(&regions, PAGES_DIRTY);
	return (regions_purge(&regions, what, REGIONS_PASS, &b));
}

static inline bool
all_valid(void)
{
	size_t dirty, pages, used;
	unsigned int nempty;
	struct region *r;

	dirty = pages = used = 0;
	nempty = 0;
	TAILQ_FOREACH(r, &regions.all[PAGES_DIRTY], all[PAGES_DIRTY]) {
		if (!region_valid(r))
			return (false);
		dirty += r->ndirty;
		pages += r->npages;
		used += r->nused;
		nempty += r->nused == 0;
	}
	return (dirty == regions.dirty && pages == regions.pages &&
	    used == regions.used && nempty == regions.nempty && nempty <= 1);
}

#endif /* !_REGION_TEST_SUBR_H_ */
