#include "observe/anomaly/level.h"

#include <math.h>

#include "base/test.h"

#define T0    (INT64_C(1767571200) * NS_PER_SEC)
#define LIMIT 1000.0
static const struct evidence_opts opts = { .slot_ns = 2 * NS_PER_SEC, .budget_s = 400.0 * 86400 };

static int64_t feed(struct level_watch *w, struct rng *rng, int64_t at, double level, bool quiet) {
	at += 10 * NS_PER_SEC;
	level_feed(w, &opts, NULL, level + 10 * rng_normal(rng), LIMIT, at, at, quiet);
	return at;
}

/* A leak is told soon after it stands three spreads out, and when it will reach the limit. */
TEST(a_leak_is_told_once_it_shows, .seeds = 30) {
	struct level_watch w = { 0 };
	int64_t at = T0;
	double hours = exp(rng_between(&t->rng, log(0.5), log(8))), rate = 500 / (hours * 3600), level = 450;
	for (int i = 0; i < 360; i++) at = feed(&w, &t->rng, at, level, true);
	EXPECT(level_judge(&w, &opts).score < 1);
	int steps = 0, shows = (int)(30 / (rate * 10)) + 1;
	while (level_judge(&w, &opts).score < 1 && steps < 4000) {
		level += rate * 10;
		at = feed(&w, &t->rng, at, level, level_judge(&w, &opts).score < 0.5);
		steps++;
	}
	EXPECT(steps <= 2.5 * shows + 6);
	for (int i = 0; i < LEVEL_SAMPLES; i++) level += rate * 10, at = feed(&w, &t->rng, at, level, false);
	if (hours < 2) EXPECT_NEAR(log(level_look(&w, LIMIT).runs_out_s), log((LIMIT - level) / rate), 0.7);
}

/* A sawtooth, as collectors of garbage make it, is no leak. */
TEST(a_sawtooth_is_not_a_leak, .seeds = 5) {
	struct level_watch w = { 0 };
	int64_t at = T0;
	double worst = 0;
	for (int i = 0; i < 17280; i++) {
		at = feed(&w, &t->rng, at, 400 + 2.0 * (i % 30), true);
		if (i > 1000) worst = fmax(worst, level_judge(&w, &opts).score);
	}
	EXPECT(worst < 1);
}

TEST(in_band_means_back_where_it_was) {
	struct level_watch w = { 0 };
	int64_t at = T0;
	for (int i = 0; i < 200; i++) at = feed(&w, &t->rng, at, 400, true);
	for (int i = 0; i < 30; i++) at = feed(&w, &t->rng, at, 460, false);
	EXPECT(level_after(&w, LIMIT).score > 1);
	for (int i = 0; i < 10; i++) at = feed(&w, &t->rng, at, 395, false);
	EXPECT(level_after(&w, LIMIT).score <= 1);
}

RUN(a_leak_is_told_once_it_shows, a_sawtooth_is_not_a_leak, in_band_means_back_where_it_was)
