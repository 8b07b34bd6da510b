#include "base/ring.h"

#include "base/test.h"

/* A pair of counters is the twin: what was pushed last and popped last. */
TEST(a_ring_is_first_in_first_out_and_bounded, .seeds = 500) {
	struct ring *r = NULL;
	size_t want = 1 + (size_t)rng_below(&t->rng, 20), in = 0, out = 0;
	EXPECT_OK(ring_open(want, &r));
	size_t capacity = ring_capacity(r);
	EXPECT(capacity >= want && capacity < 2 * want && (capacity & (capacity - 1)) == 0);
	for (int i = 0; i < 500; i++) {
		if (rng_below(&t->rng, 2)) {
			bool pushed = ring_push(r, (void *)(uintptr_t)(in + 1));
			EXPECT(pushed == (in - out < capacity));
			in += pushed;
		} else {
			void *p = ring_pop(r);
			EXPECT(p == (in == out ? NULL : (void *)(uintptr_t)(out + 1)));
			out += p != NULL;
		}
		EXPECT(ring_count(r) == in - out);
	}
	ring_close(r, NULL);
}

static void bump(void *p) {
	++*(int *)p;
}

TEST(what_is_inside_at_the_end_is_dropped_once) {
	struct ring *r = NULL;
	int dropped[4] = { 0 };
	EXPECT_OK(ring_open(3, &r));
	for (int i = 0; i < 4; i++) EXPECT(ring_push(r, &dropped[i]));
	EXPECT(ring_pop(r) == &dropped[0]);
	ring_close(r, bump);
	EXPECT(dropped[0] == 0 && dropped[1] == 1 && dropped[2] == 1 && dropped[3] == 1);
	ring_close(NULL, bump);
}

TEST(a_wrong_capacity_is_refused) {
	struct ring *r = NULL;
	EXPECT_ERR(ring_open(0, &r), ERR_INVALID);
	EXPECT_ERR(ring_open(((size_t)1 << 20) + 1, &r), ERR_INVALID);
	EXPECT(r == NULL);
	EXPECT_OK(ring_open((size_t)1 << 20, &r));
	ring_close(r, NULL);
}

RUN(a_ring_is_first_in_first_out_and_bounded, what_is_inside_at_the_end_is_dropped_once, a_wrong_capacity_is_refused)
