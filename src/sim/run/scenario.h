/* Scenarios: a fault rehearsed in the simulated shop, written as people tell an incident.
 *
 *   seed 7                                   # chance; default 1
 *   mode auto                                # observe | approve | auto; default auto
 *   rate 20                                  # requests a second at the shop's door
 *   cold                                     # no warm-up: Flyball starts with the world
 *   for 25m                                  # how long it is played
 *   set handler cooldown 10m                 # one setting of the handler, of policy or of observe
 *   set world telemetry.sampling 10%         # one value of the world (docs/world.md)
 *   at 5m   fault slow_database orders x6 for 10m
 *   at 6m   fault kill after 40 effects      # of Flyball's process: in the midst of a step
 *   at 6m   fault kill after each 20 effects until 7m   # played once for each such moment: all must hold
 *   when dry_run fault kill                  # at its first dry run; `when effect`: at its first effect
 *   at 2m   deploy cart                      # ordinary life; also: drain node-2 for 5m, sleep email for 5m, burst x3
 *                                            # for 5m, gap cart for 1m, reset cart, skew node-1 5s, job nightly
 *   at 7m   approve                          # a person, every action that waits
 *   expect  within 30s cause entity=database/orders kind=latency confidence>=0.5
 *   expect  action rollout_restart target=orders state=verified
 *   never   write
 *   never   two actions on one target within 5m
 *
 * `within` counts from the last `at` above it; without, the whole run. What may be expected: incident cause
 * action resolved escalation approval stale write; conditions: key=value (with * in it), !=, >=, <=. A bare word
 * after `action` is its kind. Pure: sim/run plays it and hands back what the event store holds. */
#pragma once

#include "base/json.h"
#include "sim/run/plan.h"

#define SCENARIO_LINES_MAX      256
#define SCENARIO_CONDITIONS_MAX 8
#define SCENARIO_BYTES_MAX      (64 * 1024)

enum scenario_mode { SCENARIO_AUTO, SCENARIO_APPROVE, SCENARIO_OBSERVE };
enum scenario_when { SCENARIO_DRY_RUN, SCENARIO_EFFECT, SCENARIO_WHENS };

enum scenario_op { OP_IS, OP_IS_NOT, OP_AT_LEAST, OP_AT_MOST };
struct scenario_condition {
	struct str key, value;
	enum scenario_op op;
	double number; /* of AT_LEAST, AT_MOST */
};

enum scenario_word {
	WORD_INCIDENT,
	WORD_CAUSE,
	WORD_ACTION,
	WORD_RESOLVED,
	WORD_ESCALATION,
	WORD_APPROVAL,
	WORD_STALE,
	WORD_WRITE, /* an effect at the API server */
	WORD_TWO_ACTIONS,
	WORDS
};

struct scenario_expect {
	struct str line; /* as written */
	uint32_t number; /* of the line, from 1 */
	bool never;
	enum scenario_word word;
	int64_t from_ns, until_ns; /* since the run began; INT64_MAX: its end */
	int64_t spacing_ns;        /* TWO_ACTIONS */
	struct scenario_condition conditions[SCENARIO_CONDITIONS_MAX];
	size_t condition_count;
};

struct scenario_setting {
	struct str section, key, value; /* "handler" "cooldown" "10m" */
	const char *file;               /* where it stands; NULL: nowhere */
	int line;
};

/* "after each 20 effects until 7m": the scenario is a family, one play for each multiple of 20. It ends with the first
 * in which Flyball died later than that, or not at all. */
struct scenario_each {
	struct plan_step step;
	int64_t effects;  /* 0: there is no such line, the scenario is one play */
	int64_t until_ns; /* since the run began */
};

struct scenario {
	struct str name;
	uint64_t seed;
	enum scenario_mode mode;
	double rate; /* 0: the shop's own */
	bool cold;
	int64_t length_ns;
	struct fault_plan plan;
	struct plan_step when[SCENARIO_WHENS]; /* at_ns < 0: nothing */
	struct scenario_each each;
	struct scenario_setting settings[16];
	size_t setting_count;
	struct scenario_expect *expects;
	size_t expect_count;
};

/* Everything lies in `a` or in `text`. ERR_INVALID: "name:12: ...", with what would be right. ERR_NOMEM. */
MUST_USE enum err scenario_parse(struct arena *a, struct str text, const char *name, struct scenario *out,
                                 struct why *why);

/* A plan as lines of a scenario; parsed again, a drawn plan is the same plan. */
void plan_write(const struct fault_plan *p, struct buf *out);

/* What a run left behind. */
struct scenario_write {
	int64_t at_ns;
	struct str target, key; /* "shop/orders"; the action's key */
};
struct scenario_facts {
	const struct json *events; /* array of CloudEvents, in order */
	int64_t epoch_ns;          /* wall time at which the run began */
	int64_t length_ns;
	const struct scenario_write *writes;
	size_t write_count;
};
/* A line for each `expect` that did not come and each `never` that came. Returns how many. */
size_t scenario_check(const struct scenario *s, const struct scenario_facts *f, struct buf *out);
