#include "observe/anomaly/evidence.h"

#include <math.h>
#include <stdlib.h>

#include "base/test.h"

#define T0 (INT64_C(1767600000) * NS_PER_SEC)
static const struct evidence_opts opts = { .slot_ns = 2 * NS_PER_SEC, .budget_s = 20000 };

/* A normal variable whose mean moves by 1: its log-likelihood ratio, times `wrong` where the model is. */
static struct increment step(struct rng *rng, int64_t second, double mean, double wrong) {
	double x = rng_normal(rng) * 1.0 + mean;
	struct increment i = { .from_ns = T0 + second * NS_PER_SEC, .to_ns = T0 + second * NS_PER_SEC, .seen = 10 };
	i.received_ns = i.to_ns + NS_PER_SEC;
	for (int a = 0; a < ALTERNATIVES; a++) i.llr[a] = wrong * ((a + 1) * x - (a + 1) * (a + 1) / 2.0);
	return i;
}

static int alarms(struct rng *rng, struct evidence *e, int64_t from, int64_t until, double wrong) {
	int n = 0;
	for (int64_t s = from; s < until; s++) {
		struct increment i = step(rng, s, 0, wrong);
		evidence_feed(e, &opts, &i, true);
		if (evidence_score(e, &opts, NULL) < 1) continue;
		n++;
		evidence_clear(e);
	}
	return n;
}

/* The boundary keeps its promise: no more false alarms than the budget asks for, when the model is
 * right and (once that was seen) when its evidence is worth a third of what it says. */
TEST(false_alarms_stay_within_the_budget, .seeds = 3) {
	struct evidence right = { 0 }, wrong = { 0 };
	int64_t span = 200000;
	EXPECT(alarms(&t->rng, &right, 0, span, 1) <= 2.0 * (double)span / opts.budget_s);
	alarms(&t->rng, &wrong, 0, span, 3);
	EXPECT(alarms(&t->rng, &wrong, span, 2 * span, 3) <= 2.0 * (double)span / opts.budget_s);
}

/* A change is found within what its strength needs, and dated to within a few slots. */
TEST(a_change_is_found_soon_and_dated, .seeds = 50) {
	struct evidence e = { 0 };
	int64_t at = 600;
	int which, waited = 0;
	double sd_s;
	alarms(&t->rng, &e, 0, at, 1);
	evidence_clear(&e);
	while (evidence_score(&e, &opts, &which) < 1 && waited < 100) {
		struct increment i = step(&t->rng, at + waited++, 2, 1);
		evidence_feed(&e, &opts, &i, false);
	}
	EXPECT(waited <= 25);
	int64_t onset_ns = evidence_onset(&e, &opts, which, &sd_s);
	EXPECT(llabs(onset_ns - (T0 + at * NS_PER_SEC)) <= 8 * NS_PER_SEC);
	EXPECT(sd_s > 0 && sd_s < 10);
	EXPECT(e.cusums[which].delivered_ns > e.cusums[which].since_ns);
}

TEST(one_increment_alone_never_decides) {
	struct evidence e = { 0 };
	struct increment i = { .from_ns = T0, .to_ns = T0, .received_ns = T0, .seen = 1000, .llr = { 1e6, 1e6, 1e6 } };
	evidence_feed(&e, &opts, &i, true);
	EXPECT(evidence_score(&e, &opts, NULL) < 1);
	i.from_ns = i.to_ns = i.received_ns = T0 + NS_PER_SEC;
	evidence_feed(&e, &opts, &i, true);
	EXPECT(evidence_score(&e, &opts, NULL) >= 1);
}

/* Out of band until the last slot that says so together with its neighbours; a stray one does not. */
TEST(the_last_bad_slot_is_told_from_a_stray_one) {
	struct evidence e = { 0 };
	struct increment i = { .seen = 5 };
	for (int s = 0; s < 60; s++) {
		bool bad = (s >= 20 && s < 40) || s == 52;
		i.from_ns = i.to_ns = i.received_ns = T0 + s * NS_PER_SEC;
		for (int a = 0; a < ALTERNATIVES; a++) i.llr[a] = bad ? 4 : -1.5;
		evidence_feed(&e, &opts, &i, false);
	}
	EXPECT(evidence_last_bad(&e, &opts, 0, T0) == T0 + 40 * NS_PER_SEC);
}

TEST(what_is_saved_comes_back_and_damage_does_not_run_past_the_end, .seeds = 20) {
	struct evidence e = { 0 }, back;
	struct buf b;
	struct str rest;
	struct dec d;
	buf_init(&b, 0);
	alarms(&t->rng, &e, 0, 500, 1);
	struct enc out = enc_begin(&b, "TEST", 1);
	evidence_save(&e, &out);
	enc_end(&out);
	EXPECT_OK(dec_begin(&d, buf_get(&b), "TEST", 1, &rest, NULL));
	evidence_load(&back, &d);
	EXPECT_OK(dec_end(&d));
	for (int s = 0; s < 40; s++) { /* it goes on as the other does */
		struct increment i = step(&t->rng, 500 + s, 0.5, 1);
		evidence_feed(&e, &opts, &i, true);
		evidence_feed(&back, &opts, &i, true);
		EXPECT(evidence_score(&e, &opts, NULL) == evidence_score(&back, &opts, NULL));
	}
	EXPECT(evidence_onset(&e, &opts, 0, NULL) == evidence_onset(&back, &opts, 0, NULL));
	buf_done(&b);
}

RUN(false_alarms_stay_within_the_budget, a_change_is_found_soon_and_dated, one_increment_alone_never_decides,
    the_last_bad_slot_is_told_from_a_stray_one, what_is_saved_comes_back_and_damage_does_not_run_past_the_end)
