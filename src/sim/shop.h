/* The simulated shop: services in pods that call one another, databases, customers, and what breaks.
 *
 * Every request is a chain of events: it arrives at a pod, waits for a worker, is worked on for a drawn time,
 * calls others one after another or at once, with time-outs and retries, and is answered. So latency is
 * measured, never computed from load. What the pods tell of themselves goes out as OTLP bodies, made as
 * an SDK makes them, over the simulated network; nothing else of the shop reaches Flyball. Its pods live and
 * die by the simulated cluster (struct sim_kube_runtime). The world is data: struct shop_world.
 * Thread: the world's own. Times: nanoseconds of virtual time. */
#pragma once

#include "sim/host.h"
#include "sim/kube.h"

/* ---- the world, as data ---- */

enum shop_shape { SHOP_LOGNORMAL, SHOP_EXPONENTIAL, SHOP_CONSTANT };
struct shop_time {           /* of work, in seconds */
	double median;           /* EXPONENTIAL: the mean */
	double sigma;            /* LOGNORMAL: of the logarithm */
	double tail, tail_alpha; /* with probability `tail` times a Pareto of that exponent (at most 50) */
	enum shop_shape shape;
};

struct shop_call {
	const char *to, *endpoint; /* "payment" "POST /charge"; a database: "orders-db" "INSERT orders" */
	int group;                 /* groups run one after another, the calls of one group at once */
	double probability;        /* 0: 1 */
	int64_t timeout_ns;        /* 0: 2 s */
	int retries;               /* further attempts after a failure */
	bool optional;             /* its failure does not fail the caller */
};
#define SHOP_CALLS_MAX 8
struct shop_endpoint {
	const char *name; /* "GET /product/{id}" */
	struct shop_time work;
	double errors; /* share that fails by itself */
	struct shop_call calls[SHOP_CALLS_MAX];
};
#define SHOP_ENDPOINTS_MAX 6
struct shop_service {
	const char *name;                 /* service.name */
	const char *deployment;           /* the workload's name, which may be another */
	const char *language;             /* "java" "go" "python" "nodejs" "dotnet" */
	int replicas, workers;            /* workers: requests that one pod works on at once */
	int queue_max;                    /* further ones wait; over that 503 */
	double start_up_s;                /* median from container start to ready */
	double memory_base, memory_limit; /* MiB */
	double cpu;                       /* share of its work that is CPU time */
	double cpu_limit;                 /* cores */
	const char *max_surge;            /* NULL: 25% */
	bool grpc;                        /* exports over gRPC; else OTLP/HTTP */
	bool old_names;                   /* writes db.system instead of db.system.name */
	bool by_pod_only;                 /* its resource names the pod's UID, and no workload */
	struct shop_endpoint endpoints[SHOP_ENDPOINTS_MAX];
};
struct shop_database {
	const char *name, *system, *namespace_; /* server.address; "postgresql"; db.namespace */
	int servers;                            /* statements worked on at once */
	int queue_max;
	struct shop_time work;
};
struct shop_entry { /* what customers do */
	const char *service, *endpoint;
	double weight;
};
struct shop_world {
	const char *name;
	const char *namespace_; /* Kubernetes */
	const struct shop_service *services;
	size_t service_count;
	const struct shop_database *databases;
	size_t database_count;
	const struct shop_entry *entries;
	size_t entry_count;
	double rate;            /* requests a second at the entry, mean over the day */
	double daily;           /* amplitude of the daily rhythm, share of the mean */
	double peak_h;          /* hour of its peak, UTC */
	double noise;           /* sd of the slow noise of the rate's logarithm */
	double deployments_day; /* by people, over all services */
	int nodes;
	/* telemetry */
	int64_t span_ns, metric_ns, log_ns, agent_ns; /* export intervals; agent: the node's */
	double sampling;                              /* share of traces that are exported */
	bool no_threshold; /* spans do not say it (tracestate "ot=th:..."), as older SDKs do not */
	double info_logs;  /* lines a request at level INFO */
	int64_t customer_timeout_ns;
};
/* 15 services, 3 databases. */
extern const struct shop_world shop_builtin;

/* ---- faults ---- */

enum shop_fault_kind { SHOP_LEAK, SHOP_SLOW_DATABASE, SHOP_ERROR_BURST, SHOP_DEAD_POD, SHOP_FAULTS };
enum shop_action { SHOP_RESTART, SHOP_DELETE_POD, SHOP_UNDO, SHOP_SCALE, SHOP_ACTIONS };
enum shop_remedy { SHOP_NOTHING, SHOP_HELPS, SHOP_CURES, SHOP_HARMS };
struct shop_fault_info {
	const char *name;       /* "memory-leak" */
	const char *cause_kind; /* what a right RCA calls it: words of CLI.md, joined by '|' */
	double least, most;     /* range of the magnitude, drawn by its logarithm */
	const char *unit;
};
extern const struct shop_fault_info shop_fault_infos[SHOP_FAULTS];
/* What an action does about a fault; `deployed`: it came with a deployment. */
enum shop_remedy shop_remedy_of(enum shop_fault_kind k, bool deployed, enum shop_action a);

struct shop_fault {
	enum shop_fault_kind kind;
	int target;       /* service or database, by index */
	double magnitude; /* LEAK: seconds until the limit; SLOW_DATABASE: factor; ERROR_BURST: share; DEAD_POD: 1 */
	bool deployed;    /* ERROR_BURST: comes with a deployment (onset is the rollout's) */
	int64_t onset_ns; /* when it begins */
	/* what became of it */
	bool begun, carried, over; /* carried: some process has had it; over: none has it any more, or it was ended */
	int64_t begun_ns;
	int64_t visible_ns;   /* the first sample that it touched was made; 0: none yet */
	int64_t delivered_ns; /* and the first export that held one was acknowledged */
	int64_t over_ns;
	char image[128];  /* deployed: the image that carries it */
	char pod_uid[37]; /* DEAD_POD */
};

/* ---- running it ---- */

struct shop;
struct shop_opts {
	const struct shop_world *world; /* borrowed, all */
	struct sim_queue *queue;
	struct sim_trace *trace;
	struct wall epoch;
	struct rng rng;
	struct http_clients *clients; /* where telemetry goes out; NULL: nothing is sent */
	const char *http_url;         /* "http://flyball:4318" */
	const char *grpc_url;         /* "http://flyball:4317" */
	const char *copy_url;         /* metrics go here too (a baseline's receiver); NULL: nowhere */
};
struct shop *shop_new(const struct shop_opts *o);
void shop_free(struct shop *s);
extern const struct sim_kube_runtime shop_runtime; /* self: the shop */
/* Makes the namespace and the Deployments; from then on the pods come. Customers come after `calm_ns`. */
void shop_open(struct shop *s, struct sim_kube *kube, int64_t calm_ns);
/* Answers of the telemetry client: call when its port has something. */
void shop_poll(struct shop *s);
/* Draws target and magnitude of a fault of that kind; onset and `deployed` are the caller's. */
struct shop_fault shop_draw_fault(const struct shop *s, enum shop_fault_kind kind, struct rng *rng);
/* Plans it. The fault is the shop's to change, the caller's to read, until the shop is freed. */
const struct shop_fault *shop_plan_fault(struct shop *s, const struct shop_fault *f);
/* It ends by itself, now: whatever has it is sound again. */
void shop_end_fault(struct shop *s, const struct shop_fault *f);
const char *shop_target_name(const struct shop *s, const struct shop_fault *f); /* "payment", "orders-db" */
/* No customers come from now on (a shop that closes), or they come again. */
void shop_set_rate(struct shop *s, double factor);

struct shop_counts {
	uint64_t requests, failed;    /* of customers */
	uint64_t spans, logs, points; /* made */
	uint64_t exports, bytes, export_failures, export_retries, spans_dropped;
	uint64_t oom_kills, deployments;
};
const struct shop_counts *shop_counts(const struct shop *s);
/* Of one endpoint since the last call of this: requests, failures, sum of seconds, as the pods measured. */
struct shop_measure {
	uint64_t count, failed;
	double seconds;
};
struct shop_measure shop_measured(struct shop *s, const char *service, const char *endpoint);
/* Pods of a service: all, and those that get requests. */
int shop_pods(const struct shop *s, const char *service, int *serving);
