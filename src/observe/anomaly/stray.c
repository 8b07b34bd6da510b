#include "observe/anomaly/stray.h"

#include <math.h>

#define MEMORY       4000.0 /* windows */
#define PRIOR        20.0   /* windows' worth of taking it for one that wanders by a sixteenth */
#define PRIOR_SPREAD 0.06
#define PHI_MAX      0.98
#define OUTLIER      4.0 /* spreads beyond which a residual counts as so many */
#define GAP          3   /* windows that may be missing before what was is forgotten */

static double variance(const struct stray *s) {
	return (s->square + PRIOR * PRIOR_SPREAD * PRIOR_SPREAD) / (s->windows + PRIOR);
}

static double phi(const struct stray *s) {
	if (!(s->square > 0)) return 0;
	return fmin(fmax(s->lag / (s->square + 1e-12), 0), PHI_MAX);
}

double stray_spread(const struct stray *s) {
	return sqrt(variance(s));
}

double stray_now(const struct stray *s) {
	return phi(s) * s->off;
}

double stray_var(const struct stray *s) {
	double f = phi(s), v = variance(s);
	return fmin(f * f * s->off_var + (1 - f * f) * v, v);
}

static void moments(struct stray *s, double held, double noise, bool neighbours) {
	double keep = s->windows < MEMORY ? 1 : 1 - 1 / MEMORY;
	s->square = fmax(s->square * keep + held * held - noise, 0);
	s->windows = s->windows * keep + 1;
	if (neighbours) s->lag = s->lag * keep + held * s->last;
}

void stray_learn(struct stray *s, double residual, double noise, int64_t at_ns, int64_t window_ns) {
	bool neighbours = s->last_ns && at_ns - s->last_ns <= GAP * window_ns;
	double limit = OUTLIER * sqrt(variance(s) + noise), held = residual;
	if (s->windows > PRIOR) held = fmax(fmin(residual, limit), -limit);
	if (!neighbours) {
		s->off = 0;
		s->off_var = variance(s);
	}
	double ahead = stray_now(s), ahead_var = stray_var(s);
	double gain = ahead_var > 0 ? ahead_var / (ahead_var + noise) : 0;
	s->off = ahead + gain * (held - ahead);
	s->off_var = (1 - gain) * ahead_var;
	moments(s, held, noise, neighbours);
	s->last = held;
	s->last_ns = at_ns;
}

void stray_save(const struct stray *s, struct enc *out) {
	enc_f64(out, s->square), enc_f64(out, s->lag), enc_f64(out, s->windows);
	enc_f64(out, s->off), enc_f64(out, s->off_var), enc_f64(out, s->last), enc_i64(out, s->last_ns);
}

void stray_load(struct stray *s, struct dec *in) {
	s->square = dec_f64(in), s->lag = dec_f64(in), s->windows = dec_f64(in);
	s->off = dec_f64(in), s->off_var = dec_f64(in), s->last = dec_f64(in), s->last_ns = dec_i64(in);
}
