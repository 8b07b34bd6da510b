/* Where the API server is and how to prove who we are: a kubeconfig file, the pod's service account,
 * or a URL. Formats: kubernetes.io "Organizing cluster access", client-go's clientcmd. */
#pragma once

#include "base/json.h"
#include "base/url.h"
#include "world/world.h"

struct kube_access {
	struct str server; /* "https://127.0.0.1:6443", no slash at the end */
	struct http_tls tls;
	struct str token;      /* a bearer token, or empty */
	struct str token_file; /* read again before it gets old (bound tokens rotate); or empty */
	struct str namespace_; /* of the context; may be empty */
	struct str where;      /* for messages: "context prod of /root/.kube/config" */
};

/* kubernetes:?context=NAME&kubeconfig=FILE, kubernetes:?server=URL&token_file=FILE, or kubernetes: (in a pod: its
 * service account; else $KUBECONFIG, else ~/.kube/config). Everything lies in `a`. ERR_NOT_FOUND: a file
 * or name, listing the contexts there are; ERR_UNSUPPORTED: exec and auth-provider plugins; ERR_INVALID. */
MUST_USE enum err kube_access_find(struct world *w, struct arena *a, const struct url *u, struct kube_access *out,
                                   struct why *why);
/* The pure part: one kubeconfig's text. `dir`: of the file, for relative paths; files are read through
 * `disk`. `context` empty: the current one. */
MUST_USE enum err kube_access_parse(struct disk *disk, struct arena *a, struct str text, struct str dir,
                                    struct str context, struct kube_access *out, struct why *why);
