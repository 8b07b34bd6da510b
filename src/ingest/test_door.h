/* For the tests of the door: peers and the next stage played by the test, requests, and what was answered. */
#pragma once

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/test.h"
#include "ingest/ingest.h"
#include "ingest/test_http.h"
#include "ingest/test_render.h"
#include "ingest/test_request.h"
#include "ingest/wire.h"

#define PUTS_MAX 4096

/* The next stage: takes `room` batches, says so when `ends` allows it, with `end_err`. */
struct test_sink {
	struct batch_sink sink;
	int64_t room, ends;
	enum err end_err, put_err;
	int count, ended;
	struct {
		struct str bytes;
		uint64_t key, tag;
	} puts[PUTS_MAX];
	struct arena *a;
};

static inline enum err sink_put(struct batch_sink *s, struct str batch, uint64_t key, uint64_t tag) {
	struct test_sink *k = container_of(s, struct test_sink, sink);
	if (k->put_err) return k->put_err;
	if (k->room == 0 || k->count == PUTS_MAX) return ERR_AGAIN;
	k->room--;
	k->puts[k->count].bytes = str_copy(k->a, batch);
	k->puts[k->count].key = key;
	k->puts[k->count++].tag = tag;
	return OK;
}

static inline bool sink_poll(struct batch_sink *s, struct sink_done *out) {
	struct test_sink *k = container_of(s, struct test_sink, sink);
	if (k->ended == k->count || k->ends == 0) return false;
	k->ends--;
	*out = (struct sink_done){ k->puts[k->ended++].tag, k->end_err };
	return true;
}

struct door {
	struct test_http http;
	struct test_sink *sink;
	struct fake_clock clock;
	struct ingest *in;
};

static const struct batch_sink_ops sink_ops = { sink_put, sink_poll };

static inline struct ingest_opts door_opts(struct t *t, struct door *d) {
	test_http_init(&d->http, t->arena);
	d->sink = arena_new(t->arena, struct test_sink);
	*d->sink = (struct test_sink){ .sink = { &sink_ops }, .room = PUTS_MAX, .ends = PUTS_MAX, .a = t->arena };
	fake_clock_init(&d->clock, (struct wall){ INT64_C(1767607200000000000) });
	return (struct ingest_opts){ .servers = &d->http.host,
		                         .next = &d->sink->sink,
		                         .clock = &d->clock.clock,
		                         .address = STR("127.0.0.1"),
		                         .grpc_port = 4317,
		                         .http_port = 4318,
		                         .body_max = 1 << 20,
		                         .requests_max = 16,
		                         .connections_max = 10,
		                         .memory_max = 8 << 20 };
}

static inline struct door *opened(struct t *t) {
	struct door *d = arena_new(t->arena, struct door);
	struct why why = { "" };
	EXPECT_OK(ingest_open(door_opts(t, d), &d->in, &why));
	return d;
}

static inline void steps(struct door *d) {
	while (ingest_step(d->in)) {}
}

/* The value of a sample, by the beginning of its line. */
static inline double metric(struct t *t, struct door *d, const char *line) {
	struct buf b;
	buf_init(&b, 0);
	struct metrics_out m = metrics_out(&b);
	ingest_metrics(d->in, &m);
	struct str rest = str_copy(t->arena, buf_get(&b)), one, name, value;
	buf_done(&b);
	double v = 0;
	while (rest.n) {
		str_cut(rest, '\n', &one, &rest);
		if (str_starts(one, str_of(line)) && str_cut(one, ' ', &name, &value) && str_is(name, line)) {
			EXPECT(str_double(value, &v));
		}
	}
	return v;
}

/* Whatever happened, nothing is left when nothing is under way. */
static inline void closed(struct t *t, struct door *d) {
	steps(d);
	EXPECT(metric(t, d, "flyball_ingest_requests_in_progress") == 0);
	EXPECT(metric(t, d, "flyball_ingest_memory_bytes") == 0);
	EXPECT(ingest_next_due(d->in).ns == INT64_MAX);
	ingest_close(d->in);
	EXPECT(d->http.servers[0].closed && d->http.servers[1].closed);
}

/* ---- requests ---- */

#define POINTS 100
static const char *const http_paths[] = { "/v1/metrics", "/v1/logs", "/v1/traces" };
static const char *const grpc_paths[] = { "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	                                      "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
	                                      "/opentelemetry.proto.collector.trace.v1.TraceService/Export" };
#define PROTO "content-type: application/x-protobuf\n"
#define GRPC  "content-type: application/grpc\nte: trailers\n"

static inline void record(struct request_out *o, enum otlp_signal s, int n) {
	request_begin(o, 2);
	if (s == OTLP_LOGS) {
		request_fixed64(o, 1, 1000 + (uint64_t)n);
		request_begin(o, 5);
		request_text(o, 1, STR("a line"));
		request_end(o);
	} else {
		request_text(o, 1, STR("0123456789abcdef"));
		request_text(o, 2, STR("01234567"));
		request_text(o, 5, STR("GET /"));
		request_fixed64(o, 7, 1000 + (uint64_t)n);
		request_fixed64(o, 8, 2000 + (uint64_t)n);
	}
	request_end(o);
}

/* `n` records of one service. */
static inline struct str body(struct t *t, enum otlp_signal s, int n) {
	struct request_out *o = arena_new(t->arena, struct request_out);
	request_init(o);
	if (s == OTLP_METRICS) {
		request_metrics_sample(o, n);
	} else {
		request_begin(o, 1);
		request_begin(o, 1);
		request_attr(o, 1, STR("service.name"), STR("cart"));
		request_end(o);
		request_begin(o, 2);
		for (int i = 0; i < n; i++) record(o, s, i);
		request_end(o);
		request_end(o);
	}
	struct str bytes = str_copy(t->arena, request_bytes(o));
	request_done(o);
	return bytes;
}

static inline struct str gzipped(struct t *t, struct str in) {
	z_stream z = { 0 };
	EXPECT(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	size_t max = deflateBound(&z, in.n) + 64;
	char *out = arena_take(t->arena, max, 1);
	z.next_in = (unsigned char *)(uintptr_t)in.p;
	z.avail_in = (unsigned)in.n;
	z.next_out = (unsigned char *)out;
	z.avail_out = (unsigned)max;
	EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
	size_t n = max - z.avail_out;
	deflateEnd(&z);
	return (struct str){ out, n };
}

static inline struct str framed(struct t *t, unsigned char flag, struct str message) {
	char *p = arena_take(t->arena, message.n + 5, 1);
	p[0] = (char)flag;
	for (int i = 0; i < 4; i++) p[1 + i] = (char)(message.n >> (24 - 8 * i));
	if (message.n) memcpy(p + 5, message.p, message.n);
	return (struct str){ p, message.n + 5 };
}

static inline struct test_exchange *send(struct t *t, struct door *d, bool grpc, enum otlp_signal s, bool gzip,
                                         struct str b) {
	if (gzip) b = gzipped(t, b);
	if (grpc) b = framed(t, gzip, b);
	const char *headers = grpc   ? gzip ? GRPC "grpc-encoding: gzip\n" : GRPC
	                      : gzip ? PROTO "content-encoding: gzip\n"
	                             : PROTO;
	size_t piece = 1 + (size_t)rng_below(&t->rng, HTTP_PIECE_MAX);
	return test_http_post(&d->http, grpc, grpc ? grpc_paths[s] : http_paths[s], headers, b, piece);
}

/* ---- answers ---- */

static inline struct str trailer(const struct test_exchange *x, const char *name) {
	return test_header(x->reply.trailers, x->reply.trailer_count, name);
}

static inline struct str header(const struct test_exchange *x, const char *name) {
	return test_header(x->reply.headers, x->reply.header_count, name);
}

/* The fields 1 (number), 2 (text) and 3 (details) of a google.rpc.Status, or of a partial success. */
struct parts {
	uint64_t number;
	struct str text, details;
};

static inline struct parts parts_of(struct t *t, struct str bytes) {
	struct parts p = { 0 };
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (wire_next(&w, &f)) {
		if (f.number == 1 && f.type == WIRE_VARINT) p.number = f.value;
		if (f.number == 2 && f.type == WIRE_BYTES) p.text = f.bytes;
		if (f.number == 3 && f.type == WIRE_BYTES) p.details = f.bytes;
	}
	EXPECT(!w.wrong);
	return p;
}

static inline struct str without_prefix(struct t *t, const struct test_exchange *x, bool grpc) {
	struct str b = x->reply.body;
	if (!grpc) return b;
	EXPECT(b.n >= 5 && b.p[0] == 0);
	EXPECT(((size_t)(unsigned char)b.p[3] << 8 | (unsigned char)b.p[4]) == b.n - 5);
	return (struct str){ b.p + 5, b.n - 5 };
}

static inline void expect_accepted(struct t *t, const struct test_exchange *x, bool grpc) {
	EXPECT(x->reply.times == 1 && x->reply.status == 200);
	EXPECT(str_is(header(x, "content-type"), grpc ? "application/grpc" : "application/x-protobuf"));
	EXPECT(without_prefix(t, x, grpc).n == 0);
	if (grpc) EXPECT(str_is(trailer(x, "grpc-status"), "0") && !trailer(x, "grpc-message").p);
}

/* 200 with partial_success: how many, and why. */
static inline struct parts expect_partial(struct t *t, const struct test_exchange *x, bool grpc) {
	EXPECT(x->reply.times == 1 && x->reply.status == 200);
	if (grpc) EXPECT(str_is(trailer(x, "grpc-status"), "0"));
	struct wire w = wire_of(without_prefix(t, x, grpc));
	struct wire_field f = { 0 };
	EXPECT(wire_next(&w, &f) && f.number == 1 && f.type == WIRE_BYTES && w.p == w.end);
	return parts_of(t, f.bytes);
}

static inline struct parts expect_refused(struct t *t, const struct test_exchange *x, bool grpc, int status,
                                          const char *code) {
	EXPECT(x->reply.times == 1);
	if (!grpc) {
		EXPECT(x->reply.status == status && str_is(header(x, "content-type"), "application/x-protobuf"));
		struct parts p = parts_of(t, x->reply.body);
		EXPECT(p.text.n > 10);
		return p;
	}
	EXPECT(x->reply.status == 200 && str_is(trailer(x, "grpc-status"), code) && trailer(x, "grpc-message").n > 10);
	struct str details = trailer(x, "grpc-status-details-bin");
	struct buf b;
	buf_init(&b, 0);
	EXPECT_OK(base64_decode(&b, details));
	struct parts p = parts_of(t, str_copy(t->arena, buf_get(&b)));
	buf_done(&b);
	return p;
}

static inline struct str lines_of(struct t *t, struct door *d, int from) {
	struct buf b;
	buf_init(&b, 0);
	for (int i = from; i < d->sink->count; i++) EXPECT(render_batch(d->sink->puts[i].bytes, &b));
	struct str text = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
	return text;
}

static inline int64_t count_lines(struct str s) {
	int64_t n = 0;
	for (size_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
	return n;
}
