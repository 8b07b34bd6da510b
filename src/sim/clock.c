#include "sim/clock.h"

#define BOOTED_NS (3600 * NS_PER_SEC) /* an hour before: monotonic readings are neither small nor wall times */

static struct mono read_mono(struct clock *clock) {
	struct sim_clock *c = (struct sim_clock *)clock;
	struct mono now = { c->booted_ns + c->queue->now_ns };
	sim_trace_mix(c->trace, (uint64_t)now.ns);
	return now;
}

static int64_t drifted(const struct sim_clock *c) {
	return (int64_t)((double)(c->queue->now_ns - c->since_ns) * c->drift);
}

static struct wall read_wall(struct clock *clock) {
	struct sim_clock *c = (struct sim_clock *)clock;
	struct wall now = { c->epoch_ns + c->queue->now_ns + sim_clock_ahead(c) };
	sim_trace_mix(c->trace, (uint64_t)now.ns);
	return now;
}

void sim_clock_init(struct sim_clock *c, const struct sim_queue *queue, struct sim_trace *trace, struct wall epoch) {
	*c = (struct sim_clock){ { read_mono, read_wall }, queue, trace, epoch.ns, BOOTED_NS, 0, 0, 0 };
}

void sim_clock_step(struct sim_clock *c, int64_t ns) {
	c->skew_ns += ns;
}

void sim_clock_drift(struct sim_clock *c, double drift) {
	c->skew_ns += drifted(c);
	c->since_ns = c->queue->now_ns;
	c->drift = drift;
}

int64_t sim_clock_ahead(const struct sim_clock *c) {
	return c->skew_ns + drifted(c);
}
