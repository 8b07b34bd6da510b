/* What the readers in src/ingest/otlp*.c share; nobody else includes it. */
#pragma once

#include "ingest/otlp.h"
#include "ingest/wire.h"

/* Attributes of a resource or of a record, as they come. */
struct attr_list {
	struct attr v[ATTRS_MAX];
	size_t n;
	bool too_many;
	struct arena text; /* of values that are no strings */
};

/* One request being read. */
struct otlp {
	struct otlp_opts opts;
	struct pack *pack;
	struct otlp_result *result;
	struct str body;
	struct wall received;
	enum err err; /* what ended the reading; sticks */
	struct why why;

	struct attr_list resource, record;
	struct buf text;  /* where a value is written before it goes to a list's arena */
	struct str scope; /* name of the instrumentation scope */
	/* The whole scope, as attributes of a series: "otel.scope.name", "otel.scope.version", "otel.scope.KEY". */
	struct attr_list scope_attrs;
	struct hash128 scope_hash; /* of its bytes as they were sent */

	/* Of the histogram in hand. */
	double bounds[BATCH_BOUNDS_MAX];
	uint64_t counts[BATCH_BOUNDS_MAX + 1];
};

/* Puts a cursor's error on record, with the byte; true when there is none. */
bool otlp_sound(struct otlp *o, const struct wire *w);
void otlp_stop(struct otlp *o, enum err e, const char *what);

void otlp_list_clear(struct attr_list *l);
void otlp_list_add(struct attr_list *l, struct str key, struct str value);
/* A field that holds a KeyValue, added to `l`. */
void otlp_attribute(struct otlp *o, struct attr_list *l, struct wire *w, const struct wire_field *f);
/* Its halves: the key, and the AnyValue unread. */
bool otlp_key_value(struct otlp *o, struct wire *w, const struct wire_field *f, struct str *key, struct str *any);
/* AnyValue as text: strings are a slice of the request, anything else is written into `a`. */
bool otlp_any_text(struct otlp *o, struct arena *a, struct str any, struct str *out);
/* The list sorted, of equal keys the last. */
struct attrs otlp_list_attrs(struct attr_list *l);

/* Times on the wire are u64 nanoseconds. False: past what int64_t holds (the year 2262). */
bool otlp_time(uint64_t ns, struct wall *out);

/* Books what became of a record that pack was handed. */
void otlp_booked(struct otlp *o, enum err e);
void otlp_reject(struct otlp *o, enum otlp_reason r, int64_t count);

/* Fields of bytes in the message in hand that stand in one run, as attributes do. */
struct run {
	const unsigned char *from, *to; /* NULL: none so far */
	bool scattered;
};
static inline void run_add(struct run *r, const unsigned char *from, const unsigned char *to) {
	if (!r->from) r->from = from;
	r->scattered = r->scattered || (r->to && r->to != from);
	r->to = to;
}
/* ScopeMetrics, ScopeLogs, ScopeSpans of the resource in hand. */
void otlp_scope_metrics(struct otlp *o, struct str bytes);
void otlp_scope_logs(struct otlp *o, struct str bytes);
void otlp_scope_spans(struct otlp *o, struct str bytes);
/* InstrumentationScope, into `scope` and `scope_attrs`. */
void otlp_scope_none(struct otlp *o);
void otlp_scope_read(struct otlp *o, struct str bytes);
