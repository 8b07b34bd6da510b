#include "sim/run/demo_text.h"

#include <math.h>
#include <string.h>

#include "base/test.h"

static struct str any_text(struct t *t, char *out, size_t n) {
	static const char *const words[] = {
		"a",         "service/payment",
		"4.9",       "ms",
		"caf\u00e9", "\u2717",
		"12",        "pods,",
		"",          "a-word-that-is-longer-than-most-windows-are-wide-and-must-be-torn"
	};
	size_t at = 0;
	out[0] = 0;
	for (int i = 0, count = (int)rng_below(&t->rng, 20); i < count; i++)
		at += (size_t)snprintf(out + at, n - at, "%s%s", i ? " " : "",
		                       words[rng_below(&t->rng, sizeof words / sizeof *words)]);
	return str_of(out);
}

/* Folding loses nothing but the blank at which it folds, and no row is too wide. */
TEST(folded_rows_fit_and_make_the_text_again, .seeds = 2000) {
	char text[2000];
	struct str all = any_text(t, text, sizeof text), rest = all;
	size_t columns = 1 + (size_t)rng_below(&t->rng, 60), at = 0;
	while (rest.n) {
		struct str row = demo_fold(&rest, columns);
		EXPECT(demo_columns(row) <= columns && row.p == all.p + at);
		at = (size_t)(rest.p - all.p);
		EXPECT(at > (size_t)(row.p - all.p)); /* it goes on */
		EXPECT(row.p + row.n == rest.p || (row.p + row.n + 1 == rest.p && row.p[row.n] == ' '));
	}
	EXPECT(at == all.n);
}

TEST(a_number_keeps_its_unit) {
	struct str rest = STR("it takes 4.9 ms (2 pods)");
	EXPECT(str_is(demo_fold(&rest, 13), "it takes"));
	EXPECT(str_is(demo_fold(&rest, 13), "4.9 ms (2"));
	EXPECT(str_is(demo_fold(&rest, 13), "pods)") && !rest.n);
}

TEST(a_line_stands_in_its_columns, .seeds = 200) {
	char text[2000];
	struct buf b;
	struct demo_style style = { .color = false, .width = 30 + (int)rng_below(&t->rng, 100) };
	struct demo_line l = { rng_below(&t->rng, 2) ? NAN : rng_between(&t->rng, 0, 300), DEMO_GOOD, "over", NULL };
	l.text = any_text(t, text, sizeof text).p;
	buf_init(&b, 0);
	demo_line_write(&l, style, &b);
	size_t rows = 0;
	for (struct str row, rest = buf_get(&b); rest.n; rows++) {
		(void)str_cut(rest, '\n', &row, &rest);
		EXPECT(demo_columns(row) <= demo_width(style));
		if (rows && row.n) EXPECT(row.n > DEMO_INDENT && !memcmp(row.p, "                     ", DEMO_INDENT));
	}
	EXPECT(rows >= 1 && demo_width(style) >= DEMO_WIDTH_MIN && demo_width(style) <= DEMO_WIDTH_MAX);
	buf_done(&b);
}

RUN(folded_rows_fit_and_make_the_text_again, a_number_keeps_its_unit, a_line_stands_in_its_columns)
