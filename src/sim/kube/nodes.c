/* Nodes: taints and what they evict (pkg/controller/nodelifecycle, tainteviction), cordon and drain (kubectl).
 *
 * Every pod tolerates a node that is not ready for 300 s, as the admission DefaultTolerationSeconds has it; that
 * toleration is not written into the pods. */
#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/memory.h"

#define TOLERATED_S   300
#define DRAIN_NS      (5 * NS_PER_SEC) /* kubectl asks again so often while a budget refuses */
#define NOT_READY     "node.kubernetes.io/not-ready"
#define UNSCHEDULABLE "node.kubernetes.io/unschedulable"

/* ---- taints ---- */

static struct doc *find_taint(const struct doc *node, const char *key, const char *effect) {
	doc_each(t, doc_path(node, "spec.taints")) if (!strcmp(doc_c(doc_get(t, "key")), key) &&
	                                               !strcmp(doc_c(doc_get(t, "effect")), effect)) return t;
	return NULL;
}

static void set_taint(struct sim_kube *k, struct doc *node, const char *key, const char *effect, bool on) {
	struct doc *spec = doc_make(node, "spec"), *list = doc_get(spec, "taints");
	const struct doc *there = find_taint(node, key, effect);
	char time[32];
	if (on == (there != NULL)) return;
	if (on) {
		if (!list) list = doc_set(spec, "taints", doc_new(JSON_ARRAY));
		struct doc *t = doc_push(list, doc_new(JSON_OBJECT));
		sim_kube_time(k, time);
		doc_set_c(t, "key", key);
		doc_set_c(t, "effect", effect);
		doc_set_c(t, "timeAdded", time);
		return;
	}
	for (size_t i = 0; i < doc_count(list); i++)
		if (doc_at(list, i) == there) doc_free(doc_take_at(list, i--));
	if (!list->child) doc_remove(spec, "taints");
}

/* ---- what a node that is not ready does to its pods ---- */

static bool runs_on(const struct doc *pod, const char *node) {
	return !strcmp(doc_c(doc_path(pod, "spec.nodeName")), node);
}

static void mark_unready(struct sim_kube *k, const char *node) {
	struct sim_kube_table *t = &k->tables[KUBE_PODS];
	for (size_t i = 0; i < t->count; i++) {
		const struct doc *pod = t->entries[i]->state->doc;
		if (!runs_on(pod, node) || !sim_kube_pod_is_ready(pod)) continue;
		struct doc *now = doc_copy(pod);
		sim_kube_set_condition(k, now, "Ready", "False", "", "");
		sim_kube_write_as(k, KUBE_PODS, now, "kube-controller-manager", "status");
	}
}

/* Seconds for which a pod tolerates a node that is not ready; -1: for ever. */
static int64_t tolerance_s(const struct doc *pod) {
	doc_each(t, doc_path(pod, "spec.tolerations")) {
		const char *key = doc_c(doc_get(t, "key")), *effect = doc_c(doc_get(t, "effect"));
		bool fits = (!*key || !strcmp(key, NOT_READY)) && (!*effect || !strcmp(effect, "NoExecute"));
		if (fits) return doc_get(t, "tolerationSeconds") ? doc_int(doc_get(t, "tolerationSeconds"), 0) : -1;
	}
	return TOLERATED_S;
}

static void taint_evicts(struct sim_kube *k, const struct doc *pod) {
	struct sim_kube_saying s = { "taint-eviction-controller", "TaintManagerEviction", false };
	char ns[64], name[128];
	snprintf(ns, sizeof ns, "%s", doc_c(doc_path(pod, "metadata.namespace")));
	snprintf(name, sizeof name, "%s", doc_c(doc_path(pod, "metadata.name")));
	sim_kube_say(k, pod, &s, "Marking for deletion Pod %s/%s", ns, name);
	struct sim_kube_call c = {
		"taint-eviction-controller", "kube-controller-manager", NULL, false, false, true, false
	};
	struct sim_kube_reply r = { 0 };
	struct doc *now = doc_copy(pod);
	sim_kube_set_condition(k, now, "DisruptionTarget", "True", "DeletionByTaintManager",
	                       "Taint manager: deleting due to NoExecute taint");
	sim_kube_write_as(k, KUBE_PODS, now, "kube-controller-manager", "status");
	sim_kube_do_delete(k, KUBE_PODS, ns, name, NULL, &c, &r);
	sim_kube_reply_done(&r);
}

static void evict_intolerant(struct sim_kube *k, const struct doc *taint, const char *node) {
	struct wall since = { 0 };
	struct str added = doc_str(doc_get(taint, "timeAdded"));
	(void)wall_parse(added.p, added.n, &since);
	int64_t now = k->o.epoch.ns + k->o.queue->now_ns, next = INT64_MAX;
	struct sim_kube_table *t = &k->tables[KUBE_PODS];
	for (size_t i = t->count; i-- > 0;) {
		const struct doc *pod = t->entries[i]->state->doc;
		int64_t s = tolerance_s(pod), due = since.ns + s * NS_PER_SEC;
		if (!runs_on(pod, node) || doc_path(pod, "metadata.deletionTimestamp") || s < 0) continue;
		if (due <= now)
			taint_evicts(k, pod);
		else if (due < next)
			next = due;
	}
	if (next < INT64_MAX) sim_kube_alarm(k, KUBE_NODE_KEEPER, next - k->o.epoch.ns + NS_PER_MS);
}

void sim_kube_reconcile_node(struct sim_kube *k, const char *key) {
	struct sim_kube_state *state = sim_kube_find(k, KUBE_NODES, key);
	if (!state) return;
	struct doc *now = doc_copy(state->doc);
	bool ready = sim_kube_condition_is(now, "Ready", "True"), was_ready = !find_taint(now, NOT_READY, "NoExecute");
	set_taint(k, now, UNSCHEDULABLE, "NoSchedule", doc_bool(doc_path(now, "spec.unschedulable"), false));
	set_taint(k, now, NOT_READY, "NoSchedule", !ready);
	set_taint(k, now, NOT_READY, "NoExecute", !ready);
	state = sim_kube_hold(sim_kube_write_as(k, KUBE_NODES, now, "kube-controller-manager", NULL));
	if (!ready && was_ready) {
		struct sim_kube_saying s = { "node-controller", "NodeNotReady", false };
		sim_kube_say(k, state->doc, &s, "Node %s status is now: NodeNotReady", key);
		mark_unready(k, key);
	}
	const struct doc *taint = find_taint(state->doc, NOT_READY, "NoExecute");
	if (taint) evict_intolerant(k, taint, key);
	sim_kube_drop(state);
}

/* ---- what kubelets and people do ---- */

enum err sim_kube_node_ready(struct sim_kube *k, const char *node, bool ready) {
	const struct doc *d = sim_kube_object(k, KUBE_NODES, "", node);
	if (!d) return ERR_NOT_FOUND;
	struct doc *now = doc_copy(d);
	sim_kube_set_condition(k, now, "Ready", ready ? "True" : "False", ready ? "KubeletReady" : "KubeletNotReady",
	                       ready ? "kubelet is posting ready status" : "container runtime is down");
	sim_kube_write_as(k, KUBE_NODES, now, "kubelet", "status");
	return OK;
}

enum err sim_kube_cordon(struct sim_kube *k, const char *node, bool on) {
	return sim_kube_change(k, KUBE_NODES, "", node, "kubectl-cordon",
	                       on ? STR("{\"spec\":{\"unschedulable\":true}}") : STR("{\"spec\":{\"unschedulable\":null}}"),
	                       NULL);
}

struct drain {
	struct list link;
	char node[64];
};

static struct drain *find_drain(const struct sim_kube *k, const char *node) {
	list_each(it, &k->drains) {
		struct drain *d = container_of(it, struct drain, link);
		if (!strcmp(d->node, node)) return d;
	}
	return NULL;
}

void sim_kube_drains_free(struct sim_kube *k) {
	list_each_safe(it, &k->drains) free(container_of(it, struct drain, link));
}

/* Asks for the eviction of each pod there; true: some are left. */
static bool evict_all(struct sim_kube *k, const char *node) {
	struct sim_kube_table *t = &k->tables[KUBE_PODS];
	bool left = false;
	for (size_t i = t->count; i-- > 0;) {
		if (i >= t->count) continue; /* what was not running went at once */
		const struct doc *pod = t->entries[i]->state->doc;
		char ns[64], name[128];
		if (!runs_on(pod, node)) continue;
		left = true;
		if (doc_path(pod, "metadata.deletionTimestamp")) continue;
		snprintf(ns, sizeof ns, "%s", doc_c(doc_path(pod, "metadata.namespace")));
		snprintf(name, sizeof name, "%s", doc_c(doc_path(pod, "metadata.name")));
		struct sim_kube_call c = { "people", "kubectl-drain", NULL, false, false, true, false };
		struct sim_kube_reply r = { 0 };
		sim_kube_do_evict(k, ns, name, NULL, &c, &r);
		sim_kube_reply_done(&r);
	}
	return left;
}

static void drain_moment(void *self, uint64_t arg) {
	struct sim_kube *k = self;
	(void)arg;
	bool goes_on = false;
	list_each_safe(it, &k->drains) {
		struct drain *d = container_of(it, struct drain, link);
		if (evict_all(k, d->node)) {
			goes_on = true;
			continue;
		}
		list_remove(&d->link);
		free(d);
	}
	if (goes_on) sim_queue_in(k->o.queue, DRAIN_NS, drain_moment, k, 0);
}

enum err sim_kube_drain(struct sim_kube *k, const char *node) {
	enum err e = sim_kube_cordon(k, node, true);
	if (e || find_drain(k, node)) return e;
	bool goes_on = !list_empty(&k->drains);
	struct drain *d = must_alloc(sizeof *d);
	snprintf(d->node, sizeof d->node, "%s", node);
	list_push(&k->drains, &d->link);
	if (!goes_on) sim_queue_in(k->o.queue, NS_PER_SEC, drain_moment, k, 0);
	return OK;
}

bool sim_kube_draining(const struct sim_kube *k, const char *node) {
	return find_drain(k, node) != NULL;
}
