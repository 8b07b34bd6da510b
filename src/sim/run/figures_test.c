#include "sim/run/figures.h"

#include <math.h>

#include "base/test.h"

/* Published values: Wilson from Newcombe (Statistics in Medicine 17, 1998, table I: 81 of 263, 15 of 148,
 * 0 of 20, 1 of 29); Garwood from tables of the exact Poisson interval. */
TEST(bounds_are_the_published_ones) {
	struct bounds b = figures_share(81, 263);
	EXPECT_NEAR(b.low, 0.2553, 5e-5);
	EXPECT_NEAR(b.high, 0.3662, 5e-5);
	b = figures_share(15, 148);
	EXPECT_NEAR(b.low, 0.0624, 5e-5);
	EXPECT_NEAR(b.high, 0.1605, 5e-5);
	b = figures_share(0, 20);
	EXPECT(b.low == 0);
	EXPECT_NEAR(b.high, 0.1611, 5e-5);
	b = figures_share(1, 29);
	EXPECT_NEAR(b.low, 0.0061, 5e-5);
	EXPECT_NEAR(b.high, 0.1718, 5e-5);
	b = figures_rate(0, 1);
	EXPECT(b.low == 0);
	EXPECT_NEAR(b.high, 3.6889, 5e-5);
	b = figures_rate(10, 1);
	EXPECT_NEAR(b.low, 4.7954, 5e-5);
	EXPECT_NEAR(b.high, 18.3904, 5e-5);
	b = figures_rate(4, 2);
	EXPECT_NEAR(b.mean, 2, 1e-12);
	EXPECT_NEAR(b.low, 1.0899 / 2, 5e-5);
	EXPECT_NEAR(b.high, 10.2416 / 2, 5e-5);
	EXPECT(isnan(figures_share(0, 0).mean) && isnan(figures_rate(0, 0).mean));
}

/* Of many draws with a known share, about 95 in a hundred intervals hold it. */
TEST(wilson_holds_the_truth_as_often_as_it_says, .seeds = 10) {
	int holds = 0;
	double p = rng_between(&t->rng, 0.05, 0.95);
	for (int i = 0; i < 1000; i++) {
		int hits = 0;
		for (int j = 0; j < 60; j++) hits += rng_unit(&t->rng) < p;
		struct bounds b = figures_share(hits, 60);
		holds += b.low <= p && p <= b.high;
	}
	EXPECT(holds > 900 && holds < 990);
}

TEST(what_never_came_is_not_averaged_away) {
	double a[] = { 3, INFINITY, 1, 2 }, b[] = { INFINITY, 1, INFINITY, 2 }, ten[10];
	EXPECT(figures_median(a, 4) == 2.5 && isinf(figures_median(b, 4)));
	EXPECT(isinf(figures_quantile(a, 4, 1)) && isinf(figures_quantile(a, 4, 0.9)) && figures_quantile(a, 4, 0.75) == 3);
	for (int i = 0; i < 10; i++) ten[i] = 10 - i;
	EXPECT(figures_quantile(ten, 10, 0.9) == 9 && figures_quantile(ten, 10, 1) == 10 && figures_median(ten, 10) == 5.5);
	EXPECT(isnan(figures_median(a, 0)) && isnan(figures_quantile(a, 0, 1)));
}

RUN(bounds_are_the_published_ones, wilson_holds_the_truth_as_often_as_it_says, what_never_came_is_not_averaged_away)
