/* Lines of the demo's story, and how they become text: folded to a width, with or without colours.
 *
 * Pure. A column is one code point; text of others' (names, evidence) may hold any UTF-8. */
#pragma once

#include "base/str.h"

#define DEMO_WIDTH_MAX 100 /* longer lines are hard to read */
#define DEMO_WIDTH_MIN 40

enum demo_tone { DEMO_PLAIN, DEMO_BOLD, DEMO_DIM, DEMO_BAD, DEMO_WARN, DEMO_GOOD, DEMO_ACT };

struct demo_style {
	bool color;
	int width; /* columns, of DEMO_WIDTH_MIN..DEMO_WIDTH_MAX; 0: the most */
};

/* "+3.1 s  seen  service/cart: errors 3.9 %, usually 0.03 %" */
struct demo_line {
	double at_s; /* since the fault began; NaN: belongs to the line before */
	enum demo_tone tone;
	const char *word; /* "seen"; empty: goes on below the line before */
	const char *text;
};
#define DEMO_TIME_WIDTH 11 /* columns of the time and of the word; the text stands behind them */
#define DEMO_WORD_WIDTH 10
#define DEMO_INDENT     (DEMO_TIME_WIDTH + DEMO_WORD_WIDTH)

/* Whoever takes lines; they are borrowed until it returns. */
struct demo_sink {
	void (*line)(void *self, const struct demo_line *line);
	void *self;
};

size_t demo_width(struct demo_style s);
/* Columns of UTF-8 text. */
size_t demo_columns(struct str s);
/* Takes off what fits into `columns` (at least 1) without tearing a word, or a number from its unit; a word that is
 * longer than all of them is torn. Empty only when nothing is left. */
struct str demo_fold(struct str *rest, size_t columns);
/* "+3.1 s"; nothing for NaN. */
void demo_time(double at_s, char *out, size_t n);

/* What turns a tone on, and everything off. */
const char *demo_paint(struct demo_style s, enum demo_tone tone);
void demo_line_write(const struct demo_line *line, struct demo_style s, struct buf *out);
/* A paragraph from the left edge, folded. */
void demo_paragraph(const char *text, struct demo_style s, struct buf *out);
