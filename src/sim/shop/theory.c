#include "sim/shop/theory.h"

#include <complex.h>
#include <math.h>

#define SUM_TERMS   15   /* EULER: terms summed plainly, */
#define EULER_TERMS 11   /* and averaged with binomial weights (the paper's own numbers) */
#define ACCURACY    18.4 /* A: the error of discretisation is exp(-A), 1e-8 */
#define NORMAL_MAX  8.5  /* sigmas over which a lognormal is integrated */
#define NORMAL_STEP 0.02

/* ---- M/M/c ---- */

double theory_erlang_c(int servers, double a) {
	double term = 1, sum = 1;
	for (int k = 1; k < servers; k++) sum += term *= a / k;
	double last = term * a / servers * servers / (servers - a);
	return last / (sum + last);
}

double theory_mmc_mean(int servers, double lambda, double mu) {
	return 1 / mu + theory_erlang_c(servers, lambda / mu) / (servers * mu - lambda);
}

/* Gross et al. 2.3: waiting is exponential with the rate at which all servers together get ahead, or none at all; then
 * work. */
double theory_mmc_longer(int servers, double lambda, double mu, double t) {
	double c = theory_erlang_c(servers, lambda / mu), drain = servers * mu - lambda, gap = drain - mu;
	if (fabs(gap) < 1e-9 * mu) return exp(-mu * t) * (1 + c * mu * t);
	return exp(-mu * t) * (1 + c * mu * (1 - exp(-gap * t)) / gap);
}

/* ---- M/G/1 ---- */

double theory_work_mean(const struct theory_work *w) {
	return w->shape == THEORY_LOGNORMAL ? w->scale * exp(w->sigma * w->sigma / 2) : w->scale;
}

static double work_square(const struct theory_work *w) { /* E[S^2] */
	if (w->shape == THEORY_LOGNORMAL) return w->scale * w->scale * exp(2 * w->sigma * w->sigma);
	return w->scale * w->scale * (w->shape == THEORY_EXPONENTIAL ? 2 : 1);
}

double theory_mg1_mean(double lambda, const struct theory_work *w) {
	double mean = theory_work_mean(w);
	return mean + lambda * work_square(w) / (2 * (1 - lambda * mean));
}

/* E[exp(-s S)]; of a lognormal by the trapezoid rule, which is as good as exact for a Gaussian weight. */
static double complex work_transform(const struct theory_work *w, double complex s) {
	if (w->shape == THEORY_EXPONENTIAL) return 1 / (1 + s * w->scale);
	double complex sum = 0;
	for (double z = -NORMAL_MAX; z <= NORMAL_MAX; z += NORMAL_STEP)
		sum += exp(-z * z / 2) * cexp(-s * w->scale * exp(w->sigma * z));
	return sum * NORMAL_STEP / sqrt(2 * M_PI);
}

/* The transform of the share that takes longer, (1 - T(s)) / s, with Pollaczek-Khinchine's T. */
static double complex longer_transform(double lambda, const struct theory_work *w, double complex s) {
	double rho = lambda * theory_work_mean(w);
	double complex b = work_transform(w, s), t = (1 - rho) * s * b / (s - lambda + lambda * b);
	return (1 - t) / s;
}

/* Erlang's sum. It has a jump and kinks, at which the inversion of a transform is poor. */
static double md1_waits(double lambda, double d, double t) {
	if (t < 0) return 1;
	double sum = 0, rho = lambda * d;
	for (int k = 0; k * d <= t; k++) { /* [lambda (kd - t)]^k / k! exp(-lambda (kd - t)) */
		double x = lambda * (k * d - t), term = exp(-x);
		for (int i = 1; i <= k; i++) term *= x / i;
		sum += term;
	}
	return 1 - (1 - rho) * sum;
}

double theory_mg1_longer(double lambda, const struct theory_work *w, double t) {
	if (w->shape == THEORY_CONSTANT) return md1_waits(lambda, w->scale, t - w->scale);
	double sum = 0, average = 0, weight = pow(2, -EULER_TERMS), half = exp(ACCURACY / 2) / t;
	for (int k = 0; k <= SUM_TERMS + EULER_TERMS; k++) {
		double complex s = (ACCURACY + 2 * k * M_PI * I) / (2 * t);
		double term = creal(longer_transform(lambda, w, s)) * half;
		sum += k ? (k % 2 ? -term : term) : term / 2;
		int j = k - SUM_TERMS;
		if (j < 0) continue;
		average += weight * sum;
		weight *= (double)(EULER_TERMS - j) / (j + 1);
	}
	return average;
}

double theory_quantile(double (*longer)(const void *arg, double t), const void *arg, double q) {
	double low = 0, high = 1e-3;
	while (longer(arg, high) > 1 - q) high *= 2;
	for (int i = 0; i < 60; i++) {
		double mid = (low + high) / 2;
		if (longer(arg, mid) > 1 - q)
			low = mid;
		else
			high = mid;
	}
	return high;
}
