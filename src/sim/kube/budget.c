/* PodDisruptionBudgets: the disruption controller (pkg/controller/disruption) and the eviction that asks it
 * (pkg/registry/core/pod/storage/eviction.go). */
#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/memory.h"

#define PROMISED_NS (120 * NS_PER_SEC) /* an evicted pod that is not gone by then counts again */

/* ---- the controller ---- */

static bool covers(const struct doc *pdb, const struct doc *pod) {
	return doc_equal(doc_path(pod, "metadata.namespace"), doc_path(pdb, "metadata.namespace")) &&
	       sim_kube_labels_match(doc_path(pdb, "spec.selector"), doc_path(pod, "metadata.labels"));
}

static struct sim_kube_some candidates(const struct sim_kube *k, const struct doc *pdb) {
	return sim_kube_candidates(k, doc_c(doc_path(pdb, "metadata.namespace")), doc_path(pdb, "spec.selector"));
}

/* "25%" of `whole`, rounded up, or a number. */
static int64_t share(const struct doc *v, int64_t whole) {
	const char *text = doc_c(v);
	size_t n = strlen(text);
	int64_t percent = 0;
	if (n && text[n - 1] == '%' && str_int((struct str){ text, n - 1 }, &percent)) return (whole * percent + 99) / 100;
	return doc_int(v, 0);
}

/* What a pod's workload wants to have: the Deployment's number, else its ReplicaSet's; NULL: nobody's. */
static const struct doc *workload_of(const struct sim_kube *k, const struct doc *pod) {
	const char *ns = doc_c(doc_path(pod, "metadata.namespace"));
	const struct doc *owner = sim_kube_owner(pod, "ReplicaSet");
	const struct doc *set = owner ? sim_kube_object(k, KUBE_REPLICASETS, ns, doc_c(doc_get(owner, "name"))) : NULL;
	const struct doc *above = sim_kube_owner(set, "Deployment");
	const struct doc *d = above ? sim_kube_object(k, KUBE_DEPLOYMENTS, ns, doc_c(doc_get(above, "name"))) : NULL;
	return d ? d : set;
}

/* getExpectedScale: each workload once. */
static int64_t expected_scale(const struct sim_kube *k, const struct doc *pdb) {
	struct sim_kube_some some = candidates(k, pdb);
	const struct doc **seen = must_array(some.count, sizeof *seen), *pod;
	size_t n = 0;
	int64_t sum = 0;
	while ((pod = sim_kube_some_next(&some))) {
		const struct doc *w = covers(pdb, pod) ? workload_of(k, pod) : NULL;
		bool known = !w;
		for (size_t s = 0; s < n && !known; s++) known = seen[s] == w;
		if (known) continue;
		seen[n++] = w;
		sum += doc_int(doc_path(w, "spec.replicas"), 0);
	}
	free(seen);
	return sum;
}

static bool is_promised(const struct sim_kube *k, const struct doc *pdb, const struct doc *pod) {
	struct wall since;
	struct str t = doc_str(doc_get(doc_path(pdb, "status.disruptedPods"), doc_c(doc_path(pod, "metadata.name"))));
	return t.n && wall_parse(t.p, t.n, &since) && since.ns + PROMISED_NS > k->o.epoch.ns + k->o.queue->now_ns;
}

struct budget {
	int64_t pods, healthy, wanted, expected, allowed;
	struct doc *promised; /* status.disruptedPods as it is to be */
};

static void count_pods(const struct sim_kube *k, const struct doc *pdb, struct budget *b) {
	struct sim_kube_some some = candidates(k, pdb);
	const struct doc *pod;
	while ((pod = sim_kube_some_next(&some))) {
		const char *name = doc_c(doc_path(pod, "metadata.name"));
		if (!covers(pdb, pod)) continue;
		b->pods++;
		if (doc_path(pod, "metadata.deletionTimestamp")) continue;
		if (is_promised(k, pdb, pod))
			doc_set(b->promised, name, doc_copy(doc_get(doc_path(pdb, "status.disruptedPods"), name)));
		else
			b->healthy += sim_kube_pod_is_ready(pod);
	}
}

static void reckon(const struct sim_kube *k, const struct doc *pdb, struct budget *b) {
	const struct doc *least = doc_path(pdb, "spec.minAvailable"), *most = doc_path(pdb, "spec.maxUnavailable");
	count_pods(k, pdb, b);
	if (most || (least && least->kind == JSON_STRING)) b->expected = expected_scale(k, pdb);
	if (!most && least && least->kind != JSON_STRING) b->expected = b->pods;
	b->wanted = most ? b->expected - share(most, b->expected) : share(least, b->expected);
	if (b->wanted < 0) b->wanted = 0;
	b->allowed = b->healthy - b->wanted;
	if (b->expected <= 0 || b->allowed < 0) b->allowed = 0;
}

static void set_allowed(struct sim_kube *k, struct doc *pdb, bool any) {
	sim_kube_set_condition(k, pdb, "DisruptionAllowed", any ? "True" : "False",
	                       any ? "SufficientPods" : "InsufficientPods", "");
	doc_set_int(sim_kube_condition(pdb, "DisruptionAllowed"), "observedGeneration",
	            doc_int(doc_path(pdb, "metadata.generation"), 0));
}

void sim_kube_reconcile_budget(struct sim_kube *k, const char *key) {
	struct sim_kube_state *state = sim_kube_find(k, KUBE_PDBS, key);
	if (!state) return;
	struct budget b = { .promised = doc_new(JSON_OBJECT) };
	struct doc *now = doc_copy(state->doc), *status = doc_make(now, "status");
	reckon(k, now, &b);
	if (!b.pods) {
		struct sim_kube_saying s = { "controllermanager", "NoPods", false };
		sim_kube_say(k, now, &s, "No matching pods found");
	}
	doc_set_int(status, "currentHealthy", b.healthy);
	doc_set_int(status, "desiredHealthy", b.wanted);
	doc_set_int(status, "expectedPods", b.expected);
	doc_set_int(status, "disruptionsAllowed", b.allowed);
	doc_set_int(status, "observedGeneration", doc_int(doc_path(now, "metadata.generation"), 0));
	bool waits = b.promised->child != NULL;
	if (waits)
		doc_set(status, "disruptedPods", TAKE(b.promised));
	else
		doc_remove(status, "disruptedPods");
	doc_free(b.promised);
	set_allowed(k, now, b.allowed > 0);
	sim_kube_write_as(k, KUBE_PDBS, now, "kube-controller-manager", "status");
	if (waits) sim_kube_alarm(k, KUBE_DISRUPTOR, k->o.queue->now_ns + PROMISED_NS + NS_PER_SEC);
}

void sim_kube_budgets_again(struct sim_kube *k, const struct doc *pod) {
	struct sim_kube_table *t = &k->tables[KUBE_PDBS];
	for (size_t i = 0; i < t->count; i++)
		if (covers(t->entries[i]->state->doc, pod)) sim_kube_work_add(&k->work[KUBE_DISRUPTOR], t->entries[i]->key);
}

/* ---- eviction ---- */

static bool too_many(struct sim_kube_reply *r, const char *cause) {
	r->causes = doc_new(JSON_ARRAY);
	struct doc *c = doc_push(r->causes, doc_new(JSON_OBJECT));
	doc_set_c(c, "reason", "DisruptionBudget");
	doc_set_c(c, "message", cause);
	return sim_kube_refuse(r, 429, "TooManyRequests",
	                       "Cannot evict pod as it would violate the pod's disruption budget.");
}

/* checkAndDecrement: the pod is promised to be gone soon, so that the next who asks finds one fewer. */
static bool take_one(struct sim_kube *k, const struct doc *pdb, const char *pod, bool dry, struct sim_kube_reply *r) {
	const struct doc *status = doc_get(pdb, "status");
	const char *name = doc_c(doc_path(pdb, "metadata.name"));
	int64_t allowed = doc_int(doc_get(status, "disruptionsAllowed"), 0),
			wanted = doc_int(doc_get(status, "desiredHealthy"), 0);
	int64_t healthy = doc_int(doc_get(status, "currentHealthy"), 0);
	char cause[300], time[32];
	if (doc_int(doc_get(status, "observedGeneration"), 0) < doc_int(doc_path(pdb, "metadata.generation"), 0)) {
		snprintf(cause, sizeof cause, "The disruption budget %s is still being processed by the server.", name);
		return too_many(r, cause);
	}
	if (!allowed) {
		snprintf(cause, sizeof cause, "The disruption budget %s needs %lld healthy pods and has %lld currently", name,
		         (long long)wanted, (long long)healthy);
		if (healthy > wanted)
			snprintf(cause, sizeof cause, "The disruption budget %s does not allow evicting pods currently", name);
		return too_many(r, cause);
	}
	if (dry) return true;
	struct doc *now = doc_copy(pdb);
	sim_kube_time(k, time);
	doc_set_int(doc_make(now, "status"), "disruptionsAllowed", allowed - 1);
	doc_set_c(doc_make(doc_make(now, "status"), "disruptedPods"), pod, time);
	if (allowed == 1) set_allowed(k, now, false);
	sim_kube_write_as(k, KUBE_PDBS, now, "kube-apiserver", "status");
	return true;
}

/* An unready pod goes where the budget is kept without it, or where it says that such go always. */
static bool may_go_unready(const struct doc *pdb, const struct doc *pod) {
	int64_t wanted = doc_int(doc_path(pdb, "status.desiredHealthy"), 0);
	if (sim_kube_pod_is_ready(pod)) return false;
	if (!strcmp(doc_c(doc_path(pdb, "spec.unhealthyPodEvictionPolicy")), "AlwaysAllow")) return true;
	return wanted > 0 && doc_int(doc_path(pdb, "status.currentHealthy"), 0) >= wanted;
}

/* canIgnorePDB: what does not run disrupts nobody. */
static bool is_free(const struct doc *pod) {
	return strcmp(doc_c(doc_path(pod, "status.phase")), "Running") || doc_path(pod, "metadata.deletionTimestamp");
}

static bool budgets_allow(struct sim_kube *k, const struct doc *pod, bool dry, struct sim_kube_reply *r) {
	const struct doc *pdb, *its = NULL;
	for (size_t i = 0; (pdb = sim_kube_next(k, KUBE_PDBS, &i));) {
		if (!covers(pdb, pod)) continue;
		if (its)
			return sim_kube_refuse(
				r, 500, "",
				"This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
		its = pdb;
	}
	if (!its || may_go_unready(its, pod)) return true;
	return take_one(k, its, doc_c(doc_path(pod, "metadata.name")), dry, r);
}

static void mark_evicted(struct sim_kube *k, const struct doc *pod) {
	struct doc *now = doc_copy(pod);
	sim_kube_set_condition(k, now, "DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting");
	sim_kube_write_as(k, KUBE_PODS, now, "kube-apiserver", "status");
}

static bool same_name(const struct doc *eviction, const char *name, struct sim_kube_reply *r) {
	const char *given = doc_c(doc_path(eviction, "metadata.name"));
	if (!*given || !strcmp(given, name)) return true;
	return sim_kube_refuse(r, 400, "BadRequest", "name in URL does not match name in Eviction object");
}

void sim_kube_do_evict(struct sim_kube *k, const char *ns, const char *name, const struct doc *eviction,
                       const struct sim_kube_call *c, struct sim_kube_reply *r) {
	const struct doc *pod = sim_kube_object(k, KUBE_PODS, ns, name), *options = doc_get(eviction, "deleteOptions");
	struct sim_kube_call call = *c;
	if (!pod) {
		sim_kube_refuse(r, 404, "NotFound", "pods \"%s\" not found", name);
		return;
	}
	call.dry_run = c->dry_run || doc_count(doc_get(options, "dryRun"));
	if (!same_name(eviction, name, r) || !sim_kube_preconditions_hold(k, KUBE_PODS, name, pod, options, r)) return;
	if (!is_free(pod) && !budgets_allow(k, pod, call.dry_run, r)) return;
	if (!call.dry_run) mark_evicted(k, pod);
	struct doc *rest = options ? doc_copy(options) : NULL; /* its resourceVersion held, and is past by our own mark */
	doc_remove(doc_get(rest, "preconditions"), "resourceVersion");
	call.evicts = true;
	sim_kube_do_delete(k, KUBE_PODS, ns, name, rest, &call, r);
	doc_free(rest);
	if (r->reason) return;
	doc_free(r->object);
	r->object =
		doc_parse(STR("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\"}"), NULL);
	r->code = 201;
}
