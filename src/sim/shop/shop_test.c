/* The shop by itself: ordinary life. (sim/shop/theory_test holds its stations to theory, shop_fault_test breaks it.) */
#include "sim/shop/shop.h"

#include <math.h>
#include <stdio.h>

#include "base/test.h"
#include "sim/memory.h"
#include "sim/shop/otlp.h"
#include "sim/shop/rig.h"

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

RUN(the_built_in_shop_serves_and_rests, the_same_seed_is_the_same_shop, a_rollout_by_people_loses_no_request)
