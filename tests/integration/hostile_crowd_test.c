/* Many and slow ones, on every port: they get in each other's way, and in nobody else's. */
#include "siege.h"

#define PROTO  "Content-Type: application/x-protobuf\r\n"
#define HOST   "Host: 127.0.0.1\r\n"
#define CROWD  400
#define SLOW_S 7 /* whoever is at it for longer than 5 s makes room */

/* Connections that say `text` and no more. Those that could not be made or were closed at once count as refused. */
static int crowd(struct t *t, struct line *lines, int n, int port, const char *text) {
	int refused = 0;
	for (int i = 0; i < n; i++) lines[i] = line_open(t, port);
	for (int i = 0; i < n; i++) (void)line_send(&lines[i], str_of(text));
	rig_sleep_ms(300);
	for (int i = 0; i < n; i++) {
		while (line_read(&lines[i], 0)) {}
		refused += lines[i].closed;
	}
	return refused;
}

static void disperse(struct line *lines, int n) {
	for (int i = 0; i < n; i++) line_close(&lines[i]);
}

static void on_kept(struct siege *s, struct line *l) {
	struct t *t = s->t;
	struct str body = feed_spans(t, "shop", 2, 0);
	EXPECT(line_print(l, "POST /v1/traces HTTP/1.1\r\n" HOST PROTO "Content-Length: %zu\r\n\r\n", body.n));
	EXPECT(line_send(l, body));
	EXPECT_INT(line_answer(l).status, 200);
	s->spans += 2;
}

TEST(more_connections_than_allowed_are_closed_and_those_before_are_served) {
	struct siege s = siege_begin(t, NULL);
	struct line kept = line_open(t, s.f.otlp_http), *lines = arena_array(t->arena, struct line, CROWD);
	struct h2 kept_h2 = h2_open(t, s.f.otlp_grpc);
	struct call c;
	on_kept(&s, &kept);
	const int ports[] = { s.f.otlp_http, s.f.otlp_grpc, s.f.api };
	const int most[] = { SIEGE_CONNECTIONS, SIEGE_CONNECTIONS, 256 };
	for (size_t p = 0; p < 3; p++) {
		int refused = crowd(t, lines, CROWD, ports[p], p == 1 ? "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" : "POST / HT");
		if (refused < CROWD - most[p] || refused > CROWD - most[p] + 8)
			FAIL("port %zu: %d of %d were refused, %d may be there", p, refused, CROWD, most[p]);
		on_kept(&s, &kept);
		EXPECT_INT(grpc_call(&kept_h2, GRPC_LOGS, "content-type: application/grpc\n",
		                     grpc_framed(t, feed_logs(t, "shop", 2), false), &c),
		           0);
		s.logs += 2;
		disperse(lines, CROWD);
		UNTIL(siege_files(&s) <= s.files + 2);
		siege_whole(&s);
	}
	line_close(&kept);
	h2_close(&kept_h2);
	siege_end(&s);
}

TEST(bodies_that_never_end_keep_nobody_out) {
	struct siege s = siege_begin(t, NULL);
	struct line *lines = arena_array(t->arena, struct line, 60);
	(void)crowd(t, lines, 60, s.f.otlp_http,
	            "POST /v1/logs HTTP/1.1\r\n" HOST PROTO "Transfer-Encoding: chunked\r\n\r\n4000\r\nbegun");
	for (int i = 0; i < SLOW_S * 10; i++) { /* a byte now and then */
		for (int k = 0; k < 60; k++) (void)line_send(&lines[k], STR("x"));
		rig_sleep_ms(100);
	}
	for (int i = 0; i < 40; i++) siege_whole(&s);
	int told = 0;
	for (int i = 0; i < 60; i++) {
		while (line_read(&lines[i], 0)) {}
		told += rig_has(buf_get(&lines[i].in), " 503 ");
	}
	EXPECT(told > 28 && told < 60); /* those over 32 at once, then one, whose room was enough for all that followed */
	disperse(lines, 60);
	siege_end(&s);
}

TEST(heads_that_never_end_hold_a_connection_and_nothing_else) {
	struct siege s = siege_begin(t, NULL);
	struct line *lines = arena_array(t->arena, struct line, 100);
	(void)crowd(t, lines, 50, s.f.otlp_http, "POST /v1/logs HTTP/1.1\r\n" HOST);
	(void)crowd(t, lines + 50, 50, s.f.api, "GET /api/v1/status HTTP/1.1\r\n" HOST);
	for (int i = 0; i < 20; i++) {
		for (int k = 0; k < 100; k++) (void)line_print(&lines[k], "x-%d: y\r\n", i);
		siege_whole(&s);
	}
	disperse(lines, 100);
	siege_end(&s);
}

/* 64 requests may be at work in the API: none of these may be one of them. */
TEST(who_has_no_token_holds_no_place_of_the_api) {
	struct siege s = siege_begin(t, str_c(t->arena, rig_tokens(t)));
	struct line *lines = arena_array(t->arena, struct line, 160);
	(void)crowd(t, lines, 80, s.f.api, "POST /api/v1/pause HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nx");
	(void)crowd(t, lines + 80, 80, s.f.api, "GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nx");
	EXPECT_INT(metric(t, s.f.api, "flyball_api_at_work"), 1);
	for (int i = 0; i < 5; i++) siege_whole(&s);
	disperse(lines, 160);
	siege_end(&s);
}

static const struct {
	const char *body;
	int status;
} wishes[] = {
	{ "{", 400 },
	{ "[]", 400 },
	{ "\"pause\"", 400 },
	{ "{\"why\":\"\xff\xfe\"}", 400 },
	{ "{\"why\":1}", 400 },
	{ "{\"for_s\":-1}", 400 },
	{ "{\"for_s\":1e999}", 400 },
	{ "{\"for\":\"9999999999999h\"}", 400 },
	{ "{\"role\":\"operator\"}", 400 },
};

TEST(a_wish_that_cannot_be_read_changes_nothing) {
	static const char header[] = "Authorization: Bearer secret-of-operator\r\n";
	struct siege s = siege_begin(t, str_c(t->arena, rig_tokens(t)));
	for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
		struct answer a = ask(t, s.f.api, "POST", "/api/v1/pause", header, str_of(wishes[i].body));
		if (a.status != wishes[i].status) FAIL("%d for %s:\n" STR_FMT, a.status, wishes[i].body, STR_ARG(a.body));
		EXPECT_HAS(a.body, "\"error\":");
	}
	static const char deep_one[] = "[";
	struct buf b;
	buf_init(&b, 0);
	while (b.n < 60000) buf_c(&b, deep_one);
	EXPECT_INT(ask(t, s.f.api, "POST", "/api/v1/pause", header, buf_get(&b)).status, 400);
	while (b.n < 70000) buf_c(&b, " ");
	EXPECT_INT(ask(t, s.f.api, "POST", "/api/v1/pause", header, buf_get(&b)).status, 413);
	buf_done(&b);
	EXPECT_HAS(GET(s.f.api, "/api/v1/status").body, "\"paused\":false");
	siege_end(&s);
}

/* With few files for the whole process no crowd at one door takes those of another, or of the state. */
TEST(a_crowd_leaves_files_for_the_others) {
	struct siege s = { .t = t, .f = rig_flyball(t, NULL) };
	struct line *lines = arena_array(t->arena, struct line, CROWD);
	s.f.opts.files_max = 200;
	rig_start(&s.f);
	int refused = crowd(t, lines, CROWD, s.f.otlp_http, "POST / HT");
	EXPECT(refused >= CROWD - 50 && refused <= CROWD - 40);
	EXPECT_INT(grpc_once(t, s.f.otlp_grpc, GRPC_LOGS, feed_logs(t, "shop", 2)), 0);
	EXPECT_INT(GET(s.f.api, "/readyz").status, 200);
	double before = siege_cpu_s(&s);
	rig_sleep_ms(1000);
	if (!SANITIZED) EXPECT(siege_cpu_s(&s) - before < 0.5);
	disperse(lines, CROWD);
	UNTIL(ask(t, s.f.otlp_http, "POST", "/v1/traces", PROTO, feed_spans(t, "shop", 1, 0)).status == 200);
	EXPECT_INT(rig_stop(&s.f), 0);
}

RUN(more_connections_than_allowed_are_closed_and_those_before_are_served, bodies_that_never_end_keep_nobody_out,
    heads_that_never_end_hold_a_connection_and_nothing_else, who_has_no_token_holds_no_place_of_the_api,
    a_wish_that_cannot_be_read_changes_nothing, a_crowd_leaves_files_for_the_others)
