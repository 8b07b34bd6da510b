#include "execute/kubernetes/object.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *group, *plural;
} kinds[KUBE_KINDS] = {
	[KUBE_DEPLOYMENT] = { "Deployment", "/apis/apps/v1", "deployments" },
	[KUBE_REPLICASET] = { "ReplicaSet", "/apis/apps/v1", "replicasets" },
	[KUBE_POD] = { "Pod", "/api/v1", "pods" },
	[KUBE_HPA] = { "HorizontalPodAutoscaler", "/apis/autoscaling/v2", "horizontalpodautoscalers" },
};

const char *kube_kind_name(enum kube_kind k) {
	return kinds[k].name;
}
const char *kube_kind_group(enum kube_kind k) {
	return kinds[k].group;
}
const char *kube_kind_plural(enum kube_kind k) {
	return kinds[k].plural;
}

static struct str annotation(const struct json *meta, const char *key) {
	return json_str(json_get(json_get(meta, "annotations"), key));
}

static void read_owner(const struct json *meta, struct kube_object *o) {
	json_each(ref, json_get(meta, "ownerReferences")) {
		if (!json_bool(json_get(ref, "controller"), false)) continue;
		o->owner_kind = json_str(json_get(ref, "kind"));
		o->owner_name = json_str(json_get(ref, "name"));
		o->owner_uid = json_str(json_get(ref, "uid"));
	}
}

/* The newest entry of managedFields that is not a status write. */
static void read_manager(const struct json *meta, struct kube_object *o) {
	struct str newest = { 0 };
	json_each(entry, json_get(meta, "managedFields")) {
		struct str time = json_str(json_get(entry, "time"));
		if (str_is(json_str(json_get(entry, "subresource")), "status") || str_cmp(time, newest) < 0) continue;
		newest = time;
		o->manager = json_str(json_get(entry, "manager"));
	}
}

static void read_deployment(const struct json *j, const struct json *meta, struct kube_object *o) {
	const struct json *spec = json_get(j, "spec"), *status = json_get(j, "status");
	o->revision = annotation(meta, "deployment.kubernetes.io/revision");
	o->observed = json_int(json_get(status, "observedGeneration"), 0);
	o->wanted = json_int(json_get(spec, "replicas"), 1);
	o->updated = json_int(json_get(status, "updatedReplicas"), 0);
	o->available = json_int(json_get(status, "availableReplicas"), 0);
	o->total = json_int(json_get(status, "replicas"), 0);
	json_each(condition, json_get(status, "conditions"))
		o->stuck |= str_is(json_str(json_get(condition, "type")), "Progressing") &&
		            str_is(json_str(json_get(condition, "reason")), "ProgressDeadlineExceeded");
	read_manager(meta, o);
}

static void read_container(const struct json *c, struct kube_object *o) {
	struct str waiting = json_str(json_path(c, "state.waiting.reason"));
	struct str ended = json_str(json_path(c, "state.terminated.reason"));
	struct str last = json_str(json_path(c, "lastState.terminated.reason"));
	o->restarts += json_int(json_get(c, "restartCount"), 0);
	if (waiting.n && !o->reason.n) o->reason = waiting;
	if (ended.n) o->reason = ended;
	if (str_is(last, "OOMKilled")) o->reason = last; /* says more than the back-off that follows it */
}

static void read_pod(const struct json *j, struct kube_object *o) {
	const struct json *status = json_get(j, "status");
	o->node = json_str(json_path(j, "spec.nodeName"));
	o->reason = json_str(json_get(status, "reason"));
	json_each(condition, json_get(status, "conditions"))
		if (str_is(json_str(json_get(condition, "type")), "Ready"))
			o->ready = str_is(json_str(json_get(condition, "status")), "True");
	json_each(c, json_get(status, "containerStatuses")) read_container(c, o);
	if (o->restarts > UINT32_MAX) o->restarts = UINT32_MAX;
}

/* All strings moved behind the struct: one block, one lifetime. */
static struct kube_object *own(const struct kube_object *o) {
	struct str *const fields[] = {
		(struct str *)&o->namespace_,  (struct str *)&o->name,
		(struct str *)&o->uid,         (struct str *)&o->resource_version,
		(struct str *)&o->owner_kind,  (struct str *)&o->owner_name,
		(struct str *)&o->owner_uid,   (struct str *)&o->revision,
		(struct str *)&o->key,         (struct str *)&o->node,
		(struct str *)&o->reason,      (struct str *)&o->target_kind,
		(struct str *)&o->target_name, (struct str *)&o->manager,
	};
	size_t bytes = 0, n = sizeof fields / sizeof *fields;
	for (size_t i = 0; i < n; i++) bytes += fields[i]->n;
	struct kube_object *copy = malloc(sizeof *copy + bytes);
	if (!copy) return NULL;
	*copy = *o;
	char *at = (char *)(copy + 1);
	for (size_t i = 0; i < n; i++) {
		struct str *field = (struct str *)((char *)copy + ((const char *)fields[i] - (const char *)o));
		if (field->n) memcpy(at, field->p, field->n);
		field->p = at;
		at += field->n;
	}
	return copy;
}

enum err kube_object_parse(enum kube_kind kind, const struct json *j, struct kube_object **out) {
	const struct json *meta = json_get(j, "metadata");
	struct kube_object o = { .kind = kind };
	o.namespace_ = json_str(json_get(meta, "namespace"));
	o.name = json_str(json_get(meta, "name"));
	o.uid = json_str(json_get(meta, "uid"));
	o.resource_version = json_str(json_get(meta, "resourceVersion"));
	o.generation = json_int(json_get(meta, "generation"), 0);
	o.deleting = json_str(json_get(meta, "deletionTimestamp")).n > 0;
	if (!o.name.n || !o.uid.n || !o.resource_version.n) return ERR_INVALID;
	o.key = annotation(meta, KUBE_ACTION_KEY);
	read_owner(meta, &o);
	if (kind == KUBE_DEPLOYMENT) read_deployment(j, meta, &o);
	if (kind == KUBE_REPLICASET) {
		o.revision = annotation(meta, "deployment.kubernetes.io/revision");
		o.wanted = json_int(json_path(j, "spec.replicas"), 0);
	}
	if (kind == KUBE_POD) read_pod(j, &o);
	if (kind == KUBE_HPA) {
		o.target_kind = json_str(json_path(j, "spec.scaleTargetRef.kind"));
		o.target_name = json_str(json_path(j, "spec.scaleTargetRef.name"));
	}
	*out = own(&o);
	return *out ? OK : ERR_NOMEM;
}

void kube_object_free(struct kube_object *o) {
	free(o);
}
