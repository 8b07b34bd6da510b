/* HTTP for people and programs: reads snapshots and state, hands commands to the control plane.
 *
 * GET /healthz /readyz /metrics, /api/v1/{status,coverage,graph,incidents[/ID],events,actions[/ID],explain/ID,audit,
 * audit/verify}. POST /api/v1/{actions/ID/approve|reject|undo, incidents/ID/ack|wrong|mute, pause, resume}: bearer
 * token with the role for it, always. docs/api.yaml describes every path, parameter and answer.
 *
 * An ID may be shortened to its first letters while these name one thing. Lists answer
 * {"items":[...],"next":...}: `next` goes into ?after=, null at the end. What is wrong is answered with
 * {"error":"a sentence that says what to do"}. GET /api/v1/events?follow=1 goes on as server-sent events.
 *
 * Bounds: API_REQUESTS_MAX requests at work (further ones: 503), bodies of API_BODY_MAX bytes (413), API_FOLLOWERS_MAX
 * followers (503), 30 s for an answer (504). On loopback the Host header must name this machine, so that no web
 * page reads through a name of its own that it points at 127.0.0.1. Thread: its loop's own. */
#pragma once

#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "bus/bus.h"
#include "model/command.h"
#include "store/state.h"
#include "world/http.h"

#define API_REQUESTS_MAX  64
#define API_FOLLOWERS_MAX 16
#define API_BODY_MAX      (64 * 1024)

struct api;

enum api_role { ROLE_VIEWER, ROLE_APPROVER, ROLE_OPERATOR };
struct api_token {
	struct str name;
	enum api_role role;
	struct sha256 hash; /* of the token's text */
};

/* Parts that have something to say, in the order of wiring. */
struct api_part {
	const char *name;
	void *self;
	bool (*ready)(const void *self);                          /* NULL: always */
	void (*status)(const void *self, struct json_out *out);   /* one JSON object; may be NULL */
	void (*coverage)(const void *self, struct json_out *out); /* may be NULL */
	void (*graph)(const void *self, struct json_out *out);    /* may be NULL */
	void (*metrics)(const void *self, struct metrics_out *m); /* may be NULL */
};

struct api_opts {
	struct http_host *servers;
	struct str address; /* loopback unless told otherwise */
	int port;           /* 8555; 0: any free */
	struct clock *clock;
	struct bus *bus;           /* a handle of its own: lists only */
	struct state *state;       /* a handle of its own: queries only */
	struct commands *commands; /* NULL: this role cannot change anything */
	const struct api_token *tokens;
	size_t token_count;
	bool read_needs_token; /* default false: reading on loopback is open */
	const struct api_part *parts;
	size_t part_count;
	const char *version;
	struct log *log;
};

/* Everything in `o` is borrowed and outlives the api. ERR_BUSY: the port is in use (why names it). */
MUST_USE enum err api_open(const struct api_opts *o, struct api **out, struct why *why);
bool api_step(struct api *a);                  /* false: nothing to do now */
struct mono api_next_due(const struct api *a); /* INT64_MAX: never */
int api_port(const struct api *a);             /* the bound one */
/* Other tokens from the next request on; borrowed like those before. Where reading needs one, followers are sent away:
 * who still may comes again. */
void api_reload(struct api *a, const struct api_token *tokens, size_t count, bool read_needs_token);
void api_metrics(const struct api *a, struct metrics_out *m);
void api_close(struct api *a);
