/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * conf: the table of options, and what a text makes of one.
 */

#include <string.h>

#include "dsm_base.h"
#include "dsm_conf.h"
#include "dsm_limit.h"
#include "dsm_print.h"
#include "dsm_size.h"

#define	CONF_NAME_MAX	48		/* longest name that is looked at */

/* Initialised, if only with a default, it is in the one page of data that
 * loading the library touches: the destructor that looks for stats_print in
 * every process then costs no page fault. */
struct conf conf = { .tcache = true };

/* The name stands apart from the member, which dsm_namespace.h may rename. */
#define	OPTION(name, n, t, lo, hi, def, help)				\
	{ name, CONF_##t, offsetof(struct conf, n), lo, hi, def, help, NULL }
#define	OPTION_BOOL(name, n, def, help)					\
	OPTION(name, n, BOOL, 0, 1, def, help)
#define	OPTION_ENUM(name, n, words, def, help)				\
	{ name, CONF_ENUM, offsetof(struct conf, n), 0,			\
	    NITEMS(words) - 1, def, help, words }

/* The longest decay time; jemalloc's, in milliseconds. */
#define	CONF_DECAY_MAX	INT64_C(18446744072000)
/* As many automatic arenas as the table of arenas has room for. */
#define	CONF_ARENAS_MAX	1024

/* As many threads as dsm_keeper.c has room for; jemalloc's. */
#define	CONF_KEEPERS_MAX	4096

/* The longest text of a limit. */
#define	CONF_LIMIT_LENGTH 31

static const char *const conf_thp_words[] = {
	[CONF_THP_AUTO] = "auto",
	[CONF_THP_ALWAYS] = "always",
	[CONF_THP_NEVER] = "never",
	[CONF_THP_DEFAULT] = "default",
};

static const char *const conf_metadata_thp_words[] = {
	[BASE_THP_NEVER] = "disabled",
	[BASE_THP_GROWN] = "auto",
	[BASE_THP_ALWAYS] = "always",
};

static const char *const conf_hugify_words[] = {
	[CONF_HUGIFY_AUTO] = "auto",
	[CONF_HUGIFY_NONE] = "none",
	[CONF_HUGIFY_EAGER] = "eager",
	[CONF_HUGIFY_LAZY] = "lazy",
};

/* A huge page; the least of it that a threshold may be, a page. */
#define	CONF_HUGE	(2 << 20)
#define	CONF_PAGE	4096

/* Sorted by name; manual: malloc.3, OPTIONS. */
const struct conf_option conf_options[] = {
	OPTION_BOOL("abort_conf", abort_conf, false,
	    "abort the program after a bad option"),
	OPTION_BOOL("background_thread", background_thread, false,
	    "a thread gives unused memory back where no other does"),
	OPTION_BOOL("confirm_conf", confirm_conf, false,
	    "say which options come from where"),
	OPTION("dirty_decay_ms", dirty_decay_ms, SSIZE, -1, CONF_DECAY_MAX,
	    10000, "milliseconds until unused memory goes back to the system"),
	OPTION("dirty_max", dirty_max, SHARE, 0, SIZE_LARGE_MAX, 64 << 20,
	    "unused memory that may always wait until it decays"),
	OPTION_BOOL("experimental_hpa_enforce_hugify", accepted.enforce_hugify,
	    false, "nothing: advice is always given"),
	OPTION("experimental_hpa_max_purge_nhp", accepted.max_purge_nhp, SSIZE,
	    -1, SIZE_LARGE_MAX, -1, "nothing: a visit ends with its time"),
	OPTION_BOOL("experimental_hpa_start_huge_if_thp_always",
	    accepted.start_huge, true,
	    "nothing: what is not marked is advised against"),
	OPTION_BOOL("hpa", hpa, false,
	    "huge pages for dense regions of small processes too"),
	OPTION("hpa_dirty_mult", accepted.dirty_mult, FIXED, -1, 65534, 1 << 14,
	    "nothing: dirty_max is the like"),
	OPTION("hpa_hugification_threshold", hpa_hugification_threshold, SIZE,
	    CONF_PAGE, CONF_HUGE, 1992294,
	    "used bytes from which a region of 2 MiB becomes a huge page"),
	OPTION("hpa_hugification_threshold_ratio", hpa_hugification_threshold,
	    PART, 0, 1, 1992294, "the same as a part of 2 MiB"),
	OPTION("hpa_hugify_delay_ms", hpa_hugify_delay_ms, U64, 0,
	    CONF_DECAY_MAX, 10000, "milliseconds that it is to be so before"),
	OPTION_ENUM("hpa_hugify_style", hpa_hugify_style, conf_hugify_words,
	    CONF_HUGIFY_LAZY, "which regions become huge pages, and when"),
	OPTION_BOOL("hpa_hugify_sync", hpa_hugify_sync, true,
	    "make such regions huge pages"),
	OPTION("hpa_min_purge_delay_ms", accepted.min_purge_delay_ms, U64, 0,
	    CONF_DECAY_MAX, 0, "nothing: dirty_decay_ms is the like"),
	OPTION("hpa_min_purge_interval_ms", accepted.min_purge_interval_ms, U64,
	    0, CONF_DECAY_MAX, 5000, "nothing: visits go by dirty_decay_ms"),
	OPTION("hpa_purge_threshold", hpa_purge_threshold, SIZE, CONF_PAGE,
	    CONF_HUGE, CONF_HUGE / 8,
	    "unused bytes for which a huge page is broken up"),
	OPTION("hpa_purge_threshold_ratio", hpa_purge_threshold, PART, 0, 1,
	    CONF_HUGE / 8, "the same as a part of 2 MiB"),
	OPTION("hpa_sec_max_alloc", accepted.sec_max_alloc, SIZE, CONF_PAGE,
	    SIZE_LARGE_MAX, 32 << 10, "nothing: there is no such cache"),
	OPTION("hpa_sec_max_bytes", accepted.sec_max_bytes, SIZE, 0,
	    SIZE_LARGE_MAX, 256 << 10, "nothing: there is no such cache"),
	OPTION("hpa_sec_nshards", accepted.sec_nshards, SIZE, 0,
	    SIZE_LARGE_MAX, 2, "nothing: there is no such cache"),
	OPTION("hpa_slab_max_alloc", accepted.slab_max_alloc, SIZE, CONF_PAGE,
	    CONF_HUGE, 64 << 10, "nothing: regions have all up to 1 MiB"),
	OPTION_BOOL("huge_arena_pac_thp", accepted.huge_arena_pac_thp, false,
	    "nothing: there is no such arena"),
	OPTION("limit", limit, LIMIT, 0, CONF_LIMIT_LENGTH, 0,
	    "memory near which unused memory goes back at once"),
	OPTION("limit_hard", limit_hard, LIMIT, 0, CONF_LIMIT_LENGTH, 0,
	    "memory beyond which there is none"),
	OPTION("max_background_threads", max_background_threads, SIZE, 1,
	    CONF_KEEPERS_MAX, 4, "as many such threads at the most"),
	OPTION_ENUM("metadata_thp", metadata_thp, conf_metadata_thp_words,
	    BASE_THP_NEVER, "which of its records come in huge pages"),
	OPTION("muzzy_decay_ms", muzzy_decay_ms, SSIZE, -1, CONF_DECAY_MAX, 0,
	    "milliseconds more in which the system may take it"),
	OPTION("narenas", narenas, UNSIGNED, 0, CONF_ARENAS_MAX, 0,
	    "arenas that share the threads; 0 is one for each processor"),
	OPTION_BOOL("oom_report", oom_report, false,
	    "say where the memory is when there is no more"),
	OPTION("oversize_threshold", oversize_threshold, SIZE, 0,
	    SIZE_LARGE_MAX, 0,
	    "bytes from which a freed block goes back at once; 0 is none"),
	OPTION_BOOL("retain", retain, true,
	    "keep address space whose memory has gone back"),
	OPTION_BOOL("stats_print", stats_print, false,
	    "print statistics at exit"),
	OPTION("stats_print_opts", stats_print_opts, STRING, 0, 31, 0,
	    "what malloc_stats_print() is told at exit"),
	OPTION_BOOL("tcache", tcache, true,
	    "let each thread cache what it frees"),
	OPTION_ENUM("thp", thp, conf_thp_words, CONF_THP_AUTO,
	    "which memory comes in huge pages"),
	OPTION_BOOL("xmalloc", xmalloc, false,
	    "abort the program when out of memory"),
};
const unsigned conf_noptions = NITEMS(conf_options);

/*
 * Names that jemalloc knows, or knew, and this version does not: to tell
 * those who bring them along that it is not a typing mistake.
 */
static const char conf_foreign[] =
    " abort bin_shards cache_oblivious calloc_madvise_threshold"
    " debug_double_free_max_scan decay_time disable_large_size_classes"
    " dss experimental_infallible_new experimental_tcache_gc"
    " hpa_sec_batch_fill_extra hpa_sec_bytes_after_flush junk lg_chunk"
    " lg_dirty_mult lg_extent_max_active_fit lg_prof_interval"
    " lg_prof_sample lg_san_uaf_align lg_tcache_flush_large_div"
    " lg_tcache_flush_small_div lg_tcache_max lg_tcache_nslots_mul log"
    " mutex_max_spin narenas_ratio percpu_arena"
    " process_madvise_max_batch prof prof_accum prof_active prof_bt_max"
    " prof_final prof_gdump prof_leak prof_leak_error prof_log"
    " prof_pid_namespace prof_prefix prof_recent_alloc_max prof_stats"
    " prof_sys_thread_name prof_thread_active_init prof_time_resolution"
    " prof_unbias purge quarantine redzone san_guard_large"
    " san_guard_small slab_sizes stats_interval stats_interval_opts"
    " tcache_gc_delay_bytes tcache_gc_incr_bytes tcache_max"
    " tcache_ncached_max tcache_nslots_large tcache_nslots_small_max"
    " tcache_nslots_small_min trust_madvise utrace zero zero_realloc ";

/* The strings that options point to. */
static char	conf_strings[256];
static size_t	conf_strings_used;

void
conf_reset(struct conf *c)
{
	const struct conf_option *o;
	char *field;

	for (o = conf_options; o < conf_options + conf_noptions; o++) {
		field = (char *)c + o->offset;
		switch (o->type) {
		case CONF_BOOL:
			*(bool *)(void *)field = o->def != 0;
			break;
		case CONF_UNSIGNED:
		case CONF_ENUM:
			*(unsigned *)(void *)field = (unsigned)o->def;
			break;
		case CONF_FIXED:
			*(uint32_t *)(void *)field = (uint32_t)o->def;
			break;
		case CONF_U64:
			*(uint64_t *)(void *)field = (uint64_t)o->def;
			break;
		case CONF_SSIZE:
		case CONF_SHARE:
			*(int64_t *)(void *)field = o->def;
			break;
		case CONF_SIZE:
		case CONF_PART:
			*(size_t *)(void *)field = (size_t)o->def;
			break;
		case CONF_STRING:
		case CONF_LIMIT:
			*(const char **)(void *)field = "";
			break;
		}
	}
}

const struct conf_option *
conf_find(const char *name, size_t len)
{
	const struct conf_option *o;

	for (o = conf_options; o < conf_options + conf_noptions; o++)
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return (o);
	return (NULL);
}

bool
conf_is_string(const struct conf_option *o)
{

	return (o->type == CONF_STRING || o->type == CONF_LIMIT);
}

int64_t
conf_number(const struct conf_option *o)
{
	const char *field = (const char *)&conf + o->offset;

	switch (o->type) {
	case CONF_BOOL:
		return (*(const bool *)(const void *)field);
	case CONF_UNSIGNED:
	case CONF_ENUM:
		return (*(const unsigned *)(const void *)field);
	case CONF_FIXED:
		return (*(const uint32_t *)(const void *)field);
	case CONF_U64:
		return ((int64_t)*(const uint64_t *)(const void *)field);
	case CONF_SSIZE:
	case CONF_SHARE:
		return (*(const int64_t *)(const void *)field);
	case CONF_SIZE:
	case CONF_PART:
		return ((int64_t)*(const size_t *)(const void *)field);
	case CONF_STRING:
	case CONF_LIMIT:
		break;
	}
	return (0);
}

const char *
conf_string(const struct conf_option *o)
{
	const char *field = (const char *)&conf + o->offset;

	if (o->type == CONF_ENUM)
		return (o->words[conf_number(o)]);
	DSM_ASSERT(conf_is_string(o));
	return (*(const char *const *)(const void *)field);
}

bool
conf_is_default(const struct conf_option *o)
{

	if (conf_is_string(o))
		return (conf_string(o)[0] == '\0');
	return (conf_number(o) == o->def);
}

/* A number with 16 bits behind the point, by five digits at the most. */
static void
conf_format_fixed(uint32_t n, char *buf, size_t len)
{
	unsigned digits = (unsigned)(((n & 0xffff) * UINT64_C(100000) +
	    0x8000) >> 16), width = 5;

	if (n == UINT32_MAX) {
		print_fmt(buf, len, "-1");
		return;
	}
	for (; width > 0 && digits % 10 == 0; width--)
		digits /= 10;
	if (width == 0)
		print_fmt(buf, len, "%u", n >> 16);
	else
		print_fmt(buf, len, "%u.%0*u", n >> 16, (int)width, digits);
}

void
conf_format(const struct conf_option *o, char *buf, size_t len)
{

	if (o->type == CONF_BOOL)
		print_fmt(buf, len, "%s", conf_number(o) ? "true" : "false");
	else if (conf_is_string(o) || o->type == CONF_ENUM)
		print_fmt(buf, len, "%s", conf_string(o));
	else if (o->type == CONF_FIXED)
		conf_format_fixed((uint32_t)conf_number(o), buf, len);
	else if (o->type == CONF_PART)
		conf_format_fixed((uint32_t)(((uint64_t)conf_number(o) << 16) /
		    CONF_HUGE), buf, len);
	else if (o->type == CONF_SHARE && conf_number(o) < 0)
		print_fmt(buf, len, "%lld%%", (long long)-conf_number(o));
	else
		print_fmt(buf, len, "%lld", (long long)conf_number(o));
}

/* Edit distance, for names up to CONF_NAME_MAX; one row at a time. */
static unsigned
conf_distance(const char *a, size_t alen, const char *b, size_t blen)
{
	unsigned row[CONF_NAME_MAX + 1];
	unsigned diag, next;
	size_t i, j;

	for (j = 0; j <= blen; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= alen; i++) {
		diag = row[0];
		row[0] = (unsigned)i;
		for (j = 1; j <= blen; j++) {
			next = diag + (a[i - 1] != b[j - 1]);
			diag = row[j];
			next = DSM_MIN(next, row[j] + 1);
			row[j] = DSM_MIN(next, row[j - 1] + 1);
		}
	}
	return (row[blen]);
}

const struct conf_option *
conf_nearest(struct conf_span name)
{
	const struct conf_option *best, *o;
	unsigned d, least;

	if (name.len > 4 && memcmp(name.s, "opt.", 4) == 0) {
		name.s += 4;
		name.len -= 4;
	}
	if (name.len > CONF_NAME_MAX)
		return (NULL);
	best = NULL;
	least = 1 + (unsigned)name.len / 3;
	for (o = conf_options; o < conf_options + conf_noptions; o++) {
		d = conf_distance(name.s, name.len, o->name, strlen(o->name));
		if (d <= least && (best == NULL || d < least)) {
			best = o;
			least = d;
		}
	}
	return (best);
}

bool
conf_is_foreign(struct conf_span name)
{
	const char *p;

	for (p = conf_foreign; (p = strchr(p, ' ')) != NULL; p++)
		if (strncmp(p + 1, name.s, name.len) == 0 &&
		    p[1 + name.len] == ' ')
			return (true);
	return (false);
}

static bool
conf_span_is(struct conf_span v, const char *s)
{

	return (strlen(s) == v.len && memcmp(s, v.s, v.len) == 0);
}

/* Decimal digits at the start of *v, which are taken off; false when none. */
static bool
conf_digits(struct conf_span *v, uint64_t *np)
{
	size_t i;

	*np = 0;
	for (i = 0; i < v->len && v->s[i] >= '0' && v->s[i] <= '9'; i++)
		if (__builtin_mul_overflow(*np, 10, np) ||
		    __builtin_add_overflow(*np, v->s[i] - '0', np))
			*np = UINT64_MAX;
	v->s += i;
	v->len -= i;
	return (i > 0);
}

/* K, M, G or T at the end of a size. */
static bool
conf_suffix(struct conf_span v, uint64_t *np)
{
	static const char letters[] = "KMGT";
	const char *p;
	unsigned shift;

	if (v.len == 0)
		return (true);
	if (v.len != 1 || v.s[0] == '\0')
		return (false);
	p = strchr(letters, v.s[0] >= 'a' ? v.s[0] - 'a' + 'A' : v.s[0]);
	if (p == NULL)
		return (false);
	shift = 10 * (unsigned)(p - letters + 1);
	*np = *np > UINT64_MAX >> shift ? UINT64_MAX : *np << shift;
	return (true);
}

/* What stands behind a number of type t; NULL, or why that cannot be. */
static const char *
conf_parse_unit(enum conf_type t, struct conf_span v, uint64_t *np)
{

	if (t == CONF_SHARE)
		return (conf_suffix(v, np) ? NULL :
		    "not a number with K, M, G, T or % behind it");
	if (t == CONF_SIZE)
		return (conf_suffix(v, np) ? NULL :
		    "not a number with K, M, G or T behind it");
	return (v.len == 0 ? NULL : "not a number");
}

/* The number that v is to option o; otherwise the reason why it is none. */
static const char *
conf_parse_number(const struct conf_option *o, struct conf_span v,
    int64_t *out)
{
	const char *why;
	uint64_t n;
	bool negative;

	if (o->type == CONF_SSIZE && conf_span_is(v, "never")) {
		*out = -1;
		return (NULL);
	}
	if (o->type == CONF_SSIZE && conf_span_is(v, "now")) {
		*out = 0;
		return (NULL);
	}
	negative = v.len > 0 && v.s[0] == '-';
	if (negative) {
		v.s++;
		v.len--;
	}
	if (!conf_digits(&v, &n))
		return ("not a number");
	if (o->type == CONF_SHARE && !negative && conf_span_is(v, "%")) {
		*out = -(int64_t)DSM_MIN(n, (uint64_t)CONF_SHARE_MAX);
		return (n == 0 || n > CONF_SHARE_MAX ?
		    "a share is from 1% to 1000%, a size" : NULL);
	}
	if ((why = conf_parse_unit(o->type, v, &n)) != NULL)
		return (why);
	if (n > INT64_MAX)
		return (negative ? "too small" : "too large");
	*out = negative ? -(int64_t)n : (int64_t)n;
	if (*out < o->min)
		return ("too small");
	if (*out > o->max)
		return ("too large");
	return (NULL);
}

/* What is behind the point of a decimal number, in 65536ths. */
static bool
conf_fraction(struct conf_span v, uint64_t *np)
{
	uint64_t n = 0, unit = 1;

	if (v.len != 0 && v.s[0] == '.') {
		v.s++;
		v.len--;
		if (v.len == 0)
			return (false);
	}
	for (; v.len != 0 && v.s[0] >= '0' && v.s[0] <= '9'; v.s++, v.len--)
		if (unit < 1000000000) {
			n = n * 10 + (uint64_t)(v.s[0] - '0');
			unit *= 10;
		}
	*np = (n << 16) / unit;
	return (v.len == 0);
}

/* A fixed number, from -1 on, or a part of 2 MiB. */
static const char *
conf_parse_fixed(const struct conf_option *o, struct conf_span v, void *field)
{
	uint64_t fraction, n;
	bool negative = v.len != 0 && v.s[0] == '-';

	v.s += negative;
	v.len -= negative;
	if (!conf_digits(&v, &n) || (v.len != 0 && v.s[0] != '.') ||
	    !conf_fraction(v, &fraction))
		return ("not a number");
	if (negative && (o->min != -1 || n != 1 || fraction != 0))
		return ("too small");
	if (n > (uint64_t)o->max || (n == (uint64_t)o->max && fraction != 0))
		return ("too large");
	n = n << 16 | fraction;
	if (o->type == CONF_FIXED)
		*(uint32_t *)field = negative ? UINT32_MAX : (uint32_t)n;
	else
		*(size_t *)field = DSM_MAX(n * CONF_HUGE >> 16,
		    (uint64_t)CONF_PAGE);
	return (NULL);
}

/* Keep a string for good. */
static const char *
conf_parse_string(const struct conf_option *o, struct conf_span v,
    const char **out)
{
	char *copy;

	if (v.len > (size_t)o->max ||
	    v.len >= sizeof(conf_strings) - conf_strings_used)
		return ("too long");
	copy = conf_strings + conf_strings_used;
	memcpy(copy, v.s, v.len);
	copy[v.len] = '\0';
	conf_strings_used += v.len + 1;
	*out = copy;
	return (NULL);
}

/* The number of a word; max + 1 where it is none of them. */
static unsigned
conf_parse_word(const struct conf_option *o, struct conf_span v)
{
	unsigned i;

	for (i = 0; i <= o->max; i++)
		if (conf_span_is(v, o->words[i]))
			break;
	return (i);
}

const char *
conf_set(const struct conf_option *o, struct conf_span v)
{
	char *field = (char *)&conf + o->offset;
	const char *why;
	struct limit l;
	unsigned word;
	int64_t n;

	if (o->type == CONF_ENUM) {
		if ((word = conf_parse_word(o, v)) > o->max)
			return ("not one of");
		*(unsigned *)(void *)field = word;
		return (NULL);
	}
	if (o->type == CONF_LIMIT &&
	    (why = limit_parse(v.s, v.len, &l)) != NULL)
		return (why);
	if (conf_is_string(o))
		return (conf_parse_string(o, v,
		    (const char **)(void *)field));
	if (o->type == CONF_BOOL) {
		if (!conf_span_is(v, "true") && !conf_span_is(v, "false"))
			return ("neither true nor false");
		*(bool *)(void *)field = v.len == sizeof("true") - 1;
		return (NULL);
	}
	if (o->type == CONF_FIXED || o->type == CONF_PART)
		return (conf_parse_fixed(o, v, field));
	if ((why = conf_parse_number(o, v, &n)) != NULL)
		return (why);
	if (o->type == CONF_UNSIGNED)
		*(unsigned *)(void *)field = (unsigned)n;
	else if (o->type == CONF_U64)
		*(uint64_t *)(void *)field = (uint64_t)n;
	else if (o->type == CONF_SIZE)
		*(size_t *)(void *)field = (size_t)n;
	else
		*(int64_t *)(void *)field = n;
	return (NULL);
}
