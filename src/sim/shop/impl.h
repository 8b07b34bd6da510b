/* Between the files of the simulated shop. */
#pragma once

#include "base/map.h"
#include "sim/shop/life.h"
#include "sim/shop/otlp.h"
#include "sim/shop/shop.h"

#define SHOP_NONE       UINT32_MAX
#define SHOP_FAULTS_MAX 256
#define SHOP_FAULT_BITS 32  /* at work at once */
#define SHOP_SERIES_MAX 256 /* endpoints or calls of one service */
#define SHOP_BATCH      512 /* spans or log records an export: the SDKs' default */
#define SHOP_BATCHES    4   /* so 2048 wait at most: their default too */

/* ---- the world, resolved ---- */

struct shop_rest { /* of one metric's values before the first fault: Welford's sums */
	double n, mean, squares;
};

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
	int group, retries, copies;
	double probability, cache_hits;
	bool optional, remote; /* remote: in another region */
	bool job;              /* not customers, but a job */
	const char *queue;     /* a message queue stands between; NULL */
	uint32_t timers;
	uint32_t slot; /* among the calling service's edges, for its client metrics */
	uint32_t pool; /* of a database: among the calling service's pools */
	bool writes;   /* the statement needs room on the disk */
	double rate;   /* calls a second, as the world expects them */
	struct shop_rest rest_seconds, rest_failed;
	/* of faults */
	int64_t delay_ns; /* each way */
	double loss;
	uint32_t link_mask, storm_mask;
	uint8_t storm_attempts; /* in place of the usual retries, one each time-out; 0: none */
	uint32_t storm_timers;
	struct shop_span_form form;
	struct sim_wire metric_attributes[SHOP_OUTCOMES];
};

struct shop_point { /* an endpoint */
	uint32_t service, index;
	const struct shop_endpoint *spec;
	uint32_t *edges, edge_count;
	int groups;
	const char *queue; /* from which it takes messages; NULL: it serves requests */
	struct shop_span_form form;
	struct sim_wire metric_attributes[SHOP_OUTCOMES];
	struct shop_measure measured;
	double rate, next_rate; /* requests a second, as the world expects them */
	struct shop_rest rest_seconds, rest_failed;
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
	struct shop_station *replicas;
	uint32_t turn; /* of the replicas */
	uint32_t slow_mask, full_mask;
};

struct shop_pool_form { /* of the pools to one database */
	uint32_t database;
	struct sim_wire attributes[3]; /* state idle, state used, none */
	struct shop_rest rest_used;
};

struct shop_member { /* a service */
	const struct shop_service *spec;
	uint32_t first_point, point_count;
	uint32_t *edges, edge_count;
	struct shop_pool_form *pools;
	uint32_t pool_count;
	struct shop_rest rest_cpu;
	uint32_t *serving, serving_count, serving_cap; /* pods that get requests */
	int64_t revision;                              /* of the image's tag */
	int64_t silent_until_ns;                       /* its telemetry is lost */
};

/* ---- requests ---- */

struct shop_flow { /* one request at one pod (or statement at a database) */
	uint32_t gen;
	bool used, sampled, failed, working, parked, writes;
	uint8_t group, pending;
	uint8_t failed_as;       /* outcome of the call that failed it ... */
	uint32_t failed_edge;    /* ... which was of this edge */
	uint32_t touched;        /* faults that changed it */
	uint32_t point;          /* endpoint; of a database: its index */
	uint32_t pod;            /* SHOP_NONE: at a database */
	uint32_t call, call_gen; /* who asked */
	uint32_t message;        /* index + 1 of what it was delivered by; 0: a request */
	uint8_t replica;         /* of a database; 0: the primary */
	int64_t wrote_ns;        /* when it last wrote to a database; 0: never */
	uint32_t next;           /* in a station's queue */
	int64_t start_ns;
	uint64_t trace_hi, trace_lo, span, parent;
};

struct shop_call_state { /* one attempt of one call, or a customer's request */
	uint32_t gen;
	bool used, queued, connected; /* waits for a connection; has one */
	uint8_t outcome, attempt;
	uint32_t edge, touched;
	uint32_t flow, flow_gen; /* who waits; SHOP_NONE: a customer */
	int64_t start_ns;
	uint64_t span;
};

/* ---- pods ---- */

enum shop_signal { SHOP_SPANS, SHOP_METRICS, SHOP_LOGS, SHOP_SIGNALS };

struct shop_batch {
	struct sim_wire wire;
	uint32_t count;
	uint32_t touched; /* faults that changed a sample in it */
};
struct shop_exporter {
	struct shop_batch ready[SHOP_BATCHES]; /* a ring; metrics use the first only */
	uint32_t first, filled;                /* filled: full batches before the one that grows */
	bool sending;
};

enum shop_pod_state { SHOP_STARTING, SHOP_UP, SHOP_DRAINING, SHOP_DOWN, SHOP_GONE };

struct shop_pool { /* of connections: one process to one database */
	int used, kept;
	uint64_t *line; /* a ring of calls that wait, generation << 32 | index; some have given up */
	uint32_t first, count, cap, queued;
	uint64_t timeouts;
};
struct shop_told { /* of a histogram, by the last export */
	uint64_t count, failed;
	double seconds;
};

struct shop_pod {
	uint32_t gen; /* of the process: rises with each start and end */
	enum shop_pod_state state;
	uint32_t service;
	struct sim_kube_pod kube;
	struct shop_station station;
	bool hung, ready, listed; /* listed: among its service's serving ones */
	int64_t began_ns, up_ns;
	int64_t drained_ns; /* of one that is draining: not before */
	/* of faults, from `has` (harm.c) */
	uint32_t has, error_mask, slow_mask, keep_mask, leak_mask;
	double errors, slow, hog,
		keeps; /* share that fails; factor of work; cores that spin; share that keeps connections */
	bool crashes, unready;
	bool held; /* it is up, and its probe says no */
	double leak_bytes_s, leaked, leak_pace;
	int64_t leak_ns;
	double hog_cpu_s;
	int64_t hog_ns;
	double cpu_debt_s; /* over its quota */
	int64_t cpu_debt_ns;
	struct shop_pool *pools; /* by pool of the service */
	struct shop_told *told_points, *told_calls;
	int64_t told_ns;
	double cpu_s, cpu_told_s; /* used since its start; and when the agent last told */
	int64_t cpu_told_ns;
	int64_t counted_from_ns; /* its SDK's counters; 0: since it began */
	double scraped_s;        /* of the metrics server: CPU seconds, and when, of which process */
	int64_t scraped_ns, scraped_window_ns, scraped_milli;
	uint32_t scraped_gen;
	struct sim_wire resource, agent_resource;
	struct shop_histogram (*served)[3];             /* by endpoint of the service; OK, ERROR, BUSY */
	struct shop_histogram (*called)[SHOP_OUTCOMES]; /* by edge of the service */
	struct shop_exporter exporters[SHOP_SIGNALS];
	uint32_t touched; /* faults that changed a metric point since the last export */
};

struct shop_sending { /* an export under way */
	uint64_t id;
	uint32_t pod, gen; /* pod SHOP_NONE: an agent, or a copy that nobody waits for */
	enum shop_signal signal;
	int attempt;
	bool grpc, copy;
	uint32_t touched;
	int status, grpc_status;
	struct sim_wire body; /* as posted, for the next attempt */
};

struct shop_message { /* between a publisher and a consumer */
	uint32_t gen, edge;
	int attempt;
	bool sampled;
	uint64_t trace_hi, trace_lo, span;
};

struct shop_storm {
	uint32_t fault;
	int64_t trigger_ns; /* until when */
	double pace;        /* of work while it lasts */
	int calm;           /* looks on end at which nobody waited */
	uint8_t attempts;
	uint32_t timers;
};

struct shop {
	const struct shop_world *world;
	struct shop_opts o;
	struct sim_queue *queue;
	struct sim_wire points_wire, metrics_wire; /* of the export in hand */
	struct rng work_rng, route_rng, id_rng, traffic_rng, pod_rng, export_rng, people_rng, fault_rng, disk_rng;
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
	uint32_t fault_bits[SHOP_FAULT_BITS]; /* index + 1 of whose it is */
	int fault_bit;                        /* given last */
	struct shop_storm *storms;
	uint32_t storm_count;
	double rate_factor, noise; /* noise: of the rate's logarithm */
	struct shop_burst {
		double add; /* share of the rate */
		int64_t from_ns, until_ns;
	} burst;
	struct rng life_rng, network_rng;
	struct {
		uint32_t edge;
		int64_t until_ns; /* it runs */
	} * jobs;
	int64_t *skews; /* of the nodes' clocks */
	bool skews_any;
	struct shop_message *messages;
	uint32_t *free_messages, message_count, free_message_count;
	uint64_t threshold; /* of sampling: traces with r below it are left out */
	char tracestate[32];
	struct http_client *client;
	struct shop_sending *sendings;
	uint32_t sending_count, sending_cap;
	struct shop_counts counts;
};

static inline int64_t shop_wall(const struct shop *s, int64_t at_ns) {
	return s->o.epoch.ns + at_ns;
}

/* ---- traffic.c ---- */
void shop_traffic_start(struct shop *s, int64_t calm_ns);
double shop_rate_now(const struct shop *s); /* customers a second */

/* ---- life.c ---- */
void shop_life_start(struct shop *s, int64_t calm_ns);
int64_t shop_next_in_day(struct shop *s, double times_a_day); /* time until the next of them, by chance */
int64_t shop_skew(const struct shop *s, const char *node);    /* of its clock */

/* ---- network.c ---- */
const char *shop_region_of(const struct shop_world *w, const char *region); /* "": home */
bool shop_remote(const struct shop *s, uint32_t service, const char *region);
int64_t shop_network_way(struct shop *s); /* one way, to another region */

/* ---- message.c ---- */
/* `span`: of the publisher. Answers how long it takes until the broker has said that it has it. */
int64_t shop_publish(struct shop *s, uint32_t edge, uint32_t flow, uint64_t span);
void shop_message_ended(struct shop *s, uint32_t message, enum shop_outcome o);
void shop_messages_done(struct shop *s);

/* ---- flow.c ---- */
int64_t shop_way(struct shop *s, const struct shop_edge *e); /* of one message, one way */
void shop_job_call(struct shop *s, uint32_t edge);
void shop_deliver(struct shop *s, uint32_t pod, uint32_t point, uint32_t message);
void shop_customer(struct shop *s);                           /* one more request arrives */
double shop_draw(struct rng *rng, const struct shop_time *t); /* seconds */
void shop_pod_dies(struct shop *s, uint32_t pod);             /* everything at it is reset */
void shop_flows_done(struct shop *s);
uint32_t shop_timer_find(struct shop *s, int64_t timeout_ns);
void shop_call_send(struct shop *s, uint32_t call); /* it has its connection now */

/* ---- pod.c ---- */
struct shop_pod *shop_pod_by_uid(const struct shop *s, const char *uid, uint32_t *index);
void shop_pod_free(struct shop *s, struct shop_pod *p);
void shop_pod_idle(struct shop *s, uint32_t pod);                       /* nothing is under way at it any more */
double shop_pod_memory(const struct shop *s, const struct shop_pod *p); /* bytes, without noise */
/* Factor of its work by the machine's own state: collections near the limit, code not yet warm. */
double shop_pod_pace(const struct shop *s, const struct shop_pod *p);
/* Its process ends by itself. */
void shop_pod_exits(struct shop *s, uint32_t index, const char *reason, int code);
void shop_pod_mended(struct shop *s, uint32_t index); /* nothing keeps it from being ready any more */
void shop_set_listed(struct shop *s, uint32_t pod, bool listed);

/* ---- export.c ---- */
void shop_export_start(struct shop *s, uint32_t pod); /* its timers, with phases of their own */
void shop_export_last(struct shop *s, uint32_t pod);  /* an orderly end sends what is left */
void shop_export_stop(struct shop_pod *p);            /* what was not sent is lost */
void shop_agents_start(struct shop *s);
void shop_add_span(struct shop *s, struct shop_pod *p, const struct shop_span_form *form, const struct shop_span *span,
                   enum shop_outcome o, uint32_t touched);
void shop_add_log(struct shop *s, struct shop_pod *p, const struct shop_log *l, uint32_t touched);
/* Metrics of an agent: whole requests, one after another; takes `body`. */
void shop_send_agent(struct shop *s, struct sim_wire *body, uint32_t touched);
void shop_export_done(struct shop *s);

/* ---- fault.c, fault_table.c ---- */
bool shop_in_processes(enum shop_fault_kind k);
bool shop_in_image(const struct shop_fault *f);
struct shop_fault *shop_fault_of_bit(struct shop *s, int bit); /* NULL: nobody's */
void shop_fault_touched(struct shop *s, uint32_t mask);        /* a sample that they changed was made ... */
void shop_fault_delivered(struct shop *s, uint32_t mask);      /* ... and an export that holds one, acknowledged */
void shop_fault_carriers(struct shop *s); /* processes came or went: which faults has none any more? */
void shop_fault_is_over(struct shop *s, struct shop_fault *f);
/* Of the faults that a process's pod had, those that a new process has; and those of its image. */
uint32_t shop_fault_kept(struct shop *s, const struct shop_pod *p);

/* ---- harm.c ---- */
void shop_harm_pod(struct shop *s, uint32_t index, uint32_t has); /* it has these faults from now on */
double shop_pod_cpu(const struct shop *s, const struct shop_pod *p);
double shop_pod_work(struct shop *s, struct shop_pod *p, double seconds);
void shop_harm_ready(struct shop *s, uint32_t index);
uint32_t shop_harm_of_service(const struct shop *s, uint32_t service);
void shop_harm_database(struct shop *s, uint32_t database);
void shop_harm_links(struct shop *s);
int64_t shop_link_way(struct shop *s, const struct shop_edge *e);
double shop_link_loss(double magnitude);

/* ---- pool.c ---- */
void shop_pool_add(struct shop *s, uint32_t service, struct shop_edge *e);
void shop_pool_forms_done(struct shop_member *m);
void shop_pools_reset(struct shop *s, struct shop_pod *p, bool fresh); /* nothing is under way; fresh: a new process */
void shop_pools_free(struct shop *s, struct shop_pod *p);
bool shop_pool_take(struct shop *s, uint32_t call); /* false: it waits, and is sent when its turn comes */
void shop_pool_give(struct shop *s, const struct shop_call_state *c);
void shop_pool_gave_up(struct shop *s, const struct shop_call_state *c);
void shop_pools_mended(struct shop *s, uint32_t index);
bool shop_pool_is_empty(const struct shop_pool *pool); /* of what could be given */
bool shop_pool_told(const struct shop *s, uint32_t service);
void shop_pool_metrics(struct shop *s, const struct shop_pod *p, struct sim_wire *metrics);
void shop_pool_text(const struct shop *s, const struct shop_pod *p, uint32_t edge, double ms, char *out, size_t n);

/* ---- storm.c ---- */
double shop_work_mean(const struct shop_time *t);
void shop_rates(struct shop *s);
double shop_storm_weight(const struct shop *s, uint32_t service);
double shop_storm_pace(const struct shop *s, const struct shop_fault *f); /* of work at the target now */
void shop_storm_begin(struct shop *s, const struct shop_fault *f);
void shop_storm_end(struct shop *s, const struct shop_fault *f);

/* ---- disk.c: the databases' hosts, and what they say when full ---- */
void shop_disks_start(struct shop *s);
void shop_disk_text(const struct shop *s, uint32_t edge, char *out, size_t n);

/* ---- visible.c ---- */
void shop_visible(struct shop *s, struct shop_fault *f);
void shop_visible_process(struct shop *s, struct shop_pod *p); /* it exports its metrics now */
void shop_visible_agent(struct shop *s, struct shop_pod *p, double cpu_share, double seconds);
void shop_visible_pod(struct shop *s, const struct shop_pod *p);
double shop_usual_seconds(const struct shop *s, const struct shop_edge *e);

/* ---- pod.c ---- */
void shop_watch_memory(struct shop *s, uint32_t index); /* kills it when its leak is full */
void shop_pod_hang(struct shop *s, uint32_t index);
void shop_pod_wake(struct shop *s, uint32_t index); /* it goes on; what it was asked meanwhile is lost */
