#include "control/gates.h"

#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "base/yaml.h"

#define NOON (INT64_C(1767607200) * NS_PER_SEC) /* 2026-01-05T10:00:00Z */

struct case_ {
	struct control_policy policy;
	struct history history;
	struct handler handler;
	struct plan plan;
	struct target target;
	struct quality quality;
	struct gate_facts facts;
	struct pause pause;
};

static struct case_ *setup(struct t *t, const char *policy) {
	struct case_ *c = arena_new(t->arena, struct case_);
	const struct json *v = NULL;
	struct why why;
	if (policy) EXPECT_OK(yaml_parse(t->arena, str_of(policy), &v, &why));
	EXPECT_OK(control_policy_parse(t->arena, NULL, v, &c->policy, &why));
	c->history.ring = arena_array(t->arena, struct past, HISTORY_MAX);
	c->handler = (struct handler){ .name = STR("restart"),
		                           .action = ACTION_ROLLOUT_RESTART,
		                           .mode = MODE_AUTO,
		                           .cooldown_ns = 5 * NS_PER_MIN,
		                           .attempts = 2 };
	c->plan = (struct plan){ .namespace_ = STR("shop"),
		                     .kind = STR("Deployment"),
		                     .name = STR("pay"),
		                     .uid = STR("uid-1"),
		                     .replicas = 3,
		                     .pods_ready = 3,
		                     .pods_disturbed = 3 };
	c->target.service = STR("payment");
	c->quality = (struct quality){ true, 3, 3, 0, 0, 5 };
	c->facts = (struct gate_facts){ .wall = { NOON },
		                            .now = { 3600 * NS_PER_SEC },
		                            .policy = &c->policy,
		                            .handler = &c->handler,
		                            .cause = CAUSE_LATENCY,
		                            .target = &c->target,
		                            .plan = &c->plan,
		                            .quality = &c->quality,
		                            .executor_ready = true,
		                            .key = "00ff",
		                            .history = &c->history,
		                            .where = { 1, 2 },
		                            .incident = STR("01KE0000000000000000000001"),
		                            .action = STR("01KE0000000000000000000002"),
		                            .attempt = 1 };
	return c;
}

static struct gates_result run(struct t *t, const struct case_ *c) {
	struct gates_result r;
	EXPECT_OK(gates_evaluate(t->arena, &c->facts, &r));
	for (int i = 0; i < GATES; i++) {
		const struct json *v;
		EXPECT(strcmp(r.gates[i].name, gate_name((enum gate)i)) == 0 && r.gates[i].reason.n > 0);
		EXPECT_OK(json_parse(t->arena, r.gates[i].inputs, &v, NULL));
		EXPECT(v->kind == JSON_OBJECT);
	}
	return r;
}

/* Exactly one gate says it, with words that name it, and the rest passes or is not configured. */
static struct gates_result only(struct t *t, const struct case_ *c, enum gate g, enum gate_verdict v,
                                const char *words) {
	struct gates_result r = run(t, c);
	for (int i = 0; i < GATES; i++) {
		bool free = r.gates[i].verdict == GATE_PASS || r.gates[i].verdict == GATE_NOT_CONFIGURED;
		if (i == (int)g)
			EXPECT(r.gates[i].verdict == v);
		else
			EXPECT(free);
	}
	EXPECT(r.by == g && r.decision == (v == GATE_DENY ? GATES_REFUSE : GATES_WAIT));
	if (!strstr(str_c(t->arena, r.gates[g].reason), words)) test_fail(t, __FILE__, __LINE__, r.gates[g].reason.p);
	return r;
}

static struct past *acted(struct t *t, struct case_ *c, int64_t ago_ns, int64_t pods) {
	struct past *p =
		history_entry(&c->history, str_printf(t->arena, "01KE00000000000000000%05d", (int)c->history.count + 10));
	*p = (struct past){
		.handler = hash64(c->handler.name), .state = ACTION_VERIFIED, .claimed = true, .pods = (int32_t)pods
	};
	p->acted.ns = c->facts.now.ns - ago_ns;
	snprintf(p->action, sizeof p->action, "x%d", (int)c->history.count);
	return p;
}

TEST(the_order_is_the_design_s_and_these_are_not_configured_yet) {
	static const char *const order[] = { "paused_or_maintenance",
		                                 "policy",
		                                 "ownership",
		                                 "data_quality",
		                                 "idempotency_key",
		                                 "circuit_breaker",
		                                 "blast_radius_budget",
		                                 "attempts_cooldown_rate",
		                                 "arbitration",
		                                 "mode" };
	static const char *const missing[] = { "circuit_breaker", "arbitration" };
	struct gates_result r = run(t, setup(t, NULL));
	size_t n = 0;
	for (int i = 0; i < GATES; i++) {
		EXPECT(strcmp(gate_name((enum gate)i), order[i]) == 0);
		if (r.gates[i].verdict != GATE_NOT_CONFIGURED) continue;
		EXPECT(n < 2 && strcmp(order[i], missing[n]) == 0);
		n++;
	}
	EXPECT(n == 2 && r.decision == GATES_DO);
}

TEST(the_mode_decides_last) {
	struct case_ *c = setup(t, NULL);
	EXPECT(run(t, c).decision == GATES_DO);
	c->handler.mode = MODE_APPROVE;
	EXPECT(run(t, c).decision == GATES_ASK);
	c->facts.approved_by = STR("anna");
	EXPECT(run(t, c).decision == GATES_DO);
	c->handler.mode = MODE_OBSERVE;
	EXPECT(run(t, c).decision == GATES_TELL);
	c->handler.mode = MODE_AUTO;
	c->facts.plan = NULL; /* no executor: nothing can be done, so everything is told */
	EXPECT(run(t, c).decision == GATES_TELL);
}

TEST(a_pause_waits) {
	struct case_ *c = setup(t, NULL);
	c->facts.pauses = &c->pause;
	c->facts.pause_count = 1;
	c->pause = (struct pause){ .by = STR("anna"), .why = STR("release") };
	struct gates_result r = only(t, c, GATE_PAUSED_OR_MAINTENANCE, GATE_WAIT, "paused by anna: release");
	EXPECT(r.look_in_ns > 0);
	static const struct {
		const char *scope;
		bool covers;
	} scopes[] = { { "service/payment", true },
		           { "service/pay*", true },
		           { "service/cart", false },
		           { "namespace/shop", true },
		           { "namespace/other", false },
		           { "handler/restart", true },
		           { "handler/x", false },
		           { "shop", true },
		           { "other", false } };
	for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
		c->pause.scope = str_of(scopes[i].scope);
		EXPECT((run(t, c).decision == GATES_WAIT) == scopes[i].covers);
	}
	c->pause.scope = (struct str){ 0 };
	c->pause.until.ns = NOON + 10 * NS_PER_SEC;
	r = run(t, c);
	EXPECT(r.decision == GATES_WAIT && r.look_in_ns <= 10 * NS_PER_SEC);
	c->facts.wall.ns = NOON + 10 * NS_PER_SEC;
	EXPECT(run(t, c).decision == GATES_DO);
}

TEST(configuration_and_maintenance_pause_too) {
	only(t, setup(t, "paused: true\n"), GATE_PAUSED_OR_MAINTENANCE, GATE_WAIT, "policy.paused");
	struct case_ *c = setup(
		t, "maintenance: [{name: release, from: 2026-01-05T09:00:00Z, to: 2026-01-05T11:00:00Z, service: \"pay*\"}]\n");
	only(t, c, GATE_PAUSED_OR_MAINTENANCE, GATE_WAIT, "maintenance window 'release' lasts until 2026-01-05T11:00:00");
	c->target.service = STR("cart");
	EXPECT(run(t, c).decision == GATES_DO);
	c->target.service = STR("payment");
	c->facts.wall.ns = NOON + 3600 * NS_PER_SEC;
	EXPECT(run(t, c).decision == GATES_DO);
}

TEST(policy_denies) {
	only(t, setup(t, "deny: [{namespace: shop}]\n"), GATE_POLICY, GATE_DENY, "namespace: shop");
	only(t, setup(t, "deny: [{workload: \"p*\", action: rollout_restart}]\n"), GATE_POLICY, GATE_DENY, "workload: p*");
	EXPECT(run(t, setup(t, "deny: [{workload: \"p*\", action: scale}]\n")).decision == GATES_DO);
	only(t, setup(t, "allow: [{service: cart}]\n"), GATE_POLICY, GATE_DENY, "policy.allow");
	EXPECT(run(t, setup(t, "allow: [{service: cart}, {service: payment}]\n")).decision == GATES_DO);
	only(t, setup(t, "allow: [{service: payment}]\ndeny: [{service: payment}]\n"), GATE_POLICY, GATE_DENY,
	     "policy.deny");
}

TEST(what_another_owns_is_left_alone) {
	struct case_ *c = setup(t, NULL);
	c->plan.owner = STR("HorizontalPodAutoscaler/pay");
	only(t, c, GATE_OWNERSHIP, GATE_DENY, "HorizontalPodAutoscaler/pay owns");
}

TEST(no_data_is_no_reason_to_act) {
	struct case_ *c = setup(t, NULL);
	c->quality.with_value = 1;
	only(t, c, GATE_DATA_QUALITY, GATE_WAIT, "1 of 3 signals");
	c->facts.cause = CAUSE_CRASH; /* the orchestrator's own word */
	EXPECT(run(t, c).decision == GATES_DO);
	c->quality.with_value = 0;
	only(t, c, GATE_DATA_QUALITY, GATE_WAIT, "0 of 3");
	c = setup(t, NULL);
	c->quality.known = false;
	only(t, c, GATE_DATA_QUALITY, GATE_WAIT, "does not say");
	c = setup(t, NULL);
	c->facts.stale = STR("rate, errors");
	only(t, c, GATE_DATA_QUALITY, GATE_WAIT, "rate, errors");
	c = setup(t, NULL);
	c->facts.executor_ready = false;
	c->facts.executor_why = "the watch is behind";
	only(t, c, GATE_DATA_QUALITY, GATE_WAIT, "the watch is behind");
}

TEST(capacity_is_never_taken_away_on_missing_data, .seeds = 500) {
	struct case_ *c = setup(t, NULL);
	c->handler.action = ACTION_SCALE;
	c->handler.replicas_by = -1;
	c->plan.replicas = c->plan.pods_ready = 10;
	c->plan.pods_disturbed = 1;
	c->quality.signals = rng_below(&t->rng, 6);
	c->quality.with_value = rng_below(&t->rng, c->quality.signals + 1);
	c->quality.known = rng_below(&t->rng, 5) > 0;
	bool whole = c->quality.known && c->quality.signals > 0 && c->quality.with_value == c->quality.signals;
	EXPECT((run(t, c).decision == GATES_DO) == whole);
}

TEST(a_key_that_is_held_is_refused) {
	struct case_ *c = setup(t, NULL);
	c->facts.key_holder = STR("01KEOTHER");
	only(t, c, GATE_IDEMPOTENCY_KEY, GATE_DENY, "01KEOTHER");
}

TEST(the_budget_counts_pods_within_its_window) {
	struct case_ *c = setup(t, "budget: {pods: 10, window: 10m}\n");
	acted(t, c, 5 * NS_PER_MIN, 7);
	EXPECT(run(t, c).decision == GATES_DO);
	acted(t, c, 9 * NS_PER_MIN, 1);
	struct gates_result r = only(t, c, GATE_BLAST_RADIUS_BUDGET, GATE_WAIT, "3 pods after 8 within 10m");
	EXPECT(r.look_in_ns <= 30 * NS_PER_SEC);
	c->facts.now.ns += NS_PER_MIN; /* the older one leaves the window */
	EXPECT(run(t, c).decision == GATES_DO);
	c = setup(t, "budget: {pods: 2}\n"); /* alone too many: waiting would not help */
	only(t, c, GATE_BLAST_RADIUS_BUDGET, GATE_DENY, "3 pods");
}

TEST(the_budget_counts_the_share_that_is_taken_away) {
	struct case_ *c = setup(t, NULL);
	c->handler.action = ACTION_DELETE_POD;
	c->plan.pods_disturbed = 1;
	EXPECT(run(t, c).decision == GATES_DO); /* one of three: 33 % */
	c->plan.replicas = c->plan.pods_ready = 2;
	only(t, c, GATE_BLAST_RADIUS_BUDGET, GATE_DENY, "50 %");
	c->plan.pods_ready = 1; /* the sick one is not ready: it takes nothing away */
	EXPECT(run(t, c).decision == GATES_DO);
	c->plan.replicas = c->plan.pods_ready = 3;
	c->handler.cooldown_ns = 0;
	acted(t, c, NS_PER_MIN, 1)->place = 2;
	c->history.ring[0].lost = 1;
	only(t, c, GATE_BLAST_RADIUS_BUDGET, GATE_WAIT, "67 %");
}

TEST(a_target_rests_between_actions) {
	struct case_ *c = setup(t, NULL);
	struct past *p = acted(t, c, 4 * NS_PER_MIN, 1);
	EXPECT(run(t, c).decision == GATES_DO); /* elsewhere */
	p->target = 1;
	struct gates_result r = only(t, c, GATE_ATTEMPTS_COOLDOWN_RATE, GATE_WAIT, "cooldown of 5m lasts 1m more");
	EXPECT(r.look_in_ns <= 30 * NS_PER_SEC);
	c->facts.now.ns += NS_PER_MIN;
	EXPECT(run(t, c).decision == GATES_DO);
	p->state = ACTION_ACTING; /* a call is out: it may take effect now */
	only(t, c, GATE_ATTEMPTS_COOLDOWN_RATE, GATE_WAIT, "cooldown");
}

TEST(attempts_and_rate_have_an_end) {
	struct case_ *c = setup(t, NULL);
	c->facts.handler_attempts = 2;
	only(t, c, GATE_ATTEMPTS_COOLDOWN_RATE, GATE_DENY, "2 attempts");
	c = setup(t, NULL);
	c->handler.rate_count = 2;
	c->handler.rate_window_ns = 3600 * NS_PER_SEC;
	acted(t, c, 30 * NS_PER_MIN, 1);
	EXPECT(run(t, c).decision == GATES_DO);
	acted(t, c, 20 * NS_PER_MIN, 1);
	only(t, c, GATE_ATTEMPTS_COOLDOWN_RATE, GATE_WAIT, "acted 2 times within 1h");
}

/* What would have been done counts for what would be done, and for nothing else. */
TEST(observing_counts_what_it_would_have_done) {
	struct case_ *c = setup(t, NULL);
	struct past *p = acted(t, c, NS_PER_MIN, 3);
	p->target = 1;
	p->told = true;
	EXPECT(run(t, c).decision == GATES_DO);
	c->handler.mode = MODE_OBSERVE;
	only(t, c, GATE_ATTEMPTS_COOLDOWN_RATE, GATE_WAIT, "cooldown");
}

/* Whatever the facts: all gates answer, in every mode, and the three modes see the same answers. */
TEST(every_gate_answers_in_every_mode_alike, .seeds = 2000) {
	struct case_ *c = setup(t, rng_below(&t->rng, 2) ? "deny: [{service: payment}]\n" : NULL);
	c->plan.owner = rng_below(&t->rng, 4) ? (struct str){ 0 } : STR("argocd");
	c->quality.with_value = rng_below(&t->rng, 4);
	c->facts.key_holder = rng_below(&t->rng, 5) ? (struct str){ 0 } : STR("x");
	c->facts.executor_ready = rng_below(&t->rng, 5) > 0;
	c->facts.handler_attempts = rng_below(&t->rng, 4);
	if (rng_below(&t->rng, 3) == 0)
		acted(t, c, rng_below(&t->rng, 20 * NS_PER_MIN), rng_below(&t->rng, 12))->target = 1;
	struct gates_result r[3];
	bool deny = false, wait = false;
	for (int m = 0; m < 3; m++) {
		c->handler.mode = (enum control_mode)m;
		r[m] = run(t, c);
		EXPECT(r[m].gates[GATE_MODE].verdict == GATE_PASS);
		for (int i = 0; i < GATES - 1; i++) EXPECT(r[m].gates[i].verdict == r[0].gates[i].verdict);
	}
	for (int i = 0; i < GATES; i++) {
		deny = deny || r[0].gates[i].verdict == GATE_DENY;
		wait = wait || r[0].gates[i].verdict == GATE_WAIT;
	}
	static const enum gates_decision by_mode[] = { GATES_TELL, GATES_ASK, GATES_DO };
	for (int m = 0; m < 3; m++) EXPECT(r[m].decision == (deny ? GATES_REFUSE : wait ? GATES_WAIT : by_mode[m]));
}

RUN(the_order_is_the_design_s_and_these_are_not_configured_yet, the_mode_decides_last, a_pause_waits,
    configuration_and_maintenance_pause_too, policy_denies, what_another_owns_is_left_alone,
    no_data_is_no_reason_to_act, capacity_is_never_taken_away_on_missing_data, a_key_that_is_held_is_refused,
    the_budget_counts_pods_within_its_window, the_budget_counts_the_share_that_is_taken_away,
    a_target_rests_between_actions, attempts_and_rate_have_an_end, observing_counts_what_it_would_have_done,
    every_gate_answers_in_every_mode_alike)
