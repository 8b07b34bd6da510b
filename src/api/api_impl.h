/* What the files of api/ share: a slot for each request at work, and the table of routes. */
#pragma once

#include "api/api.h"
#include "api/auth.h"
#include "api/request.h"

#define PAGE_MAX          1000
#define PAGE_DEFAULT      100
#define ANSWER_TIMEOUT_NS (30 * NS_PER_SEC)
#define FOLLOW_NS         NS_PER_SEC        /* how often followers look for new events */
#define FOLLOW_SILENCE_NS (15 * NS_PER_SEC) /* a comment keeps the connection open */
#define ANSWER_BYTES_MAX  (32 * 1024 * 1024)
#define STORY_ACTIONS_MAX 32

struct slot;

struct route {
	const char *method;
	const char *path; /* "/api/v1/actions/ * /approve" without blanks: a star stands for one part */
	bool open;        /* never needs a token: probes */
	enum api_role role;
	int what; /* told to `start`: a command's kind, ... */
	void (*start)(struct api *a, struct slot *s);
	/* An answer came for the slot; NULL: it asks nothing. */
	void (*state)(struct api *a, struct slot *s, const struct state_done *done);
	void (*listed)(struct api *a, struct slot *s, const struct bus_msg *msg);
	const char *params; /* the parameters it knows, "limit after" */
};

struct slot {
	uint64_t id; /* the exchange; 0: free */
	uint32_t serial;
	struct arena arena;
	const struct route *route;
	struct request_target target;
	struct str star; /* the part that the route's star stood for */
	struct str by;   /* the token's name */
	struct buf body;
	bool whole, started, waits;
	struct mono deadline;
	int stage;
	/* of what is being answered */
	struct buf out;
	struct json_out json;
	int64_t limit;
	const struct json *incident;
	const struct json *actions[STORY_ACTIONS_MAX];
	size_t action_count, action_next;
	struct str incident_id, action_id;
	/* audit/verify */
	struct str after;
	uint64_t entries;
	void *verifier;
	/* followers */
	bool following;
	uint64_t position;
	struct str type;
	struct wall since; /* ns 0: whenever */
	bool newest;       /* the next page is the newest, not the one behind `position` */
	struct mono look_at, said_at;
};

struct api_counters {
	int64_t requests, refused, errors, timeouts, full;
};

struct api {
	struct api_opts o;
	struct http_server *server;
	bool loopback;
	struct slot slots[API_REQUESTS_MAX];
	size_t used, followers;
	uint32_t serial;
	struct mono now;
	struct api_counters n;
};

extern const struct route api_routes[];
/* The route for method and path. ERR_NOT_FOUND: no such path; ERR_UNSUPPORTED: another method is meant, *allow. */
MUST_USE enum err route_find(struct str method, const struct request_target *t, const struct route **out,
                             struct str *star, const char **allow);

/* ---- api.c: answering; each ends the slot ---- */
void answer(struct api *a, struct slot *s, int status, const char *type, struct str body);
void answer_json(struct api *a, struct slot *s, int status, struct str body);
/* The slot's `out`, as JSON with 200. */
void answer_out(struct api *a, struct slot *s);
void answer_error(struct api *a, struct slot *s, int status, const char *fmt, ...) PRINTF(4, 5);
void answer_err(struct api *a, struct slot *s, enum err e, const char *why); /* by code */
uint64_t slot_tag(const struct slot *s);
/* Asks the state store; false: it was answered with an error. */
bool slot_query(struct api *a, struct slot *s, struct str prefix, bool exact, bool newest_first, struct str after,
                int64_t limit);
/* The ID in the path, upper case: the whole or its beginning. False: answered, it is none. */
bool slot_id(struct api *a, struct slot *s, struct str *out);
/* limit= and after=, into the slot. False: answered. */
bool slot_page(struct api *a, struct slot *s);
void slot_free(struct api *a, struct slot *s);

/* ---- live.c ---- */
void start_healthz(struct api *a, struct slot *s);
void start_readyz(struct api *a, struct slot *s);
void start_metrics(struct api *a, struct slot *s);
void start_status(struct api *a, struct slot *s);
void start_coverage(struct api *a, struct slot *s);
void start_graph(struct api *a, struct slot *s);

/* ---- rows.c ---- */
enum { ROWS_INCIDENTS, ROWS_ACTIONS };
void start_rows(struct api *a, struct slot *s);
void state_rows(struct api *a, struct slot *s, const struct state_done *done);
void start_row(struct api *a, struct slot *s);
void state_row(struct api *a, struct slot *s, const struct state_done *done);
void start_explain(struct api *a, struct slot *s);
void state_explain(struct api *a, struct slot *s, const struct state_done *done);

/* ---- log.c ---- */
void start_audit(struct api *a, struct slot *s);
void state_audit(struct api *a, struct slot *s, const struct state_done *done);
void start_verify(struct api *a, struct slot *s);
void state_verify(struct api *a, struct slot *s, const struct state_done *done);

/* ---- events.c ---- */
void start_events(struct api *a, struct slot *s);
void listed_events(struct api *a, struct slot *s, const struct bus_msg *msg);
bool follow_step(struct api *a, struct slot *s);

/* ---- change.c ---- */
void start_change(struct api *a, struct slot *s);
void state_change(struct api *a, struct slot *s, const struct state_done *done);
void change_done(struct api *a, struct slot *s, const struct command_done *done);
