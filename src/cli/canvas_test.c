#include "cli/canvas.h"

#include <stdlib.h>
#include <string.h>

#include "base/test.h"

/* What a terminal makes of the bytes: only what canvas_write promises to send. */
struct screen {
	int columns, rows, row, column;
	char cells[60][200][4]; /* a code point each, as UTF-8 */
	bool wide;              /* something was written outside */
};

static void screen_clear(struct screen *s) {
	for (int r = 0; r < s->rows; r++)
		for (int c = 0; c < s->columns; c++) strcpy(s->cells[r][c], " ");
}

static const char *escape(struct t *t, struct screen *s, const char *p) {
	int a = 0, b = 0, read = 0;
	if (sscanf(p, "\033[%d;%dH%n", &a, &b, &read) == 2 && read) {
		s->row = a - 1;
		s->column = b - 1;
		return p + read;
	}
	if (!strncmp(p, "\033[2J", 4)) screen_clear(s);
	p += 2 + strspn(p + 2, "0123456789;");
	EXPECT(*p == 'm' || *p == 'J');
	return p + 1;
}

static void feed(struct t *t, struct screen *s, struct buf *bytes) {
	buf_byte(bytes, 0);
	for (const char *p = bytes->p; *p;) {
		if (*p == '\033') {
			p = escape(t, s, p);
			continue;
		}
		size_t n = 1;
		while (((unsigned char)p[n] & 0xc0) == 0x80) n++;
		EXPECT((unsigned char)*p >= 0x20 && n < 4);
		if (s->row < 0 || s->row >= s->rows || s->column < 0 || s->column >= s->columns)
			s->wide = true;
		else
			snprintf(s->cells[s->row][s->column], 4, "%.*s", (int)n, p);
		s->column++;
		p += n;
	}
	buf_clear(bytes);
}

static void same(struct t *t, const struct screen *s, const struct canvas *c, bool utf8) {
	CLEANUP(buf_done) struct buf plain;
	CLEANUP(buf_done) struct buf seen;
	buf_init(&plain, 0), buf_init(&seen, 0);
	canvas_plain(c, utf8, &plain);
	for (int r = 0; r < s->rows; r++) {
		int end = s->columns;
		while (end && !strcmp(s->cells[r][end - 1], " ")) end--;
		for (int k = 0; k < end; k++) buf_c(&seen, s->cells[r][k]);
		buf_byte(&seen, '\n');
	}
	EXPECT(str_eq(buf_get(&plain), buf_get(&seen)));
}

static void scribble(struct t *t, struct canvas *c) {
	static const char *const words[] = {
		"payment", "caf\u00e9 \u2717", "\u4e2d\u6587", "tab\there\033[2J", "\xff\xfe", "a\u0301", ""
	};
	for (int i = 0; i < 30; i++) {
		int row = (int)rng_below(&t->rng, c->rows + 6) - 3, column = (int)rng_below(&t->rng, c->columns + 20) - 10;
		enum paint p = (enum paint)rng_below(&t->rng, PAINTS);
		if (rng_below(&t->rng, 2)) {
			(void)canvas_text(c, row, column, (int)rng_below(&t->rng, 30), p,
			                  str_of(words[rng_below(&t->rng, sizeof words / sizeof *words)]));
			continue;
		}
		bool upright = rng_below(&t->rng, 2);
		struct wire w = { row, column, row, column, (uint32_t)rng_below(&t->rng, 3), rng_below(&t->rng, 2), p };
		*(upright ? &w.to_row : &w.to_column) += (int)rng_below(&t->rng, 20) - 10;
		canvas_wire(c, &w);
	}
	/* the last cell is never written */
	(void)canvas_text(c, c->rows - 1, c->columns - 1, 1, PAINT_PLAIN, STR(" "));
}

/* Whatever was drawn, wherever: what the terminal shows after each frame's changes is that frame, and nothing is
 * ever written outside of it. */
TEST(changes_make_the_frame_and_never_leave_it, .seeds = 300) {
	struct screen s = { .columns = 1 + (int)rng_below(&t->rng, 199), .rows = 1 + (int)rng_below(&t->rng, 59) };
	struct canvas_style style = { rng_below(&t->rng, 2), rng_below(&t->rng, 2) };
	struct canvas now, before;
	struct buf bytes;
	EXPECT_OK(canvas_init(&now, s.columns, s.rows));
	EXPECT_OK(canvas_init(&before, s.columns, s.rows));
	buf_init(&bytes, 0);
	screen_clear(&s);
	for (int frame = 0; frame < 6; frame++) {
		if (rng_below(&t->rng, 2)) canvas_clear(&now);
		scribble(t, &now);
		canvas_write(&now, frame ? &before : NULL, style, &bytes);
		feed(t, &s, &bytes);
		EXPECT(!s.wide);
		same(t, &s, &now, style.utf8);
		memcpy(before.cells, now.cells, (size_t)now.columns * (size_t)now.rows * sizeof *now.cells);
	}
	canvas_write(&now, &before, style, &bytes);
	EXPECT(bytes.n == 0); /* nothing changed */
	buf_done(&bytes);
	canvas_done(&now);
	canvas_done(&before);
}

static void expect_plain(struct t *t, const struct canvas *c, bool utf8, const char *want) {
	struct buf b;
	buf_init(&b, 0);
	canvas_plain(c, utf8, &b);
	EXPECT_HAS(buf_get(&b), want);
	EXPECT(b.n == strlen(want));
	buf_done(&b);
}

TEST(wires_of_one_net_meet_and_those_of_two_cross) {
	struct canvas c;
	EXPECT_OK(canvas_init(&c, 7, 3));
	canvas_wire(&c, &(struct wire){ 1, 0, 1, 6, 1, false, PAINT_DIM });
	canvas_wire(&c, &(struct wire){ 0, 2, 2, 2, 1, false, PAINT_DIM });
	canvas_wire(&c, &(struct wire){ 0, 4, 2, 4, 2, false, PAINT_DIM });
	expect_plain(t, &c, true, "  \u2502 \u2502\n\u2500\u2500\u253c\u2500\u2502\u2500\u2500\n  \u2502 \u2502\n");
	expect_plain(t, &c, false, "  | |\n--+-|--\n  | |\n");
	/* the stronger one goes over the upright one */
	canvas_wire(&c, &(struct wire){ 1, 3, 1, 6, 3, true, PAINT_YELLOW });
	expect_plain(t, &c, true, "  \u2502 \u2502\n\u2500\u2500\u253c\u2501\u2501\u2501\u2501\n  \u2502 \u2502\n");
	canvas_done(&c);
}

TEST(text_is_cut_with_an_ellipsis_and_stays_over_wires) {
	struct canvas c;
	EXPECT_OK(canvas_init(&c, 10, 2));
	EXPECT(canvas_text(&c, 0, 0, 6, PAINT_PLAIN, STR("recommendation")) == 6);
	EXPECT(canvas_text(&c, 1, 0, 9, PAINT_PLAIN, STR("cart")) == 4);
	canvas_wire(&c, &(struct wire){ 1, 2, 1, 9, 1, false, PAINT_DIM });
	expect_plain(t, &c, true, "recom\u2026\ncart\u2500\u2500\u2500\u2500\u2500\u2500\n");
	expect_plain(t, &c, false, "recom~\ncart------\n");
	canvas_done(&c);
}

TEST(without_colours_none_is_sent_and_an_alarm_is_still_seen) {
	struct canvas c;
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	EXPECT_OK(canvas_init(&c, 20, 2));
	for (int p = 0; p < PAINTS; p++) (void)canvas_text(&c, 0, p, 1, (enum paint)p, STR("x"));
	canvas_write(&c, NULL, (struct canvas_style){ .color = false }, &b);
	buf_byte(&b, 0);
	for (char *p = b.p; (p = strstr(p, "\033["));) {
		p += 2;
		if (p[strcspn(p, "mHJ")] != 'm') continue;
		for (; *p != 'm'; p += *p == ';') EXPECT(strtol(p, &p, 10) < 30); /* colours are 30 and more */
	}
	EXPECT(strstr(b.p, ";7m"));
	canvas_done(&c);
}

RUN(changes_make_the_frame_and_never_leave_it, wires_of_one_net_meet_and_those_of_two_cross,
    text_is_cut_with_an_ellipsis_and_stays_over_wires, without_colours_none_is_sent_and_an_alarm_is_still_seen)
