#include "base/url.h"

#include <string.h>

/* The first mistake sticks; parts are read left to right, each from its slice of the text. */
struct reader {
	struct arena *a;
	const char *text;
	struct why *why;
	enum err err;
};

static bool fail(struct reader *r, const char *at, const char *what) {
	if (!r->err) r->err = why_set(r->why, ERR_INVALID, "URL, character %zu: %s", (size_t)(at - r->text) + 1, what);
	return false;
}

static bool full(struct reader *r) {
	if (!r->err) r->err = why_set(r->why, ERR_NOMEM, "URL: out of memory");
	return false;
}

static bool is_alpha(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

static int hex_digit(char c) {
	if (is_digit(c)) return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that %41 at s.p[i] stands for, or -1. */
static int escaped(struct str s, size_t i) {
	if (s.n - i < 3) return -1;
	int high = hex_digit(s.p[i + 1]), low = hex_digit(s.p[i + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Copies with %41 as A. A control byte, however written, is refused: parts become C strings, header
 * lines and log fields. */
static bool decode(struct reader *r, struct str s, struct str *out) {
	char *to = arena_take(r->a, s.n + 1, 1);
	if (!to) return full(r);
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		bool percent = s.p[i] == '%';
		int c = percent ? escaped(s, i) : (unsigned char)s.p[i];
		if (c < 0) return fail(r, s.p + i, "'%' wants two hex digits after it");
		if (c < 0x20 || c == 0x7f) return fail(r, s.p + i, "control characters are not allowed");
		if (c == ' ' && !percent) return fail(r, s.p + i, "a space is written %20");
		if (c == '#' && !percent) return fail(r, s.p + i, "'#' is written %23");
		to[n++] = (char)c;
		if (percent) i += 2;
	}
	*out = (struct str){ to, n };
	if (!str_is_utf8(*out)) return fail(r, s.p, "this part is not UTF-8");
	return true;
}

static bool copy(struct reader *r, struct str s, struct str *out) {
	*out = str_copy(r->a, s);
	return out->p ? true : full(r);
}

/* Small letters, so that schemes compare as bytes. Leaves *rest after the colon. */
static bool scheme(struct reader *r, struct str text, struct str *out, struct str *rest) {
	struct str s;
	if (!str_cut(text, ':', &s, rest)) return fail(r, text.p, "a scheme such as 'https:' or 'memory:' is missing");
	if (!s.n || !is_alpha(*s.p)) return fail(r, text.p, "a scheme begins with a letter");
	char *to = arena_copy(r->a, s.p, s.n);
	if (!to) return full(r);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') {
			return fail(r, s.p + i, "a scheme is letters, digits, '+', '-' and '.'");
		}
		if (c >= 'A' && c <= 'Z') to[i] = (char)(c - 'A' + 'a');
	}
	*out = (struct str){ to, s.n };
	return true;
}

static bool port(struct reader *r, struct str s, int *out) {
	int v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i])) return fail(r, s.p + i, "a port is a number");
		v = v * 10 + (s.p[i] - '0');
		if (v > 65535) return fail(r, s.p, "a port is 1 to 65535");
	}
	if (v == 0) return fail(r, s.p, "a port is 1 to 65535");
	*out = v;
	return true;
}

/* "[::1]:80" into address and what follows the bracket. */
static bool bracketed(struct reader *r, struct str s, struct str *host, struct str *after) {
	struct str inner = { s.p + 1, s.n - 1 };
	if (!str_cut(inner, ']', host, after)) return fail(r, s.p, "']' is missing");
	if (!host->n) return fail(r, s.p, "an address is missing between '[' and ']'");
	for (size_t i = 0; i < host->n; i++) {
		char c = host->p[i];
		if (hex_digit(c) < 0 && c != ':' && c != '.') return fail(r, host->p + i, "not an IPv6 address");
	}
	if (after->n && *after->p != ':') return fail(r, after->p, "':' and a port, or '/', is expected here");
	return true;
}

static bool named(struct reader *r, struct str s, struct str *host, struct str *after) {
	const char *colon = s.n ? memchr(s.p, ':', s.n) : NULL;
	size_t n = colon ? (size_t)(colon - s.p) : s.n;
	*host = (struct str){ s.p, n };
	*after = (struct str){ s.p + n, s.n - n };
	for (size_t i = 0; i < n; i++) {
		char c = s.p[i];
		if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '.' && c != '_') {
			return fail(r, s.p + i, "a host is letters, digits, '-', '_' and '.'");
		}
	}
	if (!n && colon) return fail(r, s.p, "a host is missing before the port");
	return true;
}

static const char *last(struct str s, char c) {
	return s.n ? memrchr(s.p, c, s.n) : NULL;
}

static bool authority(struct reader *r, struct str s, struct url *u) {
	const char *sign = last(s, '@');
	if (sign) {
		struct str user = { s.p, (size_t)(sign - s.p) };
		if (!decode(r, user, &u->user)) return false;
		s = (struct str){ sign + 1, s.n - user.n - 1 };
		if (!s.n) return fail(r, sign, "a host is missing after '@'");
	}
	struct str host, after;
	bool ok = s.n && *s.p == '[' ? bracketed(r, s, &host, &after) : named(r, s, &host, &after);
	if (!ok || !copy(r, host, &u->host)) return false;
	return !after.n || port(r, (struct str){ after.p + 1, after.n - 1 }, &u->port);
}

static bool query(struct reader *r, struct str s, struct url *u) {
	u->params = arena_array(r->a, struct url_param, URL_PARAMS_MAX);
	if (!u->params) return full(r);
	for (struct str pair; s.n;) {
		str_cut(s, '&', &pair, &s);
		if (!pair.n) continue;
		if (u->param_count == URL_PARAMS_MAX) return fail(r, pair.p, "more than 64 parameters");
		struct str key, value;
		if (!str_cut(pair, '=', &key, &value)) value = (struct str){ pair.p + pair.n, 0 };
		if (!key.n) return fail(r, pair.p, "a key is missing before '='");
		struct url_param *p = &u->params[u->param_count];
		if (!decode(r, key, &p->key) || !decode(r, value, &p->value)) return false;
		u->param_count++;
	}
	return true;
}

static bool parse(struct reader *r, struct str text, struct url *u) {
	struct str rest, before, asked;
	if (!scheme(r, text, &u->scheme, &rest)) return false;
	bool has_query = str_cut(rest, '?', &before, &asked);
	if (str_starts(before, STR("//"))) {
		struct str name = { before.p + 2, before.n - 2 };
		const char *slash = name.n ? memchr(name.p, '/', name.n) : NULL;
		if (slash) name.n = (size_t)(slash - name.p);
		if (!authority(r, name, u)) return false;
		before = (struct str){ name.p + name.n, before.n - 2 - name.n };
	} else if (!copy(r, STR(""), &u->host)) {
		return false;
	}
	return decode(r, before, &u->path) && (!has_query || query(r, asked, u));
}

enum err url_parse(struct arena *a, struct str text, struct url *out, struct why *why) {
	struct reader r = { a, text.p, why, OK };
	if (text.n > URL_BYTES_MAX) return why_set(why, ERR_INVALID, "URL: longer than %zu bytes", URL_BYTES_MAX);
	struct url u = { 0 };
	if (!parse(&r, text, &u)) return r.err;
	*out = u;
	return OK;
}

struct str url_param(const struct url *u, const char *key) {
	for (size_t i = u->param_count; i > 0; i--) {
		if (str_is(u->params[i - 1].key, key)) return u->params[i - 1].value;
	}
	return (struct str){ NULL, 0 };
}
