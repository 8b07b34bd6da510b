/* Protobuf's wire format, read and written by hand: a cursor over one message.
 *
 * No tables and no library: the reader of a message is a loop over wire_next and a switch on the
 * field's number, unknown numbers fall through. Whatever a peer sends, the cursor stays within its
 * slice; the first thing wrong sticks in `wrong` and ends the loop. Format: protobuf.dev,
 * "Encoding". Groups (wire types 3 and 4) do not exist in proto3 and are refused. */
#pragma once

#include <endian.h>
#include <string.h>

#include "base/str.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire {
	const unsigned char *p, *end;
	const char *wrong; /* a sentence's end: "a varint of more than ten bytes"; NULL: nothing so far */
};

struct wire_field {
	uint32_t number;
	enum wire_type type;
	uint64_t value;   /* VARINT, FIXED64, FIXED32 */
	struct str bytes; /* BYTES */
};

static inline struct wire wire_of(struct str bytes) {
	const unsigned char *p = (const unsigned char *)bytes.p;
	return (struct wire){ .p = p, .end = p ? p + bytes.n : p };
}

/* Marks the message as malformed and ends it; always false. */
static inline bool wire_fail(struct wire *w, const char *wrong) {
	if (!w->wrong) w->wrong = wrong;
	w->p = w->end;
	return false;
}

bool wire_varint_long(struct wire *w, uint64_t *out);

static inline bool wire_varint(struct wire *w, uint64_t *out) {
	const unsigned char *p = w->p;
	if (w->end - p >= 2) {
		if (p[0] < 0x80) {
			*out = p[0];
			w->p = p + 1;
			return true;
		}
		if (p[1] < 0x80) {
			*out = (p[0] & 0x7fu) | (uint64_t)p[1] << 7;
			w->p = p + 2;
			return true;
		}
	}
	return wire_varint_long(w, out);
}

static inline uint64_t wire_u64(const unsigned char *p) {
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return le64toh(v);
}

static inline bool wire_fixed64(struct wire *w, uint64_t *out) {
	if (w->end - w->p < 8) return wire_fail(w, "a number that is cut short");
	*out = wire_u64(w->p);
	w->p += 8;
	return true;
}

/* Steps over a whole 64-bit field whose tag is the one byte `tag`; false: something else comes. */
static inline bool wire_take64(struct wire *w, unsigned char tag, uint64_t *out) {
	if (w->end - w->p < 9 || *w->p != tag) return false;
	*out = wire_u64(w->p + 1);
	w->p += 9;
	return true;
}

/* The same for a field of bytes whose length is one byte. */
static inline bool wire_take_short(struct wire *w, unsigned char tag, struct str *out) {
	const unsigned char *p = w->p;
	if (w->end - p < 2 || p[0] != tag || p[1] >= 0x80 || w->end - p - 2 < p[1]) return false;
	*out = (struct str){ (const char *)p + 2, p[1] };
	w->p = p + 2 + p[1];
	return true;
}
#define WIRE_TAG(number, type) ((unsigned char)((number) << 3 | (type))) /* of numbers up to 15 */

static inline bool wire_fixed32(struct wire *w, uint64_t *out) {
	uint32_t v;
	if (w->end - w->p < 4) return wire_fail(w, "a number that is cut short");
	memcpy(&v, w->p, sizeof v);
	*out = le32toh(v);
	w->p += 4;
	return true;
}

static inline bool wire_bytes(struct wire *w, struct str *out) {
	uint64_t n;
	if (!wire_varint(w, &n)) return false;
	if (n > (uint64_t)(w->end - w->p)) return wire_fail(w, "a length past the end");
	*out = (struct str){ (const char *)w->p, (size_t)n };
	w->p += n;
	return true;
}

/* The next field. False: the end, or something is wrong. */
static inline __attribute__((always_inline)) bool wire_next(struct wire *w, struct wire_field *f) {
	uint64_t tag;
	if (w->p == w->end || !wire_varint(w, &tag)) return false;
	if (tag >> 3 == 0 || tag > UINT32_MAX) return wire_fail(w, "a field number out of range");
	f->number = (uint32_t)(tag >> 3);
	f->type = tag & 7;
	switch (f->type) {
	case WIRE_BYTES: return wire_bytes(w, &f->bytes);
	case WIRE_VARINT: return wire_varint(w, &f->value);
	case WIRE_FIXED64: return wire_fixed64(w, &f->value);
	case WIRE_FIXED32: return wire_fixed32(w, &f->value);
	}
	return wire_fail(w, "a wire type that proto3 does not have");
}

/* Is the field of the type that its number has? If not the message is malformed. */
static inline bool wire_is(struct wire *w, const struct wire_field *f, enum wire_type type) {
	return f->type == type || wire_fail(w, "a field of another wire type than its number has");
}

/* Are all bytes below 0x80? Then it is UTF-8, whatever is cut out of it. */
static inline bool wire_ascii(struct str s) {
	uint64_t all = 0, word;
	size_t i = 0;
	if (s.n < 8) {
		for (; i < s.n; i++) all |= (uint64_t)(unsigned char)s.p[i];
		return all < 0x80;
	}
	for (; i + 8 <= s.n; i += 8) {
		memcpy(&word, s.p + i, 8);
		all |= word;
	}
	memcpy(&word, s.p + s.n - 8, 8); /* the last eight, some of them again */
	return !((all | word) & UINT64_C(0x8080808080808080));
}

/* A string field: of type BYTES, and UTF-8. */
static inline bool wire_text(struct wire *w, const struct wire_field *f, struct str *out) {
	if (!wire_is(w, f, WIRE_BYTES)) return false;
	if (!wire_ascii(f->bytes) && !str_is_utf8(f->bytes)) return wire_fail(w, "a string that is not UTF-8");
	*out = f->bytes;
	return true;
}

static inline double wire_double(uint64_t bits) {
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

/* ---- writing: the answers are small, so these go through a buf ---- */

void wire_put_varint(struct buf *b, uint32_t number, uint64_t v);
void wire_put_bytes(struct buf *b, uint32_t number, struct str bytes);
void wire_put_fixed64(struct buf *b, uint32_t number, uint64_t v);
