// SPDX-License-Identifier: BSD-2-Clause
// printf-style formatting into a buffer.
// Specs: [C11] "The fprintf function" (the conversions that fmt.h lists).
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"

struct out {
	char *buf;
	size_t size, len;
};

struct spec {
	bool left, zero, alt, plus;
	bool has_precision;
	size_t width, precision;
	unsigned bytes; /* of the integer argument after the conversion: 1, 2, 4, 8 */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size) {
		o->buf[o->len] = c;
	}
	o->len++;
}

static void pad(struct out *o, char c, size_t n)
{
	while (n > 0) {
		put(o, c);
		n--;
	}
}

static void put_field(struct out *o, const struct spec *s, const char *text, size_t n)
{
	size_t fill = s->width > n ? s->width - n : 0;

	if (!s->left) {
		pad(o, ' ', fill);
	}
	for (size_t i = 0; i < n; i++) {
		put(o, text[i]);
	}
	if (s->left) {
		pad(o, ' ', fill);
	}
}

static void put_number(struct out *o, const struct spec *s, const char *prefix, uint64_t value,
        unsigned base, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	size_t n = 0, zeros = 0, prefix_len = strlen(prefix), total, fill;

	while (value != 0) {
		text[n++] = digits[value % base];
		value /= base;
	}
	if (s->has_precision) {
		zeros = s->precision > n ? s->precision - n : 0;
	} else if (n == 0) {
		zeros = 1;
	}
	total = prefix_len + zeros + n;
	fill = s->width > total ? s->width - total : 0;
	if (s->zero && !s->left && !s->has_precision) {
		zeros += fill;
		fill = 0;
	}
	if (!s->left) {
		pad(o, ' ', fill);
	}
	for (size_t i = 0; i < prefix_len; i++) {
		put(o, prefix[i]);
	}
	pad(o, '0', zeros);
	while (n > 0) {
		put(o, text[--n]);
	}
	if (s->left) {
		pad(o, ' ', fill);
	}
}

/* Decimal digits at *fmt; saturates far beyond any sensible field. */
static size_t parse_size(const char **fmt)
{
	size_t n = 0;

	while (**fmt >= '0' && **fmt <= '9') {
		if (n < 100000) {
			n = n * 10 + (size_t)(**fmt - '0');
		}
		(*fmt)++;
	}
	return n;
}

static const char *parse_flags(const char *p, struct spec *s)
{
	for (;; p++) {
		if (*p == '-') {
			s->left = true;
		} else if (*p == '0') {
			s->zero = true;
		} else if (*p == '#') {
			s->alt = true;
		} else if (*p == '+') {
			s->plus = true;
		} else {
			return p;
		}
	}
}

static const char *parse_length(const char *p, struct spec *s)
{
	s->bytes = 4;
	if (p[0] == 'h' && p[1] == 'h') {
		s->bytes = 1;
		return p + 2;
	}
	if (p[0] == 'h') {
		s->bytes = 2;
		return p + 1;
	}
	if (p[0] == 'l' && p[1] == 'l') {
		s->bytes = 8;
		return p + 2;
	}
	if (p[0] == 'l' || p[0] == 'z' || p[0] == 'j' || p[0] == 't') {
		s->bytes = 8;
		return p + 1;
	}
	return p;
}

static void put_signed(struct out *o, const struct spec *s, int64_t v)
{
	if (s->bytes == 1) {
		v = (int8_t)v;
	} else if (s->bytes == 2) {
		v = (int16_t)v;
	}
	put_number(o, s,
	        v < 0     ? "-"
	        : s->plus ? "+"
	                  : "",
	        v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, false);
}

static void put_unsigned(struct out *o, const struct spec *s, uint64_t v, char conv)
{
	if (s->bytes < 8) {
		v &= (1ULL << (8 * s->bytes)) - 1;
	}
	if (conv == 'u') {
		put_number(o, s, "", v, 10, false);
	} else {
		const char *prefix = s->alt && v != 0 ? conv == 'x' ? "0x" : "0X" : "";

		put_number(o, s, prefix, v, 16, conv == 'X');
	}
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
	if (!text) {
		text = "(null)";
	}
	put_field(o, s, text, s->has_precision ? strnlen(text, s->precision) : strlen(text));
}

size_t fmt_vprint(char *buf, size_t size, const char *fmt, va_list ap_in)
{
	struct out o = {.buf = buf, .size = size};
	va_list ap;

	va_copy(ap, ap_in);
	while (*fmt != '\0') {
		const char *start = fmt;
		struct spec s = {0};
		char c;

		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt = parse_flags(fmt + 1, &s);
		if (*fmt == '*') {
			int w = va_arg(ap, int);

			s.left |= w < 0;
			s.width = w < 0 ? 0U - (unsigned)w : (unsigned)w;
			fmt++;
		} else {
			s.width = parse_size(&fmt);
		}
		if (*fmt == '.') {
			fmt++;
			if (*fmt == '*') {
				int p = va_arg(ap, int);

				s.has_precision = p >= 0;
				s.precision = p >= 0 ? (unsigned)p : 0;
				fmt++;
			} else {
				s.has_precision = true;
				s.precision = parse_size(&fmt);
			}
		}
		fmt = parse_length(fmt, &s);
		switch (*fmt) {
		case 'd':
		case 'i':
			put_signed(
			        &o, &s, s.bytes == 8 ? va_arg(ap, int64_t) : va_arg(ap, int32_t));
			break;
		case 'u':
		case 'x':
		case 'X':
			put_unsigned(&o, &s,
			        s.bytes == 8 ? va_arg(ap, uint64_t) : va_arg(ap, uint32_t), *fmt);
			break;
		case 'p':
			put_number(&o, &s, "0x", (uintptr_t)va_arg(ap, void *), 16, false);
			break;
		case 'c':
			c = (char)va_arg(ap, int);
			put_field(&o, &s, &c, 1);
			break;
		case 's':
			put_string(&o, &s, va_arg(ap, const char *));
			break;
		case '%':
			put(&o, '%');
			break;
		default:
			/* Not ours: as it stands. A string that ends here ends the loop. */
			for (; start < fmt; start++) {
				put(&o, *start);
			}
			if (*fmt == '\0') {
				continue;
			}
			put(&o, *fmt);
			break;
		}
		fmt++;
	}
	va_end(ap);
	if (size > 0) {
		buf[o.len < size ? o.len : size - 1] = '\0';
	}
	return o.len;
}

size_t fmt_print(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = fmt_vprint(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
