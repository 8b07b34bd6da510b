/* A lease with a fencing token, on any state back end.
 *
 * The item "lease/NAME" holds holder, token, term. Whoever writes it wins by the item's version; the
 * token rises with each change of holder, and every transaction of the holder carries a check on the
 * item's version, so that a paused ex-holder cannot write. Expiry is judged by the local monotonic
 * clock from the last change that this process saw, never by somebody else's wall clock. */
#pragma once

#include "store/state.h"

struct lease;

struct lease_opts {
	struct state *state; /* borrowed */
	struct clock *clock;
	struct str name, holder; /* copied */
	int64_t term_ns;         /* 1 s..1 h */
	uint64_t tag;            /* completions with this tag are the lease's: lease_take */
};

MUST_USE enum err lease_new(struct arena *a, struct lease_opts o, struct lease **out);
/* Renews, acquires or looks, as time asks. Call on each wake-up. */
void lease_step(struct lease *l);
/* True: the completion was ours. */
bool lease_take(struct lease *l, const struct state_done *done);
bool lease_held(const struct lease *l);
uint64_t lease_token(const struct lease *l); /* 0 when not held */
/* The check that every write of the holder carries: fails once somebody else has the lease. */
struct state_write lease_guard(const struct lease *l);
struct mono lease_next_due(const struct lease *l);
