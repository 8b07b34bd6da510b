/* How far whole windows stray from what was expected of them, and for how long.
 *
 * Load, neighbours and caches move everything for a while, without anything being wrong. The residual of a
 * window is taken as an autoregressive wander (order 1) seen through the noise of its sample: variance
 * and lag-1 correlation are learned by moments, the wander itself is followed by a scalar Kalman filter.
 * So what was off a moment ago is expected to be off still, only a jump beyond what wanders is news,
 * and how many requests count as one follows from how unsure the wander is. Pure. */
#pragma once

#include "base/clock.h"
#include "base/codec.h"

struct stray {
	double square, lag, windows; /* aged sums: residual squared less its noise, product of neighbours */
	double off, off_var;         /* the wander now, and how unsure it is */
	double last;                 /* residual of the window before */
	int64_t last_ns;
};

/* `noise`: variance of the residual that its sample size explains. `window_ns`: the time between two. */
void stray_learn(struct stray *s, double residual, double noise, int64_t at_ns, int64_t window_ns);
double stray_now(const struct stray *s);    /* expected residual of what comes next */
double stray_var(const struct stray *s);    /* its variance */
double stray_spread(const struct stray *s); /* standard deviation of the wander as a whole */
void stray_save(const struct stray *s, struct enc *out);
void stray_load(struct stray *s, struct dec *in);
