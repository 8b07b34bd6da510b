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

double bounds_cdf(const float *bounds, uint32_t count, const float *weights, double x) {
	double all = total(weights, count), below = 0;
	if (!(all > 0)) return 0;
	for (uint32_t i = 0; i <= count; i++) {
		double lo = lower(bounds, count, i), hi = upper(bounds, count, i);
		if (x < hi) {
			if (x > lo) below += (double)weights[i] * (lo > 0 ? log(x / lo) / log(hi / lo) : x / hi);
			break;
		}
		below += (double)weights[i];
	}
	return below / all;
}

double histogram_quantile(const float *bounds, uint32_t count, const float *weights, double q) {
	double want = q * total(weights, count), below = 0;
	if (!(total(weights, count) > 0)) return NAN;
	for (uint32_t i = 0; i <= count; i++) {
		double w = (double)weights[i];
		if (w > 0 && below + w >= want) {
			double lo = lower(bounds, count, i), hi = upper(bounds, count, i), part = (want - below) / w;
			return lo > 0 ? lo * pow(hi / lo, part) : hi * part;
		}
		below += w;
	}
	return upper(bounds, count, count);
}
