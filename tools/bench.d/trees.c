/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * trees [DEPTH]: the binary-trees program of the Computer Language Benchmarks
 * Game, after Boehm's GCBench.  One long-lived tree of the full depth stays;
 * for each depth from 4 on, trees are built, walked and torn down, as many that
 * each depth costs the same number of nodes.  A node is two pointers, and a
 * tree is freed in the order of a walk.  What decides is malloc and free of the
 * smallest objects, one third of them in bursts that exceed any cache, and how
 * many of them lie in a cache line: their headers cost time here.
 */

#include "wl.h"

#define	LEAST	4

struct node {
	struct node	*left, *right;
};

static struct node *
build(unsigned depth)
{
	struct node *n;

	n = malloc(sizeof(*n));
	if (n == NULL)
		die("out of memory");
	n->left = depth > 0 ? build(depth - 1) : NULL;
	n->right = depth > 0 ? build(depth - 1) : NULL;
	return (n);
}

static unsigned long
count(const struct node *n)
{

	return (n->left == NULL ? 1 : 1 + count(n->left) + count(n->right));
}

static void
destroy(struct node *n)
{

	if (n->left != NULL) {
		destroy(n->left);
		destroy(n->right);
	}
	free(n);
}

static void
once(unsigned depth)
{
	struct node *n;

	n = build(depth);
	if (count(n) != (2UL << depth) - 1)
		die("a tree is not what was built");
	destroy(n);
}

int
main(int argc, char **argv)
{
	struct node *kept;
	unsigned long i;
	unsigned depth, most;

	most = (unsigned)argument(argc, argv, 1, 18);
	once(most + 1);
	kept = build(most);
	for (depth = LEAST; depth <= most; depth += 2)
		for (i = 0; i < 1UL << (most - depth + LEAST); i++)
			once(depth);
	if (count(kept) != (2UL << most) - 1)
		die("the long-lived tree has changed");
	destroy(kept);
	return (0);
}
