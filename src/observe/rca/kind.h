/* Of a cause: which kind it is. What happened there comes first (a rollout, memory, pods), then what its errors and
 * gauges say (a full disk, no room for more), and only then how it shows in its requests. Pure. */
#pragma once

#include "observe/rca/blame.h"

struct kind {
	enum cause_kind is;
	bool proved;   /* by something that happened or was told, not only by how requests look */
	bool awaiting; /* a gauge that usually tells has not told since the onset, and could make it another */
};
struct kind kind_of(const struct rca_input *in, const struct rca_node *n, const struct blame *b);

/* The rollout that may be it; NULL: none. */
const struct rca_change *kind_change(const struct rca_input *in, const struct rca_node *n);
enum blame_why kind_why(const struct blame *b); /* how most of it shows */
/* Why there is no room: each is one reason for CAUSE_SATURATION. */
bool kind_cpu_busy(const struct rca_node *n);    /* since the onset, and not as usual */
bool kind_turned_away(const struct rca_node *n); /* most that fails was refused for want of room */
bool kind_overrun(const struct rca_node *n);     /* asked for much more often than just before */
/* More is wanted of it than usual, at the source: those who call it are asked more often themselves. Calls alone do not
 * say so, since callers that fail ask again. Of who has no callers its own rate says it. */
bool kind_demand_grown(const struct rca_node *n);

static inline bool kind_hinted(const struct rca_node *n, enum hint h) {
	return n->hints >> h & 1;
}
