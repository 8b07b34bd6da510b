/* Ordinary life and what the world's file can say: each does what its name says, and only that. */
#include "sim/shop/life.h"

#include <math.h>
#include <stdio.h>

#include "base/test.h"
#include "sim/memory.h"
#include "sim/shop/file.h"
#include "sim/shop/shop.h"

struct rig {
	struct shop_world world;
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_kube *kube;
	struct shop *shop;
};

#define EPOCH 1767571200 /* Monday, 2026-01-05 00:00 UTC */
#define BASE                                                      \
	"name: small\nentries: [{service: front, endpoint: GET /}]\n" \
	"services:\n"                                                 \
	"  front: {replicas: 2, start_up: 1s, endpoints: {GET /: {work: {median: 2ms}, calls: ["
#define CALL_BACK "{to: back, endpoint: GET /item"
#define REST \
	"]}}}\n" \
	"  back: {replicas: 3, start_up: 1s, workers: 8, endpoints: {GET /item: {work: {median: 3ms}}}}\n"

static struct rig *rig(struct t *t, const char *yaml, double from_hour) {
	struct rig *r = arena_new(t->arena, struct rig);
	struct rng rng = rng_seeded(t->seed);
	struct why why = { "" };
	enum err e = shop_file_read(t->arena, str_of(yaml), "w.yaml", &r->world, &why);
	if (e) fprintf(stderr, "%s\n%s\n", why.text, yaml);
	EXPECT_OK(e);
	r->world.deployments_day = 0;
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	struct wall epoch = { (int64_t)((EPOCH + from_hour * 3600) * 1e9) };
	struct shop_opts o = {
		.world = &r->world, .queue = &r->queue, .trace = &r->trace, .epoch = epoch, .rng = rng_fork(&rng, "shop")
	};
	r->shop = shop_new(&o);
	struct sim_kube_opts k = { .queue = &r->queue,
		                       .trace = &r->trace,
		                       .rng = rng_fork(&rng, "kube"),
		                       .epoch = epoch,
		                       .nodes = r->world.nodes,
		                       .runtime = &shop_runtime,
		                       .runtime_self = r->shop };
	r->kube = sim_kube_new(&k);
	shop_open(r->shop, r->kube, 20 * NS_PER_SEC);
	return r;
}

static void rig_done(struct rig *r) {
	shop_free(r->shop);
	sim_kube_free(r->kube);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
}

static void run_for(struct rig *r, double seconds) {
	int64_t until = r->queue.now_ns + (int64_t)(seconds * 1e9);
	do { r->trace.now_ns = r->queue.now_ns; } while (sim_queue_next(&r->queue, until));
}

/* Requests a second that customers make in so many seconds. */
static double customers(struct rig *r, double seconds) {
	uint64_t before = shop_counts(r->shop)->requests;
	run_for(r, seconds);
	return (double)(shop_counts(r->shop)->requests - before) / seconds;
}

static struct shop_measure measured(struct rig *r, const char *service, const char *endpoint, double seconds) {
	(void)shop_measured(r->shop, service, endpoint);
	run_for(r, seconds);
	return shop_measured(r->shop, service, endpoint);
}

/* ---- calls ---- */

TEST(a_cache_answers_its_share_once_it_is_warm) {
	struct rig *r = rig(t, BASE CALL_BACK ", cache_hits: 80%}" REST, 12);
	run_for(r, 30);
	struct shop_measure cold = measured(r, "back", "GET /item", 10);
	run_for(r, 400);
	uint64_t before = shop_counts(r->shop)->requests;
	struct shop_measure warm = measured(r, "back", "GET /item", 300);
	double asked = (double)(shop_counts(r->shop)->requests - before);
	EXPECT_NEAR((double)warm.count / asked, 0.2, 0.03);
	EXPECT((double)cold.count / 10 > 2 * (double)warm.count / 300);
	rig_done(r);
}

TEST(fan_out_asks_so_many_times_at_once) {
	struct rig *r = rig(t, BASE CALL_BACK ", copies: 5}" REST, 12);
	run_for(r, 60);
	struct shop_measure front = { 0 };
	(void)shop_measured(r->shop, "back", "GET /item");
	front = measured(r, "front", "GET /", 200);
	struct shop_measure back = shop_measured(r->shop, "back", "GET /item");
	EXPECT_NEAR((double)back.count / (double)front.count, 5, 0.05);
	/* At once: the whole takes the longest of five, not their sum. */
	EXPECT(front.seconds / (double)front.count < 0.002 * 1.2 + 4 * 0.0035);
	rig_done(r);
}

TEST(a_message_is_not_waited_for_and_is_kept_while_nobody_takes_it) {
	struct rig *r = rig(t, BASE CALL_BACK ", queue: items, retries: 3}" REST, 12);
	run_for(r, 60);
	EXPECT(shop_put_to_sleep(r->shop, "back", 120 * NS_PER_SEC));
	run_for(r, 20);
	struct shop_measure gone = measured(r, "back", "GET /item", 60);
	struct shop_measure front = measured(r, "front", "GET /", 20);
	EXPECT(gone.count == 0 && front.count > 100 && front.failed == 0 && front.seconds / (double)front.count < 0.01);
	run_for(r, 100);
	const struct shop_counts *c = shop_counts(r->shop);
	struct shop_measure back = shop_measured(r->shop, "back", "GET /item");
	EXPECT(back.count > 1500 && c->messages_lost == 0 && c->failed == 0 && c->messages + 20 > c->requests);
	rig_done(r);
}

TEST(reads_go_to_the_replicas_and_who_has_written_to_the_primary) {
#define DB                                                                                                          \
	"]}}}\ndatabases:\n  store: {namespace: x, servers: 1, queue: 400, work: {median: 8ms, sigma: 0.1, tail: 0%}, " \
	"replicas: 4, lag: 1s}\n"
	/* 40 reads a second of 8 ms each: one server is busy for a third of its time, or for a twelfth. */
	struct rig *r = rig(t, BASE "{to: store, endpoint: SELECT a}" DB "traffic: {rate: 60, daily: 0%}\n", 12);
	struct rig *w = rig(t,
	                    BASE "{to: store, endpoint: INSERT a}, {to: store, endpoint: SELECT a, group: 1}" DB
	                         "traffic: {rate: 55, daily: 0%}\n",
	                    12);
	run_for(r, 60), run_for(w, 60);
	struct shop_measure reads = measured(r, "front", "GET /", 200), both = measured(w, "front", "GET /", 200);
	double read_s = reads.seconds / (double)reads.count, both_s = both.seconds / (double)both.count;
	EXPECT(read_s < 0.0022 + 0.0085 + 0.0025);    /* hardly ever waits */
	EXPECT(both_s > 0.0022 + 2 * 0.0085 + 0.015); /* 110 statements a second at one server: it is 90 % busy */
	rig_done(r);
	rig_done(w);
}

TEST(another_region_is_further_away) {
	static const char regions[] =
		"regions: [{name: here}, {name: there}]\nnetwork: {delay: 30ms, jitter: 0.05, loss: %s}\n";
	for (int lossy = 0; lossy < 2; lossy++) {
		char yaml[2000];
		snprintf(yaml, sizeof yaml, "%s",
		         BASE CALL_BACK
		         "}"
		         "]}}}\n"
		         "  back: {region: there, start_up: 1s, endpoints: {GET /item: {work: {median: 3ms}}}}\n");
		size_t n = strlen(yaml);
		snprintf(yaml + n, sizeof yaml - n, regions, lossy ? "10%" : "0%");
		struct rig *r = rig(t, yaml, 12);
		run_for(r, 60);
		struct shop_measure m = measured(r, "front", "GET /", 300);
		double mean = m.seconds / (double)m.count;
		/* Two ways; each lost once in ten times, which costs 200 ms, and so on. */
		EXPECT_NEAR(mean, 0.002 + 0.0033 + 0.0605 + (lossy ? 2 * (0.02 + 0.004 + 0.0008) : 0), lossy ? 0.01 : 0.003);
		rig_done(r);
	}
}

/* ---- customers ---- */

TEST(a_weekend_has_customers_of_its_own) {
	struct rig *monday = rig(t, BASE CALL_BACK "}" REST "traffic: {rate: 20, daily: 0%, noise: 0, weekend: 0.5}\n", 35);
	struct rig *sunday =
		rig(t, BASE CALL_BACK "}" REST "traffic: {rate: 20, daily: 0%, noise: 0, weekend: 0.5}\n", 6 * 24 + 11);
	run_for(monday, 60), run_for(sunday, 60);
	EXPECT_NEAR(customers(monday, 300), 20, 1);
	EXPECT_NEAR(customers(sunday, 300), 10, 0.8);
	rig_done(monday);
	rig_done(sunday);
}

TEST(a_campaign_brings_customers_at_its_hour) {
	struct rig *r = rig(t,
	                    BASE CALL_BACK "}" REST "traffic: {rate: 20, daily: 0%, noise: 0}\n"
	                                   "campaigns: {sale: {day: 1, hour: 12.1, length: 10m, ramp: 1m, factor: 3}}\n",
	                    12);
	run_for(r, 60);
	EXPECT_NEAR(customers(r, 240), 20, 1);
	run_for(r, 150);
	EXPECT_NEAR(customers(r, 240), 60, 2);
	run_for(r, 360);
	EXPECT_NEAR(customers(r, 240), 20, 1);
	rig_done(r);
}

TEST(bursts_come_by_chance_and_end) {
	struct rig *r =
		rig(t,
	        BASE CALL_BACK "}" REST
	                       "traffic: {rate: 10, daily: 0%, noise: 0, bursts: 200, burst_size: 2, burst_length: 1m}\n",
	        12);
	int high = 0, low = 0;
	run_for(r, 60);
	for (int i = 0; i < 240; i++) {
		double rate = customers(r, 30);
		high += rate > 20;
		low += rate < 14;
	}
	EXPECT(high > 5 && high < 120 && low > 80);
	shop_burst(r->shop, 4, 100 * NS_PER_SEC);
	run_for(r, 25);
	EXPECT(customers(r, 50) > 30);
	rig_done(r);
}

/* From one half minute to the next: steps of Student's t are as wide as normal ones, with more far out. */
TEST(heavy_noise_is_as_wide_and_has_more_far_out) {
	enum { N = 2000 };
	int far[2] = { 0 };
	double sd[2];
	for (int heavy = 0; heavy < 2; heavy++) {
		char yaml[1000];
		double last = 0, squares = 0, *step = must_array(N, sizeof *step);
		snprintf(yaml, sizeof yaml,
		         BASE CALL_BACK "}" REST "traffic: {rate: 20, daily: 0%%, noise: 0.3, noise_df: %d}\n", heavy ? 3 : 0);
		struct rig *r = rig(t, yaml, 12);
		run_for(r, 60);
		for (int i = 0; i < N; i++) {
			double now = log(customers(r, 30));
			step[i] = i ? now - last : 0;
			last = now;
			squares += step[i] * step[i];
		}
		sd[heavy] = sqrt(squares / N);
		for (int i = 0; i < N; i++) far[heavy] += fabs(step[i]) > 4 * sd[heavy];
		free(step);
		rig_done(r);
	}
	EXPECT_NEAR(sd[1] / sd[0], 1, 0.25);
	EXPECT(far[0] <= 2 && far[1] >= 5);
}

TEST(customers_who_fail_try_again) {
	struct rig *once = rig(t,
	                       "name: x\nentries: [{service: a, endpoint: GET /}]\nservices: {a: {endpoints: {GET /: "
	                       "{errors: 20%, work: {median: 1ms}}}}}\n",
	                       12);
	struct rig *again = rig(t,
	                        "name: x\ntraffic: {retries: 2}\nentries: [{service: a, endpoint: GET /}]\nservices: {a: "
	                        "{endpoints: {GET /: {errors: 20%, work: {median: 1ms}}}}}\n",
	                        12);
	run_for(once, 620), run_for(again, 620);
	const struct shop_counts *a = shop_counts(once->shop), *b = shop_counts(again->shop);
	EXPECT_NEAR((double)a->failed / (double)a->requests, 0.2, 0.02);
	EXPECT_NEAR((double)b->failed / (double)b->requests, 0.008, 0.004);
	rig_done(once);
	rig_done(again);
}

TEST(a_job_asks_at_its_hour) {
	struct rig *r = rig(t,
	                    BASE CALL_BACK "}" REST "jobs: {nightly: {service: back, endpoint: GET /item, every: 1h, "
	                                   "first: 10m, length: 2m, rate: 50}}\ntraffic: {rate: 5, daily: 0%}\n",
	                    12);
	run_for(r, 60);
	double rest = (double)measured(r, "back", "GET /item", 500).count / 500;
	run_for(r, 45);
	double busy = (double)measured(r, "back", "GET /item", 100).count / 100;
	EXPECT(rest < 8 && busy > 48 && shop_counts(r->shop)->jobs == 1);
	EXPECT(!shop_run_job(r->shop, "daily") && shop_run_job(r->shop, "nightly"));
	run_for(r, 3600);
	EXPECT(shop_counts(r->shop)->jobs == 2);
	rig_done(r);
}

/* ---- the cluster ---- */

TEST(a_node_is_drained_and_nobody_is_lost) {
	struct rig *r = rig(t, BASE CALL_BACK ", retries: 2}" REST "nodes: 3\n", 12);
	run_for(r, 60);
	EXPECT(!shop_drain(r->shop, "node-4", NS_PER_MIN) && shop_drain(r->shop, "node-2", 5 * NS_PER_MIN));
	run_for(r, 60);
	const struct doc *pod;
	int there = 0, serving = 0;
	for (size_t i = 0; (pod = sim_kube_next(r->kube, KUBE_PODS, &i));)
		there += !strcmp(doc_c(doc_path(pod, "spec.nodeName")), "node-2");
	EXPECT(there == 0 && shop_pods(r->shop, "back", &serving) == 3 && serving == 3);
	EXPECT(doc_path(sim_kube_object(r->kube, KUBE_NODES, "", "node-2"), "spec.unschedulable"));
	run_for(r, 300);
	EXPECT(shop_counts(r->shop)->drains == 1 &&
	       (double)shop_counts(r->shop)->failed < 0.01 * (double)shop_counts(r->shop)->requests);
	rig_done(r);
}

TEST(a_service_sleeps_at_night) {
	struct rig *r = rig(
		t,
		BASE CALL_BACK
		", optional: true}"
		"]}}}\n  back: {start_up: 1s, sleep: {from: 22, until: 6}, endpoints: {GET /item: {work: {median: 3ms}}}}\n",
		21.9);
	int serving = 0;
	run_for(r, 120);
	EXPECT(shop_pods(r->shop, "back", &serving) == 2 && serving == 2);
	run_for(r, 600);
	EXPECT(shop_pods(r->shop, "back", &serving) == 0);
	run_for(r, 8 * 3600);
	EXPECT(shop_pods(r->shop, "back", &serving) == 2 && serving == 2 && shop_counts(r->shop)->failed == 0);
	rig_done(r);
}

TEST(an_autoscaler_of_the_cluster_follows_the_load) {
	struct rig *r = rig(
		t,
		"name: x\ntraffic: {rate: 20, daily: 0%}\nentries: [{service: a, endpoint: GET /}]\n"
		"services: {a: {replicas: 2, start_up: 2s, cpu_share: 1, workers: 64, autoscale: {min: 2, max: 10, cpu: 50%},"
		" endpoints: {GET /: {work: {median: 20ms}}}}}\n",
		12);
	run_for(r, 600);
	EXPECT(shop_pods(r->shop, "a", NULL) == 2);
	shop_set_rate(r->shop, 6);
	run_for(r, 300);
	int most = shop_pods(r->shop, "a", NULL);
	EXPECT(most >= 5 && most <= 8); /* 120 requests of 22 ms: 2.6 cores, at half of one each */
	shop_set_rate(r->shop, 1);
	run_for(r, 900);
	EXPECT(shop_pods(r->shop, "a", NULL) == 2);
	rig_done(r);
}

/* ---- faults ---- */

TEST(faults_are_drawn_where_and_as_hard_as_the_world_says, .seeds = 20) {
	struct rig *r = rig(
		t,
		BASE CALL_BACK
		"}" REST
		"faults: {cpu-hog: {least: 5, most: 6, at: back}, slow-link: {possible: false}, error-burst: {at: front}}\n",
		12);
	struct shop_fault hog = shop_draw_fault(r->shop, SHOP_CPU_HOG, &t->rng), link, burst;
	EXPECT(hog.magnitude >= 4.99 && hog.magnitude <= 6.01 && !strcmp(shop_target_name(r->shop, &hog), "back"));
	link = shop_draw_fault(r->shop, SHOP_SLOW_LINK, &t->rng);
	EXPECT(link.target < 0);
	burst = shop_draw_fault(r->shop, SHOP_ERROR_BURST, &t->rng);
	EXPECT(burst.magnitude >= 0.0049 && burst.magnitude <= 0.51 && !strcmp(shop_target_name(r->shop, &burst), "front"));
	rig_done(r);
}

/* ---- the file says what cannot be ---- */

TEST(what_these_cannot_be_is_refused) {
	static const struct {
		const char *yaml, *says;
	} wrong[] = {
		{ BASE CALL_BACK "}"
		                 "]}}}\n  back: {sleep: {from: 22, until: 6}, endpoints: {GET /item: {work: {median: 3ms}}}}\n",
		  "sleeps" },
		{ BASE CALL_BACK ", queue: a}, " CALL_BACK "}" REST, "requests and messages" },
		{ BASE CALL_BACK ", copies: 99}, " CALL_BACK ", copies: 99}, " CALL_BACK ", copies: 99}" REST,
		  "more than 200" },
		{ BASE CALL_BACK "}" REST
		                 "regions: [{name: a}]\ndatabases: {d: {namespace: d, region: b, work: {median: 1ms}}}\n",
		  "region" },
		{ BASE CALL_BACK "}" REST "faults: {memory-leek: {most: 5, least: 1}}\n", "memory-leak" },
		{ BASE CALL_BACK "}" REST "faults: {cpu-hog: {at: 'front, bcak'}}\n", "bcak" },
		{ BASE CALL_BACK "}" REST "faults: {cpu-hog: {least: 5, most: 2}}\n", "least" },
		{ BASE CALL_BACK "}" REST "jobs: {n: {service: back, endpoint: GET /itme}}\n", "GET /item" },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct shop_world w;
		struct why why = { "" };
		EXPECT_ERR(shop_file_read(t->arena, str_of(wrong[i].yaml), "w.yaml", &w, &why), ERR_INVALID);
		if (!strstr(why.text, wrong[i].says)) fprintf(stderr, "%s\n", why.text);
		EXPECT(strstr(why.text, wrong[i].says));
	}
}

RUN(a_cache_answers_its_share_once_it_is_warm, fan_out_asks_so_many_times_at_once,
    a_message_is_not_waited_for_and_is_kept_while_nobody_takes_it,
    reads_go_to_the_replicas_and_who_has_written_to_the_primary, another_region_is_further_away,
    a_weekend_has_customers_of_its_own, a_campaign_brings_customers_at_its_hour, bursts_come_by_chance_and_end,
    heavy_noise_is_as_wide_and_has_more_far_out, customers_who_fail_try_again, a_job_asks_at_its_hour,
    a_node_is_drained_and_nobody_is_lost, a_service_sleeps_at_night, an_autoscaler_of_the_cluster_follows_the_load,
    faults_are_drawn_where_and_as_hard_as_the_world_says, what_these_cannot_be_is_refused)
