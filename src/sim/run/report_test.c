#include "sim/run/report.h"

#include <math.h>
#include <string.h>

#include "base/test.h"

static const struct report_metric metrics[] = {
	{ "detect_s", REPORT_TIME },
	{ "cause_right", REPORT_SHARE },
	{ "false_per_week", REPORT_RATE },
	{ NULL },
};

static struct report *opened(struct t *t) {
	struct report *r = NULL;
	EXPECT_OK(report_open((struct report_opts){ "mttd", metrics, { 1, 3 } }, &r));
	return r;
}

static enum err add(struct t *t, struct report *r, const char *text, struct why *why) {
	const struct json *row = NULL;
	EXPECT_OK(json_parse(t->arena, str_of(text), &row, why));
	return report_add(r, row, why);
}

static const struct json *result(struct t *t, struct report *r) {
	const struct json *all = NULL;
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	report_json(r, NULL, &o);
	EXPECT_OK(json_parse(t->arena, str_copy(t->arena, buf_get(&b)), &all, NULL));
	buf_done(&b);
	return all;
}

TEST(rows_are_summed_by_subject_case_and_group) {
	struct why why;
	struct report *r = opened(t);
	EXPECT_OK(add(t, r,
	              "{\"case\":\"leak\",\"groups\":[\"fast\"],\"subjects\":{\"flyball\":{\"detect_s\":10,"
	              "\"cause_right\":true,\"false_per_week\":[0,0.25]},\"alarms\":{\"detect_s\":null}}}",
	              &why));
	EXPECT_OK(add(t, r,
	              "{\"case\":\"leak\",\"subjects\":{\"flyball\":{\"detect_s\":30,\"cause_right\":null,"
	              "\"false_per_week\":[1,0.25]},\"alarms\":{\"detect_s\":90}}}",
	              &why));
	EXPECT_OK(add(t, r,
	              "{\"case\":\"pod\",\"counts\":false,\"subjects\":{\"flyball\":{\"detect_s\":999,"
	              "\"false_per_week\":[1,0.5]}},\"curve\":{\"magnitude\":1.5}}",
	              &why));
	const struct json *all = result(t, r), *flyball = json_path(all, "subjects.flyball");
	EXPECT(str_is(json_str(json_get(all, "experiment")), "mttd") && json_int(json_path(all, "seeds.1"), 0) == 3);
	EXPECT(json_double(json_path(flyball, "detect_s.median"), 0) == 20);
	EXPECT(json_double(json_path(flyball, "detect_s.worst"), 0) == 30 &&
	       json_int(json_path(flyball, "detect_s.n"), 0) == 2);
	EXPECT(json_double(json_path(flyball, "cause_right.mean"), 0) == 1 &&
	       json_int(json_path(flyball, "cause_right.n"), 0) == 1);
	EXPECT_NEAR(json_double(json_path(flyball, "false_per_week.mean"), 0), 2, 1e-12); /* two in one week */
	const struct json *alarms = json_path(all, "cases.leak.alarms.detect_s");
	EXPECT(json_get(alarms, "median")->kind == JSON_NULL && json_int(json_get(alarms, "never"), 0) == 1);
	EXPECT(json_double(json_path(all, "groups.fast.flyball.detect_s.median"), 0) == 10);
	EXPECT(json_get(all, "curve")->count == 1 && json_path(all, "cases.pod.flyball.detect_s") == NULL);
	struct buf table;
	buf_init(&table, 0);
	report_table(r, &table);
	buf_byte(&table, 0);
	EXPECT(strstr(table.p, "never") && strstr(table.p, "group fast: 1 run\n"));
	buf_done(&table);
	report_close(r);
}

TEST(a_row_that_is_none_changes_nothing) {
	struct why why;
	struct report *r = opened(t);
	static const char *const bad[] = {
		"{}",
		"[]",
		"{\"subjects\":{\"a\":{\"detect\":1}}}",
		"{\"subjects\":{\"a\":{\"detect_s\":-1}}}",
		"{\"subjects\":{\"a\":{\"detect_s\":true}}}",
		"{\"subjects\":{\"a\":{\"cause_right\":1}}}",
		"{\"subjects\":{\"a\":{\"detect_s\":1,\"false_per_week\":[1]}}}",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT_ERR(add(t, r, bad[i], &why), ERR_INVALID);
	EXPECT(json_int(json_get(result(t, r), "runs"), -1) == 0);
	EXPECT(json_path(result(t, r), "subjects.a.detect_s") == NULL);
	report_close(r);
}

RUN(rows_are_summed_by_subject_case_and_group, a_row_that_is_none_changes_nothing)
