/* Stabilisation windows, policies and bounds: normalizeDesiredReplicas and its like in horizontal.go. */
#include <math.h>

#include "sim/kube/hpa.h"
#include "sim/memory.h"

#define UP_FACTOR 2.0 /* without policies: at most doubled, and four are always allowed */
#define UP_LEAST  4.0

void sim_kube_hpa_memory_done(struct sim_kube_hpa_memory *m) {
	free(m->said.all);
	free(m->ups.all);
	free(m->downs.all);
}

/* In the place of one that no longer counts (the last such), else at the end: so the list stays as long as its window.
 */
static void note(struct sim_kube_hpa_notes *n, size_t place, int64_t value, int64_t at_ns) {
	if (place >= n->count) {
		if (n->count == n->cap) {
			n->cap = n->cap ? 2 * n->cap : 16;
			n->all = must_grow(n->all, n->cap, sizeof *n->all);
		}
		place = n->count++;
	}
	n->all[place] = (struct sim_kube_hpa_note){ at_ns, value, false };
}

void sim_kube_hpa_first(struct sim_kube_hpa_memory *m, int64_t replicas, int64_t at_ns) {
	if (!m->said.count) note(&m->said, SIZE_MAX, replicas, at_ns);
}

static int64_t seconds(const struct doc *rules, const char *key, int64_t fallback_ns) {
	return doc_get(rules, key) ? doc_int(doc_get(rules, key), 0) * NS_PER_SEC : fallback_ns;
}

/* ---- without behaviour ---- */

static int64_t highest_said(struct sim_kube_hpa_memory *m, int64_t wanted, int64_t at_ns) {
	int64_t cutoff = at_ns - SIM_KUBE_HPA_DOWN_NS, most = wanted;
	size_t place = SIZE_MAX;
	for (size_t i = 0; i < m->said.count; i++) {
		const struct sim_kube_hpa_note *n = &m->said.all[i];
		if (n->at_ns < cutoff)
			place = i;
		else if (n->value > most)
			most = n->value;
	}
	note(&m->said, place, wanted, at_ns);
	return most;
}

static void plain_rule(struct sim_kube_hpa_memory *m, const struct sim_kube_hpa_limits *l, int64_t wanted,
                       struct sim_kube_hpa_verdict *out) {
	int64_t stable = highest_said(m, wanted, l->at_ns);
	int64_t step = (int64_t)fmax(UP_FACTOR * (double)l->now, UP_LEAST);
	if (stable != wanted) {
		out->able = "ScaleDownStabilized";
		out->able_message =
			"recent recommendations were higher than current one, applying the highest recent recommendation";
	}
	if (stable < l->least) {
		out->replicas = l->least;
		out->limited = "TooFewReplicas";
		out->limited_message = "the desired replica count is less than the minimum replica count";
	} else if (stable > l->most || stable > step) {
		bool by_step = l->most > step;
		out->replicas = by_step ? step : l->most;
		out->limited = by_step ? "ScaleUpLimit" : "TooManyReplicas";
		out->limited_message = by_step ? "the desired replica count is increasing faster than the maximum scale rate"
		                               : "the desired replica count is more than the maximum replica count";
	} else {
		out->replicas = stable;
	}
	out->is_limited = out->replicas != stable;
}

/* ---- with behaviour ---- */

static int64_t stabilised(struct sim_kube_hpa_memory *m, const struct sim_kube_hpa_limits *l, int64_t wanted) {
	int64_t up = wanted, down = wanted, stable = l->now;
	int64_t up_cutoff = l->at_ns - seconds(doc_get(l->behavior, "scaleUp"), "stabilizationWindowSeconds", 0);
	int64_t down_cutoff =
		l->at_ns - seconds(doc_get(l->behavior, "scaleDown"), "stabilizationWindowSeconds", SIM_KUBE_HPA_DOWN_NS);
	size_t place = SIZE_MAX;
	for (size_t i = 0; i < m->said.count; i++) {
		const struct sim_kube_hpa_note *n = &m->said.all[i];
		if (n->at_ns > up_cutoff && n->value < up) up = n->value;
		if (n->at_ns > down_cutoff && n->value > down) down = n->value;
		if (n->at_ns < up_cutoff && n->at_ns < down_cutoff) place = i;
	}
	note(&m->said, place, wanted, l->at_ns);
	if (stable < up) stable = up;
	return stable > down ? down : stable;
}

static int64_t changed_since(const struct sim_kube_hpa_notes *n, int64_t cutoff_ns) {
	int64_t sum = 0;
	for (size_t i = 0; i < n->count; i++)
		if (n->all[i].at_ns > cutoff_ns) sum += n->all[i].value;
	return sum;
}

/* The replicas that the policies of one direction allow now; `way`: 1 up, -1 down. */
static int64_t policy_limit(const struct sim_kube_hpa_memory *m, const struct sim_kube_hpa_limits *l,
                            const struct doc *rules, int way) {
	const char *select = doc_c(doc_get(rules, "selectPolicy"));
	if (!strcmp(select, "Disabled")) return l->now;
	bool smallest = !strcmp(select, "Min"), highest = smallest != (way > 0), first = true;
	int64_t result = 0;
	doc_each(p, doc_get(rules, "policies")) {
		int64_t cutoff = l->at_ns - doc_int(doc_get(p, "periodSeconds"), 0) * NS_PER_SEC,
				value = doc_int(doc_get(p, "value"), 0);
		int64_t start = l->now - changed_since(&m->ups, cutoff) + changed_since(&m->downs, cutoff);
		double share = (double)start * (1 + way * (double)value / 100);
		int64_t proposed = start + way * value;
		if (!strcmp(doc_c(doc_get(p, "type")), "Percent")) proposed = (int64_t)(way > 0 ? ceil(share) : share);
		if (first || (highest ? proposed > result : proposed < result)) result = proposed;
		first = false;
	}
	return result;
}

static void limit_up(const struct sim_kube_hpa_memory *m, const struct sim_kube_hpa_limits *l,
                     struct sim_kube_hpa_verdict *out) {
	int64_t step = policy_limit(m, l, doc_get(l->behavior, "scaleUp"), 1);
	if (step < l->now) step = l->now;
	bool by_step = l->most > step;
	int64_t most = by_step ? step : l->most;
	if (out->replicas <= most) return;
	out->replicas = most;
	out->limited = by_step ? "ScaleUpLimit" : "TooManyReplicas";
	out->limited_message = by_step ? "the desired replica count is increasing faster than the maximum scale rate"
	                               : "the desired replica count is more than the maximum replica count";
}

static void limit_down(const struct sim_kube_hpa_memory *m, const struct sim_kube_hpa_limits *l,
                       struct sim_kube_hpa_verdict *out) {
	int64_t step = policy_limit(m, l, doc_get(l->behavior, "scaleDown"), -1);
	if (step > l->now) step = l->now;
	bool by_step = l->least < step;
	int64_t least = by_step ? step : l->least;
	if (out->replicas >= least) return;
	out->replicas = least;
	out->limited = by_step ? "ScaleDownLimit" : "TooFewReplicas";
	out->limited_message = by_step ? "the desired replica count is decreasing faster than the maximum scale rate"
	                               : "the desired replica count is less than the minimum replica count";
}

static void behaviour_rule(struct sim_kube_hpa_memory *m, const struct sim_kube_hpa_limits *l, int64_t wanted,
                           struct sim_kube_hpa_verdict *out) {
	int64_t stable = stabilised(m, l, wanted);
	if (stable != wanted) {
		bool up = wanted >= l->now;
		out->able = up ? "ScaleUpStabilized" : "ScaleDownStabilized";
		out->able_message =
			up ? "recent recommendations were lower than current one, applying the lowest recent recommendation"
			   : "recent recommendations were higher than current one, applying the highest recent recommendation";
	}
	out->replicas = stable;
	if (stable > l->now) limit_up(m, l, out);
	if (stable < l->now) limit_down(m, l, out);
	out->is_limited = out->replicas != stable;
}

void sim_kube_hpa_rule(struct sim_kube_hpa_memory *m, const struct sim_kube_hpa_limits *l, int64_t wanted,
                       struct sim_kube_hpa_verdict *out) {
	*out = (struct sim_kube_hpa_verdict){ .able = "ReadyForNewScale",
		                                  .able_message = "recommended size matches current size",
		                                  .limited = "DesiredWithinRange",
		                                  .limited_message = "the desired count is within the acceptable range" };
	if (l->behavior)
		behaviour_rule(m, l, wanted, out);
	else
		plain_rule(m, l, wanted, out);
}

/* ---- changes made ---- */

static int64_t longest_period_ns(const struct doc *rules) {
	int64_t most = 0;
	doc_each(p, doc_get(rules, "policies")) {
		int64_t s = doc_int(doc_get(p, "periodSeconds"), 0);
		if (s > most) most = s;
	}
	return most * NS_PER_SEC;
}

void sim_kube_hpa_scaled(struct sim_kube_hpa_memory *m, const struct doc *behavior, int64_t before, int64_t after,
                         int64_t at_ns) {
	if (!behavior) return;
	bool up = after > before;
	struct sim_kube_hpa_notes *n = up ? &m->ups : &m->downs;
	int64_t cutoff = at_ns - longest_period_ns(doc_get(behavior, up ? "scaleUp" : "scaleDown"));
	size_t place = SIZE_MAX;
	for (size_t i = 0; i < n->count; i++) {
		n->all[i].outdated = n->all[i].outdated || n->all[i].at_ns < cutoff;
		if (n->all[i].outdated) place = i;
	}
	note(n, place, up ? after - before : before - after, at_ns);
}
