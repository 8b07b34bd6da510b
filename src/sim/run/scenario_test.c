#include "sim/run/scenario.h"

#include <string.h>

#include "base/clock.h"
#include "base/test.h"

#define PLAY(text) scenario_parse(t->arena, STR(text), "x.sim", &s, &why)

TEST(a_scenario_reads_as_it_is_written) {
	struct scenario s;
	struct why why;
	EXPECT_OK(PLAY("# a slow database\n"
	               "seed 7\nmode approve\nrate 20\nfor 25m\ncold\nset handler cooldown 10m\n"
	               "at 5m fault slow_database orders x6 for 10m # harder\n"
	               "at 1m deploy cart\n"
	               "at 6m fault loss 12.5% for 1m\n"
	               "when effect fault kill\n"
	               "at 7m fault power_loss after 40 effects\n"
	               "\n"
	               "expect within 30s cause entity=database/* kind!=errors confidence>=0.5\n"
	               "expect action rollout_restart target=orders\n"
	               "never two actions on one target within 5m\n"
	               "never write"));
	EXPECT(s.seed == 7 && s.mode == SCENARIO_APPROVE && s.rate == 20 && s.cold && s.length_ns == 25 * NS_PER_MIN);
	EXPECT(s.plan.count == 4 && s.plan.steps[0].kind == PLAN_DEPLOYMENT && !strcmp(s.plan.steps[0].target, "cart"));
	EXPECT(s.plan.steps[1].magnitude == 6 && s.plan.steps[1].for_ns == 10 * NS_PER_MIN);
	EXPECT(s.plan.steps[2].magnitude == 0.125 && s.plan.steps[3].effects == 40);
	EXPECT(s.when[SCENARIO_EFFECT].kind == PLAN_KILL && s.when[SCENARIO_DRY_RUN].at_ns < 0);
	EXPECT(s.setting_count == 1 && str_is(s.settings[0].value, "10m"));
	EXPECT(s.expect_count == 4 && s.expects[0].from_ns == 7 * NS_PER_MIN);
	EXPECT(s.expects[0].until_ns == 7 * NS_PER_MIN + 30 * NS_PER_SEC && s.expects[0].condition_count == 3);
	EXPECT(s.expects[1].until_ns == INT64_MAX && str_is(s.expects[1].conditions[0].value, "rollout_restart"));
	EXPECT(s.expects[2].word == WORD_TWO_ACTIONS && s.expects[2].spacing_ns == 5 * NS_PER_MIN);
	EXPECT(s.expects[3].never && s.expects[3].word == WORD_WRITE && s.expects[3].number == 17);
}

TEST(a_death_after_each_so_many_effects_makes_a_family) {
	struct scenario s;
	struct why why;
	EXPECT_OK(PLAY("at 1m fault power_loss for 5s after each 40 effects until 90s\nat 2m fault kill after 3 effects"));
	EXPECT(s.each.effects == 40 && s.each.until_ns == 90 * NS_PER_SEC);
	EXPECT(s.each.step.kind == PLAN_POWER_LOSS && s.each.step.for_ns == 5 * NS_PER_SEC && s.each.step.effects == 0);
	EXPECT(s.plan.count == 1 && s.plan.steps[0].kind == PLAN_KILL && s.plan.steps[0].effects == 3);
}

TEST(what_is_wrong_is_named_with_its_line) {
	struct scenario s;
	struct why why;
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "at 5m\nfoo", "x.sim:1:" },
		{ "\nat 5m fault slow_databse orders x6",
		  "x.sim:2: there is no fault 'slow_databse', did you mean 'slow_database'?" },
		{ "at 5m fault slow_database orders", "x6" },
		{ "at 5m fault slow_database orders x6 x y", "'x'" },
		{ "at 5m fault error_burst cart 140%", "'140%'" },
		{ "at soon fault dead_pod cart", "'soon'" },
		{ "expect incidents", "'incidents'" },
		{ "expect two actions on one target within 5m", "'two'" },
		{ "never two actions on two targets within 5m", "two actions on one target" },
		{ "expect cause confidence>=high", "'high'" },
		{ "expect cause orders", "'orders'" },
		{ "mode manual", "'manual'" },
		{ "seed 1 2", "'2'" },
		{ "when later fault kill", "'later'" },
		{ "for 20d", "14d" },
		{ "set handlers cooldown 1m", "'handlers'" },
		{ "at 1m approve all", "'all'" },
		{ "at 1m fault kill after each 0 effects until 2m", "from 1" },
		{ "at 1m fault kill after each 9 until 2m", "'effects'" },
		{ "at 1m fault kill after each 9 effects", "until 7m" },
		{ "at 2m fault kill after each 9 effects until 2m", "after the line's own" },
		{ "at 1m fault loss 5% after each 9 effects until 2m", "'loss'" },
		{ "when effect fault kill after each 9 effects until 2m", "'at'" },
		{ "at 1m fault kill after each 9 effects until 2m\nat 1m fault kill after each 8 effects until 2m",
		  "x.sim:2: a scenario has one" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		EXPECT_ERR(scenario_parse(t->arena, str_of(bad[i].text), "x.sim", &s, &why), ERR_INVALID);
		EXPECT(strstr(why.text, bad[i].says));
	}
}

static const char events[] =
	"[{\"type\":\"INCIDENT_OPENED\",\"time\":\"2026-01-05T00:01:10.000Z\",\"data\":{\"incident\":\"I\",\"entities\":"
	"[\"service/a\",\"database/orders\"]}},"
	"{\"type\":\"RCA_REPORT\",\"time\":\"2026-01-05T00:01:12.000Z\",\"data\":{\"none\":false,\"root_causes\":"
	"[{\"entity\":\"database/orders\",\"kind\":\"latency\",\"confidence\":0.8}]}},"
	"{\"type\":\"ACTION_PLANNED\",\"time\":\"2026-01-05T00:01:13.000Z\",\"data\":{\"action\":\"A\",\"kind\":"
	"\"rollout_restart\",\"decision\":\"do\",\"target\":{\"name\":\"orders\"}}},"
	"{\"type\":\"ACTION_LOG\",\"time\":\"2026-01-05T00:01:50.000Z\",\"data\":{\"action\":\"A\",\"state\":\"verified\"}}"
	"]";

/* How many lines of `text` fail on the events above. */
static size_t fails(struct t *t, const char *text, struct buf *said) {
	struct scenario s;
	struct why why;
	const struct json *all = NULL;
	struct wall epoch;
	static const struct scenario_write writes[] = {
		{ 73 * NS_PER_SEC, { "shop/orders", 11 }, { "k1", 2 } },
		{ 74 * NS_PER_SEC, { "shop/orders", 11 }, { "k1", 2 } },
		{ 300 * NS_PER_SEC, { "shop/orders", 11 }, { "k2", 2 } },
	};
	EXPECT_OK(scenario_parse(t->arena, str_of(text), "x.sim", &s, &why));
	EXPECT_OK(json_parse(t->arena, str_of(events), &all, &why));
	EXPECT(wall_parse("2026-01-05T00:00:00Z", 20, &epoch));
	struct scenario_facts f = { all, epoch.ns, 10 * NS_PER_MIN, writes, 3 };
	buf_clear(said);
	return scenario_check(&s, &f, said);
}

TEST(expectations_are_held_against_the_store) {
	struct buf said;
	buf_init(&said, 0);
	EXPECT(
		fails(
			t,
			"at 1m fault dead_pod\nexpect within 15s incident entity=database/*\nexpect within 20s cause kind=latency "
			"confidence>=0.8\nexpect action rollout_restart target=orders state=verified\nnever escalation\n"
			"never two actions on one target within 3m\nexpect write target=shop/orders\nnever stale",
			&said) == 0);
	EXPECT(fails(t, "at 1m fault dead_pod\nexpect within 5s incident entity=database/*", &said) == 1);
	EXPECT(fails(t, "expect cause confidence>=0.9\nexpect cause entity!=database/orders", &said) == 2);
	EXPECT(fails(t, "expect within 1m action state=verified", &said) == 1); /* it came at 1m50s */
	EXPECT(fails(t, "never action\nnever write\nnever incident entity=service/a", &said) == 3);
	EXPECT(fails(t, "never two actions on one target within 4m", &said) == 1);
	buf_byte(&said, 0);
	EXPECT(strcmp(said.p, "x.sim:1: never two actions on one target within 4m: it came at 300.0 s\n") == 0);
	buf_done(&said);
}

/* Drawn, written down and read again: the same plan. */
TEST(a_drawn_plan_can_be_written_down, .seeds = 200) {
	struct fault_plan p;
	struct scenario s;
	struct why why = { "" };
	struct buf text;
	buf_init(&text, 0);
	plan_draw(&p, rng_seeded(t->seed), PLAN_ALL, 30 * NS_PER_MIN);
	plan_write(&p, &text);
	enum err e = scenario_parse(t->arena, buf_get(&text), "drawn.sim", &s, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
	EXPECT(s.plan.count == p.count);
	for (size_t i = 0; i < p.count; i++) {
		const struct plan_step *a = &p.steps[i], *b = &s.plan.steps[i];
		EXPECT(a->at_ns == b->at_ns && a->kind == b->kind && a->magnitude == b->magnitude);
		EXPECT(a->for_ns == b->for_ns && a->effects == b->effects);
	}
	buf_done(&text);
}

RUN(a_drawn_plan_can_be_written_down, a_scenario_reads_as_it_is_written,
    a_death_after_each_so_many_effects_makes_a_family, what_is_wrong_is_named_with_its_line,
    expectations_are_held_against_the_store)
