#include "observe/anomaly/season.h"

#include <math.h>

#include "base/test.h"

#define T0 (INT64_C(1767571200) * NS_PER_SEC) /* a midnight */

static double shape(double hour) {
	return 3 + cos(2 * M_PI * (hour - 14) / 24);
}

/* After two days the rhythm is known ahead: the error of an expectation made without looking at the last
 * hours is a small part of the swing. */
TEST(a_daily_rhythm_is_known_after_two_days, .seeds = 10) {
	struct season s = { 0 };
	double worst = 0;
	for (int64_t m = 0; m < 4 * 1440; m++) {
		int64_t at = T0 + m * 60 * NS_PER_SEC;
		double hour = (double)(m % 1440) / 60, value = shape(hour) + 0.1 * rng_normal(&t->rng);
		if (m > 2 * 1440) worst = fmax(worst, fabs(season_expect(&s, at + 1800 * NS_PER_SEC) - shape(hour + 0.5)));
		season_learn(&s, at, value, 60);
	}
	EXPECT(worst < 0.25);
	EXPECT_NEAR(season_spread(&s), 0.1, 0.05);
}

/* On the first day the last half hour is all there is: the error is the rhythm's own pace. */
TEST(the_first_day_follows_the_recent_level, .seeds = 5) {
	struct season s = { 0 };
	for (int64_t m = 0; m < 1200; m++) {
		int64_t at = T0 + m * 60 * NS_PER_SEC;
		double value = shape((double)m / 60) + 0.05 * rng_normal(&t->rng);
		if (m > 30) EXPECT(fabs(season_expect(&s, at) - value) < 0.5);
		season_learn(&s, at, value, 60);
	}
}

TEST(an_outburst_does_not_bend_it, .seeds = 10) {
	struct season s = { 0 };
	for (int64_t m = 0; m < 1000; m++) season_learn(&s, T0 + m * 60 * NS_PER_SEC, 5 + 0.1 * rng_normal(&t->rng), 60);
	for (int64_t m = 1000; m < 1005; m++) season_learn(&s, T0 + m * 60 * NS_PER_SEC, 500, 60);
	EXPECT_NEAR(season_expect(&s, T0 + 1005 * 60 * NS_PER_SEC), 5, 0.5);
}

/* A weekday that is always lower is expected lower, once it was seen often enough. */
TEST(a_quiet_weekday_is_learned) {
	struct season s = { 0 };
	for (int64_t m = 0; m < 28 * 1440; m += 5) {
		int64_t at = T0 + m * 60 * NS_PER_SEC;
		bool sunday = (at / NS_PER_DAY) % 7 == 3;
		season_learn(&s, at, 10 + (sunday ? -3 : 0) + 0.1 * rng_normal(&t->rng), 300);
	}
	int64_t midnight = T0 + 28 * NS_PER_DAY;
	while ((midnight / NS_PER_DAY) % 7 != 3) midnight += NS_PER_DAY;
	s.recent = 0;
	EXPECT(season_expect(&s, midnight + 12 * 3600 * NS_PER_SEC) < 9);
}

RUN(a_daily_rhythm_is_known_after_two_days, the_first_day_follows_the_recent_level, an_outburst_does_not_bend_it,
    a_quiet_weekday_is_learned)
