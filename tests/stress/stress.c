/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Random operations of many threads over every entry point of malloc.
 *
 * Every block carries a pattern made from the seed and the block's own
 * number, over its whole usable size, so a block that overlaps another, is
 * handed out twice, or loses its contents in realloc is found when it is
 * looked at next, at the latest when it is freed.  Blocks stand in slots that
 * all threads share, and go from thread to thread in bundles, so that a good
 * part of them is freed by another thread than the one that allocated it.
 * Threads end and are replaced all the time, and their blocks outlive them.
 *
 * It uses what the process has: functions that the C library may lack are
 * looked up by name and left out when absent, so that the same program runs
 * linked with an allocator, under LD_PRELOAD, and on the system's own.
 *
 *	stress [-Lln] [-A MiB] [-F ms] [-I permille] [-m MiB] [-s seed]
 *	    [-t threads] [-T seconds]
 *
 *	-A	bound of address space beyond what there is at the start
 *	-F	fork every so many milliseconds; the child allocates, too
 *	-I	so many of a thousand of malloc's system calls for memory fail
 *	-L	lock all memory
 *	-l	leave large blocks out
 *	-m	bound of live memory
 *	-n	allocations may fail
 */

#define	_GNU_SOURCE

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include "inject.h"
#endif

#define	MAXTHREADS	1024
#define	SLOTS		16384		/* shared slots in all */
#define	BUNDLE		512		/* blocks handed over at once */
#define	BUNDLES		64		/* bundles on their way */

enum kind {
	K_MALLOC, K_CALLOC, K_REALLOC, K_REALLOCARRAY, K_REALLOCF,
	K_POSIX_MEMALIGN, K_ALIGNED_ALLOC, K_MEMALIGN, K_VALLOC, K_PVALLOC,
	K_NEW, K_NEWARRAY, K_NEWNOTHROW, K_NEWALIGNED, K_NKINDS
};

static const char *const kindname[] = {
	"malloc", "calloc", "realloc", "reallocarray", "reallocf",
	"posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc",
	"new", "new[]", "new(nothrow)", "new(align_val_t)"
};

struct block {
	unsigned char	*b_ptr;
	size_t		 b_size;	/* requested */
	size_t		 b_fill;	/* bytes that carry the pattern */
	size_t		 b_align;	/* asked for, or 0 */
	uint64_t	 b_id;
	enum kind	 b_kind;
};

struct slot {
	atomic_flag	s_busy;
	struct block	s_block;
};

struct bundle {
	int		u_n;
	struct block	u_block[BUNDLE];
};

struct worker {
	pthread_t	 w_thread;
	uint64_t	 w_rng;
	uint64_t	 w_ops;		/* of all its lives */
	unsigned int	 w_index;
	atomic_int	 w_state;	/* 0 none, 1 runs, 2 to be joined */
	struct bundle	 w_out;
};

/* What the process may have. */
static void	*(*p_reallocarray)(void *, size_t, size_t);
static void	*(*p_reallocf)(void *, size_t);
static void	*(*p_memalign)(size_t, size_t);
static void	*(*p_valloc)(size_t);
static void	*(*p_pvalloc)(size_t);
static size_t	 (*p_usable)(const void *);
static void	 (*p_free_sized)(void *, size_t);
static void	 (*p_free_aligned_sized)(void *, size_t, size_t);
static void	*(*p_new)(size_t), *(*p_newarray)(size_t);
static void	*(*p_newnothrow)(size_t, const void *);
static void	*(*p_newaligned)(size_t, size_t);
static void	 (*p_delete)(void *), (*p_deletearray)(void *);
static void	 (*p_deletesized)(void *, size_t);
static void	 (*p_deletearraysized)(void *, size_t);
static void	 (*p_deletenothrow)(void *, const void *);
static void	 (*p_deletealigned)(void *, size_t);
static void	 (*p_deletealignedsized)(void *, size_t, size_t);

static uint64_t		 seed;
static unsigned int	 nthreads = 4;
static unsigned int	 seconds = 10;
static unsigned int	 forkms;
static unsigned int	 permille;
static size_t		 addrspace;
static size_t		 maxlive = (size_t)256 << 20;
static bool		 lockall, mayfail, nolarge;

static struct slot	*slots;
static struct worker	*workers;
static struct bundle	*bundles[BUNDLES];
static unsigned int	 nbundles;
static pthread_mutex_t	 bundlelock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t	 donelock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t	 donecond = PTHREAD_COND_INITIALIZER;
static atomic_ullong	 nextid = 1;
static atomic_size_t	 live;
static atomic_ullong	 nfailed, nremote, nlives;
static atomic_bool	 stop;

static void
say(const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n;

	/* No stdio: it may allocate, and this may run in a signal handler. */
	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(buf) - 1)
		n = sizeof(buf) - 1;
	if (write(STDERR_FILENO, buf, (size_t)n) < 0)
		_exit(1);
}

static void
die(const char *what, const struct block *b)
{

	if (b != NULL)
		say("stress: FAILED: %s: block %llu at %p, %zu bytes "
		    "(%zu filled), alignment %zu, from %s\n", what,
		    (unsigned long long)b->b_id, (void *)b->b_ptr, b->b_size,
		    b->b_fill, b->b_align, kindname[b->b_kind]);
	else
		say("stress: FAILED: %s\n", what);
	say("stress: seed %llu, %u threads\n", (unsigned long long)seed,
	    nthreads);
	_exit(1);
}

static void
crashed(int sig)
{

	say("stress: FAILED: signal %d; seed %llu, %u threads\n", sig,
	    (unsigned long long)seed, nthreads);
	_exit(1);
}

static uint64_t
mix(uint64_t x)
{

	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return (x ^ (x >> 31));
}

static uint64_t
rnd(uint64_t *state)
{

	*state += UINT64_C(0x9e3779b97f4a7c15);
	return (mix(*state));
}

/*
 * The pattern's word number i.  Whole blocks are written up to 32 KiB; beyond,
 * the first and the last 4 KiB and a word in every 512 bytes between.
 */
static inline uint64_t
word(const struct block *b, size_t i)
{

	return ((b->b_id * UINT64_C(0x9e3779b97f4a7c15) + seed) ^
	    (i * UINT64_C(0xd6e8feb86659fd93)));
}

static inline size_t
step(const struct block *b, size_t i, size_t n)
{

	if (b->b_fill <= 32768 || i < 512 || i + 512 >= n)
		return (1);
	return (i + 576 < n ? 64 : 1);
}

static void
fill(struct block *b)
{
	size_t i, n;
	uint64_t w;

	n = b->b_fill / 8;
	for (i = 0; i < n; i += step(b, i, n)) {
		w = word(b, i);
		memcpy(b->b_ptr + i * 8, &w, 8);
	}
	for (i = n * 8; i < b->b_fill; i++)
		b->b_ptr[i] = (unsigned char)(word(b, n) >> (i & 7) * 8);
}

/* Look at the first size bytes, of those that carry the pattern. */
static void
check(const struct block *b, size_t size, const char *what)
{
	size_t i, n;
	uint64_t w;

	n = b->b_fill / 8;
	for (i = 0; i < n && i * 8 + 8 <= size; i += step(b, i, n)) {
		memcpy(&w, b->b_ptr + i * 8, 8);
		if (w != word(b, i)) {
			say("stress: offset %zu: %016llx, expected %016llx\n",
			    i * 8, (unsigned long long)w,
			    (unsigned long long)word(b, i));
			die(what, b);
		}
	}
	for (i = n * 8; i < b->b_fill && i < size; i++)
		if (b->b_ptr[i] !=
		    (unsigned char)(word(b, n) >> (i & 7) * 8))
			die(what, b);
}

/*
 * A size: near a size class (16 to 128 by 16, then four to a doubling), or
 * anything below, or zero; small ones far more often than large ones.
 */
static size_t
pick_size(uint64_t *rng)
{
	static const unsigned char lgmax[16] = {
		4, 5, 6, 7, 7, 8, 8, 9, 10, 11, 12, 13, 14, 15, 17, 21
	};
	uint64_t r;
	size_t base, size;
	unsigned int lg;

	r = rnd(rng);
	lg = lgmax[r & 15];
	r >>= 4;
	if (lg == 21 && (r & 31) == 0)
		lg = 24;
	r >>= 5;
	if (lg > 15 && (nolarge || (r & 3) != 0))
		lg = (unsigned int)(r >> 2) & 7;
	r >>= 5;
	base = (size_t)1 << lg;
	switch (r & 7) {
	case 0:
		size = (r >> 3) % (base + 1);
		break;
	case 1:
		size = (r >> 3) % 129;
		break;
	default:
		if (base < 64)
			size = ((r >> 3) % 9) * 16;
		else
			size = base + ((r >> 3) & 3) * (base / 4);
		size += ((r >> 5) % 3);
		size = size == 0 ? 0 : size - 1;
		break;
	}
	if (size > 65536 && atomic_load(&live) > maxlive / 2)
		size &= 65535;
	return (size);
}

static size_t
pick_align(uint64_t *rng)
{
	uint64_t r;

	r = rnd(rng);
	/* Mostly up to a page; now and then up to 4 MiB. */
	if ((r & 63) == 0 && !nolarge)
		return ((size_t)8 << ((r >> 6) % 20));
	return ((size_t)8 << ((r >> 6) % 10));
}

/* How a block may be allocated here; kinds that are absent become malloc. */
static enum kind
pick_kind(uint64_t *rng)
{
	static const unsigned char weights[] = {
		K_MALLOC, K_MALLOC, K_MALLOC, K_MALLOC, K_MALLOC, K_MALLOC,
		K_MALLOC, K_MALLOC, K_MALLOC, K_MALLOC, K_CALLOC, K_CALLOC,
		K_CALLOC, K_CALLOC, K_REALLOC, K_REALLOCARRAY, K_REALLOCF,
		K_POSIX_MEMALIGN, K_POSIX_MEMALIGN, K_ALIGNED_ALLOC,
		K_ALIGNED_ALLOC, K_MEMALIGN, K_VALLOC, K_PVALLOC, K_NEW, K_NEW,
		K_NEW, K_NEWARRAY, K_NEWARRAY, K_NEWNOTHROW, K_NEWALIGNED,
		K_NEWALIGNED
	};
	enum kind k;

	k = weights[rnd(rng) % (sizeof(weights) / sizeof(weights[0]))];
	/* A page for a few bytes: not too often. */
	if ((k == K_VALLOC || k == K_PVALLOC) && (rnd(rng) & 3) != 0)
		k = K_MALLOC;
	if ((k == K_REALLOCARRAY && p_reallocarray == NULL) ||
	    (k == K_REALLOCF && p_reallocf == NULL) ||
	    (k == K_MEMALIGN && p_memalign == NULL) ||
	    (k == K_VALLOC && p_valloc == NULL) ||
	    (k == K_PVALLOC && p_pvalloc == NULL) ||
	    (k >= K_NEW && p_new == NULL) ||
	    (k == K_NEWALIGNED && p_newaligned == NULL))
		k = K_MALLOC;
	return (k);
}

/* As an array of up to 16 elements. */
static void *
alloc_array(struct block *b, uint64_t *rng)
{
	size_t n, size;

	n = (size_t)1 << (rnd(rng) % 5);
	size = b->b_size / n;
	b->b_size = size * n;
	return (b->b_kind == K_CALLOC ? calloc(n, size) :
	    p_reallocarray(NULL, size, n));
}

static void *
alloc_aligned(struct block *b, uint64_t *rng)
{
	void *p;
	int error;

	b->b_align = pick_align(rng);
	switch (b->b_kind) {
	case K_POSIX_MEMALIGN:
		error = posix_memalign(&p, b->b_align, b->b_size);
		if (error == 0)
			return (p);
		errno = error;
		return (NULL);
	case K_ALIGNED_ALLOC:
		/* Strict ones want a multiple. */
		b->b_size = (b->b_size + b->b_align - 1) & ~(b->b_align - 1);
		return (aligned_alloc(b->b_align, b->b_size));
	case K_MEMALIGN:
		return (p_memalign(b->b_align, b->b_size));
	default:
		return (p_newaligned(b->b_size, b->b_align));
	}
}

static void *
alloc_page_aligned(struct block *b)
{

	b->b_align = (size_t)getpagesize();
	if (b->b_kind == K_VALLOC)
		return (p_valloc(b->b_size));
	b->b_size = (b->b_size + b->b_align - 1) & ~(b->b_align - 1);
	return (p_pvalloc(b->b_size));
}

/* Allocate by the block's kind, which may change its size, too. */
static void *
allocate(struct block *b, uint64_t *rng)
{
	static const char nothrow;

	switch (b->b_kind) {
	case K_CALLOC:
	case K_REALLOCARRAY:
		return (alloc_array(b, rng));
	case K_POSIX_MEMALIGN:
	case K_ALIGNED_ALLOC:
	case K_MEMALIGN:
	case K_NEWALIGNED:
		return (alloc_aligned(b, rng));
	case K_VALLOC:
	case K_PVALLOC:
		return (alloc_page_aligned(b));
	case K_REALLOC:
		return (realloc(NULL, b->b_size));
	case K_REALLOCF:
		return (p_reallocf(NULL, b->b_size));
	case K_NEW:
		return (p_new(b->b_size));
	case K_NEWARRAY:
		return (p_newarray(b->b_size));
	case K_NEWNOTHROW:
		return (p_newnothrow(b->b_size, &nothrow));
	default:
		return (malloc(b->b_size));
	}
}

/* What a new block must be before anything is written to it. */
static void
check_new(const struct block *b)
{
	size_t align, i;

	align = b->b_align;
	if (align < 16)
		align = b->b_size >= 16 ? 16 : 8;
	if (((uintptr_t)b->b_ptr & (align - 1)) != 0)
		die("misaligned", b);
	if (b->b_kind != K_CALLOC)
		return;
	for (i = 0; i < b->b_size; i += i + 1024 < b->b_size &&
	    b->b_size > 65536 ? 61 : 1)
		if (b->b_ptr[i] != 0)
			die("calloc not zero", b);
}

/* Fill a block whose contents are free to change. */
static void
repaint(struct block *b)
{
	size_t usable;

	usable = p_usable != NULL ? p_usable(b->b_ptr) : b->b_size;
	if (usable < b->b_size)
		die("usable size below the size", b);
	/* Sized frees may say the size asked for only if that is all we use. */
	b->b_fill = (b->b_id & 3) == 0 ? usable : b->b_size;
	fill(b);
}

static bool
obtain(struct block *b, uint64_t *rng)
{

	memset(b, 0, sizeof(*b));
	b->b_kind = pick_kind(rng);
	/* new that fails throws, and there is nobody to catch. */
	if (mayfail && b->b_kind >= K_NEW)
		b->b_kind = p_newnothrow != NULL ? K_NEWNOTHROW : K_MALLOC;
	b->b_size = pick_size(rng);
	b->b_ptr = allocate(b, rng);
	if (b->b_ptr == NULL) {
		if (!mayfail)
			die("allocation failed", b);
		if (errno != ENOMEM)
			die("failed with another errno than ENOMEM", b);
		atomic_fetch_add(&nfailed, 1);
		return (false);
	}
	b->b_id = atomic_fetch_add(&nextid, 1);
	check_new(b);
	repaint(b);
	atomic_fetch_add(&live, b->b_size);
	return (true);
}

/* Free by one of the ways that the block's kind has. */
static void
release(const struct block *b, unsigned int how)
{
	static const char nothrow;

	switch (b->b_kind) {
	case K_NEW:
		if (how == 0 && p_deletesized != NULL)
			p_deletesized(b->b_ptr, b->b_size);
		else if (how == 1 && p_deletenothrow != NULL)
			p_deletenothrow(b->b_ptr, &nothrow);
		else
			p_delete(b->b_ptr);
		break;
	case K_NEWARRAY:
		if (how == 0 && p_deletearraysized != NULL)
			p_deletearraysized(b->b_ptr, b->b_size);
		else
			p_deletearray(b->b_ptr);
		break;
	case K_NEWNOTHROW:
		p_delete(b->b_ptr);
		break;
	case K_NEWALIGNED:
		if (how < 2 && p_deletealignedsized != NULL)
			p_deletealignedsized(b->b_ptr, b->b_size, b->b_align);
		else
			p_deletealigned(b->b_ptr, b->b_align);
		break;
	case K_ALIGNED_ALLOC:
		if (how < 2 && p_free_aligned_sized != NULL)
			p_free_aligned_sized(b->b_ptr, b->b_align, b->b_size);
		else
			free(b->b_ptr);
		break;
	case K_MALLOC:
	case K_CALLOC:
	case K_REALLOC:
	case K_REALLOCARRAY:
		if (how < 2 && p_free_sized != NULL)
			p_free_sized(b->b_ptr, b->b_size);
		else
			free(b->b_ptr);
		break;
	default:
		free(b->b_ptr);
		break;
	}
}

static void
dispose(struct block *b, uint64_t *rng, const char *what)
{
	unsigned int how;

	check(b, b->b_fill, what);
	if (p_usable != NULL && p_usable(b->b_ptr) < b->b_fill)
		die("usable size shrank", b);
	atomic_fetch_sub(&live, b->b_size);
	if (b->b_size >= 8)
		memset(b->b_ptr, 0xd5, b->b_size < 256 ? b->b_size : 256);
	how = (unsigned int)rnd(rng) & 3;
	errno = 4711;
	release(b, how);
	if (errno != 4711)
		die("free changed errno", b);
	b->b_ptr = NULL;
}

/* Give a block from the malloc family another size. */
static void
resize(struct block *b, uint64_t *rng)
{
	struct block old;
	void *p;

	if (b->b_kind >= K_NEW) {
		check(b, b->b_fill, "damaged (looked at)");
		return;
	}
	old = *b;
	check(b, b->b_fill, "damaged (before realloc)");
	switch (rnd(rng) & 3) {
	case 0:		/* a little more or less */
		b->b_size += rnd(rng) % 64;
		b->b_size -= b->b_size > 32 ? 32 : 0;
		break;
	case 1:		/* half or double */
		if ((rnd(rng) & 1) != 0)
			b->b_size /= 2;
		else if (b->b_size < ((size_t)8 << 20) &&
		    atomic_load(&live) < maxlive)
			b->b_size *= 2;
		break;
	default:
		b->b_size = pick_size(rng);
		break;
	}
	if (b->b_size == 0)
		b->b_size = 1;
	if (p_reallocarray != NULL && (rnd(rng) & 7) == 0)
		p = p_reallocarray(b->b_ptr, b->b_size, 1);
	else
		p = realloc(b->b_ptr, b->b_size);
	if (p == NULL) {
		if (!mayfail)
			die("realloc failed", &old);
		atomic_fetch_add(&nfailed, 1);
		*b = old;
		check(b, b->b_fill, "damaged by a failed realloc");
		return;
	}
	old.b_ptr = p;
	check(&old, old.b_fill < b->b_size ? old.b_fill : b->b_size,
	    "contents lost in realloc");
	atomic_fetch_add(&live, b->b_size - old.b_size);
	b->b_ptr = p;
	b->b_align = 0;
	b->b_kind = K_REALLOC;
	b->b_id = atomic_fetch_add(&nextid, 1);
	repaint(b);
}

static struct slot *
grab(struct worker *w)
{
	struct slot *s;
	unsigned int range;
	uint64_t r;

	/* Two of three times in one's own part of the slots. */
	range = SLOTS / nthreads;
	for (;;) {
		r = rnd(&w->w_rng);
		if (r % 3 != 0)
			s = &slots[w->w_index * range + (r >> 8) % range];
		else
			s = &slots[(r >> 8) % SLOTS];
		if (!atomic_flag_test_and_set_explicit(&s->s_busy,
		    memory_order_acquire))
			return (s);
	}
}

/* Give the full bundle away, and free one that another thread left. */
static void
trade(struct worker *w)
{
	struct bundle *in, *out;
	int i;

	in = NULL;
	out = malloc(sizeof(*out));
	if (out != NULL) {
		memcpy(out, &w->w_out, sizeof(*out));
		w->w_out.u_n = 0;
	} else if (!mayfail)
		die("no memory for a bundle", NULL);
	pthread_mutex_lock(&bundlelock);
	if (nbundles == BUNDLES || (nbundles > 0 && (rnd(&w->w_rng) & 1)) ||
	    (nbundles > 0 && atomic_load(&live) > maxlive / 2)) {
		in = bundles[rnd(&w->w_rng) % nbundles];
		for (i = 0; bundles[i] != in; i++)
			;
		bundles[i] = bundles[--nbundles];
	}
	if (out != NULL)
		bundles[nbundles++] = out;
	pthread_mutex_unlock(&bundlelock);
	if (in != NULL) {
		for (i = 0; i < in->u_n; i++)
			dispose(&in->u_block[i], &w->w_rng,
			    "damaged (in a bundle)");
		atomic_fetch_add(&nremote, (unsigned long long)in->u_n);
		free(in);
	}
}

/* A run of equal blocks, freed in some order: the caches overflow. */
static void
burst(struct worker *w)
{
	unsigned char *p[1024];
	size_t size;
	unsigned int i, n;

	do
		size = pick_size(&w->w_rng);
	while (size > 8192);
	n = 64 + (unsigned int)(rnd(&w->w_rng) % (1024 - 64));
	for (i = 0; i < n; i++) {
		p[i] = malloc(size);
		if (p[i] == NULL) {
			if (!mayfail)
				die("malloc failed in a burst", NULL);
			break;
		}
		memset(p[i], (int)(i ^ w->w_index) & 0xff, size);
	}
	n = i;
	while (n > 0) {
		i = (rnd(&w->w_rng) & 3) != 0 ? n - 1 :
		    (unsigned int)(rnd(&w->w_rng) % n);
		/* Which block this is nobody knows any more: all one byte. */
		if (size > 1 && memcmp(p[i], p[i] + 1, size - 1) != 0)
			die("damaged in a burst", NULL);
		free(p[i]);
		p[i] = p[--n];
	}
}

static void
operate(struct worker *w)
{
	struct slot *s;
	struct block *b;
	uint64_t r;

	r = rnd(&w->w_rng);
	if (r % 997 == 0) {
		burst(w);
		return;
	}
	s = grab(w);
	b = &s->s_block;
	r >>= 10;
	if (b->b_ptr == NULL) {
		/* Above the bound slots stay empty, and that brings it down. */
		if (atomic_load(&live) < maxlive)
			(void)obtain(b, &w->w_rng);
	} else if (r % 16 < 9) {
		dispose(b, &w->w_rng, "damaged (found at free)");
	} else if (r % 16 < 12 && w->w_out.u_n < BUNDLE) {
		w->w_out.u_block[w->w_out.u_n++] = *b;
		b->b_ptr = NULL;
	} else if (r % 16 < 15)
		resize(b, &w->w_rng);
	else
		check(b, b->b_fill, "damaged (looked at)");
	atomic_flag_clear_explicit(&s->s_busy, memory_order_release);
	if (w->w_out.u_n == BUNDLE)
		trade(w);
	w->w_ops++;
}

static void *
work(void *arg)
{
	struct worker *w;
	uint64_t n;

	w = arg;
	/* Most lives are long, some very short. */
	n = (rnd(&w->w_rng) & 1) != 0 ? rnd(&w->w_rng) % 50000 :
	    rnd(&w->w_rng) % 500;
	while (n-- > 0 && !atomic_load_explicit(&stop, memory_order_relaxed))
		operate(w);
	pthread_mutex_lock(&donelock);
	atomic_store(&w->w_state, 2);
	pthread_cond_signal(&donecond);
	pthread_mutex_unlock(&donelock);
	return (NULL);
}

/* In the child only one thread is left, and what it allocates must do. */
static void
child(uint64_t rng)
{
	struct block b[64];
	unsigned int i;

	alarm(60);
	memset(b, 0, sizeof(b));
	for (i = 0; i < 2000; i++) {
		struct block *c = &b[rnd(&rng) % 64];

		if (c->b_ptr == NULL)
			(void)obtain(c, &rng);
		else
			dispose(c, &rng, "damaged (in a child)");
	}
	_exit(0);
}

static void
fork_one(uint64_t *rng)
{
	pid_t pid;
	uint64_t r;
	int status;

	r = rnd(rng);
	pid = fork();
	if (pid == 0)
		child(r);
	if (pid == -1) {
		if (!mayfail)
			die("fork failed", NULL);
		return;
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ?
		    "a forked child hung" : "a forked child failed", NULL);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

static void
run(void)
{
	struct timespec ts;
	struct worker *w;
	uint64_t end, lastfork, rng;
	unsigned int i, running;
	int error;

	rng = mix(seed ^ 0x5eed);
	for (i = 0; i < nthreads; i++) {
		workers[i].w_index = i;
		workers[i].w_rng = mix(seed + i + 1);
	}
	lastfork = now_ms();
	end = lastfork + (uint64_t)seconds * 1000;
	do {
		running = 0;
		for (i = 0; i < nthreads; i++) {
			w = &workers[i];
			if (atomic_load(&w->w_state) == 2) {
				pthread_join(w->w_thread, NULL);
				atomic_store(&w->w_state, 0);
			}
			if (atomic_load(&w->w_state) == 0 && !stop) {
				atomic_store(&w->w_state, 1);
				error = pthread_create(&w->w_thread, NULL,
				    work, w);
				if (error != 0) {
					if (!mayfail)
						die("pthread_create failed",
						    NULL);
					atomic_store(&w->w_state, 0);
				} else
					atomic_fetch_add(&nlives, 1);
			}
			if (atomic_load(&w->w_state) != 0)
				running++;
		}
		if (forkms != 0 && now_ms() - lastfork >= forkms) {
			fork_one(&rng);
			lastfork = now_ms();
		}
		if (now_ms() >= end)
			stop = true;
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_nsec += 5000000;
		if (ts.tv_nsec >= 1000000000) {
			ts.tv_nsec -= 1000000000;
			ts.tv_sec++;
		}
		pthread_mutex_lock(&donelock);
		for (i = 0; i < nthreads; i++)
			if (atomic_load(&workers[i].w_state) == 2)
				break;
		if (i == nthreads)
			pthread_cond_timedwait(&donecond, &donelock, &ts);
		pthread_mutex_unlock(&donelock);
	} while (!stop || running > 0);
}

/* Free what is left, everything from this thread. */
static void
sweep(void)
{
	uint64_t rng;
	unsigned int i, j;

	rng = mix(seed);
	for (i = 0; i < SLOTS; i++)
		if (slots[i].s_block.b_ptr != NULL)
			dispose(&slots[i].s_block, &rng,
			    "damaged (found at the end)");
	for (i = 0; i < nbundles; i++) {
		for (j = 0; j < (unsigned int)bundles[i]->u_n; j++)
			dispose(&bundles[i]->u_block[j], &rng,
			    "damaged (found at the end)");
		free(bundles[i]);
	}
	for (i = 0; i < nthreads; i++)
		for (j = 0; j < (unsigned int)workers[i].w_out.u_n; j++)
			dispose(&workers[i].w_out.u_block[j], &rng,
			    "damaged (found at the end)");
	if (atomic_load(&live) != 0)
		die("the program's own books do not balance", NULL);
}

static void *
zeroed(size_t size)
{
	void *p;

	/* The books are not kept in memory that is under test. */
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON,
	    -1, 0);
	if (p == MAP_FAILED) {
		say("stress: mmap: %s\n", strerror(errno));
		_exit(1);
	}
	return (p);
}

#if SIZE_MAX == UINT64_MAX
#define	SZ	"m"
#else
#define	SZ	"j"
#endif

static void
resolve(void)
{
	static const struct {
		void		*to;
		const char	*name;
	} tab[] = {
		{ &p_reallocarray, "reallocarray" },
		{ &p_reallocf, "reallocf" },
		{ &p_memalign, "memalign" },
		{ &p_valloc, "valloc" },
		{ &p_pvalloc, "pvalloc" },
		{ &p_usable, "malloc_usable_size" },
		{ &p_free_sized, "free_sized" },
		{ &p_free_aligned_sized, "free_aligned_sized" },
		{ &p_new, "_Znw" SZ },
		{ &p_newarray, "_Zna" SZ },
		{ &p_newnothrow, "_Znw" SZ "RKSt9nothrow_t" },
		{ &p_newaligned, "_Znw" SZ "St11align_val_t" },
		{ &p_delete, "_ZdlPv" },
		{ &p_deletearray, "_ZdaPv" },
		{ &p_deletesized, "_ZdlPv" SZ },
		{ &p_deletearraysized, "_ZdaPv" SZ },
		{ &p_deletenothrow, "_ZdlPvRKSt9nothrow_t" },
		{ &p_deletealigned, "_ZdlPvSt11align_val_t" },
		{ &p_deletealignedsized, "_ZdlPv" SZ "St11align_val_t" },
	};
	Dl_info ours, its;
	void *f;
	size_t i, absent;

	absent = 0;
	memset(&ours, 0, sizeof(ours));
	f = dlsym(RTLD_DEFAULT, "malloc");
	(void)dladdr(f, &ours);
	for (i = 0; i < sizeof(tab) / sizeof(tab[0]); i++) {
		f = dlsym(RTLD_DEFAULT, tab[i].name);
		/*
		 * One that the allocator lacks may be another allocator's.
		 * The operators and reallocarray call malloc in any case.
		 */
		if (f != NULL && strncmp(tab[i].name, "_Z", 2) != 0 &&
		    strcmp(tab[i].name, "reallocarray") != 0 &&
		    dladdr(f, &its) != 0 && its.dli_fbase != ours.dli_fbase)
			f = NULL;
		memcpy(tab[i].to, &f, sizeof(f));
		if (f == NULL) {
			if (absent++ == 0)
				printf("stress: absent:");
			printf(" %s", tab[i].name);
		}
	}
	if (absent != 0)
		printf("\n");
}

static void
usage(void)
{

	fprintf(stderr, "usage: stress [-Lln] [-A MiB] [-F ms] [-I permille] "
	    "[-m MiB] [-s seed] [-t threads] [-T seconds]\n");
	exit(2);
}

#ifdef __linux__
static atomic_ullong	ncalls, ninjected;

static int
inject(long nr, const long *a)
{
	uint64_t n;

	n = atomic_fetch_add(&ncalls, 1);
	if (mix(seed ^ n) % 1000 >= permille)
		return (0);
	atomic_fetch_add(&ninjected, 1);
	/* A move that fails may have unmapped its destination. */
	if (nr == SYS_mremap && (a[3] & MREMAP_FIXED) != 0)
		(void)inject_call(SYS_munmap, (const long[6]){ a[4], a[2] });
	return (ENOMEM);
}
#endif

static void
cannot(const char *what)
{

	/* The tests skip on this. */
	say("stress: cannot %s: %s\n", what, strerror(errno));
	exit(3);
}

/* The size of the process, so that the bound allows for what it has. */
static size_t
mapped(void)
{
	char buf[64];
	FILE *f;
	size_t pages;

	pages = 0;
	f = fopen("/proc/self/statm", "r");
	if (f == NULL || fgets(buf, sizeof(buf), f) == NULL ||
	    sscanf(buf, "%zu", &pages) != 1)
		cannot("read /proc/self/statm");
	fclose(f);
	return (pages * (size_t)getpagesize());
}

/* What makes memory short or costly. */
static void
restrict_memory(void)
{
	struct rlimit rl;

	if (addrspace != 0) {
		rl.rlim_cur = rl.rlim_max = mapped() + addrspace;
		if (setrlimit(RLIMIT_AS, &rl) != 0)
			cannot("set RLIMIT_AS");
	}
	if (lockall && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		cannot("lock memory");
#ifdef __linux__
	inject_decide = inject;
	if (permille != 0 && !inject_start())
		cannot("make system calls fail");
#else
	if (permille != 0)
		cannot("make system calls fail");
#endif
}

static void
choose_seed(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	seed = ((uint64_t)ts.tv_sec ^ (uint64_t)ts.tv_nsec << 16 ^
	    (uint64_t)getpid() << 40) & 0x7fffffff;
}

/* The current option's argument. */
static unsigned long long
number(void)
{

	return (strtoull(optarg, NULL, 10));
}

static void
parse_options(int argc, char *argv[])
{
	int ch;

	while ((ch = getopt(argc, argv, "A:F:I:Llm:ns:t:T:")) != -1)
		switch (ch) {
		case 'A':
			addrspace = (size_t)number() << 20;
			mayfail = true;
			break;
		case 'F':
			forkms = (unsigned int)number();
			break;
		case 'I':
			permille = (unsigned int)number();
			mayfail = true;
			break;
		case 'L':
			lockall = true;
			break;
		case 'l':
			nolarge = true;
			break;
		case 'm':
			maxlive = (size_t)number() << 20;
			break;
		case 'n':
			mayfail = true;
			break;
		case 's':
			seed = number();
			break;
		case 't':
			nthreads = (unsigned int)number();
			break;
		case 'T':
			seconds = (unsigned int)number();
			break;
		default:
			usage();
		}
	if (optind != argc || nthreads == 0 || nthreads > MAXTHREADS ||
	    maxlive == 0)
		usage();
}

static void
catch_signals(void)
{

	signal(SIGSEGV, crashed);
	signal(SIGBUS, crashed);
	signal(SIGABRT, crashed);
	signal(SIGILL, crashed);
	signal(SIGFPE, crashed);
}

static void
report(void)
{
	uint64_t ops;
	unsigned int i;

	ops = 0;
	for (i = 0; i < nthreads; i++)
		ops += workers[i].w_ops;
	printf("stress: passed: %llu operations, %llu thread lives, "
	    "%llu blocks freed in others' bundles, %llu allocations failed\n",
	    (unsigned long long)ops, (unsigned long long)nlives,
	    (unsigned long long)nremote, (unsigned long long)nfailed);
#ifdef __linux__
	if (permille != 0)
		printf("stress: %llu of %llu system calls failed\n",
		    (unsigned long long)ninjected, (unsigned long long)ncalls);
#endif
}

int
main(int argc, char *argv[])
{

	choose_seed();
	parse_options(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("stress: seed %llu, %u threads, %u seconds\n",
	    (unsigned long long)seed, nthreads, seconds);
	catch_signals();
	resolve();
	slots = zeroed(SLOTS * sizeof(*slots));
	workers = zeroed(nthreads * sizeof(*workers));
	restrict_memory();
	run();
	sweep();
	report();
	return (0);
}
