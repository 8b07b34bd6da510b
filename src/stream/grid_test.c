#include "stream/grid.h"

#include <math.h>

#include "base/test.h"

/* A duration lies in the bucket whose bounds hold it. */
TEST(a_duration_lies_between_its_bounds, .seeds = 20) {
	float bounds[GRID_BOUNDS];
	grid_bounds(bounds);
	for (int i = 0; i < 1000; i++) {
		double d = exp(rng_between(&t->rng, log(1e-5), log(100)));
		uint32_t b = grid_bucket(d);
		if (b > 0) EXPECT(d >= (double)bounds[b - 1]);
		if (b < GRID_BUCKETS - 1) EXPECT(d < (double)bounds[b]);
	}
	EXPECT(grid_bucket(0) == 0 && grid_bucket(-1) == 0 && grid_bucket(NAN) == 0);
	EXPECT(grid_bucket(INFINITY) == GRID_BUCKETS - 1);
}

/* Quantiles of a known distribution come back within one bucket's width. */
TEST(quantiles_are_within_a_bucket, .seeds = 5) {
	float bounds[GRID_BOUNDS], weights[GRID_BUCKETS] = { 0 };
	grid_bounds(bounds);
	for (int i = 0; i < 20000; i++) weights[grid_bucket(rng_exponential(&t->rng, 0.05))]++;
	EXPECT_NEAR(histogram_quantile(bounds, GRID_BOUNDS, weights, 0.5), 0.05 * log(2), 0.003);
	EXPECT_NEAR(histogram_quantile(bounds, GRID_BOUNDS, weights, 0.99), 0.05 * log(100), 0.02);
	double q[3] = { 0.1, 0.5, 0.9 }, several[3];
	histogram_quantiles(bounds, GRID_BOUNDS, weights, q, several, 3);
	for (int i = 0; i < 3; i++) EXPECT(several[i] == histogram_quantile(bounds, GRID_BOUNDS, weights, q[i]));
}

TEST(nothing_seen_has_no_quantile) {
	float bounds[2] = { 0.1f, 1.0f }, weights[3] = { 0 };
	EXPECT(isnan(histogram_quantile(bounds, 2, weights, 0.5)));
}

RUN(a_duration_lies_between_its_bounds, quantiles_are_within_a_bucket, nothing_seen_has_no_quantile)
