/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * conf: the table of options and its reader.
 *
 * Theory of operation.  conf_init() runs once, before there is a heap, in the
 * one thread that initialises.  It sets the defaults, then reads three
 * sources, of which a later one wins: the global malloc_conf, /etc/malloc.conf
 * and the environment variable MALLOC_CONF.  Each is one text
 * "name:value,...". Where nothing is configured, this costs one readlink(2)
 * and a walk through the environment.
 *
 * A mistake never goes by in silence: one line names the source, the option,
 * the value, the reason and the nearest name that exists.  The rest of the
 * text is still read.
 */

#include <errno.h>
#include <string.h>

#include "dsm_conf.h"
#include "dsm_limit.h"
#include "dsm_os.h"
#include "dsm_print.h"
#include "malloc_np.h"

#define	CONF_PATH	"/etc/malloc.conf"
#define	CONF_VARIABLE	"MALLOC_CONF"
#define	CONF_NAME_MAX	48		/* longest name that is looked at */
#define	CONF_NSOURCES	3

extern char **environ;

/* An application that defines its own replaces this one. */
DSM_EXPORT __attribute__((__weak__)) const char *malloc_conf = NULL;

/* Initialised, if only with a default, it is in the one page of data that
 * loading the library touches: the destructor that looks for stats_print in
 * every process then costs no page fault. */
struct conf conf = { .tcache = true };

/* The name stands apart from the member, which dsm_namespace.h may rename. */
#define	OPTION(name, n, t, lo, hi, def, help)				\
	{ name, CONF_##t, offsetof(struct conf, n), lo, hi, def, help }
#define	OPTION_BOOL(name, n, def, help)					\
	OPTION(name, n, BOOL, 0, 1, def, help)

/* The longest decay time; jemalloc's, in milliseconds. */
#define	CONF_DECAY_MAX	INT64_C(18446744072000)
/* As many automatic arenas as the table of arenas has room for. */
#define	CONF_ARENAS_MAX	1024

/* The longest text of a limit. */
#define	CONF_LIMIT_LENGTH 31

/* Sorted by name; manual: malloc.3, OPTIONS. */
const struct conf_option conf_options[] = {
	OPTION_BOOL("abort_conf", abort_conf, false,
	    "abort the program after a bad option"),
	OPTION_BOOL("confirm_conf", confirm_conf, false,
	    "say which options come from where"),
	OPTION("dirty_decay_ms", dirty_decay_ms, SSIZE, -1, CONF_DECAY_MAX,
	    10000, "milliseconds until unused memory goes back to the system"),
	OPTION("dirty_max", dirty_max, SIZE, 0, INT64_C(1) << 46, 64 << 20,
	    "unused bytes that may always wait until they decay"),
	OPTION("limit", limit, LIMIT, 0, CONF_LIMIT_LENGTH, 0,
	    "memory near which unused memory goes back at once"),
	OPTION("limit_hard", limit_hard, LIMIT, 0, CONF_LIMIT_LENGTH, 0,
	    "memory beyond which there is none"),
	OPTION("narenas", narenas, UNSIGNED, 0, CONF_ARENAS_MAX, 0,
	    "arenas that share the threads; 0 is one for each processor"),
	OPTION_BOOL("oom_report", oom_report, false,
	    "say where the memory is when there is no more"),
	OPTION_BOOL("retain", retain, true,
	    "keep address space whose memory has gone back"),
	OPTION_BOOL("stats_print", stats_print, false,
	    "print statistics at exit"),
	OPTION("stats_print_opts", stats_print_opts, STRING, 0, 31, 0,
	    "what malloc_stats_print() is told at exit"),
	OPTION_BOOL("tcache", tcache, true,
	    "let each thread cache what it frees"),
	OPTION_BOOL("xmalloc", xmalloc, false,
	    "abort the program when out of memory"),
};
const unsigned conf_noptions = NITEMS(conf_options);

/*
 * Names that jemalloc knows, or knew, and this version does not: to tell
 * those who bring them along that it is not a typing mistake.
 */
static const char conf_foreign[] =
    " abort background_thread bin_shards cache_oblivious"
    " calloc_madvise_threshold"
    " debug_double_free_max_scan decay_time disable_large_size_classes dss"
    " experimental_hpa_enforce_hugify experimental_hpa_max_purge_nhp"
    " experimental_hpa_start_huge_if_thp_always"
    " experimental_infallible_new experimental_tcache_gc hpa"
    " hpa_dirty_mult hpa_hugification_threshold"
    " hpa_hugification_threshold_ratio hpa_hugify_delay_ms"
    " hpa_hugify_style hpa_hugify_sync hpa_min_purge_delay_ms"
    " hpa_min_purge_interval_ms hpa_purge_threshold"
    " hpa_purge_threshold_ratio hpa_sec_batch_fill_extra"
    " hpa_sec_bytes_after_flush hpa_sec_max_alloc hpa_sec_max_bytes"
    " hpa_sec_nshards hpa_slab_max_alloc huge_arena_pac_thp junk lg_chunk"
    " lg_dirty_mult lg_extent_max_active_fit lg_prof_interval"
    " lg_prof_sample lg_san_uaf_align lg_tcache_flush_large_div"
    " lg_tcache_flush_small_div lg_tcache_max lg_tcache_nslots_mul log"
    " max_background_threads metadata_thp mutex_max_spin muzzy_decay_ms"
    " narenas_ratio oversize_threshold percpu_arena"
    " process_madvise_max_batch prof prof_accum prof_active prof_bt_max"
    " prof_final prof_gdump prof_leak prof_leak_error prof_log"
    " prof_pid_namespace prof_prefix prof_recent_alloc_max prof_stats"
    " prof_sys_thread_name prof_thread_active_init prof_time_resolution"
    " prof_unbias purge quarantine redzone san_guard_large"
    " san_guard_small slab_sizes stats_interval stats_interval_opts"
    " tcache_gc_delay_bytes tcache_gc_incr_bytes tcache_max"
    " tcache_ncached_max tcache_nslots_large tcache_nslots_small_max"
    " tcache_nslots_small_min thp trust_madvise utrace zero zero_realloc ";

/* One text with options. */
struct conf_source {
	const char	*what;		/* for messages */
	const char	*text;		/* not terminated */
	size_t		 len;
};

/* A piece of a source. */
struct conf_span {
	const char	*s;
	size_t		 len;
};

/* /etc/malloc.conf stays here, since messages point into it. */
static char	conf_file[4096];
/* The strings that options point to. */
static char	conf_strings[256];
static size_t	conf_strings_used;

static void
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
			*(unsigned *)(void *)field = (unsigned)o->def;
			break;
		case CONF_SSIZE:
			*(int64_t *)(void *)field = o->def;
			break;
		case CONF_SIZE:
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
		return (*(const unsigned *)(const void *)field);
	case CONF_SSIZE:
		return (*(const int64_t *)(const void *)field);
	case CONF_SIZE:
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

void
conf_format(const struct conf_option *o, char *buf, size_t len)
{

	if (o->type == CONF_BOOL)
		print_fmt(buf, len, "%s", conf_number(o) ? "true" : "false");
	else if (conf_is_string(o))
		print_fmt(buf, len, "%s", conf_string(o));
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

/* The option whose name is nearest; NULL when none is near. */
static const struct conf_option *
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

/* Is this one of jemalloc's names? */
static bool
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

/* The number that v is to option o; otherwise the reason why it is none. */
static const char *
conf_parse_number(const struct conf_option *o, struct conf_span v,
    int64_t *out)
{
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
	if (o->type == CONF_SIZE ? !conf_suffix(v, &n) : v.len != 0)
		return (o->type == CONF_SIZE ?
		    "not a number with K, M, G or T behind it" :
		    "not a number");
	if (n > INT64_MAX)
		return (negative ? "too small" : "too large");
	*out = negative ? -(int64_t)n : (int64_t)n;
	if (*out < o->min)
		return ("too small");
	if (*out > o->max)
		return ("too large");
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

/* Set option o to what v says; NULL, or the reason why it cannot be. */
static const char *
conf_set(const struct conf_option *o, struct conf_span v)
{
	char *field = (char *)&conf + o->offset;
	const char *why;
	struct limit l;
	int64_t n;

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
	if ((why = conf_parse_number(o, v, &n)) != NULL)
		return (why);
	if (o->type == CONF_UNSIGNED)
		*(unsigned *)(void *)field = (unsigned)n;
	else if (o->type == CONF_SIZE)
		*(size_t *)(void *)field = (size_t)n;
	else
		*(int64_t *)(void *)field = n;
	return (NULL);
}

/* Next piece of *text that ends at a comma, without blanks around it. */
static bool
conf_next(struct conf_span *text, struct conf_span *pair)
{
	const char *comma;

	while (text->len > 0) {
		comma = memchr(text->s, ',', text->len);
		pair->s = text->s;
		pair->len = comma == NULL ? text->len :
		    (size_t)(comma - text->s);
		text->s += pair->len + (comma != NULL);
		text->len -= pair->len + (comma != NULL);
		while (pair->len > 0 && strchr(" \t\r", pair->s[0]) != NULL) {
			pair->s++;
			pair->len--;
		}
		while (pair->len > 0 &&
		    strchr(" \t\r", pair->s[pair->len - 1]) != NULL)
			pair->len--;
		if (pair->len > 0)
			return (true);
	}
	return (false);
}

/* Split "name:value"; false when there is no colon, and all is the name. */
static bool
conf_split(struct conf_span pair, struct conf_span *name,
    struct conf_span *value)
{
	const char *colon;

	*name = pair;
	if ((colon = memchr(pair.s, ':', pair.len)) == NULL)
		return (false);
	name->len = (size_t)(colon - pair.s);
	value->s = colon + 1;
	value->len = pair.len - name->len - 1;
	return (true);
}

/* A print precision: messages quote at most this much of a text. */
#define	CONF_QUOTE(v)	(int)DSM_MIN((v).len, (size_t)200), (v).s

static void
conf_complain(const struct conf_source *src, struct conf_span pair)
{
	const struct conf_option *near;
	struct conf_span name, value;
	size_t i;

	if (!conf_split(pair, &name, &value)) {
		/* What stands before the wrong separator may be a name. */
		for (i = 0; i < name.len; i++)
			if (name.s[i] == '=' || name.s[i] == ' ')
				name.len = i;
		near = conf_nearest(name);
		print_warn("%s: \"%.*s\": not of the form name:value%s%s%s: "
		    "ignored", src->what, CONF_QUOTE(pair),
		    near == NULL ? "" : " (did you mean \"",
		    near == NULL ? "" : near->name,
		    near == NULL ? "" : ":...\"?)");
		return;
	}
	if (conf_is_foreign(name)) {
		print_warn("%s: \"%.*s\": option of jemalloc, not supported "
		    "by this version: ignored", src->what, CONF_QUOTE(pair));
		return;
	}
	near = conf_nearest(name);
	print_warn("%s: \"%.*s\": no such option%s%s%s: ignored", src->what,
	    CONF_QUOTE(pair), near == NULL ? "" : " (did you mean \"",
	    near == NULL ? "" : near->name, near == NULL ? "" : "\"?)");
}

/* A value that is none; o is the option. */
static void
conf_complain_value(const struct conf_source *src, struct conf_span pair,
    const struct conf_option *o, const char *why)
{

	if (o->type == CONF_BOOL || o->type == CONF_LIMIT)
		print_warn("%s: \"%.*s\": bad value: %s: ignored", src->what,
		    CONF_QUOTE(pair), why);
	else if (o->type == CONF_STRING)
		print_warn("%s: \"%.*s\": bad value: %s, at most %lld "
		    "characters: ignored", src->what, CONF_QUOTE(pair), why,
		    (long long)o->max);
	else
		print_warn("%s: \"%.*s\": bad value: %s, from %lld to %lld: "
		    "ignored", src->what, CONF_QUOTE(pair), why,
		    (long long)o->min, (long long)o->max);
}

/* Put one source into force. */
static void
conf_apply(const struct conf_source *src)
{
	struct conf_span name, pair, text, value;
	const struct conf_option *o;
	const char *why;
	bool bad;

	bad = false;
	text.s = src->text;
	text.len = src->len;
	while (conf_next(&text, &pair)) {
		o = NULL;
		if (conf_split(pair, &name, &value))
			o = conf_find(name.s, name.len);
		if (o == NULL)
			conf_complain(src, pair);
		else if ((why = conf_set(o, value)) != NULL)
			conf_complain_value(src, pair, o, why);
		else
			continue;
		bad = true;
	}
	if (bad && conf.abort_conf)
		print_fatal("%s: bad options, and abort_conf is set",
		    src->what);
}

/*
 * With confirm_conf: every source, every option that is there, and what came
 * of it in the end.  This comes last, since the option may itself stand in
 * the last source.
 */
static void
conf_confirm(const struct conf_source *src, unsigned n)
{
	struct conf_span name, pair, text, value;
	const struct conf_option *o;
	char buf[64];

	for (; n > 0; n--, src++) {
		text.s = src->text;
		text.len = src->len;
		print_warn("%s: \"%.*s\"", src->what, CONF_QUOTE(text));
		while (conf_next(&text, &pair)) {
			if (!conf_split(pair, &name, &value) ||
			    (o = conf_find(name.s, name.len)) == NULL)
				continue;
			conf_format(o, buf, sizeof(buf));
			print_warn("%s: option %s: given as \"%.*s\", in "
			    "force: \"%s\"", src->what, o->name,
			    CONF_QUOTE(value), buf);
		}
	}
}

/* In a file, newlines separate too, and '#' starts a comment. */
static void
conf_uncomment(char *s, size_t len)
{
	size_t i;
	bool comment;

	comment = false;
	for (i = 0; i < len; i++) {
		if (s[i] == '\n') {
			comment = false;
			s[i] = ',';
		} else if (s[i] == '#' || comment) {
			comment = true;
			s[i] = ' ';
		}
	}
}

/*
 * The text of /etc/malloc.conf: the target of a symbolic link, as jemalloc
 * has it, or the contents of a file, which is easier to write.  Where there
 * is neither, one system call is all that is spent on finding out: the link
 * is tried first, and EINVAL alone says that something else is there.
 */
static bool
conf_read_file(struct conf_source *src)
{
	long n;

	src->what = CONF_PATH;
	n = os_readlink(CONF_PATH, conf_file, sizeof(conf_file));
	if (n == -EINVAL) {
		n = os_readfile(CONF_PATH, conf_file, sizeof(conf_file));
		if (n > 0)
			conf_uncomment(conf_file, (size_t)n);
	}
	if (n <= 0)
		return (false);
	if ((size_t)n == sizeof(conf_file))
		print_warn("%s: only the first %zu bytes are read", CONF_PATH,
		    sizeof(conf_file));
	src->text = conf_file;
	src->len = (size_t)n;
	return (true);
}

/*
 * MALLOC_CONF.  Not by getenv(), which programs replace, and which locks on
 * some systems.  A set-user-ID program does not listen to its caller.
 */
static bool
conf_read_environment(struct conf_source *src)
{
	static const char prefix[] = CONF_VARIABLE "=";
	char **e;

	src->what = CONF_VARIABLE;
	if (environ == NULL || os_secure())
		return (false);
	for (e = environ; *e != NULL; e++)
		if (strncmp(*e, prefix, sizeof(prefix) - 1) == 0) {
			src->text = *e + sizeof(prefix) - 1;
			src->len = strlen(src->text);
			return (src->len > 0);
		}
	return (false);
}

static bool
conf_read_global(struct conf_source *src)
{

	src->what = "malloc_conf";
	src->text = malloc_conf;
	if (src->text == NULL)
		return (false);
	src->len = strlen(src->text);
	return (src->len > 0);
}

void
conf_init(void)
{
	struct conf_source src[CONF_NSOURCES];
	unsigned i, n;

	conf_reset(&conf);
	n = 0;
	n += conf_read_global(&src[n]);
	n += conf_read_file(&src[n]);
	n += conf_read_environment(&src[n]);
	for (i = 0; i < n; i++)
		conf_apply(&src[i]);
	if (conf.confirm_conf)
		conf_confirm(src, n);
}
