#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/test.h"

TEST(what_is_added_is_there, .seeds = 300) {
	struct buf b;
	char want[4000];
	size_t n = 0;
	buf_init(&b, 0);
	while (n < 3000) {
		char piece[600];
		size_t len = (size_t)rng_below(&t->rng, sizeof piece);
		for (size_t i = 0; i < len; i++) piece[i] = (char)('a' + rng_below(&t->rng, 26));
		piece[len] = '\0';
		memcpy(want + n, piece, len);
		n += len;
		switch (rng_below(&t->rng, 4)) {
		case 0: buf_add(&b, piece, len); break;
		case 1: buf_c(&b, piece); break;
		case 2: buf_printf(&b, "%s", piece); break;
		default:
			for (size_t i = 0; i < len; i++) buf_byte(&b, (unsigned char)piece[i]);
		}
	}
	EXPECT(b.err == OK && str_eq(buf_get(&b), (struct str){ want, n }));
	buf_clear(&b);
	EXPECT(b.n == 0 && b.cap >= n);
	buf_done(&b);
}

TEST(the_first_failure_sticks) {
	struct buf b;
	buf_init(&b, 10);
	buf_c(&b, "12345678");
	buf_c(&b, "901");
	EXPECT(b.err == ERR_TOO_LARGE && b.n == 8);
	buf_c(&b, "9"); /* would fit, but the text would have a hole */
	buf_printf(&b, "%d", 1);
	EXPECT(b.n == 8 && buf_room(&b, 0) == NULL);
	buf_clear(&b);
	buf_c(&b, "1234567890");
	EXPECT(b.err == OK && b.n == 10 && b.cap <= 10);
	EXPECT(buf_room(&b, SIZE_MAX) == NULL && b.err == ERR_TOO_LARGE);
	buf_done(&b);
	buf_done(&b);
	buf_done(NULL);
}

TEST(a_number_is_written_as_printf_would, .seeds = 2000) {
	static const int64_t edges[] = { 0, -1, 9, 10, -10, INT64_MAX, INT64_MIN };
	struct buf b, c;
	int64_t v = (int64_t)(rng_next(&t->rng) >> rng_below(&t->rng, 64));
	if (t->seed < sizeof edges / sizeof *edges) v = edges[t->seed];
	buf_init(&b, 0), buf_init(&c, 0);
	buf_int(&b, v);
	buf_printf(&c, "%" PRId64, v);
	EXPECT(str_eq(buf_get(&b), buf_get(&c)));
	buf_done(&b), buf_done(&c);
}

TEST(room_is_not_counted_until_used) {
	struct buf b;
	buf_init(&b, 0);
	char *p = buf_room(&b, 100);
	EXPECT(p && b.n == 0 && b.cap >= 100);
	memcpy(p, "xyz", 3);
	b.n += 3;
	EXPECT(str_is(buf_get(&b), "xyz"));
	buf_add(&b, NULL, 0);
	buf_str(&b, (struct str){ NULL, 0 });
	buf_c(&b, NULL);
	EXPECT(b.n == 3 && b.err == OK);
	buf_done(&b);
}

TEST(hex_there_and_back, .seeds = 200) {
	unsigned char in[40], back[40];
	char text[81];
	size_t n = (size_t)rng_below(&t->rng, 41);
	for (size_t i = 0; i < n; i++) in[i] = (unsigned char)rng_next(&t->rng);
	hex_encode(in, n, text);
	EXPECT(strlen(text) == 2 * n && hex_decode(str_of(text), back, n) && memcmp(in, back, n) == 0);
	EXPECT(!hex_decode(str_of(text), back, n + 1));
	if (!n) return;
	EXPECT(!hex_decode((struct str){ text, 2 * n - 1 }, back, n));
	memset(back, 7, sizeof back);
	text[rng_below(&t->rng, (int64_t)(2 * n))] = 'g';
	EXPECT(!hex_decode(str_of(text), back, n) && back[0] == 7);
}

TEST(hex_knows_both_cases) {
	unsigned char b[3];
	EXPECT(hex_decode(STR("00fFAb"), b, 3) && b[0] == 0 && b[1] == 0xff && b[2] == 0xab);
	char text[7];
	hex_encode(b, 3, text);
	EXPECT(strcmp(text, "00ffab") == 0);
}

static bool encodes(const char *in, const char *want) {
	struct buf b;
	buf_init(&b, 0);
	base64_encode(&b, str_of(in));
	bool same = b.err == OK && str_is(buf_get(&b), want);
	buf_done(&b);
	return same;
}

static enum err decodes(const char *in, const char *want) {
	struct buf b;
	buf_init(&b, 0);
	buf_c(&b, "<");
	enum err e = base64_decode(&b, str_of(in));
	bool same = b.p[0] == '<' && str_is((struct str){ b.p + 1, b.n - 1 }, e ? "" : want);
	buf_done(&b);
	return same ? e : ERR_CORRUPT;
}

TEST(base64_vectors_of_rfc_4648) {
	static const char *const v[][2] = { { "", "" },
		                                { "f", "Zg==" },
		                                { "fo", "Zm8=" },
		                                { "foo", "Zm9v" },
		                                { "foob", "Zm9vYg==" },
		                                { "fooba", "Zm9vYmE=" },
		                                { "foobar", "Zm9vYmFy" } };
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		EXPECT(encodes(v[i][0], v[i][1]));
		EXPECT_OK(decodes(v[i][1], v[i][0]));
	}
	EXPECT_OK(decodes("Zm9vYg", "foob"));
	EXPECT_OK(decodes("Zm9vYmE", "fooba"));
	EXPECT_OK(decodes("+/+/", "\xfb\xff\xbf"));
}

TEST(base64_refuses_what_it_would_not_write) {
	static const char *const bad[] = { "Z",     "Zg=",    "Zg===", "Z===",  "====",     "=",    "Zh==", "Zm9=",
		                               "Zm 9v", "Zm9v\n", "Zm-_",  "Zm9vY", "Zg==Zg==", "Z=g=", "Zm9v=" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT_ERR(decodes(bad[i], ""), ERR_INVALID);
}

TEST(base64_there_and_back, .seeds = 500) {
	struct buf text, back;
	buf_init(&text, 0);
	buf_init(&back, 0);
	char in[100];
	struct str s = { in, (size_t)rng_below(&t->rng, 101) };
	for (size_t i = 0; i < s.n; i++) in[i] = (char)rng_next(&t->rng);
	base64_encode(&text, s);
	EXPECT(text.n == (s.n + 2) / 3 * 4);
	EXPECT_OK(base64_decode(&back, buf_get(&text)));
	EXPECT(str_eq(buf_get(&back), s));
	buf_done(&back);
	buf_init(&back, s.n ? s.n : 1);
	while (text.n && text.p[text.n - 1] == '=') text.n--;
	EXPECT_OK(base64_decode(&back, buf_get(&text)));
	EXPECT(str_eq(buf_get(&back), s));
	EXPECT(base64_decode(&back, STR("AAAA")) == ERR_TOO_LARGE);
	buf_done(&back);
	buf_done(&text);
}

RUN(what_is_added_is_there, a_number_is_written_as_printf_would, the_first_failure_sticks,
    room_is_not_counted_until_used, hex_there_and_back, hex_knows_both_cases, base64_vectors_of_rfc_4648,
    base64_refuses_what_it_would_not_write, base64_there_and_back)
