/* From samples to a number of replicas: GetResourceReplicas and calcPlainMetricReplicas of replica_calculator.go. */
#include <math.h>

#include "sim/kube/hpa.h"

struct sums {
	int64_t used, requested, count;
};

static bool within(const struct sim_kube_hpa_question *q, double ratio) {
	return 1.0 - q->tolerance_down <= ratio && ratio <= 1.0 + q->tolerance_up;
}

/* Usage against what is wanted; whole percents are cut before they are compared (metrics/utilization.go). */
static double ratio_of(const struct sim_kube_hpa_question *q, const struct sums *s, struct sim_kube_hpa_count *out) {
	out->average = s->used / s->count;
	if (q->by_value) return (double)out->average / (double)q->wanted;
	out->percent = s->used * 100 / s->requested;
	return (double)out->percent / (double)q->wanted;
}

static struct sums sum_of(const struct sim_kube_hpa_question *q, size_t kinds[4]) {
	struct sums s = { 0, 0, 0 };
	for (size_t i = 0; i < q->count; i++) {
		const struct sim_kube_hpa_pod *p = &q->pods[i];
		kinds[p->kind]++;
		if (p->kind != SIM_KUBE_HPA_READY) continue;
		s.used += p->used;
		s.requested += p->requested;
		s.count++;
	}
	return s;
}

/* A pod without a sample counts as idle when growing, as fully used when shrinking; an unready one as idle when
 * growing. */
static struct sums with_the_others(const struct sim_kube_hpa_question *q, struct sums s, bool growing) {
	int64_t full = q->by_value ? 0 : q->wanted > 100 ? q->wanted : 100;
	for (size_t i = 0; i < q->count; i++) {
		const struct sim_kube_hpa_pod *p = &q->pods[i];
		bool missing = p->kind == SIM_KUBE_HPA_MISSING, unready = p->kind == SIM_KUBE_HPA_UNREADY;
		if (!missing && !(unready && growing)) continue;
		if (missing && !growing) s.used += q->by_value ? q->wanted : p->requested * full / 100;
		s.requested += p->requested;
		s.count++;
	}
	return s;
}

enum err sim_kube_hpa_count(const struct sim_kube_hpa_question *q, struct sim_kube_hpa_count *out) {
	size_t kinds[4] = { 0 };
	struct sums s = sum_of(q, kinds);
	struct sim_kube_hpa_count unused;
	*out = (struct sim_kube_hpa_count){ .replicas = q->replicas };
	if (!s.count) return ERR_NOT_FOUND;
	if (!q->by_value && !s.requested) return ERR_INVALID;
	double ratio = ratio_of(q, &s, out);
	bool grows_unready = kinds[SIM_KUBE_HPA_UNREADY] && ratio > 1.0;
	if (!grows_unready && !kinds[SIM_KUBE_HPA_MISSING]) {
		if (!within(q, ratio)) out->replicas = (int64_t)ceil(ratio * (double)s.count);
		return OK;
	}
	if (ratio != 1.0) s = with_the_others(q, s, ratio > 1.0);
	double again = ratio_of(q, &s, &unused);
	if (within(q, again) || (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0)) return OK;
	int64_t replicas = (int64_t)ceil(again * (double)s.count);
	if ((again < 1.0 && replicas > q->replicas) || (again > 1.0 && replicas < q->replicas)) return OK;
	out->replicas = replicas;
	return OK;
}
