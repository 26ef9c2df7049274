/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_defs.h"
#include "dsm_lock.h"
#include "dsm_os.h"
#include "dsm_print.h"

#define	PRINT_MAX	1024	/* a piece, with its terminator */
#define	PRINT_PREFIX	"<dsmalloc>: "

/* Weak, so that the application's own definition takes its place, also when
 * it is linked statically. */
DSM_EXPORT __attribute__((__weak__))
void	(*malloc_message)(void *, const char *);

void	(*print_backtrace)(void);

/* A buffer being filled; one byte is kept for the terminator. */
struct print_buf {
	char	*buf;
	size_t	 len;
	size_t	 used;
};

/* One conversion: what stood between its % and its letter. */
struct print_spec {
	size_t	width;
	size_t	prec;		/* SIZE_MAX when absent */
	unsigned longs;		/* l, ll, z, j: more than an int */
	bool	left;
	bool	zero;
};

static void
print_char(struct print_buf *b, char c)
{

	if (b->used + 1 < b->len)
		b->buf[b->used++] = c;
}

static void
print_pad(struct print_buf *b, char c, size_t n)
{

	while (n-- > 0 && b->used + 1 < b->len)
		print_char(b, c);
}

/* A string of n bytes in its field; a sign goes before the zeroes. */
static void
print_field(struct print_buf *b, const struct print_spec *sp, const char *s,
    size_t n)
{
	size_t i, pad;

	pad = sp->width > n ? sp->width - n : 0;
	i = 0;
	if (sp->zero && !sp->left) {
		if (n > 0 && s[0] == '-')
			print_char(b, s[i++]);
		print_pad(b, '0', pad);
	} else if (!sp->left)
		print_pad(b, ' ', pad);
	for (; i < n; i++)
		print_char(b, s[i]);
	if (sp->left)
		print_pad(b, ' ', pad);
}

static void
print_str(struct print_buf *b, struct print_spec *sp, const char *s)
{
	size_t n;

	if (s == NULL)
		s = "(null)";
	for (n = 0; n < sp->prec && s[n] != '\0'; n++)
		;
	sp->zero = false;
	print_field(b, sp, s, n);
}

static void
print_num(struct print_buf *b, const struct print_spec *sp, uint64_t v,
    unsigned base, const char *prefix)
{
	char digits[32], *p;
	size_t i;

	p = digits + sizeof(digits);
	do {
		*--p = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	for (i = __builtin_strlen(prefix); i > 0; i--)
		*--p = prefix[i - 1];
	print_field(b, sp, p, (size_t)(digits + sizeof(digits) - p));
}

static size_t
print_number(const char **fmt)
{
	size_t n;

	n = 0;
	while (**fmt >= '0' && **fmt <= '9')
		n = n * 10 + (size_t)(*(*fmt)++ - '0');
	return (n);
}

/* A width or precision, in the format or in an argument. */
static size_t
print_count(const char **fmt, va_list *ap)
{
	int n;

	if (**fmt != '*')
		return (print_number(fmt));
	(*fmt)++;
	n = va_arg(*ap, int);
	return (n > 0 ? (size_t)n : 0);
}

static struct print_spec
print_parse(const char **fmt, va_list *ap)
{
	struct print_spec sp = { .prec = SIZE_MAX };

	for (; **fmt == '-' || **fmt == '0'; (*fmt)++) {
		if (**fmt == '-')
			sp.left = true;
		else
			sp.zero = true;
	}
	sp.width = print_count(fmt, ap);
	if (**fmt == '.') {
		(*fmt)++;
		sp.prec = print_count(fmt, ap);
	}
	for (; **fmt == 'l' || **fmt == 'z' || **fmt == 'j'; (*fmt)++)
		sp.longs += **fmt == 'j' ? 2 : 1;
	return (sp);
}

/* long and size_t are of one width, so one letter stands for the other. */
_Static_assert(sizeof(size_t) == sizeof(long), "%z is read as %l");

static uint64_t
print_unsigned(const struct print_spec *sp, va_list *ap)
{

	if (sp->longs == 0)
		return (va_arg(*ap, unsigned));
	if (sp->longs == 1)
		return (va_arg(*ap, unsigned long));
	return (va_arg(*ap, unsigned long long));
}

static void
print_signed(struct print_buf *b, const struct print_spec *sp, va_list *ap)
{
	uint64_t v;

	v = print_unsigned(sp, ap);
	if (sp->longs == 0)
		v = (uint64_t)(int)v;
	if ((int64_t)v < 0)
		print_num(b, sp, -v, 10, "-");
	else
		print_num(b, sp, v, 10, "");
}

/* What follows a %, up to and with the letter. */
static void
print_conversion(struct print_buf *b, const char **fmt, va_list *ap)
{
	struct print_spec sp;
	char c;

	sp = print_parse(fmt, ap);
	switch (c = **fmt) {
	case '\0':
		return;
	case 'c':
		c = (char)va_arg(*ap, int);
		print_field(b, &sp, &c, 1);
		break;
	case 's':
		print_str(b, &sp, va_arg(*ap, const char *));
		break;
	case 'd':
	case 'i':
		print_signed(b, &sp, ap);
		break;
	case 'u':
		print_num(b, &sp, print_unsigned(&sp, ap), 10, "");
		break;
	case 'x':
		print_num(b, &sp, print_unsigned(&sp, ap), 16, "");
		break;
	case 'p':
		print_num(b, &sp, (uintptr_t)va_arg(*ap, void *), 16, "0x");
		break;
	default:
		print_char(b, c);
		break;
	}
	(*fmt)++;
}

size_t
print_vfmt(char *buf, size_t len, const char *fmt, va_list args)
{
	struct print_buf b = { buf, len, 0 };
	va_list ap;

	va_copy(ap, args);	/* a parameter's address is not a va_list * */
	while (*fmt != '\0') {
		if (*fmt != '%')
			print_char(&b, *fmt++);
		else {
			fmt++;
			print_conversion(&b, &fmt, &ap);
		}
	}
	va_end(ap);
	buf[b.used] = '\0';
	return (b.used);
}

size_t
print_fmt(char *buf, size_t len, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = print_vfmt(buf, len, fmt, ap);
	va_end(ap);
	return (n);
}

const char *
print_size(uint64_t bytes, char buf[16])
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	uint64_t unit;
	unsigned i;

	unit = 1;
	for (i = 0; i < NITEMS(names) - 1 && bytes / unit >= 1024; i++)
		unit <<= 10;
	if (i == 0)
		print_fmt(buf, 16, "%llu B", (unsigned long long)bytes);
	else
		print_fmt(buf, 16, "%llu.%llu %s",
		    (unsigned long long)(bytes / unit),
		    (unsigned long long)(bytes % unit * 10 / unit), names[i]);
	return (buf);
}

static void
print_message(const char *s)
{

	if (malloc_message != NULL)
		malloc_message(NULL, s);
	else
		os_write(2, s, __builtin_strlen(s));
}

void
print_to(const struct print_sink *sink, const char *fmt, ...)
{
	char buf[PRINT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)print_vfmt(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (sink->cb != NULL)
		sink->cb(sink->arg, buf);
	else
		print_message(buf);
}

/* The whole line in one call, so that lines of several threads do not mix;
 * one too long is cut, but ends. */
static void
print_line(const char *fmt, va_list ap)
{
	char buf[PRINT_MAX];
	size_t n;

	n = print_fmt(buf, sizeof(buf), PRINT_PREFIX);
	n += print_vfmt(buf + n, sizeof(buf) - 1 - n, fmt, ap);
	buf[n++] = '\n';
	buf[n] = '\0';
	print_message(buf);
}

void
print_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(fmt, ap);
	va_end(ap);
}

/*
 * The application's malloc_message may itself run into what is fatal, as may
 * another thread: whoever comes second aborts without a word.
 */
DSM_COLD void
print_fatal(const char *fmt, ...)
{
	static bool dying;
	va_list ap;

	if (__atomic_exchange_n(&dying, true, __ATOMIC_RELAXED))
		os_abort();
	lock_die();
	va_start(ap, fmt);
	print_line(fmt, ap);
	va_end(ap);
	if (print_backtrace != NULL)
		print_backtrace();
	os_abort();
}

DSM_COLD void
dsm_assert_fail(const char *expr, const char *file, int line)
{

	print_fatal("%s:%d: Failed assertion: \"%s\"", file, line, expr);
}
