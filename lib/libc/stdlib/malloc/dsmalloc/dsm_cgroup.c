/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include <string.h>

#include "dsm_cgroup.h"
#include "dsm_os.h"
#include "dsm_print.h"

/* A group's directory: Kubernetes' take 200 bytes. */
#define	CGROUP_PATH	512
/* Longer lines of mountinfo than this are those of stacked file systems. */
#define	CGROUP_LINE	1024

/* Hierarchies: a controller's own, or all that there are. */
enum cgroup_kind { CGROUP_CPU, CGROUP_MEMORY, CGROUP_UNIFIED, CGROUP_NKINDS };

/* The process's group in a hierarchy. */
struct cgroup_dir {
	size_t		len;		/* 0: not found */
	size_t		top;		/* as much of path is the mount */
	char		path[CGROUP_PATH];
};

/* A part of a line. */
struct cgroup_word {
	const char	*s;
	size_t		 len;
};

const char		*cgroup_prefix = "";
/* Who asks does so alone. */
static struct cgroup_dir cgroup_dirs[CGROUP_NKINDS];
static char		 cgroup_buf[CGROUP_LINE];

static bool
word_is(struct cgroup_word w, const char *s)
{

	return (w.len == strlen(s) && memcmp(w.s, s, w.len) == 0);
}

/* Take what stands before a separator off the front of *rest. */
static struct cgroup_word
word_next(struct cgroup_word *rest, char separator)
{
	struct cgroup_word w = *rest;
	const char *p = memchr(rest->s, separator, rest->len);

	if (p != NULL)
		w.len = (size_t)(p - rest->s);
	rest->s += w.len + (p != NULL);
	rest->len -= w.len + (p != NULL);
	return (w);
}

/* Is this one of the words between commas? */
static bool
word_among(struct cgroup_word list, const char *s)
{

	while (list.len > 0)
		if (word_is(word_next(&list, ','), s))
			return (true);
	return (false);
}

/* The hierarchy of these controllers; the unified one has no names. */
static enum cgroup_kind
cgroup_kind(struct cgroup_word controllers)
{

	if (word_among(controllers, "cpu"))
		return (CGROUP_CPU);
	if (word_among(controllers, "memory"))
		return (CGROUP_MEMORY);
	return (controllers.len == 0 ? CGROUP_UNIFIED : CGROUP_NKINDS);
}

/* "4:cpu,cpuacct:/path" */
static void
cgroup_parse_self(struct cgroup_word line)
{
	struct cgroup_dir *d;
	enum cgroup_kind kind;

	(void)word_next(&line, ':');
	kind = cgroup_kind(word_next(&line, ':'));
	if (kind == CGROUP_NKINDS || line.len == 0 || line.len >= CGROUP_PATH)
		return;
	d = &cgroup_dirs[kind];
	memcpy(d->path, line.s, line.len);
	d->len = line.len;
}

/* The hierarchy is mounted at a point, from the group root on. */
static void
cgroup_mounted(struct cgroup_dir *d, struct cgroup_word root,
    struct cgroup_word point)
{
	size_t skip = word_is(root, "/") ? 0 : root.len, rest;

	/* What is not below the root is not to be seen: take the top. */
	if (d->len < skip || memcmp(d->path, root.s, skip) != 0)
		skip = d->len;
	rest = d->len - skip;
	if (point.len + rest >= CGROUP_PATH) {
		d->len = 0;
		return;
	}
	memmove(d->path + point.len, d->path + skip, rest);
	memcpy(d->path, point.s, point.len);
	d->top = point.len;
	d->len = point.len + rest;
	if (d->path[d->len - 1] == '/')
		d->len--;
}

/* "36 35 0:31 /root /point rw,... [tags] - cgroup source rw,cpu" */
static void
cgroup_parse_mount(struct cgroup_word line)
{
	struct cgroup_word point, root, type, w;
	enum cgroup_kind kind;
	unsigned i;

	for (i = 0; i < 3; i++)
		(void)word_next(&line, ' ');
	root = word_next(&line, ' ');
	point = word_next(&line, ' ');
	do {
		w = word_next(&line, ' ');
	} while (line.len > 0 && !word_is(w, "-"));
	type = word_next(&line, ' ');
	(void)word_next(&line, ' ');
	if (word_is(type, "cgroup") && line.len != 0)
		kind = cgroup_kind(line);
	else if (word_is(type, "cgroup2"))
		kind = CGROUP_UNIFIED;
	else
		return;
	if (kind < CGROUP_NKINDS && cgroup_dirs[kind].len != 0 &&
	    cgroup_dirs[kind].top == 0 && point.len != 0)
		cgroup_mounted(&cgroup_dirs[kind], root, point);
}

static long
cgroup_file(const char *path, uint64_t off, char *buf, size_t len)
{
	char name[CGROUP_PATH + 64];

	print_fmt(name, sizeof(name), "%s%s", cgroup_prefix, path);
	return (os_readat(name, off, buf, len));
}

/* Each line of a file, but those that are too long. */
static void
cgroup_lines(const char *path, void (*parse)(struct cgroup_word))
{
	struct cgroup_word line, rest;
	bool partial = false;
	uint64_t off = 0;
	long n;

	while ((n = cgroup_file(path, off, cgroup_buf,
	    sizeof(cgroup_buf))) > 0) {
		rest.s = cgroup_buf;
		rest.len = (size_t)n;
		while (memchr(rest.s, '\n', rest.len) != NULL) {
			line = word_next(&rest, '\n');
			if (!partial)
				parse(line);
			partial = false;
		}
		/* What is left is read again with what follows it, unless it
		 * is all that there was. */
		if (rest.len == (size_t)n)
			partial = true;
		else
			n -= (long)rest.len;
		off += (uint64_t)n;
	}
}

/* A number; SIZE_MAX for "max", for what is below zero, and for none. */
static size_t
cgroup_number(const char **sp)
{
	const char *s = *sp;
	size_t n = 0;

	while (*s == ' ')
		s++;
	if (*s < '0' || *s > '9')
		n = SIZE_MAX;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (size_t)(*s - '0'), &n))
			n = SIZE_MAX;
	while (*s > ' ')
		s++;
	*sp = s;
	return (n);
}

/* The first two numbers of a group's file. */
static size_t
cgroup_limit(const struct cgroup_dir *d, size_t len, const char *file,
    size_t *second)
{
	char buf[64], path[CGROUP_PATH + 32];
	const char *s = buf;
	size_t first;
	long n;

	print_fmt(path, sizeof(path), "%.*s/%s", (int)len, d->path, file);
	n = cgroup_file(path, 0, buf, sizeof(buf) - 1);
	buf[DSM_MAX(n, 0)] = '\0';
	first = cgroup_number(&s);
	if (second != NULL)
		*second = cgroup_number(&s);
	return (first);
}

static void
cgroup_level_cpus(const struct cgroup_dir *d, size_t len, struct cgroup *out)
{
	size_t cpus, period, quota;

	if (d == &cgroup_dirs[CGROUP_CPU]) {
		quota = cgroup_limit(d, len, "cpu.cfs_quota_us", NULL);
		period = cgroup_limit(d, len, "cpu.cfs_period_us", NULL);
	} else
		quota = cgroup_limit(d, len, "cpu.max", &period);
	if (quota == SIZE_MAX || period == SIZE_MAX || period == 0)
		return;
	cpus = quota / period + (quota % period != 0);
	out->cpus = (unsigned)DSM_MIN(DSM_MAX(cpus, 1), out->cpus);
}

static void
cgroup_level_memory(const struct cgroup_dir *d, size_t len,
    struct cgroup *out)
{
	size_t high, max;

	if (d == &cgroup_dirs[CGROUP_MEMORY])
		high = max = cgroup_limit(d, len, "memory.limit_in_bytes",
		    NULL);
	else {
		max = cgroup_limit(d, len, "memory.max", NULL);
		high = cgroup_limit(d, len, "memory.high", NULL);
	}
	out->memory = DSM_MIN(out->memory, DSM_MIN(high, max));
}

/* A controller's own hierarchy, or else the unified one, from the group up. */
static void
cgroup_levels(enum cgroup_kind kind, struct cgroup *out,
    void (*level)(const struct cgroup_dir *, size_t, struct cgroup *))
{
	const struct cgroup_dir *d = &cgroup_dirs[kind];
	size_t len;

	if (d->top == 0)
		d = &cgroup_dirs[CGROUP_UNIFIED];
	if (d->top == 0)
		return;
	for (len = d->len; len >= d->top && len > 0; len--)
		if (len == d->len || d->path[len] == '/')
			level(d, len, out);
}

void
cgroup_read(struct cgroup *out)
{

	out->memory = SIZE_MAX;
	out->cpus = UINT32_MAX;
	memset(cgroup_dirs, 0, sizeof(cgroup_dirs));
	cgroup_lines("/proc/self/cgroup", cgroup_parse_self);
	cgroup_lines("/proc/self/mountinfo", cgroup_parse_mount);
	cgroup_levels(CGROUP_CPU, out, cgroup_level_cpus);
	cgroup_levels(CGROUP_MEMORY, out, cgroup_level_memory);
}
