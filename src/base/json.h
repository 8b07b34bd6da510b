/* JSON (RFC 8259) read into an arena, and written without one.
 *
 * The reader is strict and one pass: depth at most 64, no trailing bytes, valid UTF-8, duplicate
 * keys, lone surrogates, control bytes and \u0000 refused. Numbers keep their text beside the double,
 * so that nothing is lost on the way through; one past the largest double or longer than
 * STR_NUMBER_MAX is refused. Errors give the byte. Objects keep the order of their members. */
#pragma once

#include "base/clock.h"
#include "base/str.h"

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_kind kind;
	uint32_t at;     /* byte in the source where the value begins */
	uint32_t count;  /* children */
	struct str key;  /* of a member, decoded */
	struct str text; /* STRING: decoded; NUMBER: as written; others: the source slice */
	double number;   /* NUMBER */
	struct json *child, *next;
};

#define JSON_DEPTH_MAX 64

/* Values lie in `a` and may point into `text`, which must outlive them. ERR_INVALID names the byte
 * (from 0) and what was expected; ERR_TOO_LARGE: 4 GiB or more; ERR_NOMEM. */
MUST_USE enum err json_parse(struct arena *a, struct str text, const struct json **out, struct why *why);

/* Each takes NULL and answers as if absent, so that lookups can be chained. */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_get_str(const struct json *object, struct str key);
/* "metadata.labels.app": dots separate, a number is an array's index; a key with dots needs json_get. */
const struct json *json_path(const struct json *object, const char *path);
const struct json *json_at(const struct json *array, size_t index);
struct str json_str(const struct json *v); /* STRING, else {NULL,0} */
bool json_bool(const struct json *v, bool fallback);
/* NUMBER without a fraction (3, 3.0, 3e2), or STRING of digits. */
int64_t json_int(const struct json *v, int64_t fallback);
double json_double(const struct json *v, double fallback); /* NUMBER */
#define json_each(it, v) for (const struct json *it = (v) ? (v)->child : NULL; it; it = it->next)

/* Writing: commas and quotes are kept by the writer. Nesting errors are bugs (assert), but for a value
 * deeper than JSON_DEPTH_MAX, which a peer may cause: the buf's err is then ERR_TOO_LARGE. */
struct json_out {
	struct buf *buf;
	uint32_t depth;
	uint64_t comma;  /* bit d-1: the next value at depth d needs a comma */
	uint64_t object; /* bit d-1: what is open at depth d is an object */
	bool after_key;
};

struct json_out json_out(struct buf *buf);
void json_begin_object(struct json_out *o);
void json_end_object(struct json_out *o);
void json_begin_array(struct json_out *o);
void json_end_array(struct json_out *o);
void json_key(struct json_out *o, const char *key);
void json_key_str(struct json_out *o, struct str key);
void json_put_str(struct json_out *o, struct str s); /* invalid UTF-8 becomes U+FFFD */
void json_put_c(struct json_out *o, const char *c);  /* NULL: null */
void json_put_int(struct json_out *o, int64_t v);
void json_put_double(struct json_out *o, double v); /* shortest that reads back; NaN, inf: null */
void json_put_bool(struct json_out *o, bool v);
void json_put_null(struct json_out *o);
void json_put_raw(struct json_out *o, struct str json); /* one whole value, trusted */
/* As it was read, numbers by text, without spaces; NULL: null. */
void json_put_value(struct json_out *o, const struct json *v);
void json_put_wall(struct json_out *o, struct wall t);

/* key and value in one call. */
void json_kv_str(struct json_out *o, const char *key, struct str s);
void json_kv_c(struct json_out *o, const char *key, const char *c);
void json_kv_int(struct json_out *o, const char *key, int64_t v);
void json_kv_double(struct json_out *o, const char *key, double v);
void json_kv_bool(struct json_out *o, const char *key, bool v);
void json_kv_wall(struct json_out *o, const char *key, struct wall t);
