/* Packs the records of one request into batches.
 *
 * A batch stands alone, so a record is preceded by its resource and series, once a batch. A batch
 * holds records of one shard key and at most BATCH_BYTES_MAX bytes: when the next record does not
 * fit, or the key changes, it is closed and another begun. Nothing leaves before the whole request
 * was read; then the caller puts the closed ones.
 *
 * From one request to the next it remembers what bytes meant (ingest/memo.h): resources and attributes of points
 * that come again as they came before are not read again. That is a cache and no state: batches are the same
 * without it, but that a series which one request names by two orders of its attributes stands in the batch twice.
 * Thread: its owner's. */
#pragma once

#include "ingest/memo.h"
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
/* Those that follow belong to this resource; `attrs` are canonical. */
void pack_resource(struct pack *p, struct attrs attrs, uint64_t shard_key);
/* The resource that was sent as these bytes before, and learned then; false: it was not. */
bool pack_resource_known(struct pack *p, struct str raw, uint64_t *shard_key);
/* The one in hand was sent as these bytes, which are sound, and all there is of it. */
void pack_resource_learn(struct pack *p, struct str raw);

/* What all points of a metric share. */
struct pack_metric {
	struct str name, unit;
	enum series_kind kind;
};
/* Which series of the resource in hand a point belongs to. Valid until the next call that gives one. */
struct pack_series {
	struct series_id id;
	struct str tail;            /* the metric's name and the point's attributes, in canonical bytes */
	struct memo_entry *learned; /* NULL: it is not */
};
/* By the point's canonical attributes. ERR_NOMEM. */
MUST_USE enum err pack_name(struct pack *p, const struct pack_metric *m, struct attrs attrs, struct pack_series *out);
/* What must be equal for the same attributes to be the same series. */
struct hash128 pack_context(const struct pack *p, const struct pack_metric *m, const struct hash128 *scope);
/* The series that was named by these bytes of attributes before, and learned then; false: it was not. */
bool pack_series_known(struct pack *p, const struct hash128 *context, struct str raw, struct pack_series *out);
/* `s` was sent as these bytes, which are sound, and all the attributes of its point. */
void pack_series_learn(struct pack *p, const struct hash128 *context, struct str raw, struct pack_series *s);
/* `v->series` and `->resource` are given by pack. ERR_TOO_LARGE: the record alone is over a batch's
 * limit, nothing of it was kept, others may follow. ERR_FULL: over `bytes_max`. ERR_NOMEM. */
MUST_USE enum err pack_point(struct pack *p, const struct pack_metric *m, const struct pack_series *s,
                             struct batch_point *v);
MUST_USE enum err pack_histogram(struct pack *p, const struct pack_metric *m, const struct pack_series *s,
                                 struct batch_histogram *v, const double *bounds, const uint64_t *counts);
MUST_USE enum err pack_span(struct pack *p, struct batch_span *v);
MUST_USE enum err pack_log(struct pack *p, struct batch_log *v);

/* Closes the last batch. The batches may be taken by whoever empties their buffers in place. */
MUST_USE enum err pack_end(struct pack *p, struct packed **batches, size_t *count);
/* A buffer that is needed no more, so that the next batch need not ask the system for memory. */
void pack_give_back(struct pack *p, struct buf *bytes);
