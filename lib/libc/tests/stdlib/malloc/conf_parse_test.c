/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * conf: the reader of options, by what it makes of a text and what it says.
 */

#include "dsm_conf.h"
#include "dsm_print.h"
#include "malloc_np.h"
#include "unit_test_subr.h"

extern char **environ;

static char	said[16384];
static unsigned int lines;

static void
hear(void *arg, const char *s)
{

	(void)arg;
	(void)snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s",
	    s);
	lines++;
}

/* Read the options from this text in MALLOC_CONF. */
static void
read_env(const char *text)
{
	static char var[16384];
	static char *env[] = { NULL, NULL, NULL };
	static char other[] = "MALLOC_CONFUSED=xmalloc:true";

	(void)snprintf(var, sizeof(var), "MALLOC_CONF=%s",
	    text == NULL ? "" : text);
	env[0] = other;
	env[1] = text == NULL ? NULL : var;
	environ = env;
	malloc_message = hear;
	said[0] = '\0';
	lines = 0;
	conf_init();
}

static int64_t
number(const char *name)
{
	const struct conf_option *o;

	o = conf_find(name, strlen(name));
	ATF_REQUIRE(o != NULL);
	return (conf_number(o));
}

ATF_TC(good);
ATF_TC_HEAD(good, tc)
{

	atf_tc_set_md_var(tc, "descr", "Good texts take effect in silence");
}
ATF_TC_BODY(good, tc)
{
	static const struct {
		const char *text;
		const char *name;
		int64_t	 value;
	} good[] = {
		{ "narenas:7", "narenas", 7 },
		{ "narenas:1,narenas:3", "narenas", 3 },
		{ " , narenas:5\t,,xmalloc:true , ", "narenas", 5 },
		{ "narenas:2,xmalloc:true", "xmalloc", 1 },
		{ "tcache:false", "tcache", 0 },
		{ "tcache:false,tcache:true", "tcache", 1 },
		{ "dirty_decay_ms:-1", "dirty_decay_ms", -1 },
		{ "dirty_decay_ms:never", "dirty_decay_ms", -1 },
		{ "dirty_decay_ms:now", "dirty_decay_ms", 0 },
		{ "dirty_decay_ms:18446744072000", "dirty_decay_ms",
		    18446744072000 },
		{ "dirty_max:0", "dirty_max", 0 },
		{ "dirty_max:12345", "dirty_max", 12345 },
		{ "dirty_max:3K", "dirty_max", 3 << 10 },
		{ "dirty_max:3k", "dirty_max", 3 << 10 },
		{ "dirty_max:5M", "dirty_max", 5 << 20 },
		{ "dirty_max:2G", "dirty_max", (int64_t)2 << 30 },
		{ "dirty_max:64T", "dirty_max", (int64_t)64 << 40 },
		{ "dirty_max:00012", "dirty_max", 12 },
		{ "hpa_dirty_mult:0.75", "hpa_dirty_mult", 3 << 14 },
		{ "hpa_dirty_mult:-1", "hpa_dirty_mult", UINT32_MAX },
		{ "hpa_dirty_mult:2", "hpa_dirty_mult", 2 << 16 },
		{ "hpa_dirty_mult:3.00000000000000000001", "hpa_dirty_mult",
		    3 << 16 },
		{ "hpa_purge_threshold_ratio:0.5", "hpa_purge_threshold",
		    1 << 20 },
		{ "hpa_purge_threshold:64K,hpa_purge_threshold_ratio:1",
		    "hpa_purge_threshold", 2 << 20 },
		{ "hpa_purge_threshold_ratio:0", "hpa_purge_threshold", 4096 },
		{ "hpa_hugify_style:eager", "hpa_hugify_style",
		    CONF_HUGIFY_EAGER },
		{ "hpa_sec_nshards:9", "hpa_sec_nshards", 9 },
		{ "experimental_hpa_max_purge_nhp:-1",
		    "experimental_hpa_max_purge_nhp", -1 },
		{ "dirty_max:1%", "dirty_max", -1 },
		{ "dirty_max:1000%", "dirty_max", -1000 },
		{ "dirty_max:1000%,dirty_max:7", "dirty_max", 7 },
	};
	unsigned int i;

	for (i = 0; i < nitems(good); i++) {
		read_env(good[i].text);
		ATF_CHECK_STREQ("", said);
		ATF_CHECK_EQ_MSG(good[i].value, number(good[i].name),
		    "%s: %jd", good[i].text, (intmax_t)number(good[i].name));
	}
	read_env("limit:cgroup:85%,limit_hard:3G");
	ATF_CHECK_STREQ("", said);
	ATF_CHECK_STREQ("cgroup:85%", conf.limit);
	ATF_CHECK_STREQ("3G", conf.limit_hard);
	read_env("thp:never,thp:always");
	ATF_CHECK_STREQ("", said);
	ATF_CHECK_EQ(CONF_THP_ALWAYS, conf.thp);
	read_env("stats_print_opts:gmabl");
	ATF_CHECK_STREQ("gmabl", conf.stats_print_opts);
}

ATF_TC(defaults);
ATF_TC_HEAD(defaults, tc)
{

	atf_tc_set_md_var(tc, "descr", "Every option is found by its name, has "
	    "a default in its range, a help text, and its place in order");
}
ATF_TC_BODY(defaults, tc)
{
	const struct conf_option *o;
	char buf[64];
	unsigned int i;

	read_env(NULL);
	ATF_CHECK_STREQ("", said);
	for (i = 0; i < conf_noptions; i++) {
		o = &conf_options[i];
		ATF_CHECK(i == 0 || strcmp(o[-1].name, o->name) < 0);
		ATF_CHECK_EQ(o, conf_find(o->name, strlen(o->name)));
		ATF_CHECK_EQ(NULL, conf_find(o->name, strlen(o->name) - 1));
		ATF_CHECK(o->help != NULL && strlen(o->help) > 5);
		ATF_CHECK(o->type == CONF_PART ||
		    (o->min <= o->def && o->def <= o->max));
		ATF_CHECK(conf_is_default(o));
		conf_format(o, buf, sizeof(buf));
		if (conf_is_string(o))
			ATF_CHECK_STREQ("", buf);
		else if (o->type == CONF_ENUM)
			ATF_CHECK_STREQ(o->words[o->def], buf);
		else if (o->type == CONF_BOOL)
			ATF_CHECK_STREQ(o->def ? "true" : "false", buf);
		else if (o->type == CONF_PART)
			ATF_CHECK_EQ(o->def, (int64_t)(strtod(buf, NULL) *
			    (2 << 20)));
		else if (o->type == CONF_FIXED)
			ATF_CHECK_EQ(o->def, (int64_t)(strtod(buf, NULL) *
			    65536));
		else
			ATF_CHECK_EQ(o->def, strtoll(buf, NULL, 10));
	}
}

/* One line, with these words in this order; then the rest took effect. */
static void
complains(const char *text, const char *word1, const char *word2)
{
	char conf_text[1024], *p;

	(void)snprintf(conf_text, sizeof(conf_text),
	    "dirty_decay_ms:77,%s,narenas:9", text);
	read_env(conf_text);
	p = strstr(said, "MALLOC_CONF: ");
	ATF_CHECK_MSG(p != NULL, "no source: %s", said);
	if (p != NULL)
		p = strstr(p, text);
	ATF_CHECK_MSG(p != NULL, "the text is not quoted: %s", said);
	if (p != NULL)
		p = strstr(p + strlen(text), word1);
	ATF_CHECK_MSG(p != NULL && strstr(p, word2) != NULL,
	    "\"%s\" ... \"%s\" not in: %s", word1, word2, said);
	ATF_CHECK_EQ_MSG(1, lines, "%u lines: %s", lines, said);
	ATF_CHECK(said[0] != '\0' && said[strlen(said) - 1] == '\n');
	ATF_CHECK_EQ(77, conf.dirty_decay_ms);
	ATF_CHECK_EQ(9, conf.narenas);
}

ATF_TC(bad_values);
ATF_TC_HEAD(bad_values, tc)
{

	atf_tc_set_md_var(tc, "descr", "Of every option, each kind of bad "
	    "value is named with its source and with what would do");
}
ATF_TC_BODY(bad_values, tc)
{
	static const char *const nonsense[] = { "", "x", "1x", "0x10", " 1",
	    "-", "--1", "1.5", "1KB", "TRUE", "yes", "1e3" };
	const struct conf_option *o;
	char range[64], text[256];
	unsigned int i, j;

	for (i = 0; i < conf_noptions; i++) {
		o = &conf_options[i];
		(void)snprintf(range, sizeof(range), "from %jd to %jd",
		    (intmax_t)o->min, (intmax_t)o->max);
		for (j = 0; o->type != CONF_STRING && j < nitems(nonsense);
		    j++) {
			(void)snprintf(text, sizeof(text), "%s:%s", o->name,
			    nonsense[j]);
			if (o->type == CONF_ENUM)
				complains(text, "not one of",
				    o->words[o->max]);
			else if (o->type == CONF_BOOL)
				complains(text, "neither true nor false", "");
			else if (o->type == CONF_LIMIT)
				complains(text, "512M", "cgroup:85%");
			else if ((o->type == CONF_FIXED ||
			    o->type == CONF_PART) &&
			    strcmp(nonsense[j], "1.5") == 0)
				continue;
			else
				complains(text, "not a number", range);
		}
		if (o->type == CONF_STRING) {
			(void)snprintf(text, sizeof(text), "%s:%0*d", o->name,
			    (int)o->max + 1, 1);
			(void)snprintf(range, sizeof(range), "at most %jd",
			    (intmax_t)o->max);
			complains(text, "too long", range);
		}
		if (conf_is_string(o) || o->type == CONF_BOOL ||
		    o->type == CONF_ENUM)
			continue;
		(void)snprintf(text, sizeof(text), "%s:%jd", o->name,
		    (intmax_t)o->min - 1);
		complains(text, "too small", range);
		(void)snprintf(text, sizeof(text), "%s:%jd", o->name,
		    (intmax_t)o->max + 1);
		complains(text, "too large", range);
		(void)snprintf(text, sizeof(text), "%s:%s", o->name,
		    "99999999999999999999999999");
		complains(text, "too large", range);
		(void)snprintf(text, sizeof(text), "%s:-%s", o->name,
		    "99999999999999999999999999");
		complains(text, "too small", range);
	}
	complains("dirty_max:99999999999T", "too large", "");
	complains("dirty_max:1P", "K, M, G, T or %", "");
	complains("dirty_max:5%%", "K, M, G, T or %", "");
	complains("dirty_max:-5%", "K, M, G, T or %", "");
	complains("dirty_max:K%", "not a number", "");
	complains("dirty_max:0%", "a share is from 1% to 1000%", "a size, "
	    "from 0 to 70368744177664: ignored");
	complains("dirty_max:1001%", "a share is from 1% to 1000%", "");
	complains("dirty_max:99999999999999999999999%", "a share is", "");
	complains("limit:65T", "more than 64T", "");
	complains("limit:85%", "512M", "physical:50%");
	complains("limit_hard:cgroup:0%", "from 1% to 100%", "");
	complains("thp:neve", "not one of", "auto, always, never, default");
	complains("thp:defaults", "not one of", "default: ignored");
	ATF_CHECK_EQ(CONF_THP_AUTO, conf.thp);
}

ATF_TC(bad_names);
ATF_TC_HEAD(bad_names, tc)
{

	atf_tc_set_md_var(tc, "descr", "A wrong name is told from one of "
	    "jemalloc's, and the nearest that exists is offered");
}
ATF_TC_BODY(bad_names, tc)
{

	complains("narena:1", "no such option", "did you mean \"narenas\"");
	complains("opt.narenas:1", "no such option",
	    "did you mean \"narenas\"");
	complains("dirty_decayms:1", "no such option", "\"dirty_decay_ms\"");
	complains("zzzzzzzz:1", "no such option", "");
	ATF_CHECK(strstr(said, "did you mean") == NULL);
	complains("narenas=1", "name:value", "did you mean \"narenas:");
	complains("narenas 1", "name:value", "did you mean \"narenas:");
	complains("zzzzzzzz", "name:value", "");
	ATF_CHECK(strstr(said, "did you mean") == NULL);
	complains("lg_tcache_max:15", "jemalloc", "not supported");
	complains("zero_realloc:free", "jemalloc", "not supported");
	complains("zero_reallo:free", "no such option", "");
	complains(":1", "no such option", "");
}

/* As read_env(), but speaking to standard error. */
static void
fatal(void *arg)
{
	static char *env[2];

	env[0] = arg;
	environ = env;
	malloc_message = NULL;
	conf_init();
}

ATF_TC(aborts);
ATF_TC_HEAD(aborts, tc)
{

	atf_tc_set_md_var(tc, "descr", "With abort_conf a mistake is fatal, "
	    "after all have been named");
}
ATF_TC_BODY(aborts, tc)
{
	static char text[] = "MALLOC_CONF=tcach:1,abort_conf:true,narenas:x";

	expect_death(fatal, text, "tcach:1", "narenas:x");
	expect_death(fatal, text, "narenas:x", "abort_conf is set");
}

ATF_TC(confirms);
ATF_TC_HEAD(confirms, tc)
{

	atf_tc_set_md_var(tc, "descr", "confirm_conf tells of every option "
	    "where it is from and what came of it, the last source winning");
}
ATF_TC_BODY(confirms, tc)
{

	malloc_conf = "narenas:4,dirty_max:8K,confirm_conf:true";
	read_env("narenas:2");
	ATF_CHECK_EQ(2, conf.narenas);
	ATF_CHECK_EQ(8192, conf.dirty_max);
	ATF_CHECK(strstr(said, "malloc_conf: \"narenas:4,dirty_max:8K,"
	    "confirm_conf:true\"\n") != NULL);
	ATF_CHECK(strstr(said, "malloc_conf: option narenas: given as \"4\", "
	    "in force: \"2\"\n") != NULL);
	ATF_CHECK(strstr(said, "malloc_conf: option dirty_max: given as "
	    "\"8K\", in force: \"8192\"\n") != NULL);
	ATF_CHECK(strstr(said, "MALLOC_CONF: option narenas: given as \"2\", "
	    "in force: \"2\"\n") != NULL);
	malloc_conf = NULL;
	read_env("narenas:2");
	ATF_CHECK_STREQ("", said);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, good);
	ATF_TP_ADD_TC(tp, defaults);
	ATF_TP_ADD_TC(tp, bad_values);
	ATF_TP_ADD_TC(tp, bad_names);
	ATF_TP_ADD_TC(tp, aborts);
	ATF_TP_ADD_TC(tp, confirms);

	return (atf_no_error());
}
