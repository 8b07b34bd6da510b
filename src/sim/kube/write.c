/* Writes to the cluster, as its API server admits them. */
#include <stdarg.h>
#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/kube/patch.h"
#include "sim/memory.h"

#define ACTION_KEY "flyball.dev/action-key"

void sim_kube_reply_done(struct sim_kube_reply *r) {
	doc_free(r->causes);
	doc_free(r->object);
	*r = (struct sim_kube_reply){ 0 };
}

bool sim_kube_refuse(struct sim_kube_reply *r, int code, const char *reason, const char *fmt, ...) {
	va_list args;
	va_start(args, fmt);
	vsnprintf(r->message, sizeof r->message, fmt, args);
	va_end(args);
	r->code = code;
	r->reason = reason;
	return false;
}

static const char *resource_name(enum sim_kube_type t) { /* "deployments.apps" */
	static const char *const names[KUBE_TYPES] = {
		"namespaces",
		"nodes",
		"pods",
		"events",
		"deployments.apps",
		"replicasets.apps",
		"horizontalpodautoscalers.autoscaling",
		"poddisruptionbudgets.policy",
	};
	return names[t];
}

static bool not_found(struct sim_kube_reply *r, enum sim_kube_type t, const char *name) {
	return sim_kube_refuse(r, 404, "NotFound", "%s \"%s\" not found", resource_name(t), name);
}

static bool conflict(struct sim_kube_reply *r, enum sim_kube_type t, const char *name, const char *what) {
	return sim_kube_refuse(r, 409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s", resource_name(t), name,
	                       what);
}

/* ---- validation ---- */

static bool invalid(struct sim_kube_reply *r, enum sim_kube_type t, const char *name, const char *what) {
	return sim_kube_refuse(r, 422, "Invalid", "%s.%s \"%s\" is invalid: %s", sim_kube_types[t].kind,
	                       sim_kube_types[t].group, name, what);
}

static bool is_name(const char *name) { /* RFC 1123 subdomain */
	size_t n = strlen(name);
	if (!n || n > 253 || name[0] == '-' || name[0] == '.' || name[n - 1] == '-' || name[n - 1] == '.') return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n;
}

static bool valid_workload(enum sim_kube_type t, const char *name, const struct doc *d, struct sim_kube_reply *r) {
	const struct doc *spec = doc_get(d, "spec"), *template = doc_get(spec, "template");
	if (doc_int(doc_get(spec, "replicas"), 0) < 0)
		return invalid(r, t, name, "spec.replicas: Invalid value: must be greater than or equal to 0");
	if (!doc_get(spec, "selector")) return invalid(r, t, name, "spec.selector: Required value");
	if (!doc_count(doc_path(template, "spec.containers")))
		return invalid(r, t, name, "spec.template.spec.containers: Required value");
	if (!sim_kube_labels_match(doc_get(spec, "selector"), doc_path(template, "metadata.labels")))
		return invalid(r, t, name,
		               "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`");
	return true;
}

static bool valid_autoscaler(const char *name, const struct doc *d, struct sim_kube_reply *r) {
	const struct doc *spec = doc_get(d, "spec");
	int64_t least = doc_int(doc_get(spec, "minReplicas"), 1), most = doc_int(doc_get(spec, "maxReplicas"), 0);
	if (!*doc_c(doc_path(spec, "scaleTargetRef.name")))
		return invalid(r, KUBE_HPAS, name, "spec.scaleTargetRef.name: Required value");
	if (least < 1)
		return invalid(r, KUBE_HPAS, name, "spec.minReplicas: Invalid value: must be greater than or equal to 1");
	if (most < 1) return invalid(r, KUBE_HPAS, name, "spec.maxReplicas: Invalid value: must be greater than 0");
	if (most < least)
		return invalid(r, KUBE_HPAS, name,
		               "spec.maxReplicas: Invalid value: must be greater than or equal to `minReplicas`");
	return true;
}

static bool valid_budget(const char *name, const struct doc *d, struct sim_kube_reply *r) {
	if (!doc_path(d, "spec.minAvailable") || !doc_path(d, "spec.maxUnavailable")) return true;
	return invalid(r, KUBE_PDBS, name, "spec: Invalid value: minAvailable and maxUnavailable cannot be both set");
}

static bool valid(enum sim_kube_type t, const struct doc *before, const struct doc *d, struct sim_kube_reply *r) {
	const char *name = doc_c(doc_path(d, "metadata.name"));
	if (!is_name(name)) return invalid(r, t, name, "metadata.name: Invalid value: a lowercase RFC 1123 subdomain");
	if (t == KUBE_DEPLOYMENTS || t == KUBE_REPLICASETS) {
		if (before && !doc_equal(doc_path(before, "spec.selector"), doc_path(d, "spec.selector")))
			return invalid(r, t, name, "spec.selector: Invalid value: field is immutable");
		return valid_workload(t, name, d, r);
	}
	if (t == KUBE_HPAS) return valid_autoscaler(name, d, r);
	return t != KUBE_PDBS || valid_budget(name, d, r);
}

/* ---- admitting a new state ---- */

static int pods_taken(enum sim_kube_type t, const struct doc *before, const struct doc *now) {
	if (t != KUBE_DEPLOYMENTS || !before) return t == KUBE_PODS;
	int64_t had = doc_int(doc_path(before, "spec.replicas"), 1), has = doc_int(doc_path(now, "spec.replicas"), 1);
	if (!doc_equal(doc_path(before, "spec.template"), doc_path(now, "spec.template"))) return (int)had;
	return had > has ? (int)(had - has) : 0;
}

static void record(struct sim_kube *k, enum sim_kube_verb verb, enum sim_kube_type t,
                   const struct sim_kube_state *before, const struct doc *now, const struct sim_kube_call *c) {
	if (k->effect_count == KUBE_EFFECTS_MAX) return; /* a world that long has told its story */
	if (k->effect_count == k->effect_cap) {
		k->effect_cap = k->effect_cap ? 2 * k->effect_cap : 64;
		k->effects = must_grow(k->effects, k->effect_cap, sizeof *k->effects);
	}
	struct sim_kube_effect *e = &k->effects[k->effect_count++];
	const struct doc *meta = doc_get(now, "metadata");
	*e = (struct sim_kube_effect){ .at_ns = k->o.queue->now_ns, .verb = verb, .type = t };
	snprintf(e->user, sizeof e->user, "%s", c->user);
	snprintf(e->manager, sizeof e->manager, "%s", c->manager);
	snprintf(e->namespace_, sizeof e->namespace_, "%s", doc_c(doc_get(meta, "namespace")));
	snprintf(e->name, sizeof e->name, "%s", doc_c(doc_get(meta, "name")));
	snprintf(e->uid, sizeof e->uid, "%s", doc_c(doc_get(meta, "uid")));
	snprintf(e->key, sizeof e->key, "%s", doc_c(doc_get(doc_get(meta, "annotations"), ACTION_KEY)));
	e->generation = doc_int(doc_get(meta, "generation"), 0);
	e->spec_changed = verb == KUBE_DELETE || verb == KUBE_EVICT || !before ||
	                  e->generation != doc_int(doc_path(before->doc, "metadata.generation"), 0);
	e->pods = pods_taken(t, before ? before->doc : NULL, now);
	sim_trace_tell(k->o.trace, "kube: %s by %s (%s)%s: %s %s/%s",
	               (const char *const[]){ "create", "update", "patch", "delete", "evict", "scale" }[verb], e->user,
	               e->manager, e->spec_changed ? "" : ", spec unchanged", sim_kube_types[t].kind, e->namespace_,
	               e->name);
}

static struct sim_kube_manager manager_of(const struct sim_kube_call *c, enum sim_kube_type t, char time[32],
                                          const struct sim_kube *k) {
	sim_kube_time(k, time);
	return (struct sim_kube_manager){ c->manager, c->subresource ? c->subresource : "", time, sim_kube_api_version(t) };
}

/* The members that only the server sets, as they were. */
static void keep_identity(const struct doc *before, struct doc *now) {
	static const char *const kept[] = {
		"uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"
	};
	const struct doc *old = doc_get(before, "metadata");
	struct doc *meta = doc_make(now, "metadata");
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		const struct doc *value = doc_get(old, kept[i]);
		if (value)
			doc_set(meta, kept[i], doc_copy(value));
		else
			doc_remove(meta, kept[i]);
	}
}

/* Status by a write of the object, and all else by a write of the status, stay as they were. */
static struct doc *only_its_part(const struct doc *before, struct doc *now, const char *subresource) {
	const struct doc *status = doc_get(before, "status");
	if (subresource && !strcmp(subresource, "status")) {
		struct doc *whole = doc_copy(before);
		if (doc_get(now, "status")) doc_set(whole, "status", doc_take(now, "status"));
		doc_free(now);
		return whole;
	}
	if (status)
		doc_set(now, "status", doc_copy(status));
	else
		doc_remove(now, "status");
	return now;
}

/* A patch that would give the object another identity (apimachinery's ValidateObjectMetaAccessorUpdate). */
static bool identity_stays(struct sim_kube *k, enum sim_kube_type t, const char *name, const struct doc *before,
                           const char *uid, struct sim_kube_reply *r) {
	char what[200];
	if (!*uid || k->mutations.ignore_preconditions || !strcmp(uid, doc_c(doc_path(before, "metadata.uid"))))
		return true;
	snprintf(what, sizeof what, "metadata.uid: Invalid value: \"%s\": field is immutable", uid);
	return invalid(r, t, name, what);
}

static bool is_as_expected(struct sim_kube *k, enum sim_kube_type t, const char *name, const struct doc *before,
                           const char *uid, const char *version, struct sim_kube_reply *r) {
	const struct doc *meta = doc_get(before, "metadata");
	char what[200];
	if (k->mutations.ignore_preconditions) return true;
	if (*uid && strcmp(uid, doc_c(doc_get(meta, "uid")))) {
		snprintf(what, sizeof what, "Precondition failed: UID in precondition: %s, UID in object meta: %s", uid,
		         doc_c(doc_get(meta, "uid")));
		return conflict(r, t, name, what);
	}
	if (*version && strcmp(version, doc_c(doc_get(meta, "resourceVersion"))))
		return conflict(r, t, name,
		                "the object has been modified; please apply your changes to the latest version and try again");
	return true;
}

bool sim_kube_preconditions_hold(struct sim_kube *k, enum sim_kube_type t, const char *name, const struct doc *before,
                                 const struct doc *options, struct sim_kube_reply *r) {
	return is_as_expected(k, t, name, before, doc_c(doc_path(options, "preconditions.uid")),
	                      doc_c(doc_path(options, "preconditions.resourceVersion")), r);
}

/* Stores, or only shows, what was admitted. `now` is consumed. */
static void finish(struct sim_kube *k, enum sim_kube_verb verb, enum sim_kube_type t, struct sim_kube_state *before,
                   struct doc *now, const struct sim_kube_call *c, struct sim_kube_reply *r) {
	r->code = before ? 200 : 201;
	if (c->dry_run) {
		sim_kube_set_generation(t, before ? before->doc : NULL, now, c->subresource);
		r->object = now;
		return;
	}
	struct sim_kube_state *hold = sim_kube_hold(before), *state = sim_kube_store(k, t, now, c->subresource);
	r->object = doc_copy(state->doc);
	if (!c->internal && state != before) {
		record(k, verb, t, before, state->doc, c);
		if (k->mutations.apply_twice) record(k, verb, t, before, state->doc, c);
	}
	sim_kube_drop(hold);
}

static void admit(struct sim_kube *k, enum sim_kube_verb verb, enum sim_kube_type t, struct sim_kube_state *before,
                  struct doc *now, bool applied, const struct sim_kube_call *c, struct sim_kube_reply *r) {
	const char *name = doc_c(doc_path(before->doc, "metadata.name"));
	const struct doc *meta = doc_get(now, "metadata");
	char time[32];
	if (strcmp(doc_c(doc_get(meta, "name")), name)) {
		sim_kube_refuse(r, 400, "BadRequest", "the name of the object (%s) does not match the name on the URL (%s)",
		                doc_c(doc_get(meta, "name")), name);
		doc_free(now);
		return;
	}
	const char *uid = doc_c(doc_get(meta, "uid"));
	bool patches = verb == KUBE_PATCH;
	if (!is_as_expected(k, t, name, before->doc, patches ? "" : uid, doc_c(doc_get(meta, "resourceVersion")), r) ||
	    (patches && !identity_stays(k, t, name, before->doc, uid, r))) {
		doc_free(now);
		return;
	}
	keep_identity(before->doc, now);
	now = only_its_part(before->doc, now, c->subresource);
	sim_kube_set_defaults(t, now);
	if (!valid(t, before->doc, now, r)) {
		doc_free(now);
		return;
	}
	struct sim_kube_manager m = manager_of(c, t, time, k);
	if (!applied) sim_kube_fields_update(before->doc, now, &m);
	finish(k, verb, t, before, now, c, r);
}

/* ---- create, update, patch ---- */

static void new_identity(struct sim_kube *k, enum sim_kube_type t, const char *ns, struct doc *object) {
	char uid[37], time[32], name[300];
	struct doc *meta = doc_make(object, "metadata");
	sim_kube_uid(k, uid);
	sim_kube_time(k, time);
	if (!*doc_c(doc_get(meta, "name")) && *doc_c(doc_get(meta, "generateName"))) {
		int n = snprintf(name, sizeof name - 8, "%s", doc_c(doc_get(meta, "generateName")));
		sim_kube_suffix(k, name + n, 5);
		doc_set_c(meta, "name", name);
	}
	if (sim_kube_types[t].namespaced) doc_set_c(meta, "namespace", ns);
	doc_set_c(meta, "uid", uid);
	doc_set_c(meta, "creationTimestamp", time);
	doc_remove(meta, "resourceVersion");
	doc_remove(meta, "deletionTimestamp");
	doc_set_c(object, "apiVersion", sim_kube_api_version(t));
	doc_set_c(object, "kind", sim_kube_types[t].kind);
}

void sim_kube_do_create(struct sim_kube *k, enum sim_kube_type t, const char *ns, struct doc *object,
                        const struct sim_kube_call *c, struct sim_kube_reply *r) {
	char key[260], time[32];
	new_identity(k, t, ns, object);
	const char *name = doc_c(doc_path(object, "metadata.name"));
	sim_kube_set_defaults(t, object);
	sim_kube_key(key, sim_kube_types[t].namespaced ? ns : "", name);
	if (sim_kube_types[t].namespaced && !sim_kube_find(k, KUBE_NAMESPACES, ns)) {
		sim_kube_refuse(r, 404, "NotFound", "namespaces \"%s\" not found", ns);
	} else if (sim_kube_find(k, t, key)) {
		sim_kube_refuse(r, 409, "AlreadyExists", "%s \"%s\" already exists", resource_name(t), name);
	} else if (valid(t, NULL, object, r)) {
		struct sim_kube_manager m = manager_of(c, t, time, k);
		if (!doc_path(object, "metadata.managedFields")) sim_kube_fields_update(NULL, object, &m);
		finish(k, KUBE_CREATE, t, NULL, object, c, r);
		return;
	}
	doc_free(object);
}

static struct sim_kube_state *find(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name) {
	char key[260];
	sim_kube_key(key, sim_kube_types[t].namespaced ? ns : "", name);
	return sim_kube_find(k, t, key);
}

void sim_kube_do_update(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name, struct doc *object,
                        const struct sim_kube_call *c, struct sim_kube_reply *r) {
	struct sim_kube_state *before = find(k, t, ns, name);
	if (!before) {
		not_found(r, t, name);
		doc_free(object);
		return;
	}
	struct doc *meta = doc_make(object, "metadata");
	const struct doc *fields = doc_path(before->doc, "metadata.managedFields");
	if (!doc_get(meta, "managedFields") && fields) doc_set(meta, "managedFields", doc_copy(fields));
	admit(k, KUBE_UPDATE, t, before, object, false, c, r);
}

static void apply(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name, const struct doc *config,
                  const struct sim_kube_call *c, struct sim_kube_reply *r) {
	struct sim_kube_state *before = find(k, t, ns, name);
	struct doc *result = NULL, *causes = doc_new(JSON_ARRAY);
	char time[32], what[200];
	struct why why = { "" };
	const char *uid = doc_c(doc_path(config, "metadata.uid"));
	struct sim_kube_manager m = manager_of(c, t, time, k);
	if (doc_path(config, "metadata.managedFields")) {
		sim_kube_refuse(r, 400, "BadRequest", "metadata.managedFields must be nil");
	} else if (!before && *uid) {
		snprintf(what, sizeof what,
		         "uid mismatch: the provided object specified uid %s, and no existing object was found", uid);
		conflict(r, t, name, what);
	} else if (sim_kube_fields_apply(before ? before->doc : NULL, config, &m, c->force, &result, causes, &why)) {
		sim_kube_refuse(r, 409, "Conflict", "%s", why.text);
		r->causes = causes;
		return;
	} else if (before) {
		admit(k, KUBE_PATCH, t, before, result, true, c, r);
	} else {
		sim_kube_do_create(k, t, ns, result, c, r);
	}
	doc_free(causes);
}

static enum err patched(struct doc **object, enum sim_kube_patch_kind kind, const struct doc *patch, struct why *why) {
	if (kind == KUBE_JSON) return sim_kube_json_patch(object, patch, why);
	if (patch->kind != JSON_OBJECT) return why_set(why, ERR_INVALID, "a patch of an object is an object");
	if (kind == KUBE_STRATEGIC) return sim_kube_strategic_patch(*object, patch, why);
	sim_kube_merge_patch(*object, patch);
	return OK;
}

void sim_kube_do_patch(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                       enum sim_kube_patch_kind kind, const struct doc *patch, const struct sim_kube_call *c,
                       struct sim_kube_reply *r) {
	if (kind == KUBE_APPLY) {
		apply(k, t, ns, name, patch, c, r);
		return;
	}
	struct sim_kube_state *before = find(k, t, ns, name);
	struct why why = { "" };
	if (!before) {
		not_found(r, t, name);
		return;
	}
	struct doc *now = doc_copy(before->doc);
	enum err e = patched(&now, kind, patch, &why);
	if (e) {
		doc_free(now);
		sim_kube_refuse(r, e == ERR_INVALID ? 400 : 422, e == ERR_INVALID ? "BadRequest" : "Invalid", "%s", why.text);
		return;
	}
	admit(k, KUBE_PATCH, t, before, now, false, c, r);
}

/* ---- delete ---- */

/* The first that is owned and not on its way out. */
static const struct doc *first_owned(const struct sim_kube *k, enum sim_kube_type t, const char *uid) {
	struct sim_kube_some some = sim_kube_owned(k, t, uid);
	const struct doc *d;
	while ((d = sim_kube_some_next(&some)) && doc_path(d, "metadata.deletionTimestamp")) {}
	return d;
}

/* What the garbage collector does in the background: what is owned goes with its owner. */
static void delete_owned(struct sim_kube *k, const char *uid) {
	static const enum sim_kube_type kinds[] = { KUBE_REPLICASETS, KUBE_PODS };
	const struct doc *d;
	for (size_t n = 0; n < 2; n++)
		while ((d = first_owned(k, kinds[n], uid))) {
			char ns[64], name[128];
			snprintf(ns, sizeof ns, "%s", doc_c(doc_path(d, "metadata.namespace")));
			snprintf(name, sizeof name, "%s", doc_c(doc_path(d, "metadata.name")));
			struct sim_kube_call call = {
				"garbage-collector", "kube-controller-manager", NULL, false, false, true, false
			};
			struct sim_kube_reply reply = { 0 };
			sim_kube_do_delete(k, kinds[n], ns, name, NULL, &call, &reply);
			sim_kube_reply_done(&reply);
		}
}

/* A pod that runs somewhere gets its time; true: it stays for now, marked. */
static bool delete_gracefully(struct sim_kube *k, struct sim_kube_state *before, int64_t grace_s,
                              struct sim_kube_reply *r) {
	if (!doc_path(before->doc, "spec.nodeName") || grace_s == 0) return false;
	char time[32];
	struct doc *now = doc_copy(before->doc), *meta = doc_make(now, "metadata");
	wall_format((struct wall){ (k->o.epoch.ns + k->o.queue->now_ns) / NS_PER_SEC * NS_PER_SEC + grace_s * NS_PER_SEC },
	            time);
	char *dot = strchr(time, '.');
	if (dot) memcpy(dot, "Z", 2);
	doc_set_c(meta, "deletionTimestamp", time);
	doc_set_int(meta, "deletionGracePeriodSeconds", grace_s);
	struct sim_kube_state *state = sim_kube_store(k, KUBE_PODS, now, NULL);
	r->object = doc_copy(state->doc);
	sim_kube_pod_deleted(k, state->doc, grace_s * NS_PER_SEC);
	return true;
}

static struct doc *deleted_status(enum sim_kube_type t, const struct doc *d) {
	struct doc *s = doc_new(JSON_OBJECT), *details;
	doc_set_c(s, "kind", "Status");
	doc_set_c(s, "apiVersion", "v1");
	doc_set(s, "metadata", doc_new(JSON_OBJECT));
	doc_set_c(s, "status", "Success");
	details = doc_make(s, "details");
	doc_set_c(details, "name", doc_c(doc_path(d, "metadata.name")));
	if (*sim_kube_types[t].group) doc_set_c(details, "group", sim_kube_types[t].group);
	doc_set_c(details, "kind", sim_kube_types[t].plural);
	doc_set_c(details, "uid", doc_c(doc_path(d, "metadata.uid")));
	return s;
}

static void delete_now(struct sim_kube *k, enum sim_kube_type t, struct sim_kube_state *before,
                       struct sim_kube_reply *r) {
	char key[260], uid[37];
	const struct doc *meta = doc_get(before->doc, "metadata");
	sim_kube_key(key, sim_kube_types[t].namespaced ? doc_c(doc_get(meta, "namespace")) : "",
	             doc_c(doc_get(meta, "name")));
	snprintf(uid, sizeof uid, "%s", doc_c(doc_get(meta, "uid")));
	r->object = t == KUBE_PODS ? doc_copy(before->doc) : deleted_status(t, before->doc);
	if (t == KUBE_PODS) sim_kube_pod_deleted(k, before->doc, 0);
	sim_kube_erase(k, t, key);
	if (t == KUBE_DEPLOYMENTS || t == KUBE_REPLICASETS) delete_owned(k, uid);
}

void sim_kube_do_delete(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                        const struct doc *options, const struct sim_kube_call *c, struct sim_kube_reply *r) {
	struct sim_kube_state *before = find(k, t, ns, name);
	if (!before) {
		not_found(r, t, name);
		return;
	}
	if (!sim_kube_preconditions_hold(k, t, name, before->doc, options, r)) return;
	r->code = 200;
	if (c->dry_run) {
		r->object = doc_copy(before->doc);
		return;
	}
	sim_kube_hold(before);
	bool first = !doc_path(before->doc, "metadata.deletionTimestamp");
	int64_t grace = doc_int(doc_path(before->doc, "spec.terminationGracePeriodSeconds"), 30);
	grace = doc_int(doc_get(options, "gracePeriodSeconds"), grace);
	if (!first && grace > 0)
		r->object = doc_copy(before->doc); /* it is on its way already */
	else if (t != KUBE_PODS || !delete_gracefully(k, before, grace, r))
		delete_now(k, t, before, r);
	if (!c->internal && first) {
		enum sim_kube_verb verb = c->evicts ? KUBE_EVICT : KUBE_DELETE;
		record(k, verb, t, before, before->doc, c);
		if (k->mutations.apply_twice) record(k, verb, t, before, before->doc, c);
	}
	sim_kube_drop(before);
}

/* ---- writes from within ---- */

struct sim_kube_state *sim_kube_write_as(struct sim_kube *k, enum sim_kube_type t, struct doc *doc, const char *manager,
                                         const char *subresource) {
	char time[32], key[260];
	sim_kube_key(key, sim_kube_types[t].namespaced ? doc_c(doc_path(doc, "metadata.namespace")) : "",
	             doc_c(doc_path(doc, "metadata.name")));
	struct sim_kube_state *before = sim_kube_find(k, t, key);
	struct sim_kube_call c = { "system", manager, subresource, false, false, true, false };
	struct sim_kube_manager m = manager_of(&c, t, time, k);
	sim_kube_fields_update(before ? before->doc : NULL, doc, &m);
	return sim_kube_store(k, t, doc, subresource);
}

enum err sim_kube_create(struct sim_kube *k, enum sim_kube_type t, struct str json, struct why *why) {
	struct doc *d = doc_parse(json, why);
	struct sim_kube_reply r = { 0 };
	struct sim_kube_call c = { "setup", "kubectl-create", NULL, false, false, true, false };
	if (!d) return ERR_INVALID;
	char ns[64];
	snprintf(ns, sizeof ns, "%s", doc_c(doc_path(d, "metadata.namespace")));
	sim_kube_do_create(k, t, ns, d, &c, &r);
	enum err e = r.reason ? why_set(why, r.code == 409 ? ERR_EXISTS : ERR_INVALID, "%s", r.message) : OK;
	sim_kube_reply_done(&r);
	return e;
}

enum err sim_kube_change(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                         const char *manager, struct str patch, struct why *why) {
	struct doc *d = doc_parse(patch, why);
	struct sim_kube_reply r = { 0 };
	struct sim_kube_call c = { "people", manager, NULL, false, false, true, false };
	if (!d) return ERR_INVALID;
	sim_kube_do_patch(k, t, ns, name, KUBE_STRATEGIC, d, &c, &r);
	doc_free(d);
	enum err e = r.reason ? why_set(why, r.code == 404 ? ERR_NOT_FOUND : ERR_INVALID, "%s", r.message) : OK;
	sim_kube_reply_done(&r);
	return e;
}
