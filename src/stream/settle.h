/* Numbers as senders give them become increments and levels, once, at the door.
 *
 * What lies behind the door never sees cumulative against delta, restarts or duplicates again.
 * The rules (docs/design/0003-delta-cumulative-resets.md has the reasons):
 * - a delta point is its own increment; one whose time was seen already is a duplicate;
 * - a cumulative point gives the difference to the one before. A new start, or a fall without one,
 *   is a reset: the new value itself is the increment, counted since the start (or since the point
 *   before, when no start is given);
 * - the first cumulative point gives nothing, unless its start is known and at most
 *   SETTLE_RECENT_NS old: then what it counted since then;
 * - older than the newest: dropped for cumulative, levels and gauges (the newer one holds it),
 *   taken for delta while it is among nothing seen before.
 * Pure functions over a caller's struct. Times: event time, nanoseconds. */
#pragma once

#include "base/clock.h"
#include "model/series.h"

#define SETTLE_RECENT_NS (120 * NS_PER_SEC)
#define SETTLE_TIMES     4 /* times of delta points that are remembered, to know a duplicate */

enum settle_result {
	SETTLE_INCREMENT, /* `value` was added between `from` and `to` */
	SETTLE_LEVEL,     /* `value` stood there at `to` */
	SETTLE_FIRST,     /* noted; nothing to say yet */
	SETTLE_DUPLICATE,
	SETTLE_OLD, /* out of order, and nothing is lost */
	SETTLE_BAD, /* not a number, or a monotonic sum below zero */
};

struct settle {
	int64_t start_ns;
	int64_t at_ns[SETTLE_TIMES]; /* newest first; 0: none */
	double value;                /* of the newest cumulative point */
};

struct settled {
	enum settle_result result;
	struct wall from, to;
	double value;
	bool reset;
};

struct settled settle_number(struct settle *s, enum series_kind kind, struct wall start, struct wall at, double value);

/* Where an increment that ends at `at` begins, and whether it is one: what both numbers and
 * histograms share. `fell`: the sender's count is lower than before. */
struct settled settle_span(struct settle *s, bool cumulative, struct wall start, struct wall at, bool fell);

/* A histogram's counts (and sum) in the same way. `before` has `n` counts and is kept by the caller
 * beside `s`; `now` becomes the increment in place when the result is SETTLE_INCREMENT. */
struct settled settle_histogram(struct settle *s, bool cumulative, struct wall start, struct wall at, uint64_t *before,
                                uint64_t *now, uint32_t n, double *sum);
