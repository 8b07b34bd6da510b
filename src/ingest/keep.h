/* Which attributes of a span are kept: those that entities and edges are made of.
 *
 * The rest stays at the door: it costs memory all the way, and may hold what is nobody's business
 * (statements, headers). One table, a reason each. Resource attributes are kept whole. */
#pragma once

#include "base/str.h"

bool keep_span_attribute(struct str key);

struct keep_rule {
	struct str key; /* ends in '.': every key that begins so */
	bool keep;
	const char *why;
};
/* For the manual and the test; the first rule that fits decides, none: left out. */
const struct keep_rule *keep_rules(size_t *count);
