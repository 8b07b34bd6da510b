/* A host: a machine of the simulated world with one program on it, and every port that the program sees.
 *
 * The program is stepped when a message came for it, a job of its ended, or its own time has come; it
 * takes no virtual time. It may die at any port call (the fuse, sim/fuse.h) and be started again on what its
 * disk kept. Hosts live as long as their world; a program's object lives from start to stop. */
#pragma once

#include "base/list.h"
#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/fuse.h"
#include "sim/http.h"
#include "sim/jobs.h"
#include "sim/process.h"
#include "world/world.h"

#define SIM_LOG_LINES 128

struct sim_host;

/* What runs on a host: the daemon, the simulated Kubernetes server, a receiver of telemetry. */
struct sim_program {
	enum err (*start)(void *self, struct sim_host *host, struct why *why);
	bool (*step)(void *self); /* false: nothing is ready */
	struct mono (*next_due)(void *self);
	void (*stop)(void *self); /* frees it; what it still does to its ports has no effect after a crash */
};

struct sim_log {
	struct log log;
	struct sim_trace *trace;
	const struct sim_queue *queue;
	uint64_t lines; /* ever written */
	char (*kept)[TRACE_LINE_MAX];
	uint64_t by_level[4];
};

struct sim_counts {                    /* faults that came to pass, by host */
	int64_t killed, power_lost, named; /* `named`: FAULT() said yes */
};

struct sim_host {
	char name[48];
	struct sim_queue *queue;
	struct sim_trace *trace;
	struct world world;
	struct sim_clock clock;
	struct sim_disk disk;
	struct sim_jobs jobs;
	struct sim_ports ports;
	struct sim_process process;
	struct sim_log log;
	struct sim_fuse fuse;
	struct net net; /* TCP: nothing in this world listens */
	struct rng rng;
	const struct sim_program *program;
	void *self; /* the program's */
	bool up, stepping, step_asked;
	uint64_t due_at; /* generation of the alarm that counts */
	int64_t due_ns;
	uint64_t steps;
	double fault; /* probability that FAULT() says yes; 0: never */
	struct sim_counts counts;
	/* Called after each round of steps, with nothing of the program running: the checkers' place. */
	void (*looked)(void *self, struct sim_host *host);
	void *looked_self;
};

struct sim_host_opts {
	const char *name;
	struct sim_queue *queue;
	struct sim_trace *trace;
	struct sim_web *web;
	uint32_t number; /* in the network */
	struct wall epoch;
	struct rng rng;
	const struct sim_program *program;
	void *self;
};

void sim_host_init(struct sim_host *h, const struct sim_host_opts *o);
void sim_host_done(struct sim_host *h);
MUST_USE enum err sim_host_start(struct sim_host *h, struct why *why);
/* An orderly end. */
void sim_host_stop(struct sim_host *h);
/* Now, or after `effects` more calls of its ports (0: now). Power loss costs what was not synced. */
void sim_host_crash(struct sim_host *h, bool power_loss);
void sim_host_crash_after(struct sim_host *h, int64_t effects, bool power_loss);
/* Steps the program at this moment, once what runs now has returned. */
void sim_host_wake(struct sim_host *h);
/* The kept log lines, oldest first. */
void sim_host_log(const struct sim_host *h, struct buf *out);
