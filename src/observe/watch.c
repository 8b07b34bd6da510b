/* Detectors of each entity: fed with what came, asked for their verdicts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "observe/observer_in.h"

#define FALSE_S       (7.0 * 86400) /* mean time between two false incidents of all that is watched here */
#define TESTS_MIN     60.0          /* a small shop is judged as one of fifteen services */
#define UNSAMPLED     1.5           /* weight of a span up to which traces tell of nearly every request */
#define CALM_SCORE    0.5
#define AFTER_NS      (30 * NS_PER_SEC) /* after trouble, before it learns again */
#define BLOCKED_NS    (1200 * NS_PER_SEC)
#define WINDOW_WAIT_S 90.0 /* a window is closed by then, whoever has not told */
#define SPANS_LATE_NS (300 * NS_PER_SEC)

/* One false incident a week: of n tests that may open one, each may be wrong once in n weeks (a bound, whether or not
 * they go together; Bonferroni). With 60 tests that is an alpha of 1/420 a day for each. */
struct evidence_opts watch_opts(const struct observer *ob) {
	return (struct evidence_opts){ .slot_ns = stream_slot_ns(ob->stream),
		                           .budget_s = FALSE_S * fmax(ob->tests, TESTS_MIN) };
}

struct watch *watch_get(const struct observer *ob, uint32_t entity) {
	return entity < ob->watch_cap ? ob->watches[entity] : NULL;
}

static bool watches_reach(struct observer *ob, uint32_t entity) {
	if (entity < ob->watch_cap) return true;
	uint32_t cap = ob->watch_cap ? ob->watch_cap : 32;
	while (cap <= entity) cap *= 2;
	struct watch **v = realloc(ob->watches, cap * sizeof *v);
	if (!v) return false;
	memset(v + ob->watch_cap, 0, (cap - ob->watch_cap) * sizeof *v);
	ob->watches = v;
	ob->watch_cap = cap;
	return true;
}

struct watch *watch_of(struct observer *ob, uint32_t entity) {
	if (!watches_reach(ob, entity)) return NULL;
	struct watch *w = ob->watches[entity];
	if (w) return w;
	w = calloc(1, sizeof *w);
	if (!w) return NULL;
	w->entity = entity;
	w->incident = NONE;
	for (int k = 0; k < SIGNAL_KINDS; k++) {
		w->findings[k].instance = NONE;
		w->findings[k].v =
			(struct verdict){ .value = NAN, .expected = NAN, .low = NAN, .high = NAN, .onset_sd_s = NAN };
	}
	return ob->watches[entity] = w;
}

void watch_free(struct watch *w) {
	if (!w) return;
	for (int v = 0; v < VIAS; v++) {
		if (w->durations[v]) duration_done(w->durations[v]);
		free(w->durations[v]), free(w->shares[v]), free(w->rates[v]);
	}
	free(w->lines);
	free(w);
}

/* ---- what may be learned from, what is judged by ---- */

/* What is off but never enough for an alarm becomes usual in the end. */
bool watch_quiet(const struct observer *ob, const struct watch *w) {
	if (w->incident != NONE) return false;
	return ob->now_ns >= w->quiet_ns || ob->now_ns - w->blocked_ns > BLOCKED_NS;
}

enum mood watch_mood(const struct observer *ob, const struct watch *w) {
	if (w->incident != NONE || ob->now_ns < w->trouble_ns) return MOOD_TROUBLE;
	return watch_quiet(ob, w) ? MOOD_QUIET : MOOD_UNSETTLED;
}

static void watch_unsettled(struct observer *ob, struct watch *w) {
	if (ob->now_ns >= w->quiet_ns) w->blocked_ns = ob->now_ns;
	w->quiet_ns = ob->now_ns + AFTER_NS;
}

enum via watch_via(const struct observer *ob, const struct entity *e) {
	const struct channel *spans = e->red[VIA_SPANS], *metrics = e->red[VIA_METRICS];
	bool by_spans = spans && spans->known;
	bool by_metrics = metrics && metrics->seen_total > 0;
	if (by_spans && by_metrics) {
		/* Spans come sooner. Metrics tell of all where only some requests leave spans, or none do any more. */
		bool fresh =
			ob->now_ns - e->last_ns < SPANS_LATE_NS && stream_slot(ob->stream, ob->now_ns) - spans->newest < SLOTS;
		return spans->weight <= UNSAMPLED && fresh ? VIA_SPANS : VIA_METRICS;
	}
	return by_spans ? VIA_SPANS : by_metrics ? VIA_METRICS : VIAS;
}

/* ---- findings ---- */

static bool crossed(const struct finding *f) {
	return f->v.score >= 1;
}

void finding_set(struct observer *ob, struct watch *w, enum signal_kind k, struct verdict v, uint32_t instance) {
	struct finding *f = &w->findings[k];
	f->v = v;
	f->instance = instance;
	f->told_ns = ob->now_ns;
	f->severity = severity_of(k, &v);
	if (v.score >= CALM_SCORE) watch_unsettled(ob, w);
	if (f->on && w->incident == NONE && v.score < CALM_SCORE / 2) f->on = f->told = false;
	if (!crossed(f)) return;
	if (!f->on) {
		f->on = true;
		f->on_ns = ob->now_ns;
		f->told = false;
	}
	if (!f->told) {
		f->told = true;
		ob->counts.anomalies++;
		tell_anomaly(ob, w, k);
	}
	incident_note(ob, w, k);
}

/* ---- requests ---- */

bool watch_detectors(struct watch *w, const struct channel *c) {
	enum via v = c->via;
	if (w->durations[v]) return true;
	struct duration *d = calloc(1, sizeof *d);
	struct share *s = calloc(1, sizeof *s);
	struct count *r = calloc(1, sizeof *r);
	if (!d || !s || !r || duration_init(d, c->bounds, c->bound_count)) {
		free(d), free(s), free(r);
		return false;
	}
	w->durations[v] = d;
	w->shares[v] = s;
	w->rates[v] = r;
	return true;
}

/* Its own word and its callers' are two tests of one signal: the one that says more speaks. */
static void requests_finding(struct observer *ob, struct watch *w, enum signal_kind k, enum via own) {
	struct evidence_opts o = watch_opts(ob);
	struct verdict best = { .score = -1 };
	enum via by = own;
	const enum via both[] = { own, VIA_CALLS };
	for (int i = 0; i < 2; i++) {
		enum via v = both[i];
		if (v == VIAS || !w->durations[v] || (i && own == VIA_CALLS)) continue;
		struct verdict x = k == SIGNAL_DURATION ? duration_judge(w->durations[v], &o) : share_judge(w->shares[v], &o);
		if (x.score <= best.score && (best.ready || !x.ready)) continue;
		best = x;
		by = v;
	}
	if (best.score < 0) return;
	struct finding *f = &w->findings[k];
	f->via = by;
	f->data_ns = f->via_ns[by];
	finding_set(ob, w, k, best, NONE);
}

static void requests_judge(struct observer *ob, struct watch *w, enum via own, enum via news, int64_t to_ns) {
	struct finding *fd = &w->findings[SIGNAL_DURATION], *fe = &w->findings[SIGNAL_ERRORS];
	if (to_ns > fd->via_ns[news]) fd->via_ns[news] = fe->via_ns[news] = to_ns;
	requests_finding(ob, w, SIGNAL_ERRORS, own);
	requests_finding(ob, w, SIGNAL_DURATION, own);
}

static void channel_news(struct observer *ob, struct channel *c) {
	struct watch *w = watch_of(ob, c->entity);
	struct entity *e = entity_of(ob, c->entity);
	if (!w || !e || !watch_detectors(w, c)) return;
	struct evidence_opts o = watch_opts(ob);
	const struct tally *y = &c->tally;
	enum mood mood = watch_mood(ob, w);
	duration_feed(w->durations[c->via], &o, y->counts, y->from_ns, y->to_ns, ob->stream->now_ns, mood);
	share_feed(w->shares[c->via], &o, y->seen, y->bad, y->from_ns, y->to_ns, ob->stream->now_ns, mood);
	double slow_s = duration_slow(w->durations[c->via]);
	c->slow_s = slow_s > 0 ? (float)slow_s : 0;
	enum via own = watch_via(ob, e);
	if (c->via == own || c->via == VIA_CALLS) requests_judge(ob, w, own, c->via, y->to_ns);
}

/* What the stream has let go: its number may be somebody else's from this batch on. */
static void gone_forget(struct observer *ob) {
	const struct catalog *c = &ob->stream->catalog;
	for (uint32_t i = 0; i < c->gone_entities.count; i++) {
		uint32_t entity = c->gone_entities.v[i];
		if (entity >= ob->watch_cap) continue;
		watch_free(ob->watches[entity]);
		ob->watches[entity] = NULL;
	}
	for (uint32_t i = 0; i < c->gone_edges.count; i++) usual_calls_forget(ob, c->gone_edges.v[i]);
}

void watch_news(struct observer *ob) {
	struct stream *st = ob->stream;
	gone_forget(ob);
	for (uint32_t i = 0; i < st->channel_count; i++) channel_news(ob, st->channels[i]);
	instance_news(ob);
}

/* ---- closed windows ---- */

/* Event time up to which windows may be closed: what every source has told, or long ago. */
static int64_t closed_until(const struct observer *ob, const struct entity *e, enum via v) {
	int64_t mark = stream_watermark(ob->stream, e->index, v, ob->now_ns);
	int64_t late = ob->now_ns - (int64_t)(WINDOW_WAIT_S * 1e9);
	if (e->kind != ENTITY_SERVICE || v == VIA_CALLS)
		mark = ob->now_ns - 2 * ob->o.settings.window_ns; /* told of by its callers */
	return mark > late ? mark : late;
}

static void rate_close(struct observer *ob, struct watch *w, struct channel *c, int64_t from_ns, int64_t to_ns) {
	struct evidence_opts o = watch_opts(ob);
	struct slot s = channel_sum(c, stream_slot(ob->stream, from_ns), stream_slot(ob->stream, to_ns - 1));
	count_feed(w->rates[c->via], &o, COUNT_DROP, (double)s.requests, from_ns, to_ns, ob->now_ns, watch_quiet(ob, w));
}

/* Who is asked less answers less: no fault of its own. Only what callers asked for and did not get is. */
static bool demand_fell(const struct observer *ob, const struct watch *w, enum via v, int64_t to_ns) {
	const struct catalog *c = &ob->stream->catalog;
	int64_t last = stream_slot(ob->stream, to_ns - 1), first = last - 3 * WINDOW_SLOT + 1;
	double asked = 0, usually = 0;
	for (uint32_t i = 0; i < c->edges.count; i++) {
		const struct edge *g = catalog_edge(c, i);
		const struct usual_calls *u = usual_calls_get(ob, i);
		if (!g || g->to != w->entity || g->from == w->entity) continue;
		asked += (double)edge_sum(g, first, last).calls;
		usually += u ? u->calls : 0;
	}
	double served = (double)channel_sum(entity_of(ob, w->entity)->red[v], first, last).seen;
	return usually > 0 && served >= 0.7 * asked;
}

static void rate_judge(struct observer *ob, struct watch *w, enum via v) {
	struct evidence_opts o = watch_opts(ob);
	struct verdict r = count_judge(w->rates[v], &o, COUNT_DROP);
	double window_s = (double)ob->o.settings.window_ns / 1e9;
	if (r.score >= 1 && demand_fell(ob, w, v, w->window_ns[v])) r.score = 0.99;
	r.value /= window_s, r.expected /= window_s, r.low /= window_s, r.high /= window_s;
	struct finding *f = &w->findings[SIGNAL_RATE];
	f->via = v;
	f->data_ns = w->rates[v]->last_ns; /* of the newest window that was told of, not that went by */
	finding_set(ob, w, SIGNAL_RATE, r, NONE);
}

static void window_close(struct observer *ob, struct watch *w, struct channel *c, int64_t from_ns, int64_t to_ns) {
	enum mood mood = watch_mood(ob, w);
	bool covered = c->via != VIA_CALLS && stream_covered(ob->stream, w->entity, c->via, from_ns, ob->now_ns);
	if (c->known && covered) rate_close(ob, w, c, from_ns, to_ns);
	duration_pass(w->durations[c->via], to_ns, mood);
	share_pass(w->shares[c->via], to_ns, mood);
	if (c->via == VIA_SPANS) usual_learn(ob, w, stream_slot(ob->stream, from_ns), stream_slot(ob->stream, to_ns - 1));
}

static void windows_close(struct observer *ob, struct watch *w, struct entity *e, enum via v) {
	struct channel *c = e->red[v];
	if (!c || !w->durations[v] || !c->first_ns) return;
	int64_t window_ns = ob->o.settings.window_ns, until = closed_until(ob, e, v);
	int64_t *at = &w->window_ns[v];
	int64_t oldest = until - until % window_ns - 6 * window_ns; /* after a pause: what nobody told of is not zero */
	if (!*at) *at = c->first_ns - c->first_ns % window_ns + window_ns;
	if (*at < oldest) *at = oldest;
	bool any = false;
	for (; *at + window_ns <= until; *at += window_ns, any = true) window_close(ob, w, c, *at, *at + window_ns);
	if (any && c->known && e->kind == ENTITY_SERVICE && watch_via(ob, e) == v) rate_judge(ob, w, v);
}

static void lines_close(struct observer *ob, struct watch *w, struct entity *e) {
	int64_t window_ns = ob->o.settings.window_ns, slot_ns = stream_slot_ns(ob->stream);
	if (!e->line_newest) return;
	if (!w->lines) w->lines = calloc(1, sizeof *w->lines);
	if (!w->lines) return;
	int64_t until = ob->now_ns - window_ns; /* logs come within seconds */
	if (!w->lines_ns || until - w->lines_ns > 6 * window_ns) w->lines_ns = until - until % window_ns - window_ns;
	struct evidence_opts o = watch_opts(ob);
	for (; w->lines_ns + window_ns <= until; w->lines_ns += window_ns) {
		double errors = 0;
		for (int64_t k = w->lines_ns / slot_ns; k < (w->lines_ns + window_ns) / slot_ns; k++)
			if (k <= e->line_newest && k > e->line_newest - SLOTS) errors += (double)e->lines[k % SLOTS].errors;
		count_feed(w->lines, &o, COUNT_SURGE, errors, w->lines_ns, w->lines_ns + window_ns, ob->now_ns,
		           watch_quiet(ob, w));
		w->findings[SIGNAL_LOGS].data_ns = w->lines_ns + window_ns;
		struct verdict v = count_judge(w->lines, &o, COUNT_SURGE);
		double window_s = (double)window_ns / 1e9;
		v.value /= window_s, v.expected /= window_s, v.low /= window_s, v.high /= window_s;
		finding_set(ob, w, SIGNAL_LOGS, v, NONE);
	}
}

/* Failures and durations of requests, as it tells of them itself and as its callers do; memory of each copy. */
static double tests_of(const struct observer *ob, const struct watch *w, const struct entity *e) {
	enum via own = watch_via(ob, e);
	double tests = own != VIAS && w->durations[own] ? 2 : 0;
	if (own != VIA_CALLS && w->durations[VIA_CALLS]) tests += 2;
	for (uint32_t n = e->first_instance; n != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, n);
		tests += !i->gone && i->gauges[GAUGE_MEMORY].at_ns > 0;
		n = i->next;
	}
	return tests;
}

void watch_pass(struct observer *ob) {
	double tests = 0;
	for (uint32_t i = 0; i < ob->watch_cap; i++) {
		struct watch *w = ob->watches[i];
		struct entity *e = entity_of(ob, i);
		if (!w || !e) continue;
		for (int v = 0; v < VIAS; v++) windows_close(ob, w, e, (enum via)v);
		lines_close(ob, w, e);
		tests += tests_of(ob, w, e);
		if (e->kind != ENTITY_SERVICE) continue;
		instance_pass(ob, w);
		stale_pass(ob, w);
	}
	ob->tests = tests;
}
