/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_mark.h"
#include "dsm_os.h"

/* With a neighbour if there is one. */
bool
mark_add(struct marks *ms, char *p, size_t size)
{
	struct mark *m;

	for (m = ms->mark; m < ms->mark + ms->n; m++)
		if (p <= m->hi && p + size >= m->lo) {
			m->lo = DSM_MIN(m->lo, p);
			m->hi = DSM_MAX(m->hi, p + size);
			return (true);
		}
	if (ms->n == MARKS_MAX)
		return (false);
	m = &ms->mark[ms->n++];
	m->lo = p;
	m->hi = p + size;
	return (true);
}

/* Cut [p, end) out of a mark.  What is left on either side is a mark as far as
 * it has whole huge pages: others no mapping reaches around any more. */
static void
mark_divide(struct marks *ms, struct mark *m, char *p, char *end)
{
	struct mark rest;

	rest.lo = (char *)ROUND_UP((uintptr_t)end, POOL_HUGE);
	rest.hi = m->hi;
	m->hi = DSM_MIN((char *)ROUND_DOWN((uintptr_t)p, POOL_HUGE), m->hi);
	if (rest.lo >= rest.hi)
		return;
	if (m->lo >= m->hi)
		*m = rest;
	else if (ms->n < MARKS_MAX)
		ms->mark[ms->n++] = rest;
	else
		(void)os_nohuge(rest.lo, (size_t)(rest.hi - rest.lo));
}

void
mark_cut(struct marks *ms, char *p, size_t size)
{
	struct mark *m = ms->mark;

	while (m < ms->mark + ms->n) {
		if (p < m->hi && p + size > m->lo)
			mark_divide(ms, m, p, p + size);
		if (m->lo >= m->hi)
			*m = ms->mark[--ms->n];
		else
			m++;
	}
}

bool
mark_find(const struct marks *ms, const void *p)
{
	const struct mark *m;

	for (m = ms->mark; m < ms->mark + ms->n; m++)
		if ((const char *)p >= m->lo && (const char *)p < m->hi)
			return (true);
	return (false);
}

void
mark_advise_against(const struct marks *ms)
{
	const struct mark *m;

	for (m = ms->mark; m < ms->mark + ms->n; m++)
		(void)os_nohuge(m->lo, (size_t)(m->hi - m->lo));
}

/* [lo, hi) may be huge again. */
static void
mark_advise_gap(char *lo, char *hi)
{

	if (lo < hi)
		(void)os_huge(lo, (size_t)(hi - lo));
}

void
mark_advise_for(const struct marks *ms, char *const *but, unsigned n)
{
	const struct mark *m;
	unsigned i;
	char *lo;

	for (m = ms->mark; m < ms->mark + ms->n; m++) {
		lo = m->lo;
		for (i = 0; i < n; i++)
			if (but[i] >= lo && but[i] < m->hi) {
				mark_advise_gap(lo, but[i]);
				lo = but[i] + POOL_HUGE;
			}
		mark_advise_gap(lo, m->hi);
	}
}
