/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <errno.h>

#include "dsm_arena.h"
#include "dsm_base.h"
#include "dsm_limit.h"
#include "dsm_oom.h"
#include "dsm_os.h"
#include "dsm_print.h"
#include "dsm_set.h"

#define	OOM_PAUSE_MS	1000

/* The largest rows of a table, the largest first. */
struct oom_row {
	size_t		bytes;
	unsigned	ind;
};

struct oom_table {
	unsigned	n;
	struct oom_row	row[OOM_ROWS];
};

static void
table_add(struct oom_table *t, unsigned ind, size_t bytes)
{
	unsigned i;

	if (bytes == 0 || (t->n == OOM_ROWS &&
	    t->row[OOM_ROWS - 1].bytes >= bytes))
		return;
	i = t->n == OOM_ROWS ? OOM_ROWS - 1 : t->n++;
	for (; i > 0 && t->row[i - 1].bytes < bytes; i--)
		t->row[i] = t->row[i - 1];
	t->row[i].bytes = bytes;
	t->row[i].ind = ind;
}

static const char *
oom_limit(uint64_t bytes, uint64_t none, char buf[16])
{

	return (bytes == none ? "none" : print_size(bytes, buf));
}

static void
oom_process(void)
{
	char a[16], b[16], c[16], d[16], e[16];
	struct set_totals t;

	set_totals(&t);
	print_warn("  limits: soft %s, hard %s, address space %s",
	    oom_limit(load_rlx(&limit_soft), 0, a),
	    oom_limit(load_rlx(&limit_hard), 0, b),
	    oom_limit(os_address_limit(), UINT64_MAX, c));
	print_warn("  held: %s; active %s, dirty %s, muzzy %s, records %s",
	    print_size(set_held(), a), print_size(t.active, b),
	    print_size(t.dirty, c), print_size(t.muzzy, d),
	    print_size(base_bytes() + map_bytes(), e));
	print_warn("  mapped: %s; retained %s, largest free run %s or more",
	    print_size(t.mapped, a), print_size(t.mapped -
	    DSM_MIN(t.active + t.dirty + t.muzzy, t.mapped), b),
	    print_size(t.run, e));
}

static void
oom_arenas(void)
{
	struct oom_table t = { .n = 0 };
	char buf[16], large[16];
	struct arena *a;
	unsigned i;

	for (i = 0; i < arena_count(); i++)
		if ((a = arena_get(i)) != NULL)
			table_add(&t, i, arena_out(a));
	for (i = 0; i < t.n; i++) {
		a = arena_get(t.row[i].ind);
		print_warn("  arena %u: %s out, %s of it large; %u threads",
		    t.row[i].ind, print_size(t.row[i].bytes, buf),
		    print_size(load_rlx(&a->large.bytes), large),
		    load_rlx(&a->nthreads));
	}
}

/* Of a size class in all arenas, what is in use or cached; *slabs: what its
 * slabs hold. */
static size_t
oom_class(unsigned class, size_t *slabs)
{
	struct arena *a;
	size_t out = 0;
	unsigned i;

	*slabs = 0;
	for (i = 0; i < arena_count(); i++) {
		if ((a = arena_get(i)) == NULL || !arena_has_bin(a, class))
			continue;
		out += bin_out(&a->bins[class]);
		*slabs += bin_bytes(&a->bins[class]);
	}
	return (out);
}

static void
oom_classes(void)
{
	struct oom_table t = { .n = 0 };
	char in[16], out[16];
	size_t bytes, slabs;
	unsigned i;

	for (i = 1; i < SIZE_NCLASSES; i++) {
		(void)oom_class(i, &slabs);
		table_add(&t, i, slabs);
	}
	for (i = 0; i < t.n; i++) {
		bytes = oom_class(t.row[i].ind, &slabs);
		print_warn("  class %u: %s out, in slabs of %s",
		    size_info[t.row[i].ind].size, print_size(bytes, out),
		    print_size(slabs, in));
	}
}

void DSM_COLD
oom_report(size_t size)
{
	static uint64_t last;		/* atomic, ms */
	int saved = errno;

	if (!due_again(&last, os_clock_ns() / 1000000, OOM_PAUSE_MS))
		return;
	print_warn("out of memory: a request of %zu bytes failed", size);
	oom_process();
	oom_arenas();
	oom_classes();
	errno = saved;
}
