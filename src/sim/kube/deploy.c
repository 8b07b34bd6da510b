/* The Deployment controller (pkg/controller/deployment): revisions, rolling updates, scaling. */
#include <stdio.h>

#include "base/hash.h"
#include "sim/kube/impl.h"
#include "sim/memory.h"

#define REVISION "deployment.kubernetes.io/revision"
#define DESIRED  "deployment.kubernetes.io/desired-replicas"
#define MAXIMUM  "deployment.kubernetes.io/max-replicas"
#define HASH     "pod-template-hash"

struct sets { /* its ReplicaSets, oldest first; copies of their keys, looked up anew after each write */
	char (*keys)[260];
	size_t count;
	char new[260]; /* key of the one with the current template, or "" */
};

/* ---- numbers of a deployment ---- */

static int64_t count_of(const struct doc *v, int64_t whole, bool up) {
	const char *text = doc_c(v);
	size_t n = strlen(text);
	int64_t percent = 0;
	if (n && text[n - 1] == '%' && str_int((struct str){ text, n - 1 }, &percent))
		return up ? (whole * percent + 99) / 100 : whole * percent / 100;
	return doc_int(v, 0);
}

/* util/deployment ResolveFenceposts: surge rounds up, unavailable down, and both may not be 0. */
static void fenceposts(const struct doc *d, int64_t *surge, int64_t *unavailable) {
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	const struct doc *rolling = doc_path(d, "spec.strategy.rollingUpdate");
	*surge = count_of(doc_get(rolling, "maxSurge"), wanted, true);
	*unavailable = count_of(doc_get(rolling, "maxUnavailable"), wanted, false);
	if (!*surge && !*unavailable) *unavailable = 1;
}

static bool is_rolling(const struct doc *d) {
	return !strcmp(doc_c(doc_path(d, "spec.strategy.type")), "RollingUpdate");
}

static int64_t max_surge(const struct doc *d) {
	int64_t surge = 0, unavailable = 0;
	fenceposts(d, &surge, &unavailable);
	return is_rolling(d) ? surge : 0;
}

static int64_t max_unavailable(const struct doc *d) {
	int64_t surge = 0, unavailable = 0, wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	fenceposts(d, &surge, &unavailable);
	if (!is_rolling(d) || !wanted) return 0;
	return unavailable > wanted ? wanted : unavailable;
}

static const struct doc *set_doc(const struct sim_kube *k, const char *key) {
	struct sim_kube_state *s = *key ? sim_kube_find(k, KUBE_REPLICASETS, key) : NULL;
	return s ? s->doc : NULL;
}

static int64_t spec_of(const struct sim_kube *k, const char *key) {
	return doc_int(doc_path(set_doc(k, key), "spec.replicas"), 0);
}

static int64_t status_of(const struct sim_kube *k, const char *key, const char *field) {
	return doc_int(doc_get(doc_get(set_doc(k, key), "status"), field), 0);
}

static int64_t spec_sum(const struct sim_kube *k, const struct sets *s) {
	int64_t sum = 0;
	for (size_t i = 0; i < s->count; i++) sum += spec_of(k, s->keys[i]);
	return sum;
}

static int64_t status_sum(const struct sim_kube *k, const struct sets *s, const char *field) {
	int64_t sum = 0;
	for (size_t i = 0; i < s->count; i++) sum += status_of(k, s->keys[i], field);
	return sum;
}

static bool is_new(const struct sets *s, size_t i) {
	return !strcmp(s->keys[i], s->new);
}

/* ---- its ReplicaSets ---- */

static bool same_template(const struct doc *set, const struct doc *template) {
	struct doc *copy = doc_copy(doc_path(set, "spec.template"));
	doc_remove(doc_path(copy, "metadata.labels"), HASH);
	bool same = doc_equal(copy, template);
	doc_free(copy);
	return same;
}

static bool is_older(const struct doc *a, const struct doc *b) {
	int c = strcmp(doc_c(doc_path(a, "metadata.creationTimestamp")), doc_c(doc_path(b, "metadata.creationTimestamp")));
	return c ? c < 0 : strcmp(doc_c(doc_path(a, "metadata.name")), doc_c(doc_path(b, "metadata.name"))) < 0;
}

static struct sets find_sets(struct sim_kube *k, const struct doc *d) {
	const char *uid = doc_c(doc_path(d, "metadata.uid"));
	struct sim_kube_some some = sim_kube_owned(k, KUBE_REPLICASETS, uid);
	struct sets s = { must_array(some.count + 1, sizeof *s.keys), 0, "" };
	const struct doc **docs = must_array(some.count + 1, sizeof *docs), *set;
	while ((set = sim_kube_some_next(&some))) {
		const struct doc *owner = sim_kube_owner(set, "Deployment");
		if (!owner || strcmp(doc_c(doc_get(owner, "uid")), uid)) continue;
		size_t at = s.count++;
		for (; at > 0 && is_older(set, docs[at - 1]); at--) docs[at] = docs[at - 1];
		docs[at] = set;
	}
	for (size_t i = 0; i < s.count; i++) {
		sim_kube_key(s.keys[i], doc_c(doc_path(docs[i], "metadata.namespace")),
		             doc_c(doc_path(docs[i], "metadata.name")));
		if (!*s.new &&same_template(docs[i], doc_path(d, "spec.template"))) memcpy(s.new, s.keys[i], sizeof s.new);
	}
	free(docs);
	return s;
}

static int64_t revision_of(const struct doc *set) {
	return doc_int(doc_get(doc_path(set, "metadata.annotations"), REVISION), 0);
}

static int64_t highest_revision(const struct sim_kube *k, const struct sets *s, bool with_new) {
	int64_t most = 0;
	for (size_t i = 0; i < s->count; i++) {
		int64_t r = revision_of(set_doc(k, s->keys[i]));
		if (r > most && (with_new || !is_new(s, i))) most = r;
	}
	return most;
}

/* Ten characters that follow from the template, in the alphabet of generated names. */
static void template_hash(const struct doc *template, char out[12]) {
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	doc_write(template, &o);
	uint64_t h = hash64(buf_get(&b));
	for (int i = 0; i < 10; i++, h /= sizeof letters - 1) out[i] = letters[h % (sizeof letters - 1)];
	out[10] = '\0';
	buf_done(&b);
}

/* What a set gets of its deployment's annotations, and its revision where that is higher (SetNewReplicaSetAnnotations).
 */
static void copy_annotations(const struct doc *d, struct doc *set, int64_t revision) {
	char text[24];
	struct doc *to = doc_make(doc_make(set, "metadata"), "annotations");
	doc_each(a, doc_path(d, "metadata.annotations")) {
		if (!strcmp(a->key, "kubectl.kubernetes.io/last-applied-configuration") || !strcmp(a->key, REVISION)) continue;
		doc_set(to, a->key, doc_copy(a));
	}
	if (revision <= revision_of(set)) return;
	snprintf(text, sizeof text, "%lld", (long long)revision);
	doc_set_c(to, REVISION, text);
}

/* The numbers that scaling goes by. */
static void note_replicas(const struct doc *d, struct doc *set) {
	char text[24];
	struct doc *to = doc_make(doc_make(set, "metadata"), "annotations");
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	snprintf(text, sizeof text, "%lld", (long long)wanted);
	doc_set_c(to, DESIRED, text);
	snprintf(text, sizeof text, "%lld", (long long)(wanted + max_surge(d)));
	doc_set_c(to, MAXIMUM, text);
}

static void tell_scaled(struct sim_kube *k, const struct doc *d, const char *set, int64_t before, int64_t after) {
	struct sim_kube_saying s = { "deployment-controller", "ScalingReplicaSet", false };
	sim_kube_say(k, d, &s, "Scaled %s replica set %s from %lld to %lld", after > before ? "up" : "down", set,
	             (long long)before, (long long)after);
}

/* NewRSNewReplicas: how many the new set may have now. */
static int64_t new_replicas(const struct sim_kube *k, const struct doc *d, const struct sets *s) {
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1), now = spec_of(k, s->new);
	if (!is_rolling(d)) return wanted;
	int64_t most = wanted + max_surge(d), there = spec_sum(k, s);
	if (there >= most) return now;
	int64_t more = most - there;
	if (more > wanted - now) more = wanted - now;
	return now + more;
}

static void create_set(struct sim_kube *k, const char *key, const struct doc *d, struct sets *s) {
	char hash[12], name[200], ns[64];
	template_hash(doc_path(d, "spec.template"), hash);
	snprintf(name, sizeof name, "%s-%s", doc_c(doc_path(d, "metadata.name")), hash);
	snprintf(ns, sizeof ns, "%s", doc_c(doc_path(d, "metadata.namespace")));
	struct doc *set = doc_new(JSON_OBJECT), *meta = doc_make(set, "metadata"), *spec = doc_make(set, "spec");
	doc_set_c(meta, "name", name);
	doc_set(spec, "template", doc_copy(doc_path(d, "spec.template")));
	doc_set(spec, "selector", doc_copy(doc_path(d, "spec.selector")));
	doc_set_c(doc_make(spec, "selector.matchLabels"), HASH, hash);
	doc_set_c(doc_make(spec, "template.metadata.labels"), HASH, hash);
	doc_set(meta, "labels", doc_copy(doc_path(spec, "template.metadata.labels")));
	sim_kube_own(meta, "Deployment", d);
	int64_t revision = highest_revision(k, s, true) + 1;
	if (doc_get(doc_get(d, "spec"), "minReadySeconds"))
		doc_set(spec, "minReadySeconds", doc_copy(doc_path(d, "spec.minReadySeconds")));
	copy_annotations(d, set, revision);
	note_replicas(d, set);
	s->new[0] = '\0';
	int64_t replicas = new_replicas(k, d, s);
	doc_set_int(spec, "replicas", replicas);
	struct sim_kube_call c = { "deployment-controller", "kube-controller-manager", NULL, false, false, true, false };
	struct sim_kube_reply r = { 0 };
	sim_kube_do_create(k, KUBE_REPLICASETS, ns, set, &c, &r);
	sim_kube_reply_done(&r);
	if (replicas) tell_scaled(k, d, name, 0, replicas);
	sim_kube_key(s->new, ns, name);
	memcpy(s->keys[s->count++], s->new, sizeof s->new); /* room was made for one more */
	sim_kube_deployment_has_set(k, key, name, true, revision);
}

static void scale_set(struct sim_kube *k, const struct doc *d, const char *key, int64_t replicas) {
	const struct doc *set = set_doc(k, key);
	if (!set) return;
	struct doc *now = doc_copy(set);
	int64_t before = doc_int(doc_path(set, "spec.replicas"), 0);
	doc_set_int(doc_make(now, "spec"), "replicas", replicas);
	note_replicas(d, now);
	if (before != replicas) tell_scaled(k, d, doc_c(doc_path(set, "metadata.name")), before, replicas);
	sim_kube_write_as(k, KUBE_REPLICASETS, now, "kube-controller-manager", NULL);
}

/* getAllReplicaSetsAndSyncRevision: the new set, found (or, if `create`, made) with the highest revision. */
static void sync_revision(struct sim_kube *k, const char *key, const struct doc *d, struct sets *s, bool create) {
	if (!*s->new) {
		if (create) create_set(k, key, d, s);
		return;
	}
	const struct doc *set = set_doc(k, s->new);
	struct doc *now = doc_copy(set);
	copy_annotations(d, now, highest_revision(k, s, false) + 1);
	const struct doc *least = doc_path(d, "spec.minReadySeconds");
	if (least)
		doc_set(doc_make(now, "spec"), "minReadySeconds", doc_copy(least));
	else
		doc_remove(doc_make(now, "spec"), "minReadySeconds");
	set = sim_kube_write_as(k, KUBE_REPLICASETS, now, "kube-controller-manager", NULL)->doc;
	sim_kube_deployment_has_set(k, key, doc_c(doc_path(set, "metadata.name")), false, revision_of(set));
}

/* ---- rolling ---- */

static bool grow_new(struct sim_kube *k, const struct doc *d, struct sets *s) {
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1), now = spec_of(k, s->new);
	int64_t next = now > wanted ? wanted : new_replicas(k, d, s);
	if (next == now) return false;
	scale_set(k, d, s->new, next);
	return true;
}

/* Pods of old sets that are not available go first: they cost nothing. */
static int64_t drop_unhealthy(struct sim_kube *k, const struct doc *d, struct sets *s, int64_t most) {
	int64_t dropped = 0;
	for (size_t i = 0; i < s->count && dropped < most; i++) {
		int64_t now = spec_of(k, s->keys[i]), available = status_of(k, s->keys[i], "availableReplicas");
		if (is_new(s, i) || !now || now == available) continue;
		int64_t n = most - dropped < now - available ? most - dropped : now - available;
		if (n <= 0) continue;
		scale_set(k, d, s->keys[i], now - n);
		dropped += n;
	}
	return dropped;
}

static int64_t drop_available(struct sim_kube *k, const struct doc *d, struct sets *s) {
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1), least = wanted - max_unavailable(d);
	int64_t available = status_sum(k, s, "availableReplicas"), total = available - least, dropped = 0;
	for (size_t i = 0; i < s->count && available > least && dropped < total; i++) {
		int64_t now = spec_of(k, s->keys[i]);
		if (is_new(s, i) || !now) continue;
		int64_t n = now < total - dropped ? now : total - dropped;
		scale_set(k, d, s->keys[i], now - n);
		dropped += n;
	}
	return dropped;
}

static bool shrink_old(struct sim_kube *k, const struct doc *d, struct sets *s) {
	int64_t old = spec_sum(k, s) - spec_of(k, s->new);
	if (!old) return false;
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1), least = wanted - max_unavailable(d);
	int64_t new_unavailable = spec_of(k, s->new) - status_of(k, s->new, "availableReplicas");
	int64_t most = spec_sum(k, s) - least - new_unavailable;
	if (most <= 0) return false;
	int64_t dropped = drop_unhealthy(k, d, s, most);
	return dropped + drop_available(k, d, s) > 0;
}

static void roll(struct sim_kube *k, const char *key, const struct doc *d, struct sets *s) {
	sync_revision(k, key, d, s, true);
	if (grow_new(k, d, s)) return;
	(void)shrink_old(k, d, s);
}

static bool set_runs(const struct sim_kube *k, const struct doc *set) {
	struct sim_kube_some some = sim_kube_owned(k, KUBE_PODS, doc_c(doc_path(set, "metadata.uid")));
	const struct doc *pod;
	while ((pod = sim_kube_some_next(&some))) {
		const char *phase = doc_c(doc_path(pod, "status.phase"));
		if (sim_kube_owner(pod, "ReplicaSet") && strcmp(phase, "Failed") && strcmp(phase, "Succeeded")) return true;
	}
	return false;
}

/* Pods of sets that are not the new one, on their way out too. */
static bool old_pods_run(const struct sim_kube *k, const struct sets *s) {
	if (status_sum(k, s, "replicas") > status_of(k, s->new, "replicas")) return true;
	for (size_t i = 0; i < s->count; i++)
		if (!is_new(s, i) && set_runs(k, set_doc(k, s->keys[i]))) return true;
	return false;
}

/* Strategy Recreate: the old go, then the new come. */
static void recreate(struct sim_kube *k, const char *key, const struct doc *d, struct sets *s) {
	bool dropped = false;
	sync_revision(k, key, d, s, false);
	for (size_t i = 0; i < s->count; i++) {
		if (is_new(s, i) || !spec_of(k, s->keys[i])) continue;
		scale_set(k, d, s->keys[i], 0);
		dropped = true;
	}
	if (dropped || old_pods_run(k, s)) return;
	if (!*s->new) sync_revision(k, key, d, s, true);
	(void)grow_new(k, d, s);
}

/* ---- scaling (sync.go) ---- */

static int64_t annotation_int(const struct doc *set, const char *name) {
	return doc_int(doc_get(doc_path(set, "metadata.annotations"), name), -1);
}

static bool is_scaling(const struct sim_kube *k, const struct doc *d, const struct sets *s) {
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	for (size_t i = 0; i < s->count; i++) {
		int64_t desired = annotation_int(set_doc(k, s->keys[i]), DESIRED);
		if (spec_of(k, s->keys[i]) > 0 && desired >= 0 && desired != wanted) return true;
	}
	return false;
}

static size_t active_count(const struct sim_kube *k, const struct sets *s, size_t *only) {
	size_t n = 0;
	for (size_t i = 0; i < s->count; i++)
		if (spec_of(k, s->keys[i]) > 0) *only = i, n++;
	return n;
}

/* deploymentutil.GetReplicaSetFraction: a set's share of the change, rounded. */
static int64_t fraction(const struct sim_kube *k, const struct doc *d, const char *key) {
	int64_t now = spec_of(k, key), most = doc_int(doc_path(d, "spec.replicas"), 1);
	if (!most) return -now;
	most += max_surge(d);
	int64_t was = annotation_int(set_doc(k, key), MAXIMUM);
	if (was <= 0) was = doc_int(doc_path(d, "status.replicas"), most);
	if (was <= 0) return 0;
	return (now * most * 2 + was) / (2 * was) - now;
}

/* The sets in the order in which they get their share: the largest first; of equals the newer when growing,
 * the older when shrinking. */
static void by_size(const struct sim_kube *k, struct sets *s, bool growing, size_t *order, size_t *count) {
	*count = 0;
	for (size_t i = 0; i < s->count; i++) {
		size_t candidate = growing ? s->count - 1 - i : i;
		if (!spec_of(k, s->keys[candidate])) continue;
		size_t at = (*count)++;
		for (; at > 0 && spec_of(k, s->keys[candidate]) > spec_of(k, s->keys[order[at - 1]]); at--)
			order[at] = order[at - 1];
		order[at] = candidate;
	}
}

static void scale_proportionally(struct sim_kube *k, const struct doc *d, struct sets *s) {
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1), allowed = wanted > 0 ? wanted + max_surge(d) : 0;
	int64_t add = allowed - spec_sum(k, s), added = 0;
	size_t *order = must_array(s->count, sizeof *order), n = 0;
	int64_t *next = must_array(s->count, sizeof *next);
	by_size(k, s, add > 0, order, &n);
	for (size_t i = 0; i < n; i++) {
		int64_t left = add - added, part = add ? fraction(k, d, s->keys[order[i]]) : 0;
		if ((add > 0 && part > left) || (add < 0 && part < left)) part = left;
		next[i] = spec_of(k, s->keys[order[i]]) + part;
		added += part;
	}
	for (size_t i = 0; i < n; i++) {
		if (!i) next[i] += add - added; /* what rounding left */
		scale_set(k, d, s->keys[order[i]], next[i] < 0 ? 0 : next[i]);
	}
	free(order);
	free(next);
}

static bool is_saturated(const struct sim_kube *k, const struct doc *d, const struct sets *s) {
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	const struct doc *set = set_doc(k, s->new);
	return set && spec_of(k, s->new) == wanted && annotation_int(set, DESIRED) == wanted &&
	       status_of(k, s->new, "availableReplicas") == wanted;
}

static void scale(struct sim_kube *k, const struct doc *d, struct sets *s) {
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	size_t only = 0, active = active_count(k, s, &only);
	const char *latest = *s->new ? s->new : s->count ? s->keys[s->count - 1] : "";
	if (active <= 1) {
		const char *key = active ? s->keys[only] : latest;
		if (*key && spec_of(k, key) != wanted) scale_set(k, d, key, wanted);
		return;
	}
	if (is_saturated(k, d, s)) {
		for (size_t i = 0; i < s->count; i++)
			if (!is_new(s, i) && spec_of(k, s->keys[i])) scale_set(k, d, s->keys[i], 0);
		return;
	}
	if (is_rolling(d)) scale_proportionally(k, d, s);
}

/* ---- cleaning up, and all together ---- */

static bool is_complete(const struct doc *d) { /* by the status that is written */
	const struct doc *st = doc_get(d, "status");
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	return doc_int(doc_get(st, "updatedReplicas"), 0) == wanted && doc_int(doc_get(st, "replicas"), 0) == wanted &&
	       doc_int(doc_get(st, "availableReplicas"), 0) == wanted &&
	       doc_int(doc_get(st, "observedGeneration"), 0) >= doc_int(doc_path(d, "metadata.generation"), 0);
}

/* The old sets by revision, the lowest first; the surplus goes where it is empty (cleanupDeployment). */
static void clean_up(struct sim_kube *k, const struct doc *d, struct sets *s) {
	int64_t surplus = (int64_t)s->count - (*s->new != '\0') - doc_int(doc_path(d, "spec.revisionHistoryLimit"), 10);
	size_t *order = must_array(s->count, sizeof *order), n = 0;
	for (size_t i = 0; i < s->count; i++) {
		if (is_new(s, i)) continue;
		size_t at = n++;
		for (; at > 0 && revision_of(set_doc(k, s->keys[i])) < revision_of(set_doc(k, s->keys[order[at - 1]])); at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	for (size_t i = 0; i < n && surplus-- > 0; i++) {
		const struct doc *set = set_doc(k, s->keys[order[i]]);
		bool seen =
			doc_int(doc_path(set, "status.observedGeneration"), 0) >= doc_int(doc_path(set, "metadata.generation"), 0);
		if (seen && !spec_of(k, s->keys[order[i]]) && !status_of(k, s->keys[order[i]], "replicas"))
			sim_kube_erase(k, KUBE_REPLICASETS, s->keys[order[i]]);
	}
	free(order);
}

static void write_status(struct sim_kube *k, const char *key, const struct doc *d, const struct sets *s,
                         bool estimate) {
	struct sim_kube_rollout r = { .spec = spec_sum(k, s),
		                          .replicas = status_sum(k, s, "replicas"),
		                          .updated = status_of(k, s->new, "replicas"),
		                          .ready = status_sum(k, s, "readyReplicas"),
		                          .available = status_sum(k, s, "availableReplicas"),
		                          .terminating = status_sum(k, s, "terminatingReplicas"),
		                          .unavailable_max = max_unavailable(d) };
	snprintf(r.new_set, sizeof r.new_set, "%s", strrchr(*s->new ? s->new : "/", '/') + 1);
	sim_kube_deployment_status(k, key, &r, estimate);
}

void sim_kube_reconcile_deployment(struct sim_kube *k, const char *key) {
	sim_kube_deployment_paused(k, key);
	struct sim_kube_state *state = sim_kube_hold(sim_kube_find(k, KUBE_DEPLOYMENTS, key));
	if (!state) return;
	const struct doc *d = state->doc;
	struct sets s = find_sets(k, d);
	bool paused = doc_bool(doc_path(d, "spec.paused"), false), scales = paused || is_scaling(k, d, &s);
	if (scales) {
		sync_revision(k, key, d, &s, false);
		scale(k, d, &s);
		if (paused) clean_up(k, d, &s);
	} else {
		if (is_rolling(d))
			roll(k, key, d, &s);
		else
			recreate(k, key, d, &s);
		if (is_complete(d)) clean_up(k, d, &s);
	}
	write_status(k, key, d, &s, !scales);
	free(s.keys);
	sim_kube_drop(state);
}
