/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * evict [TURNS [MILLISECONDS [OWN]]]: a cache server in the manner of Redis with
 * a limit of memory.  An entry is a node of 56 bytes, a key of 16 to 40, and a
 * value of 64 bytes to 4 KiB by a power law, some of which are appended to by
 * realloc.  Entries are found by a hash, and the least recently used of five
 * sampled at random is evicted while there is more than 24 MiB; three bursts
 * raise the limit to 96 MiB for a while and expire most of it at once: a random
 * three quarters, or, with OWN not 0, all that came with the burst.
 * MILLISECONDS (500) after the last burst, in which the server goes on with a
 * light load, the resident memory is printed ("after_mib").  What decides is
 * how the survivors are kept together, what becomes of the rest, and when.
 */

#include <time.h>

#include "wl.h"

#define	MIB	1048576UL
#define	BUCKETS	65536

struct entry {
	struct entry	*next;
	char		*key, *value;
	size_t		 size;
	uint64_t	 id, used;
	unsigned	 hits, extra;
};

static struct entry *bucket[BUCKETS];
static size_t bytes;
static uint64_t now, state;
static unsigned bursting;

static size_t
key_size(uint64_t id)
{

	return (16 + id % 25);
}

static void
evict(struct entry **where)
{
	struct entry *e;

	e = *where;
	*where = e->next;
	bytes -= e->size + key_size(e->id) + sizeof(*e);
	put(e->key);
	put(e->value);
	free(e);
}

static void
evict_one(void)
{
	struct entry **oldest, **where;
	int i;

	oldest = NULL;
	for (i = 0; i < 5; ) {
		where = &bucket[rnd(&state) % BUCKETS];
		if (*where == NULL)
			continue;
		if (oldest == NULL || (*where)->used < (*oldest)->used)
			oldest = where;
		i++;
	}
	evict(oldest);
}

static void
set(uint64_t id)
{
	struct entry *e;

	e = malloc(sizeof(*e));
	if (e == NULL)
		die("out of memory");
	e->id = id;
	e->size = powerlaw2(&state, 64, 4096);
	e->hits = 0;
	e->key = get(key_size(id));
	e->value = get(e->size);
	e->extra = bursting;
	e->used = now;
	e->next = bucket[id % BUCKETS];
	bucket[id % BUCKETS] = e;
	bytes += e->size + key_size(id) + sizeof(*e);
}

static void
append(struct entry *e)
{

	e->value = realloc(e->value, e->size + 32);
	if (e->value == NULL)
		die("out of memory");
	*(void **)(void *)e->value = e->value;
	memset(e->value + e->size, 0, 32);
	e->size += 32;
	bytes += 32;
}

static void
request(size_t limit)
{
	struct entry *e;
	uint64_t id;

	now++;
	id = rnd(&state) % (1 << 20);
	for (e = bucket[id % BUCKETS]; e != NULL; e = e->next)
		if (e->id == id)
			break;
	if (e == NULL) {
		set(id);
		while (bytes > limit)
			evict_one();
	} else {
		e->used = now;
		if (++e->hits % 4 == 0)
			append(e);
	}
}

static void
expire(struct entry **where)
{

	while (*where != NULL)
		if ((*where)->extra)
			evict(where);
		else
			where = &(*where)->next;
}

static void
burst(unsigned long own)
{
	unsigned i;

	bursting = 1;
	for (i = 0; bytes < 95 * MIB; i++)
		request(96 * MIB);
	bursting = 0;
	for (i = 0; i < BUCKETS; i++)
		if (own)
			expire(&bucket[i]);
		else
			while (bucket[i] != NULL && rnd(&state) % 4 != 0)
				evict(&bucket[i]);
}

/* Fifty requests a millisecond. */
static void
light_load(unsigned long milliseconds)
{
	const struct timespec t = { 0, 1000000 };
	int i;

	for (; milliseconds > 0; milliseconds--) {
		for (i = 0; i < 50; i++)
			request(24 * MIB);
		nanosleep(&t, NULL);
	}
}

int
main(int argc, char **argv)
{
	unsigned long i, n, turn;

	n = argument(argc, argv, 1, 400000);
	state = seed(17, 1);
	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < n; i++)
			request(24 * MIB);
		burst(argument(argc, argv, 3, 0));
	}
	light_load(argument(argc, argv, 2, 500));
	figure("live_mib", (double)bytes / MIB);
	figure("after_mib", status_mib("VmRSS:"));
	return (0);
}
