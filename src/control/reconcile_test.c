/* Scenarios: from an event to a verified end, and every other end there is. */
#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "control/double.h"
#include "control/gates.h"
#include "model/schema_check.h"

#define RESTART(mode)                                                                                      \
	"- {name: restart, kinds: [latency, errors, memory, crash], action: rollout_restart, mode: " mode ", " \
	"cooldown: 5m, attempts: 2}\n"
#define AUTO RESTART("auto")

static bool text_is(const struct json *row, const char *path, const char *want) {
	return str_is(json_str(json_path(row, path)), want);
}

static bool says(struct t *t, const struct json *row, const char *path, const char *want) {
	struct str s = json_str(json_path(row, path));
	return s.n && strstr(str_c(t->arena, s), want);
}

static size_t actions_of(struct rig *r, int n) {
	const struct json *v = json_get(rig_incident(r, n), "actions");
	return v ? v->count : 0;
}

/* An incident with a cause, and the time to decide on it. */
static void fault(struct rig *r, int n, const char *service, const char *kind) {
	rig_opened(r, n, service, 0.8);
	rig_run(r, NS_PER_SEC);
	rig_report(r, n, service, kind, 0.9, NULL);
	rig_run(r, 2 * NS_PER_SEC);
}

/* Everything that control published fits its schema, and the decision log is whole. */
static void finish(struct rig *r) {
	struct t *t = r->t;
	static const char *const types[] = { "ACTION_PLANNED", "APPROVAL_REQUESTED", "ACTION_LOG" };
	for (size_t k = 0; k < 3; k++) {
		const char *e;
		for (size_t i = 0; (e = double_nth(&r->broker, types[k], i)); i++) {
			struct why why = { "" };
			if (schema_check_event(EVENTS_DIR, str_of(e), &why)) test_fail(t, __FILE__, __LINE__, why.text);
		}
	}
	rig_audit(r);
	rig_done(r);
}

TEST(a_fault_is_restarted_once_and_verified) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "state", "open"));
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 30 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "verifying") && rig_effects(&r, "payment") == 1);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "verified") && text_is(rig_incident(&r, 1), "state", "resolved"));
	EXPECT(json_bool(json_path(rig_action(&r, 1, 0), "result.verification.ok"), false));
	EXPECT(rig_effects(&r, "payment") == 1 && r.cluster.applies == 1 && r.cluster.undos == 0);
	EXPECT(double_count(&r.broker, "ACTION_PLANNED") == 1 && double_count(&r.broker, "ACTION_LOG") == 5);
	finish(&r);
}

TEST(observing_says_once_and_touches_nothing) {
	struct rig r;
	rig_init(&r, t, RESTART("observe"), NULL);
	fault(&r, 1, "payment", "latency");
	rig_report(&r, 1, "payment", "latency", 0.95, NULL);
	rig_run(&r, 600 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "told") && actions_of(&r, 1) == 1);
	EXPECT(text_is(rig_action(&r, 1, 0), "decision", "tell") && text_is(rig_incident(&r, 1), "state", "open"));
	EXPECT(json_get(rig_action(&r, 1, 0), "gates")->count == GATES);
	EXPECT(r.cluster.plans > 0 && !r.cluster.applies && !r.cluster.settles && !r.cluster.undos);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "state", "resolved"));
	finish(&r);
}

TEST(without_a_target_everything_is_told) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_crash(&r);
	r.no_executor = true;
	rig_start(&r);
	rig_run(&r, 12 * NS_PER_SEC);
	fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "told"));
	EXPECT(
		says(t, json_at(json_get(rig_action(&r, 1, 0), "gates"), GATE_OWNERSHIP), "reason", "no target is configured"));
	finish(&r);
}

/* ---- approvals ---- */

static const char *asked(struct rig *r) {
	struct t *t = r->t;
	fault(r, 1, "payment", "latency");
	EXPECT(rig_action_is(r, 1, 0, "waiting") && text_is(rig_action(r, 1, 0), "decision", "ask"));
	EXPECT(double_count(&r->broker, "APPROVAL_REQUESTED") == 1 && !r->cluster.applies);
	return str_c(t->arena, json_str(json_get(rig_action(r, 1, 0), "action")));
}

TEST(an_approval_lets_it_go_ahead) {
	struct rig r;
	char why[256];
	rig_init(&r, t, RESTART("approve"), NULL);
	const char *id = asked(&r);
	EXPECT_OK(rig_command(&r, COMMAND_APPROVE, id, "anna", 0, why));
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && text_is(rig_action(&r, 1, 0), "result.approved_by", "anna"));
	EXPECT_ERR(rig_command(&r, COMMAND_APPROVE, id, "bert", 0, why), ERR_CONFLICT);
	EXPECT_ERR(rig_command(&r, COMMAND_REJECT, id, "bert", 0, why), ERR_CONFLICT);
	finish(&r);
}

TEST(a_rejection_ends_with_a_person) {
	struct rig r;
	rig_init(&r, t, RESTART("approve") "- {name: next, kinds: [latency], action: rollout_undo, mode: auto}\n", NULL);
	EXPECT_OK(rig_command(&r, COMMAND_REJECT, asked(&r), "anna", 0, NULL));
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "refused") &&
		   says(t, rig_action(&r, 1, 0), "result.why", "rejected by anna: because"));
	EXPECT(text_is(rig_incident(&r, 1), "escalation.kind", "person") && actions_of(&r, 1) == 1);
	finish(&r);
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
		EXPECT(text_is(rig_incident(&r, 1), "state", approve ? "open" : "escalated"));
		finish(&r);
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
	EXPECT(says(t, rig_action(&r, 1, 0), "result.why", "HorizontalPodAutoscaler/pay owns"));
	EXPECT(text_is(rig_incident(&r, 1), "state", "escalated"));
	finish(&r);
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
	finish(&r);
}

/* ---- what ends with a person and no action ---- */

TEST(no_cure_no_action) {
	static const struct {
		const char *kind, *escalation;
	} cases[] = {
		{ "network", "no_remedy" }, { "disk", "no_remedy" }, { "unknown", "no_remedy" }, { "dependency", "no_remedy" }
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig r;
		rig_init(&r, t, AUTO, NULL);
		fault(&r, 1, "payment", cases[i].kind);
		EXPECT(text_is(rig_incident(&r, 1), "state", "escalated") && actions_of(&r, 1) == 0);
		EXPECT(text_is(rig_incident(&r, 1), "escalation.kind", cases[i].escalation));
		EXPECT(double_count(&r.broker, "ACTION_PLANNED") == 1 && double_count(&r.broker, "ACTION_LOG") == 0);
		EXPECT(strstr(double_nth(&r.broker, "ACTION_PLANNED", 0), "escalation, no action"));
		EXPECT(!r.cluster.plans && !r.cluster.applies);
		finish(&r);
	}
}

TEST(a_database_is_not_restarted) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "orders", 0.8);
	rig_run(&r, NS_PER_SEC);
	rig_report_foreign(&r, 1, "database/orders", "latency");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "escalation.kind", "no_target"));
	EXPECT(says(t, rig_incident(&r, 1), "escalation.why", "database/orders") && !r.cluster.applies);
	finish(&r);
}

TEST(a_target_that_is_not_found_is_not_guessed) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	fault(&r, 1, "unmapped", "latency");
	EXPECT(text_is(rig_incident(&r, 1), "escalation.kind", "no_target"));
	EXPECT(says(t, rig_incident(&r, 1), "escalation.why", "no object serves unmapped") && actions_of(&r, 1) == 0);
	finish(&r);
}

TEST(a_later_report_settles_what_was_open) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	rig_report_none(&r, 1, "not enough data");
	rig_run(&r, NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "escalation.kind", "no_cause"));
	rig_report(&r, 1, "payment", "latency", 0.3, NULL);
	rig_run(&r, NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "escalation.kind", "unsure") && !r.cluster.applies);
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && text_is(rig_incident(&r, 1), "state", "open"));
	EXPECT(double_count(&r.broker, "ACTION_PLANNED") == 3); /* two escalations, one plan */
	finish(&r);
}

TEST(a_missing_report_is_told_too) {
	struct rig r;
	rig_init(&r, t, AUTO, "verify_timeout: 1m\n");
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, 50 * NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "state", "open"));
	rig_run(&r, 20 * NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "escalation.kind", "no_cause"));
	finish(&r);
}

/* ---- what does not help ---- */

TEST(what_does_not_help_is_tried_again_then_handed_over) {
	struct rig r;
	rig_init(&r, t, AUTO, "verify_timeout: 2m\n");
	fault(&r, 1, "payment", "latency");
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "ineffective") && actions_of(&r, 1) == 2);
	EXPECT(rig_action_is(&r, 1, 1, "waiting")); /* for the cooldown */
	rig_run(&r, 6 * NS_PER_MIN);
	EXPECT(rig_effects(&r, "payment") == 2 && json_int(json_get(rig_action(&r, 1, 1), "attempt"), 0) == 2);
	EXPECT(r.cluster.effects[1].at_ns - r.cluster.effects[0].at_ns >= 5 * NS_PER_MIN);
	EXPECT(strcmp(r.cluster.effects[0].key, r.cluster.effects[1].key) != 0);
	rig_run(&r, 6 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 1, "ineffective") && text_is(rig_incident(&r, 1), "escalation.kind", "exhausted"));
	EXPECT(rig_effects(&r, "payment") == 2);
	rig_resolved(&r, 1, "in_band"); /* a person mended it */
	rig_run(&r, NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "state", "resolved"));
	finish(&r);
}

static const char *const grow =
	"- {name: grow, kinds: [saturation], action: scale, replicas: +1, mode: auto, attempts: 1}\n";

TEST(a_wish_for_replicas_is_made_from_what_is_there) {
	struct rig r;
	rig_init(&r, t, grow, NULL);
	fault(&r, 1, "payment", "saturation");
	EXPECT(double_object(&r.cluster, "payment")->replicas == 4);
	EXPECT(text_is(rig_action(&r, 1, 0), "kind", "scale"));
	EXPECT(json_int(json_path(rig_action(&r, 1, 0), "undo.replicas"), 0) == 3);
	finish(&r);
}

TEST(what_made_it_worse_is_taken_back) {
	struct rig r;
	rig_init(&r, t, grow, "verify_timeout: 2m\n");
	fault(&r, 1, "payment", "saturation");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_opened(&r, 1, "payment", 0.95); /* more severe than when it was decided */
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "undone") && double_object(&r.cluster, "payment")->replicas == 3);
	EXPECT(text_is(rig_incident(&r, 1), "escalation.kind", "exhausted"));
	finish(&r);
}

TEST(a_rollout_that_fails_is_taken_back) {
	struct rig r;
	rig_init(&r, t, grow, NULL);
	double_object(&r.cluster, "payment")->cannot_settle = true;
	fault(&r, 1, "payment", "saturation");
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "undone") && r.cluster.undos >= 1);
	finish(&r);
	/* a restart has no way back: it is without effect, and said so */
	rig_init(&r, t, AUTO, NULL);
	double_object(&r.cluster, "payment")->cannot_settle = true;
	fault(&r, 1, "payment", "latency");
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "ineffective") && r.cluster.undos == 0);
	finish(&r);
}

/* ---- ends that observe tells ---- */

TEST(no_data_is_no_proof) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	fault(&r, 1, "payment", "latency");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_resolved(&r, 1, "no_data");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "ineffective") && text_is(rig_incident(&r, 1), "escalation.kind", "silent"));
	EXPECT(!json_bool(json_path(rig_action(&r, 1, 0), "result.verification.ok"), true));
	finish(&r);
}

TEST(an_incident_that_ends_first_cancels_what_waits) {
	struct rig r;
	rig_init(&r, t, RESTART("approve"), NULL);
	const char *id = asked(&r);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "expired") && text_is(rig_incident(&r, 1), "state", "resolved"));
	EXPECT_ERR(rig_command(&r, COMMAND_APPROVE, id, "anna", 0, NULL), ERR_CONFLICT);
	EXPECT(!r.cluster.applies);
	finish(&r);
}

TEST(adopted_is_not_cured) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	fault(&r, 1, "payment", "latency");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_resolved(&r, 1, "adopted");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "ineffective") && text_is(rig_incident(&r, 1), "state", "escalated"));
	finish(&r);
}

/* ---- pauses ---- */

TEST(a_pause_holds_and_a_resume_lets_go) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	EXPECT_OK(rig_command(&r, COMMAND_PAUSE, "", "anna", 0, NULL));
	fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "waiting") && says(t, rig_action(&r, 1, 0), "result.why", "paused by anna"));
	rig_crash(&r); /* durable */
	rig_start(&r);
	rig_run(&r, 5 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "waiting") && !r.cluster.applies);
	EXPECT_ERR(rig_command(&r, COMMAND_RESUME, "service/payment", "anna", 0, NULL), ERR_NOT_FOUND);
	EXPECT_OK(rig_command(&r, COMMAND_RESUME, "", "anna", 0, NULL));
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	finish(&r);
}

TEST(a_pause_has_a_scope_and_an_end) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	EXPECT_OK(rig_command(&r, COMMAND_PAUSE, "service/pay*", "anna", 2 * NS_PER_MIN, NULL));
	EXPECT_ERR(rig_command(&r, COMMAND_PAUSE, "planet/earth", "anna", 0, NULL), ERR_INVALID);
	fault(&r, 1, "payment", "latency");
	fault(&r, 2, "cart", "latency");
	EXPECT(rig_effects(&r, "cart") == 1 && rig_effects(&r, "payment") == 0);
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_effects(&r, "payment") == 1);
	finish(&r);
}

/* ---- undo by a person ---- */

TEST(a_person_takes_back_what_was_verified) {
	struct rig r;
	char why[256];
	rig_init(&r, t, grow, NULL);
	fault(&r, 1, "payment", "saturation");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "verified"));
	const char *id = str_c(t->arena, json_str(json_get(rig_action(&r, 1, 0), "action")));
	EXPECT_OK(rig_command(&r, COMMAND_UNDO, id, "olaf", 0, why)); /* read back from the store for it */
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "undone") && double_object(&r.cluster, "payment")->replicas == 3);
	EXPECT_ERR(rig_command(&r, COMMAND_UNDO, id, "olaf", 0, why), ERR_CONFLICT);
	finish(&r);
}

TEST(what_has_no_way_back_is_not_taken_back) {
	struct rig r;
	char why[256];
	rig_init(&r, t, AUTO, NULL);
	fault(&r, 1, "payment", "latency");
	rig_run(&r, 30 * NS_PER_SEC);
	const char *id = str_c(t->arena, json_str(json_get(rig_action(&r, 1, 0), "action")));
	EXPECT_ERR(rig_command(&r, COMMAND_UNDO, id, "olaf", 0, why), ERR_CONFLICT);
	EXPECT(strstr(why, "no way back"));
	EXPECT_ERR(rig_command(&r, COMMAND_UNDO, "01KE0000000000000000099999", "olaf", 0, why), ERR_NOT_FOUND);
	finish(&r);
}

/* ---- what people say of an incident ---- */

TEST(a_wrong_incident_is_left_alone) {
	struct rig r;
	rig_init(&r, t, RESTART("approve"), NULL);
	(void)asked(&r);
	EXPECT_OK(rig_command(&r, COMMAND_ACK, rig_ulid(&r, 1), "anna", 0, NULL));
	EXPECT_OK(rig_command(&r, COMMAND_WRONG, rig_ulid(&r, 1), "anna", 0, NULL));
	rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "expired") && text_is(rig_incident(&r, 1), "wrong.by", "anna"));
	rig_report(&r, 1, "payment", "errors", 0.9, NULL);
	rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(actions_of(&r, 1) == 1);
	EXPECT_ERR(rig_command(&r, COMMAND_ACK, "01KE0000000000000000099999", "anna", 0, NULL), ERR_NOT_FOUND);
	finish(&r);
}

TEST(a_muted_incident_rests_until_then) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	EXPECT_OK(rig_command(&r, COMMAND_MUTE, rig_ulid(&r, 1), "anna", 2 * NS_PER_MIN, NULL));
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(actions_of(&r, 1) == 0);
	rig_run(&r, 90 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	finish(&r);
}

/* ---- the target's answers ---- */

TEST(a_conflict_leads_to_a_fresh_plan) {
	struct rig r;
	rig_init(&r, t,
			 "- {name: restart, kinds: [latency], action: rollout_restart, mode: auto, cooldown: 10s, attempts: 3}\n",
			 NULL);
	double_object(&r.cluster, "payment")->apply_err = ERR_CONFLICT;
	fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "failed") && text_is(rig_action(&r, 1, 0), "result.end", "conflict"));
	double_object(&r.cluster, "payment")->apply_err = OK;
	rig_run(&r, 30 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && json_int(json_get(rig_action(&r, 1, 1), "attempt"), 0) == 2);
	finish(&r);
}

TEST(a_missing_right_is_handed_over) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	double_object(&r.cluster, "payment")->apply_err = ERR_DENIED;
	fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "failed") && text_is(rig_incident(&r, 1), "escalation.kind", "exhausted"));
	EXPECT(rig_effects(&r, "payment") == 0);
	finish(&r);
}

TEST(a_lost_answer_is_asked_for_with_the_same_key) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	r.cluster.lost_answers = 1;
	fault(&r, 1, "payment", "latency");
	rig_run(&r, 20 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "acting") && r.cluster.applies > 2 && rig_effects(&r, "payment") == 1);
	r.cluster.lost_answers = 0;
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && json_bool(json_path(rig_action(&r, 1, 0), "result.repeated"), false));
	EXPECT(rig_action_is(&r, 1, 0, "verifying"));
	finish(&r);
}

TEST(a_call_that_is_never_confirmed_has_an_end) {
	struct rig r;
	rig_init(&r, t, AUTO, "verify_timeout: 2m\n");
	r.cluster.lost_answers = 1;
	fault(&r, 1, "payment", "latency");
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "failed") && says(t, rig_action(&r, 1, 0), "result.why", "not known"));
	EXPECT(text_is(rig_incident(&r, 1), "state", "escalated"));
	finish(&r);
}

TEST(an_unreachable_target_is_planned_later) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	r.cluster.unreachable = 1;
	fault(&r, 1, "payment", "latency");
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(actions_of(&r, 1) == 0 && text_is(rig_incident(&r, 1), "state", "open"));
	r.cluster.unreachable = 0;
	rig_run(&r, 35 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	finish(&r);
}

TEST(a_stale_view_of_the_target_waits) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	r.cluster.not_ready = true;
	fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "waiting") && says(t, rig_action(&r, 1, 0), "result.why", "the watch is behind"));
	r.cluster.not_ready = false;
	rig_run(&r, 40 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	finish(&r);
}

TEST(stale_signals_wait_also_after_a_crash) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_stale(&r, "payment", "\"duration\",\"rate\"", "stale");
	rig_run(&r, NS_PER_SEC);
	fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "waiting") && says(t, rig_action(&r, 1, 0), "result.why", "rate, duration"));
	rig_crash(&r);
	rig_start(&r);
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "waiting"));
	rig_stale(&r, "payment", "\"duration\",\"rate\"", "value");
	rig_run(&r, 40 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	finish(&r);
}

TEST(one_sick_pod_is_deleted_alone) {
	struct rig r;
	rig_init(&r, t, "- {name: pod, kinds: [crash], action: delete_pod, mode: auto}\n", NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	rig_report(&r, 1, "payment", "crash", 0.9, "pod-payment");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(r.cluster.effect_count == 1 && strcmp(r.cluster.effects[0].uid, "pod-payment") == 0);
	finish(&r);
}

TEST(two_incidents_at_one_target_share_its_cooldown) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	fault(&r, 1, "payment", "latency");
	fault(&r, 2, "payment", "errors");
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_effects(&r, "payment") == 1 && rig_action_is(&r, 2, 0, "waiting"));
	finish(&r);
}

/* ---- events ---- */

TEST(events_out_of_order_and_twice_mean_the_same) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_report(&r, 1, "payment", "latency", 0.9, NULL); /* before its incident is known */
	rig_run(&r, NS_PER_SEC);
	rig_opened(&r, 1, "payment", 0.8);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	rig_resolved(&r, 1, "in_band");
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 60 * NS_PER_SEC);
	rig_report(&r, 1, "payment", "latency", 0.9, NULL); /* long after */
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "state", "resolved") && rig_effects(&r, "payment") == 1 &&
		   actions_of(&r, 1) == 1);
	list_each(it, &r.broker.events) {
		const struct double_event *e = container_of(it, struct double_event, node);
		EXPECT(!e->wanted || (e->done && !e->dead));
	}
	finish(&r);
}

TEST(what_cannot_be_read_ends_with_the_dead_letters) {
	static const struct {
		const char *type, *data;
	} bad[] = {
		{ "INCIDENT_OPENED", "{\"incident\":\"x\",\"severity\":0.5}" },
		{ "INCIDENT_OPENED", "{\"incident\":\"01KE0000000000000000000001\",\"severity\":7}" },
		{ "INCIDENT_OPENED", "[]" },
		{ "RCA_REPORT", "{\"incident\":\"01KE0000000000000000000077\",\"root_causes\":[]}" }, /* nobody's */
		{ "RCA_REPORT", "{\"incident\":\"01KE0000000000000000000002\"}" },
		{ "RCA_REPORT", "{\"incident\":\"01KE0000000000000000000002\",\"root_causes\":[{\"entity\":\"a\",\"kind\":"
						"\"magic\",\"confidence\":1}]}" },
		{ "RCA_REPORT", "{\"incident\":\"01KE0000000000000000000002\",\"root_causes\":[{\"entity\":\"a\",\"kind\":"
						"\"crash\",\"confidence\":2}]}" },
		{ "INCIDENT_RESOLVED", "{\"incident\":\"01KE0000000000000000000002\",\"how\":\"magic\"}" },
		{ "DATA_STALE", "{\"entity\":\"a\",\"signals\":[\"charm\"]}" },
	};
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 2, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		double_emit(&r.broker, bad[i].type, str_printf(t->arena, "01KE000000000000000001%04d", (int)i).p, "service/a",
					0.5, bad[i].data);
	rig_run(&r, 30 * NS_PER_MIN);
	size_t dead = 0;
	list_each(it, &r.broker.events) {
		const struct double_event *e = container_of(it, struct double_event, node);
		EXPECT(!e->wanted || e->done);
		EXPECT(!e->dead || e->reason[0]);
		dead += e->dead;
	}
	EXPECT(dead == sizeof bad / sizeof *bad);
	finish(&r);
}

/* ---- the store, and who leads ---- */

TEST(another_writer_makes_it_read_back) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	double_touch(&r.store, "audit/head");
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 40 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && rig_action_is(&r, 1, 0, "verifying"));
	finish(&r);
}

TEST(only_one_leads_and_the_next_goes_on) {
	struct rig r, other;
	rig_init(&r, t, AUTO, NULL);
	fault(&r, 1, "payment", "latency");
	/* a second process on the same store, bus and cluster */
	struct control *second;
	struct why why;
	struct state *state = double_state(&r.store);
	struct bus *bus = double_bus(&r.broker);
	struct executor *executor = double_executor(&r.cluster);
	struct control_opts o = { &r.clock.clock,    bus,      state, NULL, executor, NULL, rng_seeded(5),
							  STR("test/other"), &r.policy };
	EXPECT_OK(control_open(&o, &second, &why));
	(void)other;
	for (int i = 0; i < 200; i++) {
		rig_run(&r, 500 * NS_PER_MS);
		while (control_step(second)) {}
	}
	EXPECT(control_ready(r.control) && !control_ready(second) && rig_effects(&r, "payment") == 1);
	rig_crash(&r);
	for (int i = 0; i < 400 && !control_ready(second); i++) {
		fake_clock_advance(&r.clock, 100 * NS_PER_MS);
		while (control_step(second)) {}
	}
	EXPECT(control_ready(second));
	/* the first comes back, and stands by */
	rig_start(&r);
	for (int i = 0; i < 100; i++) {
		rig_run(&r, 100 * NS_PER_MS);
		while (control_step(second)) {}
	}
	EXPECT(!control_ready(r.control) && control_ready(second));
	rig_resolved(&r, 1, "in_band");
	for (int i = 0; i < 100; i++) {
		rig_run(&r, 100 * NS_PER_MS);
		while (control_step(second)) {}
	}
	EXPECT(rig_action_is(&r, 1, 0, "verified") && rig_effects(&r, "payment") == 1);
	control_close(second);
	state_close(state), bus_close(bus);
	executor->ops->close(executor);
	finish(&r);
}

TEST(a_head_is_published_at_least_once_a_minute) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	for (int i = 1; i <= 10; i++) {
		int64_t before = r.heads;
		rig_opened(&r, i, "cart", 0.8);
		rig_run(&r, 61 * NS_PER_SEC);
		EXPECT(r.heads > before && r.heads <= before + 2);
	}
	int64_t quiet = r.heads;
	rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(strstr(r.head_line, "seq=") && strstr(r.head_line, "hash="));
	EXPECT(r.heads <= quiet + 1);
	finish(&r);
}

TEST(a_new_policy_is_asked_from_the_next_look_on) {
	struct rig r;
	rig_init(&r, t, AUTO, "paused: true\n");
	fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "waiting"));
	rig_policy(&r, RESTART("observe"), NULL);
	control_reload(r.control, &r.policy);
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "told") && !r.cluster.applies);
	finish(&r);
}

/* A restart a hundred times over, with nothing to do, writes nothing and forgets nothing. */
TEST(reading_back_changes_nothing) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	fault(&r, 1, "payment", "latency");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 30 * NS_PER_SEC);
	fault(&r, 2, "orders", "network");
	rig_run(&r, 30 * NS_PER_SEC);
	size_t events = r.broker.ids.count;
	const struct double_item *head = double_get(&r.store, "audit/head");
	uint64_t version = head->version;
	for (int i = 0; i < 20; i++) {
		rig_crash(&r);
		rig_start(&r);
		rig_run(&r, 20 * NS_PER_SEC);
		EXPECT(rig_ready(&r));
	}
	EXPECT(double_get(&r.store, "audit/head")->version == version && r.broker.ids.count == events);
	finish(&r);
}

/* An escalated incident ends, and control crashes at any step between hearing of it and closing it. */
TEST(an_end_is_not_forgotten_in_a_crash) {
	for (int at = 0; at < 25; at++) {
		struct rig r;
		rig_init(&r, t, AUTO, NULL);
		fault(&r, 1, "payment", "network");
		rig_resolved(&r, 1, "in_band");
		for (int n = 0; n < at; n++) (void)rig_turn(&r, r.clock.mono.ns + NS_PER_SEC);
		rig_crash(&r);
		rig_start(&r);
		rig_run(&r, 40 * NS_PER_SEC);
		EXPECT(text_is(rig_incident(&r, 1), "state", "resolved") &&
			   json_bool(json_get(rig_incident(&r, 1), "closed"), false));
		finish(&r);
	}
}

TEST(what_was_on_its_way_ends_without_its_target_too) {
	struct rig r;
	rig_init(&r, t, AUTO, "verify_timeout: 1m\n");
	r.cluster.lost_answers = 1;
	fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "acting"));
	rig_crash(&r);
	r.no_executor = true; /* somebody took target: out of the configuration */
	rig_start(&r);
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "failed") && says(t, rig_action(&r, 1, 0), "result.why", "not known"));
	finish(&r);
}

TEST(an_undo_that_is_refused_over_and_over_has_an_end) {
	struct rig r;
	int refused = 0;
	rig_init(&r, t, grow, NULL);
	fault(&r, 1, "payment", "saturation");
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
	finish(&r);
}

/* More at once than fits: what is too much waits on the bus, and nothing is lost. */
TEST(a_storm_is_taken_in_piece_by_piece) {
	struct rig r;
	const int count = 700;
	rig_init(&r, t, AUTO, NULL);
	for (int i = 0; i < count; i++) rig_opened(&r, i, "unmapped", 0.8);
	rig_run(&r, 2 * NS_PER_SEC);
	for (int i = 0; i < count; i++) rig_report(&r, i, "unmapped", "network", 0.9, NULL);
	rig_run(&r, 3 * NS_PER_MIN);
	for (int i = 0; i < count; i++) EXPECT(text_is(rig_incident(&r, i), "state", "escalated"));
	for (int i = 0; i < count; i++) rig_resolved(&r, i, "in_band");
	rig_run(&r, 60 * NS_PER_SEC);
	for (int i = 0; i < count; i++) EXPECT(text_is(rig_incident(&r, i), "state", "resolved"));
	rig_crash(&r);
	rig_start(&r);
	rig_run(&r, 30 * NS_PER_SEC);
	EXPECT(rig_ready(&r));
	finish(&r);
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
	EXPECT(text_is(v, "phase", "live") && json_int(json_get(v, "approvals_pending"), 0) == 1);
	EXPECT(json_int(json_path(v, "actions_live.waiting"), 0) == 1 && json_int(json_path(v, "audit.seq"), 0) > 0);
	buf_clear(&b);
	struct metrics_out m = metrics_out(&b);
	control_metrics(r.control, &m);
	metrics_end(&m);
	buf_byte(&b, 0);
	EXPECT(strstr(b.p, "flyball_control_decisions_total{decision=\"ask\"} 1") &&
		   strstr(b.p, "flyball_control_leader 1"));
	buf_done(&b);
	finish(&r);
}

RUN(a_fault_is_restarted_once_and_verified, observing_says_once_and_touches_nothing,
	without_a_target_everything_is_told, an_approval_lets_it_go_ahead, a_rejection_ends_with_a_person,
	silence_means_what_was_declared, after_an_approval_every_gate_is_asked_again, an_approval_survives_a_crash,
	no_cure_no_action, a_database_is_not_restarted, a_target_that_is_not_found_is_not_guessed,
	a_later_report_settles_what_was_open, a_missing_report_is_told_too,
	what_does_not_help_is_tried_again_then_handed_over, a_wish_for_replicas_is_made_from_what_is_there,
	what_made_it_worse_is_taken_back, a_rollout_that_fails_is_taken_back, no_data_is_no_proof,
	an_incident_that_ends_first_cancels_what_waits, adopted_is_not_cured, a_pause_holds_and_a_resume_lets_go,
	a_pause_has_a_scope_and_an_end, a_person_takes_back_what_was_verified, what_has_no_way_back_is_not_taken_back,
	a_wrong_incident_is_left_alone, a_muted_incident_rests_until_then, a_conflict_leads_to_a_fresh_plan,
	a_missing_right_is_handed_over, a_lost_answer_is_asked_for_with_the_same_key,
	a_call_that_is_never_confirmed_has_an_end, an_unreachable_target_is_planned_later, a_stale_view_of_the_target_waits,
	stale_signals_wait_also_after_a_crash, one_sick_pod_is_deleted_alone,
	two_incidents_at_one_target_share_its_cooldown, events_out_of_order_and_twice_mean_the_same,
	what_cannot_be_read_ends_with_the_dead_letters, another_writer_makes_it_read_back,
	only_one_leads_and_the_next_goes_on, a_head_is_published_at_least_once_a_minute,
	a_new_policy_is_asked_from_the_next_look_on, reading_back_changes_nothing, an_end_is_not_forgotten_in_a_crash,
	what_was_on_its_way_ends_without_its_target_too, an_undo_that_is_refused_over_and_over_has_an_end,
	a_storm_is_taken_in_piece_by_piece, status_and_metrics_tell_what_is)
