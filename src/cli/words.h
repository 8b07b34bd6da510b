/* Sentences that the API wrote, on a terminal: folded to its width, what matters in colour.
 *
 * A line that goes on does so below where its text began, not at the left edge. Pure: text in, text out. */
#pragma once

#include "base/str.h"

struct words_style {
	int columns; /* of the window; 0: nothing is folded */
	bool color;
};

void words_write(struct str text, struct words_style s, struct buf *out);
