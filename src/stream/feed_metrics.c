/* Points and histograms become increments of channels and levels of gauges. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stream/feed.h"

#define TOGETHER_NS  (NS_PER_SEC / 2) /* points of one export, whose clocks were read one after another */
#define SHARE_MIN    1e-4             /* of the limit: below, a quotient says nothing */
#define BURN_LOSS    0.05
#define RANK_HOLD_NS (300 * NS_PER_SEC) /* a better metric that fell silent for so long gives way */
#define LATELY_S     60.0 /* of operations: every process tells of all that it did, each in its own time */
#define COUNTS_MAX   (BOUNDS_MAX + 1)

/* ---- registering ---- */

/* Whether the caller's own spans tell of its calls already. */
static bool calls_by_spans(const struct stream *st, uint32_t entity) {
	const struct entity *e = catalog_entity(&st->catalog, entity);
	return e && e->red[VIA_SPANS] && stream_slot(st, st->now_ns) - e->red[VIA_SPANS]->newest < SLOTS;
}

static uint32_t series_make(struct stream *st, const struct batch_series *s) {
	uint32_t at = series_add(st->series, s->id);
	if (at == INDEX_NONE) {
		st->counts.series_refused++;
		return INDEX_NONE;
	}
	struct series *x = st->series->v[at];
	struct source *src = feed_source(st, s->resource);
	struct request_facts f = request_read(s->attrs);
	x->facts = metric_read(s->name, s->unit);
	x->failed = request_failed(&f, false);
	x->refused = request_refused(&f);
	x->operation = hash64(f.route) * 31 + hash64(f.method);
	x->source = src ? src->index : NONE;
	x->edge = NONE;
	uint32_t entity = src ? feed_entity(st, src) : NONE;
	if (x->facts.role != ROLE_CLIENT || entity == NONE) return at;
	struct edge *e = feed_edge(st, entity, &f, f.consumes ? SPAN_CONSUMER : SPAN_CLIENT);
	if (e) x->edge = e->index;
	return at;
}

void feed_series(struct stream *st, const struct batch_series *s) {
	uint32_t at = series_find(st->series, s->id);
	if (at == INDEX_NONE) at = series_make(st, s);
	if (at != INDEX_NONE) {
		struct series *x = st->series->v[at];
		struct source *src = feed_source(st, s->resource);
		x->kind = s->kind;
		x->last_ns = st->now_ns;
		x->source = src ? src->index : NONE;
		struct edge *g = catalog_edge(&st->catalog, x->edge);
		if (g) g->last_ns = st->now_ns; /* while a series names it by its number, it is nobody else's */
	}
	if (!feed_grow((void **)&st->batch_series, &st->series_cap, st->series_count, sizeof *st->batch_series)) return;
	st->batch_series[st->series_count++] = at;
}

static struct series *series_of(struct stream *st, uint32_t index) {
	uint32_t at = index < st->series_count ? st->batch_series[index] : INDEX_NONE;
	return at == INDEX_NONE ? NULL : st->series->v[at];
}

static bool counted(struct stream *st, const struct settled *s) {
	struct stream_counts *n = &st->counts;
	n->duplicates += s->result == SETTLE_DUPLICATE;
	n->old += s->result == SETTLE_OLD;
	n->bad += s->result == SETTLE_BAD;
	n->first_points += s->result == SETTLE_FIRST;
	n->resets += s->reset;
	return s->result == SETTLE_INCREMENT || s->result == SETTLE_LEVEL;
}

static void noted(struct source *src, int64_t at_ns) {
	if (src && at_ns > src->batch_ns[TELEMETRY_METRICS]) src->batch_ns[TELEMETRY_METRICS] = at_ns;
}

/* ---- gauges ---- */

static struct instance *instance_of(struct stream *st, const struct series *x) {
	struct source *src = catalog_source(&st->catalog, x->source);
	return src ? catalog_instance(&st->catalog, src->instance) : NULL;
}

static bool is_cpu(enum role r) {
	return r == ROLE_CPU || r == ROLE_CPU_TIME || r == ROLE_CPU_LIMIT;
}

static void gauge_touch(struct stream *st, struct instance *i) {
	if (i->touched) return;
	if (!feed_grow((void **)&st->touched, &st->touched_cap, st->touched_count, sizeof *st->touched)) return;
	i->touched = true;
	st->touched[st->touched_count++] = i->index;
}

/* The best metric that is there serves; a worse one only when that fell silent. */
static bool gauge_ranked(struct gauge *g, uint8_t rank, int64_t now_ns) {
	if (rank > g->rank && now_ns - g->rank_ns < RANK_HOLD_NS) return false;
	if (rank != g->rank) g->sum = 0, g->touched = false;
	g->rank = rank;
	g->rank_ns = now_ns;
	return true;
}

/* States and pools of one moment add up; of several moments in one batch (a sender that caught up) the newest serves.
 */
static void gauge_add(struct stream *st, struct series *x, double value, int64_t at_ns) {
	struct instance *i = instance_of(st, x);
	if (!i) return;
	struct gauge *g = &i->gauges[is_cpu(x->facts.role) ? GAUGE_CPU : GAUGE_MEMORY];
	value *= x->facts.scale;
	if (x->facts.role == ROLE_CPU_LIMIT || x->facts.role == ROLE_MEMORY_LIMIT) {
		if (value > 0) g->own_limit = value;
		return;
	}
	if (x->facts.role == ROLE_CPU && !x->facts.share) i->cores = value, i->cores_ns = at_ns;
	if (!gauge_ranked(g, x->facts.rank, st->now_ns)) return;
	if (g->touched && at_ns < g->sum_at_ns - TOGETHER_NS) return;
	if (!g->touched || at_ns > g->sum_at_ns + TOGETHER_NS) g->sum = 0;
	g->touched = true;
	g->share = x->facts.share;
	g->sum += value;
	if (at_ns > g->sum_at_ns) g->sum_at_ns = at_ns;
	gauge_touch(st, i);
}

/* An agent that tells of cores and of their share of the limit tells of the limit. */
static void cores_limit(struct instance *i, const struct gauge *g) {
	if (!g->share && g->own_limit > 0) i->cores_limit = g->own_limit;
	if (!g->share || !(g->value > SHARE_MIN) || !(i->cores > 0)) return;
	if (llabs(i->cores_ns - g->at_ns) <= TOGETHER_NS) i->cores_limit = i->cores / g->value;
}

/* Modes of one count (user, system) end together and add up. */
static void burn_add(struct stream *st, const struct series *x, double cores, int64_t from_ns, int64_t to_ns) {
	struct instance *i = instance_of(st, x);
	if (!i) return;
	struct burn *b = &i->burn;
	if (x->facts.rank > b->rank && st->now_ns - b->rank_ns < RANK_HOLD_NS) return;
	if (x->facts.rank != b->rank) *b = (struct burn){ .rank = x->facts.rank };
	b->rank_ns = st->now_ns;
	if (to_ns > b->to_ns + TOGETHER_NS) {
		if (b->to_ns) b->usual += b->usual > 0 ? BURN_LOSS * (b->cores - b->usual) : b->cores;
		b->from_ns = from_ns, b->to_ns = to_ns, b->cores = cores;
	} else if (to_ns > b->to_ns - TOGETHER_NS) {
		b->cores += cores;
	}
}

static void gauge_end(struct stream *st, struct instance *i, int k) {
	static const enum signal_kind signals[GAUGES] = { SIGNAL_CPU, SIGNAL_MEMORY };
	struct gauge *g = &i->gauges[k];
	if (!g->touched) return;
	g->touched = false;
	if (g->sum_at_ns <= g->at_ns || !FEED_ROOM(st, level)) return;
	g->before_ns = g->at_ns;
	g->at_ns = g->sum_at_ns;
	g->value = g->sum;
	g->limit = g->share ? 1 : g->own_limit > 0 ? g->own_limit : (double)NAN;
	if (k == GAUGE_CPU) cores_limit(i, g);
	st->levels[st->level_count++] = (struct level){ i->index, signals[k], g->value, g->limit, g->rank, g->at_ns };
	struct entity *e = catalog_entity(&st->catalog, i->entity);
	if (e) pulse_beat(&e->pulses[signals[k]], st->now_ns, g->at_ns);
}

void feed_gauges_end(struct stream *st) {
	for (uint32_t n = 0; n < st->touched_count; n++) {
		struct instance *i = catalog_instance(&st->catalog, st->touched[n]);
		if (!i) continue;
		i->touched = false;
		for (int k = 0; k < GAUGES; k++) gauge_end(st, i, k);
	}
	st->touched_count = 0;
}

void feed_point(struct stream *st, const struct batch_point *p) {
	struct series *x = series_of(st, p->series);
	st->counts.points++;
	if (!x) return;
	struct source *src = catalog_source(&st->catalog, x->source);
	int64_t at_ns = p->at.ns;
	bool timely = feed_time(st, &at_ns);
	noted(src, at_ns);
	if (p->no_value || x->kind >= SERIES_HISTOGRAM_DELTA) return;
	struct settled s = settle_number(&x->settle, x->kind, p->start, (struct wall){ at_ns }, p->value);
	if (!counted(st, &s) || !timely) return;
	switch (x->facts.role) {
	case ROLE_CPU:
	case ROLE_CPU_LIMIT:
	case ROLE_MEMORY:
	case ROLE_MEMORY_LIMIT: gauge_add(st, x, s.value, s.to.ns); break;
	case ROLE_CPU_TIME:
		if (s.result == SETTLE_INCREMENT && s.to.ns > s.from.ns) {
			double cores = s.value / ((double)(s.to.ns - s.from.ns) / 1e9);
			gauge_add(st, x, cores, s.to.ns);
			burn_add(st, x, cores * x->facts.scale, s.from.ns, s.to.ns);
		}
		break;
	default: break;
	}
}

/* ---- histograms of durations ---- */

struct durations {
	int64_t from_ns, to_ns;
	const uint64_t *counts;
	uint32_t n; /* bounds */
	const float *bounds;
	double count, seconds;
	bool failed, refused;
	uint64_t operation;
};

/* A histogram with bounds of its own among others: each bucket goes where its middle lies. */
static uint32_t bucket_in(const struct channel *c, const struct durations *d, uint32_t i) {
	if (c->bound_count == d->n && (!d->n || memcmp(c->bounds, d->bounds, d->n * sizeof *d->bounds) == 0)) return i;
	float middle = (float)bucket_middle(d->bounds, d->n, i);
	uint32_t at = 0;
	while (at < c->bound_count && middle > c->bounds[at]) at++;
	return at;
}

/* Spread evenly over the slots that the interval covers. */
static void slots_add(struct stream *st, struct channel *c, const struct durations *d) {
	int64_t first = stream_slot(st, d->from_ns), last = stream_slot(st, d->to_ns - 1), slot_ns = stream_slot_ns(st);
	double length_ns = (double)(d->to_ns - d->from_ns);
	if (last - first >= SLOTS) first = last - SLOTS + 1;
	for (int64_t k = first; k <= last; k++) {
		int64_t a = k * slot_ns > d->from_ns ? k * slot_ns : d->from_ns;
		int64_t b = (k + 1) * slot_ns < d->to_ns ? (k + 1) * slot_ns : d->to_ns;
		float share = (float)((double)(b - a) / length_ns);
		struct slot *s = b > a ? channel_slot(c, k) : NULL;
		if (!s) continue;
		s->requests += share * (float)d->count;
		s->seen += share * (float)d->count;
		s->bad += d->failed ? share * (float)d->count : 0;
		s->refused += d->refused ? share * (float)d->count : 0;
		s->seconds += share * (float)d->seconds;
	}
}

static void durations_add(struct stream *st, struct channel *c, const struct durations *d) {
	struct tally *y = &c->tally;
	double weight = mix_weigh(&c->mix, d->operation, d->count, LATELY_S, st->now_ns);
	for (uint32_t i = 0; i <= d->n; i++)
		if (d->counts[i]) y->counts[bucket_in(c, d, i)] += (float)(weight * (double)d->counts[i]);
	y->seen += d->count;
	y->requests += d->count;
	y->bad += d->failed ? d->count : 0;
	y->seconds += d->seconds;
	c->known = true;
	c->weight = 1;
	c->seen_total += (int64_t)d->count;
	slots_add(st, c, d);
	feed_touch(st, c, d->from_ns, d->to_ns);
}

static double slow_count(const struct channel *c, const struct durations *d) {
	double n = 0;
	for (uint32_t i = 0; i <= d->n; i++)
		if (c->slow_s > 0 && bucket_middle(d->bounds, d->n, i) > (double)c->slow_s) n += (double)d->counts[i];
	return n;
}

static void served_add(struct stream *st, struct series *x, struct entity *e, const struct durations *d) {
	struct channel *c = feed_channel(st, e, VIA_METRICS, d->bounds, d->n);
	if (!c) return;
	durations_add(st, c, d);
	for (int s = 0; s < 3; s++) {
		static const enum signal_kind told[] = { SIGNAL_RATE, SIGNAL_ERRORS, SIGNAL_DURATION };
		if (e->red[VIA_SPANS] && e->red[VIA_SPANS]->known) break; /* their pulse is the spans' */
		pulse_beat(&e->pulses[told[s]], st->now_ns, d->to_ns);
	}
	struct instance *i = instance_of(st, x);
	struct part *p = i && !e->red[VIA_SPANS] ? instance_part(i, stream_slot(st, d->to_ns - 1)) : NULL;
	if (!p) return;
	i->served_ns = st->now_ns;
	p->seen += (float)d->count, p->seconds += (float)d->seconds;
	p->bad += d->failed ? (float)d->count : 0;
	p->slow += (float)slow_count(c, d);
}

static void called_add(struct stream *st, struct series *x, uint32_t entity, const struct durations *d) {
	struct edge *g = catalog_edge(&st->catalog, x->edge);
	if (!g) return;
	g->last_ns = st->now_ns;
	if (!calls_by_spans(st, entity)) {
		struct edge_slot *s = edge_slot(g, stream_slot(st, d->to_ns - 1));
		g->calls += d->count;
		if (s) s->calls += (float)d->count, s->seconds += (float)d->seconds;
		if (s && d->failed) s->failed += (float)d->count;
	}
	struct entity *to = catalog_entity(&st->catalog, g->to);
	if (!to || to->kind == ENTITY_SERVICE) return;
	struct channel *c = feed_channel(st, to, VIA_METRICS, d->bounds, d->n);
	if (c) durations_add(st, c, d);
}

static void histogram_use(struct stream *st, struct series *x, const struct durations *d) {
	struct source *src = catalog_source(&st->catalog, x->source);
	struct entity *e = src ? catalog_entity(&st->catalog, feed_entity(st, src)) : NULL;
	if (!e) st->counts.unnamed++;
	if (!e || !(d->count > 0)) return;
	if (x->facts.role == ROLE_SERVER) served_add(st, x, e, d);
	if (x->facts.role == ROLE_CLIENT) called_add(st, x, e->index, d);
}

void feed_histogram(struct stream *st, const struct batch_histogram *h) {
	struct series *x = series_of(st, h->series);
	st->counts.histograms++;
	if (!x) return;
	int64_t at_ns = h->at.ns;
	bool timely = feed_time(st, &at_ns), changed;
	noted(catalog_source(&st->catalog, x->source), at_ns);
	if (h->no_value || x->kind < SERIES_HISTOGRAM_DELTA) return;
	if (x->facts.role != ROLE_SERVER && x->facts.role != ROLE_CLIENT) return;
	if (!series_bounds(x, h->bounds_le, h->bound_count, x->facts.scale, &changed)) {
		st->counts.bad++;
		return;
	}
	uint64_t counts[COUNTS_MAX];
	double seconds = h->sum, count = 0;
	for (uint32_t i = 0; i <= h->bound_count; i++) counts[i] = batch_u64(h->counts_le, i);
	struct settled s = settle_histogram(&x->settle, x->kind == SERIES_HISTOGRAM_CUMULATIVE, h->start,
	                                    (struct wall){ at_ns }, x->counts, counts, h->bound_count + 1, &seconds);
	if (!counted(st, &s) || !timely) return;
	for (uint32_t i = 0; i <= h->bound_count; i++) count += (double)counts[i];
	seconds *= x->facts.scale;
	if (!(seconds >= 0)) { /* not sent: by the buckets' middles */
		seconds = 0;
		for (uint32_t i = 0; i <= h->bound_count; i++)
			seconds += (double)counts[i] * bucket_middle(x->bounds, x->bound_count, i);
	}
	struct durations d = { .from_ns = s.from.ns < s.to.ns ? s.from.ns : s.to.ns - stream_slot_ns(st),
		                   .to_ns = s.to.ns,
		                   .counts = counts,
		                   .n = x->bound_count,
		                   .bounds = x->bounds,
		                   .count = count,
		                   .seconds = seconds,
		                   .failed = x->failed,
		                   .refused = x->refused,
		                   .operation = x->operation };
	histogram_use(st, x, &d);
}
