#include "execute/kubernetes/plan.h"

/* ---- who owns what ---- */

/* The manager whose entry holds `path` (of at most two steps below "f:spec"), newest first. */
static struct str manager_of(const struct json *object, const char *field) {
	struct str manager = { 0 }, newest = { 0 };
	json_each(entry, json_path(object, "metadata.managedFields")) {
		const struct json *spec = json_get(json_get(entry, "fieldsV1"), "f:spec");
		struct str time = json_str(json_get(entry, "time"));
		if (!json_get(spec, field) || str_cmp(time, newest) < 0) continue;
		newest = time;
		manager = json_str(json_get(entry, "manager"));
	}
	return manager;
}

/* Hands of people and of deployment tools: they write once and do not fight. Whoever else holds the
 * field is taken for a controller that will write it back. */
static bool writes_once(struct str manager) {
	static const char *const hands[] = {
		"kubectl",           "helm",    "flyball", "kube-controller-manager", "before-first-apply",
		"OpenAPI-Generator", "Mozilla", "curl"
	};
	if (!manager.n) return true;
	for (size_t i = 0; i < sizeof hands / sizeof *hands; i++)
		if (str_starts(manager, str_of(hands[i]))) return true;
	return false;
}

static struct str autoscaler_of(const struct plan_inputs *in, struct arena *a) {
	const struct kube_object *d = in->resolved->deployment, *h;
	struct why why = { "" };
	if (!kube_watch_knows_hpas(in->watch, &why)) return str_printf(a, "unknown: %s", why.text);
	for (size_t i = 0; (h = kube_watch_next(in->watch, KUBE_HPA, &i));)
		if (str_eq(h->namespace_, d->namespace_) && str_eq(h->target_name, d->name) &&
		    str_is(h->target_kind, "Deployment"))
			return str_printf(a, "HorizontalPodAutoscaler/" STR_FMT, STR_ARG(h->name));
	return (struct str){ 0 };
}

static bool argo_tracks(const struct json *object) {
	return json_get(json_path(object, "metadata.annotations"), "argocd.argoproj.io/tracking-id") ||
	       json_get(json_path(object, "metadata.labels"), "argocd.argoproj.io/instance");
}

struct str kube_owner(const struct plan_inputs *in, struct arena *a) {
	const struct kube_object *d = in->resolved->deployment;
	struct str owner = { 0 };
	if (in->action == ACTION_DELETE_POD) return owner; /* its ReplicaSet replaces it: that is the point */
	if (d->owner_kind.n) return str_printf(a, STR_FMT "/" STR_FMT, STR_ARG(d->owner_kind), STR_ARG(d->owner_name));
	if (in->action == ACTION_ROLLOUT_RESTART) return owner; /* writes annotations of our own domain only */
	if (in->action == ACTION_SCALE) owner = autoscaler_of(in, a);
	if (!owner.n && argo_tracks(in->object)) owner = STR("Argo CD");
	if (owner.n) return owner;
	struct str manager = manager_of(in->object, in->action == ACTION_SCALE ? "f:replicas" : "f:template");
	return writes_once(manager) ? (struct str){ 0 } : str_printf(a, "field manager " STR_FMT, STR_ARG(manager));
}

/* ---- what would be written ---- */

static struct str text_of(struct arena *a, struct buf *b) {
	struct str s = b->err ? (struct str){ 0 } : str_copy(a, buf_get(b));
	buf_done(b);
	return s;
}

/* {"key": value} with one string or number. */
static struct str object1(struct arena *a, const char *key, const char *s, int64_t n) {
	struct buf b;
	buf_init(&b, 4096);
	struct json_out o = json_out(&b);
	json_begin_object(&o);
	if (s)
		json_kv_c(&o, key, s);
	else
		json_kv_int(&o, key, n);
	json_end_object(&o);
	return text_of(a, &b);
}

static const char *workload(const struct plan_inputs *in, struct arena *a) {
	const struct kube_object *d = in->resolved->deployment;
	return str_c(a, str_printf(a, "Deployment " STR_FMT "/" STR_FMT, STR_ARG(d->namespace_), STR_ARG(d->name)));
}

static enum err plan_restart(const struct plan_inputs *in, struct arena *a, struct plan *p, struct why *why) {
	char at[32];
	if (json_bool(json_path(in->object, "spec.paused"), false))
		return why_set(why, ERR_CONFLICT, "%s: its rollout is paused", workload(in, a));
	wall_format(in->now, at);
	p->params = object1(a, "restarted_at", at, 0);
	p->undo = STR("{\"none\":\"a restart leaves nothing behind to take back\"}");
	p->pods_disturbed = p->replicas;
	p->summary = str_printf(a, "restart %s (%lld pods, rolling)", workload(in, a), (long long)p->replicas);
	return OK;
}

static enum err plan_delete(const struct plan_inputs *in, struct arena *a, struct plan *p, struct why *why) {
	const struct kube_object *pod = in->resolved->pod;
	(void)why;
	p->kind = STR("Pod");
	p->name = str_copy(a, pod->name);
	p->uid = str_copy(a, pod->uid);
	p->params = object1(a, "deployment_uid", str_c(a, in->resolved->deployment->uid), 0);
	p->undo = STR("{\"none\":\"a deleted pod is replaced, not brought back\"}");
	p->pods_disturbed = 1;
	p->summary = str_printf(a, "delete pod " STR_FMT "/" STR_FMT " of %s", STR_ARG(pod->namespace_), STR_ARG(pod->name),
	                        workload(in, a));
	return OK;
}

static enum err plan_scale(const struct plan_inputs *in, struct arena *a, struct plan *p, struct why *why) {
	if (in->replicas < 1)
		return why_set(why, ERR_INVALID, "%s: %lld replicas are not a wish", workload(in, a), (long long)in->replicas);
	if (in->replicas == p->replicas)
		return why_set(why, ERR_INVALID, "%s has %lld replicas already", workload(in, a), (long long)p->replicas);
	p->params = object1(a, "replicas", NULL, in->replicas);
	p->undo = object1(a, "replicas", NULL, p->replicas);
	p->pods_disturbed = in->replicas < p->replicas ? p->replicas - in->replicas : 0;
	p->summary =
		str_printf(a, "scale %s from %lld to %lld", workload(in, a), (long long)p->replicas, (long long)in->replicas);
	return OK;
}

static struct str revision_json(struct arena *a, const struct kube_object *set) {
	struct buf b;
	buf_init(&b, 4096);
	struct json_out o = json_out(&b);
	json_begin_object(&o);
	json_kv_str(&o, "revision", set->revision);
	json_kv_str(&o, "replicaset", set->name);
	json_kv_str(&o, "uid", set->uid);
	json_end_object(&o);
	return text_of(a, &b);
}

/* The ReplicaSet of the current revision and the one just before it. */
static void revisions(const struct plan_inputs *in, const struct kube_object **current,
                      const struct kube_object **before) {
	const struct kube_object *d = in->resolved->deployment, *set;
	int64_t now = 0, best = -1;
	if (!str_int(d->revision, &now)) return;
	for (size_t i = 0; (set = kube_watch_next(in->watch, KUBE_REPLICASET, &i));) {
		int64_t revision = 0;
		if (!str_eq(set->owner_uid, d->uid) || !str_int(set->revision, &revision)) continue;
		if (revision == now) *current = set;
		if (revision >= now || revision <= best) continue;
		best = revision;
		*before = set;
	}
}

static enum err plan_undo(const struct plan_inputs *in, struct arena *a, struct plan *p, struct why *why) {
	const struct kube_object *current = NULL, *before = NULL;
	revisions(in, &current, &before);
	if (!current || !before)
		return why_set(why, ERR_NOT_FOUND, "%s has no earlier revision to go back to", workload(in, a));
	p->params = revision_json(a, before);
	p->undo = revision_json(a, current);
	p->pods_disturbed = p->replicas;
	p->summary = str_printf(a, "roll %s back from revision " STR_FMT " to " STR_FMT, workload(in, a),
	                        STR_ARG(current->revision), STR_ARG(before->revision));
	return OK;
}

enum err kube_plan(const struct plan_inputs *in, struct arena *a, struct plan *out, struct why *why) {
	static enum err (*const each[ACTION_KINDS])(const struct plan_inputs *, struct arena *, struct plan *,
	                                            struct why *) = {
		[ACTION_ROLLOUT_RESTART] = plan_restart,
		[ACTION_DELETE_POD] = plan_delete,
		[ACTION_ROLLOUT_UNDO] = plan_undo,
		[ACTION_SCALE] = plan_scale,
	};
	const struct kube_object *d = in->resolved->deployment;
	const struct kube_object *meant = in->action == ACTION_DELETE_POD ? in->resolved->pod : d;
	const struct json *meta = json_get(in->object, "metadata");
	if (!str_eq(json_str(json_get(meta, "uid")), meant->uid))
		return why_set(why, ERR_CONFLICT, STR_FMT "/" STR_FMT " was replaced by another object of that name",
		               STR_ARG(meant->namespace_), STR_ARG(meant->name));
	struct plan p = {
		.namespace_ = str_copy(a, d->namespace_),
		.kind = STR("Deployment"),
		.name = str_copy(a, d->name),
		.uid = str_copy(a, d->uid),
		.mapped_by = str_copy(a, in->resolved->mapped_by),
		.generation = json_int(json_get(meta, "generation"), 0),
		.resource_version = str_copy(a, json_str(json_get(meta, "resourceVersion"))),
		.replicas = in->action == ACTION_DELETE_POD ? d->wanted : json_int(json_path(in->object, "spec.replicas"), 1),
		.pods_ready = d->available,
	};
	enum err e = each[in->action](in, a, &p, why);
	if (e) return e;
	p.owner = kube_owner(in, a);
	*out = p;
	return OK;
}
