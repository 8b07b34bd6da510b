#include <math.h>

#include "base/test.h"
#include "sim/sim.h"

static const struct json *played(struct t *t, const struct shop_world *w, enum mttd_case c, uint64_t seed) {
	struct mttd_opts o = { .world = w, .rate = 1 };
	const struct json *row = NULL;
	struct why why = { "" };
	struct buf b;
	buf_init(&b, 0);
	EXPECT_OK(mttd_run(&o, seed, c, &b, &why));
	EXPECT(b.n && b.p[b.n - 1] == '\n');
	EXPECT_OK(json_parse(t->arena, str_trim(str_copy(t->arena, buf_get(&b))), &row, &why));
	buf_done(&b);
	return row;
}

/* A row that says so, and no figure; the report and the summary take it. */
TEST(a_fault_without_a_place_is_a_row_of_its_own) {
	static const struct shop_harm nowhere[] = { { .kind = "retry-storm", .possible = false },
		                                        { .kind = "slow-database", .possible = false } };
	struct shop_world w = shop_builtin;
	struct why why = { "" };
	struct report *r = NULL;
	struct verdict *v = verdict_new();
	w.faults = nowhere;
	w.fault_count = 2;
	EXPECT_OK(report_open((struct report_opts){ "mttd", mttd_metrics, { 7, 7 } }, &r));
	static const enum mttd_case impossible[] = { MTTD_RETRY_STORM, MTTD_SLOW_DATABASE };
	for (size_t i = 0; i < 2; i++) {
		const struct json *row = played(t, &w, impossible[i], 7);
		EXPECT(str_is(json_str(json_get(row, "impossible")), mttd_case_name(impossible[i])));
		EXPECT(json_get(row, "subjects")->count == 0 && !json_get(row, "case"));
		EXPECT_OK(report_add(r, row, &why));
		verdict_add(v, row);
	}
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	report_json(r, v, &o);
	EXPECT_HAS(buf_get(&b), "\"impossible\":{\"retry_storm\":1,\"slow_database\":1}");
	EXPECT_HAS(buf_get(&b), "\"line\":\"impossible\"");
	buf_done(&b);
	report_close(r);
	verdict_free(v);
}

/* At one request a second nothing is fast: two intervals of ten seconds and two more. What adds up adds up. */
TEST(a_row_says_what_it_is_held_to, .seeds = 2) {
	const struct json *row = played(t, &shop_builtin, MTTD_COLD, t->seed), *f = json_path(row, "subjects.flyball");
	EXPECT(str_is(json_str(json_path(row, "groups.0")), "cold") && str_is(json_str(json_get(row, "world")), "shop"));
	EXPECT(json_double(json_path(row, "bounds.detect_s"), 0) == 22);
	double detect = json_double(json_get(f, "detect_s"), NAN), delivered = json_double(json_get(f, "delivered_s"), NAN),
		   decided = json_double(json_get(f, "decided_s"), NAN);
	if (!isnan(detect) && detect >= delivered) EXPECT_NEAR(detect, delivered + decided, 1e-6);
	double rollout = json_double(json_path(row, "bounds.rollout_s"), NAN);
	const struct json *resolve = json_path(row, "bounds.resolve_s");
	EXPECT(resolve); /* an error burst can be cured */
	if (isnan(rollout))
		EXPECT(resolve->kind == JSON_NULL);
	else
		EXPECT_NEAR(resolve->number, 22 + 5 + rollout + 10 + 10, 1e-6);
}

TEST(each_case_has_its_pace) {
	struct mttd_opts usual = { .world = &shop_builtin, .rate = 100 }, small = { .world = &shop_builtin, .rate = 2 };
	EXPECT(mttd_pace_of(MTTD_COLD) == MTTD_UNWARMED && mttd_pace_of(MTTD_WEEK) == MTTD_QUIET_PACE);
	EXPECT(mttd_rate_of(&usual, mttd_pace_of(MTTD_DEAD_POD)) == 100);
	EXPECT(mttd_rate_of(&usual, mttd_pace_of(MTTD_LEAK)) == 10 && mttd_rate_of(&usual, mttd_pace_of(MTTD_QUIET)) == 5);
	for (int c = 0; c < MTTD_CASES; c++) EXPECT(mttd_rate_of(&small, mttd_pace_of((enum mttd_case)c)) == 2);
}

RUN(a_fault_without_a_place_is_a_row_of_its_own, a_row_says_what_it_is_held_to, each_case_has_its_pace)
