#include "cli/words.h"

#include <string.h>

#include "base/test.h"
#include "sim/run/demo_text.h"

static struct str written(struct t *t, const char *text, int columns, bool color) {
	struct buf b;
	buf_init(&b, 0);
	words_write(str_of(text), (struct words_style){ columns, color }, &b);
	struct str s = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
	return s;
}

TEST(a_line_goes_on_below_where_its_text_began) {
	struct str s = written(t,
	                       "02:09:16.6  handler restart-workload (mode auto) proposes: restart it\n"
	                       "              - 14.3 % of the calls from service/cart to service/inventory fail\n"
	                       "              ok    fresh data    2 of 2 signals have a value\n",
	                       60, false);
	EXPECT(str_is(s, "02:09:16.6  handler restart-workload (mode auto) proposes:\n"
	                 "            restart it\n"
	                 "              - 14.3 % of the calls from service/cart to\n"
	                 "                service/inventory fail\n"
	                 "              ok    fresh data    2 of 2 signals have a\n"
	                 "                                  value\n"));
}

TEST(without_a_window_nothing_changes) {
	static const char text[] = "one line that is longer than forty columns, and keeps its length\n\nno end";
	EXPECT(str_is(written(t, text, 0, true), text));
}

TEST(what_matters_is_painted_whole) {
	EXPECT(str_is(written(t, "02:09:48.6  VERIFIED: it is back\nplain\n", 80, true),
	              "02:09:48.6  \033[1;32mVERIFIED: it is back\033[0m\nplain\n"));
	EXPECT(!memchr(written(t, "VERIFIED: it is back\n", 80, false).p, 033, 10));
}

/* Whatever it is: no row is too wide, and no word is lost. */
TEST(every_row_fits, .seeds = 1000) {
	static const char *const pieces[] = {
		"  ",     " ",
		"cause:", "service/payment",
		"4.9 ms", "- ",
		"\n",     "caf\u00e9",
		"    ",   "a-word-that-is-longer-than-the-window-is-wide-by-far-and-is-torn"
	};
	char text[4000] = "";
	int columns = 40 + (int)rng_below(&t->rng, 80);
	size_t n = 0, letters = 0, kept = 0;
	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s",
		                      pieces[rng_below(&t->rng, sizeof pieces / sizeof *pieces)]);
	struct str s = written(t, text, columns, false);
	for (size_t i = 0; i < n; i++) letters += text[i] != ' ' && text[i] != '\n';
	for (size_t i = 0; i < s.n; i++) kept += s.p[i] != ' ' && s.p[i] != '\n';
	EXPECT(letters == kept);
	for (struct str row, rest = s; rest.n;) {
		(void)str_cut(rest, '\n', &row, &rest);
		EXPECT(demo_columns(row) <= (size_t)columns);
	}
}

RUN(a_line_goes_on_below_where_its_text_began, without_a_window_nothing_changes, what_matters_is_painted_whole,
    every_row_fits)
