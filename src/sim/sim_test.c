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

/* A shop that was watched for six minutes, and a disk for what its daemon leaves. */
struct theatre {
	struct run_image image;
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_clock clock;
	struct sim_fuse fuse;
	struct sim_disk disk;
};

static void theatre_open(struct theatre *h, struct t *t) {
	struct run_warm w = { .world = &shop_builtin, .rate = 10, .hours = 0.1, .seed = 1 };
	struct why why;
	*h = (struct theatre){ 0 };
	sim_queue_init(&h->queue);
	sim_trace_init(&h->trace);
	sim_clock_init(&h->clock, &h->queue, &h->trace, (struct wall){ 0 });
	sim_disk_init(&h->disk, &h->clock, &h->trace, &h->fuse, rng_seeded(1));
	EXPECT_OK(run_image_make(&w, NULL, &h->image, &why));
}

static void theatre_close(struct theatre *h) {
	run_image_done(&h->image);
	sim_disk_done(&h->disk);
	sim_trace_done(&h->trace);
	sim_queue_done(&h->queue);
}

static struct demo_opts play_of(struct theatre *h, uint64_t seed) {
	return (struct demo_opts){
		.world = &shop_builtin, .image = &h->image, .rate = 10, .seed = seed, .disk = &h->disk.disk, .directory = "demo"
	};
}

/* Another seed tells another story; the daemon's files lie where they were asked for. */
TEST(the_demo_tells_a_story_and_leaves_its_evidence) {
	struct theatre h;
	struct why why = { "" };
	struct buf one, two;
	bool there = false;
	theatre_open(&h, t);
	buf_init(&one, 0);
	buf_init(&two, 0);
	struct demo_opts o = play_of(&h, 1);
	EXPECT_OK(demo_play(&o, &one, &why));
	o.seed = 2;
	o.form = DEMO_JSON;
	EXPECT_OK(demo_play(&o, &two, &why));
	const struct json *faults = json_get(parsed(t, &two), "faults");
	EXPECT(faults && faults->count == 2 && json_str(json_get(json_at(faults, 0), "fault")).n);
	EXPECT(json_double(json_get(json_at(faults, 1), "people_assumed_s"), 0) == SIM_PEOPLE_S);
	buf_byte(&one, 0);
	EXPECT(strstr(one.p, "In short") && strstr(one.p, "flyball explain 0") && strstr(one.p, "--state demo"));
	EXPECT(!strstr(one.p, json_str(json_get(json_at(faults, 0), "words")).p)); /* another one */
	EXPECT_OK(h.disk.disk.ops->exists(&h.disk.disk, "demo/bus.db", &there));
	EXPECT(there);
	buf_done(&one);
	buf_done(&two);
	theatre_close(&h);
}

struct viewer {
	struct t *t;
	int frames, seen[DEMO_STATES];
	struct buf lines; /* as they were told first */
	size_t told;
	double last_share;
};

static int64_t look(void *self, const struct demo_frame *f) {
	struct viewer *v = self;
	struct t *t = v->t;
	EXPECT(f->share >= v->last_share && f->chapter <= f->chapters && f->line_count >= v->told);
	v->last_share = f->share;
	for (; v->told < f->line_count; v->told++) buf_printf(&v->lines, "%s\n", f->lines[v->told].text);
	for (size_t i = 0; i < f->view->node_count; i++) v->seen[demo_state_of(f->view, &f->view->nodes[i])]++;
	return ++v->frames == 2000 ? 0 : 1 + rng_below(&t->rng, 2 * NS_PER_SEC);
}

/* It is one story, watched or not, at whatever pace, to the end or not. Whoever watches reads in it what the text
 * tells afterwards, and sees the services go through their states. */
TEST(who_watches_the_demo_changes_nothing) {
	struct theatre h;
	struct why why = { "" };
	struct viewer v = { .t = t };
	struct buf text, watched;
	theatre_open(&h, t);
	buf_init(&text, 0), buf_init(&watched, 0), buf_init(&v.lines, 0);
	struct demo_opts o = play_of(&h, 1);
	EXPECT_OK(demo_play(&o, &text, &why));
	o.show = look;
	o.show_self = &v;
	EXPECT_OK(demo_play(&o, &watched, &why));
	EXPECT(str_eq(buf_get(&text), buf_get(&watched)));
	EXPECT(v.frames > 500 && v.seen[DEMO_WELL] && v.seen[DEMO_SUSPECT] && v.seen[DEMO_CAUSE]);
	buf_byte(&text, 0), buf_byte(&v.lines, 0);
	EXPECT(strstr(v.lines.p, "% sure") && strstr(v.lines.p, "Now something breaks"));
	for (struct str line, rest = str_of(v.lines.p); str_cut(rest, '\n', &line, &rest);)
		if (str_starts(line, STR("service/")) && line.n < 70) EXPECT(memmem(text.p, text.n, line.p, line.n));
	buf_done(&text), buf_done(&watched), buf_done(&v.lines);
	theatre_close(&h);
}

RUN(a_seed_is_a_row_and_a_broken_one_a_story, who_interrupts_is_heard, the_experiment_tells_what_was_and_what_was_said,
    a_scenario_is_played_and_held_to_its_word, a_family_is_played_once_for_each_moment_of_death,
    the_demo_tells_a_story_and_leaves_its_evidence, who_watches_the_demo_changes_nothing)
