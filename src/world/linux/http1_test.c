#include "world/linux/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SECOND NS_PER_SEC

static struct str bytes_of(struct t *t, size_t n) {
	char *p = arena_take(t->arena, n ? n : 1, 1);
	EXPECT(p);
	for (size_t i = 0; i < n; i++) p[i] = (char)rng_below(&t->rng, 256);
	return (struct str){ p, n };
}

static struct http_request request(struct t *t, struct http_server *s, const char *method, const char *path,
                                   struct str body) {
	struct str url = str_printf(t->arena, "http://127.0.0.1:%d%s", http_server_port(s), path);
	return (
		struct http_request){ .method = str_of(method), .url = url, .body = body, .connect_timeout_ns = 5 * SECOND };
}

static enum err reply_text(struct http_server *s, uint64_t id, int status, struct str text) {
	struct http_reply reply = { .status = status, .body = text };
	return http_server_reply(s, id, &reply);
}

/* Answers every whole request with its own body. */
static void echo_all(struct rig *r, struct http_server *s, struct asked *a, size_t count) {
	struct t *t = r->t;
	while (rig_poll_server(r, s, a, count)) {}
	for (size_t i = 0; i < count; i++) {
		if (!a[i].whole) continue;
		EXPECT_OK(reply_text(s, a[i].id, 200, buf_get(&a[i].body)));
		asked_done(&a[i]);
		a[i] = (struct asked){ 0 };
	}
}

TEST(every_byte_goes_there_and_back, .seeds = 30) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct http_client *c = rig_client(&r);
	enum { N = 6 };
	struct answer got[N] = { 0 };
	struct asked asked[N] = { 0 };
	struct str body[N];
	for (int i = 0; i < N; i++) {
		static const int64_t sizes[] = { 1, 100, 65536, 65537, 300000 };
		body[i] = bytes_of(t, (size_t)rng_below(&t->rng, sizes[rng_below(&t->rng, 5)] + 1));
		struct http_request q = request(t, s, "POST", "/echo?a=%2F&b", body[i]);
		EXPECT_OK(http_client_submit(c, &q, &got[i].id, NULL));
	}
	for (int done = 0; done < N;) {
		rig_turn(&r);
		echo_all(&r, s, asked, N);
		while (rig_poll_client(&r, c, got, N)) {}
		done = 0;
		for (int i = 0; i < N; i++) done += got[i].done;
	}
	for (int i = 0; i < N; i++) {
		EXPECT(got[i].status == 200 && str_eq(buf_get(&got[i].body), body[i]));
		answer_done(&got[i]);
	}
	http_client_close(c);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_request_is_told_as_it_was_sent) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p;
	struct asked a = { 0 };
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p,
	                 STR("PATCH /a%20b/../c?x=1&y=%26 HTTP/1.1\r\nHost: h\r\nX-Odd:  two words \r\nX-Odd: again\r\n"
	                     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;ext=1\r\n!\r\n0\r\nx-t: v\r\n\r\n")));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.whole));
	EXPECT(str_is(a.head.method, "PATCH") && str_is(a.head.target, "/a%20b/../c?x=1&y=%26"));
	EXPECT(str_is(http_header(&a.head, "x-odd"), "two words") && str_is(http_header(&a.head, "host"), "h"));
	EXPECT(http_header(&a.head, "absent").p == NULL && a.head.header_count == 4);
	EXPECT(str_starts(a.head.peer, STR("127.0.0.1:")) && !a.head.http2);
	EXPECT(str_is(buf_get(&a.body), "hello!"));
	struct http_header h = { STR("X-Mine"), STR("1") };
	struct http_reply reply = { .status = 201, .headers = &h, .header_count = 1, .body = STR("made") };
	EXPECT_OK(http_server_reply(s, a.id, &reply));
	EXPECT(http_server_reply(s, a.id, &reply) != OK); /* once */
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, "made")));
	EXPECT(peer_has(&p, "HTTP/1.1 201 Created\r\n") && peer_has(&p, "X-Mine: 1\r\n") &&
	       peer_has(&p, "Content-Length: 4\r\n"));
	peer_close(&p);
	asked_done(&a);
	http_server_close(s);
	rig_close(&r);
}

TEST(one_connection_serves_many_requests_and_ids_never_repeat) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .connections_max = 1 });
	struct peer p;
	peer_open(&r, &p, http_server_port(s));
	uint64_t last = 0;
	for (int i = 0; i < 20; i++) {
		/* Two at a time: the second waits in the connection. */
		EXPECT(peer_send(&r, &p, STR("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n")));
		for (int k = 1; k <= 2; k++) {
			struct asked a = { 0 };
			RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.whole));
			EXPECT(a.id != 0 && a.id > last && a.head.target.p[1] == '0' + k);
			last = a.id;
			EXPECT_OK(reply_text(s, a.id, 200, str_printf(t->arena, "answer %d.%d;", i, k)));
		}
		RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, str_printf(t->arena, "answer %d.2;", i).p)));
	}
	EXPECT(!p.closed);
	peer_close(&p);
	http_server_close(s);
	rig_close(&r);
}

/* What nobody polls stays with the sender: of 64 MiB only what two sockets and two pieces hold gets through. */
TEST(a_body_that_is_not_polled_is_not_read) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .idle_timeout_ns = 300 * NS_PER_MS });
	struct peer p;
	struct asked a = { 0 };
	const size_t whole = (size_t)64 << 20;
	char *junk = calloc(1, whole);
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, str_printf(t->arena, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", whole)));
	RIG_UNTIL(&r, rig_poll_server(&r, s, &a, 1));

	size_t sent = 0;
	for (int64_t until = rig_now(&r) + 700 * NS_PER_MS; rig_now(&r) < until;) { /* longer than the time-out */
		ssize_t n = send(p.fd, junk + sent, whole - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) sent += (size_t)n;
		rig_turn(&r);
	}
	EXPECT(sent < (size_t)16 << 20);
	while (sent < whole) {
		ssize_t n = send(p.fd, junk + sent, whole - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) sent += (size_t)n;
		rig_turn(&r);
		while (rig_poll_server(&r, s, &a, 1)) {}
		EXPECT(!a.failed);
	}
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.whole));
	EXPECT(a.body.n == whole && a.pieces > 500);
	EXPECT_OK(reply_text(s, a.id, 200, STR("done")));
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, "done")));
	free(junk);
	asked_done(&a);
	peer_close(&p);
	http_server_close(s);
	rig_close(&r);
}

static void refuse_while_it_comes(struct t *t, const char *framing, bool see_body) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p;
	struct asked a = { 0 };
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, str_printf(t->arena, "POST /big HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", framing)));
	struct str piece = bytes_of(t, 65536);
	bool chunked = strstr(framing, "chunked") != NULL;
	bool replied = false, alive = true;
	for (int i = 0; alive && i < 100 && !(replied && peer_has(&p, "too much")); i++) { /* 6.5 MiB are under way */
		if (chunked) alive = peer_send(&r, &p, STR("10000\r\n"));
		alive = alive && peer_send(&r, &p, piece);
		if (chunked) alive = alive && peer_send(&r, &p, STR("\r\n"));
		rig_turn(&r);
		while (!replied && rig_poll_server(&r, s, &a, 1)) {}
		if (!replied && a.id && (!see_body || a.body.n)) {
			EXPECT_OK(reply_text(s, a.id, 413, STR("too much")));
			replied = true;
		}
		peer_read(&p);
	}
	EXPECT(replied);
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, "too much")));
	EXPECT(rig_idle_turns(&r) < 10);
	EXPECT(peer_has(&p, "HTTP/1.1 413 ") && peer_has(&p, "Connection: close"));
	/* Nothing of it is told after the reply, and the connection ends with the sender's end. */
	shutdown(p.fd, SHUT_WR);
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	EXPECT(!rig_poll_server(&r, s, &a, 1));
	asked_done(&a);
	peer_close(&p);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_refusal_reaches_a_sender_in_the_middle_of_a_known_length) {
	refuse_while_it_comes(t, "Content-Length: 100000000", false);
	refuse_while_it_comes(t, "Content-Length: 100000000", true);
}

TEST(a_refusal_reaches_a_sender_in_the_middle_of_chunks) {
	refuse_while_it_comes(t, "Transfer-Encoding: chunked", false);
	refuse_while_it_comes(t, "Transfer-Encoding: chunked", true);
}

TEST(the_client_sees_an_early_refusal) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct http_client *c = rig_client(&r);
	struct answer got = { 0 };
	struct asked a = { 0 };
	struct http_request q = request(t, s, "POST", "/", bytes_of(t, (size_t)8 << 20));
	EXPECT_OK(http_client_submit(c, &q, &got.id, NULL));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.id));
	EXPECT_OK(reply_text(s, a.id, 413, STR("too much")));
	RIG_UNTIL(&r, (rig_poll_client(&r, c, &got, 1), got.done || got.failed));
	EXPECT(got.done && got.status == 413 && str_is(buf_get(&got.body), "too much"));
	answer_done(&got);
	http_client_close(c);
	http_server_close(s);
	rig_close(&r);
}

TEST(who_asks_before_sending_is_refused_without_a_100) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p;
	struct asked a = { 0 };
	static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, str_of(head)));
	RIG_UNTIL(&r, rig_poll_server(&r, s, &a, 1));
	EXPECT_OK(reply_text(s, a.id, 401, STR("who are you")));
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	EXPECT(peer_has(&p, "HTTP/1.1 401 ") && !peer_has(&p, "100 Continue"));
	peer_close(&p);

	/* And who is not refused is told to go on once his headers were polled. */
	a = (struct asked){ 0 };
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, str_of(head)));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), peer_read(&p), peer_has(&p, "HTTP/1.1 100 Continue")));
	EXPECT(peer_send(&r, &p, STR("some body")));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.whole));
	EXPECT(str_is(buf_get(&a.body), "some body"));
	peer_close(&p);
	asked_done(&a);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_refused_small_body_leaves_the_connection_usable) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p;
	peer_open(&r, &p, http_server_port(s));
	for (int i = 0; i < 3; i++) {
		struct asked a = { 0 };
		EXPECT(peer_send(&r, &p, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf")));
		RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.id));
		EXPECT_OK(reply_text(s, a.id, 404, str_printf(t->arena, "no such thing %d", i)));
		EXPECT(peer_send(&r, &p, bytes_of(t, 96)));
		RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, str_printf(t->arena, "no such thing %d", i).p)));
		EXPECT(!p.closed && !rig_poll_server(&r, s, &a, 1));
		asked_done(&a);
	}
	peer_close(&p);
	http_server_close(s);
	rig_close(&r);
}

TEST(malformed_and_oversized_requests_are_refused_and_the_next_is_served) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .connections_max = 4 });
	struct buf many, large, line;
	buf_init(&many, 0);
	buf_init(&large, 0);
	buf_init(&line, 0);
	buf_c(&many, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < HTTP_HEADERS_MAX; i++) buf_printf(&many, "x-%d: v\r\n", i);
	buf_c(&many, "\r\n");
	buf_c(&large, "GET / HTTP/1.1\r\nHost: h\r\nx-large: ");
	for (int i = 0; i < 17 * 1024; i++) buf_byte(&large, 'x');
	buf_c(&large, "\r\n\r\n");
	buf_c(&line, "GET /");
	for (int i = 0; i < 200 * 1024; i++) buf_byte(&line, 'x');
	const struct {
		struct str sent;
		const char *status; /* NULL: the connection just ends */
	} cases[] = {
		{ buf_get(&many), " 431 " },
		{ buf_get(&large), " 431 " },
		{ buf_get(&line), " 414 " },
		{ STR("GET / HTTP/1.1\r\n\r\n"), " 400 " }, /* no Host */
		{ STR("GET / HTTP/1.1\r\nHost h\r\n\r\n"), NULL },
		{ STR("GET / HTTP/9.9\r\nHost: h\r\n\r\n"), " 505 " },
		{ STR("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n\r\n"), NULL },
		{ STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), " 505 " },
		{ STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n"), " 400 " },
		{ STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n"), " 413 " },
		{ STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5x\r\n\r\nhello"), " 400 " },
		{ STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\n"), " 413 " },
		{ STR("POST  /  HTTP/1.1\r\nHost: h\r\n\r\n"), NULL },
		{ STR("nonsense\r\n\r\n"), NULL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer p;
		struct asked a = { 0 };
		peer_open(&r, &p, http_server_port(s));
		(void)peer_send(&r, &p, cases[i].sent); /* it may be cut while it sends */
		RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), peer_read(&p), p.closed || a.whole));
		bool refused = p.closed && !a.id;
		bool said = !cases[i].status || peer_has(&p, cases[i].status);
		if (!refused || !said) fprintf(stderr, "case %zu: '" STR_FMT "'\n", i, STR_ARG(buf_get(&p.got)));
		EXPECT(refused && said);
		peer_close(&p);
	}
	struct peer p;
	struct asked a = { 0 };
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, STR("GET /fine HTTP/1.1\r\nHost: h\r\n\r\n")));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.whole));
	EXPECT_OK(reply_text(s, a.id, 200, STR("fine")));
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, "fine")));
	peer_close(&p);
	buf_done(&many);
	buf_done(&large);
	buf_done(&line);
	http_server_close(s);
	rig_close(&r);
}

TEST(broken_chunks_fail_the_request) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p;
	struct asked a = { 0 };
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p,
	                 STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n")));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.failed));
	EXPECT(a.err == ERR_INVALID && !a.whole);
	EXPECT_ERR(reply_text(s, a.id, 200, STR("late")), ERR_CLOSED);
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	EXPECT(peer_has(&p, " 400 "));
	peer_close(&p);
	asked_done(&a);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_peer_that_leaves_in_the_middle_fails_its_request) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p;
	struct asked a = { 0 };
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhello")));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.body.n == 5));
	peer_close(&p);
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.failed));
	EXPECT(a.err == ERR_CLOSED && strstr(a.why.text, "closed"));
	EXPECT_ERR(reply_text(s, a.id, 200, STR("late")), ERR_CLOSED);
	asked_done(&a);
	http_server_close(s);
	rig_close(&r);
}

/* As `printf ... | nc -N` does. */
TEST(who_closes_his_half_after_the_request_still_gets_the_reply) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	for (int late = 0; late < 2; late++) {
		struct peer p;
		struct asked a = { 0 };
		peer_open(&r, &p, http_server_port(s));
		EXPECT(peer_send(&r, &p, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")));
		if (!late) shutdown(p.fd, SHUT_WR);
		RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.whole));
		if (late) shutdown(p.fd, SHUT_WR);
		for (int i = 0; i < 5; i++) rig_turn(&r);
		EXPECT(!rig_poll_server(&r, s, &a, 1));
		EXPECT_OK(reply_text(s, a.id, 200, STR("for you")));
		RIG_UNTIL(&r, (peer_read(&p), p.closed || peer_has(&p, "for you")));
		EXPECT(peer_has(&p, "for you"));
		peer_close(&p);
		asked_done(&a);
	}
	http_server_close(s);
	rig_close(&r);
}

/* ---- slow peers ---- */

/* Sends `head`, then one byte of `drip` every 20 ms, until the server ends it; in milliseconds. */
static int64_t drip_until_cut(struct rig *r, struct http_server *s, struct asked *a, const char *head,
                              const char *drip) {
	struct t *t = r->t;
	struct peer p;
	peer_open(r, &p, http_server_port(s));
	EXPECT(peer_send(r, &p, str_of(head)));
	int64_t begun = rig_now(r), next = begun;
	while (!p.closed) {
		rig_turn(r);
		while (rig_poll_server(r, s, a, 1)) {}
		peer_read(&p);
		if (drip && rig_now(r) >= next) {
			(void)send(p.fd, drip, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
			next += 20 * NS_PER_MS;
		}
		EXPECT(rig_now(r) - begun < RIG_PATIENCE_NS);
	}
	peer_close(&p);
	return (rig_now(r) - begun) / NS_PER_MS;
}

TEST(slow_senders_and_idle_connections_are_cut) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .idle_timeout_ns = 200 * NS_PER_MS });
	struct asked a = { 0 };
	const struct {
		const char *head, *drip;
		bool told;
	} cases[] = {
		{ "", NULL, false },
		{ "GET / HTTP/1.1\r\nHost: h\r\nX: ", "x", false },
		{ "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhello", NULL, true },
		{ "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhello", "x", true },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		a = (struct asked){ 0 };
		int64_t ms = drip_until_cut(&r, s, &a, cases[i].head, cases[i].drip);
		EXPECT(ms >= 190 && ms < 2000);
		EXPECT((a.id != 0) == cases[i].told);
		if (cases[i].told) RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.failed));
		if (cases[i].told) EXPECT(a.err == ERR_TIMEOUT);
		asked_done(&a);
	}
	http_server_close(s);
	rig_close(&r);
}

TEST(a_reply_may_take_its_time) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .idle_timeout_ns = 100 * NS_PER_MS });
	struct peer p;
	struct asked a = { 0 };
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
	for (int64_t until = rig_now(&r) + 500 * NS_PER_MS; rig_now(&r) < until;) {
		rig_turn(&r);
		rig_poll_server(&r, s, &a, 1);
	}
	EXPECT(a.whole && !a.failed);
	EXPECT_OK(reply_text(s, a.id, 200, STR("thought about it")));
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, "thought about it")));
	/* Then the idle time begins anew. */
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	peer_close(&p);
	http_server_close(s);
	rig_close(&r);
}

static uint64_t ask_for_much(struct rig *r, struct http_server *s, struct peer *p, size_t n) {
	struct t *t = r->t;
	struct asked a = { 0 };
	peer_open(r, p, http_server_port(s));
	EXPECT(peer_send(r, p, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
	RIG_UNTIL(r, (rig_poll_server(r, s, &a, 1), a.whole));
	char *large = calloc(1, n);
	EXPECT_OK(reply_text(s, a.id, 200, (struct str){ large, n }));
	free(large);
	return a.id;
}

TEST(who_does_not_read_his_reply_is_cut_and_who_reads_slowly_is_not) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .idle_timeout_ns = 600 * NS_PER_MS });
	struct peer p;
	const size_t n = (size_t)16 << 20;
	ask_for_much(&r, s, &p, n);
	for (int64_t until = rig_now(&r) + 900 * NS_PER_MS; rig_now(&r) < until;) rig_turn(&r);
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	EXPECT(p.got.n < n);
	peer_close(&p);

	ask_for_much(&r, s, &p, n);
	int64_t begun = rig_now(&r);
	for (int64_t next = begun; !p.closed && p.got.n < n; rig_turn(&r)) {
		if (rig_now(&r) < next) continue;
		next += 50 * NS_PER_MS;
		static char bytes[1 << 20];
		ssize_t got = recv(p.fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (got > 0) buf_add(&p.got, bytes, (size_t)got);
		p.closed = got == 0;
	}
	EXPECT(p.got.n >= n && rig_now(&r) - begun > 700 * NS_PER_MS);
	peer_close(&p);
	http_server_close(s);
	rig_close(&r);
}

TEST(connections_over_the_limit_are_closed_at_once) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .connections_max = 3 });
	struct peer p[6];
	struct asked a[6] = { 0 };
	for (int i = 0; i < 6; i++) {
		peer_open(&r, &p[i], http_server_port(s));
		(void)peer_send(&r, &p[i], STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
	}
	int served = 0, closed = 0;
	RIG_UNTIL(&r, ({
		served = closed = 0;
		rig_poll_server(&r, s, a, 6);
		for (int i = 0; i < 6; i++) {
			peer_read(&p[i]);
			closed += p[i].closed;
			served += a[i].whole;
		}
		served + closed >= 6;
	}));
	EXPECT(served == 3 && closed == 3);
	for (int i = 0; i < 6; i++) peer_close(&p[i]);
	http_server_close(s);
	rig_close(&r);
}

/* ---- open replies ---- */

static uint64_t open_stream(struct rig *r, struct http_server *s, struct peer *p) {
	struct t *t = r->t;
	struct asked a = { 0 };
	peer_open(r, p, http_server_port(s));
	EXPECT(peer_send(r, p, STR("GET /events HTTP/1.1\r\nHost: h\r\n\r\n")));
	RIG_UNTIL(r, (rig_poll_server(r, s, &a, 1), a.whole));
	struct http_header h = { STR("content-type"), STR("text/event-stream") };
	struct http_reply reply = {
		.status = 200, .headers = &h, .header_count = 1, .body = STR(": hello\n\n"), .open = true
	};
	EXPECT_OK(http_server_reply(s, a.id, &reply));
	return a.id;
}

TEST(an_open_reply_goes_on_until_its_last_piece) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .idle_timeout_ns = 100 * NS_PER_MS });
	struct peer p;
	uint64_t id = open_stream(&r, s, &p);
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, ": hello")));
	for (int i = 0; i < 5; i++) {
		/* Silence of ours, longer than the time-out, is not the peer's. */
		for (int64_t until = rig_now(&r) + 150 * NS_PER_MS; rig_now(&r) < until;) rig_turn(&r);
		EXPECT_OK(http_server_send(s, id, str_printf(t->arena, "data: %d\n\n", i), false));
		RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, str_printf(t->arena, "data: %d", i).p)));
	}
	EXPECT_OK(http_server_send(s, id, STR("data: end\n\n"), true));
	EXPECT_ERR(http_server_send(s, id, STR("more"), false), ERR_CLOSED);
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, "data: end\n\n\r\n0\r\n\r\n")));
	struct http_event e;
	EXPECT(!http_server_poll(s, &e));
	peer_close(&p);
	http_server_close(s);
	rig_close(&r);
}

TEST(an_open_reply_tells_when_its_peer_is_slow_and_when_it_has_gone) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p;
	uint64_t id = open_stream(&r, s, &p);
	struct str piece = bytes_of(t, 100000);
	size_t sent = 0;
	enum err e = OK;
	for (int i = 0; i < 1000 && e == OK; i++) {
		e = http_server_send(s, id, piece, false);
		if (!e) sent += piece.n;
		rig_turn(&r);
	}
	EXPECT(e == ERR_AGAIN && sent > 1 << 20 && sent < 20 << 20);
	/* It reads: there is room again, and no byte is lost. */
	RIG_UNTIL(&r, (peer_read(&p), http_server_send(s, id, STR("-marked-"), false) == OK));
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, "-marked-")));
	EXPECT(p.got.n > sent);

	peer_close(&p);
	struct http_event event;
	RIG_UNTIL(&r, http_server_poll(s, &event));
	EXPECT(event.kind == HTTP_FAILED && event.id == id && event.err == ERR_CLOSED);
	EXPECT_ERR(http_server_send(s, id, STR("more"), false), ERR_CLOSED);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_server_closes_with_requests_in_every_state) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p[6];
	struct asked a[6] = { 0 };
	static const char *const heads[] = {
		"",
		"GET / HT",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello",
		"GET /whole HTTP/1.1\r\nHost: h\r\n\r\n",
	};
	open_stream(&r, s, &p[5]);
	for (int i = 0; i < 5; i++) {
		peer_open(&r, &p[i], http_server_port(s));
		(void)peer_send(&r, &p[i], str_of(heads[i]));
	}
	RIG_UNTIL(&r, ({
		while (rig_poll_server(&r, s, a, 6)) {}
		int known = 0;
		for (int i = 0; i < 6; i++) known += a[i].id != 0;
		known == 3;
	}));
	EXPECT(rig_idle_turns(&r) < 10);
	http_server_close(s);
	for (int i = 0; i < 6; i++) {
		RIG_UNTIL(&r, (peer_read(&p[i]), p[i].closed));
		peer_close(&p[i]);
		asked_done(&a[i]);
	}
	rig_close(&r);
}

TEST(replies_that_were_made_go_out_when_the_server_closes) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p;
	struct asked a = { 0 };
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.whole));
	EXPECT_OK(reply_text(s, a.id, 200, STR("last words")));
	http_server_close(s);
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	EXPECT(peer_has(&p, "last words"));
	peer_close(&p);
	rig_close(&r);
}

TEST(a_reply_cannot_smuggle_a_header) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 });
	struct peer p;
	struct asked a = { 0 };
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, STR("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), a.whole));
	struct http_header bad = { STR("x"), STR("a\r\nset-cookie: b") };
	struct http_reply reply = { .status = 200, .headers = &bad, .header_count = 1, .body = STR("unseen body") };
	EXPECT_ERR(http_server_reply(s, a.id, &reply), ERR_INVALID);
	bad.value = STR("a");
	EXPECT_OK(http_server_reply(s, a.id, &reply));
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, "\r\n\r\n")));
	EXPECT(peer_has(&p, "x: a\r\n") && peer_has(&p, "Content-Length: 11\r\n") && !peer_has(&p, "unseen") &&
	       !peer_has(&p, "cookie"));
	peer_close(&p);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_port_in_use_is_named) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ 0 }), *other = NULL;
	struct http_listen o = {
		.address = STR("127.0.0.1"), .port = http_server_port(s), .connections_max = 1, .idle_timeout_ns = SECOND
	};
	struct why why;
	for (int http2 = 0; http2 < 2; http2++) {
		o.http2 = http2;
		EXPECT_ERR(r.world->servers->listen(r.world->servers, &o, &other, &why), ERR_BUSY);
		EXPECT(strstr(why.text, str_printf(t->arena, "127.0.0.1:%d", o.port).p) && strstr(why.text, "another port"));
	}
	o.address = STR("no-address");
	EXPECT_ERR(r.world->servers->listen(r.world->servers, &o, &other, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "no-address"));
	o.address = STR("192.0.2.1"); /* a documentation address: nobody's */
	EXPECT_ERR(r.world->servers->listen(r.world->servers, &o, &other, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "no such address"));
	http_server_close(s);
	rig_close(&r);
}

RUN(every_byte_goes_there_and_back, a_request_is_told_as_it_was_sent,
    one_connection_serves_many_requests_and_ids_never_repeat, a_body_that_is_not_polled_is_not_read,
    a_refusal_reaches_a_sender_in_the_middle_of_a_known_length, a_refusal_reaches_a_sender_in_the_middle_of_chunks,
    the_client_sees_an_early_refusal, who_asks_before_sending_is_refused_without_a_100,
    a_refused_small_body_leaves_the_connection_usable,
    malformed_and_oversized_requests_are_refused_and_the_next_is_served, broken_chunks_fail_the_request,
    a_peer_that_leaves_in_the_middle_fails_its_request, who_closes_his_half_after_the_request_still_gets_the_reply,
    slow_senders_and_idle_connections_are_cut, a_reply_may_take_its_time,
    who_does_not_read_his_reply_is_cut_and_who_reads_slowly_is_not, connections_over_the_limit_are_closed_at_once,
    an_open_reply_goes_on_until_its_last_piece, an_open_reply_tells_when_its_peer_is_slow_and_when_it_has_gone,
    a_server_closes_with_requests_in_every_state, replies_that_were_made_go_out_when_the_server_closes,
    a_reply_cannot_smuggle_a_header, a_port_in_use_is_named)
