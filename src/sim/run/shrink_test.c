#include "sim/run/shrink.h"

#include "base/test.h"

/* A run that fails where all the steps that are needed are there. */
struct trial {
	bool needed[PLAN_STEPS_MAX]; /* by their `effects`, which tells steps apart */
	size_t count;
	int asked;
};

static bool fails(void *self, const struct fault_plan *p) {
	struct trial *w = self;
	size_t there = 0;
	w->asked++;
	for (size_t i = 0; i < p->count; i++) there += w->needed[p->steps[i].effects];
	return there == w->count;
}

static struct fault_plan steps(size_t n) {
	struct fault_plan p = { .count = n };
	for (size_t i = 0; i < n; i++) p.steps[i] = (struct plan_step){ .kind = PLAN_KILL, .effects = (int64_t)i };
	return p;
}

/* What is needed stays, in its order, and nothing else. */
TEST(what_is_needed_stays, .seeds = 200) {
	struct trial w = { .count = 0 };
	struct fault_plan p = steps((size_t)(1 + rng_below(&t->rng, 60)));
	size_t all = p.count;
	for (int64_t n = rng_below(&t->rng, 4); n > 0; n--) {
		size_t i = (size_t)rng_below(&t->rng, (int64_t)all);
		w.count += !w.needed[i];
		w.needed[i] = true;
	}
	EXPECT(plan_shrink(&p, fails, &w, 10000) == w.asked);
	EXPECT(p.count == w.count);
	for (size_t i = 0; i < p.count; i++) {
		EXPECT(w.needed[p.steps[i].effects]);
		EXPECT(!i || p.steps[i - 1].effects < p.steps[i].effects);
	}
}

TEST(it_asks_no_more_than_it_may, .seeds = 50) {
	struct trial w = { .needed = { [3] = true }, .count = 1 };
	struct fault_plan p = steps(40);
	int tries = (int)rng_below(&t->rng, 30);
	EXPECT(plan_shrink(&p, fails, &w, tries) <= tries && w.asked <= tries);
	EXPECT(fails(&w, &p)); /* and what is left still fails */
}

RUN(what_is_needed_stays, it_asks_no_more_than_it_may)
