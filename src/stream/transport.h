/* The telemetry stream between ingest and observe: batches by shard, in order.
 *
 * `memory:` is bounded queues; `kinesis:` comes later through the same table. A batch is read at
 * least once; what was read is let go by a checkpoint, after its effect is durable. What was read
 * and not let go still counts against the bounds: a consumer checkpoints before they are reached.
 * Thread: one loop's own. */
#pragma once

#include "base/url.h"
#include "model/batch.h"
#include "world/world.h"

struct transport_batch {
	uint32_t shard;
	uint64_t position; /* rises within a shard; 1 is the first */
	struct str bytes;  /* until the next poll of that shard */
};

struct transport {
	const struct transport_ops *ops;
};

struct transport_ops {
	const char *scheme; /* "memory" in memory:?bytes=64MiB&shards=1 */
	enum err (*open)(struct world *w, const struct url *u, struct transport **out, struct why *why);
	/* A producer's end, handed to a stage as its next: each call makes one more, with completions of
	 * its own; the transport closes them. NULL: no memory. Its put: ERR_AGAIN: the shard is full;
	 * ERR_TOO_LARGE: over BATCH_BYTES_MAX. */
	struct batch_sink *(*sink)(struct transport *);
	uint32_t (*shards)(struct transport *);
	/* Before the first poll of a shard: everything that comes is behind `position`, which a checkpoint, maybe of
	 * an earlier process, says was read. What begins anew with its process numbers on from there.
	 * ERR_INVALID: something was read already. */
	enum err (*resume)(struct transport *, uint32_t shard, uint64_t position);
	/* The next batch that was not read yet. False: none now. */
	bool (*poll)(struct transport *, uint32_t shard, struct transport_batch *out);
	/* Lets go of what was read up to and with `position`. ERR_INVALID: that was not read yet. */
	enum err (*checkpoint)(struct transport *, uint32_t shard, uint64_t position);
	/* Held now, read or not; and the most bytes ever held. */
	void (*depth)(struct transport *, uint32_t shard, int64_t *batches, int64_t *bytes, int64_t *high_water);
	void (*close)(struct transport *);
};

/* By scheme, from the table in stream/registry.c. ERR_UNSUPPORTED lists the known ones. */
MUST_USE enum err transport_open(struct world *w, struct str url, struct transport **out, struct why *why);

static inline struct batch_sink *transport_sink(struct transport *t) {
	return t->ops->sink(t);
}
static inline uint32_t transport_shards(struct transport *t) {
	return t->ops->shards(t);
}
static inline enum err transport_resume(struct transport *t, uint32_t shard, uint64_t position) {
	return t->ops->resume(t, shard, position);
}
static inline bool transport_poll(struct transport *t, uint32_t shard, struct transport_batch *out) {
	return t->ops->poll(t, shard, out);
}
static inline enum err transport_checkpoint(struct transport *t, uint32_t shard, uint64_t position) {
	return t->ops->checkpoint(t, shard, position);
}
static inline void transport_depth(struct transport *t, uint32_t shard, int64_t *batches, int64_t *bytes,
                                   int64_t *high_water) {
	t->ops->depth(t, shard, batches, bytes, high_water);
}
static inline void transport_close(struct transport *t) {
	if (t) t->ops->close(t);
}
