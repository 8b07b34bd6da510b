#include "control/policy.h"

#include <string.h>

#include "base/test.h"
#include "base/yaml.h"
#include "control/glob.h"

static enum err parse(struct t *t, const char *handlers, const char *policy, struct control_policy *out,
                      struct why *why) {
	const struct json *h = NULL, *p = NULL;
	*why = (struct why){ "" };
	if (handlers) EXPECT_OK(yaml_parse(t->arena, str_of(handlers), &h, why));
	if (policy) EXPECT_OK(yaml_parse(t->arena, str_of(policy), &p, why));
	return control_policy_parse(t->arena, h, p, out, why);
}

TEST(without_a_word_everything_is_only_said) {
	struct control_policy p;
	struct why why;
	EXPECT_OK(parse(t, NULL, NULL, &p, &why));
	uint32_t answered = 0;
	EXPECT(p.handler_count == 5);
	for (size_t i = 0; i < p.handler_count; i++) {
		const struct handler *h = &p.handlers[i];
		EXPECT(h->mode == MODE_OBSERVE && h->cooldown_ns == 5 * NS_PER_MIN);
		EXPECT(h->attempts == (h->demand == DEMAND_USUAL ? 1 : 2));
		EXPECT_NEAR(h->confidence_min, 0.6, 1e-12);
		answered |= h->kinds;
	}
	/* no remedy is known for these: they go to a person */
	EXPECT(!(answered & (1U << CAUSE_DEPENDENCY | 1U << CAUSE_NETWORK | 1U << CAUSE_DISK | 1U << CAUSE_UNKNOWN)));
	EXPECT(answered == (1U << CAUSE_CRASH | 1U << CAUSE_MEMORY | 1U << CAUSE_ERRORS | 1U << CAUSE_LATENCY |
	                    1U << CAUSE_DEPLOYMENT | 1U << CAUSE_SATURATION));
	EXPECT(p.handlers[0].action == ACTION_DELETE_POD); /* the gentler one of two comes first */
	const struct handler *restart = &p.handlers[3], *grow = &p.handlers[4];
	EXPECT(restart->demand == DEMAND_USUAL && restart->action == ACTION_ROLLOUT_RESTART && restart->attempts == 1);
	EXPECT(grow->demand == DEMAND_ANY && grow->action == ACTION_SCALE && grow->replicas_by == 1);
	EXPECT(handler_answers(grow, CAUSE_SATURATION, true, STR("x")) &&
	       handler_answers(grow, CAUSE_SATURATION, false, STR("x")));
	EXPECT(!handler_answers(restart, CAUSE_SATURATION, true, STR("x")));
	EXPECT(p.budget_pods == 10 && p.budget_window_ns == 10 * NS_PER_MIN && p.verify_timeout_ns == 5 * NS_PER_MIN);
	EXPECT(p.approval_ttl_ns == 15 * NS_PER_MIN && !p.approval_default_approve && !p.paused);
	EXPECT_NEAR(p.budget_percent, 0.34, 1e-12);
}

TEST(the_header_s_example_is_read) {
	struct control_policy p;
	struct why why;
	EXPECT_OK(
		parse(t,
	          "- name: restart-slow-service\n"
	          "  kinds: [latency, errors]\n"
	          "  services: [payment, \"shop-*\"]\n"
	          "  action: rollout_restart\n"
	          "  mode: approve\n"
	          "  confidence_min: 60%\n"
	          "  severity_min: 0.5\n"
	          "  cooldown: 5m\n"
	          "  attempts: 3\n"
	          "  rate: 4/1h\n"
	          "- {name: grow, kinds: saturation, action: scale, demand: grown, replicas: +1}\n",
	          "paused: true\n"
	          "deny:  [{namespace: kube-system}, {action: rollout_undo, service: \"db-*\"}]\n"
	          "allow: []\n"
	          "budget: {pods: 12, percent: 25%, window: 20m}\n"
	          "maintenance: [{name: release, from: 2026-01-05T22:00:00Z, to: 2026-01-06T02:00:00Z, service: \"*\"}]\n"
	          "approval: {ttl: 30m, default: approve}\n"
	          "verify_timeout: 3m\n",
	          &p, &why));
	const struct handler *h = p.handlers;
	EXPECT(p.handler_count == 2 && str_is(h->name, "restart-slow-service") && h->mode == MODE_APPROVE);
	EXPECT(h->kinds == (1U << CAUSE_LATENCY | 1U << CAUSE_ERRORS) && h->attempts == 3);
	EXPECT(h->service_count == 2 && handler_answers(h, CAUSE_LATENCY, false, STR("shop-cart")));
	EXPECT(!handler_answers(h, CAUSE_LATENCY, false, STR("cart")) &&
	       !handler_answers(h, CAUSE_CRASH, false, STR("payment")));
	EXPECT(h->rate_count == 4 && h->rate_window_ns == 60 * NS_PER_MIN);
	EXPECT(h[1].replicas_by == 1 && h[1].action == ACTION_SCALE &&
	       handler_answers(&h[1], CAUSE_SATURATION, true, STR("any")));
	EXPECT(h[1].demand == DEMAND_GROWN && !handler_answers(&h[1], CAUSE_SATURATION, false, STR("any")));
	EXPECT(p.paused && p.deny_count == 2 && p.allow_count == 0 && p.maintenance_count == 1);
	EXPECT(policy_rule_match(&p.deny[0], ACTION_SCALE, STR("kube-system"), STR("x"), STR("y")));
	EXPECT(policy_rule_match(&p.deny[1], ACTION_ROLLOUT_UNDO, STR("n"), STR("db-7"), STR("y")));
	EXPECT(!policy_rule_match(&p.deny[1], ACTION_SCALE, STR("n"), STR("db-7"), STR("y")));
	EXPECT(p.budget_pods == 12 && p.approval_default_approve && p.verify_timeout_ns == 3 * NS_PER_MIN);
	EXPECT(p.maintenance[0].to.ns - p.maintenance[0].from.ns == 4 * 3600 * NS_PER_SEC);
}

/* Each mistake is refused, with its line and what would have been right. */
TEST(mistakes_are_named_with_their_line) {
	static const struct {
		const char *handlers, *policy, *line, *says;
	} cases[] = {
		{ "- name: a\n  kinds: [latency]\n  acton: scale\n", NULL, "line 3", "did you mean 'action'" },
		{ "- name: a\n  kinds: [latncy]\n  action: scale\n", NULL, "line 2", "did you mean 'latency'" },
		{ "- name: a\n  kinds: [latency]\n  action: restart\n", NULL, "line 3", "rollout_restart" },
		{ "- name: a\n  kinds: [latency]\n  action: rollout_restart\n  mode: automatic\n", NULL, "line 4", "auto" },
		{ "- name: a\n  kinds: [latency]\n  action: rollout_restart\n  confidence_min: 160%\n", NULL, "line 4",
		  "confidence_min" },
		{ "- name: a\n  kinds: [latency]\n  action: rollout_restart\n  rate: 4\n", NULL, "line 4", "4/1h" },
		{ "- name: a\n  kinds: [latency]\n  action: rollout_restart\n  rate: 4/0s\n", NULL, "line 4", "rate" },
		{ "- name: a\n  kinds: [latency]\n  action: scale\n", NULL, "line 1", "replicas" },
		{ "- name: a\n  kinds: [latency]\n  action: scale\n  replicas: 0\n", NULL, "line 4", "+1" },
		{ "- name: a\n  kinds: [latency]\n  action: delete_pod\n  replicas: 1\n", NULL, "line 1", "no meaning" },
		{ "- name: a\n  action: delete_pod\n", NULL, "line 1", "kinds" },
		{ "- kinds: [crash]\n  action: delete_pod\n", NULL, "line 1", "name" },
		{ "- name: a\n  kinds: [crash]\n", NULL, "line 1", "action" },
		{ "- name: a\n  kinds: []\n  action: delete_pod\n", NULL, "line 2", "empty" },
		{ "- {name: a, kinds: [crash], action: delete_pod}\n- {name: a, kinds: [disk], action: delete_pod}\n", NULL,
		  "line 2", "already" },
		{ "a: b\n", NULL, "line 1", "list" },
		{ "- name: [a]\n", NULL, "line 1", "single value" },
		{ "- a\n", NULL, "line 1", "mapping" },
		{ "- {name: a, kinds: [crash], action: delete_pod, services: [[x]]}\n", NULL, "line 1", "services" },
		{ "- {name: a, kinds: [crash], action: delete_pod, attempts: 0}\n", NULL, "line 1", "attempts" },
		{ NULL, "paused: true\npaussed: false\n", "line 2", "did you mean 'paused'" },
		{ NULL, "budget:\n  pods: many\n", "line 2", "pods" },
		{ NULL, "budget:\n  pod: 3\n", "line 2", "did you mean 'pods'" },
		{ NULL, "budget: 3\n", "line 1", "mapping" },
		{ NULL, "deny: [{}]\n", "line 1", "everything" },
		{ NULL, "deny: [{names: x}]\n", "line 1", "did you mean 'namespace'" },
		{ NULL, "deny: [{action: rollout_retsart}]\n", "line 1", "did you mean 'rollout_restart'" },
		{ NULL, "deny: {namespace: x}\n", "line 1", "list" },
		{ NULL, "maintenance: [{name: x, from: tomorrow, to: 2026-01-06T02:00:00Z}]\n", "line 1",
		  "2026-01-05T22:00:00Z" },
		{ NULL, "maintenance: [{name: x, from: 2026-01-07T02:00:00Z, to: 2026-01-06T02:00:00Z}]\n", "line 1", "after" },
		{ NULL, "maintenance: [{name: x, until: 2026-01-07T02:00:00Z}]\n", "line 1", "did you mean" },
		{ NULL, "approval: {default: maybe}\n", "line 1", "approve" },
		{ NULL, "approval: {ttl: 0s}\n", "line 1", "ttl" },
		{ NULL, "verify_timeout: fast\n", "line 1", "verify_timeout" },
		{ NULL, "verify_timeout: [5m]\n", "line 1", "single value" },
		{ NULL, "[]\n", "line 1", "mapping" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct control_policy p = { .handler_count = 99 };
		struct why why;
		enum err e = parse(t, cases[i].handlers, cases[i].policy, &p, &why);
		if (e != ERR_INVALID || !strstr(why.text, cases[i].line) || !strstr(why.text, cases[i].says)) {
			fprintf(stderr, "case %zu: %s: %s\n", i, err_name(e), why.text);
			test_fail(t, __FILE__, __LINE__, cases[i].says);
		}
		EXPECT(p.handler_count == 99); /* outputs are written on success only */
	}
}

TEST(names_agree_with_those_of_the_actions) {
	for (int k = 0; k < ACTION_KINDS; k++) {
		const struct param *p = param_find(control_handler_params, STR("action"));
		EXPECT(strcmp(p->names[k], action_kind_name((enum action_kind)k)) == 0);
	}
	for (int k = 0; k < CAUSE_KINDS; k++) {
		enum cause_kind back;
		EXPECT(cause_kind_parse(str_of(cause_kind_name((enum cause_kind)k)), &back) && back == (enum cause_kind)k);
	}
}

/* Against the obvious recursive twin. */
static bool slow_glob(const char *p, const char *s) {
	if (!*p) return !*s;
	if (*p == '*') return slow_glob(p + 1, s) || (*s && slow_glob(p, s + 1));
	return *p == *s && slow_glob(p + 1, s + 1);
}

TEST(globs_match_as_their_slow_twin, .seeds = 3000) {
	char p[12] = { 0 }, s[12] = { 0 };
	for (int i = 0, n = (int)rng_below(&t->rng, 11); i < n; i++) p[i] = "ab*"[rng_below(&t->rng, 3)];
	for (int i = 0, n = (int)rng_below(&t->rng, 11); i < n; i++) s[i] = "ab"[rng_below(&t->rng, 2)];
	EXPECT(glob_match(str_of(p), str_of(s)) == slow_glob(p, s));
}

RUN(without_a_word_everything_is_only_said, the_header_s_example_is_read, mistakes_are_named_with_their_line,
    names_agree_with_those_of_the_actions, globs_match_as_their_slow_twin)
