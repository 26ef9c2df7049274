/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * conf: the reader of options.
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
#include "dsm_os.h"
#include "dsm_print.h"
#include "malloc_np.h"

#define	CONF_PATH	"/etc/malloc.conf"
#define	CONF_VARIABLE	"MALLOC_CONF"
#define	CONF_NSOURCES	3

extern char **environ;

/* An application that defines its own replaces this one. */
DSM_EXPORT __attribute__((__weak__)) const char *malloc_conf = NULL;

/* One text with options. */
struct conf_source {
	const char	*what;		/* for messages */
	const char	*text;		/* not terminated */
	size_t		 len;
};

/* /etc/malloc.conf stays here, since messages point into it. */
static char	conf_file[4096];

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

/* An enum's words, with commas between them. */
static void
conf_words(const struct conf_option *o, char *buf, size_t len)
{
	size_t at = 0;
	unsigned i;

	buf[0] = '\0';
	for (i = 0; i <= o->max && at < len; i++) {
		print_fmt(buf + at, len - at, "%s%s", i == 0 ? "" : ", ",
		    o->words[i]);
		at += strlen(buf + at);
	}
}

/* A value that is none; o is the option. */
static void
conf_complain_value(const struct conf_source *src, struct conf_span pair,
    const struct conf_option *o, const char *why)
{
	char words[64];

	if (o->type == CONF_ENUM) {
		conf_words(o, words, sizeof(words));
		print_warn("%s: \"%.*s\": bad value: %s %s: ignored",
		    src->what, CONF_QUOTE(pair), why, words);
	} else if (o->type == CONF_BOOL || o->type == CONF_LIMIT)
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
