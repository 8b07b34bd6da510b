/* Duration and errors together, on requests as a service of middling traffic would tell of them: days
 * of rhythm and heavy tails without an alarm, and faults found soon. */
#include <math.h>
#include <string.h>

#include "base/test.h"
#include "observe/anomaly/count.h"
#include "observe/anomaly/share.h"

#define T0 (INT64_C(1767571200) * NS_PER_SEC)

struct service {
	struct rng rng;
	struct duration slow;
	struct share bad;
	struct count rate;
	float bounds[GRID_BOUNDS];
	double per_s, wander;
	int64_t at_ns, window_ns;
	double window_n;
	double factor, fail, drop; /* faults */
	bool quiet;
	double score, rate_score; /* highest since asked */
};

static const struct evidence_opts opts = { .slot_ns = 2 * NS_PER_SEC, .budget_s = 400.0 * 86400 };

static void service_init(struct service *s, const struct t *t, double per_s) {
	memset(s, 0, sizeof *s);
	s->rng = rng_fork(&t->rng, "service");
	s->per_s = per_s;
	s->at_ns = s->window_ns = T0;
	s->factor = s->drop = 1;
	s->fail = 0.001;
	s->quiet = true;
	grid_bounds(s->bounds);
	EXPECT_OK(duration_init(&s->slow, s->bounds, GRID_BOUNDS));
}

static double draw(struct service *s, double hour) {
	double load = 1 + 0.3 * cos(2 * M_PI * (hour - 15) / 24);
	double d = 0.05 * load * exp(0.5 * rng_normal(&s->rng) + s->wander);
	if (rng_unit(&s->rng) < 0.01) d += 0.1 * pow(rng_unit(&s->rng) + 1e-5, -0.6); /* a Pareto tail without a variance */
	return d * s->factor;
}

static enum mood mood(const struct service *s) {
	return s->quiet ? MOOD_QUIET : MOOD_TROUBLE;
}

static void window_end(struct service *s) {
	count_feed(&s->rate, &opts, COUNT_DROP, s->window_n, s->window_ns, s->window_ns + 10 * NS_PER_SEC, s->at_ns,
	           s->quiet);
	duration_pass(&s->slow, s->at_ns, mood(s));
	share_pass(&s->bad, s->at_ns, mood(s));
	struct verdict r = count_judge(&s->rate, &opts, COUNT_DROP);
	s->rate_score = fmax(s->rate_score, r.score);
	s->window_n = 0;
	s->window_ns += 10 * NS_PER_SEC;
}

/* One export of five seconds. */
static void export_one(struct service *s) {
	float counts[GRID_BUCKETS] = { 0 };
	double hour = (double)((s->at_ns - T0) % NS_PER_DAY) / 3.6e12, bad = 0, n = 0;
	double mean = s->per_s * 5 * (1 - 0.6 * cos(2 * M_PI * (hour - 3) / 24)) * s->drop;
	mean *= exp(0.15 * rng_normal(&s->rng)); /* overdispersed */
	s->wander = 0.96 * s->wander + 0.01 * rng_normal(&s->rng);
	for (double x = rng_exponential(&s->rng, 1); x < mean; x += rng_exponential(&s->rng, 1), n++) {
		counts[grid_bucket(draw(s, hour))]++;
		bad += rng_unit(&s->rng) < s->fail;
	}
	s->at_ns += 5 * NS_PER_SEC;
	s->window_n += n;
	if (n > 0) {
		duration_feed(&s->slow, &opts, counts, s->at_ns - 5 * NS_PER_SEC, s->at_ns - 1, s->at_ns, mood(s));
		share_feed(&s->bad, &opts, n, bad, s->at_ns - 5 * NS_PER_SEC, s->at_ns - 1, s->at_ns, mood(s));
	}
	s->score = fmax(s->score, duration_judge(&s->slow, &opts).score);
	s->score = fmax(s->score, share_judge(&s->bad, &opts).score);
	if (s->at_ns >= s->window_ns + 10 * NS_PER_SEC) window_end(s);
}

/* Twenty service-days at 1 request/s and rhythm, wander, overdispersion, tails: nothing. */
TEST(days_of_rhythm_and_heavy_tails_raise_no_alarm, .seeds = 10) {
	struct service s;
	service_init(&s, t, 1);
	while (s.at_ns < T0 + 2 * NS_PER_DAY) export_one(&s);
	EXPECT(s.score < 1);
	EXPECT(s.rate_score < 1);
	duration_done(&s.slow);
}

static double seconds_to_alarm(struct service *s, double limit_s) {
	int64_t from = s->at_ns;
	s->score = 0;
	while (s->score < 1 && s->at_ns < from + (int64_t)(limit_s * 1e9)) export_one(s);
	return s->score >= 1 ? (double)(s->at_ns - from) / 1e9 : INFINITY;
}

/* Three times as slow, or five points more failures, at 20 requests/s: two exports, whatever the hour. */
TEST(what_hurts_is_found_in_two_exports, .seeds = 12) {
	struct service s;
	service_init(&s, t, 50); /* 20 at the lowest */
	int64_t warm = T0 + rng_below(&t->rng, 6 * 3600) * NS_PER_SEC + 3600 * NS_PER_SEC;
	while (s.at_ns < warm) export_one(&s);
	if (t->seed % 2)
		s.factor = 3;
	else
		s.fail = 0.06;
	EXPECT(seconds_to_alarm(&s, 60) <= 10);
	duration_done(&s.slow);
}

/* A service that was hardly seen yet is found too: five minutes after its first request. */
TEST(a_cold_start_sees_a_grave_fault, .seeds = 10) {
	struct service s;
	service_init(&s, t, 20);
	while (s.at_ns < T0 + 300 * NS_PER_SEC) export_one(&s);
	EXPECT(s.score < 1);
	if (t->seed % 2)
		s.factor = 4;
	else
		s.fail = 0.2;
	EXPECT(seconds_to_alarm(&s, 60) <= 10);
	duration_done(&s.slow);
}

/* Before anything was learned, a rule sees what is plain. */
TEST(before_it_is_ready_a_rule_serves, .seeds = 4) {
	struct service s;
	service_init(&s, t, 50);
	for (int i = 0; i < 8; i++) export_one(&s);
	EXPECT(!share_judge(&s.bad, &opts).ready && s.score < 1);
	if (t->seed % 2)
		s.fail = 0.5;
	else
		s.factor = 200;
	EXPECT(seconds_to_alarm(&s, 60) <= 15);
	duration_done(&s.slow);
}

/* Requests that stop coming are a drop; the night is not. */
TEST(a_drop_is_found_in_half_a_minute, .seeds = 5) {
	struct service s;
	service_init(&s, t, 20);
	while (s.at_ns < T0 + 3 * 3600 * NS_PER_SEC) export_one(&s);
	EXPECT(s.rate_score < 1);
	s.drop = 0.05;
	s.quiet = false;
	for (int i = 0; i < 8; i++) export_one(&s);
	EXPECT(s.rate_score >= 1);
	duration_done(&s.slow);
}

/* A level that stays is adopted, and then it is usual. */
TEST(an_adopted_level_is_usual, .seeds = 3) {
	struct service s;
	service_init(&s, t, 20);
	while (s.at_ns < T0 + 3600 * NS_PER_SEC) export_one(&s);
	s.factor = 2;
	s.quiet = false;
	for (int i = 0; i < 30; i++) export_one(&s);
	EXPECT(s.score >= 1);
	duration_adopt(&s.slow);
	s.quiet = true;
	for (int i = 0; i < 24; i++) export_one(&s);
	s.score = 0;
	for (int i = 0; i < 240; i++) export_one(&s);
	EXPECT(s.score < 1);
	duration_done(&s.slow);
}

/* Saved and read back it decides as the one that went on, to the bit. */
TEST(a_saved_detector_decides_alike, .seeds = 5) {
	struct service s;
	struct duration back;
	struct buf b;
	struct dec d;
	buf_init(&b, 0);
	service_init(&s, t, 10);
	int64_t until = T0 + (1800 + rng_below(&t->rng, 600)) * NS_PER_SEC;
	while (s.at_ns < until) export_one(&s);
	struct enc out = enc_begin(&b, "TEST", 2);
	duration_save(&s.slow, &out);
	enc_end(&out);
	EXPECT_OK(duration_init(&back, s.bounds, GRID_BOUNDS));
	EXPECT_OK(dec_begin(&d, buf_get(&b), "TEST", 2, NULL, NULL));
	EXPECT_OK(duration_load(&back, &d));
	EXPECT_OK(dec_end(&d));
	for (int i = 0; i < 100; i++) {
		float counts[GRID_BUCKETS] = { 0 };
		for (int n = 0; n < 40; n++) counts[grid_bucket(draw(&s, 1) * (i > 50 ? 1.5 : 1))]++;
		s.at_ns += 5 * NS_PER_SEC;
		struct duration *const both[] = { &s.slow, &back };
		for (int k = 0; k < 2; k++) {
			duration_feed(both[k], &opts, counts, s.at_ns - 1, s.at_ns, s.at_ns, MOOD_QUIET);
			duration_pass(both[k], s.at_ns, MOOD_QUIET);
		}
		EXPECT(duration_judge(&s.slow, &opts).score == duration_judge(&back, &opts).score);
	}
	duration_done(&s.slow);
	duration_done(&back);
	buf_done(&b);
}

RUN(days_of_rhythm_and_heavy_tails_raise_no_alarm, what_hurts_is_found_in_two_exports, a_cold_start_sees_a_grave_fault,
    before_it_is_ready_a_rule_serves, a_drop_is_found_in_half_a_minute, an_adopted_level_is_usual,
    a_saved_detector_decides_alike)
