/* Parts of stream_apply, by what they read. Only stream/ includes this. */
#pragma once

#include "stream/semconv.h"
#include "stream/series_table.h"
#include "stream/stream.h"

/* Event time within the limits; false: too late for windows. */
bool feed_time(struct stream *st, int64_t *event_ns);
/* The source of the batch's resource; NULL: it did not fit. */
struct source *feed_source(struct stream *st, uint32_t resource);
/* Whose telemetry it is: the service that the resource names, or that its pod belongs to; NONE. */
uint32_t feed_entity(struct stream *st, const struct source *s);
void feed_resource(struct stream *st, const struct batch_resource *r);
/* The edge of a call as its facts name the callee; NULL: only the answer will tell. */
struct edge *feed_edge(struct stream *st, uint32_t from, const struct request_facts *f, enum span_kind kind);
/* The channel of the entity, made with these bounds if it is new; NULL: no memory. */
struct channel *feed_channel(struct stream *st, struct entity *e, enum via via, const float *bounds, uint32_t count);
void feed_touch(struct stream *st, struct channel *c, int64_t from_ns, int64_t to_ns);
void feed_pulse(struct stream *st, struct source *s, enum telemetry t, int64_t at_ns);

void feed_series(struct stream *st, const struct batch_series *s);
void feed_point(struct stream *st, const struct batch_point *p);
void feed_histogram(struct stream *st, const struct batch_histogram *h);
void feed_gauges_end(struct stream *st);
void feed_span(struct stream *st, const struct batch_span *s);
void feed_log(struct stream *st, const struct batch_log *l);
void feed_pod(struct stream *st, const struct batch_pod *p);
void feed_change(struct stream *st, const struct batch_change *c);

/* Grows an array of news; false: no memory. */
bool feed_grow(void **v, uint32_t *cap, uint32_t count, size_t size);
#define FEED_ROOM(st, what) \
	feed_grow((void **)&(st)->what##s, &(st)->what##_cap, (st)->what##_count, sizeof *(st)->what##s)
