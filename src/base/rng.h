/* Chance as a value: every module that needs it is handed one, seeded. splitmix64 (Steele, Lea,
 * Flood: Fast splittable pseudorandom number generators, 2014). Not for secrets. */
#pragma once

#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline struct rng rng_seeded(uint64_t seed) {
	return (struct rng){ seed };
}

static inline uint64_t rng_next(struct rng *r) {
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A stream of its own for each `name`: parts of a program that draw from separate streams do not
 * move one another's chance. */
struct rng rng_fork(const struct rng *r, const char *name);
int64_t rng_below(struct rng *r, int64_t n); /* 0..n-1; n >= 1 */
double rng_unit(struct rng *r);              /* [0, 1) */
double rng_between(struct rng *r, double a, double b);
double rng_normal(struct rng *r);                   /* mean 0, variance 1 (Box-Muller) */
double rng_exponential(struct rng *r, double mean); /* mean > 0 */
