/* The stream's state as one codec record, "FBST" version 3: what there is, the slots of the last two
 * minutes, the last points of every series. Objects keep their numbers, so that whoever refers to
 * them by number (the observer) still does. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stream/feed.h"

#define VERSION         3 /* 2: without operations and refusals; 1: without long subjects */
#define SLOT_NUMBER_MAX (INT64_C(1) << 60)

static void put_bool(struct enc *e, bool b) {
	enc_u8(e, b);
}
static bool get_bool(struct dec *d) {
	return dec_u8(d) != 0;
}

static void put_workload(struct enc *e, const struct workload *w) {
	enc_str(e, w->namespace_), enc_str(e, w->kind), enc_str(e, w->name);
}
static void get_workload(struct dec *d, struct workload *w) {
	text_set(&w->namespace_, dec_str(d)), text_set(&w->kind, dec_str(d)), text_set(&w->name, dec_str(d));
}

static void put_pulse(struct enc *e, const struct pulse *p) {
	enc_i64(e, p->last_ns), enc_i64(e, p->at_ns), enc_f64(e, p->interval_s), enc_i64(e, p->beats),
		enc_i64(e, p->since_ns), put_bool(e, p->gone);
}
static void get_pulse(struct dec *d, struct pulse *p) {
	p->last_ns = dec_i64(d), p->at_ns = dec_i64(d), p->interval_s = dec_f64(d), p->beats = dec_i64(d),
	p->since_ns = dec_i64(d), p->gone = get_bool(d);
}

/* Rings of floats: only places that hold something. */
static void put_ring(struct enc *e, const void *slots, size_t floats, int64_t newest) {
	const float *v = slots;
	uint8_t used = 0;
	for (int k = 0; k < SLOTS; k++) used = (uint8_t)(used + (v[(size_t)k * floats] != 0));
	enc_i64(e, newest);
	enc_u8(e, used);
	for (int k = 0; k < SLOTS; k++) {
		const float *s = v + (size_t)k * floats;
		if (s[0] == 0) continue;
		enc_u8(e, (uint8_t)k);
		enc_f32s(e, s, floats);
	}
}
/* `there`: of the `floats` of a place, how many were saved. */
static int64_t get_ring(struct dec *d, void *slots, size_t floats, size_t there) {
	float *v = slots;
	int64_t newest = dec_i64(d);
	if ((newest < 0 || newest > SLOT_NUMBER_MAX) && !d->err) d->err = ERR_CORRUPT;
	for (int n = dec_u8(d); n > 0; n--) {
		float *s = v + (size_t)(dec_u8(d) % SLOTS) * floats;
		for (size_t i = 0; i < there; i++) s[i] = dec_f32(d);
	}
	return d->err ? 0 : newest;
}
#define FLOATS(type) (sizeof(type) / sizeof(float))

/* ---- channels ---- */

static void put_channel(struct enc *e, const struct channel *c) {
	put_bool(e, c != NULL);
	if (!c) return;
	enc_u32(e, c->bound_count);
	enc_f32s(e, c->bounds, c->bound_count);
	put_ring(e, c->slots, FLOATS(struct slot), c->newest);
	put_bool(e, c->known), enc_f64(e, c->weight), enc_f32(e, c->slow_s);
	enc_i64(e, c->first_ns), enc_i64(e, c->seen_total);
	mix_save(&c->mix, e);
}

static bool get_channel(struct dec *d, struct entity *x, enum via via) {
	float bounds[BOUNDS_MAX];
	if (!get_bool(d)) return true;
	uint32_t n = dec_u32(d);
	if (n > BOUNDS_MAX) return false;
	for (uint32_t i = 0; i < n; i++) bounds[i] = dec_f32(d);
	struct channel *c = channel_open(x->index, via, bounds, n);
	if (!c) return false;
	x->red[via] = c;
	c->newest = get_ring(d, c->slots, FLOATS(struct slot), FLOATS(struct slot) - (d->version < 3));
	c->known = get_bool(d), c->weight = dec_f64(d), c->slow_s = dec_f32(d);
	c->first_ns = dec_i64(d), c->seen_total = dec_i64(d);
	if (d->version > 2) mix_load(&c->mix, d);
	return true;
}

/* ---- objects ---- */

static void put_entity(struct enc *e, const struct entity *x) {
	enc_u8(e, (uint8_t)x->kind), enc_str(e, x->service_namespace), enc_str(e, x->own_name);
	put_bool(e, catalog_subject_long(x));
	enc_str(e, x->region), put_workload(e, &x->workload), put_bool(e, x->workload_differs);
	for (int v = 0; v < VIAS; v++) put_channel(e, x->red[v]);
	for (int k = 0; k < SIGNAL_KINDS; k++) put_pulse(e, &x->pulses[k]);
	for (int i = 0; i < EXAMPLES; i++) {
		enc_bytes(e, x->examples[i].trace, sizeof x->examples[i].trace);
		enc_i64(e, x->examples[i].at_ns), put_bool(e, x->examples[i].failed);
	}
	enc_u32(e, x->example_next);
	put_ring(e, x->lines, FLOATS(struct line_slot), x->line_newest);
	for (int h = 0; h < HINTS; h++) enc_i64(e, x->hint_ns[h]);
	enc_i64(e, x->first_ns), enc_i64(e, x->last_ns);
}

static bool get_entity(struct stream *st, struct dec *d) {
	uint8_t kind = dec_u8(d);
	struct str namespace_ = dec_str(d), name = dec_str(d);
	if (d->err || kind >= ENTITY_KINDS) return false;
	struct entity *x = catalog_get_entity(&st->catalog, (enum entity_kind)kind, namespace_, name, 0);
	if (!x || (d->version > 1 && !catalog_restore_subject(x, get_bool(d)))) return false;
	text_set(&x->region, dec_str(d));
	get_workload(d, &x->workload);
	x->workload_differs = get_bool(d);
	for (int v = 0; v < VIAS; v++)
		if (!get_channel(d, x, (enum via)v)) return false;
	for (int k = 0; k < SIGNAL_KINDS; k++) get_pulse(d, &x->pulses[k]);
	for (int i = 0; i < EXAMPLES; i++) {
		dec_bytes(d, x->examples[i].trace, sizeof x->examples[i].trace);
		x->examples[i].at_ns = dec_i64(d), x->examples[i].failed = get_bool(d);
	}
	x->example_next = dec_u32(d);
	x->line_newest = get_ring(d, x->lines, FLOATS(struct line_slot), FLOATS(struct line_slot));
	for (int h = 0; h < HINTS; h++) x->hint_ns[h] = dec_i64(d);
	x->first_ns = dec_i64(d), x->last_ns = dec_i64(d);
	return true;
}

static void put_gauge(struct enc *e, const struct gauge *g) {
	enc_f64(e, g->value), enc_f64(e, g->limit), enc_f64(e, g->own_limit), put_bool(e, g->share);
	enc_i64(e, g->at_ns), enc_i64(e, g->sum_at_ns), enc_u8(e, g->rank), enc_i64(e, g->rank_ns);
}
static void get_gauge(struct dec *d, struct gauge *g) {
	g->value = dec_f64(d), g->limit = dec_f64(d), g->own_limit = dec_f64(d), g->share = get_bool(d);
	g->at_ns = dec_i64(d), g->sum_at_ns = dec_i64(d), g->rank = dec_u8(d), g->rank_ns = dec_i64(d);
}

static void put_instance(struct enc *e, const struct instance *x) {
	enc_str(e, x->uid), enc_u32(e, x->entity);
	enc_str(e, x->namespace_), enc_str(e, x->name), enc_str(e, x->node), enc_str(e, x->reason),
		put_workload(e, &x->workload);
	for (int g = 0; g < GAUGES; g++) put_gauge(e, &x->gauges[g]);
	put_ring(e, x->parts, FLOATS(struct part), x->part_newest);
	put_bool(e, x->pod), put_bool(e, x->told), put_bool(e, x->ready), put_bool(e, x->gone), put_bool(e, x->was_ready);
	enc_u32(e, x->restarts), enc_u32(e, x->wanted);
	enc_i64(e, x->ready_ns), enc_i64(e, x->unready_ns), enc_i64(e, x->restarted_ns), enc_i64(e, x->gone_ns);
	enc_i64(e, x->first_ns), enc_i64(e, x->last_ns), enc_i64(e, x->served_ns);
}

static bool get_instance(struct stream *st, struct dec *d) {
	struct instance *x = catalog_get_instance(&st->catalog, dec_str(d), 0);
	if (!x) return false;
	catalog_own_instance(&st->catalog, x, dec_u32(d));
	text_set(&x->namespace_, dec_str(d)), text_set(&x->name, dec_str(d)), text_set(&x->node, dec_str(d));
	text_set(&x->reason, dec_str(d));
	get_workload(d, &x->workload);
	for (int g = 0; g < GAUGES; g++) get_gauge(d, &x->gauges[g]);
	x->part_newest = get_ring(d, x->parts, FLOATS(struct part), FLOATS(struct part));
	x->pod = get_bool(d), x->told = get_bool(d), x->ready = get_bool(d), x->gone = get_bool(d),
	x->was_ready = get_bool(d);
	x->restarts = dec_u32(d), x->wanted = dec_u32(d);
	x->ready_ns = dec_i64(d), x->unready_ns = dec_i64(d), x->restarted_ns = dec_i64(d), x->gone_ns = dec_i64(d);
	x->first_ns = dec_i64(d), x->last_ns = dec_i64(d), x->served_ns = dec_i64(d);
	return true;
}

static void put_source(struct enc *e, const struct source *x) {
	enc_bytes(e, x->key.b, sizeof x->key.b), enc_u32(e, x->entity), enc_u32(e, x->instance), enc_i64(e, x->last_ns);
	for (int t = 0; t < TELEMETRIES; t++) put_pulse(e, &x->pulses[t]);
}

static bool get_source(struct stream *st, struct dec *d) {
	struct hash128 key;
	bool fresh;
	dec_bytes(d, key.b, sizeof key.b);
	struct source *x = d->err ? NULL : catalog_get_source(&st->catalog, key, &fresh, 0);
	if (!x || !fresh) return false;
	catalog_own_source(&st->catalog, x, dec_u32(d));
	x->instance = dec_u32(d);
	if (!catalog_instance(&st->catalog, x->instance)) x->instance = NONE;
	x->last_ns = dec_i64(d);
	for (int t = 0; t < TELEMETRIES; t++) get_pulse(d, &x->pulses[t]);
	return true;
}

static void put_edge(struct enc *e, const struct edge *x) {
	enc_u32(e, x->from), enc_u8(e, (uint8_t)x->kind), enc_str(e, x->address), enc_u32(e, x->to);
	put_ring(e, x->slots, FLOATS(struct edge_slot), x->newest);
	enc_f64(e, x->calls), enc_f64(e, x->joined), enc_i64(e, x->first_ns), enc_i64(e, x->last_ns);
}

static bool get_edge(struct stream *st, struct dec *d) {
	uint32_t from = dec_u32(d);
	uint8_t kind = dec_u8(d);
	struct str address = dec_str(d);
	uint32_t to = dec_u32(d);
	if (d->err || kind > EDGE_CONSUME || !catalog_entity(&st->catalog, from)) return false;
	if (to != NONE && !catalog_entity(&st->catalog, to)) return false;
	struct edge *x = catalog_get_edge(&st->catalog, from, (enum edge_kind)kind, address, to, 0);
	if (!x) return false;
	x->to = to;
	x->newest = get_ring(d, x->slots, FLOATS(struct edge_slot), FLOATS(struct edge_slot));
	x->calls = dec_f64(d), x->joined = dec_f64(d), x->first_ns = dec_i64(d), x->last_ns = dec_i64(d);
	return true;
}

/* ---- series ---- */

static void put_series(struct enc *e, const struct series *x) {
	enc_bytes(e, x->id.h.b, sizeof x->id.h.b), enc_u32(e, x->source), enc_u8(e, (uint8_t)x->kind);
	enc_u8(e, (uint8_t)x->facts.role), enc_u8(e, x->facts.rank), put_bool(e, x->facts.share),
		enc_f64(e, x->facts.scale);
	put_bool(e, x->failed), put_bool(e, x->refused), enc_u64(e, x->operation);
	enc_u32(e, x->edge), enc_i64(e, x->last_ns);
	enc_i64(e, x->settle.start_ns), enc_f64(e, x->settle.value);
	for (int i = 0; i < SETTLE_TIMES; i++) enc_i64(e, x->settle.at_ns[i]);
	put_bool(e, x->counts != NULL);
	if (!x->counts) return;
	enc_u32(e, x->bound_count);
	enc_f32s(e, x->bounds, x->bound_count);
	for (uint32_t i = 0; i <= x->bound_count; i++) enc_u64(e, x->counts[i]);
}

static bool get_counts(struct dec *d, struct series *x) {
	if (!get_bool(d)) return true;
	uint32_t n = dec_u32(d);
	if (d->err || n > BOUNDS_MAX) return false;
	x->bounds = calloc(n + 1, sizeof *x->bounds);
	x->counts = calloc(n + 1, sizeof *x->counts);
	if (!x->bounds || !x->counts) return false;
	x->bound_count = n;
	for (uint32_t i = 0; i < n; i++) x->bounds[i] = dec_f32(d);
	for (uint32_t i = 0; i <= n; i++) x->counts[i] = dec_u64(d);
	return true;
}

static bool get_series(struct stream *st, struct dec *d) {
	struct series_id id;
	dec_bytes(d, id.h.b, sizeof id.h.b);
	if (d->err || series_find(st->series, id) != INDEX_NONE) return false;
	uint32_t at = series_add(st->series, id);
	if (at == INDEX_NONE) return false;
	struct series *x = st->series->v[at];
	x->source = dec_u32(d), x->kind = (enum series_kind)dec_u8(d);
	x->facts.role = (enum role)dec_u8(d), x->facts.rank = dec_u8(d), x->facts.share = get_bool(d);
	x->facts.scale = dec_f64(d);
	x->failed = get_bool(d);
	if (d->version > 2) x->refused = get_bool(d), x->operation = dec_u64(d);
	x->edge = dec_u32(d), x->last_ns = dec_i64(d);
	x->settle.start_ns = dec_i64(d), x->settle.value = dec_f64(d);
	for (int i = 0; i < SETTLE_TIMES; i++) x->settle.at_ns[i] = dec_i64(d);
	if (x->kind > SERIES_HISTOGRAM_CUMULATIVE || x->facts.role > ROLE_MEMORY_LIMIT) return false;
	return get_counts(d, x);
}

/* ---- changes ---- */

static void put_change(struct enc *e, const struct change *x) {
	enc_u32(e, x->entity), enc_i64(e, x->at.ns), put_workload(e, &x->workload);
	enc_str(e, x->kind), enc_str(e, x->by), enc_str(e, x->revision);
}
static void get_change(struct dec *d, struct change *x) {
	x->entity = dec_u32(d), x->at.ns = dec_i64(d);
	get_workload(d, &x->workload);
	text_set(&x->kind, dec_str(d)), text_set(&x->by, dec_str(d)), text_set(&x->revision, dec_str(d));
}

/* ---- the whole ---- */

#define PUT_TABLE(e, t, type, put)                                                \
	do {                                                                          \
		uint32_t live_ = 0;                                                       \
		for (uint32_t i_ = 0; i_ < (t)->count; i_++) live_ += (t)->v[i_] != NULL; \
		enc_u32(e, live_);                                                        \
		for (uint32_t i_ = 0; i_ < (t)->count; i_++) {                            \
			if (!(t)->v[i_]) continue;                                            \
			enc_u32(e, i_);                                                       \
			put(e, (t)->v[i_]);                                                   \
		}                                                                         \
	} while (0)

void stream_save(const struct stream *st, struct buf *out) {
	struct enc e = enc_begin(out, "FBST", VERSION);
	const struct catalog *c = &st->catalog;
	enc_i64(&e, st->opts.window_ns), enc_i64(&e, st->now_ns), enc_i64(&e, st->swept_ns);
	PUT_TABLE(&e, &c->entities, struct entity, put_entity);
	PUT_TABLE(&e, &c->instances, struct instance, put_instance);
	PUT_TABLE(&e, &c->sources, struct source, put_source);
	PUT_TABLE(&e, &c->edges, struct edge, put_edge);
	PUT_TABLE(&e, st->series, struct series, put_series);
	uint32_t changes = st->change_count < CHANGES ? st->change_count : CHANGES;
	enc_u32(&e, changes);
	for (uint32_t k = changes; k-- > 0;) put_change(&e, stream_change(st, k));
	enc_end(&e);
}

static bool get_table(struct stream *st, struct dec *d, enum catalog_table which,
                      bool (*get)(struct stream *, struct dec *)) {
	for (uint32_t n = dec_u32(d); n > 0 && !d->err; n--) {
		uint32_t at = dec_u32(d);
		if (d->err || !catalog_restore_at(&st->catalog, which, at) || !get(st, d)) return false;
	}
	return !d->err;
}

static bool get_all(struct stream *st, struct dec *d) {
	bool ok = get_table(st, d, CATALOG_ENTITIES, get_entity) && get_table(st, d, CATALOG_INSTANCES, get_instance) &&
	          get_table(st, d, CATALOG_SOURCES, get_source) && get_table(st, d, CATALOG_EDGES, get_edge);
	catalog_restored(&st->catalog);
	for (uint32_t n = ok ? dec_u32(d) : 0; n > 0 && ok; n--) {
		dec_u32(d); /* series are found by identity alone */
		ok = !d->err && get_series(st, d);
	}
	uint32_t changes = ok ? dec_u32(d) : 0;
	if (changes > CHANGES) return false;
	for (uint32_t i = 0; i < changes && !d->err; i++) get_change(d, &st->changes[st->change_count++ % CHANGES]);
	return ok && !d->err;
}

enum err stream_load(struct stream *st, struct str bytes, struct str *rest, struct why *why) {
	struct dec d;
	enum err e = dec_begin(&d, bytes, "FBST", VERSION, rest, why);
	if (e) return e;
	int64_t window_ns = dec_i64(&d);
	st->now_ns = dec_i64(&d), st->swept_ns = dec_i64(&d);
	if (window_ns != st->opts.window_ns)
		return why_set(why, ERR_INVALID, "record 'FBST': saved with windows of %lld s, configured are %lld s",
		               (long long)(window_ns / NS_PER_SEC), (long long)(st->opts.window_ns / NS_PER_SEC));
	if (!get_all(st, &d)) return why_set(why, ERR_CORRUPT, "record 'FBST': an object in it makes no sense");
	e = dec_end(&d);
	return e ? why_set(why, e, "record 'FBST': it does not end where it should") : OK;
}
