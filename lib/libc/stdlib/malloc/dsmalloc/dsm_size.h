/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * size: the size classes.  Class 0 is "none of ours": large, foreign, NULL.
 * Small classes are 1 to SIZE_NCLASSES - 1: 8, then 16 to 128 in steps of
 * 16, then four to a doubling up to 32 KiB, as jemalloc's clients assume.
 *
 * To add a class, a multiple of 16, put it into SIZE_CLASSES here and into
 * size_table in dsm_size.c: its row takes a part of the next row's range, and
 * those behind it count on by three.  Assertions watch what else depends on
 * the classes, and everything else is computed.
 */
#ifndef _DSM_SIZE_H_
#define	_DSM_SIZE_H_

#include "dsm_defs.h"

/* Inline cache slots: what a thread holds of a class before its first growth,
 * 16 of the small ones down to 2 of the large, so that the whole cache fits
 * two pages. */
#define	SIZE_INLINE(s)	((s) <= 256 ? 16 : (s) <= 1024 ? 8 :		\
			    (s) <= 4096 ? 4 : 2)

/* X(size): all small classes, ascending. */
#define	SIZE_CLASSES(X)							\
	X(8) X(16) X(32) X(48) X(64) X(80) X(96) X(112) X(128)		\
	X(160) X(192) X(224) X(256) X(320) X(384) X(448) X(512)		\
	X(640) X(768) X(896) X(1024) X(1280) X(1536) X(1792) X(2048)	\
	X(2560) X(3072) X(3584) X(4096) X(5120) X(6144) X(7168) X(8192)	\
	X(10240) X(12288) X(14336) X(16384) X(20480) X(24576) X(28672)	\
	X(32768)

#define	SIZE_COUNT_(s)	+ 1
#define	SIZE_NCLASSES	(1 SIZE_CLASSES(SIZE_COUNT_))	/* with class 0 */
#define	SIZE_SMALL_MAX	32768u
/* The largest size of anything, 64 TiB: half of the address space that a
 * process has where addresses have 48 bits, so that a block and its alignment
 * together are no more than that. */
#define	SIZE_LARGE_BITS	46
#define	SIZE_LARGE_MAX	((size_t)1 << SIZE_LARGE_BITS)

_Static_assert(SIZE_NCLASSES == 42, "41 small classes and class 0");

struct size_info {
	uint32_t	size;		/* bytes of a slot; 0 for class 0 */
	uint32_t	inv;		/* ceil(2^32 / size): offset -> slot */
	uint16_t	inl;		/* inline cache slots */
};

DSM_HIDDEN const struct size_info	size_info[SIZE_NCLASSES];
/* (size - 1) >> 3 -> three times the class: times 8 it is the offset of the
 * class's 24-byte entry in a cache, one address computation. */
DSM_HIDDEN const uint8_t		size_table[SIZE_SMALL_MAX / 8];

/*
 * What a sized free takes a block's class from, reading no metadata: size_table
 * until memory comes into being that is not to be cached by its class, then a
 * table of zeroes, class 0, for good.  So to ask costs it nothing.
 */
DSM_HIDDEN const uint8_t *size_sized;	/* atomic */
void	 size_distrust(void);
static inline bool
size_trusted(void)
{

	return (load_rlx(&size_sized) == size_table);
}

static inline unsigned
size_class(size_t size)
{

	return (size_table[(size - 1) >> 3] / 3);
}

#endif /* !_DSM_SIZE_H_ */
