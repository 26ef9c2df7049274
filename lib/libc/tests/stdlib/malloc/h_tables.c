/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * Print the tables of options and keys, in the form in which
 * manpage_test.sh finds them in the pages.
 */
#include <stdio.h>
#include <string.h>

#include "dsm_conf.h"
#include "dsm_ctl.h"

static void
print_option(const struct conf_option *o)
{
	const char *suffix = "";
	int64_t n = o->def;

	if ((o->type == CONF_SIZE || o->type == CONF_SHARE) && n != 0 &&
	    n % (1 << 20) == 0) {
		n >>= 20;
		suffix = "M";
	}
	if (o->type == CONF_STRING || o->type == CONF_LIMIT)
		printf("%s\n", o->name);
	else if (o->type == CONF_ENUM)
		printf("%s %s\n", o->name, o->words[n]);
	else if (o->type == CONF_FIXED)
		printf("%s %.3g\n", o->name, (double)n / 65536);
	else if (o->type == CONF_PART)
		printf("%s %.3g\n", o->name, (double)n / (2 << 20));
	else if (o->type == CONF_BOOL)
		printf("%s %s\n", o->name, n != 0 ? "true" : "false");
	else
		printf("%s %jd%s\n", o->name, (intmax_t)n, suffix);
}

static void
print_key(const struct ctl_key *k)
{
	static const char *const types[] = {
		[CTL_BOOL] = "bool",
		[CTL_UNSIGNED] = "unsigned",
		[CTL_U32] = "uint32_t",
		[CTL_U64] = "uint64_t",
		[CTL_SIZE] = "size_t",
		[CTL_SSIZE] = "ssize_t",
		[CTL_STRING] = "\"const char *\"",
		[CTL_BUFFER] = "\"char *\"",
		[CTL_HOOKS] = "\"extent_hooks_t *\"",
		[CTL_EPOCH] = "uint64_t",
		[CTL_CREATE] = "unsigned",
		[CTL_NOTIFY] = "\"void (*)(size_t, size_t)\"",
	};

	if (k->type == CTL_VOID)
		printf("%s\n", k->name);
	else
		printf("%s %s %s%s\n", k->name, types[k->type],
		    k->get != NULL ? "r" : "", k->set != NULL ? "w" : "");
}

int
main(int argc, char **argv)
{
	struct ctl_key k;
	unsigned i;
	char buf[CTL_NAME_MAX];

	if (argc == 2 && strcmp(argv[1], "options") == 0) {
		for (i = 0; i < conf_noptions; i++)
			print_option(&conf_options[i]);
		return (0);
	}
	if (argc == 2 && strcmp(argv[1], "keys") == 0) {
		for (i = 0; i < ctl_count(); i++) {
			k = ctl_key(i, buf);
			print_key(&k);
		}
		return (0);
	}
	fprintf(stderr, "usage: h_tables options | keys\n");
	return (1);
}
