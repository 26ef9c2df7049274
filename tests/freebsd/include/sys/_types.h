/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/* gcc's <stddef.h> includes it for FreeBSD; nothing of it is used. */
