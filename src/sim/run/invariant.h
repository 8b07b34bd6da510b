/* What must hold in every world, under every fault, looked at after every step of a daemon.
 *
 * The checkers count for themselves, at the simulated API server and in the event store, and believe
 * nothing that Flyball says of itself; what is allowed they are told by the world's owner (struct
 * invariant_limits). The first broken one stops the run. Thread: the world's. */
#pragma once

#include "base/list.h"
#include "sim/kube/kube.h"

/* `disk`: it rests on what a disk said it had made durable. When the disk has lied of that and the power went,
 * it is not looked at any more: what was written nowhere nobody can remember. */
#define INVARIANT_TABLE(X)                                                                                      \
	X(ONE_EFFECT, "one_effect", false, "one effect at most for each incident, action, target and attempt")      \
	X(COOLDOWN, "cooldown", true, "no two actions on one target within its cooldown")                           \
	X(BUDGET, "budget", true, "no more pods replaced within the window than the budget allows")                 \
	X(OBSERVE, "observe", false, "nothing is asked of the API server in observe mode but to read")              \
	X(INTENT, "intent", true, "no effect without an intent that was durable before")                            \
	X(REPLICAS, "replicas", false, "replicas within limits")                                                    \
	X(ANSWERS, "answers", true, "the daemon's API answers while it is up and can be reached")                   \
	X(HANDLED, "handled", true, "every event is handled, or lies with the dead letters and a reason")           \
	X(CHAIN, "chain", true, "the decision log is whole, from its first entry to every head that was published") \
	X(RESTARTS, "restarts", true, "the daemon starts again on what its disk kept")                              \
	X(ENDS, "ends", true, "no action stays half done once the world is quiet")

enum invariant {
#define X(name, word, disk, text) INVARIANT_##name,
	INVARIANT_TABLE(X)
#undef X
		INVARIANTS
};
const char *invariant_name(enum invariant i);
const char *invariant_text(enum invariant i);

struct invariant_limits {
	bool observe;
	int64_t cooldown_ns;
	int64_t budget_pods, budget_window_ns;
	int replicas_min, replicas_max; /* added to what each Deployment began with; min is <= 0 */
};

#define INVARIANT_EFFECTS_MAX 4096 /* of Flyball's, in one run */
struct invariant_effect {
	int64_t at_ns;
	char target[200]; /* "shop/orders": the Deployment, of a deleted pod too */
	char key[160], uid[37];
	int pods;                      /* that it replaces or takes away */
	int64_t wall_ahead_ns, starts; /* as they were */
	bool undo;
};

struct invariants {
	struct invariant_limits limits;
	int broken; /* an enum invariant; -1: none */
	int64_t broken_at_ns;
	/* Set by whoever sees it, before each look. After a restart the wall clock alone tells how long ago something was:
	 * what it gained meanwhile is not missed. */
	bool betrayed;         /* by the disk */
	int64_t wall_ahead_ns; /* of the truth, on the daemon's host */
	int64_t starts;        /* of the daemon */
	char why[400];
	struct invariant_effect effects[INVARIANT_EFFECTS_MAX];
	size_t effect_count, effects_seen; /* seen: of the server's list */
	uint64_t version_seen;             /* of the cluster */
	uint64_t deployments_seen;         /* version of their newest change */
	struct {
		char name[200];
		int replicas;
	} workloads[1024]; /* as they began, or as other controllers left them */
	size_t workload_count;
	int64_t probes, answers;
};

void invariants_init(struct invariants *v, const struct invariant_limits *limits);
/* Remembers what each Deployment began with. */
void invariants_begin(struct invariants *v, const struct sim_kube *kube);
/* New effects and replicas, at this moment. Cheap when nothing happened. */
void invariants_look(struct invariants *v, const struct sim_kube *kube, int64_t now_ns);
/* Flyball asked the API server for something else than to read. */
void invariants_write_asked(struct invariants *v, int64_t now_ns, const char *what);
void invariants_break(struct invariants *v, enum invariant i, int64_t now_ns, const char *fmt, ...) PRINTF(4, 5);

struct run_record;
/* What the store says at the end: intents, events, queues, chain. `heads`: "SEQ:HASH" as they were published. */
void invariants_record(struct invariants *v, const struct run_record *rec, const struct str *heads, size_t head_count,
                       int64_t now_ns);
