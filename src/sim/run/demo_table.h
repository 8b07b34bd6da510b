/* The demo's closing table: what Flyball did, beside the alarms of today and the figures to beat.
 *
 * One block a fault. Times are seconds since the fault began; what never came is said so, not left out; what is an
 * assumption is marked as one. Pure. */
#pragma once

#include "sim/run/demo_story.h"

/* The bounds that `flyball experiment mttd` holds medians to, so as to beat the published experiment. */
#define DEMO_BEAT_DETECT_S  12.0
#define DEMO_BEAT_RESOLVE_S 48.0

struct demo_row {
	const char *name; /* "alarms of one minute" */
	char detected[32], cause[32], people[32], resolved[32];
};
#define DEMO_ROWS 4

/* The block's rows: Flyball, both alarms, what is to be beaten. */
void demo_rows(const struct demo_chapter *c, const struct demo_outcome *o, struct demo_row out[DEMO_ROWS]);
void demo_table(const struct demo_chapter *c, const struct demo_outcome *o, size_t n, struct demo_style style,
                struct buf *out);
/* A chapter for programs: its fault, its story and the table's figures, as one object. */
void demo_tell_json(const struct demo_chapter *c, const struct json *events, struct demo_outcome *outcome,
                    struct json_out *out);
