#include "ingest/body.h"

#include <string.h>
#include <zlib.h>

#include "base/test.h"

#define LIMIT ((size_t)1 << 16)

static struct str noise(struct t *t, size_t n) {
	char *p = arena_take(t->arena, n, 1);
	int kinds = (int)(1 + rng_below(&t->rng, 255));
	for (size_t i = 0; i < n; i++) p[i] = (char)rng_below(&t->rng, kinds);
	return (struct str){ p, n };
}

static struct str gzipped(struct t *t, struct str in) {
	z_stream z = { 0 };
	EXPECT(deflateInit2(&z, (int)rng_below(&t->rng, 10), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
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

static struct str joined(struct t *t, struct str a, struct str b) {
	char *p = arena_take(t->arena, a.n + b.n, 1);
	if (a.n) memcpy(p, a.p, a.n);
	if (b.n) memcpy(p + a.n, b.p, b.n);
	return (struct str){ p, a.n + b.n };
}

static struct str framed(struct t *t, char flag, struct str message) {
	char head[5] = { flag, (char)(message.n >> 24), (char)(message.n >> 16), (char)(message.n >> 8), (char)message.n };
	return joined(t, (struct str){ head, 5 }, message);
}

/* In pieces of any size; what the body answered in the end. */
static enum err feed(struct t *t, struct body *b, struct str bytes) {
	enum err e = OK;
	while (!e && bytes.n) {
		size_t n = 1 + (size_t)rng_below(&t->rng, rng_below(&t->rng, 4) ? 20 : (int64_t)bytes.n);
		if (n > bytes.n) n = bytes.n;
		e = body_add(b, (struct str){ bytes.p, n });
		bytes = (struct str){ bytes.p + n, bytes.n - n };
	}
	return e ? e : body_end(b);
}

TEST(a_body_is_the_same_however_it_was_cut_and_coded, .seeds = 300) {
	struct str want = noise(t, (size_t)rng_below(&t->rng, LIMIT));
	bool grpc = t->seed % 2, gzip = t->seed / 2 % 2;
	struct str sent = want;
	if (gzip) { /* one member, or several behind one another */
		size_t half = (size_t)rng_below(&t->rng, (int64_t)want.n + 1);
		sent = rng_below(&t->rng, 2) ? gzipped(t, want)
		                             : joined(t, gzipped(t, (struct str){ want.p, half }),
		                                      gzipped(t, (struct str){ want.p + half, want.n - half }));
	}
	if (grpc) sent = framed(t, gzip, sent);
	struct body b;
	body_init(&b, LIMIT, grpc, gzip ? BODY_GZIP : BODY_PLAIN);
	EXPECT_OK(feed(t, &b, sent));
	EXPECT(str_eq(buf_get(&b.bytes), want));
	EXPECT(body_held(&b) >= want.n);
	body_done(&b);
	body_done(&b);
}

TEST(a_body_cut_short_is_never_taken_for_whole, .seeds = 200) {
	struct str want = noise(t, 1 + (size_t)rng_below(&t->rng, 2000));
	bool grpc = t->seed % 2, gzip = !grpc || t->seed / 2 % 2;
	struct str sent = gzip ? gzipped(t, want) : want;
	if (grpc) sent = framed(t, gzip, sent);
	struct str cut = { sent.p, grpc ? (size_t)rng_below(&t->rng, (int64_t)sent.n)
		                            : 1 + (size_t)rng_below(&t->rng, (int64_t)sent.n - 1) };
	struct body b;
	body_init(&b, LIMIT, grpc, gzip ? BODY_GZIP : BODY_PLAIN);
	EXPECT_ERR(feed(t, &b, cut), ERR_INVALID);
	EXPECT(b.why.text[0]);
	body_done(&b);
}

TEST(damaged_gzip_is_refused_or_gives_other_bytes_within_the_limit, .seeds = 200) {
	struct str sent = gzipped(t, noise(t, 500));
	char *p = arena_copy(t->arena, sent.p, sent.n);
	p[rng_below(&t->rng, (int64_t)sent.n)] ^= (char)(1 << rng_below(&t->rng, 8));
	struct body b;
	body_init(&b, LIMIT, false, BODY_GZIP);
	enum err e = feed(t, &b, (struct str){ p, sent.n });
	EXPECT(e == OK || e == ERR_INVALID || e == ERR_TOO_LARGE);
	EXPECT(b.bytes.n <= LIMIT);
	body_done(&b);
}

TEST(the_limit_is_on_what_comes_out_to_the_byte, .seeds = 30) {
	for (size_t over = 0; over < 2; over++) {
		for (int kind = 0; kind < 4; kind++) {
			bool grpc = kind & 1, gzip = kind & 2;
			struct str sent = noise(t, LIMIT + over);
			if (gzip) sent = gzipped(t, sent);
			/* Compressed noise may be longer than the limit itself: zeros are not. */
			if (gzip && sent.n > LIMIT)
				sent = gzipped(t, (struct str){ arena_take(t->arena, LIMIT + over, 1), LIMIT + over });
			if (grpc) sent = framed(t, gzip, sent);
			struct body b;
			body_init(&b, LIMIT, grpc, gzip ? BODY_GZIP : BODY_PLAIN);
			EXPECT_ERR(feed(t, &b, sent), over ? ERR_TOO_LARGE : OK);
			EXPECT(b.bytes.cap <= LIMIT);
			if (over) EXPECT(strstr(b.why.text, "65536"));
			body_done(&b);
		}
	}
}

TEST(a_grpc_call_has_one_message) {
	struct body b;
	body_init(&b, LIMIT, true, BODY_PLAIN);
	EXPECT_ERR(feed(t, &b, joined(t, framed(t, 0, STR("one")), STR("t"))), ERR_INVALID);
	body_done(&b);
	body_init(&b, LIMIT, true, BODY_PLAIN);
	EXPECT_ERR(feed(t, &b, framed(t, 3, STR("one"))), ERR_INVALID);
	body_done(&b);
	body_init(&b, LIMIT, true, BODY_PLAIN);
	EXPECT_ERR(feed(t, &b, framed(t, 1, STR("one"))), ERR_UNSUPPORTED);
	body_done(&b);
	body_init(&b, LIMIT, true, BODY_PLAIN);
	EXPECT_ERR(feed(t, &b, (struct str){ NULL, 0 }), ERR_INVALID);
	body_done(&b);
}

RUN(a_body_is_the_same_however_it_was_cut_and_coded, a_body_cut_short_is_never_taken_for_whole,
    damaged_gzip_is_refused_or_gives_other_bytes_within_the_limit, the_limit_is_on_what_comes_out_to_the_byte,
    a_grpc_call_has_one_message)
