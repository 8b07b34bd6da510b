#include "control/rows_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- small things ---- */

void text_or_null(struct json_out *o, const char *key, struct str s) {
	json_key(o, key);
	if (s.n)
		json_put_str(o, s);
	else
		json_put_null(o);
}

void ulid_or_null(struct json_out *o, const char *key, const char *id) {
	text_or_null(o, key, str_of(id));
}

void wall_or_null(struct json_out *o, const char *key, struct wall t) {
	json_key(o, key);
	if (t.ns)
		json_put_wall(o, t);
	else
		json_put_null(o);
}

void raw_or(struct json_out *o, const char *key, struct str json, const char *fallback) {
	json_key(o, key);
	json_put_raw(o, json.n ? json : str_of(fallback));
}

static struct wall wall_of(const struct json *v) {
	struct wall t = { 0 };
	struct str s = json_str(v);
	if (!s.n || !wall_parse(s.p, s.n, &t)) return (struct wall){ 0 };
	return t;
}

static struct str text_of(struct arena *a, const struct json *v) {
	return row_text(a, json_str(v));
}

/* The source of an object or array, copied; empty for null. */
static struct str raw_of(struct arena *a, const struct json *v) {
	if (!v || v->kind == JSON_NULL) return (struct str){ 0 };
	return row_text(a, v->text);
}

static void ulid_of(const struct json *v, ulid out) {
	struct str s = json_str(v);
	memset(out, 0, ULID_LEN + 1);
	if (s.n == ULID_LEN) memcpy(out, s.p, s.n);
}

/* ---- incidents ---- */

static void mark_write(struct json_out *o, const char *key, const struct mark *m) {
	json_key(o, key);
	if (!m->at.ns) {
		json_put_null(o);
		return;
	}
	json_begin_object(o);
	json_kv_wall(o, "at", m->at);
	json_kv_str(o, "by", m->by);
	text_or_null(o, "why", m->why);
	wall_or_null(o, "until", m->until);
	json_end_object(o);
}

static void mark_read(struct arena *a, const struct json *v, struct mark *m) {
	m->at = wall_of(json_get(v, "at"));
	m->by = text_of(a, json_get(v, "by"));
	m->why = text_of(a, json_get(v, "why"));
	m->until = wall_of(json_get(v, "until"));
}

static void escalation_write(const struct incident_row *in, struct json_out *o) {
	json_key(o, "escalation");
	if (!in->escalated_once) {
		json_put_null(o);
		return;
	}
	json_begin_object(o);
	json_kv_c(o, "kind", escalation_name(in->escalation));
	json_kv_str(o, "why", in->escalation_why);
	json_kv_wall(o, "at", in->escalated);
	json_kv_int(o, "count", in->escalations);
	json_kv_int(o, "published", in->escalations_published);
	json_end_object(o);
}

static void passed_write(const struct incident_row *in, struct json_out *o) {
	json_key(o, "passed_over");
	json_begin_array(o);
	for (size_t i = 0; i < in->passed_over_count; i++) {
		char hex[17];
		uint64_t h = in->passed_over[i].handler;
		snprintf(hex, sizeof hex, "%016llx", (unsigned long long)h);
		json_begin_object(o);
		json_kv_c(o, "handler", hex);
		json_kv_bool(o, "no_target", in->passed_over[i].no_target);
		json_kv_str(o, "why", in->passed_over[i].why);
		json_end_object(o);
	}
	json_end_array(o);
}

void incident_write(const struct incident_row *in, struct buf *out) {
	struct json_out o = json_out(out);
	json_begin_object(&o);
	json_kv_c(&o, "id", in->id);
	json_kv_c(&o, "state", incident_state_name(in->state));
	wall_or_null(&o, "opened", in->opened);
	wall_or_null(&o, "onset", in->onset);
	wall_or_null(&o, "delivered", in->delivered);
	wall_or_null(&o, "decided", in->decided);
	json_kv_double(&o, "severity", in->severity);
	json_kv_double(&o, "severity_now", in->severity_now);
	text_or_null(&o, "subject", in->subject);
	text_or_null(&o, "engine", in->engine);
	raw_or(&o, "entities", in->entities, "[]");
	raw_or(&o, "signals", in->signals, "[]");
	wall_or_null(&o, "rca_at", in->report_at);
	raw_or(&o, "rca", in->rca, "null");
	wall_or_null(&o, "resolved", in->resolved);
	text_or_null(&o, "how", str_of(resolved_how_name(in->how)));
	wall_or_null(&o, "in_band_since", in->in_band_since);
	raw_or(&o, "end_signals", in->end_signals, "null");
	json_kv_bool(&o, "closed", in->closed);
	json_key(&o, "actions");
	json_begin_array(&o);
	for (size_t i = 0; i < in->action_count; i++) json_put_c(&o, in->actions[i]);
	json_end_array(&o);
	escalation_write(in, &o);
	passed_write(in, &o);
	mark_write(&o, "ack", &in->ack);
	mark_write(&o, "wrong", &in->wrong);
	mark_write(&o, "muted", &in->muted);
	json_end_object(&o);
}

static void escalation_read(struct incident_row *in, const struct json *v) {
	if (!v || v->kind != JSON_OBJECT) return;
	in->escalated_once = escalation_parse(json_str(json_get(v, "kind")), &in->escalation);
	in->escalation_why = text_of(&in->arena, json_get(v, "why"));
	in->escalated = wall_of(json_get(v, "at"));
	in->escalations = json_int(json_get(v, "count"), 0);
	in->escalations_published = json_int(json_get(v, "published"), 0);
}

static void lists_read(struct incident_row *in, const struct json *v) {
	json_each(it, json_get(v, "actions")) {
		if (in->action_count == INCIDENT_ACTIONS_MAX) break;
		ulid_of(it, in->actions[in->action_count++]);
	}
	json_each(it, json_get(v, "passed_over")) {
		if (in->passed_over_count == PASSED_OVER_MAX) break;
		struct passed_over *p = &in->passed_over[in->passed_over_count];
		unsigned char b[8];
		if (!hex_decode(json_str(json_get(it, "handler")), b, sizeof b)) continue;
		for (size_t i = 0; i < sizeof b; i++) p->handler = p->handler << 8 | b[i];
		p->no_target = json_bool(json_get(it, "no_target"), false);
		p->why = text_of(&in->arena, json_get(it, "why"));
		in->passed_over_count++;
	}
}

static enum err report_read(struct incident_row *in, const struct json *v, struct why *why) {
	in->rca = raw_of(&in->report, json_get(v, "rca"));
	in->report_at = wall_of(json_get(v, "rca_at"));
	in->has_report = in->rca.n > 0;
	if (!in->has_report) return OK;
	CLEANUP(arena_done) struct arena scratch;
	struct cause cause;
	arena_init(&scratch, 0);
	enum err e = cause_read(&scratch, in->rca, &cause, why);
	return e ? e : cause_copy(&in->report, &cause, &in->cause);
}

static bool incident_state_parse(struct str s, enum incident_state *out) {
	for (int i = 0; i < INCIDENT_STATES; i++)
		if (str_is(s, incident_state_name((enum incident_state)i))) {
			*out = (enum incident_state)i;
			return true;
		}
	return false;
}

static void opened_read(struct incident_row *in, const struct json *v) {
	struct arena *a = &in->arena;
	in->opened = wall_of(json_get(v, "opened"));
	in->onset = wall_of(json_get(v, "onset"));
	in->delivered = wall_of(json_get(v, "delivered"));
	in->decided = wall_of(json_get(v, "decided"));
	in->severity = json_double(json_get(v, "severity"), 0);
	in->severity_now = json_double(json_get(v, "severity_now"), in->severity);
	in->subject = text_of(a, json_get(v, "subject"));
	in->engine = text_of(a, json_get(v, "engine"));
	in->entities = raw_of(a, json_get(v, "entities"));
	in->signals = raw_of(a, json_get(v, "signals"));
	in->resolved = wall_of(json_get(v, "resolved"));
	in->in_band_since = wall_of(json_get(v, "in_band_since"));
	in->end_signals = raw_of(a, json_get(v, "end_signals"));
	in->closed = json_bool(json_get(v, "closed"), false);
	if (!resolved_how_parse(json_str(json_get(v, "how")), &in->how)) in->how = HOW_OPEN;
	mark_read(a, json_get(v, "ack"), &in->ack);
	mark_read(a, json_get(v, "wrong"), &in->wrong);
	mark_read(a, json_get(v, "muted"), &in->muted);
}

enum err incident_read(struct incident_row *in, struct str json, struct why *why) {
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	const struct json *v;
	if (json_parse(&scratch, json, &v, why) || !str_is(json_str(json_get(v, "id")), in->id))
		return why_prefix(why, ERR_CORRUPT, "incident/%s is damaged", in->id);
	if (!incident_state_parse(json_str(json_get(v, "state")), &in->state))
		return why_set(why, ERR_CORRUPT, "incident/%s has no state", in->id);
	opened_read(in, v);
	escalation_read(in, json_get(v, "escalation"));
	lists_read(in, v);
	return report_read(in, v, why) ? why_prefix(why, ERR_CORRUPT, "incident/%s", in->id) : OK;
}

/* ---- actions: writing ---- */

static void telemetry_write(const struct target *t, struct json_out *o) {
	json_begin_object(o);
	json_kv_str(o, "service", t->service);
	text_or_null(o, "namespace", t->namespace_);
	text_or_null(o, "workload", t->workload);
	text_or_null(o, "workload_kind", t->workload_kind);
	json_key(o, "pods");
	json_begin_array(o);
	for (size_t i = 0; i < t->pod_uid_count; i++) json_put_str(o, t->pod_uids[i]);
	json_end_array(o);
	text_or_null(o, "pod_uid", t->pod);
	json_end_object(o);
}

static void target_write(const struct action_row *act, struct json_out *o) {
	const struct plan *p = &act->plan;
	bool known = act->planned;
	json_key(o, "target");
	json_begin_object(o);
	json_kv_str(o, "service", act->telemetry.service);
	text_or_null(o, "namespace", known ? p->namespace_ : act->telemetry.namespace_);
	text_or_null(o, "kind", known ? p->kind : act->telemetry.workload_kind);
	text_or_null(o, "name", known ? p->name : act->telemetry.workload);
	text_or_null(o, "uid", p->uid);
	json_key(o, "generation");
	if (known)
		json_put_int(o, p->generation);
	else
		json_put_null(o);
	text_or_null(o, "mapped_by", p->mapped_by);
	json_end_object(o);
}

static void gates_write(const struct action_row *act, struct json_out *o) {
	json_key(o, "gates");
	json_begin_array(o);
	for (int i = 0; i < GATES && act->gated; i++) {
		const struct gate_record *g = &act->gates[i];
		json_begin_object(o);
		json_kv_c(o, "name", g->name);
		json_kv_c(o, "verdict", gate_verdict_name(g->verdict));
		json_kv_str(o, "reason", g->reason);
		raw_or(o, "inputs", g->inputs, "{}");
		json_end_object(o);
	}
	json_end_array(o);
}

struct str action_summary(const struct action_row *act, struct arena *a) {
	if (act->planned && act->plan.summary.n) return act->plan.summary;
	static const char *const words[ACTION_KINDS] = {
		[ACTION_ROLLOUT_RESTART] = "restart the workload of service",
		[ACTION_DELETE_POD] = "delete a pod of service",
		[ACTION_ROLLOUT_UNDO] = "undo the last rollout of service",
		[ACTION_SCALE] = "scale the workload of service",
	};
	return str_printf(a, "%s " STR_FMT, words[act->kind], STR_ARG(act->telemetry.service));
}

void action_planned_members(const struct action_row *act, struct json_out *o) {
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	json_kv_c(o, "action", act->id);
	json_kv_c(o, "incident", act->incident);
	json_kv_str(o, "handler", act->handler);
	text_or_null(o, "step", act->step);
	json_kv_c(o, "kind", action_kind_name(act->kind));
	target_write(act, o);
	raw_or(o, "cause", act->cause, "null");
	json_kv_c(o, "mode", control_mode_name(act->mode));
	json_kv_c(o, "decision", gates_decision_name(act->decision));
	json_kv_str(o, "summary", action_summary(act, &scratch));
	gates_write(act, o);
	ulid_or_null(o, "key", act->key.hex);
	json_kv_int(o, "attempt", act->attempt);
	raw_or(o, "undo", act->plan.undo, "null");
}

static void plan_write(const struct action_row *act, struct json_out *o) {
	const struct plan *p = &act->plan;
	json_key(o, "plan");
	if (!act->planned) {
		json_put_null(o);
		return;
	}
	json_begin_object(o);
	text_or_null(o, "namespace", p->namespace_);
	text_or_null(o, "kind", p->kind);
	text_or_null(o, "name", p->name);
	text_or_null(o, "uid", p->uid);
	text_or_null(o, "mapped_by", p->mapped_by);
	json_kv_int(o, "generation", p->generation);
	text_or_null(o, "resource_version", p->resource_version);
	json_kv_int(o, "replicas", p->replicas);
	json_kv_int(o, "pods_ready", p->pods_ready);
	json_kv_int(o, "pods_disturbed", p->pods_disturbed);
	text_or_null(o, "owner", p->owner);
	raw_or(o, "undo", p->undo, "null");
	raw_or(o, "params", p->params, "null");
	text_or_null(o, "summary", p->summary);
	json_end_object(o);
}

static const char *const ends[] = { NULL, "rejected", "conflict", "over" };

static void result_write(const struct action_row *act, struct json_out *o) {
	json_key(o, "result");
	json_begin_object(o);
	text_or_null(o, "why", act->why);
	text_or_null(o, "end", str_of(ends[act->end]));
	json_kv_bool(o, "repeated", act->repeated);
	json_kv_bool(o, "worse", act->worse);
	json_key(o, "settle_s");
	if (act->times[TIME_SETTLED].ns)
		json_put_double(o, (double)act->settle_ns / NS_PER_SEC);
	else
		json_put_null(o);
	text_or_null(o, "approved_by", act->approved_by);
	text_or_null(o, "undo_by", act->asked_undo_by);
	text_or_null(o, "undo_from",
	             act->state == ACTION_UNDOING ? str_of(action_state_name(act->undo_from)) : (struct str){ 0 });
	raw_or(o, "verification", act->verification, "null");
	json_end_object(o);
}

static void log_write(const struct action_row *act, struct json_out *o) {
	json_key(o, "log");
	json_begin_array(o);
	for (size_t i = 0; i < act->log_count; i++) {
		const struct log_line *l = &act->log[i];
		json_begin_object(o);
		json_kv_c(o, "state", action_state_name(l->state));
		text_or_null(o, "previous", l->first ? (struct str){ 0 } : str_of(action_state_name(l->previous)));
		json_kv_wall(o, "at", l->at);
		text_or_null(o, "why", l->why);
		json_kv_int(o, "emit", l->emit);
		json_end_object(o);
	}
	json_end_array(o);
}

void action_write(const struct action_row *act, struct buf *out) {
	struct json_out o = json_out(out);
	json_begin_object(&o);
	action_planned_members(act, &o);
	json_kv_c(&o, "state", action_state_name(act->state));
	json_key(&o, "times");
	json_begin_object(&o);
	for (int t = 0; t < ACTION_TIMES; t++) wall_or_null(&o, action_time_name((enum action_time)t), act->times[t]);
	json_end_object(&o);
	json_key(&o, "telemetry");
	telemetry_write(&act->telemetry, &o);
	text_or_null(&o, "subject", act->subject);
	json_kv_double(&o, "confidence", act->confidence);
	json_kv_double(&o, "severity", act->severity);
	json_kv_int(&o, "replicas_by", act->replicas_by);
	json_kv_int(&o, "handler_attempts", act->handler_attempts);
	plan_write(act, &o);
	result_write(act, &o);
	log_write(act, &o);
	json_kv_int(&o, "published", (int64_t)act->published);
	json_end_object(&o);
}

/* ---- actions: reading ---- */

static enum err telemetry_read(struct action_row *act, const struct json *v) {
	struct arena *a = &act->arena;
	struct target *t = &act->telemetry;
	t->service = text_of(a, json_get(v, "service"));
	t->namespace_ = text_of(a, json_get(v, "namespace"));
	t->workload = text_of(a, json_get(v, "workload"));
	t->workload_kind = text_of(a, json_get(v, "workload_kind"));
	t->pod = text_of(a, json_get(v, "pod_uid"));
	const struct json *pods = json_get(v, "pods");
	struct str *uids = arena_array(a, struct str, pods && pods->count ? pods->count : 1);
	if (!uids) return ERR_NOMEM;
	json_each(it, pods) uids[t->pod_uid_count++] = text_of(a, it);
	t->pod_uids = uids;
	return OK;
}

static void plan_read(struct action_row *act, const struct json *v) {
	struct arena *a = &act->plan_arena;
	struct plan *p = &act->plan;
	act->planned = v && v->kind == JSON_OBJECT;
	if (!act->planned) return;
	p->namespace_ = text_of(a, json_get(v, "namespace"));
	p->kind = text_of(a, json_get(v, "kind"));
	p->name = text_of(a, json_get(v, "name"));
	p->uid = text_of(a, json_get(v, "uid"));
	p->mapped_by = text_of(a, json_get(v, "mapped_by"));
	p->generation = json_int(json_get(v, "generation"), 0);
	p->resource_version = text_of(a, json_get(v, "resource_version"));
	p->replicas = json_int(json_get(v, "replicas"), 0);
	p->pods_ready = json_int(json_get(v, "pods_ready"), 0);
	p->pods_disturbed = json_int(json_get(v, "pods_disturbed"), 0);
	p->owner = text_of(a, json_get(v, "owner"));
	p->undo = raw_of(a, json_get(v, "undo"));
	p->params = raw_of(a, json_get(v, "params"));
	p->summary = text_of(a, json_get(v, "summary"));
}

static void gates_read(struct action_row *act, const struct json *v) {
	struct arena *a = &act->gates_arena;
	int n = 0;
	json_each(it, v) {
		enum gate_verdict verdict = GATE_NOT_CONFIGURED;
		if (n == GATES || !gate_verdict_parse(json_str(json_get(it, "verdict")), &verdict)) break;
		act->gates[n] = (struct gate_record){ .name = gate_name((enum gate)n),
			                                  .verdict = verdict,
			                                  .reason = text_of(a, json_get(it, "reason")),
			                                  .inputs = raw_of(a, json_get(it, "inputs")) };
		n++;
	}
	act->gated = n == GATES;
}

static void result_read(struct action_row *act, const struct json *v) {
	struct arena *a = &act->arena;
	struct str end = json_str(json_get(v, "end"));
	act->why = text_of(a, json_get(v, "why"));
	for (int e = END_REJECTED; e <= END_OVER; e++)
		if (str_is(end, ends[e])) act->end = (enum past_end)e;
	act->repeated = json_bool(json_get(v, "repeated"), false);
	act->worse = json_bool(json_get(v, "worse"), false);
	act->settle_ns = (int64_t)(json_double(json_get(v, "settle_s"), 0) * NS_PER_SEC);
	act->approved_by = text_of(a, json_get(v, "approved_by"));
	act->asked_undo_by = text_of(a, json_get(v, "undo_by"));
	if (!action_state_parse(json_str(json_get(v, "undo_from")), &act->undo_from)) act->undo_from = ACTION_INEFFECTIVE;
	act->verification = raw_of(a, json_get(v, "verification"));
}

static void log_read(struct action_row *act, const struct json *v) {
	json_each(it, v) {
		if (act->log_count == ACTION_LOG_MAX) break;
		struct log_line *l = &act->log[act->log_count];
		if (!action_state_parse(json_str(json_get(it, "state")), &l->state)) break;
		l->first = !action_state_parse(json_str(json_get(it, "previous")), &l->previous);
		l->at = wall_of(json_get(it, "at"));
		l->why = text_of(&act->arena, json_get(it, "why"));
		l->emit = (int)json_int(json_get(it, "emit"), 0);
		act->log_count++;
	}
}

static enum err names_read(struct action_row *act, const struct json *v, struct why *why) {
	struct arena *a = &act->arena;
	int64_t mode = -1;
	ulid_of(json_get(v, "incident"), act->incident);
	act->handler = text_of(a, json_get(v, "handler"));
	act->step = text_of(a, json_get(v, "step"));
	for (int m = MODE_OBSERVE; m <= MODE_AUTO; m++)
		if (str_is(json_str(json_get(v, "mode")), control_mode_name((enum control_mode)m))) mode = m;
	if (!act->incident[0] || mode < 0 || !action_kind_parse(json_str(json_get(v, "kind")), &act->kind) ||
	    !action_state_parse(json_str(json_get(v, "state")), &act->state) ||
	    !gates_decision_parse(json_str(json_get(v, "decision")), &act->decision))
		return why_set(why, ERR_CORRUPT, "action/%s lacks its incident, mode, kind, state or decision", act->id);
	act->mode = (enum control_mode)mode;
	struct str key = json_str(json_get(v, "key"));
	if (key.n == sizeof act->key.hex - 1) memcpy(act->key.hex, key.p, key.n);
	return OK;
}

static void numbers_read(struct action_row *act, const struct json *v) {
	const struct json *times_ = json_get(v, "times");
	for (int t = 0; t < ACTION_TIMES; t++)
		act->times[t] = wall_of(json_get(times_, action_time_name((enum action_time)t)));
	act->attempt = json_int(json_get(v, "attempt"), 1);
	act->confidence = json_double(json_get(v, "confidence"), 0);
	act->severity = json_double(json_get(v, "severity"), 0);
	act->replicas_by = json_int(json_get(v, "replicas_by"), 0);
	act->handler_attempts = json_int(json_get(v, "handler_attempts"), 0);
	act->published = (size_t)json_int(json_get(v, "published"), 0);
	act->published_stored = act->published;
}

enum err action_read(struct action_row *act, struct str json, struct why *why) {
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	const struct json *v;
	if (json_parse(&scratch, json, &v, why) || !str_is(json_str(json_get(v, "action")), act->id))
		return why_prefix(why, ERR_CORRUPT, "action/%s is damaged", act->id);
	enum err e = names_read(act, v, why);
	if (e) return e;
	numbers_read(act, v);
	act->cause = raw_of(&act->arena, json_get(v, "cause"));
	act->subject = text_of(&act->arena, json_get(v, "subject"));
	plan_read(act, json_get(v, "plan"));
	gates_read(act, json_get(v, "gates"));
	result_read(act, json_get(v, "result"));
	log_read(act, json_get(v, "log"));
	return telemetry_read(act, json_get(v, "telemetry"));
}
