/* Batches become what detectors and causes are made of.
 *
 * stream_apply reads one batch: settles its points (settle.h), follows its spans (traces.h), keeps
 * what there is (catalog.h) and leaves news: which channels got requests, which gauges moved, what
 * the orchestrator said. News last until the next apply. It knows no detector and decides nothing.
 *
 * Event time is trusted within limits: later than the batch's arrival by more than FUTURE_NS is
 * taken as the arrival (counted); older than `lateness_ns` is left out of windows (counted).
 * Everything is bounded by the options, and what comes and goes does not add up: catalog.h says when entities,
 * instances, sources and edges are let go, series_table.h when series are. Deterministic in the batches alone.
 * Thread: its owner's. */
#pragma once

#include "stream/catalog.h"
#include "stream/settle.h"
#include "stream/traces.h"

#define FUTURE_NS (5 * NS_PER_SEC)
#define CHANGES   64

struct stream_opts {
	int64_t window_ns, lateness_ns;
	int64_t series_max, services_max, spans_max;
};

/* A gauge of one instance moved. */
struct level {
	uint32_t instance;
	enum signal_kind signal; /* SIGNAL_CPU, SIGNAL_MEMORY */
	double value, limit;     /* limit NaN: not known */
	uint8_t rank;            /* of the metric: another one has another meaning, and maybe another unit */
	int64_t at_ns;
};

/* The orchestrator's word on an instance, where it differs from its last one. */
struct pod_news {
	uint32_t instance;
	bool lost_ready, got_ready, restarted, gone, fresh;
	int64_t at_ns;
};

struct change {
	uint32_t entity; /* NONE: no service of ours */
	struct wall at;
	struct workload workload;
	struct str kind, by, revision;
};

struct line_news {
	uint32_t entity;
	int64_t from_ns, to_ns;
	double lines, errors;
};

struct stream_counts {
	int64_t batches, points, histograms, spans, logs, pods, changes;
	int64_t late, future, duplicates, old, bad, resets, first_points;
	int64_t series_refused, unnamed; /* points of no entity, spans of no service */
};

struct stream {
	struct stream_opts opts;
	struct catalog catalog;
	struct traces traces;
	struct series_table *series;
	struct stream_counts counts;
	float grid[GRID_BOUNDS];
	int64_t now_ns;   /* arrival of the batch in hand, never going back */
	int64_t swept_ns; /* when idle things were last let go */
	/* News of the last batch. */
	struct channel **channels; /* touched ones; their tallies hold what came */
	struct level *levels;
	struct pod_news *pods;
	struct line_news *lines;
	uint32_t channel_count, level_count, pod_count, line_count;
	uint32_t channel_cap, level_cap, pod_cap, line_cap;
	uint32_t fresh_changes; /* how many of the newest in `changes` came with this batch */
	struct change changes[CHANGES];
	uint32_t change_count; /* ever; the newest lies at (change_count - 1) % CHANGES */
	/* Of the batch in hand, by its own indices. */
	uint32_t *batch_sources, *batch_series;
	uint32_t source_count, series_count, source_cap, series_cap;
	uint32_t *touched; /* instances whose gauges moved */
	uint32_t touched_count, touched_cap;
};

MUST_USE enum err stream_open(struct stream_opts o, struct stream **out);
void stream_close(struct stream *st);
/* ERR_CORRUPT, ERR_VERSION: the batch is damaged or newer; what was read before stays applied. */
MUST_USE enum err stream_apply(struct stream *st, struct str batch, struct why *why);

/* What must survive a restart, as codec records (docs/design/0004-engine-state.md); requests in flight are not
 * in it. Reading is for a stream that has seen nothing; after an error it must be closed. */
void stream_save(const struct stream *st, struct buf *out);
MUST_USE enum err stream_load(struct stream *st, struct str bytes, struct str *rest, struct why *why);

/* Slots: `slot_ns` each, numbered from 1970. */
static inline int64_t stream_slot_ns(const struct stream *st) {
	return st->opts.window_ns / WINDOW_SLOT;
}
static inline int64_t stream_slot(const struct stream *st, int64_t event_ns) {
	return event_ns / stream_slot_ns(st);
}
/* The event time up to which every live source of the entity has told what it has (spans or metrics);
 * 0: none has told anything. A source that is late by more than half its interval is not waited for. */
int64_t stream_watermark(const struct stream *st, uint32_t entity, enum via via, int64_t now_ns);
/* Event time up to which all has come that will come: as the watermark, but now when nobody is waited for. */
int64_t stream_heard(const struct stream *st, uint32_t entity, enum via via, int64_t now_ns);
/* Whether what happened from then on was told without a gap by every source that is waited for; with none,
 * nothing was. No data is not zero. */
bool stream_covered(const struct stream *st, uint32_t entity, enum via via, int64_t from_ns, int64_t now_ns);
/* How often the sources of the entity export that kind of telemetry, seconds; 0: not known. */
double stream_interval(const struct stream *st, uint32_t entity, enum via via);
/* The four states of a signal at `now_ns`. `value`: the newest; only asked for zero or not. */
enum signal_state stream_state(const struct pulse *p, double value, int64_t now_ns);
/* Newest first; NULL past the end. */
const struct change *stream_change(const struct stream *st, uint32_t back);
