#include "control/cause.h"

#include <math.h>

static enum err field(const char *name, const char *what, struct why *why) {
	return why_set(why, ERR_INVALID, "RCA_REPORT: %s must be %s", name, what);
}

static void quality_read(const struct json *v, struct quality *out) {
	*out = (struct quality){ .oldest_s = NAN };
	if (!v || v->kind != JSON_OBJECT) return;
	out->signals = json_int(json_get(v, "signals"), -1);
	out->with_value = json_int(json_get(v, "with_value"), -1);
	out->stale = json_int(json_get(v, "stale"), 0);
	out->absent = json_int(json_get(v, "absent"), 0);
	out->oldest_s = json_double(json_get(v, "oldest_s"), NAN);
	out->known = out->signals >= 0 && out->with_value >= 0;
}

static enum err pods_read(struct arena *a, const struct json *v, struct target *t) {
	if (!v || v->kind != JSON_ARRAY) return OK;
	size_t n = v->count < CAUSE_PODS_MAX ? v->count : CAUSE_PODS_MAX;
	struct str *pods = arena_array(a, struct str, n ? n : 1);
	if (!pods) return ERR_NOMEM;
	json_each(it, v) {
		if (t->pod_uid_count == n) break;
		if (json_str(it).n) pods[t->pod_uid_count++] = json_str(it);
	}
	t->pod_uids = pods;
	return OK;
}

static enum err target_read(struct arena *a, const struct json *v, struct cause *out) {
	if (!v || v->kind != JSON_OBJECT) return OK;
	struct target *t = &out->target;
	t->service = json_str(json_get(v, "service"));
	t->namespace_ = json_str(json_get(v, "namespace"));
	t->workload = json_str(json_get(v, "workload"));
	t->workload_kind = json_str(json_get(v, "workload_kind"));
	t->pod = json_str(json_get(v, "pod_uid"));
	out->has_target = t->service.n > 0;
	return pods_read(a, json_get(v, "pods"), t);
}

static enum err best_read(struct arena *a, const struct json *v, struct cause *out, struct why *why) {
	if (v->kind != JSON_OBJECT) return field("root_causes[0]", "an object", why);
	out->json = v->text;
	out->entity = json_str(json_get(v, "entity"));
	if (!out->entity.n) return field("root_causes[0].entity", "a name", why);
	if (!cause_kind_parse(json_str(json_get(v, "kind")), &out->kind))
		return field("root_causes[0].kind", "one of the kinds of cause", why);
	out->confidence = json_double(json_get(v, "confidence"), NAN);
	out->demand_grown = str_is(json_str(json_get(v, "demand")), "grown");
	if (!(out->confidence >= 0 && out->confidence <= 1)) return field("root_causes[0].confidence", "in 0..1", why);
	out->metric = json_str(json_get(v, "metric"));
	out->onset = json_str(json_get(v, "onset"));
	json_each(it, json_get(v, "evidence")) {
		if (out->evidence_count == CAUSE_EVIDENCE_MAX) break;
		if (json_str(it).n) out->evidence[out->evidence_count++] = json_str(it);
	}
	return target_read(a, json_get(v, "target"), out);
}

enum err cause_read(struct arena *a, struct str data, struct cause *out, struct why *why) {
	const struct json *v;
	struct cause c = { .kind = CAUSE_UNKNOWN };
	enum err e = json_parse(a, data, &v, why);
	if (e) return e;
	if (v->kind != JSON_OBJECT) return field("data", "an object", why);
	const struct json *causes = json_get(v, "root_causes");
	if (!causes || causes->kind != JSON_ARRAY) return field("root_causes", "a list", why);
	quality_read(json_get(v, "data_quality"), &c.quality);
	c.reason = json_str(json_get(v, "reason"));
	c.none = json_bool(json_get(v, "none"), false) || !causes->count;
	if (!c.none) e = best_read(a, causes->child, &c, why);
	if (e) return e;
	*out = c;
	return OK;
}

enum err strs_copy(struct arena *a, struct str *const *fields, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (!fields[i]->n) {
			*fields[i] = (struct str){ 0 };
			continue;
		}
		*fields[i] = str_copy(a, *fields[i]);
		if (!fields[i]->p) return ERR_NOMEM;
	}
	return OK;
}

enum err target_copy(struct arena *a, const struct target *t, struct target *out) {
	struct target c = *t;
	struct str *const fields[] = { &c.service, &c.namespace_, &c.workload, &c.workload_kind, &c.pod };
	if (strs_copy(a, fields, sizeof fields / sizeof *fields)) return ERR_NOMEM;
	struct str *pods = arena_array(a, struct str, t->pod_uid_count ? t->pod_uid_count : 1);
	if (!pods) return ERR_NOMEM;
	for (size_t i = 0; i < t->pod_uid_count; i++) {
		pods[i] = str_copy(a, t->pod_uids[i]);
		if (!pods[i].p) return ERR_NOMEM;
	}
	c.pod_uids = pods;
	*out = c;
	return OK;
}

enum err cause_copy(struct arena *a, const struct cause *c, struct cause *out) {
	struct cause n = *c;
	struct str *const fields[] = { &n.reason, &n.entity, &n.metric, &n.onset, &n.json };
	enum err e = strs_copy(a, fields, sizeof fields / sizeof *fields);
	if (!e) e = target_copy(a, &c->target, &n.target);
	for (size_t i = 0; i < n.evidence_count && !e; i++) {
		struct str *const one[] = { &n.evidence[i] };
		e = strs_copy(a, one, 1);
	}
	if (!e) *out = n;
	return e;
}

bool cause_same(const struct cause *a, const struct cause *b) {
	if (a->none || b->none) return a->none == b->none;
	return str_eq(a->entity, b->entity) && a->kind == b->kind && a->demand_grown == b->demand_grown &&
	       a->has_target == b->has_target && str_eq(a->target.service, b->target.service) &&
	       str_eq(a->target.pod, b->target.pod);
}

void quality_write(const struct quality *q, struct json_out *o) {
	if (!q->known) return;
	json_kv_int(o, "signals", q->signals);
	json_kv_int(o, "with_value", q->with_value);
	json_kv_int(o, "stale", q->stale);
	json_kv_int(o, "absent", q->absent);
	json_kv_double(o, "oldest_s", q->oldest_s);
}
