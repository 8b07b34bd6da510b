/* Events become decisions, decisions become effects: within limits that people set, all on record.
 *
 * Subscribes the queue "control" on the bus. Three modules stay apart: deciding (pure functions of
 * an incident, a cause and the configuration), ordering (rows with a state, moved by one step
 * function, every move durable before the next), doing (the executor it is handed). It reconciles:
 * an event only says "look again". Thread: the control loop's own, serial and replayable. */
#pragma once

#include "base/log.h"
#include "base/metrics.h"
#include "bus/bus.h"
#include "cache/cache.h"
#include "control/policy.h"
#include "model/action.h"
#include "model/command.h"
#include "store/state.h"

struct control;

struct control_opts {
	struct clock *clock; /* borrowed, all */
	struct bus *bus;     /* a handle of its own */
	struct state *state; /* a handle of its own */
	struct cache *cache;
	struct executor *executor; /* NULL: no target is configured: everything is only told */
	struct log *log;
	struct rng rng;
	struct str holder;                   /* this process: "host/pid/ulid" */
	const struct control_policy *policy; /* a generation; replaced by control_reload */
};

MUST_USE enum err control_open(const struct control_opts *o, struct control **out, struct why *why);
bool control_step(struct control *c); /* false: nothing to do now */
struct mono control_next_due(const struct control *c);
bool control_ready(const struct control *c); /* open incidents and actions were read back from state */
void control_reload(struct control *c, const struct control_policy *policy);
/* For an orderly end: what is being written is finished, the head of the decision log said, the lease given back, so
 * that the next process need not wait for its term. True while that goes on (keep stepping); nothing is decided
 * afterwards. */
bool control_flush(struct control *c);
struct commands *control_commands(struct control *c);
void control_status(const struct control *c, struct json_out *out);
void control_metrics(const struct control *c, struct metrics_out *m);
void control_close(struct control *c);
