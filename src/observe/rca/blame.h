/* The flow of blame through the graph: the numeric part of rca.h. Pure. */
#pragma once

#include "observe/rca/rca.h"

enum blame_why { BLAME_TIME, BLAME_FAILURES, BLAME_BETWEEN, BLAME_UNREACHABLE, BLAME_WHYS };

struct blame {
	double by[BLAME_WHYS];
	double assumed; /* of the sum: handed here without evidence of where it goes on */
	uint32_t via;   /* caller that handed most of it */
	double via_share;
};

static inline double blame_sum(const struct blame *b) {
	return b->by[BLAME_TIME] + b->by[BLAME_FAILURES] + b->by[BLAME_BETWEEN] + b->by[BLAME_UNREACHABLE];
}

/* `out`: one for each node, zeroed by the callee. ERR_NOMEM. */
MUST_USE enum err blame_flow(struct arena *a, const struct rca_input *in, struct blame *out);
