/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * words [N]: makes up N words and counts them, as a small program of every day
 * does: a table of lists that grows, a string and a node for each word, and
 * lines in a buffer that is reallocated.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
	struct word	*next;
	char		*text;
	unsigned	 count;
};

static struct word **table;
static size_t nslots, nwords;

static void *
need(void *p)
{

	if (p == NULL)
		exit(1);
	return (p);
}

static size_t
hash(const char *s)
{
	size_t h = 5381;

	while (*s != '\0')
		h = h * 33 + (unsigned char)*s++;
	return (h);
}

static void
grow(void)
{
	size_t i, n = nslots == 0 ? 64 : nslots * 2;
	struct word **bigger = need(calloc(n, sizeof(*bigger)));
	struct word *w;

	for (i = 0; i < nslots; i++)
		while ((w = table[i]) != NULL) {
			table[i] = w->next;
			w->next = bigger[hash(w->text) & (n - 1)];
			bigger[hash(w->text) & (n - 1)] = w;
		}
	free(table);
	table = bigger;
	nslots = n;
}

static void
count(const char *text)
{
	struct word *w;

	if (nwords >= nslots)
		grow();
	for (w = table[hash(text) & (nslots - 1)]; w != NULL; w = w->next)
		if (strcmp(w->text, text) == 0) {
			w->count++;
			return;
		}
	w = need(malloc(sizeof(*w)));
	w->text = need(strdup(text));
	w->count = 1;
	w->next = table[hash(text) & (nslots - 1)];
	table[hash(text) & (nslots - 1)] = w;
	nwords++;
}

static void
make(char *s, uint64_t *state)
{
	unsigned i, len = 3 + *state % 7;

	for (i = 0; i < len; i++) {
		*state = *state * 6364136223846793005 + 1442695040888963407;
		s[i] = (char)('a' + (*state >> 33) % (2 + i * 2));
	}
	s[len] = '\0';
}

int
main(int argc, char **argv)
{
	size_t i, len = 0, n, room = 0;
	uint64_t state = 1;
	char *line = NULL, text[16];

	n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	for (i = 0; i < n; i++) {
		make(text, &state);
		if (len + sizeof(text) > room)
			line = need(realloc(line, room += 4096));
		len += (size_t)sprintf(line + len, "%s ", text);
		count(text);
	}
	printf("%zu of %zu words, %zu characters\n", nwords, n, len);
	return (0);
}
