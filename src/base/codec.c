#include "base/codec.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"

#define AT_LENGTH 8
#define AT_CRC    12

static void put(unsigned char *p, uint64_t v, size_t n) {
	for (size_t i = 0; i < n; i++) p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get(const unsigned char *p, size_t n) {
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++) v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* Of everything in the record but the CRC itself, so that a flipped kind or version shows as well. */
static uint32_t record_crc(const char *record, size_t payload) {
	uint32_t crc = crc32c((struct str){ record, AT_CRC });
	return crc32c_more(crc, (struct str){ record + CODEC_HEADER, payload });
}

struct enc enc_begin(struct buf *buf, const char kind[4], uint16_t version) {
	struct enc e = { buf, buf->n };
	buf_add(buf, kind, 4);
	enc_u16(&e, version);
	enc_u16(&e, 0);
	enc_u64(&e, 0); /* length and CRC, known at the end */
	return e;
}

void enc_end(struct enc *e) {
	if (e->buf->err) return;
	assert(e->buf->n >= e->start + CODEC_HEADER);
	size_t payload = e->buf->n - e->start - CODEC_HEADER;
	if (payload > UINT32_MAX) {
		e->buf->err = ERR_TOO_LARGE;
		return;
	}
	char *record = e->buf->p + e->start;
	put((unsigned char *)record + AT_LENGTH, payload, 4);
	put((unsigned char *)record + AT_CRC, record_crc(record, payload), 4);
}

void enc_str(struct enc *e, struct str s) {
	if (s.n > UINT32_MAX) {
		if (!e->buf->err) e->buf->err = ERR_TOO_LARGE;
		return;
	}
	enc_u32(e, (uint32_t)s.n);
	buf_str(e->buf, s);
}

void enc_bytes(struct enc *e, const void *p, size_t n) {
	buf_add(e->buf, p, n);
}

void enc_f32s(struct enc *e, const float *v, size_t n) {
	char *room = n ? buf_room(e->buf, n * sizeof *v) : NULL;
	if (!room) return;
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;
		memcpy(&bits, &v[i], sizeof bits);
		bits = htole32(bits);
		memcpy(room + i * sizeof bits, &bits, sizeof bits);
	}
	e->buf->n += n * sizeof *v;
}

enum err dec_begin(struct dec *d, struct str bytes, const char kind[4], uint16_t newest, struct str *rest,
                   struct why *why) {
	const unsigned char *p = (const unsigned char *)bytes.p;
	*d = (struct dec){ .err = ERR_CORRUPT };
	if (bytes.n < CODEC_HEADER) return why_set(why, ERR_CORRUPT, "record '%.4s': cut short in its header", kind);
	size_t payload = get(p + AT_LENGTH, 4);
	if (payload > bytes.n - CODEC_HEADER) {
		return why_set(why, ERR_CORRUPT, "record '%.4s': %zu bytes promised, %zu there", kind, payload,
		               bytes.n - CODEC_HEADER);
	}
	if (get(p + AT_CRC, 4) != record_crc(bytes.p, payload)) {
		return why_set(why, ERR_CORRUPT, "record '%.4s': its checksum does not fit its bytes", kind);
	}
	uint16_t version = (uint16_t)get(p + 4, 2);
	if (memcmp(p, kind, 4) != 0) {
		return why_set(why, ERR_VERSION, "record '%.4s': found '%.4s' in its place", kind, bytes.p);
	}
	if (version > newest || get(p + 6, 2) != 0) {
		return why_set(why, ERR_VERSION, "record '%.4s': version %u, this program reads up to %u; use a newer one",
		               kind, version, newest);
	}
	const unsigned char *from = p + CODEC_HEADER;
	*d = (struct dec){ .p = from, .end = from + payload, .version = version };
	if (rest) *rest = (struct str){ bytes.p + CODEC_HEADER + payload, bytes.n - CODEC_HEADER - payload };
	return OK;
}

void dec_bytes(struct dec *d, void *out, size_t n) {
	if (n == 0) return;
	const unsigned char *p = dec_take(d, n);
	if (p)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

enum err dec_end(struct dec *d) {
	if (d->err) return d->err;
	return d->p == d->end ? OK : ERR_CORRUPT;
}
