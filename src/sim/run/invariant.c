#include "sim/run/invariant.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	bool disk;
	const char *text;
} table[INVARIANTS] = {
#define X(name, word, disk, text) { word, disk, text },
	INVARIANT_TABLE(X)
#undef X
};

const char *invariant_name(enum invariant i) {
	return table[i].name;
}
const char *invariant_text(enum invariant i) {
	return table[i].text;
}

void invariants_init(struct invariants *v, const struct invariant_limits *limits) {
	*v = (struct invariants){ .limits = *limits, .broken = -1 };
}

void invariants_break(struct invariants *v, enum invariant i, int64_t now_ns, const char *fmt, ...) {
	if (v->broken >= 0) return; /* the first is what people look at */
	if (v->betrayed && table[i].disk) return;
	va_list args;
	va_start(args, fmt);
	vsnprintf(v->why, sizeof v->why, fmt, args);
	va_end(args);
	v->broken = (int)i;
	v->broken_at_ns = now_ns;
}

void invariants_write_asked(struct invariants *v, int64_t now_ns, const char *what) {
	if (v->limits.observe) invariants_break(v, INVARIANT_OBSERVE, now_ns, "in observe mode, and it asked for %s", what);
}

/* ---- replicas ---- */

static void workload_name(const struct doc *d, char *out, size_t n) {
	snprintf(out, n, "%s/%s", doc_c(doc_path(d, "metadata.namespace")), doc_c(doc_path(d, "metadata.name")));
}

void invariants_begin(struct invariants *v, const struct sim_kube *kube) {
	const struct doc *d;
	for (size_t i = 0; (d = sim_kube_next(kube, KUBE_DEPLOYMENTS, &i));) {
		size_t n = v->workload_count;
		if (n == sizeof v->workloads / sizeof *v->workloads) return;
		workload_name(d, v->workloads[n].name, sizeof v->workloads[n].name);
		v->workloads[n].replicas = (int)doc_int(doc_path(d, "spec.replicas"), 1);
		v->workload_count++;
	}
	(void)sim_kube_effects(kube, &v->effects_seen);
	v->version_seen = sim_kube_version(kube);
}

/* Controllers of the world that scale too: what they set is what Flyball's own changes are counted from. */
static bool others_scaled(const struct doc *d) {
	static const char *const others[] = { "kube-controller-manager", "keda" };
	doc_each(entry, doc_path(d, "metadata.managedFields")) {
		if (!doc_path(entry, "fieldsV1.f:spec.f:replicas")) continue;
		for (size_t i = 0; i < sizeof others / sizeof *others; i++)
			if (!strcmp(doc_c(doc_get(entry, "manager")), others[i])) return true;
	}
	return false;
}

/* The workload of that name; they come in the order in which they began, so the search begins where it ends. */
static size_t find_workload(const struct invariants *v, const char *name, size_t hint) {
	for (size_t n = 0; n < v->workload_count; n++) {
		size_t k = (hint + n) % v->workload_count;
		if (!strcmp(v->workloads[k].name, name)) return k;
	}
	return SIZE_MAX;
}

static void look_at_replicas(struct invariants *v, const struct sim_kube *kube, int64_t now_ns) {
	const struct doc *d;
	size_t hint = 0;
	for (size_t i = 0; (d = sim_kube_next(kube, KUBE_DEPLOYMENTS, &i));) {
		char name[200];
		workload_name(d, name, sizeof name);
		size_t k = find_workload(v, name, hint);
		if (k == SIZE_MAX) continue;
		hint = k + 1;
		int begun = v->workloads[k].replicas, now = (int)doc_int(doc_path(d, "spec.replicas"), 1);
		if (now >= begun + v->limits.replicas_min && now <= begun + v->limits.replicas_max) continue;
		if (others_scaled(d))
			v->workloads[k].replicas = now;
		else
			invariants_break(v, INVARIANT_REPLICAS, now_ns, "%s has %d replicas and began with %d", name, now, begun);
	}
}

/* ---- effects ---- */

/* "shop/cart" for the Deployment and for each of its pods "cart-7d9f8b-x2x4k". */
static void target_of(const struct sim_kube_effect *e, char *out, size_t n) {
	int length = snprintf(out, n, "%s/%s", e->namespace_, e->name);
	if (e->type != KUBE_PODS || length < 0) return;
	for (int cut = 0; cut < 2; cut++) {
		char *dash = strrchr(out, '-');
		if (dash) *dash = 0;
	}
}

static void check_one_effect(struct invariants *v, const struct invariant_effect *new) {
	for (size_t i = 0; i + 1 < v->effect_count; i++) {
		const struct invariant_effect *old = &v->effects[i];
		bool same = *new->key ? !strcmp(old->key, new->key) && !strcmp(old->target, new->target)
		                      : !*old->key && !strcmp(old->uid, new->uid);
		if (same)
			invariants_break(v, INVARIANT_ONE_EFFECT, new->at_ns,
			                 "%s was changed twice under %s%.16s: at %.3f s and at %.3f s", new->target,
			                 *new->key ? "key " : "uid ", *new->key ? new->key : new->uid, (double)old->at_ns / 1e9,
			                 (double)new->at_ns / 1e9);
	}
}

/* How long ago `old` may seem to have been to one that was restarted since. */
static int64_t seems_ago(const struct invariant_effect *old, const struct invariant_effect *new) {
	int64_t gained = new->wall_ahead_ns - old->wall_ahead_ns;
	return new->at_ns - old->at_ns + (new->starts != old->starts &&gained > 0 ? gained : 0);
}

static void check_cooldown(struct invariants *v, const struct invariant_effect *new) {
	for (size_t i = 0; i + 1 < v->effect_count && !new->undo; i++) {
		const struct invariant_effect *old = &v->effects[i];
		if (old->undo || strcmp(old->target, new->target) != 0) continue;
		if (*new->key && !strcmp(old->key, new->key)) continue; /* one action; ONE_EFFECT's business */
		if (seems_ago(old, new) < v->limits.cooldown_ns)
			invariants_break(v, INVARIANT_COOLDOWN, new->at_ns, "%s was acted on at %.3f s and again at %.3f s",
			                 new->target, (double)old->at_ns / 1e9, (double)new->at_ns / 1e9);
	}
}

static void check_budget(struct invariants *v, const struct invariant_effect *new) {
	int64_t pods = 0;
	for (size_t i = 0; i < v->effect_count; i++)
		if (seems_ago(&v->effects[i], new) < v->limits.budget_window_ns && !v->effects[i].undo)
			pods += v->effects[i].pods;
	if (!new->undo && pods > v->limits.budget_pods)
		invariants_break(v, INVARIANT_BUDGET, new->at_ns, "%lld pods replaced within the window, %lld are allowed",
		                 (long long)pods, (long long)v->limits.budget_pods);
}

static bool ends_with(const char *s, const char *suffix) {
	size_t n = strlen(s), m = strlen(suffix);
	return n >= m && !strcmp(s + n - m, suffix);
}

static void take_effect(struct invariants *v, const struct sim_kube_effect *e) {
	if (strncmp(e->manager, "flyball", 7) != 0 && strcmp(e->user, "flyball") != 0) return;
	invariants_write_asked(v, e->at_ns, e->name);
	if (!e->spec_changed || v->effect_count == INVARIANT_EFFECTS_MAX) return;
	struct invariant_effect *new = &v->effects[v->effect_count++];
	*new = (struct invariant_effect){ .at_ns = e->at_ns, .pods = e->pods, .undo = ends_with(e->key, "-undo") };
	new->wall_ahead_ns = v->wall_ahead_ns;
	new->starts = v->starts;
	snprintf(new->key, sizeof new->key, "%s", e->key);
	snprintf(new->uid, sizeof new->uid, "%s", e->uid);
	target_of(e, new->target, sizeof new->target);
	check_one_effect(v, new);
	check_cooldown(v, new);
	check_budget(v, new);
}

void invariants_look(struct invariants *v, const struct sim_kube *kube, int64_t now_ns) {
	size_t count = 0;
	const struct sim_kube_effect *effects = sim_kube_effects(kube, &count);
	if (sim_kube_version(kube) == v->version_seen) return; /* nothing was written since */
	v->version_seen = sim_kube_version(kube);
	for (; v->effects_seen < count; v->effects_seen++) take_effect(v, &effects[v->effects_seen]);
	if (sim_kube_changed(kube, KUBE_DEPLOYMENTS) == v->deployments_seen) return;
	v->deployments_seen = sim_kube_changed(kube, KUBE_DEPLOYMENTS);
	look_at_replicas(v, kube, now_ns);
}
