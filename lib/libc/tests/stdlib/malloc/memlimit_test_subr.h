/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of the limits on what a process holds share.
 */

#ifndef _MEMLIMIT_TEST_SUBR_H_
#define	_MEMLIMIT_TEST_SUBR_H_

#include <errno.h>

#include "mallctl_test_subr.h"

#define	MIB(n)		((size_t)(n) << 20)
/* What the records for a mebibyte, and those that count late, may add. */
#define	SLACK		MIB(1)

/* Blocks of a size until there are no more, all of them written to. */
static inline size_t
fill(unsigned char **p, size_t max, size_t size)
{
	size_t n;

	for (n = 0; n < max; n++) {
		errno = 0;
		p[n] = malloc(size);
		if (p[n] == NULL)
			break;
		memset(p[n], (int)n, size);
		/* In the limit at all times. */
		if (n % 64 == 0 || size > 10000)
			ATF_REQUIRE_MSG(get("limit.held") <=
			    get("limit.hard") + SLACK, "%zu of %zu held",
			    get("limit.held"), get("limit.hard"));
	}
	ATF_REQUIRE_MSG(n < max, "no end");
	ATF_CHECK_EQ(ENOMEM, errno);
	return (n);
}

static inline void
drop(unsigned char **p, size_t n, size_t size)
{
	size_t i;

	for (i = 0; i < n; i++) {
		ATF_REQUIRE_EQ(size, all_bytes(p[i], size, (unsigned char)i));
		free(p[i]);
	}
}

#endif /* !_MEMLIMIT_TEST_SUBR_H_ */
