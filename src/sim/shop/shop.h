/* The simulated shop: services in pods that call one another, databases, customers, and what breaks.
 *
 * Every request is a chain of events: it arrives at a pod, waits for a worker, is worked on for a drawn time,
 * calls others one after another or at once, with time-outs and retries, and is answered. So latency is
 * measured, never computed from load. What the pods tell of themselves goes out as OTLP bodies, made as
 * an SDK makes them, over the simulated network; nothing else of the shop reaches Flyball. Its pods live and
 * die by the simulated cluster (struct sim_kube_runtime). The world is data: sim/shop/world.h.
 * Thread: the world's own. Times: nanoseconds of virtual time. */
#pragma once

#include "sim/host.h"
#include "sim/kube/kube.h"
#include "sim/shop/fault.h"
#include "sim/shop/life.h"
#include "sim/shop/world.h"

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
/* No customers come from now on (a shop that closes), or they come again. */
void shop_set_rate(struct shop *s, double factor);

struct shop_counts {
	uint64_t requests, failed;    /* of customers */
	uint64_t spans, logs, points; /* made */
	uint64_t exports, bytes, export_failures, export_retries, spans_dropped;
	uint64_t oom_kills, deployments;
	uint64_t messages, messages_lost; /* lost: given up, after every attempt */
	uint64_t drains, jobs, gaps, resets;
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
