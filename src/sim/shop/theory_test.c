/* The shop's own stations against queueing theory: mean and p99 of what requests take, within 3 %.
 *
 * Each case runs the shop itself (its customers, pods, queues, workers, databases) with one station in it. The samples
 * are so many that chance moves the measured p99 by about one percent at these loads, so 3 % is a bound on the
 * simulation. */
#include <math.h>
#include <stdio.h>

#include "base/test.h"
#include "sim/memory.h"
#include "sim/shop/rig.h"
#include "sim/shop/theory.h"

#define TOLERANCE 0.03
#define WARM_S    300
#define BIN       0.0005 /* of the logarithm: what the p99 is rounded by */
#define BINS      40000  /* from e^-15 s to e^5 s */

/* ---- measuring ---- */

struct sample {
	double mean, p99;
	uint64_t count;
};

/* One moment after another: what an endpoint measured since the one before is one request's time. */
static struct sample measure(const struct shop_world *w, uint64_t seed, uint64_t requests) {
	struct rig r;
	uint32_t *bins = must_array(BINS, sizeof *bins), above = 0;
	double sum = 0;
	struct sample s = { 0 };
	rig_init(&r, w, seed);
	while (r.queue.now_ns < WARM_S * NS_PER_SEC && sim_queue_next(&r.queue, INT64_MAX)) r.trace.now_ns = r.queue.now_ns;
	(void)shop_measured(r.shop, "one", "GET /");
	while (s.count < requests && sim_queue_next(&r.queue, INT64_MAX)) {
		r.trace.now_ns = r.queue.now_ns;
		struct shop_measure m = shop_measured(r.shop, "one", "GET /");
		if (!m.count) continue;
		assert(m.count == 1 && !m.failed);
		double bin = (log(m.seconds) + 15) / BIN;
		bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : (size_t)bin]++;
		sum += m.seconds;
		s.count++;
	}
	size_t at = BINS;
	while (at > 0 && above + bins[at - 1] <= s.count / 100) above += bins[--at];
	s.mean = sum / (double)s.count;
	s.p99 = exp((double)at * BIN - 15);
	free(bins);
	rig_done(&r);
	return s;
}

/* ---- one station ---- */

struct station {
	struct shop_service one;
	struct shop_endpoint endpoint;
	struct shop_call call;
	struct shop_database db;
	struct shop_world world;
};

static const struct shop_entry customers = { "one", "GET /", 1 };

static void station_init(struct station *s, int workers, double rate, struct shop_time work) {
	*s = (struct station){ .endpoint = { .name = "GET /", .work = work } };
	s->one = (struct shop_service){ .name = "one",
		                            .deployment = "one",
		                            .language = "go",
		                            .replicas = 1,
		                            .workers = workers,
		                            .queue_max = 1000000,
		                            .start_up_s = 1,
		                            .memory_base = 10,
		                            .memory_limit = 100,
		                            .cpu_limit = 1,
		                            .endpoints = &s->endpoint,
		                            .endpoint_count = 1 };
	s->world = (struct shop_world){ .name = "one",
		                            .namespace_ = "one",
		                            .services = &s->one,
		                            .service_count = 1,
		                            .entries = &customers,
		                            .entry_count = 1,
		                            .rate = rate,
		                            .nodes = 1,
		                            .span_ns = 5 * NS_PER_SEC,
		                            .metric_ns = 10 * NS_PER_SEC,
		                            .log_ns = NS_PER_SEC,
		                            .agent_ns = 10 * NS_PER_SEC,
		                            .sampling = 0,
		                            .customer_timeout_ns = 1000 * NS_PER_SEC };
}

static void expect(struct t *t, const char *what, struct sample got, double mean, double p99) {
	fprintf(stderr, "%-28s mean %.4f ms, theory %.4f (%+.2f %%); p99 %.4f ms, theory %.4f (%+.2f %%); %llu requests\n",
	        what, got.mean * 1e3, mean * 1e3, (got.mean / mean - 1) * 100, got.p99 * 1e3, p99 * 1e3,
	        (got.p99 / p99 - 1) * 100, (unsigned long long)got.count);
	EXPECT_NEAR(got.mean / mean, 1, TOLERANCE);
	EXPECT_NEAR(got.p99 / p99, 1, TOLERANCE);
}

/* ---- M/M/c ---- */

struct mmc {
	int servers;
	double lambda, mu;
};

static double mmc_longer(const void *arg, double seconds) {
	const struct mmc *m = arg;
	return theory_mmc_longer(m->servers, m->lambda, m->mu, seconds);
}

TEST(a_pods_workers_are_the_servers_of_an_mmc_queue) {
	static const struct {
		int workers;
		double load; /* a share of what the workers can do */
		uint64_t requests;
	} cases[] = { { 1, 0.5, 1000000 }, { 1, 0.7, 3000000 }, { 2, 0.7, 1500000 }, { 8, 0.8, 1500000 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mmc m = { cases[i].workers, cases[i].load * cases[i].workers * 100, 100 };
		struct station s;
		char what[60];
		station_init(&s, m.servers, m.lambda, (struct shop_time){ .median = 1 / m.mu, .shape = SHOP_EXPONENTIAL });
		snprintf(what, sizeof what, "M/M/%d at load %.1f", m.servers, cases[i].load);
		expect(t, what, measure(&s.world, 1 + i, cases[i].requests), theory_mmc_mean(m.servers, m.lambda, m.mu),
		       theory_quantile(mmc_longer, &m, 0.99));
	}
}

/* A database behind a service that does nothing itself: its statements queue as a pod's requests do. They take so long
 * that the way there and back, a third of a millisecond, is nothing beside it. */
TEST(a_database_is_an_mmc_queue_too) {
	struct mmc m = { 3, 0.7 * 3 * 10, 10 };
	struct station s;
	station_init(&s, 100000, m.lambda, (struct shop_time){ .median = 1e-9, .shape = SHOP_CONSTANT });
	s.db = (struct shop_database){
		.name = "db", .system = "postgresql", .namespace_ = "db", .servers = 3, .queue_max = 1000000
	};
	s.db.work = (struct shop_time){ .median = 1 / m.mu, .shape = SHOP_EXPONENTIAL };
	s.call = (struct shop_call){ .to = "db", .endpoint = "SELECT one", .timeout_ns = 1000 * NS_PER_SEC };
	s.endpoint.calls = &s.call;
	s.endpoint.call_count = 1;
	s.world.databases = &s.db;
	s.world.database_count = 1;
	expect(t, "database, M/M/3 at load 0.7", measure(&s.world, 11, 1500000), theory_mmc_mean(3, m.lambda, m.mu),
	       theory_quantile(mmc_longer, &m, 0.99));
}

/* ---- M/G/1 ---- */

struct mg1 {
	double lambda;
	struct theory_work work;
};

static double mg1_longer(const void *arg, double seconds) {
	const struct mg1 *m = arg;
	return theory_mg1_longer(m->lambda, &m->work, seconds);
}

TEST(one_worker_is_the_server_of_an_mg1_queue) {
	static const struct {
		const char *name;
		struct theory_work work;
		struct shop_time time;
		double load;
		uint64_t requests;
	} cases[] = {
		{ "M/D/1", { THEORY_CONSTANT, 0.01, 0 }, { .median = 0.01, .shape = SHOP_CONSTANT }, 0.7, 1500000 },
		{ "lognormal 0.5", { THEORY_LOGNORMAL, 0.008, 0.5 }, { .median = 0.008, .sigma = 0.5 }, 0.7, 1500000 },
		{ "lognormal 0.8", { THEORY_LOGNORMAL, 0.008, 0.8 }, { .median = 0.008, .sigma = 0.8 }, 0.6, 3000000 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mg1 m = { cases[i].load / theory_work_mean(&cases[i].work), cases[i].work };
		struct station s;
		station_init(&s, 1, m.lambda, cases[i].time);
		expect(t, cases[i].name, measure(&s.world, 21 + i, cases[i].requests), theory_mg1_mean(m.lambda, &m.work),
		       theory_quantile(mg1_longer, &m, 0.99));
	}
}

/* ---- the yardstick itself ---- */

static double mean_of(const struct mg1 *m,
                      double until) { /* the area under the share that takes longer; by Simpson's rule */
	double sum = 0, step = until / 400;
	for (int i = 0; i < 400; i++) sum += (i ? mg1_longer(m, i * step) : 1) * (i % 2 ? 4 : i ? 2 : 1);
	return sum * step / 3;
}

TEST(the_yardstick_agrees_with_itself) {
	for (double load = 0.1; load < 0.95; load += 0.2)
		for (double at = 0.5; at < 8; at += 0.7) {
			struct theory_work e = { THEORY_EXPONENTIAL, 1, 0 };
			EXPECT_NEAR(theory_mg1_longer(load, &e, at), theory_mmc_longer(1, load, 1, at), 1e-6);
			EXPECT_NEAR(theory_mmc_longer(1, load, 1, at), exp(-(1 - load) * at), 1e-12);
		}
	struct mg1 m = { 50, { THEORY_LOGNORMAL, 0.008, 0.5 } }, d = { 70, { THEORY_CONSTANT, 0.01, 0 } };
	EXPECT_NEAR(mean_of(&m, 0.5) / theory_mg1_mean(m.lambda, &m.work), 1, 1e-3);
	EXPECT_NEAR(mean_of(&d, 0.2) / theory_mg1_mean(d.lambda, &d.work), 1, 2e-2); /* the jump */
	EXPECT_NEAR(theory_erlang_c(2, 1), 1.0 / 3, 1e-12); /* a^2 / (2 + a), for two servers at a load of one */
}

RUN(the_yardstick_agrees_with_itself, a_pods_workers_are_the_servers_of_an_mmc_queue, a_database_is_an_mmc_queue_too,
    one_worker_is_the_server_of_an_mg1_queue)
