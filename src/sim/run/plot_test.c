#include "sim/run/plot.h"

#include <string.h>

#include "base/test.h"

static void add(struct t *t, struct plot *p, struct str text) {
	const struct json *row = NULL;
	EXPECT_OK(json_parse(t->arena, text, &row, NULL));
	plot_add(p, row);
}

static struct str drawn(struct t *t, struct plot *p, const char *title) {
	struct buf b;
	buf_init(&b, 0);
	plot_svg(p, str_of(title), &b);
	EXPECT_OK(b.err);
	struct str svg = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
	return svg;
}

static size_t count(struct str text, const char *word) {
	size_t n = 0, k = strlen(word);
	for (size_t i = 0; i + k <= text.n; i++) n += !memcmp(text.p + i, word, k);
	return n;
}

static struct str row(struct t *t, int64_t detect) {
	return str_printf(t->arena,
	                  "{\"case\":\"x\",\"counts\":true,\"subjects\":{\"flyball\":{\"detect_s\":%lld,\"cause_s\":5,"
	                  "\"resolve_s\":40},\"alarms_1min\":{\"detect_s\":null,\"people_s\":900,\"resolve_s\":null}}}",
	                  (long long)detect);
}

/* Each time is a point, in its panel; what never came is none, and is counted in words. */
TEST(each_run_is_a_point_or_a_never) {
	struct plot *p = plot_new();
	for (int i = 0; i < 5; i++) add(t, p, row(t, 10));
	add(t, p, STR("{\"case\":\"x\",\"counts\":false,\"subjects\":{\"flyball\":{\"detect_s\":10}}}"));
	add(t, p, STR("{\"groups\":[\"cold\"],\"counts\":true,\"subjects\":{\"flyball\":{\"detect_s\":10}}}"));
	struct str svg = drawn(t, p, "mttd");
	EXPECT(count(svg, "<use href=\"#p0\"") == 15 && count(svg, "<use href=\"#p2\"") == 0);
	EXPECT(count(svg, "median 10.0 s") == 1 && count(svg, "median 15.0 s") == 1 && count(svg, "median 40.0 s") == 1);
	EXPECT(count(svg, "median never") == 3 && count(svg, "0 runs") == 3);
	plot_free(p);
}

/* Rows come in whatever order processes end; the picture does not tell. */
TEST(the_order_of_rows_does_not_show, .seeds = 50) {
	struct plot *p = plot_new(), *q = plot_new();
	int64_t times[40];
	size_t n = (size_t)(1 + rng_below(&t->rng, 40));
	for (size_t i = 0; i < n; i++) add(t, p, row(t, times[i] = rng_below(&t->rng, 2000)));
	for (size_t i = n; i > 0; i--) add(t, q, row(t, times[i - 1]));
	EXPECT(str_eq(drawn(t, p, "a"), drawn(t, q, "a")));
	plot_free(p);
	plot_free(q);
}

TEST(a_name_cannot_leave_its_text) {
	struct plot *p = plot_new();
	struct str svg = drawn(t, p, "</text><script>&");
	EXPECT(count(svg, "<script") == 0 && count(svg, "&lt;script&gt;&amp;") == 2 && count(svg, "nan") == 0);
	plot_free(p);
}

/* However many runs: the file stays one that a browser opens at once. */
TEST(a_row_has_at_most_so_many_points) {
	struct plot *p = plot_new();
	for (int i = 0; i < 3 * PLOT_POINTS; i++) add(t, p, row(t, 10 + i));
	EXPECT(count(drawn(t, p, "a"), "<use href=\"#p0\"") == 3 * PLOT_POINTS);
	plot_free(p);
}

RUN(each_run_is_a_point_or_a_never, the_order_of_rows_does_not_show, a_name_cannot_leave_its_text,
    a_row_has_at_most_so_many_points)
