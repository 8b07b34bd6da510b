/* memory: batches in this process's memory, gone with it.
 *
 * One first-in first-out queue a shard, bounded by count and by bytes; the bounds are of all shards
 * together, an equal part each. */
#pragma once

#include "base/param.h"
#include "stream/transport.h"

extern const struct transport_ops transport_memory;
extern const struct param transport_memory_params[];
