/* One incident or action as a person reads it on a terminal: what it is, since when, and what to ask next. */
#pragma once

#include "base/json.h"

/* `row` is the API's answer; what it lacks is left out. Appends to `out`. */
void card_incident(const struct json *row, struct buf *out);
void card_action(const struct json *row, struct buf *out);
