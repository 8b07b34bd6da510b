/* Does a gauge of one instance stand where it should? CPU of a service, memory of a pod.
 *
 * Two levels are followed: one with half an hour of memory, one with six hours, so that both a quick
 * rise and a slow leak stand out from what they were. Residuals are in units of their own spread
 * (floor: LEVEL_FLOOR of the scale, so that an idle gauge has no spread of nothing). Alternatives: 2
 * spreads above the quick level, 2 and 4 above the slow one, each bounded. Whether a level that is too
 * high matters is told by where it leads: the slope over the last samples and when it reaches
 * the limit. Pure. */
#pragma once

#include "observe/anomaly/duration.h"

#define LEVEL_SAMPLES 24
#define LEVEL_YOUNG_S 420.0 /* a young instance warms up: nothing is said of it but near the limit */

struct level_watch {
	struct evidence evidence;
	double quick, slow, spread2; /* levels, variance of residuals */
	double seen_s, last, lately; /* lately: over about three samples */
	int64_t last_ns, first_ns;
	float values[LEVEL_SAMPLES]; /* newest at (count - 1) % LEVEL_SAMPLES */
	int64_t times_ns[LEVEL_SAMPLES];
	uint32_t count;
	uint8_t rank;   /* of the metric; the caller's */
	double highest; /* in quiet times, ageing */
};

/* What copies of one service have in common: where they stand, how that varies among them and over days, and
 * the spread of one. A new copy that stands there too need not be young. */
struct level_pool {
	uint8_t rank; /* of the metric that it is of */
	double n;     /* samples, ageing */
	double mean, variance, spread2;
};
void level_pool_learn(struct level_pool *p, const struct level_watch *w);

struct level_outlook {
	double slope_per_s; /* of the last samples */
	bool climbs;        /* by more than chance */
	double runs_out_s;  /* until the limit at that slope; NaN: it does not, or no limit is known */
};

/* `pool` may be NULL. */
void level_feed(struct level_watch *w, const struct evidence_opts *o, const struct level_pool *pool, double value,
                double scale, int64_t at_ns, int64_t received_ns, bool quiet);
struct verdict level_judge(const struct level_watch *w, const struct evidence_opts *o);
struct level_outlook level_look(const struct level_watch *w, double limit); /* of the samples since it began to rise */
/* Where what is lately stands, against where it should; score: 1 at the edge. Of a young one, which replaces what
 * was out of band: within. `limit`: not above 0, or NaN, is none. */
struct verdict level_after(const struct level_watch *w, double limit);
void level_adopt(struct level_watch *w);
void level_save(const struct level_watch *w, struct enc *out);
void level_load(struct level_watch *w, struct dec *in);
