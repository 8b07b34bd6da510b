#include "sim/queue.h"

#include "base/test.h"
#include "sim/memory.h"

struct seen {
	struct sim_queue *q;
	struct rng *rng;
	int64_t last_ns;
	uint64_t last_arg, left, ran;
	bool wrong;
};

/* arg: the order of asking; equal moments must come in it. */
static void look(void *self, uint64_t arg) {
	struct seen *s = self;
	if (s->q->now_ns < s->last_ns || (s->q->now_ns == s->last_ns && arg <= s->last_arg && s->ran)) s->wrong = true;
	s->last_ns = s->q->now_ns;
	s->last_arg = arg;
	s->ran++;
	for (int i = 0; i < 2 && s->left; i++, s->left--)
		sim_queue_in(s->q, rng_below(s->rng, 5), look, s, UINT64_MAX / 2 - s->left);
}

TEST(moments_run_by_time_and_then_by_the_order_of_asking, .seeds = 200) {
	struct sim_queue q;
	sim_queue_init(&q);
	struct seen s = { &q, &t->rng, 0, 0, 3000, 0, false };
	uint64_t asked = (uint64_t)rng_below(&t->rng, 3000);
	for (uint64_t i = 1; i <= asked; i++) sim_queue_at(&q, rng_below(&t->rng, 1000), look, &s, i);
	uint64_t wanted = asked ? asked + 3000 : 0;
	while (sim_queue_next(&q, INT64_MAX)) {}
	EXPECT(!s.wrong && s.ran == wanted && q.ran == wanted && q.count == 0);
	sim_queue_done(&q);
}

TEST(time_goes_to_the_limit_and_no_further) {
	struct sim_queue q;
	sim_queue_init(&q);
	struct seen s = { &q, &t->rng, 0, 0, 0, 0, false };
	sim_queue_at(&q, 100, look, &s, 1);
	EXPECT(!sim_queue_next(&q, 99) && q.now_ns == 99 && s.ran == 0);
	EXPECT(sim_queue_next(&q, 100) && q.now_ns == 100 && s.ran == 1);
	sim_queue_at(&q, 7, look, &s, 2); /* the past is now */
	EXPECT(sim_queue_next(&q, 100) && q.now_ns == 100 && s.ran == 2);
	EXPECT(!sim_queue_next(&q, 500) && q.now_ns == 500);
	sim_queue_done(&q);
	sim_queue_done(NULL);
}

RUN(moments_run_by_time_and_then_by_the_order_of_asking, time_goes_to_the_limit_and_no_further)
