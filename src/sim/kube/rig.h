/* A simulated cluster for tests: containers get ready two seconds after they start, and stop at once. */
#pragma once

#include "sim/kube/impl.h"

struct kube_rig;
struct kube_rig_later { /* what a container will report */
	struct kube_rig *r;
	char uid[37];
	int what; /* 0 running, 1 ready, 2 exited */
};

struct kube_rig {
	struct kube_rig_later later[2000];
	size_t later_count;
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_kube *kube; /* three nodes */
	int64_t start_ns;      /* from start to ready */
	bool hang;             /* containers ignore SIGTERM */
	int killed;
};

void kube_rig_init(struct kube_rig *r, uint64_t seed);
void kube_rig_done(struct kube_rig *r);
void kube_rig_run(struct kube_rig *r, int64_t ns);
#define KUBE_RIG_CART                                                                                                  \
	"{\"metadata\":{\"name\":\"cart\",\"namespace\":\"shop\"},\"spec\":{\"replicas\":4,\"selector\":{\"matchLabels\":" \
	"{"                                                                                                                \
	"\"app\":\"cart\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"cart\"}},\"spec\":{\"containers\":[{"        \
	"\"name\":"                                                                                                        \
	"\"cart\",\"image\":\"shop/cart:1\",\"resources\":{\"limits\":{\"memory\":\"256Mi\"}}}]}}}}"
/* The namespace "shop" with the Deployment "cart" of four pods. */
MUST_USE enum err kube_rig_add_cart(struct kube_rig *r);
