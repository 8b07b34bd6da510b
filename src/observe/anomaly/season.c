#include "observe/anomaly/season.h"

#include <math.h>
#include <string.h>

#define DAY_S          86400
#define BIN_S          ((double)DAY_S / SEASON_BINS)
#define RECENT_S       1800.0        /* memory of `recent` */
#define MEAN_S         (7.0 * DAY_S) /* of the long-run mean */
#define SPREAD_S       (12.0 * 3600) /* of the residuals' variance */
#define BIN_DAYS_MAX   10.0          /* visits after which a bin forgets the oldest */
#define DAYS_KNOWN     1.5           /* visits of a weekday before it counts */
#define PROFILE_FROM_S (20.0 * 3600)
#define PROFILE_FADE_S (4.0 * 3600)
#define HUBER          2.5
#define YOUNG_S        120.0

static double day_share(int64_t at_ns) {
	return (double)((at_ns / NS_PER_SEC) % DAY_S) / BIN_S;
}
static int weekday(int64_t at_ns) {
	return (int)((at_ns / NS_PER_DAY) % 7);
}

/* One bin's word, leaning on the mean while it is young. A day that is not over has no profile: bins
 * that were seen would stand against bins that were not. */
static double bin_value(const struct season *s, int bin) {
	double visits = (double)s->bin_s[bin] / BIN_S, known = visits / (visits + 0.5);
	known *= fmin(fmax((s->seen_s - PROFILE_FROM_S) / PROFILE_FADE_S, 0), 1);
	return known * (double)s->bins[bin] + (1 - known) * s->mean;
}

static double of_day(const struct season *s, int64_t at_ns) {
	double x = day_share(at_ns) - 0.5;
	int left = (int)floor(x), right = left + 1;
	double part = x - left;
	return (1 - part) * bin_value(s, (left + SEASON_BINS) % SEASON_BINS) + part * bin_value(s, right % SEASON_BINS);
}

static double base(const struct season *s, int64_t at_ns) {
	double value = of_day(s, at_ns);
	int d = weekday(at_ns);
	double visits = (double)s->day_s[d] / DAY_S;
	return visits < DAYS_KNOWN ? value : value + (double)s->days[d] * visits / (visits + 2);
}

double season_expect(const struct season *s, int64_t at_ns) {
	return s->seen_s > 0 ? base(s, at_ns) + s->recent : 0;
}

double season_base(const struct season *s, int64_t at_ns) {
	return s->seen_s > 0 ? base(s, at_ns) : 0;
}

double season_spread(const struct season *s) {
	return sqrt(s->variance);
}

/* The step of an average over `memory` seconds, quicker while it is young. */
static double step(double seconds, double memory, double seen) {
	return seconds / fmin(memory, seen + seconds);
}

/* The value as far as it is believed. */
static double tamed(const struct season *s, int64_t at_ns, double value) {
	if (!(s->seen_s > YOUNG_S)) return value;
	double expected = season_expect(s, at_ns), limit = HUBER * fmax(season_spread(s), 1e-9 + 1e-3 * fabs(value));
	return expected + fmax(fmin(value - expected, limit), -limit);
}

void season_learn(struct season *s, int64_t at_ns, double value, double seconds) {
	if (!(s->seen_s > 0)) s->mean = value;
	double tame = tamed(s, at_ns, value);
	double held = s->seen_s > 0 ? tame - season_expect(s, at_ns) : 0;

	s->variance += step(seconds, SPREAD_S, s->seen_s) * (held * held - s->variance);
	s->mean += step(seconds, MEAN_S, s->seen_s) * (tame - s->mean);
	int bin = (int)day_share(at_ns), day = weekday(at_ns);
	double bin_memory = BIN_DAYS_MAX * BIN_S;
	double off_day = tame - of_day(s, at_ns) - (double)s->days[day];
	s->bins[bin] += (float)(step(seconds, bin_memory, (double)s->bin_s[bin]) * (tame - (double)s->bins[bin]));
	s->days[day] += (float)(step(seconds, 4.0 * DAY_S, (double)s->day_s[day]) * off_day);
	s->bin_s[bin] = fminf(s->bin_s[bin] + (float)seconds, (float)bin_memory);
	s->day_s[day] = fminf(s->day_s[day] + (float)seconds, 8.0f * DAY_S);
	s->seen_s += seconds;
	s->recent += step(seconds, RECENT_S, s->seen_s) * (tame - base(s, at_ns) - s->recent);
}

void season_adopt(struct season *s, int64_t at_ns, double value) {
	s->recent = value - base(s, at_ns);
}

void season_save(const struct season *s, struct enc *out) {
	enc_f64(out, s->recent), enc_f64(out, s->mean), enc_f64(out, s->variance), enc_f64(out, s->seen_s);
	for (int i = 0; i < SEASON_BINS; i++) enc_f32(out, s->bins[i]), enc_f32(out, s->bin_s[i]);
	for (int i = 0; i < 7; i++) enc_f32(out, s->days[i]), enc_f32(out, s->day_s[i]);
}

void season_load(struct season *s, struct dec *in) {
	*s = (struct season){ 0 };
	s->recent = dec_f64(in), s->mean = dec_f64(in), s->variance = dec_f64(in), s->seen_s = dec_f64(in);
	for (int i = 0; i < SEASON_BINS; i++) s->bins[i] = dec_f32(in), s->bin_s[i] = dec_f32(in);
	for (int i = 0; i < 7; i++) s->days[i] = dec_f32(in), s->day_s[i] = dec_f32(in);
}
