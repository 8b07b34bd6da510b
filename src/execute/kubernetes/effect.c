#include "execute/kubernetes/effect.h"

#include <string.h>

static const char *const managers[ACTION_KINDS] = {
	[ACTION_ROLLOUT_RESTART] = "flyball-restart",
	[ACTION_DELETE_POD] = "flyball-delete",
	[ACTION_ROLLOUT_UNDO] = "flyball-undo",
	[ACTION_SCALE] = "flyball-scale",
};

bool effect_can_undo(enum action_kind action) {
	return action == ACTION_ROLLOUT_UNDO || action == ACTION_SCALE;
}

struct str effect_path(enum action_kind action, const struct plan *p, struct arena *a) {
	enum kube_kind kind = action == ACTION_DELETE_POD ? KUBE_POD : KUBE_DEPLOYMENT;
	return str_printf(a, "%s/namespaces/" STR_FMT "/%s/" STR_FMT, kube_kind_group(kind), STR_ARG(p->namespace_),
	                  kube_kind_plural(kind), STR_ARG(p->name));
}

static const struct json *parsed(struct arena *a, struct str text) {
	const struct json *j = NULL;
	return json_parse(a, text, &j, NULL) ? NULL : j;
}

/* What is to be written: the plan's params, or when taking back its undo. */
static struct str wish(const struct effect_inputs *in) {
	return in->undo ? in->plan->undo : in->plan->params;
}

struct str effect_revision_path(const struct effect_inputs *in, struct arena *a) {
	if (in->action != ACTION_ROLLOUT_UNDO) return (struct str){ 0 };
	return str_printf(a, "%s/namespaces/" STR_FMT "/%s/" STR_FMT, kube_kind_group(KUBE_REPLICASET),
	                  STR_ARG(in->plan->namespace_), kube_kind_plural(KUBE_REPLICASET),
	                  STR_ARG(json_str(json_get(parsed(a, wish(in)), "replicaset"))));
}

static const struct json *meta(const struct json *object) {
	return json_get(object, "metadata");
}

static struct str key_on(const struct json *object) {
	return json_str(json_get(json_get(meta(object), "annotations"), KUBE_ACTION_KEY));
}

/* Taking back is for what we wrote and nobody changed since: the object must carry the key of the act. */
static enum effect_state undo_state(const struct effect_inputs *in, struct why *why) {
	struct str act = in->key;
	if (str_ends(act, STR("-undo"))) act.n -= sizeof "-undo" - 1;
	if (str_eq(key_on(in->now), act)) return EFFECT_WANTED;
	(void)why_set(why, ERR_CONFLICT, "somebody changed it since: it no longer carries this action's key");
	return EFFECT_CONFLICT;
}

enum effect_state effect_state(const struct effect_inputs *in, struct why *why) {
	if (!str_eq(json_str(json_get(meta(in->now), "uid")), in->plan->uid)) {
		if (in->action == ACTION_DELETE_POD) return EFFECT_THERE; /* that pod is gone */
		(void)why_set(why, ERR_CONFLICT, "it was replaced by another object of that name");
		return EFFECT_CONFLICT;
	}
	if (in->action == ACTION_DELETE_POD)
		return json_get(meta(in->now), "deletionTimestamp") ? EFFECT_THERE : EFFECT_WANTED;
	if (str_eq(key_on(in->now), in->key)) return EFFECT_THERE;
	if (in->undo) return undo_state(in, why);
	int64_t generation = json_int(json_get(meta(in->now), "generation"), 0);
	if (generation == in->plan->generation) return EFFECT_WANTED;
	(void)why_set(why, ERR_CONFLICT, "its spec was changed since the plan (generation %lld, planned at %lld)",
	              (long long)generation, (long long)in->plan->generation);
	return EFFECT_CONFLICT;
}

/* ---- bodies ---- */

static void annotations(struct json_out *o, const struct effect_inputs *in) {
	json_key(o, "annotations");
	json_begin_object(o);
	json_kv_str(o, KUBE_ACTION_KEY, in->key);
	json_end_object(o);
}

static void preconditions(struct json_out *o, const struct effect_inputs *in) {
	json_kv_str(o, "uid", in->plan->uid);
	json_kv_str(o, "resourceVersion", json_str(json_get(meta(in->now), "resourceVersion")));
}

static void restart_body(struct json_out *o, const struct effect_inputs *in, const struct json *params) {
	json_begin_object(o);
	json_kv_c(o, "apiVersion", "apps/v1");
	json_kv_c(o, "kind", "Deployment");
	json_key(o, "metadata");
	json_begin_object(o);
	json_kv_str(o, "name", in->plan->name);
	json_kv_str(o, "namespace", in->plan->namespace_);
	preconditions(o, in);
	annotations(o, in);
	json_end_object(o);
	json_key(o, "spec");
	json_begin_object(o);
	json_key(o, "template");
	json_begin_object(o);
	json_key(o, "metadata");
	json_begin_object(o);
	json_key(o, "annotations");
	json_begin_object(o);
	json_kv_str(o, KUBE_RESTARTED_AT, json_str(json_get(params, "restarted_at")));
	json_end_object(o);
	json_end_object(o);
	json_end_object(o);
	json_end_object(o);
	json_end_object(o);
}

static void scale_body(struct json_out *o, const struct effect_inputs *in, const struct json *params) {
	json_begin_object(o);
	json_key(o, "metadata");
	json_begin_object(o);
	preconditions(o, in);
	annotations(o, in);
	json_end_object(o);
	json_key(o, "spec");
	json_begin_object(o);
	json_kv_int(o, "replicas", json_int(json_get(params, "replicas"), in->plan->replicas));
	json_end_object(o);
	json_end_object(o);
}

static void delete_body(struct json_out *o, const struct effect_inputs *in, bool dry) {
	json_begin_object(o);
	json_kv_c(o, "apiVersion", "v1");
	json_kv_c(o, "kind", "DeleteOptions");
	json_key(o, "preconditions");
	json_begin_object(o);
	json_kv_str(o, "uid", in->plan->uid);
	json_end_object(o);
	if (dry) {
		json_key(o, "dryRun");
		json_begin_array(o);
		json_put_c(o, "All");
		json_end_array(o);
	}
	json_end_object(o);
}

static void patch_op(struct json_out *o, const char *op, const char *path) {
	json_begin_object(o);
	json_kv_c(o, "op", op);
	json_kv_c(o, "path", path);
	json_key(o, "value");
}

/* A ReplicaSet's template less the label by which its Deployment tells its sets apart. */
static void template_of(struct json_out *o, const struct json *set) {
	json_begin_object(o);
	json_each(part, json_path(set, "spec.template")) {
		json_key_str(o, part->key);
		if (!str_is(part->key, "metadata")) {
			json_put_value(o, part);
			continue;
		}
		json_begin_object(o);
		json_each(m, part) {
			json_key_str(o, m->key);
			if (!str_is(m->key, "labels")) {
				json_put_value(o, m);
				continue;
			}
			json_begin_object(o);
			json_each(label, m) {
				if (str_is(label->key, "pod-template-hash")) continue;
				json_key_str(o, label->key);
				json_put_value(o, label);
			}
			json_end_object(o);
		}
		json_end_object(o);
	}
	json_end_object(o);
}

static void undo_body(struct json_out *o, const struct effect_inputs *in) {
	json_begin_array(o);
	patch_op(o, "test", "/metadata/uid");
	json_put_str(o, in->plan->uid);
	json_end_object(o);
	patch_op(o, "test", "/metadata/resourceVersion");
	json_put_str(o, json_str(json_get(meta(in->now), "resourceVersion")));
	json_end_object(o);
	if (!json_get(meta(in->now), "annotations")) {
		patch_op(o, "add", "/metadata/annotations");
		json_begin_object(o);
		json_end_object(o);
		json_end_object(o);
	}
	patch_op(o, "add", "/metadata/annotations/flyball.dev~1action-key");
	json_put_str(o, in->key);
	json_end_object(o);
	patch_op(o, "replace", "/spec/template");
	template_of(o, in->revision);
	json_end_object(o);
	json_end_array(o);
}

/* The set that was planned, not another that has come to bear its name. */
static enum err check_revision(const struct effect_inputs *in, const struct json *params, struct why *why) {
	if (in->action != ACTION_ROLLOUT_UNDO) return OK;
	if (in->revision && str_eq(json_str(json_get(meta(in->revision), "uid")), json_str(json_get(params, "uid"))) &&
	    json_path(in->revision, "spec.template"))
		return OK;
	return why_set(why, ERR_CONFLICT, "the revision to go back to is gone");
}

static void body(struct json_out *o, const struct effect_inputs *in, const struct json *params, bool dry) {
	switch (in->action) {
	case ACTION_ROLLOUT_RESTART: restart_body(o, in, params); break;
	case ACTION_DELETE_POD: delete_body(o, in, dry); break;
	case ACTION_ROLLOUT_UNDO: undo_body(o, in); break;
	case ACTION_SCALE: scale_body(o, in, params); break;
	case ACTION_KINDS: break;
	}
}

static const char *content_type(enum action_kind action) {
	switch (action) {
	case ACTION_ROLLOUT_RESTART: return "application/apply-patch+yaml"; /* JSON is YAML */
	case ACTION_ROLLOUT_UNDO: return "application/json-patch+json";
	case ACTION_SCALE: return "application/merge-patch+json";
	default: return "application/json";
	}
}

enum err effect_request(const struct effect_inputs *in, bool dry, struct arena *a, struct kube_request *out,
                        struct why *why) {
	const struct json *params = parsed(a, wish(in));
	struct buf b;
	bool deletes = in->action == ACTION_DELETE_POD;
	enum err e = check_revision(in, params, why);
	if (e) return e;
	buf_init(&b, 1 << 20);
	struct json_out o = json_out(&b);
	body(&o, in, params, dry);
	e = b.err;
	struct kube_request r = {
		.method = deletes ? "DELETE" : "PATCH",
		.path = effect_path(in->action, in->plan, a),
		.content_type = content_type(in->action),
		.body = str_copy(a, buf_get(&b)),
	};
	buf_done(&b);
	if (e || !r.body.p) return e ? e : ERR_NOMEM;
	if (!deletes)
		r.path =
			str_printf(a, STR_FMT "?fieldManager=%s&fieldValidation=Strict%s%s", STR_ARG(r.path), managers[in->action],
		               in->action == ACTION_ROLLOUT_RESTART ? "&force=true" : "", dry ? "&dryRun=All" : "");
	*out = r;
	return OK;
}
