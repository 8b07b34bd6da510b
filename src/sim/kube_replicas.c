/* The ReplicaSet controller (pkg/controller/replicaset): as many pods as are wanted, the least useful go first. */
#include <stdio.h>

#include "sim/kube_impl.h"
#include "sim/memory.h"

#define BURST 500

struct pods {
	const struct doc **all; /* those that count: owned, not on their way out, not ended */
	size_t count;
};

static bool is_active(const struct doc *pod) {
	const char *phase = doc_c(doc_path(pod, "status.phase"));
	return !doc_path(pod, "metadata.deletionTimestamp") && strcmp(phase, "Failed") && strcmp(phase, "Succeeded");
}

static bool is_its(const struct doc *pod, const char *uid) {
	const struct doc *owner = sim_kube_owner(pod, "ReplicaSet");
	return owner && !strcmp(doc_c(doc_get(owner, "uid")), uid);
}

static int64_t terminating(const struct sim_kube *k, const char *uid) {
	int64_t n = 0;
	for (size_t i = 0; i < k->tables[KUBE_PODS].count; i++) {
		const struct doc *pod = k->tables[KUBE_PODS].entries[i].state->doc;
		n += doc_path(pod, "metadata.deletionTimestamp") && is_its(pod, uid);
	}
	return n;
}

static struct pods pods_of(struct sim_kube *k, const struct doc *rs) {
	struct pods p = { must_array(k->tables[KUBE_PODS].count, sizeof *p.all), 0 };
	const char *uid = doc_c(doc_path(rs, "metadata.uid"));
	for (size_t i = 0; i < k->tables[KUBE_PODS].count; i++) {
		const struct doc *pod = k->tables[KUBE_PODS].entries[i].state->doc;
		if (is_active(pod) && is_its(pod, uid)) p.all[p.count++] = pod;
	}
	return p;
}

static void create_pod(struct sim_kube *k, const struct doc *rs) {
	char name[200], suffix[8];
	struct doc *pod = doc_new(JSON_OBJECT), *meta = doc_make(pod, "metadata"), *owner;
	const struct doc *template = doc_path(rs, "spec.template"), *tm = doc_get(template, "metadata");
	sim_kube_suffix(k, suffix, 5);
	snprintf(name, sizeof name, "%s-%s", doc_c(doc_path(rs, "metadata.name")), suffix);
	doc_set_c(meta, "name", name);
	if (doc_get(tm, "labels")) doc_set(meta, "labels", doc_copy(doc_get(tm, "labels")));
	if (doc_get(tm, "annotations")) doc_set(meta, "annotations", doc_copy(doc_get(tm, "annotations")));
	owner = doc_push(doc_set(meta, "ownerReferences", doc_new(JSON_ARRAY)), doc_new(JSON_OBJECT));
	doc_set_c(owner, "apiVersion", "apps/v1");
	doc_set_c(owner, "kind", "ReplicaSet");
	doc_set_c(owner, "name", doc_c(doc_path(rs, "metadata.name")));
	doc_set_c(owner, "uid", doc_c(doc_path(rs, "metadata.uid")));
	doc_set_bool(owner, "controller", true);
	doc_set_bool(owner, "blockOwnerDeletion", true);
	doc_set(pod, "spec", doc_copy(doc_get(template, "spec")));
	doc_set_c(doc_make(pod, "status"), "phase", "Pending");
	char ns[64];
	snprintf(ns, sizeof ns, "%s", doc_c(doc_path(rs, "metadata.namespace")));
	struct sim_kube_call c = { "replicaset-controller", "kube-controller-manager", NULL, false, false, true };
	struct sim_kube_reply r = { 0 };
	sim_kube_do_create(k, KUBE_PODS, ns, pod, &c, &r);
	sim_kube_reply_done(&r);
}

/* controller_utils.go, ActivePodsWithRanks.Less: true when `a` should go before `b`. */
static int phase_rank(const struct doc *pod) {
	const char *phase = doc_c(doc_path(pod, "status.phase"));
	return !strcmp(phase, "Pending") ? 0 : !strcmp(phase, "Unknown") ? 1 : 2;
}

static const char *ready_since(const struct doc *pod) {
	doc_each(c, doc_path(pod, "status.conditions")) if (!strcmp(doc_c(doc_get(c, "type")), "Ready")) return doc_c(
		doc_get(c, "lastTransitionTime"));
	return "";
}

static int64_t restarts(const struct doc *pod) {
	int64_t most = 0;
	doc_each(c, doc_path(pod, "status.containerStatuses")) {
		int64_t n = doc_int(doc_get(c, "restartCount"), 0);
		if (n > most) most = n;
	}
	return most;
}

static int64_t deletion_cost(const struct doc *pod) {
	return doc_int(doc_get(doc_path(pod, "metadata.annotations"), "controller.kubernetes.io/pod-deletion-cost"), 0);
}

static int64_t on_its_node(const struct pods *p, const struct doc *pod) {
	int64_t n = 0;
	for (size_t i = 0; i < p->count; i++)
		n += doc_equal(doc_path(p->all[i], "spec.nodeName"), doc_path(pod, "spec.nodeName"));
	return n;
}

/* Negative: a goes first. */
static int64_t rank(const struct pods *p, const struct doc *a, const struct doc *b) {
	bool assigned_a = doc_path(a, "spec.nodeName") != NULL, assigned_b = doc_path(b, "spec.nodeName") != NULL;
	if (assigned_a != assigned_b) return assigned_a ? 1 : -1;
	if (phase_rank(a) != phase_rank(b)) return phase_rank(a) - phase_rank(b);
	bool ready_a = sim_kube_pod_is_ready(a), ready_b = sim_kube_pod_is_ready(b);
	if (ready_a != ready_b) return ready_a ? 1 : -1;
	if (deletion_cost(a) != deletion_cost(b)) return deletion_cost(a) - deletion_cost(b);
	int64_t crowd = on_its_node(p, b) - on_its_node(p, a);
	if (crowd) return crowd;
	if (ready_a) { /* the shorter ready, the sooner */
		int since = strcmp(ready_since(b), ready_since(a));
		if (since) return since;
	}
	if (restarts(a) != restarts(b)) return restarts(b) - restarts(a);
	return strcmp(doc_c(doc_path(b, "metadata.creationTimestamp")), doc_c(doc_path(a, "metadata.creationTimestamp")));
}

static void delete_pods(struct sim_kube *k, struct pods *p, size_t n) {
	for (size_t i = 1; i < p->count; i++) { /* insertion: few, and stable */
		const struct doc *pod = p->all[i];
		size_t at = i;
		for (; at > 0 && rank(p, pod, p->all[at - 1]) < 0; at--) p->all[at] = p->all[at - 1];
		p->all[at] = pod;
	}
	char(*names)[128] = must_array(n, sizeof *names), ns[64] = "";
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof *names, "%s", doc_c(doc_path(p->all[i], "metadata.name")));
		snprintf(ns, sizeof ns, "%s", doc_c(doc_path(p->all[i], "metadata.namespace")));
	}
	for (size_t i = 0; i < n; i++) {
		struct sim_kube_call c = { "replicaset-controller", "kube-controller-manager", NULL, false, false, true };
		struct sim_kube_reply r = { 0 };
		sim_kube_do_delete(k, KUBE_PODS, ns, names[i], NULL, &c, &r);
		sim_kube_reply_done(&r);
	}
	free(names);
}

static void write_status(struct sim_kube *k, const char *key) {
	struct sim_kube_state *state = sim_kube_find(k, KUBE_REPLICASETS, key);
	if (!state) return;
	struct doc *now = doc_copy(state->doc), *status = doc_make(now, "status");
	struct pods p = pods_of(k, now);
	int64_t ready = 0, labeled = 0;
	for (size_t i = 0; i < p.count; i++) {
		ready += sim_kube_pod_is_ready(p.all[i]);
		labeled += sim_kube_labels_match(doc_path(now, "spec.selector"), doc_path(p.all[i], "metadata.labels"));
	}
	doc_set_int(status, "replicas", (int64_t)p.count);
	doc_set_int(status, "fullyLabeledReplicas", labeled);
	doc_set_int(status, "readyReplicas", ready);
	doc_set_int(status, "availableReplicas", ready); /* minReadySeconds is 0 in this world */
	doc_set_int(status, "terminatingReplicas", terminating(k, doc_c(doc_path(now, "metadata.uid"))));
	doc_set_int(status, "observedGeneration", doc_int(doc_path(now, "metadata.generation"), 0));
	free(p.all);
	sim_kube_write_as(k, KUBE_REPLICASETS, now, "kube-controller-manager", "status");
}

void sim_kube_reconcile_replicaset(struct sim_kube *k, const char *key) {
	struct sim_kube_state *state = sim_kube_hold(sim_kube_find(k, KUBE_REPLICASETS, key));
	if (!state) return;
	int64_t wanted = doc_int(doc_path(state->doc, "spec.replicas"), 0);
	struct pods p = pods_of(k, state->doc);
	int64_t more = wanted - (int64_t)p.count;
	if (more > BURST) more = BURST;
	for (int64_t i = 0; i < more; i++) create_pod(k, state->doc);
	if (more < 0) delete_pods(k, &p, (size_t)(more < -BURST ? BURST : -more));
	free(p.all);
	sim_kube_drop(state);
	write_status(k, key);
}
