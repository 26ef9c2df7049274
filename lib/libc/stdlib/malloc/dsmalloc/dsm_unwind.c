/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_defs.h"
#include "dsm_os.h"
#include "dsm_print.h"
#include "dsm_unwind.h"

#define	UNWIND_MAX	16	/* frames of a message */
#define	UNWIND_STEP	MIB(1)	/* most bytes that one frame may have */
#define	UNWIND_CHUNK	2048	/* of /proc/self/maps; > a line's numbers */

/* What a frame pointer points to, on amd64 and aarch64 alike. */
struct unwind_frame {
	uintptr_t	next;
	uintptr_t	pc;
};

/* The part of a mapping's line that matters. */
struct unwind_line {
	uintptr_t	start;
	uintptr_t	end;
	uintptr_t	offset;
	const char	*name;		/* not terminated */
	size_t		 len;
};

#ifdef __FreeBSD__
/* From libexecinfo, if the program has it: it can do without frame pointers
 * and does not allocate.  glibc's does (it loads libgcc_s), and is not used. */
size_t	backtrace(void **, size_t) __attribute__((__weak__));
#endif

/*
 * A frame pointer is only believed when it lies a little above the last one.
 * In a program without frame pointers the register holds anything, and where
 * the stack ends is not known without pthread_getattr_np(), which allocates:
 * so the kernel reads the memory for us and says when there is none.
 */
static unsigned
unwind_frames(uintptr_t fp, void **pcs, unsigned max)
{
	struct unwind_frame f;
	uintptr_t last;
	unsigned n;

	for (n = 0; n < max; n++) {
		if (fp % sizeof(uintptr_t) != 0 ||
		    !os_peek((const void *)fp, &f, sizeof(f)) ||
		    f.pc < os_page)
			break;
		pcs[n] = (void *)f.pc;
		last = fp;
		fp = f.next;
		if (fp <= last || fp - last > UNWIND_STEP)
			return (n + 1);
	}
	return (n);
}

DSM_NOINLINE unsigned
unwind_stack(void **pcs, unsigned max)
{

#ifdef __FreeBSD__
	if (backtrace != NULL)
		return ((unsigned)backtrace(pcs, max));
#endif
	return (unwind_frames((uintptr_t)__builtin_frame_address(0), pcs,
	    max));
}

static const char *
unwind_hex(const char *s, const char *end, uintptr_t *v)
{
	unsigned digit;

	for (*v = 0; s < end; s++) {
		if (*s >= '0' && *s <= '9')
			digit = (unsigned)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			digit = (unsigned)(*s - 'a' + 10);
		else
			break;
		*v = *v << 4 | digit;
	}
	return (s < end ? s + 1 : end);
}

static const char *
unwind_skip(const char *s, const char *end, char c)
{

	while (s < end && *s != c)
		s++;
	while (s < end && *s == c)
		s++;
	return (s);
}

/* "start-end perms offset device inode   name" */
static void
unwind_parse(struct unwind_line *l, const char *s, const char *end)
{

	s = unwind_hex(s, end, &l->start);
	s = unwind_hex(s, end, &l->end);
	s = unwind_skip(s, end, ' ');
	s = unwind_hex(s, end, &l->offset);
	s = unwind_skip(s, end, ' ');
	s = unwind_skip(s, end, ' ');
	l->name = s;
	l->len = (size_t)(end - s);
}

/*
 * The mapping that pc is in, and the name of its file in buf, which has
 * UNWIND_CHUNK bytes.  A line longer than the buffer is cut; what is left of
 * it then reads as a line that matches nothing.
 */
static bool
unwind_find(uintptr_t pc, char *buf, struct unwind_line *l)
{
	const char *end, *eol, *s;
	uint64_t off;
	long n;

	for (off = 0;; off += (uint64_t)(s - buf)) {
		n = os_readat("/proc/self/maps", off, buf, UNWIND_CHUNK);
		if (n <= 0)
			return (false);
		end = buf + n;
		for (s = buf; s < end; s = eol + 1) {
			for (eol = s; eol < end && *eol != '\n'; eol++)
				;
			if (eol == end && s != buf)
				break;		/* the rest comes next time */
			unwind_parse(l, s, eol);
			if (pc >= l->start && pc < l->end)
				return (true);
		}
	}
}

/* dladdr() would give names, but takes the dynamic linker's lock: the file
 * and the offset in it are enough for addr2line(1). */
static void
unwind_print(void)
{
	static const struct print_sink sink = { NULL, NULL };
	char buf[UNWIND_CHUNK];
	struct unwind_line l;
	void *pcs[UNWIND_MAX];
	unsigned i, n;

	n = unwind_stack(pcs, UNWIND_MAX);
	for (i = 0; i < n; i++) {
		if (unwind_find((uintptr_t)pcs[i], buf, &l) && l.len > 0)
			print_to(&sink, "<dsmalloc>: #%u %p %.*s+0x%lx\n", i,
			    pcs[i], (int)l.len, l.name, (unsigned long)
			    ((uintptr_t)pcs[i] - l.start + l.offset));
		else
			print_to(&sink, "<dsmalloc>: #%u %p\n", i, pcs[i]);
	}
}

void
unwind_init(void)
{

	print_backtrace = unwind_print;
}
