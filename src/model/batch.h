/* A batch: what passes from ingest to observe, as bytes (they may be separate processes).
 *
 * One codec record "FBBT" version 1 (base/codec.h), inside it items, each u8 type, u32 length, body.
 * A batch stands alone: it carries the resources and series that its points name. Unknown item
 * types of the same version are skipped (they carry their length); a new meaning is a new type.
 * docs/design/0002-batch-format.md has every field. */
#pragma once

#include "base/clock.h"
#include "base/codec.h"
#include "model/series.h"

#define BATCH_VERSION    1
#define BATCH_BYTES_MAX  (4 * 1024 * 1024)
#define BATCH_BOUNDS_MAX 1024 /* of one histogram; a point with more is refused at the door */

enum batch_item {
	BATCH_RESOURCE = 1, /* attributes of a source */
	BATCH_SERIES = 2,   /* a metric stream of a resource */
	BATCH_POINT = 3,
	BATCH_HISTOGRAM = 4,
	BATCH_SPAN = 5,
	BATCH_LOG = 6,
	BATCH_POD = 7,    /* the orchestrator's word on a pod */
	BATCH_CHANGE = 8, /* a deployment or configuration change */
};

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3, SPAN_PRODUCER = 4, SPAN_CONSUMER = 5 };
enum span_status { SPAN_UNSET, SPAN_OK, SPAN_ERROR };

struct batch_resource {
	uint32_t index; /* 0.. in the batch, in order */
	struct attrs attrs;
};
struct batch_series {
	uint32_t index;
	uint32_t resource;
	struct series_id id;
	enum series_kind kind;
	struct str name, unit;
	struct attrs attrs;
};
struct batch_point {
	uint32_t series;
	struct wall start, at; /* start: 0 when the sender gave none */
	double value;          /* finite; 0 with no_value */
	bool no_value;         /* the source says: nothing was recorded (OTLP flag, Prometheus stale marker) */
};
struct batch_histogram {
	uint32_t series;
	struct wall start, at;
	uint64_t count;                 /* the sum of all counts */
	double sum;                     /* NaN when absent */
	const unsigned char *bounds_le; /* bound_count doubles, finite and rising; little-endian, unaligned: batch_f64 */
	const unsigned char *counts_le; /* bound_count + 1 u64: batch_u64 */
	uint32_t bound_count;           /* 0: only count and sum are known, in one bucket */
	bool no_value;                  /* then count and bound_count are 0 */
};
struct batch_span {
	uint32_t resource;
	unsigned char trace[16], id[8], parent[8]; /* parent all zero: a root */
	enum span_kind kind;
	enum span_status status;
	struct wall start, end;
	double weight; /* how many spans this one stands for (1 / sampling probability, >= 1); 0: unknown */
	struct str name;
	struct attrs attrs; /* those that entities and edges are made of; the rest was left at the door */
};
struct batch_log {
	uint32_t resource;
	struct wall at;
	uint8_t severity; /* OTLP numbers, 0: unknown */
	struct str body;
	unsigned char trace[16], span[8];
	struct attrs attrs;
};
struct batch_pod {
	struct wall at;
	struct str namespace_, name, uid, node;
	struct str workload_kind, workload; /* "Deployment", "cart"; empty: none */
	bool ready, gone;
	uint32_t restarts;
	uint32_t wanted;   /* replicas that the workload wants; 0 where unknown */
	struct str reason; /* "OOMKilled", "CrashLoopBackOff", ... */
};
struct batch_change {
	struct wall at;
	struct str namespace_, workload_kind, workload;
	struct str kind;     /* "rollout", "scale", "config" */
	struct str by;       /* field manager or user; ours are told from others' */
	struct str revision; /* of the workload after it */
};

/* Writing. Errors stick in the buffer (ERR_TOO_LARGE past BATCH_BYTES_MAX). What the reader would
 * refuse (an index that was not given out, a kind out of range, over ATTRS_MAX attributes, a value
 * that is not finite) is a bug of the caller: assert. */
struct batch_writer {
	struct enc enc;
	uint32_t resources, series, items;
};
/* `received`: when the sender's request was whole, by our clock. */
void batch_begin(struct batch_writer *w, struct buf *buf, struct wall received);
uint32_t batch_put_resource(struct batch_writer *w, struct attrs attrs); /* its index */
/* The same, with the attributes as the canonical bytes that series_namer_list gave. */
uint32_t batch_put_resource_canonical(struct batch_writer *w, struct str list);
uint32_t batch_put_series(struct batch_writer *w, const struct batch_series *s); /* index is given */
/* The same, with name and attributes as the canonical bytes that series_namer_id gave; `s`'s are not read. */
uint32_t batch_put_series_canonical(struct batch_writer *w, const struct batch_series *s, struct str tail);
void batch_put_point(struct batch_writer *w, const struct batch_point *p);
/* bounds and counts as host arrays. */
void batch_put_histogram(struct batch_writer *w, const struct batch_histogram *h, const double *bounds,
                         const uint64_t *counts);
void batch_put_span(struct batch_writer *w, const struct batch_span *s);
void batch_put_log(struct batch_writer *w, const struct batch_log *l);
void batch_put_pod(struct batch_writer *w, const struct batch_pod *p);
void batch_put_change(struct batch_writer *w, const struct batch_change *c);
/* ERR_TOO_LARGE, ERR_NOMEM: nothing of the buffer is a batch. */
MUST_USE enum err batch_end(struct batch_writer *w);

/* Before a put that may not fit, and back to it: what was put since is gone, and so is its error. */
struct batch_mark {
	size_t n;
	uint32_t resources, series, items;
};
struct batch_mark batch_mark(const struct batch_writer *w);
void batch_back(struct batch_writer *w, struct batch_mark m);

/* Reading: everything is checked (lengths, indices, kinds) before it is handed out. */
struct batch_record {
	enum batch_item type;
	union {
		struct batch_resource resource;
		struct batch_series series;
		struct batch_point point;
		struct batch_histogram histogram;
		struct batch_span span;
		struct batch_log log;
		struct batch_pod pod;
		struct batch_change change;
	};
};
struct batch_reader {
	struct dec dec;
	struct wall received;
	uint32_t resources, series;
	uint32_t skipped;               /* items of a type that this program does not know */
	struct attr scratch[ATTRS_MAX]; /* of the current record */
};
/* ERR_CORRUPT, ERR_VERSION (base/codec.h); ERR_TOO_LARGE. */
MUST_USE enum err batch_open(struct batch_reader *r, struct str bytes, struct why *why);
/* OK and a record; ERR_NOT_FOUND at the end; ERR_CORRUPT, which sticks. Slices point into the bytes, attrs into
 * the reader. */
MUST_USE enum err batch_next(struct batch_reader *r, struct batch_record *out);
double batch_f64(const unsigned char *le, uint32_t i);
uint64_t batch_u64(const unsigned char *le, uint32_t i);

/* Where finished batches go: a stage is handed its next. */
struct sink_done {
	uint64_t tag;
	enum err err;
};
struct batch_sink {
	const struct batch_sink_ops *ops;
};
struct batch_sink_ops {
	/* Copies. `shard_key`: batches of one key keep their order. ERR_AGAIN: full, slow down. */
	enum err (*put)(struct batch_sink *, struct str batch, uint64_t shard_key, uint64_t tag);
	/* A put is safe (or failed) once it was polled here. */
	bool (*poll)(struct batch_sink *, struct sink_done *out);
};
