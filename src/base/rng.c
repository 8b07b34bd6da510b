#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

struct rng rng_fork(const struct rng *r, const char *name) {
	return rng_seeded(XXH3_64bits_withSeed(name, strlen(name), r->state));
}

/* Lemire: Fast random integer generation in an interval, 2019. Without bias. */
int64_t rng_below(struct rng *r, int64_t n) {
	assert(n >= 1);
	uint64_t bound = (uint64_t)n;
	unsigned __int128 m = (unsigned __int128)rng_next(r) * bound;
	if ((uint64_t)m < bound) {
		uint64_t least = -bound % bound;
		while ((uint64_t)m < least) m = (unsigned __int128)rng_next(r) * bound;
	}
	return (int64_t)(uint64_t)(m >> 64);
}

double rng_unit(struct rng *r) {
	return (double)(rng_next(r) >> 11) * 0x1p-53;
}

double rng_between(struct rng *r, double a, double b) {
	return a + (b - a) * rng_unit(r);
}

double rng_normal(struct rng *r) {
	double radius = sqrt(-2 * log1p(-rng_unit(r)));
	return radius * cos(2 * M_PI * rng_unit(r));
}

double rng_exponential(struct rng *r, double mean) {
	assert(mean > 0);
	return -mean * log1p(-rng_unit(r));
}
