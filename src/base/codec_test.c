#include "base/codec.h"

#include <math.h>
#include <string.h>

#include "base/test.h"

/* The bytes themselves: whoever changes them needs a new version. */
TEST(the_layout_is_as_documented) {
	struct buf b;
	buf_init(&b, 0);
	struct enc e = enc_begin(&b, "TEST", 0x0203);
	enc_u8(&e, 0x11);
	enc_u16(&e, 0x2233);
	enc_u32(&e, 0x44556677);
	enc_i64(&e, -2);
	enc_f64(&e, 1.0);
	enc_f32(&e, -2.0f);
	enc_str(&e, STR("hi"));
	enc_end(&e);
	char text[200];
	hex_encode(b.p, b.n, text);
	EXPECT(b.n == CODEC_HEADER + 33);
	EXPECT(memcmp(text,
	              "54455354"
	              "0302"
	              "0000"
	              "21000000",
	              24) == 0);
	EXPECT(strcmp(text + 32, "11"
	                         "3322"
	                         "77665544"
	                         "feffffffffffffff"
	                         "000000000000f03f"
	                         "000000c0"
	                         "02000000"
	                         "6869") == 0);
	buf_done(&b);
}

enum kind { U8, U16, U32, U64, I64, F64, F32, TEXT, BYTES, KINDS };

#define FIELDS 30

struct field {
	enum kind kind;
	uint64_t v;
	char text[8];
	size_t n;
};

static void draw(struct t *t, struct field *f) {
	f->kind = (enum kind)rng_below(&t->rng, KINDS);
	f->v = rng_next(&t->rng);
	f->n = (size_t)rng_below(&t->rng, 9);
	for (size_t i = 0; i < 8; i++) f->text[i] = (char)rng_next(&t->rng);
}

static double as_f64(uint64_t v) {
	double d;
	memcpy(&d, &v, sizeof d);
	return d;
}

static void write_field(struct enc *e, const struct field *f) {
	switch (f->kind) {
	case U8: enc_u8(e, (uint8_t)f->v); break;
	case U16: enc_u16(e, (uint16_t)f->v); break;
	case U32: enc_u32(e, (uint32_t)f->v); break;
	case U64: enc_u64(e, f->v); break;
	case I64: enc_i64(e, (int64_t)f->v); break;
	case F64: enc_f64(e, as_f64(f->v)); break;
	case F32: enc_f32(e, (float)(int32_t)f->v); break;
	case TEXT: enc_str(e, (struct str){ f->text, f->n }); break;
	default: enc_bytes(e, f->text, f->n);
	}
}

static bool reads_field(struct dec *d, const struct field *f) {
	char bytes[8];
	double real;
	switch (f->kind) {
	case U8: return dec_u8(d) == (uint8_t)f->v;
	case U16: return dec_u16(d) == (uint16_t)f->v;
	case U32: return dec_u32(d) == (uint32_t)f->v;
	case U64: return dec_u64(d) == f->v;
	case I64: return dec_i64(d) == (int64_t)f->v;
	case F64: real = dec_f64(d); return memcmp(&real, &f->v, sizeof real) == 0;
	case F32: return dec_f32(d) == (float)(int32_t)f->v;
	case TEXT: return str_eq(dec_str(d), (struct str){ f->text, f->n });
	default: dec_bytes(d, bytes, f->n); return memcmp(bytes, f->text, f->n) == 0;
	}
}

static void write_record(struct t *t, struct buf *b, struct field fields[FIELDS]) {
	struct enc e = enc_begin(b, "ABCD", 3);
	for (int i = 0; i < FIELDS; i++) {
		draw(t, &fields[i]);
		write_field(&e, &fields[i]);
	}
	enc_end(&e);
}

TEST(what_was_written_is_read, .seeds = 1000) {
	struct buf b;
	struct field fields[2][FIELDS];
	buf_init(&b, 0);
	buf_c(&b, "before"); /* a record may begin anywhere */
	write_record(t, &b, fields[0]);
	write_record(t, &b, fields[1]);
	EXPECT(b.err == OK);
	struct str rest = { b.p + 6, b.n - 6 };
	for (int k = 0; k < 2; k++) {
		struct dec d;
		EXPECT_OK(dec_begin(&d, rest, "ABCD", 5, &rest, NULL));
		EXPECT(d.version == 3);
		for (int i = 0; i < FIELDS; i++) EXPECT(reads_field(&d, &fields[k][i]));
		EXPECT(dec_left(&d) == 0);
		EXPECT_OK(dec_end(&d));
	}
	EXPECT(rest.n == 0);
	buf_done(&b);
}

TEST(floats_in_a_row_are_floats_one_by_one, .seeds = 50) {
	struct buf a, b;
	float v[40];
	size_t n = (size_t)rng_below(&t->rng, 41);
	buf_init(&a, 0), buf_init(&b, 0);
	struct enc x = { &a, 0 }, y = { &b, 0 };
	for (size_t i = 0; i < n; i++) enc_f32(&x, v[i] = (float)rng_normal(&t->rng));
	enc_f32s(&y, v, n);
	EXPECT(str_eq(buf_get(&a), buf_get(&b)));
	buf_done(&a), buf_done(&b);
}

TEST(no_cut_and_no_flipped_bit_goes_unseen, .seeds = 500) {
	struct buf b;
	struct field fields[FIELDS];
	struct dec d;
	struct why why = { "" };
	buf_init(&b, 0);
	write_record(t, &b, fields);
	size_t cut = (size_t)rng_below(&t->rng, (int64_t)b.n);
	EXPECT_ERR(dec_begin(&d, (struct str){ b.p, cut }, "ABCD", 3, NULL, &why), ERR_CORRUPT);
	EXPECT(why.text[0] && dec_u64(&d) == 0);
	EXPECT_ERR(dec_end(&d), ERR_CORRUPT);
	b.p[rng_below(&t->rng, (int64_t)b.n)] ^= (char)(1 << rng_below(&t->rng, 8));
	EXPECT_ERR(dec_begin(&d, buf_get(&b), "ABCD", 3, NULL, NULL), ERR_CORRUPT);
	buf_done(&b);
}

TEST(what_is_whole_but_unknown_is_another_version) {
	struct buf b;
	struct dec d;
	struct why why = { "" };
	buf_init(&b, 0);
	struct enc e = enc_begin(&b, "ABCD", 4);
	enc_end(&e);
	EXPECT_ERR(dec_begin(&d, buf_get(&b), "ABCD", 3, NULL, &why), ERR_VERSION);
	EXPECT(strcmp(why.text, "record 'ABCD': version 4, this program reads up to 3; use a newer one") == 0);
	EXPECT_ERR(dec_begin(&d, buf_get(&b), "ABCE", 4, NULL, &why), ERR_VERSION);
	EXPECT(strcmp(why.text, "record 'ABCE': found 'ABCD' in its place") == 0);
	EXPECT_ERR(dec_begin(&d, (struct str){ NULL, 0 }, "ABCD", 4, NULL, NULL), ERR_CORRUPT);
	buf_done(&b);
}

TEST(a_reader_never_passes_the_end_and_its_error_sticks) {
	struct buf b;
	struct dec d;
	buf_init(&b, 0);
	struct enc e = enc_begin(&b, "ABCD", 1);
	enc_u32(&e, 100); /* a string of 100 bytes that has 1 */
	enc_u8(&e, 7);
	enc_end(&e);
	EXPECT_OK(dec_begin(&d, buf_get(&b), "ABCD", 1, NULL, NULL));
	struct str s = dec_str(&d);
	EXPECT(s.p == NULL && s.n == 0 && dec_left(&d) == 0 && dec_u8(&d) == 0);
	char bytes[2] = "x";
	dec_bytes(&d, bytes, 1);
	EXPECT(bytes[0] == 0);
	EXPECT_ERR(dec_end(&d), ERR_CORRUPT);

	EXPECT_OK(dec_begin(&d, buf_get(&b), "ABCD", 1, NULL, NULL));
	EXPECT(dec_u32(&d) == 100);
	EXPECT_ERR(dec_end(&d), ERR_CORRUPT); /* a byte is left */
	buf_done(&b);
}

TEST(a_full_buffer_leaves_its_error_and_no_crash) {
	struct buf b;
	for (size_t max = 1; max < 40; max++) {
		buf_init(&b, max);
		struct enc e = enc_begin(&b, "ABCD", 1);
		enc_str(&e, STR("0123456789"));
		enc_f64(&e, NAN);
		enc_end(&e);
		EXPECT(b.err == (max < CODEC_HEADER + 22 ? ERR_TOO_LARGE : OK));
		buf_done(&b);
	}
}

RUN(the_layout_is_as_documented, what_was_written_is_read, floats_in_a_row_are_floats_one_by_one,
    no_cut_and_no_flipped_bit_goes_unseen, what_is_whole_but_unknown_is_another_version,
    a_reader_never_passes_the_end_and_its_error_sticks, a_full_buffer_leaves_its_error_and_no_crash)
