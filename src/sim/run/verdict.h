/* What `experiment mttd` is to beat, line by line: the figure, its bound, how many runs it rests on, and whether it
 * holds.
 *
 * It reads the rows that sim/run/report.h sums up, and three more members of each: "bounds" (what this run is held to:
 * {"detect_s","resolve_s"}), "quiet_s" (how long it lasted without any fault) and "impossible" (the world has no
 * place for that fault). A run with a bound of its own is measured by time / bound: 1 is the bound. Where nothing was
 * run a line says so; it never holds by silence. docs/design/0010 has the bounds and where they come from.
 * Memory: its own; thread: the caller's. */
#pragma once

#include "base/json.h"

struct verdict;

struct verdict *verdict_new(void);
void verdict_free(struct verdict *v); /* takes NULL */
/* A row that report_add has taken. */
void verdict_add(struct verdict *v, const struct json *row);
/* An array, an object a line: {"line","what","unit","n","median","p90","median_bound","p90_bound","verdict"} of times,
 * {"line","what","unit","n","value","low","high","bound","verdict"} of shares and rates; null: not known, or no
 * bound. "verdict": "pass", "falls short", "not measured", or "told" where there is no bound. */
void verdict_json(struct verdict *v, struct json_out *o);
/* The same for people, at most 100 columns. */
void verdict_table(struct verdict *v, struct buf *out);
