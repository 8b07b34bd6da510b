/* The shop by itself: telemetry, faults and what mends them. (shop_theory_test holds its stations to theory.) */
#include "sim/shop.h"

#include <math.h>
#include <stdio.h>

#include "base/test.h"
#include "sim/memory.h"
#include "sim/shop_otlp.h"

struct rig {
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_kube *kube;
	struct shop *shop;
	struct rng rng;
};

static void rig_init(struct rig *r, const struct shop_world *w, uint64_t seed) {
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	r->rng = rng_seeded(seed);
	struct wall epoch = { 1767607200 * NS_PER_SEC };
	struct shop_opts o = {
		.world = w, .queue = &r->queue, .trace = &r->trace, .epoch = epoch, .rng = rng_fork(&r->rng, "shop")
	};
	r->shop = shop_new(&o);
	struct sim_kube_opts k = { &r->queue, &r->trace, rng_fork(&r->rng, "kube"), epoch, w->nodes, &shop_runtime,
		                       r->shop,   0 };
	r->kube = sim_kube_new(&k);
	shop_open(r->shop, r->kube, 60 * NS_PER_SEC);
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

/* ---- faults ---- */

static int index_of(const struct shop_world *w, const char *service) {
	for (size_t i = 0; i < w->service_count; i++)
		if (!strcmp(w->services[i].name, service)) return (int)i;
	return -1;
}

static const char *deployment_of(const struct shop_world *w, int target) {
	return w->services[target].deployment;
}

static double failed_share(struct rig *r, const char *service, const char *endpoint, double seconds) {
	(void)shop_measured(r->shop, service, endpoint);
	run_for(r, seconds);
	struct shop_measure m = shop_measured(r->shop, service, endpoint);
	return m.count ? (double)m.failed / (double)m.count : 0;
}

static double mean_time(struct rig *r, const char *service, const char *endpoint, double seconds) {
	(void)shop_measured(r->shop, service, endpoint);
	run_for(r, seconds);
	struct shop_measure m = shop_measured(r->shop, service, endpoint);
	return m.seconds / (double)m.count;
}

static void restart(const struct t *t, struct rig *r, const struct shop_world *w, const char *deployment) {
	char patch[200];
	snprintf(patch, sizeof patch, "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"at\":\"%lld\"}}}}}",
	         (long long)r->queue.now_ns);
	EXPECT_OK(sim_kube_change(r->kube, KUBE_DEPLOYMENTS, w->namespace_, deployment, "test", str_of(patch), NULL));
}

TEST(a_leak_ends_in_a_kill_comes_back_and_a_restart_cures_it) {
	struct rig r;
	struct shop_world w = shop_builtin;
	w.deployments_day = 0;
	rig_init(&r, &w, t->seed);
	run_for(&r, 120);
	struct shop_fault f = {
		.kind = SHOP_LEAK, .target = index_of(&w, "cart"), .magnitude = 300, .onset_ns = r.queue.now_ns
	};
	const struct shop_fault *run = shop_plan_fault(r.shop, &f);
	run_for(&r, 250);
	EXPECT(shop_counts(r.shop)->oom_kills == 0 && run->begun && run->visible_ns);
	run_for(&r, 110);
	EXPECT(shop_counts(r.shop)->oom_kills == 3); /* one a pod */
	run_for(&r, 400);
	EXPECT(shop_counts(r.shop)->oom_kills >= 5); /* the pod has it still */
	restart(t, &r, &w, "cart");
	run_for(&r, 60);
	uint64_t kills = shop_counts(r.shop)->oom_kills;
	run_for(&r, 900);
	EXPECT(shop_counts(r.shop)->oom_kills == kills && shop_remedy_of(SHOP_LEAK, false, SHOP_RESTART) == SHOP_CURES);
	EXPECT(run->over && run->over_ns > run->begun_ns);
	rig_done(&r);
}

TEST(an_error_burst_is_cured_by_a_restart_or_when_deployed_by_going_back) {
	for (int deployed = 0; deployed < 2; deployed++) {
		struct rig r;
		struct shop_world w = shop_builtin;
		w.deployments_day = 0;
		rig_init(&r, &w, t->seed);
		run_for(&r, 120);
		int target = index_of(&w, "payment");
		char before[400];
		const char *deployment = deployment_of(&w, target);
		snprintf(before, sizeof before,
		         "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"payment\",\"image\":\"%s\"}]}}}}",
		         doc_c(doc_get(doc_at(doc_path(sim_kube_object(r.kube, KUBE_DEPLOYMENTS, w.namespace_, deployment),
		                                       "spec.template.spec.containers"),
		                              0),
		                       "image")));
		EXPECT(failed_share(&r, "payment", "POST /charge", 120) < 0.03);
		struct shop_fault f = {
			.kind = SHOP_ERROR_BURST, .target = target, .magnitude = 0.4, .onset_ns = r.queue.now_ns
		};
		f.deployed = deployed;
		const struct shop_fault *run = shop_plan_fault(r.shop, &f);
		run_for(&r, 90);
		EXPECT_NEAR(failed_share(&r, "payment", "POST /charge", 120), 0.4, 0.12);
		restart(t, &r, &w, deployment);
		run_for(&r, 90);
		double after = failed_share(&r, "payment", "POST /charge", 120);
		enum shop_remedy told = shop_remedy_of(SHOP_ERROR_BURST, deployed, SHOP_RESTART);
		EXPECT(told == SHOP_CURES ? after < 0.03 : after > 0.25);
		EXPECT(run->over == (told == SHOP_CURES));
		EXPECT_OK(sim_kube_change(r.kube, KUBE_DEPLOYMENTS, w.namespace_, deployment, "test", str_of(before), NULL));
		run_for(&r, 90);
		EXPECT(failed_share(&r, "payment", "POST /charge", 120) < 0.03 && run->over);
		rig_done(&r);
	}
}

TEST(a_fault_that_is_ended_leaves_nothing_behind) {
	for (int kind = 0; kind < SHOP_FAULTS; kind++) {
		struct rig r;
		struct shop_world w = shop_builtin;
		w.deployments_day = 0;
		rig_init(&r, &w, t->seed);
		run_for(&r, 120);
		struct shop_fault f = { .kind = (enum shop_fault_kind)kind, .magnitude = kind == SHOP_LEAK ? 300 : 0.5 };
		if (kind == SHOP_SLOW_DATABASE) f.magnitude = 20;
		f.target = kind == SHOP_SLOW_DATABASE ? 0 : index_of(&w, "orders");
		f.onset_ns = r.queue.now_ns;
		const struct shop_fault *run = shop_plan_fault(r.shop, &f);
		run_for(&r, 60);
		EXPECT(run->carried && !run->over && run->visible_ns);
		shop_end_fault(r.shop, run);
		EXPECT(run->over);
		run_for(&r, 30);
		EXPECT(failed_share(&r, "orders", "POST /orders", 200) < 0.02);
		EXPECT(mean_time(&r, "orders", "POST /orders", 120) < 0.05);
		int serving = 0;
		EXPECT(shop_pods(r.shop, "orders", &serving) == 2 && serving == 2 && shop_counts(r.shop)->oom_kills == 0);
		rig_done(&r);
	}
}

TEST(a_slow_database_slows_its_callers_and_nothing_restarts_it_away) {
	struct rig r;
	struct shop_world w = shop_builtin;
	w.deployments_day = 0;
	rig_init(&r, &w, t->seed);
	run_for(&r, 120);
	double before = mean_time(&r, "orders", "POST /orders", 120);
	struct shop_fault f = { .kind = SHOP_SLOW_DATABASE, .target = 0, .magnitude = 20, .onset_ns = r.queue.now_ns };
	const struct shop_fault *run = shop_plan_fault(r.shop, &f);
	EXPECT(!strcmp(shop_target_name(r.shop, run), "orders-db"));
	double slow = mean_time(&r, "orders", "POST /orders", 120);
	EXPECT(slow > 5 * before && run->visible_ns);
	restart(t, &r, &w, "orders");
	run_for(&r, 60);
	EXPECT(mean_time(&r, "orders", "POST /orders", 120) > 5 * before);
	rig_done(&r);
}

TEST(a_dead_pod_fails_its_share_until_its_probe_tells_and_goes_when_deleted) {
	struct rig r;
	struct shop_world w = shop_builtin;
	w.deployments_day = 0;
	rig_init(&r, &w, t->seed);
	run_for(&r, 120);
	struct shop_fault f = {
		.kind = SHOP_DEAD_POD, .target = index_of(&w, "catalogue"), .magnitude = 1, .onset_ns = r.queue.now_ns
	};
	const struct shop_fault *run = shop_plan_fault(r.shop, &f);
	int serving = 0;
	EXPECT(failed_share(&r, "frontend", "GET /search", 20) < 0.02); /* search does not ask the catalogue */
	EXPECT(shop_pods(r.shop, "catalogue", &serving) == 3 && serving == 3);
	run_for(&r, 15);
	EXPECT(shop_pods(r.shop, "catalogue", &serving) == 3 && serving == 2 && run->visible_ns);
	const struct doc *pod = NULL, *sick = NULL;
	for (size_t i = 0; (pod = sim_kube_next(r.kube, KUBE_PODS, &i));)
		if (!strcmp(doc_c(doc_path(pod, "metadata.uid")), run->pod_uid)) sick = pod;
	EXPECT(sick);
	run_for(&r, 600);
	EXPECT(shop_pods(r.shop, "catalogue", &serving) == 3 && serving == 2); /* nothing mends itself */
	restart(t, &r, &w, "catalogue");
	run_for(&r, 100);
	EXPECT(shop_pods(r.shop, "catalogue", &serving) == 3 && serving == 3);
	rig_done(&r);
}

TEST(magnitudes_are_drawn_from_their_ranges, .seeds = 20) {
	struct rig r;
	rig_init(&r, &shop_builtin, t->seed);
	for (int kind = 0; kind < SHOP_FAULTS; kind++) {
		struct shop_fault f = shop_draw_fault(r.shop, (enum shop_fault_kind)kind, &t->rng);
		EXPECT(f.magnitude >= shop_fault_infos[kind].least * 0.999 &&
		       f.magnitude <= shop_fault_infos[kind].most * 1.001);
		EXPECT(*shop_target_name(r.shop, &f));
	}
	rig_done(&r);
}

RUN(the_built_in_shop_serves_and_rests, the_same_seed_is_the_same_shop, a_rollout_by_people_loses_no_request,
    a_leak_ends_in_a_kill_comes_back_and_a_restart_cures_it,
    an_error_burst_is_cured_by_a_restart_or_when_deployed_by_going_back, a_fault_that_is_ended_leaves_nothing_behind,
    a_slow_database_slows_its_callers_and_nothing_restarts_it_away,
    a_dead_pod_fails_its_share_until_its_probe_tells_and_goes_when_deleted, magnitudes_are_drawn_from_their_ranges)
