#include "base/hash.h"

#include <string.h>

#include "base/test.h"

static bool hex_is(const void *p, size_t n, const char *want) {
	char text[65];
	hex_encode(p, n, text);
	return strcmp(text, want) == 0;
}

TEST(values_that_must_never_change) {
	struct hash128 h = hash128(STR(""));
	EXPECT(hex_is(h.b, 16, "99aa06d3014798d86001c324468d497f")); /* XXH3-128 of nothing, seed 0 */
	EXPECT(hash64(STR("")) == UINT64_C(0x2d06800538d394c2));
	struct sha256 s = sha256(STR("abc")); /* FIPS 180-2, appendix B.1 */
	EXPECT(hex_is(s.b, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	s = sha256((struct str){ NULL, 0 });
	EXPECT(hex_is(s.b, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

/* RFC 3720, B.4. */
TEST(crc32c_vectors) {
	char b[32];
	EXPECT(crc32c(STR("123456789")) == 0xe3069283 && crc32c(STR("")) == 0 && crc32c((struct str){ NULL, 0 }) == 0);
	memset(b, 0, 32);
	EXPECT(crc32c((struct str){ b, 32 }) == 0x8a9136aa);
	memset(b, 0xff, 32);
	EXPECT(crc32c((struct str){ b, 32 }) == 0x62a8ab43);
	for (int i = 0; i < 32; i++) b[i] = (char)i;
	EXPECT(crc32c((struct str){ b, 32 }) == 0x46dd794e);
	for (int i = 0; i < 32; i++) b[i] = (char)(31 - i);
	EXPECT(crc32c((struct str){ b, 32 }) == 0x113fdb5c);
}

static uint32_t crc_by_bits(struct str s) {
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < s.n; i++) {
		crc ^= (unsigned char)s.p[i];
		for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

TEST(every_way_to_a_crc_agrees, .seeds = 500) {
	char b[200];
	struct str s = { b + rng_below(&t->rng, 9), (size_t)rng_below(&t->rng, 190) };
	for (size_t i = 0; i < sizeof b; i++) b[i] = (char)rng_next(&t->rng);
	uint32_t want = crc_by_bits(s);
	size_t cut = (size_t)rng_below(&t->rng, (int64_t)s.n + 1);
	struct str head = { s.p, cut }, tail = { s.p + cut, s.n - cut };
	EXPECT(crc32c(s) == want && crc32c_plain(0, s) == want);
	EXPECT(crc32c_more(crc32c(head), tail) == want && crc32c_plain(crc32c_plain(0, head), tail) == want);
	if (!s.n) return;
	b[s.p - b + rng_below(&t->rng, (int64_t)s.n)] ^= (char)(1 << rng_below(&t->rng, 8));
	EXPECT(crc32c(s) != want);
}

/* Long ones are read in lanes that are joined. */
TEST(a_crc_of_many_bytes_is_that_of_one_at_a_time, .seeds = 60) {
	enum { MOST = 20000 };
	char *b = arena_take(t->arena, MOST, 1);
	for (size_t i = 0; i < MOST; i++) b[i] = (char)rng_next(&t->rng);
	struct str s = { b + rng_below(&t->rng, 9), (size_t)rng_below(&t->rng, MOST - 9) };
	uint32_t before = (uint32_t)rng_next(&t->rng);
	EXPECT(crc32c_more(before, s) == crc32c_plain(before, s));
}

RUN(a_crc_of_many_bytes_is_that_of_one_at_a_time, values_that_must_never_change, crc32c_vectors,
    every_way_to_a_crc_agrees)
