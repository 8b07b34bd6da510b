/* One simulated run: a shop, its cluster and API server, a daemon of Flyball, people; stepped together.
 *
 * Everything happens on one thread, in virtual time, and follows from the options: same options, same
 * run, same trace hash. The shop stands up first; after RUN_SETTLE_NS the daemon starts, and from then
 * on times are counted ("since the run began"). With an image it starts on the disk of a warmed world,
 * at the virtual moment at which that ended. Faults come from a plan; invariants are checked after every
 * step of the daemon. What was true comes from the shop; what Flyball said, from its event store. */
#pragma once

#include "bus/bus.h"
#include "sim/host.h"
#include "sim/kube/server.h"
#include "sim/run/image.h"
#include "sim/run/invariant.h"
#include "sim/run/plan.h"
#include "sim/run/scenario.h"
#include "sim/shop/shop.h"

#define RUN_SETTLE_NS  (90 * NS_PER_SEC)
#define RUN_TRUTHS_MAX PLAN_STEPS_MAX

/* What is broken on purpose, so that a test sees the checkers find it. */
enum run_break {
	BREAK_NOTHING,
	BREAK_APPLY_TWICE, /* the API server does everything twice */
	BREAK_COOLDOWN,    /* the daemon was told a cooldown of 1 s */
	BREAK_BUDGET,      /* the daemon was told a budget without end */
	BREAK_MODE,        /* the daemon runs in auto, the world's owner wanted observe */
	BREAK_FORGERY,     /* somebody writes to the cluster under Flyball's name */
	BREAK_SCALE,       /* somebody scales a Deployment to nothing */
	BREAK_API,         /* the daemon runs without its API */
	BREAK_CONTROL,     /* and without control: events are never taken */
	BREAK_LOG,         /* an entry of the decision log is changed on disk */
	BREAK_ROW,         /* an action's row says that it is half done */
	BREAK_DISK,        /* the daemon's state is overwritten while it is down */
	BREAKS
};

struct run_opts {
	const struct shop_world *world;
	uint64_t seed;
	double rate; /* requests a second, mean over the day; 0: the world's own */
	enum scenario_mode mode;
	const struct scenario_setting *settings; /* of handlers, policy, observe: over the usual ones */
	size_t setting_count;
	const struct fault_plan *plan; /* NULL: nothing happens */
	const struct plan_step *when;  /* SCENARIO_WHENS of them; NULL: none */
	const struct run_image *image; /* NULL: cold; borrowed for run_open only */
	bool alarms;                   /* the alarms of today listen too (sim/baseline) */
	enum run_break broken;
	const struct sim_program *guest; /* on a host of its own, which can reach Flyball's API; NULL: none */
	void *guest_self;
};

struct run;

/* ERR_INVALID: a setting, or a step's target that the world has not. */
MUST_USE enum err run_open(const struct run_opts *o, struct run **out, struct why *why);
/* Goes on until `at_ns` since the run began. False: an invariant broke. */
bool run_until(struct run *r, int64_t at_ns);
/* Customers and telemetry end, faults too; the daemon gets time to finish what it holds. */
bool run_drain(struct run *r);
void run_close(struct run *r); /* takes NULL */

/* Virtual time since the run began; its beginning in the world's own time; the wall time of that. */
int64_t run_now(const struct run *r);
int64_t run_begin(const struct run *r);
struct wall run_epoch(const struct run *r);
uint64_t run_trace(const struct run *r);
/* The last lines of the world's story and of the daemon's log, oldest first. */
void run_story(const struct run *r, struct buf *out);
struct invariants *run_invariants(struct run *r);

/* A fault of the shop, as it was planned and as it went; times since the run began, -1: not (yet). */
struct run_truth {
	enum plan_kind kind;
	const struct shop_fault *fault;
	const char *target; /* "payment", "orders-db" */
	char entity[80];    /* "service/payment", "database/orders-db" */
	const char *causes; /* kinds that a right answer names, joined by '|' */
	int64_t onset_ns, touched_ns, visible_ns, delivered_ns, over_ns; /* of struct shop_fault */
};
size_t run_truths(const struct run *r, struct run_truth out[RUN_TRUTHS_MAX]);
/* The other name by which it may go: a database's namespace, the other end of a link. Empty: there is none. */
void run_alias(const struct run *r, const struct run_truth *truth, char *out, size_t n);
/* Is `entity` the target, or a service that calls it, over any number of others? */
bool run_touches(const struct run *r, const struct run_truth *truth, struct str entity);

struct run_counts {
	uint64_t events;               /* moments of the world */
	int64_t faults[PLAN_FAULTS];   /* that came to pass */
	int64_t starts, failed_starts; /* of the daemon */
	int64_t died_ns;               /* its last death, since the run began; -1: none */
	struct shop_counts shop;
	struct sim_kube_server_counts server;
};
struct run_counts run_counted(const struct run *r);

struct run_alarm {
	int64_t at_ns;
	bool minute; /* of the one-minute alarms; else the ten-second ones */
	char service[64], signal[32];
};
const struct run_alarm *run_alarms(const struct run *r, size_t *count);
/* The mean rate that the world's alarms receiver saw of a service; NaN without alarms. */
double run_rate_of(const struct run *r, const char *service);

/* ---- what Flyball wrote down ---- */

struct run_item {
	struct str key, value;
};
struct run_dead {
	struct str queue, reason, event;
};
struct run_record {
	const struct json *events; /* array of CloudEvents in order of arrival, from the run's beginning on */
	size_t event_count;
	const struct run_dead *dead;
	size_t dead_count;
	int64_t waiting, in_flight;   /* on every queue */
	const struct run_item *items; /* the state store, all of it, in order of keys */
	size_t item_count;
	const struct str *heads; /* of the decision log, as they were published: "SEQ:HASH" */
	size_t head_count;
};
/* Stops the daemon and reads its store by the product's own interfaces; everything lies in `a`. */
MUST_USE enum err run_read(struct run *r, struct arena *a, struct run_record *out, struct why *why);
/* The daemon's files (state.db, bus.db) into a real directory; the daemon was stopped. */
MUST_USE enum err run_export(struct run *r, struct disk *disk, const char *directory, struct why *why);
/* The disk and the alarms' thresholds, for runs that begin here. The daemon is flushed and stopped. */
MUST_USE enum err run_image_take(struct run *r, struct run_image *out, struct why *why);
