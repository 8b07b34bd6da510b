/* One simulated run: a shop, its cluster and API server, a daemon of Flyball, people; stepped together.
 *
 * Everything happens on one thread, in virtual time, and follows from the options: same options, same
 * run, same trace hash. The shop stands up first; after RUN_SETTLE_NS the daemon starts, and from then
 * on times are counted ("since the run began"). With an image it starts on the disk of a warmed world, at
 * the virtual moment at which that ended. Faults come from a plan; invariants are checked after every
 * step of the daemon. What was the truth comes from the shop; what Flyball said, from its event store. */
#pragma once

#include "sim/invariant.h"
#include "sim/kube.h"
#include "sim/plan.h"
#include "sim/scenario.h"
#include "sim/shop.h"

#define RUN_SETTLE_NS (90 * NS_PER_SEC)

enum run_mode { RUN_AUTO, RUN_APPROVE, RUN_OBSERVE };

struct run_image;

struct run_opts {
	const struct shop_world *world;
	uint64_t seed;
	double rate; /* requests a second, mean over the day; 0: the world's own */
	enum run_mode mode;
	const struct scenario_setting *settings; /* of handlers, policy, observe: over the usual ones */
	size_t setting_count;
	const struct plan *plan;         /* NULL: nothing happens */
	const struct plan_step *when;    /* SCENARIO_WHENS of them; NULL: none */
	const struct run_image *image;   /* NULL: cold */
	bool alarms;                     /* the alarms of today listen too (sim/baseline) */
	bool deployments;                /* people deploy, as the world says */
	bool checks;                     /* invariants */
	struct invariant_breaks breaks;  /* breaks the world on purpose, for tests of the checkers */
};

struct run;

MUST_USE enum err run_open(const struct run_opts *o, struct run **out, struct why *why);
/* Goes on until `at_ns` since the run began, or until an invariant broke (false). */
bool run_until(struct run *r, int64_t at_ns);
/* Customers and telemetry end; the daemon gets time to finish what it holds. */
bool run_drain(struct run *r);
void run_close(struct run *r); /* takes NULL */

/* Virtual time since the run began; the wall time at which it began. */
int64_t run_now(const struct run *r);
struct wall run_epoch(const struct run *r);
uint64_t run_trace(const struct run *r);
/* The last lines of the world's story and of the daemon's log. */
void run_story(const struct run *r, struct buf *out);
const struct invariants *run_invariants(const struct run *r);

/* A fault of the shop, as it was planned and as it went. */
struct run_truth {
	const struct shop_fault *fault;
	const char *target;  /* "payment", "orders-db" */
	bool database;
	int64_t onset_ns, visible_ns, delivered_ns, over_ns; /* since the run began; -1: not yet */
	double magnitude;
};
size_t run_truths(const struct run *r, struct run_truth *out, size_t max);
/* Is `service` the target, or does it call it, over any number of others? */
bool run_touched(const struct run *r, const struct run_truth *truth, struct str service);
const struct shop_counts *run_shop_counts(const struct run *r);
/* Requests a second that the service served in the minute before `at_ns`... of its pods' own counting. */
double run_rate_of(const struct run *r, const char *service);

struct run_counts {
	int64_t events;            /* moments of the world */
	int64_t faults[PLAN_FAULTS]; /* that came to pass */
	int64_t starts;            /* of the daemon */
	int64_t failed_starts;
};
struct run_counts run_counted(const struct run *r);

struct run_alarm { /* of today's alarms */
	int64_t at_ns;
	int kind; /* 0: one minute, 1: ten seconds */
	const char *service, *signal;
};
const struct run_alarm *run_alarms(const struct run *r, size_t *count);
const struct sim_kube_effect *run_effects(const struct run *r, size_t *count);

/* ---- what Flyball wrote down ---- */

struct run_item {
	struct str key, value;
};
struct run_record {
	const struct json *events; /* array of CloudEvents in order of arrival, from the run's beginning on */
	size_t event_count;
	struct bus_dead { struct str queue, reason, event; } *dead;
	size_t dead_count;
	int64_t waiting, in_flight; /* on every queue */
	struct run_item *items;     /* the state store, all of it, in order of keys */
	size_t item_count;
};
/* Stops the daemon and reads its store by the product's own interfaces; everything lies in `a`. */
MUST_USE enum err run_read(struct run *r, struct arena *a, struct run_record *out, struct why *why);
/* The daemon's files (state.db, bus.db) into a real directory. */
MUST_USE enum err run_export(struct run *r, struct disk *disk, const char *directory, struct why *why);
