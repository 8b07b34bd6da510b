/* The writes themselves, as requests: pure, so that repeating one is provably the same write.
 *
 * Every write to a Deployment carries the action's key in an annotation and the version just read as
 * a precondition; a delete carries the pod's UID. Restart is a server-side apply of annotations of our
 * own domain (force is harmless there: nobody else's field is in the body); scale a merge patch; undo a
 * JSON patch of the whole template, as `kubectl rollout undo` does. */
#pragma once

#include "execute/kubernetes/client.h"
#include "execute/kubernetes/object.h"
#include "model/action.h"

struct effect_inputs {
	enum action_kind action;
	bool undo; /* take it back rather than do it */
	const struct plan *plan;
	struct str key;              /* value of the annotation */
	const struct json *now;      /* the object as just read */
	const struct json *revision; /* rollout_undo: the ReplicaSet to go to, as just read */
};

enum effect_state {
	EFFECT_WANTED,   /* not there yet, and the object is as planned */
	EFFECT_THERE,    /* our key is on it: nothing to do */
	EFFECT_CONFLICT, /* somebody changed it since the plan; why says what */
};

/* What the object just read says of the effect. */
enum effect_state effect_state(const struct effect_inputs *in, struct why *why);
/* The write; `dry`: validated and admitted by the server, stored nowhere. Slices lie in `a`. */
MUST_USE enum err effect_request(const struct effect_inputs *in, bool dry, struct arena *a, struct kube_request *out,
                                 struct why *why);
/* Where the object is read; and for rollout_undo the ReplicaSet to go to (empty: none is needed). */
struct str effect_path(enum action_kind action, const struct plan *plan, struct arena *a);
struct str effect_revision_path(const struct effect_inputs *in, struct arena *a);
/* True: there is something that `undo` could write. */
bool effect_can_undo(enum action_kind action);
