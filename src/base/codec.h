/* The byte format of everything we save or pass between our own processes.
 *
 * Little-endian, IEEE 754 doubles, counted strings, on every machine. A record begins with a
 * four-letter kind and a version; a reader refuses what it does not know by name (ERR_VERSION) and
 * what is damaged (ERR_CORRUPT: length or CRC-32C), and never reads past the end: the first error
 * sticks and every later read gives zero. See docs/design for the rules on versions. */
#pragma once

#include "base/str.h"

struct enc {
	struct buf *buf;
	size_t start; /* where the record began */
};

/* header: kind[4], u16 version, u16 zero, u32 payload length, u32 CRC-32C of these 12 bytes and the
 * payload. Failures stick in the buf: ERR_TOO_LARGE past its limit or 4 GiB, ERR_NOMEM. */
struct enc enc_begin(struct buf *buf, const char kind[4], uint16_t version);
void enc_end(struct enc *e); /* fills length and CRC */
void enc_u8(struct enc *e, uint8_t v);
void enc_u16(struct enc *e, uint16_t v);
void enc_u32(struct enc *e, uint32_t v);
void enc_u64(struct enc *e, uint64_t v);
void enc_i64(struct enc *e, int64_t v);
void enc_f64(struct enc *e, double v);
void enc_f32(struct enc *e, float v);
void enc_str(struct enc *e, struct str s); /* u32 length, bytes */
void enc_bytes(struct enc *e, const void *p, size_t n);

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
uint8_t dec_u8(struct dec *d);
uint16_t dec_u16(struct dec *d);
uint32_t dec_u32(struct dec *d);
uint64_t dec_u64(struct dec *d);
int64_t dec_i64(struct dec *d);
double dec_f64(struct dec *d);
float dec_f32(struct dec *d);
struct str dec_str(struct dec *d); /* borrowed from the bytes */
void dec_bytes(struct dec *d, void *out, size_t n);
/* ERR_CORRUPT unless everything was read and no error stuck. */
MUST_USE enum err dec_end(struct dec *d);
static inline size_t dec_left(const struct dec *d) {
	return (size_t)(d->end - d->p);
}
