/* A simulated Kubernetes cluster: what its API server stores, and the controllers that act on it.
 *
 * It does what the real one does (kubernetes.io's API conventions and the controllers' sources at 1.36;
 * sim/kube/replay_test compares the two step by step): one version for all, optimistic locking, managed fields,
 * generations, the deployment controller with its revisions, maxSurge and maxUnavailable, ReplicaSets, disruption
 * budgets, the horizontal pod autoscaler, taints and what they evict, Events, a scheduler, and kubelets whose
 * containers run in somebody else's hands (struct sim_kube_runtime: the shop). The HTTP side is sim/kube/server.h. The
 * cluster outlives its API server's process, as etcd does. Every write through the API is recorded as an effect, so
 * that checkers can count what was done, by whom, and under which key. Objects are struct doc; what is handed out is
 * read-only and lives until the object's next change. */
#pragma once

#include "base/rng.h"
#include "sim/kube/doc.h"
#include "sim/queue.h"
#include "sim/trace.h"

struct sim_kube;

enum sim_kube_type {
	KUBE_NAMESPACES,
	KUBE_NODES,
	KUBE_PODS,
	KUBE_EVENTS,
	KUBE_DEPLOYMENTS,
	KUBE_REPLICASETS,
	KUBE_HPAS,
	KUBE_PDBS,
	KUBE_TYPES
};

/* One container of one pod, as its runtime sees it. */
struct sim_kube_pod {
	char namespace_[64], name[128], uid[37], node[64];
	char workload[128]; /* the Deployment's name, or the pod's own */
	char image[128];
	int64_t memory_limit; /* bytes; 0: none */
	uint32_t restarts;
	int64_t created_ns;
};

/* What runs containers. Each call returns at once; the runtime answers by the sim_kube_pod_* functions. */
struct sim_kube_runtime {
	/* The container's process is to be started now (again, after a restart). */
	void (*start)(void *self, const struct sim_kube_pod *pod);
	/* SIGTERM: end within `grace_ns`, then sim_kube_pod_exited. */
	void (*stop)(void *self, const struct sim_kube_pod *pod, int64_t grace_ns);
	/* SIGKILL, or the pod is gone: no answer. */
	void (*kill)(void *self, const struct sim_kube_pod *pod);
};

struct sim_kube_opts {
	struct sim_queue *queue; /* borrowed, all */
	struct sim_trace *trace;
	struct rng rng;
	struct wall epoch;
	int nodes; /* 1..100 */
	const struct sim_kube_runtime *runtime;
	void *runtime_self;
	int64_t history_max; /* changes kept for watches of each type; older ones are 410 Gone */
};

struct sim_kube *sim_kube_new(const struct sim_kube_opts *o);
void sim_kube_free(struct sim_kube *k);

/* ---- for the runtime: containers' reports; a uid that is gone is ignored ---- */
void sim_kube_pod_running(struct sim_kube *k, const char *uid);
void sim_kube_pod_ready(struct sim_kube *k, const char *uid, bool ready);
/* The process ended by itself or was killed: "OOMKilled" 137, "Error" 1, "Completed" 0. It comes back after the
 * kubelet's back-off (at once, then 10 s, doubling up to 5 min; forgotten after 10 min of running). */
void sim_kube_pod_exited(struct sim_kube *k, const char *uid, const char *reason, int code);

/* The kubelet gives a pod up, for want of memory on its node: phase Failed, reason "Evicted". Its process is gone
 * already. */
void sim_kube_pod_failed(struct sim_kube *k, const char *uid, const char *reason);

/* ---- metrics.k8s.io: what the autoscaler goes by ---- */

struct sim_kube_usage { /* of one pod, over a window that ended at `at_ns` */
	int64_t cpu_milli, memory_bytes;
	int64_t at_ns, window_ns; /* metrics-server's windows are 10 to 30 s long and end up to 15 s ago */
};
/* False: there is no sample of that pod (yet). */
typedef bool sim_kube_usage_fn(void *self, const struct sim_kube_pod *pod, struct sim_kube_usage *out);
/* Until this is called the cluster has no metrics server, and its autoscalers report FailedGetResourceMetric. */
void sim_kube_serve_metrics(struct sim_kube *k, sim_kube_usage_fn *usage, void *self);
/* How often the autoscaler has looked at a HorizontalPodAutoscaler, and when last. */
int64_t sim_kube_hpa_looks(const struct sim_kube *k, const char *ns, const char *name, int64_t *last_ns);

/* ---- nodes ---- */

/* As `kubectl cordon`, `uncordon`: nothing new is put there. ERR_NOT_FOUND. */
MUST_USE enum err sim_kube_cordon(struct sim_kube *k, const char *node, bool on);
/* As `kubectl drain`: cordons, then evicts every pod there, and asks again every 5 s where a budget refuses.
 * ERR_NOT_FOUND. */
MUST_USE enum err sim_kube_drain(struct sim_kube *k, const char *node);
/* A drain goes on there, or pods are still on their way out. */
bool sim_kube_draining(const struct sim_kube *k, const char *node);
/* The node's kubelet says so. Not ready: the node is tainted, its pods count as unready, and leave after 300 s.
 * ERR_NOT_FOUND. */
MUST_USE enum err sim_kube_node_ready(struct sim_kube *k, const char *node, bool ready);
/* Who chooses nodes instead of the scheduler; NULL, or its NULL: the scheduler (the emptiest that fits). */
void sim_kube_place(struct sim_kube *k, const char *(*node_of)(void *self, const struct doc *pod), void *self);

/* ---- for worlds, checkers and the story ---- */

/* Creates an object as the manager "setup" would: ERR_INVALID, ERR_EXISTS. */
MUST_USE enum err sim_kube_create(struct sim_kube *k, enum sim_kube_type t, struct str json, struct why *why);
/* People and pipelines of the world: a strategic merge patch under a manager's name. */
MUST_USE enum err sim_kube_change(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                                  const char *manager, struct str patch, struct why *why);
const struct doc *sim_kube_object(const struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name);
/* for (size_t i = 0; (d = sim_kube_next(k, KUBE_PODS, &i));) in order of namespace and name. */
const struct doc *sim_kube_next(const struct sim_kube *k, enum sim_kube_type t, size_t *i);
size_t sim_kube_count(const struct sim_kube *k, enum sim_kube_type t);
uint64_t sim_kube_version(const struct sim_kube *k);
uint64_t sim_kube_changed(const struct sim_kube *k, enum sim_kube_type t); /* version of its newest change; 0: none */
/* Forgets history, as etcd's compaction does: watches from before are told 410. */
void sim_kube_compact(struct sim_kube *k);
/* The Deployment's rollout is complete, as `kubectl rollout status` sees it. */
bool sim_kube_rolled_out(const struct doc *deployment);

enum sim_kube_verb { KUBE_CREATE, KUBE_UPDATE, KUBE_PATCH, KUBE_DELETE, KUBE_EVICT, KUBE_SCALE };
struct sim_kube_effect {
	int64_t at_ns;
	enum sim_kube_verb verb;
	enum sim_kube_type type;
	char user[96], manager[64];
	char namespace_[64], name[128], uid[37];
	char key[160];     /* the annotation flyball.dev/action-key after the write; empty: none */
	bool spec_changed; /* the generation rose, or the object went: what happens in the world */
	int64_t generation;
	int pods; /* that it takes away: all where the template changed, those fewer where the replicas did */
};
/* Every write through the API that was not a dry run and was accepted, in order. */
const struct sim_kube_effect *sim_kube_effects(const struct sim_kube *k, size_t *count);

/* Breaks the server on purpose, to show that a checker finds it. */
struct sim_kube_mutations {
	bool ignore_preconditions; /* uid and resourceVersion are not looked at */
	bool apply_twice;          /* each accepted spec change counts and happens twice */
};
struct sim_kube_mutations *sim_kube_mutations(struct sim_kube *k);
