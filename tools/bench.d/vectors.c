/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * vectors [STEP]: arrays that grow by realloc, each element written once and
 * only the new ones touched.  With STEP 0 twelve vectors take turns, growing by
 * one half from 4 KiB to 32 MiB, and then one doubles up to 1 GiB; otherwise
 * one vector grows to 1 GiB by STEP MiB at a time.  What decides is whether
 * realloc of large blocks copies, or moves the pages by the page table
 * (mremap), or grows in place: a copy touches memory twice, and needs old and
 * new at the same time.
 */

#include "wl.h"

#define	MIB	1048576UL

static void
grow(char **p, size_t old, size_t new)
{
	size_t i;
	char *q;

	q = realloc(*p, new);
	if (q == NULL)
		die("out of memory");
	if (old > 0 && (q[0] != 1 || q[old - 1] != 2))
		die("realloc lost data");
	if (old > 0)
		q[old - 1] = 1;
	for (i = (old + 4095) & ~4095UL; i < new; i += 4096)
		q[i] = 1;
	q[0] = 1;
	q[new - 1] = 2;
	*p = q;
}

static void
in_turn(void)
{
	char *p[12] = { NULL };
	size_t i, old, size;

	for (old = 0, size = 4096; size < 32 * MIB; size += size / 2) {
		for (i = 0; i < NELEM(p); i++)
			grow(&p[i], old, size);
		old = size;
	}
	for (i = 0; i < NELEM(p); i++)
		free(p[i]);
}

int
main(int argc, char **argv)
{
	char *p;
	size_t old, size, step;

	step = argument(argc, argv, 1, 0) * MIB;
	if (step == 0)
		in_turn();
	p = NULL;
	size = step > 0 ? step : 4096;
	for (old = 0; size <= 1024 * MIB; size += step > 0 ? step : size) {
		grow(&p, old, size);
		old = size;
	}
	free(p);
	return (0);
}
