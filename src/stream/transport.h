/* The telemetry stream between ingest and observe: batches by shard, in order.
 *
 * `memory:` is bounded rings; `kinesis:` comes later through the same table. A batch is read at
 * least once; what was read is let go by a checkpoint, after its effect is durable. */
#pragma once

#include "base/url.h"
#include "model/batch.h"
#include "world/world.h"

struct transport_batch {
	uint32_t shard;
	uint64_t position; /* rises within a shard */
	struct str bytes;  /* until the next poll of that shard */
};

struct transport {
	const struct transport_ops *ops;
};

struct transport_ops {
	const char *scheme; /* "memory" in memory:?bytes=64MiB&shards=1 */
	enum err (*open)(struct world *w, const struct url *u, struct transport **out, struct why *why);
	/* A producer's end, handed to a stage as its next: each call makes one more, with completions of
	 * its own; the transport closes them. */
	struct batch_sink *(*sink)(struct transport *);
	uint32_t (*shards)(struct transport *);
	bool (*poll)(struct transport *, uint32_t shard, struct transport_batch *out);
	enum err (*checkpoint)(struct transport *, uint32_t shard, uint64_t position);
	void (*depth)(struct transport *, uint32_t shard, int64_t *batches, int64_t *bytes, int64_t *high_water);
	void (*close)(struct transport *);
};

MUST_USE enum err transport_open(struct world *w, struct str url, struct transport **out, struct why *why);
