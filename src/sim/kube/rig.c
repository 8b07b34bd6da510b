#include "sim/kube/rig.h"

#include <stdio.h>

#include "sim/memory.h"

static void later_moment(void *self, uint64_t arg) {
	struct kube_rig_later *l = self;
	(void)arg;
	if (l->what == 0) sim_kube_pod_running(l->r->kube, l->uid);
	if (l->what == 1) sim_kube_pod_ready(l->r->kube, l->uid, true);
	if (l->what == 2) sim_kube_pod_exited(l->r->kube, l->uid, "Completed", 0);
}

static void later(struct kube_rig *r, const char *uid, int what, int64_t ns) {
	assert(r->later_count < sizeof r->later / sizeof *r->later);
	struct kube_rig_later *l = &r->later[r->later_count++];
	*l = (struct kube_rig_later){ .r = r, .what = what };
	snprintf(l->uid, sizeof l->uid, "%s", uid);
	sim_queue_in(&r->queue, ns, later_moment, l, 0);
}

static void start_container(void *self, const struct sim_kube_pod *pod) {
	struct kube_rig *r = self;
	later(r, pod->uid, 0, NS_PER_MS);
	later(r, pod->uid, 1, r->start_ns);
}
static void stop_container(void *self, const struct sim_kube_pod *pod, int64_t grace_ns) {
	struct kube_rig *r = self;
	(void)grace_ns;
	if (!r->hang) later(r, pod->uid, 2, 100 * NS_PER_MS);
}
static void kill_container(void *self, const struct sim_kube_pod *pod) {
	(void)pod;
	((struct kube_rig *)self)->killed++;
}
static const struct sim_kube_runtime runtime = { start_container, stop_container, kill_container };

void kube_rig_init(struct kube_rig *r, uint64_t seed) {
	*r = (struct kube_rig){ .start_ns = 2 * NS_PER_SEC };
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	struct rng rng = rng_seeded(seed);
	struct sim_kube_opts o = { &r->queue, &r->trace, rng_fork(&rng, "kube"), { 1767607200 * NS_PER_SEC }, 3, &runtime,
		                       r,         0 };
	r->kube = sim_kube_new(&o);
}

void kube_rig_done(struct kube_rig *r) {
	sim_kube_free(r->kube);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
}

void kube_rig_run(struct kube_rig *r, int64_t ns) {
	int64_t until = r->queue.now_ns + ns;
	do { r->trace.now_ns = r->queue.now_ns; } while (sim_queue_next(&r->queue, until));
}

enum err kube_rig_add_cart(struct kube_rig *r) {
	enum err e = sim_kube_create(r->kube, KUBE_NAMESPACES, STR("{\"metadata\":{\"name\":\"shop\"}}"), NULL);
	return e ? e : sim_kube_create(r->kube, KUBE_DEPLOYMENTS, STR(KUBE_RIG_CART), NULL);
}
