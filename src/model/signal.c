#include "model/signal.h"

#include <assert.h>

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
