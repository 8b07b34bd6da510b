#include "ingest/wire.h"

bool wire_varint_long(struct wire *w, uint64_t *out) {
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (w->p == w->end) return wire_fail(w, "a varint that is cut short");
		unsigned char c = *w->p++;
		/* The tenth byte has room for one bit; protobuf's own parsers drop what is above it. */
		v |= shift < 63 ? (uint64_t)(c & 0x7f) << shift : (uint64_t)(c & 1) << 63;
		if (c < 0x80) {
			*out = v;
			return true;
		}
	}
	return wire_fail(w, "a varint of more than ten bytes");
}

static void put_varint(struct buf *b, uint64_t v) {
	for (; v >= 0x80; v >>= 7) buf_byte(b, (unsigned char)(v | 0x80));
	buf_byte(b, (unsigned char)v);
}

void wire_put_varint(struct buf *b, uint32_t number, uint64_t v) {
	put_varint(b, (uint64_t)number << 3 | WIRE_VARINT);
	put_varint(b, v);
}

void wire_put_bytes(struct buf *b, uint32_t number, struct str bytes) {
	put_varint(b, (uint64_t)number << 3 | WIRE_BYTES);
	put_varint(b, bytes.n);
	buf_str(b, bytes);
}

void wire_put_fixed64(struct buf *b, uint32_t number, uint64_t v) {
	put_varint(b, (uint64_t)number << 3 | WIRE_FIXED64);
	for (unsigned i = 0; i < 8; i++) buf_byte(b, (unsigned char)(v >> (8 * i)));
}
