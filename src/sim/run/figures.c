#include "sim/run/figures.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define Z95     1.959963984540054
#define TAIL    0.025
#define HALVING 200 /* far below the last bit of a double */

struct bounds figures_share(int64_t hits, int64_t n) {
	assert(hits >= 0 && hits <= n);
	if (!n) return (struct bounds){ NAN, 0, 1 };
	double count = (double)n, p = (double)hits / count, z2 = Z95 * Z95;
	double centre = (p + z2 / (2 * count)) / (1 + z2 / count);
	double half = Z95 / (1 + z2 / count) * sqrt(p * (1 - p) / count + z2 / (4 * count * count));
	return (struct bounds){ p, hits ? centre - half : 0, hits < n ? centre + half : 1 };
}

/* P(X <= k) of a Poisson variable: summed from the largest term down, so that nothing underflows early. */
static double poisson_at_most(int64_t k, double mean) {
	double sum = 0;
	for (int64_t i = 0; i <= k; i++) sum += exp((double)i * log(mean) - mean - lgamma((double)i + 1));
	return sum;
}

/* The mean at which P(X <= k) is `tail`: it falls as the mean grows. */
static double poisson_mean(int64_t k, double tail) {
	double low = 1e-12, high = 10 + 4 * (double)k;
	for (int i = 0; i < HALVING; i++) {
		double middle = (low + high) / 2;
		if (poisson_at_most(k, middle) > tail)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

struct bounds figures_rate(int64_t count, double exposure) {
	assert(count >= 0 && exposure >= 0);
	if (exposure <= 0) return (struct bounds){ NAN, 0, INFINITY };
	double low = count ? poisson_mean(count - 1, 1 - TAIL) : 0;
	return (struct bounds){ (double)count / exposure, low / exposure, poisson_mean(count, TAIL) / exposure };
}

static int by_value(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double figures_median(double *times, size_t n) {
	if (!n) return NAN;
	qsort(times, n, sizeof *times, by_value);
	return n % 2 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
}

double figures_quantile(double *times, size_t n, double q) {
	assert(q > 0 && q <= 1);
	if (!n) return NAN;
	qsort(times, n, sizeof *times, by_value);
	size_t rank = (size_t)ceil(q * (double)n - 1e-9); /* 0.9 * 10 is not quite 9 */
	return times[rank ? rank - 1 : 0];
}
