#include "observe/anomaly/duration.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_HALF_S      7200.0
#define TURN_NS           (60 * NS_PER_SEC)
#define LATELY_HALF_S     6.0
#define LATELY_HALF_MAX_S 180.0
#define LATELY_SEEN       12.0
#define WINDOW_NS         (10 * NS_PER_SEC)
#define LLR_MAX           2.0
#define RATIO_MIN         1.3
#define ABSOLUTE_MIN_S    0.002
#define SEEN_MIN          8.0
#define WANDER_SPREADS    4.0 /* beyond which a strayed window is none of those that stray at times */
#define RHO_MAX           0.5
#define SHIFT_MIN         0.01

/* Factor on the durations of `share` of the requests. */
static const struct { double factor, share; } alternatives[ALTERNATIVES] = { { 1.6, 0.9 }, { 3, 0.8 }, { 6, 0.3 } };

static uint32_t cells(const struct duration *d) {
	return d->bound_count + 1;
}

enum err duration_init(struct duration *d, const float *bounds, uint32_t bound_count) {
	*d = (struct duration){ .bound_count = bound_count, .bounds = bounds };
	uint32_t n = bound_count + 1;
	d->memory = calloc((size_t)(4 + ALTERNATIVES) * n, sizeof *d->memory);
	if (!d->memory) return ERR_NOMEM;
	d->usual = d->memory;
	d->fresh = d->usual + n;
	d->held = d->fresh + n;
	d->lately = d->held + n;
	for (int a = 0; a < ALTERNATIVES; a++) d->llr[a] = d->lately + (size_t)(a + 1) * n;
	return OK;
}

void duration_done(struct duration *d) {
	free(d->memory);
	*d = (struct duration){ 0 };
}

static double total(const float *v, uint32_t n) {
	double sum = 0;
	for (uint32_t i = 0; i < n; i++) sum += (double)v[i];
	return sum;
}

static bool ready(const struct duration *d) {
	return d->usual_s >= DURATION_READY_S && d->built_ns;
}

static double mean_log(const struct duration *d, const float *counts) {
	double sum = 0, n = 0;
	for (uint32_t i = 0; i < cells(d); i++) {
		if (!(counts[i] > 0)) continue;
		sum += (double)counts[i] * log(fmax(bucket_middle(d->bounds, d->bound_count, i), 1e-6));
		n += (double)counts[i];
	}
	return n > 0 ? sum / n : 0;
}

/* ---- the tables ---- */

/* Shares of the usual distribution with all durations times `factor`. */
static void shifted(const struct duration *d, double factor, double *out) {
	double below = 0;
	for (uint32_t i = 0; i < cells(d); i++) {
		double upto =
			i < d->bound_count ? bounds_cdf(d->bounds, d->bound_count, d->usual, (double)d->bounds[i] / factor) : 1;
		out[i] = fmax(upto - below, 0);
		below = upto;
	}
}

/* A bucket that was never hit may be hit: a little of each neighbour, and a little of everything. */
static void smooth(double *p, uint32_t n, double seen) {
	double spare = fmin(0.02, 20 / (seen + 20)), last = p[0];
	for (uint32_t i = 0; i < n; i++) {
		double here = p[i], next = i + 1 < n ? p[i + 1] : here;
		p[i] = 0.9 * here + 0.05 * last + 0.05 * next;
		last = here;
	}
	double sum = 0;
	for (uint32_t i = 0; i < n; i++) sum += p[i] = (1 - spare) * p[i] + (spare + 1e-4) / n;
	for (uint32_t i = 0; i < n; i++) p[i] /= sum;
}

static void tables(struct duration *d, double seen) {
	double usual[BOUNDS_MAX + 1], other[BOUNDS_MAX + 1];
	shifted(d, d->factor, usual);
	smooth(usual, cells(d), seen);
	for (int a = 0; a < ALTERNATIVES; a++) {
		double share = alternatives[a].share;
		shifted(d, d->factor * alternatives[a].factor, other);
		smooth(other, cells(d), seen);
		for (uint32_t i = 0; i < cells(d); i++) {
			double llr = log(share * other[i] / usual[i] + (1 - share));
			d->llr[a][i] = (float)fmin(llr, LLR_MAX); /* from below it is log(1 - share) at the least */
		}
	}
}

static void build(struct duration *d, int64_t at_ns) {
	double seen = total(d->usual, cells(d));
	if (seen < DURATION_READY_SEEN / 2) return;
	double shift = season_expect(&d->season, at_ns) - mean_log(d, d->usual);
	if (fabs(shift) < SHIFT_MIN) shift = 0;
	d->factor = exp(fmin(fmax(shift, -1), 1));
	tables(d, seen);
	d->built_ns = at_ns;
}

/* ---- learning ---- */

static double rho(const struct duration *d) {
	if (!(d->between_n > 0) || !(d->within > 0)) return 0.02;
	/* The prior: thirty windows with one part in fifty between them. */
	double between = (d->between + 30 * 0.02 * d->within) / (d->between_n + 30);
	return fmin(fmax(between / (between + d->within), 0), RHO_MAX);
}

static void window_learn(struct duration *d, double seconds) {
	double n = d->window_seen, mean = d->window_log / n, var = d->window_log2 / n - mean * mean;
	double known = season_expect(&d->season, d->window_ns);
	if (n >= 5 && d->season.seen_s > DURATION_READY_S && d->within > 0) {
		double off = mean - known, limit = 9 * (d->within / n + rho(d) * d->within);
		double excess = fmin(off * off, limit) - d->within / n;
		double keep = d->between_n < 2000 ? 1 : 1 - 1 / 2000.0;
		d->between = fmax(d->between * keep + excess, 0);
		d->between_n = d->between_n * keep + 1;
	}
	double weight = n / (n + 10); /* few requests say little of the level */
	season_learn(&d->season, d->window_ns, mean, seconds * weight);
	if (n >= 5) d->within += (d->within > 0 ? 0.02 : 1) * (var - d->within);
}

static void window_end(struct duration *d, int64_t at_ns, bool quiet) {
	if (quiet && d->window_seen >= 1) window_learn(d, (double)WINDOW_NS / 1e9);
	d->window_seen = d->window_log = d->window_log2 = 0;
	d->window_ns = at_ns - at_ns % WINDOW_NS;
}

static void turn(struct duration *d, int64_t at_ns, bool quiet) {
	double seconds = d->turned_ns ? (double)(at_ns - d->turned_ns) / 1e9 : 0;
	bool learn = quiet && seconds < 600;
	/* The memory is of requests at first, so that a young distribution is not kept young. */
	double keep = exp2(-seconds / USUAL_HALF_S);
	for (uint32_t i = 0; i < cells(d); i++) {
		if (learn) d->usual[i] = (float)(keep * (double)d->usual[i] + (double)d->held[i]);
		d->held[i] = learn || !quiet ? (quiet ? d->fresh[i] : 0) : 0;
		d->fresh[i] = 0;
	}
	if (learn && total(d->usual, cells(d)) > 0) d->usual_s += seconds;
	d->turned_ns = at_ns;
	build(d, at_ns);
}

void duration_pass(struct duration *d, int64_t at_ns, bool quiet) {
	if (at_ns - d->window_ns >= WINDOW_NS) window_end(d, at_ns, quiet);
	bool young = !ready(d);
	if (at_ns - d->turned_ns >= (young ? TURN_NS / 4 : TURN_NS)) turn(d, at_ns, quiet);
}

/* ---- deciding ---- */

/* What is lately holds a dozen requests at least: rare ones stay longer. */
static double lately_half_s(const struct duration *d) {
	double per_s = total(d->usual, cells(d)) / fmax(fmin(d->usual_s, USUAL_HALF_S / M_LN2), 1);
	return fmin(fmax(LATELY_SEEN * M_LN2 / fmax(per_s, 1e-6), LATELY_HALF_S), LATELY_HALF_MAX_S);
}

static void lately_age(struct duration *d, int64_t at_ns) {
	if (at_ns <= d->lately_ns) return;
	float keep = (float)exp2(-(double)(at_ns - d->lately_ns) / 1e9 / lately_half_s(d));
	for (uint32_t i = 0; i < cells(d); i++) d->lately[i] *= keep;
	d->lately_ns = at_ns;
}

static void window_add(struct duration *d, uint32_t cell, double n) {
	double x = log(fmax(bucket_middle(d->bounds, d->bound_count, cell), 1e-6));
	d->window_seen += n;
	d->window_log += n * x;
	d->window_log2 += n * x * x;
}

void duration_feed(struct duration *d, const struct evidence_opts *o, const float *counts, int64_t from_ns,
				   int64_t to_ns, int64_t received_ns, bool quiet) {
	struct increment inc = { .from_ns = from_ns, .to_ns = to_ns, .received_ns = received_ns };
	lately_age(d, to_ns);
	for (uint32_t i = 0; i < cells(d); i++) {
		if (!(counts[i] > 0)) continue;
		double n = (double)counts[i];
		d->fresh[i] += counts[i];
		d->lately[i] += counts[i];
		window_add(d, i, n);
		inc.seen += n;
		for (int a = 0; a < ALTERNATIVES; a++) inc.llr[a] += n * (double)d->llr[a][i];
	}
	if (!ready(d) || !(inc.seen > 0)) return;
	double effect = 1 + (inc.seen - 1) * rho(d);
	for (int a = 0; a < ALTERNATIVES; a++) inc.llr[a] /= effect;
	evidence_feed(&d->evidence, o, &inc, quiet);
}

/* The ratio at the quantile where it is greatest, and that quantile. */
static double worst_ratio(const struct duration *d, double *quantile) {
	static const double quantiles[] = { 0.5, 0.9 };
	double worst = 0;
	*quantile = quantiles[0];
	for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
		double now = bounds_quantile(d->bounds, d->bound_count, d->lately, quantiles[i]);
		double usual = bounds_quantile(d->bounds, d->bound_count, d->usual, quantiles[i]);
		if (!(now - usual >= ABSOLUTE_MIN_S) || !(now / usual > worst)) continue;
		worst = now / usual;
		*quantile = quantiles[i];
	}
	return worst;
}

/* How far whole windows stray from what was expected of them: standard deviation of their mean log. */
static double wander(const struct duration *d) {
	return d->between_n > 0 ? sqrt(d->between / d->between_n) : 0;
}

static void describe(const struct duration *d, struct verdict *v, double quantile) {
	v->value = bounds_quantile(d->bounds, d->bound_count, d->lately, quantile);
	v->expected = bounds_quantile(d->bounds, d->bound_count, d->usual, quantile);
	double wide = fmax(log(RATIO_MIN), WANDER_SPREADS * wander(d));
	v->low = v->expected * exp(-wide);
	v->high = fmax(v->expected * exp(wide), v->expected + ABSOLUTE_MIN_S);
}

struct verdict duration_judge(const struct duration *d, const struct evidence_opts *o) {
	struct verdict v = { .value = NAN, .expected = NAN, .low = NAN, .high = NAN, .onset_sd_s = NAN, .ready = ready(d) };
	if (!v.ready) {
		v.value = bounds_quantile(d->bounds, d->bound_count, d->lately, 0.5);
		return v;
	}
	double quantile, ratio = worst_ratio(d, &quantile);
	describe(d, &v, quantile);
	v.score = evidence_score(&d->evidence, o, &v.which);
	bool guarded = ratio < RATIO_MIN || !(v.value > v.high) || total(d->lately, cells(d)) < SEEN_MIN;
	if (guarded && v.score >= 1) v.score = 0.99;
	v.onset_ns = evidence_onset(&d->evidence, o, v.which, &v.onset_sd_s);
	v.delivered_ns = d->evidence.cusums[v.which].delivered_ns;
	return v;
}

double duration_slow(const struct duration *d) {
	return ready(d) ? bounds_quantile(d->bounds, d->bound_count, d->usual, 0.99) : (double)NAN;
}

void duration_adopt(struct duration *d) {
	double seen = total(d->lately, cells(d)), usual = total(d->usual, cells(d));
	if (!(seen > 0)) return;
	for (uint32_t i = 0; i < cells(d); i++) d->usual[i] = (float)((double)d->lately[i] * fmin(usual / seen, 20));
	season_adopt(&d->season, d->lately_ns, mean_log(d, d->usual));
	evidence_clear(&d->evidence);
	build(d, d->lately_ns);
}

/* ---- saving ---- */

static void counts_save(const float *v, uint32_t n, struct enc *out) {
	for (uint32_t i = 0; i < n; i++) enc_f32(out, v[i]);
}
static void counts_load(float *v, uint32_t n, struct dec *in) {
	for (uint32_t i = 0; i < n; i++) {
		float x = dec_f32(in);
		v[i] = x >= 0 && x < 1e12f ? x : 0;
	}
}

void duration_save(const struct duration *d, struct enc *out) {
	enc_u32(out, d->bound_count);
	for (uint32_t i = 0; i < d->bound_count; i++) enc_f32(out, d->bounds[i]);
	counts_save(d->usual, cells(d), out);
	counts_save(d->fresh, cells(d), out);
	counts_save(d->held, cells(d), out);
	counts_save(d->lately, cells(d), out);
	evidence_save(&d->evidence, out);
	season_save(&d->season, out);
	enc_f64(out, d->within), enc_f64(out, d->between), enc_f64(out, d->between_n), enc_f64(out, d->usual_s);
	enc_f64(out, d->window_seen), enc_f64(out, d->window_log), enc_f64(out, d->window_log2);
	enc_i64(out, d->window_ns), enc_i64(out, d->turned_ns), enc_i64(out, d->lately_ns), enc_i64(out, d->built_ns);
	enc_f64(out, d->factor);
}

enum err duration_load(struct duration *d, struct dec *in) {
	if (dec_u32(in) != d->bound_count) return ERR_CORRUPT;
	for (uint32_t i = 0; i < d->bound_count; i++)
		if (dec_f32(in) != d->bounds[i]) return ERR_CORRUPT;
	counts_load(d->usual, cells(d), in);
	counts_load(d->fresh, cells(d), in);
	counts_load(d->held, cells(d), in);
	counts_load(d->lately, cells(d), in);
	evidence_load(&d->evidence, in);
	season_load(&d->season, in);
	d->within = dec_f64(in), d->between = dec_f64(in), d->between_n = dec_f64(in), d->usual_s = dec_f64(in);
	d->window_seen = dec_f64(in), d->window_log = dec_f64(in), d->window_log2 = dec_f64(in);
	d->window_ns = dec_i64(in), d->turned_ns = dec_i64(in), d->lately_ns = dec_i64(in);
	d->built_ns = dec_i64(in);
	d->factor = fmin(fmax(dec_f64(in), 1 / M_E), M_E);
	if (d->built_ns) tables(d, total(d->usual, cells(d)));
	return in->err;
}
