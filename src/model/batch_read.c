/* The reader: a batch may come from another process, so nothing in it is believed. */
#include "model/batch.h"

#include <endian.h>
#include <math.h>
#include <string.h>

enum err batch_open(struct batch_reader *r, struct str bytes, struct why *why) {
	r->resources = r->series = r->skipped = 0;
	r->dec = (struct dec){ .err = ERR_CORRUPT };
	if (bytes.n > BATCH_BYTES_MAX) {
		return why_set(why, ERR_TOO_LARGE, "batch of %zu bytes; at most %d are taken", bytes.n, BATCH_BYTES_MAX);
	}
	struct str rest;
	enum err e = dec_begin(&r->dec, bytes, "FBBT", BATCH_VERSION, &rest, why);
	if (e) return e;
	r->received = (struct wall){ dec_i64(&r->dec) };
	if (!r->dec.err && rest.n == 0) return OK;
	r->dec.err = ERR_CORRUPT;
	return why_set(why, ERR_CORRUPT, "batch: %zu bytes stand behind its end", rest.n);
}

double batch_f64(const unsigned char *le, uint32_t i) {
	uint64_t bits = batch_u64(le, i);
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

uint64_t batch_u64(const unsigned char *le, uint32_t i) {
	uint64_t v;
	memcpy(&v, le + (size_t)i * 8, sizeof v);
	return le64toh(v);
}

static struct wall wall_of(struct dec *d) {
	return (struct wall){ dec_i64(d) };
}

/* A number below `limit`; anything else is damage. */
static uint32_t below(struct dec *d, uint32_t v, uint32_t limit) {
	if (v >= limit && !d->err) d->err = ERR_CORRUPT;
	return v;
}

static void require(struct dec *d, bool ok) {
	if (!ok && !d->err) d->err = ERR_CORRUPT;
}

static struct attrs attrs_of(struct batch_reader *r, struct dec *d) {
	uint32_t n = below(d, dec_u32(d), ATTRS_MAX + 1);
	for (uint32_t i = 0; i < n && !d->err; i++) {
		r->scratch[i].key = dec_str(d);
		r->scratch[i].value = dec_str(d);
	}
	return (struct attrs){ r->scratch, d->err ? 0 : n };
}

static void resource_of(struct batch_reader *r, struct dec *d, struct batch_resource *out) {
	const unsigned char *from = d->p;
	*out = (struct batch_resource){ .index = r->resources, .attrs = attrs_of(r, d) };
	out->bytes = (struct str){ (const char *)from, (size_t)(d->p - from) };
	r->resources++;
}

static void series_of(struct batch_reader *r, struct dec *d, struct batch_series *out) {
	*out = (struct batch_series){ .index = r->series };
	out->resource = below(d, dec_u32(d), r->resources);
	out->kind = below(d, dec_u8(d), SERIES_HISTOGRAM_CUMULATIVE + 1);
	dec_bytes(d, out->id.h.b, 16);
	out->unit = dec_str(d);
	out->name = dec_str(d);
	out->attrs = attrs_of(r, d);
	r->series++;
}

static void point_of(struct batch_reader *r, struct dec *d, struct batch_point *out) {
	*out = (struct batch_point){ .series = below(d, dec_u32(d), r->series) };
	out->start = wall_of(d);
	out->at = wall_of(d);
	out->value = dec_f64(d);
	out->no_value = below(d, dec_u8(d), 2);
	require(d, isfinite(out->value) && (!out->no_value || out->value == 0));
}

static bool buckets_are_sound(const struct batch_histogram *h) {
	for (uint32_t i = 0; i < h->bound_count; i++) {
		double bound = batch_f64(h->bounds_le, i);
		if (!isfinite(bound) || (i && !(batch_f64(h->bounds_le, i - 1) < bound))) return false;
	}
	uint64_t total = 0;
	for (uint32_t i = 0; i <= h->bound_count; i++) {
		if (__builtin_add_overflow(total, batch_u64(h->counts_le, i), &total)) return false;
	}
	return total == h->count;
}

/* n bytes in place, or NULL when they are not there. */
static const unsigned char *in_place(struct dec *d, size_t n) {
	require(d, dec_left(d) >= n);
	if (d->err) return NULL;
	const unsigned char *p = d->p;
	d->p += n;
	return p;
}

static void histogram_of(struct batch_reader *r, struct dec *d, struct batch_histogram *out) {
	*out = (struct batch_histogram){ .series = below(d, dec_u32(d), r->series) };
	out->start = wall_of(d);
	out->at = wall_of(d);
	out->count = dec_u64(d);
	out->sum = dec_f64(d);
	out->no_value = below(d, dec_u8(d), 2);
	out->bound_count = below(d, dec_u32(d), BATCH_BOUNDS_MAX + 1);
	if (d->err) return;
	out->bounds_le = in_place(d, (size_t)out->bound_count * 8);
	out->counts_le = in_place(d, (size_t)(out->bound_count + 1) * 8);
	require(d, !isinf(out->sum) && (!out->no_value || (out->count == 0 && out->bound_count == 0)));
	if (!d->err) require(d, buckets_are_sound(out));
}

static void span_of(struct batch_reader *r, struct dec *d, struct batch_span *out) {
	*out = (struct batch_span){ .resource = below(d, dec_u32(d), r->resources) };
	dec_bytes(d, out->trace, 16);
	dec_bytes(d, out->id, 8);
	dec_bytes(d, out->parent, 8);
	out->kind = below(d, dec_u8(d), SPAN_CONSUMER + 1);
	out->status = below(d, dec_u8(d), SPAN_ERROR + 1);
	out->start = wall_of(d);
	out->end = wall_of(d);
	out->weight = dec_f64(d);
	out->name = dec_str(d);
	out->attrs = attrs_of(r, d);
	require(d, out->kind >= SPAN_INTERNAL && (out->weight == 0 || (out->weight >= 1 && isfinite(out->weight))));
}

static void log_of(struct batch_reader *r, struct dec *d, struct batch_log *out) {
	*out = (struct batch_log){ .resource = below(d, dec_u32(d), r->resources) };
	out->at = wall_of(d);
	out->severity = (uint8_t)below(d, dec_u8(d), 25);
	out->body = dec_str(d);
	dec_bytes(d, out->trace, 16);
	dec_bytes(d, out->span, 8);
	out->attrs = attrs_of(r, d);
}

static void pod_of(struct dec *d, struct batch_pod *out) {
	*out = (struct batch_pod){ .at = wall_of(d) };
	uint32_t flags = below(d, dec_u8(d), 4);
	out->ready = flags & 1;
	out->gone = flags & 2;
	out->restarts = dec_u32(d);
	out->wanted = dec_u32(d);
	struct str *const to[] = { &out->namespace_,    &out->name,     &out->uid,   &out->node,
		                       &out->workload_kind, &out->workload, &out->reason };
	for (size_t i = 0; i < 7; i++) *to[i] = dec_str(d);
}

static void change_of(struct dec *d, struct batch_change *out) {
	*out = (struct batch_change){ .at = wall_of(d) };
	struct str *const to[] = { &out->namespace_, &out->workload_kind, &out->workload, &out->kind,
		                       &out->by,         &out->revision };
	for (size_t i = 0; i < 6; i++) *to[i] = dec_str(d);
}

/* False: a type that we do not know. */
static bool body_of(struct batch_reader *r, struct dec *d, struct batch_record *out) {
	switch (out->type) {
	case BATCH_RESOURCE: resource_of(r, d, &out->resource); return true;
	case BATCH_SERIES: series_of(r, d, &out->series); return true;
	case BATCH_POINT: point_of(r, d, &out->point); return true;
	case BATCH_HISTOGRAM: histogram_of(r, d, &out->histogram); return true;
	case BATCH_SPAN: span_of(r, d, &out->span); return true;
	case BATCH_LOG: log_of(r, d, &out->log); return true;
	case BATCH_POD: pod_of(d, &out->pod); return true;
	case BATCH_CHANGE: change_of(d, &out->change); return true;
	}
	return false;
}

enum err batch_next(struct batch_reader *r, struct batch_record *out) {
	struct dec *d = &r->dec;
	while (!d->err && d->p < d->end) {
		out->type = dec_u8(d);
		uint32_t n = dec_u32(d);
		const unsigned char *p = d->err ? NULL : in_place(d, n);
		if (!p) break;
		struct dec body = { .p = p, .end = p + n, .version = d->version };
		if (!body_of(r, &body, out)) {
			r->skipped++;
			continue;
		}
		d->err = dec_end(&body);
		if (!d->err) return OK;
	}
	return d->err ? d->err : ERR_NOT_FOUND;
}
