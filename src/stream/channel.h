/* What was served, and when: requests of one entity as one kind of telemetry tells of them.
 *
 * A channel has two things. A ring of slots (a fifth of a window each) in event time holds sums for
 * whoever looks back: rates, causes, «is it in band again». A tally holds what the batch in hand
 * added, for the sequential tests that decide on open windows; it is read and emptied after each
 * batch. Spans, metrics and callers' spans of one service are
 * channels of their own and are never added up. */
#pragma once

#include "base/clock.h"
#include "stream/grid.h"
#include "stream/mix.h"

#define SLOTS       64
#define WINDOW_SLOT 5 /* slots a window */

enum via {
	VIA_SPANS,   /* of its own: requests served */
	VIA_METRICS, /* likewise */
	VIA_CALLS,   /* its callers' spans: what they asked of it, answered or not */
	VIAS
};
const char *via_name(enum via v); /* "spans" "metrics" "calls" */

struct slot {
	float requests; /* weighted: how many there were */
	float seen;     /* how many we were told of, the size of the sample */
	float bad;      /* of those seen, failed */
	float own_bad;  /* failed, and no call of its own had failed (spans) */
	float seconds;
	float self_seconds; /* without waiting for calls (spans) */
	float refused;      /* turned away for want of room */
};

/* Requests that one batch told of. */
struct tally {
	int64_t from_ns, to_ns; /* event time covered */
	double seen, bad, requests, seconds;
	float *counts; /* bound_count + 1; of an operation that is asked for more than usual, less (mix.h) */
};

struct channel {
	enum via via;
	uint32_t entity;
	uint32_t bound_count;
	const float *bounds;
	struct slot slots[SLOTS]; /* slot k lies at k % SLOTS */
	int64_t newest;           /* the highest slot number written; 0: none */
	struct tally tally;
	struct mix mix;
	bool touched;         /* in this batch */
	bool known;           /* weights are known: may count */
	double weight;        /* of one request seen, recent mean */
	float slow_s;         /* requests slower than this are kept as examples; 0: not known yet */
	int64_t first_ns;     /* event time of the first request */
	int64_t seen_total;   /* requests seen since the start */
	int64_t duration_neg; /* spans that end before they begin */
};

/* `bounds` is copied. NULL: no memory. */
struct channel *channel_open(uint32_t entity, enum via via, const float *bounds, uint32_t bound_count);
void channel_close(struct channel *c);
/* The slot that holds `slot_number`, made empty if it is new; NULL: too old for the ring. */
struct slot *channel_slot(struct channel *c, int64_t slot_number);
/* Sums of the slots first..last (inclusive) that the ring still holds. */
struct slot channel_sum(const struct channel *c, int64_t first, int64_t last);
void channel_tally_clear(struct channel *c);

/* Moves a ring of `size`-byte slots on so that `slot_number` is in it; false: too old. */
bool slots_reach(void *slots, size_t size, int64_t *newest, int64_t slot_number);
