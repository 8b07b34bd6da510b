/* EventBridge patterns, compiled, matched in one pass over the event's JSON.
 *
 * Now: exact (strings, numbers, true, false, null), prefix, anything-but (values, lists, prefix),
 * numeric ranges, exists, nesting, $or; event arrays match on intersection. Semantics: the
 * EventBridge documentation, section E4 of our peers' notes; where that is silent, what AWS's own
 * event-ruler does. A malformed pattern is refused with position and reason, an operator that we do
 * not know yet with its name.
 *
 * - Every field of a pattern must match; of the values that it lists, any may. {} is refused, as by
 *   EventBridge: {"source": [{"prefix": ""}]} takes every event.
 * - Numbers are compared as IEEE doubles: 300 and 3.0e2 are equal.
 * - A field that is an array matches when any of its elements does, for anything-but too. In an array of
 *   objects, all fields of a nested pattern must match in one and the same element.
 * - exists looks at leaves: {"exists": false} holds where the field is missing, is an object, or an
 *   empty array; null is a value.
 * - "$or" is the operator where it lists two or more objects whose keys are no operators; else it is a
 *   field of that name. */
#pragma once

#include "base/json.h"

struct pattern;

#define PATTERN_BYTES_MAX 4096
#define PATTERN_DEPTH_MAX 32

/* The pattern lies in `a`; `json` is copied. ERR_INVALID, ERR_UNSUPPORTED, ERR_TOO_LARGE, ERR_NOMEM; *why gives
 * the byte, from 0. */
MUST_USE enum err pattern_compile(struct arena *a, struct str json, struct pattern **out, struct why *why);
/* Against a parsed event. */
bool pattern_match(const struct pattern *p, const struct json *event);
/* The first field that failed, as a path ("detail.severity"), for `rules test`; empty when it matches. */
struct str pattern_explain(const struct pattern *p, const struct json *event, struct arena *a);
