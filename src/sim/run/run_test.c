/* Whole runs: the same from the same seed, resumed from a warmed world, quiet in ordinary life; and each checker
 * finds what it is there for. */
#include "sim/run/run.h"

#include <string.h>

#include "base/test.h"
#include "model/schema_check.h"
#include "sim/sim.h"

#define RATE 10

static struct fault_plan plan_with(enum plan_kind kind, const char *target, double magnitude, int64_t at_ns) {
	struct fault_plan p = { .count = 1 };
	p.steps[0] = (struct plan_step){ .kind = kind, .magnitude = magnitude, .at_ns = at_ns };
	snprintf(p.steps[0].target, sizeof p.steps[0].target, "%s", target);
	return p;
}

static void add(struct fault_plan *p, enum plan_kind kind, const char *target, double magnitude, int64_t at_ns) {
	struct fault_plan one = plan_with(kind, target, magnitude, at_ns);
	(void)plan_add(p, &one.steps[0]);
}

static struct run *opened(struct t *t, struct run_opts o) {
	struct run *r = NULL;
	struct why why = { "" };
	o.world = &shop_builtin;
	if (o.rate <= 0) o.rate = RATE;
	enum err e = run_open(&o, &r, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
	return r;
}

TEST(the_same_seed_gives_the_same_trace_and_another_another) {
	uint64_t hash[3];
	struct fault_plan p = plan_with(PLAN_ERROR_BURST, "", 0.3, 150 * NS_PER_SEC);
	add(&p, PLAN_POWER_LOSS, "", 0, 100 * NS_PER_SEC);
	add(&p, PLAN_DUPLICATE, "", 0.3, 30 * NS_PER_SEC);
	for (uint64_t i = 0; i < 3; i++) {
		struct run *r = opened(t, (struct run_opts){ .seed = 7 + i / 2, .plan = &p });
		EXPECT(run_until(r, 4 * NS_PER_MIN));
		hash[i] = run_trace(r);
		run_close(r);
	}
	EXPECT(hash[0] == hash[1] && hash[0] != hash[2]);
}

/* Every event that the whole program emits has the form of docs/events, under faults too. */
TEST(every_event_has_the_form_that_is_promised) {
	struct run_record rec;
	struct why why = { "" };
	struct fault_plan p = plan_with(PLAN_ERROR_BURST, "cart", 0.4, 4 * NS_PER_MIN);
	add(&p, PLAN_SLOW_DATABASE, "orders-db", 8, 5 * NS_PER_MIN);
	add(&p, PLAN_DEAD_POD, "currency", 1, 6 * NS_PER_MIN);
	struct run *r = opened(t, (struct run_opts){ .seed = 3, .plan = &p });
	EXPECT(run_until(r, 10 * NS_PER_MIN) && run_drain(r));
	EXPECT_OK(run_read(r, t->arena, &rec, &why));
	EXPECT(rec.event_count > 10);
	json_each(event, rec.events) {
		struct buf b;
		buf_init(&b, 0);
		struct json_out o = json_out(&b);
		json_put_value(&o, event);
		enum err e = schema_check_event(EVENTS_DIR, buf_get(&b), &why);
		if (e) fprintf(stderr, "%s\n" STR_FMT "\n", why.text, STR_ARG(buf_get(&b)));
		EXPECT_OK(e);
		buf_done(&b);
	}
	invariants_record(run_invariants(r), &rec, rec.heads, rec.head_count, run_now(r));
	EXPECT(run_invariants(r)->broken < 0);
	run_close(r);
}

static size_t count_events(const struct run_record *rec, const char *type) {
	size_t n = 0;
	json_each(event, rec->events) n += str_is(json_str(json_get(event, "type")), type);
	return n;
}

/* A warmed world, kept and read back, goes on at its moment: models are ready at once and nothing is news. */
TEST(a_warmed_world_is_resumed) {
	struct run_image made, kept;
	struct why why = { "" };
	struct run_record rec;
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_clock clock;
	struct sim_fuse fuse = { 0 };
	struct sim_disk disk; /* any struct disk will do for a cache */
	struct run_warm w = { .world = &shop_builtin, .rate = RATE, .hours = 0.25, .seed = 1 };

	sim_queue_init(&queue);
	sim_trace_init(&trace);
	sim_clock_init(&clock, &queue, &trace, (struct wall){ 0 });
	sim_disk_init(&disk, &clock, &trace, &fuse, rng_seeded(1));
	EXPECT_OK(run_image_get(&disk.disk, "cache", 1, &w, NULL, &made, &why));
	EXPECT_OK(run_image_get(&disk.disk, "cache", 1, &w, NULL, &kept, &why));
	EXPECT(made.end.ns == kept.end.ns && str_eq(buf_get(&made.disk), buf_get(&kept.disk)));

	struct run *r = opened(t, (struct run_opts){ .seed = 5, .image = &kept, .mode = SCENARIO_OBSERVE });
	EXPECT(run_epoch(r).ns == kept.end.ns);
	EXPECT(run_until(r, 3 * NS_PER_MIN));
	EXPECT_OK(run_read(r, t->arena, &rec, &why));
	EXPECT(count_events(&rec, "INCIDENT_OPENED") == 0 && count_events(&rec, "MODEL_STATE") == 0);
	EXPECT(run_counted(r).server.writes == 0);
	run_close(r);
	run_image_done(&made);
	run_image_done(&kept);
	sim_disk_done(&disk);
	sim_trace_done(&trace);
	sim_queue_done(&queue);
}

/* ---- breaking the world, so that the checkers are seen to look ---- */

static const struct {
	enum run_break broken;
	enum invariant finds;
	enum scenario_mode mode;
} breaks[] = {
	{ BREAK_APPLY_TWICE, INVARIANT_ONE_EFFECT, SCENARIO_AUTO },
	{ BREAK_COOLDOWN, INVARIANT_COOLDOWN, SCENARIO_AUTO },
	{ BREAK_BUDGET, INVARIANT_BUDGET, SCENARIO_AUTO },
	{ BREAK_MODE, INVARIANT_OBSERVE, SCENARIO_OBSERVE },
	{ BREAK_FORGERY, INVARIANT_INTENT, SCENARIO_AUTO },
	{ BREAK_SCALE, INVARIANT_REPLICAS, SCENARIO_AUTO },
	{ BREAK_API, INVARIANT_ANSWERS, SCENARIO_AUTO },
	{ BREAK_CONTROL, INVARIANT_HANDLED, SCENARIO_AUTO },
	{ BREAK_LOG, INVARIANT_CHAIN, SCENARIO_AUTO },
	{ BREAK_ROW, INVARIANT_ENDS, SCENARIO_AUTO },
	{ BREAK_DISK, INVARIANT_RESTARTS, SCENARIO_AUTO },
};

/* One service twice within its cooldown; or five one after another, which is more than the budget allows. */
static void trouble(struct fault_plan *p, enum run_break b, uint64_t seed) {
	static const char *const services[] = { "cart", "currency", "catalogue", "checkout", "recommendation" };
	p->count = 0;
	if (b == BREAK_FORGERY) return; /* whatever is done is forged */
	for (size_t i = 0; i < sizeof services / sizeof *services; i++)
		add(p, PLAN_ERROR_BURST, services[b == BREAK_COOLDOWN ? 0 : i], 0.5,
		    (240 + 100 * (int64_t)i + (int64_t)seed) * NS_PER_SEC);
}

static int broken_by(struct t *t, enum run_break b, enum scenario_mode mode, uint64_t seed) {
	struct fault_plan p;
	struct run_record rec = { 0 };
	struct why why = { "" };
	trouble(&p, b, seed);
	struct run *r = opened(t, (struct run_opts){ .seed = seed, .plan = &p, .mode = mode, .broken = b });
	struct invariants *v = run_invariants(r);
	if (run_until(r, 13 * NS_PER_MIN) && run_drain(r) && run_read(r, t->arena, &rec, &why) == OK)
		invariants_record(v, &rec, rec.heads, rec.head_count, run_now(r));
	int broken = v->broken;
	if (b == BREAK_NOTHING && broken >= 0) fprintf(stderr, "%s\n", v->why);
	run_close(r);
	return broken;
}

TEST(each_broken_promise_is_found_by_a_seed, .seeds = sizeof breaks / sizeof *breaks) {
	size_t i = (size_t)(t->seed - 1);
	bool found = false;
	for (uint64_t seed = 1; seed <= 20 && !found; seed++)
		found = broken_by(t, breaks[i].broken, breaks[i].mode, seed) == (int)breaks[i].finds;
	if (!found) fprintf(stderr, "no seed of 1..20 broke %s\n", invariant_name(breaks[i].finds));
	EXPECT(found);
}

TEST(an_unbroken_world_breaks_nothing, .seeds = 3) {
	EXPECT(broken_by(t, BREAK_NOTHING, SCENARIO_AUTO, t->seed) == -1);
}

TEST(what_a_world_has_not_is_refused) {
	struct run *r = NULL;
	struct why why = { "" };
	struct fault_plan p = plan_with(PLAN_ERROR_BURST, "orders-db", 0.5, NS_PER_MIN);
	struct run_opts o = { .world = &shop_builtin, .seed = 1, .plan = &p };
	EXPECT_ERR(run_open(&o, &r, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "orders-db"));
	struct scenario_setting wrong = { STR("handler"), STR("cooldwn"), STR("1m"), "x.sim", 7 };
	o = (struct run_opts){ .world = &shop_builtin, .seed = 1, .settings = &wrong, .setting_count = 1 };
	EXPECT_ERR(run_open(&o, &r, &why), ERR_INVALID);
	EXPECT(str_starts(str_of(why.text), STR("x.sim:7: set handler: ")) && strstr(why.text, "cooldown"));
}

RUN(the_same_seed_gives_the_same_trace_and_another_another, every_event_has_the_form_that_is_promised,
    a_warmed_world_is_resumed, each_broken_promise_is_found_by_a_seed, an_unbroken_world_breaks_nothing,
    what_a_world_has_not_is_refused)
