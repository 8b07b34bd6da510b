/* What `flyball status` tells people: the answer of /api/v1/status in a few sentences. Pure. */
#pragma once

#include "base/json.h"

/* `status`: the answer, as JSON. What it lacks is left out. Appends to `out`. */
void status_words(const struct json *status, struct buf *out);
