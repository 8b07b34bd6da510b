#include "control/gates.h"

#include <assert.h>
#include <math.h>

#include "control/glob.h"

#define LOOK_NS_MAX (30 * NS_PER_SEC) /* nothing waits longer than this without a new look */

/* One gate at work: where it writes its answer. */
struct asked {
	struct arena *arena;
	const struct gate_facts *f;
	struct json_out in; /* members of `inputs` */
	enum gate_verdict verdict;
	struct str reason;
	int64_t look_in_ns;
};

static void answer(struct asked *g, enum gate_verdict v, struct str reason) {
	g->verdict = v;
	g->reason = reason;
}

static void wait(struct asked *g, int64_t ns, struct str reason) {
	answer(g, GATE_WAIT, reason);
	g->look_in_ns = ns < NS_PER_SEC ? NS_PER_SEC : ns;
}

static struct str service_of(const struct gate_facts *f) {
	return f->target->service;
}

static struct str namespace_of(const struct gate_facts *f) {
	return f->plan && f->plan->namespace_.n ? f->plan->namespace_ : f->target->namespace_;
}

static struct str workload_of(const struct gate_facts *f) {
	return f->plan && f->plan->name.n ? f->plan->name : f->target->workload;
}

static const char *seconds(int64_t ns, char out[32]) {
	duration_format((ns + NS_PER_SEC - 1) / NS_PER_SEC * NS_PER_SEC, out);
	return out;
}

/* ---- paused_or_maintenance ---- */

static bool scope_covers(struct str scope, struct str handler, struct str namespace_, struct str service) {
	struct str kind, name;
	if (!scope.n) return true;
	if (!str_cut(scope, '/', &kind, &name)) return glob_match(scope, namespace_); /* the short form */
	if (str_is(kind, "service")) return glob_match(name, service);
	if (str_is(kind, "namespace")) return glob_match(name, namespace_);
	return str_is(kind, "handler") && glob_match(name, handler);
}

bool pause_covers(const struct pause *p, struct wall now, struct str handler, struct str namespace_,
                  struct str service) {
	return (!p->until.ns || now.ns < p->until.ns) && scope_covers(p->scope, handler, namespace_, service);
}

static bool paused(struct asked *g) {
	const struct gate_facts *f = g->f;
	for (size_t i = 0; i < f->pause_count; i++) {
		const struct pause *p = &f->pauses[i];
		if (!pause_covers(p, f->wall, f->handler->name, namespace_of(f), service_of(f))) continue;
		json_kv_str(&g->in, "paused_by", p->by);
		json_kv_str(&g->in, "scope", p->scope);
		if (p->until.ns) json_kv_wall(&g->in, "until", p->until);
		wait(g, p->until.ns ? p->until.ns - f->wall.ns : LOOK_NS_MAX,
		     str_printf(g->arena, "paused by " STR_FMT "%s" STR_FMT "; `flyball resume` ends it", STR_ARG(p->by),
		                p->why.n ? ": " : "", STR_ARG(p->why)));
		return true;
	}
	return false;
}

static bool maintained(struct asked *g) {
	const struct gate_facts *f = g->f;
	for (size_t i = 0; i < f->policy->maintenance_count; i++) {
		const struct maintenance *m = &f->policy->maintenance[i];
		if (f->wall.ns < m->from.ns || f->wall.ns >= m->to.ns) continue;
		if (m->service.n && !glob_match(m->service, service_of(f))) continue;
		char to[32];
		wall_format(m->to, to);
		json_kv_str(&g->in, "maintenance", m->name);
		json_kv_c(&g->in, "to", to);
		wait(g, m->to.ns - f->wall.ns,
		     str_printf(g->arena, "maintenance window '" STR_FMT "' lasts until %s", STR_ARG(m->name), to));
		return true;
	}
	return false;
}

static void ask_paused(struct asked *g) {
	if (g->f->policy->paused) {
		wait(g, LOOK_NS_MAX, STR("the configuration says policy.paused: true"));
		return;
	}
	if (paused(g) || maintained(g)) return;
	json_kv_int(&g->in, "pauses", (int64_t)g->f->pause_count);
	json_kv_int(&g->in, "maintenance_windows", (int64_t)g->f->policy->maintenance_count);
	answer(g, GATE_PASS, STR("nothing is paused and no maintenance window is open"));
}

/* ---- policy ---- */

static const struct policy_rule *rule(const struct gate_facts *f, const struct policy_rule *rules, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (policy_rule_match(&rules[i], f->handler->action, namespace_of(f), service_of(f), workload_of(f)))
			return &rules[i];
	return NULL;
}

static struct str rule_words(struct arena *a, const struct policy_rule *r) {
	return str_printf(a, "{%s" STR_FMT "%s" STR_FMT "%s" STR_FMT "%s%s}", r->namespace_.n ? " namespace: " : "",
	                  STR_ARG(r->namespace_), r->service.n ? " service: " : "", STR_ARG(r->service),
	                  r->workload.n ? " workload: " : "", STR_ARG(r->workload), r->action >= 0 ? " action: " : "",
	                  r->action >= 0 ? action_kind_name((enum action_kind)r->action) : "");
}

static void ask_policy(struct asked *g) {
	const struct gate_facts *f = g->f;
	const struct control_policy *p = f->policy;
	json_kv_c(&g->in, "action", action_kind_name(f->handler->action));
	json_kv_str(&g->in, "namespace", namespace_of(f));
	json_kv_str(&g->in, "service", service_of(f));
	json_kv_str(&g->in, "workload", workload_of(f));
	const struct policy_rule *deny = rule(f, p->deny, p->deny_count);
	const struct policy_rule *allow = rule(f, p->allow, p->allow_count);
	if (deny)
		answer(g, GATE_DENY,
		       str_printf(g->arena, "policy.deny has the rule " STR_FMT, STR_ARG(rule_words(g->arena, deny))));
	else if (p->allow_count && !allow)
		answer(g, GATE_DENY, STR("policy.allow lists what is allowed, and no rule there matches"));
	else
		answer(g, GATE_PASS, p->allow_count ? STR("a rule of policy.allow matches") : STR("no rule denies it"));
}

/* ---- ownership ---- */

static void ask_ownership(struct asked *g) {
	const struct plan *p = g->f->plan;
	if (!p) {
		answer(g, GATE_NOT_CONFIGURED, STR("no target is configured, so nobody can own what would be changed"));
		return;
	}
	json_kv_str(&g->in, "object_uid", p->uid);
	json_kv_str(&g->in, "owner", p->owner);
	if (p->owner.n)
		answer(g, GATE_DENY,
		       str_printf(g->arena, STR_FMT " owns what would be changed; Flyball yields", STR_ARG(p->owner)));
	else
		answer(g, GATE_PASS, STR("no other controller owns what would be changed"));
}

/* ---- data_quality ---- */

/* Taking capacity away needs every signal; a crash is the orchestrator's own word, so one live
 * signal is enough; else at least half must have a value: when most of the data is missing, the
 * telemetry is what broke. */
static bool enough(const struct gate_facts *f, int64_t *need) {
	const struct quality *q = f->quality;
	if (f->handler->action == ACTION_SCALE && f->handler->replicas_by < 0)
		*need = q->signals > 1 ? q->signals : 1;
	else
		*need = f->cause == CAUSE_CRASH || q->signals < 2 ? 1 : (q->signals + 1) / 2;
	return q->with_value >= *need;
}

static void ask_data(struct asked *g) {
	const struct gate_facts *f = g->f;
	int64_t need = 0;
	quality_write(f->quality, &g->in);
	json_kv_str(&g->in, "stale_now", f->stale);
	json_kv_bool(&g->in, "target_fresh", f->executor_ready);
	if (!f->executor_ready)
		wait(g, 5 * NS_PER_SEC,
		     str_printf(g->arena, "what is known of the target is not fresh: %s",
		                f->executor_why && *f->executor_why ? f->executor_why : "it is not connected"));
	else if (!f->quality->known)
		wait(g, LOOK_NS_MAX, STR("the report does not say how good its data was"));
	else if (!enough(f, &need))
		wait(g, 10 * NS_PER_SEC,
		     str_printf(g->arena, "%lld of %lld signals have a value, %lld are needed: no data is no reason to act",
		                (long long)f->quality->with_value, (long long)f->quality->signals, (long long)need));
	else if (f->stale.n && f->cause != CAUSE_CRASH)
		wait(g, 10 * NS_PER_SEC,
		     str_printf(g->arena, "signals of the target are stale now: " STR_FMT, STR_ARG(f->stale)));
	else
		answer(g, GATE_PASS,
		       str_printf(g->arena, "%lld of %lld signals have a value", (long long)f->quality->with_value,
		                  (long long)f->quality->signals));
}

/* ---- idempotency_key ---- */

static void ask_key(struct asked *g) {
	json_kv_c(&g->in, "key", g->f->key);
	json_kv_int(&g->in, "attempt", g->f->attempt);
	json_kv_str(&g->in, "held_by", g->f->key_holder);
	if (g->f->key_holder.n)
		answer(
			g, GATE_DENY,
			str_printf(g->arena, "action " STR_FMT " holds this key: it was done already", STR_ARG(g->f->key_holder)));
	else
		answer(g, GATE_PASS, STR("the key is free"));
}

/* ---- blast_radius_budget ---- */

int64_t gates_lost(enum action_kind kind, const struct plan *plan, int64_t replicas_by) {
	int64_t lost = 0;
	if (kind == ACTION_DELETE_POD) /* one that is not ready has nothing to lose */
		lost = plan->pods_disturbed - (plan->replicas - plan->pods_ready);
	if (kind == ACTION_SCALE && replicas_by < 0) lost = -replicas_by;
	return lost > 0 ? lost : 0;
}

/* Over the limit with what was done before, within it without: time helps. */
static void over(struct asked *g, bool alone, int64_t oldest_ns, struct str reason) {
	if (alone)
		answer(g, GATE_DENY, reason);
	else
		wait(g, g->f->policy->budget_window_ns - oldest_ns, reason);
}

static void ask_budget(struct asked *g) {
	const struct gate_facts *f = g->f;
	const struct control_policy *p = f->policy;
	struct history_query q = { f->now, f->handler->mode == MODE_OBSERVE, f->action.p };
	struct history_sum all = history_pods(f->history, q, NULL, p->budget_window_ns);
	struct history_sum here = history_pods(f->history, q, &f->where, p->budget_window_ns);
	int64_t pods = f->plan ? f->plan->pods_disturbed : 0;
	int64_t lost = f->plan ? gates_lost(f->handler->action, f->plan, f->handler->replicas_by) : 0;
	int64_t replicas = f->plan ? f->plan->replicas : 0;
	double share = replicas > 0 ? (double)(here.lost + lost) / (double)replicas : 0;
	char window[32];
	duration_format(p->budget_window_ns, window);
	json_kv_int(&g->in, "pods", pods);
	json_kv_int(&g->in, "pods_before", all.pods);
	json_kv_int(&g->in, "pods_max", p->budget_pods);
	json_kv_int(&g->in, "lost", lost);
	json_kv_double(&g->in, "lost_share", share);
	json_kv_double(&g->in, "lost_share_max", p->budget_percent);
	json_kv_c(&g->in, "window", window);
	if (!f->plan)
		answer(g, GATE_NOT_CONFIGURED, STR("no target is configured, so no pod would be touched"));
	else if (history_full(f->history, f->now, p->budget_window_ns))
		wait(g, LOOK_NS_MAX, STR("more actions were taken within the window than can be remembered"));
	else if (all.pods + pods > p->budget_pods)
		over(g, pods > p->budget_pods, all.oldest_ns,
		     str_printf(g->arena, "it would replace %lld pods after %lld within %s; the budget is %lld",
		                (long long)pods, (long long)all.pods, window, (long long)p->budget_pods));
	else if (lost && share > p->budget_percent + 1e-9)
		over(g, (double)lost / (double)replicas > p->budget_percent + 1e-9, here.oldest_ns,
		     str_printf(g->arena, "it would take away %.0f %% of the workload's pods within %s; the budget is %.0f %%",
		                100 * share, window, 100 * p->budget_percent));
	else
		answer(g, GATE_PASS,
		       str_printf(g->arena, "%lld of %lld pods within %s", (long long)(all.pods + pods),
		                  (long long)p->budget_pods, window));
}

/* ---- attempts_cooldown_rate ---- */

static bool too_fast(struct asked *g, struct history_query q) {
	const struct handler *h = g->f->handler;
	if (!h->rate_count) return false;
	int64_t n = history_actions(g->f->history, q, hash64(h->name), h->rate_window_ns);
	char window[32];
	duration_format(h->rate_window_ns, window);
	json_kv_int(&g->in, "rate", n);
	json_kv_int(&g->in, "rate_max", h->rate_count);
	if (n < h->rate_count) return false;
	wait(g, LOOK_NS_MAX,
	     str_printf(g->arena, "handler " STR_FMT " acted %lld times within %s, its limit", STR_ARG(h->name),
	                (long long)n, window));
	return true;
}

static void ask_attempts(struct asked *g) {
	const struct gate_facts *f = g->f;
	struct history_query q = { f->now, f->handler->mode == MODE_OBSERVE, f->action.p };
	int64_t since = history_since(f->history, q, &f->where);
	char rest[32], cooldown[32];
	duration_format(f->handler->cooldown_ns, cooldown);
	json_kv_int(&g->in, "attempts", f->handler_attempts);
	json_kv_int(&g->in, "attempts_max", f->handler->attempts);
	json_kv_c(&g->in, "cooldown", cooldown);
	json_kv_double(&g->in, "since_s", since < 0 ? NAN : (double)since / NS_PER_SEC);
	if (f->handler_attempts >= f->handler->attempts) {
		answer(g, GATE_DENY,
		       str_printf(g->arena, "handler " STR_FMT " has had its %lld attempts", STR_ARG(f->handler->name),
		                  (long long)f->handler->attempts));
	} else if (since >= 0 && since < f->handler->cooldown_ns) {
		int64_t left = f->handler->cooldown_ns - since;
		wait(g, left,
		     str_printf(g->arena, "the target was acted on; its cooldown of %s lasts %s more", cooldown,
		                seconds(left, rest)));
	} else if (!too_fast(g, q)) {
		answer(g, GATE_PASS,
		       str_printf(g->arena, "attempt %lld of %lld; %s", (long long)(f->handler_attempts + 1),
		                  (long long)f->handler->attempts,
		                  since < 0 ? "nothing was done to the target before" : "its cooldown is over"));
	}
}

/* ---- not configured yet, and the mode ---- */

static void ask_breaker(struct asked *g) {
	answer(g, GATE_NOT_CONFIGURED, STR("no circuit breaker is configured"));
}

static void ask_arbitration(struct asked *g) {
	answer(g, GATE_NOT_CONFIGURED, STR("no arbitration between handlers is configured"));
}

static void ask_mode(struct asked *g) {
	const struct gate_facts *f = g->f;
	json_kv_c(&g->in, "mode", control_mode_name(f->handler->mode));
	json_kv_str(&g->in, "approved_by", f->approved_by);
	struct str name = f->handler->name;
	switch (f->handler->mode) {
	case MODE_AUTO:
		answer(g, GATE_PASS, str_printf(g->arena, "handler " STR_FMT " acts by itself", STR_ARG(name)));
		break;
	case MODE_APPROVE:
		answer(g, GATE_PASS,
		       f->approved_by.n ? str_printf(g->arena, "approved by " STR_FMT, STR_ARG(f->approved_by))
		                        : str_printf(g->arena, "handler " STR_FMT " asks a person first", STR_ARG(name)));
		break;
	case MODE_OBSERVE:
		answer(g, GATE_PASS, str_printf(g->arena, "handler " STR_FMT " only says what it would do", STR_ARG(name)));
		break;
	}
}

/* ---- the table ---- */

static const struct {
	const char *name;
	void (*ask)(struct asked *);
} table[GATES] = {
	[GATE_PAUSED_OR_MAINTENANCE] = { "paused_or_maintenance", ask_paused },
	[GATE_POLICY] = { "policy", ask_policy },
	[GATE_OWNERSHIP] = { "ownership", ask_ownership },
	[GATE_DATA_QUALITY] = { "data_quality", ask_data },
	[GATE_IDEMPOTENCY_KEY] = { "idempotency_key", ask_key },
	[GATE_CIRCUIT_BREAKER] = { "circuit_breaker", ask_breaker },
	[GATE_BLAST_RADIUS_BUDGET] = { "blast_radius_budget", ask_budget },
	[GATE_ATTEMPTS_COOLDOWN_RATE] = { "attempts_cooldown_rate", ask_attempts },
	[GATE_ARBITRATION] = { "arbitration", ask_arbitration },
	[GATE_MODE] = { "mode", ask_mode },
};

const char *gate_name(enum gate g) {
	return table[g].name;
}

static const char *const decisions[GATES_DECISIONS] = { "do", "ask", "tell", "refuse", "wait" };

const char *gates_decision_name(enum gates_decision d) {
	return decisions[d];
}

bool gates_decision_parse(struct str s, enum gates_decision *out) {
	for (int d = 0; d < GATES_DECISIONS; d++)
		if (str_is(s, decisions[d])) {
			*out = (enum gates_decision)d;
			return true;
		}
	return false;
}

static enum gates_decision by_mode(const struct gate_facts *f) {
	if (!f->plan || f->handler->mode == MODE_OBSERVE) return GATES_TELL;
	return f->handler->mode == MODE_AUTO || f->approved_by.n ? GATES_DO : GATES_ASK;
}

static enum err gate_ask(struct asked *g, enum gate which, struct gate_record *out) {
	buf_clear(g->in.buf);
	g->in = json_out(g->in.buf);
	g->look_in_ns = 0;
	json_begin_object(&g->in);
	table[which].ask(g);
	json_end_object(&g->in);
	*out = (struct gate_record){ .name = table[which].name,
		                         .verdict = g->verdict,
		                         .reason = g->reason,
		                         .inputs = str_copy(g->arena, buf_get(g->in.buf)) };
	return g->reason.p && out->inputs.p && !g->in.buf->err ? OK : ERR_NOMEM;
}

static void gather(struct gates_result *r, enum gate which, const struct asked *g) {
	if (g->verdict == GATE_DENY && r->decision != GATES_REFUSE) {
		r->decision = GATES_REFUSE;
		r->by = which;
	} else if (g->verdict == GATE_WAIT) {
		if (r->decision != GATES_REFUSE && r->decision != GATES_WAIT) {
			r->decision = GATES_WAIT;
			r->by = which;
		}
		/* the latest of those that wait: before it no look can help */
		if (g->look_in_ns > r->look_in_ns) r->look_in_ns = g->look_in_ns;
	}
}

enum err gates_evaluate(struct arena *a, const struct gate_facts *f, struct gates_result *out) {
	CLEANUP(buf_done) struct buf buf;
	buf_init(&buf, 0);
	struct asked g = { .arena = a, .f = f, .in = json_out(&buf) };
	struct gates_result r = { .decision = by_mode(f), .by = GATE_MODE };
	for (int i = 0; i < GATES; i++) {
		enum err e = gate_ask(&g, (enum gate)i, &r.gates[i]);
		if (e) return e;
		gather(&r, (enum gate)i, &g);
	}
	if (r.look_in_ns > LOOK_NS_MAX) r.look_in_ns = LOOK_NS_MAX;
	*out = r;
	return OK;
}
