/* The horizontal pod autoscaler, in the parts that can be tried alone (pkg/controller/podautoscaler at 1.36).
 *
 * hpa_count.c: from samples to a number of replicas (replica_calculator.go). hpa_rules.c: what stabilisation
 * and policies make of it (horizontal.go). hpa.c drives them for each HorizontalPodAutoscaler, every 15 s. Times:
 * nanoseconds. */
#pragma once

#include "sim/kube/kube.h"

/* ---- counting ---- */

struct sim_kube_hpa_pod { /* as the caller sees it; sorted by what it counts for */
	enum { SIM_KUBE_HPA_READY, SIM_KUBE_HPA_UNREADY, SIM_KUBE_HPA_MISSING, SIM_KUBE_HPA_IGNORED } kind;
	int64_t used, requested; /* thousandths */
};
struct sim_kube_hpa_question {
	const struct sim_kube_hpa_pod *pods;
	size_t count;
	int64_t replicas; /* the target's spec.replicas */
	int64_t wanted;   /* percent of the request, or (by_value) thousandths */
	bool by_value;
	double tolerance_down, tolerance_up; /* 0.1: a tenth */
};
struct sim_kube_hpa_count {
	int64_t replicas, percent, average; /* percent: of the request; average: thousandths a pod */
};
/* ERR_NOT_FOUND: no sample counts ("did not receive metrics for targeted pods"). ERR_INVALID: nothing was requested. */
MUST_USE enum err sim_kube_hpa_count(const struct sim_kube_hpa_question *q, struct sim_kube_hpa_count *out);

/* ---- rules ---- */

struct sim_kube_hpa_note { /* a recommendation, or a change that was made */
	int64_t at_ns, value;
	bool outdated; /* of changes: its place may be taken */
};
struct sim_kube_hpa_notes {
	struct sim_kube_hpa_note *all;
	size_t count, cap;
};
struct sim_kube_hpa_memory { /* what the controller keeps of one autoscaler between its looks */
	struct sim_kube_hpa_notes said, ups, downs;
};
void sim_kube_hpa_memory_done(struct sim_kube_hpa_memory *m);

struct sim_kube_hpa_limits {
	int64_t least, most, now; /* minReplicas, maxReplicas, current */
	int64_t at_ns;
	const struct doc *behavior; /* spec.behavior with its defaults; NULL: none */
};
struct sim_kube_hpa_verdict {
	int64_t replicas;
	const char *able, *able_message;       /* condition AbleToScale */
	const char *limited, *limited_message; /* condition ScalingLimited */
	bool is_limited;
};
/* What becomes of a recommendation; it is remembered. */
void sim_kube_hpa_rule(struct sim_kube_hpa_memory *m, const struct sim_kube_hpa_limits *l, int64_t wanted,
                       struct sim_kube_hpa_verdict *out);
/* The first look at a target remembers its size as a recommendation. */
void sim_kube_hpa_first(struct sim_kube_hpa_memory *m, int64_t replicas, int64_t at_ns);
/* A change was made: policies go by it. */
void sim_kube_hpa_scaled(struct sim_kube_hpa_memory *m, const struct doc *behavior, int64_t before, int64_t after,
                         int64_t at_ns);

#define SIM_KUBE_HPA_SYNC_NS      (15 * NS_PER_SEC)  /* --horizontal-pod-autoscaler-sync-period */
#define SIM_KUBE_HPA_DOWN_NS      (300 * NS_PER_SEC) /* ...-downscale-stabilization */
#define SIM_KUBE_HPA_INIT_NS      (300 * NS_PER_SEC) /* ...-cpu-initialization-period */
#define SIM_KUBE_HPA_READINESS_NS (30 * NS_PER_SEC)  /* ...-initial-readiness-delay */
#define SIM_KUBE_HPA_TOLERANCE    0.1
