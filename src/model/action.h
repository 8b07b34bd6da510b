/* Actions: what may be done to the infrastructure, to what, and how far it has come. */
#pragma once

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

enum action_kind { ACTION_ROLLOUT_RESTART, ACTION_DELETE_POD, ACTION_ROLLOUT_UNDO, ACTION_SCALE, ACTION_KINDS };
const char *action_kind_name(enum action_kind k); /* "rollout_restart" "delete_pod" "rollout_undo" "scale" */
bool action_kind_parse(struct str s, enum action_kind *out);

/* Where an action acts, as telemetry names it; the executor finds the object. */
struct target {
	struct str service;              /* "payment" */
	struct str namespace_, workload; /* from k8s.* attributes; may be empty */
	struct str workload_kind;        /* "Deployment" where known */
	const struct str *pod_uids;      /* of the service's telemetry; may be none */
	size_t pod_uid_count;
	struct str pod; /* delete_pod: which one; empty: the executor's choice of the sick one */
};

/* `services:` NAME: {namespace, workload, kind} of the configuration: where telemetry does not tell. */
struct service_map {
	struct str service, namespace_, workload, kind;
};

/* What the executor found: the object, its identity, and what it would do. Frozen into the intent. */
struct plan {
	struct str namespace_, kind, name, uid; /* "shop" "Deployment" "payment" */
	struct str mapped_by; /* "k8s.deployment.name", "owner references of pod ...", "services: in the configuration" */
	int64_t generation;   /* at planning time: a recorded precondition, not part of the key */
	struct str resource_version;
	int64_t replicas, pods_ready; /* wanted and ready now */
	int64_t pods_disturbed;       /* how many the action will replace: the blast radius */
	struct str owner;  /* another controller that owns the field ("HorizontalPodAutoscaler/x", "argocd"); empty: none */
	struct str undo;   /* JSON: what to write to get back */
	struct str params; /* JSON: what will be written, fixed now so that repeating it changes nothing */
	struct str summary; /* a sentence: "restart Deployment shop/payment (3 pods, rolling)" */
};

/* The life of an action: a table of allowed moves, checked on each (control/lifecycle.c). */
enum action_state {
	ACTION_TOLD,        /* observe mode: only said; terminal */
	ACTION_REFUSED,     /* a gate denied; terminal */
	ACTION_WAITING,     /* for approval */
	ACTION_CLAIMED,     /* intent, key and undo are durable; nothing was done */
	ACTION_ACTING,      /* the call is out, or may have been */
	ACTION_APPLIED,     /* the effect is confirmed */
	ACTION_VERIFYING,   /* the workload has settled; waiting for the signals */
	ACTION_VERIFIED,    /* the signals are back; terminal */
	ACTION_INEFFECTIVE, /* the signals did not come back in time; terminal */
	ACTION_UNDOING,
	ACTION_UNDONE,  /* terminal */
	ACTION_FAILED,  /* the call was refused for good; nothing changed; terminal */
	ACTION_EXPIRED, /* the approval did not come; terminal */
	ACTION_STATES
};
const char *action_state_name(enum action_state s); /* "told" "refused" "waiting" ...: the name above, small */
bool action_state_parse(struct str s, enum action_state *out);
bool action_state_terminal(enum action_state s);

/* Every gate's answer, in order, in every mode. */
enum gate_verdict { GATE_PASS, GATE_DENY, GATE_WAIT, GATE_NOT_CONFIGURED };
const char *gate_verdict_name(enum gate_verdict v); /* "pass" "deny" "wait" "not_configured" */
bool gate_verdict_parse(struct str s, enum gate_verdict *out);
struct gate_record {
	const char *name;
	enum gate_verdict verdict;
	struct str reason; /* a sentence */
	struct str inputs; /* JSON object: what was looked at */
};

/* The idempotency key: SHA-256, in hex, over "FBAK1", then handler, step, the action's name, target UID
 * and incident, each with its u32 little-endian length before it, then the attempt as i64 little-endian.
 * Equal in every process and version; a change of the rule is a new prefix. See docs/design. */
struct action_key {
	char hex[65];
};
struct action_key_parts {
	struct str handler, step;
	enum action_kind kind;
	struct str target_uid, incident;
	int64_t attempt;
};
struct action_key action_key(const struct action_key_parts *p);

/* ---- the executor: what control is handed as its next ---- */

enum exec_kind { EXEC_PLANNED, EXEC_APPLIED, EXEC_SETTLED, EXEC_UNDONE };

struct exec_done {
	enum exec_kind kind;
	uint64_t tag;
	/* OK; ERR_NOT_FOUND: no target, `why` says why; ERR_CONFLICT: the object is not what was planned
	 * (uid, generation) or belongs to another manager; ERR_DENIED: a right is missing; ERR_UNREACHABLE,
	 * ERR_TIMEOUT, ERR_AGAIN: unknown or throttled, ask again with the same key; ERR_INVALID. */
	enum err err;
	const struct plan *plan; /* PLANNED; lives until the next poll */
	bool repeated;           /* APPLIED: the effect had been there already */
	int64_t settle_ns;       /* SETTLED: how long the rollout took */
	const char *why;
};

struct executor {
	const struct executor_ops *ops;
};

struct executor_ops {
	/* Reads only. `replicas`: the wish of ACTION_SCALE, else 0. */
	enum err (*plan)(struct executor *, enum action_kind, const struct target *, int64_t replicas, uint64_t tag);
	/* Dry run on the server first, then the effect, carrying the key; repeating it with the same key
	 * changes nothing. */
	enum err (*apply)(struct executor *, enum action_kind, const struct plan *, const struct action_key *,
	                  uint64_t tag);
	/* Answers when the rollout has ended (or failed: ERR_TIMEOUT). */
	enum err (*settle)(struct executor *, enum action_kind, const struct plan *, const struct action_key *,
	                   uint64_t tag);
	enum err (*undo)(struct executor *, enum action_kind, const struct plan *, const struct action_key *, uint64_t tag);
	bool (*poll)(struct executor *, struct exec_done *out);
	/* The object that would be acted on for that service, from what is known now: asks nobody, decides nothing. Of
	 * *out only namespace_, kind, name, uid, mapped_by and owner are set; they lie in `a`. ERR_NOT_FOUND, ERR_CONFLICT,
	 * ERR_UNSUPPORTED as PLANNED has them; ERR_AGAIN: not known yet. */
	enum err (*map)(struct executor *, const struct target *, struct arena *a, struct plan *out, struct why *why);
	/* Is what the executor knows fresh enough to act on? False with a sentence. */
	bool (*ready)(struct executor *, struct why *why);
	struct mono (*next_due)(struct executor *);
	void (*close)(struct executor *);
};
