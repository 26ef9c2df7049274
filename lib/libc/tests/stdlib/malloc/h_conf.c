/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Print values by mallctl: h_conf type:name ...; type is bool, unsigned,
 * ssize_t, size_t, uint64_t or string.  Allocates a little first.
 */

#include <sys/types.h>

#include <errno.h>
#include <malloc_np.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char *argv[])
{
	union {
		bool		 b;
		unsigned int	 u;
		ssize_t		 ss;
		size_t		 s;
		uint64_t	 u64;
		const char	*str;
	} v;
	const char *name;
	size_t len, n;
	int error, i;

	free(malloc(1000));
	for (i = 1; i < argc; i++) {
		name = strchr(argv[i], ':');
		if (name == NULL)
			return (2);
		n = (size_t)(name++ - argv[i]);
#define	IS(type)	(strlen(type) == n && strncmp(argv[i], type, n) == 0)
		len = IS("bool") ? sizeof(v.b) : IS("unsigned") ? sizeof(v.u) :
		    IS("uint64_t") ? sizeof(v.u64) :
		    IS("string") ? sizeof(v.str) : sizeof(v.s);
		error = mallctl(name, &v, &len, NULL, 0);
		if (error != 0) {
			fprintf(stderr, "%s: %s\n", name, strerror(error));
			return (1);
		}
		if (IS("bool"))
			printf("%s=%s\n", name, v.b ? "true" : "false");
		else if (IS("unsigned"))
			printf("%s=%u\n", name, v.u);
		else if (IS("ssize_t"))
			printf("%s=%zd\n", name, v.ss);
		else if (IS("size_t"))
			printf("%s=%zu\n", name, v.s);
		else if (IS("uint64_t"))
			printf("%s=%ju\n", name, (uintmax_t)v.u64);
		else
			printf("%s=%s\n", name, v.str);
	}
	return (0);
}
