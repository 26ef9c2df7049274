/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * stats: the table of statistics, the figures added up, and the report.
 *
 * Theory of operation.  Nothing is kept here.  Each question walks the
 * arenas, whose counters are read under their own locks, and adds them up;
 * so figures are as fresh as the question, and two figures of one moment
 * come from one call of stats_read().  The report is written in pieces and
 * never allocates; no lock is held while a piece goes out, so whoever takes
 * it may call malloc().
 *
 * To add a statistic, add a member to a structure in dsm_stats.h and a row
 * here: the key of mallctl(3), the report and its JSON form follow.
 */

#include <string.h>

#include "dsm_arena.h"
#include "dsm_base.h"
#include "dsm_cache.h"
#include "dsm_conf.h"
#include "dsm_init.h"
#include "dsm_keeper.h"
#include "dsm_map.h"
#include "dsm_os.h"
#include "dsm_print.h"
#include "dsm_set.h"
#include "dsm_stats.h"
#include "malloc_np.h"

#define	ITEM(key, head, scope, st, member, type, unit, help)		\
	{ key, head, help, offsetof(struct st, member), STATS_##scope,	\
	    STATS_##type, STATS_##unit }
#define	PROCESS(name, member, help)					\
	ITEM("stats." name, name, PROCESS, stats, member, SIZE, BYTES, help)
#define	KEEPER(name, member, type, help)				\
	ITEM("stats.background_thread." name, NULL, KEEPER, stats,	\
	    member, type, COUNT, help)
#define	ARENA(name, head, member, type, unit, help)			\
	ITEM("stats.arenas.<i>." name, head, ARENA, stats_arena, member, \
	    type, unit, help)
#define	SMALL(name, member, help)					\
	ITEM("stats.arenas.<i>.small." name, NULL, SMALL, stats_bin,	\
	    member, U64, COUNT, help)
#define	BIN(name, head, member, type, help)				\
	ITEM("stats.arenas.<i>.bins.<j>." name, head, BIN, stats_bin,	\
	    member, type, COUNT, help)

/*
 * All statistics, in the order of the report; those of a group ("small",
 * "large") stand together, for the sake of the JSON form.
 */
const struct stats_item stats_items[] = {
	PROCESS("allocated", allocated, "in use by the program"),
	PROCESS("active", active, "pages that hold it"),
	PROCESS("metadata", metadata, "the allocator's own records"),
	ITEM("stats.metadata_thp", NULL, PROCESS, stats, metadata_thp, SIZE,
	    COUNT, "huge pages asked for them"),
	PROCESS("resident", resident, "active, metadata and unused pages"
	    " not yet given back"),
	PROCESS("mapped", mapped, "address space of all arenas"),
	PROCESS("retained", retained, "of that, kept without memory"),

	KEEPER("num_threads", keepers, SIZE, "background threads"),
	KEEPER("num_runs", keeper_runs, U64, "times that they did something"),
	KEEPER("run_interval", keeper_interval, U64,
	    "nanoseconds between those, on average"),

	ARENA("nthreads", "threads", nthreads, UNSIGNED, COUNT,
	    "threads that allocate from the arena"),
	ARENA("dirty_decay_ms", NULL, decay_ms[PAGES_DIRTY], SSIZE, COUNT,
	    "time for dirty pages"),
	ARENA("muzzy_decay_ms", NULL, decay_ms[PAGES_MUZZY], SSIZE, COUNT,
	    "time for muzzy pages"),
	ARENA("pactive", "active", active, SIZE, PAGES,
	    "pages in use"),
	ARENA("pdirty", "dirty", dirty, SIZE, PAGES,
	    "unused pages not yet given back"),
	ARENA("pmuzzy", "muzzy", muzzy, SIZE, PAGES,
	    "unused pages that the system may take"),
	ARENA("mapped", "mapped", mapped, SIZE, BYTES,
	    "bytes of address space"),
	ARENA("retained", "retained", retained, SIZE, BYTES,
	    "bytes of it kept without memory"),
	ARENA("dirty_npurge", "purges", purged[PAGES_DIRTY].npurge, U64, COUNT,
	    "times that dirty pages were purged"),
	ARENA("dirty_nmadvise", NULL, purged[PAGES_DIRTY].ncalls, U64, COUNT,
	    "calls of advice that took"),
	ARENA("dirty_purged", "purged", purged[PAGES_DIRTY].bytes, U64, PAGES,
	    "dirty pages purged so far"),
	ARENA("muzzy_npurge", NULL, purged[PAGES_MUZZY].npurge, U64, COUNT,
	    "times that muzzy pages were purged"),
	ARENA("muzzy_nmadvise", NULL, purged[PAGES_MUZZY].ncalls, U64, COUNT,
	    "calls of advice that took"),
	ARENA("muzzy_purged", NULL, purged[PAGES_MUZZY].bytes, U64, PAGES,
	    "muzzy pages purged so far"),
	ARENA("small.allocated", "small", small, SIZE, BYTES,
	    "bytes of small objects in use or cached"),
	SMALL("nmalloc", nmalloc, "small objects handed out"),
	SMALL("ndalloc", ndalloc, "small objects taken back"),
	SMALL("nrequests", nrequests, "calls that asked for a small object"),
	ARENA("large.allocated", "large", large, SIZE, BYTES,
	    "bytes of large objects in use"),
	ARENA("large.nmalloc", NULL, large_nmalloc, U64, COUNT,
	    "large objects handed out"),
	ARENA("large.ndalloc", NULL, large_ndalloc, U64, COUNT,
	    "large objects taken back"),
	ARENA("large.nrequests", NULL, large_nmalloc, U64, COUNT,
	    "calls that asked for a large object"),
	ARENA("hpa_shard.nhugifies", NULL, nhugify, U64, COUNT,
	    "regions made huge pages"),
	ARENA("hpa_shard.nhugify_failures", NULL, nhugify_failed, U64, COUNT,
	    "regions that could not be made huge pages"),
	ARENA("hpa_shard.ndehugifies", NULL, ndehugify, U64, COUNT,
	    "huge pages broken up"),

	BIN("nrequests", "requests", nrequests, U64,
	    "calls that asked for the class"),
	BIN("nmalloc", "handed out", nmalloc, U64,
	    "objects handed to caches"),
	BIN("ndalloc", "taken back", ndalloc, U64, "objects taken back"),
	BIN("curregs", "in use", curregs, SIZE, "objects in use or cached"),
	BIN("curslabs", "slabs", curslabs, SIZE, "slabs there are"),
	BIN("nslabs", "opened", nslabs, U64, "slabs ever opened"),
	BIN("nfills", "fills", nfills, U64, "times that a cache was filled"),
	BIN("nflushes", "flushes", nflushes, U64,
	    "times that a cache was flushed"),
};
const unsigned stats_nitems = NITEMS(stats_items);

/* What the letters of malloc_stats_print() leave in. */
struct stats_parts {
	bool	json;			/* J */
	bool	general;		/* g turns it off, and so on */
	bool	merged;			/* m */
	bool	arenas;			/* a */
	bool	bins;			/* b */
	bool	large;			/* l */
};

/*
 * An arena knows the requests of the threads that have left it; those still
 * at work count their own.
 */
bool
stats_read_arena(unsigned index, struct stats_arena *out)
{
	unsigned i;

	memset(out, 0, sizeof(*out));
	if (!set_stats_read(index, out))
		return (false);
	for (i = 1; i < SIZE_NCLASSES; i++)
		out->bins[i].nrequests += cache_requests(index, i);
	return (true);
}

void
stats_read(struct stats *s)
{
	size_t used;

	memset(s, 0, sizeof(*s));
	s->narenas = arena_count();
	stats_read_arena(ARENA_ALL, &s->total);
	s->nthreads = s->total.nthreads;
	s->cached = cache_bytes_all();
	s->metadata = base_bytes() + map_bytes();
	s->metadata_thp = base_nhuge() + map_nhuge();
	/* The counters move while they are read: never below zero. */
	used = s->total.small + s->total.large;
	s->allocated = used > s->cached ? used - s->cached : 0;
	s->active = s->total.active;
	s->resident = s->active + s->total.dirty + s->metadata;
	s->mapped = s->total.mapped;
	s->retained = s->total.retained;
	s->keepers = keeper_count();
	s->keeper_runs = keeper_runs();
	s->keeper_interval = keeper_interval();
}

/*
 * The same for the report.  Figures are read under locks, so no fork may come
 * meanwhile; but it may while a piece goes out, from there as well.
 */
static bool
stats_take_arena(unsigned index, struct stats_arena *out)
{
	bool ok;

	(void)cache_enter();
	ok = stats_read_arena(index, out);
	cache_leave();
	return (ok);
}

static void
stats_take(struct stats *s)
{

	(void)cache_enter();
	stats_read(s);
	cache_leave();
}

/* The number at p, as wide as its type. */
static uint64_t
stats_fetch(enum stats_type type, const char *p)
{

	switch (type) {
	case STATS_UNSIGNED:
		return (*(const unsigned *)(const void *)p);
	case STATS_SIZE:
		return (*(const size_t *)(const void *)p);
	case STATS_SSIZE:
	case STATS_U64:
		break;
	}
	return (*(const uint64_t *)(const void *)p);
}

uint64_t
stats_value(const struct stats_item *it, const struct stats *s,
    const struct stats_arena *a, unsigned bin)
{
	uint64_t v;
	unsigned i;

	v = 0;
	switch (it->scope) {
	case STATS_PROCESS:
	case STATS_KEEPER:
		v = stats_fetch(it->type, (const char *)s + it->offset);
		break;
	case STATS_ARENA:
		v = stats_fetch(it->type, (const char *)a + it->offset);
		break;
	case STATS_SMALL:
		for (i = 1; i < SIZE_NCLASSES; i++)
			v += stats_fetch(it->type,
			    (const char *)&a->bins[i] + it->offset);
		break;
	case STATS_BIN:
		v = stats_fetch(it->type,
		    (const char *)&a->bins[bin + 1] + it->offset);
		break;
	}
	return (it->unit == STATS_PAGES ? v / os_page : v);
}

static void
stats_text_options(const struct print_sink *to)
{
	const struct conf_option *o;
	char buf[64];
	bool any;

	any = false;
	print_to(to, "Options that differ from the default:");
	for (o = conf_options; o < conf_options + conf_noptions; o++) {
		if (conf_is_default(o))
			continue;
		conf_format(o, buf, sizeof(buf));
		print_to(to, "%s %s:%s", any ? "," : "", o->name, buf);
		any = true;
	}
	print_to(to, "%s\n", any ? "" : " none");
}

static void
stats_text_general(const struct print_sink *to)
{

#ifdef DSM_DEBUG
	print_to(to, "Version: %s, with assertions\n", STATS_VERSION);
#else
	print_to(to, "Version: %s\n", STATS_VERSION);
#endif
	stats_text_options(to);
}

static void
stats_text_summary(const struct print_sink *to, const struct stats *s)
{
	const struct stats_item *it;
	char buf[16];

	print_to(to, "\nMemory of the process\n");
	for (it = stats_items; it < stats_items + stats_nitems; it++)
		if (it->scope == STATS_PROCESS && it->head != NULL)
			print_to(to, "  %-10s %12s  %s\n", it->head,
			    print_size(stats_value(it, s, &s->total, 0), buf),
			    it->help);
	print_to(to, "  %-10s %12s  %s\n", "dirty",
	    print_size(s->total.dirty, buf),
	    "unused pages not yet given back to the system");
	print_to(to, "  %-10s %12s  %s\n", "cached",
	    print_size(s->cached, buf),
	    "freed objects that threads keep at hand");
}

/* One line of the table of arenas; a NULL: its heading. */
static void
stats_text_arena(const struct print_sink *to, const char *name,
    const struct stats_arena *a)
{
	const struct stats_item *it;
	uint64_t v;
	char buf[16];

	print_to(to, "  %-7s", name);
	for (it = stats_items; it < stats_items + stats_nitems; it++) {
		if (it->scope != STATS_ARENA || it->head == NULL)
			continue;
		if (a == NULL) {
			print_to(to, " %10s", it->head);
			continue;
		}
		v = stats_value(it, NULL, a, 0);
		if (it->unit == STATS_PAGES)
			v *= os_page;
		if (it->unit == STATS_COUNT)
			print_to(to, " %10llu", (unsigned long long)v);
		else
			print_to(to, " %10s", print_size(v, buf));
	}
	print_to(to, "\n");
}

static void
stats_text_arenas(const struct print_sink *to, const struct stats *s,
    const struct stats_parts *parts)
{
	struct stats_arena a;
	unsigned i;
	char name[16];

	if (!parts->arenas && !parts->merged)
		return;
	print_to(to, "\nArenas\n");
	stats_text_arena(to, "", NULL);
	for (i = 0; parts->arenas && i < s->narenas; i++) {
		if (!stats_take_arena(i, &a))
			continue;
		print_fmt(name, sizeof(name), "%u", i);
		stats_text_arena(to, name, &a);
	}
	if (parts->merged)
		stats_text_arena(to, "all", &s->total);
}

/* One line of the table of classes; a NULL: its heading. */
static void
stats_text_bin(const struct print_sink *to, const struct stats_arena *a,
    unsigned bin)
{
	const struct size_info *info = &size_info[bin + 1];
	const struct stats_item *it;
	size_t slots;

	if (a == NULL)
		print_to(to, "  %7s", "bytes");
	else
		print_to(to, "  %7u", info->size);
	for (it = stats_items; it < stats_items + stats_nitems; it++) {
		if (it->scope != STATS_BIN || it->head == NULL)
			continue;
		if (a == NULL)
			print_to(to, " %10s", it->head);
		else
			print_to(to, " %10llu", (unsigned long long)
			    stats_value(it, NULL, a, bin));
	}
	if (a == NULL) {
		print_to(to, " %5s\n", "full");
		return;
	}
	slots = a->bins[bin + 1].curslabs * slab_geom[bin + 1].nslots;
	print_to(to, " %4u%%\n", slots == 0 ? 0 :
	    (unsigned)(a->bins[bin + 1].curregs * 100 / slots));
}

static void
stats_text_bins(const struct print_sink *to, const struct stats_arena *a)
{
	unsigned i;

	print_to(to, "\nSmall objects, by size; sizes never used are left "
	    "out\n");
	stats_text_bin(to, NULL, 0);
	for (i = 0; i < SIZE_NCLASSES - 1; i++)
		if (a->bins[i + 1].nmalloc != 0 ||
		    a->bins[i + 1].nrequests != 0)
			stats_text_bin(to, a, i);
}

static void
stats_text(const struct print_sink *to, const struct stats_parts *parts)
{
	struct stats s;
	char buf[16];

	print_to(to, "___ Begin dsmalloc statistics ___\n");
	if (parts->general)
		stats_text_general(to);
	stats_take(&s);
	stats_text_summary(to, &s);
	stats_text_arenas(to, &s, parts);
	if (s.keepers != 0)
		print_to(to, "\nBackground threads: %zu; %llu runs, one in "
		    "%llu us\n", s.keepers, (unsigned long long)s.keeper_runs,
		    (unsigned long long)s.keeper_interval / 1000);
	if (parts->bins)
		stats_text_bins(to, &s.total);
	if (parts->large)
		print_to(to, "\nLarge objects: %s in %llu; %llu handed out, "
		    "%llu taken back\n", print_size(s.total.large, buf),
		    (unsigned long long)(s.total.large_nmalloc -
		    s.total.large_ndalloc),
		    (unsigned long long)s.total.large_nmalloc,
		    (unsigned long long)s.total.large_ndalloc);
	print_to(to, "--- End dsmalloc statistics ---\n");
}

/* A string as JSON has it; ours are short. */
static void
stats_json_string(const struct print_sink *to, const char *s)
{

	print_to(to, "\"");
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			print_to(to, "\\%c", *s);
		else if ((unsigned char)*s < ' ')
			print_to(to, "\\u%04x", (unsigned)*s);
		else
			print_to(to, "%c", *s);
	}
	print_to(to, "\"");
}

static void
stats_json_general(const struct print_sink *to)
{
	const struct conf_option *o;
	unsigned i;
	char buf[64];

	print_to(to, "\"version\":\"%s\",\"opt\":{", STATS_VERSION);
	for (o = conf_options; o < conf_options + conf_noptions; o++) {
		print_to(to, "%s\"%s\":", o == conf_options ? "" : ",",
		    o->name);
		if (conf_is_string(o) || o->type == CONF_ENUM) {
			stats_json_string(to, conf_string(o));
			continue;
		}
		conf_format(o, buf, sizeof(buf));
		if (o->type == CONF_SHARE)
			stats_json_string(to, buf);
		else
			print_to(to, "%s", buf);
	}
	print_to(to, "},\"arenas\":{\"narenas\":%u,\"dirty_decay_ms\":%lld,"
	    "\"muzzy_decay_ms\":%lld,\"quantum\":%u,\"page\":%zu,"
	    "\"tcache_max\":%u,\"nbins\":%u,"
	    "\"bin\":[", arena_count(),
	    (long long)set_decay_ms_new(PAGES_DIRTY),
	    (long long)set_decay_ms_new(PAGES_MUZZY), STATS_QUANTUM,
	    os_page, SIZE_SMALL_MAX, SIZE_NCLASSES - 1);
	for (i = 1; i < SIZE_NCLASSES; i++)
		print_to(to, "%s{\"size\":%u,\"nregs\":%u,\"slab_size\":%u}",
		    i == 1 ? "" : ",", size_info[i].size, slab_geom[i].nslots,
		    slab_geom[i].bytes);
	print_to(to, "]},");
}

/* All members of one scope that stand alone in an object. */
static void
stats_json_items(const struct print_sink *to, enum stats_scope scope,
    const struct stats *s, const struct stats_arena *a, unsigned bin)
{
	const struct stats_item *it;
	bool first;

	first = true;
	for (it = stats_items; it < stats_items + stats_nitems; it++) {
		if (it->scope != scope)
			continue;
		print_to(to, "%s\"%s\":%llu", first ? "" : ",",
		    strrchr(it->key, '.') + 1,
		    (unsigned long long)stats_value(it, s, a, bin));
		first = false;
	}
}

/*
 * The figures of an arena.  Those of a group, "small.allocated", become
 * members of an object "small".
 */
static void
stats_json_figures(const struct print_sink *to, const struct stats_arena *a)
{
	static const char prefix[] = "stats.arenas.<i>.";
	const struct stats_item *it;
	const char *dot, *group, *name;
	size_t len;
	bool comma;

	group = NULL;
	len = 0;
	comma = false;
	for (it = stats_items; it < stats_items + stats_nitems; it++) {
		if (it->scope != STATS_ARENA && it->scope != STATS_SMALL)
			continue;
		name = it->key + sizeof(prefix) - 1;
		dot = strchr(name, '.');
		if (group != NULL && (dot == NULL ||
		    strncmp(group, name, len + 1) != 0)) {
			print_to(to, "}");
			group = NULL;
		}
		if (dot != NULL && group == NULL) {
			group = name;
			len = (size_t)(dot - name);
			print_to(to, "%s\"%.*s\":{", comma ? "," : "",
			    (int)len, name);
			comma = false;
		}
		print_to(to, it->type == STATS_SSIZE ? "%s\"%s\":%lld" :
		    "%s\"%s\":%llu", comma ? "," : "",
		    dot == NULL ? name : dot + 1,
		    (unsigned long long)stats_value(it, NULL, a, 0));
		comma = true;
	}
	if (group != NULL)
		print_to(to, "}");
}

static void
stats_json_arena(const struct print_sink *to, const char *name,
    const struct stats_arena *a, const struct stats_parts *parts, bool *first)
{
	unsigned i;

	print_to(to, "%s\"%s\":{", *first ? "" : ",", name);
	*first = false;
	stats_json_figures(to, a);
	if (parts->bins) {
		print_to(to, ",\"bins\":[");
		for (i = 0; i < SIZE_NCLASSES - 1; i++) {
			print_to(to, "%s{", i == 0 ? "" : ",");
			stats_json_items(to, STATS_BIN, NULL, a, i);
			print_to(to, "}");
		}
		print_to(to, "]");
	}
	print_to(to, "}");
}

static void
stats_json(const struct print_sink *to, const struct stats_parts *parts)
{
	struct stats_arena a;
	struct stats s;
	unsigned i;
	bool first;
	char name[16];

	print_to(to, "{\"jemalloc\":{");
	if (parts->general)
		stats_json_general(to);
	stats_take(&s);
	print_to(to, "\"stats\":{");
	stats_json_items(to, STATS_PROCESS, &s, &s.total, 0);
	print_to(to, ",\"background_thread\":{");
	stats_json_items(to, STATS_KEEPER, &s, &s.total, 0);
	print_to(to, "}},\"stats.arenas\":{");
	first = true;
	if (parts->merged)
		stats_json_arena(to, "merged", &s.total, parts, &first);
	for (i = 0; parts->arenas && i < s.narenas; i++) {
		if (!stats_take_arena(i, &a))
			continue;
		print_fmt(name, sizeof(name), "%u", i);
		stats_json_arena(to, name, &a, parts, &first);
	}
	print_to(to, "}}}\n");
}

void
stats_print(void (*cb)(void *, const char *), void *arg, const char *opts)
{
	struct print_sink to = { cb, arg };
	struct stats_parts parts = { false, true, true, true, true, true };

	/* d, x, e and h leave out what this version does not have. */
	for (; opts != NULL && *opts != '\0'; opts++)
		switch (*opts) {
		case 'J':
			parts.json = true;
			break;
		case 'g':
			parts.general = false;
			break;
		case 'm':
			parts.merged = false;
			break;
		case 'a':
			parts.arenas = false;
			break;
		case 'b':
			parts.bins = false;
			break;
		case 'l':
			parts.large = false;
			break;
		default:
			break;
		}
	if (parts.json)
		stats_json(&to, &parts);
	else
		stats_text(&to, &parts);
}

DSM_EXPORT void
__malloc_stats_print(void (*cb)(void *, const char *), void *arg,
    const char *opts)
{

	if (init_once())
		stats_print(cb, arg, opts);
}

/* conf is all zero until the options are read, so a process that never
 * allocates touches nothing here. */
void
stats_at_exit(void)
{

	if (conf.stats_print)
		__malloc_stats_print(NULL, NULL, conf.stats_print_opts);
}

DSM_EXPORT __attribute__((__weak__, __alias__("__malloc_stats_print"))) void
malloc_stats_print(void (*)(void *, const char *), void *, const char *);
