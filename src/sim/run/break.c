/* The world, broken on purpose: so that a test sees each checker find what it is there for. */
#include <stdio.h>
#include <string.h>

#include "sim/kube/impl.h"
#include "sim/memory.h"
#include "sim/run/impl.h"

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

/* A write through the API under Flyball's name and with a key that it never claimed. */
static void forge(struct run *r) {
	static const char patch[] =
		"{\"metadata\":{\"annotations\":{\"flyball.dev/action-key\":\"0000000000000000\"}},\"spec\":{"
		"\"template\":{\"metadata\":{\"annotations\":{\"flyball.dev/restarted-at\":\"now\"}}}}}";
	struct sim_kube_call call = { .user = "flyball", .manager = "flyball-restart" };
	struct sim_kube_reply reply = { 0 };
	struct doc *body = doc_parse(str_of(patch), NULL);
	sim_kube_do_patch(r->kube, KUBE_DEPLOYMENTS, r->world.namespace_, some_service(r)->deployment, KUBE_MERGE, body,
	                  &call, &reply);
	assert(!reply.reason && "the server takes what Flyball may write");
	sim_kube_reply_done(&reply);
	doc_free(body);
}

static void break_now(void *self, uint64_t arg) {
	struct run *r = self;
	(void)arg;
	if (r->o.broken == BREAK_SCALE) change(r, "somebody", "{\"spec\":{\"replicas\":0}}");
	if (r->o.broken == BREAK_FORGERY) forge(r);
	if (r->o.broken == BREAK_DISK) run_flyball_dies(r, 0, false);
}

void run_break_begin(struct run *r) {
	if (r->o.broken != BREAK_NOTHING) sim_queue_at(&r->queue, r->begin_ns + BREAK_NS, break_now, r, 0);
}
