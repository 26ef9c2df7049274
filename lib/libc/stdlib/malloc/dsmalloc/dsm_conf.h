/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * conf: the options.  One table in dsm_conf.c (name, type, range, default,
 * where it is kept, help) is all there is to an option: the parser, mallctl's
 * opt.* keys, the statistics' list and the man page check read it.  How to
 * add one stands in README.
 */
#ifndef _DSM_CONF_H_
#define	_DSM_CONF_H_

#include "dsm_defs.h"

/* Whom huge pages are for; see dsm_pool.h. */
enum conf_thp { CONF_THP_AUTO, CONF_THP_ALWAYS, CONF_THP_NEVER,
	CONF_THP_DEFAULT };

/* How regions become huge pages: by jemalloc's names for it. */
enum conf_hugify { CONF_HUGIFY_AUTO, CONF_HUGIFY_NONE, CONF_HUGIFY_EAGER,
	CONF_HUGIFY_LAZY };

/* What jemalloc has and nothing here answers to: kept to be read back. */
struct conf_accepted {
	bool		enforce_hugify;
	bool		huge_arena_pac_thp;
	bool		start_huge;
	uint32_t	dirty_mult;
	int64_t		max_purge_nhp;
	uint64_t	min_purge_delay_ms;
	uint64_t	min_purge_interval_ms;
	size_t		sec_max_alloc;
	size_t		sec_max_bytes;
	size_t		sec_nshards;
	size_t		slab_max_alloc;
};

/* Constant after conf_init(). */
struct conf {
	bool		abort_conf;	/* a bad option aborts */
	bool		background_thread; /* what is due goes by itself */
	bool		confirm_conf;	/* say what is in force, from where */
	bool		hpa;		/* huge pages in small processes too */
	bool		hpa_hugify_sync; /* make dense regions huge pages */
	bool		oom_report;	/* say where memory is when out of it */
	bool		retain;		/* keep address space for good */
	bool		stats_print;	/* statistics at exit */
	bool		tcache;		/* thread caches in use */
	bool		xmalloc;	/* out of memory aborts */
	size_t		max_background_threads;
	unsigned	narenas;	/* automatic arenas; 0 = one per CPU */
	int64_t		dirty_decay_ms;	/* -1 never, 0 at once */
	int64_t		muzzy_decay_ms;
	size_t		oversize_threshold; /* large blocks from here on are
					   not kept unused; 0: none */
	int64_t		dirty_max;	/* dirty bytes that may be kept at
					   least before amount purges; below
					   0: per cent of those in use */
	size_t		hpa_hugification_threshold; /* bytes used of one, */
	uint64_t	hpa_hugify_delay_ms;	/* for so long */
	size_t		hpa_purge_threshold;	/* free bytes to break it up */
	const char	*limit;		/* as limit_parse() takes it */
	const char	*limit_hard;
	const char	*stats_print_opts;
	unsigned	hpa_hugify_style; /* enum conf_hugify */
	unsigned	metadata_thp;	/* enum base_thp */
	unsigned	thp;		/* enum conf_thp */
	struct conf_accepted accepted;
};

/* A limit is a string that limit_parse() takes; a share is a size, or per cent,
 * which are kept as a number below 0; a fixed number has 16 bits behind the
 * point, and all bits set is -1; a part is one of 2 MiB, kept in bytes. */
enum conf_type {
	CONF_BOOL, CONF_UNSIGNED, CONF_U64, CONF_SSIZE, CONF_SIZE, CONF_SHARE,
	CONF_FIXED, CONF_PART, CONF_ENUM, CONF_STRING, CONF_LIMIT
};

/* The largest share, per cent; in bytes it is that of all sizes. */
#define	CONF_SHARE_MAX	1000

struct conf_option {
	const char	*name;
	enum conf_type	 type;
	size_t		 offset;	/* in struct conf */
	int64_t		 min;
	int64_t		 max;		/* a string's longest length */
	int64_t		 def;		/* a string's default is empty */
	const char	*help;
	const char *const *words;	/* an enum's, by its values */
};

DSM_HIDDEN struct conf		conf;
DSM_HIDDEN const struct conf_option	conf_options[];
DSM_HIDDEN const unsigned		conf_noptions;

/* A piece of a text. */
struct conf_span {
	const char	*s;
	size_t		 len;
};

/* Read all sources once: malloc_conf, /etc/malloc.conf, MALLOC_CONF
 * (dsm_conf_read.c). */
void	conf_init(void);
void	conf_reset(struct conf *);
const struct conf_option *conf_find(const char *name, size_t len);
/* Is its value a string? */
bool	conf_is_string(const struct conf_option *);
/* The option whose name is nearest; NULL when none is near. */
const struct conf_option *conf_nearest(struct conf_span name);
/* Is this one of jemalloc's names? */
bool	conf_is_foreign(struct conf_span name);
/* Set an option to what a text says; NULL, or the reason why it cannot be. */
const char *conf_set(const struct conf_option *, struct conf_span);
/* Are all regions to be huge pages from the first byte on? */
static inline bool
conf_all_huge(void)
{

	return (conf.thp == CONF_THP_ALWAYS || (conf.thp == CONF_THP_AUTO &&
	    conf.hpa && conf.hpa_hugify_style == CONF_HUGIFY_EAGER));
}
/* The value in force: a number (false is 0), or the string or word. */
int64_t	conf_number(const struct conf_option *);
const char *conf_string(const struct conf_option *);
bool	conf_is_default(const struct conf_option *);
/* The value in force as it would be written in MALLOC_CONF. */
void	conf_format(const struct conf_option *, char *buf, size_t len);

#endif /* !_DSM_CONF_H_ */
