/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of automatic arenas with pages of their own share.
 */

#ifndef _APART_TEST_SUBR_H_
#define	_APART_TEST_SUBR_H_

#include <errno.h>
#include <time.h>

#include "counting_test_subr.h"

#define	NARENAS	3

static inline ssize_t
time_of(unsigned int ind)
{
	ssize_t ms = -2;
	size_t len = sizeof(ms);
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", ind);
	ATF_REQUIRE_EQ(0, mallctl(name, &ms, &len, NULL, 0));
	return (ms);
}

static inline int
give_hooks(unsigned int ind, void *hooks)
{
	extent_hooks_t *h = hooks;

	if (counting.base == NULL)
		counting.base = hooks_of(0);
	return (arena_set(ind, "extent_hooks", &h, sizeof(h)));
}

/* All automatic arenas are in use. */
static inline void
make_all(void)
{
	unsigned int i;

	for (i = NARENAS; i-- > 0;)
		bind_to(i);
}

static inline bool
is_made(unsigned int ind)
{
	bool made = false;
	size_t len = sizeof(made);
	char name[64];

	(void)snprintf(name, sizeof(name), "arena.%u.initialized", ind);
	ATF_REQUIRE_EQ(0, mallctl(name, &made, &len, NULL, 0));
	return (made);
}

/* With nobody at work the arenas' figures add up to those of all. */
static inline void
add_up(void)
{
	static const char *const figures[] = { "pactive", "pdirty", "mapped",
	    "retained", "dirty_npurge", "dirty_purged", "small.allocated",
	    "small.nmalloc", "small.ndalloc", "large.allocated",
	    "large.nmalloc", "large.ndalloc" };
	size_t len = sizeof(unsigned int), n, sum;
	unsigned int i, j, narenas;

	ATF_REQUIRE_EQ(0, mallctl("arenas.narenas", &narenas, &len, NULL, 0));
	for (i = 0; i < nitems(figures); i++) {
		for (sum = 0, j = 0; j < narenas; j++)
			sum += is_made(j) ? figure(j, figures[i]) : 0;
		n = figure(MALLCTL_ARENAS_ALL, figures[i]);
		ATF_CHECK_EQ_MSG(n, sum, "%s: %zu of all, %zu in sum",
		    figures[i], n, sum);
	}
}

/* Blocks of all sizes, of the calling thread's arena. */
struct blocks {
	char	*p[NBLOCKS];
};

static inline void
take(struct blocks *b)
{
	unsigned int i;

	for (i = 0; i < NBLOCKS; i++) {
		b->p[i] = malloc(hide(sizes[i % nitems(sizes)]));
		ATF_REQUIRE(b->p[i] != NULL);
		paint(b->p[i], MIN(sizes[i % nitems(sizes)], (size_t)9000), i);
	}
}

static inline void
check_block(const struct blocks *b, unsigned int i)
{
	size_t len = MIN(sizes[i % nitems(sizes)], (size_t)9000);

	ATF_CHECK_EQ(len, painted(b->p[i], len, i));
}

static inline void
give(struct blocks *b)
{
	unsigned int i;

	for (i = 0; i < NBLOCKS; i++) {
		check_block(b, i);
		free(b->p[i]);
	}
}

/* Slabs of the calling thread's arena, with one object in every fourth page. */
struct sparse {
	char	*p[1 << 16];
};

static inline void
take_sparse(struct sparse *s)
{
	unsigned int i;

	for (i = 0; i < nitems(s->p); i++) {
		ATF_REQUIRE((s->p[i] = malloc(hide(64))) != NULL);
		memset(s->p[i], 1, 64);
	}
	for (i = 0; i < nitems(s->p); i++)
		if (i % 256 != 0)
			free(s->p[i]);
	flush();
}

/* How many pages of theirs have memory. */
static inline unsigned int
sparse_pages(const struct sparse *s)
{
	unsigned int i, n = 0;
	unsigned char in;

	for (i = 0; i < nitems(s->p); i += PAGE / 64) {
		ATF_REQUIRE_EQ(0, mincore((void *)((uintptr_t)s->p[i] &
		    ~(PAGE - 1)), PAGE, &in));
		n += in & 1;
	}
	return (n);
}

static inline void
give_sparse(struct sparse *s)
{
	unsigned int i;

	for (i = 0; i < nitems(s->p); i += 256)
		free(s->p[i]);
}

#endif /* !_APART_TEST_SUBR_H_ */
