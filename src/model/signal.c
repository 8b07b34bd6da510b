#include "model/signal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

static const char *const states[] = {
	[SIGNAL_ABSENT] = "absent",
	[SIGNAL_STALE] = "stale",
	[SIGNAL_ZERO] = "zero",
	[SIGNAL_VALUE] = "value",
};
#define STATES (sizeof states / sizeof *states)

static const char *const kinds[SIGNAL_KINDS] = {
	[SIGNAL_RATE] = "rate",     [SIGNAL_ERRORS] = "errors", [SIGNAL_DURATION] = "duration", [SIGNAL_CPU] = "cpu",
	[SIGNAL_MEMORY] = "memory", [SIGNAL_READY] = "ready",   [SIGNAL_RESTARTS] = "restarts", [SIGNAL_LOGS] = "logs",
};

const char *signal_state_name(enum signal_state s) {
	assert((unsigned)s < STATES);
	return states[s];
}

const char *signal_kind_name(enum signal_kind k) {
	assert((unsigned)k < SIGNAL_KINDS);
	return kinds[k];
}

bool signal_state_parse(struct str s, enum signal_state *out) {
	for (size_t i = 0; i < STATES; i++) {
		if (!str_is(s, states[i])) continue;
		*out = (enum signal_state)i;
		return true;
	}
	return false;
}

bool signal_kind_parse(struct str s, enum signal_kind *out) {
	for (size_t i = 0; i < SIGNAL_KINDS; i++) {
		if (!str_is(s, kinds[i])) continue;
		*out = (enum signal_kind)i;
		return true;
	}
	return false;
}

static void share_text(double v, char out[SIGNAL_TEXT_MAX]) {
	double p = 100 * v;
	snprintf(out, SIGNAL_TEXT_MAX, p > 0 && p < 0.1 ? "%.2f %%" : p < 10 ? "%.1f %%" : "%.0f %%", p);
}

static bool share_of_limit(enum signal_kind k, double v) {
	return k == SIGNAL_ERRORS || k == SIGNAL_READY || ((k == SIGNAL_CPU || k == SIGNAL_MEMORY) && v <= 2);
}

void signal_value_text(enum signal_kind k, double v, char out[SIGNAL_TEXT_MAX]) {
	if (isnan(v))
		snprintf(out, SIGNAL_TEXT_MAX, "no value");
	else if (share_of_limit(k, v))
		share_text(v, out);
	else if (k == SIGNAL_DURATION)
		snprintf(out, SIGNAL_TEXT_MAX, v < 1 ? "%.3g ms" : "%.3g s", v < 1 ? v * 1e3 : v);
	else if (k == SIGNAL_MEMORY)
		snprintf(out, SIGNAL_TEXT_MAX, "%.0f MiB", v / (1 << 20));
	else if (k == SIGNAL_CPU)
		snprintf(out, SIGNAL_TEXT_MAX, "%.3g cores", v);
	else
		snprintf(out, SIGNAL_TEXT_MAX, k == SIGNAL_RESTARTS ? "%.3g/min" : "%.3g/s", v);
}

void signal_named_text(struct str kind, double v, char out[SIGNAL_TEXT_MAX]) {
	enum signal_kind k;
	if (signal_kind_parse(kind, &k))
		signal_value_text(k, v, out);
	else
		snprintf(out, SIGNAL_TEXT_MAX, isnan(v) ? "no value" : "%.4g", v);
}
