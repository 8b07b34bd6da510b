/* What a number of runs allows to say: order statistics where some never ended, and 95 % bounds of
 * shares and of rates. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bounds {
	double mean, low, high; /* NaN where nothing was seen */
};

/* Wilson's score interval of `hits` of `n` (E. B. Wilson, 1927), at 95 %. n == 0: NaN, 0, 1. */
struct bounds figures_share(int64_t hits, int64_t n);
/* Garwood's exact interval of a Poisson rate (F. Garwood, 1936), at 95 %: `count` seen in `exposure`, in
 * counts a unit of exposure. No exposure: NaN, 0, infinity. */
struct bounds figures_rate(int64_t count, double exposure);

/* `n` times, of which those that never came are INFINITY; sorted in place. The median is the mean of
 * the middle two, a quantile the nearest rank: so that «never» among them is never averaged away.
 * n == 0: NaN. */
double figures_median(double *times, size_t n);
double figures_quantile(double *times, size_t n, double q); /* 0 < q <= 1; 1 is the worst */
