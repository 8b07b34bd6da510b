/* Heads that are not taken, and bodies whose framing never ends. */
#include "world/linux/rig.h"

#include <stdio.h>

/* Two readers may see each of these end at two places (request smuggling): none is taken, and what follows on the
 * connection is no request. */
TEST(what_can_be_read_in_two_ways_is_refused_with_all_that_follows) {
	static const struct {
		const char *head, *said;
	} cases[] = {
		{ "Content-Length: 0\r\nContent-Length: 40\r\n", "more than one Content-Length" },
		{ "Content-Length: 0\r\nContent-Length: 0\r\n", "more than one Content-Length" },
		{ "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Content-Length and Transfer-Encoding" },
		{ "Transfer-Encoding: chunked\r\ncontent-length: 4\r\n", "Content-Length and Transfer-Encoding" },
		{ "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "a Transfer-Encoding other than" },
		{ "Transfer-Encoding: chunked, identity\r\n", "a Transfer-Encoding other than" },
		{ "Transfer-Encoding: gzip, chunked\r\n", "a Transfer-Encoding other than" },
		{ "Transfer-Encoding: xchunked\r\n", "a Transfer-Encoding other than" },
		{ "Transfer-Encoding: \r\n", "a Transfer-Encoding other than" },
		{ "Transfer-Encoding : chunked\r\n", "a header's name" },
		{ "Content-Length : 40\r\n", "a header's name" },
		{ "X: a\rTransfer-Encoding: chunked\r\n", "a header's value" },
		{ "X: a\x7f\r\n", "a header's value" },
		{ "X\xff: a\r\n", "a header's name" },
		{ "Host: other\r\n", "more than one Host" },
	};
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .connections_max = 4 });
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer p;
		struct asked a[2] = { 0 };
		peer_open(&r, &p, http_server_port(s));
		(void)peer_send(&r, &p,
		                str_printf(t->arena,
		                           "POST /one HTTP/1.1\r\nHost: h\r\n%s\r\n0\r\n\r\n"
		                           "GET /two HTTP/1.1\r\nHost: h\r\n\r\n",
		                           cases[i].head));
		RIG_UNTIL(&r, (rig_poll_server(&r, s, a, 2), peer_read(&p), p.closed));
		bool refused = !a[0].id && peer_has(&p, " 400 ") && peer_has(&p, cases[i].said);
		if (!refused) fprintf(stderr, "%s'" STR_FMT "'\n", cases[i].head, STR_ARG(buf_get(&p.got)));
		EXPECT(refused);
		peer_close(&p);
	}
	http_server_close(s);
	rig_close(&r);
}

/* The library keeps a whole pool of it, neither reads on nor refuses, and calls itself busy. */
TEST(a_chunk_extension_without_end_neither_spins_nor_stays) {
	struct rig r;
	struct peer p, q;
	struct asked a[2] = { 0 };
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .connections_max = 4 });
	peer_open(&r, &p, http_server_port(s));
	EXPECT(peer_send(&r, &p, STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;")));
	for (int i = 0; i < 100; i++) {
		char x[1024];
		memset(x, 'x', sizeof x);
		(void)peer_send(&r, &p, (struct str){ x, sizeof x });
	}
	RIG_UNTIL(&r, (rig_poll_server(&r, s, a, 2), a[0].id));
	(void)rig_idle_turns(&r);
	EXPECT(rig_idle_turns(&r) < 300); /* within 300 ms: a pause between two, not one after the other */
	peer_open(&r, &q, http_server_port(s));
	EXPECT(peer_send(&r, &q, STR("GET /fine HTTP/1.1\r\nHost: h\r\n\r\n")));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, a, 2), a[1].whole)); /* the others are served meanwhile */
	EXPECT_OK(http_server_reply(s, a[1].id, &(struct http_reply){ .status = 200, .body = STR("fine") }));
	RIG_UNTIL(&r, (peer_read(&q), peer_has(&q, "fine")));
	RIG_UNTIL(&r, (rig_poll_server(&r, s, a, 2), peer_read(&p), p.closed && a[0].failed));
	EXPECT(a[0].err == ERR_TIMEOUT);
	peer_close(&p);
	peer_close(&q);
	EXPECT(rig_idle_turns(&r) < 20);
	http_server_close(s);
	rig_close(&r);
}

/* The end comes together with the bytes, and the library looks at one of them only. */
TEST(who_leaves_in_the_middle_of_a_head_leaves_no_connection) {
	struct rig r;
	struct asked a = { 0 };
	struct peer p;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .connections_max = 4, .idle_timeout_ns = NS_PER_MIN });
	for (int i = 0; i < 4; i++) {
		peer_open(&r, &p, http_server_port(s));
		rig_turn(&r);
		EXPECT(peer_send(&r, &p, STR("GET / HTTP/1.1\r\nHost: h\r\n")));
		peer_close(&p);
	}
	int64_t until = rig_now(&r) + 20 * NS_PER_SEC; /* long before they were idle for too long */
	for (p = (struct peer){ .closed = true }; p.closed;) {
		EXPECT(rig_now(&r) < until);
		peer_open(&r, &p, http_server_port(s));
		(void)peer_send(&r, &p, STR("GET /fine HTTP/1.1\r\nHost: h\r\n\r\n"));
		RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), peer_read(&p), p.closed || a.whole));
		if (p.closed) peer_close(&p), p.closed = true, asked_done(&a), a = (struct asked){ 0 };
	}
	peer_close(&p);
	asked_done(&a);
	http_server_close(s);
	rig_close(&r);
}

TEST(a_target_of_many_arguments_is_told_and_cut) {
	struct rig r;
	rig_open(&r, t);
	struct http_server *s = rig_listen(&r, (struct http_listen){ .connections_max = 4 });
	for (int n = 128; n <= 8192; n *= 4) {
		struct peer p;
		struct asked a = { 0 };
		char *and = arena_take(t->arena, (size_t)n, 1);
		memset(and, '&', (size_t)n);
		peer_open(&r, &p, http_server_port(s));
		(void)peer_send(&r, &p, str_printf(t->arena, "GET /?%.*s HTTP/1.1\r\nHost: h\r\n\r\n", n, and));
		RIG_UNTIL(&r, (rig_poll_server(&r, s, &a, 1), peer_read(&p), p.closed || a.whole));
		EXPECT(n == 128 ? a.whole : !a.id && peer_has(&p, " 414 ") && p.closed);
		peer_close(&p);
		asked_done(&a);
	}
	http_server_close(s);
	rig_close(&r);
}

RUN(who_leaves_in_the_middle_of_a_head_leaves_no_connection, a_target_of_many_arguments_is_told_and_cut,
    what_can_be_read_in_two_ways_is_refused_with_all_that_follows,
    a_chunk_extension_without_end_neither_spins_nor_stays)
