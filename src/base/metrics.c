#include "base/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct metrics_out metrics_out(struct buf *buf) {
	return (struct metrics_out){ .buf = buf };
}

void metrics_family(struct metrics_out *m, const char *name, const char *type, const char *help) {
	m->family = name;
	m->counter = strcmp(type, "counter") == 0;
	buf_printf(m->buf, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

void metrics_value(struct metrics_out *m, const char *labels, double v) {
	buf_c(m->buf, m->family);
	if (m->counter) buf_c(m->buf, "_total");
	if (labels && *labels) buf_printf(m->buf, "{%s}", labels);
	if (isnan(v)) {
		buf_c(m->buf, " NaN\n");
	} else if (isinf(v)) {
		buf_c(m->buf, v > 0 ? " +Inf\n" : " -Inf\n");
	} else {
		buf_printf(m->buf, " %.15g\n", v);
	}
}

void metrics_one(struct metrics_out *m, const char *name, const char *type, const char *help, double v) {
	metrics_family(m, name, type, help);
	metrics_value(m, NULL, v);
}

const char *metrics_label(char *out, size_t n, const char *key, struct str value) {
	size_t at = (size_t)snprintf(out, n, "%s=\"", key);
	if (at + 2 > n) {
		if (n) out[0] = 0;
		return out;
	}
	for (size_t i = 0; i < value.n && at + 4 < n; i++) {
		char c = value.p[i];
		if (c == '\\' || c == '"' || c == '\n') out[at++] = '\\';
		out[at++] = c == '\n' ? 'n' : c;
	}
	out[at++] = '"';
	out[at] = 0;
	return out;
}

void metrics_end(struct metrics_out *m) {
	buf_c(m->buf, "# EOF\n");
}
