/* What queueing theory says of a station: the yardstick of the simulated shop's latencies. Pure; seconds and rates a
 * second.
 *
 * Sources: D. Gross, J. Shortle, J. Thompson, C. Harris, "Fundamentals of Queueing Theory", 4th ed., 2008 (M/M/c:
 * section 2.3; M/G/1: sections 5.1.2 and 5.1.5); A. K. Erlang, "The theory of probabilities and telephone
 * conversations", 1909 (M/D/1); J. Abate, W. Whitt, "Numerical inversion of Laplace transforms of probability
 * distributions", ORSA J. on Computing 7 (1995) (algorithm EULER). Test code: only tests include it. */
#pragma once

/* Erlang C: the share of requests that wait, of `servers` at offered load `a` = lambda / mu < servers. */
double theory_erlang_c(int servers, double a);
/* M/M/c, first come first served: mean of the time from arrival to answer, and the share that takes longer than `t`. */
double theory_mmc_mean(int servers, double lambda, double mu);
double theory_mmc_longer(int servers, double lambda, double mu, double t);

struct theory_work { /* of M/G/1 */
	enum { THEORY_EXPONENTIAL, THEORY_CONSTANT, THEORY_LOGNORMAL } shape;
	double scale; /* the mean; LOGNORMAL: the median */
	double sigma; /* LOGNORMAL: of the logarithm */
};
double theory_work_mean(const struct theory_work *w);
/* Pollaczek-Khinchine: the mean, by the formula; the share that takes longer, by inverting the transform (of constant
 * work, M/D/1, by Erlang's sum). */
double theory_mg1_mean(double lambda, const struct theory_work *w);
double theory_mg1_longer(double lambda, const struct theory_work *w, double t);

/* The time that a share `q` does not exceed: `longer(arg, t)` falls from 1 to 0. */
double theory_quantile(double (*longer)(const void *arg, double t), const void *arg, double q);
