/* EventBridge patterns, compiled, matched in one pass over the event's JSON.
 *
 * Now: exact (strings, numbers, true, false, null), prefix, anything-but (values, lists, prefix),
 * numeric ranges, exists, nesting, $or; event arrays match on intersection. Semantics: the
 * EventBridge documentation, section E4 of our peers' notes. A malformed pattern is refused with
 * position and reason, an operator that we do not know yet with its name. */
#pragma once

#include "base/json.h"

struct pattern;

#define PATTERN_BYTES_MAX 4096

/* The pattern lies in `a`. ERR_INVALID, ERR_UNSUPPORTED, ERR_TOO_LARGE. */
MUST_USE enum err pattern_compile(struct arena *a, struct str json, struct pattern **out, struct why *why);
/* Against a parsed event. */
bool pattern_match(const struct pattern *p, const struct json *event);
/* The first field that failed, as a path ("detail.severity"), for `rules test`; empty when it matches. */
struct str pattern_explain(const struct pattern *p, const struct json *event, struct arena *a);
