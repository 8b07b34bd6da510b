/* Scenarios: from an event to a verified end, and every other end there is. */
#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "control/double.h"
#include "control/gates.h"

#define RESTART(mode)                                                                                      \
	"- {name: restart, kinds: [latency, errors, memory, crash], action: rollout_restart, mode: " mode ", " \
	"cooldown: 5m, attempts: 2}\n"
#define AUTO RESTART("auto")

static const char *const grow =
	"- {name: grow, kinds: [saturation], action: scale, replicas: +1, mode: auto, attempts: 1}\n";

TEST(a_fault_is_restarted_once_and_verified) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "state", "open"));
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 30 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "verifying") && rig_effects(&r, "payment") == 1);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "verified") && rig_text_is(rig_incident(&r, 1), "state", "resolved"));
	EXPECT(json_bool(json_path(rig_action(&r, 1, 0), "result.verification.ok"), false));
	EXPECT(rig_effects(&r, "payment") == 1 && r.cluster.applies == 1 && r.cluster.undos == 0);
	EXPECT(double_count(&r.broker, "ACTION_PLANNED") == 1 && double_count(&r.broker, "ACTION_LOG") == 5);
	rig_finish(&r);
}

TEST(observing_says_once_and_touches_nothing) {
	struct rig r;
	rig_init(&r, t, RESTART("observe"), NULL);
	rig_fault(&r, 1, "payment", "latency");
	rig_report(&r, 1, "payment", "latency", 0.95, NULL);
	rig_run(&r, 600 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "told") && rig_actions(&r, 1) == 1);
	EXPECT(rig_text_is(rig_action(&r, 1, 0), "decision", "tell") && rig_text_is(rig_incident(&r, 1), "state", "open"));
	EXPECT(json_get(rig_action(&r, 1, 0), "gates")->count == GATES);
	EXPECT(r.cluster.plans > 0 && !r.cluster.applies && !r.cluster.settles && !r.cluster.undos);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "state", "resolved"));
	rig_finish(&r);
}

TEST(without_a_target_everything_is_told) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_crash(&r);
	r.no_executor = true;
	rig_start(&r);
	rig_run(&r, 12 * NS_PER_SEC);
	rig_fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "told"));
	EXPECT(rig_says(t, json_at(json_get(rig_action(&r, 1, 0), "gates"), GATE_OWNERSHIP), "reason",
	                "no target is configured"));
	rig_finish(&r);
}

TEST(no_cure_no_action) {
	static const struct {
		const char *kind, *escalation;
	} cases[] = {
		{ "network", "no_remedy" }, { "disk", "no_remedy" }, { "unknown", "no_remedy" }, { "dependency", "no_remedy" }
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig r;
		rig_init(&r, t, AUTO, NULL);
		rig_fault(&r, 1, "payment", cases[i].kind);
		EXPECT(rig_text_is(rig_incident(&r, 1), "state", "escalated") && rig_actions(&r, 1) == 0);
		EXPECT(rig_text_is(rig_incident(&r, 1), "escalation.kind", cases[i].escalation));
		EXPECT(double_count(&r.broker, "ACTION_PLANNED") == 1 && double_count(&r.broker, "ACTION_LOG") == 0);
		EXPECT(strstr(double_nth(&r.broker, "ACTION_PLANNED", 0), "escalation, no action"));
		EXPECT(strstr(double_nth(&r.broker, "ACTION_PLANNED", 0),
		              "\"action\":null")); /* no action: nothing to ask after */
		EXPECT(!r.cluster.plans && !r.cluster.applies);
		rig_finish(&r);
	}
}

TEST(a_database_is_not_restarted) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "orders", 0.8);
	rig_run(&r, NS_PER_SEC);
	rig_report_foreign(&r, 1, "database/orders", "latency");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "escalation.kind", "no_target"));
	EXPECT(rig_says(t, rig_incident(&r, 1), "escalation.why", "database/orders") && !r.cluster.applies);
	rig_finish(&r);
}

TEST(a_target_that_is_not_found_is_not_guessed) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_fault(&r, 1, "unmapped", "latency");
	EXPECT(rig_text_is(rig_incident(&r, 1), "escalation.kind", "no_target"));
	EXPECT(rig_says(t, rig_incident(&r, 1), "escalation.why", "no object serves unmapped") && rig_actions(&r, 1) == 0);
	rig_finish(&r);
}

TEST(a_later_report_settles_what_was_open) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	rig_report_none(&r, 1, "not enough data");
	rig_run(&r, 27 * NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "state", "open") && double_count(&r.broker, "ACTION_PLANNED") == 0);
	rig_run(&r, 4 * NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "escalation.kind", "no_cause"));
	rig_report(&r, 1, "payment", "latency", 0.3, NULL);
	rig_run(&r, NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "escalation.kind", "unsure") && !r.cluster.applies);
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && rig_text_is(rig_incident(&r, 1), "state", "open"));
	EXPECT(double_count(&r.broker, "ACTION_PLANNED") == 3); /* two escalations, one plan */
	rig_finish(&r);
}

/* Seconds after a report that knew nothing comes one that does: nobody is woken in between. */
TEST(a_report_that_knows_more_is_waited_for, .seeds = 2) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_report_none(&r, 1, "not enough data");
	rig_run(&r, 5 * NS_PER_SEC);
	rig_report(&r, 1, "payment", "latency", 0.3, NULL);
	if (t->seed % 2) rig_crash(&r), rig_start(&r);
	rig_run(&r, 15 * NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "state", "open") && !r.cluster.applies);
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && double_count(&r.broker, "ACTION_PLANNED") == 1);
	rig_finish(&r);
}

TEST(a_missing_report_is_told_too) {
	struct rig r;
	rig_init(&r, t, AUTO, "patience: 1m\n");
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, 50 * NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "state", "open"));
	rig_run(&r, 20 * NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "escalation.kind", "no_cause"));
	rig_finish(&r);
}

TEST(what_does_not_help_is_tried_again_then_handed_over) {
	struct rig r;
	rig_init(&r, t, AUTO, "verify_timeout: 2m\n");
	rig_fault(&r, 1, "payment", "latency");
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "ineffective") && rig_actions(&r, 1) == 2);
	EXPECT(rig_action_is(&r, 1, 1, "waiting")); /* for the cooldown */
	rig_run(&r, 6 * NS_PER_MIN);
	EXPECT(rig_effects(&r, "payment") == 2 && json_int(json_get(rig_action(&r, 1, 1), "attempt"), 0) == 2);
	EXPECT(r.cluster.effects[1].at_ns - r.cluster.effects[0].at_ns >= 5 * NS_PER_MIN);
	EXPECT(strcmp(r.cluster.effects[0].key, r.cluster.effects[1].key) != 0);
	rig_run(&r, 6 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 1, "ineffective") && rig_text_is(rig_incident(&r, 1), "escalation.kind", "exhausted"));
	EXPECT(rig_effects(&r, "payment") == 2);
	rig_resolved(&r, 1, "in_band"); /* a person mended it */
	rig_run(&r, NS_PER_SEC);
	EXPECT(rig_text_is(rig_incident(&r, 1), "state", "resolved"));
	rig_finish(&r);
}

TEST(a_wish_for_replicas_is_made_from_what_is_there) {
	struct rig r;
	rig_init(&r, t, grow, NULL);
	rig_fault(&r, 1, "payment", "saturation");
	EXPECT(double_object(&r.cluster, "payment")->replicas == 4);
	EXPECT(rig_text_is(rig_action(&r, 1, 0), "kind", "scale"));
	EXPECT(json_int(json_path(rig_action(&r, 1, 0), "undo.replicas"), 0) == 3);
	rig_finish(&r);
}

TEST(what_made_it_worse_is_taken_back) {
	struct rig r;
	rig_init(&r, t, grow, "verify_timeout: 2m\n");
	rig_fault(&r, 1, "payment", "saturation");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_opened(&r, 1, "payment", 0.95); /* more severe than when it was decided */
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "undone") && double_object(&r.cluster, "payment")->replicas == 3);
	EXPECT(rig_text_is(rig_incident(&r, 1), "escalation.kind", "exhausted"));
	rig_finish(&r);
}

TEST(a_rollout_that_fails_is_taken_back) {
	struct rig r;
	rig_init(&r, t, grow, NULL);
	double_object(&r.cluster, "payment")->cannot_settle = true;
	rig_fault(&r, 1, "payment", "saturation");
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "undone") && r.cluster.undos >= 1);
	rig_finish(&r);
	/* a restart has no way back: it is without effect, and said so */
	rig_init(&r, t, AUTO, NULL);
	double_object(&r.cluster, "payment")->cannot_settle = true;
	rig_fault(&r, 1, "payment", "latency");
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "ineffective") && r.cluster.undos == 0);
	rig_finish(&r);
}

TEST(no_data_is_no_proof) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_fault(&r, 1, "payment", "latency");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_resolved(&r, 1, "no_data");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "ineffective") && rig_text_is(rig_incident(&r, 1), "escalation.kind", "silent"));
	EXPECT(!json_bool(json_path(rig_action(&r, 1, 0), "result.verification.ok"), true));
	rig_finish(&r);
}

TEST(adopted_is_not_cured) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_fault(&r, 1, "payment", "latency");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_resolved(&r, 1, "adopted");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "ineffective") && rig_text_is(rig_incident(&r, 1), "state", "escalated"));
	rig_finish(&r);
}

TEST(one_sick_pod_is_deleted_alone) {
	struct rig r;
	rig_init(&r, t, "- {name: pod, kinds: [crash], action: delete_pod, mode: auto}\n", NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	rig_report(&r, 1, "payment", "crash", 0.9, "pod-payment");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(r.cluster.effect_count == 1 && strcmp(r.cluster.effects[0].uid, "pod-payment") == 0);
	rig_finish(&r);
}

TEST(two_incidents_at_one_target_share_its_cooldown) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_fault(&r, 1, "payment", "latency");
	rig_fault(&r, 2, "payment", "errors");
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_effects(&r, "payment") == 1 && rig_action_is(&r, 2, 0, "waiting"));
	rig_finish(&r);
}

RUN(a_fault_is_restarted_once_and_verified, observing_says_once_and_touches_nothing,
    without_a_target_everything_is_told, no_cure_no_action, a_database_is_not_restarted,
    a_target_that_is_not_found_is_not_guessed, a_later_report_settles_what_was_open,
    a_report_that_knows_more_is_waited_for, a_missing_report_is_told_too,
    what_does_not_help_is_tried_again_then_handed_over, a_wish_for_replicas_is_made_from_what_is_there,
    what_made_it_worse_is_taken_back, a_rollout_that_fails_is_taken_back, no_data_is_no_proof, adopted_is_not_cured,
    one_sick_pod_is_deleted_alone, two_incidents_at_one_target_share_its_cooldown)
