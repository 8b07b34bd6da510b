/* The shop by itself: theory, and ordinary life. */
#include "sim/shop.h"

#include <math.h>
#include <stdio.h>

#include "base/test.h"
#include "sim/shop_rig.h"

/* ---- queueing theory ---- */

/* Erlang C: the share of requests that wait, of c servers at load a = lambda / mu. */
static double erlang_c(int c, double a) {
	double term = 1, sum = 1;
	for (int k = 1; k < c; k++) sum += term *= a / k;
	double last = term * a / c * c / (c - a);
	return last / (sum + last);
}

static double measure(const struct shop_world *w, uint64_t seed, double hours) {
	struct rig r;
	rig_init(&r, w, seed);
	run_for(&r, 300);
	(void)shop_measured(r.shop, "one", "GET /");
	run_for(&r, hours * 3600);
	struct shop_measure m = shop_measured(r.shop, "one", "GET /");
	rig_done(&r);
	return m.seconds / (double)m.count;
}

static struct shop_world one_station(struct shop_service *one, struct shop_endpoint *endpoint, int workers,
                                     double mean_s, double rate) {
	static const struct shop_entry entry = { "one", "GET /", 1 };
	*one = (struct shop_service){ .name = "one",
		                          .deployment = "one",
		                          .language = "go",
		                          .replicas = 1,
		                          .workers = workers,
		                          .queue_max = 1000000,
		                          .start_up_s = 1,
		                          .memory_base = 10,
		                          .memory_limit = 100,
		                          .cpu_limit = 1,
		                          .endpoints = endpoint,
		                          .endpoint_count = 1 };
	*endpoint = (struct shop_endpoint){ .name = "GET /", .work = { .median = mean_s, .shape = SHOP_EXPONENTIAL } };
	return (struct shop_world){ .name = "one",
		                        .namespace_ = "one",
		                        .services = one,
		                        .service_count = 1,
		                        .entries = &entry,
		                        .entry_count = 1,
		                        .rate = rate,
		                        .nodes = 1,
		                        .span_ns = 5 * NS_PER_SEC,
		                        .metric_ns = 10 * NS_PER_SEC,
		                        .log_ns = NS_PER_SEC,
		                        .agent_ns = 10 * NS_PER_SEC,
		                        .sampling = 1,
		                        .customer_timeout_ns = 1000 * NS_PER_SEC };
}

TEST(latency_measured_is_what_queueing_theory_says) {
	static const struct {
		int workers;
		double load; /* a share of what the workers can do */
	} cases[] = { { 1, 0.5 }, { 1, 0.8 }, { 2, 0.8 }, { 8, 0.7 }, { 8, 0.9 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int c = cases[i].workers;
		double mean = 0.01, lambda = cases[i].load * c / mean, a = lambda * mean;
		double theory = mean + erlang_c(c, a) * mean / (c - a);
		struct shop_service one;
		struct shop_endpoint endpoint;
		struct shop_world w = one_station(&one, &endpoint, c, mean, lambda);
		double got = measure(&w, 1 + i, c == 1 ? 2.5 : 0.7);
		EXPECT_NEAR(got / theory, 1, 0.03);
	}
}

/* Pollaczek-Khinchine, for a lognormal: E[W] = lambda E[S^2] / (2 (1 - rho)). */
TEST(one_worker_with_heavy_work_waits_as_the_formula_says) {
	struct shop_service one;
	struct shop_endpoint endpoint;
	double sigma = 0.8, median = 0.008, mean = median * exp(sigma * sigma / 2),
		   square = median * median * exp(2 * sigma * sigma);
	double lambda = 0.6 / mean;
	struct shop_world w = one_station(&one, &endpoint, 1, mean, lambda);
	endpoint.work = (struct shop_time){ .median = median, .sigma = sigma };
	EXPECT_NEAR(measure(&w, 5, 2.5) / (mean + lambda * square / (2 * (1 - 0.6))), 1, 0.03);
}

/* ---- the built-in world ---- */

TEST(the_built_in_shop_serves_and_rests) {
	struct rig r;
	struct shop_world w = shop_builtin;
	w.deployments_day = 0;
	rig_init(&r, &w, t->seed);
	run_for(&r, 60 + 600);
	const struct shop_counts *c = shop_counts(r.shop);
	double per_second = (double)c->requests / 600;
	EXPECT(per_second > 40 && per_second < 160);
	EXPECT((double)c->failed / (double)c->requests < 0.005);
	EXPECT(c->spans > 8 * c->requests && c->spans < 30 * c->requests);
	for (size_t i = 0; i < w.service_count; i++) {
		int serving = 0;
		EXPECT(shop_pods(r.shop, w.services[i].name, &serving) == w.services[i].replicas);
		EXPECT(serving == w.services[i].replicas);
	}
	struct shop_measure m = shop_measured(r.shop, "frontend", "POST /checkout");
	EXPECT(m.count > 100 && m.seconds / (double)m.count > 0.08 && m.seconds / (double)m.count < 0.4);
	rig_done(&r);
}

TEST(the_same_seed_is_the_same_shop) {
	uint64_t hash[3];
	for (int i = 0; i < 3; i++) {
		struct rig r;
		rig_init(&r, &shop_builtin, i < 2 ? 7 : 8);
		run_for(&r, 180);
		hash[i] = r.trace.hash;
		rig_done(&r);
	}
	EXPECT(hash[0] == hash[1] && hash[0] != hash[2]);
}

TEST(a_rollout_by_people_loses_no_request) {
	struct rig r;
	struct shop_world w = shop_builtin;
	w.deployments_day = 24 * 12;
	rig_init(&r, &w, t->seed);
	run_for(&r, 60 + 3600);
	const struct shop_counts *c = shop_counts(r.shop);
	EXPECT(c->deployments > 3 && (double)c->failed / (double)c->requests < 0.006);
	rig_done(&r);
}

RUN(latency_measured_is_what_queueing_theory_says, one_worker_with_heavy_work_waits_as_the_formula_says,
    the_built_in_shop_serves_and_rests, the_same_seed_is_the_same_shop, a_rollout_by_people_loses_no_request)
