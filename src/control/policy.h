/* The limits people set: handlers, what is allowed, budgets, windows. One immutable generation.
 *
 *   handlers:
 *     - name: restart-slow-service     # unique
 *       kinds: [latency, errors]       # causes it answers (CLI.md's list)
 *       services: [payment, "shop-*"]  # globs; none: all
 *       action: rollout_restart
 *       mode: observe                  # observe | approve | auto; observe is the default
 *       confidence_min: 60%
 *       severity_min: 0.5
 *       cooldown: 5m
 *       attempts: 2
 *       demand: any                    # usual, grown: only where the cause says so
 *       rate: 4/1h
 *       replicas: +1                   # scale only
 *   policy:
 *     paused: false
 *     deny:  [{namespace: kube-system}, {action: rollout_undo, service: "db-*"}]
 *     allow: []                        # empty: whatever is not denied
 *     budget: {pods: 10, percent: 34%, window: 10m}
 *     maintenance: [{name: release, from: 2026-01-05T22:00:00Z, to: 2026-01-06T02:00:00Z, service: "*"}]
 *     approval: {ttl: 15m, default: reject}
 *     verify_timeout: 5m
 *     patience: 30s                    # for a sure cause, before people are told that there is none
 */
#pragma once

#include "base/json.h"
#include "base/param.h"
#include "model/action.h"
#include "model/cause.h"

enum control_mode { MODE_OBSERVE, MODE_APPROVE, MODE_AUTO };

/* Of a cause: whether more is wanted of the service than usual. */
enum control_demand { DEMAND_ANY, DEMAND_USUAL, DEMAND_GROWN };

struct handler {
	struct str name;
	uint32_t kinds;             /* bit per cause_kind */
	const struct str *services; /* globs; none: all */
	size_t service_count;
	enum action_kind action;
	enum control_mode mode;
	enum control_demand demand;
	double confidence_min, severity_min;
	int64_t cooldown_ns, attempts;
	int64_t rate_count, rate_window_ns; /* 0: none */
	int64_t replicas_by;                /* scale: relative */
};

struct policy_rule { /* an empty field matches everything; globs with * */
	struct str namespace_, service, workload;
	int action; /* -1: any */
};
struct maintenance {
	struct str name, service;
	struct wall from, to;
};

struct control_policy {
	const struct handler *handlers;
	size_t handler_count;
	bool paused;
	const struct policy_rule *deny, *allow;
	size_t deny_count, allow_count;
	int64_t budget_pods, budget_window_ns;
	double budget_percent;
	const struct maintenance *maintenance;
	size_t maintenance_count;
	int64_t approval_ttl_ns;
	bool approval_default_approve;
	int64_t verify_timeout_ns, patience_ns;
};

/* From the configuration's `handlers:` and `policy:` (either may be NULL: the built-in handlers, all
 * in observe). Lies in `a`. ERR_INVALID: "line N: " and key and nearest valid name; why_file (base/err.h)
 * names the file. */
MUST_USE enum err control_policy_parse(struct arena *a, const struct json *handlers, const struct json *policy,
                                       struct control_policy *out, struct why *why);

/* The YAML that makes it, every default written out: the sections `handlers:` and `policy:`. */
void control_policy_show(const struct control_policy *p, struct buf *out);

const char *control_demand_name(enum control_demand d); /* "any" "usual" "grown" */
const char *control_mode_name(enum control_mode m);     /* "observe" "approve" "auto" */
/* The plain values of a handler, for the manual page and `config schema`. */
extern const struct param control_handler_params[];

/* Empty fields of the rule match everything. */
bool policy_rule_match(const struct policy_rule *r, enum action_kind action, struct str namespace_, struct str service,
                       struct str workload);
/* Does the handler answer that cause in that service? */
bool handler_answers(const struct handler *h, enum cause_kind kind, bool demand_grown, struct str service);
