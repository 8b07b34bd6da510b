#include "observe/anomaly/count.h"

#include <math.h>

#define ONSET_SCORE    0.4 /* below, no change is dated */
#define READY_S        600.0
#define DROP_SHARE     0.6
#define DROP_EXPECTED  20.0
#define SURGE_RATIO    3.0
#define SURGE_MORE     10.0
#define DISPERSION_MIN 1.0
#define LATELY_LOSS    0.5

static const struct {
	double drop, surge, more;
} alternatives[ALTERNATIVES] = { { 0.6, 3, 1 }, { 0.3, 8, 3 }, { 0.03, 30, 10 } };

double count_expect(const struct count *c, enum count_side side, int64_t at_ns) {
	double root = season_expect(&c->season, at_ns);
	if (side == COUNT_DROP) root = fmin(root, season_base(&c->season, at_ns));
	return root > 0 ? root * root : 0;
}

static bool ready(const struct count *c) {
	return c->season.seen_s >= READY_S;
}

static double dispersion(const struct count *c) {
	return fmax(c->dispersion, DISPERSION_MIN) + 1 / (1 + c->season.seen_s / 3600); /* a young season errs more */
}

static void weigh(const struct count *c, enum count_side side, double n, double expected, struct increment *inc) {
	for (int a = 0; a < ALTERNATIVES; a++) {
		double other = side == COUNT_DROP ? expected * alternatives[a].drop
		                                  : fmax(expected * alternatives[a].surge, expected + alternatives[a].more);
		double floor = 0.05; /* a window where nothing is expected */
		double ratio = (other + floor) / (expected + floor);
		inc->llr[a] = (n * log(ratio) - (other - expected)) / dispersion(c);
	}
}

static void learn(struct count *c, double n, double expected, int64_t at_ns, double seconds) {
	double off = n - expected, square = off * off / fmax(expected, 1);
	square = fmin(square, 25 * fmax(c->dispersion, 1));
	double step = c->season.seen_s > 36000 ? 1e-3 : seconds / (c->season.seen_s + seconds);
	if (c->season.seen_s > 0) c->dispersion += step * (square - c->dispersion);
	season_learn(&c->season, at_ns, sqrt(n), seconds);
}

void count_feed(struct count *c, const struct evidence_opts *o, enum count_side side, double n, int64_t from_ns,
                int64_t to_ns, int64_t received_ns, bool quiet) {
	struct increment inc = { .from_ns = from_ns, .to_ns = to_ns - 1, .received_ns = received_ns, .seen = 1 };
	double expected = count_expect(c, side, from_ns);
	c->lately += LATELY_LOSS * (n - c->lately);
	c->lately_expected += LATELY_LOSS * (expected - c->lately_expected);
	c->last_ns = to_ns;
	if (ready(c)) {
		weigh(c, side, n, expected, &inc);
		evidence_feed(&c->evidence, o, &inc, quiet);
	}
	if (quiet) learn(c, n, expected, from_ns, (double)(to_ns - from_ns) / 1e9);
}

struct verdict count_judge(const struct count *c, const struct evidence_opts *o, enum count_side side) {
	struct verdict v = {
		.value = c->lately, .expected = NAN, .low = NAN, .high = NAN, .onset_sd_s = NAN, .ready = ready(c)
	};
	if (!v.ready) return v;
	double expected = c->lately_expected, spread = 3 * sqrt(dispersion(c) * fmax(expected, 1));
	v.expected = expected;
	v.low = side == COUNT_DROP && expected >= DROP_EXPECTED ? DROP_SHARE * expected : 0;
	v.high = fmax(expected + spread, side == COUNT_SURGE ? fmax(SURGE_RATIO * expected, expected + SURGE_MORE) : 0);
	v.score = evidence_score(&c->evidence, o, &v.which);
	bool guarded = side == COUNT_DROP ? expected < DROP_EXPECTED || v.value > DROP_SHARE * expected
	                                  : v.value < SURGE_RATIO * expected || v.value < expected + SURGE_MORE;
	if (guarded && v.score >= 1) v.score = 0.99;
	if (v.score < ONSET_SCORE) return v;
	v.onset_ns = evidence_onset(&c->evidence, o, v.which, &v.onset_sd_s);
	v.delivered_ns = c->evidence.cusums[v.which].delivered_ns;
	return v;
}

void count_adopt(struct count *c) {
	season_adopt(&c->season, c->last_ns, sqrt(fmax(c->lately, 0)));
	evidence_clear(&c->evidence);
}

void count_save(const struct count *c, struct enc *out) {
	evidence_save(&c->evidence, out);
	season_save(&c->season, out);
	enc_f64(out, c->dispersion), enc_f64(out, c->lately), enc_f64(out, c->lately_expected), enc_i64(out, c->last_ns);
}

void count_load(struct count *c, struct dec *in) {
	*c = (struct count){ 0 };
	evidence_load(&c->evidence, in);
	season_load(&c->season, in);
	c->dispersion = dec_f64(in), c->lately = dec_f64(in), c->lately_expected = dec_f64(in), c->last_ns = dec_i64(in);
}
