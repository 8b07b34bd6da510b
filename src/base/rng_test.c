#include "base/rng.h"

#include <math.h>

#include "base/test.h"

#define DRAWS 20000

TEST(splitmix64_as_published) {
	struct rng r = rng_seeded(1234567); /* the reference implementation's first draws */
	EXPECT(rng_next(&r) == UINT64_C(6457827717110365317));
	EXPECT(rng_next(&r) == UINT64_C(3203168211198807973));
	EXPECT(rng_next(&r) == UINT64_C(9817491932198370423));
}

TEST(a_fork_is_its_own_stream_and_moves_nothing, .seeds = 100) {
	struct rng before = t->rng, a = rng_fork(&t->rng, "net"), again = rng_fork(&t->rng, "net"),
			   b = rng_fork(&t->rng, "disk");
	EXPECT(t->rng.state == before.state);
	int same = 0;
	for (int i = 0; i < 100; i++) {
		uint64_t v = rng_next(&a);
		EXPECT(v == rng_next(&again));
		same += v == rng_next(&b) || v == rng_next(&t->rng);
	}
	EXPECT(same == 0);
	struct rng other = rng_fork(&t->rng, "net"); /* the parent has moved: another stream */
	EXPECT(rng_next(&other) != rng_next(&again));
}

TEST(below_is_within_and_even, .seeds = 20) {
	int64_t n = 1 + rng_below(&t->rng, 10);
	int counts[10] = { 0 };
	for (int i = 0; i < DRAWS; i++) {
		int64_t v = rng_below(&t->rng, n);
		EXPECT(v >= 0 && v < n);
		counts[v]++;
	}
	double mean = (double)DRAWS / (double)n, chi = 0;
	for (int64_t i = 0; i < n; i++) chi += (counts[i] - mean) * (counts[i] - mean) / mean;
	EXPECT(chi < 35); /* 9 degrees of freedom: passed by chance once in 20 000 */
	for (int i = 0; i < 100; i++) {
		int64_t v = rng_below(&t->rng, INT64_MAX);
		EXPECT(v >= 0 && v < INT64_MAX);
	}
	EXPECT(rng_below(&t->rng, 1) == 0);
}

TEST(unit_and_between_stay_inside, .seeds = 20) {
	double sum = 0;
	for (int i = 0; i < DRAWS; i++) {
		double u = rng_unit(&t->rng), v = rng_between(&t->rng, -3, 5);
		EXPECT(u >= 0 && u < 1 && v >= -3 && v < 5);
		sum += u;
	}
	EXPECT_NEAR(sum / DRAWS, 0.5, 5 * sqrt(1.0 / 12 / DRAWS));
}

TEST(normal_and_exponential_have_their_moments, .seeds = 20) {
	double sum = 0, squares = 0, fourth = 0, waits = 0, wait_squares = 0;
	for (int i = 0; i < DRAWS; i++) {
		double v = rng_normal(&t->rng), w = rng_exponential(&t->rng, 3);
		EXPECT(isfinite(v) && w >= 0 && isfinite(w));
		sum += v;
		squares += v * v;
		fourth += v * v * v * v;
		waits += w;
		wait_squares += w * w;
	}
	EXPECT_NEAR(sum / DRAWS, 0, 5 / sqrt(DRAWS)); /* five standard errors each */
	EXPECT_NEAR(squares / DRAWS, 1, 5 * sqrt(2.0 / DRAWS));
	EXPECT_NEAR(fourth / DRAWS, 3, 5 * sqrt(96.0 / DRAWS));
	EXPECT_NEAR(waits / DRAWS, 3, 5 * 3 / sqrt(DRAWS));
	EXPECT_NEAR(wait_squares / DRAWS, 18, 5 * 9 * sqrt(20.0 / DRAWS));
}

RUN(splitmix64_as_published, a_fork_is_its_own_stream_and_moves_nothing, below_is_within_and_even,
    unit_and_between_stay_inside, normal_and_exponential_have_their_moments)
