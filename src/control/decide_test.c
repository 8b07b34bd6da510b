#include "control/decide.h"

#include <math.h>
#include <string.h>

#include "base/test.h"
#include "base/yaml.h"

static const char *const incident = "01KE0000000000000000000001";

struct case_ {
	struct control_policy policy;
	struct history history;
	struct cause cause;
	struct decide_facts facts;
};

static struct case_ *setup(struct t *t, const char *handlers, enum cause_kind kind) {
	struct case_ *c = arena_new(t->arena, struct case_);
	const struct json *v = NULL;
	struct why why;
	if (handlers) EXPECT_OK(yaml_parse(t->arena, str_of(handlers), &v, &why));
	EXPECT_OK(control_policy_parse(t->arena, v, NULL, &c->policy, &why));
	c->history.ring = arena_array(t->arena, struct past, HISTORY_MAX);
	c->cause = (struct cause){ .entity = STR("service/payment"), .kind = kind, .confidence = 0.9, .has_target = true };
	c->cause.target.service = STR("payment");
	c->facts = (struct decide_facts){
		.policy = &c->policy, .cause = &c->cause, .incident = str_of(incident), .severity = 0.8, .history = &c->history
	};
	return c;
}

static struct decision run(struct t *t, const struct case_ *c) {
	struct decision d = { 0 };
	EXPECT_OK(decide(t->arena, &c->facts, &d));
	EXPECT(d.reason.n > 0);
	return d;
}

static struct past *tried(struct t *t, struct case_ *c, const struct handler *h, enum action_state state) {
	struct str id = str_printf(t->arena, "01KE00000000000000000%05d", (int)c->history.count + 10);
	struct past *p = history_entry(&c->history, id);
	memcpy(p->incident, incident, sizeof p->incident);
	p->handler = hash64(h->name);
	p->service = hash64(STR("payment"));
	p->state = state;
	return p;
}

TEST(each_cause_has_its_remedy_or_goes_to_a_person) {
	static const struct {
		enum cause_kind kind;
		bool pod;
		int action; /* -1: a person */
	} cases[] = {
		{ CAUSE_MEMORY, false, ACTION_ROLLOUT_RESTART },
		{ CAUSE_ERRORS, false, ACTION_ROLLOUT_RESTART },
		{ CAUSE_LATENCY, false, ACTION_ROLLOUT_RESTART },
		{ CAUSE_CRASH, false, ACTION_ROLLOUT_RESTART },
		{ CAUSE_CRASH, true, ACTION_DELETE_POD },
		{ CAUSE_DEPLOYMENT, false, ACTION_ROLLOUT_UNDO },
		{ CAUSE_SATURATION, false, ACTION_ROLLOUT_RESTART },
		{ CAUSE_DEPENDENCY, false, -1 },
		{ CAUSE_NETWORK, false, -1 },
		{ CAUSE_DISK, false, -1 },
		{ CAUSE_UNKNOWN, false, -1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct case_ *c = setup(t, NULL, cases[i].kind);
		if (cases[i].pod) c->cause.target.pod = STR("pod-1");
		struct decision d = run(t, c);
		if (cases[i].action < 0) {
			EXPECT(d.kind == DECIDE_ESCALATE && d.escalation == ESCALATE_NO_REMEDY);
			EXPECT(strstr(str_c(t->arena, d.reason), cause_kind_name(cases[i].kind)));
		} else {
			EXPECT(d.kind == DECIDE_PROPOSE && (int)d.handler->action == cases[i].action);
		}
	}
}

/* No room though no more is asked than usual: the processes are at fault. Where more is asked, more of them. */
TEST(demand_that_has_grown_is_answered_by_more_replicas) {
	struct case_ *c = setup(t, NULL, CAUSE_SATURATION);
	EXPECT(run(t, c).handler->action == ACTION_ROLLOUT_RESTART);
	c->cause.demand_grown = true;
	EXPECT(run(t, c).handler->action == ACTION_SCALE);
	c = setup(t, NULL, CAUSE_ERRORS);
	c->cause.demand_grown = true; /* of failures it says nothing */
	EXPECT(run(t, c).handler->action == ACTION_ROLLOUT_RESTART);
}

TEST(no_cause_and_no_target_end_with_a_person) {
	struct case_ *c = setup(t, NULL, CAUSE_LATENCY);
	c->cause.none = true;
	c->cause.reason = STR("not enough data");
	struct decision d = run(t, c);
	EXPECT(d.kind == DECIDE_ESCALATE && d.escalation == ESCALATE_NO_CAUSE);
	EXPECT(strstr(str_c(t->arena, d.reason), "not enough data"));
	c = setup(t, NULL, CAUSE_DEPENDENCY);
	c->cause.has_target = false;
	c->cause.entity = STR("database/orders");
	d = run(t, c);
	EXPECT(d.kind == DECIDE_ESCALATE && d.escalation == ESCALATE_NO_TARGET);
	EXPECT(strstr(str_c(t->arena, d.reason), "database/orders"));
}

TEST(who_is_not_sure_does_not_act) {
	struct case_ *c = setup(t, NULL, CAUSE_LATENCY);
	c->cause.confidence = 0.59;
	struct decision d = run(t, c);
	EXPECT(d.kind == DECIDE_ESCALATE && d.escalation == ESCALATE_UNSURE && escalation_may_change(d.escalation));
	c->cause.confidence = 0.6;
	EXPECT(run(t, c).kind == DECIDE_PROPOSE);
	c->facts.severity = 0.49;
	d = run(t, c);
	EXPECT(d.kind == DECIDE_ESCALATE && d.escalation == ESCALATE_UNSURE);
	c->facts.severity = NAN;
	EXPECT(run(t, c).kind == DECIDE_ESCALATE);
}

static const char *const two = "- {name: first, kinds: [latency], action: rollout_restart, attempts: 2, mode: auto}\n"
							   "- {name: second, kinds: [latency], action: rollout_undo, attempts: 1, mode: auto}\n";

TEST(what_was_in_vain_is_tried_again_then_the_next_then_a_person) {
	struct case_ *c = setup(t, two, CAUSE_LATENCY);
	const struct handler *h = c->policy.handlers;
	EXPECT(run(t, c).handler == &h[0]);
	tried(t, c, &h[0], ACTION_INEFFECTIVE);
	EXPECT(run(t, c).handler == &h[0]);
	tried(t, c, &h[0], ACTION_INEFFECTIVE);
	EXPECT(run(t, c).handler == &h[1]);
	tried(t, c, &h[1], ACTION_INEFFECTIVE);
	struct decision d = run(t, c);
	EXPECT(d.kind == DECIDE_ESCALATE && d.escalation == ESCALATE_EXHAUSTED && !escalation_may_change(d.escalation));
	EXPECT(strstr(str_c(t->arena, d.reason), "first"));
}

/* As nobody wrote handlers: new processes, then replicas, then a person. */
TEST(what_a_restart_did_not_help_is_given_replicas) {
	struct case_ *c = setup(t, NULL, CAUSE_SATURATION);
	struct decision d = run(t, c);
	EXPECT(d.kind == DECIDE_PROPOSE && d.handler->action == ACTION_ROLLOUT_RESTART && d.handler->attempts == 1);
	tried(t, c, d.handler, ACTION_INEFFECTIVE);
	d = run(t, c);
	EXPECT(d.kind == DECIDE_PROPOSE && d.handler->action == ACTION_SCALE);
	for (int64_t n = d.handler->attempts; n > 0; n--) tried(t, c, d.handler, ACTION_INEFFECTIVE);
	d = run(t, c);
	EXPECT(d.kind == DECIDE_ESCALATE && d.escalation == ESCALATE_EXHAUSTED);
}

TEST(each_end_leads_where_it_should) {
	static const struct {
		enum action_state state;
		enum past_end end;
		int handler; /* the next one; -1: a person; -2: said */
	} cases[] = {
		{ ACTION_UNDONE, END_NONE, 1 },       { ACTION_REFUSED, END_NONE, 1 }, { ACTION_FAILED, END_NONE, 1 },
		{ ACTION_FAILED, END_CONFLICT, 0 },   { ACTION_TOLD, END_NONE, -2 },   { ACTION_EXPIRED, END_NONE, -1 },
		{ ACTION_REFUSED, END_REJECTED, -1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct case_ *c = setup(t, two, CAUSE_LATENCY);
		tried(t, c, c->policy.handlers, cases[i].state)->end = cases[i].end;
		struct decision d = run(t, c);
		if (cases[i].handler >= 0)
			EXPECT(d.kind == DECIDE_PROPOSE && d.handler == &c->policy.handlers[cases[i].handler]);
		if (cases[i].handler == -1) EXPECT(d.kind == DECIDE_ESCALATE && d.escalation == ESCALATE_PERSON);
		if (cases[i].handler == -2) EXPECT(d.kind == DECIDE_SAID);
	}
}

TEST(other_incidents_and_other_services_do_not_count) {
	struct case_ *c = setup(t, two, CAUSE_LATENCY);
	for (int i = 0; i < 3; i++) tried(t, c, c->policy.handlers, ACTION_INEFFECTIVE)->incident[25] = '9';
	for (int i = 0; i < 3; i++) tried(t, c, c->policy.handlers, ACTION_UNDONE)->service = 7;
	EXPECT(run(t, c).handler == &c->policy.handlers[0]);
}

TEST(a_handler_that_found_nothing_to_do_is_passed_over) {
	struct case_ *c = setup(t, two, CAUSE_LATENCY);
	struct passed_over p[2] = { { hash64(STR("first")), true, STR("no workload serves payment") },
		                        { hash64(STR("second")), true, STR("no workload serves payment") } };
	c->facts.passed_over = p;
	c->facts.passed_over_count = 1;
	EXPECT(run(t, c).handler == &c->policy.handlers[1]);
	c->facts.passed_over_count = 2;
	struct decision d = run(t, c);
	EXPECT(d.kind == DECIDE_ESCALATE && d.escalation == ESCALATE_NO_TARGET);
	EXPECT(strstr(str_c(t->arena, d.reason), "no workload serves payment"));
}

/* For whatever was tried: the answer is a proposal of a handler that answers the cause and is not used up, or
 * it is said why not. */
TEST(no_history_makes_it_propose_what_is_used_up, .seeds = 2000) {
	struct case_ *c = setup(t, two, (enum cause_kind)rng_below(&t->rng, CAUSE_KINDS));
	int64_t vain[2] = { 0 };
	bool used[2] = { false };
	for (int64_t n = rng_below(&t->rng, 6); n > 0; n--) {
		size_t which = (size_t)rng_below(&t->rng, 2);
		enum action_state s = (enum action_state)rng_below(&t->rng, ACTION_STATES);
		tried(t, c, &c->policy.handlers[which], s);
		if (s == ACTION_INEFFECTIVE)
			vain[which]++;
		else
			used[which] = true;
	}
	struct decision d = run(t, c);
	if (d.kind != DECIDE_PROPOSE) return;
	size_t which = (size_t)(d.handler - c->policy.handlers);
	EXPECT(!used[which] && vain[which] < d.handler->attempts && c->cause.kind == CAUSE_LATENCY);
}

RUN(each_cause_has_its_remedy_or_goes_to_a_person, demand_that_has_grown_is_answered_by_more_replicas,
    no_cause_and_no_target_end_with_a_person, who_is_not_sure_does_not_act,
    what_was_in_vain_is_tried_again_then_the_next_then_a_person, what_a_restart_did_not_help_is_given_replicas,
    each_end_leads_where_it_should, other_incidents_and_other_services_do_not_count,
    a_handler_that_found_nothing_to_do_is_passed_over, no_history_makes_it_propose_what_is_used_up)
