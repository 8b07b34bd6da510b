#include "ingest/wire.h"

#include <math.h>

#include "base/test.h"

TEST(what_was_written_is_read, .seeds = 100) {
	static const char text[400] = "any bytes";
	struct buf b;
	uint64_t v[50];
	buf_init(&b, 0);
	for (int i = 0; i < 50; i++) {
		v[i] = rng_next(&t->rng) >> rng_below(&t->rng, 64);
		uint32_t number = 1 + (uint32_t)(rng_next(&t->rng) >> (35 + rng_below(&t->rng, 29)));
		if (i % 3 == 0) wire_put_varint(&b, number, v[i]);
		if (i % 3 == 1) wire_put_fixed64(&b, number, v[i]);
		if (i % 3 == 2) wire_put_bytes(&b, number, (struct str){ text, v[i] % sizeof text });
	}
	struct wire w = wire_of(buf_get(&b));
	struct wire_field f;
	for (int i = 0; i < 50; i++) {
		static const enum wire_type types[] = { WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES };
		EXPECT(wire_next(&w, &f) && f.type == types[i % 3]);
		if (i % 3 < 2) EXPECT(f.value == v[i]);
		if (i % 3 == 2) EXPECT(str_eq(f.bytes, (struct str){ text, v[i] % sizeof text }));
	}
	EXPECT(!wire_next(&w, &f) && !w.wrong && w.p == w.end);
	buf_done(&b);
}

static const char *wrong_of(struct str bytes) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (wire_next(&w, &f)) {}
	return w.wrong ? w.wrong : "";
}

#define BYTES(literal) ((struct str){ literal, sizeof literal - 1 })

TEST(each_kind_of_damage_is_named) {
	EXPECT(str_is(STR("a varint that is cut short"), wrong_of(BYTES("\x80"))));
	EXPECT(str_is(STR("a varint that is cut short"), wrong_of(BYTES("\x08"))));
	EXPECT(str_is(STR("a varint that is cut short"), wrong_of(BYTES("\x08\xff\xff"))));
	EXPECT(str_is(STR("a varint of more than ten bytes"),
	              wrong_of(BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))));
	EXPECT(str_is(STR("a field number out of range"), wrong_of(BYTES("\x00\x01"))));
	EXPECT(str_is(STR("a field number out of range"), wrong_of(BYTES("\x80\x80\x80\x80\x10\x01"))));
	EXPECT(str_is(STR("a length past the end"), wrong_of(BYTES("\x0a\x02x"))));
	EXPECT(str_is(STR("a length past the end"), wrong_of(BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"))));
	EXPECT(str_is(STR("a number that is cut short"), wrong_of(BYTES("\x09"
	                                                                "1234567"))));
	EXPECT(str_is(STR("a number that is cut short"), wrong_of(BYTES("\x0d"
	                                                                "123"))));
	EXPECT(str_is(STR("a wire type that proto3 does not have"), wrong_of(BYTES("\x0b"))));
	EXPECT(str_is(STR("a wire type that proto3 does not have"), wrong_of(BYTES("\x0f"))));
	EXPECT(str_is(STR(""), wrong_of(BYTES(""))) && str_is(STR(""), wrong_of((struct str){ NULL, 0 })));
}

TEST(the_largest_numbers_are_read_exactly) {
	struct wire w = wire_of(BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
	                              "\x10\x80\x00"
	                              "\xf8\xff\xff\xff\x0f\x01"));
	struct wire_field f;
	EXPECT(wire_next(&w, &f) && f.number == 1 && f.value == UINT64_MAX);
	EXPECT(wire_next(&w, &f) && f.number == 2 && f.value == 0); /* longer than it need be */
	EXPECT(wire_next(&w, &f) && f.number == (1u << 29) - 1 && f.value == 1);
	EXPECT(!wire_next(&w, &f) && !w.wrong);
	EXPECT(wire_double(UINT64_C(0x3ff8000000000000)) == 1.5 && isnan(wire_double(UINT64_MAX)));
}

TEST(the_first_damage_stays_on_record) {
	struct wire w = wire_of(BYTES("\x08\x01\x0a\x01x"));
	struct wire_field f;
	struct str s = { NULL, 0 };
	EXPECT(wire_next(&w, &f) && !wire_text(&w, &f, &s) && w.wrong);
	const char *first = w.wrong;
	EXPECT(!wire_next(&w, &f) && !wire_fail(&w, "another") && w.wrong == first && !s.p);
	w = wire_of(BYTES("\x0a\x02\xc3\x28"));
	EXPECT(wire_next(&w, &f) && !wire_text(&w, &f, &s) && str_is(STR("a string that is not UTF-8"), w.wrong));
}

/* Whatever the bytes, the cursor stays within them (the sanitizers watch) and comes to an end. */
TEST(any_bytes_come_to_an_end, .seeds = 2000) {
	size_t n = (size_t)rng_below(&t->rng, 60);
	char *p = arena_take(t->arena, n, 1);
	for (size_t i = 0; i < n; i++) p[i] = (char)rng_next(&t->rng);
	struct wire w = wire_of((struct str){ p, n });
	struct wire_field f;
	size_t fields = 0;
	while (wire_next(&w, &f)) {
		EXPECT(++fields <= n);
		if (f.type == WIRE_BYTES) EXPECT(f.bytes.p >= p && f.bytes.p + f.bytes.n <= p + n);
	}
	EXPECT(w.p == w.end);
}

RUN(what_was_written_is_read, each_kind_of_damage_is_named, the_largest_numbers_are_read_exactly,
    the_first_damage_stays_on_record, any_bytes_come_to_an_end)
