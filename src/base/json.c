/* Reading; json_out.c writes. */
#include "base/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct reader {
	struct arena *a;
	const char *base, *p, *end;
	struct why *why;
	enum err err;
	unsigned depth;
	struct json *nodes; /* a block of them, to spare calls */
	size_t nodes_left;
	const struct json **seen; /* duplicate_key's table, malloc'd, reused */
	size_t seen_cap;
	uint64_t seed;
};

static bool fail(struct reader *r, const char *at, const char *what) {
	if (!r->err) r->err = why_set(r->why, ERR_INVALID, "JSON, byte %zu: %s", (size_t)(at - r->base), what);
	return false;
}

static bool full(struct reader *r) {
	if (!r->err) r->err = why_set(r->why, ERR_NOMEM, "JSON: out of memory at byte %zu", (size_t)(r->p - r->base));
	return false;
}

/* -1 at the end. */
static inline int peek(const struct reader *r) {
	return r->p < r->end ? (unsigned char)*r->p : -1;
}

static inline void space(struct reader *r) {
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')) r->p++;
}

static bool expected(struct reader *r, const char *what, const char *cut) {
	return fail(r, r->p, r->p < r->end ? what : cut);
}

static struct json *node(struct reader *r) {
	if (!r->nodes_left) {
		size_t left = (size_t)(r->end - r->p) / 32; /* a value in 32 bytes is about usual */
		size_t n = left < 4 ? 4 : left > 64 ? 64 : left;
		r->nodes = arena_array(r->a, struct json, n);
		if (!r->nodes) {
			full(r);
			return NULL;
		}
		r->nodes_left = n;
	}
	r->nodes_left--;
	return r->nodes++;
}

/* Whether a byte ends a run of plain characters: quote, backslash, control, not ASCII. */
static inline bool special(unsigned char c) {
	return c < 0x20 || c == '"' || c == '\\' || c >= 0x80;
}

/* Eight bytes at a time: the top bit of a difference marks a quote, a backslash, a control or a byte of 0x80
 * and above. A borrow may change the marks after the first special byte, never the first. */
static const char *plain(const char *p, const char *end) {
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	for (uint64_t w; end - p >= 8; p += 8) {
		memcpy(&w, p, 8);
		uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
		if (((quote - ones) | (slash - ones) | (w - ones * 0x20)) & tops) break;
	}
	while (p < end && !special((unsigned char)*p)) p++;
	return p;
}

/* From the opening quote's successor to the first quote or backslash, everything before it checked. */
static bool clean_run(struct reader *r, const char **p) {
	for (;;) {
		*p = plain(*p, r->end);
		if (*p == r->end) return fail(r, *p, "a string does not end");
		unsigned char c = (unsigned char)**p;
		if (c == '"' || c == '\\') return true;
		if (c < 0x20) return fail(r, *p, "a control character in a string is written \\u00..");
		size_t n = str_utf8((struct str){ *p, (size_t)(r->end - *p) });
		if (!n) return fail(r, *p, "not UTF-8");
		*p += n;
	}
}

static int hex(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits at p, or -1. */
static int32_t unit(const struct reader *r, const char *p) {
	int32_t v = 0;
	if (r->end - p < 4) return -1;
	for (int i = 0; i < 4; i++) {
		int h = hex(p[i]);
		if (h < 0) return -1;
		v = v << 4 | h;
	}
	return v;
}

static size_t put_utf8(char *to, uint32_t c) {
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = n - 1; i > 0; i--, c >>= 6) to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)(lead[n] | c);
	return n;
}

/* At a "\u": one character, of one unit or of two surrogates. 0: refused. */
static size_t unicode(struct reader *r, const char **p, char *to) {
	int32_t c = unit(r, *p + 2), low = -1;
	if (c < 0) return fail(r, *p, "\\u wants four hex digits");
	if (c == 0) return fail(r, *p, "\\u0000 is not allowed");
	size_t n = 6;
	if (c >= 0xd800 && c < 0xe000) {
		bool pair = c < 0xdc00 && r->end - *p >= 12 && (*p)[6] == '\\' && (*p)[7] == 'u';
		if (pair) low = unit(r, *p + 8);
		if (low < 0xdc00 || low > 0xdfff) return fail(r, *p, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		n = 12;
	}
	*p += n;
	return put_utf8(to, (uint32_t)c);
}

/* At a backslash; the character it stands for goes to `to`. 0: refused. */
static size_t escape(struct reader *r, const char **p, char *to) {
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	if (r->end - *p < 2) return fail(r, *p, "a string does not end");
	char c = (*p)[1];
	if (c == 'u') return unicode(r, p, to);
	const char *at = c ? strchr(from, c) : NULL;
	if (!at) return fail(r, *p, "no such escape");
	*to = into[at - from];
	*p += 2;
	return 1;
}

/* The closing quote of a string that has a backslash at p; the end when it has none. */
static const char *closing(const struct reader *r, const char *p) {
	while (p < r->end && *p != '"') p += *p == '\\' && r->end - p > 1 ? 2 : 1;
	return p;
}

/* The slow way, for strings with escapes: decoded text is never longer than written. */
static bool decoded(struct reader *r, const char *from, const char *at, struct str *out) {
	char *to = arena_take(r->a, (size_t)(closing(r, at) - from) + 1, 1);
	if (!to) return full(r);
	*out = (struct str){ to, 0 };
	for (;;) {
		memcpy(to, from, (size_t)(at - from));
		to += at - from;
		if (*at == '"') break;
		size_t n = escape(r, &at, to);
		if (!n) return false;
		to += n;
		from = at;
		if (!clean_run(r, &at)) return false;
	}
	out->n = (size_t)(to - out->p);
	r->p = at + 1;
	return true;
}

static bool string(struct reader *r, struct str *out) {
	const char *from = r->p + 1, *at = from;
	if (!clean_run(r, &at)) return false;
	if (*at == '\\') return decoded(r, from, at, out);
	*out = (struct str){ from, (size_t)(at - from) };
	r->p = at + 1;
	return true;
}

static size_t digits(struct reader *r) {
	const char *from = r->p;
	while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
	return (size_t)(r->p - from);
}

static bool number(struct reader *r, struct json *v) {
	const char *from = r->p;
	if (*r->p == '-') r->p++;
	const char *first = r->p;
	size_t n = digits(r);
	if (!n) return expected(r, "a digit is expected", "a number does not end");
	if (n > 1 && *first == '0') return fail(r, first, "a number does not begin with 0");
	if (peek(r) == '.') {
		r->p++;
		if (!digits(r)) return expected(r, "a digit is expected after the point", "a number does not end");
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->p++;
		if (peek(r) == '+' || peek(r) == '-') r->p++;
		if (!digits(r)) return expected(r, "a digit is expected in the exponent", "a number does not end");
	}
	v->kind = JSON_NUMBER;
	v->text = (struct str){ from, (size_t)(r->p - from) };
	return str_double(v->text, &v->number) ? true : fail(r, from, "a number too large or too long");
}

static bool word(struct reader *r, struct json *v, struct str name, enum json_kind kind) {
	struct str rest = { r->p, (size_t)(r->end - r->p) };
	if (!str_starts(rest, name)) return fail(r, r->p, "a value is expected");
	v->kind = kind;
	v->text = (struct str){ r->p, name.n };
	r->p += name.n;
	return true;
}

static bool twice(struct reader *r, const struct json *m) {
	struct str key = m->key;
	int shown = (int)(key.n < 64 ? key.n : 64);
	if (!r->err)
		r->err = why_set(r->why, ERR_INVALID, "JSON, byte %u: the key '%.*s' of this value stands here twice", m->at,
		                 shown, key.p);
	return false;
}

#define FEW 12 /* members that are compared each with each */

/* Length and last byte tell most keys apart. */
static bool same_key(struct str a, struct str b) {
	if (a.n != b.n) return false;
	return a.n == 0 || (a.p[a.n - 1] == b.p[b.n - 1] && memcmp(a.p, b.p, a.n) == 0);
}

static bool few_unique(struct reader *r, const struct json *object) {
	for (const struct json *m = object->child; m; m = m->next) {
		for (const struct json *other = object->child; other != m; other = other->next) {
			if (same_key(m->key, other->key)) return twice(r, m);
		}
	}
	return true;
}

/* An empty table of at least twice `members` places. */
static bool seen_clear(struct reader *r, size_t members) {
	size_t cap = 64;
	while (cap < members * 2) cap *= 2;
	if (cap > r->seen_cap) {
		const struct json **seen = realloc(r->seen, cap * sizeof *seen);
		if (!seen) return full(r);
		r->seen = seen;
		r->seen_cap = cap;
	}
	memset(r->seen, 0, cap * sizeof *r->seen);
	return true;
}

/* Hashed with a seed out of the text itself, so that keys cannot be chosen to collide. */
static bool many_unique(struct reader *r, const struct json *object) {
	if (!r->seed) r->seed = XXH3_64bits(r->base, (size_t)(r->end - r->base)) | 1;
	if (!seen_clear(r, object->count)) return false;
	size_t cap = 64;
	while (cap < (size_t)object->count * 2) cap *= 2;
	for (const struct json *m = object->child; m; m = m->next) {
		size_t s = XXH3_64bits_withSeed(m->key.p, m->key.n, r->seed) & (cap - 1);
		for (; r->seen[s]; s = (s + 1) & (cap - 1)) {
			if (str_eq(r->seen[s]->key, m->key)) return twice(r, m);
		}
		r->seen[s] = m;
	}
	return true;
}

static bool value(struct reader *r, struct json *v);

/* After a child: true and *more, or the end of the array or object. */
static bool separator(struct reader *r, char close, bool *more) {
	space(r);
	int c = peek(r);
	*more = c == ',';
	if (c != ',' && c != close) {
		return close == ']' ? expected(r, "',' or ']' is expected", "an array does not end")
		                    : expected(r, "',' or '}' is expected", "an object does not end");
	}
	r->p++;
	return true;
}

static bool array(struct reader *r, struct json *v) {
	struct json **link = &v->child;
	r->p++;
	space(r);
	bool more = peek(r) != ']';
	if (!more) r->p++;
	while (more) {
		space(r);
		struct json *child = node(r);
		if (!child || !value(r, child) || !separator(r, ']', &more)) return false;
		*link = child;
		link = &child->next;
		v->count++;
	}
	return true;
}

static bool member(struct reader *r, struct json *m) {
	space(r);
	if (peek(r) != '"') return expected(r, "a key in quotes is expected", "an object does not end");
	if (!string(r, &m->key)) return false;
	space(r);
	if (peek(r) != ':') return expected(r, "':' is expected", "an object does not end");
	r->p++;
	space(r);
	return value(r, m);
}

static bool object(struct reader *r, struct json *v) {
	struct json **link = &v->child;
	r->p++;
	space(r);
	bool more = peek(r) != '}';
	if (!more) r->p++;
	while (more) {
		struct json *child = node(r);
		if (!child || !member(r, child) || !separator(r, '}', &more)) return false;
		*link = child;
		link = &child->next;
		v->count++;
	}
	return v->count <= FEW ? few_unique(r, v) : many_unique(r, v);
}

static bool nested(struct reader *r, struct json *v) {
	const char *from = r->p;
	if (r->depth == JSON_DEPTH_MAX) return fail(r, from, "nested more than 64 deep");
	r->depth++;
	bool is_array = *from == '[';
	v->kind = is_array ? JSON_ARRAY : JSON_OBJECT;
	if (!(is_array ? array(r, v) : object(r, v))) return false;
	r->depth--;
	v->text = (struct str){ from, (size_t)(r->p - from) };
	return true;
}

/* At the first byte of a value. */
static bool value(struct reader *r, struct json *v) {
	v->at = (uint32_t)(r->p - r->base);
	switch (peek(r)) {
	case '"': v->kind = JSON_STRING; return string(r, &v->text);
	case '{':
	case '[': return nested(r, v);
	case 't': return word(r, v, STR("true"), JSON_TRUE);
	case 'f': return word(r, v, STR("false"), JSON_FALSE);
	case 'n': return word(r, v, STR("null"), JSON_NULL);
	case '-':
	case '0' ... '9': return number(r, v);
	default: return expected(r, "a value is expected", "a value is expected, the text ends");
	}
}

enum err json_parse(struct arena *a, struct str text, const struct json **out, struct why *why) {
	if (text.n >= UINT32_MAX) return why_set(why, ERR_TOO_LARGE, "JSON: 4 GiB or more");
	const char *p = text.p ? text.p : "";
	struct reader r = { .a = a, .base = p, .p = p, .end = p + text.n, .why = why };
	space(&r);
	struct json *v = node(&r);
	bool ok = v && value(&r, v);
	space(&r);
	if (ok && r.p < r.end) fail(&r, r.p, "nothing more is expected after the value");
	free(r.seen);
	if (r.err) return r.err;
	*out = v;
	return OK;
}

const struct json *json_get_str(const struct json *object, struct str key) {
	if (!object || object->kind != JSON_OBJECT) return NULL;
	json_each(m, object) {
		if (str_eq(m->key, key)) return m;
	}
	return NULL;
}

const struct json *json_get(const struct json *object, const char *key) {
	return json_get_str(object, str_of(key));
}

const struct json *json_at(const struct json *array, size_t index) {
	if (!array || array->kind != JSON_ARRAY || index >= array->count) return NULL;
	json_each(v, array) {
		if (index-- == 0) return v;
	}
	return NULL;
}

const struct json *json_path(const struct json *object, const char *path) {
	struct str part, rest = str_of(path);
	bool more = true;
	while (more && object) {
		int64_t index;
		more = str_cut(rest, '.', &part, &rest);
		if (object->kind == JSON_ARRAY)
			object = str_int(part, &index) && index >= 0 ? json_at(object, (size_t)index) : NULL;
		else
			object = json_get_str(object, part);
	}
	return object;
}

struct str json_str(const struct json *v) {
	return v && v->kind == JSON_STRING ? v->text : (struct str){ NULL, 0 };
}

bool json_bool(const struct json *v, bool fallback) {
	if (!v || (v->kind != JSON_TRUE && v->kind != JSON_FALSE)) return fallback;
	return v->kind == JSON_TRUE;
}

int64_t json_int(const struct json *v, int64_t fallback) {
	int64_t i;
	if (!v || (v->kind != JSON_NUMBER && v->kind != JSON_STRING)) return fallback;
	if (str_int(v->text, &i)) return i;
	if (v->kind == JSON_STRING || !(v->number >= -0x1p63 && v->number < 0x1p63)) return fallback;
	i = (int64_t)v->number;
	return (double)i == v->number ? i : fallback;
}

double json_double(const struct json *v, double fallback) {
	return v && v->kind == JSON_NUMBER ? v->number : fallback;
}
