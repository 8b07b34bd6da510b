/* From an object as the server has it now to a plan: what would be written, what it disturbs, who
 * owns the field, how to get back. Pure. */
#pragma once

#include "execute/kubernetes/resolve.h"

struct plan_inputs {
	enum action_kind action;
	const struct kube_watch *watch;
	const struct kube_resolved *resolved;
	const struct json *object; /* the Deployment (or pod) as just read */
	int64_t replicas;          /* ACTION_SCALE: the wish */
	struct wall now;
};

/* Everything lies in `a`. ERR_CONFLICT: the rollout is paused, or the object is not the resolved one;
 * ERR_NOT_FOUND: no earlier revision to go back to; ERR_INVALID: the wish is what it is already. */
MUST_USE enum err kube_plan(const struct plan_inputs *in, struct arena *a, struct plan *out, struct why *why);
/* Who would fight us over what the action writes; empty: nobody. */
struct str kube_owner(const struct plan_inputs *in, struct arena *a);
