#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/test.h"

static const struct json *parsed(struct t *t, const char *text) {
	const struct json *v = NULL;
	struct why why = { "" };
	enum err e = json_parse(t->arena, str_of(text), &v, &why);
	if (e) fprintf(stderr, "%s: %s\n", text, why.text);
	EXPECT_OK(e);
	return v;
}

TEST(values_of_every_kind) {
	const struct json *v =
		parsed(t, " {\"a\": [1, -2.5e3, true, false, null, \"x\"], \"b\": {\"c.d\": {}, \"e\": []}} ");
	EXPECT(v->kind == JSON_OBJECT && v->count == 2 && v->at == 1);
	const struct json *a = json_get(v, "a");
	EXPECT(a->kind == JSON_ARRAY && a->count == 6 && str_is(a->key, "a") && a->at == 7);
	EXPECT(str_is(a->text, "[1, -2.5e3, true, false, null, \"x\"]"));
	EXPECT(json_int(json_at(a, 0), 0) == 1 && json_double(json_at(a, 1), 0) == -2500 &&
	       json_bool(json_at(a, 2), false));
	EXPECT(!json_bool(json_at(a, 3), true) && json_at(a, 4)->kind == JSON_NULL && str_is(json_str(json_at(a, 5)), "x"));
	EXPECT(json_at(a, 6) == NULL && json_at(v, 0) == NULL && json_get(a, "a") == NULL);
	const struct json *b = json_get_str(v, STR("b"));
	EXPECT(json_get(b, "c.d")->kind == JSON_OBJECT && json_get(b, "e")->count == 0 && json_get(b, "f") == NULL);
}

TEST(lookups_chain_through_what_is_absent) {
	const struct json *v = parsed(t, "{\"m\":{\"labels\":{\"app\":\"shop\"},\"list\":[{\"x\":1},{\"x\":2}]}}");
	EXPECT(str_is(json_str(json_path(v, "m.labels.app")), "shop") && json_int(json_path(v, "m.list.1.x"), 0) == 2);
	EXPECT(!json_path(v, "m.nothing.app") && !json_path(v, "m.list.2") && !json_path(v, "m.list.x") &&
	       !json_path(v, "m.list.-1"));
	EXPECT(!json_path(NULL, "a") && !json_path(v, "") && !json_path(v, "m.labels.app.more"));
	EXPECT(!json_get(NULL, "a") && !json_at(NULL, 0) && json_str(NULL).p == NULL && json_bool(NULL, true));
	EXPECT(json_int(NULL, 7) == 7 && json_double(NULL, 7) == 7);
	const struct json *absent = NULL;
	json_each(it, absent) EXPECT(!it);
}

TEST(integers_are_exact_and_fallbacks_honest) {
	const struct json *v = parsed(t, "[9223372036854775807, -9223372036854775808, \"42\", 3.0, 3e2, 3.5, \"x\", 1e19, "
	                                 "9223372036854775808, true, \"4.5\"]");
	int64_t want[] = { INT64_MAX, INT64_MIN, 42, 3, 300, -1, -1, -1, -1, -1, -1 };
	size_t i = 0;
	json_each(it, v) {
		EXPECT(json_int(it, -1) == want[i]);
		i++;
	}
	EXPECT(i == 11 && json_double(json_at(v, 2), -1) == -1 && str_is(json_at(v, 0)->text, "9223372036854775807"));
	EXPECT(json_str(json_at(v, 0)).p == NULL && json_bool(json_at(v, 0), true));
}

TEST(strings_are_decoded) {
	const char *text = "[\"plain\", \"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\", "
					   "\"\xe2\x82\xac\", \"\", \"a\\nb\"]";
	const struct json *v = parsed(t, text);
	EXPECT(json_str(json_at(v, 0)).p == text + 2); /* points into the source */
	EXPECT(str_is(json_str(json_at(v, 1)), "\"\\/\b\f\n\r\t"));
	EXPECT(str_is(json_str(json_at(v, 2)), "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
	EXPECT(str_is(json_str(json_at(v, 3)), "\xe2\x82\xac") && str_is(json_str(json_at(v, 4)), "") &&
	       json_str(json_at(v, 4)).p);
	EXPECT(str_is(json_str(json_at(v, 5)), "a\nb"));
	v = parsed(t, "{\"k\\u0065y\":1}");
	EXPECT(json_int(json_get(v, "key"), 0) == 1);
}

TEST(a_mistake_is_told_with_its_byte) {
	static const struct {
		const char *text, *want;
	} bad[] = {
		{ "", "JSON, byte 0: a value is expected, the text ends" },
		{ "  ", "JSON, byte 2: a value is expected, the text ends" },
		{ "nul", "JSON, byte 0: a value is expected" },
		{ "True", "JSON, byte 0: a value is expected" },
		{ "[1,]", "JSON, byte 3: a value is expected" },
		{ "[1 2]", "JSON, byte 3: ',' or ']' is expected" },
		{ "[1", "JSON, byte 2: an array does not end" },
		{ "[", "JSON, byte 1: a value is expected, the text ends" },
		{ "{", "JSON, byte 1: an object does not end" },
		{ "{1:2}", "JSON, byte 1: a key in quotes is expected" },
		{ "{\"a\" 1}", "JSON, byte 5: ':' is expected" },
		{ "{\"a\":1,}", "JSON, byte 7: a key in quotes is expected" },
		{ "{\"a\":1 \"b\":2}", "JSON, byte 7: ',' or '}' is expected" },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "JSON, byte 17: the key 'a' of this value stands here twice" },
		{ "{\"a\":1,\"\\u0061\":3}", "JSON, byte 16: the key 'a' of this value stands here twice" },
		{ "1 2", "JSON, byte 2: nothing more is expected after the value" },
		{ "1,", "JSON, byte 1: nothing more is expected after the value" },
		{ "01", "JSON, byte 0: a number does not begin with 0" },
		{ "-01", "JSON, byte 1: a number does not begin with 0" },
		{ "-", "JSON, byte 1: a number does not end" },
		{ "-x", "JSON, byte 1: a digit is expected" },
		{ "+1", "JSON, byte 0: a value is expected" },
		{ ".5", "JSON, byte 0: a value is expected" },
		{ "1.", "JSON, byte 2: a number does not end" },
		{ "1.e5", "JSON, byte 2: a digit is expected after the point" },
		{ "1e", "JSON, byte 2: a number does not end" },
		{ "1e+x", "JSON, byte 3: a digit is expected in the exponent" },
		{ "1e400", "JSON, byte 0: a number too large or too long" },
		{ "NaN", "JSON, byte 0: a value is expected" },
		{ "0x10", "JSON, byte 1: nothing more is expected after the value" },
		{ "\"abc", "JSON, byte 4: a string does not end" },
		{ "\"abc\\", "JSON, byte 4: a string does not end" },
		{ "\"a\nb\"", "JSON, byte 2: a control character in a string is written \\u00.." },
		{ "\"\\x41\"", "JSON, byte 1: no such escape" },
		{ "\"\\u12g4\"", "JSON, byte 1: \\u wants four hex digits" },
		{ "\"\\u12", "JSON, byte 1: \\u wants four hex digits" },
		{ "\"\\u0000\"", "JSON, byte 1: \\u0000 is not allowed" },
		{ "\"\\ud800\"", "JSON, byte 1: half of a surrogate pair" },
		{ "\"\\ude00\"", "JSON, byte 1: half of a surrogate pair" },
		{ "\"\\ud800\\u0041\"", "JSON, byte 1: half of a surrogate pair" },
		{ "\"\\ud800\\ue000\"", "JSON, byte 1: half of a surrogate pair" },
		{ "\"\\udc00\\udc00\"", "JSON, byte 1: half of a surrogate pair" },
		{ "\"\\ud800\\", "JSON, byte 1: half of a surrogate pair" },
		{ "\"\xff\"", "JSON, byte 1: not UTF-8" },
		{ "\"12345678\xc0\xaf\"", "JSON, byte 9: not UTF-8" },
		{ "\"\xed\xa0\x80\"", "JSON, byte 1: not UTF-8" },
		{ "\"\xe2\x82", "JSON, byte 1: not UTF-8" },
		{ "\"\\n\xff\"", "JSON, byte 3: not UTF-8" },
		{ "\xef\xbb\xbf{}", "JSON, byte 0: a value is expected" },
		{ "['a']", "JSON, byte 1: a value is expected" },
		{ "[1]\f", "JSON, byte 3: nothing more is expected after the value" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct json *v = NULL;
		struct why why = { "" };
		EXPECT_ERR(json_parse(t->arena, str_of(bad[i].text), &v, &why), ERR_INVALID);
		if (strcmp(why.text, bad[i].want) != 0) fprintf(stderr, "%s: %s\n", bad[i].text, why.text);
		EXPECT(strcmp(why.text, bad[i].want) == 0 && v == NULL);
	}
	const struct json *v = NULL;
	EXPECT_ERR(json_parse(t->arena, STR("1\0"), &v, NULL), ERR_INVALID);
	EXPECT_ERR(json_parse(t->arena, STR("\"a\0\""), &v, NULL), ERR_INVALID);
	EXPECT_ERR(json_parse(t->arena, (struct str){ NULL, 0 }, &v, NULL), ERR_INVALID);
	EXPECT_ERR(json_parse(t->arena, (struct str){ NULL, UINT32_MAX }, &v, NULL), ERR_TOO_LARGE);
}

/* Strings are read eight bytes at a time: no byte hides in any of the eight places. */
TEST(a_wrong_byte_is_found_at_any_place, .seeds = 2000) {
	char text[64];
	size_t n = 1 + (size_t)rng_below(&t->rng, 50), bad = 1 + (size_t)rng_below(&t->rng, (int64_t)n);
	text[0] = '"';
	for (size_t i = 1; i <= n; i++) text[i] = (char)('a' + rng_below(&t->rng, 26));
	text[n + 1] = '"';
	const struct json *v = NULL;
	struct why why = { "" };
	EXPECT_OK(json_parse(t->arena, (struct str){ text, n + 2 }, &v, NULL));
	EXPECT(v->text.n == n);
	int c = (int)rng_below(&t->rng, 0xa0); /* 0..0x1f, 0x80..0xff: alone, none of them may stand in a string */
	text[bad] = (char)(c < 0x20 ? c : c + 0x60);
	EXPECT_ERR(json_parse(t->arena, (struct str){ text, n + 2 }, &v, &why), ERR_INVALID);
	const char *what = c < 0x20 ? "a control character in a string is written \\u00.." : "not UTF-8";
	EXPECT(str_is(str_printf(t->arena, "JSON, byte %zu: %s", bad, what), why.text));
}

TEST(depth_ends_at_64) {
	char text[200];
	const struct json *v = NULL;
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	EXPECT_OK(json_parse(t->arena, (struct str){ text + 1, 128 }, &v, NULL));
	EXPECT_ERR(json_parse(t->arena, (struct str){ text, 130 }, &v, NULL), ERR_INVALID);
	/* Side by side is not deeper. */
	EXPECT_OK(json_parse(t->arena, STR("[[],[],[],[{}],{\"a\":[]}]"), &v, NULL));
}

TEST(objects_of_any_size_keep_order_and_refuse_twins, .seeds = 60) {
	struct buf b;
	buf_init(&b, 0);
	int n = 1 + (int)rng_below(&t->rng, t->seed % 4 ? 60 : 3000), twin = (int)rng_below(&t->rng, n);
	for (int i = 0; i < n; i++) buf_printf(&b, "%s\"key%d\":%d", i ? "," : "{", i, i);
	buf_c(&b, "}");
	const struct json *v = NULL;
	EXPECT_OK(json_parse(t->arena, buf_get(&b), &v, NULL));
	int i = 0;
	json_each(m, v) {
		EXPECT(json_int(m, -1) == i);
		i++;
	}
	EXPECT(i == n && (int)v->count == n);
	struct why why = { "" };
	b.n--;
	buf_printf(&b, ",\"key%d\":0}", twin);
	EXPECT_ERR(json_parse(t->arena, buf_get(&b), &v, &why), ERR_INVALID);
	EXPECT(strstr(why.text, str_printf(t->arena, "byte %zu: the key 'key%d'", b.n - 2, twin).p));
	buf_done(&b);
}

TEST(a_small_arena_is_no_memory_not_a_crash) {
	const char *text = "{\"a\":[1,2,3,{\"b\\n\":\"c\\u0041\"}],\"d\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}";
	bool fitted = false;
	for (size_t max = 1; max < 8000; max += 37) {
		struct arena small;
		arena_init(&small, max);
		const struct json *v = NULL;
		enum err e = json_parse(&small, str_of(text), &v, NULL);
		EXPECT(e == OK || (e == ERR_NOMEM && !fitted));
		fitted |= e == OK;
		arena_done(&small);
	}
	EXPECT(fitted);
}

/* --- writing --- */

static struct str written(struct t *t, struct buf *b) {
	struct str s = str_copy(t->arena, buf_get(b));
	EXPECT(b->err == OK);
	buf_done(b);
	return s;
}

TEST(commas_and_quotes_are_kept) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	json_begin_object(&o);
	json_kv_str(&o, "s", STR("x"));
	json_kv_c(&o, "none", NULL);
	json_kv_int(&o, "min", INT64_MIN);
	json_kv_double(&o, "d", 0.1);
	json_kv_bool(&o, "yes", true);
	json_kv_wall(&o, "at", (struct wall){ 0 });
	json_key_str(&o, STR("list"));
	json_begin_array(&o);
	json_put_int(&o, 0);
	json_begin_array(&o);
	json_end_array(&o);
	json_begin_object(&o);
	json_end_object(&o);
	json_put_raw(&o, STR("[1]"));
	json_put_null(&o);
	json_end_array(&o);
	json_key(&o, "v");
	json_put_value(&o, parsed(t, "{ \"a\" : [ 1.50, \"\\u0041\", true, false, null, { } ] }"));
	json_key(&o, "absent");
	json_put_value(&o, NULL);
	json_end_object(&o);
	EXPECT(str_is(written(t, &b), "{\"s\":\"x\",\"none\":null,\"min\":-9223372036854775808,\"d\":0.1,\"yes\":true,"
	                              "\"at\":\"1970-01-01T00:00:00.000Z\",\"list\":[0,[],{},[1],null],"
	                              "\"v\":{\"a\":[1.50,\"A\",true,false,null,{}]},\"absent\":null}"));
}

TEST(strings_are_escaped_and_repaired) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	json_put_str(&o, STR("a\"\\\b\f\n\r\t\x01\x7f\0/\xe2\x82\xac\xff\xe2\x82x\xed\xa0\x80"));
	EXPECT(str_is(written(t, &b), "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f\\u0000/\xe2\x82\xac\xef\xbf\xbd"
	                              "\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
}

static struct str number(struct t *t, double v) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	json_put_double(&o, v);
	return written(t, &b);
}

TEST(doubles_are_short) {
	EXPECT(str_is(number(t, 1), "1") && str_is(number(t, -0.0), "-0") && str_is(number(t, 0.1), "0.1"));
	EXPECT(str_is(number(t, 1e21), "1e+21") && str_is(number(t, 1e15), "1e+15") &&
	       str_is(number(t, 123456789012345), "123456789012345"));
	EXPECT(str_is(number(t, 5e-324), "4.94065645841247e-324") && str_is(number(t, 1 / 3.0), "0.3333333333333333"));
	EXPECT(str_is(number(t, NAN), "null") && str_is(number(t, INFINITY), "null") &&
	       str_is(number(t, -INFINITY), "null"));
}

TEST(doubles_read_back_to_the_bit, .seeds = 5000) {
	uint64_t bits = rng_next(&t->rng);
	double v;
	memcpy(&v, &bits, sizeof v);
	if (t->seed % 2) v = (double)(int64_t)bits / (double)(1 + rng_below(&t->rng, 1000));
	if (!isfinite(v)) return;
	const struct json *back = NULL;
	EXPECT_OK(json_parse(t->arena, number(t, v), &back, NULL));
	EXPECT(memcmp(&back->number, &v, sizeof v) == 0);
}

TEST(a_value_too_deep_for_its_envelope_is_an_error) {
	char text[200];
	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	text[128] = '\0';
	const struct json *v = parsed(t, text);
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	json_put_value(&o, v);
	EXPECT(b.err == OK && b.n == 128);
	json_begin_array(&o);
	json_put_value(&o, v);
	json_end_array(&o);
	EXPECT(b.err == ERR_TOO_LARGE && o.depth == 0);
	buf_done(&b);
}

static void put_random(struct t *t, struct json_out *o, int depth) {
	char text[12];
	size_t n = (size_t)rng_below(&t->rng, sizeof text);
	for (size_t i = 0; i < n; i++) text[i] = (char)(1 + rng_below(&t->rng, 255));
	int64_t kind = rng_below(&t->rng, depth > 4 ? 5 : 7), children = rng_below(&t->rng, 20);
	switch (kind) {
	case 0: json_put_null(o); break;
	case 1: json_put_bool(o, n % 2); break;
	case 2: json_put_int(o, (int64_t)rng_next(&t->rng)); break;
	case 3: json_put_double(o, rng_normal(&t->rng)); break;
	case 4: json_put_str(o, (struct str){ text, n }); break;
	case 5:
		json_begin_array(o);
		for (int64_t i = 0; i < children; i++) put_random(t, o, depth + 1);
		json_end_array(o);
		break;
	default:
		json_begin_object(o);
		for (int64_t i = 0; i < children; i++) {
			json_key_str(o, str_printf(t->arena, "%lld\"" STR_FMT, (long long)i, (int)n, text));
			put_random(t, o, depth + 1);
		}
		json_end_object(o);
	}
}

/* Whatever is written can be read, and is written the same again. */
TEST(written_read_and_written_is_the_same, .seeds = 1000) {
	struct buf a, b;
	buf_init(&a, 0);
	buf_init(&b, 0);
	struct json_out o = json_out(&a), again = json_out(&b);
	put_random(t, &o, 0);
	const struct json *v = NULL;
	struct why why = { "" };
	enum err e = json_parse(t->arena, buf_get(&a), &v, &why);
	if (e) fprintf(stderr, "%s\n%.*s\n", why.text, (int)a.n, a.p);
	EXPECT_OK(e);
	json_put_value(&again, v);
	EXPECT(str_eq(buf_get(&a), buf_get(&b)));
	buf_done(&a);
	buf_done(&b);
}

/* A cut text is never whole: each prefix of an object is refused, and nothing past it is read. */
TEST(no_prefix_of_an_object_passes, .seeds = 100) {
	struct buf a;
	buf_init(&a, 0);
	struct json_out o = json_out(&a);
	json_begin_object(&o);
	json_key(&o, "k");
	put_random(t, &o, 3);
	json_end_object(&o);
	const struct json *v = NULL;
	for (int i = 0; i < 30; i++) {
		size_t n = (size_t)rng_below(&t->rng, (int64_t)a.n);
		EXPECT_ERR(json_parse(t->arena, str_copy(t->arena, (struct str){ a.p, n }), &v, NULL), ERR_INVALID);
	}
	buf_done(&a);
}

RUN(values_of_every_kind, lookups_chain_through_what_is_absent, integers_are_exact_and_fallbacks_honest,
    strings_are_decoded, a_mistake_is_told_with_its_byte, a_wrong_byte_is_found_at_any_place, depth_ends_at_64,
    objects_of_any_size_keep_order_and_refuse_twins, a_small_arena_is_no_memory_not_a_crash, commas_and_quotes_are_kept,
    strings_are_escaped_and_repaired, doubles_are_short, doubles_read_back_to_the_bit,
    a_value_too_deep_for_its_envelope_is_an_error, written_read_and_written_is_the_same, no_prefix_of_an_object_passes)
