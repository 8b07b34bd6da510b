/* What we keep of a Kubernetes object: the few fields that mapping, planning and settling need. */
#pragma once

#include "base/json.h"

enum kube_kind { KUBE_DEPLOYMENT, KUBE_REPLICASET, KUBE_POD, KUBE_HPA, KUBE_KINDS };

/* "Deployment" ...; the collection's path without namespace: "/apis/apps/v1", "deployments". */
const char *kube_kind_name(enum kube_kind k);
const char *kube_kind_group(enum kube_kind k);
const char *kube_kind_plural(enum kube_kind k);

/* Annotations of ours: on an object the key of the last action that changed it; on a pod template the
 * moment of a restart. */
#define KUBE_ACTION_KEY   "flyball.dev/action-key"
#define KUBE_RESTARTED_AT "flyball.dev/restarted-at"

struct kube_object {
	enum kube_kind kind;
	struct str namespace_, name, uid, resource_version;
	struct str owner_kind, owner_name, owner_uid; /* the controller; empty: none */
	struct str revision;                          /* of a rollout: deployment.kubernetes.io/revision */
	struct str key;                               /* our annotation: of the last action that changed it */
	struct str node, reason;                      /* pods: "OOMKilled", "CrashLoopBackOff", "Evicted" ... */
	struct str target_kind, target_name;          /* HPAs */
	struct str manager;                           /* who wrote the spec last, by managedFields */
	int64_t generation, observed;                 /* Deployments: metadata and status */
	int64_t wanted, updated, available, total;    /* replicas; pods that are ready: available */
	int64_t restarts;
	bool ready, deleting, stuck; /* stuck: ProgressDeadlineExceeded */
	uint64_t mark;               /* of the list that saw it last */
};

/* From one object's JSON; one allocation, kube_object_free'd. ERR_INVALID: no name, uid or version. */
MUST_USE enum err kube_object_parse(enum kube_kind kind, const struct json *j, struct kube_object **out);
void kube_object_free(struct kube_object *o); /* takes NULL */
