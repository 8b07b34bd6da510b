#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/test.h"

static struct str random_text(struct t *t, size_t max, const char *alphabet) {
	size_t n = (size_t)rng_below(&t->rng, (int64_t)max + 1), letters = strlen(alphabet);
	char *p = arena_take(t->arena, n + 1, 1);
	for (size_t i = 0; i < n; i++) p[i] = alphabet[rng_below(&t->rng, (int64_t)letters)];
	return (struct str){ p, n };
}

TEST(comparisons_agree_with_the_c_library, .seeds = 1000) {
	struct str a = random_text(t, 6, "ab"), b = random_text(t, 6, "ab");
	int c = strcmp(a.p, b.p), got = str_cmp(a, b);
	EXPECT((c > 0) - (c < 0) == (got > 0) - (got < 0));
	EXPECT(str_eq(a, b) == (c == 0) && str_is(a, b.p) == (c == 0));
	EXPECT(str_starts(a, b) == (strncmp(a.p, b.p, b.n) == 0));
	EXPECT(str_ends(a, b) == (a.n >= b.n && strcmp(a.p + a.n - b.n, b.p) == 0));
}

TEST(null_is_empty) {
	struct str none = str_of(NULL);
	EXPECT(none.p == NULL && none.n == 0 && str_eq(none, STR("")) && str_is(none, "") && str_is(none, NULL));
	EXPECT(str_starts(none, none) && str_ends(none, none) && str_cmp(none, STR("a")) < 0);
	EXPECT(str_trim(none).n == 0 && str_is_utf8(none) && str_distance(none, STR("abc")) == 3);
	struct str copy = str_copy(t->arena, none);
	EXPECT(copy.p && copy.n == 0 && strcmp(str_c(t->arena, none), "") == 0);
}

TEST(cut_splits_at_the_first, .seeds = 300) {
	struct str s = random_text(t, 8, "a,"), head, tail;
	const char *at = strchr(s.p, ',');
	EXPECT(str_cut(s, ',', &head, &tail) == (at != NULL));
	EXPECT(head.n == (at ? (size_t)(at - s.p) : s.n) && tail.n == (at ? s.n - head.n - 1 : 0));
	EXPECT(str_starts(s, head) && str_ends(s, tail));
}

TEST(trim_takes_white_space_off_both_ends) {
	EXPECT(str_is(str_trim(STR(" \t\r\na b\n ")), "a b") && str_is(str_trim(STR("  ")), "") &&
	       str_is(str_trim(STR("x")), "x"));
}

TEST(a_full_arena_gives_null) {
	struct arena small;
	arena_init(&small, 100);
	char text[300];
	memset(text, 'x', sizeof text);
	struct str s = { text, sizeof text };
	EXPECT(str_copy(&small, s).p == NULL && str_c(&small, s) == NULL);
	EXPECT(str_printf(&small, STR_FMT, STR_ARG(s)).p == NULL);
	arena_done(&small);
	struct str long_one = str_printf(t->arena, "<" STR_FMT ">", STR_ARG(s));
	EXPECT(long_one.n == 302 && long_one.p[301] == '>' && str_is(str_printf(t->arena, "%d", 7), "7"));
}

static bool int_is(const char *text, int64_t want) {
	int64_t v = 12345;
	return str_int(str_of(text), &v) && v == want;
}

TEST(integers_to_the_last_value) {
	int64_t v = 5;
	EXPECT(int_is("0", 0) && int_is("-0", 0) && int_is("+7", 7) && int_is("007", 7));
	EXPECT(int_is("9223372036854775807", INT64_MAX) && int_is("-9223372036854775808", INT64_MIN));
	static const char *const bad[] = { "",
		                               "-",
		                               "+",
		                               " 1",
		                               "1 ",
		                               "0x1",
		                               "1.0",
		                               "9223372036854775808",
		                               "+9223372036854775808",
		                               "-9223372036854775809",
		                               "99999999999999999999",
		                               "--1",
		                               "1e3" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT(!str_int(str_of(bad[i]), &v) && v == 5);
}

TEST(integers_read_back, .seeds = 1000) {
	int64_t want = (int64_t)rng_next(&t->rng) >> rng_below(&t->rng, 64);
	EXPECT(int_is(str_printf(t->arena, "%lld", (long long)want).p, want));
}

static bool double_is(const char *text, double want) {
	double v = 0.125;
	return str_double(str_of(text), &v) && memcmp(&v, &want, sizeof v) == 0;
}

TEST(doubles_and_what_is_none) {
	double v = 0.125;
	EXPECT(double_is("1", 1) && double_is("-0", -0.0) && double_is(".5", .5) && double_is("5.", 5) &&
	       double_is("+1e3", 1000));
	EXPECT(double_is("1e-400", 0) && double_is("0e999999999", 0) && double_is("4.9e-324", 4.9e-324));
	EXPECT(double_is("1.7976931348623157e308", 1.7976931348623157e308));
	EXPECT(double_is("9007199254740993", 9007199254740992.0)); /* half way: to even */
	EXPECT(double_is("179769313486231570000000000000000000000e270", 1.7976931348623157e308));
	static const char *const bad[] = { "",    ".",     "-",        "e5",   "1e",    "1e+",  "nan",
		                               "inf", "-inf",  "infinity", "0x10", "0x1p3", " 1",   "1 ",
		                               "1,5", "1e400", "-1e400",   "1..2", "1e1.5", "1_000" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT(!str_double(str_of(bad[i]), &v) && v == 0.125);
	char text[STR_NUMBER_MAX + 2];
	memset(text, '0', sizeof text);
	EXPECT(str_double((struct str){ text, STR_NUMBER_MAX }, &v) && v == 0);
	EXPECT(!str_double((struct str){ text, STR_NUMBER_MAX + 1 }, &v));
}

/* The quick way and strtod must never differ by a bit. */
TEST(doubles_agree_with_strtod, .seeds = 20000) {
	char text[64];
	int digits = 1 + (int)rng_below(&t->rng, 21), point = (int)rng_below(&t->rng, digits + 1), n = 0;
	for (int i = 0; i < digits; i++) {
		if (i == point) text[n++] = '.';
		text[n++] = (char)('0' + rng_below(&t->rng, 10));
	}
	snprintf(text + n, sizeof text - (size_t)n, "e%d", (int)rng_below(&t->rng, 80) - 40);
	EXPECT(double_is(text, strtod(text, NULL)));
}

TEST(any_double_reads_back, .seeds = 5000) {
	uint64_t bits = rng_next(&t->rng);
	double v;
	memcpy(&v, &bits, sizeof v);
	if (!isfinite(v)) return;
	EXPECT(double_is(str_printf(t->arena, "%.17g", v).p, v));
}

/* Decodes by arithmetic alone: the obvious twin. */
static bool slow_utf8(struct str s) {
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
		if (!n || i + n > s.n) return false;
		uint32_t v = n == 1 ? c : c & (0x7fu >> n);
		for (size_t k = 1; k < n; k++) {
			if (((unsigned char)s.p[i + k] & 0xc0) != 0x80) return false;
			v = v << 6 | ((unsigned char)s.p[i + k] & 0x3f);
		}
		static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
		if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) return false;
		i += n;
	}
	return true;
}

TEST(utf8_agrees_with_its_slow_twin, .seeds = 50000) {
	struct str s =
		random_text(t, 24, "aaaaaaa\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5\xff");
	EXPECT(str_is_utf8(s) == slow_utf8(s));
	if (rng_below(&t->rng, 2)) return;
	s = random_text(t, 4, "\xe0\xed\xf0\xf4\xc2\x80\x90\xa0\xbf\x8f\x9f");
	EXPECT(str_is_utf8(s) == slow_utf8(s));
}

TEST(known_distances) {
	EXPECT(str_distance(STR("kitten"), STR("sitting")) == 3 && str_distance(STR("flaw"), STR("lawn")) == 2);
	EXPECT(str_distance(STR(""), STR("abc")) == 3 && str_distance(STR("same"), STR("same")) == 0);
	char a[100], b[100];
	memset(a, 'a', sizeof a);
	memset(b, 'b', sizeof b);
	EXPECT(str_distance((struct str){ a, 100 }, (struct str){ b, 100 }) == 32);
}

TEST(a_distance_is_a_metric, .seeds = 500) {
	struct str a = random_text(t, 9, "abc"), b = random_text(t, 9, "abc"), c = random_text(t, 9, "abc");
	size_t ab = str_distance(a, b);
	EXPECT(ab == str_distance(b, a) && (ab == 0) == str_eq(a, b));
	EXPECT(ab <= str_distance(a, c) + str_distance(c, b) && ab <= (a.n > b.n ? a.n : b.n));
}

RUN(comparisons_agree_with_the_c_library, null_is_empty, cut_splits_at_the_first, trim_takes_white_space_off_both_ends,
    a_full_arena_gives_null, integers_to_the_last_value, integers_read_back, doubles_and_what_is_none,
    doubles_agree_with_strtod, any_double_reads_back, utf8_agrees_with_its_slow_twin, known_distances,
    a_distance_is_a_metric)
