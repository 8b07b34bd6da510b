/* Writing JSON; json.c reads. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

struct json_out json_out(struct buf *buf) {
	return (struct json_out){ .buf = buf };
}

static bool counted(const struct json_out *o) {
	return o->depth >= 1 && o->depth <= JSON_DEPTH_MAX;
}

static uint64_t bit(const struct json_out *o) {
	return UINT64_C(1) << (o->depth - 1);
}

/* Before every key, and every value that has none. */
static void comma(struct json_out *o) {
	if (!counted(o)) return;
	if (o->comma & bit(o)) buf_byte(o->buf, ',');
	o->comma |= bit(o);
}

static void before_value(struct json_out *o) {
	assert(o->after_key == (counted(o) && (o->object & bit(o))) || o->depth > JSON_DEPTH_MAX);
	if (!o->after_key) comma(o);
	o->after_key = false;
}

static void begin(struct json_out *o, bool object) {
	before_value(o);
	buf_byte(o->buf, object ? '{' : '[');
	o->depth++;
	if (!counted(o)) {
		if (!o->buf->err) o->buf->err = ERR_TOO_LARGE;
		return;
	}
	o->comma &= ~bit(o);
	o->object = object ? o->object | bit(o) : o->object & ~bit(o);
}

static void end(struct json_out *o, bool object) {
	assert(o->depth > 0 && !o->after_key);
	assert(!counted(o) || !!(o->object & bit(o)) == object);
	buf_byte(o->buf, object ? '}' : ']');
	o->depth--;
}

void json_begin_object(struct json_out *o) {
	begin(o, true);
}
void json_end_object(struct json_out *o) {
	end(o, true);
}
void json_begin_array(struct json_out *o) {
	begin(o, false);
}
void json_end_array(struct json_out *o) {
	end(o, false);
}

static bool must_escape(unsigned char c) {
	return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

/* Bytes that go out as they are: not to be escaped, valid UTF-8. */
static size_t verbatim(struct str s) {
	size_t i = 0;
	while (i < s.n && !must_escape((unsigned char)s.p[i])) {
		size_t n = (unsigned char)s.p[i] < 0x80 ? 1 : str_utf8((struct str){ s.p + i, s.n - i });
		if (!n) break;
		i += n;
	}
	return i;
}

static void escaped(struct buf *b, unsigned char c) {
	static const char from[] = "\"\\\b\f\n\r\t", into[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;
	if (at) {
		buf_add(b, (char[]){ '\\', into[at - from] }, 2);
	} else if (c < 0x80) {
		char text[8];
		snprintf(text, sizeof text, "\\u%04x", c);
		buf_add(b, text, 6);
	} else {
		buf_c(b, "\xef\xbf\xbd"); /* U+FFFD */
	}
}

static void quoted(struct buf *b, struct str s) {
	buf_byte(b, '"');
	while (s.n) {
		size_t n = verbatim(s);
		buf_add(b, s.p, n);
		if (n < s.n) escaped(b, (unsigned char)s.p[n++]);
		s.p += n;
		s.n -= n;
	}
	buf_byte(b, '"');
}

void json_key_str(struct json_out *o, struct str key) {
	assert(!o->after_key && (!counted(o) || (o->object & bit(o))));
	comma(o);
	quoted(o->buf, key);
	buf_byte(o->buf, ':');
	o->after_key = true;
}

void json_key(struct json_out *o, const char *key) {
	json_key_str(o, str_of(key));
}

void json_put_str(struct json_out *o, struct str s) {
	before_value(o);
	quoted(o->buf, s);
}

void json_put_raw(struct json_out *o, struct str json) {
	before_value(o);
	buf_str(o->buf, json);
}

void json_put_null(struct json_out *o) {
	json_put_raw(o, STR("null"));
}
void json_put_bool(struct json_out *o, bool v) {
	json_put_raw(o, v ? STR("true") : STR("false"));
}

void json_put_c(struct json_out *o, const char *c) {
	if (c)
		json_put_str(o, str_of(c));
	else
		json_put_null(o);
}

void json_put_int(struct json_out *o, int64_t v) {
	char text[24], *p = text + sizeof text;
	uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do {
		*--p = (char)('0' + left % 10);
		left /= 10;
	} while (left);
	if (v < 0) *--p = '-';
	json_put_raw(o, (struct str){ p, (size_t)(text + sizeof text - p) });
}

void json_put_double(struct json_out *o, double v) {
	char text[32];
	if (!isfinite(v)) {
		json_put_null(o);
		return;
	}
	if (fabs(v) < 1e15 && v == (double)(int64_t)v && (v != 0 || !signbit(v))) {
		json_put_int(o, (int64_t)v);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		double back;
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (str_double(str_of(text), &back) && back == v) break;
	}
	json_put_raw(o, str_of(text));
}

void json_put_wall(struct json_out *o, struct wall t) {
	char text[32];
	wall_format(t, text);
	json_put_c(o, text);
}

static void put_children(struct json_out *o, const struct json *v) {
	bool object = v->kind == JSON_OBJECT;
	begin(o, object);
	json_each(child, v) {
		if (object) json_key_str(o, child->key);
		json_put_value(o, child);
	}
	end(o, object);
}

void json_put_value(struct json_out *o, const struct json *v) {
	switch (v ? v->kind : JSON_NULL) {
	case JSON_NULL: json_put_null(o); break;
	case JSON_FALSE: json_put_bool(o, false); break;
	case JSON_TRUE: json_put_bool(o, true); break;
	case JSON_NUMBER: json_put_raw(o, v->text); break;
	case JSON_STRING: json_put_str(o, v->text); break;
	case JSON_ARRAY:
	case JSON_OBJECT: put_children(o, v); break;
	}
}

void json_kv_str(struct json_out *o, const char *key, struct str s) {
	json_key(o, key);
	json_put_str(o, s);
}

void json_kv_c(struct json_out *o, const char *key, const char *c) {
	json_key(o, key);
	json_put_c(o, c);
}

void json_kv_int(struct json_out *o, const char *key, int64_t v) {
	json_key(o, key);
	json_put_int(o, v);
}

void json_kv_double(struct json_out *o, const char *key, double v) {
	json_key(o, key);
	json_put_double(o, v);
}

void json_kv_bool(struct json_out *o, const char *key, bool v) {
	json_key(o, key);
	json_put_bool(o, v);
}

void json_kv_wall(struct json_out *o, const char *key, struct wall t) {
	json_key(o, key);
	json_put_wall(o, t);
}
