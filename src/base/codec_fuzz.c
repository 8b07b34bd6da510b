/* Nothing past the end is read and the first error sticks, whatever order of reads the bytes themselves choose.
 * The record is also built around the payload, so that checksums do not keep the fuzzer out. */
#include <assert.h>
#include <string.h>

#include "base/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct dec *d) {
	char bytes[16];
	while (dec_left(d)) {
		struct str s = { NULL, 0 };
		size_t before = dec_left(d);
		switch (dec_u8(d) % 8) {
		case 0: (void)dec_u16(d); break;
		case 1: (void)dec_u32(d); break;
		case 2: (void)dec_u64(d); break;
		case 3: (void)dec_f64(d); break;
		case 4: (void)dec_f32(d); break;
		case 5: s = dec_str(d); break;
		case 6: dec_bytes(d, bytes, sizeof bytes); break;
		default: (void)dec_i64(d); break;
		}
		assert(dec_left(d) < before && s.n < before);
	}
	enum err e = d->err;
	(void)dec_u64(d); /* past the end */
	assert(d->err == ERR_CORRUPT && (!e || e == ERR_CORRUPT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct str bytes = { (const char *)data, size }, rest;
	struct dec d;
	struct why why = { "" };
	while (dec_begin(&d, bytes, "FUZZ", 3, &rest, &why) == OK) {
		assert(rest.n + CODEC_HEADER <= bytes.n);
		read_all(&d);
		bytes = rest;
	}
	assert(why.text[0]);

	struct buf b;
	buf_init(&b, 0);
	struct enc e = enc_begin(&b, "FUZZ", 1);
	enc_bytes(&e, data, size);
	enc_end(&e);
	enum err begun = dec_begin(&d, buf_get(&b), "FUZZ", 3, NULL, NULL);
	assert(begun == OK && dec_left(&d) == size);
	read_all(&d);
	buf_done(&b);
	return 0;
}
