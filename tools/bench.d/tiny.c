/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * tiny [POWER]: symbolic algebra in the manner of cfrac and espresso, whose
 * objects are tiny and mostly live for a few operations.  (x + y + 1) is raised
 * to a power by repeated multiplication.  A polynomial is a list of terms; each
 * term is one block of 24 bytes and its coefficient, an integer of as many
 * 32-bit digits as it needs, another of 8 to 20; no operation works in place,
 * every sum is a new integer, and the operands are freed.  Live are some
 * thousands.  What decides is the fast path for sizes of 8 to 32 bytes and
 * how much room, hence how many cache lines, such a small object takes.
 */

#include "wl.h"

#define	DIGITS	16

struct integer {
	uint32_t	digits;
	uint32_t	digit[];
};

struct term {
	struct term	*next;
	struct integer	*coefficient;
	unsigned	 x, y;
};

static void *
allocate(size_t size)
{
	void *p;

	p = malloc(size);
	if (p == NULL)
		die("out of memory");
	return (p);
}

static struct integer *
integer(const uint32_t *digit, uint32_t n)
{
	struct integer *a;

	while (n > 1 && digit[n - 1] == 0)
		n--;
	if (n > DIGITS)
		die("an integer is too long");
	a = allocate(sizeof(*a) + n * sizeof(a->digit[0]));
	a->digits = n;
	memcpy(a->digit, digit, n * sizeof(a->digit[0]));
	return (a);
}

static struct integer *
sum(const struct integer *a, const struct integer *b)
{
	uint32_t digit[DIGITS + 1];
	uint64_t carry;
	uint32_t i;

	carry = 0;
	for (i = 0; i < a->digits || i < b->digits; i++) {
		carry += i < a->digits ? a->digit[i] : 0;
		carry += i < b->digits ? b->digit[i] : 0;
		digit[i] = (uint32_t)carry;
		carry >>= 32;
	}
	digit[i] = (uint32_t)carry;
	return (integer(digit, i + 1));
}

static struct term *
term(const struct integer *c, unsigned x, unsigned y)
{
	struct term *t;

	t = allocate(sizeof(*t));
	t->next = NULL;
	t->coefficient = integer(c->digit, c->digits);
	t->x = x;
	t->y = y;
	return (t);
}

static void
drop(struct term *t)
{
	struct term *next;

	for (; t != NULL; t = next) {
		next = t->next;
		free(t->coefficient);
		free(t);
	}
}

/* A copy of a times x^dx y^dy.  The order of terms stays as it is. */
static struct term *
shifted(const struct term *a, unsigned dx, unsigned dy)
{
	struct term **last, *s;

	last = &s;
	s = NULL;
	for (; a != NULL; a = a->next) {
		*last = term(a->coefficient, a->x + dx, a->y + dy);
		last = &(*last)->next;
	}
	return (s);
}

static int
order(const struct term *a, const struct term *b)
{

	if (a->x != b->x)
		return (a->x > b->x ? 1 : -1);
	return (a->y > b->y ? 1 : a->y < b->y ? -1 : 0);
}

/* A new polynomial a + b. */
static struct term *
added(const struct term *a, const struct term *b)
{
	struct integer *c;
	struct term **last, *s;

	last = &s;
	s = NULL;
	while (a != NULL || b != NULL) {
		if (b == NULL || (a != NULL && order(a, b) > 0)) {
			*last = term(a->coefficient, a->x, a->y);
			a = a->next;
		} else if (a == NULL || order(a, b) < 0) {
			*last = term(b->coefficient, b->x, b->y);
			b = b->next;
		} else {
			c = sum(a->coefficient, b->coefficient);
			*last = term(c, a->x, a->y);
			free(c);
			a = a->next;
			b = b->next;
		}
		last = &(*last)->next;
	}
	return (s);
}

/* a (x + y + 1), and a is no more. */
static struct term *
times(struct term *a)
{
	struct term *p, *q, *r, *s;

	p = shifted(a, 1, 0);
	q = shifted(a, 0, 1);
	r = added(p, q);
	drop(p);
	drop(q);
	s = added(r, a);
	drop(r);
	drop(a);
	return (s);
}

int
main(int argc, char **argv)
{
	static const uint32_t one = 1;
	struct integer *unit;
	struct term *p, *t;
	unsigned long i, n, turn;

	n = argument(argc, argv, 1, 64);
	for (turn = 0; turn < 130; turn++) {
		unit = integer(&one, 1);
		p = term(unit, 0, 0);
		free(unit);
		for (i = 0; i < n; i++)
			p = times(p);
		for (i = 0, t = p; t != NULL; t = t->next)
			i++;
		if (i != (n + 1) * (n + 2) / 2)
			die("the polynomial has the wrong number of terms");
		drop(p);
	}
	return (0);
}
