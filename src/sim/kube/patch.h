/* How Kubernetes changes an object: merge patch, strategic merge patch, JSON patch.
 *
 * RFC 7386; k8s sig-api-machinery "Strategic Merge Patch"; RFC 6902. Each changes `target` in place; when it
 * fails, the target is spoilt and thrown away by the caller (who patches a copy). */
#pragma once

#include "sim/kube/doc.h"

/* By which members an element of a list of that name is known; NULL: the list is one value. Several names
 * are joined by commas ("containerPort,protocol"). `element`: one of its elements. */
const char *sim_kube_list_keys(const char *list, const struct doc *element);
/* The element with the same values of `keys`, or NULL. */
struct doc *sim_kube_list_find(const struct doc *array, const char *keys, const struct doc *like);
/* Maps and structs that change as a whole ("selector"). */
bool sim_kube_is_atomic(const char *member);

void sim_kube_merge_patch(struct doc *target, const struct doc *patch);
MUST_USE enum err sim_kube_strategic_patch(struct doc *target, const struct doc *patch, struct why *why);
/* ERR_INVALID: malformed; ERR_CONFLICT: a test failed; ERR_NOT_FOUND: a path leads nowhere. */
MUST_USE enum err sim_kube_json_patch(struct doc **target, const struct doc *ops, struct why *why);
