/* The gates: every question that is asked before an action, in DESIGN's order, all of them, in every
 * mode, each with its answer on record.
 *
 * One table (gates.c); a gate is a pure function of the facts. Deny: refused, try something else.
 * Wait: look again when time or the world allows. Only when neither was said does the mode decide
 * whether the action is done, asked for or only told, so that `observe` learns every answer that
 * `auto` would have had. A gate may also be not configured; it then neither denies nor waits.
 * Cost: microseconds, no I/O; what needs a look-up (the key) was looked up before. */
#pragma once

#include "control/cause.h"
#include "control/history.h"

enum gate {
	GATE_PAUSED_OR_MAINTENANCE,
	GATE_POLICY,
	GATE_OWNERSHIP,
	GATE_DATA_QUALITY,
	GATE_IDEMPOTENCY_KEY,
	GATE_CIRCUIT_BREAKER,
	GATE_BLAST_RADIUS_BUDGET,
	GATE_ATTEMPTS_COOLDOWN_RATE,
	GATE_ARBITRATION,
	GATE_MODE,
	GATES
};
const char *gate_name(enum gate g); /* "paused_or_maintenance" ... "mode" */

enum gates_decision { GATES_DO, GATES_ASK, GATES_TELL, GATES_REFUSE, GATES_WAIT, GATES_DECISIONS };
const char *gates_decision_name(enum gates_decision d); /* "do" "ask" "tell" "refuse" "wait" */
bool gates_decision_parse(struct str s, enum gates_decision *out);

/* An operator's pause. Scope: empty is everything, else "service/NAME", "namespace/NAME",
 * "handler/NAME"; a bare NAME is a namespace; NAME a glob. */
struct pause {
	struct str scope, by, why;
	struct wall until; /* ns 0: until taken back */
};

struct gate_facts {
	struct wall wall;
	struct mono now;
	const struct control_policy *policy;
	const struct handler *handler;
	enum cause_kind cause;
	const struct target *target;   /* as telemetry names it */
	const struct plan *plan;       /* NULL: no executor is configured */
	const struct quality *quality; /* of the report */
	struct str stale;              /* signals of the target that are stale now, "rate, errors"; empty: none */
	bool executor_ready;           /* what it knows is fresh enough to act on */
	const char *executor_why;      /* not ready: the reason */
	const struct pause *pauses;
	size_t pause_count;
	const char *key;       /* hex */
	struct str key_holder; /* the action that holds the key already; empty: nobody */
	const struct history *history;
	struct history_where where;        /* history's names for the object */
	struct str incident, action;       /* action: the one that asks */
	int64_t attempt, handler_attempts; /* this one's number; how many this handler has had in the incident */
	struct str approved_by;            /* a person (or "default") said yes; empty: nobody yet */
};

struct gates_result {
	struct gate_record gates[GATES];
	enum gates_decision decision;
	enum gate by;       /* REFUSE, WAIT: the first that said so */
	int64_t look_in_ns; /* WAIT: when to look again at the latest */
};

/* Reasons and inputs lie in `a`. ERR_NOMEM is the only error. */
MUST_USE enum err gates_evaluate(struct arena *a, const struct gate_facts *f, struct gates_result *out);
bool pause_covers(const struct pause *p, struct wall now, struct str handler, struct str namespace_,
                  struct str service);
/* Ready pods that the action takes away without a rollout's care for availability. */
int64_t gates_lost(enum action_kind kind, const struct plan *plan, int64_t replicas_by);
