/* The ReplicaSet controller (pkg/controller/replicaset): as many pods as are wanted, the least useful go first. */
#include <math.h>
#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/memory.h"

#define BURST 500

struct pods {
	const struct doc **all; /* those that count: owned, not on their way out, not ended */
	int64_t *crowd;         /* of each: active pods of the same Deployment on its node */
	size_t count;
};

static void tell(struct sim_kube *k, const struct doc *rs, bool made, const char *pod) {
	struct sim_kube_saying s = { "replicaset-controller", made ? "SuccessfulCreate" : "SuccessfulDelete", false };
	sim_kube_say(k, rs, &s, made ? "Created pod: %s" : "Deleted pod: %s", pod);
}

static bool is_its(const struct doc *pod, const char *uid) {
	const struct doc *owner = sim_kube_owner(pod, "ReplicaSet");
	return owner && !strcmp(doc_c(doc_get(owner, "uid")), uid);
}

static int64_t terminating(const struct sim_kube *k, const char *uid) {
	struct sim_kube_some some = sim_kube_owned(k, KUBE_PODS, uid);
	const struct doc *pod;
	int64_t n = 0;
	while ((pod = sim_kube_some_next(&some))) n += doc_path(pod, "metadata.deletionTimestamp") && is_its(pod, uid);
	return n;
}

static struct pods pods_of(struct sim_kube *k, const struct doc *rs) {
	const char *uid = doc_c(doc_path(rs, "metadata.uid"));
	struct sim_kube_some some = sim_kube_owned(k, KUBE_PODS, uid);
	struct pods p = { must_array(some.count, sizeof *p.all), NULL, 0 };
	const struct doc *pod;
	while ((pod = sim_kube_some_next(&some)))
		if (sim_kube_pod_is_active(pod) && is_its(pod, uid)) p.all[p.count++] = pod;
	return p;
}

static void create_pod(struct sim_kube *k, const struct doc *rs) {
	char name[200], suffix[8];
	struct doc *pod = doc_new(JSON_OBJECT), *meta = doc_make(pod, "metadata");
	const struct doc *template = doc_path(rs, "spec.template"), *tm = doc_get(template, "metadata");
	sim_kube_suffix(k, suffix, 5);
	snprintf(name, sizeof name, "%s-%s", doc_c(doc_path(rs, "metadata.name")), suffix);
	doc_set_c(meta, "name", name);
	if (doc_get(tm, "labels")) doc_set(meta, "labels", doc_copy(doc_get(tm, "labels")));
	if (doc_get(tm, "annotations")) doc_set(meta, "annotations", doc_copy(doc_get(tm, "annotations")));
	sim_kube_own(meta, "ReplicaSet", rs);
	doc_set(pod, "spec", doc_copy(doc_get(template, "spec")));
	doc_set_c(doc_make(pod, "status"), "phase", "Pending");
	char ns[64];
	snprintf(ns, sizeof ns, "%s", doc_c(doc_path(rs, "metadata.namespace")));
	struct sim_kube_call c = { "replicaset-controller", "kube-controller-manager", NULL, false, false, true, false };
	struct sim_kube_reply r = { 0 };
	sim_kube_do_create(k, KUBE_PODS, ns, pod, &c, &r);
	if (!r.reason) tell(k, rs, true, name);
	sim_kube_reply_done(&r);
}

/* ---- which go first: controller_utils.go, ActivePodsWithRanks.Less ---- */

static int phase_rank(const struct doc *pod) {
	const char *phase = doc_c(doc_path(pod, "status.phase"));
	return !strcmp(phase, "Pending") ? 0 : !strcmp(phase, "Unknown") ? 1 : 2;
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

static int64_t created_at(const struct doc *pod) {
	struct wall t = { 0 };
	struct str text = doc_str(doc_path(pod, "metadata.creationTimestamp"));
	if (text.n) (void)wall_parse(text.p, text.n, &t);
	return t.ns;
}

/* Ages are compared by their order of magnitude, in powers of two of nanoseconds; equal ones by chance: the uid. */
static int64_t magnitude(int64_t now, int64_t since) {
	return now > since ? (int64_t)log2((double)(now - since)) : -1;
}

static void count_crowd(struct sim_kube *k, const struct doc *rs, struct pods *p) {
	struct pods others = pods_of(k, rs);
	for (size_t o = 0; o < others.count; o++)
		for (size_t i = 0; i < p->count; i++)
			p->crowd[i] += doc_equal(doc_path(p->all[i], "spec.nodeName"), doc_path(others.all[o], "spec.nodeName"));
	free(others.all);
}

/* getIndirectlyRelatedPods: those of all ReplicaSets of its Deployment. */
static void count_crowds(struct sim_kube *k, const struct doc *rs, struct pods *p) {
	const struct doc *above = sim_kube_owner(rs, "Deployment"), *set;
	struct sim_kube_some sets = sim_kube_owned(k, KUBE_REPLICASETS, doc_c(doc_get(above, "uid")));
	p->crowd = must_array(p->count, sizeof *p->crowd);
	if (!above) count_crowd(k, rs, p);
	while ((set = sim_kube_some_next(&sets)))
		if (sim_kube_owner(set, "Deployment")) count_crowd(k, set, p);
}

static int64_t by_age(int64_t now, const struct doc *a, int64_t since_a, const struct doc *b, int64_t since_b) {
	int64_t differ = magnitude(now, since_a) - magnitude(now, since_b);
	return differ ? differ : strcmp(doc_c(doc_path(a, "metadata.uid")), doc_c(doc_path(b, "metadata.uid")));
}

/* Negative: a goes first. */
static int64_t rank(int64_t now, const struct doc *a, int64_t crowd_a, const struct doc *b, int64_t crowd_b) {
	bool assigned_a = doc_path(a, "spec.nodeName") != NULL, assigned_b = doc_path(b, "spec.nodeName") != NULL;
	if (assigned_a != assigned_b) return assigned_a ? 1 : -1;
	if (phase_rank(a) != phase_rank(b)) return phase_rank(a) - phase_rank(b);
	bool ready_a = sim_kube_pod_is_ready(a), ready_b = sim_kube_pod_is_ready(b);
	if (ready_a != ready_b) return ready_a ? 1 : -1;
	if (deletion_cost(a) != deletion_cost(b)) return deletion_cost(a) - deletion_cost(b);
	if (crowd_a != crowd_b) return crowd_b - crowd_a;
	int64_t since_a = sim_kube_ready_since(a), since_b = sim_kube_ready_since(b);
	if (ready_a && since_a != since_b) return by_age(now, a, since_a, b, since_b);
	if (restarts(a) != restarts(b)) return restarts(b) - restarts(a);
	return by_age(now, a, created_at(a), b, created_at(b));
}

static void sort_pods(struct sim_kube *k, struct pods *p) {
	int64_t now = k->o.epoch.ns + k->o.queue->now_ns;
	for (size_t i = 1; i < p->count; i++) { /* insertion: few, and stable */
		const struct doc *pod = p->all[i];
		int64_t crowd = p->crowd[i];
		size_t at = i;
		for (; at > 0 && rank(now, pod, crowd, p->all[at - 1], p->crowd[at - 1]) < 0; at--) {
			p->all[at] = p->all[at - 1];
			p->crowd[at] = p->crowd[at - 1];
		}
		p->all[at] = pod;
		p->crowd[at] = crowd;
	}
}

static void delete_pods(struct sim_kube *k, const struct doc *rs, struct pods *p, size_t n) {
	count_crowds(k, rs, p);
	sort_pods(k, p);
	char(*names)[128] = must_array(n, sizeof *names);
	for (size_t i = 0; i < n; i++) snprintf(names[i], sizeof *names, "%s", doc_c(doc_path(p->all[i], "metadata.name")));
	for (size_t i = 0; i < n; i++) {
		struct sim_kube_call c = {
			"replicaset-controller", "kube-controller-manager", NULL, false, false, true, false
		};
		struct sim_kube_reply r = { 0 };
		sim_kube_do_delete(k, KUBE_PODS, doc_c(doc_path(rs, "metadata.namespace")), names[i], NULL, &c, &r);
		if (!r.reason) tell(k, rs, false, names[i]);
		sim_kube_reply_done(&r);
	}
	free(names);
	free(p->crowd);
}

/* ---- status ---- */

/* Ready for minReadySeconds; asks to be called again when the next one will have been. */
static int64_t available_count(struct sim_kube *k, const struct doc *rs, const struct pods *p) {
	int64_t least = doc_int(doc_path(rs, "spec.minReadySeconds"), 0) * NS_PER_SEC, n = 0, next = INT64_MAX;
	int64_t now = k->o.epoch.ns + k->o.queue->now_ns;
	for (size_t i = 0; i < p->count; i++) {
		int64_t due = sim_kube_ready_since(p->all[i]) + least;
		if (!sim_kube_pod_is_ready(p->all[i])) continue;
		n += !least || due < now;
		if (least && due >= now && due < next) next = due;
	}
	if (next < INT64_MAX) sim_kube_alarm(k, KUBE_REPLICATOR, next - k->o.epoch.ns + NS_PER_MS);
	return n;
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
	doc_set_int(status, "availableReplicas", available_count(k, now, &p));
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
	if (more < 0) delete_pods(k, state->doc, &p, (size_t)(more < -BURST ? BURST : -more));
	free(p.all);
	sim_kube_drop(state);
	write_status(k, key);
}
