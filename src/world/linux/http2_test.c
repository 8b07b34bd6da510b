#include "world/linux/rig_http2.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct http_server *listen_h2(struct rig *r, int64_t idle_ns) {
	return rig_listen(r, (struct http_listen){ .http2 = true, .idle_timeout_ns = idle_ns });
}

static struct str bytes_of(struct t *t, size_t n) {
	char *p = arena_take(t->arena, n ? n : 1, 1);
	EXPECT(p);
	for (size_t i = 0; i < n; i++) p[i] = (char)rng_below(&t->rng, 256);
	return (struct str){ p, n };
}

static enum err reply_text(struct http_server *s, uint64_t id, int status, struct str text) {
	struct http_reply reply = { .status = status, .body = text };
	return http_server_reply(s, id, &reply);
}

#define H2_UNTIL(h, condition)                                                                              \
	for (int64_t until_ = rig_now((h)->rig) + RIG_PATIENCE_NS; !(condition); h2_turn(h)) {                  \
		if (rig_now((h)->rig) > until_) test_fail((h)->rig->t, __FILE__, __LINE__, "in time: " #condition); \
	}

/* Answers every whole request with its own body and gRPC's trailers. */
static void echo_all(struct rig *r, struct http_server *s, struct asked *a, size_t count) {
	struct t *t = r->t;
	static const struct http_header trailers[] = { { STR("grpc-status"), STR("0") },
		                                           { STR("Grpc-Message"), STR("fine") } };
	while (rig_poll_server(r, s, a, count)) {}
	for (size_t i = 0; i < count; i++) {
		if (!a[i].whole) continue;
		struct http_header type = { STR("content-type"), STR("application/grpc") };
		struct http_reply reply = { .status = 200,
			                        .headers = &type,
			                        .header_count = 1,
			                        .body = buf_get(&a[i].body),
			                        .trailers = trailers,
			                        .trailer_count = 2 };
		EXPECT_OK(http_server_reply(s, a[i].id, &reply));
		asked_done(&a[i]);
		a[i] = (struct asked){ 0 };
	}
}

TEST(many_streams_go_there_and_back_with_trailers, .seeds = 10) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct h2 *h = malloc(sizeof *h);
	enum { N = 60 };
	struct answer *got[N];
	struct h2_body body[N];
	struct asked *asked = calloc(N, sizeof *asked);
	h2_open(h, &r, http_server_port(s));
	for (int i = 0; i < N; i++) {
		static const int64_t sizes[] = { 1, 1000, 65535, 65536, 200000 };
		body[i] = (struct h2_body){ bytes_of(t, (size_t)rng_below(&t->rng, sizes[rng_below(&t->rng, 5)] + 1)) };
		got[i] =
			h2_ask(h, "POST", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", NULL, 0, &body[i]);
	}
	for (int done = 0; done < N;) {
		h2_turn(h);
		echo_all(&r, s, asked, N);
		done = 0;
		for (int i = 0; i < N; i++) done += got[i]->done;
	}
	for (int i = 0; i < N; i++) {
		EXPECT(got[i]->status == 200 && str_eq(buf_get(&got[i]->body), body[i].bytes));
		EXPECT(got[i]->trailer_count == 2 && str_is(got[i]->trailers[0].name, "grpc-status"));
		EXPECT(str_is(got[i]->trailers[1].name, "grpc-message") && str_is(got[i]->trailers[1].value, "fine"));
		EXPECT(h2_code(h, got[i]) == NGHTTP2_NO_ERROR);
	}
	h2_close(h);
	free(h);
	free(asked);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_request_is_told_as_it_was_sent) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct h2 *h = malloc(sizeof *h);
	struct asked a = { 0 };
	h2_open(h, &r, http_server_port(s));
	struct http_header headers[] = { { STR("x-odd"), STR("two words") }, { STR("grpc-timeout"), STR("1S") } };
	struct answer *got = h2_ask(h, "GET", "/a%20b?x=1", headers, 2, NULL);
	H2_UNTIL(h, (rig_poll_server(&r, s, &a, 1), a.whole));
	EXPECT(str_is(a.head.method, "GET") && str_is(a.head.target, "/a%20b?x=1") && a.head.http2);
	EXPECT(str_is(http_header(&a.head, "host"), "here") && str_is(http_header(&a.head, "x-odd"), "two words"));
	EXPECT(a.head.header_count == 3 && str_starts(a.head.peer, STR("127.0.0.1:")) && a.id != 0);
	EXPECT_OK(reply_text(s, a.id, 404, STR("nothing")));
	EXPECT(reply_text(s, a.id, 200, STR("twice")) != OK);
	H2_UNTIL(h, got->done);
	EXPECT(got->status == 404 && str_is(buf_get(&got->body), "nothing") &&
	       str_is(http_header(&got->head, "content-length"), "7"));
	h2_close(h);
	free(h);
	http_server_close(s);
	rig_close(&r);
}

/* Windows open only as pieces are polled: a stream gets 64 KiB through, all of them one MiB. */
TEST(what_is_not_polled_is_not_sent) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 200 * NS_PER_MS);
	struct h2 *h = malloc(sizeof *h);
	enum { N = 40 };
	struct answer *got[N];
	struct asked *asked = calloc(N, sizeof *asked);
	struct str body = bytes_of(t, 300000);
	h2_open(h, &r, http_server_port(s));
	for (int i = 0; i < N; i++) got[i] = h2_ask(h, "POST", "/", NULL, 0, &(struct h2_body){ body });
	for (int64_t until = rig_now(&r) + 500 * NS_PER_MS; rig_now(&r) < until;) h2_turn(h); /* longer than the time-out */
	size_t sent = 0;
	for (int i = 0; i < N; i++) {
		EXPECT(h->bodies[i].at <= 65536);
		sent += h->bodies[i].at;
	}
	EXPECT(sent >= 900 << 10 && sent <= 1 << 20);
	for (int done = 0; done < N;) {
		h2_turn(h);
		echo_all(&r, s, asked, N);
		done = 0;
		for (int i = 0; i < N; i++) done += got[i]->done;
		for (int i = 0; i < N; i++) EXPECT(!got[i]->failed);
	}
	for (int i = 0; i < N; i++) EXPECT(str_eq(buf_get(&got[i]->body), body));
	h2_close(h);
	free(h);
	free(asked);
	http_server_close(s);
	rig_close(&r);
}

/* A refused or abandoned body gives its bytes back to the connection, or that would starve. */
TEST(windows_survive_refusals_and_resets, .seeds = 3) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct h2 *h = malloc(sizeof *h);
	struct str body = bytes_of(t, 120000);
	h2_open(h, &r, http_server_port(s));
	for (int i = 0; i < 60; i++) { /* 7 MiB, the connection's window is one */
		struct asked a = { 0 };
		struct answer *got = h2_ask(h, "POST", "/", NULL, 0, &(struct h2_body){ body, .hold = true });
		H2_UNTIL(h, (a.id || rig_poll_server(&r, s, &a, 1)) && h->bodies[i].at >= 65535);
		if (rng_below(&t->rng, 2)) {
			EXPECT_OK(reply_text(s, a.id, 413, STR("too much")));
			H2_UNTIL(h, got->done);
			EXPECT(got->status == 413 && str_is(buf_get(&got->body), "too much"));
			EXPECT(!rig_poll_server(&r, s, &a, 1));
		} else {
			h2_reset(h, got, NGHTTP2_CANCEL);
			H2_UNTIL(h, (rig_poll_server(&r, s, &a, 1), a.failed));
			EXPECT(a.err == ERR_CLOSED);
			EXPECT_ERR(reply_text(s, a.id, 200, STR("late")), ERR_CLOSED);
		}
		asked_done(&a);
	}
	h2_close(h);
	free(h);
	http_server_close(s);
	rig_close(&r);
}

TEST(an_early_refusal_ends_the_stream_without_an_error) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct h2 *h = malloc(sizeof *h);
	struct asked a = { 0 };
	h2_open(h, &r, http_server_port(s));
	struct answer *got = h2_ask(h, "POST", "/", NULL, 0, &(struct h2_body){ STR("some"), .hold = true });
	H2_UNTIL(h, (rig_poll_server(&r, s, &a, 1), a.id));
	struct http_header trailer = { STR("grpc-status"), STR("8") };
	struct http_reply reply = { .status = 200, .trailers = &trailer, .trailer_count = 1 };
	EXPECT_OK(http_server_reply(s, a.id, &reply));
	H2_UNTIL(h, got->done && nghttp2_session_find_stream(h->session, (int32_t)got->id) == NULL);
	EXPECT(got->trailer_count == 1 && str_is(got->trailers[0].value, "8") && h2_code(h, got) == NGHTTP2_NO_ERROR);
	h2_close(h);
	free(h);
	asked_done(&a);
	http_server_close(s);
	rig_close(&r);
}

TEST(request_trailers_arrive) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct h2 *h = malloc(sizeof *h);
	struct asked a = { 0 };
	h2_open(h, &r, http_server_port(s));
	struct answer *got = h2_ask(h, "POST", "/", NULL, 0, &(struct h2_body){ STR("some"), .hold = true });
	H2_UNTIL(h, (rig_poll_server(&r, s, &a, 1), a.body.n == 4));
	nghttp2_nv trailer = { (uint8_t *)(uintptr_t) "x-sum", (uint8_t *)(uintptr_t) "7", 5, 1, NGHTTP2_NV_FLAG_NONE };
	EXPECT(nghttp2_submit_trailer(h->session, (int32_t)got->id, &trailer, 1) == 0);
	H2_UNTIL(h, (rig_poll_server(&r, s, &a, 1), a.whole));
	EXPECT(a.trailer_count == 1 && str_is(a.trailers[0].name, "x-sum") && str_is(a.trailers[0].value, "7"));
	h2_close(h);
	free(h);
	asked_done(&a);
	http_server_close(s);
	rig_close(&r);
}

/* ---- limits ---- */

TEST(too_many_headers_are_refused) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct h2 *h = malloc(sizeof *h);
	struct asked a = { 0 };
	h2_open(h, &r, http_server_port(s));
	struct http_header many[65], large[2];
	for (int i = 0; i < 65; i++) many[i] = (struct http_header){ str_printf(t->arena, "x-%d", i), STR("v") };
	struct str nine = bytes_of(t, 9000);
	for (size_t i = 0; i < nine.n; i++) ((char *)(uintptr_t)nine.p)[i] = 'x';
	for (int i = 0; i < 2; i++) large[i] = (struct http_header){ str_printf(t->arena, "y-%d", i), nine };
	struct answer *first = h2_ask(h, "GET", "/", many, 65, NULL), *second = h2_ask(h, "GET", "/", large, 2, NULL);
	H2_UNTIL(h, first->done && second->done);
	EXPECT(first->status == 431 && second->status == 431);
	EXPECT(!rig_poll_server(&r, s, &a, 1));
	/* The connection goes on. */
	struct answer *third = h2_ask(h, "GET", "/", many, 10, NULL);
	H2_UNTIL(h, (rig_poll_server(&r, s, &a, 1), a.whole));
	EXPECT_OK(reply_text(s, a.id, 200, STR("fine")));
	H2_UNTIL(h, third->done);
	h2_close(h);
	free(h);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_peer_that_resets_its_streams_over_and_over_is_sent_away) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	/* Raw frames, since nghttp2's own client is too well-behaved. */
	struct peer p;
	peer_open(&r, &p, http_server_port(s));
	struct buf b;
	buf_init(&b, 0);
	buf_c(&b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	buf_add(&b, "\0\0\0\4\0\0\0\0\0", 9);
	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t id = 2 * i + 1;
		char name[4] = { (char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id };
		buf_add(&b, "\0\0\6\1\5", 5); /* HEADERS, END_STREAM | END_HEADERS */
		buf_add(&b, name, 4);
		buf_add(&b, "\x82\x84\x86\x01\x01h", 6); /* GET / http, host h */
		buf_add(&b, "\0\0\4\3\0", 5);            /* RST_STREAM */
		buf_add(&b, name, 4);
		buf_add(&b, "\0\0\0\x8", 4); /* CANCEL */
	}
	(void)peer_send(&r, &p, buf_get(&b)); /* it may be cut in the middle */
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	/* The last frame: GOAWAY with ENHANCE_YOUR_CALM. */
	EXPECT(p.got.n >= 17 && memcmp(p.got.p + p.got.n - 4, "\0\0\0\xb", 4) == 0);
	struct http_event e;
	EXPECT(!http_server_poll(s, &e)); /* what was cut before it was polled is not told */
	peer_close(&p);
	buf_done(&b);
	http_server_close(s);
	rig_close(&r);
}

TEST(streams_over_the_limit_are_refused_and_the_rest_is_served) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct peer p;
	struct asked *asked = calloc(256, sizeof *asked);
	peer_open(&r, &p, http_server_port(s));
	struct buf b;
	buf_init(&b, 0);
	buf_c(&b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	buf_add(&b, "\0\0\0\4\0\0\0\0\0", 9);
	for (uint32_t i = 0; i < 150; i++) {
		uint32_t id = 2 * i + 1;
		char name[4] = { (char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id };
		buf_add(&b, "\0\0\6\1\5", 5);
		buf_add(&b, name, 4);
		buf_add(&b, "\x82\x84\x86\x01\x01h", 6);
	}
	EXPECT(peer_send(&r, &p, buf_get(&b)));
	int whole = 0;
	for (int i = 0; i < 50; i++) {
		rig_turn(&r);
		while (rig_poll_server(&r, s, asked, 256)) {}
	}
	for (int i = 0; i < 256; i++) whole += asked[i].whole;
	EXPECT(whole == 100);
	peer_read(&p);
	EXPECT(!p.closed);
	int refused = 0;
	for (size_t i = 0; i + 13 <= p.got.n; i++)
		refused += memcmp(p.got.p + i, "\0\0\4\3\0", 5) == 0 && p.got.p[i + 12] == NGHTTP2_REFUSED_STREAM;
	EXPECT(refused == 50);
	peer_close(&p);
	buf_done(&b);
	free(asked);
	http_server_close(s);
	rig_close(&r);
}

TEST(connections_over_the_limit_are_closed_at_once) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .http2 = true, .connections_max = 3 });
	struct peer p[6];
	for (int i = 0; i < 6; i++) peer_open(&r, &p[i], http_server_port(s));
	int closed = 0, greeted = 0;
	RIG_UNTIL(&r, ({
		closed = greeted = 0;
		for (int i = 0; i < 6; i++) {
			peer_read(&p[i]);
			closed += p[i].closed;
			greeted += !p[i].closed && p[i].got.n > 0;
		}
		closed + greeted == 6;
	}));
	EXPECT(closed == 3 && greeted == 3);
	for (int i = 0; i < 6; i++) peer_close(&p[i]);
	http_server_close(s);
	rig_close(&r);
}

TEST(malformed_bytes_end_the_connection_and_nothing_else, .seeds = 200) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct peer p;
	struct buf b;
	buf_init(&b, 0);
	peer_open(&r, &p, http_server_port(s));
	buf_c(&b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	buf_add(&b, "\0\0\0\4\0\0\0\0\0", 9);
	buf_add(&b, "\0\0\6\1\5\0\0\0\1\x82\x84\x86\x01\x01h", 15);
	int64_t flips = 1 + rng_below(&t->rng, 4);
	for (int64_t i = 0; i < flips; i++) b.p[rng_below(&t->rng, (int64_t)b.n)] ^= (char)(1 << rng_below(&t->rng, 8));
	struct str tail = bytes_of(t, (size_t)rng_below(&t->rng, 2000));
	buf_str(&b, tail);
	(void)peer_send(&r, &p, buf_get(&b));
	shutdown(p.fd, SHUT_WR);
	struct http_event e;
	RIG_UNTIL(&r, (http_server_poll(s, &e), peer_read(&p), p.closed));
	peer_close(&p);
	buf_done(&b);
	http_server_close(s);
	rig_close(&r);
}

TEST(who_speaks_http1_is_told_so) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct peer p;
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	EXPECT(peer_has(&p, "this port speaks HTTP/2"));
	peer_close(&p);
	http_server_close(s);
	rig_close(&r);
}

/* ---- slow peers ---- */

TEST(idle_connections_are_told_and_closed) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 150 * NS_PER_MS);
	struct h2 *h = malloc(sizeof *h);
	h2_open(h, &r, http_server_port(s));
	int64_t begun = rig_now(&r);
	H2_UNTIL(h, h->peer.closed);
	EXPECT(h->goaway && h->goaway_code == NGHTTP2_NO_ERROR);
	int64_t ms = (rig_now(&r) - begun) / NS_PER_MS;
	EXPECT(ms >= 140 && ms < 2000);
	h2_close(h);

	/* Neither does half a preface keep it. */
	struct peer p;
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, STR("PRI * HTTP/2.0\r\n\r\nS")));
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	peer_close(&p);
	free(h);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_slow_sender_fails_its_own_stream_only) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 300 * NS_PER_MS);
	struct h2 *h = malloc(sizeof *h);
	struct asked a[2] = { 0 };
	h2_open(h, &r, http_server_port(s));
	struct answer *slow = h2_ask(h, "POST", "/slow", NULL, 0, &(struct h2_body){ STR("x"), .hold = true });
	H2_UNTIL(h, (rig_poll_server(&r, s, a, 2), a[0].body.n == 1));
	struct answer *other = h2_ask(h, "GET", "/other", NULL, 0, NULL);
	int64_t next = rig_now(&r);
	H2_UNTIL(h, ({
				 while (rig_poll_server(&r, s, a, 2)) {}
				 if (rig_now(&r) > next) {
					 next += 20 * NS_PER_MS;
					 if (!slow->failed) h2_more(h, slow, STR("y"), true);
				 }
				 a[0].failed;
			 }));
	EXPECT(a[0].err == ERR_TIMEOUT && a[1].whole && !a[1].failed);
	H2_UNTIL(h, slow->failed);
	EXPECT_OK(reply_text(s, a[1].id, 200, STR("fine")));
	H2_UNTIL(h, other->done);
	EXPECT(!h->goaway);
	asked_done(&a[0]);
	h2_close(h);
	free(h);
	http_server_close(s);
	rig_close(&r);
}

TEST(who_does_not_read_is_cut) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 150 * NS_PER_MS);
	struct h2 *h = malloc(sizeof *h);
	h2_open(h, &r, http_server_port(s));
	/* By windows: he never opens them. */
	struct asked a = { 0 };
	nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, 65535);
	h2_ask(h, "GET", "/", NULL, 0, NULL);
	H2_UNTIL(h, (rig_poll_server(&r, s, &a, 1), a.whole));
	h->deaf = true;
	char *large = calloc(1, (size_t)8 << 20);
	EXPECT_OK(reply_text(s, a.id, 200, (struct str){ large, (size_t)8 << 20 }));
	free(large);
	for (int64_t until = rig_now(&r) + 1000 * NS_PER_MS; rig_now(&r) < until;) rig_turn(&r);
	h->deaf = false;
	H2_UNTIL(h, h->answers[0].failed || h->peer.closed);
	EXPECT(h->answers[0].body.n < (size_t)8 << 20);
	h2_close(h);
	free(h);
	http_server_close(s);
	rig_close(&r);
}

/* ---- open replies ---- */

TEST(an_open_reply_streams_tells_slowness_and_loss) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 500 * NS_PER_MS);
	struct h2 *h = malloc(sizeof *h);
	struct asked a[2] = { 0 };
	h2_open(h, &r, http_server_port(s));
	struct answer *got = h2_ask(h, "GET", "/watch", NULL, 0, NULL), *lost = h2_ask(h, "GET", "/lost", NULL, 0, NULL);
	H2_UNTIL(h, (rig_poll_server(&r, s, a, 2), a[0].whole && a[1].whole));
	struct http_reply reply = { .status = 200, .open = true };
	EXPECT_OK(http_server_reply(s, a[0].id, &reply));
	EXPECT_OK(http_server_reply(s, a[1].id, &reply));
	for (int i = 0; i < 2; i++) {
		for (int64_t until = rig_now(&r) + 700 * NS_PER_MS; rig_now(&r) < until;) h2_turn(h);
		size_t before = got->body.n;
		EXPECT_OK(http_server_send(s, a[0].id, STR("tick\n"), false));
		H2_UNTIL(h, got->body.n == before + 5);
	}
	struct str piece = bytes_of(t, 100000);
	size_t sent = 0;
	h->deaf = true;
	enum err e = OK;
	while (sent < 50 << 20 && e == OK) {
		e = http_server_send(s, a[0].id, piece, false);
		if (!e) sent += piece.n;
		rig_turn(&r);
	}
	EXPECT(e == ERR_AGAIN && sent < 20 << 20);
	h->deaf = false;
	H2_UNTIL(h, http_server_send(s, a[0].id, STR("the end"), true) == OK);
	H2_UNTIL(h, got->done);
	EXPECT(got->body.n == 10 + sent + 7 && memcmp(got->body.p + got->body.n - 7, "the end", 7) == 0);
	EXPECT_ERR(http_server_send(s, a[0].id, STR("more"), false), ERR_CLOSED);

	h2_reset(h, lost, NGHTTP2_CANCEL);
	H2_UNTIL(h, (rig_poll_server(&r, s, a, 2), a[1].failed));
	EXPECT(a[1].err == ERR_CLOSED && !a[0].failed);
	EXPECT_ERR(http_server_send(s, a[1].id, STR("more"), false), ERR_CLOSED);
	h2_close(h);
	free(h);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_server_that_closes_says_goodbye) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = listen_h2(&r, 0);
	struct h2 *h = malloc(sizeof *h);
	struct asked a[3] = { 0 };
	h2_open(h, &r, http_server_port(s));
	h2_ask(h, "POST", "/", NULL, 0, &(struct h2_body){ STR("some"), .hold = true });
	h2_ask(h, "GET", "/", NULL, 0, NULL);
	struct answer *last = h2_ask(h, "GET", "/last", NULL, 0, NULL);
	H2_UNTIL(h, (rig_poll_server(&r, s, a, 3), a[1].whole && a[2].whole));
	EXPECT(rig_idle_turns(&r) < 10);
	EXPECT_OK(reply_text(s, a[2].id, 200, STR("last words")));
	http_server_close(s);
	H2_UNTIL(h, h->peer.closed);
	EXPECT(h->goaway && h->goaway_code == NGHTTP2_NO_ERROR);
	EXPECT(last->done && str_is(buf_get(&last->body), "last words"));
	for (int i = 0; i < 3; i++) asked_done(&a[i]);
	h2_close(h);
	free(h);
	rig_close(&r);
}

RUN(many_streams_go_there_and_back_with_trailers, a_request_is_told_as_it_was_sent, what_is_not_polled_is_not_sent,
    windows_survive_refusals_and_resets, an_early_refusal_ends_the_stream_without_an_error, request_trailers_arrive,
    too_many_headers_are_refused, a_peer_that_resets_its_streams_over_and_over_is_sent_away,
    streams_over_the_limit_are_refused_and_the_rest_is_served, connections_over_the_limit_are_closed_at_once,
    malformed_bytes_end_the_connection_and_nothing_else, who_speaks_http1_is_told_so,
    idle_connections_are_told_and_closed, a_slow_sender_fails_its_own_stream_only, who_does_not_read_is_cut,
    an_open_reply_streams_tells_slowness_and_loss, a_server_that_closes_says_goodbye)
