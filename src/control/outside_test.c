/* Scenarios: an outside that misbehaves: the target, the bus, the store, another leader, a storm. */
#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "control/double.h"
#include "control/gates.h"

#define RESTART(mode)                                                                                      \
	"- {name: restart, kinds: [latency, errors, memory, crash], action: rollout_restart, mode: " mode ", " \
	"cooldown: 5m, attempts: 2}\n"
#define AUTO RESTART("auto")

TEST(a_conflict_leads_to_a_fresh_plan) {
	struct rig r;
	rig_init(&r, t,
	         "- {name: restart, kinds: [latency], action: rollout_restart, mode: auto, cooldown: 10s, attempts: 3}\n",
	         NULL);
	double_object(&r.cluster, "payment")->apply_err = ERR_CONFLICT;
	rig_fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "failed") && rig_text_is(rig_action(&r, 1, 0), "result.end", "conflict"));
	double_object(&r.cluster, "payment")->apply_err = OK;
	rig_run(&r, 30 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && json_int(json_get(rig_action(&r, 1, 1), "attempt"), 0) == 2);
	rig_finish(&r);
}

TEST(a_missing_right_is_handed_over) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	double_object(&r.cluster, "payment")->apply_err = ERR_DENIED;
	rig_fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "failed") && rig_text_is(rig_incident(&r, 1), "escalation.kind", "exhausted"));
	EXPECT(rig_effects(&r, "payment") == 0);
	rig_finish(&r);
}

TEST(a_lost_answer_is_asked_for_with_the_same_key) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	r.cluster.lost_answers = 1;
	rig_fault(&r, 1, "payment", "latency");
	rig_run(&r, 20 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "acting") && r.cluster.applies > 2 && rig_effects(&r, "payment") == 1);
	r.cluster.lost_answers = 0;
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && json_bool(json_path(rig_action(&r, 1, 0), "result.repeated"), false));
	EXPECT(rig_action_is(&r, 1, 0, "verifying"));
	rig_finish(&r);
}

TEST(a_call_that_is_never_confirmed_has_an_end) {
	struct rig r;
	rig_init(&r, t, AUTO, "verify_timeout: 2m\n");
	r.cluster.lost_answers = 1;
	rig_fault(&r, 1, "payment", "latency");
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "failed") && rig_says(t, rig_action(&r, 1, 0), "result.why", "not known"));
	EXPECT(rig_text_is(rig_incident(&r, 1), "state", "escalated"));
	rig_finish(&r);
}

TEST(an_unreachable_target_is_planned_later) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	r.cluster.unreachable = 1;
	rig_fault(&r, 1, "payment", "latency");
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_actions(&r, 1) == 0 && rig_text_is(rig_incident(&r, 1), "state", "open"));
	r.cluster.unreachable = 0;
	rig_run(&r, 35 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	rig_finish(&r);
}

TEST(a_stale_view_of_the_target_waits) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	r.cluster.not_ready = true;
	rig_fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "waiting") &&
	       rig_says(t, rig_action(&r, 1, 0), "result.why", "the watch is behind"));
	r.cluster.not_ready = false;
	rig_run(&r, 40 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	rig_finish(&r);
}

TEST(stale_signals_wait_also_after_a_crash) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_stale(&r, "payment", "\"duration\",\"rate\"", "stale");
	rig_run(&r, NS_PER_SEC);
	rig_fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "waiting") && rig_says(t, rig_action(&r, 1, 0), "result.why", "rate, duration"));
	rig_crash(&r);
	rig_start(&r);
	rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "waiting"));
	rig_stale(&r, "payment", "\"duration\",\"rate\"", "value");
	rig_run(&r, 40 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1);
	rig_finish(&r);
}

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
	EXPECT(rig_text_is(rig_incident(&r, 1), "state", "resolved") && rig_effects(&r, "payment") == 1 &&
	       rig_actions(&r, 1) == 1);
	list_each(it, &r.broker.events) {
		const struct double_event *e = container_of(it, struct double_event, node);
		EXPECT(!e->wanted || (e->done && !e->dead));
	}
	rig_finish(&r);
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
	rig_finish(&r);
}

TEST(another_writer_makes_it_read_back) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	double_touch(&r.store, "audit/head");
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 40 * NS_PER_SEC);
	EXPECT(rig_effects(&r, "payment") == 1 && rig_action_is(&r, 1, 0, "verifying"));
	rig_finish(&r);
}

TEST(only_one_leads_and_the_next_goes_on) {
	struct rig r, other;
	rig_init(&r, t, AUTO, NULL);
	rig_fault(&r, 1, "payment", "latency");
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
	rig_finish(&r);
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
	rig_finish(&r);
}

/* A restart a hundred times over, with nothing to do, writes nothing and forgets nothing. */
TEST(reading_back_changes_nothing) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_fault(&r, 1, "payment", "latency");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 30 * NS_PER_SEC);
	rig_fault(&r, 2, "orders", "network");
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
	rig_finish(&r);
}

/* An escalated incident ends, and control crashes at any step between hearing of it and closing it. */
TEST(an_end_is_not_forgotten_in_a_crash) {
	for (int at = 0; at < 25; at++) {
		struct rig r;
		rig_init(&r, t, AUTO, NULL);
		rig_fault(&r, 1, "payment", "network");
		rig_resolved(&r, 1, "in_band");
		for (int n = 0; n < at; n++) (void)rig_turn(&r, r.clock.mono.ns + NS_PER_SEC);
		rig_crash(&r);
		rig_start(&r);
		rig_run(&r, 40 * NS_PER_SEC);
		EXPECT(rig_text_is(rig_incident(&r, 1), "state", "resolved") &&
		       json_bool(json_get(rig_incident(&r, 1), "closed"), false));
		rig_finish(&r);
	}
}

TEST(what_was_on_its_way_ends_without_its_target_too) {
	struct rig r;
	rig_init(&r, t, AUTO, "verify_timeout: 1m\n");
	r.cluster.lost_answers = 1;
	rig_fault(&r, 1, "payment", "latency");
	EXPECT(rig_action_is(&r, 1, 0, "acting"));
	rig_crash(&r);
	r.no_executor = true; /* somebody took target: out of the configuration */
	rig_start(&r);
	rig_run(&r, 3 * NS_PER_MIN);
	EXPECT(rig_action_is(&r, 1, 0, "failed") && rig_says(t, rig_action(&r, 1, 0), "result.why", "not known"));
	rig_finish(&r);
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
	for (int i = 0; i < count; i++) EXPECT(rig_text_is(rig_incident(&r, i), "state", "escalated"));
	for (int i = 0; i < count; i++) rig_resolved(&r, i, "in_band");
	rig_run(&r, 60 * NS_PER_SEC);
	for (int i = 0; i < count; i++) EXPECT(rig_text_is(rig_incident(&r, i), "state", "resolved"));
	rig_crash(&r);
	rig_start(&r);
	rig_run(&r, 30 * NS_PER_SEC);
	EXPECT(rig_ready(&r));
	rig_finish(&r);
}

RUN(a_conflict_leads_to_a_fresh_plan, a_missing_right_is_handed_over, a_lost_answer_is_asked_for_with_the_same_key,
    a_call_that_is_never_confirmed_has_an_end, an_unreachable_target_is_planned_later, a_stale_view_of_the_target_waits,
    stale_signals_wait_also_after_a_crash, events_out_of_order_and_twice_mean_the_same,
    what_cannot_be_read_ends_with_the_dead_letters, another_writer_makes_it_read_back,
    only_one_leads_and_the_next_goes_on, a_head_is_published_at_least_once_a_minute, reading_back_changes_nothing,
    an_end_is_not_forgotten_in_a_crash, what_was_on_its_way_ends_without_its_target_too,
    a_storm_is_taken_in_piece_by_piece)
