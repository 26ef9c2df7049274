/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <string.h>

#include "dsm_limit.h"
#include "dsm_size.h"

size_t		limit_soft;
size_t		limit_hard;
size_t		limit_idle = SIZE_MAX;
size_t		limit_wall;
uint32_t	limit_pending;
uint32_t	limit_tight;
limit_notify_fn	*limit_notify;

/* Atomic. */
static ptrdiff_t limit_room;		/* below zero: held is too much */
static size_t	 limit_flight;
static uint64_t	 limit_looked;		/* ms; 0: never */
static uint32_t	 limit_big;		/* held enough to look */

/* Digits at the start of [s, end); where they end, or NULL. */
static const char *
limit_digits(const char *s, const char *end, size_t *np)
{
	const char *p;

	*np = 0;
	for (p = s; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(*np, 10, np) ||
		    __builtin_add_overflow(*np, (size_t)(*p - '0'), np))
			return (NULL);
	return (p == s ? NULL : p);
}

static const char	limit_form[] = "neither a size, such as 512M, nor a "
    "share, such as cgroup:85% or physical:50%";

/* A share: from 1 to 100, with a per cent sign. */
static const char *
limit_parse_share(const char *s, const char *end, struct limit *l)
{

	s = limit_digits(s, end, &l->value);
	if (s == NULL || s + 1 != end || *s != '%')
		return (limit_form);
	return (l->value < 1 || l->value > 100 ?
	    "a share is from 1% to 100%" : NULL);
}

static const char *
limit_parse_size(const char *s, const char *end, struct limit *l)
{
	static const char letters[] = "KMGT";
	const char *p;
	unsigned shift;

	if ((s = limit_digits(s, end, &l->value)) == NULL)
		return (limit_form);
	if (s < end) {
		p = *s == '\0' ? NULL : strchr(letters, *s & ~0x20);
		if (p == NULL || s + 1 != end)
			return (limit_form);
		shift = 10 * (unsigned)(p - letters + 1);
		if (l->value > SIZE_MAX >> shift)
			return (limit_form);
		l->value <<= shift;
	}
	return (l->value > SIZE_LARGE_MAX ? "more than 64T" : NULL);
}

const char *
limit_parse(const char *s, size_t len, struct limit *l)
{
	static const char cgroup[] = "cgroup:", physical[] = "physical:";
	const char *end = s + len;
	size_t n;

	n = sizeof(cgroup) - 1;
	l->base = LIMIT_CGROUP;
	if (len > n && memcmp(s, cgroup, n) == 0)
		return (limit_parse_share(s + n, end, l));
	n = sizeof(physical) - 1;
	l->base = LIMIT_PHYSICAL;
	if (len > n && memcmp(s, physical, n) == 0)
		return (limit_parse_share(s + n, end, l));
	l->base = LIMIT_BYTES;
	return (limit_parse_size(s, end, l));
}

size_t
limit_bytes(const struct limit *l, size_t cgroup, size_t physical)
{

	if (l->base == LIMIT_BYTES)
		return (l->value);
	/* A group without a limit may have all there is. */
	if (l->base == LIMIT_CGROUP)
		physical = DSM_MIN(physical, cgroup);
	return (physical / 100 * l->value);
}

void
limit_set(size_t soft, size_t hard, size_t idle)
{

	store_rlx(&limit_idle, idle);
	store_rlx(&limit_soft, soft);
	store_rlx(&limit_tight, 0);
	/* Nothing is left until it is counted. */
	if (hard != load_rlx(&limit_hard)) {
		store_rlx(&limit_room, 0);
		store_rel(&limit_hard, hard);
	}
}

static bool
limit_look_late(uint64_t now)
{
	uint64_t looked = load_rlx(&limit_looked);

	return (load_rlx(&limit_big) && (looked == 0 ||
	    now - looked >= LIMIT_LOOK_MS));
}

bool
limit_look_due(uint64_t now)
{

	if (!limit_look_late(now))
		return (false);
	store_rlx(&limit_looked, now);
	return (true);
}

void
limit_grown(size_t held, uint64_t now)
{
	size_t soft = load_rlx(&limit_soft);
	bool near = soft != 0 && held > LIMIT_MARK(soft);

	if (load_rlx(&limit_tight) && !near)
		store_rlx(&limit_tight, 0);
	if (load_rlx(&limit_wall) != 0 && held > load_rlx(&limit_wall))
		store_rlx(&limit_wall, 0);
	if (held >= LIMIT_LOOK_MIN && !load_rlx(&limit_big))
		store_rlx(&limit_big, 1);
	if (near || limit_look_late(now))
		store_rlx(&limit_pending, 1);
}

void
limit_refused(size_t held)
{

	store_rlx(&limit_wall, held);
}

bool DSM_COLD
limit_charge_slow(size_t bytes, size_t *charged)
{
	ptrdiff_t n = (ptrdiff_t)bytes;

	(void)__atomic_fetch_add(&limit_flight, bytes, __ATOMIC_SEQ_CST);
	if (__atomic_fetch_sub(&limit_room, n, __ATOMIC_SEQ_CST) >= n) {
		*charged = bytes;
		return (true);
	}
	limit_settle_slow(bytes, 0);
	return (false);
}

void DSM_COLD
limit_settle_slow(size_t charged, size_t used)
{

	(void)__atomic_fetch_add(&limit_room, (ptrdiff_t)(charged - used),
	    __ATOMIC_SEQ_CST);
	(void)__atomic_fetch_sub(&limit_flight, charged, __ATOMIC_SEQ_CST);
}

void
limit_recount(size_t (*held)(void))
{
	size_t flight, hard = load_acq(&limit_hard);
	ptrdiff_t room, was;

	if (hard == 0)
		return;
	was = __atomic_load_n(&limit_room, __ATOMIC_SEQ_CST);
	do {
		flight = __atomic_load_n(&limit_flight, __ATOMIC_SEQ_CST);
		room = (ptrdiff_t)(hard - flight - held());
	} while (!__atomic_compare_exchange_n(&limit_room, &was, room, false,
	    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}
