/* What the files of control/ share: the loop's own memory and the steps of one turn.
 *
 * Nobody outside this folder includes it. The state store is the truth and the rows are its image:
 * whatever goes wrong while a change is on its way (a conflict, a full disk, a lost lease), the
 * image is thrown away and read back. So no path needs to undo anything in memory. */
#pragma once

#include "control/control.h"
#include "control/rows.h"
#include "model/audit.h"
#include "model/signal.h"
#include "store/lease.h"

#define QUEUE_NAME    "control"
#define LEASE_TERM_NS (5 * NS_PER_SEC)
#define INBOX_MAX     256 /* events and commands taken in and not done; more wait on the bus */
#define COMMANDS_MAX  64  /* further ones are told ERR_FULL */
#define PAUSES_MAX    32
#define STALE_MAX     4096 /* entities with stale signals; further ones are counted, not kept */
#define LOAD_PAGE     32
#define NOTES_MAX     2 /* audit entries of one change */
#define KEEP_ROWS_NS  (90 * NS_PER_DAY)
#define KEEP_KEYS_NS  (30 * NS_PER_DAY)
#define HEAD_LOG_NS   NS_PER_MIN
#define RETRY_NS_MIN  NS_PER_SEC
#define RETRY_NS_MAX  (30 * NS_PER_SEC)
#define WORSE_BY      0.1       /* more severity than when it was decided: the action made it worse */
#define FLYBALL       "flyball" /* who, where no person did it */

enum phase { PHASE_STANDBY, PHASE_LOADING, PHASE_LIVE };

enum tag_kind {
	TAG_LEASE = 1,
	TAG_COMMIT,
	TAG_LOAD,
	TAG_FETCH, /* serial of the work */
	TAG_KEY,   /* serial of the action row, as the next ones */
	TAG_PLAN,
	TAG_APPLY,
	TAG_SETTLE,
	TAG_UNDO,
	TAG_PUBLISH,
	TAG_PUBLISH_INCIDENT, /* serial of the incident row */
	TAG_ACK,
};

/* An entry for the decision log, on its way with a change. */
struct note {
	const char *kind;
	struct str by, body; /* in the change's arena */
};

/* What goes to the store together: rows as they are when it is written, and what is told when it is
 * durable. */
struct change {
	struct list node;
	struct arena arena;
	struct incident_row *in; /* either may be NULL */
	struct action_row *act;
	bool claim; /* the action's key, which nobody may hold */
	struct note notes[NOTES_MAX];
	size_t note_count;
	struct str key, value; /* one more item (pause, stale signals); key empty: none; value empty: removed */
	struct wall expires;
	bool has_receipt, has_command;
	uint64_t receipt, command;
};

/* An event or a command that was taken in. */
struct work {
	struct list node;
	struct arena arena;
	uint32_t serial;
	bool command, fetching, missing;
	struct mono again; /* not before */
	uint64_t receipt, tag;
	enum event_type type;
	struct event event;
	struct command order;
	const struct json *data;
};

struct pause_slot {
	struct arena arena;
	struct pause pause;
};

struct told { /* an answer to a command, waiting to be polled */
	struct command_done done;
	char why[200];
};

struct counters {
	int64_t events, events_ignored, events_refused, commands;
	int64_t decisions[GATES_DECISIONS], escalations, moves[ACTION_STATES];
	int64_t commits, conflicts, reloads, applies, repeated, stale_dropped, incidents_full;
	int64_t gate_denied[GATES], gate_waited[GATES];
};

struct control {
	struct commands commands; /* first: control_commands hands out its address */
	struct clock *clock;
	struct bus *bus_of; /* the one handed in */
	struct bus *bus;    /* a handle of the leader's: NULL while another one leads */
	struct state *state;
	struct executor *executor;
	struct log *log;
	struct rng rng;
	const struct control_policy *policy;
	struct arena arena; /* of the process: lease, holder */
	struct lease *lease;
	struct mono now;
	struct wall wall;
	enum phase phase;
	bool leaving;        /* control_flush gave the lease back */
	uint32_t generation; /* of the image; tags of an older one are ignored */
	struct mono load_at; /* not before */
	int load_step;
	char load_after[STATE_KEY_MAX];
	bool subscribed, load_waits;
	struct mono bus_again; /* not before: the queue could not be subscribed */
	struct rows rows;
	struct history history;
	struct audit_head head;
	uint64_t head_version, head_said;
	struct mono head_said_at;
	struct list changes; /* not submitted */
	struct list flight;  /* in the transaction that is out */
	bool flying;
	struct mono commit_again;
	int commit_failures; /* since the last success */
	struct arena batch;
	struct state_write writes[STATE_TRANSACT_MAX];
	size_t write_count;
	struct audit_head next_head;
	struct list inbox;
	size_t inbox_count, command_count;
	uint32_t work_serial;
	struct told told[COMMANDS_MAX];
	size_t told_first, told_count;
	struct pause_slot pauses[PAUSES_MAX];
	size_t pause_count;
	struct map stale; /* entity -> bits of signal kinds, as a pointer */
	struct counters n;
};

/* ---- reconcile.c ---- */
uint64_t tag_make(const struct control *c, enum tag_kind kind, uint32_t serial);
enum tag_kind tag_kind(uint64_t tag);
uint32_t tag_serial(uint64_t tag);
bool tag_current(const struct control *c, uint64_t tag);
/* Throws the image away; it is read back after `delay_ns`, while the lease is held. */
void control_forget(struct control *c, int64_t delay_ns, const char *why);
/* Back-off for the n-th try (0..): 1 s, 2 s, 4 s ... 30 s. */
int64_t retry_ns(int tries);
bool control_paused(const struct control *c, const struct action_row *act);
const struct handler *control_handler(const struct control *c, struct str name);
/* Monotonic instant `timeout` after the wall time `since`, for what began before this process. */
struct mono control_deadline(const struct control *c, struct wall since, int64_t timeout_ns);

/* ---- load.c ---- */
bool load_step(struct control *c);
void load_take(struct control *c, const struct state_done *done);
/* Puts a row into the tables as the store has it. */
MUST_USE enum err load_incident(struct control *c, struct str id, struct str json, struct incident_row **out);
MUST_USE enum err load_action(struct control *c, struct str id, struct str json, struct action_row **out);
void stale_set(struct control *c, struct str entity, uint32_t bits);

/* ---- commit.c ---- */
/* NULL: no memory; the image was forgotten. */
struct change *change_new(struct control *c, struct incident_row *in, struct action_row *act);
/* `body` (JSON object) is what `write` makes. */
void change_note(struct control *c, struct change *ch, const char *kind, struct str by, struct str body);
bool commit_step(struct control *c);
void commit_take(struct control *c, const struct state_done *done);
void commit_drop(struct control *c); /* every change: receipts go back, commands are told to ask again */
void command_answer(struct control *c, uint64_t tag, enum err err, const char *why);

/* ---- events_in.c ---- */
bool control_inbox_poll(struct control *c);
bool control_inbox_step(struct control *c);
void control_inbox_fetched(struct control *c, const struct state_done *done);
void control_inbox_drop(struct control *c);
void work_done(struct control *c, struct work *w);
void event_take(struct control *c, struct work *w, struct incident_row *in);

/* ---- commands.c ---- */
void command_take(struct control *c, struct work *w);
extern const struct commands_ops control_commands_ops;
MUST_USE enum err pause_set(struct control *c, struct str scope, struct str by, struct str why, struct wall until);
void pause_clear(struct control *c, struct str scope);

/* ---- propose.c: incident -> decision -> plan -> gates ---- */
bool incident_step(struct control *c, struct incident_row *in);
void propose_ask(struct control *c, struct action_row *act);
void propose_planned(struct control *c, struct action_row *act, const struct exec_done *done);
void propose_key(struct control *c, struct action_row *act, const struct state_done *done);
void incident_escalate(struct control *c, struct incident_row *in, enum escalation e, struct str why);

/* ---- act.c: the action's own life ---- */
bool action_step(struct control *c, struct action_row *act);
void action_done(struct control *c, const struct exec_done *done);
/* Moves the row and makes the change that tells of it. */
struct change *action_move(struct control *c, struct action_row *act, enum action_state to, struct str why);
/* The row's place in history, as it is now. */
void action_remember(struct control *c, const struct action_row *act);
void action_entered(struct control *c, struct action_row *act); /* sets the state's deadline */
void action_line(struct control *c, struct action_row *act, bool first, enum action_state previous, int emit);

/* ---- events_out.c ---- */
bool outbox_step(struct control *c);
void outbox_take(struct control *c, const struct bus_msg *msg);

/* ---- status.c holds control_status and control_metrics ---- */
