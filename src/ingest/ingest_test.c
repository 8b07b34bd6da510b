/* The door, with peers and the next stage played by the test. */
#include "ingest/ingest.h"

#include <string.h>
#include <zlib.h>

#include "base/test.h"
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

static enum err sink_put(struct batch_sink *s, struct str batch, uint64_t key, uint64_t tag) {
	struct test_sink *k = container_of(s, struct test_sink, sink);
	if (k->put_err) return k->put_err;
	if (k->room == 0 || k->count == PUTS_MAX) return ERR_AGAIN;
	k->room--;
	k->puts[k->count].bytes = str_copy(k->a, batch);
	k->puts[k->count].key = key;
	k->puts[k->count++].tag = tag;
	return OK;
}

static bool sink_poll(struct batch_sink *s, struct sink_done *out) {
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

static struct ingest_opts door_opts(struct t *t, struct door *d) {
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

static struct door *opened(struct t *t) {
	struct door *d = arena_new(t->arena, struct door);
	struct why why = { "" };
	EXPECT_OK(ingest_open(door_opts(t, d), &d->in, &why));
	return d;
}

static void steps(struct door *d) {
	while (ingest_step(d->in)) {}
}

/* The value of a sample, by the beginning of its line. */
static double metric(struct t *t, struct door *d, const char *line) {
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
static void closed(struct t *t, struct door *d) {
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

static void record(struct request_out *o, enum otlp_signal s, int n) {
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
static struct str body(struct t *t, enum otlp_signal s, int n) {
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

static struct str gzipped(struct t *t, struct str in) {
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

static struct str framed(struct t *t, unsigned char flag, struct str message) {
	char *p = arena_take(t->arena, message.n + 5, 1);
	p[0] = (char)flag;
	for (int i = 0; i < 4; i++) p[1 + i] = (char)(message.n >> (24 - 8 * i));
	if (message.n) memcpy(p + 5, message.p, message.n);
	return (struct str){ p, message.n + 5 };
}

static struct test_exchange *send(struct t *t, struct door *d, bool grpc, enum otlp_signal s, bool gzip, struct str b) {
	if (gzip) b = gzipped(t, b);
	if (grpc) b = framed(t, gzip, b);
	const char *headers = grpc   ? gzip ? GRPC "grpc-encoding: gzip\n" : GRPC
						  : gzip ? PROTO "content-encoding: gzip\n"
								 : PROTO;
	size_t piece = 1 + (size_t)rng_below(&t->rng, HTTP_PIECE_MAX);
	return test_http_post(&d->http, grpc, grpc ? grpc_paths[s] : http_paths[s], headers, b, piece);
}

/* ---- answers ---- */

static struct str trailer(const struct test_exchange *x, const char *name) {
	return test_header(x->reply.trailers, x->reply.trailer_count, name);
}

static struct str header(const struct test_exchange *x, const char *name) {
	return test_header(x->reply.headers, x->reply.header_count, name);
}

/* The fields 1 (number), 2 (text) and 3 (details) of a google.rpc.Status, or of a partial success. */
struct parts {
	uint64_t number;
	struct str text, details;
};

static struct parts parts_of(struct t *t, struct str bytes) {
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

static struct str without_prefix(struct t *t, const struct test_exchange *x, bool grpc) {
	struct str b = x->reply.body;
	if (!grpc) return b;
	EXPECT(b.n >= 5 && b.p[0] == 0);
	EXPECT(((size_t)(unsigned char)b.p[3] << 8 | (unsigned char)b.p[4]) == b.n - 5);
	return (struct str){ b.p + 5, b.n - 5 };
}

static void expect_accepted(struct t *t, const struct test_exchange *x, bool grpc) {
	EXPECT(x->reply.times == 1 && x->reply.status == 200);
	EXPECT(str_is(header(x, "content-type"), grpc ? "application/grpc" : "application/x-protobuf"));
	EXPECT(without_prefix(t, x, grpc).n == 0);
	if (grpc) EXPECT(str_is(trailer(x, "grpc-status"), "0") && !trailer(x, "grpc-message").p);
}

/* 200 with partial_success: how many, and why. */
static struct parts expect_partial(struct t *t, const struct test_exchange *x, bool grpc) {
	EXPECT(x->reply.times == 1 && x->reply.status == 200);
	if (grpc) EXPECT(str_is(trailer(x, "grpc-status"), "0"));
	struct wire w = wire_of(without_prefix(t, x, grpc));
	struct wire_field f = { 0 };
	EXPECT(wire_next(&w, &f) && f.number == 1 && f.type == WIRE_BYTES && w.p == w.end);
	return parts_of(t, f.bytes);
}

static struct parts expect_refused(struct t *t, const struct test_exchange *x, bool grpc, int status,
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

static struct str lines_of(struct t *t, struct door *d, int from) {
	struct buf b;
	buf_init(&b, 0);
	for (int i = from; i < d->sink->count; i++) EXPECT(render_batch(d->sink->puts[i].bytes, &b));
	struct str text = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
	return text;
}

static int64_t count_lines(struct str s) {
	int64_t n = 0;
	for (size_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
	return n;
}

/* ---- promises ---- */

TEST(each_signal_is_taken_on_both_ports_plain_and_compressed, .seeds = 40) {
	struct door *d = opened(t);
	for (int i = 0; i < 12; i++) {
		enum otlp_signal s = i % 3;
		bool grpc = i / 3 % 2, gzip = i / 6;
		int before = d->sink->count;
		struct test_exchange *x = send(t, d, grpc, s, gzip, body(t, s, POINTS));
		steps(d);
		expect_accepted(t, x, grpc);
		EXPECT(d->sink->count == before + 1 && count_lines(lines_of(t, d, before)) == POINTS);
	}
	EXPECT(metric(t, d, "flyball_ingest_records_total{signal=\"traces\"}") == 4 * POINTS);
	EXPECT(metric(t, d, "flyball_ingest_requests_total{protocol=\"grpc\",signal=\"logs\",outcome=\"ok\"}") == 2);
	EXPECT(metric(t, d, "flyball_ingest_batches_total") == 12);
	EXPECT(metric(t, d, "flyball_ingest_requests_in_progress_max") >= 1);
	EXPECT(metric(t, d, "flyball_ingest_memory_max_bytes") > 1000);
	closed(t, d);
}

TEST(an_empty_request_is_a_success_and_no_batch) {
	struct door *d = opened(t);
	for (int i = 0; i < 12; i++) {
		bool grpc = i & 1;
		struct test_exchange *x = send(t, d, grpc, i % 3, i / 6, (struct str){ NULL, 0 });
		steps(d);
		expect_accepted(t, x, grpc);
	}
	EXPECT(d->sink->count == 0);
	closed(t, d);
}

TEST(nobody_is_answered_before_the_batch_is_safe) {
	for (int grpc = 0; grpc < 2; grpc++) {
		struct door *d = opened(t);
		d->sink->ends = 0;
		struct test_exchange *x = send(t, d, grpc, OTLP_LOGS, false, body(t, OTLP_LOGS, 3));
		steps(d);
		EXPECT(d->sink->count == 1 && x->reply.times == 0);
		d->sink->ends = 1;
		steps(d);
		expect_accepted(t, x, grpc);
		closed(t, d);
	}
}

TEST(what_cannot_be_taken_is_told_and_the_rest_is_kept) {
	for (int grpc = 0; grpc < 2; grpc++) {
		struct door *d = opened(t);
		struct request_out *o = arena_new(t->arena, struct request_out);
		request_init(o);
		request_begin(o, 1);
		request_begin(o, 2);
		record(o, OTLP_TRACES, 1);
		for (int i = 0; i < 2; i++) {
			request_begin(o, 2);
			request_text(o, 1, STR("short"));
			request_end(o);
		}
		request_end(o);
		request_end(o);
		struct test_exchange *x = send(t, d, grpc, OTLP_TRACES, false, request_bytes(o));
		request_done(o);
		steps(d);
		struct parts p = expect_partial(t, x, grpc);
		EXPECT(p.number == 2 && str_is(p.text, "2 spans without a valid trace or span id"));
		EXPECT(d->sink->count == 1 && count_lines(lines_of(t, d, 0)) == 1);
		EXPECT(metric(t, d, "flyball_ingest_rejected_records_total{signal=\"traces\",reason=\"ids\"}") == 2);
		closed(t, d);
	}
}

TEST(a_malformed_request_is_refused_whole_with_the_reason, .seeds = 20) {
	for (int grpc = 0; grpc < 2; grpc++) {
		struct door *d = opened(t);
		struct str good = body(t, OTLP_METRICS, POINTS);
		struct str cut = { good.p, good.n - 1 - (size_t)rng_below(&t->rng, 20) };
		struct test_exchange *x = send(t, d, grpc, OTLP_METRICS, rng_below(&t->rng, 2), cut);
		steps(d);
		struct parts p = expect_refused(t, x, grpc, 400, "3");
		EXPECT(p.number == 3 && str_starts(p.text, STR("malformed protobuf:")));
		EXPECT(str_starts(p.details, STR("\n)type.googleapis.com/google.rpc.BadRequest")));
		EXPECT(d->sink->count == 0);
		closed(t, d);
	}
}

TEST(what_is_not_spoken_here_is_refused_by_name) {
	static const struct {
		bool http2;
		const char *method, *target, *headers;
		int status;
		const char *code, *says;
	} heads[] = {
		{ false, "POST", "/v1/profiles", PROTO, 404, NULL, "/v1/metrics" },
		{ false, "GET", "/v1/metrics", "", 405, NULL, "POST" },
		{ false, "POST", "/v1/metrics", "content-type: application/json\n", 415, NULL, "JSON is not taken yet" },
		{ false, "POST", "/v1/metrics", "", 415, NULL, "application/x-protobuf" },
		{ false, "POST", "/v1/logs", PROTO "content-encoding: zstd\n", 415, NULL, "gzip" },
		{ true, "POST", "/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export", GRPC, 0, "12",
		  "the paths are" },
		{ true, "POST", NULL, GRPC "grpc-encoding: zstd\n", 0, "12", "gzip" },
		{ true, "POST", NULL, "content-type: application/grpc+json\n", 415, NULL, NULL },
		{ true, "POST", NULL, "content-type: text/html\n", 415, NULL, NULL },
		{ true, "GET", NULL, GRPC, 405, NULL, NULL },
	};
	struct door *d = opened(t);
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		const char *target = heads[i].target ? heads[i].target : grpc_paths[0];
		struct test_exchange *x = test_http_head(&d->http, heads[i].http2, heads[i].method, target, heads[i].headers);
		steps(d);
		EXPECT(x->reply.times == 1);
		test_http_body(&d->http, heads[i].http2, x, STR("its body comes all the same"));
		test_http_end(&d->http, heads[i].http2, x);
		steps(d);
		EXPECT(x->reply.times == 1);
		if (heads[i].code) {
			EXPECT(str_is(trailer(x, "grpc-status"), heads[i].code));
			EXPECT(strstr(str_c(t->arena, trailer(x, "grpc-message")), heads[i].says));
		} else {
			EXPECT(x->reply.status == heads[i].status);
			if (heads[i].says) EXPECT(strstr(str_c(t->arena, parts_of(t, x->reply.body).text), heads[i].says));
		}
		if (heads[i].status == 405 && !heads[i].http2) EXPECT(str_is(header(x, "allow"), "POST"));
	}
	EXPECT(d->sink->count == 0);
	closed(t, d);
}

TEST(media_types_are_read_with_their_parameters_and_in_any_case) {
	static const char *const fine[] = { "content-type: Application/X-Protobuf; charset=utf-8\n",
										PROTO "content-encoding: identity\n", PROTO "content-encoding: none\n" };
	struct door *d = opened(t);
	for (size_t i = 0; i < 3; i++) {
		struct test_exchange *x = test_http_post(&d->http, false, "/v1/logs?a=b", fine[i], body(t, OTLP_LOGS, 1), 100);
		steps(d);
		expect_accepted(t, x, false);
	}
	struct test_exchange *x = test_http_post(&d->http, true, grpc_paths[1], "content-type: application/grpc+proto\n",
											 framed(t, 0, body(t, OTLP_LOGS, 1)), 3);
	steps(d);
	expect_accepted(t, x, true);
	closed(t, d);
}

/* A bomb of 64 MiB in 64 KiB costs no more than the limit, and its end is not waited for. */
TEST(a_bomb_is_stopped_while_it_inflates) {
	for (int grpc = 0; grpc < 2; grpc++) {
		struct door *d = opened(t);
		struct str zeros = { arena_take(t->arena, 64 << 20, 1), 64 << 20 };
		struct test_exchange *x = send(t, d, grpc, OTLP_METRICS, true, zeros);
		int events = 0;
		while (x->reply.times == 0 && ingest_step(d->in)) events++;
		struct parts p = expect_refused(t, x, grpc, 413, "8");
		EXPECT(!p.details.p); /* no RetryInfo: it would be no smaller next time */
		EXPECT(metric(t, d, "flyball_ingest_memory_max_bytes") < 2 << 20);
		EXPECT(metric(t, d, "flyball_ingest_read_bytes_total") == 0 && d->sink->count == 0);
		closed(t, d);
	}
}

TEST(a_body_over_the_limit_is_refused_at_its_head_or_when_it_passes_it) {
	struct door *d = opened(t);
	struct str big = { arena_take(t->arena, (1 << 20) + 1, 1), (1 << 20) + 1 };
	struct test_exchange *x = test_http_head(&d->http, false, "POST", "/v1/logs", PROTO "content-length: 1048577\n");
	steps(d);
	expect_refused(t, x, false, 413, NULL);
	x = send(t, d, false, OTLP_LOGS, false, big);
	steps(d);
	expect_refused(t, x, false, 413, NULL);
	x = test_http_head(&d->http, true, "POST", grpc_paths[1], GRPC);
	test_http_body(&d->http, true, x, (struct str){ framed(t, 0, big).p, 5 });
	steps(d); /* the prefix says it: the rest is not waited for */
	struct parts p = expect_refused(t, x, true, 0, "8");
	EXPECT(!p.details.p);
	EXPECT(metric(t, d, "flyball_ingest_requests_total{protocol=\"http\",signal=\"logs\",outcome=\"too_large\"}") == 2);
	closed(t, d);
}

TEST(broken_framing_and_broken_gzip_are_told) {
	struct door *d = opened(t);
	struct str b = body(t, OTLP_LOGS, 1), f = framed(t, 0, b), z = gzipped(t, b);
	char *two = arena_take(t->arena, 2 * f.n, 1);
	memcpy(two, f.p, f.n);
	memcpy(two + f.n, f.p, f.n);
	const struct {
		struct str bytes;
		const char *headers, *code;
	} wrong[] = {
		{ { two, 2 * f.n }, GRPC, "13" },
		{ { f.p, f.n - 1 }, GRPC, "13" },
		{ { f.p, 3 }, GRPC, "13" },
		{ { NULL, 0 }, GRPC, "13" },
		{ framed(t, 2, b), GRPC, "13" },
		{ framed(t, 1, z), GRPC, "12" },
		{ framed(t, 1, b), GRPC "grpc-encoding: gzip\n", "13" },
		{ framed(t, 1, (struct str){ z.p, z.n - 1 }), GRPC "grpc-encoding: gzip\n", "13" },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct test_exchange *x = test_http_post(&d->http, true, grpc_paths[1], wrong[i].headers, wrong[i].bytes, 7);
		steps(d);
		EXPECT(x->reply.times == 1 && str_is(trailer(x, "grpc-status"), wrong[i].code));
	}
	/* gRPC: with grpc-encoding, a message whose flag is not set is plain. */
	struct test_exchange *x = test_http_post(&d->http, true, grpc_paths[1], GRPC "grpc-encoding: gzip\n", f, 7);
	steps(d);
	expect_accepted(t, x, true);
	x = test_http_post(&d->http, false, "/v1/logs", PROTO "content-encoding: gzip\n", b, 7);
	steps(d);
	expect_refused(t, x, false, 400, NULL);
	EXPECT(d->sink->count == 1);
	closed(t, d);
}

TEST(a_full_stream_tells_the_sender_to_come_again_and_keeps_nothing) {
	for (int grpc = 0; grpc < 2; grpc++) {
		struct door *d = opened(t);
		d->sink->room = 0;
		struct test_exchange *x = send(t, d, grpc, OTLP_METRICS, false, body(t, OTLP_METRICS, POINTS));
		steps(d);
		struct parts p = expect_refused(t, x, grpc, 503, "14");
		if (!grpc) EXPECT(str_is(header(x, "retry-after"), "1"));
		EXPECT(p.number == 14);
		/* Any { type_url = 1, value = 2 { retry_delay = 1 { seconds = 1 } } } */
		EXPECT(str_starts(p.details, STR("\n(type.googleapis.com/google.rpc.RetryInfo\x12\x04\n\x02\x08\x01")));
		EXPECT(d->sink->count == 0 && metric(t, d, "flyball_ingest_records_total{signal=\"metrics\"}") == 0);
		d->sink->room = 1;
		x = send(t, d, grpc, OTLP_METRICS, false, body(t, OTLP_METRICS, POINTS));
		steps(d);
		expect_accepted(t, x, grpc);
		closed(t, d);
	}
}

/* Three services that take turns: their records come in three batches, each with a key of its own. */
static struct str three_services(struct t *t, int rounds) {
	static const char *const names[] = { "cart", "payment", "stock" };
	struct request_out *o = arena_new(t->arena, struct request_out);
	request_init(o);
	for (int i = 0; i < 3 * rounds; i++) {
		request_begin(o, 1);
		request_begin(o, 1);
		request_attr(o, 1, STR("service.name"), str_of(names[i % 3]));
		request_end(o);
		request_begin(o, 2);
		record(o, OTLP_LOGS, i);
		request_end(o);
		request_end(o);
	}
	struct str b = str_copy(t->arena, request_bytes(o));
	request_done(o);
	return b;
}

TEST(services_that_take_turns_in_a_request_come_in_a_batch_each) {
	struct door *d = opened(t);
	struct test_exchange *x = send(t, d, false, OTLP_LOGS, false, three_services(t, 20));
	steps(d);
	expect_accepted(t, x, false);
	EXPECT(d->sink->count == 3 && count_lines(lines_of(t, d, 0)) == 60);
	EXPECT(d->sink->puts[0].key != d->sink->puts[1].key && d->sink->puts[1].key != d->sink->puts[2].key);
	struct test_exchange *again = send(t, d, true, OTLP_LOGS, false, three_services(t, 1));
	steps(d);
	expect_accepted(t, again, true);
	for (int i = 0; i < 3; i++) EXPECT(d->sink->puts[i].key == d->sink->puts[3 + i].key);
	closed(t, d);
}

TEST(a_request_whose_first_batch_was_taken_waits_for_room_for_the_others) {
	struct door *d = opened(t);
	d->sink->room = 1;
	struct test_exchange *x = send(t, d, true, OTLP_LOGS, false, three_services(t, 2));
	steps(d);
	EXPECT(x->reply.times == 0 && d->sink->count == 1);
	EXPECT(ingest_next_due(d->in).ns == clock_mono(&d->clock.clock).ns + INGEST_GIVE_UP);

	/* Who comes later may not overtake, and is told at once. */
	struct test_exchange *later = send(t, d, true, OTLP_LOGS, false, body(t, OTLP_LOGS, 1));
	steps(d);
	expect_refused(t, later, true, 503, "14");
	d->sink->room = 1;
	steps(d);
	EXPECT(x->reply.times == 0 && d->sink->count == 2);
	d->sink->room = 1;
	steps(d);
	expect_accepted(t, x, true);
	EXPECT(count_lines(lines_of(t, d, 0)) == 6);
	closed(t, d);
}

TEST(what_finds_no_room_in_time_is_reported_as_rejected) {
	for (int grpc = 0; grpc < 2; grpc++) {
		struct door *d = opened(t);
		d->sink->room = 1;
		struct test_exchange *x = send(t, d, grpc, OTLP_LOGS, false, three_services(t, 5));
		steps(d);
		fake_clock_advance(&d->clock, INGEST_GIVE_UP - 1);
		steps(d);
		EXPECT(x->reply.times == 0);
		fake_clock_advance(&d->clock, 1);
		steps(d);
		struct parts p = expect_partial(t, x, grpc);
		EXPECT(p.number == 10 && strstr(str_c(t->arena, p.text), "found no room in time"));
		EXPECT(metric(t, d, "flyball_ingest_records_total{signal=\"logs\"}") == 5);
		EXPECT(metric(t, d, "flyball_ingest_rejected_records_total{signal=\"logs\",reason=\"no_room\"}") == 10);
		closed(t, d);
	}
}

TEST(a_batch_that_the_next_stage_loses_is_not_called_safe) {
	struct door *d = opened(t);
	d->sink->end_err = ERR_IO;
	struct test_exchange *x = send(t, d, true, OTLP_LOGS, false, body(t, OTLP_LOGS, 3));
	steps(d);
	expect_refused(t, x, true, 503, "14");

	d->sink->end_err = OK; /* two of three are kept */
	d->sink->ends = 2;
	x = send(t, d, true, OTLP_LOGS, false, three_services(t, 4));
	steps(d);
	d->sink->end_err = ERR_IO;
	d->sink->ends = 1;
	steps(d);
	struct parts p = expect_partial(t, x, true);
	EXPECT(p.number == 4);

	d->sink->ends = 0; /* it never says: the sender had better come again */
	x = send(t, d, true, OTLP_LOGS, false, body(t, OTLP_LOGS, 3));
	steps(d);
	fake_clock_advance(&d->clock, INGEST_GIVE_UP);
	steps(d);
	expect_refused(t, x, true, 503, "14");
	d->sink->ends = 10; /* it says so too late, of a request that is gone */
	steps(d);
	closed(t, d);
}

TEST(requests_in_progress_are_bounded) {
	struct door *d = opened(t);
	struct test_exchange *x[17];
	for (int i = 0; i < 17; i++) x[i] = test_http_head(&d->http, false, "POST", http_paths[0], PROTO);
	steps(d);
	for (int i = 0; i < 16; i++) EXPECT(x[i]->reply.times == 0);
	expect_refused(t, x[16], false, 503, NULL);
	test_http_end(&d->http, false, x[0]);
	steps(d);
	expect_accepted(t, x[0], false);
	struct test_exchange *y = send(t, d, false, OTLP_METRICS, false, body(t, OTLP_METRICS, 20));
	steps(d);
	expect_accepted(t, y, false);
	for (int i = 1; i < 16; i++) test_http_fail(&d->http, false, x[i]);
	steps(d);
	EXPECT(metric(t, d, "flyball_ingest_requests_total{protocol=\"http\",signal=\"metrics\",outcome=\"gone\"}") == 15);
	closed(t, d);
}

TEST(memory_of_bodies_is_bounded_over_all_requests) {
	struct door *d = opened(t);
	struct test_exchange *x[16];
	struct str piece = { arena_take(t->arena, HTTP_PIECE_MAX, 1), HTTP_PIECE_MAX };
	for (int i = 0; i < 16; i++) x[i] = test_http_head(&d->http, false, "POST", "/v1/logs", PROTO);
	for (int k = 0; k < 15; k++) {
		for (int i = 0; i < 16; i++) test_http_body(&d->http, false, x[i], piece);
		steps(d);
		EXPECT(metric(t, d, "flyball_ingest_memory_bytes") <= 8 << 20);
	}
	int refused = 0;
	for (int i = 0; i < 16; i++) refused += x[i]->reply.times;
	EXPECT(refused > 0 && refused < 16);
	EXPECT(metric(t, d, "flyball_ingest_memory_max_bytes") <= 9 << 20);
	for (int i = 0; i < 16; i++) {
		if (x[i]->reply.times) expect_refused(t, x[i], false, 503, NULL);
		test_http_fail(&d->http, false, x[i]);
	}
	closed(t, d);
}

TEST(a_sender_that_never_ends_is_told_so_after_a_minute) {
	struct door *d = opened(t);
	struct test_exchange *x = test_http_head(&d->http, false, "POST", "/v1/logs", PROTO);
	struct test_exchange *y = test_http_head(&d->http, true, "POST", grpc_paths[1], GRPC);
	for (int i = 0; i < 59; i++) {
		test_http_body(&d->http, false, x, STR("x"));
		steps(d);
		fake_clock_advance(&d->clock, NS_PER_SEC);
	}
	EXPECT(x->reply.times == 0 && ingest_next_due(d->in).ns == clock_mono(&d->clock.clock).ns + NS_PER_SEC);
	fake_clock_advance(&d->clock, NS_PER_SEC);
	steps(d);
	expect_refused(t, x, false, 408, NULL);
	expect_refused(t, y, true, 0, "4");
	closed(t, d);
}

/* Any order of heads, pieces, ends, failures, full streams and passing time: everybody who is still
 * there and was whole is answered once, nothing is held in the end, and what was answered with success
 * is what the next stage has. */
TEST(every_whole_request_is_answered_once_whatever_happens, .seeds = 150) {
	enum { N = 40 };
	struct door *d = opened(t);
	struct test_exchange *x[N];
	struct str b[N];
	size_t sent[N] = { 0 };
	bool open[N];
	int64_t records = 0;
	for (int i = 0; i < N; i++) {
		bool grpc = i % 2;
		open[i] = true;
		b[i] = rng_below(&t->rng, 3) ? three_services(t, 1 + (int)rng_below(&t->rng, 3)) : body(t, OTLP_LOGS, 2);
		if (rng_below(&t->rng, 8) == 0) b[i].n -= 1;
		if (grpc) b[i] = framed(t, 0, b[i]);
		x[i] = test_http_head(&d->http, grpc, "POST", grpc ? grpc_paths[1] : http_paths[1], grpc ? GRPC : PROTO);
	}
	d->sink->ends = d->sink->room = 0;
	for (int step = 0, left = N; left > 0; step++) {
		int i = (int)rng_below(&t->rng, N);
		if (open[i] && rng_below(&t->rng, 30) == 0) {
			test_http_fail(&d->http, i % 2, x[i]);
			open[i] = false;
			left--;
		} else if (open[i] && sent[i] < b[i].n) {
			size_t n = 1 + (size_t)rng_below(&t->rng, (int64_t)(b[i].n - sent[i]));
			test_http_body(&d->http, i % 2, x[i], (struct str){ b[i].p + sent[i], n });
			sent[i] += n;
		} else if (open[i]) {
			test_http_end(&d->http, i % 2, x[i]);
			open[i] = false;
			left--;
		}
		if (rng_below(&t->rng, 3) == 0) d->sink->room = rng_below(&t->rng, 4);
		d->sink->ends += rng_below(&t->rng, 2);
		d->sink->end_err = rng_below(&t->rng, 10) ? OK : ERR_IO;
		ingest_step(d->in);
		if (rng_below(&t->rng, 20) == 0) fake_clock_advance(&d->clock, NS_PER_SEC);
	}
	for (int i = 0; i < 20; i++) {
		d->sink->ends = PUTS_MAX;
		steps(d);
		fake_clock_advance(&d->clock, INGEST_GIVE_UP);
	}
	for (int i = 0; i < N; i++) EXPECT(x[i]->gone ? x[i]->reply.times <= 1 : x[i]->reply.times == 1);
	records = count_lines(lines_of(t, d, 0));
	EXPECT((double)records >= metric(t, d, "flyball_ingest_records_total{signal=\"logs\"}"));
	closed(t, d);
}

TEST(a_port_in_use_is_named_and_nothing_stays_open) {
	struct door *d = arena_new(t->arena, struct door);
	struct ingest_opts o = door_opts(t, d);
	struct why why = { "" };
	d->http.busy_port = 4318;
	EXPECT_ERR(ingest_open(o, &d->in, &why), ERR_BUSY);
	EXPECT(!d->in && strstr(why.text, "4318") && d->http.servers[1].closed);
	ingest_close(NULL);
}

TEST(a_port_can_be_off_and_options_are_checked) {
	struct door *d = arena_new(t->arena, struct door);
	struct ingest_opts o = door_opts(t, d);
	struct why why = { "" };
	o.grpc_port = -1;
	o.http_port = 0;
	EXPECT_OK(ingest_open(o, &d->in, &why));
	EXPECT(ingest_grpc_port(d->in) == -1 && ingest_http_port(d->in) == 40000);
	EXPECT(!ingest_step(d->in));
	ingest_close(d->in);
	o.body_max = 0;
	EXPECT_ERR(ingest_open(o, &d->in, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "body_max"));
}

RUN(each_signal_is_taken_on_both_ports_plain_and_compressed, an_empty_request_is_a_success_and_no_batch,
	nobody_is_answered_before_the_batch_is_safe, what_cannot_be_taken_is_told_and_the_rest_is_kept,
	a_malformed_request_is_refused_whole_with_the_reason, what_is_not_spoken_here_is_refused_by_name,
	media_types_are_read_with_their_parameters_and_in_any_case, a_bomb_is_stopped_while_it_inflates,
	a_body_over_the_limit_is_refused_at_its_head_or_when_it_passes_it, broken_framing_and_broken_gzip_are_told,
	a_full_stream_tells_the_sender_to_come_again_and_keeps_nothing,
	services_that_take_turns_in_a_request_come_in_a_batch_each,
	a_request_whose_first_batch_was_taken_waits_for_room_for_the_others,
	what_finds_no_room_in_time_is_reported_as_rejected, a_batch_that_the_next_stage_loses_is_not_called_safe,
	requests_in_progress_are_bounded, memory_of_bodies_is_bounded_over_all_requests,
	a_sender_that_never_ends_is_told_so_after_a_minute, every_whole_request_is_answered_once_whatever_happens,
	a_port_in_use_is_named_and_nothing_stays_open, a_port_can_be_off_and_options_are_checked)
