/* Telemetry that stops, and comes back; baselines that get ready. */
#include <math.h>

#include "observe/observer_in.h"

#define TELL_FACTOR 3.0
#define TELL_MIN_S  60.0 /* rare requests pause, too */
#define BEATS_MIN   6

static const struct sort {
	enum telemetry telemetry;
	uint32_t n;
	enum signal_kind signals[4];
} sorts[] = {
	{ TELEMETRY_SPANS, 3, { SIGNAL_RATE, SIGNAL_ERRORS, SIGNAL_DURATION } },
	{ TELEMETRY_METRICS, 2, { SIGNAL_CPU, SIGNAL_MEMORY } },
};

/* Of all sources of the entity, the newest word. */
static struct pulse newest(const struct observer *ob, const struct entity *e, enum telemetry t) {
	struct pulse p = { 0 };
	bool alive = false;
	for (uint32_t i = e->first_source; i != NONE;) {
		const struct source *s = catalog_source(&ob->stream->catalog, i);
		const struct pulse *x = &s->pulses[t];
		if (x->last_ns > p.last_ns) p = *x;
		alive = alive || (x->beats && !x->gone);
		i = s->next;
	}
	p.gone = !alive;
	return p;
}

/* How long it may be silent and mean nothing by it. Metrics come by a timer. Spans come when somebody asks: rare ones
 * at random, and of all the pauses of a budget's length, one in all may be longer than this by chance (gaps of a
 * Poisson process are exponential). `interval_s` of a pulse is the third quartile of its gaps, which is ln 4 of
 * their mean. */
static double patience_s(const struct observer *ob, const struct pulse *p, enum telemetry t) {
	double interval_s = p->interval_s > 0 ? p->interval_s : 10;
	if (t != TELEMETRY_SPANS) return fmax(TELL_FACTOR * interval_s, TELL_MIN_S);
	double mean_s = interval_s / log(4), pauses = watch_opts(ob).budget_s / mean_s;
	return fmax(mean_s * log(fmax(pauses, M_E)), TELL_MIN_S);
}

static bool silent(const struct observer *ob, const struct pulse *p, enum telemetry t) {
	int64_t since_ns = p->last_ns > ob->listening_ns ? p->last_ns : ob->listening_ns;
	return p->gone || (double)(ob->now_ns - since_ns) / 1e9 > patience_s(ob, p, t);
}

static void ready_tell(struct observer *ob, struct watch *w, const struct entity *e) {
	enum via v = watch_via(ob, e);
	if (!w->learning_told && v != VIAS) {
		w->learning_told = true;
		tell_model(ob, e->subject, "learning", "its requests were hardly seen yet; rules serve until they are", 0,
		           DURATION_READY_S);
	}
	if (w->ready_told || v == VIAS || !w->durations[v]) return;
	struct evidence_opts o = watch_opts(ob);
	if (!duration_judge(w->durations[v], &o).ready || !share_judge(w->shares[v], &o).ready) return;
	w->ready_told = true;
	tell_model(ob, e->subject, "ready", "rates, errors and durations are known well enough to judge by", 1, 0);
}

void stale_pass(struct observer *ob, struct watch *w) {
	const struct entity *e = entity_of(ob, w->entity);
	for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++) {
		const struct sort *s = &sorts[i];
		struct pulse p = newest(ob, e, s->telemetry);
		if (!w->stale[s->telemetry] && p.beats < BEATS_MIN) continue;
		bool now = silent(ob, &p, s->telemetry);
		if (now == w->stale[s->telemetry]) continue;
		w->stale[s->telemetry] = now;
		tell_stale(ob, e, s->signals, s->n, !now ? SIGNAL_VALUE : p.gone ? SIGNAL_ABSENT : SIGNAL_STALE, &p);
	}
	ready_tell(ob, w, e);
}
