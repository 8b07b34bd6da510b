/* Durations in buckets: the one grid for spans, and arithmetic over any list of bounds.
 *
 * The grid has four buckets an octave (each about 19 % wide, linear within the octave, as in
 * HdrHistogram), from 122 us to 24 s; bucket 0 takes what is shorter, the last what is longer.
 * A histogram metric keeps its own bounds. Bounds are upper bounds in seconds, rising; counts have
 * one more entry, for what lies above the last. Pure functions. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GRID_BUCKETS 72
#define GRID_BOUNDS  (GRID_BUCKETS - 1)
#define BOUNDS_MAX   160 /* of a histogram metric; one with more is left out, and counted */

uint32_t grid_bucket(double seconds);
/* Fills `bounds` (GRID_BOUNDS of them). */
void grid_bounds(float *bounds);

/* A duration typical of the bucket, seconds: the geometric middle of its bounds. */
double bucket_middle(const float *bounds, uint32_t count, uint32_t bucket);
/* Several at once, `q` rising. */
void histogram_quantiles(const float *bounds, uint32_t count, const float *weights, const double *q, double *out,
                         size_t n);
/* The duration below which the share `q` of the weight lies; NaN when all is empty. */
double histogram_quantile(const float *bounds, uint32_t count, const float *weights, double q);
