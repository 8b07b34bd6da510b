/* Test support: a state store, a bus and an executor in memory, that misbehave by seed and outlive a
 * crash of control, as the real ones do. No product code links it.
 *
 * Everything runs on one fake clock. The store and the bus keep what was durable; what was in flight
 * when control crashed happens or not, by chance. The executor's objects keep the effects that
 * reached them, each with its key and its time: that is what the invariants are checked against. */
#pragma once

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/test.h"
#include "bus/bus.h"
#include "control/control.h"
#include "model/action.h"
#include "store/state.h"

/* ---- state ---- */

struct double_item {
	char *value;
	size_t n;
	uint64_t version;
	int64_t expires_ns;
};

struct double_store {
	struct map items;
	struct fake_clock *clock;
	struct rng *rng;
	int64_t latency_ns; /* at most */
	double io_errors;   /* share of transactions that answer ERR_IO, done or not */
	int64_t transactions;
	/* broken on purpose */
	bool forgets;            /* says done, and loses the write in a crash */
	const char *hides;       /* queries of this prefix find nothing */
	bool ignores_conditions; /* writes whatever the check says */
	struct list unsaved;     /* of `forgets`: what a crash will take back */
};
void double_store_init(struct double_store *s, struct fake_clock *clock, struct rng *rng);
void double_store_done(struct double_store *s);
struct state *double_state(struct double_store *s); /* a handle */
int64_t double_state_due(const struct state *h);    /* when it has something by time alone */
/* Closes the handle as a crash does: what waits is done or not, in order. */
void double_state_crash(struct state *h);
const struct double_item *double_get(const struct double_store *s, const char *key);
/* Somebody else's write: the version moves, so the next check on it fails. */
void double_touch(struct double_store *s, const char *key);
void double_put(struct double_store *s, const char *key, const char *value);

/* ---- bus ---- */

struct double_event {
	struct list node;
	char id[ULID_LEN + 1];
	char *text;
	size_t n;
	bool wanted; /* by the queue "control" */
	bool done, dead;
	int64_t visible_at, receives, published_at;
	uint64_t receipt; /* 0: not in flight */
	char reason[128];
};

struct double_broker {
	struct list events; /* in order of arrival */
	struct map ids;
	struct fake_clock *clock;
	struct rng *rng;
	int64_t latency_ns;
	double duplicates, reorder; /* share of deliveries */
	uint64_t receipts;
	int64_t published, repeated;
	bool full;
	const char *withholds; /* broken on purpose: events of this type are never delivered */
};
void double_broker_init(struct double_broker *b, struct fake_clock *clock, struct rng *rng);
void double_broker_done(struct double_broker *b);
struct bus *double_bus(struct double_broker *b);
/* An event of observe's: durable at once. `data` is JSON. */
void double_emit(struct double_broker *b, const char *type, const char *id, const char *subject, double severity,
                 const char *data);
/* Events of that type that control published, newest last; for each the callback gets the JSON text. */
size_t double_count(const struct double_broker *b, const char *type);
const char *double_nth(const struct double_broker *b, const char *type, size_t n);

/* ---- executor ---- */

struct double_object {
	const char *service, *namespace_, *name, *uid, *pod_uid;
	const char *owner; /* NULL: none */
	int64_t replicas, generation;
	bool cannot_settle; /* a rollout of it fails */
	enum err plan_err, apply_err;
	const char *why;
};

struct double_effect {
	int64_t at_ns;
	char key[65];
	char uid[64];
	enum action_kind kind;
	bool undo;
	int64_t pods;
};

#define DOUBLE_OBJECTS 16
#define DOUBLE_EFFECTS 1024

struct double_cluster {
	struct double_object objects[DOUBLE_OBJECTS];
	size_t object_count;
	struct double_effect effects[DOUBLE_EFFECTS];
	size_t effect_count;
	struct fake_clock *clock;
	struct rng *rng;
	int64_t latency_ns, settle_ns;
	double lost_answers; /* after the effect: ERR_TIMEOUT */
	double unreachable;  /* before it */
	bool not_ready;
	int64_t plans, applies, settles, undos; /* calls */
	/* broken on purpose */
	bool forgets_keys; /* repeats an effect */
	bool plan_acts;    /* planning touches the object */
	void (*on_effect)(void *arg, const struct double_effect *e);
	void *arg;
	struct list late; /* requests on their way when control crashed */
};
void double_cluster_init(struct double_cluster *k, struct fake_clock *clock, struct rng *rng);
void double_cluster_done(struct double_cluster *k);
struct double_object *double_object(struct double_cluster *k, const char *service);
struct executor *double_executor(struct double_cluster *k);
void double_executor_crash(struct executor *e);
/* Lets requests that outlived their sender arrive. */
void double_cluster_step(struct double_cluster *k);

/* ---- all of it ---- */

struct rig;
struct rig {
	struct t *t;
	struct fake_clock clock;
	struct rng rng;
	struct double_store store;
	struct double_broker broker;
	struct double_cluster cluster;
	struct control_policy policy;
	struct arena arena; /* of the policy */
	struct log log;
	void (*say)(struct rig *, const char *event, struct str fields); /* each log line; NULL: nobody listens */
	struct control *control;
	struct state *state;
	struct bus *bus;
	struct executor *executor;
	bool no_executor;
	uint64_t lives;      /* crashes so far */
	char head_line[128]; /* the last audit.head that was logged */
	int64_t heads;
};

/* `handlers`, `policy`: YAML, or NULL. Starts control and turns until it is ready. */
void rig_init(struct rig *r, struct t *t, const char *handlers, const char *policy);
void rig_done(struct rig *r);
void rig_policy(struct rig *r, const char *handlers, const char *policy);
void rig_start(struct rig *r);
void rig_crash(struct rig *r); /* control is gone; rig_start brings the next one */
/* Turns until nothing is ready, then advances to the next due time, until `ns` have passed. */
void rig_run(struct rig *r, int64_t ns);
/* One control_step at most, and time's next move: for crashes at every step. False: idle for `ns`. */
bool rig_turn(struct rig *r, int64_t until_ns);
bool rig_ready(struct rig *r);
/* Sends a command and runs until it is answered. */
enum err rig_command(struct rig *r, enum command_kind kind, const char *id, const char *by, int64_t for_ns,
                     char why[256]);

/* Events as observe makes them. `n` numbers the incident: its id is rig_ulid(n). */
const char *rig_ulid(struct rig *r, int n);
void rig_opened(struct rig *r, int n, const char *service, double severity);
void rig_report(struct rig *r, int n, const char *service, const char *kind, double confidence, const char *pod_uid);
void rig_report_none(struct rig *r, int n, const char *reason);
void rig_report_foreign(struct rig *r, int n, const char *entity, const char *kind); /* no target */
void rig_resolved(struct rig *r, int n, const char *how);
void rig_stale(struct rig *r, const char *service, const char *signals, const char *state);

/* The stored row, parsed into the test's arena; NULL: there is none. */
const struct json *rig_row(struct rig *r, const char *prefix, const char *id);
const struct json *rig_incident(struct rig *r, int n);
/* The i-th action of an incident, from the store. */
const struct json *rig_action(struct rig *r, int n, size_t i);
bool rig_action_is(struct rig *r, int n, size_t i, const char *state);
size_t rig_effects(const struct rig *r, const char *service);
/* The whole decision log against its head. */
void rig_audit(struct rig *r);

/* An incident with a cause, and the time to decide on it. */
void rig_fault(struct rig *r, int n, const char *service, const char *kind);
/* Everything that control published fits its schema, the decision log is whole; then rig_done. */
void rig_finish(struct rig *r);
bool rig_text_is(const struct json *row, const char *path, const char *want);
bool rig_says(struct t *t, const struct json *row, const char *path, const char *want);
size_t rig_actions(struct rig *r, int n);
