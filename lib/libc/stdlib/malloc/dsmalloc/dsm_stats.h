/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * stats: what the arenas and caches count, added up, and the report.
 * One table in dsm_stats.c (name, where the figure is kept, help) is all
 * there is to a statistic: mallctl's stats.* keys and the report read it.
 */
#ifndef _DSM_STATS_H_
#define	_DSM_STATS_H_

#include "dsm_arena.h"
#include "dsm_defs.h"

/* A snapshot of the whole process; fresh at each call. */
struct stats {
	size_t		allocated;	/* small + large - cached */
	size_t		active;
	size_t		metadata;	/* base memory, the map */
	size_t		metadata_thp;	/* huge pages asked for it */
	size_t		resident;	/* active + dirty + metadata */
	size_t		mapped;
	size_t		retained;
	size_t		cached;		/* bytes in thread caches */
	unsigned	narenas;
	unsigned	nthreads;
	size_t		keepers;	/* of background_thread */
	uint64_t	keeper_runs;
	uint64_t	keeper_interval; /* ns */
	struct stats_arena total;
};

/*
 * The version, as jemalloc's clients expect it: they take it apart at the
 * dots and the dashes.  5.4.0 names the jemalloc whose control surface this
 * is; there is no commit of jemalloc's behind it, hence the zeros.
 */
#define	STATS_VERSION	"5.4.0-0-g0000000000000000000000000000000000000000"

/* The alignment that every object has, except that of 8 bytes. */
#define	STATS_QUANTUM	16u

/* Where a statistic is kept, and so how many indices its key has. */
enum stats_scope {
	STATS_PROCESS,			/* struct stats */
	STATS_KEEPER,			/* the same, of background_thread */
	STATS_ARENA,			/* struct stats_arena */
	STATS_SMALL,			/* struct stats_bin, added up */
	STATS_BIN,			/* struct stats_bin */
};

enum stats_type { STATS_UNSIGNED, STATS_U64, STATS_SIZE, STATS_SSIZE };

enum stats_unit {
	STATS_COUNT,
	STATS_BYTES,
	STATS_PAGES,			/* kept in bytes, told in pages */
};

struct stats_item {
	const char		*key;	/* <i> an arena, <j> a bin */
	const char		*head;	/* in the report; NULL: not there */
	const char		*help;
	size_t			 offset;
	enum stats_scope	 scope;
	enum stats_type		 type;
	enum stats_unit		 unit;
};

DSM_HIDDEN const struct stats_item	stats_items[];
DSM_HIDDEN const unsigned		stats_nitems;

/* Of an arena, of ARENA_ALL or of ARENA_DESTROYED. */
bool	stats_read_arena(unsigned index, struct stats_arena *);
void	stats_read(struct stats *);
void	stats_print(void (*cb)(void *, const char *), void *arg,
	    const char *opts);
/* The report that stats_print:true asks for. */
void	stats_at_exit(void);
/*
 * One figure out of what stats_read() or stats_read_arena() filled, in the
 * item's unit; bin counts from 0 and matters to STATS_BIN only.
 */
uint64_t stats_value(const struct stats_item *, const struct stats *,
	    const struct stats_arena *, unsigned bin);

#endif /* !_DSM_STATS_H_ */
