/* Drawn worlds: whole, reachable, as wide as was said, and at rest when nothing breaks. */
#include "sim/shop/random.h"

#include <math.h>
#include <string.h>

#include "base/test.h"
#include "sim/memory.h"
#include "sim/shop/file.h"
#include "sim/shop/graph.h"
#include "sim/shop/shop.h"

static struct shop_world drawn(struct t *t, uint64_t seed, int services) {
	struct shop_world w;
	EXPECT_OK(shop_random(t->arena, seed, services, &w));
	return w;
}

static int some_size(struct t *t) {
	static const int sizes[] = { 0, SHOP_RANDOM_LEAST, 12, 40, 41, 151, SHOP_RANDOM_MOST };
	return sizes[t->seed % (sizeof sizes / sizeof *sizes)];
}

TEST(every_drawn_world_can_run_and_reads_back_the_same, .seeds = 60) {
	struct shop_world w = drawn(t, t->seed, some_size(t)), again;
	struct why why = { "" };
	struct buf b;
	enum err e = shop_world_check(&w, "random", &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
	buf_init(&b, 0);
	shop_file_write(&w, false, &b);
	e = shop_file_read(t->arena, buf_get(&b), "w.yaml", &again, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
	struct hash128 one = shop_world_hash(&w), two = shop_world_hash(&again);
	EXPECT(!memcmp(&one, &two, sizeof one));
	buf_done(&b);
}

TEST(the_same_seed_draws_the_same_world_and_another_another, .seeds = 5) {
	struct shop_world a = drawn(t, t->seed, 30), b = drawn(t, t->seed, 30), c = drawn(t, t->seed + 1, 30);
	struct hash128 x = shop_world_hash(&a), y = shop_world_hash(&b), z = shop_world_hash(&c);
	EXPECT(!memcmp(&x, &y, sizeof x) && memcmp(&x, &z, sizeof x) != 0);
}

TEST(all_is_reached_and_busy_within_bounds, .seeds = 60) {
	struct shop_world w = drawn(t, t->seed, some_size(t));
	struct shop_graph g;
	struct shop_load l;
	double total = 0;
	EXPECT_OK(shop_graph_make(&w, t->arena, "w", &g, NULL));
	EXPECT_OK(shop_load_make(&g, t->arena, &l));
	for (size_t i = 0; i < g.point_count; i++) EXPECT(l.rates[i] > 0 && l.failures[i] < 0.05);
	for (size_t i = 0; i < w.service_count; i++) {
		EXPECT(l.services[i] * (1 + w.daily) < 0.4 && l.cpus[i] * (1 + w.daily) < 0.4);
		total += l.service_rates[i];
	}
	for (size_t i = 0; i < w.database_count; i++) EXPECT(l.databases[i] > 0 && l.databases[i] * (1 + w.daily) < 0.35);
	EXPECT(total < 2600 && total > w.rate);
}

/* How many are called by one, and whether a few are called by many: the slope of the power law, roughly. */
TEST(fan_in_has_a_heavy_tail) {
	int one = 0, many = 0, services = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct shop_world w = drawn(t, seed, 100);
		int *callers = must_array(w.service_count, sizeof *callers);
		for (size_t i = 0; i < w.service_count; i++)
			for (size_t e = 0; e < w.services[i].endpoint_count; e++)
				for (size_t c = 0; c < w.services[i].endpoints[e].call_count; c++)
					for (size_t k = 0; k < w.service_count; k++)
						callers[k] += !strcmp(w.services[k].name, w.services[i].endpoints[e].calls[c].to);
		for (size_t i = 3; i < w.service_count; i++) {
			services++;
			one += callers[i] == 1;
			many += callers[i] >= 10;
		}
		free(callers);
	}
	/* P(X < 2) = 1 - 2^-1.3 = 0.59; P(X >= 10) = 10^-1.3 = 0.05, less those that found no room. */
	EXPECT_NEAR((double)one / services, 0.59, 0.06);
	EXPECT((double)many / services > 0.02 && (double)many / services < 0.07);
}

struct rig {
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_kube *kube;
	struct shop *shop;
};

static void rig_init(struct rig *r, const struct shop_world *w, uint64_t seed) {
	struct rng rng = rng_seeded(seed);
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	struct shop_opts o = { .world = w, .queue = &r->queue, .trace = &r->trace, .rng = rng_fork(&rng, "shop") };
	r->shop = shop_new(&o);
	struct sim_kube_opts k = { .queue = &r->queue,
		                       .trace = &r->trace,
		                       .rng = rng_fork(&rng, "kube"),
		                       .nodes = w->nodes,
		                       .runtime = &shop_runtime,
		                       .runtime_self = r->shop };
	r->kube = sim_kube_new(&k);
	shop_open(r->shop, r->kube, 120 * NS_PER_SEC);
}

static void run_until(struct rig *r, double seconds) {
	while (sim_queue_next(&r->queue, (int64_t)(seconds * 1e9))) r->trace.now_ns = r->queue.now_ns;
}

static void rig_done(struct rig *r) {
	shop_free(r->shop);
	sim_kube_free(r->kube);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
}

/* What fails at rest is what was said to fail: no queue is full, no time-out too short, nobody is killed. */
TEST(every_drawn_world_is_at_rest, .seeds = 12) {
	struct shop_world w = drawn(t, t->seed, t->seed % 6 ? 0 : 60);
	struct shop_graph g;
	struct shop_load l;
	struct rig r;
	double weight = 0, expected = 0;
	w.deployments_day = 0;
	EXPECT_OK(shop_graph_make(&w, t->arena, "w", &g, NULL));
	EXPECT_OK(shop_load_make(&g, t->arena, &l));
	for (size_t i = 0; i < w.entry_count; i++) weight += w.entries[i].weight;
	for (size_t i = 0; i < w.entry_count; i++) expected += w.entries[i].weight / weight * l.failures[g.entries[i]];
	rig_init(&r, &w, t->seed);
	run_until(&r, 120 + 180);
	const struct shop_counts *c = shop_counts(r.shop);
	double requests = (double)c->requests, failed = (double)c->failed;
	double sd = sqrt(requests * expected) + 1;
	if (failed > requests * expected + 4 * sd)
		fprintf(stderr, "%g of %g failed, not %g\n", failed, requests, requests * expected);
	EXPECT(requests > 180 * w.rate * 0.2 && c->oom_kills == 0);
	EXPECT(failed < requests * expected + 4 * sd + 0.0005 * requests);
	rig_done(&r);
}

TEST(what_was_asked_for_is_drawn) {
	uint64_t seed = 0;
	int services = 0;
	struct why why = { "" };
	EXPECT(shop_random_is(STR("random:7")) && !shop_random_is(STR("random.yaml")));
	EXPECT_OK(shop_random_parse(STR("random:7"), &seed, &services, &why));
	EXPECT(seed == 7 && services == 0);
	EXPECT_OK(shop_random_parse(STR("random:7:500"), &seed, &services, &why));
	EXPECT(services == 500 && drawn(t, seed, services).service_count == 500);
	EXPECT_ERR(shop_random_parse(STR("random:7:501"), &seed, &services, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "5 to 500"));
	EXPECT_ERR(shop_random_parse(STR("random:x"), &seed, &services, &why), ERR_INVALID);
	EXPECT_ERR(shop_random_parse(STR("random:1:"), &seed, &services, &why), ERR_INVALID);
	for (uint64_t i = 1; i < 50; i++) {
		size_t n = drawn(t, i, 0).service_count;
		EXPECT(n >= 8 && n <= 40);
	}
}

RUN(every_drawn_world_can_run_and_reads_back_the_same, the_same_seed_draws_the_same_world_and_another_another,
    all_is_reached_and_busy_within_bounds, fan_in_has_a_heavy_tail, every_drawn_world_is_at_rest,
    what_was_asked_for_is_drawn)
