/* Scenarios: what people say: approvals, pauses, undo, marks, a new policy. */
#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "control/double.h"
#include "control/gates.h"

#define RESTART(mode)                                                                                      \
	"- {name: restart, kinds: [latency, errors, memory, crash], action: rollout_restart, mode: " mode ", " \
	"cooldown: 5m, attempts: 2}\n"
#define AUTO RESTART("auto")

static const char *asked(struct rig *r) {
	struct t *t = r->t;
	rig_fault(r, 1, "payment", "latency");
	EXPECT(rig_action_is(r, 1, 0, "waiting") && rig_text_is(rig_action(r, 1, 0), "decision", "ask"));
	EXPECT(double_count(&r->broker, "APPROVAL_REQUESTED") == 1 && !r->cluster.applies);
	return str_c(t->arena, json_str(json_get(rig_action(r, 1, 0), "action")));
}

static const char *const grow =
	"- {name: grow, kinds: [saturation], action: scale, replicas: +1, mode: auto, attempts: 1}\n";

TEST(an_approval_lets_it_go_ahead) {
	struct rig r;
	char why[256];
	rig_init(&r, t, RESTART("approve"), NULL);
	const char *id = asked(&r);
	EXPECT_OK(rig_command(&r, COMMAND_APPROVE, id, "anna", 0, why));
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && rig_text_is(rig_action(&r, 1, 0), "result.approved_by", "anna"));
	EXPECT_ERR(rig_command(&r, COMMAND_APPROVE, id, "bert", 0, why), ERR_CONFLICT);
	EXPECT_ERR(rig_command(&r, COMMAND_REJECT, id, "bert", 0, why), ERR_CONFLICT);
	rig_finish(&r);
}

TEST(a_rejection_ends_with_a_person) {
	struct rig r;
	rig_init(&r, t, RESTART("approve") "- {name: next, kinds: [latency], action: rollout_undo, mode: auto}\n", NULL);
	EXPECT_OK(rig_command(&r, COMMAND_REJECT, asked(&r), "anna", 0, NULL));
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "refused") &&
	       rig_says(t, rig_action(&r, 1, 0), "result.why", "rejected by anna: because"));
	EXPECT(rig_text_is(rig_incident(&r, 1), "escalation.kind", "person") && rig_actions(&r, 1) == 1);
	rig_finish(&r);
}

TEST(silence_means_what_was_declared) {
	for (int approve = 0; approve < 2; approve++) {
		struct rig r;
		rig_init(&r, t, RESTART("approve"),
		         approve ? "approval: {ttl: 2m, default: approve}\n" : "approval: {ttl: 2m}\n");
		(void)asked(&r);
		rig_run(&r, 100 * NS_PER_SEC);
		EXPECT(rig_action_is(&r, 1, 0, "waiting"));
		rig_run(&r, 60 * NS_PER_SEC);
		EXPECT(rig_effects(&r, "payment") == (size_t)approve);
		EXPECT(rig_action_is(&r, 1, 0, "expired") == !approve);
		EXPECT(rig_text_is(rig_incident(&r, 1), "state", approve ? "open" : "escalated"));
		rig_finish(&r);
	}
}

/* An approval that comes after the world changed meets every gate again, on a fresh plan. */
TEST(after_an_approval_every_gate_is_asked_again) {
	struct rig r;
	rig_init(&r, t, RESTART("approve"), NULL);
	const char *id = asked(&r);
	double_object(&r.cluster, "payment")->owner = "HorizontalPodAutoscaler/pay";
	EXPECT_OK(rig_command(&r, COMMAND_APPROVE, id, "anna", 0, NULL));
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "refused") && !r.cluster.applies);
	EXPECT(rig_says(t, rig_action(&r, 1, 0), "result.why", "HorizontalPodAutoscaler/pay owns"));
	EXPECT(rig_text_is(rig_incident(&r, 1), "state", "escalated"));
	rig_finish(&r);
}

TEST(an_approval_survives_a_crash) {
	struct rig r;
	rig_init(&r, t, RESTART("approve"), NULL);
	const char *id = asked(&r);
	r.cluster.unreachable = 1; /* approved, but not acted on yet */
	EXPECT_OK(rig_command(&r, COMMAND_APPROVE, id, "anna", 0, NULL));
	rig_run(&r, NS_PER_SEC);
	rig_crash(&r);
	r.cluster.unreachable = 0;
	rig_start(&r);
	rig_run(&r, 20 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	rig_finish(&r);
}

TEST(an_incident_that_ends_first_cancels_what_waits) {
	struct rig r;
	rig_init(&r, t, RESTART("approve"), NULL);
	const char *id = asked(&r);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "expired") && rig_text_is(rig_incident(&r, 1), "state", "resolved"));
	EXPECT_ERR(rig_command(&r, COMMAND_APPROVE, id, "anna", 0, NULL), ERR_CONFLICT);
	EXPECT(!r.cluster.applies);
	rig_finish(&r);
}

TEST(a_pause_holds_and_a_resume_lets_go) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	EXPECT_OK(rig_command(&r, COMMAND_PAUSE, "", "anna", 0, NULL));
	rig_fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "waiting") && rig_says(t, rig_action(&r, 1, 0), "result.why", "paused by anna"));
	rig_crash(&r); /* durable */
	rig_start(&r);
	rig_run(&r, 5 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "waiting") && !r.cluster.applies);
	EXPECT_ERR(rig_command(&r, COMMAND_RESUME, "service/payment", "anna", 0, NULL), ERR_NOT_FOUND);
	EXPECT_OK(rig_command(&r, COMMAND_RESUME, "", "anna", 0, NULL));
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	rig_finish(&r);
}

TEST(a_pause_has_a_scope_and_an_end) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	EXPECT_OK(rig_command(&r, COMMAND_PAUSE, "service/pay*", "anna", 2 * NS_PER_MIN, NULL));
	EXPECT_ERR(rig_command(&r, COMMAND_PAUSE, "planet/earth", "anna", 0, NULL), ERR_INVALID);
	rig_fault(&r, 1, "payment", "latency");
	rig_fault(&r, 2, "cart", "latency");
	EXPECT(rig_effects(&r, "cart") == 1 && rig_effects(&r, "payment") == 0);
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_effects(&r, "payment") == 1);
	rig_finish(&r);
}

TEST(a_person_takes_back_what_was_verified) {
	struct rig r;
	char why[256];
	rig_init(&r, t, grow, NULL);
	rig_fault(&r, 1, "payment", "saturation");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "verified"));
	const char *id = str_c(t->arena, json_str(json_get(rig_action(&r, 1, 0), "action")));
	EXPECT_OK(rig_command(&r, COMMAND_UNDO, id, "olaf", 0, why)); /* read back from the store for it */
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "undone") && double_object(&r.cluster, "payment")->replicas == 3);
	EXPECT_ERR(rig_command(&r, COMMAND_UNDO, id, "olaf", 0, why), ERR_CONFLICT);
	rig_finish(&r);
}

TEST(what_has_no_way_back_is_not_taken_back) {
	struct rig r;
	char why[256];
	rig_init(&r, t, AUTO, NULL);
	rig_fault(&r, 1, "payment", "latency");
	rig_run(&r, 30 * NS_PER_SEC);
	const char *id = str_c(t->arena, json_str(json_get(rig_action(&r, 1, 0), "action")));
	EXPECT_ERR(rig_command(&r, COMMAND_UNDO, id, "olaf", 0, why), ERR_CONFLICT);
	EXPECT(strstr(why, "no way back"));
	EXPECT_ERR(rig_command(&r, COMMAND_UNDO, "01KE0000000000000000099999", "olaf", 0, why), ERR_NOT_FOUND);
	rig_finish(&r);
}

TEST(a_wrong_incident_is_left_alone) {
	struct rig r;
	rig_init(&r, t, RESTART("approve"), NULL);
	(void)asked(&r);
	EXPECT_OK(rig_command(&r, COMMAND_ACK, rig_ulid(&r, 1), "anna", 0, NULL));
	EXPECT_OK(rig_command(&r, COMMAND_WRONG, rig_ulid(&r, 1), "anna", 0, NULL));
	rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "expired") && rig_text_is(rig_incident(&r, 1), "wrong.by", "anna"));
	rig_report(&r, 1, "payment", "errors", 0.9, NULL);
	rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(rig_actions(&r, 1) == 1);
	EXPECT_ERR(rig_command(&r, COMMAND_ACK, "01KE0000000000000000099999", "anna", 0, NULL), ERR_NOT_FOUND);
	rig_finish(&r);
}

TEST(a_muted_incident_rests_until_then) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	EXPECT_OK(rig_command(&r, COMMAND_MUTE, rig_ulid(&r, 1), "anna", 2 * NS_PER_MIN, NULL));
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_actions(&r, 1) == 0);
	rig_run(&r, 90 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	rig_finish(&r);
}

TEST(a_new_policy_is_asked_from_the_next_look_on) {
	struct rig r;
	rig_init(&r, t, AUTO, "paused: true\n");
	rig_fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "waiting"));
	rig_policy(&r, RESTART("observe"), NULL);
	control_reload(r.control, &r.policy);
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "told") && !r.cluster.applies);
	rig_finish(&r);
}

TEST(an_undo_that_is_refused_over_and_over_has_an_end) {
	struct rig r;
	int refused = 0;
	rig_init(&r, t, grow, NULL);
	rig_fault(&r, 1, "payment", "saturation");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 5 * NS_PER_SEC);
	const char *id = str_c(t->arena, json_str(json_get(rig_action(&r, 1, 0), "action")));
	double_object(&r.cluster, "payment")->uid = "another";
	for (int i = 0; i < 40; i++) {
		refused += rig_command(&r, COMMAND_UNDO, id, "olaf", 0, NULL) == ERR_CONFLICT;
		rig_run(&r, 5 * NS_PER_SEC);
		EXPECT(rig_action_is(&r, 1, 0, "verified"));
	}
	EXPECT(refused > 0 && refused < 40);
	rig_finish(&r);
}

TEST(status_and_metrics_tell_what_is) {
	struct rig r;
	struct buf b;
	const struct json *v = NULL;
	rig_init(&r, t, RESTART("approve"), NULL);
	(void)asked(&r);
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	control_status(r.control, &o);
	EXPECT_OK(json_parse(t->arena, str_copy(t->arena, buf_get(&b)), &v, NULL));
	EXPECT(rig_text_is(v, "phase", "live") && json_int(json_get(v, "approvals_pending"), 0) == 1);
	EXPECT(json_int(json_path(v, "actions_live.waiting"), 0) == 1 && json_int(json_path(v, "audit.seq"), 0) > 0);
	buf_clear(&b);
	struct metrics_out m = metrics_out(&b);
	control_metrics(r.control, &m);
	metrics_end(&m);
	buf_byte(&b, 0);
	EXPECT(strstr(b.p, "flyball_control_decisions_total{decision=\"ask\"} 1") &&
	       strstr(b.p, "flyball_control_leader 1"));
	buf_done(&b);
	rig_finish(&r);
}

RUN(an_approval_lets_it_go_ahead, a_rejection_ends_with_a_person, silence_means_what_was_declared,
    after_an_approval_every_gate_is_asked_again, an_approval_survives_a_crash,
    an_incident_that_ends_first_cancels_what_waits, a_pause_holds_and_a_resume_lets_go, a_pause_has_a_scope_and_an_end,
    a_person_takes_back_what_was_verified, what_has_no_way_back_is_not_taken_back, a_wrong_incident_is_left_alone,
    a_muted_incident_rests_until_then, a_new_policy_is_asked_from_the_next_look_on,
    an_undo_that_is_refused_over_and_over_has_an_end, status_and_metrics_tell_what_is)
