/* Rows as JSON: what the state store keeps, and what events tell of an action.
 *
 * The shapes are those of docs/events/README.md. Writing and reading back gives the same row. Reading
 * takes nothing for granted: the store may hold what another version wrote. */
#pragma once

#include "control/rows.h"

void incident_write(const struct incident_row *in, struct buf *out);
/* Into a fresh row. ERR_CORRUPT names what is wrong. */
MUST_USE enum err incident_read(struct incident_row *in, struct str json, struct why *why);
void action_write(const struct action_row *act, struct buf *out);
MUST_USE enum err action_read(struct action_row *act, struct str json, struct why *why);

/* Members of ACTION_PLANNED's data, from "action" to "undo". */
void action_planned_members(const struct action_row *act, struct json_out *o);
/* "restart Deployment shop/payment ...": the plan's sentence, or one made of what telemetry named. */
struct str action_summary(const struct action_row *act, struct arena *a);
void ulid_or_null(struct json_out *o, const char *key, const char *id);
void text_or_null(struct json_out *o, const char *key, struct str s);
void wall_or_null(struct json_out *o, const char *key, struct wall t);
void raw_or(struct json_out *o, const char *key, struct str json, const char *fallback);
