#include "base/hash.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>
#include <xxhash.h>

struct hash128 hash128(struct str bytes) {
	XXH128_canonical_t c;
	XXH128_canonicalFromHash(&c, XXH3_128bits_withSeed(bytes.p ? bytes.p : "", bytes.n, 0));
	struct hash128 h;
	static_assert(sizeof h.b == sizeof c.digest, "16 bytes");
	memcpy(h.b, c.digest, sizeof h.b);
	return h;
}

uint64_t hash64(struct str bytes) {
	return XXH3_64bits(bytes.p ? bytes.p : "", bytes.n);
}

struct sha256 sha256(struct str bytes) {
	struct sha256 h;
	int ok = EVP_Digest(bytes.p ? bytes.p : "", bytes.n, h.b, NULL, EVP_sha256(), NULL);
	assert(ok == 1); /* no memory for a context of 200 bytes, or a library without SHA-256 */
	(void)ok;
	return h;
}

/* CRC-32C (Castagnoli, reflected 0x82f63b78) is linear: a byte's entry is the sum of its bits'. */
#define BIT(i, k, v) (((i) >> (k)) & 1 ? UINT32_C(v) : 0)
#define ENTRY(i)                                                                                     \
	(BIT(i, 0, 0xf26b8303) ^ BIT(i, 1, 0xe13b70f7) ^ BIT(i, 2, 0xc79a971f) ^ BIT(i, 3, 0x8ad958cf) ^ \
	 BIT(i, 4, 0x105ec76f) ^ BIT(i, 5, 0x20bd8ede) ^ BIT(i, 6, 0x417b1dbc) ^ BIT(i, 7, 0x82f63b78))
#define ENTRY4(i)  ENTRY(i), ENTRY((i) + 1), ENTRY((i) + 2), ENTRY((i) + 3)
#define ENTRY16(i) ENTRY4(i), ENTRY4((i) + 4), ENTRY4((i) + 8), ENTRY4((i) + 12)
#define ENTRY64(i) ENTRY16(i), ENTRY16((i) + 16), ENTRY16((i) + 32), ENTRY16((i) + 48)

static const uint32_t table[256] = { ENTRY64(0), ENTRY64(64), ENTRY64(128), ENTRY64(192) };

uint32_t crc32c_plain(uint32_t crc, struct str bytes) {
	crc = ~crc;
	for (size_t i = 0; i < bytes.n; i++) crc = table[(crc ^ (unsigned char)bytes.p[i]) & 0xff] ^ (crc >> 8);
	return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, struct str bytes) {
	uint64_t c = ~crc;
	size_t i = 0;
	for (; bytes.n - i >= 8; i += 8) {
		uint64_t w;
		memcpy(&w, bytes.p + i, 8);
		c = __builtin_ia32_crc32di(c, w);
	}
	uint32_t c32 = (uint32_t)c;
	for (; i < bytes.n; i++) c32 = __builtin_ia32_crc32qi(c32, (unsigned char)bytes.p[i]);
	return ~c32;
}

uint32_t crc32c_more(uint32_t crc, struct str bytes) {
	return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, bytes) : crc32c_plain(crc, bytes);
}
#else
uint32_t crc32c_more(uint32_t crc, struct str bytes) {
	return crc32c_plain(crc, bytes);
}
#endif

uint32_t crc32c(struct str bytes) {
	return crc32c_more(0, bytes);
}
