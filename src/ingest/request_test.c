/* A request's life when room, memory or time run short. */
#include "ingest/test_door.h"

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

/* A few that begin and never end must not keep everybody else out. */
TEST(who_is_slow_makes_room_for_others) {
	struct door *d = opened(t);
	struct test_exchange *slow[16];
	struct str piece = { arena_take(t->arena, HTTP_PIECE_MAX, 1), HTTP_PIECE_MAX };
	for (int i = 0; i < 16; i++) {
		slow[i] = test_http_head(&d->http, false, "POST", "/v1/logs", PROTO);
		test_http_body(&d->http, false, slow[i], piece);
	}
	steps(d);
	struct test_exchange *x = send(t, d, false, OTLP_METRICS, false, body(t, OTLP_METRICS, 5));
	steps(d);
	expect_refused(t, x, false, 503, NULL); /* they may still be in the middle of it */
	fake_clock_advance(&d->clock, 5 * NS_PER_SEC);
	for (int i = 0; i < 3; i++) {
		x = send(t, d, false, OTLP_METRICS, false, body(t, OTLP_METRICS, 5));
		steps(d);
		expect_accepted(t, x, false);
	}
	/* each makes room once: the first went, and what was sent meanwhile has ended */
	expect_refused(t, slow[0], false, 503, NULL);
	for (int i = 1; i < 16; i++) EXPECT(slow[i]->reply.times == 0);
	for (int i = 1; i < 16; i++) test_http_fail(&d->http, false, slow[i]);
	closed(t, d);
}

TEST(who_holds_memory_for_long_makes_room_for_others) {
	struct door *d = opened(t);
	struct test_exchange *slow[8];
	struct str piece = { arena_take(t->arena, HTTP_PIECE_MAX, 1), HTTP_PIECE_MAX };
	for (int i = 0; i < 8; i++) slow[i] = test_http_head(&d->http, false, "POST", "/v1/logs", PROTO);
	for (int k = 0; k < 15; k++) {
		for (int i = 0; i < 8; i++) test_http_body(&d->http, false, slow[i], piece);
		steps(d);
	}
	fake_clock_advance(&d->clock, 6 * NS_PER_SEC);
	struct str large = body(t, OTLP_METRICS, 5000);
	for (int i = 0; i < 20; i++) {
		struct test_exchange *x = send(t, d, false, OTLP_METRICS, false, large);
		steps(d);
		expect_accepted(t, x, false);
		EXPECT(metric(t, d, "flyball_ingest_memory_bytes") <= 8 << 20);
	}
	for (int i = 0; i < 8; i++) test_http_fail(&d->http, false, slow[i]);
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

RUN(nobody_is_answered_before_the_batch_is_safe, a_full_stream_tells_the_sender_to_come_again_and_keeps_nothing,
    services_that_take_turns_in_a_request_come_in_a_batch_each,
    a_request_whose_first_batch_was_taken_waits_for_room_for_the_others,
    what_finds_no_room_in_time_is_reported_as_rejected, a_batch_that_the_next_stage_loses_is_not_called_safe,
    requests_in_progress_are_bounded, memory_of_bodies_is_bounded_over_all_requests, who_is_slow_makes_room_for_others,
    who_holds_memory_for_long_makes_room_for_others, a_sender_that_never_ends_is_told_so_after_a_minute,
    every_whole_request_is_answered_once_whatever_happens)
