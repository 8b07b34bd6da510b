/* What breaks, and what mends it. */
#include <math.h>
#include <stdio.h>

#include "sim/shop_impl.h"

const struct shop_fault_info shop_fault_infos[SHOP_FAULTS] = {
	[SHOP_LEAK] = { "memory-leak", "memory|crash", 1800, 86400, "s until the limit" },
	[SHOP_SLOW_DATABASE] = { "slow-database", "dependency|latency|saturation", 2, 40, "times as slow" },
	[SHOP_ERROR_BURST] = { "error-burst", "errors|deployment", 0.005, 0.5, "of requests fail" },
	[SHOP_DEAD_POD] = { "dead-pod", "crash", 1, 1, "pod" },
};

/* The mechanism below does what this table says, and a test holds the two together. An undo replaces every pod
 * too: it ends what lies in processes, and takes back somebody's work that had nothing to do with it. */
enum shop_remedy shop_remedy_of(enum shop_fault_kind k, bool deployed, enum shop_action a) {
	static const enum shop_remedy table[SHOP_FAULTS][SHOP_ACTIONS] = {
		[SHOP_LEAK] = { SHOP_CURES, SHOP_HELPS, SHOP_HARMS, SHOP_NOTHING },
		[SHOP_SLOW_DATABASE] = { SHOP_NOTHING, SHOP_NOTHING, SHOP_HARMS, SHOP_NOTHING },
		[SHOP_ERROR_BURST] = { SHOP_CURES, SHOP_HELPS, SHOP_HARMS, SHOP_HELPS },
		[SHOP_DEAD_POD] = { SHOP_CURES, SHOP_CURES, SHOP_HARMS, SHOP_HELPS },
	};
	static const enum shop_remedy by_deployment[SHOP_ACTIONS] = { SHOP_NOTHING, SHOP_NOTHING, SHOP_CURES,
		                                                          SHOP_NOTHING };
	return k == SHOP_ERROR_BURST && deployed ? by_deployment[a] : table[k][a];
}

static uint32_t random_service(const struct shop *s, struct rng *rng, int replicas_least) {
	for (;;) {
		uint32_t i = (uint32_t)rng_below(rng, (int64_t)s->world->service_count);
		if (s->members[i].spec->replicas >= replicas_least) return i;
	}
}

struct shop_fault shop_draw_fault(const struct shop *s, enum shop_fault_kind kind, struct rng *rng) {
	const struct shop_fault_info *info = &shop_fault_infos[kind];
	struct shop_fault f = { .kind = kind };
	f.target = kind == SHOP_SLOW_DATABASE ? (int)rng_below(rng, (int64_t)s->world->database_count)
	                                      : (int)random_service(s, rng, kind == SHOP_DEAD_POD ? 2 : 1);
	f.magnitude = exp(rng_between(rng, log(info->least), log(info->most)));
	return f;
}

const char *shop_target_name(const struct shop *s, const struct shop_fault *f) {
	return f->kind == SHOP_SLOW_DATABASE ? s->world->databases[f->target].name : s->world->services[f->target].name;
}

/* ---- on pods ---- */

static void make_leak(struct shop *s, struct shop_pod *p, const struct shop_fault *f) {
	double room = (double)p->kube.memory_limit - shop_pod_memory(s, p);
	p->leak_bytes_s = room / f->magnitude * rng_between(&s->fault_rng, 0.85, 1.15);
	p->leak_began_ns = s->queue->now_ns;
}

static void on_pod(struct shop *s, uint32_t index, const struct shop_fault *f) {
	struct shop_pod *p = s->pods[index];
	if (f->kind == SHOP_LEAK) {
		make_leak(s, p, f);
		shop_watch_memory(s, index);
	}
	if (f->kind == SHOP_ERROR_BURST) p->errors = 1 - (1 - p->errors) * (1 - f->magnitude);
	if (f->kind == SHOP_DEAD_POD) shop_pod_hang(s, index);
}

static bool image_is_bad(const struct shop *s, const struct shop_pod *p, double *errors) {
	for (uint32_t i = 0; i < s->fault_count; i++) {
		const struct shop_fault *f = &s->faults[i];
		if (!f->deployed || !f->begun || f->over || strcmp(f->image, p->kube.image)) continue;
		*errors = f->magnitude;
		return true;
	}
	return false;
}

/* A leak lies in what the pod was given and survives its container; wrong state in memory does not. A bad image
 * is bad in every process that runs it. */
void shop_fault_on_start(struct shop *s, struct shop_pod *p) {
	p->errors = 0;
	p->slow = 1;
	double errors = 0;
	if (image_is_bad(s, p, &errors)) p->errors = errors;
	if (p->leak_bytes_s > 0) p->leak_began_ns = s->queue->now_ns;
}

static void on_service(struct shop *s, const struct shop_fault *f) {
	for (uint32_t i = 0; i < s->pod_count; i++)
		if (s->pods[i] && s->pods[i]->service == (uint32_t)f->target && s->pods[i]->state <= SHOP_UP) on_pod(s, i, f);
}

static void on_one_pod(struct shop *s, struct shop_fault *f) {
	const struct shop_member *m = &s->members[f->target];
	if (!m->serving_count) return;
	uint32_t index = m->serving[rng_below(&s->fault_rng, m->serving_count)];
	snprintf(f->pod_uid, sizeof f->pod_uid, "%s", s->pods[index]->kube.uid);
	on_pod(s, index, f);
}

static void deploy_bad_image(struct shop *s, struct shop_fault *f) {
	struct shop_member *m = &s->members[f->target];
	char patch[400];
	snprintf(f->image, sizeof f->image, "registry.local/%s:1.%lld.0", m->spec->name, (long long)++m->revision);
	snprintf(patch, sizeof patch,
	         "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"%s\",\"image\":\"%s\"}]}}}}",
	         m->spec->name, f->image);
	enum err e = sim_kube_change(s->kube, KUBE_DEPLOYMENTS, s->world->namespace_, m->spec->deployment, "helm",
	                             str_of(patch), NULL);
	assert(!e);
}

static void fault_begins(void *self, uint64_t arg) {
	struct shop *s = self;
	struct shop_fault *f = &s->faults[arg];
	f->begun = true;
	f->begun_ns = s->queue->now_ns;
	f->carried = f->kind == SHOP_SLOW_DATABASE;
	sim_trace_tell(s->o.trace, "shop: fault %s on %s, %.3g %s%s", shop_fault_infos[f->kind].name,
	               shop_target_name(s, f), f->magnitude, shop_fault_infos[f->kind].unit,
	               f->deployed ? ", by a deployment" : "");
	if (f->kind == SHOP_SLOW_DATABASE)
		s->dbs[f->target].slow = f->magnitude;
	else if (f->kind == SHOP_DEAD_POD)
		on_one_pod(s, f);
	else if (f->deployed)
		deploy_bad_image(s, f);
	else
		on_service(s, f);
	shop_fault_carriers(s);
	if (f->kind == SHOP_LEAK) shop_fault_visible(s, SHOP_LEAK);
}

const struct shop_fault *shop_plan_fault(struct shop *s, const struct shop_fault *f) {
	assert(s->fault_count < SHOP_FAULTS_MAX);
	s->faults[s->fault_count] = *f;
	sim_queue_at(s->queue, f->onset_ns, fault_begins, s, s->fault_count);
	return &s->faults[s->fault_count++];
}

/* ---- its end ---- */

static bool carries(const struct shop_pod *p, const struct shop_fault *f) {
	if (!p || p->service != (uint32_t)f->target || p->state == SHOP_GONE) return false;
	switch (f->kind) {
	case SHOP_LEAK: return p->leak_bytes_s > 0;
	case SHOP_ERROR_BURST: return f->deployed ? !strcmp(p->kube.image, f->image) : p->errors > 0;
	case SHOP_DEAD_POD: return p->hung && !strcmp(p->kube.uid, f->pod_uid);
	default: return false;
	}
}

static void is_over(struct shop *s, struct shop_fault *f) {
	f->over = true;
	f->over_ns = s->queue->now_ns;
	sim_trace_tell(s->o.trace, "shop: fault %s on %s is over", shop_fault_infos[f->kind].name, shop_target_name(s, f));
}

void shop_fault_carriers(struct shop *s) {
	for (uint32_t n = 0; n < s->fault_count; n++) {
		struct shop_fault *f = &s->faults[n];
		if (!f->begun || f->over || f->kind == SHOP_SLOW_DATABASE) continue;
		bool carried = false;
		for (uint32_t i = 0; i < s->pod_count && !carried; i++) carried = carries(s->pods[i], f);
		if (f->carried && !carried) is_over(s, f);
		f->carried = f->carried || carried;
	}
}

void shop_end_fault(struct shop *s, const struct shop_fault *fault) {
	struct shop_fault *f = &s->faults[fault - s->faults];
	if (!f->begun || f->over) return;
	if (f->kind == SHOP_SLOW_DATABASE) s->dbs[f->target].slow = 1;
	for (uint32_t i = 0; i < s->pod_count; i++) {
		if (!carries(s->pods[i], f)) continue;
		if (f->kind == SHOP_LEAK) s->pods[i]->leak_bytes_s = 0;
		if (f->kind == SHOP_ERROR_BURST) s->pods[i]->errors = 0;
		if (f->kind == SHOP_DEAD_POD) shop_pod_wake(s, i);
	}
	if (!f->over) is_over(s, f);
}

/* ---- what is seen of it ---- */

void shop_fault_visible(struct shop *s, enum shop_fault_kind kind) {
	for (uint32_t i = 0; i < s->fault_count; i++)
		if (s->faults[i].kind == kind && s->faults[i].begun && !s->faults[i].visible_ns)
			s->faults[i].visible_ns = s->queue->now_ns;
}

void shop_fault_delivered(struct shop *s) {
	for (uint32_t i = 0; i < s->fault_count; i++)
		if (s->faults[i].visible_ns && !s->faults[i].delivered_ns) s->faults[i].delivered_ns = s->queue->now_ns;
}
