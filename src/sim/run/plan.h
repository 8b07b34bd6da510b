/* What happens to a world during one run: faults of the shop and of the outside, ordinary life, people.
 *
 * One table says what there is, in which units, how often a drawn plan holds it and how hard. A plan is
 * a list of steps in order of time: drawn from a seed (`simulate`, experiments) or written down (a
 * scenario). Pure: sim/run carries it out. */
#pragma once

#include "base/json.h"
#include "base/rng.h"
#include "base/str.h"

enum plan_kind {
	/* the shop's faults: target, magnitude */
	PLAN_MEMORY_LEAK, /* in the order of enum shop_fault_kind */
	PLAN_CPU_HOG,
	PLAN_SLOW_DATABASE,
	PLAN_ERROR_BURST,
	PLAN_POOL_EXHAUSTED,
	PLAN_DEAD_POD,
	PLAN_BAD_DEPLOYMENT,
	PLAN_SLOW_LINK,
	PLAN_FULL_VOLUME,
	PLAN_RETRY_STORM,
	/* the outside's: Flyball's host, the network, the API server */
	PLAN_KILL,
	PLAN_RESTART_STORM,
	PLAN_POWER_LOSS,
	PLAN_TORN_WRITE,
	PLAN_LOSS,
	PLAN_DUPLICATE,
	PLAN_REORDER,
	PLAN_DELAY,
	PLAN_CUT,
	PLAN_PARTITION,
	PLAN_SLOW_DISK,
	PLAN_FULL_DISK,
	PLAN_LOST_SYNC,
	PLAN_CLOCK_STEP,
	PLAN_CLOCK_SKEW,
	PLAN_API_RESTART,
	PLAN_API_SLOW,
	PLAN_API_FAILING,
	PLAN_API_FORGETFUL,
	PLAN_API_STALE,
	PLAN_API_THROTTLED,
	PLAN_API_COMPACT,
	PLAN_FAULTS, /* how many are faults: what follows is ordinary life, and people */
	PLAN_DEPLOYMENT = PLAN_FAULTS,
	PLAN_DRAIN, /* target: a node */
	PLAN_SLEEP,
	PLAN_BURST,
	PLAN_GAP,
	PLAN_RESET,
	PLAN_SKEW, /* target: a node */
	PLAN_JOB,  /* target: a job */
	PLAN_APPROVE,
	PLAN_REJECT,
	PLAN_KINDS
};
#define PLAN_SHOP_FAULTS (PLAN_RETRY_STORM + 1)

static inline bool plan_is_life(enum plan_kind k) {
	return k >= PLAN_DEPLOYMENT && k <= PLAN_JOB;
}

enum plan_unit {
	PLAN_NOTHING,
	PLAN_FACTOR,  /* "x6" */
	PLAN_SHARE,   /* "40%": 0..1 */
	PLAN_SECONDS, /* "20m" */
	PLAN_TIMES,   /* "12": whole */
};

struct plan_info {
	const char *name;
	enum plan_unit unit;
	double often;       /* of a drawn plan of half an hour: expected steps */
	double least, most; /* magnitude, drawn evenly in its logarithm; 0 of a shop's fault: shop_fault_infos */
	double seconds_min, seconds_max; /* how long it lasts; both 0: a moment, or until it is cured */
	const char *help;
};
extern const struct plan_info plan_table[PLAN_KINDS];

struct plan_step {
	int64_t at_ns; /* since the run began */
	enum plan_kind kind;
	char target[80];  /* a service or database of the shop, "a>b" of a link; empty: drawn by the shop, or none is needed
	                   */
	double magnitude; /* in the kind's unit; 0 of a shop's fault: drawn by the shop */
	unsigned form;    /* BAD_DEPLOYMENT: bits of enum shop_form; 0: drawn by the shop */
	int64_t for_ns;   /* 0: a moment, or until it is cured */
	int64_t effects;  /* deaths: after so many more effects of the process; 0: at once */
};
#define PLAN_STEPS_MAX 256
struct fault_plan {
	struct plan_step steps[PLAN_STEPS_MAX];
	size_t count;
};

/* A set of kinds: bit k for kind k. */
typedef uint64_t plan_mask;
_Static_assert(PLAN_FAULTS < 64, "a fault is a bit of a plan_mask");
#define PLAN_ALL ((plan_mask)((UINT64_C(1) << PLAN_FAULTS) - 1))

const char *plan_fault_nearest(struct str name);
/* "all", "none", or names joined by commas, into a bit per fault. ERR_INVALID: names the nearest. */
MUST_USE enum err plan_faults_parse(struct str text, plan_mask *out, struct why *why);
/* Flyball dies of it, after the step's number of effects. */
bool plan_is_death(enum plan_kind k);
bool plan_kind_parse(struct str name, enum plan_kind *out);
/* What is bad about a deployment: "slow", "failing", "crashing", "unready", or some of them joined by '+'. */
bool plan_form_parse(struct str text, unsigned *out);
/* The faults for `--faults list`: an array of {name, where, unit, what}. */
void plan_faults_list(struct json_out *o);

/* Draws a plan of the faults in `mask` for a run of `length_ns`. Nothing begins in the first minute, nor in
 * the last fifth, so that what was begun can be seen to end. */
void plan_draw(struct fault_plan *p, struct rng rng, plan_mask mask, int64_t length_ns);
/* Keeps the order of time; equal times keep the order of adding. False: full. */
bool plan_add(struct fault_plan *p, const struct plan_step *step);
/* "slow_database orders x6 for 5m": as a scenario's line says it, and to the full when it was drawn. */
void plan_step_text(const struct plan_step *s, char *out, size_t n);
