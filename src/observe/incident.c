/* Findings become incidents: one cascade is one incident. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "observe/observer_in.h"

#define HOPS            3 /* along calls, over which trouble is taken for one */
#define CONVINCED_NS    (60 * NS_PER_SEC)
#define CONVINCED_NATS  2.0
#define SEEN_AFTER      2   /* requests; one alone may be the last of its kind */
#define RULE_BACK       0.5 /* of a rule's boundary: so far below it must be, since nothing tells chance from it */
#define FIT_NS          (20 * NS_PER_SEC)
#define UNSETTLED_NS    (60 * NS_PER_SEC)
#define UNSETTLED_SCORE 2.0
#define AT_ONCE_NS      (15 * NS_PER_SEC)
#define RECENT_NS       (90 * NS_PER_SEC) /* anomalies this far apart belong together */
#define SETTLED_NS      (20 * NS_PER_SEC) /* after this, trouble that its cause does not explain is another one */

/* ---- how grave ---- */

static double between(double x, double low, double high) {
	return fmin(fmax((x - low) / (high - low), 0), 1);
}

/* In [0,1], by what people feel of it: failures and waiting most, what may come of it less. */
double severity_of(enum signal_kind k, const struct verdict *v) {
	if (v->score < 1) return 0;
	switch (k) {
	case SIGNAL_ERRORS: return 0.55 + 0.4 * between(v->value - v->expected, 0, 0.3);
	case SIGNAL_DURATION: return 0.55 + 0.35 * between(log(fmax(v->value, 1e-9) / fmax(v->expected, 1e-9)), 0, log(10));
	case SIGNAL_RATE: return 0.35 + 0.25 * between(1 - v->value / fmax(v->expected, 1e-9), 0.6, 0.95);
	case SIGNAL_MEMORY: return 0.55;
	case SIGNAL_CPU: return 0.25;
	case SIGNAL_READY: return 0.55 + 0.4 * between(1 - v->value, 0, 1);
	case SIGNAL_RESTARTS: return 0.55;
	case SIGNAL_LOGS: return 0.3;
	default: return 0;
	}
}

static double join_severity(double a, double b) {
	return 1 - (1 - a) * (1 - b);
}

struct incident *incident_at(const struct observer *ob, uint32_t index) {
	struct incident *in = index < INCIDENTS_MAX ? (struct incident *)&ob->incidents[index] : NULL;
	return in && in->state == INCIDENT_OPEN ? in : NULL;
}

bool incident_any_open(const struct observer *ob) {
	for (int i = 0; i < INCIDENTS_MAX; i++)
		if (ob->incidents[i].state == INCIDENT_OPEN) return true;
	return false;
}

/* ---- who belongs together ---- */

static bool member(const struct incident *in, uint32_t entity) {
	for (uint32_t i = 0; i < in->member_count; i++)
		if (in->members[i] == entity) return true;
	return false;
}

/* Whether calls lead from `from` to `to` within some hops. */
static bool leads_to(const struct observer *ob, uint32_t from, uint32_t to, int hops) {
	const struct entity *e = entity_of(ob, from);
	for (uint32_t i = e ? e->first_edge : NONE; i != NONE;) {
		const struct edge *g = catalog_edge(&ob->stream->catalog, i);
		if (g->to == to) return true;
		if (hops > 1 && g->to != NONE && g->to != from && leads_to(ob, g->to, to, hops - 1)) return true;
		i = g->next;
	}
	return false;
}

static bool share_caller(const struct observer *ob, uint32_t a, uint32_t b) {
	for (uint32_t i = 0; i < ob->stream->catalog.entities.count; i++)
		if (leads_to(ob, i, a, 1) && leads_to(ob, i, b, 1)) return true;
	return false;
}

/* It began when the incident did, as near as both are known: what they share made it. */
static bool at_once(const struct observer *ob, const struct incident *in, uint32_t entity) {
	const struct watch *w = watch_get(ob, entity);
	for (int k = 0; w && k < SIGNAL_KINDS; k++) {
		const struct finding *f = &w->findings[k];
		if (f->on && f->v.onset_ns && llabs(f->v.onset_ns - in->onset_ns) < AT_ONCE_NS) return true;
	}
	return false;
}

/* A caller of what is wrong is part of the cascade; so is, while the cause is open, whoever is called. */
static bool belongs(const struct observer *ob, const struct incident *in, uint32_t entity) {
	if (member(in, entity)) return true;
	bool settled = in->cause != NONE && ob->now_ns - in->opened_ns > SETTLED_NS;
	if (settled) return leads_to(ob, entity, in->cause, HOPS);
	for (uint32_t i = 0; i < in->member_count; i++) {
		if (leads_to(ob, entity, in->members[i], HOPS) || leads_to(ob, in->members[i], entity, HOPS)) return true;
		if (at_once(ob, in, entity) && share_caller(ob, entity, in->members[i])) return true;
	}
	return false;
}

/* ---- symptoms ---- */

void incident_hold(const struct observer *ob, uint32_t entity, int by) {
	struct entity *e = entity_of(ob, entity);
	if (e) e->holds += (uint32_t)by;
}

void incident_forget(const struct observer *ob, struct incident *in) {
	for (uint32_t i = 0; i < in->member_count; i++) incident_hold(ob, in->members[i], -1);
	for (uint32_t i = 0; i < in->symptom_count; i++) incident_hold(ob, in->symptoms[i].entity, -1);
	incident_hold(ob, in->cause, -1);
	*in = (struct incident){ .state = INCIDENT_FREE, .cause = NONE };
}

static void member_add(struct observer *ob, struct incident *in, struct watch *w) {
	w->incident = (uint32_t)(in - ob->incidents);
	if (member(in, w->entity) || in->member_count == MEMBERS_MAX) return;
	in->members[in->member_count++] = w->entity;
	incident_hold(ob, w->entity, +1);
}

static struct symptom *symptom_find(struct incident *in, uint32_t entity, enum signal_kind k, enum via via) {
	for (uint32_t i = 0; i < in->symptom_count; i++) {
		struct symptom *s = &in->symptoms[i];
		if (s->entity == entity && s->signal == k && s->via == via) return s;
	}
	return NULL;
}

static const struct evidence *evidence_of(const struct watch *w, const struct symptom *s) {
	if (s->signal == SIGNAL_DURATION && w->durations[s->via]) return &w->durations[s->via]->evidence;
	if (s->signal == SIGNAL_ERRORS && w->shares[s->via]) return &w->shares[s->via]->evidence;
	if (s->signal == SIGNAL_RATE && w->rates[s->via]) return &w->rates[s->via]->evidence;
	if (s->signal == SIGNAL_LOGS && w->lines) return &w->lines->evidence;
	return NULL;
}

/* While it is fresh, the alternative that fits best is learned: against it «in band again» is weighed. */
static void symptom_fit(const struct observer *ob, const struct watch *w, struct symptom *s) {
	const struct evidence *ev = evidence_of(w, s);
	struct evidence_opts o = watch_opts(ob);
	if (ev && ob->now_ns - s->on_ns < FIT_NS) s->first.which = evidence_strongest(ev, &o, s->first.onset_ns);
}

static void symptom_add(struct observer *ob, struct incident *in, struct watch *w, enum signal_kind k) {
	const struct finding *f = &w->findings[k];
	struct symptom *s = symptom_find(in, w->entity, k, f->via);
	if (s) {
		if (s->back) s->back = false, s->in_band_ns = 0;
		symptom_fit(ob, w, s);
		return;
	}
	if (in->symptom_count == SYMPTOMS_MAX) return;
	in->symptoms[in->symptom_count++] = (struct symptom){
		.entity = w->entity, .instance = f->instance, .via = f->via, .signal = k, .first = f->v, .on_ns = ob->now_ns
	};
	struct symptom *fresh = &in->symptoms[in->symptom_count - 1];
	incident_hold(ob, w->entity, +1);
	symptom_fit(ob, w, fresh);
	fresh->binding = f->severity >= ob->o.settings.incident_severity;
	in->severity = join_severity(in->severity, f->severity);
	ob->keep_wanted++;
}

/* ---- opening ---- */

static struct incident *place(struct observer *ob) {
	struct incident *oldest = NULL;
	for (int i = 0; i < INCIDENTS_MAX; i++) {
		struct incident *in = &ob->incidents[i];
		if (in->state == INCIDENT_FREE) return in;
		if (in->state == INCIDENT_OPEN) continue;
		if (!oldest || in->resolved_ns < oldest->resolved_ns) oldest = in;
	}
	return oldest;
}

/* The id follows from what it is about, so that a batch that is read twice opens it once. */
static void id_make(const struct observer *ob, const struct watch *w, enum signal_kind k, char *out) {
	char text[400];
	const struct entity *e = entity_of(ob, w->entity);
	size_t n = e->subject.n < 300 ? e->subject.n : 300;
	memcpy(text, e->subject.p, n);
	text[n++] = (char)k;
	memcpy(text + n, &w->findings[k].v.delivered_ns, 8);
	struct rng rng = rng_seeded(hash64((struct str){ text, n + 8 }) ^ ob->o.shard);
	ulid_make((struct wall){ ob->stream->now_ns }, &rng, out);
}

static const struct incident *followed(const struct observer *ob, const struct watch *w) {
	for (int i = 0; i < INCIDENTS_MAX; i++) {
		const struct incident *in = &ob->incidents[i];
		if (in->state == INCIDENT_RESOLVED_LATELY && ob->now_ns - in->resolved_ns < REOPEN_NS && member(in, w->entity))
			return in;
	}
	return NULL;
}

/* Everything near that is out of band by now comes along; weak signals give the severity too. */
static void gather(struct observer *ob, struct incident *in) {
	bool grew = true;
	while (grew) {
		grew = false;
		for (uint32_t i = 0; i < ob->watch_cap; i++) {
			struct watch *w = ob->watches[i];
			if (!w || w->incident != NONE || !belongs(ob, in, i)) continue;
			for (int k = 0; k < SIGNAL_KINDS; k++) {
				struct finding *f = &w->findings[k];
				if (!f->on || ob->now_ns - f->told_ns > RECENT_NS) continue;
				member_add(ob, in, w);
				symptom_add(ob, in, w, (enum signal_kind)k);
				grew = true;
			}
		}
	}
}

static bool binding(const struct incident *in) {
	for (uint32_t i = 0; i < in->symptom_count; i++)
		if (in->symptoms[i].binding) return true;
	return false;
}

/* Of the signals that are grave enough alone; weak ones have a past of their own. */
static void times_of(struct incident *in) {
	bool any = binding(in);
	in->onset_ns = in->delivered_ns = 0;
	for (uint32_t i = 0; i < in->symptom_count; i++) {
		const struct verdict *v = &in->symptoms[i].first;
		if (any && !in->symptoms[i].binding) continue;
		if (v->onset_ns && (!in->onset_ns || v->onset_ns < in->onset_ns)) in->onset_ns = v->onset_ns;
		if (v->delivered_ns && (!in->delivered_ns || v->delivered_ns < in->delivered_ns))
			in->delivered_ns = v->delivered_ns;
	}
}

static void incident_open(struct observer *ob, struct watch *w, enum signal_kind k) {
	if (!publish_room(ob)) return;
	const struct incident *before = followed(ob, w);
	char id_before[ULID_LEN + 1] = "";
	if (before) memcpy(id_before, before->id, sizeof id_before);
	struct incident *in = place(ob);
	if (!in) return; /* every place is an open incident: shed, and the anomaly was told */
	if (in->state != INCIDENT_FREE) incident_forget(ob, in);
	*in = (struct incident){ .state = INCIDENT_OPEN, .opened_ns = ob->now_ns, .cause = NONE, .none = true };
	memcpy(in->before, id_before, sizeof id_before);
	id_make(ob, w, k, in->id);
	member_add(ob, in, w);
	for (int s = 0; s < SIGNAL_KINDS; s++)
		if (w->findings[s].on) symptom_add(ob, in, w, (enum signal_kind)s);
	gather(ob, in);
	times_of(in);
	in->look_ns = ob->now_ns + REPORT_FROM_NS;
	ob->counts.incidents++;
	tell_opened(ob, in);
}

static double severity_here(const struct observer *ob, const struct watch *w) {
	double severity = 0;
	for (int k = 0; k < SIGNAL_KINDS; k++) {
		const struct finding *f = &w->findings[k];
		if (f->on && ob->now_ns - f->told_ns < RECENT_NS) severity = join_severity(severity, f->severity);
	}
	return severity;
}

/* Just after trouble, or while copies are replaced, caches are cold and the last slow requests come in: it
 * takes more to open an incident. */
static bool unsettled(const struct observer *ob, const struct watch *w) {
	const struct incident *before = followed(ob, w);
	if (before && ob->now_ns - before->resolved_ns < UNSETTLED_NS) return true;
	const struct entity *e = entity_of(ob, w->entity);
	return e->kind == ENTITY_SERVICE && instance_replacing(ob, e);
}

void incident_note(struct observer *ob, struct watch *w, enum signal_kind k) {
	struct incident *in = incident_at(ob, w->incident);
	for (uint32_t i = 0; i < INCIDENTS_MAX && !in; i++) {
		struct incident *x = incident_at(ob, i);
		if (x && belongs(ob, x, w->entity)) in = x;
	}
	if (in) {
		if (w->incident == NONE) {
			member_add(ob, in, w);
			ob->counts.joined++;
		}
		symptom_add(ob, in, w, k);
		return;
	}
	if (unsettled(ob, w) && w->findings[k].v.score < UNSETTLED_SCORE) return;
	if (severity_here(ob, w) >= ob->o.settings.incident_severity) incident_open(ob, w, k);
}

/* ---- ending ---- */

/* Two exports of that signal where it comes slowly, else ten seconds. */
static int64_t hold_ns(const struct observer *ob, const struct symptom *s) {
	const struct entity *e = entity_of(ob, s->entity);
	double interval_s = e->pulses[s->signal].interval_s;
	bool requests = s->signal == SIGNAL_RATE || s->signal == SIGNAL_ERRORS || s->signal == SIGNAL_DURATION;
	if (s->via == VIA_CALLS) return IN_BAND_NS; /* callers tell, each in its own time */
	if (requests && e->kind == ENTITY_SERVICE) interval_s = stream_interval(ob->stream, s->entity, s->via);
	int64_t two_ns = (int64_t)(2 * fmin(interval_s, 120) * 1e9);
	return two_ns > IN_BAND_NS ? two_ns : IN_BAND_NS;
}

/* Event time up to which the signal's values have come. */
static int64_t heard_until(const struct observer *ob, const struct symptom *s, const struct finding *f) {
	const struct entity *e = entity_of(ob, s->entity);
	bool requests = s->signal == SIGNAL_ERRORS || s->signal == SIGNAL_DURATION;
	int64_t data_ns = requests ? f->via_ns[s->via] : f->data_ns;
	if (!requests || e->kind != ENTITY_SERVICE || s->via == VIA_CALLS) return data_ns;
	int64_t mark = stream_watermark(ob->stream, s->entity, s->via, ob->now_ns);
	return mark < data_ns + NS_PER_SEC * 2 ? mark : data_ns;
}

/* Nothing was known yet of what is usual: there is no evidence against it either, and the rule that told of it says
 * when it is over. */
static bool by_rule(const struct watch *w, const struct symptom *s) {
	return evidence_of(w, s) && !s->first.ready;
}

/* Since when it has been in band; 0: it is not, or there is nothing to say so. */
static int64_t in_band_since(const struct observer *ob, const struct watch *w, const struct symptom *s) {
	const struct finding *f = &w->findings[s->signal];
	const struct evidence *ev = evidence_of(w, s);
	bool gauge = s->signal == SIGNAL_MEMORY || s->signal == SIGNAL_CPU;
	bool inside = gauge ? instance_after(ob, w, s->signal).score <= 1 : f->v.score < 1;
	if (by_rule(w, s)) inside = f->v.value < RULE_BACK * s->first.high;
	if (!ev || by_rule(w, s)) return inside ? (s->in_band_ns ? s->in_band_ns : heard_until(ob, s, f)) : 0;
	struct evidence_opts o = watch_opts(ob);
	int64_t bad_ns = evidence_last_bad(ev, &o, s->first.which, s->first.onset_ns);
	return bad_ns ? bad_ns : s->on_ns;
}

/* Failures among the requests since: above the turn they are as they were in the fault, whatever came before. */
static struct verdict errors_after(const struct observer *ob, const struct watch *w, const struct symptom *s,
                                   int64_t since_ns, double *seen) {
	struct verdict v = w->findings[SIGNAL_ERRORS].v;
	const struct channel *c = entity_of(ob, s->entity)->red[s->via];
	const struct share *share = w->shares[s->via];
	struct slot sum = { 0 };
	if (c) sum = channel_sum(c, stream_slot(ob->stream, since_ns), INT64_MAX);
	*seen = (double)sum.seen;
	v.value = *seen > 0 ? (double)sum.bad / *seen : (double)NAN;
	if (share && v.ready) v.high = fmax(v.high, share_turn(share, s->first.which));
	v.score = v.value / v.high;
	return v;
}

/* The signal since it is back, by itself: `seen` of how many requests, where it is of requests. */
static struct verdict values_after(const struct observer *ob, struct watch *w, const struct symptom *s,
                                   int64_t since_ns, double *seen) {
	struct verdict v = w->findings[s->signal].v;
	*seen = w->findings[s->signal].data_ns > since_ns ? INFINITY : 0;
	switch (s->signal) {
	case SIGNAL_ERRORS: return errors_after(ob, w, s, since_ns, seen);
	case SIGNAL_DURATION:
		if (!w->durations[s->via]) return v;
		duration_mark(w->durations[s->via], since_ns);
		return duration_after(w->durations[s->via], seen);
	case SIGNAL_MEMORY:
	case SIGNAL_CPU: return instance_after(ob, w, s->signal);
	case SIGNAL_RATE: v.score = v.value > 0 ? v.low / v.value : v.low > 0 ? (double)INFINITY : 0; return v;
	case SIGNAL_LOGS: v.score = v.high > 0 ? v.value / v.high : 0; return v;
	default: return v;
	}
}

/* Few requests without a failure prove little where few failed before: they must speak for normal, or a
 * minute must have passed in which they did not speak against it. */
static bool convincing(const struct observer *ob, const struct watch *w, const struct symptom *s, int64_t since_ns) {
	const struct evidence *ev = evidence_of(w, s);
	struct evidence_opts o = watch_opts(ob);
	if (!ev || by_rule(w, s)) return true;
	double says = evidence_since(ev, &o, s->first.which, since_ns);
	return says <= (ob->now_ns - since_ns > CONVINCED_NS ? 0 : -CONVINCED_NATS);
}

static void symptom_look(const struct observer *ob, struct symptom *s) {
	struct watch *w = watch_get(ob, s->entity);
	const struct finding *f = &w->findings[s->signal];
	int64_t since_ns = in_band_since(ob, w, s);
	double seen = 0;
	s->in_band_ns = since_ns;
	s->back = false;
	if (!since_ns) return;
	s->after = values_after(ob, w, s, since_ns, &seen);
	s->back = seen >= SEEN_AFTER && !(s->after.score > 1) && heard_until(ob, s, f) - since_ns >= hold_ns(ob, s) &&
	          convincing(ob, w, s, since_ns);
}

static void watch_release(struct observer *ob, struct watch *w) {
	for (int k = 0; k < SIGNAL_KINDS; k++) {
		w->findings[k].on = w->findings[k].told = false;
		w->findings[k].v.score = 0;
	}
	for (int v = 0; v < VIAS; v++) {
		if (!w->durations[v]) continue;
		evidence_clear(&w->durations[v]->evidence);
		evidence_clear(&w->shares[v]->evidence);
		evidence_clear(&w->rates[v]->evidence);
	}
	if (w->lines) evidence_clear(&w->lines->evidence);
	instance_release(ob, w);
	w->incident = NONE;
	w->quiet_ns = w->trouble_ns = ob->now_ns + RECENT_NS / 3;
}

static void incident_end(struct observer *ob, struct incident *in, const char *how, int64_t since_ns) {
	in->state = INCIDENT_RESOLVED_LATELY;
	in->resolved_ns = ob->now_ns;
	ob->counts.resolved++;
	tell_resolved(ob, in, how, since_ns);
	uint32_t index = (uint32_t)(in - ob->incidents);
	for (uint32_t i = 0; i < ob->watch_cap; i++)
		if (ob->watches[i] && ob->watches[i]->incident == index) watch_release(ob, ob->watches[i]);
}

static void adopt(struct observer *ob, struct incident *in) {
	for (uint32_t i = 0; i < in->symptom_count; i++) {
		struct symptom *s = &in->symptoms[i];
		struct watch *w = watch_get(ob, s->entity);
		enum via v = s->via;
		if (s->signal == SIGNAL_DURATION && w->durations[v]) duration_adopt(w->durations[v]);
		if (s->signal == SIGNAL_ERRORS && w->shares[v]) share_adopt(w->shares[v]);
		if (s->signal == SIGNAL_RATE && w->rates[v]) count_adopt(w->rates[v]);
		if (s->signal == SIGNAL_LOGS && w->lines) count_adopt(w->lines);
		if (s->signal == SIGNAL_CPU || s->signal == SIGNAL_MEMORY) instance_adopt(ob, w, s->signal);
		s->adopted = true;
	}
}

static void incident_look(struct observer *ob, struct incident *in) {
	int64_t since_ns = 0, heard_ns = 0;
	bool all_back = true, any_binding = binding(in);
	for (uint32_t i = 0; i < in->symptom_count; i++) {
		struct symptom *s = &in->symptoms[i];
		symptom_look(ob, s);
		const struct finding *f = &watch_get(ob, s->entity)->findings[s->signal];
		if (f->told_ns > heard_ns) heard_ns = f->told_ns;
		if (any_binding && !s->binding) continue; /* a weak sign that came along holds nothing up */
		all_back = all_back && s->back;
		if (s->in_band_ns > since_ns) since_ns = s->in_band_ns;
	}
	if (all_back) {
		incident_end(ob, in, "in_band", since_ns);
	} else if (ob->now_ns - heard_ns > NO_DATA_NS) {
		incident_end(ob, in, "no_data", 0);
	} else if (ob->now_ns - in->opened_ns > ob->o.settings.adopt_ns) {
		adopt(ob, in);
		incident_end(ob, in, "adopted", 0);
	}
}

void incident_pass(struct observer *ob) {
	for (int i = 0; i < INCIDENTS_MAX; i++) {
		struct incident *in = &ob->incidents[i];
		if (in->state == INCIDENT_RESOLVED_LATELY && ob->now_ns - in->resolved_ns > REOPEN_NS) incident_forget(ob, in);
		if (in->state != INCIDENT_OPEN || !publish_room(ob)) continue;
		if (in->look_ns && ob->now_ns >= in->look_ns) cause_look(ob, in);
		incident_look(ob, in);
	}
}
