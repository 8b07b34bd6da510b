/* Protobuf as an SDK writes it: fields in order, shortest varints, straight into a growing run of bytes. */
#pragma once

#include "base/str.h"
#include "sim/memory.h"

struct sim_wire {
	unsigned char *p;
	size_t n, cap;
};

static inline void sw_done(struct sim_wire *w) {
	free(w->p);
	*w = (struct sim_wire){ 0 };
}
static inline void sw_room(struct sim_wire *w, size_t more) {
	if (w->n + more <= w->cap) return;
	w->cap = 2 * w->cap > w->n + more ? 2 * w->cap : w->n + more + 256;
	w->p = must_grow(w->p, w->cap, 1);
}
static inline void sw_bytes(struct sim_wire *w, const void *p, size_t n) {
	sw_room(w, n);
	if (n) memcpy(w->p + w->n, p, n);
	w->n += n;
}
static inline void sw_varint(struct sim_wire *w, uint64_t v) {
	sw_room(w, 10);
	while (v >= 0x80) {
		w->p[w->n++] = (unsigned char)(v | 0x80);
		v >>= 7;
	}
	w->p[w->n++] = (unsigned char)v;
}
static inline size_t sw_varint_size(uint64_t v) {
	size_t n = 1;
	while (v >= 0x80) v >>= 7, n++;
	return n;
}
static inline void sw_tag(struct sim_wire *w, uint32_t field, uint32_t type) {
	sw_varint(w, field << 3 | type);
}
static inline void sw_uint(struct sim_wire *w, uint32_t field, uint64_t v) {
	sw_tag(w, field, 0);
	sw_varint(w, v);
}
static inline void sw_fixed64(struct sim_wire *w, uint32_t field, uint64_t v) { /* little-endian hosts */
	sw_tag(w, field, 1);
	sw_bytes(w, &v, sizeof v);
}
static inline void sw_double(struct sim_wire *w, uint32_t field, double v) {
	sw_tag(w, field, 1);
	sw_bytes(w, &v, sizeof v);
}
static inline void sw_fixed32(struct sim_wire *w, uint32_t field, uint32_t v) {
	sw_tag(w, field, 5);
	sw_bytes(w, &v, sizeof v);
}
static inline void sw_blob(struct sim_wire *w, uint32_t field, const void *p, size_t n) {
	sw_tag(w, field, 2);
	sw_varint(w, n);
	sw_bytes(w, p, n);
}
static inline void sw_str(struct sim_wire *w, uint32_t field, const char *s) {
	sw_blob(w, field, s, strlen(s));
}
static inline void sw_message(struct sim_wire *w, uint32_t field, const struct sim_wire *inner) {
	sw_blob(w, field, inner->p, inner->n);
}

/* A message whose size is known beforehand is written in place: no buffer of its own, nothing copied twice. */
static inline size_t sw_blob_size(size_t n) { /* of a field numbered up to 15 */
	return 1 + sw_varint_size(n) + n;
}
static inline void sw_begin(struct sim_wire *w, uint32_t field, size_t n) {
	sw_room(w, n + 20);
	sw_tag(w, field, 2);
	sw_varint(w, n);
}
