/* The world, broken on purpose: so that a test sees each checker find what it is there for. */
#include <stdio.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/run_impl.h"

#define BREAK_NS (5 * NS_PER_MIN)

static const struct shop_service *some_service(const struct run *r) {
	return &r->world.services[r->o.seed % r->world.service_count];
}

static void change(struct run *r, const char *manager, const char *patch) {
	struct why why = { "" };
	enum err e = sim_kube_change(r->kube, KUBE_DEPLOYMENTS, r->world.namespace_, some_service(r)->deployment, manager,
								 str_of(patch), &why);
	assert(!e);
}

static void break_now(void *self, uint64_t arg) {
	struct run *r = self;
	(void)arg;
	if (r->o.broken == BREAK_SCALE) change(r, "somebody", "{\"spec\":{\"replicas\":0}}");
	if (r->o.broken == BREAK_FORGERY)
		change(r, "flyball-restart",
			   "{\"metadata\":{\"annotations\":{\"flyball.dev/action-key\":"
			   "\"0000000000000000000000000000000000000000000000000000000000000000\"}},\"spec\":{\"template\":{"
			   "\"metadata\":{"
			   "\"annotations\":{\"flyball.dev/restarted-at\":\"2026-01-05T00:00:00Z\"}}}}}");
	if (r->o.broken == BREAK_DISK) run_flyball_dies(r, 0, false);
}

void run_break_begin(struct run *r) {
	if (r->o.broken != BREAK_NOTHING) sim_queue_at(&r->queue, r->begin_ns + BREAK_NS, break_now, r, 0);
}
