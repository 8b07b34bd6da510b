/* The door, with peers and the next stage played by the test. */
#include "ingest/test_door.h"

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
    what_cannot_be_taken_is_told_and_the_rest_is_kept, a_malformed_request_is_refused_whole_with_the_reason,
    what_is_not_spoken_here_is_refused_by_name, media_types_are_read_with_their_parameters_and_in_any_case,
    a_bomb_is_stopped_while_it_inflates, a_body_over_the_limit_is_refused_at_its_head_or_when_it_passes_it,
    broken_framing_and_broken_gzip_are_told, a_port_in_use_is_named_and_nothing_stays_open,
    a_port_can_be_off_and_options_are_checked)
