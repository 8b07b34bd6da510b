/* The growing buffer of str.h, and the two encodings that fill it. */
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 64

void buf_init(struct buf *b, size_t max) {
	*b = (struct buf){ .max = max };
}

void buf_done(struct buf *b) {
	if (!b) return;
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b) {
	b->n = 0;
	b->err = OK;
}

static bool grow(struct buf *b, size_t need) {
	size_t cap = b->cap < BUF_FIRST ? BUF_FIRST : b->cap;
	while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (b->max && cap > b->max) cap = b->max;
	char *p = realloc(b->p, cap);
	if (!p) {
		b->err = ERR_NOMEM;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

char *buf_grow(struct buf *b, size_t n) {
	if (b->err) return NULL;
	if (n > SIZE_MAX - b->n || (b->max && b->n + n > b->max)) {
		b->err = ERR_TOO_LARGE;
		return NULL;
	}
	size_t need = b->n + n;
	if ((need > b->cap || !b->p) && !grow(b, need)) return NULL;
	return b->p + b->n;
}

void buf_c(struct buf *b, const char *c) {
	if (c) buf_add(b, c, strlen(c));
}

void buf_int(struct buf *b, int64_t v) {
	char digits[20], *end = digits + sizeof digits, *p = end;
	uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do *--p = (char)('0' + left % 10);
	while ((left /= 10) != 0);
	if (v < 0) *--p = '-';
	buf_add(b, p, (size_t)(end - p));
}

void buf_printf(struct buf *b, const char *fmt, ...) {
	char small[256];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0) {
		if (!b->err) b->err = ERR_INVALID;
		return;
	}
	if ((size_t)n < sizeof small) {
		buf_add(b, small, (size_t)n);
		return;
	}
	char *text = malloc((size_t)n + 1);
	if (!text) {
		if (!b->err) b->err = ERR_NOMEM;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_add(b, text, (size_t)n);
	free(text);
}

void hex_encode(const void *p, size_t n, char *out) {
	const unsigned char *b = p;
	for (size_t i = 0; i < n; i++) {
		*out++ = "0123456789abcdef"[b[i] >> 4];
		*out++ = "0123456789abcdef"[b[i] & 15];
	}
	*out = '\0';
}

static int nibble(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

bool hex_decode(struct str s, void *out, size_t n) {
	if (s.n / 2 != n || s.n % 2) return false;
	for (size_t i = 0; i < s.n; i++) {
		if (nibble(s.p[i]) < 0) return false;
	}
	unsigned char *b = out;
	for (size_t i = 0; i < n; i++) b[i] = (unsigned char)(nibble(s.p[2 * i]) << 4 | nibble(s.p[2 * i + 1]));
	return true;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct str in) {
	if (in.n > SIZE_MAX / 2) {
		if (!out->err) out->err = ERR_TOO_LARGE;
		return;
	}
	size_t chars = (in.n + 2) / 3 * 4;
	char *room = buf_room(out, chars);
	if (!room) return;
	for (size_t i = 0; i < in.n; i += 3) {
		const unsigned char *b = (const unsigned char *)in.p + i;
		size_t left = in.n - i;
		unsigned v = (unsigned)b[0] << 16 | (left > 1 ? (unsigned)b[1] << 8 : 0) | (left > 2 ? b[2] : 0);
		*room++ = alphabet[v >> 18];
		*room++ = alphabet[v >> 12 & 63];
		*room++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
		*room++ = left > 2 ? alphabet[v & 63] : '=';
	}
	out->n += chars;
}

static int sextet(char c) {
	if (c >= 'A' && c <= 'Z') return c - 'A';
	if (c >= 'a' && c <= 'z') return c - 'a' + 26;
	if (c >= '0' && c <= '9') return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The characters that carry bits: padding taken off. False: padding that does not fit. */
static bool unpad(struct str *in) {
	size_t pad = 0;
	while (pad < 2 && in->n > pad && in->p[in->n - 1 - pad] == '=') pad++;
	if (pad && in->n % 4) return false;
	in->n -= pad;
	return in->n % 4 != 1;
}

enum err base64_decode(struct buf *out, struct str in) {
	if (out->err) return out->err;
	if (!unpad(&in)) return ERR_INVALID;
	size_t bytes = in.n / 4 * 3 + (in.n % 4 ? in.n % 4 - 1 : 0);
	unsigned char *to = (unsigned char *)buf_room(out, bytes);
	if (!to) return out->err;
	unsigned bits = 0, have = 0;
	for (size_t i = 0; i < in.n; i++) {
		int v = sextet(in.p[i]);
		if (v < 0) return ERR_INVALID;
		bits = (bits << 6 | (unsigned)v) & 0xffff;
		have += 6;
		if (have < 8) continue;
		have -= 8;
		*to++ = (unsigned char)(bits >> have);
	}
	if (bits & ((1u << have) - 1)) return ERR_INVALID; /* one text, one meaning */
	out->n += bytes;
	return OK;
}
