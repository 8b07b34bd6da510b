#include "sim/run/demo_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define UNIT_MAX 3 /* letters: "4.9 ms" is one word, "2 pods" are two */

size_t demo_width(struct demo_style s) {
	if (s.width <= 0 || s.width > DEMO_WIDTH_MAX) return DEMO_WIDTH_MAX;
	return s.width < DEMO_WIDTH_MIN ? DEMO_WIDTH_MIN : (size_t)s.width;
}

static bool continues(char c) {
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t demo_columns(struct str s) {
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) n += !continues(s.p[i]);
	return n;
}

/* ---- folding ---- */

static size_t until(struct str s, size_t from, const char *any) {
	while (from < s.n && !strchr(any, s.p[from])) from++;
	return from;
}

/* Bytes up to the next place where a line may be broken: a number keeps its unit. */
static size_t unbroken(struct str s) {
	size_t n = until(s, 0, " ");
	if (n == s.n || !n || s.p[n - 1] < '0' || s.p[n - 1] > '9') return n;
	return until(s, n + 1, " ,.;)") - (n + 1) <= UNIT_MAX ? until(s, n + 1, " ") : n;
}

static size_t bytes_of(struct str s, size_t columns) {
	size_t i = 0;
	while (i < s.n && (columns || continues(s.p[i]))) columns -= !continues(s.p[i++]);
	return i;
}

struct str demo_fold(struct str *rest, size_t columns) {
	struct str all = *rest;
	size_t end = 0;
	while (end < all.n) {
		size_t from = end + (end > 0); /* the blank between */
		struct str left = { all.p + from, all.n - from };
		size_t next = from + unbroken(left);
		if (demo_columns((struct str){ all.p, next }) > columns) break;
		if (next == end) break;
		end = next;
	}
	if (!end) end = bytes_of(all, columns);
	size_t skip = end < all.n && all.p[end] == ' ';
	*rest = (struct str){ all.p + end + skip, all.n - end - skip };
	return (struct str){ all.p, end };
}

void demo_time(double at_s, char *out, size_t n) {
	out[0] = 0;
	if (!isnan(at_s)) snprintf(out, n, at_s < 100 ? "+%.1f s" : "+%.0f s", at_s);
}

/* ---- writing ---- */

const char *demo_paint(struct demo_style s, enum demo_tone tone) {
	static const char *const codes[] = { "\033[0m",    "\033[1m",    "\033[2m",   "\033[1;31m",
		                                 "\033[1;33m", "\033[1;32m", "\033[1;34m" };
	return s.color ? codes[tone] : "";
}

void demo_line_write(const struct demo_line *line, struct demo_style s, struct buf *out) {
	const char *off = demo_paint(s, DEMO_PLAIN);
	const char *tone = *line->word && line->tone != DEMO_DIM ? off : demo_paint(s, DEMO_DIM);
	size_t columns = demo_width(s) - DEMO_INDENT;
	struct str rest = str_of(line->text);
	char time[32];
	demo_time(line->at_s, time, sizeof time);
	buf_printf(out, "%s%*s%s  %s%-*s%s", demo_paint(s, DEMO_DIM), DEMO_TIME_WIDTH - 2, time, off,
	           demo_paint(s, line->tone), DEMO_WORD_WIDTH, line->word, off);
	for (bool first = true; first || rest.n; first = false) {
		struct str row = demo_fold(&rest, columns);
		buf_printf(out, "%*s%s" STR_FMT "%s\n", first ? 0 : DEMO_INDENT, "", tone, STR_ARG(row), off);
	}
}

void demo_paragraph(const char *text, struct demo_style s, struct buf *out) {
	struct str rest = str_of(text);
	while (rest.n) {
		struct str row = demo_fold(&rest, demo_width(s));
		buf_printf(out, STR_FMT "\n", STR_ARG(row));
	}
}
