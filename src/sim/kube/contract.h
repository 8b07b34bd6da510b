/* One suite of promises for two Kubernetes API servers: the simulated one and the real one.
 *
 * What Flyball relies on: versions, preconditions, the four patches, managed fields, dry run, scale, eviction,
 * watches with their end, refusals by right, and what the controllers then do. sim/kube/contract_test runs it
 * in virtual time; kube_contract_real against whatever server it is told, so that the simulated one cannot
 * drift from the real one unseen. The suite makes a namespace of its own. */
#pragma once

#include "sim/kube/doc.h"

struct contract {
	void *self;
	/* One request as "admin" (may everything) or "look" (kube_rules_look); the status, and the answer as a
	 * document, the caller's (NULL: none). -1: no answer came. */
	int (*ask)(void *self, const char *user, const char *method, const char *path, const char *type, const char *body,
	           struct doc **out);
	/* Reads a watch for so long, or until it ends (*over). */
	int (*watch)(void *self, const char *path, int64_t for_ns, struct buf *lines, bool *over);
	void (*wait)(void *self, int64_t ns);
	const char *namespace_;
};

/* Runs every promise; a line for each broken one goes to `out`. Returns how many are broken. */
size_t contract_run(const struct contract *c, struct buf *out, size_t *kept);
