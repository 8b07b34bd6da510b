/* Slices and growing buffers of bytes. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* A borrowed run of bytes, not closed by a NUL. {NULL, 0} is empty. */
struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_FMT      "%.*s"
#define STR_ARG(s)   (int)(s).n, (s).p ? (s).p : ""

struct str str_of(const char *c); /* NULL gives the empty slice */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *c);
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Splits at the first `sep`: true and both halves, or false and all of it in *head, *tail empty. */
bool str_cut(struct str s, char sep, struct str *head, struct str *tail);
struct str str_trim(struct str s);                  /* spaces, tabs, CR, LF at both ends */
struct str str_copy(struct arena *a, struct str s); /* {NULL,0} when the arena is full */
char *str_c(struct arena *a, struct str s);         /* closed by a NUL; NULL when full */
struct str str_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
bool str_int(struct str s, int64_t *out); /* whole slice, decimal, optional sign */
/* Whole slice; locale independent; no hexadecimal, no inf, no nan. False, too, for what no finite double
 * is near and for more than STR_NUMBER_MAX characters. */
bool str_double(struct str s, double *out);
#define STR_NUMBER_MAX 511
bool str_is_utf8(struct str s);
/* Bytes of the UTF-8 sequence that s begins with, 1..4; 0: empty or malformed. */
size_t str_utf8(struct str s);
/* Edit distance (Levenshtein) capped at 32 bytes each: for "did you mean". */
size_t str_distance(struct str a, struct str b);

/* A growing buffer. The first failure (ERR_TOO_LARGE: the limit; ERR_NOMEM) sticks in `err`; later
 * calls do nothing, so one check at the end is enough. Not closed by a NUL. Done by its owner. */
struct buf {
	char *p;
	size_t n, cap;
	size_t max; /* bytes; 0: none */
	enum err err;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* takes NULL */
void buf_clear(struct buf *b); /* empties it, forgets its failure, keeps its memory */
void buf_c(struct buf *b, const char *c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_int(struct buf *b, int64_t v);  /* in decimal: what "%" PRId64 writes, at a tenth of its price */
char *buf_grow(struct buf *b, size_t n); /* buf_room's way when there is no room yet */

/* Room for n more bytes, not yet counted; NULL on failure. These stand here, and not in buf.c, because
 * encoders add millions of small pieces: where there is room it is a comparison and a store. */
static inline char *buf_room(struct buf *b, size_t n) {
	return !b->err && n <= b->cap - b->n && b->p ? b->p + b->n : buf_grow(b, n);
}
static inline void buf_add(struct buf *b, const void *p, size_t n) {
	char *room = n ? buf_room(b, n) : NULL;
	if (!room) return;
	__builtin_memcpy(room, p, n);
	b->n += n;
}
static inline void buf_str(struct buf *b, struct str s) {
	buf_add(b, s.p, s.n);
}
static inline void buf_byte(struct buf *b, unsigned char c) {
	buf_add(b, &c, 1);
}
static inline struct str buf_get(const struct buf *b) {
	return (struct str){ b->p, b->n };
}

/* Hex of n bytes, 2n lower-case characters and a NUL. */
void hex_encode(const void *p, size_t n, char *out);
/* False unless s is 2n hex digits; then nothing is written. */
bool hex_decode(struct str s, void *out, size_t n);
/* Standard base64 (RFC 4648 section 4). Decoding takes both padded and unpadded, and appends;
 * ERR_INVALID (also for stray bits in the last character) leaves `out` as it was. */
void base64_encode(struct buf *out, struct str in);
enum err base64_decode(struct buf *out, struct str in);
