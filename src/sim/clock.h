/* A host's clock: virtual time, with a wall that may be wrong.
 *
 * The monotonic one counts from the host's boot, which was `booted_ns` before the world began. The wall
 * is the world's epoch plus virtual time, plus what it is off by: a skew, a drift, and steps as an
 * operator or NTP makes them. Every reading goes into the trace. */
#pragma once

#include "base/clock.h"
#include "sim/queue.h"
#include "sim/trace.h"

struct sim_clock {
	struct clock clock;
	const struct sim_queue *queue;
	struct sim_trace *trace;
	int64_t epoch_ns;  /* wall time when the world began */
	int64_t booted_ns; /* before that */
	int64_t skew_ns;   /* wall ahead of the truth */
	double drift;      /* seconds a second: 20e-6 gains 72 ms an hour ... */
	int64_t since_ns;  /* ... from this virtual moment on */
};

void sim_clock_init(struct sim_clock *c, const struct sim_queue *queue, struct sim_trace *trace, struct wall epoch);
/* The wall jumps by `ns` (back when negative); the monotonic clock does not. */
void sim_clock_step(struct sim_clock *c, int64_t ns);
/* From now on the wall gains so many seconds a second; what it is off by already stays. */
void sim_clock_drift(struct sim_clock *c, double drift);
/* How far the wall is ahead of the truth, now. */
int64_t sim_clock_ahead(const struct sim_clock *c);
/* The true wall time of a virtual moment, whatever this host believes. */
static inline struct wall sim_clock_truth(const struct sim_clock *c, int64_t at_ns) {
	return (struct wall){ c->epoch_ns + at_ns };
}
