/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * ctl: names and MIBs.
 *
 * The tree of names is not kept; it is the rows' names.  The MIB element of
 * a name's component is the number of the first row that begins with the
 * components up to and including that one; that of an index is the index.
 * The last element of a complete MIB is therefore the number of its own row,
 * and the others need only be compared with that row: by MIB the row is
 * found at once, by name all rows are looked at, about a hundred.
 */

#include <string.h>

#include "dsm_arena.h"
#include "dsm_ctl.h"
#include "dsm_size.h"
#include "malloc_np.h"

/* One component of a dotted name. */
struct ctl_part {
	const char	*s;
	size_t		 len;
};

/* A caller's name, taken apart. */
struct ctl_name {
	struct ctl_part	part[CTL_DEPTH];
	unsigned	n;
};

/* The next component at *sp, which moves behind it; false at the end. */
static bool
ctl_part_next(const char **sp, struct ctl_part *part)
{

	if (*sp == NULL)
		return (false);
	part->s = *sp;
	*sp = strchr(part->s, '.');
	part->len = *sp == NULL ? strlen(part->s) : (size_t)(*sp - part->s);
	if (*sp != NULL)
		(*sp)++;
	return (true);
}

static bool
ctl_part_equal(struct ctl_part a, struct ctl_part b)
{

	return (a.len == b.len && memcmp(a.s, b.s, a.len) == 0);
}

/* Is this a component for an index? */
static bool
ctl_part_indexed(struct ctl_part part)
{

	return (part.s[0] == '<');
}

/* Take a caller's name apart; false when it is none. */
static bool
ctl_name_parse(const char *s, struct ctl_name *name)
{
	struct ctl_part part;

	name->n = 0;
	while (ctl_part_next(&s, &part)) {
		if (part.len == 0 || name->n == CTL_DEPTH)
			return (false);
		name->part[name->n++] = part;
	}
	return (true);
}

/*
 * May n stand for this placeholder?  Of arenas, MALLCTL_ARENAS_ALL and, as
 * old programs have it, the number of arenas stand for all together, and
 * MALLCTL_ARENAS_DESTROYED for those that were.
 */
static bool
ctl_index_valid(struct ctl_part placeholder, size_t n)
{

	if (placeholder.s[1] == 'i')
		return (n == MALLCTL_ARENAS_ALL ||
		    n == MALLCTL_ARENAS_DESTROYED || n <= arena_count());
	return (n < SIZE_NCLASSES - 1);
}

static bool
ctl_index_parse(struct ctl_part part, size_t *np)
{
	size_t i;

	*np = 0;
	if (part.len > 9)
		return (false);
	for (i = 0; i < part.len; i++) {
		if (part.s[i] < '0' || part.s[i] > '9')
			return (false);
		*np = *np * 10 + (size_t)(part.s[i] - '0');
	}
	return (true);
}

/*
 * How many leading components of name fit the key of row n; their elements
 * of the MIB, where no earlier row has set them, are set.
 */
static unsigned
ctl_fit(const struct ctl_name *name, unsigned row, size_t mib[CTL_DEPTH],
    unsigned known)
{
	struct ctl_part part;
	size_t id;
	unsigned i;
	const char *s;
	char buf[CTL_NAME_MAX];

	s = ctl_key(row, buf).name;
	for (i = 0; i < name->n && ctl_part_next(&s, &part); i++) {
		id = row;
		if (ctl_part_indexed(part)) {
			if (!ctl_index_parse(name->part[i], &id) ||
			    !ctl_index_valid(part, id))
				break;
		} else if (!ctl_part_equal(part, name->part[i]))
			break;
		if (i >= known)
			mib[i] = id;
	}
	return (i);
}

unsigned
ctl_lookup(const char *s, size_t mib[CTL_DEPTH])
{
	struct ctl_name name;
	unsigned fit, known, row;

	if (s == NULL || !ctl_name_parse(s, &name))
		return (0);
	known = 0;
	for (row = 0; row < ctl_count() && known < name.n; row++) {
		fit = ctl_fit(&name, row, mib, known);
		known = DSM_MAX(known, fit);
	}
	return (known == name.n ? known : 0);
}

/* Do the first n components of the keys of two rows agree? */
static bool
ctl_same(unsigned row, unsigned other, unsigned n)
{
	struct ctl_part a, b;
	const char *s, *t;
	char buf[2][CTL_NAME_MAX];

	s = ctl_key(row, buf[0]).name;
	t = ctl_key(other, buf[1]).name;
	while (n-- > 0)
		if (!ctl_part_next(&s, &a) || !ctl_part_next(&t, &b) ||
		    !ctl_part_equal(a, b))
			return (false);
	return (true);
}

bool
ctl_find(const size_t *mib, size_t n, struct ctl_key *k, unsigned index[2],
    char buf[CTL_NAME_MAX])
{
	struct ctl_part part;
	const char *s;
	unsigned i;

	if (n == 0 || n > CTL_DEPTH || mib[n - 1] >= ctl_count())
		return (false);
	*k = ctl_key((unsigned)mib[n - 1], buf);
	s = k->name;
	for (i = 0; i < n; i++) {
		if (!ctl_part_next(&s, &part))
			return (false);
		if (!ctl_part_indexed(part)) {
			if (mib[i] > mib[n - 1] || !ctl_same((unsigned)mib[i],
			    (unsigned)mib[n - 1], i + 1))
				return (false);
			continue;
		}
		if (!ctl_index_valid(part, mib[i]))
			return (false);
		index[part.s[1] == 'j'] = part.s[1] == 'i' &&
		    mib[i] == arena_count() ? ARENA_ALL : (unsigned)mib[i];
	}
	return (s == NULL);
}
