/* What a part counts of itself, written as OpenMetrics text.
 *
 * Drops and refusals are counters first, log lines second: each stage has an `x_metrics` that writes
 * its families here when /metrics is asked for. Names are "flyball_" + stage + what + unit. */
#pragma once

#include "base/str.h"

struct metrics_out {
	struct buf *buf;
	const char *family; /* the one that is open */
	bool counter;       /* it is a counter: samples end in _total */
};

struct metrics_out metrics_out(struct buf *buf);
/* type: "counter", "gauge" or "info". A counter's samples get the suffix _total. */
void metrics_family(struct metrics_out *m, const char *name, const char *type, const char *help);
/* labels: `queue="control",type="x"` already escaped by metrics_label, or NULL. */
void metrics_value(struct metrics_out *m, const char *labels, double v);
void metrics_one(struct metrics_out *m, const char *name, const char *type, const char *help, double v);
/* key="value" with the value escaped, into a caller's buffer (cut to fit). Returns `out`. */
const char *metrics_label(char *out, size_t n, const char *key, struct str value);
void metrics_end(struct metrics_out *m); /* "# EOF" */
