/* What an experiment found: rows of single runs, summed up by subject, case and group (CLI.md).
 *
 * A row is one JSON object, so that runs in other processes hand theirs in as lines:
 *   {"case":"slow_database","groups":["fast"],"counts":true,
 *    "subjects":{"flyball":{"detect_s":9.1,"cause_right":true,"false_incidents_per_week":[0,0.003]}},
 *    "curve":{...}}
 * A time that is null never came; one that is missing was not looked for. A share is true or false, null
 * where there was nothing to judge. A rate is a count and its exposure. A row whose `counts` is false
 * goes into the curve and the rates alone. Nothing is left out: what never came stands above every time.
 * Memory: its own; thread: the caller's. */
#pragma once

#include "base/json.h"
#include "sim/run/verdict.h"

enum report_kind {
	REPORT_TIME,  /* seconds: {"median","p90","worst","n","never"} */
	REPORT_SHARE, /* {"mean","low","high","n"}, Wilson */
	REPORT_RATE,  /* {"mean","low","high","n"}, Garwood; n is the count */
};
struct report_metric {
	const char *name;
	enum report_kind kind;
};
#define REPORT_METRICS_MAX 24

struct report_opts {
	const char *experiment;
	const struct report_metric *metrics; /* borrowed; ended by one without a name */
	int64_t seeds[2];
};

struct report;

MUST_USE enum err report_open(struct report_opts o, struct report **out);
/* ERR_INVALID: not such a row; *why says what of it. */
MUST_USE enum err report_add(struct report *r, const struct json *row, struct why *why);
/* The object of CLI.md; with "impossible", cases that a world had no place for and how often, and with "summary",
 * what `v` says line by line (NULL: without). */
void report_json(struct report *r, struct verdict *v, struct json_out *out);
/* The same for people: a block each, subjects side by side, at most 100 columns. */
void report_table(struct report *r, struct buf *out);
void report_close(struct report *r); /* takes NULL */
