#include "control/policy.h"

#include <assert.h>
#include <string.h>

#include "control/glob.h"

#define HANDLERS_MAX    500
#define RULES_MAX       1000
#define GLOBS_MAX       256
#define REPLICAS_BY_MAX 100

static const char *const mode_names[] = { "observe", "approve", "auto", NULL };
static const char *const action_names[] = { "rollout_restart", "delete_pod", "rollout_undo", "scale", NULL };
static const char *const demand_names[] = { "any", "usual", "grown", NULL };
static const char *const default_names[] = { "reject", "approve", NULL };

static_assert(sizeof action_names / sizeof *action_names == ACTION_KINDS + 1, "a name for each action");

const char *control_mode_name(enum control_mode m) {
	return mode_names[m];
}

const char *control_demand_name(enum control_demand d) {
	return demand_names[d];
}

const struct param control_handler_params[] = {
	{ "name", PARAM_STR, offsetof(struct handler, name), 0, 0, "", NULL, true,
	  "Unique; part of the idempotency key, so renaming a handler starts its attempts anew." },
	{ "action", PARAM_ENUM, offsetof(struct handler, action), 0, 0, "rollout_restart", action_names, true,
	  "What to do: rollout_restart, delete_pod, rollout_undo or scale." },
	{ "mode", PARAM_ENUM, offsetof(struct handler, mode), 0, 0, "observe", mode_names, true,
	  "observe says what would be done, approve asks first, auto does it." },
	{ "demand", PARAM_ENUM, offsetof(struct handler, demand), 0, 0, "any", demand_names, true,
	  "Only where as much is wanted of the service as usual, or only where that has grown: any, usual or grown." },
	{ "confidence_min", PARAM_PERCENT, offsetof(struct handler, confidence_min), 0, 1, "60%", NULL, true,
	  "How sure the cause must be." },
	{ "severity_min", PARAM_DOUBLE, offsetof(struct handler, severity_min), 0, 1, "0.5", NULL, true,
	  "How severe the incident must be." },
	{ "cooldown", PARAM_DURATION, offsetof(struct handler, cooldown_ns), 0, 86400e9, "5m", NULL, true,
	  "Least time between two actions on one target." },
	{ "attempts", PARAM_INT, offsetof(struct handler, attempts), 1, 10, "2", NULL, true,
	  "Attempts for one incident before the next handler, or a person." },
	PARAM_END,
};

struct policy_scalars {
	bool paused;
	int64_t verify_timeout_ns, patience_ns;
};
struct policy_budget {
	int64_t pods, window_ns;
	double percent;
};
struct policy_approval {
	int64_t ttl_ns;
	int fallback;
};

static const struct param scalar_params[] = {
	{ "paused", PARAM_BOOL, offsetof(struct policy_scalars, paused), 0, 0, "false", NULL, true,
	  "Nothing is done while it is true." },
	{ "verify_timeout", PARAM_DURATION, offsetof(struct policy_scalars, verify_timeout_ns), 1e9, 86400e9, "5m", NULL,
	  true, "How long after an action the signals may take to come back." },
	{ "patience", PARAM_DURATION, offsetof(struct policy_scalars, patience_ns), 0, 86400e9, "30s", NULL, true,
	  "How long after its opening an incident may wait for a sure cause before people are told that there is none." },
	PARAM_END,
};
static const struct param budget_params[] = {
	{ "pods", PARAM_INT, offsetof(struct policy_budget, pods), 0, 100000, "10", NULL, true,
	  "Pods that may be replaced within the window, over everything." },
	{ "percent", PARAM_PERCENT, offsetof(struct policy_budget, percent), 0, 1, "34%", NULL, true,
	  "Share of one workload's pods that may be taken away within the window." },
	{ "window", PARAM_DURATION, offsetof(struct policy_budget, window_ns), 1e9, 86400e9, "10m", NULL, true,
	  "The window of the budget." },
	PARAM_END,
};
static const struct param approval_params[] = {
	{ "ttl", PARAM_DURATION, offsetof(struct policy_approval, ttl_ns), 1e9, 7 * 86400e9, "15m", NULL, true,
	  "How long an action waits for a person." },
	{ "default", PARAM_ENUM, offsetof(struct policy_approval, fallback), 0, 0, "reject", default_names, true,
	  "What silence means." },
	PARAM_END,
};

/* ---- words for errors ---- */

static bool scalar(const struct json *v) {
	return v->kind == JSON_STRING || v->kind == JSON_NUMBER || v->kind == JSON_TRUE || v->kind == JSON_FALSE;
}

/* The nearest of a list of names; further ones than the tables have are given in `more`. */
static const char *nearest(struct str key, const struct param *table, const char *const *more) {
	const char *best = table ? param_nearest(table, key) : NULL;
	size_t distance = best ? str_distance(key, str_of(best)) : SIZE_MAX;
	for (; more && *more; more++) {
		size_t d = str_distance(key, str_of(*more));
		if (d >= distance) continue;
		best = *more;
		distance = d;
	}
	return best ? best : "";
}

static enum err unknown_key(const struct json *v, const char *in, const struct param *table, const char *const *more,
                            struct why *why) {
	return why_set(why, ERR_INVALID, "line %u: unknown key '%.*s' in %s, did you mean '%s'?", v->at, STR_ARG(v->key),
	               in, nearest(v->key, table, more));
}

static enum err need(const struct json *v, enum json_kind kind, const char *in, const char *what, struct why *why) {
	if (v->kind == kind) return OK;
	return why_set(why, ERR_INVALID, "line %u: %s must be %s", v->at, in, what);
}

static bool among(struct str key, const char *const *names) {
	for (; *names; names++)
		if (str_is(key, *names)) return true;
	return false;
}

/* One plain value into a table's struct, with the line in front of the table's own words. */
static enum err set(const struct param *table, struct arena *a, void *opts, const struct json *v, const char *in,
                    struct why *why) {
	if (!scalar(v))
		return why_set(why, ERR_INVALID, "line %u: '%.*s' in %s must be a single value", v->at, STR_ARG(v->key), in);
	enum err e = param_set(table, a, opts, v->key, v->text, why);
	return e ? why_prefix(why, e == ERR_NOT_FOUND ? ERR_INVALID : e, "line %u: %s", v->at, in) : OK;
}

/* A mapping whose keys are all in one table. */
static enum err fill(const struct param *table, struct arena *a, void *opts, const struct json *v, const char *in,
                     struct why *why) {
	enum err e = param_defaults(table, a, opts, why);
	if (e || !v) return e;
	e = need(v, JSON_OBJECT, in, "a mapping", why);
	if (e) return e;
	json_each(m, v) {
		if (!param_find(table, m->key)) return unknown_key(m, in, table, NULL, why);
		e = set(table, a, opts, m, in, why);
		if (e) return e;
	}
	return OK;
}

/* ---- handlers ---- */

static enum err kind_of(const struct json *v, uint32_t *kinds, struct why *why) {
	enum cause_kind k;
	if (v->kind != JSON_STRING || !cause_kind_parse(v->text, &k)) {
		const char *names[CAUSE_KINDS + 1] = { 0 };
		for (int i = 0; i < CAUSE_KINDS; i++) names[i] = cause_kind_name((enum cause_kind)i);
		return why_set(why, ERR_INVALID, "line %u: unknown cause '%.*s' in kinds, did you mean '%s'?", v->at,
		               STR_ARG(v->text), nearest(v->text, NULL, names));
	}
	*kinds |= 1U << k;
	return OK;
}

static enum err kinds_of(const struct json *v, struct handler *h, struct why *why) {
	if (v->kind != JSON_ARRAY) return kind_of(v, &h->kinds, why);
	json_each(k, v) {
		enum err e = kind_of(k, &h->kinds, why);
		if (e) return e;
	}
	return h->kinds ? OK : why_set(why, ERR_INVALID, "line %u: kinds is empty: name the causes it answers", v->at);
}

static enum err services_of(struct arena *a, const struct json *v, struct handler *h, struct why *why) {
	size_t n = v->kind == JSON_ARRAY ? v->count : 1;
	if (n > GLOBS_MAX) return why_set(why, ERR_INVALID, "line %u: more than %d services", v->at, GLOBS_MAX);
	struct str *globs = arena_array(a, struct str, n ? n : 1);
	if (!globs) return ERR_NOMEM;
	const struct json *it = v->kind == JSON_ARRAY ? v->child : v;
	for (size_t i = 0; i < n; i++, it = it->next) {
		if (!scalar(it) || !it->text.n)
			return why_set(why, ERR_INVALID, "line %u: services holds names or globs like \"shop-*\"", it->at);
		globs[i] = str_copy(a, it->text);
	}
	h->services = globs;
	h->service_count = n;
	return OK;
}

static enum err rate_of(const struct json *v, struct handler *h, struct why *why) {
	struct str count, window;
	if (!scalar(v) || !str_cut(v->text, '/', &count, &window) || !str_int(str_trim(count), &h->rate_count) ||
	    duration_parse(str_trim(window), &h->rate_window_ns) || h->rate_count < 1 || h->rate_count > 1000 ||
	    h->rate_window_ns < NS_PER_SEC || h->rate_window_ns > NS_PER_DAY)
		return why_set(why, ERR_INVALID,
		               "line %u: rate must be COUNT/DURATION with 1..1000 actions in 1s..1d, like 4/1h", v->at);
	return OK;
}

static enum err replicas_of(const struct json *v, struct handler *h, struct why *why) {
	struct str text = scalar(v) ? v->text : (struct str){ 0 };
	if (!str_int(text, &h->replicas_by) || !h->replicas_by || h->replicas_by > REPLICAS_BY_MAX ||
	    h->replicas_by < -REPLICAS_BY_MAX)
		return why_set(why, ERR_INVALID, "line %u: replicas must be a step like +1 or -2, at most %d", v->at,
		               REPLICAS_BY_MAX);
	return OK;
}

static const char *const handler_more[] = { "kinds", "services", "rate", "replicas", NULL };

static enum err handler_member(struct arena *a, const struct json *m, struct handler *h, struct why *why) {
	if (str_is(m->key, "kinds")) return kinds_of(m, h, why);
	if (str_is(m->key, "services")) return services_of(a, m, h, why);
	if (str_is(m->key, "rate")) return rate_of(m, h, why);
	if (str_is(m->key, "replicas")) return replicas_of(m, h, why);
	if (!param_find(control_handler_params, m->key))
		return unknown_key(m, "handlers", control_handler_params, handler_more, why);
	return set(control_handler_params, a, h, m, "handlers", why);
}

static enum err handler_whole(const struct json *v, struct handler *h, struct why *why) {
	if (!h->name.n) return why_set(why, ERR_INVALID, "line %u: a handler needs a name", v->at);
	if (!json_get(v, "action"))
		return why_set(why, ERR_INVALID, "line %u: handler '%.*s' needs an action", v->at, STR_ARG(h->name));
	if (!h->kinds)
		return why_set(why, ERR_INVALID, "line %u: handler '%.*s' needs kinds, the causes it answers", v->at,
		               STR_ARG(h->name));
	if (h->action == ACTION_SCALE && !h->replicas_by)
		return why_set(why, ERR_INVALID, "line %u: handler '%.*s' scales: it needs replicas, like +1", v->at,
		               STR_ARG(h->name));
	if (h->action != ACTION_SCALE && h->replicas_by)
		return why_set(why, ERR_INVALID, "line %u: handler '%.*s' does not scale: replicas has no meaning there", v->at,
		               STR_ARG(h->name));
	return OK;
}

static enum err handler_parse(struct arena *a, const struct json *v, struct handler *h, struct why *why) {
	enum err e = need(v, JSON_OBJECT, "each handler", "a mapping", why);
	if (e) return e;
	e = param_defaults(control_handler_params, a, h, why);
	if (e) return e;
	json_each(m, v) {
		e = handler_member(a, m, h, why);
		if (e) return e;
	}
	return handler_whole(v, h, why);
}

static enum err handlers_parse(struct arena *a, const struct json *v, struct control_policy *out, struct why *why) {
	enum err e = need(v, JSON_ARRAY, "handlers", "a list", why);
	if (e) return e;
	if (v->count > HANDLERS_MAX)
		return why_set(why, ERR_INVALID, "line %u: %u handlers, at most %d", v->at, v->count, HANDLERS_MAX);
	struct handler *h = arena_array(a, struct handler, v->count ? v->count : 1);
	if (!h) return ERR_NOMEM;
	size_t n = 0;
	json_each(it, v) {
		e = handler_parse(a, it, &h[n], why);
		if (e) return e;
		for (size_t i = 0; i < n; i++)
			if (str_eq(h[i].name, h[n].name))
				return why_set(why, ERR_INVALID, "line %u: there is a handler '%.*s' already", it->at,
				               STR_ARG(h[n].name));
		n++;
	}
	out->handlers = h;
	out->handler_count = n;
	return OK;
}

/* What serves until somebody writes handlers: every remedy that we know, said and not done. A cause
 * that is missing here (dependency, network, disk, unknown) goes to a person. Where there is no room though no more is
 * asked than usual, something in the processes holds what they need, and a restart is tried once; where more is asked,
 * and where that did not help, there is one replica more. */
static enum err builtin(struct arena *a, struct control_policy *out, struct why *why) {
	static const struct {
		const char *name;
		uint32_t kinds;
		enum action_kind action;
		enum control_demand demand;
		int64_t replicas_by, attempts; /* attempts 0: as everywhere */
	} rows[] = {
		{ "delete-crashed-pod", 1U << CAUSE_CRASH, ACTION_DELETE_POD, DEMAND_ANY, 0, 0 },
		{ "restart-workload", 1U << CAUSE_CRASH | 1U << CAUSE_MEMORY | 1U << CAUSE_ERRORS | 1U << CAUSE_LATENCY,
		  ACTION_ROLLOUT_RESTART, DEMAND_ANY, 0, 0 },
		{ "undo-deployment", 1U << CAUSE_DEPLOYMENT, ACTION_ROLLOUT_UNDO, DEMAND_ANY, 0, 0 },
		{ "restart-exhausted", 1U << CAUSE_SATURATION, ACTION_ROLLOUT_RESTART, DEMAND_USUAL, 0, 1 },
		{ "add-replica", 1U << CAUSE_SATURATION, ACTION_SCALE, DEMAND_ANY, 1, 0 },
	};
	size_t n = sizeof rows / sizeof *rows;
	struct handler *h = arena_array(a, struct handler, n);
	if (!h) return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		enum err e = param_defaults(control_handler_params, a, &h[i], why);
		if (e) return e;
		h[i].name = str_of(rows[i].name);
		h[i].kinds = rows[i].kinds;
		h[i].action = rows[i].action;
		h[i].replicas_by = rows[i].replicas_by;
		h[i].demand = rows[i].demand;
		if (rows[i].attempts) h[i].attempts = rows[i].attempts;
	}
	out->handlers = h;
	out->handler_count = n;
	return OK;
}

/* ---- policy ---- */

static const char *const rule_keys[] = { "namespace", "service", "workload", "action", NULL };

static enum err rule_action(const struct json *m, struct policy_rule *r, struct why *why) {
	enum action_kind k;
	if (!action_kind_parse(m->text, &k))
		return why_set(why, ERR_INVALID, "line %u: unknown action '%.*s', did you mean '%s'?", m->at, STR_ARG(m->text),
		               nearest(m->text, NULL, action_names));
	r->action = (int)k;
	return OK;
}

static enum err rule_parse(struct arena *a, const struct json *v, const char *in, struct policy_rule *r,
                           struct why *why) {
	*r = (struct policy_rule){ .action = -1 };
	enum err e = need(v, JSON_OBJECT, in, "a list of mappings like {namespace: kube-system}", why);
	if (e) return e;
	if (!v->count) return why_set(why, ERR_INVALID, "line %u: an empty rule in %s would match everything", v->at, in);
	json_each(m, v) {
		if (!among(m->key, rule_keys)) return unknown_key(m, in, NULL, rule_keys, why);
		if (!scalar(m) || !m->text.n)
			return why_set(why, ERR_INVALID, "line %u: '%.*s' in %s must be a name or a glob", m->at, STR_ARG(m->key),
			               in);
		struct str text = str_copy(a, m->text);
		if (str_is(m->key, "namespace")) r->namespace_ = text;
		if (str_is(m->key, "service")) r->service = text;
		if (str_is(m->key, "workload")) r->workload = text;
		if (str_is(m->key, "action")) e = rule_action(m, r, why);
		if (e) return e;
	}
	return OK;
}

static enum err rules_parse(struct arena *a, const struct json *v, const char *in, const struct policy_rule **out,
                            size_t *count, struct why *why) {
	if (!v) return OK;
	enum err e = need(v, JSON_ARRAY, in, "a list", why);
	if (e) return e;
	if (v->count > RULES_MAX) return why_set(why, ERR_INVALID, "line %u: more than %d rules", v->at, RULES_MAX);
	struct policy_rule *r = arena_array(a, struct policy_rule, v->count ? v->count : 1);
	if (!r) return ERR_NOMEM;
	size_t n = 0;
	json_each(it, v) {
		e = rule_parse(a, it, in, &r[n++], why);
		if (e) return e;
	}
	*out = r;
	*count = n;
	return OK;
}

static const char *const window_keys[] = { "name", "from", "to", "service", NULL };

static enum err window_parse(struct arena *a, const struct json *v, struct maintenance *m, struct why *why) {
	*m = (struct maintenance){ 0 };
	enum err e = need(v, JSON_OBJECT, "maintenance", "a list of mappings with name, from and to", why);
	if (e) return e;
	json_each(f, v) {
		if (!among(f->key, window_keys)) return unknown_key(f, "maintenance", NULL, window_keys, why);
		struct wall *time = str_is(f->key, "from") ? &m->from : str_is(f->key, "to") ? &m->to : NULL;
		if (time && !wall_parse(f->text.p, f->text.n, time))
			return why_set(why, ERR_INVALID, "line %u: '%.*s' must be a time like 2026-01-05T22:00:00Z", f->at,
			               STR_ARG(f->key));
		if (!time && !scalar(f))
			return why_set(why, ERR_INVALID, "line %u: '%.*s' must be a single value", f->at, STR_ARG(f->key));
		if (str_is(f->key, "name")) m->name = str_copy(a, f->text);
		if (str_is(f->key, "service")) m->service = str_copy(a, f->text);
	}
	if (!m->from.ns || !m->to.ns || m->from.ns >= m->to.ns)
		return why_set(why, ERR_INVALID, "line %u: a maintenance window needs from, and to after it", v->at);
	return OK;
}

static enum err maintenance_parse(struct arena *a, const struct json *v, struct control_policy *out, struct why *why) {
	if (!v) return OK;
	enum err e = need(v, JSON_ARRAY, "maintenance", "a list", why);
	if (e) return e;
	if (v->count > RULES_MAX) return why_set(why, ERR_INVALID, "line %u: more than %d windows", v->at, RULES_MAX);
	struct maintenance *m = arena_array(a, struct maintenance, v->count ? v->count : 1);
	if (!m) return ERR_NOMEM;
	json_each(it, v) {
		e = window_parse(a, it, &m[out->maintenance_count++], why);
		if (e) return e;
	}
	out->maintenance = m;
	return OK;
}

static const char *const policy_more[] = { "deny", "allow", "budget", "maintenance", "approval", NULL };

static enum err scalars_parse(struct arena *a, const struct json *v, struct control_policy *out, struct why *why) {
	struct policy_scalars s;
	enum err e = param_defaults(scalar_params, a, &s, why);
	if (e) return e;
	json_each(m, v) {
		if (among(m->key, policy_more)) continue;
		if (!param_find(scalar_params, m->key)) return unknown_key(m, "policy", scalar_params, policy_more, why);
		e = set(scalar_params, a, &s, m, "policy", why);
		if (e) return e;
	}
	out->paused = s.paused;
	out->verify_timeout_ns = s.verify_timeout_ns;
	out->patience_ns = s.patience_ns;
	return OK;
}

static enum err limits_parse(struct arena *a, const struct json *v, struct control_policy *out, struct why *why) {
	struct policy_budget b;
	struct policy_approval p;
	enum err e = fill(budget_params, a, &b, json_get(v, "budget"), "budget", why);
	if (e) return e;
	e = fill(approval_params, a, &p, json_get(v, "approval"), "approval", why);
	if (e) return e;
	out->budget_pods = b.pods;
	out->budget_percent = b.percent;
	out->budget_window_ns = b.window_ns;
	out->approval_ttl_ns = p.ttl_ns;
	out->approval_default_approve = p.fallback == 1;
	return OK;
}

static enum err policy_parse(struct arena *a, const struct json *v, struct control_policy *out, struct why *why) {
	enum err e = v ? need(v, JSON_OBJECT, "policy", "a mapping", why) : OK;
	if (e) return e;
	e = scalars_parse(a, v, out, why);
	if (e) return e;
	e = limits_parse(a, v, out, why);
	if (e) return e;
	e = rules_parse(a, json_get(v, "deny"), "deny", &out->deny, &out->deny_count, why);
	if (e) return e;
	e = rules_parse(a, json_get(v, "allow"), "allow", &out->allow, &out->allow_count, why);
	if (e) return e;
	return maintenance_parse(a, json_get(v, "maintenance"), out, why);
}

enum err control_policy_parse(struct arena *a, const struct json *handlers, const struct json *policy,
                              struct control_policy *out, struct why *why) {
	struct control_policy p = { 0 };
	/* `handlers:` with nothing behind it is no list of handlers */
	bool given = handlers && handlers->kind != JSON_NULL;
	enum err e = given ? handlers_parse(a, handlers, &p, why) : builtin(a, &p, why);
	if (e) return e;
	e = policy_parse(a, policy && policy->kind != JSON_NULL ? policy : NULL, &p, why);
	if (e) return e;
	*out = p;
	return OK;
}

bool policy_rule_match(const struct policy_rule *r, enum action_kind action, struct str namespace_, struct str service,
                       struct str workload) {
	return (r->action < 0 || r->action == (int)action) && (!r->namespace_.n || glob_match(r->namespace_, namespace_)) &&
	       (!r->service.n || glob_match(r->service, service)) && (!r->workload.n || glob_match(r->workload, workload));
}

bool handler_answers(const struct handler *h, enum cause_kind kind, bool demand_grown, struct str service) {
	if (!(h->kinds >> kind & 1)) return false;
	if (h->demand != DEMAND_ANY && demand_grown != (h->demand == DEMAND_GROWN)) return false;
	if (!h->service_count) return true;
	for (size_t i = 0; i < h->service_count; i++)
		if (glob_match(h->services[i], service)) return true;
	return false;
}
