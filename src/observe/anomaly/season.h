/* What a level usually is at this time of day and week.
 *
 * expected = base + recent, where base is the profile of the day (48 bins of half an hour, straight
 * between their middles) as far as it is known, else the long-run mean; the day of the week moves
 * it once two weeks were seen; recent is how far the last half hour lay off the base. A young
 * profile leans on the mean (shrinkage by days / (days + 1/2)), so the first day works on recent
 * alone. Residuals beyond 2.5 of their spread count as 2.5 (Huber 1964), so that an outburst does not
 * bend the profile. Values are on a scale where noise is even (log of durations, square root of
 * counts); the caller transforms. Pure. */
#pragma once

#include "base/clock.h"
#include "base/codec.h"

#define SEASON_BINS 48

struct season {
	double recent, mean, variance;
	double seen_s; /* time learned from */
	float bins[SEASON_BINS], bin_s[SEASON_BINS];
	float days[7], day_s[7];
};

/* Expected value at a time (UTC); 0 and a wide spread while nothing was learned. */
double season_expect(const struct season *s, int64_t at_ns);
/* Likewise by the time of day and week alone, whatever the last half hour was like. */
double season_base(const struct season *s, int64_t at_ns);
double season_spread(const struct season *s); /* standard deviation of residuals */
/* `seconds`: how long the value held. */
void season_learn(struct season *s, int64_t at_ns, double value, double seconds);
/* The level has moved for good: recent follows at once. */
void season_adopt(struct season *s, int64_t at_ns, double value);
void season_save(const struct season *s, struct enc *out);
void season_load(struct season *s, struct dec *in);
