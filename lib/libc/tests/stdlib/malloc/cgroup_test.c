/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * cgroup: what a control group allows, from trees of files like the system's.
 */

#include "cgroup_test_subr.h"

static void
expect(unsigned int cpus, size_t memory)
{
	struct cgroup cg;

	cgroup_read(&cg);
	ATF_CHECK_EQ_MSG(cpus, cg.cpus, "%u processors, not %u", cg.cpus,
	    cpus);
	ATF_CHECK_EQ_MSG(memory, cg.memory, "%zu bytes, not %zu", cg.memory,
	    memory);
}

#define	NONE	UINT32_MAX, SIZE_MAX

/* What else is mounted; one line is longer than a buffer may be. */
static const char *
others(void)
{
	static char text[8192];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text),
	    "22 1 8:1 / / rw - ext4 /dev/a rw\n"
	    "23 22 0:21 / / rw,relatime shared:1 - overlay overlay rw,dirs=");
	while (n < 5000)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "/var/lib/layers/%zu:", n);
	(void)snprintf(text + n, sizeof(text) - n,
	    "\n24 22 0:22 / /proc rw - proc proc rw\n");
	return (text);
}

ATF_TC(unified);
ATF_TC_HEAD(unified, tc)
{

	atf_tc_set_md_var(tc, "descr", "Version 2: the least of the group's "
	    "limits and those above it");
}
ATF_TC_BODY(unified, tc)
{
	char mounts[16384];

	(void)snprintf(mounts, sizeof(mounts), "%s"
	    "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
	    others());
	begin("0::/a.slice/b.scope\n", mounts);
	expect(NONE);
	put("/sys/fs/cgroup/a.slice/b.scope/cpu.max", "max 100000\n");
	put("/sys/fs/cgroup/a.slice/b.scope/memory.max", "max\n");
	put("/sys/fs/cgroup/a.slice/b.scope/memory.high", "max\n");
	expect(NONE);
	put("/sys/fs/cgroup/a.slice/b.scope/cpu.max", "350000 100000\n");
	put("/sys/fs/cgroup/a.slice/b.scope/memory.max", "1073741824\n");
	expect(4, (size_t)1 << 30);
	put("/sys/fs/cgroup/a.slice/b.scope/memory.high", "536870912\n");
	expect(4, (size_t)1 << 29);
	put("/sys/fs/cgroup/a.slice/cpu.max", "200000 100000\n");
	put("/sys/fs/cgroup/a.slice/memory.max", "100000000\n");
	expect(2, 100000000);
	/* The top's too, and less than one processor is one. */
	put("/sys/fs/cgroup/cpu.max", "1000 100000\n");
	put("/sys/fs/cgroup/memory.max", "4096\n");
	expect(1, 4096);
	/* A group of a similar name is another. */
	begin("0::/a\n", mounts);
	put("/sys/fs/cgroup/a.slice/memory.max", "1\n");
	put("/sys/fs/cgroup/ab/memory.max", "2\n");
	expect(NONE);
	put("/sys/fs/cgroup/a/memory.max", "3\n");
	expect(UINT32_MAX, 3);
	/* Changed while it runs. */
	put("/proc/self/cgroup", "0::/ab\n");
	expect(UINT32_MAX, 2);
}

ATF_TC(version_1);
ATF_TC_HEAD(version_1, tc)
{

	atf_tc_set_md_var(tc, "descr", "Version 1: a hierarchy for each "
	    "controller, and one of version 2 beside them");
}
ATF_TC_BODY(version_1, tc)
{
	char mounts[16384];

	(void)snprintf(mounts, sizeof(mounts), "%s"
	    "30 23 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
	    "rw,cpu,cpuacct\n"
	    "31 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup "
	    "rw,cpuset\n"
	    "32 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup "
	    "rw,memory\n"
	    "33 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
	    others());
	begin("9:cpuset:/cs\n4:memory:/m/n\n3:cpuacct,cpu:/c\n"
	    "1:name=systemd:/s\n0::/u\n", mounts);
	expect(NONE);
	put("/sys/fs/cgroup/unified/u/cpu.max", "100000 100000\n");
	put("/sys/fs/cgroup/unified/u/memory.max", "1\n");
	put("/sys/fs/cgroup/cpuset/cs/cpu.cfs_quota_us", "1\n");
	put("/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "-1\n");
	put("/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "50000\n");
	put("/sys/fs/cgroup/memory/m/n/memory.limit_in_bytes",
	    "9223372036854771712\n");
	expect(UINT32_MAX, 9223372036854771712u);
	put("/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "150000\n");
	put("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "7340032\n");
	expect(3, 7340032);
	/* Not mounted, those of version 2 count. */
	begin("4:memory:/m\n0::/u\n", "33 23 0:29 / /cg rw - cgroup2 c rw\n");
	put("/cg/u/cpu.max", "800000 100000\n");
	put("/cg/u/memory.max", "8192\n");
	expect(8, 8192);
}

ATF_TC(container);
ATF_TC_HEAD(container, tc)
{

	atf_tc_set_md_var(tc, "descr", "A container that sees its own group "
	    "at the top, by its name outside or by none");
}
ATF_TC_BODY(container, tc)
{

	/* Without a name space of its own: the mount's root says it. */
	begin("3:cpu:/docker/0123\n2:memory:/docker/0123/sub\n",
	    "30 23 0:26 /docker/0123 /sys/fs/cgroup/cpu ro - cgroup c rw,cpu\n"
	    "31 23 0:27 /docker/0123 /sys/fs/cgroup/memory ro shared:2 "
	    "master:1 - cgroup c rw,memory\n");
	put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000");
	put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000");
	expect(3, 2000000);
	put("/sys/fs/cgroup/memory/sub/memory.limit_in_bytes", "1000000");
	expect(3, 1000000);
	/* Outside of what is mounted: the top of that. */
	begin("0::/../other\n", "30 23 0:26 /mine /cg ro - cgroup2 c rw\n");
	put("/cg/cpu.max", "100000 100000");
	expect(1, SIZE_MAX);
}

ATF_TC(garbage);
ATF_TC_HEAD(garbage, tc)
{

	atf_tc_set_md_var(tc, "descr", "Files that say nothing, or nonsense, "
	    "limit nothing");
}
ATF_TC_BODY(garbage, tc)
{
	static const char *const texts[] = {
		"", "\n", "x", "100000", "0 0", "100000 0\n", "-5 100000\n",
		"99999999999999999999999 100000\n", "100000\n100000"
	};
	static char path[2000];
	char self[4096];
	size_t i;

	cgroup_prefix = "no/such/place";
	expect(NONE);
	for (i = 0; i < 4; i++) {
		begin(texts[i], texts[i]);
		expect(NONE);
	}
	begin(":::\n::\n0::\n0:\n", "1 2 3\n - cgroup2\n1 2 3 4 5 - cgroup\n"
	    "30 23 0:26 / /cg rw - cgroup2 c rw\n");
	expect(NONE);
	for (i = 0; i < nitems(texts); i++) {
		begin("0::/g\n", "30 23 0:26 / /cg rw - cgroup2 c rw\n");
		put("/cg/g/cpu.max", texts[i]);
		expect(NONE);
	}
	/* A name that is too long is not cut and taken for another. */
	memset(path, 'a', sizeof(path) - 1);
	(void)snprintf(self, sizeof(self), "0::/%s\n", path);
	begin(self, "30 23 0:26 / /cg rw - cgroup2 c rw\n");
	put("/cg/cpu.max", "100000 100000\n");
	expect(NONE);
}

ATF_TP_ADD_TCS(tp)
{

	ATF_TP_ADD_TC(tp, unified);
	ATF_TP_ADD_TC(tp, version_1);
	ATF_TP_ADD_TC(tp, container);
	ATF_TP_ADD_TC(tp, garbage);

	return (atf_no_error());
}
