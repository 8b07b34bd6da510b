/* Between the files of a run. */
#pragma once

#include "daemon/daemon.h"
#include "ingest/ingest.h"
#include "sim/kube/server.h"
#include "sim/run/baseline.h"
#include "sim/run/run.h"

#define RUN_STATE_DIR  "var/lib/flyball"
#define RUN_TOKEN      "the token of the simulated people"
#define RUN_HEADS_MAX  512
#define RUN_ALARMS_MAX 4096

/* Flyball on its host (daemon.c). */
struct run_daemon {
	struct run *run;
	struct arena arena;
	struct config config;
	struct daemon *daemon;
	struct log *log; /* the host's; ours stands before it */
	struct log tap;
};

/* The shop's exporters (shop.c has nothing to decide). */
struct run_shop {
	struct run *run;
	struct sim_host *host;
	struct http_clients tapped;
	bool alive;
};

/* People: they look whether Flyball answers, and say yes or no when the plan says so (people.c). */
struct run_people {
	struct run *run;
	struct sim_host *host;
	struct http_client *client;
	uint64_t probe, list; /* exchanges; 0: none */
	int status;
	struct buf body;
	int64_t asked_ns, next_ns;
	int64_t starts; /* of the daemon, when the probe went out; and what had changed outside */
	uint64_t changes;
	bool approve, reject;
};

/* The alarms of today: a receiver of the same metrics (alarms.c). */
struct run_receiver {
	struct run *run;
	struct sim_host *host;
	struct ingest *ingest;
	struct batch_sink sink;
	struct baseline *minute, *tens;
	void *rest; /* alarms.c's own */
};

enum { RUN_FLYBALL, RUN_KUBE, RUN_SHOP, RUN_PEOPLE, RUN_RECEIVER, RUN_GUEST, RUN_HOSTS };

struct run {
	struct run_opts o;
	struct arena arena;
	struct shop_world world; /* with the options' rate */
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_net net;
	struct sim_web *web;
	struct sim_kube *kube;
	struct sim_kube_server server;
	struct sim_kube_user user;
	struct shop *shop;
	struct sim_host host[RUN_HOSTS];
	struct run_daemon daemon;
	struct run_shop exporters;
	struct run_people people;
	struct run_receiver receiver;
	struct invariants *checks;
	struct wall epoch; /* of the queue's zero */
	int64_t begin_ns;  /* in the queue's time */
	struct str config; /* YAML */
	struct fault_plan plan;
	struct plan_step when[SCENARIO_WHENS];
	struct {
		enum plan_kind kind;
		const struct shop_fault *fault;
	} faults[RUN_TRUTHS_MAX];
	size_t fault_count;
	int64_t came[PLAN_FAULTS];
	int64_t starts, failed_starts;
	int64_t writes_seen, dry_runs_seen;
	bool draining, stopped;
	int64_t died_ns; /* its last death, in the queue's time; -1: none */
	int64_t down_ns; /* how long Flyball stays down once it is dead */
	int64_t deployments;
	struct rng rng;
	struct sim_link link; /* of Flyball's host, as faults left it */
	int64_t skewed_ns;    /* what its clock was off by before a clock_skew */
	struct {
		bool on;
		uint32_t generation;
	} condition[PLAN_FAULTS];
	int conditions;             /* that are on */
	uint64_t condition_changes; /* ever begun or ended */
	struct str heads[RUN_HEADS_MAX];
	size_t head_count;
	struct run_alarm alarms[RUN_ALARMS_MAX];
	size_t alarm_count;
};

/* ---- run.c ---- */
/* Now, or after so many effects of its own; it is started again after `down_ns`. */
void run_flyball_dies(struct run *r, int64_t effects, bool power_loss);
/* ---- break.c ---- */
void run_break_begin(struct run *r);
/* ---- config.c ---- */
MUST_USE enum err run_config(struct arena *a, const struct run_opts *o, struct str *yaml,
                             struct invariant_limits *limits, struct why *why);
/* ---- daemon.c ---- */
extern const struct sim_program run_daemon_program;
void run_daemon_begin(struct run *r);           /* puts in place what it needs, and starts it */
void run_daemon_start(void *run, uint64_t arg); /* a moment of the queue: again after a crash */
/* ---- shop.c, people.c, alarms.c ---- */
extern const struct sim_program run_shop_program, run_people_program, run_receiver_program;
void run_people_answer(struct run *r, bool approve);
void run_receiver_save(const struct run *r, struct buf *out);
MUST_USE enum err run_receiver_load(struct run *r, struct str bytes, struct why *why);
void run_receiver_done(struct run *r); /* takes one that was never begun */
/* ---- carry_out.c ---- */
MUST_USE enum err run_plan_begin(struct run *r, struct why *why);
void run_plan_step(struct run *r, const struct plan_step *s);
void run_plan_calm(struct run *r); /* every condition of the outside ends */
/* After a round of steps of the API server: the plan's `when`, and what was asked of it. */
void run_plan_served(struct run *r);
