/* Hostile HTTP/2 at the port of OTLP over gRPC: frames, settings, floods, windows, streams that never end. */
#include "siege.h"

#include <errno.h>
#include <sys/socket.h>

#define GRPC "content-type: application/grpc\nte: trailers\n"

static void put32(char *p, uint32_t v) {
	for (int i = 0; i < 4; i++) p[i] = (char)(v >> (24 - 8 * i));
}

static struct str filled(struct t *t, size_t n, char c) {
	char *p = arena_take(t->arena, n, 1);
	memset(p, c, n);
	return (struct str){ p, n };
}

/* A whole block of a good request's headers, without HEADERS around it. */
static struct str good_block(struct t *t) {
	struct buf b;
	buf_init(&b, 0);
	h2_literal(&b, ":method", STR("POST"));
	h2_literal(&b, ":scheme", STR("http"));
	h2_literal(&b, ":path", STR(GRPC_LOGS));
	h2_literal(&b, ":authority", STR("127.0.0.1"));
	h2_literal(&b, "content-type", STR("application/grpc"));
	struct str bytes = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
	return bytes;
}

/* Reads to the end of the connection. Whether it was told so (GOAWAY) is in h. */
static void read_out(struct h2 *h) {
	struct frame f;
	while (h2_next(h, &f)) {}
}

/* ---- one frame that is not allowed ends the connection, and says why ---- */

struct bad_frame {
	uint8_t type, flags;
	uint32_t stream;
	size_t n; /* bytes of `fill` */
	char fill;
	uint32_t code; /* of GOAWAY */
};

#define CODE_PROTOCOL 1
#define CODE_FLOW     3
#define CODE_SIZE     6
#define CODE_HPACK    9
#define CODE_ANY      UINT32_MAX

static const struct bad_frame bad_frames[] = {
	{ H2_SETTINGS, 0, 0, 5, 0, CODE_SIZE },
	{ H2_SETTINGS, 0, 1, 6, 0, CODE_PROTOCOL },
	{ H2_SETTINGS, H2_ACK, 0, 6, 0, CODE_SIZE },
	{ H2_SETTINGS, 0, 0, 6 * 1000, 0, CODE_ANY },
	{ H2_PING, 0, 0, 7, 0, CODE_SIZE },
	{ H2_PING, 0, 1, 8, 0, CODE_PROTOCOL },
	{ H2_WINDOW, 0, 0, 4, 0, CODE_PROTOCOL },      /* nothing added */
	{ H2_WINDOW, 0, 0, 4, (char)0xff, CODE_FLOW }, /* over 2^31 */
	{ H2_WINDOW, 0, 0, 3, 1, CODE_SIZE },
	{ H2_DATA, 0, 0, 4, 0, CODE_PROTOCOL }, /* of no stream */
	{ H2_DATA, 0, 1, 4, 0, CODE_PROTOCOL }, /* of one that was never opened */
	{ H2_RST, 0, 1, 4, 0, CODE_PROTOCOL },
	{ H2_RST, 0, 0, 4, 0, CODE_PROTOCOL },
	{ H2_PUSH, H2_END_HEADERS, 1, 8, 0, CODE_PROTOCOL },
	{ H2_CONTINUATION, H2_END_HEADERS, 1, 8, 0, CODE_PROTOCOL },
	{ H2_HEADERS, H2_END_HEADERS, 2, 1, (char)0x82, CODE_PROTOCOL }, /* an even stream is the server's */
	{ H2_HEADERS, H2_END_HEADERS, 0, 1, (char)0x82, CODE_PROTOCOL },
	{ H2_HEADERS, H2_END_HEADERS, 1, 4, (char)0xff, CODE_HPACK },
	{ H2_HEADERS, H2_END_HEADERS | 8, 1, 4, 9, CODE_PROTOCOL }, /* more padding than frame */
	{ H2_SETTINGS, 0, 0, 16385, 0, CODE_SIZE },                 /* larger than was agreed */
	{ H2_GOAWAY, 0, 0, 4, 0, CODE_SIZE },
};

TEST(a_frame_that_is_not_allowed_ends_its_connection_and_says_why) {
	struct siege s = siege_begin(t, NULL);
	for (size_t i = 0; i < sizeof bad_frames / sizeof *bad_frames; i++) {
		const struct bad_frame *b = &bad_frames[i];
		struct h2 h = h2_open(t, s.f.otlp_grpc);
		(void)h2_frame(&h, b->type, b->flags, b->stream, filled(t, b->n, b->fill));
		read_out(&h);
		if (!h.goaway || (b->code != CODE_ANY && h.goaway_code != b->code))
			FAIL("frame %zu: %s %u, not %u", i, h.goaway ? "goaway" : "an end", h.goaway_code, b->code);
		h2_close(&h);
		siege_whole(&s);
	}
	siege_end(&s);
}

/* ---- requests that are malformed end alone ---- */

static const struct {
	const char *path, *headers, *body; /* body: after five bytes of a prefix; NULL: an empty DATA frame */
	int status;                        /* of gRPC; -1: the stream is reset, or answered without one */
} calls[] = {
	{ GRPC_LOGS, GRPC, "\xff\xff\xff\xff", 3 },
	{ GRPC_LOGS, GRPC, "\x0a\x7f", 3 },
	{ GRPC_LOGS, GRPC, NULL, 13 },
	{ GRPC_LOGS "X", GRPC, "", 12 },
	{ "/", GRPC, "", 12 },
	{ GRPC_LOGS, "te: trailers\n", "", -1 },
	{ GRPC_LOGS, "content-type: application/json\n", "", -1 },
	{ GRPC_LOGS, GRPC "grpc-encoding: br\n", "", 12 },
	{ GRPC_LOGS, GRPC "connection: keep-alive\n", "", -1 },
	{ GRPC_LOGS, GRPC "transfer-encoding: chunked\n", "", -1 },
	{ GRPC_LOGS, GRPC "te: gzip\n", "", -1 },
	{ GRPC_LOGS, GRPC "X-Upper: a\n", "", -1 },
	{ GRPC_LOGS, GRPC ":path: /again\n", "", -1 },
	{ GRPC_LOGS, GRPC "content-length: 4000\n", "", -1 },
};

TEST(a_malformed_call_ends_alone_on_its_connection) {
	struct siege s = siege_begin(t, NULL);
	struct h2 h = h2_open(t, s.f.otlp_grpc);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct call c;
		struct str body = calls[i].body ? grpc_framed(t, str_of(calls[i].body), false) : (struct str){ "", 0 };
		int status = grpc_call(&h, calls[i].path, calls[i].headers, body, &c);
		if (!c.done || status != calls[i].status)
			FAIL("call %zu (%s%s): %d, not %d:\n" STR_FMT, i, calls[i].path, calls[i].headers, status, calls[i].status,
			     STR_ARG(c.headers));
		status = grpc_call(&h, GRPC_LOGS, GRPC, grpc_framed(t, feed_logs(t, "shop", 2), false), &c);
		if (status) FAIL("after call %zu a good one ended with %d", i, status);
		s.logs += 2;
		siege_whole(&s);
	}
	struct call c;
	EXPECT_INT(grpc_call(&h, GRPC_LOGS, GRPC, grpc_framed(t, filled(t, SIEGE_BODY + 1, 0), false), &c), 8);
	struct str bomb = feed_bomb(t, (size_t)1 << 29);
	EXPECT_INT(grpc_call(&h, GRPC_LOGS, GRPC "grpc-encoding: gzip\n", grpc_framed(t, bomb, true), &c), 8);
	h2_close(&h);
	siege_end(&s);
}

/* ---- floods ---- */

/* Sends it until the other side has enough, or `most` times. */
static int flood(struct h2 *h, uint8_t type, uint8_t flags, uint32_t stream, struct str payload, int most) {
	int n = 0;
	while (n < most && h2_frame(h, type, flags, stream, payload)) n++;
	return n;
}

/* Streams that are opened and cut at once (CVE-2023-44487). */
TEST(rapid_resets_end_the_connection) {
	struct siege s = siege_begin(t, NULL);
	struct str block = good_block(t);
	char cancel[4] = { 0, 0, 0, 8 };
	struct h2 h = h2_open(t, s.f.otlp_grpc);
	int n = 0;
	double before = siege_cpu_s(&s);
	for (; n < 100000; n++, h.next += 2) {
		if (!h2_frame(&h, H2_HEADERS, H2_END_HEADERS, h.next, block)) break;
		if (!h2_frame(&h, H2_RST, 0, h.next, (struct str){ cancel, 4 })) break;
		if (n % 500 == 0) siege_whole(&s);
	}
	EXPECT(n < 100000);
	if (!SANITIZED) EXPECT(siege_cpu_s(&s) - before < 2);
	h2_close(&h);
	siege_end(&s);
}

/* A block of headers that never ends (CVE-2024-28182), whether its frames are full or empty. */
TEST(continuations_without_end_end_the_connection) {
	struct siege s = siege_begin(t, NULL);
	for (int empty = 0; empty < 2; empty++) {
		struct h2 h = h2_open(t, s.f.otlp_grpc);
		EXPECT(h2_frame(&h, H2_HEADERS, 0, 1, good_block(t)));
		struct buf b;
		buf_init(&b, 0);
		while (!empty && b.n < 8000) h2_literal(&b, "x-more", STR("and more"));
		EXPECT(flood(&h, H2_CONTINUATION, 0, 1, buf_get(&b), 100000) < 100000);
		buf_done(&b);
		h2_close(&h);
		siege_whole(&s);
	}
	siege_end(&s);
}

/* One entry of the table, named thousands of times: small on the wire, large when it is unfolded. */
TEST(a_header_bomb_is_refused_by_itself) {
	struct siege s = siege_begin(t, NULL);
	struct h2 h = h2_open(t, s.f.otlp_grpc);
	struct buf b;
	buf_init(&b, 0);
	buf_str(&b, good_block(t));
	buf_byte(&b, 0x40);             /* a new entry: x: aaa... */
	buf_c(&b, "\x01x\x7f\xa1\x1e"); /* 4000 bytes */
	buf_str(&b, filled(t, 4000, 'a'));
	for (int i = 0; i < 10000; i++) buf_byte(&b, (char)0xbe & 0xff);
	struct call c = { .stream = h.next };
	EXPECT(h2_frame(&h, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, c.stream, buf_get(&b)));
	buf_done(&b);
	h2_finish(&h, &c);
	EXPECT(c.done ? str_is(call_header(&c, ":status"), "431") : h.goaway);
	h2_close(&h);
	siege_end(&s);
}

/* What must be answered, asked for by one who reads nothing: what waits for him is bounded. */
TEST(pings_and_settings_of_one_who_reads_nothing_end_the_connection) {
	static const uint8_t types[] = { H2_PING, H2_SETTINGS };
	struct siege s = siege_begin(t, NULL);
	for (size_t i = 0; i < 2; i++) {
		struct line l = line_open(t, s.f.otlp_grpc);
		char frame[17] = { 0, 0, 8, (char)types[i] };
		if (types[i] == H2_SETTINGS) frame[2] = 0;
		struct buf b;
		buf_init(&b, 0);
		while (b.n < 16000) buf_add(&b, frame, types[i] == H2_PING ? 17 : 9);
		int small = 4096;
		setsockopt(l.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		(void)send(l.fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33, MSG_NOSIGNAL);
		int64_t sent = 0, until = rig_now_ms() + 3000;
		while (rig_now_ms() < until && sent < 64 << 20) {
			ssize_t n = send(l.fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n < 0 && errno != EAGAIN) break;
			if (n < 0) rig_sleep_ms(1);
			sent += n > 0 ? n : 0;
			if (n > 0 && (size_t)n < b.n) break; /* half a frame: he is not read any more */
		}
		EXPECT(sent < 64 << 20);
		siege_whole(&s);
		buf_done(&b);
		line_close(&l);
	}
	siege_end(&s);
}

/* Frames that cost nothing to send and mean nothing, on streams that live on beside them. */
TEST(frames_that_mean_nothing_hold_nobody_up) {
	struct siege s = siege_begin(t, NULL);
	struct h2 h = h2_open(t, s.f.otlp_grpc);
	char one[4] = { 0, 0, 0, 1 }, priority[5] = { 0, 0, 0, 0, 16 };
	struct call c = { .stream = h2_post(&h, GRPC_LOGS, GRPC, false) };
	for (int i = 0; i < 10; i++) {
		flood(&h, H2_DATA, 0, c.stream, (struct str){ "", 0 }, 500);
		flood(&h, H2_WINDOW, 0, 0, (struct str){ one, 4 }, 500);
		put32(priority, (uint32_t)(1000 + 2 * i));
		flood(&h, H2_PRIORITY, 0, (uint32_t)(2001 + 2 * i), (struct str){ priority, 5 }, 500);
		flood(&h, 0xee, 0xff, c.stream, STR("unknown"), 500);
		siege_whole(&s);
	}
	struct str body = grpc_framed(t, feed_logs(t, "shop", 2), false);
	int64_t status = -1;
	if (h2_body(&h, &c, body, true)) h2_finish(&h, &c);
	if (c.done && !c.reset) {
		EXPECT(str_int(call_header(&c, "grpc-status"), &status) && status == 0);
		s.logs += 2;
	} else {
		EXPECT(c.reset || h.goaway); /* or it was too much */
	}
	h2_close(&h);
	siege_end(&s);
}

/* Every place taken by calls that never end; then those that end have the same places again. */
TEST(calls_that_never_end_keep_nobody_out) {
	struct siege s = siege_begin(t, NULL);
	struct h2 slow[4];
	for (size_t i = 0; i < 4; i++) {
		slow[i] = h2_open(t, s.f.otlp_grpc);
		for (int k = 0; k < 50; k++) {
			struct call c = { .stream = h2_post(&slow[i], GRPC_LOGS, GRPC, false) };
			(void)h2_frame(&slow[i], H2_DATA, 0, c.stream, STR("\0\0\0\4\0half"));
		}
	}
	rig_sleep_ms(7000); /* long enough to be called slow */
	for (int i = 0; i < 40; i++) siege_whole(&s);
	for (size_t i = 0; i < 4; i++) h2_close(&slow[i]);
	siege_end(&s);
}

/* Bytes by chance after a good beginning. */
TEST(noise_ends_its_own_connection, .seeds = 3) {
	struct siege s = siege_begin(t, NULL);
	for (int i = 0; i < 100; i++) {
		struct h2 h = h2_open(t, s.f.otlp_grpc);
		char noise[600];
		for (size_t k = 0; k < sizeof noise; k++) noise[k] = (char)rng_next(&t->rng);
		for (int k = 0; k < 8; k++) {
			size_t n = (size_t)rng_below(&t->rng, 64);
			uint32_t stream = (uint32_t)rng_below(&t->rng, 9);
			(void)h2_frame(&h, (uint8_t)rng_below(&t->rng, 11), (uint8_t)rng_next(&t->rng), stream,
			               (struct str){ noise + rng_below(&t->rng, 500), n });
		}
		if (rng_below(&t->rng, 2)) (void)line_send(&h.line, (struct str){ noise, sizeof noise });
		if (rng_below(&t->rng, 2)) (void)line_read(&h.line, 5);
		h2_close(&h);
		if (i % 20 == 0) siege_whole(&s);
	}
	siege_end(&s);
}

RUN(a_frame_that_is_not_allowed_ends_its_connection_and_says_why, a_malformed_call_ends_alone_on_its_connection,
    rapid_resets_end_the_connection, continuations_without_end_end_the_connection, a_header_bomb_is_refused_by_itself,
    pings_and_settings_of_one_who_reads_nothing_end_the_connection, frames_that_mean_nothing_hold_nobody_up,
    calls_that_never_end_keep_nobody_out, noise_ends_its_own_connection)
