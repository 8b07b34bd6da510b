/* Checks what a test saw emitted against the JSON Schemas of docs/events. Test support: no product
 * code links it.
 *
 * A test adds `model_test_dep` to its dependencies and says
 *
 *   struct why why;
 *   EXPECT_OK(schema_check_event(EVENTS_DIR, buf_get(&event), &why));   (why.text names the place)
 *
 * The part of draft 2020-12 that the schemas use: type, required, properties, additionalProperties,
 * items, enum, const, minimum, maximum, minLength, maxLength, pattern (POSIX extended, of strings under 256 bytes),
 * minItems, maxItems, format date-time, anyOf,
 * oneOf, $ref to "#/$defs/NAME". A schema with any other keyword is refused, so that nothing is
 * taken for checked that was not. */
#pragma once

#include "base/json.h"

/* ERR_INVALID: *why names the place ("data.signals[2].score: less than 0"); also for a schema that is
 * itself wrong. `schema` is the whole document, where $defs lie. */
MUST_USE enum err schema_check(const struct json *schema, const struct json *value, struct why *why);
/* By the event's type: DIR/TYPE.schema.json. ERR_NOT_FOUND: there is none; ERR_INVALID; ERR_IO. */
MUST_USE enum err schema_check_event(const char *dir, struct str event, struct why *why);
/* The bytes of a schema's file, at most 1 MiB. ERR_NOT_FOUND; ERR_IO. */
MUST_USE enum err schema_text(struct arena *a, const char *path, struct str *out, struct why *why);
