/* What was done before: the short memory behind attempts, cooldown, rate and budget.
 *
 * One entry of fixed size for each action, live or ended, in a ring. All times are monotonic, so that
 * a stepping clock frees nobody from a cooldown; entries read back after a restart are placed by
 * how long ago the record says they acted. A ring that is full of young entries says so
 * (history_full), and the budget gate waits: forgetting would be the unsafe side.
 * Thread: control's own. */
#pragma once

#include "base/clock.h"
#include "model/action.h"
#include "model/event.h"

#define HISTORY_MAX 4096

/* Why an action ended as it did, where the state alone does not tell. */
enum past_end {
	END_NONE,
	END_REJECTED, /* a person said no */
	END_CONFLICT, /* the object had changed: a fresh plan may do better */
	END_OVER,     /* the incident ended first */
};

struct past {
	/* what every question looks at lies in the first 64 bytes: a full ring is walked a cache line an entry */
	struct mono acted;
	uint64_t target;           /* hash64 of the object's UID, or of its name where there is none */
	uint64_t place;            /* hash64 of "namespace/service": a deleted pod's successor has another UID */
	uint64_t handler, service; /* hash64 of the names */
	int32_t pods;              /* that the action replaces */
	int32_t lost;              /* ready ones that it takes away without a rollout's care */
	enum action_state state;
	bool claimed; /* the key was taken (or would have been) at `acted` */
	bool told;    /* would have acted: counts only for other would-haves */
	enum action_kind kind;
	enum past_end end;
	int64_t attempt;
	char action[ULID_LEN + 1], incident[ULID_LEN + 1];
};

struct history {
	struct past *ring; /* HISTORY_MAX, in order of arrival */
	size_t count, next;
};

MUST_USE enum err history_open(struct history *h);
void history_close(struct history *h); /* takes a zeroed one */
void history_clear(struct history *h);
/* The entry of that action, made when it is new: overwrites the oldest when full. */
struct past *history_entry(struct history *h, struct str action);
const struct past *history_find(const struct history *h, struct str action);

/* What a question counts: the real ones, and with `told` also what would have been done. */
struct history_query {
	struct mono now;
	bool told;
	const char *except; /* an action's id: the one that asks; NULL: none */
};
/* Where something acted: on that very object, or on whatever serves that service. */
struct history_where {
	uint64_t target, place;
};
/* How often that handler acted in (now - window, now]. */
int64_t history_actions(const struct history *h, struct history_query q, uint64_t handler, int64_t window_ns);
struct history_sum {
	int64_t pods, lost;
	int64_t oldest_ns; /* age of the oldest that counted; 0: none */
};
/* Pods of what acted within the window; `where` NULL: over everything. */
struct history_sum history_pods(const struct history *h, struct history_query q, const struct history_where *where,
                                int64_t window_ns);
/* How long ago anything acted there; 0 while a call is out; -1: never. */
int64_t history_since(const struct history *h, struct history_query q, const struct history_where *where);
/* Highest attempt with a claimed key for (incident, kind, target); 0: none. */
int64_t history_attempt(const struct history *h, struct history_query q, struct str incident, enum action_kind kind,
                        uint64_t target);
/* How many attempts that handler has had for the service in the incident. */
int64_t history_handler_attempts(const struct history *h, struct history_query q, struct str incident, uint64_t handler,
                                 uint64_t service);
/* True: an entry younger than the window would be overwritten next. */
bool history_full(const struct history *h, struct mono now, int64_t window_ns);
