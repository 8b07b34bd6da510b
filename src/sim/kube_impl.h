/* Between the files of the simulated cluster. */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "sim/kube.h"
#include "sim/kube_fields.h"

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
	struct sim_kube_entry *entries; /* sorted by key */
	size_t count, cap;
	struct sim_kube_change *history; /* a ring */
	size_t first, length;
	uint64_t compacted; /* versions up to here are forgotten */
};

/* A controller's queue of keys: each once, worked one after another. */
struct sim_kube_work {
	struct sim_kube *kube;
	void (*reconcile)(struct sim_kube *k, const char *key);
	char **keys;
	size_t count, cap;
	bool asked;
	int64_t delay_ns;
};
enum sim_kube_controller { KUBE_DEPLOYER, KUBE_REPLICATOR, KUBE_SCHEDULER, KUBE_CONTROLLERS };

struct sim_kube_container { /* what the kubelet knows of a pod */
	struct list link;
	struct sim_kube *kube;
	struct sim_kube_pod pod;
	bool running, stopping;
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
	void (*changed)(void *self); /* the server: somebody may have something to read */
	void *changed_self;
};

/* ---- sim_kube_store.c ---- */
void sim_kube_time(const struct sim_kube *k, char out[32]); /* now, RFC 3339, seconds */
void sim_kube_uid(struct sim_kube *k, char out[37]);
void sim_kube_suffix(struct sim_kube *k, char *out, size_t n); /* n characters as generated names have */
void sim_kube_key(char out[260], const char *ns, const char *name);
struct sim_kube_state *sim_kube_find(const struct sim_kube *k, enum sim_kube_type t, const char *key);
/* A spec that changed is a new generation (registry strategies' PrepareForUpdate). */
void sim_kube_set_generation(enum sim_kube_type t, const struct doc *before, struct doc *now);
/* Stores `doc` (the store's from now on) over `before` (NULL: new): version, generation, history, watchers,
 * controllers. A doc equal to what is there changes nothing. Gives the state that is there then. */
struct sim_kube_state *sim_kube_store(struct sim_kube *k, enum sim_kube_type t, struct doc *doc);
void sim_kube_erase(struct sim_kube *k, enum sim_kube_type t, const char *key);
/* The kept changes of a type, oldest first; NULL: no more. Versions up to sim_kube_compacted are forgotten. */
const struct sim_kube_change *sim_kube_change_at(const struct sim_kube *k, enum sim_kube_type t, size_t i);
uint64_t sim_kube_compacted(const struct sim_kube *k, enum sim_kube_type t);
/* The states of a type as they were at `version` (ERR_GONE), newest where 0; released by sim_kube_drop each. */
MUST_USE enum err sim_kube_snapshot(struct sim_kube *k, enum sim_kube_type t, uint64_t version,
                                    struct sim_kube_state ***out, size_t *count);

/* ---- sim_kube_write.c ---- */
struct sim_kube_call {
	const char *user, *manager, *subresource;
	bool dry_run, force, internal; /* internal: a controller's; no effect is recorded */
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
/* sim_kube_scale.c */
void sim_kube_do_scale(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                       enum sim_kube_patch_kind kind, const struct doc *patch, const struct sim_kube_call *c,
                       struct sim_kube_reply *r); /* patch NULL: get */
void sim_kube_do_evict(struct sim_kube *k, const char *ns, const char *name, const struct doc *eviction,
                       const struct sim_kube_call *c, struct sim_kube_reply *r);

/* ---- controllers ---- */
void sim_kube_work_add(struct sim_kube_work *w, const char *key);
void sim_kube_object_changed(struct sim_kube *k, enum sim_kube_type t, const struct doc *before, const struct doc *now);
void sim_kube_reconcile_deployment(struct sim_kube *k, const char *key);
void sim_kube_reconcile_replicaset(struct sim_kube *k, const char *key);
void sim_kube_schedule_pod(struct sim_kube *k, const char *key);
void sim_kube_pod_deleted(struct sim_kube *k, const struct doc *pod, int64_t grace_ns); /* DELETE was asked for */
/* A change by the controller manager, the scheduler or a kubelet; `doc` is consumed. */
struct sim_kube_state *sim_kube_write_as(struct sim_kube *k, enum sim_kube_type t, struct doc *doc, const char *manager,
                                         const char *subresource);
bool sim_kube_labels_match(const struct doc *selector, const struct doc *labels); /* matchLabels, matchExpressions */
const struct doc *sim_kube_owner(const struct doc *object, const char *kind); /* its controller's reference, or NULL */
bool sim_kube_pod_is_ready(const struct doc *pod);
struct doc *sim_kube_condition(struct doc *object,
                               const char *type); /* made where it is missing, in status.conditions */
bool sim_kube_condition_is(const struct doc *object, const char *type, const char *status);
void sim_kube_set_condition(struct sim_kube *k, struct doc *object, const char *type, const char *status,
                            const char *reason, const char *message);
