/* The writer. One item is one reservation of exactly its size, filled by plain stores. */
#include "model/batch.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <string.h>

#define ITEM_HEADER 5

static unsigned char *put8(unsigned char *p, unsigned v) {
	*p = (unsigned char)v;
	return p + 1;
}

static unsigned char *put32(unsigned char *p, uint32_t v) {
	v = htole32(v);
	memcpy(p, &v, sizeof v);
	return p + sizeof v;
}

static unsigned char *put64(unsigned char *p, uint64_t v) {
	v = htole64(v);
	memcpy(p, &v, sizeof v);
	return p + sizeof v;
}

static unsigned char *putf(unsigned char *p, double v) {
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return put64(p, bits);
}

static unsigned char *put_bytes(unsigned char *p, const void *from, size_t n) {
	if (n) memcpy(p, from, n);
	return p + n;
}

static unsigned char *puts_(unsigned char *p, struct str s) {
	return put_bytes(put32(p, (uint32_t)s.n), s.p, s.n);
}

static unsigned char *put_attrs(unsigned char *p, struct attrs a) {
	p = put32(p, (uint32_t)a.n);
	for (size_t i = 0; i < a.n; i++) p = puts_(puts_(p, a.v[i].key), a.v[i].value);
	return p;
}

static size_t attrs_bytes(struct attrs a) {
	assert(a.n <= ATTRS_MAX);
	size_t n = 4;
	for (size_t i = 0; i < a.n; i++) n += 8 + a.v[i].key.n + a.v[i].value.n;
	return n;
}

/* The body of a new item, or NULL when it does not fit or the writer failed before. */
static unsigned char *item(struct batch_writer *w, enum batch_item type, size_t body) {
	struct buf *b = w->enc.buf;
	if (b->err) return NULL;
	size_t used = b->n - w->enc.start;
	if (body > BATCH_BYTES_MAX || used + ITEM_HEADER + body > BATCH_BYTES_MAX) {
		b->err = ERR_TOO_LARGE;
		return NULL;
	}
	unsigned char *p = (unsigned char *)buf_room(b, ITEM_HEADER + body);
	if (!p) return NULL;
	b->n += ITEM_HEADER + body;
	w->items++;
	return put32(put8(p, type), (uint32_t)body);
}

void batch_begin(struct batch_writer *w, struct buf *buf, struct wall received) {
	*w = (struct batch_writer){ .enc = enc_begin(buf, "FBBT", BATCH_VERSION) };
	enc_i64(&w->enc, received.ns);
}

uint32_t batch_put_resource(struct batch_writer *w, struct attrs attrs) {
	unsigned char *p = item(w, BATCH_RESOURCE, attrs_bytes(attrs));
	if (p) put_attrs(p, attrs);
	return w->resources++;
}

uint32_t batch_put_resource_canonical(struct batch_writer *w, struct str list) {
	unsigned char *p = item(w, BATCH_RESOURCE, list.n);
	if (p) put_bytes(p, list.p, list.n);
	return w->resources++;
}

static unsigned char *series(struct batch_writer *w, const struct batch_series *s, size_t tail) {
	assert(s->resource < w->resources && s->kind <= SERIES_HISTOGRAM_CUMULATIVE);
	unsigned char *p = item(w, BATCH_SERIES, 4 + 1 + 16 + 4 + s->unit.n + tail);
	w->series++;
	if (!p) return NULL;
	p = put8(put32(p, s->resource), s->kind);
	return puts_(put_bytes(p, s->id.h.b, 16), s->unit);
}

uint32_t batch_put_series(struct batch_writer *w, const struct batch_series *s) {
	unsigned char *p = series(w, s, 4 + s->name.n + attrs_bytes(s->attrs));
	if (p) put_attrs(puts_(p, s->name), s->attrs);
	return w->series - 1;
}

uint32_t batch_put_series_canonical(struct batch_writer *w, const struct batch_series *s, struct str tail) {
	unsigned char *p = series(w, s, tail.n);
	if (p) put_bytes(p, tail.p, tail.n);
	return w->series - 1;
}

void batch_put_point(struct batch_writer *w, const struct batch_point *v) {
	assert(v->series < w->series && isfinite(v->value) && (!v->no_value || v->value == 0));
	unsigned char *p = item(w, BATCH_POINT, 4 + 8 + 8 + 8 + 1);
	if (!p) return;
	p = put64(put64(put32(p, v->series), (uint64_t)v->start.ns), (uint64_t)v->at.ns);
	put8(putf(p, v->value), v->no_value);
}

void batch_put_histogram(struct batch_writer *w, const struct batch_histogram *h, const double *bounds,
                         const uint64_t *counts) {
	assert(h->series < w->series && h->bound_count <= BATCH_BOUNDS_MAX && !isinf(h->sum));
	assert(!h->no_value || (h->count == 0 && h->bound_count == 0));
	size_t n = h->bound_count;
	unsigned char *p = item(w, BATCH_HISTOGRAM, 4 + 8 + 8 + 8 + 8 + 1 + 4 + 8 * n + 8 * (n + 1));
	if (!p) return;
	p = put64(put64(put32(p, h->series), (uint64_t)h->start.ns), (uint64_t)h->at.ns);
	p = put32(put8(putf(put64(p, h->count), h->sum), h->no_value), h->bound_count);
	for (size_t i = 0; i < n; i++) {
		assert(isfinite(bounds[i]) && (i == 0 || bounds[i - 1] < bounds[i]));
		p = putf(p, bounds[i]);
	}
	uint64_t total = 0;
	for (size_t i = 0; i <= n; i++) {
		total += h->no_value ? 0 : counts[i];
		p = put64(p, h->no_value ? 0 : counts[i]);
	}
	assert(total == h->count);
}

void batch_put_span(struct batch_writer *w, const struct batch_span *s) {
	assert(s->resource < w->resources && s->kind >= SPAN_INTERNAL && s->kind <= SPAN_CONSUMER);
	assert(s->status <= SPAN_ERROR && (s->weight == 0 || (s->weight >= 1 && isfinite(s->weight))));
	size_t body = 4 + 16 + 8 + 8 + 1 + 1 + 8 + 8 + 8 + 4 + s->name.n + attrs_bytes(s->attrs);
	unsigned char *p = item(w, BATCH_SPAN, body);
	if (!p) return;
	p = put_bytes(put32(p, s->resource), s->trace, 16);
	p = put_bytes(put_bytes(p, s->id, 8), s->parent, 8);
	p = put8(put8(p, s->kind), s->status);
	p = put64(put64(p, (uint64_t)s->start.ns), (uint64_t)s->end.ns);
	put_attrs(puts_(putf(p, s->weight), s->name), s->attrs);
}

void batch_put_log(struct batch_writer *w, const struct batch_log *l) {
	assert(l->resource < w->resources && l->severity <= 24);
	size_t body = 4 + 8 + 1 + 4 + l->body.n + 16 + 8 + attrs_bytes(l->attrs);
	unsigned char *p = item(w, BATCH_LOG, body);
	if (!p) return;
	p = put8(put64(put32(p, l->resource), (uint64_t)l->at.ns), l->severity);
	p = put_bytes(put_bytes(puts_(p, l->body), l->trace, 16), l->span, 8);
	put_attrs(p, l->attrs);
}

static size_t strs_bytes(const struct str *s, size_t n) {
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++) bytes += 4 + s[i].n;
	return bytes;
}

void batch_put_pod(struct batch_writer *w, const struct batch_pod *v) {
	const struct str s[] = { v->namespace_, v->name, v->uid, v->node, v->workload_kind, v->workload, v->reason };
	unsigned char *p = item(w, BATCH_POD, 8 + 1 + 4 + 4 + strs_bytes(s, 7));
	if (!p) return;
	p = put8(put64(p, (uint64_t)v->at.ns), (unsigned)v->ready | (unsigned)v->gone << 1);
	p = put32(put32(p, v->restarts), v->wanted);
	for (size_t i = 0; i < 7; i++) p = puts_(p, s[i]);
}

void batch_put_change(struct batch_writer *w, const struct batch_change *c) {
	const struct str s[] = { c->namespace_, c->workload_kind, c->workload, c->kind, c->by, c->revision };
	unsigned char *p = item(w, BATCH_CHANGE, 8 + strs_bytes(s, 6));
	if (!p) return;
	p = put64(p, (uint64_t)c->at.ns);
	for (size_t i = 0; i < 6; i++) p = puts_(p, s[i]);
}

enum err batch_end(struct batch_writer *w) {
	enc_end(&w->enc);
	return w->enc.buf->err;
}

struct batch_mark batch_mark(const struct batch_writer *w) {
	return (struct batch_mark){ w->enc.buf->n, w->resources, w->series, w->items };
}

void batch_back(struct batch_writer *w, struct batch_mark m) {
	w->enc.buf->n = m.n;
	if (w->enc.buf->err == ERR_TOO_LARGE) w->enc.buf->err = OK;
	w->resources = m.resources;
	w->series = m.series;
	w->items = m.items;
}
