/* Events: CloudEvents 1.0, JSON, as they lie on the bus.
 *
 * `data` is one JSON value as text; its shape is fixed by type in docs/events/TYPE.schema.json. */
#pragma once

#include "base/clock.h"
#include "base/json.h"
#include "base/rng.h"

#define EVENT_BYTES_MAX (256 * 1024)

/* clang-format off */
#define EVENT_TYPE_TABLE(X) \
	X(ANOMALY_DETECTED) X(INCIDENT_OPENED) X(INCIDENT_RESOLVED) X(RCA_REPORT) \
	X(SCALE_UP_EVENT) X(SCALE_DOWN_EVENT) X(PREDICTED_FAILURE_EVENT) X(PREDICTED_OUTAGE) \
	X(UNHEALTHY_REGION_EVENT) X(SECURITY_ANOMALY) X(COST_ANOMALY) \
	X(ACTION_PLANNED) X(ACTION_LOG) X(APPROVAL_REQUESTED) X(DATA_STALE) X(MODEL_STATE)
/* clang-format on */

enum event_type {
	EVENT_OTHER, /* somebody else's; `type` has the name */
#define X(name) EVENT_##name,
	EVENT_TYPE_TABLE(X)
#undef X
		EVENT_TYPES
};

#define ULID_LEN 26

struct event {
	struct str id;      /* ULID; with source the key for duplicates */
	struct str source;  /* "/flyball/observe", "/flyball/control", a peer's URI */
	struct str type;    /* "INCIDENT_OPENED" */
	struct str subject; /* the entity: "service/payment" */
	struct wall time;
	double severity;                                /* [0,1]; NaN: none */
	struct str region, traceparent, idempotencykey; /* empty: none */
	struct str data;                                /* JSON text, one value; empty: none */
};

/* ANOMALY_EVENT is ANOMALY_DETECTED, too; what is not in the table is EVENT_OTHER. */
enum event_type event_type_of(struct str type);
const char *event_type_name(enum event_type t);
/* ULID: 48 bits of milliseconds, 80 of chance; Crockford base32, sorts by time. `out`: 27 bytes. */
void ulid_make(struct wall t, struct rng *rng, char out[ULID_LEN + 1]);

/* One line of JSON: line breaks between the tokens of `data` are left out. A time of 0, an empty slice
 * and a severity of NaN are left out too; `data` is trusted to be JSON. */
void event_write(const struct event *e, struct buf *out);
/* ERR_INVALID names the field; ERR_TOO_LARGE. Everything lies in `a` or points into `text`. Attributes
 * that struct event has no place for are left out; binary data (data_base64) is refused. */
MUST_USE enum err event_parse(struct arena *a, struct str text, struct event *out, struct why *why);
/* The same from what json_parse made of `text`. */
MUST_USE enum err event_of_json(const struct json *j, struct str text, struct event *out, struct why *why);
