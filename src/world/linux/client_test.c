#include "world/linux/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct http_request to(struct t *t, int port, const char *method, const char *path) {
	struct str url = str_printf(t->arena, "http://127.0.0.1:%d%s", port, path);
	return (struct http_request){ .method = str_of(method), .url = url, .connect_timeout_ns = 5 * NS_PER_SEC };
}

/* A client, a raw server and one connection between them. */
struct scene {
	struct rig rig;
	struct http_client *client;
	int listener, port;
	struct peer peer;
	struct answer got;
};

static void scene_open(struct scene *s, struct t *t) {
	*s = (struct scene){ 0 };
	rig_open(&s->rig, t);
	s->client = rig_client(&s->rig);
	s->listener = peer_listen(&s->rig, &s->port);
	s->peer.fd = -1;
}

static void scene_close(struct scene *s) {
	http_client_close(s->client);
	if (s->peer.fd >= 0) peer_close(&s->peer);
	close(s->listener);
	answer_done(&s->got);
	rig_close(&s->rig);
}

static void submit(struct scene *s, const struct http_request *q) {
	struct t *t = s->rig.t;
	struct why why = { "" };
	answer_done(&s->got);
	s->got = (struct answer){ 0 };
	enum err e = http_client_submit(s->client, q, &s->got.id, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
}

static bool poll_once(struct scene *s) {
	return rig_poll_client(&s->rig, s->client, &s->got, 1);
}

/* Until the peer has seen a whole head. */
static void await_request(struct scene *s) {
	RIG_UNTIL(&s->rig, s->peer.fd >= 0 || peer_accept(&s->peer, s->listener));
	RIG_UNTIL(&s->rig, (peer_read(&s->peer), peer_has(&s->peer, "\r\n\r\n")));
}

static void await_end(struct scene *s) {
	RIG_UNTIL(&s->rig, (poll_once(s), s->got.done || s->got.failed));
}

static void say(struct scene *s, const char *text) {
	struct t *t = s->rig.t;
	EXPECT(peer_send(&s->rig, &s->peer, str_of(text)));
}

TEST(a_request_is_sent_as_it_was_given) {
	struct scene s;
	scene_open(&s, t);
	struct http_header headers[] = { { STR("authorization"), STR("Bearer sesame") }, { STR("x-empty"), STR("") } };
	struct http_request q = to(t, s.port, "PATCH", "/a/../b%2F?x=%20&y");
	q.headers = headers;
	q.header_count = 2;
	q.body = STR("the body");
	submit(&s, &q);
	await_request(&s);
	RIG_UNTIL(&s.rig, (peer_read(&s.peer), peer_has(&s.peer, "the body")));
	EXPECT(str_starts(buf_get(&s.peer.got), STR("PATCH /a/../b%2F?x=%20&y HTTP/1.1\r\n")));
	EXPECT(peer_has(&s.peer, str_printf(t->arena, "\r\nHost: 127.0.0.1:%d\r\n", s.port).p));
	EXPECT(peer_has(&s.peer, "\r\nauthorization: Bearer sesame\r\n") && peer_has(&s.peer, "\r\nx-empty:\r\n"));
	EXPECT(peer_has(&s.peer, "\r\nContent-Length: 8\r\n"));
	/* Nothing that nobody asked for. */
	EXPECT(!peer_has(&s.peer, "Expect") && !peer_has(&s.peer, "Accept") && !peer_has(&s.peer, "Content-Type") &&
	       !peer_has(&s.peer, "User-Agent"));
	say(&s, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\n"
	        "HTTP/1.1 200 Fine with me\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\nX-One:  2 "
	        "\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n");
	await_end(&s);
	EXPECT(s.got.done && s.got.status == 200 && str_is(buf_get(&s.got.body), "abc"));
	EXPECT(s.got.head.header_count == 3 && str_is(http_header(&s.got.head, "x-one"), "1"));
	EXPECT(str_is(s.got.head.headers[2].value, "2") && http_header(&s.got.head, "x-early").p == NULL);
	EXPECT(s.got.trailer_count == 1 && str_is(s.got.trailers[0].name, "x-sum") && str_is(s.got.trailers[0].value, "7"));
	scene_close(&s);
}

TEST(each_method_has_the_framing_it_needs) {
	struct scene s;
	scene_open(&s, t);
	static const struct {
		const char *method, *body, *has, *lacks;
	} cases[] = {
		{ "GET", "", "GET / HTTP/1.1\r\n", "Content-Length" },
		{ "DELETE", "", "DELETE / HTTP/1.1\r\n", "Content-Length" },
		{ "DELETE", "{}", "Content-Length: 2\r\n", "Expect" },
		{ "POST", "", "Content-Length: 0\r\n", "Expect" },
		{ "PUT", "x", "Content-Length: 1\r\n", "Transfer" },
		{ "HEAD", "", "HEAD / HTTP/1.1\r\n", "Content-Length" },
		{ "OPTIONS", "", "OPTIONS / HTTP/1.1\r\n", "Transfer" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_request q = to(t, s.port, cases[i].method, "/");
		q.body = str_of(cases[i].body);
		submit(&s, &q);
		await_request(&s);
		EXPECT(peer_has(&s.peer, cases[i].has) && !peer_has(&s.peer, cases[i].lacks));
		buf_clear(&s.peer.got);
		/* A HEAD's answer says a length and sends nothing. */
		say(&s, strcmp(cases[i].method, "HEAD") == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
		                                             : "HTTP/1.1 204 No Content\r\n\r\n");
		await_end(&s);
		EXPECT(s.got.done && s.got.body.n == 0);
	}
	/* All of it over one connection. */
	struct peer other;
	EXPECT(!peer_accept(&other, s.listener));
	scene_close(&s);
}

TEST(a_watch_streams_until_it_is_cancelled) {
	struct scene s;
	scene_open(&s, t);
	struct http_request q = to(t, s.port, "GET", "/watch");
	submit(&s, &q);
	await_request(&s);
	say(&s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	RIG_UNTIL(&s.rig, (poll_once(&s), s.got.status == 200));
	for (int i = 0; i < 5; i++) {
		say(&s, "6\r\nevent\n\r\n");
		RIG_UNTIL(&s.rig, (poll_once(&s), s.got.body.n == (size_t)(i + 1) * 6));
	}
	say(&s, "6\r\nevent\n\r\n");
	http_client_cancel(s.client, s.got.id);
	http_client_cancel(s.client, s.got.id); /* again: nothing there */
	RIG_UNTIL(&s.rig, (peer_read(&s.peer), s.peer.closed));
	struct http_event e;
	EXPECT(!http_client_poll(s.client, &e));
	scene_close(&s);
}

/* What nobody polls stays with the sender, and costs the exchange no time-out. */
TEST(an_answer_that_is_not_polled_is_not_read) {
	struct scene s;
	scene_open(&s, t);
	struct http_request q = to(t, s.port, "GET", "/large");
	q.idle_timeout_ns = 200 * NS_PER_MS;
	submit(&s, &q);
	await_request(&s);
	const size_t whole = (size_t)48 << 20;
	char *junk = malloc(whole);
	for (size_t i = 0; i < whole; i++) junk[i] = (char)(i * 2654435761u >> 13);
	say(&s, str_printf(t->arena, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", whole).p);
	RIG_UNTIL(&s.rig, (poll_once(&s), s.got.status == 200));
	size_t sent = 0;
	for (int64_t until = rig_now(&s.rig) + 500 * NS_PER_MS; rig_now(&s.rig) < until; rig_turn(&s.rig)) {
		ssize_t n = send(s.peer.fd, junk + sent, whole - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) sent += (size_t)n;
	}
	EXPECT(sent < (size_t)16 << 20);
	EXPECT(rig_idle_turns(&s.rig) < 20);
	while (sent < whole || s.got.body.n < whole) {
		ssize_t n = sent < whole ? send(s.peer.fd, junk + sent, whole - sent, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
		if (n > 0) sent += (size_t)n;
		rig_turn(&s.rig);
		while (poll_once(&s)) {}
		EXPECT(!s.got.failed);
	}
	await_end(&s);
	EXPECT(s.got.done && s.got.body.n == whole && memcmp(s.got.body.p, junk, whole) == 0);
	free(junk);
	scene_close(&s);
}

TEST(an_answer_over_its_limit_fails) {
	struct scene s;
	scene_open(&s, t);
	struct http_request q = to(t, s.port, "GET", "/");
	for (int i = 0; i < 2; i++) {
		q.answer_max = 1000 - i;
		submit(&s, &q);
		await_request(&s);
		say(&s, str_printf(t->arena, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n%01000d", 7).p);
		await_end(&s);
		if (i == 0) EXPECT(s.got.done && s.got.body.n == 1000);
		if (i == 1) EXPECT(s.got.failed && s.got.err == ERR_TOO_LARGE && strstr(s.got.why.text, "larger"));
		peer_close(&s.peer);
		s.peer.fd = -1;
	}
	scene_close(&s);
}

TEST(answers_that_are_not_http_fail_with_a_reason) {
	struct scene s;
	scene_open(&s, t);
	struct buf many, large;
	buf_init(&many, 0);
	buf_init(&large, 0);
	buf_c(&many, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 65; i++) buf_printf(&many, "x-%d: v\r\n", i);
	buf_c(&many, "\r\n\0");
	buf_c(&large, "HTTP/1.1 200 OK\r\nx: ");
	for (int i = 0; i < 17 * 1024; i++) buf_byte(&large, 'x');
	buf_c(&large, "\r\n\r\n");
	buf_byte(&many, 0);
	buf_byte(&large, 0);
	const struct {
		const char *said;
		enum err err;
	} cases[] = {
		{ "", ERR_CLOSED },
		{ "hello, who is there?\r\n\r\n", ERR_INVALID },
		{ "HTTP/1.1 abc OK\r\n\r\n", ERR_INVALID },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ERR_CLOSED },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", ERR_CLOSED },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", ERR_CLOSED },
		{ many.p, ERR_TOO_LARGE },
		{ large.p, ERR_TOO_LARGE },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_request q = to(t, s.port, "GET", "/?token=sesame");
		submit(&s, &q);
		await_request(&s);
		say(&s, cases[i].said);
		shutdown(s.peer.fd, SHUT_WR);
		await_end(&s);
		if (!s.got.failed || s.got.err != cases[i].err)
			fprintf(stderr, "case %zu: %s %s\n", i, err_name(s.got.err), s.got.why.text);
		EXPECT(s.got.failed && s.got.err == cases[i].err);
		EXPECT(strstr(s.got.why.text, str_printf(t->arena, "127.0.0.1:%d", s.port).p) &&
		       !strstr(s.got.why.text, "sesame"));
		peer_close(&s.peer);
		s.peer.fd = -1;
	}
	buf_done(&many);
	buf_done(&large);
	scene_close(&s);
}

TEST(nobody_there_is_unreachable) {
	struct scene s;
	scene_open(&s, t);
	struct http_request q = to(t, s.port, "GET", "/?token=sesame");
	close(s.listener);
	s.listener = -1;
	submit(&s, &q);
	await_end(&s);
	EXPECT(s.got.failed && s.got.err == ERR_UNREACHABLE && strstr(s.got.why.text, "127.0.0.1") &&
	       !strstr(s.got.why.text, "sesame"));

	q.url = STR("http://no-such-host.invalid/");
	q.timeout_ns = 5 * NS_PER_SEC;
	submit(&s, &q);
	await_end(&s);
	EXPECT(s.got.failed && (s.got.err == ERR_UNREACHABLE || s.got.err == ERR_TIMEOUT) &&
	       strstr(s.got.why.text, "no-such-host.invalid"));
	scene_close(&s);
}

TEST(silence_and_slowness_time_out) {
	struct scene s;
	scene_open(&s, t);
	struct http_request total = to(t, s.port, "GET", "/"), idle = total;
	total.timeout_ns = 200 * NS_PER_MS;
	idle.idle_timeout_ns = 200 * NS_PER_MS;

	submit(&s, &total);
	await_request(&s);
	int64_t begun = rig_now(&s.rig);
	await_end(&s);
	int64_t ms = (rig_now(&s.rig) - begun) / NS_PER_MS;
	EXPECT(s.got.failed && s.got.err == ERR_TIMEOUT && ms >= 150 && ms < 2000);
	peer_close(&s.peer);
	s.peer.fd = -1;

	submit(&s, &idle);
	await_request(&s);
	begun = rig_now(&s.rig);
	await_end(&s);
	ms = (rig_now(&s.rig) - begun) / NS_PER_MS;
	EXPECT(s.got.failed && s.got.err == ERR_TIMEOUT && ms >= 150 && ms < 2000);
	peer_close(&s.peer);
	s.peer.fd = -1;

	/* A peer that says something now and then is not idle. */
	idle.idle_timeout_ns = 600 * NS_PER_MS;
	submit(&s, &idle);
	await_request(&s);
	say(&s, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
	for (int i = 0; i < 8; i++) {
		for (int64_t until = rig_now(&s.rig) + 100 * NS_PER_MS; rig_now(&s.rig) < until; rig_turn(&s.rig))
			poll_once(&s);
		say(&s, "x");
	}
	await_end(&s);
	EXPECT(s.got.done && s.got.body.n == 8);
	scene_close(&s);
}

TEST(a_redirect_is_an_answer_like_any_other) {
	struct scene s;
	scene_open(&s, t);
	struct http_request q = to(t, s.port, "GET", "/");
	submit(&s, &q);
	await_request(&s);
	say(&s, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n");
	await_end(&s);
	EXPECT(s.got.done && s.got.status == 302 &&
	       str_is(http_header(&s.got.head, "location"), "http://127.0.0.1:1/elsewhere"));
	scene_close(&s);
}

TEST(the_environment_names_no_proxy) {
	struct scene s;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	scene_open(&s, t);
	struct http_request q = to(t, s.port, "GET", "/direct");
	submit(&s, &q);
	await_request(&s);
	EXPECT(str_starts(buf_get(&s.peer.got), STR("GET /direct ")));
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	scene_close(&s);
}

TEST(what_cannot_be_sent_is_refused_without_its_secrets) {
	struct scene s;
	scene_open(&s, t);
	uint64_t id = 0;
	struct why why;
	static const char *const urls[] = { "",
		                                "nowhere",
		                                "ftp://127.0.0.1/",
		                                "file:///etc/passwd",
		                                "http://",
		                                "http://a b/",
		                                "http://u:sesame@h/",
		                                "http://h:99999/",
		                                "http://h/\r\nx: y" };
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct http_request q = { .method = STR("GET"), .url = str_of(urls[i]) };
		EXPECT_ERR(http_client_submit(s.client, &q, &id, &why), ERR_INVALID);
		EXPECT(why.text[0] && !strstr(why.text, "sesame"));
	}
	static const struct http_header bad[] = {
		{ STR("authorization"), STR("Bearer sesame\r\nx-evil: 1") },
		{ STR("a b"), STR("sesame") },
		{ STR(""), STR("sesame") },
		{ STR("x:y"), STR("sesame") },
		{ STR("x"), STR("ses\0ame") },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct http_request q = to(t, s.port, "GET", "/");
		q.headers = &bad[i];
		q.header_count = 1;
		EXPECT_ERR(http_client_submit(s.client, &q, &id, &why), ERR_INVALID);
		EXPECT(why.text[0] && !strstr(why.text, "sesame"));
	}
	struct http_request q = to(t, s.port, "GET /x HTTP/1.1\r\nx: ", "/");
	EXPECT_ERR(http_client_submit(s.client, &q, &id, &why), ERR_INVALID);
	EXPECT(id == 0);
	struct http_event e;
	EXPECT(!http_client_poll(s.client, &e));
	scene_close(&s);
}

TEST(a_full_client_says_so_and_goes_on_later) {
	struct rig r;
	rig_open(&r, t);
	struct http_client *c = NULL;
	int port;
	int listener = peer_listen(&r, &port);
	EXPECT_ERR(r.world->clients->open(r.world->clients, 0, &c), ERR_INVALID);
	EXPECT_OK(r.world->clients->open(r.world->clients, 3, &c));
	struct http_request q = to(t, port, "GET", "/");
	uint64_t id[4], last = 0;
	struct why why;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++) {
			EXPECT_OK(http_client_submit(c, &q, &id[i], NULL));
			EXPECT(id[i] != 0 && id[i] != last);
			last = id[i];
		}
		EXPECT_ERR(http_client_submit(c, &q, &id[3], &why), ERR_FULL);
		EXPECT(strstr(why.text, "later"));
		rig_turn(&r);
		for (int i = 0; i < 3; i++) http_client_cancel(c, id[i]);
	}
	http_client_close(c);
	close(listener);
	rig_close(&r);
}

/* Slices of an event live until the next poll, whatever happens to the exchange meanwhile. */
TEST(slices_outlive_their_exchange_until_the_next_poll) {
	struct scene s;
	scene_open(&s, t);
	struct http_request q = to(t, s.port, "GET", "/");
	submit(&s, &q);
	await_request(&s);
	say(&s, "HTTP/1.1 200 OK\r\nx-name: value\r\nContent-Length: 4\r\n\r\nbody");
	struct http_event head, body;
	RIG_UNTIL(&s.rig, http_client_poll(s.client, &head));
	http_client_cancel(s.client, s.got.id);
	rig_turn(&s.rig);
	EXPECT(head.kind == HTTP_RESPONSE && str_is(http_header(&head, "x-name"), "value"));
	EXPECT(!http_client_poll(s.client, &body));
	peer_close(&s.peer);
	s.peer.fd = -1;

	submit(&s, &q);
	await_request(&s);
	say(&s, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
	RIG_UNTIL(&s.rig, http_client_poll(s.client, &body) && body.kind == HTTP_BODY);
	http_client_cancel(s.client, s.got.id);
	rig_turn(&s.rig);
	EXPECT(str_is(body.body, "body"));
	scene_close(&s);
}

RUN(a_request_is_sent_as_it_was_given, each_method_has_the_framing_it_needs, a_watch_streams_until_it_is_cancelled,
    an_answer_that_is_not_polled_is_not_read, an_answer_over_its_limit_fails,
    answers_that_are_not_http_fail_with_a_reason, nobody_there_is_unreachable, silence_and_slowness_time_out,
    a_redirect_is_an_answer_like_any_other, the_environment_names_no_proxy,
    what_cannot_be_sent_is_refused_without_its_secrets, a_full_client_says_so_and_goes_on_later,
    slices_outlive_their_exchange_until_the_next_poll)
