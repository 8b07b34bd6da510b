/* Requests to one API server: JSON in, JSON out, by message. Watches come line by line.
 *
 * Adds the credentials (a token file is read again every minute), bounds every answer, and never
 * puts a secret into an error. Thread: one loop's own. */
#pragma once

#include "execute/kubernetes/kubeconfig.h"

struct kube_client;

#define KUBE_ANSWER_MAX (64 << 20)
#define KUBE_LINE_MAX   (4 << 20) /* one watch event */

struct kube_request {
	const char *method;       /* "GET" */
	struct str path;          /* "/apis/apps/v1/namespaces/x/deployments/y?dryRun=All" */
	const char *content_type; /* of the body; NULL: none */
	struct str body;
	bool watch; /* lines until it ends */
};

enum kube_answer_kind { KUBE_ANSWER, KUBE_LINE, KUBE_WATCH_END };

struct kube_answer {
	enum kube_answer_kind kind;
	uint64_t id;
	int status; /* ANSWER: HTTP's; 0: none came. WATCH_END: 200, or the status that refused it */
	enum err
		err;         /* OK for 2xx; ERR_NOT_FOUND 404; ERR_CONFLICT 409, 412; ERR_DENIED 401, 403; ERR_GONE 410;
	                    ERR_AGAIN 429, 5xx; ERR_INVALID other 4xx; ERR_UNREACHABLE, ERR_TIMEOUT, ERR_CLOSED, ERR_TOO_LARGE */
	struct str body; /* ANSWER: whole; LINE: one event; until the next poll */
	struct why why;  /* the Status message of the server, or what failed; empty for OK */
};

MUST_USE enum err kube_client_open(struct world *w, const struct kube_access *access, struct kube_client **out,
                                   struct why *why);
/* ERR_FULL: too many in flight. */
MUST_USE enum err kube_client_submit(struct kube_client *c, const struct kube_request *r, uint64_t *id);
bool kube_client_poll(struct kube_client *c, struct kube_answer *out);
void kube_client_cancel(struct kube_client *c, uint64_t id);
void kube_client_close(struct kube_client *c);
