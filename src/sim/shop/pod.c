/* Pods: processes that start, get ready, leak, hang, drain and die, as the cluster and the faults will it. */
#include <math.h>
#include <stdio.h>

#include "sim/shop/impl.h"

#define MIB           (1024.0 * 1024.0)
#define PRESSURE_FROM 0.85              /* of the memory limit: collections begin to cost */
#define PRESSURE_MAX  2.5               /* factor of work at the limit */
#define COLD_FACTOR   0.6               /* more work in the first moments of a process that compiles as it runs */
#define COLD_S        15.0              /* and how long that lasts (e-fold) */
#define DRAIN_NS      (1 * NS_PER_SEC)  /* requests may still come for so long after SIGTERM */
#define PROBE_NS      (10 * NS_PER_SEC) /* readiness probes; three failures in a row count */
#define PROBE_FAILS   3
#define LIST_NS       (300 * NS_PER_MS) /* until callers know that a pod came or went, and as much by chance */

static uint64_t name_of(const struct shop *s, uint32_t index) {
	return (uint64_t)s->pods[index]->gen << 32 | index;
}

/* The pod that a moment was asked for, if it is still the same process. */
static struct shop_pod *pod_of(struct shop *s, uint64_t arg, uint32_t *index) {
	*index = (uint32_t)arg;
	struct shop_pod *p = s->pods[*index];
	return p && p->gen == (uint32_t)(arg >> 32) ? p : NULL;
}

struct shop_pod *shop_pod_by_uid(const struct shop *s, const char *uid, uint32_t *index) {
	void *v = map_get(&s->by_uid, str_of(uid));
	if (!v) return NULL;
	*index = (uint32_t)((uintptr_t)v - 1);
	return s->pods[*index];
}

/* ---- who gets requests ---- */

void shop_set_listed(struct shop *s, uint32_t pod, bool listed) {
	struct shop_pod *p = s->pods[pod];
	struct shop_member *m = &s->members[p->service];
	if (p->listed == listed) return;
	p->listed = listed;
	if (listed) {
		if (m->serving_count == m->serving_cap) {
			m->serving_cap = m->serving_cap ? 2 * m->serving_cap : 8;
			m->serving = must_grow(m->serving, m->serving_cap, sizeof *m->serving);
		}
		m->serving[m->serving_count++] = pod;
		return;
	}
	for (uint32_t i = 0; i < m->serving_count; i++)
		if (m->serving[i] == pod) m->serving[i] = m->serving[--m->serving_count];
}

/* Endpoints follow readiness with a delay; what counts is how things are when they do. */
static void list_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	struct shop_pod *p = s->pods[(uint32_t)arg];
	if (p) shop_set_listed(s, (uint32_t)arg, p->state == SHOP_UP && p->ready);
}

static void list_later(struct shop *s, uint32_t index) {
	sim_queue_in(s->queue, LIST_NS + (int64_t)(rng_unit(&s->pod_rng) * (double)LIST_NS), list_moment, s, index);
}

static void set_ready(struct shop *s, uint32_t index, bool ready) {
	struct shop_pod *p = s->pods[index];
	if (p->ready == ready) return;
	p->ready = ready;
	sim_kube_pod_ready(s->kube, p->kube.uid, ready);
	list_later(s, index);
}

/* ---- memory ---- */

static double base_memory(const struct shop *s, const struct shop_pod *p) {
	return s->members[p->service].spec->memory_base * MIB;
}

double shop_pod_memory(const struct shop *s, const struct shop_pod *p) {
	double leaked = p->leaked + p->leak_bytes_s * (double)(s->queue->now_ns - p->leak_ns) / 1e9;
	double limit = (double)p->kube.memory_limit, used = base_memory(s, p) + leaked;
	return limit > 0 && used > limit ? limit : used;
}

static bool compiles_as_it_runs(const char *language) {
	return !strcmp(language, "java") || !strcmp(language, "dotnet");
}

double shop_pod_pace(const struct shop *s, const struct shop_pod *p) {
	double pace = p->slow > 0 ? p->slow : 1;
	if (p->leak_bytes_s > 0 && p->kube.memory_limit > 0) {
		double used = shop_pod_memory(s, p) / (double)p->kube.memory_limit;
		if (used > PRESSURE_FROM) pace *= 1 + (PRESSURE_MAX - 1) * (used - PRESSURE_FROM) / (1 - PRESSURE_FROM);
	}
	double age = (double)(s->queue->now_ns - p->up_ns) / 1e9;
	if (age < 6 * COLD_S && compiles_as_it_runs(s->members[p->service].spec->language))
		pace *= 1 + COLD_FACTOR * exp(-age / COLD_S);
	return pace;
}

/* ---- life ---- */

static void process_ends(struct shop *s, uint32_t index, enum shop_pod_state next) {
	struct shop_pod *p = s->pods[index];
	shop_set_listed(s, index, false);
	shop_pod_dies(s, index);
	shop_export_stop(p);
	p->gen++;
	p->state = next;
	p->ready = p->hung = p->held = false;
	shop_harm_pod(s, index, next == SHOP_GONE ? 0 : shop_fault_kept(s, p));
	shop_fault_carriers(s);
}

static void is_ready(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	p->held = false;
	p->state = SHOP_UP;
	p->up_ns = s->queue->now_ns;
	set_ready(s, index, true);
	shop_harm_ready(s, index);
}

static void got_ready(void *self, uint64_t arg) {
	struct shop *s = self;
	uint32_t index;
	struct shop_pod *p = pod_of(s, arg, &index);
	if (!p || p->state != SHOP_STARTING) return;
	if (!p->unready) {
		is_ready(s, index);
		return;
	}
	p->held = true;
	shop_visible_pod(s, p);
}

void shop_pod_mended(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	if (p->held && !p->unready && p->state == SHOP_STARTING) is_ready(s, index);
}

void shop_pod_exits(struct shop *s, uint32_t index, const char *reason, int code) {
	struct shop_pod *p = s->pods[index];
	sim_trace_tell(s->o.trace, "shop: %s ends: %s", p->kube.name, reason);
	shop_visible_pod(s, p);
	process_ends(s, index, SHOP_DOWN);
	sim_kube_pod_exited(s->kube, p->kube.uid, reason, code);
}

static void out_of_memory(void *self, uint64_t arg) {
	struct shop *s = self;
	uint32_t index;
	struct shop_pod *p = pod_of(s, arg, &index);
	if (!p || p->leak_bytes_s <= 0 || p->state == SHOP_DOWN) return;
	if (shop_pod_memory(s, p) < (double)p->kube.memory_limit * 0.999999) return; /* the leak was another */
	s->counts.oom_kills++;
	sim_trace_tell(s->o.trace, "shop: %s is killed: out of memory", p->kube.name);
	process_ends(s, index, SHOP_DOWN);
	sim_kube_pod_exited(s->kube, p->kube.uid, "OOMKilled", 137);
}

void shop_watch_memory(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	double room = (double)p->kube.memory_limit - shop_pod_memory(s, p);
	if (p->leak_bytes_s <= 0 || !p->kube.memory_limit) return;
	sim_queue_in(s->queue, (int64_t)(room / p->leak_bytes_s * 1e9) + NS_PER_MS, out_of_memory, s, name_of(s, index));
}

static struct shop_pod *pod_new(struct shop *s, const struct sim_kube_pod *kube, uint32_t service) {
	const struct shop_service *spec = s->members[service].spec;
	struct shop_pod *p = must_alloc(sizeof *p);
	p->service = service;
	p->kube = *kube;
	p->station.workers = spec->workers;
	p->station.waiting_max = spec->queue_max;
	p->served = must_array(s->members[service].point_count, sizeof *p->served);
	p->called = must_array(s->members[service].edge_count, sizeof *p->called);
	p->told_points = must_array(s->members[service].point_count, sizeof *p->told_points);
	p->told_calls = must_array(s->members[service].edge_count, sizeof *p->told_calls);
	p->pools = must_array(s->members[service].pool_count, sizeof *p->pools);
	s->pods = must_grow(s->pods, s->pod_count + 1, sizeof *s->pods);
	s->pods[s->pod_count++] = p;
	enum err e = map_put(&s->by_uid, str_of(p->kube.uid), (void *)(uintptr_t)s->pod_count, NULL);
	assert(!e);
	return p;
}

void shop_pod_free(struct shop *s, struct shop_pod *p) {
	if (!p) return;
	shop_pools_free(s, p);
	free(p->told_points);
	free(p->told_calls);
	shop_export_stop(p);
	sw_done(&p->resource);
	sw_done(&p->agent_resource);
	for (int i = 0; i < SHOP_SIGNALS; i++)
		for (int b = 0; b < SHOP_BATCHES; b++) sw_done(&p->exporters[i].ready[b].wire);
	free(p->served);
	free(p->called);
	free(p);
}

static void pod_gone(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	map_remove(&s->by_uid, str_of(p->kube.uid));
	shop_pod_free(s, p);
	s->pods[index] = NULL;
}

static uint32_t service_of(const struct shop *s, const char *workload) {
	for (uint32_t i = 0; i < s->world->service_count; i++)
		if (!strcmp(s->members[i].spec->deployment, workload)) return i;
	return SHOP_NONE;
}

static void start(void *self, const struct sim_kube_pod *kube) {
	struct shop *s = self;
	uint32_t index = 0, service = service_of(s, kube->workload);
	struct shop_pod *p = shop_pod_by_uid(s, kube->uid, &index);
	if (service == SHOP_NONE) return; /* not ours: it never gets ready */
	if (!p) {
		p = pod_new(s, kube, service);
		index = s->pod_count - 1;
	}
	p->kube = *kube;
	p->gen++;
	p->state = SHOP_STARTING;
	p->hung = p->held = false;
	p->began_ns = p->up_ns = p->told_ns = p->leak_ns = p->hog_ns = p->cpu_debt_ns = s->queue->now_ns;
	p->cpu_s = p->cpu_told_s = p->cpu_debt_s = p->leaked = p->hog = 0;
	p->cpu_told_ns = p->began_ns;
	shop_pools_reset(s, p, true);
	memset(p->told_points, 0, s->members[service].point_count * sizeof *p->told_points);
	memset(p->told_calls, 0, s->members[service].edge_count * sizeof *p->told_calls);
	memset(p->served, 0, s->members[service].point_count * sizeof *p->served);
	memset(p->called, 0, s->members[service].edge_count * sizeof *p->called);
	shop_harm_pod(s, index, shop_fault_kept(s, p));
	shop_fault_carriers(s);
	sim_kube_pod_running(s->kube, p->kube.uid);
	shop_export_start(s, index);
	double seconds = s->members[service].spec->start_up_s * exp(0.12 * rng_normal(&s->pod_rng));
	sim_queue_in(s->queue, (int64_t)(seconds * 1e9), got_ready, s, name_of(s, index));
}

static void drained(void *self, uint64_t arg) {
	struct shop *s = self;
	uint32_t index;
	struct shop_pod *p = pod_of(s, arg, &index);
	if (!p || p->state != SHOP_DRAINING || p->hung) return;
	if (p->station.busy || p->station.waiting || s->queue->now_ns < p->drained_ns) return; /* asked again when idle */
	char uid[37];
	memcpy(uid, p->kube.uid, sizeof uid);
	shop_export_last(s, index);
	process_ends(s, index, SHOP_GONE);
	pod_gone(s, index);
	sim_kube_pod_exited(s->kube, uid, "Completed", 0);
}

void shop_pod_idle(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	if (p->state == SHOP_DRAINING) sim_queue_at(s->queue, p->drained_ns, drained, s, name_of(s, index));
}

static void stop(void *self, const struct sim_kube_pod *kube, int64_t grace_ns) {
	struct shop *s = self;
	uint32_t index;
	struct shop_pod *p = shop_pod_by_uid(s, kube->uid, &index);
	(void)grace_ns; /* when it is over the cluster kills */
	if (!p) return;
	p->held = false;
	p->state = SHOP_DRAINING;
	p->drained_ns = s->queue->now_ns + DRAIN_NS + (int64_t)(rng_unit(&s->pod_rng) * (double)NS_PER_SEC);
	list_later(s, index);
	sim_queue_at(s->queue, p->drained_ns, drained, s, name_of(s, index));
}

static void kill_pod(void *self, const struct sim_kube_pod *kube) {
	struct shop *s = self;
	uint32_t index;
	struct shop_pod *p = shop_pod_by_uid(s, kube->uid, &index);
	if (!p) return;
	process_ends(s, index, SHOP_GONE);
	pod_gone(s, index);
}

const struct sim_kube_runtime shop_runtime = { start, stop, kill_pod };

/* ---- hanging ---- */

static void probe_fails(void *self, uint64_t arg) {
	struct shop *s = self;
	uint32_t index;
	struct shop_pod *p = pod_of(s, arg, &index);
	if (p && p->hung && p->state == SHOP_UP) set_ready(s, index, false);
}

/* From now on it answers nothing, tells nothing, and its probe finds out after three tries. */
void shop_pod_hang(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	p->hung = true;
	int64_t wait = (PROBE_FAILS - 1) * PROBE_NS + (int64_t)(rng_unit(&s->pod_rng) * (double)PROBE_NS) + NS_PER_SEC;
	sim_queue_in(s->queue, wait, probe_fails, s, name_of(s, index));
}

void shop_pod_wake(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	if (!p->hung) return;
	p->hung = false;
	shop_pod_dies(s, index);
	if (p->state == SHOP_UP) set_ready(s, index, true);
	shop_pod_idle(s, index);
}
