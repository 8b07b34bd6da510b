/* For tests: a shop and its cluster by themselves, nobody listening. */
#pragma once

#include "sim/shop/shop.h"

struct rig {
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_kube *kube;
	struct shop *shop;
	struct rng rng;
};

static inline void rig_init(struct rig *r, const struct shop_world *w, uint64_t seed) {
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

static inline void rig_done(struct rig *r) {
	shop_free(r->shop);
	sim_kube_free(r->kube);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
}

static inline void run_for(struct rig *r, double seconds) {
	int64_t until = r->queue.now_ns + (int64_t)(seconds * 1e9);
	do { r->trace.now_ns = r->queue.now_ns; } while (sim_queue_next(&r->queue, until));
}

/* The built-in shop after so many seconds, in which nobody deploys. */
static inline void rig_calm(struct rig *r, struct shop_world *w, uint64_t seed, double seconds) {
	*w = shop_builtin;
	w->deployments_day = 0;
	rig_init(r, w, seed);
	run_for(r, seconds);
}
