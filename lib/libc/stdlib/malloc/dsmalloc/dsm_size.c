/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_size.h"

#define	SIZE_ROW(s)	{ (s), (uint32_t)((1ull << 32) / (s)) +		\
			    ((1ull << 32) % (s) != 0), SIZE_INLINE(s) },

const struct size_info size_info[SIZE_NCLASSES] = {
	{ 0, 0, 0 },
	SIZE_CLASSES(SIZE_ROW)
};

/* One row per class: the requests that it serves, in steps of eight. */
const uint8_t size_table[SIZE_SMALL_MAX / 8] = {
	[0 ... 0] = 3,
	[1 ... 1] = 6,
	[2 ... 3] = 9,
	[4 ... 5] = 12,
	[6 ... 7] = 15,
	[8 ... 9] = 18,
	[10 ... 11] = 21,
	[12 ... 13] = 24,
	[14 ... 15] = 27,
	[16 ... 19] = 30,
	[20 ... 23] = 33,
	[24 ... 27] = 36,
	[28 ... 31] = 39,
	[32 ... 39] = 42,
	[40 ... 47] = 45,
	[48 ... 55] = 48,
	[56 ... 63] = 51,
	[64 ... 79] = 54,
	[80 ... 95] = 57,
	[96 ... 111] = 60,
	[112 ... 127] = 63,
	[128 ... 159] = 66,
	[160 ... 191] = 69,
	[192 ... 223] = 72,
	[224 ... 255] = 75,
	[256 ... 319] = 78,
	[320 ... 383] = 81,
	[384 ... 447] = 84,
	[448 ... 511] = 87,
	[512 ... 639] = 90,
	[640 ... 767] = 93,
	[768 ... 895] = 96,
	[896 ... 1023] = 99,
	[1024 ... 1279] = 102,
	[1280 ... 1535] = 105,
	[1536 ... 1791] = 108,
	[1792 ... 2047] = 111,
	[2048 ... 2559] = 114,
	[2560 ... 3071] = 117,
	[3072 ... 3583] = 120,
	[3584 ... 4095] = 123,
};

const uint8_t *size_sized = size_table;
static uint8_t	size_zeroes[SIZE_SMALL_MAX / 8];

void
size_distrust(void)
{

	store_rlx(&size_sized, size_zeroes);
}

/* The widest entry, three times the last class, must fit a byte. */
_Static_assert((SIZE_NCLASSES - 1) * 3 <= UINT8_MAX, "size_table's bytes");
