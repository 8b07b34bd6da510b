/* Who owns which field of an object: server-side apply and metadata.managedFields.
 *
 * A set of fields is an object in the FieldsV1 form ("f:spec": {"f:replicas": {}}, "k:{\"name\":\"c\"}", ".").
 * Rules: kubernetes.io "Server-Side Apply"; sigs.k8s.io/structured-merge-diff. An entry is one
 * manager with one operation (Apply, Update) on one subresource. */
#pragma once

#include "sim/kube/doc.h"

struct sim_kube_manager {
	const char *name;
	const char *subresource; /* "", "status", "scale" */
	const char *time;        /* RFC 3339, seconds */
	const char *api_version; /* "apps/v1" */
};

/* Writes that are no apply: what differs between `before` (NULL: created) and `now` is the manager's, and
 * nobody else's; what is gone is nobody's. Changes `now`'s managedFields. */
void sim_kube_fields_update(const struct doc *before, struct doc *now, const struct sim_kube_manager *m);

/* An apply of `config` onto `live` (NULL: created). *out is the result, the caller's. ERR_CONFLICT: others own
 * fields that would change, each is pushed onto `causes` as {"reason","message","field"}; `force` takes them. */
MUST_USE enum err sim_kube_fields_apply(const struct doc *live, const struct doc *config,
                                        const struct sim_kube_manager *m, bool force, struct doc **out,
                                        struct doc *causes, struct why *why);
/* "f:spec" {"f:replicas"}: does anybody's entry hold this dotted path? For tests and the contract. */
struct str sim_kube_fields_owner(const struct doc *object, const char *path);
