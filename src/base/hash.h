/* Named hashes: XXH3-128 (seed 0, canonical big-endian bytes) for identity, SHA-256 for records
 * that must not be forged, CRC-32C for torn writes. Values are equal in every process and version. */
#pragma once

#include "base/str.h"

struct hash128 {
	unsigned char b[16];
};
struct sha256 {
	unsigned char b[32];
};

struct hash128 hash128(struct str bytes);
uint64_t hash64(struct str bytes); /* XXH3-64, seed 0: tables, not records */
struct sha256 sha256(struct str bytes);
uint32_t crc32c(struct str bytes);
/* Goes on where `crc` of the bytes before ended: crc32c(ab) == crc32c_more(crc32c(a), b). */
uint32_t crc32c_more(uint32_t crc, struct str bytes);
/* The same by table, which machines without the instruction use. */
uint32_t crc32c_plain(uint32_t crc, struct str bytes);
