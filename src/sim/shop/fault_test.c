/* What breaks in the shop, and how it shows. */
#include "sim/shop/fault.h"

#include <math.h>
#include <stdio.h>

#include "base/test.h"
#include "sim/shop/impl.h"
#include "sim/shop/rig.h"

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
	struct shop_world w;
	rig_calm(&r, &w, t->seed, 120);
	struct shop_fault f = {
		.kind = SHOP_LEAK, .target = index_of(&w, "cart"), .magnitude = 300, .onset_ns = r.queue.now_ns
	};
	const struct shop_fault *run = shop_plan_fault(r.shop, &f);
	run_for(&r, 250);
	EXPECT(shop_counts(r.shop)->oom_kills == 0 && run->begun && run->touched_ns);
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
		struct shop_world w;
		rig_calm(&r, &w, t->seed, 120);
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

static struct shop_fault fault_of(const struct shop_world *w, enum shop_fault_kind kind, int64_t onset_ns) {
	static const double hard[SHOP_FAULTS] = { 300, 10, 20, 0.5, 1, 1, 15, 15, 1, 2.5 };
	bool db = shop_fault_at_database(kind);
	struct shop_fault f = { .kind = kind, .magnitude = hard[kind], .source = -1, .onset_ns = onset_ns };
	f.target = db ? 0 : index_of(w, kind == SHOP_RETRY_STORM ? "search" : "orders");
	if (kind == SHOP_SLOW_LINK) f.source = index_of(w, "checkout");
	if (kind == SHOP_BAD_DEPLOYMENT) f.form = SHOP_SLOWER | SHOP_FAILING;
	return f;
}

TEST(a_fault_that_is_ended_leaves_nothing_behind, .seeds = SHOP_FAULTS) {
	enum shop_fault_kind kind = (enum shop_fault_kind)(t->seed % SHOP_FAULTS);
	struct rig r;
	struct shop_world w;
	rig_calm(&r, &w, t->seed, 150);
	struct shop_fault f = fault_of(&w, kind, r.queue.now_ns);
	const struct shop_fault *run = shop_plan_fault(r.shop, &f);
	run_for(&r, 80);
	EXPECT(run->carried && !run->over && run->touched_ns && run->visible_ns);
	shop_end_fault(r.shop, run);
	EXPECT(run->over);
	run_for(&r, 60);
	EXPECT(failed_share(&r, "orders", "POST /orders", 200) < 0.02);
	EXPECT(mean_time(&r, "orders", "POST /orders", 120) < 0.05);
	EXPECT(mean_time(&r, "frontend", "GET /search", 60) < 0.1);
	EXPECT(mean_time(&r, "checkout", "POST /checkout", 120) < 0.3);
	int serving = 0;
	EXPECT(shop_pods(r.shop, "orders", &serving) == 2 && serving == 2 && shop_counts(r.shop)->oom_kills == 0);
	rig_done(&r);
}

/* Two of everything at one service, one ended after the other: what is left is the other's. */
TEST(faults_overlap_and_end_apart) {
	struct rig r;
	struct shop_world w;
	rig_calm(&r, &w, t->seed, 150);
	int target = index_of(&w, "catalogue");
	double usual_s = mean_time(&r, "catalogue", "GET /products", 60);
	struct shop_fault f = { .target = target, .source = -1, .onset_ns = r.queue.now_ns };
	f.kind = SHOP_ERROR_BURST, f.magnitude = 0.5;
	const struct shop_fault *half = shop_plan_fault(r.shop, &f);
	f.magnitude = 0.2;
	const struct shop_fault *fifth = shop_plan_fault(r.shop, &f);
	f.kind = SHOP_CPU_HOG, f.magnitude = 6;
	const struct shop_fault *hog = shop_plan_fault(r.shop, &f);
	run_for(&r, 10);
	EXPECT_NEAR(failed_share(&r, "catalogue", "GET /products", 60), 0.6, 0.05);
	shop_end_fault(r.shop, half);
	EXPECT_NEAR(failed_share(&r, "catalogue", "GET /products", 60), 0.2, 0.05);
	EXPECT(mean_time(&r, "catalogue", "GET /products", 30) > 2.5 * usual_s);
	shop_end_fault(r.shop, hog);
	run_for(&r, 5);
	EXPECT_NEAR(mean_time(&r, "catalogue", "GET /products", 60) / usual_s, 1, 0.2);
	EXPECT_NEAR(failed_share(&r, "catalogue", "GET /products", 60), 0.2, 0.05);
	shop_end_fault(r.shop, fifth);
	EXPECT(half->over && fifth->over && hog->over && half->bit != fifth->bit);
	EXPECT(failed_share(&r, "catalogue", "GET /products", 60) < 0.01);
	rig_done(&r);
}

/* CPU, latency and links do what their magnitude says. */
TEST(a_magnitude_is_what_is_measured) {
	static const struct {
		enum shop_fault_kind kind;
		const char *target, *source, *service, *endpoint;
		double magnitude, least, most; /* factor of the mean at the endpoint */
	} cases[] = {
		{ SHOP_CPU_HOG, "currency", NULL, "currency", "GET /convert", 6, 5.5, 6.5 },
		{ SHOP_CPU_HOG, "ads", NULL, "ads", "GET /ads", 2, 1.8, 2.2 },
		{ SHOP_BAD_DEPLOYMENT, "currency", NULL, "currency", "GET /convert", 4, 3.7, 4.3 },
		{ SHOP_SLOW_LINK, "currency", "shipping", "shipping", "GET /quote", 20, 2.5, 5.5 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig r;
		struct shop_world w;
		rig_calm(&r, &w, t->seed, 200);
		double usual_s = mean_time(&r, cases[i].service, cases[i].endpoint, 120);
		struct shop_fault f = { .kind = cases[i].kind,
			                    .target = index_of(&w, cases[i].target),
			                    .source = cases[i].source ? index_of(&w, cases[i].source) : -1,
			                    .magnitude = cases[i].magnitude,
			                    .form = SHOP_SLOWER,
			                    .onset_ns = r.queue.now_ns };
		(void)shop_plan_fault(r.shop, &f);
		run_for(&r, cases[i].kind == SHOP_BAD_DEPLOYMENT ? 90 : 10);
		double factor = mean_time(&r, cases[i].service, cases[i].endpoint, 120) / usual_s;
		EXPECT(factor > cases[i].least && factor < cases[i].most);
		rig_done(&r);
	}
}

/* The habits alone break nothing, nor does something short alone; both together outlast what began them. */
TEST(a_storm_keeps_itself_up_and_neither_half_does) {
	for (int part = 0; part < 3; part++) { /* habits, trigger, both */
		struct rig r;
		struct shop_world w;
		rig_calm(&r, &w, t->seed, 200);
		struct shop_fault f = fault_of(&w, SHOP_RETRY_STORM, r.queue.now_ns);
		const struct shop_fault *run = shop_plan_fault(r.shop, &f);
		run_for(&r, 0.5);
		if (part == 0) {
			r.shop->storms[0].pace = 1;
			for (uint32_t i = 0; i < r.shop->pod_count; i++) shop_harm_pod(r.shop, i, r.shop->pods[i]->has);
		}
		if (part == 1) {
			r.shop->storms[0].attempts = 0;
			shop_storm_end(r.shop, run);
		}
		run_for(&r, 330); /* the trigger has gone five minutes ago */
		double failed = failed_share(&r, "frontend", "GET /search", 60);
		EXPECT(part < 2 ? failed < 0.02 && run->over : failed > 0.9 && !run->over);
		rig_done(&r);
	}
}

/* What people and Flyball see of it is what real libraries and databases say. */
TEST(a_pool_runs_dry_and_a_full_disk_refuses_what_needs_room) {
	struct rig r;
	struct shop_world w;
	char text[200];
	rig_calm(&r, &w, t->seed, 200);
	struct shop_fault f = fault_of(&w, SHOP_POOL_EXHAUSTED, r.queue.now_ns);
	const struct shop_fault *pool = shop_plan_fault(r.shop, &f);
	run_for(&r, 60);
	EXPECT(failed_share(&r, "orders", "POST /orders", 60) > 0.95 && !pool->over);
	EXPECT(failed_share(&r, "user", "GET /user/{id}", 60) < 0.02); /* the database is well */
	uint32_t edge = r.shop->members[f.target].edges[0];
	shop_pool_text(r.shop, r.shop->pods[r.shop->members[f.target].serving[0]], edge, 2500, text, sizeof text);
	EXPECT(strstr(text, "HikariPool-1 - Connection is not available, request timed out after 2500ms"));
	shop_end_fault(r.shop, pool);
	EXPECT(failed_share(&r, "orders", "POST /orders", 60) < 0.02);
	f = fault_of(&w, SHOP_FULL_DISK, r.queue.now_ns);
	(void)shop_plan_fault(r.shop, &f);
	EXPECT(failed_share(&r, "orders", "POST /orders", 60) > 0.95);
	EXPECT(failed_share(&r, "user", "GET /user/{id}", 60) < 0.02); /* it reads */
	rig_done(&r);
}

TEST(an_image_that_crashes_or_never_gets_ready_shows_and_is_taken_back) {
	for (int unready = 0; unready < 2; unready++) {
		struct rig r;
		struct shop_world w;
		rig_calm(&r, &w, t->seed, 200);
		struct shop_fault f = fault_of(&w, SHOP_BAD_DEPLOYMENT, r.queue.now_ns);
		f.form = unready ? SHOP_UNREADY : SHOP_CRASHING;
		const struct shop_fault *run = shop_plan_fault(r.shop, &f);
		run_for(&r, 240);
		EXPECT(run->carried && run->visible_ns && !run->over);
		int serving = 0;
		(void)shop_pods(r.shop, "orders", &serving);
		EXPECT(unready ? serving == 2 && failed_share(&r, "orders", "POST /orders", 60) < 0.02
		               : failed_share(&r, "checkout", "POST /checkout", 60) > 0.2);
		shop_end_fault(r.shop, run);
		run_for(&r, 400); /* the kubelet's back-off */
		EXPECT(failed_share(&r, "checkout", "POST /checkout", 60) < 0.05);
		rig_done(&r);
	}
}

/* The definition, on faults around its boundary: by expectation, so every seed says the same. */
TEST(what_is_too_small_is_never_visible_and_what_is_large_is_at_the_next_export, .seeds = 3) {
	static const struct {
		double magnitude;
		bool seen;
	} cases[] = { { 0.005, false }, { 0.5, true } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig r;
		struct shop_world w;
		rig_calm(&r, &w, t->seed, 300);
		struct shop_fault f = fault_of(&w, SHOP_ERROR_BURST, r.queue.now_ns);
		f.magnitude = cases[i].magnitude;
		const struct shop_fault *run = shop_plan_fault(r.shop, &f);
		run_for(&r, 120);
		EXPECT((run->visible_ns > 0) == cases[i].seen);
		EXPECT(!cases[i].seen || run->visible_ns - run->begun_ns <= 2 * w.metric_ns);
		rig_done(&r);
	}
}

TEST(a_slow_database_slows_its_callers_and_nothing_restarts_it_away) {
	struct rig r;
	struct shop_world w;
	rig_calm(&r, &w, t->seed, 120);
	double before = mean_time(&r, "orders", "POST /orders", 120);
	struct shop_fault f = { .kind = SHOP_SLOW_DATABASE, .target = 0, .magnitude = 20, .onset_ns = r.queue.now_ns };
	const struct shop_fault *run = shop_plan_fault(r.shop, &f);
	EXPECT(!strcmp(shop_target_name(r.shop, run), "orders-db"));
	double slow = mean_time(&r, "orders", "POST /orders", 120);
	EXPECT(slow > 5 * before && run->touched_ns);
	restart(t, &r, &w, "orders");
	run_for(&r, 60);
	EXPECT(mean_time(&r, "orders", "POST /orders", 120) > 5 * before);
	rig_done(&r);
}

TEST(a_dead_pod_fails_its_share_until_its_probe_tells_and_goes_when_deleted) {
	struct rig r;
	struct shop_world w;
	rig_calm(&r, &w, t->seed, 120);
	struct shop_fault f = {
		.kind = SHOP_DEAD_POD, .target = index_of(&w, "catalogue"), .magnitude = 1, .onset_ns = r.queue.now_ns
	};
	const struct shop_fault *run = shop_plan_fault(r.shop, &f);
	int serving = 0;
	EXPECT(failed_share(&r, "frontend", "GET /search", 20) < 0.02); /* search does not ask the catalogue */
	EXPECT(shop_pods(r.shop, "catalogue", &serving) == 3 && serving == 3);
	run_for(&r, 15);
	EXPECT(shop_pods(r.shop, "catalogue", &serving) == 3 && serving == 2 && run->touched_ns);
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

RUN(a_leak_ends_in_a_kill_comes_back_and_a_restart_cures_it,
    an_error_burst_is_cured_by_a_restart_or_when_deployed_by_going_back, a_fault_that_is_ended_leaves_nothing_behind,
    faults_overlap_and_end_apart, a_magnitude_is_what_is_measured, a_storm_keeps_itself_up_and_neither_half_does,
    a_pool_runs_dry_and_a_full_disk_refuses_what_needs_room,
    an_image_that_crashes_or_never_gets_ready_shows_and_is_taken_back,
    what_is_too_small_is_never_visible_and_what_is_large_is_at_the_next_export,
    a_slow_database_slows_its_callers_and_nothing_restarts_it_away,
    a_dead_pod_fails_its_share_until_its_probe_tells_and_goes_when_deleted, magnitudes_are_drawn_from_their_ranges)
