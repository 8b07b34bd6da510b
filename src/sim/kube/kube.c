/* The cluster's frame: its life, its controllers' queues, and what they share. */
#include "sim/kube/kube.h"

#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/memory.h"

#define HISTORY_MAX 2000

/* ---- work queues ---- */

static void work_moment(void *self, uint64_t arg) {
	struct sim_kube_work *w = self;
	(void)arg;
	w->asked = false;
	if (!w->count) return;
	char *key = w->keys[0];
	w->count--;
	memmove(w->keys, w->keys + 1, w->count * sizeof *w->keys);
	w->reconcile(w->kube, key);
	free(key);
	if (w->count && !w->asked) {
		w->asked = true;
		sim_queue_in(w->kube->o.queue, NS_PER_MS, work_moment, w, 0);
	}
}

void sim_kube_work_add(struct sim_kube_work *w, const char *key) {
	for (size_t i = 0; i < w->count; i++)
		if (!strcmp(w->keys[i], key)) return;
	if (w->count == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 16;
		w->keys = must_grow(w->keys, w->cap, sizeof *w->keys);
	}
	w->keys[w->count++] = must_copy(key, strlen(key));
	if (w->asked) return;
	w->asked = true;
	int64_t delay = (int64_t)((double)w->delay_ns * rng_between(&w->kube->rng, 0.5, 2));
	sim_queue_in(w->kube->o.queue, delay, work_moment, w, 0);
}

static void alarm_moment(void *self, uint64_t at_ns) {
	static const enum sim_kube_type types[KUBE_CONTROLLERS] = {
		[KUBE_DEPLOYER] = KUBE_DEPLOYMENTS, [KUBE_REPLICATOR] = KUBE_REPLICASETS, [KUBE_SCHEDULER] = KUBE_PODS,
		[KUBE_DISRUPTOR] = KUBE_PDBS,       [KUBE_NODE_KEEPER] = KUBE_NODES,
	};
	struct sim_kube_work *w = self;
	const struct sim_kube_table *t = &w->kube->tables[types[w - w->kube->work]];
	if (w->alarm_ns != (int64_t)at_ns) return; /* an earlier one was asked for since */
	w->alarm_ns = INT64_MAX;
	for (size_t i = 0; i < t->count; i++) sim_kube_work_add(w, t->entries[i]->key);
}

void sim_kube_alarm(struct sim_kube *k, enum sim_kube_controller c, int64_t at_ns) {
	struct sim_kube_work *w = &k->work[c];
	if (at_ns >= w->alarm_ns) return;
	w->alarm_ns = at_ns;
	sim_queue_at(k->o.queue, at_ns, alarm_moment, w, (uint64_t)at_ns);
}

static void add_owner(struct sim_kube *k, const struct doc *d, const char *kind, enum sim_kube_controller c) {
	char key[260];
	const struct doc *owner = sim_kube_owner(d, kind);
	if (!owner) return;
	sim_kube_key(key, doc_c(doc_path(d, "metadata.namespace")), doc_c(doc_get(owner, "name")));
	sim_kube_work_add(&k->work[c], key);
}

/* Whoever found no place looks again. */
static void node_changed(struct sim_kube *k, const char *key) {
	struct sim_kube_table *pods = &k->tables[KUBE_PODS];
	sim_kube_work_add(&k->work[KUBE_NODE_KEEPER], key);
	for (size_t i = 0; i < pods->count; i++)
		if (!doc_path(pods->entries[i]->state->doc, "spec.nodeName"))
			sim_kube_work_add(&k->work[KUBE_SCHEDULER], pods->entries[i]->key);
}

void sim_kube_object_changed(struct sim_kube *k, enum sim_kube_type t, const struct doc *before,
                             const struct doc *now) {
	char key[260];
	const struct doc *d = now ? now : before, *meta = doc_get(d, "metadata");
	sim_kube_key(key, doc_c(doc_get(meta, "namespace")), doc_c(doc_get(meta, "name")));
	if (t == KUBE_DEPLOYMENTS && now) sim_kube_work_add(&k->work[KUBE_DEPLOYER], key);
	if (t == KUBE_REPLICASETS) {
		if (now) sim_kube_work_add(&k->work[KUBE_REPLICATOR], key);
		add_owner(k, d, "Deployment", KUBE_DEPLOYER);
	}
	if (t == KUBE_PODS) {
		if (now && !doc_path(now, "spec.nodeName")) sim_kube_work_add(&k->work[KUBE_SCHEDULER], key);
		add_owner(k, d, "ReplicaSet", KUBE_REPLICATOR);
		sim_kube_budgets_again(k, d);
	}
	if (t == KUBE_PDBS && now) sim_kube_work_add(&k->work[KUBE_DISRUPTOR], key);
	if (t == KUBE_HPAS && now) sim_kube_hpa_seen(k, key);
	if (t == KUBE_NODES && now) node_changed(k, key);
}

/* ---- what controllers share ---- */

static bool expression_matches(const struct doc *x, const struct doc *labels) {
	const struct doc *value = doc_get(labels, doc_c(doc_get(x, "key")));
	const char *op = doc_c(doc_get(x, "operator"));
	bool in = false;
	doc_each(v, doc_get(x, "values")) in = in || (value && doc_equal(v, value));
	if (!strcmp(op, "In")) return in;
	if (!strcmp(op, "NotIn")) return !in;
	if (!strcmp(op, "Exists")) return value != NULL;
	return !strcmp(op, "DoesNotExist") && !value;
}

bool sim_kube_labels_match(const struct doc *selector, const struct doc *labels) {
	if (!selector) return false;
	doc_each(l, doc_get(selector, "matchLabels")) if (!doc_equal(doc_get(labels, l->key), l)) return false;
	doc_each(x, doc_get(selector, "matchExpressions")) if (!expression_matches(x, labels)) return false;
	return true;
}

const struct doc *sim_kube_owner(const struct doc *object, const char *kind) {
	doc_each(o, doc_path(object, "metadata.ownerReferences")) if (doc_bool(doc_get(o, "controller"), false) &&
	                                                              !strcmp(doc_c(doc_get(o, "kind")), kind)) return o;
	return NULL;
}

void sim_kube_own(struct doc *meta, const char *kind, const struct doc *owner) {
	struct doc *o = doc_push(doc_set(meta, "ownerReferences", doc_new(JSON_ARRAY)), doc_new(JSON_OBJECT));
	doc_set_c(o, "apiVersion", "apps/v1");
	doc_set_c(o, "kind", kind);
	doc_set_c(o, "name", doc_c(doc_path(owner, "metadata.name")));
	doc_set_c(o, "uid", doc_c(doc_path(owner, "metadata.uid")));
	doc_set_bool(o, "controller", true);
	doc_set_bool(o, "blockOwnerDeletion", true);
}

struct doc *sim_kube_condition(struct doc *object, const char *type) {
	struct doc *status = doc_make(object, "status"), *list = doc_get(status, "conditions");
	if (!list) list = doc_set(status, "conditions", doc_new(JSON_ARRAY));
	doc_each(c, list) if (!strcmp(doc_c(doc_get(c, "type")), type)) return c;
	struct doc *c = doc_push(list, doc_new(JSON_OBJECT));
	doc_set_c(c, "type", type);
	return c;
}

bool sim_kube_condition_is(const struct doc *object, const char *type, const char *status) {
	doc_each(c, doc_path(object, "status.conditions")) if (!strcmp(doc_c(doc_get(c, "type")), type)) return !strcmp(
		doc_c(doc_get(c, "status")), status);
	return false;
}

void sim_kube_set_condition(struct sim_kube *k, struct doc *object, const char *type, const char *status,
                            const char *reason, const char *message) {
	struct doc *c = sim_kube_condition(object, type);
	char time[32];
	sim_kube_time(k, time);
	if (strcmp(doc_c(doc_get(c, "status")), status)) {
		doc_set_c(c, "lastTransitionTime", time);
		if (!strcmp(doc_c(doc_get(object, "kind")), "Deployment")) doc_set_c(c, "lastUpdateTime", time);
	}
	doc_set_c(c, "status", status);
	if (*reason)
		doc_set_c(c, "reason", reason);
	else
		doc_remove(c, "reason");
	if (*message)
		doc_set_c(c, "message", message);
	else
		doc_remove(c, "message");
}

bool sim_kube_pod_is_ready(const struct doc *pod) {
	return sim_kube_condition_is(pod, "Ready", "True");
}

bool sim_kube_pod_is_active(const struct doc *pod) {
	const char *phase = doc_c(doc_path(pod, "status.phase"));
	return !doc_path(pod, "metadata.deletionTimestamp") && strcmp(phase, "Failed") && strcmp(phase, "Succeeded");
}

int64_t sim_kube_ready_since(const struct doc *pod) {
	struct wall since = { 0 };
	doc_each(c, doc_path(pod, "status.conditions")) {
		struct str t = doc_str(doc_get(c, "lastTransitionTime"));
		if (!strcmp(doc_c(doc_get(c, "type")), "Ready") && t.n) (void)wall_parse(t.p, t.n, &since);
	}
	return since.ns;
}

bool sim_kube_rolled_out(const struct doc *d) {
	const struct doc *s = doc_get(d, "status");
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1), updated = doc_int(doc_get(s, "updatedReplicas"), 0);
	return doc_int(doc_get(s, "observedGeneration"), 0) >= doc_int(doc_path(d, "metadata.generation"), 0) &&
	       updated >= wanted && doc_int(doc_get(s, "replicas"), 0) <= updated &&
	       doc_int(doc_get(s, "availableReplicas"), 0) >= updated;
}

/* ---- life ---- */

static void add_node(struct sim_kube *k, int i) {
	struct buf b;
	buf_init(&b, 0);
	buf_printf(
		&b,
		"{\"metadata\":{\"name\":\"node-%d\",\"labels\":{\"kubernetes.io/hostname\":\"node-%d\"}},\"spec\":{},"
		"\"status\":{\"capacity\":{\"cpu\":\"16\",\"memory\":\"64Gi\",\"pods\":\"110\"},\"allocatable\":{\"cpu\":"
		"\"16\",\"memory\":\"64Gi\",\"pods\":\"110\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
		"\"reason\":\"KubeletReady\"}]}}",
		i + 1, i + 1);
	enum err e = sim_kube_create(k, KUBE_NODES, buf_get(&b), NULL);
	assert(!e);
	buf_done(&b);
}

static void add_namespaces(struct sim_kube *k) {
	static const char *const names[] = { "default", "kube-system" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct buf b;
		buf_init(&b, 0);
		buf_printf(&b, "{\"metadata\":{\"name\":\"%s\"},\"status\":{\"phase\":\"Active\"}}", names[i]);
		enum err e = sim_kube_create(k, KUBE_NAMESPACES, buf_get(&b), NULL);
		assert(!e);
		buf_done(&b);
	}
}

struct sim_kube *sim_kube_new(const struct sim_kube_opts *o) {
	static const struct {
		void (*reconcile)(struct sim_kube *, const char *);
		/* From a change to the controller's look at it: informer and queue, half to twice of it. A Deployment's look
		 * takes several writes, one after another, so its ReplicaSets have been looked at before it looks again. */
		int64_t delay_ns;
	} controllers[KUBE_CONTROLLERS] = {
		[KUBE_DEPLOYER] = { sim_kube_reconcile_deployment, 15 * NS_PER_MS },
		[KUBE_REPLICATOR] = { sim_kube_reconcile_replicaset, 3 * NS_PER_MS },
		[KUBE_SCHEDULER] = { sim_kube_schedule_pod, 15 * NS_PER_MS },
		[KUBE_DISRUPTOR] = { sim_kube_reconcile_budget, 10 * NS_PER_MS },
		[KUBE_NODE_KEEPER] = { sim_kube_reconcile_node, 10 * NS_PER_MS },
	};
	struct sim_kube *k = must_alloc(sizeof *k);
	k->o = *o;
	k->rng = o->rng;
	if (!k->o.history_max) k->o.history_max = HISTORY_MAX;
	k->version = 1000 + (uint64_t)rng_below(&k->rng, 100000);
	for (int t = 0; t < KUBE_TYPES; t++) {
		map_init(&k->tables[t].index, 0);
		k->tables[t].history = must_array((size_t)k->o.history_max, sizeof *k->tables[t].history);
	}
	for (int c = 0; c < KUBE_CONTROLLERS; c++)
		k->work[c] = (struct sim_kube_work){
			.kube = k, .reconcile = controllers[c].reconcile, .delay_ns = controllers[c].delay_ns, .alarm_ns = INT64_MAX
		};
	list_init(&k->containers);
	list_init(&k->watchers);
	list_init(&k->autoscalers);
	list_init(&k->told);
	list_init(&k->told_runs);
	map_init(&k->told_by_what, 0);
	map_init(&k->run_by_similar, 0);
	list_init(&k->drains);
	k->hpa_rng = rng_fork(&k->rng, "horizontal-pod-autoscaler");
	map_init(&k->by_uid, 0);
	add_namespaces(k);
	for (int i = 0; i < o->nodes; i++) add_node(k, i);
	sim_kube_compact(k); /* a server that has just started knows no history */
	return k;
}

void sim_kube_free(struct sim_kube *k) {
	if (!k) return;
	assert(list_empty(&k->watchers) && "its servers stop before the cluster goes");
	sim_kube_compact(k);
	for (int t = 0; t < KUBE_TYPES; t++) {
		for (size_t i = 0; i < k->tables[t].count; i++) {
			struct sim_kube_entry *e = k->tables[t].entries[i];
			sim_kube_drop(e->state);
			free(e->key);
			free(e);
		}
		sim_kube_index_done(&k->tables[t].index);
		free(k->tables[t].entries);
		free(k->tables[t].history);
	}
	for (int c = 0; c < KUBE_CONTROLLERS; c++) {
		for (size_t i = 0; i < k->work[c].count; i++) free(k->work[c].keys[i]);
		free(k->work[c].keys);
	}
	list_each_safe(it, &k->containers) free(container_of(it, struct sim_kube_container, link));
	sim_kube_hpas_free(k);
	sim_kube_events_free(k);
	sim_kube_drains_free(k);
	map_done(&k->by_uid);
	free(k->effects);
	free(k);
}
