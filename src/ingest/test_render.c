#include "ingest/test_render.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KNOWN 70000 /* resources and series of a batch */

struct known {
	struct arena a;
	struct attrs resources[KNOWN];
	struct batch_series series[KNOWN];
};

static struct attrs copy_attrs(struct arena *a, struct attrs from) {
	struct attr *v = arena_array(a, struct attr, from.n + 1);
	for (size_t i = 0; i < from.n; i++) {
		v[i] = (struct attr){ str_copy(a, from.v[i].key), str_copy(a, from.v[i].value) };
	}
	return (struct attrs){ v, from.n };
}

static void text(struct buf *out, struct str s) {
	buf_byte(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
			buf_printf(out, "\\x%02x", c);
		} else {
			buf_byte(out, c);
		}
	}
	buf_byte(out, '"');
}

static void list(struct buf *out, struct attrs a) {
	buf_c(out, "{");
	for (size_t i = 0; i < a.n; i++) {
		if (i) buf_c(out, ",");
		text(out, a.v[i].key);
		buf_c(out, "=");
		text(out, a.v[i].value);
	}
	buf_c(out, "}");
}

static void hex(struct buf *out, const unsigned char *p, size_t n) {
	char h[33];
	hex_encode(p, n, h);
	buf_printf(out, " %s", h);
}

static const char *const kinds[] = {
	"gauge", "delta", "cumulative", "updown", "histogram_delta", "histogram_cumulative"
};

static void series(const struct known *k, struct buf *out, uint32_t index) {
	const struct batch_series *s = &k->series[index];
	buf_printf(out, " %s ", kinds[s->kind]);
	text(out, s->name);
	buf_c(out, " ");
	text(out, s->unit);
	buf_c(out, " r");
	list(out, k->resources[s->resource]);
	buf_c(out, " a");
	list(out, s->attrs);
}

static void number(struct buf *out, double v) {
	if (isnan(v)) {
		buf_c(out, " none");
	} else {
		buf_printf(out, " %.17g", v);
	}
}

static void point(const struct known *k, struct buf *out, const struct batch_point *p) {
	buf_c(out, "point");
	series(k, out, p->series);
	buf_printf(out, " %" PRId64 " %" PRId64, p->start.ns, p->at.ns);
	number(out, p->no_value ? NAN : p->value);
}

static void histogram(const struct known *k, struct buf *out, const struct batch_histogram *h) {
	buf_c(out, "histogram");
	series(k, out, h->series);
	buf_printf(out, " %" PRId64 " %" PRId64, h->start.ns, h->at.ns);
	if (h->no_value) {
		buf_c(out, " none");
		return;
	}
	buf_printf(out, " %" PRIu64, h->count);
	number(out, h->sum);
	buf_c(out, " [");
	for (uint32_t i = 0; i < h->bound_count; i++) number(out, batch_f64(h->bounds_le, i));
	buf_c(out, " ] [");
	for (uint32_t i = 0; i <= h->bound_count; i++) buf_printf(out, " %" PRIu64, batch_u64(h->counts_le, i));
	buf_c(out, " ]");
}

static void span(const struct known *k, struct buf *out, const struct batch_span *s) {
	buf_c(out, "span r");
	list(out, k->resources[s->resource]);
	hex(out, s->trace, 16);
	hex(out, s->id, 8);
	hex(out, s->parent, 8);
	buf_printf(out, " %d %d %" PRId64 " %" PRId64, (int)s->kind, (int)s->status, s->start.ns, s->end.ns);
	number(out, s->weight);
	buf_c(out, " ");
	text(out, s->name);
	buf_c(out, " a");
	list(out, s->attrs);
}

static void log_line(const struct known *k, struct buf *out, const struct batch_log *l) {
	buf_c(out, "log r");
	list(out, k->resources[l->resource]);
	buf_printf(out, " %" PRId64 " %d", l->at.ns, l->severity);
	hex(out, l->trace, 16);
	hex(out, l->span, 8);
	buf_c(out, " ");
	text(out, l->body);
	buf_c(out, " a");
	list(out, l->attrs);
}

static bool record(struct known *k, struct buf *out, const struct batch_record *r) {
	switch (r->type) {
	case BATCH_RESOURCE:
		if (r->resource.index >= KNOWN) return false;
		k->resources[r->resource.index] = copy_attrs(&k->a, r->resource.attrs);
		return true;
	case BATCH_SERIES:
		if (r->series.index >= KNOWN) return false;
		k->series[r->series.index] = r->series;
		k->series[r->series.index].attrs = copy_attrs(&k->a, r->series.attrs);
		return true;
	case BATCH_POINT: point(k, out, &r->point); break;
	case BATCH_HISTOGRAM: histogram(k, out, &r->histogram); break;
	case BATCH_SPAN: span(k, out, &r->span); break;
	case BATCH_LOG: log_line(k, out, &r->log); break;
	default: return false;
	}
	buf_byte(out, '\n');
	return true;
}

/* The identity that stands in a series is the one that its parts have. */
static bool identity_holds(const struct known *k, const struct batch_series *s) {
	struct attr r[ATTRS_MAX], a[ATTRS_MAX];
	struct attrs resource = k->resources[s->resource];
	if (resource.n) memcpy(r, resource.v, resource.n * sizeof *r);
	if (s->attrs.n) memcpy(a, s->attrs.v, s->attrs.n * sizeof *a);
	return series_id_eq(s->id, series_identity(r, resource.n, s->name, a, s->attrs.n));
}

bool render_batch(struct str bytes, struct buf *out) {
	struct known *k = calloc(1, sizeof *k);
	struct batch_reader *r = calloc(1, sizeof *r);
	struct batch_record got;
	arena_init(&k->a, 0);
	bool sound = batch_open(r, bytes, NULL) == OK;
	enum err e = OK;
	while (sound && !(e = batch_next(r, &got))) {
		sound = record(k, out, &got);
		if (sound && got.type == BATCH_SERIES) sound = identity_holds(k, &got.series);
	}
	sound = sound && e == ERR_NOT_FOUND && r->skipped == 0;
	arena_done(&k->a);
	free(r);
	free(k);
	return sound;
}
