/* The rows that control moves: incidents and actions, in memory as they are in the state store.
 *
 * A row's state is what the store has, or what the change in flight will make of it; while a change
 * is on its way (`changes` > 0) nobody acts on the row. Each row owns its strings: `arena` for what
 * stays, one more for each part that is replaced as a whole (the report, the plan, the gates).
 * Bounded: rows_incident_new and rows_action_new refuse when their table is full.
 * Thread: control's own. */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "control/decide.h"
#include "control/gates.h"
#include "control/lifecycle.h"

#define INCIDENTS_MAX        512
#define ACTIONS_MAX          1024
#define INCIDENT_ACTIONS_MAX 16 /* actions of one incident, then a person */
#define ACTION_LOG_MAX       48 /* moves that one row remembers */
#define ROW_BYTES_MAX        (256 * 1024)
#define EVENT_DATA_BYTES_MAX (64 * 1024) /* of an event that becomes part of a row */
#define ESCALATIONS_SAID_MAX 8

typedef char ulid[ULID_LEN + 1];

enum incident_state { INCIDENT_OPEN, INCIDENT_RESOLVED, INCIDENT_ESCALATED, INCIDENT_STATES };
const char *incident_state_name(enum incident_state s);

enum resolved_how { HOW_OPEN, HOW_IN_BAND, HOW_NO_DATA, HOW_ADOPTED, HOWS };
const char *resolved_how_name(enum resolved_how h); /* NULL for HOW_OPEN */
bool resolved_how_parse(struct str s, enum resolved_how *out);

/* What a person said of an incident. */
struct mark {
	struct wall at; /* ns 0: nobody did */
	struct str by, why;
	struct wall until; /* muted */
};

struct incident_row {
	struct list node;
	struct arena arena, report;
	ulid id;
	int changes;
	/* INCIDENT_OPENED */
	struct wall opened, onset, delivered;
	double severity, severity_now;                 /* when opened; the latest that was reported */
	struct str subject, engine, entities, signals; /* entities, signals: JSON */
	/* RCA_REPORT */
	bool has_report;
	struct wall report_at;
	struct str rca; /* its data, JSON, in `report` */
	struct cause cause;
	/* INCIDENT_RESOLVED */
	enum resolved_how how;
	struct wall resolved, in_band_since;
	struct str end_signals; /* JSON */
	bool closed;            /* what followed from the end is on record: nothing more to do */
	/* control's own */
	enum incident_state state;
	struct wall decided;
	bool escalated_once;
	enum escalation escalation;
	struct str escalation_why;
	struct wall escalated;
	int64_t escalations, escalations_published; /* ACTION_PLANNED without an action */
	struct mark ack, wrong, muted;
	struct passed_over passed_over[PASSED_OVER_MAX];
	size_t passed_over_count;
	ulid actions[INCIDENT_ACTIONS_MAX];
	size_t action_count;
	/* in memory only */
	uint32_t serial; /* names the row in tags */
	bool look;       /* decide again */
	bool publishing;
	struct mono publish_again;
	struct mono patience_until; /* when a person is told that no sure cause has come */
	struct mono plan_again;     /* not before: the executor could not be asked */
	int plan_tries;
	struct action_row *live; /* its one action that is not over, or being proposed */
};

enum action_time {
	TIME_PLANNED,
	TIME_CLAIMED,
	TIME_ACTING,
	TIME_APPLIED,
	TIME_SETTLED,
	TIME_VERIFIED,
	TIME_ENDED,
	TIME_ASKED,
	TIME_EXPIRES,
	TIME_UNDOING,
	ACTION_TIMES
};
const char *action_time_name(enum action_time t);

enum { EMIT_PLANNED = 1, EMIT_APPROVAL = 2, EMIT_LOG = 4 };

/* One move: what became of the row, and which events tell of it. */
struct log_line {
	enum action_state state, previous;
	bool first; /* no previous */
	struct wall at;
	struct str why;
	int emit;
};

/* What the row waits for from outside; in memory only. */
enum call { CALL_NONE, CALL_PLAN, CALL_KEY, CALL_APPLY, CALL_SETTLE, CALL_UNDO };

struct action_row {
	struct list node;
	struct arena arena, plan_arena, gates_arena;
	ulid id, incident;
	int changes;
	bool fresh; /* not in the store yet */
	struct str handler, step, subject;
	enum action_kind kind;
	enum control_mode mode;
	int64_t replicas_by;
	int64_t replicas_now;    /* scale: what the wish is made from; 0: not looked at yet; in memory only */
	struct target telemetry; /* where, as the report named it */
	struct str cause;        /* JSON */
	double confidence, severity;
	bool planned; /* `plan` holds */
	struct plan plan;
	struct gate_record gates[GATES];
	bool gated;
	enum gates_decision decision;
	struct action_key key;
	int64_t attempt, handler_attempts;
	enum action_state state, undo_from;
	struct wall times[ACTION_TIMES];
	struct str why, approved_by, asked_undo_by;
	enum past_end end;
	bool repeated, worse;
	int64_t settle_ns;
	struct str verification; /* JSON; empty: none yet */
	struct log_line log[ACTION_LOG_MAX];
	size_t log_count, published, published_stored;
	/* in memory only */
	uint32_t serial; /* names the row in tags */
	enum call call;
	bool publishing;
	bool resumed;   /* read back in this state: a call may have been out */
	bool asked_now; /* a person, or the clock, wants the gates asked again */
	int in_flight;  /* events handed to the bus */
	bool publish_failed;
	struct mono publish_again;
	int tries;
	struct mono again;    /* not before */
	struct mono deadline; /* of the state it is in */
};

struct rows {
	struct list incidents, actions; /* in order of arrival */
	size_t incident_count, action_count;
	struct map by_incident, by_action;
	uint32_t serial;
};

void rows_init(struct rows *r);
void rows_done(struct rows *r); /* frees every row; takes a zeroed one */
void rows_clear(struct rows *r);
/* ERR_EXISTS, ERR_FULL, ERR_NOMEM. `id` is a ULID (26 bytes). */
MUST_USE enum err rows_incident_new(struct rows *r, struct str id, struct incident_row **out);
MUST_USE enum err rows_action_new(struct rows *r, struct str id, struct action_row **out);
struct incident_row *rows_incident(const struct rows *r, struct str id);
struct action_row *rows_action(const struct rows *r, struct str id);
struct action_row *rows_serial(const struct rows *r, uint32_t serial);
struct incident_row *rows_incident_serial(const struct rows *r, uint32_t serial);
void rows_incident_drop(struct rows *r, struct incident_row *in);
void rows_action_drop(struct rows *r, struct action_row *act);

/* The name that history gives to the object, or to what telemetry calls it where no object is known. */
uint64_t action_target_id(const struct action_row *act);
uint64_t action_place_id(const struct action_row *act);
/* Did the plan name a way back? Executors say {"none":"why"} where there is none. */
bool action_way_back(const struct action_row *act);
/* Copies into the row's arena; the empty slice when that is full. */
struct str row_text(struct arena *a, struct str s);
/* Deep copies: `out` lies in `a` alone. ERR_NOMEM. */
MUST_USE enum err plan_copy(struct arena *a, const struct plan *p, struct plan *out);
