/* Events as docs/events has them. */
#include <math.h>
#include <stdio.h>

#include "observe/observer_in.h"

#define ENGINE "sequential"

static void put_time(struct json_out *o, const char *key, int64_t ns) {
	json_key(o, key);
	if (ns > 0)
		json_put_wall(o, (struct wall){ ns });
	else
		json_put_null(o);
}

static void put_text(struct json_out *o, const char *key, struct str s) {
	json_key(o, key);
	if (s.n)
		json_put_str(o, s);
	else
		json_put_null(o);
}

static double last_value(const struct observer *ob, const struct entity *e, enum signal_kind k) {
	const struct watch *w = watch_get(ob, e->index);
	return w ? w->findings[k].v.value : (double)NAN;
}

enum signal_state tell_state(const struct observer *ob, const struct entity *e, enum signal_kind k) {
	struct pulse p = e->pulses[k];
	const struct watch *w = watch_get(ob, e->index);
	if (e->kind != ENTITY_SERVICE && w && w->findings[k].told_ns) { /* told of by its callers */
		p.beats = 1;
		p.last_ns = w->findings[k].told_ns;
	}
	double v = last_value(ob, e, k);
	return stream_state(&p, v, ob->now_ns);
}

static double interval_of(const struct observer *ob, const struct entity *e, enum signal_kind k) {
	const struct watch *w = watch_get(ob, e->index);
	bool requests = k == SIGNAL_RATE || k == SIGNAL_ERRORS || k == SIGNAL_DURATION;
	double s = requests && w ? stream_interval(ob->stream, e->index, w->findings[k].via) : e->pulses[k].interval_s;
	return s > 0 ? s : (double)NAN;
}

static void signal_fields(const struct observer *ob, struct json_out *o, const struct entity *e, enum signal_kind k,
                          const struct verdict *v, bool now) {
	enum signal_state state = now ? tell_state(ob, e, k) : v->value > 0 ? SIGNAL_VALUE : SIGNAL_ZERO;
	bool known = state == SIGNAL_VALUE || state == SIGNAL_ZERO;
	json_kv_str(o, "entity", e->subject);
	json_kv_c(o, "signal", signal_kind_name(k));
	json_kv_c(o, "state", signal_state_name(state));
	json_kv_double(o, "value", known ? v->value : (double)NAN);
	json_kv_double(o, "expected", v->expected);
	json_kv_double(o, "low", v->low);
	json_kv_double(o, "high", v->high);
	json_kv_double(o, "score", v->ready || v->score > 0 ? fmax(v->score, 0) : (double)NAN);
	put_time(o, "onset", v->onset_ns);
	json_kv_double(o, "onset_sd_s", v->onset_ns ? v->onset_sd_s : (double)NAN);
	put_time(o, "delivered", v->delivered_ns);
	json_kv_double(o, "interval_s", interval_of(ob, e, k));
}

void tell_signal(const struct observer *ob, struct json_out *o, const struct entity *e, enum signal_kind k,
                 const struct verdict *v, bool now) {
	json_begin_object(o);
	signal_fields(ob, o, e, k, v, now);
	json_end_object(o);
}

void tell_anomaly(struct observer *ob, const struct watch *w, enum signal_kind k) {
	const struct entity *e = entity_of(ob, w->entity);
	const struct finding *f = &w->findings[k];
	struct out_event *x = publish_new(ob, EVENT_ANOMALY_DETECTED, e->subject, f->severity, NULL);
	if (!x) return;
	struct json_out o = json_out(&x->data);
	json_begin_object(&o);
	signal_fields(ob, &o, e, k, &f->v, false);
	json_kv_c(&o, "engine", ENGINE);
	json_kv_double(&o, "severity", f->severity);
	json_end_object(&o);
}

/* A signal that two channels show is one. */
static bool told_before(const struct incident *in, uint32_t at) {
	for (uint32_t i = 0; i < at; i++)
		if (in->symptoms[i].entity == in->symptoms[at].entity && in->symptoms[i].signal == in->symptoms[at].signal)
			return true;
	return false;
}

static const struct entity *first_member(const struct observer *ob, const struct incident *in) {
	return entity_of(ob, in->cause != NONE ? in->cause : in->members[0]);
}

void tell_opened(struct observer *ob, struct incident *in) {
	struct out_event *x = publish_new(ob, EVENT_INCIDENT_OPENED, first_member(ob, in)->subject, in->severity, in);
	if (!x) return;
	struct json_out o = json_out(&x->data);
	json_begin_object(&o);
	json_kv_c(&o, "incident", in->id);
	put_time(&o, "opened", in->opened_ns);
	put_time(&o, "onset", in->onset_ns);
	put_time(&o, "delivered", in->delivered_ns);
	json_kv_double(&o, "severity", in->severity);
	json_key(&o, "entities");
	json_begin_array(&o);
	for (uint32_t i = 0; i < in->member_count; i++) json_put_str(&o, entity_of(ob, in->members[i])->subject);
	json_end_array(&o);
	json_key(&o, "signals");
	json_begin_array(&o);
	for (uint32_t i = 0; i < in->symptom_count; i++) {
		const struct symptom *s = &in->symptoms[i];
		if (!told_before(in, i)) tell_signal(ob, &o, entity_of(ob, s->entity), s->signal, &s->first, false);
	}
	json_end_array(&o);
	json_kv_c(&o, "engine", ENGINE);
	json_end_object(&o);
	log_event(ob->o.log, LOG_WARN, "incident.opened", "id=%s entity=%.*s severity=%.2f", in->id,
	          STR_ARG(first_member(ob, in)->subject), in->severity);
}

void tell_resolved(struct observer *ob, struct incident *in, const char *how, int64_t since_ns) {
	struct out_event *x = publish_new(ob, EVENT_INCIDENT_RESOLVED, first_member(ob, in)->subject, in->severity, in);
	if (!x) return;
	struct json_out o = json_out(&x->data);
	json_begin_object(&o);
	json_kv_c(&o, "incident", in->id);
	put_time(&o, "resolved", in->resolved_ns);
	put_time(&o, "in_band_since", since_ns);
	json_kv_c(&o, "how", how);
	json_key(&o, "signals");
	json_begin_array(&o);
	for (uint32_t i = 0; i < in->symptom_count; i++) {
		const struct symptom *s = &in->symptoms[i];
		const struct watch *w = watch_get(ob, s->entity);
		if (told_before(in, i)) continue;
		/* The running verdict still remembers the fault: what was decided on is what came since. */
		const struct verdict *v = s->back ? &s->after : &w->findings[s->signal].v;
		tell_signal(ob, &o, entity_of(ob, s->entity), s->signal, v, true);
	}
	json_end_array(&o);
	json_end_object(&o);
	log_event(ob->o.log, LOG_INFO, "incident.resolved", "id=%s how=%s", in->id, how);
}

/* ---- causes ---- */

struct target tell_target(const struct observer *ob, const struct entity *e, struct str pods[TARGET_PODS_MAX]) {
	struct target t = { .service = e->name, .pod_uids = pods };
	if (!e->workload_differs) {
		t.namespace_ = e->workload.namespace_;
		t.workload = e->workload.name;
		t.workload_kind = e->workload.kind;
	}
	for (uint32_t k = e->first_instance; k != NONE && t.pod_uid_count < TARGET_PODS_MAX;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, k);
		if (i->pod && !i->gone) pods[t.pod_uid_count++] = i->uid;
		k = i->next;
	}
	return t;
}

static void put_target(const struct observer *ob, struct json_out *o, const struct entity *e,
                       const struct rca_cause *c) {
	json_key(o, "target");
	if (e->kind != ENTITY_SERVICE) {
		json_put_null(o);
		return;
	}
	struct str pods[TARGET_PODS_MAX];
	struct target t = tell_target(ob, e, pods);
	json_begin_object(o);
	json_kv_str(o, "service", t.service);
	put_text(o, "namespace", t.namespace_);
	put_text(o, "workload", t.workload);
	put_text(o, "workload_kind", t.workload_kind);
	json_key(o, "pods");
	json_begin_array(o);
	for (size_t i = 0; i < t.pod_uid_count; i++) json_put_str(o, t.pod_uids[i]);
	json_end_array(o);
	put_text(o, "pod_uid", c->one_part ? c->part_uid : (struct str){ NULL, 0 });
	json_end_object(o);
}

static void put_change(struct json_out *o, const struct rca_input *x, const struct rca_cause *c) {
	json_key(o, "change");
	if (c->change == RCA_NONE) {
		json_put_null(o);
		return;
	}
	const struct rca_change *h = &x->changes[c->change];
	json_begin_object(o);
	put_time(o, "at", h->at_ns);
	json_kv_str(o, "entity", x->nodes[h->node].subject);
	put_text(o, "from", h->from);
	put_text(o, "to", h->to);
	json_end_object(o);
}

static void put_cause(const struct observer *ob, struct json_out *o, const struct rca_input *x,
                      const struct rca_cause *c, const uint32_t *entities) {
	const struct entity *e = entity_of(ob, entities[c->node]);
	json_begin_object(o);
	json_kv_str(o, "entity", e->subject);
	json_kv_c(o, "kind", cause_kind_name(c->kind));
	json_kv_double(o, "confidence", c->confidence);
	json_kv_c(o, "metric", c->metric >= 0 ? signal_kind_name((enum signal_kind)c->metric) : NULL);
	put_time(o, "onset", c->onset_ns);
	json_kv_c(o, "demand", c->demand_grown ? "grown" : "usual");
	json_key(o, "evidence");
	json_begin_array(o);
	for (uint32_t i = 0; i < c->evidence_count; i++) json_put_str(o, c->evidence[i]);
	json_end_array(o);
	put_target(ob, o, e, c);
	put_change(o, x, c);
	json_end_object(o);
}

/* ---- the timeline: what deviated, and what was changed, in order ---- */

struct moment {
	int64_t at_ns;
	struct str entity;
	char what[160];
};
#define MOMENTS_MAX 24

static void moment_add(struct moment *m, uint32_t *n, int64_t at_ns, struct str entity, const char *what) {
	if (*n == MOMENTS_MAX || at_ns <= 0) return;
	uint32_t at = (*n)++;
	for (; at > 0 && m[at - 1].at_ns > at_ns; at--) m[at] = m[at - 1];
	m[at] = (struct moment){ .at_ns = at_ns, .entity = entity };
	snprintf(m[at].what, sizeof m[at].what, "%s", what);
}

/* "errors leave their band: 5.4 %, usually 0.03 %"; what is usual may not be known yet. */
static void symptom_text(const struct symptom *s, char *out, size_t n) {
	char value[SIGNAL_TEXT_MAX], usual[SIGNAL_TEXT_MAX];
	bool known = !isnan(s->first.expected);
	signal_value_text(s->signal, s->first.value, value);
	signal_value_text(s->signal, s->first.expected, usual);
	snprintf(out, n, "%s out of its band: %s%s%s", signal_kind_name(s->signal), value, known ? ", usually " : "",
	         known ? usual : "");
}

static void put_timeline(const struct observer *ob, struct json_out *o, const struct incident *in,
                         const struct rca_input *x) {
	struct moment m[MOMENTS_MAX];
	uint32_t n = 0;
	char text[160];
	for (uint32_t i = 0; i < x->change_count; i++) {
		snprintf(text, sizeof text, STR_FMT, STR_ARG(x->changes[i].what));
		moment_add(m, &n, x->changes[i].at_ns, x->nodes[x->changes[i].node].subject, text);
	}
	for (uint32_t i = 0; i < in->symptom_count; i++) {
		const struct symptom *s = &in->symptoms[i];
		symptom_text(s, text, sizeof text);
		moment_add(m, &n, s->first.onset_ns, entity_of(ob, s->entity)->subject, text);
	}
	moment_add(m, &n, in->opened_ns, first_member(ob, in)->subject, "incident opened");
	json_key(o, "timeline");
	json_begin_array(o);
	for (uint32_t i = 0; i < n; i++) {
		json_begin_object(o);
		put_time(o, "at", m[i].at_ns);
		json_kv_str(o, "entity", m[i].entity);
		json_kv_c(o, "what", m[i].what);
		json_end_object(o);
	}
	json_end_array(o);
}

static bool trace_put(struct json_out *o, const struct example *x, char (*seen)[33], int *n) {
	char hex[33];
	hex_encode(x->trace, sizeof x->trace, hex);
	for (int i = 0; i < *n; i++)
		if (str_is(str_of(seen[i]), hex)) return false;
	snprintf(seen[(*n)++], sizeof hex, "%s", hex);
	json_put_c(o, hex);
	return true;
}

/* Newest first; of the cause, else of those who hurt. */
static void put_traces(const struct observer *ob, struct json_out *o, const struct incident *in) {
	char seen[3][33];
	int n = 0;
	json_key(o, "traces");
	json_begin_array(o);
	for (uint32_t k = 0; k <= in->member_count && n < 3; k++) {
		uint32_t who = k == 0 ? in->cause : in->members[k - 1];
		const struct entity *e = entity_of(ob, who);
		for (uint32_t i = 0; e && i < EXAMPLES && n < 3; i++) {
			const struct example *x = &e->examples[(e->example_next + EXAMPLES - 1 - i) % EXAMPLES];
			if (x->at_ns >= in->onset_ns && x->at_ns) trace_put(o, x, seen, &n);
		}
	}
	json_end_array(o);
}

static void put_quality(const struct observer *ob, struct json_out *o, const struct incident *in) {
	int64_t signals = 0, values = 0, stale = 0, absent = 0;
	double oldest_s = NAN;
	for (uint32_t i = 0; i < in->symptom_count; i++) {
		const struct symptom *s = &in->symptoms[i];
		const struct entity *e = entity_of(ob, s->entity);
		enum signal_state state = tell_state(ob, e, s->signal);
		signals++;
		values += state == SIGNAL_VALUE || state == SIGNAL_ZERO;
		stale += state == SIGNAL_STALE;
		absent += state == SIGNAL_ABSENT;
		const struct finding *f = &watch_get(ob, s->entity)->findings[s->signal];
		double age_s = (double)(ob->now_ns - f->told_ns) / 1e9;
		if (f->told_ns && !(age_s <= oldest_s)) oldest_s = age_s;
	}
	json_key(o, "data_quality");
	json_begin_object(o);
	json_kv_int(o, "signals", signals);
	json_kv_int(o, "with_value", values);
	json_kv_int(o, "stale", stale);
	json_kv_int(o, "absent", absent);
	json_kv_double(o, "oldest_s", oldest_s);
	json_end_object(o);
}

void tell_report(struct observer *ob, struct incident *in, const struct rca_input *x, const struct rca_report *r,
                 const uint32_t *entities) {
	struct out_event *e = publish_new(ob, EVENT_RCA_REPORT, first_member(ob, in)->subject, in->severity, in);
	if (!e) return;
	struct json_out o = json_out(&e->data);
	json_begin_object(&o);
	json_kv_c(&o, "incident", in->id);
	json_key(&o, "root_causes");
	json_begin_array(&o);
	for (uint32_t i = 0; i < r->count && !r->none; i++) put_cause(ob, &o, x, &r->causes[i], entities);
	json_end_array(&o);
	json_kv_bool(&o, "none", r->none);
	put_text(&o, "reason", r->none ? r->reason : (struct str){ NULL, 0 });
	put_timeline(ob, &o, in, x);
	put_time(&o, "change_point", in->onset_ns);
	put_traces(ob, &o, in);
	put_quality(ob, &o, in);
	json_end_object(&o);
	log_event(ob->o.log, LOG_INFO, "incident.cause", "id=%s entity=%.*s kind=%s confidence=%.2f", in->id,
	          STR_ARG(r->none ? STR("none") : x->nodes[r->causes[0].node].subject),
	          r->none ? "unknown" : cause_kind_name(r->causes[0].kind), r->none ? 0 : r->causes[0].confidence);
}

/* ---- data and models ---- */

void tell_stale(struct observer *ob, const struct entity *e, const enum signal_kind *signals, uint32_t n,
                enum signal_state state, const struct pulse *p) {
	struct out_event *x = publish_new(ob, EVENT_DATA_STALE, e->subject, state == SIGNAL_VALUE ? 0 : 0.2, NULL);
	if (!x) return;
	struct json_out o = json_out(&x->data);
	json_begin_object(&o);
	json_kv_str(&o, "entity", e->subject);
	json_key(&o, "signals");
	json_begin_array(&o);
	for (uint32_t i = 0; i < n; i++) json_put_c(&o, signal_kind_name(signals[i]));
	json_end_array(&o);
	json_kv_c(&o, "state", signal_state_name(state));
	put_time(&o, "last", p->at_ns);
	json_kv_double(&o, "interval_s", p->interval_s > 0 ? p->interval_s : (double)NAN);
	json_end_object(&o);
}

void tell_model(struct observer *ob, struct str subject, const char *state, const char *reason, double progress,
                double eta_s) {
	struct out_event *x = publish_new(ob, EVENT_MODEL_STATE, subject, NAN, NULL);
	if (!x) return;
	struct json_out o = json_out(&x->data);
	json_begin_object(&o);
	json_kv_c(&o, "model", ENGINE);
	json_kv_c(&o, "version", "1");
	json_kv_c(&o, "state", state);
	json_kv_c(&o, "reason", reason);
	json_kv_double(&o, "progress", progress);
	json_kv_double(&o, "eta_s", eta_s);
	json_end_object(&o);
}
