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
#define ABSOLUTE_MIN_S    0.001 /* a database of a millisecond that takes three times as long is above it */
#define SEEN_MIN          8.0
#define WANDER_SPREADS    4.0 /* beyond which a strayed window is none of those that stray at times */
#define ONSET_SCORE       0.4 /* below, no change is dated */
#define RHO_PRIOR         0.005
#define RULE_S            5.0 /* until it is ready: half of the requests take longer, of twenty at least */
#define RULE_SEEN         20.0
#define RULE_BEFORE       10.0
#define RHO_MAX           0.5
#define AFTER_FEW         20.0 /* requests of which a p90 says nothing */
#define SHIFT_MIN         0.03 /* below, the tables are good enough */

/* Factor on the durations of `share` of the requests. */
static const struct { double factor, share; } alternatives[ALTERNATIVES] = { { 1.6, 0.9 }, { 3, 0.8 }, { 6, 0.3 } };

static const double shown[DURATION_SHOWN] = { 0.5, 0.9, 0.99 };

static uint32_t cells(const struct duration *d) {
	return d->bound_count + 1;
}

enum err duration_init(struct duration *d, const float *bounds, uint32_t bound_count) {
	*d = (struct duration){ .bound_count = bound_count, .bounds = bounds };
	uint32_t n = bound_count + 1;
	d->memory = calloc((size_t)(7 + ALTERNATIVES) * n + 1, sizeof *d->memory);
	if (!d->memory) return ERR_NOMEM;
	d->usual = d->memory;
	d->fresh = d->usual + n;
	d->held = d->fresh + n;
	d->lately = d->held + n;
	d->after = d->lately + n;
	for (int a = 0; a < ALTERNATIVES; a++) d->llr[a] = d->after + (size_t)(a + 1) * n;
	d->logs = d->after + (size_t)(ALTERNATIVES + 1) * n;
	d->edges = d->logs + n;
	for (uint32_t i = 0; i < n; i++) d->logs[i] = (float)log(fmax(bucket_middle(bounds, bound_count, i), 1e-6));
	for (uint32_t i = 0; i < bound_count; i++) d->edges[i + 1] = (float)log(fmax((double)bounds[i], 1e-6));
	d->edges[0] = bound_count ? d->edges[1] - 0.4f : 0; /* as far as bucket_middle takes the open ends to reach */
	d->edges[n] = bound_count ? d->edges[n - 1] + 0.4f : 1;
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
		sum += (double)counts[i] * (double)d->logs[i];
		n += (double)counts[i];
	}
	return n > 0 ? sum / n : 0;
}

/* ---- the tables ---- */

/* Shares of the usual distribution with all durations times exp(shift): each bucket's weight is laid
 * straight over the logs of its moved bounds. `edges`: bound_count + 2 logs, of the open ends too. */
static void shifted(const struct duration *d, double shift, double all, double *out) {
	uint32_t n = cells(d), to = 0;
	for (uint32_t i = 0; i < n; i++) out[i] = 0;
	for (uint32_t i = 0; i < n; i++) {
		double lo = (double)d->edges[i] + shift, hi = (double)d->edges[i + 1] + shift;
		double weight = (double)d->usual[i] / all, width = hi - lo;
		while (to + 1 < n && (double)d->edges[to + 1] <= lo) to++;
		for (uint32_t k = to; weight > 0 && k < n; k++) {
			double from = k ? fmax(lo, (double)d->edges[k]) : lo;
			double until = k + 1 < n ? fmin(hi, (double)d->edges[k + 1]) : hi;
			if (until > from) out[k] += weight * (until - from) / width;
			if (until >= hi) break;
		}
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

static void tables(struct duration *d) {
	histogram_quantiles(d->bounds, d->bound_count, d->usual, shown, d->usual_q, DURATION_SHOWN);
	double usual[BOUNDS_MAX + 1], other[BOUNDS_MAX + 1], seen = total(d->usual, cells(d));
	shifted(d, d->shift, seen, usual);
	smooth(usual, cells(d), seen);
	for (int a = 0; a < ALTERNATIVES; a++) {
		double share = alternatives[a].share;
		shifted(d, d->shift + log(alternatives[a].factor), seen, other);
		smooth(other, cells(d), seen);
		for (uint32_t i = 0; i < cells(d); i++) {
			double llr = log(share * other[i] / usual[i] + (1 - share));
			d->llr[a][i] = (float)fmin(llr, LLR_MAX); /* from below it is log(1 - share) at the least */
		}
	}
}

/* Where the season and the wander expect the mean log, against where the distribution has it. */
static double shift_at(const struct duration *d, int64_t at_ns) {
	double shift = season_expect(&d->season, at_ns) + stray_now(&d->stray) - d->usual_log;
	return fmin(fmax(shift, -1), 1);
}

static void build(struct duration *d, int64_t at_ns) {
	if (total(d->usual, cells(d)) < DURATION_READY_SEEN / 2) return;
	d->usual_log = mean_log(d, d->usual);
	d->shift = shift_at(d, at_ns);
	tables(d);
	d->built_ns = at_ns;
}

/* ---- learning ---- */

/* The part of a request's variance that it shares with all of its window. The prior: one part in two hundred. */
static double rho(const struct duration *d) {
	if (!(d->within > 0)) return RHO_MAX / 10;
	double shared = stray_var(&d->stray) + RHO_PRIOR * d->within;
	return fmin(shared / (shared + d->within), RHO_MAX);
}

static void window_learn(struct duration *d, double seconds) {
	double n = d->window_seen, mean = d->window_log / n, var = d->window_log2 / n - mean * mean;
	if (n >= 3 && d->season.seen_s > DURATION_READY_S && d->within > 0)
		stray_learn(&d->stray, mean - season_expect(&d->season, d->window_ns), d->within / n, d->window_ns, WINDOW_NS);
	double weight = n / (n + 10); /* few requests say little of the level */
	season_learn(&d->season, d->window_ns, mean, seconds * weight);
	if (n >= 5) d->within += (d->within > 0 ? 0.02 : 1) * (var - d->within);
}

static void window_end(struct duration *d, int64_t at_ns, bool quiet) {
	if (quiet && d->window_seen >= 1) window_learn(d, (double)WINDOW_NS / 1e9);
	d->window_seen = d->window_log = d->window_log2 = 0;
	d->window_ns = at_ns - at_ns % WINDOW_NS;
	if (!d->built_ns || fabs(shift_at(d, at_ns) - d->shift) < SHIFT_MIN) return;
	d->shift = shift_at(d, at_ns);
	tables(d);
}

static void turn(struct duration *d, int64_t at_ns, enum mood mood) {
	double seconds = d->turned_ns ? (double)(at_ns - d->turned_ns) / 1e9 : 0;
	bool learn = mood == MOOD_QUIET && seconds < 600;
	float held = mood == MOOD_UNSETTLED, fresh = mood != MOOD_TROUBLE;
	/* The memory is of requests at first, so that a young distribution is not kept young. */
	double keep = exp2(-seconds / USUAL_HALF_S);
	for (uint32_t i = 0; i < cells(d); i++) {
		if (learn) d->usual[i] = (float)(keep * (double)d->usual[i] + (double)d->held[i]);
		d->held[i] = held * d->held[i] + fresh * d->fresh[i];
		d->fresh[i] = 0;
	}
	if (learn && total(d->usual, cells(d)) > 0) d->usual_s += seconds;
	d->turned_ns = at_ns;
	build(d, at_ns);
}

void duration_pass(struct duration *d, int64_t at_ns, enum mood mood) {
	if (at_ns - d->window_ns >= WINDOW_NS) window_end(d, at_ns, mood == MOOD_QUIET);
	bool young = !ready(d);
	if (at_ns - d->turned_ns >= (young ? TURN_NS / 4 : TURN_NS)) turn(d, at_ns, mood);
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
	double x = (double)d->logs[cell];
	d->window_seen += n;
	d->window_log += n * x;
	d->window_log2 += n * x * x;
}

void duration_feed(struct duration *d, const struct evidence_opts *o, const float *counts, int64_t from_ns,
                   int64_t to_ns, int64_t received_ns, enum mood mood) {
	struct increment inc = { .from_ns = from_ns, .to_ns = to_ns, .received_ns = received_ns };
	lately_age(d, to_ns);
	for (uint32_t i = 0; i < cells(d); i++) {
		if (!(counts[i] > 0)) continue;
		double n = (double)counts[i];
		d->fresh[i] += counts[i];
		d->lately[i] += counts[i];
		if (d->after_ns && from_ns >= d->after_ns) d->after[i] += counts[i];
		window_add(d, i, n);
		inc.seen += n;
		for (int a = 0; a < ALTERNATIVES; a++) inc.llr[a] += n * (double)d->llr[a][i];
	}
	if (!ready(d) || !(inc.seen > 0)) return;
	double effect = 1 + (inc.seen - 1) * rho(d);
	for (int a = 0; a < ALTERNATIVES; a++) inc.llr[a] /= effect;
	evidence_feed(&d->evidence, o, &inc, mood != MOOD_TROUBLE);
}

/* The quantile at which it is slowest against the usual: the median, or p90 when only some requests are. */
static int worst_quantile(const struct duration *d, const double *now) {
	double ratio[2] = { now[0] / d->usual_q[0], now[1] / d->usual_q[1] };
	bool plain = now[0] - d->usual_q[0] >= ABSOLUTE_MIN_S;
	return ratio[1] > ratio[0] || (!plain && now[1] - d->usual_q[1] >= ABSOLUTE_MIN_S);
}

static void describe(const struct duration *d, const float *counts, double few, struct verdict *v) {
	double now[2];
	histogram_quantiles(d->bounds, d->bound_count, counts, shown, now, 2);
	int q = few > 0 && total(counts, cells(d)) < few ? 0 : worst_quantile(d, now);
	double wide = fmax(log(RATIO_MIN), WANDER_SPREADS * stray_spread(&d->stray));
	v->value = now[q];
	v->expected = d->usual_q[q];
	v->low = v->expected * exp(-wide);
	v->high = fmax(v->expected * exp(wide), v->expected + ABSOLUTE_MIN_S);
}

/* Some requests take minutes by nature: only those that did not before are slow. */
static bool were_quicker(const struct duration *d) {
	float before[BOUNDS_MAX + 1];
	for (uint32_t i = 0; i < cells(d); i++) before[i] = d->usual[i] + d->held[i];
	return total(before, cells(d)) >= RULE_BEFORE &&
	       histogram_quantile(d->bounds, d->bound_count, before, shown[0]) < RULE_S / 2;
}

struct verdict duration_judge(const struct duration *d, const struct evidence_opts *o) {
	struct verdict v = { .value = NAN, .expected = NAN, .low = NAN, .high = NAN, .onset_sd_s = NAN, .ready = ready(d) };
	if (!v.ready) {
		v.value = histogram_quantile(d->bounds, d->bound_count, d->lately, shown[0]);
		v.high = RULE_S;
		if (total(d->lately, cells(d)) >= RULE_SEEN && were_quicker(d)) v.score = v.value / RULE_S;
		v.onset_ns = v.delivered_ns = v.score >= 1 ? d->lately_ns : 0;
		return v;
	}
	describe(d, d->lately, 0, &v);
	v.score = evidence_score(&d->evidence, o, &v.which);
	if (v.score >= 1 && (!(v.value > v.high) || total(d->lately, cells(d)) < SEEN_MIN)) v.score = 0.99;
	if (v.score < ONSET_SCORE) return v;
	v.onset_ns = evidence_onset(&d->evidence, o, v.which, &v.onset_sd_s);
	v.delivered_ns = d->evidence.cusums[v.which].delivered_ns;
	return v;
}

void duration_mark(struct duration *d, int64_t since_ns) {
	if (since_ns <= d->after_ns) return;
	d->after_ns = since_ns;
	for (uint32_t i = 0; i < cells(d); i++) d->after[i] = 0;
}

struct verdict duration_after(const struct duration *d, double *seen) {
	struct verdict v = { .value = NAN, .expected = NAN, .low = NAN, .high = NAN, .onset_sd_s = NAN, .ready = ready(d) };
	*seen = total(d->after, cells(d));
	if (!v.ready) {
		v.value = histogram_quantile(d->bounds, d->bound_count, d->after, shown[0]);
		v.high = RULE_S;
	} else {
		describe(d, d->after, AFTER_FEW, &v);
	}
	v.score = v.value / v.high;
	return v;
}

double duration_slow(const struct duration *d) {
	return ready(d) ? d->usual_q[2] : (double)NAN;
}

void duration_adopt(struct duration *d) {
	double seen = total(d->lately, cells(d)), usual = total(d->usual, cells(d));
	if (!(seen > 0)) return;
	for (uint32_t i = 0; i < cells(d); i++) d->usual[i] = (float)((double)d->lately[i] * fmin(usual / seen, 20));
	season_adopt(&d->season, d->lately_ns, mean_log(d, d->usual));
	d->stray.off = d->stray.last = 0;
	evidence_clear(&d->evidence);
	build(d, d->lately_ns);
}

/* ---- saving ---- */

static void counts_save(const float *v, uint32_t n, struct enc *out) {
	enc_f32s(out, v, n);
}
static void counts_load(float *v, uint32_t n, struct dec *in) {
	for (uint32_t i = 0; i < n; i++) {
		float x = dec_f32(in);
		v[i] = x >= 0 && x < 1e12f ? x : 0;
	}
}

void duration_save(const struct duration *d, struct enc *out) {
	enc_u32(out, d->bound_count);
	enc_f32s(out, d->bounds, d->bound_count);
	counts_save(d->usual, cells(d), out);
	counts_save(d->fresh, cells(d), out);
	counts_save(d->held, cells(d), out);
	counts_save(d->lately, cells(d), out);
	evidence_save(&d->evidence, out);
	season_save(&d->season, out);
	stray_save(&d->stray, out);
	enc_f64(out, d->within), enc_f64(out, d->usual_s), enc_f64(out, d->usual_log);
	enc_f64(out, d->window_seen), enc_f64(out, d->window_log), enc_f64(out, d->window_log2);
	enc_i64(out, d->window_ns), enc_i64(out, d->turned_ns), enc_i64(out, d->lately_ns), enc_i64(out, d->built_ns);
	enc_f64(out, d->shift);
	enc_i64(out, d->after_ns);
	counts_save(d->after, cells(d), out);
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
	stray_load(&d->stray, in);
	d->within = dec_f64(in), d->usual_s = dec_f64(in), d->usual_log = dec_f64(in);
	d->window_seen = dec_f64(in), d->window_log = dec_f64(in), d->window_log2 = dec_f64(in);
	d->window_ns = dec_i64(in), d->turned_ns = dec_i64(in), d->lately_ns = dec_i64(in);
	d->built_ns = dec_i64(in);
	d->shift = fmin(fmax(dec_f64(in), -1), 1);
	if (in->version > 1) {
		d->after_ns = dec_i64(in);
		counts_load(d->after, cells(d), in);
	}
	if (d->built_ns && total(d->usual, cells(d)) > 0) tables(d);
	return in->err;
}
