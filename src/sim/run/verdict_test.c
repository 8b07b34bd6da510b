#include "sim/run/verdict.h"

#include <stdio.h>

#include "base/test.h"

static void add(struct t *t, struct verdict *v, struct str text) {
	const struct json *row = NULL;
	EXPECT_OK(json_parse(t->arena, text, &row, NULL));
	verdict_add(v, row);
}

static const struct json *line(struct t *t, struct verdict *v, const char *name) {
	const struct json *all = NULL;
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	verdict_json(v, &o);
	EXPECT_OK(json_parse(t->arena, str_copy(t->arena, buf_get(&b)), &all, NULL));
	buf_done(&b);
	json_each(l, all) {
		if (str_is(json_str(json_get(l, "line")), name)) return l;
	}
	return NULL;
}

static bool says(struct t *t, struct verdict *v, const char *name, const char *verdict) {
	return str_is(json_str(json_get(line(t, v, name), "verdict")), verdict);
}

static double figure(struct t *t, struct verdict *v, const char *name, const char *key) {
	return json_double(json_get(line(t, v, name), key), -1);
}

/* `detect`, `resolve`: JSON, "null" for never. */
static void fault(struct t *t, struct verdict *v, const char *groups, const char *detect, const char *resolve,
                  const char *bounds) {
	add(t, v,
	    str_printf(t->arena,
	               "{\"case\":\"x\",\"counts\":true,\"groups\":[%s],\"bounds\":{%s},\"subjects\":{\"flyball\":{"
	               "\"detect_s\":%s,\"cause_s\":3,\"resolve_s\":%s,\"cause_right\":true,\"abstained\":false,"
	               "\"wrong_target\":false}}}",
	               groups, bounds, detect, resolve));
}

TEST(silence_is_never_a_pass) {
	static const char *const binding[] = { "detect_fast", "detect_other",    "cause_time",     "cause_right",
		                                   "abstained",   "wrong_target",    "resolved_quick", "resolved_other",
		                                   "escalated",   "false_incidents", "false_actions",  "quiet_days",
		                                   "quiet_worlds" };
	struct verdict *v = verdict_new();
	for (size_t i = 0; i < sizeof binding / sizeof *binding; i++) EXPECT(says(t, v, binding[i], "not measured"));
	EXPECT(says(t, v, "cold", "told") && says(t, v, "impossible", "told"));
	verdict_free(v);
}

/* Median and p90 both hold, or the line falls short; one of ten that never came takes neither, two take the p90. */
TEST(a_line_of_times_needs_its_median_and_its_p90) {
	struct verdict *v = verdict_new();
	for (int i = 0; i < 9; i++) fault(t, v, "\"fast\",\"quick_start\"", "12", "48", "\"detect_s\":12");
	fault(t, v, "\"fast\",\"quick_start\"", "null", "null", "\"detect_s\":12");
	EXPECT(says(t, v, "detect_fast", "pass") && says(t, v, "resolved_quick", "pass"));
	EXPECT(figure(t, v, "detect_fast", "n") == 10 && figure(t, v, "detect_fast", "p90") == 12);
	EXPECT(figure(t, v, "cause_time", "n") == 9); /* of those that were found */
	fault(t, v, "\"fast\",\"quick_start\"", "null", "60.1", "\"detect_s\":12");
	EXPECT(says(t, v, "detect_fast", "falls short") && says(t, v, "resolved_quick", "falls short"));
	EXPECT(json_get(line(t, v, "detect_fast"), "p90")->kind == JSON_NULL);
	verdict_free(v);
}

/* Elsewhere a run is held to its own bound: 44 of 22 is 2. What is mended without a rollout that ended has none. */
TEST(elsewhere_each_run_has_its_own_bound) {
	struct verdict *v = verdict_new();
	fault(t, v, "\"slow\",\"slow_start\"", "44", "50", "\"detect_s\":22,\"resolve_s\":100");
	EXPECT(figure(t, v, "detect_other", "median") == 2 && says(t, v, "detect_other", "falls short"));
	EXPECT(figure(t, v, "resolved_other", "median") == 0.5 && says(t, v, "resolved_other", "pass"));
	fault(t, v, "\"fast\",\"slow_start\"", "5", "50", "\"detect_s\":12,\"resolve_s\":null");
	EXPECT(says(t, v, "resolved_other", "falls short") && figure(t, v, "detect_fast", "median") == 5);
	EXPECT(says(t, v, "resolved_quick", "not measured"));
	verdict_free(v);
}

/* Small ones stand in no line but one: what is acted on wrongly is wrong however small the fault. */
TEST(one_wrong_target_is_too_many) {
	struct verdict *v = verdict_new();
	for (int i = 0; i < 50; i++) fault(t, v, "\"fast\"", "5", "40", "\"detect_s\":12");
	EXPECT(says(t, v, "wrong_target", "pass"));
	add(t, v,
	    STR("{\"case\":\"x\",\"counts\":false,\"groups\":[\"fast\"],\"subjects\":{\"flyball\":{\"detect_s\":900,"
	        "\"wrong_target\":true,\"cause_right\":false}}}"));
	EXPECT(says(t, v, "wrong_target", "falls short") && figure(t, v, "wrong_target", "n") == 51);
	EXPECT(says(t, v, "cause_right", "pass") && figure(t, v, "detect_fast", "n") == 50);
	verdict_free(v);
}

TEST(shares_are_held_to_their_side) {
	struct verdict *v = verdict_new();
	static const char *const row = "{\"case\":\"x\",\"counts\":true,\"groups\":[\"fast\",\"incurable\"],\"subjects\":{"
								   "\"flyball\":{\"cause_right\":%s,\"abstained\":%s,\"escalated\":%s}}}";
	for (int i = 0; i < 19; i++) add(t, v, str_printf(t->arena, row, "true", "false", "true"));
	add(t, v, str_printf(t->arena, row, "false", "true", "true"));
	EXPECT(says(t, v, "cause_right", "pass") && figure(t, v, "cause_right", "value") == 0.95);
	EXPECT(says(t, v, "abstained", "pass") && says(t, v, "escalated", "pass"));
	add(t, v, str_printf(t->arena, row, "false", "true", "false"));
	add(t, v, str_printf(t->arena, row, "null", "true", "true"));
	EXPECT(says(t, v, "cause_right", "falls short") && figure(t, v, "cause_right", "n") == 21);
	EXPECT(says(t, v, "abstained", "falls short") && says(t, v, "escalated", "falls short"));
	verdict_free(v);
}

/* A week of each of ten worlds: one false incident a week holds, one action does not; runs with faults, cold ones and
 * impossible ones add no quiet time. */
TEST(quiet_time_is_what_had_no_fault) {
	struct verdict *v = verdict_new();
	for (int i = 0; i < 10; i++)
		add(t, v,
		    str_printf(t->arena,
		               "{\"world\":\"w%d\",\"quiet_s\":604800,\"subjects\":{\"flyball\":{\"false_incidents_per_week\":"
		               "[1,1],\"false_actions_per_week\":[0,1]}}}",
		               i));
	add(t, v,
	    STR("{\"world\":\"w11\",\"case\":\"x\",\"counts\":true,\"subjects\":{\"flyball\":{\"false_incidents_per_week\":"
	        "[9,0.1]}}}"));
	add(t, v, STR("{\"world\":\"w12\",\"impossible\":\"x\",\"counts\":false,\"subjects\":{}}"));
	EXPECT(says(t, v, "false_incidents", "pass") && figure(t, v, "false_incidents", "value") == 1);
	EXPECT_NEAR(figure(t, v, "false_incidents", "low"), 0.47954, 1e-4); /* Garwood, 10 counts */
	EXPECT(says(t, v, "false_actions", "pass"));
	EXPECT(says(t, v, "quiet_days", "falls short") && figure(t, v, "quiet_days", "value") == 70);
	EXPECT(says(t, v, "quiet_worlds", "pass") && figure(t, v, "quiet_worlds", "value") == 10);
	EXPECT(figure(t, v, "impossible", "value") == 1);
	add(t, v,
	    STR("{\"world\":\"w1\",\"quiet_s\":86400,\"subjects\":{\"flyball\":{\"false_incidents_per_week\":[5,1],"
	        "\"false_actions_per_week\":[1,1]}}}"));
	EXPECT(says(t, v, "false_incidents", "falls short") && says(t, v, "false_actions", "falls short"));
	EXPECT(figure(t, v, "quiet_worlds", "value") == 10);
	verdict_free(v);
}

/* The cold one is told, and stands in no other line. */
TEST(a_cold_start_is_told_apart) {
	struct verdict *v = verdict_new();
	add(t, v,
	    STR("{\"counts\":true,\"groups\":[\"cold\"],\"bounds\":{\"detect_s\":12},\"subjects\":{\"flyball\":{"
	        "\"detect_s\":70,\"cause_right\":false}}}"));
	EXPECT(figure(t, v, "cold", "median") == 70 && says(t, v, "cold", "told"));
	EXPECT(says(t, v, "detect_other", "not measured") && says(t, v, "cause_right", "not measured"));
	struct buf b;
	buf_init(&b, 0);
	verdict_table(v, &b);
	EXPECT_HAS(buf_get(&b), "cold            70.00 / 70.00");
	for (struct str rest = buf_get(&b), head, tail; rest.n; rest = tail) {
		(void)str_cut(rest, '\n', &head, &tail);
		EXPECT(head.n <= 100);
	}
	buf_done(&b);
	verdict_free(v);
}

RUN(silence_is_never_a_pass, a_line_of_times_needs_its_median_and_its_p90, elsewhere_each_run_has_its_own_bound,
    one_wrong_target_is_too_many, shares_are_held_to_their_side, quiet_time_is_what_had_no_fault,
    a_cold_start_is_told_apart)
