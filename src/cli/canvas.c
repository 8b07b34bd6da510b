#include "cli/canvas.h"

#include <stdlib.h>
#include <string.h>

enum err canvas_init(struct canvas *c, int columns, int rows) {
	columns = columns < 1 ? 1 : columns > CANVAS_SIDE_MAX ? CANVAS_SIDE_MAX : columns;
	rows = rows < 1 ? 1 : rows > CANVAS_SIDE_MAX ? CANVAS_SIDE_MAX : rows;
	*c = (struct canvas){ columns, rows, calloc((size_t)columns * (size_t)rows, sizeof(struct cell)) };
	return c->cells ? OK : ERR_NOMEM;
}

void canvas_done(struct canvas *c) {
	free(c->cells);
	*c = (struct canvas){ 0 };
}

void canvas_clear(struct canvas *c) {
	memset(c->cells, 0, (size_t)c->columns * (size_t)c->rows * sizeof *c->cells);
}

static struct cell *at(const struct canvas *c, int row, int column) {
	if (row < 0 || column < 0 || row >= c->rows || column >= c->columns) return NULL;
	return &c->cells[(size_t)row * (size_t)c->columns + (size_t)column];
}

/* ---- text ---- */

/* The next code point; what is no UTF-8 is one '?' a byte. */
static uint32_t next(struct str s, size_t *i) {
	unsigned char first = (unsigned char)s.p[(*i)++];
	size_t more = first >= 0xf0 && first < 0xf8 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 0;
	if (first < 0x80) return first;
	if (!more || first >= 0xf8 || *i + more > s.n) return '?';
	uint32_t c = first & (0x3fu >> more);
	for (size_t k = 0; k < more; k++) {
		unsigned char b = (unsigned char)s.p[*i + k];
		if ((b & 0xc0) != 0x80) return '?';
		c = c << 6 | (b & 0x3f);
	}
	*i += more;
	return c;
}

/* Only blocks whose every character is one column wide. */
static uint32_t narrow(uint32_t c) {
	if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return ' ';
	if (c < 0x300 || (c >= 0x370 && c < 0x483) || (c >= 0x2010 && c < 0x2028) || (c >= 0x2030 && c < 0x2060)) return c;
	if ((c >= 0x2190 && c < 0x2300) || (c >= 0x2500 && c < 0x2600) || (c >= 0x2713 && c < 0x2719)) return c;
	return '?';
}

int canvas_text(struct canvas *c, int row, int column, int columns, enum paint p, struct str text) {
	int n = 0;
	for (size_t i = 0; i < text.n && n < columns; n++) {
		uint32_t glyph = narrow(next(text, &i));
		struct cell *cell = at(c, row, column + n);
		if (n == columns - 1 && i < text.n) glyph = 0x2026; /* more would follow */
		if (cell) *cell = (struct cell){ .glyph = glyph, .paint = (uint8_t)p };
	}
	return n;
}

/* ---- wires ---- */

#define ACROSS (WIRE_LEFT | WIRE_RIGHT)
#define ALONG  (WIRE_UP | WIRE_DOWN)

/* Two nets that only pass one another do not meet: one goes over the other, the stronger, else the upright one. */
static bool passes(const struct cell *cell, uint8_t wires, uint32_t net) {
	if (!cell->wires || cell->net == net) return false;
	return (cell->wires == ACROSS && wires == ALONG) || (cell->wires == ALONG && wires == ACROSS);
}

static void join(struct cell *cell, uint8_t wires, const struct wire *w) {
	if (cell->glyph) return; /* text stays */
	if (passes(cell, wires, w->net)) {
		bool over = w->strong != cell->strong ? w->strong : wires == ALONG;
		if (!over) return;
		cell->wires = 0;
	}
	cell->wires |= wires;
	cell->net = w->net;
	if (cell->strong && !w->strong) return;
	cell->strong = w->strong;
	cell->paint = (uint8_t)w->paint;
}

void canvas_wire(struct canvas *c, const struct wire *w) {
	int down = (w->to_row > w->row) - (w->to_row < w->row),
		right = (w->to_column > w->column) - (w->to_column < w->column);
	uint8_t forward = down > 0 ? WIRE_DOWN : down < 0 ? WIRE_UP : right > 0 ? WIRE_RIGHT : right < 0 ? WIRE_LEFT : 0;
	uint8_t back = (uint8_t)(forward > 2 ? forward >> 2 : forward << 2);
	int row = w->row, column = w->column;
	for (bool first = true;; first = false) {
		bool last = row == w->to_row && column == w->to_column;
		struct cell *cell = at(c, row, column);
		if ((first && w->comes_from) || (last && w->goes_to)) cell = NULL;
		if (cell) join(cell, (uint8_t)((first ? 0 : back) | (last ? 0 : forward)), w);
		if (last || (!down && !right)) return;
		row += down;
		column += right;
	}
}

void canvas_rule(struct canvas *c, int row, enum paint p) {
	for (int column = 0; column < c->columns; column++) {
		struct cell *cell = at(c, row, column);
		if (cell) *cell = (struct cell){ .paint = (uint8_t)p, .wires = ACROSS };
	}
}

/* ---- glyphs ---- */

static uint32_t wire_glyph(const struct cell *cell) {
	/* by ways: bit 0 up, 1 right, 2 down, 3 left; an end is drawn whole */
	static const uint16_t thin[16] = { ' ',    0x2502, 0x2500, 0x2514, 0x2502, 0x2502, 0x250c, 0x251c,
		                               0x2500, 0x2518, 0x2500, 0x2534, 0x2510, 0x2524, 0x252c, 0x253c };
	static const uint16_t thick[16] = { ' ',    0x2503, 0x2501, 0x2517, 0x2503, 0x2503, 0x250f, 0x2523,
		                                0x2501, 0x251b, 0x2501, 0x253b, 0x2513, 0x252b, 0x2533, 0x254b };
	return (cell->strong ? thick : thin)[cell->wires & 15];
}

static uint32_t wire_ascii(const struct cell *cell) {
	if (!(cell->wires & ALONG)) return cell->strong ? '=' : '-';
	if (!(cell->wires & ACROSS)) return cell->strong ? 'H' : '|';
	return cell->strong ? '#' : '+';
}

/* What ASCII has for what we draw ourselves; of others' it has nothing. */
static uint32_t ascii(uint32_t c) {
	static const struct {
		uint32_t from;
		char to;
	} pairs[] = { { 0x2026, '~' }, { 0x25cf, 'o' }, { 0x25b2, '!' }, { 0x2717, 'X' }, { 0x21bb, '*' },
		          { 0x2713, 'v' }, { 0x25cb, '?' }, { 0xb7, '.' },   { 0x25b6, '>' }, { 0x2016, '|' } };
	if (c < 0x80) return c;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (pairs[i].from == c) return (uint32_t)pairs[i].to;
	return '?';
}

static uint32_t glyph_of(const struct cell *cell, bool utf8) {
	if (cell->glyph) return utf8 ? cell->glyph : ascii(cell->glyph);
	if (!cell->wires) return ' ';
	return utf8 ? wire_glyph(cell) : wire_ascii(cell);
}

static void put(struct buf *out, uint32_t c) {
	if (c < 0x80) {
		buf_byte(out, (unsigned char)c);
	} else if (c < 0x800) {
		buf_byte(out, (unsigned char)(0xc0 | c >> 6));
		buf_byte(out, (unsigned char)(0x80 | (c & 0x3f)));
	} else {
		buf_byte(out, (unsigned char)(0xe0 | c >> 12)); /* narrow() lets nothing above the first plane pass */
		buf_byte(out, (unsigned char)(0x80 | (c >> 6 & 0x3f)));
		buf_byte(out, (unsigned char)(0x80 | (c & 0x3f)));
	}
}

/* ---- writing ---- */

/* The sixteen colours that every theme defines; bold and reverse where there are none. */
static const char *paint_code(enum paint p, bool color) {
	static const char *const colored[PAINTS] = { "0", "0;1", "0;2", "0;1;31", "0;1;33", "0;32", "0;1;34", "0;1;7;31" };
	static const char *const bare[PAINTS] = { "0", "0;1", "0;2", "0;1", "0;1", "0", "0;1", "0;1;7" };
	return (color ? colored : bare)[p < PAINTS ? p : PAINT_PLAIN];
}

static bool same(const struct cell *a, const struct cell *b) {
	return a->glyph == b->glyph && a->paint == b->paint && a->wires == b->wires && a->strong == b->strong;
}

struct pen {
	int row, column, paint; /* where the terminal's cursor is, and its paint; -1: not known */
};

static void write_cell(struct pen *pen, const struct cell *cell, int row, int column, struct canvas_style s,
                       struct buf *out) {
	if (pen->row != row || pen->column != column) buf_printf(out, "\033[%d;%dH", row + 1, column + 1);
	if (pen->paint != cell->paint) buf_printf(out, "\033[%sm", paint_code((enum paint)cell->paint, s.color));
	put(out, glyph_of(cell, s.utf8));
	*pen = (struct pen){ row, column + 1, cell->paint };
}

void canvas_write(const struct canvas *c, const struct canvas *before, struct canvas_style s, struct buf *out) {
	static const struct cell blank = { 0 };
	struct pen pen = { -1, -1, -1 };
	bool whole = !before || before->columns != c->columns || before->rows != c->rows;
	if (whole) buf_c(out, "\033[0m\033[2J");
	for (int row = 0; row < c->rows; row++) {
		for (int column = 0; column < c->columns; column++) {
			const struct cell *cell = at(c, row, column), *was = whole ? &blank : at(before, row, column);
			/* the last cell of all would scroll some terminals */
			if (row == c->rows - 1 && column == c->columns - 1) continue;
			if (!same(cell, was)) write_cell(&pen, cell, row, column, s, out);
		}
	}
	if (pen.paint > 0) buf_c(out, "\033[0m");
}

void canvas_plain(const struct canvas *c, bool utf8, struct buf *out) {
	for (int row = 0; row < c->rows; row++) {
		int end = c->columns;
		while (end && glyph_of(at(c, row, end - 1), utf8) == ' ') end--;
		for (int column = 0; column < end; column++) put(out, glyph_of(at(c, row, column), utf8));
		buf_byte(out, '\n');
	}
}
