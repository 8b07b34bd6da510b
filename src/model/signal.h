/* The four states of a signal. No data is never zero. */
#pragma once

#include "base/str.h"

enum signal_state {
	SIGNAL_ABSENT, /* never seen, or its source says it has gone */
	SIGNAL_STALE,  /* seen, but not within twice its usual interval */
	SIGNAL_ZERO,   /* a value, and it is zero */
	SIGNAL_VALUE,
};

const char *signal_state_name(enum signal_state s); /* "absent" "stale" "zero" "value" */
bool signal_state_parse(struct str s, enum signal_state *out);

/* What is watched of an entity. */
enum signal_kind {
	SIGNAL_RATE,     /* requests per second, served */
	SIGNAL_ERRORS,   /* share of requests that failed, 0..1 */
	SIGNAL_DURATION, /* seconds */
	SIGNAL_CPU,      /* share of the limit, or cores */
	SIGNAL_MEMORY,   /* bytes, or share of the limit */
	SIGNAL_READY,    /* pods ready / wanted */
	SIGNAL_RESTARTS, /* container restarts per minute */
	SIGNAL_LOGS,     /* error lines per second */
	SIGNAL_KINDS
};
const char *signal_kind_name(enum signal_kind k); /* "rate" "errors" "duration" ... */
bool signal_kind_parse(struct str s, enum signal_kind *out);
