/* Packs the records of one request into batches.
 *
 * A batch stands alone, so a record is preceded by its resource and series, once a batch. A batch
 * holds records of one shard key and at most BATCH_BYTES_MAX bytes: when the next record does not
 * fit, or the key changes, it is closed and another begun. Nothing leaves before the whole request
 * was read; then the caller puts the closed ones. Thread: its owner's. */
#pragma once

#include "model/batch.h"

struct pack;

struct packed {
	struct buf bytes;
	uint64_t shard_key;
	int64_t records; /* points, spans or logs, without resources and series */
};

/* ERR_NOMEM. */
MUST_USE enum err pack_new(struct pack **out);
void pack_free(struct pack *p);

/* Begins a request; what is left of the one before is dropped. `bytes_max`: of all its batches. */
void pack_begin(struct pack *p, struct wall received, size_t bytes_max);
/* Those that follow belong to this resource. `attrs` are canonical and live until the next call. */
void pack_resource(struct pack *p, struct attrs attrs, uint64_t shard_key);

/* What all points of a metric share. `attrs` of a point are canonical. */
struct pack_metric {
	struct str name, unit;
	enum series_kind kind;
};
/* `v->series` and `->resource` are given by pack. ERR_TOO_LARGE: the record alone is over a batch's
 * limit, nothing of it was kept, others may follow. ERR_FULL: over `bytes_max`. ERR_NOMEM. */
MUST_USE enum err pack_point(struct pack *p, const struct pack_metric *m, struct attrs attrs, struct batch_point *v);
MUST_USE enum err pack_histogram(struct pack *p, const struct pack_metric *m, struct attrs attrs,
                                 struct batch_histogram *v, const double *bounds, const uint64_t *counts);
MUST_USE enum err pack_span(struct pack *p, struct batch_span *v);
MUST_USE enum err pack_log(struct pack *p, struct batch_log *v);

/* Closes the last batch. The batches may be taken by whoever empties their buffers in place. */
MUST_USE enum err pack_end(struct pack *p, struct packed **batches, size_t *count);
/* A buffer that is needed no more, so that the next batch need not ask the system for memory. */
void pack_give_back(struct pack *p, struct buf *bytes);
