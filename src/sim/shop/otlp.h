/* OTLP as SDKs encode it: spans from forms made once, histograms, numbers, log records.
 *
 * opentelemetry-proto 1.x; semantic conventions 1.3x. A span's form holds what is the same in all spans of
 * one operation; a span is that with ids, times and an outcome. */
#pragma once

#include "sim/wire.h"

/* How a request ended, as its server or its caller sees it. */
enum shop_outcome {
	SHOP_OK,
	SHOP_ERROR,
	SHOP_BUSY,
	SHOP_TIMEOUT,
	SHOP_REFUSED,
	SHOP_RESET,
	SHOP_NO_SPACE, /* a database cannot write */
	SHOP_OUTCOMES,
	SHOP_NO_CONNECTION = SHOP_OUTCOMES /* the pool gave none: nothing was sent, nothing is told of the call */
};

struct shop_span_form {
	struct sim_wire name;                   /* fields name and kind */
	struct sim_wire attributes;             /* all that are the same */
	struct sim_wire outcome[SHOP_OUTCOMES]; /* attributes of the outcome, and status */
};
struct shop_span {
	uint64_t trace_hi, trace_lo, id, parent; /* parent 0: a root */
	int64_t start_ns, end_ns;                /* Unix */
	bool remote;                             /* its parent is in another process */
};

void shop_attr_str(struct sim_wire *w, uint32_t field, const char *key, const char *value);
void shop_attr_int(struct sim_wire *w, uint32_t field, const char *key, int64_t value);
/* The attributes of an outcome: HTTP's status code and error.type (`system` NULL), or those of a database of that
 * system. */
void shop_attr_outcome(struct sim_wire *w, uint32_t field, enum shop_outcome o, const char *system);
void shop_form_init(struct shop_span_form *f, const char *name, int kind, const struct sim_wire *attributes,
                    const char *system, bool server);
void shop_form_done(struct shop_span_form *f);
/* As an element of ScopeSpans.spans. `tracestate`: of sampled traces, or empty. */
void shop_put_span(struct sim_wire *w, const struct shop_span_form *f, const struct shop_span *s, enum shop_outcome o,
                   struct str tracestate);

#define SHOP_BOUNDS 14
extern const double shop_bounds[SHOP_BOUNDS]; /* seconds: the conventions' advice for http.server.request.duration */
struct shop_histogram {
	uint64_t count, bucket[SHOP_BOUNDS + 1];
	double sum, min, max;
};
void shop_histogram_add(struct shop_histogram *h, double seconds);
/* A data point of Histogram.data_points; `attributes`: fields 9, ready. */
void shop_put_histogram(struct sim_wire *w, const struct shop_histogram *h, int64_t start_ns, int64_t at_ns,
                        const struct sim_wire *attributes);
/* A data point of Gauge or Sum; `attributes`: fields 7. start 0: none. */
void shop_put_number(struct sim_wire *w, double v, bool integer, int64_t start_ns, int64_t at_ns,
                     const struct sim_wire *attributes);
enum shop_metric { SHOP_GAUGE = 5, SHOP_SUM = 7, SHOP_UPDOWN = 107, SHOP_HISTOGRAM = 9 };
/* A Metric of ScopeMetrics.metrics around its data points. */
void shop_put_metric(struct sim_wire *w, const char *name, const char *unit, enum shop_metric kind,
                     const struct sim_wire *points);
struct shop_log {
	int64_t at_ns;
	int severity; /* 9 INFO, 13 WARN, 17 ERROR */
	const char *text;
	uint64_t trace_hi, trace_lo, span; /* 0: none */
};
void shop_put_log(struct sim_wire *w, const struct shop_log *l);
/* The whole request: resource, scope, and the elements that were put (spans, metrics or log records). */
void shop_put_request(struct sim_wire *w, const struct sim_wire *resource, const char *scope,
                      const struct sim_wire *elements);
