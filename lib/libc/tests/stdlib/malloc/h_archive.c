/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * Allocate, and name no other function of the library's.
 */
#include <stdlib.h>

int
main(void)
{

	free(malloc(1000));
	return (0);
}
