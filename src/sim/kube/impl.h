/* Between the files of the simulated cluster. */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "sim/kube/fields.h"
#include "sim/kube/kube.h"

#define KUBE_EFFECTS_MAX 100000

struct sim_kube_type_info {
	const char *group, *version, *plural, *kind;
	bool namespaced, scale;
};
extern const struct sim_kube_type_info sim_kube_types[KUBE_TYPES];
const char *sim_kube_api_version(enum sim_kube_type t); /* "apps/v1" */

/* One version of one object, shared by the store, the history and watchers on their way. */
struct sim_kube_state {
	int refs;
	struct doc *doc;
	uint64_t version;
	char *json; /* made when first asked for */
	size_t json_n;
};
struct sim_kube_state *sim_kube_hold(struct sim_kube_state *s); /* takes NULL */
void sim_kube_drop(struct sim_kube_state *s);
struct str sim_kube_json(struct sim_kube_state *s);

struct sim_kube_entry {
	char *key; /* "namespace/name" or "name": the order of lists */
	struct sim_kube_state *state;
};
struct sim_kube_change {
	uint64_t version;
	struct sim_kube_state *before, *now; /* NULL: created; removed (then `last` of the object is `before`) */
	struct sim_kube_state *removed;      /* the last state with the version of its end, as watchers are told */
};
struct sim_kube_table {
	struct sim_kube_entry **entries; /* sorted by key */
	size_t count, cap;
	struct map index;                /* index.c: term -> entries */
	struct sim_kube_change *history; /* a ring */
	size_t first, length;
	uint64_t compacted; /* versions up to here are forgotten */
	uint64_t changed;   /* the newest one */
};

/* A controller's queue of keys: each once, worked one after another. */
struct sim_kube_work {
	struct sim_kube *kube;
	void (*reconcile)(struct sim_kube *k, const char *key);
	char **keys;
	size_t count, cap;
	bool asked;
	int64_t delay_ns, alarm_ns; /* alarm_ns: when all of its objects are looked at again; INT64_MAX: not planned */
};
enum sim_kube_controller {
	KUBE_DEPLOYER,
	KUBE_REPLICATOR,
	KUBE_SCHEDULER,
	KUBE_DISRUPTOR,
	KUBE_NODE_KEEPER,
	KUBE_CONTROLLERS
};

struct sim_kube_container { /* what the kubelet knows of a pod */
	struct list link;
	struct sim_kube *kube;
	struct sim_kube_pod pod;
	bool running, stopping, failed; /* failed: for good, the pod's phase is Failed */
	int64_t started_ns, back_off_ns;
	uint64_t generation; /* of its timers */
};

struct sim_kube {
	struct sim_kube_opts o;
	struct rng rng;
	uint64_t version;
	struct sim_kube_table tables[KUBE_TYPES];
	struct sim_kube_work work[KUBE_CONTROLLERS];
	struct list containers;
	struct map by_uid; /* uid -> struct sim_kube_container */
	struct sim_kube_effect *effects;
	size_t effect_count, effect_cap;
	struct sim_kube_mutations mutations;
	struct list watchers; /* of servers that run */
	int next_ip;
	sim_kube_usage_fn *usage;
	void *usage_self;
	const char *(*place)(void *self, const struct doc *pod);
	void *place_self;
	struct list autoscalers; /* hpa.c */
	struct rng hpa_rng;
	uint64_t hpa_ids;
	struct list told, told_runs; /* event.c */
	struct map told_by_what, run_by_similar;
	size_t told_count;
	int64_t told_ever;
	struct list drains;          /* nodes.c */
	void (*changed)(void *self); /* the server: somebody may have something to read */
	void *changed_self;
};

/* ---- store.c ---- */
void sim_kube_time(const struct sim_kube *k, char out[32]); /* now, RFC 3339, seconds */
void sim_kube_uid(struct sim_kube *k, char out[37]);
void sim_kube_suffix(struct sim_kube *k, char *out, size_t n); /* n characters as generated names have */
void sim_kube_key(char out[260], const char *ns, const char *name);
/* Where the key is among entries in their order, or would be. */
size_t sim_kube_entry_at(struct sim_kube_entry *const *entries, size_t count, const char *key);
struct sim_kube_state *sim_kube_find(const struct sim_kube *k, enum sim_kube_type t, const char *key);
/* A spec that changed is a new generation, and so are a Deployment's annotations (registry strategies'
 * PrepareForUpdate); a write of the status never is. `subresource`: NULL, "status", "scale". */
void sim_kube_set_generation(enum sim_kube_type t, const struct doc *before, struct doc *now, const char *subresource);
/* Stores `doc` (the store's from now on) over `before` (NULL: new): version, generation, history, watchers,
 * controllers. A doc equal to what is there changes nothing. Gives the state that is there then. */
struct sim_kube_state *sim_kube_store(struct sim_kube *k, enum sim_kube_type t, struct doc *doc,
                                      const char *subresource);
void sim_kube_erase(struct sim_kube *k, enum sim_kube_type t, const char *key);
/* The kept changes of a type, oldest first; NULL: no more. Versions up to sim_kube_compacted are forgotten. */
const struct sim_kube_change *sim_kube_change_at(const struct sim_kube *k, enum sim_kube_type t, size_t i);
uint64_t sim_kube_compacted(const struct sim_kube *k, enum sim_kube_type t);
/* One object as it was at `version`, newest where 0, held for the caller; NULL: there was none. ERR_GONE. */
MUST_USE enum err sim_kube_find_at(struct sim_kube *k, enum sim_kube_type t, const char *key, uint64_t version,
                                   struct sim_kube_state **out);
/* The states of a type as they were at `version` (ERR_GONE), newest where 0; released by sim_kube_drop each. */
MUST_USE enum err sim_kube_snapshot(struct sim_kube *k, enum sim_kube_type t, uint64_t version,
                                    struct sim_kube_state ***out, size_t *count);

/* ---- index.c ---- */
struct sim_kube_some { /* some of a table's entries, in its order; good until the next write */
	struct sim_kube_entry *const *entries;
	size_t count;
};
/* Takes the first one out of `some`; NULL: none is left. */
const struct doc *sim_kube_some_next(struct sim_kube_some *some);
/* Those with an owner reference to that UID, of any kind. */
struct sim_kube_some sim_kube_owned(const struct sim_kube *k, enum sim_kube_type t, const char *uid);
struct sim_kube_some sim_kube_on_node(const struct sim_kube *k, const char *node);
/* Pods among which are all that the selector selects in the namespace: those with its rarest label. */
struct sim_kube_some sim_kube_candidates(const struct sim_kube *k, const char *ns, const struct doc *selector);
/* For the store: the object changed from `before` to `now`; NULL: it was not there, it is gone. */
void sim_kube_index_move(struct map *index, struct sim_kube_entry *e, const struct doc *before, const struct doc *now);
void sim_kube_index_done(struct map *index);

/* defaults.c: what is written where a user wrote nothing. */
void sim_kube_set_defaults(enum sim_kube_type t, struct doc *object);

/* ---- write.c ---- */
struct sim_kube_call {
	const char *user, *manager, *subresource;
	bool dry_run, force, internal; /* internal: a controller's; no effect is recorded */
	bool evicts;                   /* a deletion that is an eviction's */
};
struct sim_kube_reply {
	int code;           /* HTTP's */
	const char *reason; /* "Conflict"; NULL: success */
	char message[512];
	struct doc *causes; /* of conflicts; or NULL */
	struct doc *object; /* of success; the caller's */
};
enum sim_kube_patch_kind { KUBE_MERGE, KUBE_STRATEGIC, KUBE_JSON, KUBE_APPLY };
void sim_kube_reply_done(struct sim_kube_reply *r);
bool sim_kube_refuse(struct sim_kube_reply *r, int code, const char *reason, const char *fmt, ...)
	PRINTF(4, 5); /* false */
void sim_kube_do_create(struct sim_kube *k, enum sim_kube_type t, const char *ns, struct doc *object,
                        const struct sim_kube_call *c, struct sim_kube_reply *r);
void sim_kube_do_update(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name, struct doc *object,
                        const struct sim_kube_call *c, struct sim_kube_reply *r);
void sim_kube_do_patch(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                       enum sim_kube_patch_kind kind, const struct doc *patch, const struct sim_kube_call *c,
                       struct sim_kube_reply *r);
void sim_kube_do_delete(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                        const struct doc *options, const struct sim_kube_call *c, struct sim_kube_reply *r);
/* The preconditions of DeleteOptions. */
bool sim_kube_preconditions_hold(struct sim_kube *k, enum sim_kube_type t, const char *name, const struct doc *before,
                                 const struct doc *options, struct sim_kube_reply *r);
/* scale.c, budget.c */
void sim_kube_do_scale(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                       enum sim_kube_patch_kind kind, const struct doc *patch, const struct sim_kube_call *c,
                       struct sim_kube_reply *r); /* patch NULL: get */
void sim_kube_do_evict(struct sim_kube *k, const char *ns, const char *name, const struct doc *eviction,
                       const struct sim_kube_call *c, struct sim_kube_reply *r);

/* ---- controllers ---- */
void sim_kube_work_add(struct sim_kube_work *w, const char *key);
/* Every object of that controller's is looked at again then: what time alone makes due. The earliest asked for counts.
 */
void sim_kube_alarm(struct sim_kube *k, enum sim_kube_controller c, int64_t at_ns);
void sim_kube_object_changed(struct sim_kube *k, enum sim_kube_type t, const struct doc *before, const struct doc *now);
void sim_kube_reconcile_deployment(struct sim_kube *k, const char *key);
struct sim_kube_rollout { /* over a Deployment's ReplicaSets */
	int64_t spec, replicas, updated, ready, available, terminating;
	int64_t unavailable_max;
	char new_set[128]; /* the one of the current template, or "" */
};
/* Writes a Deployment's status; `estimate`: and whether its rollout progresses. */
void sim_kube_deployment_status(struct sim_kube *k, const char *key, const struct sim_kube_rollout *r, bool estimate);
/* Its condition Progressing, where it has a deadline and was not timed out: paused or resumed. */
void sim_kube_deployment_paused(struct sim_kube *k, const char *key);
/* A new ReplicaSet was made, or found though nobody had recorded progress yet. */
void sim_kube_deployment_has_set(struct sim_kube *k, const char *key, const char *set, bool made, int64_t revision);
void sim_kube_reconcile_replicaset(struct sim_kube *k, const char *key);
void sim_kube_schedule_pod(struct sim_kube *k, const char *key);
void sim_kube_reconcile_budget(struct sim_kube *k, const char *key);
void sim_kube_budgets_again(struct sim_kube *k, const struct doc *pod); /* those that cover it */
void sim_kube_reconcile_node(struct sim_kube *k, const char *key);
void sim_kube_drains_free(struct sim_kube *k);
void sim_kube_hpa_seen(struct sim_kube *k, const char *key); /* it is there: looked at from now on */
void sim_kube_hpas_free(struct sim_kube *k);
void sim_kube_pod_deleted(struct sim_kube *k, const struct doc *pod, int64_t grace_ns); /* DELETE was asked for */
/* A change by the controller manager, the scheduler or a kubelet; `doc` is consumed. */
struct sim_kube_state *sim_kube_write_as(struct sim_kube *k, enum sim_kube_type t, struct doc *doc, const char *manager,
                                         const char *subresource);
struct sim_kube_saying { /* who says what kind of thing */
	const char *component, *reason;
	bool warning;
};
/* A Kubernetes Event about an object. */
void sim_kube_say(struct sim_kube *k, const struct doc *about, const struct sim_kube_saying *s, const char *fmt, ...)
	PRINTF(4, 5);
void sim_kube_events_free(struct sim_kube *k);
bool sim_kube_labels_match(const struct doc *selector, const struct doc *labels); /* matchLabels, matchExpressions */
const struct doc *sim_kube_owner(const struct doc *object, const char *kind); /* its controller's reference, or NULL */
/* Metadata of something new: `owner`, of apps/v1 and that kind, is its controller. */
void sim_kube_own(struct doc *meta, const char *kind, const struct doc *owner);
bool sim_kube_pod_is_ready(const struct doc *pod);
/* Neither on its way out nor ended. */
bool sim_kube_pod_is_active(const struct doc *pod);
/* When its condition Ready last changed, or 0: nanoseconds of wall time. */
int64_t sim_kube_ready_since(const struct doc *pod);
struct doc *sim_kube_condition(struct doc *object,
                               const char *type); /* made where it is missing, in status.conditions */
bool sim_kube_condition_is(const struct doc *object, const char *type, const char *status);
void sim_kube_set_condition(struct sim_kube *k, struct doc *object, const char *type, const char *status,
                            const char *reason, const char *message);
