/* A lease with a fencing token, on any state back end.
 *
 * The item "lease/NAME" holds holder, token, term; the holder writes it anew before a third of the term
 * has passed, and whoever wants it takes it over, by the item's version, once it has not changed
 * for a term. The token rises with each change of holder. It is also the version of the item
 * "lease/NAME/fence", which only a change of holder writes: every transaction of the holder carries a
 * check on it, so that a paused ex-holder cannot write, while a renewal in between disturbs nobody.
 * Expiry is judged by the local monotonic clock from the last change that this process saw, never by
 * somebody else's wall clock; the holder itself stops a tenth of the term earlier.
 * Thread: the loop that owns the state handle. */
#pragma once

#include "store/state.h"

struct lease;

struct lease_opts {
	struct state *state; /* borrowed */
	struct clock *clock;
	struct str name, holder; /* copied; the holder is unique to this process, such as "host/pid/ulid" */
	int64_t term_ns;         /* 1 s..1 h */
	uint64_t tag;            /* completions with this tag are the lease's: lease_take */
};

/* Lies in `a`; nothing to close. ERR_INVALID: an option; ERR_NOMEM. */
MUST_USE enum err lease_new(struct arena *a, struct lease_opts o, struct lease **out);
/* Renews, acquires or looks, as time asks. Call on each wake-up. */
void lease_step(struct lease *l);
/* True: the completion was ours. */
bool lease_take(struct lease *l, const struct state_done *done);
bool lease_held(const struct lease *l);
uint64_t lease_token(const struct lease *l); /* 0 when not held */
/* The check that every write of the holder carries: fails once somebody else has the lease, and always
 * where it was never held. Borrows from the lease. */
struct state_write lease_guard(const struct lease *l);
/* Gives it back, so that another need not wait for the term. Not held from here on, and not sought. */
void lease_release(struct lease *l);
bool lease_leaving(const struct lease *l); /* true while that is on its way */
/* When time alone asks for a step; INT64_MAX: never. */
struct mono lease_next_due(const struct lease *l);
