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
/* One CRC instruction waits three cycles for the one before. So three lanes of LANE bytes run side by side, the
 * second and third from zero, and are joined: a CRC over A and B is that of A pushed over B's length of zero bytes,
 * plus B's own. Pushing is linear; shift[k] is where bit k comes to rest after LANE zero bytes (the test has it from
 * crc32c_plain). Faster above 3 KiB only. */
#define LANE ((size_t)1024)
static const uint32_t shift[32] = { 0xfe314258, 0xf98ef241, 0xf6f19273, 0xe80f5217, 0xd5f2d2df, 0xae09d34f, 0x59ffd06f,
	                                0xb3ffa0de, 0x6213374d, 0xc4266e9a, 0x8da0abc5, 0x1ead217b, 0x3d5a42f6, 0x7ab485ec,
	                                0xf5690bd8, 0xef3e6141, 0xdb90b473, 0xb2cd1e17, 0x60764adf, 0xc0ec95be, 0x84355d8d,
	                                0x0d86cdeb, 0x1b0d9bd6, 0x361b37ac, 0x6c366f58, 0xd86cdeb0, 0xb535cb91, 0x6f87e1d3,
	                                0xdf0fc3a6, 0xbbf3f1bd, 0x720b958b, 0xe4172b16 };

static uint32_t push(uint32_t crc) {
	uint32_t out = 0;
	for (int k = 0; k < 32; k++) out ^= shift[k] & -(crc >> k & 1);
	return out;
}

__attribute__((target("sse4.2"))) static uint32_t lane(uint32_t crc, const char *p, size_t n) {
	uint64_t c = crc, w;
	size_t i = 0;
	for (; n - i >= 8; i += 8) {
		memcpy(&w, p + i, 8);
		c = __builtin_ia32_crc32di(c, w);
	}
	uint32_t c32 = (uint32_t)c;
	for (; i < n; i++) c32 = __builtin_ia32_crc32qi(c32, (unsigned char)p[i]);
	return c32;
}

__attribute__((target("sse4.2"))) static uint32_t lanes(uint32_t crc, const char *p) {
	uint64_t a = crc, b = 0, c = 0, w[3];
	for (size_t i = 0; i < LANE; i += 8) {
		memcpy(&w[0], p + i, 8);
		memcpy(&w[1], p + LANE + i, 8);
		memcpy(&w[2], p + 2 * LANE + i, 8);
		a = __builtin_ia32_crc32di(a, w[0]);
		b = __builtin_ia32_crc32di(b, w[1]);
		c = __builtin_ia32_crc32di(c, w[2]);
	}
	return push(push((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
}

static uint32_t crc32c_sse42(uint32_t crc, struct str bytes) {
	crc = ~crc;
	for (; bytes.n >= 3 * LANE; bytes.p += 3 * LANE, bytes.n -= 3 * LANE) crc = lanes(crc, bytes.p);
	return ~lane(crc, bytes.p, bytes.n);
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
