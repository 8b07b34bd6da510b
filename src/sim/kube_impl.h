/* Between the files of the simulated cluster. */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "sim/kube.h"
#include "sim/kube_fields.h"

#define KUBE_EFFECTS_MAX 100000

struct kube_type_info {
	const char *group, *version, *plural, *kind;
	bool namespaced, scale;
};
extern const struct kube_type_info kube_types[KUBE_TYPES];
const char *kube_api_version(enum kube_type t); /* "apps/v1" */

/* One version of one object, shared by the store, the history and watchers on their way. */
struct kube_state {
	int refs;
	struct doc *doc;
	uint64_t version;
	char *json; /* made when first asked for */
	size_t json_n;
};
struct kube_state *kube_hold(struct kube_state *s); /* takes NULL */
void kube_drop(struct kube_state *s);
struct str kube_json(struct kube_state *s);

struct kube_entry {
	char *key; /* "namespace/name" or "name": the order of lists */
	struct kube_state *state;
};
struct kube_change {
	uint64_t version;
	struct kube_state *before, *now; /* NULL: created; removed (then `last` of the object is `before`) */
	struct kube_state *removed;      /* the last state with the version of its end, as watchers are told */
};
struct kube_table {
	struct kube_entry *entries; /* sorted by key */
	size_t count, cap;
	struct kube_change *history; /* a ring */
	size_t first, length;
	uint64_t compacted; /* versions up to here are forgotten */
};

/* A controller's queue of keys: each once, worked one after another. */
struct kube_work {
	struct kube *kube;
	void (*reconcile)(struct kube *k, const char *key);
	char **keys;
	size_t count, cap;
	bool asked;
	int64_t delay_ns;
};
enum kube_controller { KUBE_DEPLOYER, KUBE_REPLICATOR, KUBE_SCHEDULER, KUBE_CONTROLLERS };

struct kube_container { /* what the kubelet knows of a pod */
	struct list link;
	struct kube *kube;
	struct kube_pod pod;
	bool running, stopping;
	int64_t started_ns, back_off_ns;
	uint64_t generation; /* of its timers */
};

struct kube {
	struct kube_opts o;
	struct rng rng;
	uint64_t version;
	struct kube_table tables[KUBE_TYPES];
	struct kube_work work[KUBE_CONTROLLERS];
	struct list containers;
	struct map by_uid; /* uid -> struct kube_container */
	struct kube_effect *effects;
	size_t effect_count, effect_cap;
	struct kube_mutations mutations;
	struct list watchers; /* of servers that run */
	int next_ip;
	void (*changed)(void *self); /* the server: somebody may have something to read */
	void *changed_self;
};

/* ---- kube_store.c ---- */
void kube_time(const struct kube *k, char out[32]); /* now, RFC 3339, seconds */
void kube_uid(struct kube *k, char out[37]);
void kube_suffix(struct kube *k, char *out, size_t n); /* n characters as generated names have */
void kube_key(char out[260], const char *ns, const char *name);
struct kube_state *kube_find(const struct kube *k, enum kube_type t, const char *key);
/* Stores `doc` (the store's from now on) over `before` (NULL: new): version, generation, history, watchers,
 * controllers. A doc equal to what is there changes nothing. Gives the state that is there then. */
struct kube_state *kube_store(struct kube *k, enum kube_type t, struct doc *doc);
void kube_erase(struct kube *k, enum kube_type t, const char *key);
/* The kept changes of a type, oldest first; NULL: no more. Versions up to kube_compacted are forgotten. */
const struct kube_change *kube_change_at(const struct kube *k, enum kube_type t, size_t i);
uint64_t kube_compacted(const struct kube *k, enum kube_type t);
/* The states of a type as they were at `version` (ERR_GONE), newest where 0; released by kube_drop each. */
MUST_USE enum err kube_snapshot(struct kube *k, enum kube_type t, uint64_t version, struct kube_state ***out,
								size_t *count);

/* ---- kube_write.c ---- */
struct kube_call {
	const char *user, *manager, *subresource;
	bool dry_run, force, internal; /* internal: a controller's; no effect is recorded */
};
struct kube_reply {
	int code;           /* HTTP's */
	const char *reason; /* "Conflict"; NULL: success */
	char message[512];
	struct doc *causes; /* of conflicts; or NULL */
	struct doc *object; /* of success; the caller's */
};
enum kube_patch_kind { KUBE_MERGE, KUBE_STRATEGIC, KUBE_JSON, KUBE_APPLY };
void kube_reply_done(struct kube_reply *r);
bool kube_refuse(struct kube_reply *r, int code, const char *reason, const char *fmt, ...) PRINTF(4, 5); /* false */
void kube_do_create(struct kube *k, enum kube_type t, const char *ns, struct doc *object, const struct kube_call *c,
					struct kube_reply *r);
void kube_do_update(struct kube *k, enum kube_type t, const char *ns, const char *name, struct doc *object,
					const struct kube_call *c, struct kube_reply *r);
void kube_do_patch(struct kube *k, enum kube_type t, const char *ns, const char *name, enum kube_patch_kind kind,
				   const struct doc *patch, const struct kube_call *c, struct kube_reply *r);
void kube_do_delete(struct kube *k, enum kube_type t, const char *ns, const char *name, const struct doc *options,
					const struct kube_call *c, struct kube_reply *r);
/* kube_scale.c */
void kube_do_scale(struct kube *k, enum kube_type t, const char *ns, const char *name, enum kube_patch_kind kind,
				   const struct doc *patch, const struct kube_call *c, struct kube_reply *r); /* patch NULL: get */
void kube_do_evict(struct kube *k, const char *ns, const char *name, const struct doc *eviction,
				   const struct kube_call *c, struct kube_reply *r);

/* ---- controllers ---- */
void kube_work_add(struct kube_work *w, const char *key);
void kube_object_changed(struct kube *k, enum kube_type t, const struct doc *before, const struct doc *now);
void kube_reconcile_deployment(struct kube *k, const char *key);
void kube_reconcile_replicaset(struct kube *k, const char *key);
void kube_schedule_pod(struct kube *k, const char *key);
void kube_pod_deleted(struct kube *k, const struct doc *pod, int64_t grace_ns); /* DELETE was asked for */
/* A change by the controller manager, the scheduler or a kubelet; `doc` is consumed. */
struct kube_state *kube_write_as(struct kube *k, enum kube_type t, struct doc *doc, const char *manager,
								 const char *subresource);
bool kube_labels_match(const struct doc *selector, const struct doc *labels); /* matchLabels, matchExpressions */
const struct doc *kube_owner(const struct doc *object, const char *kind);     /* its controller's reference, or NULL */
bool kube_pod_is_ready(const struct doc *pod);
struct doc *kube_condition(struct doc *object, const char *type); /* made where it is missing, in status.conditions */
bool kube_condition_is(const struct doc *object, const char *type, const char *status);
void kube_set_condition(struct kube *k, struct doc *object, const char *type, const char *status, const char *reason,
						const char *message);
