/* ScopeMetrics: gauges, sums and histograms with explicit bounds. */
#include <math.h>

#include "ingest/otlp_in.h"

enum { METRIC_GAUGE = 5, METRIC_SUM = 7, METRIC_HISTOGRAM = 9, METRIC_EXPONENTIAL = 10, METRIC_SUMMARY = 11 };
enum { DELTA = 1, CUMULATIVE = 2 };
#define NO_RECORDED_VALUE 1u

/* A metric, whose fields may come in any order: its points are read in a second walk. */
struct metric {
	struct pack_metric of;
	uint32_t data;              /* which of the oneof; 0: none */
	const unsigned char *first; /* where its last run of fields begins */
	uint64_t temporality;
	bool monotonic;
	struct hash128 context; /* what makes series of its points' attributes */
};

/* What a point of either kind has. */
struct times {
	uint64_t start, at, flags;
};

static bool times_of(struct otlp *o, const struct times *t, struct wall *start, struct wall *at) {
	bool ok = otlp_time(t->start, start) && otlp_time(t->at, at) && t->at != 0 && t->start <= t->at;
	if (!ok) otlp_reject(o, OTLP_TIME, 1);
	return ok;
}

/* ---- which series ---- */

/* Adds the scope, which is part of what a series is (docs/design/0001): two libraries, or two versions of one, may
 * count under one name in one process. False: the point has too many attributes, and is booked as rejected. */
static bool attributes_fit(struct otlp *o) {
	const struct attr_list *scope = &o->scope_attrs;
	for (size_t i = 0; i < scope->n; i++) otlp_list_add(&o->record, scope->v[i].key, scope->v[i].value);
	o->record.too_many |= scope->too_many;
	if (o->record.too_many) otlp_reject(o, OTLP_ATTRIBUTES, 1);
	return !o->record.too_many;
}

/* A point's attributes (fields `number`) are read; false: they are malformed, or too many. */
static bool attributes_read(struct otlp *o, struct str bytes, uint32_t number) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	otlp_list_clear(&o->record);
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == number) otlp_attribute(o, &o->record, &w, &f);
	}
	return otlp_sound(o, &w) && attributes_fit(o);
}

/* Which series a point of bytes `bytes` belongs to: by the memo, else by reading its attributes. False: to
 * none, which is booked. */
static bool series_of(struct otlp *o, const struct metric *m, struct str bytes, uint32_t number, const struct run *run,
                      struct pack_series *out) {
	struct str raw = { run->from ? (const char *)run->from : "", (size_t)(run->to - run->from) };
	if (!run->scattered && pack_series_known(o->pack, &m->context, raw, out)) return true;
	if (!attributes_read(o, bytes, number)) return false;
	enum err e = pack_name(o->pack, &m->of, otlp_list_attrs(&o->record), out);
	if (!e && !run->scattered) pack_series_learn(o->pack, &m->context, raw, out);
	if (e) otlp_booked(o, e);
	return !e;
}

/* ---- numbers ---- */

struct number {
	struct times t;
	uint32_t which; /* 4: as_double, 6: as_int; 0: none */
	uint64_t bits;
	struct run attributes;
};

/* What nearly every point has, in the order in which nearly every sender writes it. */
static void number_usual(struct wire *w, struct number *n) {
	struct str skipped;
	wire_take64(w, WIRE_TAG(2, WIRE_FIXED64), &n->t.start);
	wire_take64(w, WIRE_TAG(3, WIRE_FIXED64), &n->t.at);
	if (wire_take64(w, WIRE_TAG(4, WIRE_FIXED64), &n->bits)) n->which = 4;
	if (wire_take64(w, WIRE_TAG(6, WIRE_FIXED64), &n->bits)) n->which = 6;
	const unsigned char *from = w->p;
	while (wire_take_short(w, WIRE_TAG(7, WIRE_BYTES), &skipped)) {}
	if (w->p != from) n->attributes = (struct run){ from, w->p, false };
}

static bool number_read(struct otlp *o, struct str bytes, struct number *n) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	number_usual(&w, n);
	for (const unsigned char *at = w.p; wire_next(&w, &f); at = w.p) {
		switch (f.number) {
		case 2:
			if (wire_is(&w, &f, WIRE_FIXED64)) n->t.start = f.value;
			break;
		case 3:
			if (wire_is(&w, &f, WIRE_FIXED64)) n->t.at = f.value;
			break;
		case 4:
		case 6:
			if (wire_is(&w, &f, WIRE_FIXED64)) n->which = f.number, n->bits = f.value;
			break;
		case 5: wire_is(&w, &f, WIRE_BYTES); break; /* exemplars */
		case 7:
			if (wire_is(&w, &f, WIRE_BYTES)) run_add(&n->attributes, at, w.p);
			break;
		case 8:
			if (wire_is(&w, &f, WIRE_VARINT)) n->t.flags = f.value;
			break;
		}
	}
	return otlp_sound(o, &w);
}

/* The value that the point has; a NaN says that nothing was recorded, as Prometheus' stale marker does. */
static bool number_value(const struct number *n, enum series_kind kind, struct batch_point *p) {
	double v = n->which == 4 ? wire_double(n->bits) : (double)(int64_t)n->bits;
	p->no_value = (n->t.flags & NO_RECORDED_VALUE) || (n->which == 4 && isnan(v));
	if (p->no_value) return true;
	p->value = v;
	bool counts = kind == SERIES_DELTA || kind == SERIES_CUMULATIVE;
	return n->which && isfinite(v) && !(counts && v < 0);
}

static void number_point(struct otlp *o, const struct metric *m, struct str bytes) {
	struct number n = { 0 };
	struct batch_point p = { 0 };
	struct pack_series series;
	if (!number_read(o, bytes, &n) || !series_of(o, m, bytes, 7, &n.attributes, &series)) return;
	if (!times_of(o, &n.t, &p.start, &p.at)) return;
	if (!number_value(&n, m->of.kind, &p)) {
		otlp_reject(o, OTLP_VALUE, 1);
		return;
	}
	otlp_booked(o, pack_point(o->pack, &m->of, &series, &p));
}

/* ---- histograms ---- */

struct buckets {
	struct times t;
	uint64_t count, sum_bits;
	bool has_sum;
	size_t bounds, counts; /* as sent; past the limit only counted */
	struct run attributes;
};

/* Repeated fixed64 or double: packed into one field, or one field each. */
static void repeated(struct wire *w, const struct wire_field *f, void *into, size_t max, size_t *n) {
	if (f->type == WIRE_FIXED64) {
		if (*n < max) memcpy((char *)into + 8 * *n, &f->value, 8);
		(*n)++;
		return;
	}
	if (!wire_is(w, f, WIRE_BYTES)) return;
	if (f->bytes.n % 8) {
		wire_fail(w, "a packed list that is cut short");
		return;
	}
	const unsigned char *p = (const unsigned char *)f->bytes.p;
	for (size_t i = 0; i < f->bytes.n; i += 8, (*n)++) {
		uint64_t v = wire_u64(p + i);
		if (*n < max) memcpy((char *)into + 8 * *n, &v, 8);
	}
}

static bool histogram_read(struct otlp *o, struct str bytes, struct buckets *b) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	for (const unsigned char *at = w.p; wire_next(&w, &f); at = w.p) {
		switch (f.number) {
		case 2:
			if (wire_is(&w, &f, WIRE_FIXED64)) b->t.start = f.value;
			break;
		case 3:
			if (wire_is(&w, &f, WIRE_FIXED64)) b->t.at = f.value;
			break;
		case 4:
			if (wire_is(&w, &f, WIRE_FIXED64)) b->count = f.value;
			break;
		case 5:
			if (wire_is(&w, &f, WIRE_FIXED64)) b->has_sum = true, b->sum_bits = f.value;
			break;
		case 6: repeated(&w, &f, o->counts, BATCH_BOUNDS_MAX + 1, &b->counts); break;
		case 7: repeated(&w, &f, o->bounds, BATCH_BOUNDS_MAX, &b->bounds); break;
		case 8: wire_is(&w, &f, WIRE_BYTES); break; /* exemplars */
		case 9:
			if (wire_is(&w, &f, WIRE_BYTES)) run_add(&b->attributes, at, w.p);
			break;
		case 10:
			if (wire_is(&w, &f, WIRE_VARINT)) b->t.flags = f.value;
			break;
		}
	}
	return otlp_sound(o, &w);
}

/* Rising finite bounds, one count more, and counts that add up (OpenTelemetry's data model, Histogram). */
static bool buckets_sound(struct otlp *o, struct buckets *b) {
	if (b->counts == 0 && b->bounds == 0) o->counts[b->counts++] = b->count; /* count and sum alone */
	if (b->bounds > BATCH_BOUNDS_MAX || b->counts != b->bounds + 1) return false;
	for (size_t i = 0; i < b->bounds; i++) {
		if (!isfinite(o->bounds[i]) || (i && !(o->bounds[i - 1] < o->bounds[i]))) return false;
	}
	uint64_t total = 0;
	for (size_t i = 0; i < b->counts; i++) {
		if (__builtin_add_overflow(total, o->counts[i], &total)) return false;
	}
	return total == b->count;
}

static void histogram_point(struct otlp *o, const struct metric *m, struct str bytes) {
	struct buckets b = { 0 };
	struct pack_series series;
	if (!histogram_read(o, bytes, &b) || !series_of(o, m, bytes, 9, &b.attributes, &series)) return;
	struct batch_histogram h = { .sum = b.has_sum ? wire_double(b.sum_bits) : NAN };
	if (!times_of(o, &b.t, &h.start, &h.at)) return;
	h.no_value = b.t.flags & NO_RECORDED_VALUE;
	if (h.no_value) {
		h.sum = NAN;
	} else if (!buckets_sound(o, &b)) {
		otlp_reject(o, OTLP_BUCKETS, 1);
		return;
	} else {
		h.count = b.count;
		h.bound_count = (uint32_t)b.bounds;
	}
	if (isinf(h.sum)) {
		otlp_reject(o, OTLP_VALUE, 1);
		return;
	}
	otlp_booked(o, pack_histogram(o->pack, &m->of, &series, &h, o->bounds, o->counts));
}

/* ---- metrics ---- */

/* Gauge, Sum, Histogram and the others alike: aggregation_temporality and is_monotonic. */
static void data_head(struct otlp *o, struct str bytes, struct metric *m) {
	bool temporal = m->data != METRIC_GAUGE && m->data != METRIC_SUMMARY;
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (wire_next(&w, &f)) {
		if (f.number == 1) wire_is(&w, &f, WIRE_BYTES);
		if (f.number == 2 && temporal && wire_is(&w, &f, WIRE_VARINT)) m->temporality = f.value;
		if (f.number == 3 && m->data == METRIC_SUM && wire_is(&w, &f, WIRE_VARINT)) m->monotonic = f.value != 0;
	}
	otlp_sound(o, &w);
}

static bool metric_head(struct otlp *o, struct str bytes, struct metric *m) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	for (const unsigned char *at = w.p; !o->err && wire_next(&w, &f); at = w.p) {
		switch (f.number) {
		case 1: wire_text(&w, &f, &m->of.name); break;
		case 3: wire_text(&w, &f, &m->of.unit); break;
		case METRIC_GAUGE:
		case METRIC_SUM:
		case METRIC_HISTOGRAM:
		case METRIC_EXPONENTIAL:
		case METRIC_SUMMARY:
			if (!wire_is(&w, &f, WIRE_BYTES)) break;
			if (m->data != f.number) *m = (struct metric){ .of = m->of, .data = f.number, .first = at };
			data_head(o, f.bytes, m);
		}
	}
	return otlp_sound(o, &w);
}

/* The kind of its series, or why there is none. */
static bool metric_kind(struct metric *m, enum otlp_reason *why_not) {
	bool delta = m->temporality == DELTA, known = delta || m->temporality == CUMULATIVE;
	*why_not = m->of.name.n == 0 ? OTLP_NAME : known ? OTLP_KIND : OTLP_TEMPORALITY;
	if (m->of.name.n == 0) return false;
	switch (m->data) {
	case METRIC_GAUGE: m->of.kind = SERIES_GAUGE; return true;
	case METRIC_SUM:
		if (!known || (delta && !m->monotonic)) return false;
		m->of.kind = delta ? SERIES_DELTA : m->monotonic ? SERIES_CUMULATIVE : SERIES_UPDOWN;
		return true;
	case METRIC_HISTOGRAM: m->of.kind = delta ? SERIES_HISTOGRAM_DELTA : SERIES_HISTOGRAM_CUMULATIVE; return known;
	}
	*why_not = OTLP_KIND;
	return false;
}

static void points(struct otlp *o, const struct metric *m, struct str bytes, bool taken, enum otlp_reason why_not) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (!o->err && wire_next(&w, &f)) {
		if (f.number != 1) continue;
		if (!taken) {
			otlp_reject(o, why_not, 1);
		} else if (m->data == METRIC_HISTOGRAM) {
			histogram_point(o, m, f.bytes);
		} else {
			number_point(o, m, f.bytes);
		}
	}
}

static void metric(struct otlp *o, struct str bytes) {
	struct metric m = { 0 };
	if (!metric_head(o, bytes, &m) || !m.data) return;
	enum otlp_reason why_not = OTLP_ATTRIBUTES;
	bool taken = !o->resource.too_many && metric_kind(&m, &why_not);
	if (taken) m.context = pack_context(o->pack, &m.of, &o->scope_hash);
	struct wire w = wire_of(bytes);
	struct wire_field f;
	w.p = m.first;
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == m.data) points(o, &m, f.bytes, taken, why_not);
	}
}

void otlp_scope_metrics(struct otlp *o, struct str bytes) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	otlp_scope_none(o);
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 1 && wire_is(&w, &f, WIRE_BYTES)) otlp_scope_read(o, f.bytes);
	}
	if (!otlp_sound(o, &w)) return;
	w = wire_of(bytes);
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 2 && wire_is(&w, &f, WIRE_BYTES)) metric(o, f.bytes);
	}
	otlp_sound(o, &w);
}
