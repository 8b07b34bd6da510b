/* The scheduler, and the kubelets: pods get a node, containers start, end and come back. */
#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/kube/quantity.h"
#include "sim/memory.h"

#define BACK_OFF_FIRST (10 * NS_PER_SEC)
#define BACK_OFF_MAX   (300 * NS_PER_SEC)
#define BACK_OFF_RESET (600 * NS_PER_SEC) /* of running: then the next failure is the first again */

static struct sim_kube_state *pod_state(struct sim_kube *k, const struct sim_kube_pod *pod) {
	char key[260];
	sim_kube_key(key, pod->namespace_, pod->name);
	struct sim_kube_state *s = sim_kube_find(k, KUBE_PODS, key);
	return s && !strcmp(doc_c(doc_path(s->doc, "metadata.uid")), pod->uid) ? s : NULL;
}

static struct sim_kube_container *container_of_uid(const struct sim_kube *k, const char *uid) {
	return map_get(&k->by_uid, str_of(uid));
}

/* ---- scheduling ---- */

static bool takes(const struct doc *node, const struct doc *pod) {
	if (doc_bool(doc_path(node, "spec.unschedulable"), false) || !sim_kube_condition_is(node, "Ready", "True"))
		return false;
	doc_each(l, doc_path(pod, "spec.nodeSelector")) if (!doc_equal(doc_get(doc_path(node, "metadata.labels"), l->key),
	                                                               l)) return false;
	return true;
}

/* The node with the fewest pods that takes this one; NULL: none. */
static const char *node_for(const struct sim_kube *k, const struct doc *pod) {
	const char *best = k->place ? k->place(k->place_self, pod) : NULL;
	size_t least = 110;
	if (best) return best;
	for (size_t i = 0; i < k->tables[KUBE_NODES].count; i++) {
		const struct doc *node = k->tables[KUBE_NODES].entries[i]->state->doc;
		const char *name = doc_c(doc_path(node, "metadata.name"));
		if (!takes(node, pod)) continue;
		size_t n = sim_kube_on_node(k, name).count;
		if (n < least) least = n, best = name;
	}
	return best;
}

void sim_kube_place(struct sim_kube *k, const char *(*node_of)(void *self, const struct doc *pod), void *self) {
	k->place = node_of;
	k->place_self = self;
}

static void not_scheduled(struct sim_kube *k, struct doc *pod) {
	struct sim_kube_saying s = { "default-scheduler", "FailedScheduling", true };
	bool known = sim_kube_condition_is(pod, "PodScheduled", "False");
	sim_kube_set_condition(k, pod, "PodScheduled", "False", "Unschedulable", "0 nodes are available");
	struct sim_kube_state *state = sim_kube_write_as(k, KUBE_PODS, pod, "kube-scheduler", "status");
	if (!known) sim_kube_say(k, state->doc, &s, "0/%zu nodes are available", sim_kube_count(k, KUBE_NODES));
}

static struct sim_kube_container *container_new(struct sim_kube *k, const struct doc *pod) {
	struct sim_kube_container *c = must_alloc(sizeof *c);
	const struct doc *meta = doc_get(pod, "metadata"), *owner = sim_kube_owner(pod, "ReplicaSet");
	const struct doc *first = doc_at(doc_path(pod, "spec.containers"), 0);
	struct sim_kube_pod *p = &c->pod;
	c->kube = k;
	p->created_ns = k->o.queue->now_ns;
	snprintf(p->namespace_, sizeof p->namespace_, "%s", doc_c(doc_get(meta, "namespace")));
	snprintf(p->name, sizeof p->name, "%s", doc_c(doc_get(meta, "name")));
	snprintf(p->uid, sizeof p->uid, "%s", doc_c(doc_get(meta, "uid")));
	snprintf(p->node, sizeof p->node, "%s", doc_c(doc_path(pod, "spec.nodeName")));
	snprintf(p->image, sizeof p->image, "%s", doc_c(doc_get(first, "image")));
	p->memory_limit = sim_kube_milli(doc_str(doc_path(first, "resources.limits.memory")), 0) / 1000;
	const struct doc *set =
		owner ? sim_kube_object(k, KUBE_REPLICASETS, p->namespace_, doc_c(doc_get(owner, "name"))) : NULL;
	const struct doc *above = sim_kube_owner(set, "Deployment");
	snprintf(p->workload, sizeof p->workload, "%s", above ? doc_c(doc_get(above, "name")) : p->name);
	list_push(&k->containers, &c->link);
	enum err e = map_put(&k->by_uid, str_of(p->uid), c, NULL);
	assert(!e);
	return c;
}

static void container_free(struct sim_kube_container *c) {
	map_remove(&c->kube->by_uid, str_of(c->pod.uid));
	list_remove(&c->link);
	free(c);
}

/* ---- what the kubelet writes ---- */

static const char *hash_of(const struct doc *pod) {
	return doc_c(doc_get(doc_path(pod, "metadata.labels"), "pod-template-hash"));
}

static struct doc *container_status(struct doc *pod, const struct sim_kube_container *c) {
	char id[200];
	struct doc *status = doc_make(pod, "status"), *list = doc_get(status, "containerStatuses");
	if (!list) list = doc_set(status, "containerStatuses", doc_new(JSON_ARRAY));
	struct doc *s = list->child ? list->child : doc_push(list, doc_new(JSON_OBJECT));
	const struct doc *spec = doc_at(doc_path(pod, "spec.containers"), 0);
	snprintf(id, sizeof id, "containerd://%s-%s-%u", hash_of(pod), c->pod.uid, c->pod.restarts);
	doc_set_c(s, "name", doc_c(doc_get(spec, "name")));
	doc_set_c(s, "image", c->pod.image);
	doc_set_c(s, "imageID", c->pod.image);
	doc_set_c(s, "containerID", id);
	doc_set_int(s, "restartCount", c->pod.restarts);
	if (!doc_get(s, "lastState")) doc_set(s, "lastState", doc_new(JSON_OBJECT));
	return s;
}

static void set_ready(struct sim_kube *k, struct doc *pod, bool ready) {
	const char *reason = ready ? "" : "ContainersNotReady", *status = ready ? "True" : "False";
	sim_kube_set_condition(k, pod, "Ready", status, reason, ready ? "" : "containers with unready status");
	sim_kube_set_condition(k, pod, "ContainersReady", status, reason, ready ? "" : "containers with unready status");
}

static void set_waiting(struct doc *s, const char *reason) {
	struct doc *state = doc_set(s, "state", doc_new(JSON_OBJECT));
	doc_set_c(doc_make(state, "waiting"), "reason", reason);
	doc_set_bool(s, "ready", false);
	doc_set_bool(s, "started", false);
}

static void say(struct sim_kube *k, const struct doc *pod, const char *reason, bool warning, const char *message) {
	struct sim_kube_saying s = { "kubelet", reason, warning };
	sim_kube_say(k, pod, &s, "%s", message);
}

static void write_pod(struct sim_kube *k, struct doc *pod) {
	sim_kube_write_as(k, KUBE_PODS, pod, "kubelet", "status");
}

static void start_moment(void *self, uint64_t arg);

/* Containers by generation: a moment that comes for another life finds nobody. */
static void ask_start(struct sim_kube_container *c, int64_t delay_ns) {
	sim_queue_in(c->kube->o.queue, delay_ns, start_moment, c->kube, ++c->generation);
}

static struct sim_kube_container *by_generation(struct sim_kube *k, uint64_t generation) {
	list_each(it, &k->containers) {
		struct sim_kube_container *c = container_of(it, struct sim_kube_container, link);
		if (c->generation == generation) return c;
	}
	return NULL;
}

void sim_kube_schedule_pod(struct sim_kube *k, const char *key) {
	struct sim_kube_state *state = sim_kube_find(k, KUBE_PODS, key);
	if (!state || doc_path(state->doc, "spec.nodeName") || doc_path(state->doc, "metadata.deletionTimestamp")) return;
	struct doc *pod = doc_copy(state->doc);
	const char *node = node_for(k, pod);
	char ip[24], time[32];
	if (!node) {
		not_scheduled(k, pod);
		return;
	}
	struct sim_kube_saying s = { "default-scheduler", "Scheduled", false };
	sim_kube_say(k, pod, &s, "Successfully assigned %s to %s", key, node);
	doc_set_c(doc_make(pod, "spec"), "nodeName", node);
	sim_kube_set_condition(k, pod, "PodScheduled", "True", "", "");
	state = sim_kube_write_as(k, KUBE_PODS, pod, "kube-scheduler", NULL);
	struct sim_kube_container *c = container_new(k, state->doc);
	pod = doc_copy(state->doc);
	struct doc *status = doc_make(pod, "status");
	snprintf(ip, sizeof ip, "10.244.%d.%d", k->next_ip / 250 % 250, 2 + k->next_ip % 250);
	k->next_ip++;
	sim_kube_time(k, time);
	doc_set_c(status, "podIP", ip);
	doc_set_c(status, "hostIP", "10.0.1.1");
	doc_set_c(status, "startTime", time);
	doc_set_c(doc_push(doc_set(status, "podIPs", doc_new(JSON_ARRAY)), doc_new(JSON_OBJECT)), "ip", ip);
	doc_set_c(status, "qosClass", c->pod.memory_limit ? "Burstable" : "BestEffort");
	sim_kube_set_condition(k, pod, "Initialized", "True", "", "");
	set_ready(k, pod, false);
	set_waiting(container_status(pod, c), "ContainerCreating");
	write_pod(k, pod);
	c->generation = k->version << 20; /* of this container only: versions never repeat */
	ask_start(c, (int64_t)((double)NS_PER_SEC * rng_between(&k->rng, 0.3, 1.2))); /* image is there; sandbox, volumes */
}

static void start_moment(void *self, uint64_t arg) {
	struct sim_kube *k = self;
	struct sim_kube_container *c = by_generation(k, arg);
	if (c && !c->stopping) k->o.runtime->start(k->o.runtime_self, &c->pod);
}

void sim_kube_pod_running(struct sim_kube *k, const char *uid) {
	struct sim_kube_container *c = container_of_uid(k, uid);
	struct sim_kube_state *state = c ? pod_state(k, &c->pod) : NULL;
	char time[32];
	if (!state || c->running) return;
	c->running = true;
	c->started_ns = k->o.queue->now_ns;
	struct doc *pod = doc_copy(state->doc), *s = container_status(pod, c);
	sim_kube_time(k, time);
	doc_set_c(doc_make(doc_set(s, "state", doc_new(JSON_OBJECT)), "running"), "startedAt", time);
	doc_set_bool(s, "started", true);
	doc_set_bool(s, "ready", false);
	doc_set_c(doc_make(pod, "status"), "phase", "Running");
	say(k, state->doc, "Started", false, "Container started");
	write_pod(k, pod);
}

void sim_kube_pod_failed(struct sim_kube *k, const char *uid, const char *reason) {
	struct sim_kube_container *c = container_of_uid(k, uid);
	struct sim_kube_state *state = c ? pod_state(k, &c->pod) : NULL;
	if (!state) return;
	struct doc *pod = doc_copy(state->doc), *status = doc_make(pod, "status");
	doc_set_c(status, "phase", "Failed");
	doc_set_c(status, "reason", reason);
	set_ready(k, pod, false);
	say(k, state->doc, reason, true, "The kubelet has ended the pod");
	c->running = false;
	c->generation++; /* it is not started again */
	c->failed = true;
	write_pod(k, pod);
}

void sim_kube_pod_ready(struct sim_kube *k, const char *uid, bool ready) {
	struct sim_kube_container *c = container_of_uid(k, uid);
	struct sim_kube_state *state = c ? pod_state(k, &c->pod) : NULL;
	if (!state || !c->running) return;
	if (!ready && sim_kube_pod_is_ready(state->doc)) say(k, state->doc, "Unhealthy", true, "Readiness probe failed");
	struct doc *pod = doc_copy(state->doc);
	doc_set_bool(container_status(pod, c), "ready", ready);
	set_ready(k, pod, ready);
	write_pod(k, pod);
}

/* ---- ends ---- */

static void pod_is_gone(struct sim_kube *k, struct sim_kube_container *c) {
	char key[260];
	struct sim_kube_state *state = pod_state(k, &c->pod);
	sim_kube_key(key, c->pod.namespace_, c->pod.name);
	container_free(c);
	if (state) sim_kube_erase(k, KUBE_PODS, key);
}

static struct doc *terminated(const struct sim_kube *k, const struct sim_kube_container *c, const char *reason,
                              int code) {
	char time[32];
	struct doc *t = doc_new(JSON_OBJECT);
	doc_set_int(t, "exitCode", code);
	doc_set_c(t, "reason", reason);
	wall_format((struct wall){ k->o.epoch.ns + c->started_ns }, time);
	doc_set_c(t, "startedAt", time);
	sim_kube_time(k, time);
	doc_set_c(t, "finishedAt", time);
	return t;
}

void sim_kube_pod_exited(struct sim_kube *k, const char *uid, const char *reason, int code) {
	struct sim_kube_container *c = container_of_uid(k, uid);
	struct sim_kube_state *state = c ? pod_state(k, &c->pod) : NULL;
	if (!state) return;
	if (c->stopping) {
		pod_is_gone(k, c);
		return;
	}
	if (c->failed) return;
	int64_t ran = k->o.queue->now_ns - c->started_ns, wait = ran > BACK_OFF_RESET ? 0 : c->back_off_ns;
	c->back_off_ns = !wait ? BACK_OFF_FIRST : wait * 2 > BACK_OFF_MAX ? BACK_OFF_MAX : wait * 2;
	c->running = false;
	c->pod.restarts++;
	struct doc *pod = doc_copy(state->doc), *s = container_status(pod, c);
	doc_set(doc_set(s, "lastState", doc_new(JSON_OBJECT)), "terminated", terminated(k, c, reason, code));
	set_waiting(s, wait ? "CrashLoopBackOff" : "ContainerCreating");
	set_ready(k, pod, false);
	if (wait) say(k, state->doc, "BackOff", true, "Back-off restarting failed container");
	write_pod(k, pod);
	ask_start(c, wait + NS_PER_SEC);
}

static void grace_is_over(void *self, uint64_t arg) {
	struct sim_kube *k = self;
	struct sim_kube_container *c = by_generation(k, arg);
	if (!c || !c->stopping) return;
	k->o.runtime->kill(k->o.runtime_self, &c->pod);
	pod_is_gone(k, c);
}

void sim_kube_pod_deleted(struct sim_kube *k, const struct doc *pod, int64_t grace_ns) {
	struct sim_kube_container *c = container_of_uid(k, doc_c(doc_path(pod, "metadata.uid")));
	if (!c) return;
	if (!grace_ns) {
		k->o.runtime->kill(k->o.runtime_self, &c->pod);
		container_free(c);
		return;
	}
	if (c->stopping) return;
	c->stopping = true;
	if (c->running) say(k, pod, "Killing", false, "Stopping container");
	sim_queue_in(k->o.queue, grace_ns, grace_is_over, k, ++c->generation);
	if (c->running) {
		k->o.runtime->stop(k->o.runtime_self, &c->pod, grace_ns);
	} else { /* nothing runs: it goes at once */
		k->o.runtime->kill(k->o.runtime_self, &c->pod);
		sim_queue_in(k->o.queue, NS_PER_MS, grace_is_over, k, c->generation);
	}
}
