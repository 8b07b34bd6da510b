#include "stream/grid.h"

#include <math.h>
#include <string.h>

#define GRID_EXPONENT_MIN (-13) /* 2^-13 s = 122 us */
#define OPEN_END          1.5   /* how far beyond the last bound, or below the first, a bucket is taken to reach */

/* The exponent and the two highest bits of the mantissa are the bucket. */
uint32_t grid_bucket(double seconds) {
	if (!(seconds > 0)) return 0;
	uint64_t bits;
	memcpy(&bits, &seconds, sizeof bits);
	int64_t at = (int64_t)(bits >> 50) - 4 * (1023 + GRID_EXPONENT_MIN);
	if (at < 0) return 0;
	return at + 1 < GRID_BUCKETS ? (uint32_t)at + 1 : GRID_BUCKETS - 1;
}

void grid_bounds(float *bounds) {
	for (int i = 0; i < GRID_BOUNDS; i++) bounds[i] = (float)ldexp(1 + 0.25 * (i % 4), GRID_EXPONENT_MIN + i / 4);
}

static double lower(const float *bounds, uint32_t count, uint32_t bucket) {
	if (!count) return 0;
	return bucket ? (double)bounds[bucket - 1] : (double)bounds[0] / OPEN_END;
}
static double upper(const float *bounds, uint32_t count, uint32_t bucket) {
	if (!count) return 0;
	return bucket < count ? (double)bounds[bucket] : (double)bounds[count - 1] * OPEN_END;
}

double bucket_middle(const float *bounds, uint32_t count, uint32_t bucket) {
	double lo = lower(bounds, count, bucket), hi = upper(bounds, count, bucket);
	return lo > 0 ? sqrt(lo * hi) : hi / 2; /* a first bound of 0 */
}

static double total(const float *weights, uint32_t count) {
	double sum = 0;
	for (uint32_t i = 0; i <= count; i++) sum += (double)weights[i];
	return sum;
}

/* Straight within a bucket: on a scale of logs it would be nicer, and cost a power each time. */
void histogram_quantiles(const float *bounds, uint32_t count, const float *weights, const double *q, double *out,
                         size_t n) {
	double all = total(weights, count), below = 0;
	size_t k = 0;
	for (uint32_t i = 0; i <= count && k < n && all > 0; i++) {
		double w = (double)weights[i];
		for (; k < n && w > 0 && below + w >= q[k] * all; k++) {
			double lo = lower(bounds, count, i), hi = upper(bounds, count, i), into = q[k] * all - below;
			out[k] = lo + (hi - lo) * (into > 0 ? into : 0) / w; /* fmax would be a call, and spill the sums */
		}
		below += w;
	}
	for (; k < n; k++) out[k] = all > 0 ? upper(bounds, count, count) : (double)NAN;
}

double histogram_quantile(const float *bounds, uint32_t count, const float *weights, double q) {
	double out;
	histogram_quantiles(bounds, count, weights, &q, &out, 1);
	return out;
}
