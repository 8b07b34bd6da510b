/* Runs of an experiment that are kept in a file, so that an interrupted one goes on where it stopped and several are
 * summed up as one.
 *
 * A line is one run: {"of":"HEX","seed":N,"case":"NAME","row":{...}}; `of` names all that it follows from but seed and
 * case (program, world, rate, warm-up), so that runs of another program never pass for this one's. A last line
 * without its end was being written when the power went, and is no line. Pure; thread: any. */
#pragma once

#include "base/json.h"

struct rows_run {
	uint64_t of;
	int64_t seed;
	struct str which, row; /* row: JSON, in the text that was read */
};

/* Whole, with its end. `row` may end in a newline. */
void rows_put(struct buf *out, const struct rows_run *run);
/* Lines of `text` from *at on, which moves behind each; false: there is none left, or *why says which line is none (and
 * begins with ":LINE: "). *at is then where the next whole line belongs. */
bool rows_next(struct arena *a, struct str text, size_t *at, struct rows_run *out, struct why *why);
