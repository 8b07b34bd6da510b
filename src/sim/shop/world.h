/* The simulated world as data: services and what they call, databases, customers, telemetry, people.
 *
 * Nothing here is resolved: who is meant is said by name, as people write it. A world is the built-in one, or lies
 * in an arena; it is read-only once it runs, and outlives whatever runs it. Times: seconds, or nanoseconds where the
 * name says so. */
#pragma once

#include "base/clock.h"

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
	const char *queue;         /* by a message queue of that name: the caller does not wait; NULL, "": at once */
	double cache_hits;         /* so often a cache in the caller's process answers, once that is warm */
	int copies;                /* so many of it at once; 0: 1 */
	int line;                  /* of its file; 0: built in */
};
struct shop_endpoint {
	const char *name; /* "GET /product/{id}" */
	struct shop_time work;
	double errors; /* share that fails by itself */
	const struct shop_call *calls;
	size_t call_count;
	int line;
};
struct shop_autoscale { /* by a HorizontalPodAutoscaler, not by us */
	int least, most;    /* most 0: none */
	double cpu;         /* target, share of the limit */
};
struct shop_sleep {     /* scaled to zero */
	double from, until; /* hours of the day, UTC; equal: never */
};
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
	const char *max_surge;            /* "100%" or "2"; NULL or empty: what Kubernetes does without, 25% */
	const char *max_unavailable;      /* likewise */
	bool grpc;                        /* exports over gRPC; else OTLP/HTTP */
	bool old_names;                   /* writes db.system instead of db.system.name */
	bool by_pod_only;                 /* its resource names the pod's UID, and no workload */
	bool no_spans, no_metrics, no_logs;
	const char *region; /* NULL, "": the first */
	struct shop_autoscale autoscale;
	struct shop_sleep sleep;
	const struct shop_endpoint *endpoints;
	size_t endpoint_count;
	int line;
};
struct shop_database {
	const char *name, *system, *namespace_; /* server.address; "postgresql"; db.namespace */
	int servers;                            /* statements worked on at once */
	int queue_max;
	struct shop_time work;
	int replicas;   /* that are read from, beside the primary */
	int64_t lag_ns; /* so far they are behind: who has written reads from the primary for that long */
	const char *region;
	int line;
};
struct shop_region {
	const char *name;
	int line;
};
struct shop_job { /* load of its own, at its hours: a CronJob */
	const char *name, *service, *endpoint;
	int64_t every_ns, first_ns; /* counted from midnight, UTC */
	int64_t length_ns;
	double rate; /* requests a second */
	int line;
};
struct shop_campaign { /* customers come because they were told to */
	const char *name;
	int day; /* of the week, Monday 1; 0: every day */
	double hour;
	int64_t length_ns, ramp_ns;
	double factor;
	int line;
};
struct shop_harm {      /* how a kind of fault is here */
	const char *kind;   /* "memory-leak" */
	double least, most; /* its magnitude; most 0: as everywhere */
	bool possible;
	const char *at; /* services, or databases, by comma; NULL, "": wherever it can be */
	int line;
};
struct shop_entry { /* what customers do */
	const char *service, *endpoint;
	double weight;
	int line;
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
	double rate;                    /* requests a second at the entry, mean over the day */
	double daily;                   /* amplitude of the daily rhythm, share of the mean */
	double peak_h;                  /* hour of its peak, UTC */
	double weekend;                 /* the rate of Saturdays and Sundays, share of a weekday's; 0: 1 */
	double noise;                   /* sd of the slow noise of the rate's logarithm */
	double noise_df;                /* its degrees of freedom (Student's t): the fewer, the heavier; 0: normal */
	double bursts_day;              /* nobody announced them */
	double burst_size, burst_alpha; /* 1 + size times a Pareto of that exponent, at most 20 */
	int64_t burst_ns;               /* mean length */
	const struct shop_campaign *campaigns;
	size_t campaign_count;
	const struct shop_job *jobs;
	size_t job_count;
	const struct shop_harm *faults; /* of kinds that are not as everywhere */
	size_t fault_count;
	const struct shop_region *regions; /* none: nothing is remote */
	size_t region_count;
	double network_delay, network_jitter, network_loss; /* between regions, one way: seconds, sigma, share */
	int nodes;
	/* ordinary life, a day, over everything */
	double deployments_day, drains_day;
	int64_t drain_ns; /* a node is away for so long */
	/* telemetry */
	int64_t span_ns, metric_ns, log_ns, agent_ns; /* export intervals; agent: the node's */
	double sampling;                              /* share of traces that are exported */
	bool no_threshold; /* spans do not say it (tracestate "ot=th:..."), as older SDKs do not */
	double info_logs;  /* lines a request at level INFO */
	double gaps_day;   /* a service's telemetry is lost for a while */
	int64_t gap_ns;
	double resets_day; /* an SDK begins anew in a process that goes on: counters from zero */
	int64_t skew_ns;   /* sd of the nodes' clocks */
	int64_t customer_timeout_ns;
	int customer_retries;
};
/* 15 services, 3 databases. */
extern const struct shop_world shop_builtin;

/* Does a statement change something, so that it needs the primary, and room on its disk? By its first word. */
bool shop_statement_writes(const char *statement);
/* Does the service `from` call `to` (a service or database), over any number of others? Itself: yes. */
bool shop_world_reaches(const struct shop_world *w, const char *from, const char *to);
