#include "execute/kubernetes/resolve.h"

struct question {
	const struct kube_watch *w;
	const struct target *t;
	struct arena *a;
	struct why *why;
};

static enum err by_name(const struct question *q, struct str kind, struct str ns, struct str name, struct str by,
                        struct kube_resolved *out) {
	if (kind.n && !str_is(kind, "Deployment"))
		return why_set(q->why, ERR_UNSUPPORTED, STR_FMT " " STR_FMT "/" STR_FMT ": only Deployments are acted on",
		               STR_ARG(kind), STR_ARG(ns), STR_ARG(name));
	out->deployment = kube_watch_name(q->w, KUBE_DEPLOYMENT, ns, name);
	out->mapped_by = by;
	if (out->deployment) return OK;
	return why_set(q->why, ERR_NOT_FOUND,
	               STR_FMT " names Deployment " STR_FMT "/" STR_FMT ", which the cluster does not have", STR_ARG(by),
	               STR_ARG(ns), STR_ARG(name));
}

/* The Deployment above a pod: pod -> ReplicaSet -> Deployment, by controller references. */
static const struct kube_object *owner(const struct question *q, const struct kube_object *pod) {
	if (!str_is(pod->owner_kind, "ReplicaSet")) return NULL;
	const struct kube_object *set = kube_watch_uid(q->w, KUBE_REPLICASET, pod->owner_uid);
	if (!set || !str_is(set->owner_kind, "Deployment")) return NULL;
	return kube_watch_uid(q->w, KUBE_DEPLOYMENT, set->owner_uid);
}

/* OK with out->deployment NULL: no pod of the telemetry is known to the cluster. */
static enum err by_pods(const struct question *q, struct kube_resolved *out) {
	for (size_t i = 0; i < q->t->pod_uid_count; i++) {
		const struct kube_object *pod = kube_watch_uid(q->w, KUBE_POD, q->t->pod_uids[i]);
		if (!pod) continue; /* gone since: others of the service may live */
		const struct kube_object *found = owner(q, pod);
		if (!found)
			return why_set(q->why, ERR_UNSUPPORTED,
			               "pod " STR_FMT "/" STR_FMT " belongs to %s" STR_FMT ": only Deployments are acted on",
			               STR_ARG(pod->namespace_), STR_ARG(pod->name), pod->owner_kind.n ? "" : "nothing",
			               STR_ARG(pod->owner_kind));
		if (out->deployment && out->deployment != found)
			return why_set(q->why, ERR_CONFLICT,
			               "pods of service " STR_FMT " belong to two workloads, " STR_FMT " and " STR_FMT,
			               STR_ARG(q->t->service), STR_ARG(out->deployment->name), STR_ARG(found->name));
		if (!out->deployment)
			out->mapped_by = str_printf(q->a, "owner references of pod " STR_FMT "/" STR_FMT, STR_ARG(pod->namespace_),
			                            STR_ARG(pod->name));
		out->deployment = found;
	}
	return OK;
}

static enum err by_configuration(const struct question *q, const struct service_map *s, size_t n,
                                 struct kube_resolved *out) {
	for (size_t i = 0; i < n; i++)
		if (str_eq(s[i].service, q->t->service))
			return by_name(q, s[i].kind, s[i].namespace_, s[i].workload, STR("services: in the configuration"), out);
	return why_set(q->why, ERR_NOT_FOUND,
	               "service " STR_FMT ": no k8s.* attributes, %s; map it under `services:` in the configuration",
	               STR_ARG(q->t->service),
	               q->t->pod_uid_count ? "none of its pods is in the cluster" : "no k8s.pod.uid");
}

static enum err find_deployment(const struct question *q, const struct service_map *s, size_t n,
                                struct kube_resolved *out) {
	const struct target *t = q->t;
	if (t->namespace_.n && t->workload.n)
		return by_name(q, t->workload_kind, t->namespace_, t->workload, STR("k8s.deployment.name"), out);
	enum err e = by_pods(q, out);
	if (e || out->deployment) return e;
	return by_configuration(q, s, n, out);
}

/* The named pod, else the one that is not ready; a healthy one is never chosen. */
static enum err find_pod(const struct question *q, struct kube_resolved *out) {
	const struct kube_object *p, *sick = NULL;
	size_t sick_count = 0;
	for (size_t i = 0; (p = kube_watch_next(q->w, KUBE_POD, &i));) {
		if (p->deleting || owner(q, p) != out->deployment) continue;
		if (q->t->pod.n && !str_eq(p->uid, q->t->pod)) continue;
		if (!q->t->pod.n && p->ready) continue;
		sick = p;
		sick_count++;
	}
	if (sick_count == 1) {
		out->pod = sick;
		return OK;
	}
	return why_set(q->why, ERR_NOT_FOUND, "%s pod of Deployment " STR_FMT "/" STR_FMT " can be told to be the sick one",
	               sick_count ? "more than one" : "no", STR_ARG(out->deployment->namespace_),
	               STR_ARG(out->deployment->name));
}

enum err kube_resolve(const struct kube_watch *w, enum action_kind action, const struct target *t,
                      const struct service_map *services, size_t service_count, struct arena *a,
                      struct kube_resolved *out, struct why *why) {
	struct question q = { w, t, a, why };
	struct kube_resolved found = { 0 };
	enum err e = find_deployment(&q, services, service_count, &found);
	if (!e && action == ACTION_DELETE_POD) e = find_pod(&q, &found);
	if (e) return e;
	*out = found;
	return OK;
}
