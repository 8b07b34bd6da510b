/* What the command line asks of the simulation. */
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

#include "base/test.h"

static const struct json *parsed(struct t *t, const struct buf *b) {
	const struct json *j = NULL;
	struct why why = { "" };
	EXPECT_OK(json_parse(t->arena, str_copy(t->arena, buf_get(b)), &j, &why));
	return j;
}

TEST(a_seed_is_a_row_and_a_broken_one_a_story) {
	struct simulate_opts o = { .world = &shop_builtin, .rate = 5, .hours = 0.15, .twice = true };
	struct buf row, story;
	struct why why = { "" };
	buf_init(&row, 0);
	buf_init(&story, 0);
	EXPECT_OK(plan_faults_parse(STR("all"), &o.faults, &why));
	EXPECT_OK(simulate_seed(&o, 4, &row, &story, &why));
	const struct json *j = parsed(t, &row);
	EXPECT(json_int(json_get(j, "seed"), 0) == 4 && json_str(json_get(j, "trace_hash")).n == 16);
	EXPECT(json_double(json_get(j, "virtual_s"), 0) == 540 && json_int(json_get(j, "events"), 0) > 100000);
	EXPECT(json_int(json_get(j, "broken"), -1) == 0 && story.n == 0);
	buf_clear(&row);
	o.broken = BREAK_SCALE;
	EXPECT_OK(simulate_seed(&o, 4, &row, &story, &why));
	j = parsed(t, &row);
	EXPECT(json_int(json_get(j, "broken"), -1) == 1 && str_is(json_str(json_get(j, "invariant")), "replicas"));
	buf_byte(&story, 0);
	EXPECT(strstr(story.p, "broken: replicas") && strstr(story.p, "flyball: starts"));
	EXPECT(strstr(story.p, "shrunk to 0 of ")); /* somebody else broke it: no fault is needed */
	buf_done(&row);
	buf_done(&story);
}

static bool stop_now(void *self) {
	return ++*(int *)self > 3;
}

TEST(who_interrupts_is_heard) {
	int asked = 0;
	struct run_watch w = { NULL, stop_now, &asked };
	struct simulate_opts o = { .world = &shop_builtin, .rate = 5, .hours = 100, .watch = &w };
	struct buf row, story;
	struct why why = { "" };
	buf_init(&row, 0);
	buf_init(&story, 0);
	EXPECT_ERR(simulate_seed(&o, 1, &row, &story, &why), ERR_CLOSED);
	EXPECT(row.n == 0 && asked == 4);
	buf_done(&row);
	buf_done(&story);
}

/* Rows of the experiment are what its report takes, and the truth in them is the shop's. */
TEST(the_experiment_tells_what_was_and_what_was_said, .seeds = 2) {
	static const enum mttd_case cases[] = { MTTD_COLD, MTTD_ERROR_BURST };
	struct mttd_opts o = { .world = &shop_builtin, .rate = 10 };
	struct report *r = NULL;
	struct buf row;
	struct why why = { "" };
	buf_init(&row, 0);
	const struct json *j = NULL;
	for (uint64_t seed = t->seed; !json_bool(json_get(j, "counts"), false); seed += 2) { /* one that people notice */
		buf_clear(&row);
		EXPECT_OK(mttd_run(&o, seed, cases[seed % 2], &row, &why));
		j = parsed(t, &row);
	}
	const struct json *flyball = json_path(j, "subjects.flyball");
	EXPECT_OK(report_open((struct report_opts){ "mttd", mttd_metrics, { 1, 1 } }, &r));
	EXPECT_OK(report_add(r, j, &why));
	report_close(r);
	double delivered = json_double(json_get(flyball, "delivered_s"), -1),
		   detect = json_double(json_get(flyball, "detect_s"), -1);
	EXPECT(delivered > 0 && detect >= delivered);
	EXPECT_NEAR(delivered + json_double(json_get(flyball, "decided_s"), -1), detect, 1e-6);
	EXPECT(json_path(j, "subjects.alarms_10s") && json_path(j, "subjects.alarms_1min"));
	EXPECT(json_path(j, "curve.magnitude") && json_path(j, "subjects.alarms_10s.cause_s") == NULL);
	buf_done(&row);
}

/* Of a family each play has a row, in the order of its deaths; the play whose death is too late is none of it. */
TEST(a_family_is_played_once_for_each_moment_of_death) {
	struct scenario s;
	struct why why = { "" };
	struct simulate_opts o = { .world = &shop_builtin, .rate = 5 };
	struct buf rows, story;
	buf_init(&rows, 0);
	buf_init(&story, 0);
	EXPECT_OK(scenario_parse(
		t->arena, STR("cold\nrate 5\nfor 3m\nat 1m fault kill after each 50 effects until 90s\nexpect incident"),
		"f.sim", &s, &why));
	EXPECT_OK(simulate_scenario(&o, &s, &rows, &story, &why));
	int64_t n = 0;
	for (struct str rest = buf_get(&rows), line; str_cut(rest, '\n', &line, &rest) && line.n;) {
		const struct json *j = NULL;
		EXPECT_OK(json_parse(t->arena, line, &j, &why));
		char name[64];
		snprintf(name, sizeof name, "f.sim after %lld effects", (long long)(++n * 50));
		EXPECT(str_is(json_str(json_get(j, "scenario")), name) && json_int(json_path(j, "by_fault.kill"), 0) == 1);
		EXPECT(json_int(json_get(j, "broken"), 0) == 1); /* no incident came: said of each play */
		EXPECT(strstr(str_c(t->arena, buf_get(&story)), name));
	}
	EXPECT(n > 2 && n < 100);
	buf_done(&rows);
	buf_done(&story);
}

static const char crash[] = "cold\nrate 10\nfor 9m\nat 4m fault error_burst cart 50%\nwhen effect fault kill for 5s\n"
							"expect write target=shop/cart\nnever two actions on one target within 5m\n";

TEST(a_scenario_is_played_and_held_to_its_word) {
	struct scenario s;
	struct why why = { "" };
	struct simulate_opts o = { .world = &shop_builtin, .rate = 10 };
	struct buf row, story;
	buf_init(&row, 0);
	buf_init(&story, 0);
	EXPECT_OK(scenario_parse(t->arena, str_of(crash), "crash.sim", &s, &why));
	EXPECT_OK(simulate_scenario(&o, &s, &row, &story, &why));
	const struct json *j = parsed(t, &row);
	EXPECT(json_int(json_get(j, "broken"), -1) == 0 && story.n == 0 && json_int(json_path(j, "by_fault.kill"), 0) == 1);
	EXPECT(json_int(json_get(j, "starts"), 0) == 2);
	buf_clear(&row);
	s.expects[0].never = true;
	EXPECT_OK(simulate_scenario(&o, &s, &row, &story, &why));
	buf_byte(&story, 0);
	EXPECT(json_int(json_get(parsed(t, &row), "broken"), -1) == 1 && strstr(story.p, "crash.sim:6"));
	buf_done(&row);
	buf_done(&story);
}

/* Another seed tells another story; the daemon's files lie where they were asked for. */
TEST(the_demo_tells_a_story_and_leaves_its_evidence) {
	struct run_image image;
	struct why why = { "" };
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_clock clock;
	struct sim_fuse fuse = { 0 };
	struct sim_disk disk;
	struct buf one, two;
	bool there = false;
	struct run_warm w = { .world = &shop_builtin, .rate = 10, .hours = 0.1, .seed = 1 };
	sim_queue_init(&queue);
	sim_trace_init(&trace);
	sim_clock_init(&clock, &queue, &trace, (struct wall){ 0 });
	sim_disk_init(&disk, &clock, &trace, &fuse, rng_seeded(1));
	buf_init(&one, 0);
	buf_init(&two, 0);
	EXPECT_OK(run_image_make(&w, NULL, &image, &why));
	struct demo_opts o = {
		.world = &shop_builtin, .image = &image, .rate = 10, .seed = 1, .disk = &disk.disk, .directory = "demo"
	};
	EXPECT_OK(demo_play(&o, &one, &why));
	o.seed = 2;
	EXPECT_OK(demo_play(&o, &two, &why));
	EXPECT(!str_eq(buf_get(&one), buf_get(&two)));
	buf_byte(&one, 0);
	EXPECT(strstr(one.p, "In short") && strstr(one.p, "flyball explain 0") && strstr(one.p, "--state demo"));
	EXPECT_OK(disk.disk.ops->exists(&disk.disk, "demo/bus.db", &there));
	EXPECT(there);
	buf_done(&one);
	buf_done(&two);
	run_image_done(&image);
	sim_disk_done(&disk);
	sim_trace_done(&trace);
	sim_queue_done(&queue);
}

RUN(a_seed_is_a_row_and_a_broken_one_a_story, who_interrupts_is_heard, the_experiment_tells_what_was_and_what_was_said,
    a_scenario_is_played_and_held_to_its_word, a_family_is_played_once_for_each_moment_of_death,
    the_demo_tells_a_story_and_leaves_its_evidence)
