/* Hostile HTTP/1.1 on both ports that speak it: telemetry and API. */
#include "siege.h"

#include <sys/socket.h>

#define OTLP   1
#define API    2
#define BOTH   3
#define PROTO  "Content-Type: application/x-protobuf\r\n"
#define HOST   "Host: 127.0.0.1\r\n"
#define TRACES "POST /v1/traces HTTP/1.1\r\n" HOST PROTO
/* A whole request behind a bad one: whoever reads it as one has been led to. */
#define BEHIND "POST /v1/traces HTTP/1.1\r\n" HOST PROTO "Content-Length: 0\r\n\r\n"

struct shape {
	const char *text;
	int status;  /* 0: the connection ends without an answer; of a flood the end may overtake the answer */
	bool closes; /* and nothing behind it is read */
	struct {
		const char *text; /* over and over, between `text` and `end` */
		size_t n;
	} flood;
	const char *end;
	int ports; /* 0: both */
};

static const struct shape shapes[] = {
	/* no request */
	{ "nonsense\r\n\r\n", 0, true },
	{ "POST /v1/traces\r\n\r\n", 400, true },
	{ "POST /v1/traces HTTP/9.9\r\n" HOST "\r\n", 505, true },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true },
	{ "POST  /v1/traces  HTTP/1.1\r\n" HOST "\r\n", 0, true },
	{ "POST /v1/traces HTTP/1.1\r\n" PROTO "Content-Length: 0\r\n\r\n", 400, true },
	{ TRACES "no colon\r\nContent-Length: 0\r\n\r\n", 400, true },
	{ TRACES "X: a\x01z\r\nContent-Length: 0\r\n\r\n", 400, true },
	/* where does it end? */
	{ TRACES "Content-Length: 0\r\nContent-Length: 9\r\n\r\n" BEHIND, 400, true },
	{ TRACES "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" BEHIND, 400, true },
	{ TRACES "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" BEHIND, 400, true },
	{ TRACES "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" BEHIND, 400, true },
	{ TRACES "Transfer-Encoding: \x0b"
	         "chunked\r\n\r\n0\r\n\r\n" BEHIND,
	  400, true },
	{ TRACES "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" BEHIND, 400, true },
	{ TRACES "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" BEHIND, 400, true },
	{ TRACES "Content-Length: -1\r\n\r\n" BEHIND, 400, true },
	{ TRACES "Content-Length: +0\r\n\r\n" BEHIND, 400, true },
	{ TRACES "Content-Length: 0x10\r\n\r\n" BEHIND, 400, true },
	{ TRACES "Content-Length: 0, 0\r\n\r\n" BEHIND, 400, true },
	{ TRACES "Content-Length: 9223372036854775808\r\n\r\n" BEHIND, 413, true },
	{ TRACES "Content-Length: 99999999999999999999999999\r\n\r\n" BEHIND, 413, true },
	{ TRACES "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" BEHIND, 400, true, .ports = OTLP },
	{ TRACES "Transfer-Encoding: chunked\r\n\r\n-1\r\n" BEHIND, 400, true, .ports = OTLP },
	{ TRACES "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" BEHIND, 413, true, .ports = OTLP },
	{ TRACES "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n" BEHIND, 400, true, .ports = OTLP },
	/* too much */
	{ "POST /", 414, true, { "a", 200000 }, " HTTP/1.1\r\n" HOST "\r\n" },
	{ "", 414, true, { "A", 200000 }, " / HTTP/1.1\r\n" HOST "\r\n" },
	{ TRACES "X: ", 431, true, { "a", 200000 }, "\r\n\r\n" },
	{ TRACES, 431, true, { "X: a\r\n", 12000 }, "\r\n" },
	{ TRACES "Transfer-Encoding: chunked\r\n\r\n0\r\n", 431, true, { "X: a\r\n", 200000 }, "\r\n", OTLP },
	{ TRACES "Content-Length: 1048577\r\n\r\n", 413, true, { NULL, 0 }, NULL, OTLP },
	{ TRACES "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n", 413, true, { "\n", 4 << 20 }, NULL, OTLP },
	/* not what is taken there */
	{ "GET /v1/traces HTTP/1.1\r\n" HOST "\r\n", 405, false, { NULL, 0 }, NULL, OTLP },
	{ "POST /v1/elsewhere HTTP/1.1\r\n" HOST PROTO "Content-Length: 0\r\n\r\n", 404, false },
	{ "POST /../v1/traces HTTP/1.1\r\n" HOST PROTO "Content-Length: 0\r\n\r\n", 404, false },
	{ "CONNECT 127.0.0.1:22 HTTP/1.1\r\n" HOST "\r\n", 404, false, { NULL, 0 }, NULL, OTLP },
	{ "GET http://elsewhere/healthz HTTP/1.1\r\n" HOST "\r\n", 400, false, { NULL, 0 }, NULL, API },
	{ "GET /healthz HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", 421, false, { NULL, 0 }, NULL, API },
	{ "GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n", 400, false, { NULL, 0 }, "123456789", API },
	{ "GET /api/v1/%00 HTTP/1.1\r\n" HOST "\r\n", 400, false, { NULL, 0 }, NULL, API },
	{ "GET /api/v1/%zz HTTP/1.1\r\n" HOST "\r\n", 400, false, { NULL, 0 }, NULL, API },
	{ "GET /api/v1/incidents/..%2f..%2fetc HTTP/1.1\r\n" HOST "\r\n", 400, false, { NULL, 0 }, NULL, API },
	{ "GET /api/v1/events?limit=99999999999999999999 HTTP/1.1\r\n" HOST "\r\n", 400, false, { NULL, 0 }, NULL, API },
	{ "GET /api/v1/status?a=b HTTP/1.1\r\n" HOST "\r\n", 400, false, { NULL, 0 }, NULL, API },
	{ "GET /healthz?", 400, false, { "a&", 60 }, " HTTP/1.1\r\n" HOST "\r\n", API },
	{ "GET /healthz?", 414, true, { "a&", 3000 }, " HTTP/1.1\r\n" HOST "\r\n" },
	{ "DELETE /api/v1/status HTTP/1.1\r\n" HOST "\r\n", 405, false, { NULL, 0 }, NULL, API },
	{ "POST /api/v1/pause HTTP/1.1\r\n" HOST "Content-Length: 70000\r\n\r\n", 401, false, { "x", 70000 }, NULL, API },
};

static bool flood(struct line *l, struct str text, size_t n) {
	struct buf b;
	buf_init(&b, 0);
	while (b.n < 16384 && b.n < n) buf_str(&b, text);
	bool sent = line_flood(l, buf_get(&b), n);
	buf_done(&b);
	return sent;
}

static void try_shape(struct siege *s, const struct shape *shape, int port) {
	struct t *t = s->t;
	struct line l = line_open(t, port);
	bool sent = line_send(&l, str_of(shape->text));
	if (sent && shape->flood.n) sent = flood(&l, str_of(shape->flood.text), shape->flood.n);
	if (sent && shape->end) (void)line_send(&l, str_of(shape->end));
	struct answer a = line_answer(&l);
	bool overtaken = a.status == 0 && shape->closes && shape->flood.n;
	if (a.status != shape->status && !overtaken)
		FAIL("%d, not %d, at port %s:\n%.300s\n" STR_FMT, a.status, shape->status, port == s->f.api ? "api" : "otlp",
		     shape->text, STR_ARG(a.body));
	if (!shape->closes) EXPECT(line_print(&l, "GET /healthz HTTP/1.1\r\n" HOST "\r\n")); /* whole again */
	a = line_answer(&l);
	if (shape->closes == (a.status > 0)) FAIL("then %d:\n%.300s", a.status, shape->text);
	line_close(&l);
}

TEST(every_shape_gets_a_clear_answer_and_what_is_whole_is_taken) {
	struct siege s = siege_begin(t, NULL);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		int ports = shapes[i].ports ? shapes[i].ports : BOTH;
		if (ports & OTLP) try_shape(&s, &shapes[i], s.f.otlp_http);
		if (ports & API) try_shape(&s, &shapes[i], s.f.api);
		siege_whole(&s);
	}
	siege_end(&s);
}

/* Field 1 of a google.rpc.Status, its code; 2 its message. */
static void is_status(struct t *t, const struct answer *a, int code) {
	EXPECT(str_is(answer_header(t, a, "content-type"), "application/x-protobuf"));
	EXPECT(a->body.n > 4 && a->body.p[0] == 0x08 && a->body.p[2] == 0x12);
	EXPECT_INT(a->body.p[1], code);
}

static const struct {
	const char *headers, *body; /* body NULL: the bomb */
	int status, code;
} bodies[] = {
	{ "", "", 415, 3 },
	{ "Content-Type: application/json\r\n", "{}", 415, 3 },
	{ "Content-Type: text/plain\r\n", "x", 415, 3 },
	{ PROTO "Content-Encoding: br\r\n", "x", 415, 12 },
	{ PROTO, "\xff\xff\xff\xff", 400, 3 },
	{ PROTO, "\x0a\x7f", 400, 3 },
	{ PROTO, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 400, 3 },
	{ PROTO "Content-Encoding: gzip\r\n", "\x1f\x8b\x08", 400, 3 },
	{ PROTO "Content-Encoding: gzip\r\n", "no gzip at all", 400, 3 },
	{ PROTO "Content-Encoding: gzip\r\n", NULL, 413, -1 },
};

TEST(a_body_that_cannot_be_read_is_told_as_a_status) {
	struct siege s = siege_begin(t, NULL);
	struct str bomb = feed_bomb(t, (size_t)1 << 30);
	EXPECT(bomb.n < 2 << 20);
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct str body = bodies[i].body ? str_of(bodies[i].body) : bomb;
		struct answer a = ask(t, s.f.otlp_http, "POST", "/v1/logs", bodies[i].headers, body);
		if (a.status != bodies[i].status) FAIL("%d for %s'%.20s'", a.status, bodies[i].headers, body.p);
		if (bodies[i].code >= 0) is_status(t, &a, bodies[i].code);
		siege_whole(&s);
	}
	double before = siege_cpu_s(&s);
	for (int i = 0; i < 20; i++) /* stopped while it inflates, so that each costs a moment */
		EXPECT_INT(ask(t, s.f.otlp_http, "POST", "/v1/logs", PROTO "Content-Encoding: gzip\r\n", bomb).status, 413);
	if (!SANITIZED) EXPECT(siege_cpu_s(&s) - before < 2);
	siege_end(&s);
}

/* Random damage to good requests, at either end of the connection's life. */
TEST(damaged_requests_never_harm_the_whole_ones, .seeds = 3) {
	struct siege s = siege_begin(t, NULL);
	for (int i = 0; i < 150; i++) {
		struct str good = feed_spans(t, "shop", 4, 1);
		if (rng_below(&t->rng, 2)) good = feed_gzip(t, good);
		struct str head = str_printf(t->arena, TRACES "%sContent-Length: %zu\r\n\r\n",
		                             rng_below(&t->rng, 2) ? "Content-Encoding: gzip\r\n" : "", good.n);
		char *bytes = arena_take(t->arena, head.n + good.n, 1);
		memcpy(bytes, head.p, head.n), memcpy(bytes + head.n, good.p, good.n);
		size_t n = head.n + good.n;
		for (int64_t k = 1 + rng_below(&t->rng, 4); k; k--) {
			size_t among = rng_below(&t->rng, 4) ? head.n : n;
			bytes[rng_below(&t->rng, (int64_t)among)] = (char)rng_next(&t->rng);
		}
		struct line l = line_open(t, i % 5 ? s.f.otlp_http : s.f.api);
		(void)line_send(&l, (struct str){ bytes, rng_below(&t->rng, 4) ? n : (size_t)rng_below(&t->rng, (int64_t)n) });
		shutdown(l.fd, SHUT_WR);
		if (rng_below(&t->rng, 2)) (void)line_read(&l, 20);
		line_close(&l);
		if (i % 15 == 0) {
			struct answer a = ask(t, s.f.otlp_http, "POST", "/v1/traces", PROTO, feed_spans(t, "shop", 4, 1));
			EXPECT_INT(a.status, 200);
		}
	}
	/* What was damaged may have been whole by chance: only what is lost would show. */
	double spans = metric(t, s.f.api, "flyball_ingest_records_total{signal=\"traces\"}");
	s.spans += 4 * 10;
	EXPECT(spans >= (double)s.spans);
	s.spans = (int64_t)spans;
	siege_end(&s);
}

RUN(every_shape_gets_a_clear_answer_and_what_is_whole_is_taken, a_body_that_cannot_be_read_is_told_as_a_status,
    damaged_requests_never_harm_the_whole_ones)
