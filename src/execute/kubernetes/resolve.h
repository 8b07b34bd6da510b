/* From what telemetry calls a service to the workload that runs it; never by equal names. */
#pragma once

#include "execute/kubernetes/watch.h"
#include "model/action.h"

struct kube_resolved {
	const struct kube_object *deployment; /* in the cache, until the next answer is taken */
	const struct kube_object *pod;        /* of ACTION_DELETE_POD; else NULL */
	struct str mapped_by;                 /* a sentence, in `a` */
};

/* In this order: k8s.* attributes; pod UIDs and their owner references; `services:` of the configuration.
 * ERR_NOT_FOUND: says what was tried; ERR_CONFLICT: the pods belong to two workloads; ERR_UNSUPPORTED:
 * a kind of workload that we do not act on. */
MUST_USE enum err kube_resolve(const struct kube_watch *w, enum action_kind action, const struct target *t,
                               const struct service_map *services, size_t service_count, struct arena *a,
                               struct kube_resolved *out, struct why *why);
