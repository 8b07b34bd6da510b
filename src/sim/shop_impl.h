/* Between the files of the simulated shop. */
#pragma once

#include "base/map.h"
#include "sim/shop.h"
#include "sim/shop_otlp.h"

#define SHOP_NONE       UINT32_MAX
#define SHOP_FAULTS_MAX 16
#define SHOP_BATCH      512 /* spans or log records an export: the SDKs' default */
#define SHOP_BATCHES    4   /* so 2048 wait at most: their default too */

/* ---- the world, resolved ---- */

struct shop_timer_list { /* calls of one time-out, in the order of their ends */
	int64_t timeout_ns;
	uint64_t *calls; /* a ring of generation << 32 | index */
	int64_t *ends;
	uint32_t first, count, cap;
	bool armed;
};

struct shop_edge { /* a call as it is written in the world */
	bool database;
	uint32_t target;  /* endpoint or database */
	uint32_t service; /* who calls; SHOP_NONE: customers */
	int group, retries;
	double probability;
	bool optional;
	uint32_t timers;
	uint32_t slot; /* among the calling service's edges, for its client metrics */
	struct shop_span_form form;
	struct sim_wire metric_attributes[SHOP_OUTCOMES];
};

struct shop_point { /* an endpoint */
	uint32_t service, index;
	const struct shop_endpoint *spec;
	uint32_t *edges, edge_count;
	int groups;
	struct shop_span_form form;
	struct sim_wire metric_attributes[SHOP_OUTCOMES];
	struct shop_measure measured;
};

struct shop_station { /* workers and who waits for one */
	int busy, workers;
	uint32_t head, tail; /* flows */
	int waiting, waiting_max;
};

struct shop_db {
	const struct shop_database *spec;
	struct shop_station station;
	double slow; /* factor; 1 */
};

struct shop_member { /* a service */
	const struct shop_service *spec;
	uint32_t first_point, point_count;
	uint32_t *edges, edge_count;
	uint32_t *serving, serving_count, serving_cap; /* pods that get requests */
	int64_t revision;                              /* of the image's tag */
};

/* ---- requests ---- */

struct shop_flow { /* one request at one pod (or statement at a database) */
	uint32_t gen;
	bool used, sampled, failed, working, parked, touched;
	uint8_t group, pending;
	uint8_t outcome;
	uint32_t point;          /* endpoint; of a database: its index */
	uint32_t pod;            /* SHOP_NONE: at a database */
	uint32_t call, call_gen; /* who asked */
	uint32_t next;           /* in a station's queue */
	int64_t start_ns;
	uint64_t trace_hi, trace_lo, span, parent;
};

struct shop_call_state { /* one attempt of one call, or a customer's request */
	uint32_t gen;
	bool used, touched;
	uint8_t outcome, attempt;
	uint32_t edge;
	uint32_t flow, flow_gen; /* who waits; SHOP_NONE: a customer */
	int64_t start_ns;
	uint64_t span;
};

/* ---- pods ---- */

enum shop_signal { SHOP_SPANS, SHOP_METRICS, SHOP_LOGS, SHOP_SIGNALS };

struct shop_batch {
	struct sim_wire wire;
	uint32_t count;
	bool touched; /* holds a sample that a fault touched */
};
struct shop_exporter {
	struct shop_batch ready[SHOP_BATCHES]; /* a ring; metrics use the first only */
	uint32_t first, filled;                /* filled: full batches before the one that grows */
	bool sending;
};

enum shop_pod_state { SHOP_STARTING, SHOP_UP, SHOP_DRAINING, SHOP_DOWN, SHOP_GONE };

struct shop_pod {
	uint32_t gen; /* of the process: rises with each start and end */
	enum shop_pod_state state;
	uint32_t service;
	struct sim_kube_pod kube;
	struct shop_station station;
	bool hung, ready, listed; /* listed: among its service's serving ones */
	int64_t began_ns, up_ns;
	int64_t drained_ns;  /* of one that is draining: not before */
	double errors, slow; /* of faults: share that fails; factor of work */
	double leak_bytes_s;
	int64_t leak_began_ns;
	double cpu_s, cpu_told_s; /* used since its start; and when the agent last told */
	int64_t cpu_told_ns;
	struct sim_wire resource, agent_resource;
	struct shop_histogram (*served)[3];             /* by endpoint of the service; OK, ERROR, BUSY */
	struct shop_histogram (*called)[SHOP_OUTCOMES]; /* by edge of the service */
	struct shop_exporter exporters[SHOP_SIGNALS];
	bool touched; /* a metric point changed by a fault since the last export */
};

struct shop_sending { /* an export under way */
	uint64_t id;
	uint32_t pod, gen; /* pod SHOP_NONE: an agent, or a copy that nobody waits for */
	enum shop_signal signal;
	int attempt;
	bool grpc, touched, copy;
	int status, grpc_status;
	struct sim_wire body; /* as posted, for the next attempt */
};

struct shop {
	const struct shop_world *world;
	struct shop_opts o;
	struct sim_queue *queue;
	struct rng work_rng, route_rng, id_rng, traffic_rng, pod_rng, export_rng, people_rng, fault_rng;
	struct sim_kube *kube;
	struct shop_member *members;
	struct shop_point *points;
	uint32_t point_count;
	struct shop_edge *edges;
	uint32_t edge_count;
	struct shop_db *dbs;
	uint32_t *entry_edges;
	double entry_weight;
	struct shop_timer_list *timers;
	uint32_t timer_count;
	struct shop_flow *flows;
	uint32_t *free_flows, flow_count, free_flow_count;
	struct shop_call_state *calls;
	uint32_t *free_calls, call_count, free_call_count;
	struct shop_pod **pods;
	uint32_t pod_count;
	struct map by_uid; /* -> (index + 1) as a pointer */
	struct shop_fault faults[SHOP_FAULTS_MAX];
	uint32_t fault_count;
	double rate_factor, noise; /* noise: of the rate's logarithm */
	uint64_t threshold;        /* of sampling: traces with r below it are left out */
	char tracestate[32];
	struct http_client *client;
	struct shop_sending *sendings;
	uint32_t sending_count, sending_cap;
	struct shop_counts counts;
};

static inline int64_t shop_wall(const struct shop *s, int64_t at_ns) {
	return s->o.epoch.ns + at_ns;
}

/* ---- shop_flow.c ---- */
void shop_customer(struct shop *s);                           /* one more request arrives */
double shop_draw(struct rng *rng, const struct shop_time *t); /* seconds */
void shop_pod_dies(struct shop *s, uint32_t pod);             /* everything at it is reset */
void shop_flows_done(struct shop *s);
uint32_t shop_timer_find(struct shop *s, int64_t timeout_ns);

/* ---- shop_pod.c ---- */
struct shop_pod *shop_pod_by_uid(const struct shop *s, const char *uid, uint32_t *index);
void shop_pod_free(struct shop_pod *p);
void shop_pod_idle(struct shop *s, uint32_t pod);                       /* nothing is under way at it any more */
double shop_pod_memory(const struct shop *s, const struct shop_pod *p); /* bytes, without noise */
/* Factor of its work by the machine's own state: collections near the limit, code not yet warm. */
double shop_pod_pace(const struct shop *s, const struct shop_pod *p);
void shop_set_listed(struct shop *s, uint32_t pod, bool listed);

/* ---- shop_export.c ---- */
void shop_export_start(struct shop *s, uint32_t pod); /* its timers, with phases of their own */
void shop_export_last(struct shop *s, uint32_t pod);  /* an orderly end sends what is left */
void shop_export_stop(struct shop_pod *p);            /* what was not sent is lost */
void shop_agents_start(struct shop *s);
void shop_add_span(struct shop *s, struct shop_pod *p, const struct shop_span_form *form, const struct shop_span *span,
                   enum shop_outcome o, bool touched);
void shop_add_log(struct shop *s, struct shop_pod *p, const struct shop_log *l, bool touched);
void shop_export_done(struct shop *s);

/* ---- shop_fault.c ---- */
void shop_fault_visible(struct shop *s, enum shop_fault_kind kind);
void shop_fault_delivered(struct shop *s);
void shop_fault_carriers(struct shop *s); /* processes came or went: which faults has none any more? */
/* What faults do to a process that starts. */
void shop_fault_on_start(struct shop *s, struct shop_pod *p);
void shop_watch_memory(struct shop *s, uint32_t index); /* shop_pod.c: kills it when its leak is full */
void shop_pod_hang(struct shop *s, uint32_t index);
void shop_pod_wake(struct shop *s, uint32_t index); /* it goes on; what it was asked meanwhile is lost */
