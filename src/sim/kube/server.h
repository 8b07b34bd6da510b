/* The simulated cluster's API server: the Kubernetes REST API behind the HTTP port.
 *
 * A program of a host (sim/host.h), written against struct http_host, so that it can be served on a real
 * socket too. Get, list (limit, continue, label and field selectors), watch (bookmarks, 410), create, update,
 * the four patches, delete with preconditions, scale, eviction, dry run, self subject access reviews, and
 * RBAC by token. It may be slow, fail, or answer with what was true a moment ago. */
#pragma once

#include "sim/host.h"
#include "sim/kube/kube.h"

struct sim_kube_rule { /* lists joined by commas; "*" is all */
	const char *verbs, *groups, *resources;
	const char *namespace_; /* NULL: everywhere */
};
struct sim_kube_user {
	const char *token, *name;
	const struct sim_kube_rule *rules;
	size_t rule_count;
};

struct sim_kube_server_faults { /* probabilities of a request */
	double failing;             /* 500 or 503 without having done it */
	double forgetful;           /* done, and then 500: whoever repeats it must not do it twice */
	double stale;               /* a read answers with the state of up to `stale_ns` ago */
	double throttled;           /* 429 with Retry-After */
	int64_t slow_ns;            /* each waits up to this before it is looked at, and is then done even when
	                             * its sender has given up, half the time */
};

struct sim_kube_server_counts {
	int64_t requests, refused, watches, slow, failing, forgetful, stale, throttled, gone;
	int64_t writes, dry_runs; /* asked for, refused ones among them; dry runs are writes too */
};

struct sim_kube_server {
	struct sim_kube *kube;
	const struct sim_kube_user *users; /* borrowed */
	size_t user_count;
	int port;
	struct sim_kube_server_faults faults;
	struct sim_kube_server_counts counts;
	/* ---- the running process's ---- */
	struct sim_host *host;
	struct http_server *http;
	struct list requests; /* that are still being received */
	struct list watches;
	struct rng rng;
};

extern const struct sim_program sim_kube_server_program;
/* What Flyball needs to act, and to only look (docs: `flyball rbac`). */
extern const struct sim_kube_rule sim_kube_rules_act[], sim_kube_rules_look[];
extern const size_t sim_kube_rules_act_count, sim_kube_rules_look_count;
