/* A Deployment's status: its numbers, Available, and Progressing with its deadline (pkg/controller/deployment,
 * progress.go, sync.go). */
#include <stdio.h>
#include <string.h>

#include "sim/kube/impl.h"

#define REVISION "deployment.kubernetes.io/revision"

static bool has_deadline(const struct doc *d) {
	return doc_int(doc_path(d, "spec.progressDeadlineSeconds"), 0) != INT32_MAX;
}

static const struct doc *progressing(const struct doc *d) {
	doc_each(c, doc_path(d, "status.conditions")) if (!strcmp(doc_c(doc_get(c, "type")), "Progressing")) return c;
	return NULL;
}

static bool reason_is(const struct doc *condition, const char *reason) {
	return condition && !strcmp(doc_c(doc_get(condition, "reason")), reason);
}

/* SetDeploymentCondition: the same status with the same reason changes nothing, but where it is `renewed`. */
static void set_condition(struct sim_kube *k, struct doc *d, const char *type, const char *status, const char *reason,
                          const char *message, bool renewed) {
	char time[32];
	struct doc *c = sim_kube_condition(d, type);
	if (!strcmp(doc_c(doc_get(c, "status")), status) && reason_is(c, reason) && !renewed) return;
	sim_kube_time(k, time);
	sim_kube_set_condition(k, d, type, status, reason, message);
	doc_set_c(c, "lastUpdateTime", time);
}

static void set_progress(struct sim_kube *k, struct doc *d, const char *status, const char *reason, const char *set,
                         const char *does, bool renewed) {
	char message[300];
	if (*set)
		snprintf(message, sizeof message, "ReplicaSet \"%s\" %s.", set, does);
	else
		snprintf(message, sizeof message, "Deployment \"%s\" %s.", doc_c(doc_path(d, "metadata.name")), does);
	set_condition(k, d, "Progressing", status, reason, message, renewed);
}

static int64_t status_int(const struct doc *d, const char *field) {
	return doc_int(doc_get(doc_get(d, "status"), field), 0);
}

static bool is_complete(const struct doc *d, const struct sim_kube_rollout *r) {
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	return r->updated == wanted && r->replicas == wanted && r->available == wanted;
}

/* DeploymentProgressing: more that are new, fewer that are old, more that are ready or available. */
static bool has_moved(const struct doc *before, const struct sim_kube_rollout *r) {
	int64_t updated = status_int(before, "updatedReplicas"), old = status_int(before, "replicas") - updated;
	return r->updated > updated || r->replicas - r->updated < old || r->ready > status_int(before, "readyReplicas") ||
	       r->available > status_int(before, "availableReplicas");
}

/* Wall time until which it may make no progress; 0: that is not asked. */
static int64_t deadline_of(const struct doc *d) {
	const struct doc *c = progressing(d);
	struct str since = doc_str(doc_get(c, "lastUpdateTime"));
	struct wall t;
	if (!c || reason_is(c, "NewReplicaSetAvailable") || !since.n || !wall_parse(since.p, since.n, &t)) return 0;
	return t.ns + doc_int(doc_path(d, "spec.progressDeadlineSeconds"), 600) * NS_PER_SEC;
}

static void estimate_progress(struct sim_kube *k, struct doc *now, const struct doc *before,
                              const struct sim_kube_rollout *r) {
	const struct doc *c = progressing(before);
	if (!has_deadline(before) || (r->replicas == r->updated && reason_is(c, "NewReplicaSetAvailable"))) return;
	int64_t deadline = deadline_of(before);
	bool late = reason_is(c, "ProgressDeadlineExceeded") || (deadline && deadline < k->o.epoch.ns + k->o.queue->now_ns);
	if (is_complete(before, r))
		set_progress(k, now, "True", "NewReplicaSetAvailable", r->new_set, "has successfully progressed", false);
	else if (has_moved(before, r))
		set_progress(k, now, "True", "ReplicaSetUpdated", r->new_set, "is progressing", true);
	else if (late)
		set_progress(k, now, "False", "ProgressDeadlineExceeded", r->new_set, "has timed out progressing", false);
}

static void set_or_drop(struct doc *status, const char *field, int64_t v) {
	if (v)
		doc_set_int(status, field, v);
	else
		doc_remove(status, field);
}

static void set_numbers(struct doc *now, const struct sim_kube_rollout *r) {
	struct doc *status = doc_make(now, "status");
	int64_t missing = r->spec - r->available;
	doc_set_int(status, "observedGeneration", doc_int(doc_path(now, "metadata.generation"), 0));
	set_or_drop(status, "replicas", r->replicas);
	set_or_drop(status, "updatedReplicas", r->updated);
	set_or_drop(status, "readyReplicas", r->ready);
	set_or_drop(status, "availableReplicas", r->available);
	set_or_drop(status, "unavailableReplicas", missing > 0 ? missing : 0);
	doc_set_int(status, "terminatingReplicas", r->terminating);
}

/* requeueStuckDeployment: what does not move is looked at again when its deadline has passed. */
static void look_again(struct sim_kube *k, const struct doc *d, const struct sim_kube_rollout *r) {
	int64_t deadline = deadline_of(d);
	if (!has_deadline(d) || !deadline || is_complete(d, r) || reason_is(progressing(d), "ProgressDeadlineExceeded"))
		return;
	int64_t at = deadline - k->o.epoch.ns, now = k->o.queue->now_ns;
	sim_kube_alarm(k, KUBE_DEPLOYER, at > now ? at + NS_PER_SEC : now + NS_PER_SEC);
}

void sim_kube_deployment_status(struct sim_kube *k, const char *key, const struct sim_kube_rollout *r, bool estimate) {
	struct sim_kube_state *state = sim_kube_find(k, KUBE_DEPLOYMENTS, key);
	if (!state) return;
	struct doc *now = doc_copy(state->doc);
	set_numbers(now, r);
	bool enough = r->available >= doc_int(doc_path(now, "spec.replicas"), 1) - r->unavailable_max;
	set_condition(k, now, "Available", enough ? "True" : "False",
	              enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
	              enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
	              false);
	if (estimate) estimate_progress(k, now, state->doc, r);
	struct sim_kube_state *written = sim_kube_write_as(k, KUBE_DEPLOYMENTS, now, "kube-controller-manager", "status");
	if (estimate) look_again(k, written->doc, r);
}

void sim_kube_deployment_paused(struct sim_kube *k, const char *key) {
	struct sim_kube_state *state = sim_kube_find(k, KUBE_DEPLOYMENTS, key);
	if (!state || !has_deadline(state->doc)) return;
	const struct doc *c = progressing(state->doc);
	bool paused = doc_bool(doc_path(state->doc, "spec.paused"), false), said = reason_is(c, "DeploymentPaused");
	if (paused == said || reason_is(c, "ProgressDeadlineExceeded")) return;
	struct doc *now = doc_copy(state->doc);
	set_condition(k, now, "Progressing", "Unknown", paused ? "DeploymentPaused" : "DeploymentResumed",
	              paused ? "Deployment is paused" : "Deployment is resumed", false);
	sim_kube_write_as(k, KUBE_DEPLOYMENTS, now, "kube-controller-manager", "status");
}

void sim_kube_deployment_has_set(struct sim_kube *k, const char *key, const char *set, bool made, int64_t revision) {
	struct sim_kube_state *state = sim_kube_find(k, KUBE_DEPLOYMENTS, key);
	char text[24], message[300];
	if (!state) return;
	struct doc *now = doc_copy(state->doc);
	snprintf(text, sizeof text, "%lld", (long long)revision);
	doc_set_c(doc_make(doc_make(now, "metadata"), "annotations"), REVISION, text);
	snprintf(message, sizeof message, made ? "Created new replica set \"%s\"" : "Found new replica set \"%s\"", set);
	if (has_deadline(now) && (made || !progressing(now)))
		set_condition(k, now, "Progressing", "True", made ? "NewReplicaSetCreated" : "FoundNewReplicaSet", message,
		              false);
	sim_kube_write_as(k, KUBE_DEPLOYMENTS, now, "kube-controller-manager", "status");
}
