/* Where actions go: executors by URL scheme.
 *
 * An executor plans, applies, settles and undoes (model/action.h); it never decides whether. It also
 * hears what the orchestrator says of itself (pods, restarts, rollouts) and hands that on as
 * telemetry. */
#pragma once

#include "base/metrics.h"
#include "model/action.h"
#include "model/batch.h"
#include "world/world.h"

struct executor_setup {
	struct world *world;          /* borrowed, all */
	struct batch_sink *telemetry; /* BATCH_POD and BATCH_CHANGE go there; NULL: nowhere */
	const struct service_map *services;
	size_t service_count;
	uint64_t telemetry_key; /* shard key of those batches */
};

/* By scheme ("kubernetes:?context=prod"), from the table in execute/registry.c. ERR_UNSUPPORTED lists
 * the known ones; ERR_INVALID, ERR_NOT_FOUND (a file, a context): what to do. Opening does not wait
 * for the peer: until it answered, `ready` is false with the reason. */
MUST_USE enum err executor_open(const struct executor_setup *s, struct str url, struct executor **out, struct why *why);
void executor_metrics(const struct executor *e, struct metrics_out *m);
