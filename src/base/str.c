#include "base/str.h"

#include <stdio.h>
#include <string.h>

struct str str_of(const char *c) {
	return (struct str){ c, c ? strlen(c) : 0 };
}

bool str_eq(struct str a, struct str b) {
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_is(struct str a, const char *c) {
	return str_eq(a, str_of(c));
}

int str_cmp(struct str a, struct str b) {
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool str_starts(struct str s, struct str prefix) {
	return s.n >= prefix.n && str_eq((struct str){ s.p, prefix.n }, prefix);
}

bool str_ends(struct str s, struct str suffix) {
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

bool str_cut(struct str s, char sep, struct str *head, struct str *tail) {
	const char *at = s.n ? memchr(s.p, sep, s.n) : NULL;
	size_t before = at ? (size_t)(at - s.p) : s.n;
	*head = (struct str){ s.p, before };
	*tail = at ? (struct str){ at + 1, s.n - before - 1 } : (struct str){ NULL, 0 };
	return at != NULL;
}

static bool is_space(char c) {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s) {
	while (s.n && is_space(s.p[s.n - 1])) s.n--;
	while (s.n && is_space(*s.p)) {
		s.p++;
		s.n--;
	}
	return s;
}

struct str str_copy(struct arena *a, struct str s) {
	char *p = arena_copy(a, s.p, s.n);
	return (struct str){ p, p ? s.n : 0 };
}

char *str_c(struct arena *a, struct str s) {
	return arena_copy(a, s.p, s.n);
}

struct str str_printf(struct arena *a, const char *fmt, ...) {
	char small[256];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0) return (struct str){ NULL, 0 };
	if ((size_t)n < sizeof small) return str_copy(a, (struct str){ small, (size_t)n });

	char *p = arena_take(a, (size_t)n + 1, 1);
	if (!p) return (struct str){ NULL, 0 };
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (struct str){ p, (size_t)n };
}

static bool follows(const unsigned char *p, size_t from, size_t n) {
	for (size_t i = from; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) return false;
	}
	return true;
}

/* Table 3-7 of the Unicode standard: no overlong form, no surrogate, nothing above U+10FFFF. */
size_t str_utf8(struct str s) {
	if (s.n == 0) return 0;
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char c = p[0];
	if (c < 0x80) return 1;
	if (c < 0xc2 || c > 0xf4) return 0;
	size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (s.n < n) return 0;
	unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return p[1] >= low && p[1] <= high && follows(p, 2, n) ? n : 0;
}

bool str_is_utf8(struct str s) {
	size_t i = 0;
	while (i < s.n) {
		uint64_t w;
		if (s.n - i >= 8 && (memcpy(&w, s.p + i, 8), !(w & UINT64_C(0x8080808080808080)))) {
			i += 8;
			continue;
		}
		size_t n = str_utf8((struct str){ s.p + i, s.n - i });
		if (!n) return false;
		i += n;
	}
	return true;
}

#define DISTANCE_MAX 32

size_t str_distance(struct str a, struct str b) {
	if (a.n > DISTANCE_MAX) a.n = DISTANCE_MAX;
	if (b.n > DISTANCE_MAX) b.n = DISTANCE_MAX;
	size_t row[DISTANCE_MAX + 1];
	for (size_t j = 0; j <= b.n; j++) row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t change = diagonal + (a.p[i - 1] != b.p[j - 1]);
			size_t drop = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			diagonal = row[j];
			row[j] = change < drop ? change : drop;
		}
	}
	return row[b.n];
}
