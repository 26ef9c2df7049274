/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files that stand for the system's about control groups.
 */

#ifndef _CGROUP_TEST_SUBR_H_
#define	_CGROUP_TEST_SUBR_H_

#include <sys/stat.h>

#include <errno.h>

#include "dsm_cgroup.h"
#include "unit_test_subr.h"

/* Write a file below the working directory, which stands for the root. */
static inline void
put(const char *path, const char *text)
{
	char name[2048], *p;
	FILE *f;

	(void)snprintf(name, sizeof(name), "tree%s", path);
	for (p = strchr(name, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		ATF_REQUIRE(mkdir(name, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
	f = fopen(name, "w");
	ATF_REQUIRE(f != NULL);
	ATF_REQUIRE(fputs(text, f) >= 0);
	ATF_REQUIRE(fclose(f) == 0);
}

static inline void
begin(const char *self, const char *mounts)
{

	ATF_REQUIRE(system("rm -rf tree") == 0);
	cgroup_prefix = "tree";
	put("/proc/self/cgroup", self);
	put("/proc/self/mountinfo", mounts);
}

#endif /* !_CGROUP_TEST_SUBR_H_ */
