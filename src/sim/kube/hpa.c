/* The horizontal pod autoscaler: every 15 s it looks at each HorizontalPodAutoscaler (horizontal.go,
 * reconcileAutoscaler). */
#include "sim/kube/hpa.h"

#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/kube/quantity.h"
#include "sim/memory.h"

#define COMPONENT "horizontal-pod-autoscaler"

struct sim_kube_hpa { /* what the controller keeps of one */
	struct list link;
	char key[260];
	uint64_t id; /* its moments' argument */
	struct sim_kube_hpa_memory memory;
	int64_t looks, last_ns;
};

struct look { /* one look at one autoscaler */
	struct sim_kube *k;
	struct sim_kube_hpa *a;
	struct doc *now; /* the object with its new status */
	enum sim_kube_type target_type;
	char ns[64], target[128];
	int64_t current, least, most, desired;
	char reason[200];    /* of a change */
	struct doc *metrics; /* status.currentMetrics; NULL: none were asked */
};

static void set(struct look *l, const char *type, bool yes, const char *reason, const char *message) {
	sim_kube_set_condition(l->k, l->now, type, yes ? "True" : "False", reason, message);
}

static void warn(struct look *l, const char *reason, const char *message) {
	struct sim_kube_saying s = { COMPONENT, reason, true };
	sim_kube_say(l->k, l->now, &s, "%s", message);
}

/* ---- the target ---- */

static const struct doc *target_of(const struct sim_kube *k, const struct doc *hpa, enum sim_kube_type *type) {
	const struct doc *ref = doc_path(hpa, "spec.scaleTargetRef");
	for (int t = 0; t < KUBE_TYPES; t++)
		if (sim_kube_types[t].scale && !strcmp(sim_kube_types[t].kind, doc_c(doc_get(ref, "kind")))) {
			*type = (enum sim_kube_type)t;
			return sim_kube_object(k, *type, doc_c(doc_path(hpa, "metadata.namespace")), doc_c(doc_get(ref, "name")));
		}
	return NULL;
}

static bool selects(const struct doc *target, const struct doc *pod) {
	return doc_equal(doc_path(target, "metadata.namespace"), doc_path(pod, "metadata.namespace")) &&
	       sim_kube_labels_match(doc_path(target, "spec.selector"), doc_path(pod, "metadata.labels"));
}

static struct sim_kube_some candidates(const struct sim_kube *k, const struct doc *target) {
	return sim_kube_candidates(k, doc_c(doc_path(target, "metadata.namespace")), doc_path(target, "spec.selector"));
}

static bool share_a_pod(const struct sim_kube *k, const struct doc *target, const struct doc *theirs) {
	struct sim_kube_some some = candidates(k, target);
	const struct doc *pod;
	while ((pod = sim_kube_some_next(&some)))
		if (selects(target, pod) && selects(theirs, pod)) return true;
	return false;
}

/* Pods that two autoscalers see are scaled by neither. */
static bool is_ambiguous(const struct sim_kube *k, const struct doc *target, const struct doc *hpa) {
	const struct doc *other;
	enum sim_kube_type type;
	for (size_t i = 0; (other = sim_kube_next(k, KUBE_HPAS, &i));) {
		const struct doc *theirs = target_of(k, other, &type);
		if (!theirs || doc_equal(doc_path(other, "metadata.uid"), doc_path(hpa, "metadata.uid"))) continue;
		if (share_a_pod(k, target, theirs)) return true;
	}
	return false;
}

/* ---- samples ---- */

static bool sample_of(struct sim_kube *k, const struct doc *pod, struct sim_kube_usage *out) {
	const struct sim_kube_container *c = map_get(&k->by_uid, str_of(doc_c(doc_path(pod, "metadata.uid"))));
	return c && k->usage && k->usage(k->usage_self, &c->pod, out);
}

static int64_t time_of(const struct doc *d, int64_t fallback) {
	struct wall t;
	struct str text = doc_str(d);
	return text.n && wall_parse(text.p, text.n, &t) ? t.ns : fallback;
}

/* groupPods: a CPU sample from a pod's first moments says little. */
static bool cpu_is_early(struct sim_kube *k, const struct doc *pod, const struct sim_kube_usage *u) {
	const struct doc *ready = NULL;
	doc_each(c, doc_path(pod, "status.conditions")) if (!strcmp(doc_c(doc_get(c, "type")), "Ready")) ready = c;
	int64_t started = time_of(doc_path(pod, "status.startTime"), -1),
			changed = time_of(doc_get(ready, "lastTransitionTime"), 0);
	if (!ready || started < 0) return true;
	bool is_ready = strcmp(doc_c(doc_get(ready, "status")), "False") != 0;
	if (started + SIM_KUBE_HPA_INIT_NS > k->o.epoch.ns + k->o.queue->now_ns) {
		int64_t sampled = (k->o.epoch.ns + u->at_ns) / NS_PER_SEC * NS_PER_SEC; /* the API's times are whole seconds */
		return !is_ready || sampled < changed + u->window_ns;
	}
	return !is_ready && started + SIM_KUBE_HPA_READINESS_NS > changed;
}

static struct sim_kube_hpa_pod pod_of(struct sim_kube *k, const struct doc *pod, const char *resource, bool *sampled) {
	struct sim_kube_hpa_pod p = { SIM_KUBE_HPA_READY, 0, 0 };
	struct sim_kube_usage u = { 0 };
	const char *phase = doc_c(doc_path(pod, "status.phase"));
	bool cpu = !strcmp(resource, "cpu"), known = cpu || !strcmp(resource, "memory");
	bool any = sample_of(k, pod, &u), has = any && known;
	*sampled = *sampled || any;
	p.used = cpu ? u.cpu_milli : u.memory_bytes * 1000;
	if (doc_path(pod, "metadata.deletionTimestamp") || !strcmp(phase, "Failed"))
		p.kind = SIM_KUBE_HPA_IGNORED;
	else if (!strcmp(phase, "Pending"))
		p.kind = SIM_KUBE_HPA_UNREADY;
	else if (!has)
		p.kind = SIM_KUBE_HPA_MISSING;
	else if (cpu && cpu_is_early(k, pod, &u))
		p.kind = SIM_KUBE_HPA_UNREADY;
	return p;
}

/* What its containers ask for. False: one asks for nothing, as *why says. */
static bool request_of(const struct doc *pod, const char *resource, int64_t *out, struct why *why) {
	*out = 0;
	doc_each(c, doc_path(pod, "spec.containers")) {
		const struct doc *asked = doc_get(doc_path(c, "resources.requests"), resource);
		if (!asked) {
			(void)why_set(why, ERR_INVALID, "missing request for %s in container %s of Pod %s", resource,
			              doc_c(doc_get(c, "name")), doc_c(doc_path(pod, "metadata.name")));
			return false;
		}
		*out += asked->kind == JSON_NUMBER ? doc_int(asked, 0) * 1000 : sim_kube_milli(doc_str(asked), 0);
	}
	return true;
}

/* ---- one metric ---- */

static void question_init(struct look *l, const struct doc *target, struct sim_kube_hpa_question *q) {
	const struct doc *behavior = doc_path(l->now, "spec.behavior");
	const struct doc *down = doc_path(behavior, "scaleDown.tolerance"), *up = doc_path(behavior, "scaleUp.tolerance");
	q->replicas = l->current;
	q->tolerance_down = down ? (double)sim_kube_milli(doc_str(down), 100) / 1000 : SIM_KUBE_HPA_TOLERANCE;
	q->tolerance_up = up ? (double)sim_kube_milli(doc_str(up), 100) / 1000 : SIM_KUBE_HPA_TOLERANCE;
	q->by_value = doc_get(target, "averageValue") != NULL;
	q->wanted = q->by_value ? sim_kube_milli(doc_str(doc_get(target, "averageValue")), 0)
	                        : doc_int(doc_get(target, "averageUtilization"), 0);
}

/* The pods that the target selects, as the calculation wants them. */
static enum err take_pods(struct look *l, const struct doc *target, const char *resource, bool requests,
                          struct sim_kube_hpa_pod *pods, size_t *count, struct why *why) {
	struct sim_kube_some some = candidates(l->k, target);
	const struct doc *pod;
	struct why unasked = { "" };
	bool sampled = false;
	while ((pod = sim_kube_some_next(&some))) {
		if (!selects(target, pod)) continue;
		struct sim_kube_hpa_pod *p = &pods[*count];
		*p = pod_of(l->k, pod, resource, &sampled);
		(*count)++;
		if (requests && !*unasked.text) (void)request_of(pod, resource, &p->requested, &unasked);
	}
	if (!l->k->usage)
		return why_set(why, ERR_UNREACHABLE,
		               "unable to get metrics for resource %s: unable to fetch metrics from resource metrics API: the "
		               "server could not find the requested resource (get pods.metrics.k8s.io)",
		               resource);
	if (!sampled)
		return why_set(why, ERR_NOT_FOUND,
		               "unable to get metrics for resource %s: no metrics returned from resource metrics API",
		               resource);
	bool counts = false;
	for (size_t i = 0; i < *count; i++) counts = counts || pods[i].kind == SIM_KUBE_HPA_READY;
	if (!counts)
		return why_set(why, ERR_NOT_FOUND, "did not receive metrics for targeted pods (pods might be unready)");
	return *unasked.text ? why_set(why, ERR_INVALID, "%s", unasked.text) : OK;
}

static struct doc *metric_status(const char *resource, const struct sim_kube_hpa_question *q,
                                 const struct sim_kube_hpa_count *c) {
	char text[32];
	struct doc *s = doc_new(JSON_OBJECT), *r = doc_make(s, "resource"), *current = doc_make(r, "current");
	doc_set_c(s, "type", "Resource");
	doc_set_c(r, "name", resource);
	if (!q->by_value) doc_set_int(current, "averageUtilization", c->percent);
	sim_kube_quantity(c->average, !strcmp(resource, "memory"), text);
	doc_set_c(current, "averageValue", text);
	return s;
}

/* False: it cannot be had, as *why says; `status` is its entry of status.currentMetrics. */
static bool resource_metric(struct look *l, const struct doc *target, const struct doc *spec, int64_t *replicas,
                            char name[120], struct doc **status, struct why *why) {
	const char *resource = doc_c(doc_get(spec, "name"));
	struct sim_kube_hpa_question q = { 0 };
	struct sim_kube_hpa_count c = { 0 };
	struct sim_kube_hpa_pod *pods = must_array(sim_kube_count(l->k, KUBE_PODS), sizeof *pods);
	struct why inner = { "" };
	question_init(l, doc_get(spec, "target"), &q);
	enum err e = take_pods(l, target, resource, !q.by_value, pods, &q.count, &inner);
	q.pods = pods;
	if (!e) {
		e = sim_kube_hpa_count(&q, &c);
		if (e) (void)why_set(&inner, e, "no metrics returned matched known pods");
	}
	free(pods);
	if (e) {
		(void)why_set(why, e, "failed to get %s %s: %s", resource, q.by_value ? "usage" : "utilization", inner.text);
		return false;
	}
	*replicas = c.replicas;
	snprintf(name, 120, q.by_value ? "%s resource" : "%s resource utilization (percentage of request)", resource);
	*status = metric_status(resource, &q, &c);
	return true;
}

static bool one_metric(struct look *l, const struct doc *target, const struct doc *spec, int64_t *replicas,
                       char name[120], struct doc **status, const char **reason, struct why *why) {
	const char *type = doc_c(doc_get(spec, "type"));
	*reason = "FailedGetResourceMetric";
	if (!strcmp(type, "Resource"))
		return resource_metric(l, target, doc_get(spec, "resource"), replicas, name, status, why);
	*reason = !strcmp(type, "External") ? "FailedGetExternalMetric"
	          : !strcmp(type, "Pods")   ? "FailedGetPodsMetric"
	          : !strcmp(type, "Object") ? "FailedGetObjectMetric"
	                                    : "InvalidMetricSourceType";
	(void)why_set(why, ERR_UNREACHABLE, "unable to get metric: no API server of this cluster serves metrics of type %s",
	              type);
	return false;
}

/* computeReplicasForMetrics: the highest of what the metrics want; -1: they cannot be had, as far as it matters. */
static int64_t wanted_by_metrics(struct look *l, const struct doc *target, char name[120]) {
	int64_t most = 0;
	size_t all = 0, bad = 0;
	char bad_reason[40] = "", bad_text[400] = "", text[400];
	l->metrics = doc_new(JSON_ARRAY);
	doc_each(spec, doc_path(l->now, "spec.metrics")) {
		int64_t replicas = 0;
		char its[120] = "";
		const char *reason = NULL;
		struct doc *status = NULL;
		struct why why = { "" };
		all++;
		if (one_metric(l, target, spec, &replicas, its, &status, &reason, &why)) {
			if (!most || replicas > most) most = replicas, snprintf(name, 120, "%s", its);
		} else {
			status = doc_new(JSON_OBJECT);
			doc_set_c(status, "type", "");
			warn(l, reason, why.text);
			if (!bad++)
				snprintf(bad_reason, sizeof bad_reason, "%s", reason),
					snprintf(bad_text, sizeof bad_text, "%s", why.text);
		}
		doc_push(l->metrics, status);
	}
	if (bad < all && !(bad && most < l->current)) {
		snprintf(text, sizeof text, "the HPA was able to successfully calculate a replica count from %s", name);
		set(l, "ScalingActive", true, "ValidMetricFound", text);
		return most;
	}
	snprintf(text, sizeof text, "the HPA was unable to compute the replica count: %.330s", bad_text);
	set(l, "ScalingActive", false, bad_reason, text);
	snprintf(text, sizeof text, "invalid metrics (%zu invalid out of %zu), first error is: %.320s", bad, all, bad_text);
	warn(l, "FailedComputeMetricsReplicas", text);
	return -1;
}

/* ---- one look ---- */

static void write_status(struct look *l, bool rescaled) {
	char time[32];
	struct doc *status = doc_make(l->now, "status");
	doc_set_int(status, "currentReplicas", l->current);
	doc_set_int(status, "desiredReplicas", l->desired);
	if (l->metrics && l->metrics->child)
		doc_set(status, "currentMetrics", TAKE(l->metrics));
	else
		doc_remove(status, "currentMetrics");
	if (rescaled) {
		sim_kube_time(l->k, time);
		doc_set_c(status, "lastScaleTime", time);
	}
	sim_kube_write_as(l->k, KUBE_HPAS, TAKE(l->now), "kube-controller-manager", "status");
}

static bool rescale(struct look *l) {
	char text[200];
	struct sim_kube_call c = { COMPONENT, "kube-controller-manager", NULL, false, false, true, false };
	struct sim_kube_reply r = { 0 };
	struct doc *patch = doc_new(JSON_OBJECT);
	doc_set_int(doc_make(patch, "spec"), "replicas", l->desired);
	sim_kube_do_scale(l->k, l->target_type, l->ns, l->target, KUBE_MERGE, patch, &c, &r);
	doc_free(patch);
	bool refused = r.reason != NULL;
	if (refused) {
		snprintf(text, sizeof text, "the HPA controller was unable to update the target scale: %.140s", r.message);
		set(l, "AbleToScale", false, "FailedUpdateScale", text);
		warn(l, "FailedRescale", text);
	} else {
		struct sim_kube_saying s = { COMPONENT, "SuccessfulRescale", false };
		snprintf(text, sizeof text, "the HPA controller was able to update the target scale to %lld",
		         (long long)l->desired);
		set(l, "AbleToScale", true, "SucceededRescale", text);
		sim_kube_say(l->k, l->now, &s, "New size: %lld; reason: %s", (long long)l->desired, l->reason);
		sim_kube_hpa_scaled(&l->a->memory, doc_path(l->now, "spec.behavior"), l->current, l->desired,
		                    l->k->o.queue->now_ns);
	}
	sim_kube_reply_done(&r);
	return !refused;
}

/* Sets `desired`, from the metrics and the rules. False: nothing can be said. */
static bool decide_by_metrics(struct look *l, const struct doc *target) {
	char name[120] = "";
	struct sim_kube_hpa_verdict v;
	int64_t wanted = wanted_by_metrics(l, target, name);
	if (wanted < 0) return false;
	if (wanted > l->current) snprintf(l->reason, sizeof l->reason, "%s above target", name);
	if (wanted < l->current) snprintf(l->reason, sizeof l->reason, "All metrics below target");
	struct sim_kube_hpa_limits limits = { l->least, l->most, l->current, l->k->o.queue->now_ns,
		                                  doc_path(l->now, "spec.behavior") };
	sim_kube_hpa_rule(&l->a->memory, &limits, wanted, &v);
	set(l, "AbleToScale", true, v.able, v.able_message);
	set(l, "ScalingLimited", v.is_limited, v.limited, v.limited_message);
	l->desired = v.replicas;
	return true;
}

/* False: only the status is to be written, with `desired` as it was. */
static bool decide(struct look *l, const struct doc *target) {
	l->desired = l->current;
	if (!l->current) {
		set(l, "ScalingActive", false, "ScalingDisabled",
		    "scaling is disabled since the replica count of the target is zero");
	} else if (l->current > l->most || l->current < l->least) {
		bool above = l->current > l->most;
		snprintf(l->reason, sizeof l->reason, "Current number of replicas %s Spec.%sReplicas",
		         above ? "above" : "below", above ? "Max" : "Min");
		l->desired = above ? l->most : l->least;
	} else if (is_ambiguous(l->k, target, l->now)) {
		set(l, "ScalingActive", false, "AmbiguousSelector", "pods by selector are controlled by multiple HPAs");
		warn(l, "AmbiguousSelector", "pods by selector are controlled by multiple HPAs");
		return false;
	} else {
		return decide_by_metrics(l, target);
	}
	return true;
}

static void no_target(struct look *l, const struct doc *ref) {
	char text[300];
	snprintf(text, sizeof text,
	         "the HPA controller was unable to get the target's current scale: %s.apps \"%s\" not found",
	         sim_kube_types[l->target_type].plural, doc_c(doc_get(ref, "name")));
	warn(l, "FailedGetScale", strstr(text, ": ") + 2);
	set(l, "AbleToScale", false, "FailedGetScale", text);
	sim_kube_write_as(l->k, KUBE_HPAS, TAKE(l->now), "kube-controller-manager", "status");
}

static void look(struct sim_kube *k, struct sim_kube_hpa *a, const struct doc *hpa) {
	struct look l = { .k = k, .a = a, .now = doc_copy(hpa), .target_type = KUBE_DEPLOYMENTS };
	const struct doc *spec = doc_get(l.now, "spec"), *ref = doc_get(spec, "scaleTargetRef");
	const struct doc *target = target_of(k, l.now, &l.target_type);
	if (!target) {
		no_target(&l, ref);
		return;
	}
	set(&l, "AbleToScale", true, "SucceededGetScale", "the HPA controller was able to get the target's current scale");
	snprintf(l.ns, sizeof l.ns, "%s", doc_c(doc_path(l.now, "metadata.namespace")));
	snprintf(l.target, sizeof l.target, "%s", doc_c(doc_get(ref, "name")));
	l.current = doc_int(doc_path(target, "spec.replicas"), 1);
	l.least = doc_int(doc_get(spec, "minReplicas"), 1);
	l.most = doc_int(doc_get(spec, "maxReplicas"), 1);
	sim_kube_hpa_first(&a->memory, l.current, k->o.queue->now_ns);
	bool decided = decide(&l, target);
	bool changes = decided && l.desired != l.current, done = changes && rescale(&l);
	if (!decided || (changes && !done)) l.desired = doc_int(doc_path(l.now, "status.desiredReplicas"), 0);
	write_status(&l, done);
	doc_free(l.metrics);
}

/* ---- when ---- */

static struct sim_kube_hpa *by_id(struct sim_kube *k, uint64_t id) {
	list_each(it, &k->autoscalers) {
		struct sim_kube_hpa *a = container_of(it, struct sim_kube_hpa, link);
		if (a->id == id) return a;
	}
	return NULL;
}

static struct sim_kube_hpa *by_key(const struct sim_kube *k, const char *key) {
	list_each(it, &k->autoscalers) {
		struct sim_kube_hpa *a = container_of(it, struct sim_kube_hpa, link);
		if (!strcmp(a->key, key)) return a;
	}
	return NULL;
}

static void hpa_free(struct sim_kube_hpa *a) {
	list_remove(&a->link);
	sim_kube_hpa_memory_done(&a->memory);
	free(a);
}

static void look_moment(void *self, uint64_t id);

/* The queue hands a key out again 15 s after it was worked on, plus what working took. */
static void look_later(struct sim_kube *k, struct sim_kube_hpa *a) {
	int64_t took = (int64_t)(rng_between(&k->hpa_rng, 0.005, 0.04) * 1e9);
	sim_queue_in(k->o.queue, SIM_KUBE_HPA_SYNC_NS + took, look_moment, k, a->id);
}

static void look_moment(void *self, uint64_t id) {
	struct sim_kube *k = self;
	struct sim_kube_hpa *a = by_id(k, id);
	if (!a) return;
	struct sim_kube_state *state = sim_kube_hold(sim_kube_find(k, KUBE_HPAS, a->key));
	if (!state) { /* it was deleted */
		hpa_free(a);
		return;
	}
	a->looks++;
	a->last_ns = k->o.queue->now_ns;
	look(k, a, state->doc);
	sim_kube_drop(state);
	look_later(k, a);
}

void sim_kube_hpa_seen(struct sim_kube *k, const char *key) {
	if (by_key(k, key)) return;
	struct sim_kube_hpa *a = must_alloc(sizeof *a);
	snprintf(a->key, sizeof a->key, "%s", key);
	a->id = ++k->hpa_ids;
	list_push(&k->autoscalers, &a->link);
	look_later(k, a);
}

void sim_kube_hpas_free(struct sim_kube *k) {
	list_each_safe(it, &k->autoscalers) hpa_free(container_of(it, struct sim_kube_hpa, link));
}

int64_t sim_kube_hpa_looks(const struct sim_kube *k, const char *ns, const char *name, int64_t *last_ns) {
	char key[260];
	sim_kube_key(key, ns, name);
	const struct sim_kube_hpa *a = by_key(k, key);
	if (a) *last_ns = a->last_ns;
	return a ? a->looks : 0;
}

void sim_kube_serve_metrics(struct sim_kube *k, sim_kube_usage_fn *usage, void *self) {
	k->usage = usage;
	k->usage_self = self;
}
