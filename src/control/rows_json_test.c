#include "control/rows_json.h"

#include <stdio.h>
#include <string.h>

#include "base/test.h"

static struct str words(struct t *t, const char *prefix) {
	return str_printf(t->arena, "%s %lld \"q\" \xc3\xa9\n", prefix, (long long)rng_below(&t->rng, 1000));
}

static struct wall some_time(struct t *t) {
	return (struct wall){ rng_below(&t->rng, 3) ? (INT64_C(1767607200000) + rng_below(&t->rng, 1000000)) * NS_PER_MS
		                                        : 0 };
}

static const char *const report =
	"{\"incident\":\"x\",\"root_causes\":[{\"entity\":\"service/a\",\"kind\":\"errors\","
	"\"confidence\":0.75,\"metric\":\"errors\",\"onset\":null,\"evidence\":[\"e\"],\"target\":"
	"{\"service\":\"a\",\"namespace\":\"n\",\"workload\":\"w\",\"workload_kind\":\"Deployment\","
	"\"pods\":[\"p1\",\"p2\"],\"pod_uid\":\"p1\"},\"change\":null}],\"none\":false,\"reason\":null,"
	"\"timeline\":[],\"change_point\":null,\"traces\":[],\"data_quality\":{\"signals\":4,"
	"\"with_value\":3,\"stale\":1,\"absent\":0,\"oldest_s\":12.5}}";

static void fill_incident(struct t *t, struct incident_row *in) {
	in->opened = some_time(t);
	in->onset = some_time(t);
	in->delivered = some_time(t);
	in->decided = some_time(t);
	in->resolved = some_time(t);
	in->in_band_since = some_time(t);
	in->closed = rng_below(&t->rng, 2);
	in->severity = rng_unit(&t->rng);
	in->severity_now = rng_unit(&t->rng);
	in->subject = words(t, "service/a");
	in->engine = STR("stl-gesd");
	in->entities = STR("[\"service/a\"]");
	in->signals = STR("[{\"entity\":\"service/a\",\"value\":1.50}]");
	in->state = (enum incident_state)rng_below(&t->rng, INCIDENT_STATES);
	in->how = (enum resolved_how)rng_below(&t->rng, HOWS);
	if (rng_below(&t->rng, 2)) {
		in->has_report = true;
		in->rca = str_of(report);
		in->report_at = some_time(t);
		EXPECT_OK(cause_read(&in->report, in->rca, &in->cause, NULL));
	}
	if (rng_below(&t->rng, 2)) {
		in->escalated_once = true;
		in->escalation = (enum escalation)rng_below(&t->rng, ESCALATIONS);
		in->escalation_why = words(t, "because");
		in->escalated = (struct wall){ INT64_C(1767607200) * NS_PER_SEC };
		in->escalations = 1 + rng_below(&t->rng, 3);
	}
	in->action_count = (size_t)rng_below(&t->rng, INCIDENT_ACTIONS_MAX + 1);
	for (size_t i = 0; i < in->action_count; i++) snprintf(in->actions[i], 27, "01KE00000000000000000%05d", (int)i);
	in->passed_over_count = (size_t)rng_below(&t->rng, PASSED_OVER_MAX + 1);
	for (size_t i = 0; i < in->passed_over_count; i++)
		in->passed_over[i] = (struct passed_over){ rng_next(&t->rng), rng_below(&t->rng, 2), words(t, "no") };
	if (rng_below(&t->rng, 2)) in->muted = (struct mark){ some_time(t), STR("anna"), words(t, "why"), some_time(t) };
}

/* Written, read into a fresh row and written again: the same bytes. */
TEST(an_incident_comes_back_as_it_was, .seeds = 300) {
	struct rows r;
	struct incident_row *a, *b;
	struct buf first, second;
	struct why why;
	buf_init(&first, 0), buf_init(&second, 0);
	rows_init(&r);
	EXPECT_OK(rows_incident_new(&r, STR("01KE0000000000000000000001"), &a));
	fill_incident(t, a);
	incident_write(a, &first);
	rows_incident_drop(&r, a);
	EXPECT_OK(rows_incident_new(&r, STR("01KE0000000000000000000001"), &b));
	if (incident_read(b, buf_get(&first), &why)) test_fail(t, __FILE__, __LINE__, why.text);
	incident_write(b, &second);
	EXPECT(!first.err && !second.err && str_eq(buf_get(&first), buf_get(&second)));
	EXPECT(!b->has_report || (b->cause.kind == CAUSE_ERRORS && b->cause.target.pod_uid_count == 2));
	buf_done(&first), buf_done(&second);
	rows_done(&r);
}

static void fill_action(struct t *t, struct action_row *act) {
	memcpy(act->incident, "01KE0000000000000000000001", 27);
	act->handler = words(t, "handler");
	act->subject = STR("service/a");
	act->kind = (enum action_kind)rng_below(&t->rng, ACTION_KINDS);
	act->mode = (enum control_mode)rng_below(&t->rng, 3);
	act->state = (enum action_state)rng_below(&t->rng, ACTION_STATES);
	act->undo_from = ACTION_INEFFECTIVE;
	act->decision = (enum gates_decision)rng_below(&t->rng, GATES_DECISIONS);
	act->replicas_by = rng_below(&t->rng, 3) - 1;
	act->telemetry = (struct target){ .service = STR("a"), .namespace_ = STR("n"), .pod = words(t, "pod") };
	act->cause = STR("{\"entity\":\"service/a\",\"confidence\":0.70}");
	act->confidence = rng_unit(&t->rng);
	act->severity = rng_unit(&t->rng);
	act->attempt = 1 + rng_below(&t->rng, 3);
	act->end = (enum past_end)rng_below(&t->rng, 4);
	act->repeated = rng_below(&t->rng, 2);
	act->worse = rng_below(&t->rng, 2);
	act->why = words(t, "why");
	act->approved_by = rng_below(&t->rng, 2) ? STR("anna") : (struct str){ 0 };
	act->planned = rng_below(&t->rng, 2);
	if (act->planned)
		act->plan = (struct plan){ .namespace_ = STR("n"),
			                       .kind = STR("Deployment"),
			                       .name = STR("w"),
			                       .uid = STR("u"),
			                       .mapped_by = STR("labels"),
			                       .generation = rng_below(&t->rng, 100),
			                       .replicas = 3,
			                       .undo = STR("{\"replicas\":3}"),
			                       .params = STR("{\"replicas\":4}"),
			                       .summary = words(t, "scale") };
	for (int i = 0; i < ACTION_TIMES; i++) act->times[i] = some_time(t);
	act->settle_ns = act->times[TIME_SETTLED].ns ? rng_below(&t->rng, 100) * NS_PER_SEC : 0;
	act->gated = rng_below(&t->rng, 2);
	for (int i = 0; i < GATES && act->gated; i++)
		act->gates[i] = (struct gate_record){ gate_name((enum gate)i), (enum gate_verdict)rng_below(&t->rng, 4),
			                                  words(t, "gate"), STR("{\"a\":1}") };
	memset(act->key.hex, 'a', 64);
	act->log_count = 1 + (size_t)rng_below(&t->rng, 10);
	for (size_t i = 0; i < act->log_count; i++)
		act->log[i] = (struct log_line){ .state = (enum action_state)rng_below(&t->rng, ACTION_STATES),
			                             .first = !i,
			                             .previous = ACTION_WAITING,
			                             .at = { INT64_C(1767607200) * NS_PER_SEC },
			                             .why = words(t, "line"),
			                             .emit = (int)rng_below(&t->rng, 8) };
	act->published = (size_t)rng_below(&t->rng, (int64_t)act->log_count);
}

TEST(an_action_comes_back_as_it_was, .seeds = 300) {
	struct rows r;
	struct action_row *a, *b;
	struct buf first, second;
	struct why why;
	buf_init(&first, 0), buf_init(&second, 0);
	rows_init(&r);
	EXPECT_OK(rows_action_new(&r, STR("01KE0000000000000000000002"), &a));
	fill_action(t, a);
	action_write(a, &first);
	rows_action_drop(&r, a);
	EXPECT_OK(rows_action_new(&r, STR("01KE0000000000000000000002"), &b));
	if (action_read(b, buf_get(&first), &why)) test_fail(t, __FILE__, __LINE__, why.text);
	action_write(b, &second);
	EXPECT(!first.err && !second.err && str_eq(buf_get(&first), buf_get(&second)));
	buf_done(&first), buf_done(&second);
	rows_done(&r);
}

/* What another version or a bad disk left: an error that names the row, never a row half read. */
TEST(a_damaged_row_is_named, .seeds = 300) {
	struct rows r;
	struct action_row *a;
	struct buf b;
	struct why why = { "" };
	buf_init(&b, 0);
	rows_init(&r);
	EXPECT_OK(rows_action_new(&r, STR("01KE0000000000000000000002"), &a));
	fill_action(t, a);
	action_write(a, &b);
	rows_action_drop(&r, a);
	struct str cut = { b.p, (size_t)rng_below(&t->rng, (int64_t)b.n) };
	EXPECT_OK(rows_action_new(&r, STR("01KE0000000000000000000002"), &a));
	EXPECT_ERR(action_read(a, cut, &why), ERR_CORRUPT);
	EXPECT(strstr(why.text, "action/01KE0000000000000000000002"));
	buf_done(&b);
	rows_done(&r);
}

TEST(tables_are_bounded) {
	struct rows r;
	struct action_row *a;
	struct incident_row *in;
	rows_init(&r);
	for (int i = 0; i < ACTIONS_MAX; i++)
		EXPECT_OK(rows_action_new(&r, str_printf(t->arena, "01KE00000000000000000%05d", i), &a));
	EXPECT_ERR(rows_action_new(&r, STR("01KE0000000000000000099999"), &a), ERR_FULL);
	for (int i = 0; i < INCIDENTS_MAX; i++)
		EXPECT_OK(rows_incident_new(&r, str_printf(t->arena, "01KE00000000000000000%05d", i), &in));
	EXPECT_ERR(rows_incident_new(&r, STR("01KE0000000000000000099999"), &in), ERR_FULL);
	EXPECT(rows_serial(&r, a->serial) == a && rows_incident_serial(&r, in->serial) == in);
	rows_done(&r);
}

RUN(an_incident_comes_back_as_it_was, an_action_comes_back_as_it_was, a_damaged_row_is_named, tables_are_bounded)
