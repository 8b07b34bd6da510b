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

/* A value as people say it: a share in percent, a duration in ms or s, memory in MiB; NaN is "no value". Small
 * shares of CPU and memory are taken as shares of the limit, larger ones as cores and bytes. */
#define SIGNAL_TEXT_MAX 32
void signal_value_text(enum signal_kind k, double v, char out[SIGNAL_TEXT_MAX]);
/* The same with "errors" for the kind, as rows and events have it; a name that is none gets the bare number. */
void signal_named_text(struct str kind, double v, char out[SIGNAL_TEXT_MAX]);
