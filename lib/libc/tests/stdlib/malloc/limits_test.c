/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Processes that may have little: address space, memory of their own, locked
 * memory, mappings.
 */

#define	_GNU_SOURCE

#include <sys/mman.h>
#include <sys/param.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "mallctl_test_subr.h"

#define	LITTLE	((size_t)64 << 20)

/* Run fn in a child; it is to end with 0, or 77 where it cannot be tested. */
static void
in_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	pid = fork_child(100);
	if (pid == 0)
		_exit(fn());
	status = wait_for(pid, 100);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		atf_tc_skip("cannot be had here");
	ATF_CHECK_MSG(status == 0, "status %#x", status);
}

/* In a child: the program fills a process that may have 64 MiB. */
static const char	*srcdir;

static int
fill(int resource, const char *atleast)
{
	struct rlimit rl;
	char path[1024];

	rl.rlim_cur = rl.rlim_max = LITTLE;
	if (setrlimit(resource, &rl) != 0)
		return (77);
	(void)snprintf(path, sizeof(path), "%s/h_full", srcdir);
	(void)execl(path, path, atleast, (char *)NULL);
	return (127);
}

static int
small_space(void)
{

	/* The program itself, its libraries and two stacks take 25. */
	return (fill(RLIMIT_AS, "32"));
}

/*
 * In this and what follows, with 66,000 KiB as the library of Debian sid takes
 * more, jemalloc 5.3.1 and gperftools 2.18.1 leave no room for a thread's stack
 * once all is free again, mimalloc 3.6.0 and 2.0.9 do not get 32 MiB, and
 * rpmalloc 2.0.1 gets nothing.  With glibc 2.43 no library can be loaded into
 * what private memory it has left.
 */
ATF_TC(address_space);
ATF_TC_HEAD(address_space, tc)
{

	atf_tc_set_md_var(tc, "descr", "64 MiB of address space, most of it "
	    "usable for any size, time and again");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(address_space, tc)
{

	srcdir = atf_tc_get_config_var(tc, "srcdir");
	in_child(small_space);
}

/* Counts what a process could write to, as overcommit_memory=2 does. */
static int
small_data(void)
{

	return (fill(RLIMIT_DATA, "32"));
}

ATF_TC(private_memory);
ATF_TC_HEAD(private_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "64 MiB of private memory, promised or "
	    "in use, most of it usable for any size");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(private_memory, tc)
{

	srcdir = atf_tc_get_config_var(tc, "srcdir");
	in_child(small_data);
}

static int
locked(void)
{
	static unsigned char *p[2000];
	long after, before, used;
	size_t i;
	unsigned int round;

	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		return (77);
	before = proc_number("/proc/self/status", "VmRSS:");
	used = 0;
	for (i = 0; i < nitems(p); i++) {
		p[i] = malloc(i * 10);
		if (p[i] == NULL)
			return (1);
		used += (long)i * 10;
	}
	after = proc_number("/proc/self/status", "VmRSS:");
	used >>= 10;
	printf("%ld KiB for %ld\n", after - before, used);
	fflush(stdout);
	/* What is mapped is resident at once: no stock of address space. */
	if (after - before > used * 2 + (8 << 10))
		return (2);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < nitems(p); i++)
			free(p[i]);
		/* Locked memory cannot be discarded, but reads as zero. */
		if (mallctl("arena.4096.purge", NULL, NULL, NULL, 0) != 0)
			return (3);
		for (i = 0; i < nitems(p); i++) {
			p[i] = calloc(1, i * 50 + 1);
			if (p[i] == NULL || all_bytes(p[i], i * 50 + 1, 0) !=
			    i * 50 + 1)
				return (4);
			memset(p[i], 0x5a, i * 50 + 1);
		}
	}
	return (0);
}

ATF_TC(locked_memory);
ATF_TC_HEAD(locked_memory, tc)
{

	atf_tc_set_md_var(tc, "descr", "mlockall: memory grows by need, and "
	    "calloc gives zeros");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(locked_memory, tc)
{

	in_child(locked);
}

/* Leave the process only so many mappings of those that it may have. */
static bool
leave_mappings(long left)
{
	char *p;
	long i, max, n, page;

	max = proc_number("/proc/sys/vm/max_map_count", NULL);
	page = getpagesize();
	if (max < left || max > 200000)
		return (false);
	n = max - left;
	p = mmap(NULL, (size_t)(n * page), PROT_NONE,
	    MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return (false);
	/* Every other page of its own kind: n mappings. */
	for (i = 1; i < n; i += 2)
		if (mprotect(p + i * page, (size_t)page, PROT_READ) != 0)
			return (false);
	return (true);
}

static long
count_mappings(void)
{
	FILE *f;
	long n;
	int c;

	f = fopen("/proc/self/maps", "r");
	if (f == NULL)
		return (-1);
	for (n = 0; (c = getc(f)) != EOF;)
		n += c == '\n';
	(void)fclose(f);
	return (n);
}

static int
few_mappings(void)
{
	static unsigned char *p[8000];
	size_t i, size;
	unsigned int round;
	long n;

	if (!leave_mappings(1000))
		return (77);
	n = count_mappings();
	for (round = 0; round < 5; round++) {
		for (i = 0; i < nitems(p); i++) {
			if (p[i] != NULL)
				continue;
			size = i % 97 == 0 ? 100000 + i * 10 :
			    33000 + (i * 37 + round) % 9000;
			p[i] = malloc(size + 1);
			if (p[i] == NULL) {
				printf("round %u, block %zu: no memory\n",
				    round, i);
				fflush(stdout);
				return (1);
			}
			*p[i] = (unsigned char)i;
		}
		for (i = 0; i < nitems(p); i++) {
			if (*p[i] != (unsigned char)i)
				return (2);
			/* Holes everywhere, other ones each time. */
			if ((i / (round + 1)) % 2 == 0) {
				free(p[i]);
				p[i] = NULL;
			} else if (i % 97 == 0) {
				p[i] = realloc(p[i], 3000000);
				if (p[i] == NULL)
					return (3);
			}
		}
		if (mallctl("arena.4096.purge", NULL, NULL, NULL, 0) != 0)
			return (4);
		/* 4,000 holes. */
		if (count_mappings() > n + 200)
			return (5);
	}
	return (0);
}

/* tools/vm --check has the like for any malloc: glibc 2.43 fails there. */
ATF_TC(mappings);
ATF_TC_HEAD(mappings, tc)
{

	atf_tc_set_md_var(tc, "descr", "1,000 mappings: holes that are purged "
	    "do not cost one each");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(mappings, tc)
{

	in_child(few_mappings);
}

/*
 * A server with half a GiB, of which a part is always on the move, some of it
 * idle for long enough to be purged: huge pages are marked, broken up and made
 * again, and each mark may divide a mapping.
 */
static int
serve(void)
{
	static unsigned char *p[6000];
	static size_t size[nitems(p)];
	size_t i, phase, seed = 1;
	long before, n;

	before = count_mappings();
	for (phase = 0; phase < 40; phase++) {
		for (i = 0; i < nitems(p); i++) {
			seed = seed * 6364136223846793005u +
			    1442695040888963407u;
			/* Other halves go and come, other sizes each time. */
			if ((seed >> 40) % 3 == 0)
				continue;
			free(p[i]);
			p[i] = NULL;
			if ((seed >> 50) % 4 == phase % 4)
				continue;
			size[i] = 100 + (seed >> 33) % (i % 8 == 0 ? 800000 :
			    40000);
			p[i] = malloc(size[i]);
			if (p[i] == NULL)
				return (1);
			memset(p[i], (int)i, size[i] / 8 + 1);
		}
		if (phase % 3 == 0 && mallctl("arena.4096.purge", NULL, NULL,
		    NULL, 0) != 0)
			return (2);
		n = count_mappings();
		if (n - before > 800) {
			printf("phase %zu: %ld mappings\n", phase, n);
			fflush(stdout);
			return (3);
		}
	}
	for (i = 0; i < nitems(p); i++)
		if (p[i] != NULL && *p[i] != (unsigned char)i)
			return (4);
	return (0);
}

ATF_TC(server_mappings);
ATF_TC_HEAD(server_mappings, tc)
{

	atf_tc_set_md_var(tc, "descr", "A long run with huge pages marked "
	    "keeps under 1,000 mappings");
	atf_tc_set_md_var(tc, "timeout", "200");
}
ATF_TC_BODY(server_mappings, tc)
{

	in_child(serve);
}

/* Objects of a size until that many MiB are in use, and what records they
 * need; then none, and what records are left. */
static void
records(size_t size, size_t mib, double most)
{
	size_t active, before, n;
	void **list, **p;

	before = get("stats.metadata");
	list = NULL;
	for (n = 0; n < (mib << 20) / size; n++) {
		p = malloc(size);
		ATF_REQUIRE(p != NULL);
		*p = list;
		list = p;
	}
	active = get("stats.active");
	n = get("stats.metadata");
	printf("size %zu: %zu of %zu, %.2f%%\n", size, n, active,
	    100.0 * (double)n / (double)active);
	ATF_CHECK_MSG((double)n <= (double)active * most / 100,
	    "%zu bytes of records for %zu", n, active);
	while ((p = list) != NULL) {
		list = *p;
		free(p);
	}
	purge();
	ATF_CHECK_MSG(get("stats.metadata") <= before + (256 << 10) + n / 200,
	    "%zu bytes of records for nothing, %zu before",
	    get("stats.metadata"), before);
}

ATF_TC(records);
ATF_TC_HEAD(records, tc)
{

	atf_tc_set_md_var(tc, "descr", "Records take 1.5% of the memory at 64 "
	    "bytes, and go back with it");
}
ATF_TC_BODY(records, tc)
{

	long mib = atf_tc_get_config_var_as_long_wd(tc, "records_mib", 0);

	records(64, mib > 0 ? (size_t)mib : 256, 1.5);
	records(8, mib > 0 ? (size_t)mib : 128, 3.8);
	/* And again, in what is left of that. */
	records(64, mib > 0 ? (size_t)mib : 256, 1.5);
}

static int
no_mappings(void)
{
	static unsigned char *p[20000];
	size_t i, n;
	unsigned int round;

	/* One is used up by the page that divides them. */
	if (!leave_mappings(60))
		return (77);
	/* Each of these is a mapping of its own, until there is no other. */
	while (mmap(NULL, (size_t)getpagesize(), PROT_READ,
	    MAP_SHARED | MAP_ANON, -1, 0) != MAP_FAILED)
		;
	for (round = 0; round < 3; round++) {
		for (n = 0; n < nitems(p); n++) {
			errno = 0;
			p[n] = malloc(n % 50 == 0 ? 200000 : n % 3000 + 1);
			if (p[n] == NULL && errno != ENOMEM)
				return (1);
			if (p[n] != NULL)
				*p[n] = (unsigned char)n;
		}
		for (n = 0; n < nitems(p); n += 3)
			if (p[n] != NULL) {
				unsigned char *q = realloc(p[n], 300000);

				if (q == NULL && errno != ENOMEM)
					return (2);
				if (q != NULL)
					p[n] = q;
			}
		for (i = 0; i < nitems(p); i++) {
			if (p[i] != NULL && *p[i] != (unsigned char)i)
				return (3);
			free(p[i]);
		}
		(void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
	}
	return (0);
}

ATF_TC(no_mapping_left);
ATF_TC_HEAD(no_mapping_left, tc)
{

	atf_tc_set_md_var(tc, "descr", "No mapping left: ENOMEM, and nothing "
	    "damaged");
	atf_tc_set_md_var(tc, "timeout", "120");
}
ATF_TC_BODY(no_mapping_left, tc)
{

	in_child(no_mappings);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, address_space);
	ATF_TP_ADD_TC(tp, private_memory);
	ATF_TP_ADD_TC(tp, locked_memory);
	ATF_TP_ADD_TC(tp, mappings);
	ATF_TP_ADD_TC(tp, server_mappings);
	ATF_TP_ADD_TC(tp, records);
	ATF_TP_ADD_TC(tp, no_mapping_left);

	return (atf_no_error());
}
