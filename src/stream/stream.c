#include "stream/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stream/feed.h"

#define SWEEP_NS      (60 * NS_PER_SEC)
#define PER_SERVICE   16 /* instances, sources and edges for each service allowed */
#define STALE_FACTOR  2.0
#define STALE_MIN_S   20.0 /* a burst of a rare service is no interval */
#define WAIT_FACTOR   1.5
#define INTERVAL_LOSS 0.2 /* how fast an entity's interval follows its sources' */

enum err stream_open(struct stream_opts o, struct stream **out) {
	if (o.window_ns < WINDOW_SLOT * NS_PER_MS || o.series_max < 1 || o.services_max < 1) return ERR_INVALID;
	struct stream *st = calloc(1, sizeof *st);
	struct series_table *series = calloc(1, sizeof *series);
	if (!st || !series) {
		free(st);
		free(series);
		return ERR_NOMEM;
	}
	st->opts = o;
	st->series = series;
	series_table_init(series, (size_t)o.series_max);
	int64_t many = o.services_max * PER_SERVICE;
	catalog_init(&st->catalog, (struct catalog_limits){ 3 * o.services_max, many, many, many });
	traces_init(&st->traces, (size_t)(o.spans_max > 0 ? o.spans_max : 1));
	grid_bounds(st->grid);
	*out = st;
	return OK;
}

static void change_free(struct change *c) {
	text_free(&c->workload.namespace_), text_free(&c->workload.kind), text_free(&c->workload.name);
	text_free(&c->kind), text_free(&c->by), text_free(&c->revision);
}

void stream_close(struct stream *st) {
	if (!st) return;
	for (int i = 0; i < CHANGES; i++) change_free(&st->changes[i]);
	catalog_done(&st->catalog);
	traces_done(&st->traces);
	series_table_done(st->series);
	free(st->series);
	free(st->channels), free(st->levels), free(st->pods), free(st->lines);
	free(st->batch_sources), free(st->batch_series), free(st->touched);
	free(st);
}

bool feed_grow(void **v, uint32_t *cap, uint32_t count, size_t size) {
	if (count < *cap) return true;
	uint32_t bigger = *cap ? 2 * *cap : 16;
	void *p = realloc(*v, bigger * size);
	if (!p) return false;
	*v = p;
	*cap = bigger;
	return true;
}

bool feed_time(struct stream *st, int64_t *event_ns) {
	if (*event_ns > st->now_ns + FUTURE_NS) {
		st->counts.future++;
		*event_ns = st->now_ns;
	}
	if (*event_ns >= st->now_ns - st->opts.lateness_ns) return true;
	st->counts.late++;
	return false;
}

void feed_touch(struct stream *st, struct channel *c, int64_t from_ns, int64_t to_ns) {
	struct tally *y = &c->tally;
	if (!y->from_ns || from_ns < y->from_ns) y->from_ns = from_ns;
	if (to_ns > y->to_ns) y->to_ns = to_ns;
	if (!c->first_ns) c->first_ns = from_ns;
	if (c->touched || !FEED_ROOM(st, channel)) return;
	c->touched = true;
	st->channels[st->channel_count++] = c;
}

static const struct signals_of {
	unsigned char n;
	enum signal_kind v[3];
} signals_of[TELEMETRIES] = {
	[TELEMETRY_SPANS] = { 3, { SIGNAL_RATE, SIGNAL_ERRORS, SIGNAL_DURATION } },
	[TELEMETRY_METRICS] = { 0, { SIGNAL_RATE } }, /* by role: which signals a metric tells is seen point by point */
	[TELEMETRY_LOGS] = { 1, { SIGNAL_LOGS } },
};

void feed_pulse(struct stream *st, struct source *s, enum telemetry t, int64_t at_ns) {
	struct pulse *p = &s->pulses[t];
	pulse_beat(p, st->now_ns, at_ns);
	struct entity *e = catalog_entity(&st->catalog, feed_entity(st, s));
	if (!e) return;
	e->last_ns = st->now_ns;
	for (unsigned i = 0; i < signals_of[t].n; i++) {
		struct pulse *ep = &e->pulses[signals_of[t].v[i]];
		double interval_s =
			ep->interval_s > 0 ? ep->interval_s + INTERVAL_LOSS * (p->interval_s - ep->interval_s) : p->interval_s;
		ep->beats++;
		ep->last_ns = st->now_ns;
		ep->gone = false;
		if (at_ns > ep->at_ns) ep->at_ns = at_ns;
		if (p->interval_s > 0) ep->interval_s = interval_s;
	}
}

static void news_clear(struct stream *st) {
	for (uint32_t i = 0; i < st->channel_count; i++) channel_tally_clear(st->channels[i]);
	st->channel_count = st->level_count = st->pod_count = st->line_count = 0;
	st->source_count = st->series_count = st->touched_count = 0;
	st->fresh_changes = 0;
	st->catalog.gone_entities.count = st->catalog.gone_edges.count = 0;
}

/* A change of what is gone is nobody's: the number may be somebody else's soon. */
static void changes_forget(struct stream *st, uint32_t entity) {
	for (int i = 0; i < CHANGES; i++)
		if (st->changes[i].entity == entity) st->changes[i].entity = NONE;
}

static void sweep(struct stream *st) {
	struct catalog *c = &st->catalog;
	if (st->now_ns - st->swept_ns < SWEEP_NS) return;
	st->swept_ns = st->now_ns;
	series_expire(st->series, st->now_ns - SERIES_IDLE_NS);
	catalog_expire(c, st->now_ns);
	for (uint32_t i = 0; i < c->gone_entities.count; i++) changes_forget(st, c->gone_entities.v[i]);
}

static void feed(struct stream *st, const struct batch_record *r) {
	switch (r->type) {
	case BATCH_RESOURCE: feed_resource(st, &r->resource); break;
	case BATCH_SERIES: feed_series(st, &r->series); break;
	case BATCH_POINT: feed_point(st, &r->point); break;
	case BATCH_HISTOGRAM: feed_histogram(st, &r->histogram); break;
	case BATCH_SPAN: feed_span(st, &r->span); break;
	case BATCH_LOG: feed_log(st, &r->log); break;
	case BATCH_POD: feed_pod(st, &r->pod); break;
	case BATCH_CHANGE: feed_change(st, &r->change); break;
	}
}

/* An export of spans holds all that ended before it, though the last may have ended a while ago. An
 * old one that was held up on the way holds nothing newer than its spans. */
static int64_t told_until(const struct stream *st, const struct source *s, enum telemetry t) {
	int64_t newest_ns = s->batch_ns[t];
	if (t != TELEMETRY_SPANS) return newest_ns;
	double interval_s = s->pulses[t].interval_s > 0 ? s->pulses[t].interval_s : 0;
	if ((double)(st->now_ns - newest_ns) / 1e9 > interval_s + 2) return newest_ns;
	return newest_ns > st->now_ns - NS_PER_SEC ? newest_ns : st->now_ns - NS_PER_SEC;
}

/* What the sources told of in this batch: their pulses beat once, at the newest event. */
static void pulses_end(struct stream *st) {
	for (uint32_t i = 0; i < st->source_count; i++) {
		struct source *s = catalog_source(&st->catalog, st->batch_sources[i]);
		for (int t = 0; s && t < TELEMETRIES; t++) {
			if (!s->batch_ns[t]) continue;
			feed_pulse(st, s, (enum telemetry)t, told_until(st, s, (enum telemetry)t));
			s->batch_ns[t] = 0;
		}
	}
}

enum err stream_apply(struct stream *st, struct str batch, struct why *why) {
	struct batch_reader r;
	struct batch_record record;
	news_clear(st);
	enum err e = batch_open(&r, batch, why);
	if (e) return e;
	if (r.received.ns > st->now_ns) st->now_ns = r.received.ns;
	st->counts.batches++;
	sweep(st);
	while ((e = batch_next(&r, &record)) == OK) feed(st, &record);
	feed_gauges_end(st);
	pulses_end(st);
	if (e != ERR_NOT_FOUND) return why_set(why, e, "a batch breaks off: %s", err_text(e));
	return OK;
}

/* ---- looking back ---- */

static enum telemetry telemetry_of(enum via via) {
	return via == VIA_METRICS ? TELEMETRY_METRICS : TELEMETRY_SPANS;
}

/* A source that should have spoken by now has ended, or its telemetry is lost: not waited for. */
static bool waited_for(const struct pulse *p, int64_t now_ns) {
	if (!p->beats || p->gone) return false;
	double interval_s = p->interval_s > 0 ? p->interval_s : 10;
	return (double)(now_ns - p->last_ns) / 1e9 <= WAIT_FACTOR * interval_s;
}

/* The least of what the sources that are waited for have told, 0: nobody is; and the most of all. */
static int64_t least_told(const struct stream *st, uint32_t entity, enum via via, int64_t now_ns, int64_t *most) {
	const struct entity *e = catalog_entity(&st->catalog, entity);
	int64_t mark = 0;
	*most = 0;
	for (uint32_t i = e ? e->first_source : NONE; i != NONE;) {
		const struct source *s = catalog_source(&st->catalog, i);
		const struct pulse *p = &s->pulses[telemetry_of(via)];
		if (p->at_ns > *most) *most = p->at_ns;
		if (waited_for(p, now_ns) && (!mark || p->at_ns < mark)) mark = p->at_ns;
		i = s->next;
	}
	return mark;
}

int64_t stream_watermark(const struct stream *st, uint32_t entity, enum via via, int64_t now_ns) {
	int64_t most, least = least_told(st, entity, via, now_ns, &most);
	return least ? least : most;
}

int64_t stream_heard(const struct stream *st, uint32_t entity, enum via via, int64_t now_ns) {
	int64_t most, least = least_told(st, entity, via, now_ns, &most);
	return least ? least : now_ns;
}

bool stream_covered(const struct stream *st, uint32_t entity, enum via via, int64_t from_ns, int64_t now_ns) {
	const struct entity *e = catalog_entity(&st->catalog, entity);
	bool any = false;
	for (uint32_t i = e ? e->first_source : NONE; i != NONE;) {
		const struct source *s = catalog_source(&st->catalog, i);
		const struct pulse *p = &s->pulses[telemetry_of(via)];
		i = s->next;
		if (!waited_for(p, now_ns)) continue;
		if (p->since_ns > from_ns && p->beats > 2) return false;
		any = true;
	}
	return any;
}

double stream_interval(const struct stream *st, uint32_t entity, enum via via) {
	const struct entity *e = catalog_entity(&st->catalog, entity);
	double sum = 0;
	int n = 0;
	for (uint32_t i = e ? e->first_source : NONE; i != NONE;) {
		const struct source *s = catalog_source(&st->catalog, i);
		const struct pulse *p = &s->pulses[telemetry_of(via)];
		if (p->interval_s > 0 && !p->gone) {
			sum += p->interval_s;
			n++;
		}
		i = s->next;
	}
	return n ? sum / n : 0;
}

enum signal_state stream_state(const struct pulse *p, double value, int64_t now_ns) {
	if (!p->beats || p->gone) return SIGNAL_ABSENT;
	double limit_s = STALE_FACTOR * (p->interval_s > 0 ? p->interval_s : STALE_MIN_S);
	if (limit_s < STALE_MIN_S) limit_s = STALE_MIN_S;
	if ((double)(now_ns - p->last_ns) / 1e9 > limit_s) return SIGNAL_STALE;
	return value > 0 || value < 0 ? SIGNAL_VALUE : SIGNAL_ZERO;
}

const struct change *stream_change(const struct stream *st, uint32_t back) {
	if (back >= st->change_count || back >= CHANGES) return NULL;
	return &st->changes[(st->change_count - 1 - back) % CHANGES];
}
