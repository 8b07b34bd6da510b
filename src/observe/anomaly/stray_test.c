#include "observe/anomaly/stray.h"

#include <math.h>

#include "base/test.h"

#define W (10 * NS_PER_SEC)

/* A wander with a memory of twelve windows, seen through noise: what is left of it after the filter's
 * expectation is well below what it is as a whole, and as large as the filter says. */
TEST(what_wanders_is_followed, .seeds = 10) {
	struct stray s = { 0 };
	double x = 0, phi = exp(-1.0 / 12), left = 0, whole = 0, said = 0;
	int n = 0;
	for (int64_t k = 1; k < 6000; k++) {
		x = phi * x + 0.1 * sqrt(1 - phi * phi) * rng_normal(&t->rng);
		if (k > 2000) {
			left += (x - stray_now(&s)) * (x - stray_now(&s));
			said += stray_var(&s);
			whole += x * x;
			n++;
		}
		stray_learn(&s, x + 0.05 * rng_normal(&t->rng), 0.05 * 0.05, k * W, W);
	}
	EXPECT(left < 0.5 * whole);
	EXPECT(left < 1.5 * said && said < 1.5 * left);
	EXPECT_NEAR(stray_spread(&s), 0.1, 0.03);
}

/* Noise alone is no wander: nothing is expected of it. */
TEST(noise_is_not_taken_for_wander, .seeds = 10) {
	struct stray s = { 0 };
	for (int64_t k = 1; k < 3000; k++) stray_learn(&s, 0.05 * rng_normal(&t->rng), 0.05 * 0.05, k * W, W);
	EXPECT(stray_spread(&s) < 0.018 && fabs(stray_now(&s)) < 0.02);
}

TEST(a_pause_forgets_where_it_was) {
	struct stray s = { 0 };
	for (int64_t k = 1; k < 500; k++) stray_learn(&s, k % 100 < 50 ? 0.2 : -0.2, 0.0001, k * W, W);
	EXPECT(fabs(stray_now(&s)) > 0.1);
	stray_learn(&s, 0, 0.01, 600 * W, W);
	EXPECT(fabs(stray_now(&s)) < 0.05);
}

RUN(what_wanders_is_followed, noise_is_not_taken_for_wander, a_pause_forgets_where_it_was)
