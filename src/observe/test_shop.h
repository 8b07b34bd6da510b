/* Test support: a few services that call one another, as telemetry tells of them. Each request is
 * drawn with its own times and failures; every pod exports its spans and metrics in its own rhythm.
 * It is not the simulation of src/sim and shares nothing with it. */
#pragma once

#include "observe/test_world.h"

#define SHOP_SERVICES 12
#define SHOP_PODS     4
#define SHOP_CALLS    5
#define SHOP_DBS      4

struct shop_service {
	const char *name;   /* service.name */
	const char *deploy; /* k8s.deployment.name */
	int pods;
	double self_ms; /* median of its own time */
	int calls[SHOP_CALLS], call_count;
	int db; /* -1: none */
	/* faults */
	double slow;       /* factor on its own time */
	int sick_pod;      /* the one the factor and failures are of; -1: all */
	double fail;       /* share of requests that fail on its own account */
	int dead_pod;      /* calls to it get no answer; -1: none */
	double leak_per_s; /* share of the memory limit */
	bool mute;         /* its telemetry stops, nothing else */
	double link_ms;    /* more time between its callers and it */
	double cpu;        /* share of the limit that it uses; 0: as usual */
	const char *says;  /* what its error lines say; NULL: it writes none */
	int64_t fault_from_ns;
};

struct shop_pod {
	char uid[40], name[48];
	int64_t next_spans_ns, next_metrics_ns, started_ns;
	struct shop_span *spans;
	int span_count, span_cap;
	double leaked;
	bool gone;
	uint64_t hist[16];
	uint64_t hist_bad[16];
	double sum, sum_bad;
	int64_t hist_start_ns;
	uint32_t restarts;
};

struct shop {
	struct test_world *w;
	struct rng rng;
	int count;
	struct shop_service services[SHOP_SERVICES];
	struct shop_pod pods[SHOP_SERVICES][SHOP_PODS];
	int64_t spans_every_ns, metrics_every_ns; /* 0: none of that kind */
	bool request_metrics;                     /* http.server.request.duration, too */
	double weight;                            /* of spans */
	double db_slow[SHOP_DBS];
	double db_fail[SHOP_DBS];
	const char *db_code[SHOP_DBS]; /* db.response.status_code of what fails; NULL: none */
	int job;                       /* the service that a job asks something of its own */
	double job_per_s, job_ms;      /* 0: none runs */
	double per_s;                  /* requests of the first service */
	double rhythm;                 /* how much it swings over a day, 0..1 */
	double tail;                   /* share of requests with a heavy-tailed extra time */
	double fail;                   /* share of requests that fail anywhere */
	double drift;                  /* size of slow common wander of times */
	double wander;
	int64_t at_ns;
	int64_t spans_made;
	struct shop_span *fly; /* spans that end later */
	int fly_count, fly_cap;
};

void shop_init(struct shop *s, struct test_world *w, double per_s);
void shop_done(struct shop *s);
/* Traffic and telemetry until then. */
void shop_run(struct shop *s, int64_t until_ns);
/* Nothing happens and nothing is told until then; the clock is the caller's to move. */
void shop_skip(struct shop *s, int64_t until_ns);
int shop_find(const struct shop *s, const char *name);
/* The orchestrator's word on a pod, a rollout by somebody else. */
void shop_tell_pod(struct shop *s, int service, int pod, bool ready, bool gone, const char *reason);
void shop_tell_change(struct shop *s, int service, const char *by);
/* All pods of the service are replaced. */
void shop_replace(struct shop *s, int service);
