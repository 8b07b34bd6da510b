/* The simulated shop: services in pods that call one another, databases, customers, and what breaks.
 *
 * Every request is a chain of events: it arrives at a pod, waits for a worker, is worked on for a drawn time,
 * calls others one after another or at once, with time-outs and retries, and is answered. So latency is
 * measured, never computed from load. What the pods tell of themselves goes out as OTLP bodies, made as
 * an SDK makes them, over the simulated network; nothing else of the shop reaches Flyball. Its pods live and
 * die by the simulated cluster (struct sim_kube_runtime). The world is data: sim/shop_world.h.
 * Thread: the world's own. Times: nanoseconds of virtual time. */
#pragma once

#include "sim/host.h"
#include "sim/kube.h"
#include "sim/shop_world.h"

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
