/* The words of a recording, for the simulated cluster: as tests/recordings/lines.py writes them for the real one. */
#include <stdarg.h>
#include <stdio.h>

#include "sim/kube/replay.h"
#include "sim/memory.h"

/* ---- lines ---- */

void replay_lines_add(struct replay_lines *l, const char *fmt, ...) {
	char text[1200];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	while (n > 0 && text[n - 1] == ' ') n--;
	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->all = must_grow(l->all, l->cap, sizeof *l->all);
	}
	l->all[l->count++] = must_copy(text, (size_t)n);
}

static int compare(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void replay_lines_sort(struct replay_lines *l) {
	if (l->count) qsort(l->all, l->count, sizeof *l->all, compare);
}

void replay_lines_unite(struct replay_lines *l) {
	size_t kept = 0;
	replay_lines_sort(l);
	for (size_t i = 0; i < l->count; i++) {
		if (kept && !strcmp(l->all[kept - 1], l->all[i]))
			free(l->all[i]);
		else
			l->all[kept++] = l->all[i];
	}
	l->count = kept;
}

void replay_lines_done(struct replay_lines *l) {
	for (size_t i = 0; i < l->count; i++) free(l->all[i]);
	free(l->all);
	*l = (struct replay_lines){ 0 };
}

/* ---- names ---- */

static struct replay_name *find(const struct replay_names *n, const char *name) {
	for (size_t i = 0; i < n->count; i++)
		if (!strcmp(n->all[i].name, name)) return &n->all[i];
	return NULL;
}

const char *replay_alias(const struct replay_names *n, const char *name) {
	const struct replay_name *found = find(n, name);
	return found ? found->alias : name;
}

const char *replay_named(const struct replay_names *n, const char *alias) {
	for (size_t i = n->count; i-- > 0;)
		if (!strcmp(n->all[i].alias, alias)) return n->all[i].name;
	return alias;
}

static int children_of(const struct replay_names *n, const char *parent) {
	int count = 0;
	size_t length = strlen(parent);
	for (size_t i = 0; i < n->count; i++) {
		const char *alias = n->all[i].alias;
		count += !strncmp(alias, parent, length) && alias[length] == '.' && !strchr(alias + length + 1, '.');
	}
	return count;
}

static void meet(struct replay_names *n, const struct doc *d, bool set) {
	const char *name = doc_c(doc_path(d, "metadata.name"));
	const struct doc *owner = sim_kube_owner(d, set ? "Deployment" : "ReplicaSet");
	char alias[300];
	if (find(n, name)) return;
	snprintf(alias, sizeof alias, "%s", name);
	if (owner) {
		const char *parent = replay_alias(n, doc_c(doc_get(owner, "name")));
		snprintf(alias, sizeof alias, "%s.%d", parent, children_of(n, parent) + 1);
	}
	if (n->count == n->cap) {
		n->cap = n->cap ? 2 * n->cap : 32;
		n->all = must_grow(n->all, n->cap, sizeof *n->all);
	}
	n->all[n->count++] = (struct replay_name){ must_copy(name, strlen(name)), must_copy(alias, strlen(alias)), set };
}

void replay_names_meet(struct replay_names *n, struct sim_kube *k) {
	static const enum sim_kube_type types[] = { KUBE_REPLICASETS, KUBE_PODS };
	const struct sim_kube_change *c;
	for (size_t t = 0; t < 2; t++)
		for (size_t i = 0; (c = sim_kube_change_at(k, types[t], i)); i++)
			if (c->version > n->met && c->now) meet(n, c->now->doc, types[t] == KUBE_REPLICASETS);
	n->met = sim_kube_version(k);
}

void replay_names_done(struct replay_names *n) {
	for (size_t i = 0; i < n->count; i++) {
		free(n->all[i].name);
		free(n->all[i].alias);
	}
	free(n->all);
	void *line;
	for (size_t i = 0; map_next(&n->told, &i, NULL, &line);) free(line);
	map_done(&n->told);
}

/* A text with the aliases of all names in it; pods first, since their names begin with their sets'. */
static void in_text(const struct replay_names *n, const char *text, char out[1000]) {
	snprintf(out, 1000, "%s", text);
	for (int sets = 0; sets < 2; sets++)
		for (size_t i = 0; i < n->count; i++) {
			char copy[1000], *at = n->all[i].set == sets ? strstr(out, n->all[i].name) : NULL;
			if (!at) continue;
			snprintf(copy, sizeof copy, "%.*s%s%s", (int)(at - out), out, n->all[i].alias, at + strlen(n->all[i].name));
			memcpy(out, copy, sizeof copy);
		}
}

/* ---- states ---- */

static void condition(const struct doc *d, const char *type, char out[120]) {
	snprintf(out, 120, "%s=-", type);
	doc_each(c, doc_path(d, "status.conditions")) {
		if (strcmp(doc_c(doc_get(c, "type")), type)) continue;
		const char *reason = doc_c(doc_get(c, "reason"));
		bool progresses = !strcmp(reason, "NewReplicaSetCreated") || !strcmp(reason, "FoundNewReplicaSet") ||
		                  !strcmp(reason, "ReplicaSetUpdated");
		snprintf(out, 120, "%s=%s/%s", type, doc_c(doc_get(c, "status")), progresses ? "Progresses" : reason);
	}
}

static long long number(const struct doc *d, const char *path) {
	return (long long)doc_int(doc_path(d, path), 0);
}

static const char *note(const struct doc *d, const char *name) {
	const struct doc *v = doc_get(doc_path(d, "metadata.annotations"), name);
	return v ? doc_c(v) : "-";
}

static void deployment_line(const struct doc *d, struct replay_lines *out) {
	char available[120], progressing[120];
	condition(d, "Available", available);
	condition(d, "Progressing", progressing);
	replay_lines_add(
		out,
		"deployment %s spec=%lld revision=%s %s replicas=%lld updated=%lld ready=%lld available=%lld unavailable=%lld "
		"terminating=%lld %s %s",
		doc_c(doc_path(d, "metadata.name")), number(d, "spec.replicas"), note(d, "deployment.kubernetes.io/revision"),
		number(d, "status.observedGeneration") == number(d, "metadata.generation") ? "seen" : "unseen",
		number(d, "status.replicas"), number(d, "status.updatedReplicas"), number(d, "status.readyReplicas"),
		number(d, "status.availableReplicas"), number(d, "status.unavailableReplicas"),
		number(d, "status.terminatingReplicas"), available, progressing);
}

static void set_line(const struct doc *d, const struct replay_names *n, struct replay_lines *out) {
	replay_lines_add(out,
	                 "set %s spec=%lld replicas=%lld labeled=%lld ready=%lld available=%lld terminating=%lld "
	                 "revision=%s desired=%s max=%s",
	                 replay_alias(n, doc_c(doc_path(d, "metadata.name"))), number(d, "spec.replicas"),
	                 number(d, "status.replicas"), number(d, "status.fullyLabeledReplicas"),
	                 number(d, "status.readyReplicas"), number(d, "status.availableReplicas"),
	                 number(d, "status.terminatingReplicas"), note(d, "deployment.kubernetes.io/revision"),
	                 note(d, "deployment.kubernetes.io/desired-replicas"),
	                 note(d, "deployment.kubernetes.io/max-replicas"));
}

static void budget_line(const struct doc *d, struct replay_lines *out) {
	char allowed[120];
	condition(d, "DisruptionAllowed", allowed);
	replay_lines_add(out, "budget %s healthy=%lld wanted=%lld expected=%lld allowed=%lld disrupted=%zu %s",
	                 doc_c(doc_path(d, "metadata.name")), number(d, "status.currentHealthy"),
	                 number(d, "status.desiredHealthy"), number(d, "status.expectedPods"),
	                 number(d, "status.disruptionsAllowed"), doc_count(doc_path(d, "status.disruptedPods")), allowed);
}

static void metrics_text(const struct doc *d, char out[400]) {
	size_t at = 0;
	out[0] = '\0';
	doc_each(m, doc_path(d, "status.currentMetrics")) {
		const struct doc *r = doc_get(m, "resource"), *current = doc_get(r, "current"),
						 *share = doc_get(current, "averageUtilization");
		char text[200] = "-", percent[30] = "";
		if (share) snprintf(percent, sizeof percent, "%lld%%", (long long)doc_int(share, 0));
		if (current)
			snprintf(text, sizeof text, "%s:%s/%s", doc_c(doc_get(r, "name")), percent,
			         doc_c(doc_get(current, "averageValue")));
		at += (size_t)snprintf(out + at, 400 - at, "%s%s", at ? "," : "", text);
	}
	if (!at) snprintf(out, 400, "-");
}

void replay_autoscaler_line(const struct doc *d, struct replay_lines *out) {
	char able[120], active[120], limited[120], metrics[400];
	condition(d, "AbleToScale", able);
	condition(d, "ScalingActive", active);
	condition(d, "ScalingLimited", limited);
	metrics_text(d, metrics);
	replay_lines_add(out, "autoscaler %s current=%lld desired=%lld metrics=%s %s %s %s",
	                 doc_c(doc_path(d, "metadata.name")), number(d, "status.currentReplicas"),
	                 number(d, "status.desiredReplicas"), metrics, able, active, limited);
}

void replay_node_line(struct sim_kube *k, const char *node, struct replay_lines *out) {
	const struct doc *d = sim_kube_object(k, KUBE_NODES, "", node);
	struct replay_lines taints = { 0 };
	struct buf b;
	buf_init(&b, 0);
	doc_each(t, doc_path(d, "spec.taints"))
		replay_lines_add(&taints, "%s:%s", doc_c(doc_get(t, "key")), doc_c(doc_get(t, "effect")));
	replay_lines_sort(&taints);
	for (size_t i = 0; i < taints.count; i++) buf_printf(&b, "%s%s", i ? "," : "", taints.all[i]);
	buf_byte(&b, 0);
	bool ready = sim_kube_condition_is(d, "Ready", "True");
	replay_lines_add(out, "node %s unschedulable=%s taints=%s Ready=%s", node,
	                 doc_bool(doc_path(d, "spec.unschedulable"), false) ? "true" : "false", taints.count ? b.p : "-",
	                 ready ? "True" : "False");
	buf_done(&b);
	replay_lines_done(&taints);
}

/* ---- what happened ---- */

static void pod_state(const struct doc *pod, char out[60]) {
	snprintf(out, 60, "%s%s%s", doc_c(doc_path(pod, "status.phase")), sim_kube_pod_is_ready(pod) ? "/ready" : "",
	         doc_path(pod, "spec.nodeName") ? "" : "/unassigned");
}

static void tell_set(const struct sim_kube_change *c, const struct replay_names *n, struct replay_story *out) {
	const struct doc *d = (c->now ? c->now : c->removed)->doc;
	const char *alias = replay_alias(n, doc_c(doc_path(d, "metadata.name")));
	long long was = c->before ? number(c->before->doc, "spec.replicas") : 0, is = number(d, "spec.replicas");
	if (!c->now) replay_lines_add(&out->free, "forget %s", alias);
	if (c->now && was != is) replay_lines_add(&out->ordered, "scale %s %lld to %lld", alias, was, is);
}

static void tell_pod(const struct sim_kube_change *c, const struct replay_names *n, bool which,
                     struct replay_story *out) {
	const struct doc *d = (c->now ? c->now : c->removed)->doc;
	char alias[300], state[60], *dot;
	bool was_going = c->before && doc_path(c->before->doc, "metadata.deletionTimestamp");
	bool going = doc_path(d, "metadata.deletionTimestamp") && !was_going, gone = !c->now && !was_going;
	snprintf(alias, sizeof alias, "%s", replay_alias(n, doc_c(doc_path(d, "metadata.name"))));
	dot = strrchr(alias, '.');
	if (dot && (!c->before || !which)) *dot = '\0';
	if (!c->before) replay_lines_add(&out->free, "create %s", alias);
	if (!going && !gone) return;
	pod_state(c->before ? c->before->doc : d, state);
	replay_lines_add(&out->free, "delete %s %s", alias, state);
}

static void tell_event(const struct sim_kube_change *c, const struct replay_names *n, struct replay_story *out) {
	static const char *const told[] = { "ScalingReplicaSet",
		                                "SuccessfulRescale",
		                                "FailedGetScale",
		                                "FailedGetResourceMetric",
		                                "FailedComputeMetricsReplicas",
		                                "FailedRescale",
		                                "NoPods",
		                                "TaintManagerEviction",
		                                "FailedCreate" };
	const struct doc *d = c->now ? c->now->doc : NULL;
	const char *reason = doc_c(doc_get(d, "reason"));
	bool known = false;
	char name[1000], text[1000];
	for (size_t i = 0; i < sizeof told / sizeof *told; i++) known = known || !strcmp(told[i], reason);
	if (!known || (c->before && number(c->before->doc, "count") == number(d, "count"))) return;
	bool words = !strcmp(reason, "ScalingReplicaSet") || !strcmp(reason, "SuccessfulRescale");
	in_text(n, doc_c(doc_path(d, "involvedObject.name")), name);
	in_text(n, words ? doc_c(doc_get(d, "message")) : "", text);
	replay_lines_add(&out->free, "event %s %s %s x%lld %s", doc_c(doc_path(d, "involvedObject.kind")), name, reason,
	                 number(d, "count"), text);
}

static void tell_state(struct sim_kube *k, enum sim_kube_type t, const struct doc *d, const struct replay_names *n,
                       struct replay_lines *out) {
	const struct doc *now =
		sim_kube_object(k, t, doc_c(doc_path(d, "metadata.namespace")), doc_c(doc_path(d, "metadata.name")));
	if (!now) return;
	if (t == KUBE_DEPLOYMENTS) deployment_line(now, out);
	if (t == KUBE_REPLICASETS) set_line(now, n, out);
	if (t == KUBE_PDBS) budget_line(now, out);
	if (t == KUBE_HPAS) replay_autoscaler_line(now, out);
}

/* What was told of an object before and is so again is not told. */
static void drop_old(struct replay_names *n, struct replay_lines *l) {
	size_t kept = 0;
	for (size_t i = 0; i < l->count; i++) {
		char key[300];
		size_t words = strcspn(l->all[i], " ") + 1;
		snprintf(key, sizeof key, "%.*s", (int)(words + strcspn(l->all[i] + words, " ")), l->all[i]);
		char *old = map_get(&n->told, str_of(key));
		if (old && !strcmp(old, l->all[i])) {
			free(l->all[i]);
			continue;
		}
		enum err e = map_put(&n->told, str_of(key), must_copy(l->all[i], strlen(l->all[i])), NULL);
		assert(!e);
		free(old);
		l->all[kept++] = l->all[i];
	}
	l->count = kept;
}

void replay_tell(struct sim_kube *k, struct replay_names *n, uint64_t since, bool which, struct replay_story *out) {
	const struct sim_kube_change *c;
	replay_names_meet(n, k);
	for (int t = 0; t < KUBE_TYPES; t++)
		for (size_t i = 0; (c = sim_kube_change_at(k, (enum sim_kube_type)t, i)); i++) {
			if (c->version <= since) continue;
			if (t == KUBE_REPLICASETS) tell_set(c, n, out);
			if (t == KUBE_PODS) tell_pod(c, n, which, out);
			if (t == KUBE_EVENTS) tell_event(c, n, out);
			tell_state(k, (enum sim_kube_type)t, (c->now ? c->now : c->removed)->doc, n, &out->is);
		}
	replay_lines_sort(&out->free);
	replay_lines_unite(&out->is);
	drop_old(n, &out->is);
}
