/* A grid of characters, drawn in memory and written to a terminal: only what changed since the frame before.
 *
 * Pure: drawing in, bytes out. Whatever is drawn outside the grid is cut off; a cell holds one column, so that no
 * frame is ever wider than its terminal: what is wider, combining or a control character becomes '?' or a blank.
 * Wires are lines that know which way they go, so that where they meet a proper corner or crossing stands. Glyphs are
 * chosen at writing: Unicode, or ASCII for terminals without. Memory: its own, canvas_init to canvas_done. */
#pragma once

#include "base/str.h"

#define CANVAS_SIDE_MAX 1000 /* columns or rows; what is more is left empty */

enum paint {
	PAINT_PLAIN,
	PAINT_BOLD,
	PAINT_DIM,
	PAINT_RED,
	PAINT_YELLOW,
	PAINT_GREEN,
	PAINT_BLUE,
	PAINT_ALARM, /* reverse: is seen without colours too */
	PAINTS
};

enum { WIRE_UP = 1, WIRE_RIGHT = 2, WIRE_DOWN = 4, WIRE_LEFT = 8 };

struct cell {
	uint32_t glyph; /* a code point; 0: blank, or a wire */
	uint8_t paint;
	uint8_t wires; /* ways that it goes */
	bool strong;
	uint32_t net; /* wires of one net meet, those of two cross */
};

struct canvas {
	int columns, rows;
	struct cell *cells; /* row after row */
};

struct canvas_style {
	bool color, utf8;
};

/* An empty one of that size, at least 1 by 1. */
MUST_USE enum err canvas_init(struct canvas *c, int columns, int rows);
void canvas_done(struct canvas *c); /* takes a zeroed one */
void canvas_clear(struct canvas *c);

/* UTF-8 from there on, at most `columns` of it, the last one an ellipsis where more would follow. Answers the columns
 * that it took. */
int canvas_text(struct canvas *c, int row, int column, int columns, enum paint p, struct str text);
/* A straight piece from the middle of one cell to that of another in its row or column. */
struct wire {
	int row, column, to_row, to_column;
	uint32_t net;
	bool strong;
	enum paint paint;
	bool comes_from, goes_to; /* the first, the last cell is somebody else's and left as it is */
};
void canvas_wire(struct canvas *c, const struct wire *w);
/* A line over the whole row. */
void canvas_rule(struct canvas *c, int row, enum paint p);

/* Moves and text that turn what `before` shows into this; NULL, or of another size: the terminal is cleared first. */
void canvas_write(const struct canvas *c, const struct canvas *before, struct canvas_style s, struct buf *out);
/* Its rows as lines of text, blanks at their ends cut off: for tests and pipes. */
void canvas_plain(const struct canvas *c, bool utf8, struct buf *out);
