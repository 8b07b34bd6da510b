#include "observe/anomaly/level.h"

#include <math.h>

#define ONSET_SCORE     0.4 /* below, no change is dated */
#define QUICK_S         1800.0
#define SLOW_S          (6.0 * 3600)
#define SPREAD_S        (6.0 * 3600)
#define LEVEL_FLOOR     0.004 /* of the scale: the least spread that is believed */
#define LATELY          0.4
#define IN_BAND_LIMIT   0.01 /* of the limit: half of what makes a leak */
#define IN_BAND_SPREADS 1.0  /* well inside: what climbs slowly would else go in and out */
#define CLIMB_FEW       2.1
#define CLIMB_ALL       3.0
#define CLIMB_SINCE     1.5
#define POOL_READY      60.0
#define POOL_MEMORY     5000.0
#define POOL_APART      0.15
#define POOL_SPREADS    3.0
#define Z_MAX           6.0
#define DELTA_QUICK     2.0
#define DELTA_SLOW      2.0
#define DELTA_FAR       4.0
#define HIGHEST_HALF_S  (24.0 * 3600)

static double step(double seconds, double memory, double seen) {
	return fmin(seconds / fmin(memory, seen + seconds), 1);
}

/* Spread of the gauge against a level that follows it. */
static double spread(const struct level_watch *w, double scale) {
	return fmax(sqrt(w->spread2), LEVEL_FLOOR * fabs(scale));
}

static double shift_llr(double z, double delta) {
	z = fmin(fmax(z, -Z_MAX), Z_MAX);
	return delta * z - delta * delta / 2;
}

static void learn(struct level_watch *w, double value, double sd, double seconds) {
	double off = value - w->quick, held = fmax(fmin(off, 3 * sd), -3 * sd);
	if (w->seen_s < 300) held = off;
	/* Differences of neighbours, so that a slow drift is no spread; half of their square is the variance. */
	double jump = value - w->last, square = fmin(jump * jump / 2, 16 * sd * sd);
	if (w->count > 1) w->spread2 += step(seconds, SPREAD_S, w->seen_s) * (square - w->spread2);
	w->quick += step(seconds, QUICK_S, w->seen_s) * held;
	w->slow += step(seconds, SLOW_S, w->seen_s) *
	           (w->seen_s < 300 ? value - w->slow : fmax(fmin(value - w->slow, 3 * sd), -3 * sd));
	w->highest = fmax(w->highest * exp2(-seconds / HIGHEST_HALF_S), value);
	w->seen_s += seconds;
}

/* Copies differ a little for good, and a cold one stands lower. */
static bool at_home(const struct level_pool *p, double value, double scale) {
	if (!p || p->n < POOL_READY) return false;
	double sd = sqrt(p->variance + p->spread2) + LEVEL_FLOOR * fabs(scale);
	return value <= p->mean + fmax(POOL_SPREADS * sd, POOL_APART * fabs(p->mean));
}

static void level_begin(struct level_watch *w, const struct level_pool *pool, double value, double scale,
                        int64_t at_ns) {
	w->first_ns = at_ns;
	w->quick = w->slow = w->last = w->lately = w->highest = value;
	if (!at_home(pool, value, scale)) return;
	w->quick = w->slow = fmax(value, pool->mean); /* a cold one will warm up to where the others are */
	w->spread2 = pool->spread2;
	w->seen_s = 2 * LEVEL_YOUNG_S;
}

void level_pool_learn(struct level_pool *p, const struct level_watch *w) {
	if (w->seen_s <= LEVEL_YOUNG_S) return;
	p->n = fmin(p->n + 1, POOL_MEMORY);
	double off = w->last - p->mean;
	p->mean += off / p->n;
	p->variance += (off * off - p->variance) / p->n;
	p->spread2 += (w->spread2 - p->spread2) / p->n;
}

void level_feed(struct level_watch *w, const struct evidence_opts *o, const struct level_pool *pool, double value,
                double scale, int64_t at_ns, int64_t received_ns, bool quiet) {
	double seconds = w->last_ns && at_ns > w->last_ns ? fmin((double)(at_ns - w->last_ns) / 1e9, 300) : 0;
	if (!w->first_ns) level_begin(w, pool, value, scale, at_ns);
	double sd = spread(w, scale);
	if (w->seen_s > LEVEL_YOUNG_S) {
		struct increment inc = { .from_ns = at_ns, .to_ns = at_ns, .received_ns = received_ns, .seen = 1 };
		inc.llr[0] = shift_llr((value - w->quick) / sd, DELTA_QUICK);
		inc.llr[1] = shift_llr((value - w->slow) / sd, DELTA_SLOW);
		inc.llr[2] = shift_llr((value - w->slow) / sd, DELTA_FAR);
		evidence_feed(&w->evidence, o, &inc, quiet);
	}
	w->values[w->count % LEVEL_SAMPLES] = (float)value;
	w->times_ns[w->count++ % LEVEL_SAMPLES] = at_ns;
	w->lately += LATELY * (value - w->lately);
	if (quiet || w->seen_s <= LEVEL_YOUNG_S) learn(w, value, sd, seconds); /* a new one has nothing to keep */
	w->last = value;
	w->last_ns = at_ns;
}

struct verdict level_judge(const struct level_watch *w, const struct evidence_opts *o) {
	struct verdict v = { .value = w->last,
		                 .expected = NAN,
		                 .low = NAN,
		                 .high = NAN,
		                 .onset_sd_s = NAN,
		                 .ready = w->seen_s > LEVEL_YOUNG_S };
	if (!v.ready) return v;
	double sd = fmax(sqrt(w->spread2), LEVEL_FLOOR * fabs(w->quick));
	v.expected = w->quick;
	v.low = v.expected - 4 * sd;
	v.high = v.expected + 4 * sd;
	v.score = evidence_score(&w->evidence, o, &v.which);
	if (v.which > 0) v.expected = w->slow;
	if (v.score < ONSET_SCORE) return v;
	v.onset_ns = evidence_onset(&w->evidence, o, v.which, &v.onset_sd_s);
	v.delivered_ns = w->evidence.cusums[v.which].delivered_ns;
	return v;
}

struct verdict level_after(const struct level_watch *w, double limit) {
	double usual = fmin(w->quick, w->slow), sd = spread(w, usual);
	struct verdict v = {
		.value = w->lately, .expected = usual, .low = NAN, .high = NAN, .onset_sd_s = NAN, .ready = true
	};
	if (w->seen_s <= LEVEL_YOUNG_S) return v;
	v.high = usual + fmax(IN_BAND_SPREADS * sd, limit > 0 ? IN_BAND_LIMIT * limit : 0);
	v.score = v.high > 0 ? v.value / v.high : 0;
	return v;
}

struct line {
	double slope, error; /* per second; error from the spread of the gauge */
	uint32_t n;
};

/* Least squares over the samples from `from_ns` on. */
static struct line line_fit(const struct level_watch *w, int64_t from_ns, double sd) {
	double st = 0, sx = 0, stt = 0, stx = 0;
	struct line l = { .n = 0 };
	uint32_t held = w->count < LEVEL_SAMPLES ? w->count : LEVEL_SAMPLES;
	for (uint32_t i = 0; i < held; i++) {
		double t = (double)(w->times_ns[i] - w->last_ns) / 1e9, x = (double)w->values[i];
		if (w->times_ns[i] < from_ns) continue;
		st += t, sx += x, stt += t * t, stx += t * x;
		l.n++;
	}
	double dt = l.n ? stt - st * st / l.n : 0;
	if (!(dt > 0)) return (struct line){ .n = l.n };
	l.slope = (stx - st * sx / l.n) / dt;
	l.error = sd / sqrt(dt);
	return l;
}

static double steepness(struct line l) {
	return l.error > 0 ? l.slope / l.error : 0;
}

/* What stepped up and stays there does not climb: all that is held must rise, and what came since there is
 * evidence must rise too. Few samples must differ plainly. */
static bool climbs(struct line since, struct line all) {
	if (since.n < 4) return since.n >= 2 && steepness(since) > CLIMB_FEW;
	return steepness(all) > CLIMB_ALL && steepness(since) > CLIMB_SINCE;
}

struct level_outlook level_look(const struct level_watch *w, double limit) {
	struct level_outlook l = { .runs_out_s = NAN };
	double sd = spread(w, limit > 0 ? limit : w->quick);
	int64_t since_ns = 0;
	for (int a = 0; a < ALTERNATIVES; a++) {
		int64_t x = w->evidence.cusums[a].since_ns;
		if (x && (!since_ns || x < since_ns)) since_ns = x;
	}
	struct line all = line_fit(w, 0, sd), since = line_fit(w, since_ns, sd);
	struct line best = since.n >= 2 ? since : all;
	l.climbs = climbs(since, all);
	l.slope_per_s = best.slope;
	if (best.slope > 0 && limit > 0) l.runs_out_s = fmax(limit - w->last, 0) / best.slope;
	return l;
}

void level_adopt(struct level_watch *w) {
	w->quick = w->slow = w->last;
	evidence_clear(&w->evidence);
}

void level_save(const struct level_watch *w, struct enc *out) {
	evidence_save(&w->evidence, out);
	enc_f64(out, w->quick), enc_f64(out, w->slow), enc_f64(out, w->spread2), enc_f64(out, w->seen_s);
	enc_f64(out, w->last), enc_f64(out, w->lately), enc_f64(out, w->highest);
	enc_i64(out, w->last_ns), enc_i64(out, w->first_ns);
	enc_u32(out, w->count), enc_u8(out, w->rank);
	for (int i = 0; i < LEVEL_SAMPLES; i++) enc_f32(out, w->values[i]), enc_i64(out, w->times_ns[i]);
}

void level_load(struct level_watch *w, struct dec *in) {
	*w = (struct level_watch){ 0 };
	evidence_load(&w->evidence, in);
	w->quick = dec_f64(in), w->slow = dec_f64(in), w->spread2 = dec_f64(in), w->seen_s = dec_f64(in);
	w->last = dec_f64(in), w->lately = dec_f64(in), w->highest = dec_f64(in);
	w->last_ns = dec_i64(in), w->first_ns = dec_i64(in);
	w->count = dec_u32(in), w->rank = dec_u8(in);
	for (int i = 0; i < LEVEL_SAMPLES; i++) w->values[i] = dec_f32(in), w->times_ns[i] = dec_i64(in);
}
