#include "sim/run/plan.h"

#include <string.h>

#include "base/clock.h"
#include "base/test.h"

static bool same(const struct plan_step *a, const struct plan_step *b) {
	return a->at_ns == b->at_ns && a->kind == b->kind && a->magnitude == b->magnitude && a->for_ns == b->for_ns &&
	       a->effects == b->effects;
}

/* In order, within bounds, the same for the same seed; a switched-off kind moves no other. */
TEST(a_plan_follows_from_its_seed_and_switches, .seeds = 200) {
	struct fault_plan all, again, some;
	int64_t length = (10 + rng_below(&t->rng, 600)) * NS_PER_MIN;
	plan_mask mask = (plan_mask)rng_below(&t->rng, (int64_t)PLAN_ALL + 1);
	plan_draw(&all, rng_seeded(t->seed), PLAN_ALL, length);
	plan_draw(&again, rng_seeded(t->seed), PLAN_ALL, length);
	plan_draw(&some, rng_seeded(t->seed), mask, length);
	EXPECT(all.count == again.count);
	size_t of_some = 0;
	for (size_t i = 0; i < all.count; i++) {
		const struct plan_step *s = &all.steps[i];
		const struct plan_info *info = &plan_table[s->kind];
		double m = s->magnitude < 0 ? -s->magnitude : s->magnitude;
		EXPECT(same(s, &again.steps[i]));
		EXPECT(!i || all.steps[i - 1].at_ns <= s->at_ns);
		EXPECT(s->at_ns > 0 && s->at_ns <= length * 4 / 5 && s->for_ns >= 0 && s->at_ns + s->for_ns <= length * 9 / 10);
		EXPECT(m >= info->least * 0.999 && m <= info->most * 1.001);
		if (!(mask >> s->kind & 1)) continue;
		EXPECT(of_some < some.count && same(s, &some.steps[of_some]));
		of_some++;
	}
	EXPECT(of_some == some.count);
}

TEST(every_fault_is_drawn_by_some_seed) {
	plan_mask seen = 0;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct fault_plan p;
		plan_draw(&p, rng_seeded(seed), PLAN_ALL, 30 * NS_PER_MIN);
		for (size_t i = 0; i < p.count; i++) seen |= UINT64_C(1) << p.steps[i].kind;
	}
	EXPECT(seen == PLAN_ALL);
}

TEST(faults_are_named) {
	plan_mask mask = 0;
	struct why why;
	EXPECT_OK(plan_faults_parse(STR("all"), &mask, &why));
	EXPECT(mask == PLAN_ALL);
	EXPECT_OK(plan_faults_parse(STR("none"), &mask, &why));
	EXPECT(mask == 0);
	EXPECT_OK(plan_faults_parse(STR("kill,memory_leak"), &mask, &why));
	EXPECT(mask == (1u << PLAN_KILL | 1u << PLAN_MEMORY_LEAK));
	EXPECT_ERR(plan_faults_parse(STR("kill,memory_leek"), &mask, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "memory_leak"));
	EXPECT_ERR(plan_faults_parse(STR("deploy"), &mask, &why), ERR_INVALID);
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	plan_faults_list(&o);
	buf_byte(&b, 0);
	for (int k = 0; k < PLAN_FAULTS; k++) EXPECT(strstr(b.p, plan_table[k].name));
	buf_done(&b);
}

TEST(a_step_reads_as_it_is_written) {
	char text[128];
	struct plan_step s = { .kind = PLAN_SLOW_DATABASE, .target = "orders", .magnitude = 6, .for_ns = 5 * NS_PER_MIN };
	plan_step_text(&s, text, sizeof text);
	EXPECT(strcmp(text, "slow_database orders x6 for 5m") == 0);
	s = (struct plan_step){ .kind = PLAN_KILL, .effects = 7 };
	plan_step_text(&s, text, sizeof text);
	EXPECT(strcmp(text, "kill after 7 effects") == 0);
	s = (struct plan_step){ .kind = PLAN_MEMORY_LEAK, .target = "cart", .magnitude = 1200 };
	plan_step_text(&s, text, sizeof text);
	EXPECT(strcmp(text, "memory_leak cart 20m") == 0);
	s = (struct plan_step){ .kind = PLAN_ERROR_BURST, .target = "cart", .magnitude = 0.4 };
	plan_step_text(&s, text, sizeof text);
	EXPECT(strcmp(text, "error_burst cart 40%") == 0);
}

RUN(a_plan_follows_from_its_seed_and_switches, every_fault_is_drawn_by_some_seed, faults_are_named,
    a_step_reads_as_it_is_written)
