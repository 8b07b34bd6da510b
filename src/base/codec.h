/* The byte format of everything we save or pass between our own processes.
 *
 * Little-endian, IEEE 754 doubles, counted strings, on every machine. A record begins with a
 * four-letter kind and a version; a reader refuses what it does not know by name (ERR_VERSION) and
 * what is damaged (ERR_CORRUPT: length or CRC-32C), and never reads past the end: the first error
 * sticks and every later read gives zero. See docs/design for the rules on versions. */
#pragma once

#include <endian.h>
#include <string.h>

#include "base/str.h"

struct enc {
	struct buf *buf;
	size_t start; /* where the record began */
};

/* header: kind[4], u16 version, u16 zero, u32 payload length, u32 CRC-32C of these 12 bytes and the
 * payload. Failures stick in the buf: ERR_TOO_LARGE past its limit or 4 GiB, ERR_NOMEM. */
struct enc enc_begin(struct buf *buf, const char kind[4], uint16_t version);
void enc_end(struct enc *e); /* fills length and CRC */

/* The numbers stand here, not in codec.c: a checkpoint is made of millions of them, and in place each is a
 * comparison and a store. */
static inline void enc_u8(struct enc *e, uint8_t v) {
	buf_byte(e->buf, v);
}
static inline void enc_u16(struct enc *e, uint16_t v) {
	v = htole16(v);
	buf_add(e->buf, &v, sizeof v);
}
static inline void enc_u32(struct enc *e, uint32_t v) {
	v = htole32(v);
	buf_add(e->buf, &v, sizeof v);
}
static inline void enc_u64(struct enc *e, uint64_t v) {
	v = htole64(v);
	buf_add(e->buf, &v, sizeof v);
}
static inline void enc_i64(struct enc *e, int64_t v) {
	enc_u64(e, (uint64_t)v);
}
static inline void enc_f64(struct enc *e, double v) {
	uint64_t bits;
	_Static_assert(sizeof bits == sizeof v, "IEEE 754 binary64");
	memcpy(&bits, &v, sizeof bits);
	enc_u64(e, bits);
}
static inline void enc_f32(struct enc *e, float v) {
	uint32_t bits;
	_Static_assert(sizeof bits == sizeof v, "IEEE 754 binary32");
	memcpy(&bits, &v, sizeof bits);
	enc_u32(e, bits);
}
void enc_str(struct enc *e, struct str s); /* u32 length, bytes */
void enc_bytes(struct enc *e, const void *p, size_t n);
/* n floats in a row, as enc_f32 would write them one by one. */
void enc_f32s(struct enc *e, const float *v, size_t n);

struct dec {
	const unsigned char *p, *end;
	enum err err;
	uint16_t version;
};

#define CODEC_HEADER 16
/* Reads a header and checks length, CRC, kind and version <= newest. `rest` (may be NULL) receives
 * what follows the record. ERR_CORRUPT: cut short or damaged. ERR_VERSION: whole, but of another kind
 * or newer. `bytes` must outlive the reader; after an error every read gives zero. */
MUST_USE enum err dec_begin(struct dec *d, struct str bytes, const char kind[4], uint16_t newest, struct str *rest,
                            struct why *why);
static inline size_t dec_left(const struct dec *d) {
	return (size_t)(d->end - d->p);
}
/* n bytes in place; NULL when they are not there, and then nothing is left and everything else reads as zero. */
static inline const unsigned char *dec_take(struct dec *d, size_t n) {
	if (__builtin_expect(n > dec_left(d) || d->err, 0)) {
		if (!d->err) d->err = ERR_CORRUPT;
		d->p = d->end;
		return NULL;
	}
	const unsigned char *p = d->p;
	d->p += n;
	return p;
}
static inline uint8_t dec_u8(struct dec *d) {
	const unsigned char *p = dec_take(d, 1);
	return p ? *p : 0;
}
static inline uint16_t dec_u16(struct dec *d) {
	uint16_t v = 0;
	const unsigned char *p = dec_take(d, sizeof v);
	if (p) memcpy(&v, p, sizeof v);
	return le16toh(v);
}
static inline uint32_t dec_u32(struct dec *d) {
	uint32_t v = 0;
	const unsigned char *p = dec_take(d, sizeof v);
	if (p) memcpy(&v, p, sizeof v);
	return le32toh(v);
}
static inline uint64_t dec_u64(struct dec *d) {
	uint64_t v = 0;
	const unsigned char *p = dec_take(d, sizeof v);
	if (p) memcpy(&v, p, sizeof v);
	return le64toh(v);
}
static inline int64_t dec_i64(struct dec *d) {
	return (int64_t)dec_u64(d);
}
static inline double dec_f64(struct dec *d) {
	uint64_t bits = dec_u64(d);
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}
static inline float dec_f32(struct dec *d) {
	uint32_t bits = dec_u32(d);
	float v;
	memcpy(&v, &bits, sizeof v);
	return v;
}
static inline struct str dec_str(struct dec *d) { /* borrowed from the bytes */
	size_t n = dec_u32(d);
	const unsigned char *p = dec_take(d, n);
	return (struct str){ (const char *)p, p ? n : 0 };
}
void dec_bytes(struct dec *d, void *out, size_t n);
/* ERR_CORRUPT unless everything was read and no error stuck. */
MUST_USE enum err dec_end(struct dec *d);
