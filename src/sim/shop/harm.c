/* What faults do to what has them: several at once add up or multiply, as they would. */
#include <math.h>

#include "sim/shop/impl.h"

#define PERIOD_S     0.1 /* of the kernel's CPU quota: what is used beyond it waits for the next one */
#define CPU_LEAST    0.05
#define RTO_NS       (200 * NS_PER_MS) /* Linux: TCP_RTO_MIN; doubled with each loss */
#define RESENDS_MAX  6
#define LOSS_LEAST   0.001 /* of packets, at the least magnitude of a slow link and at the most */
#define LOSS_MOST    0.1
#define CRASH_MEAN_S 20.0 /* a process that crashes under its traffic lives for so long once it is ready */

static uint32_t mask_of(int bit) {
	return UINT32_C(1) << bit;
}

static double either(double a, double b) {
	return 1 - (1 - a) * (1 - b);
}

/* ---- a process ---- */

/* Threads that spin, in cores: beside them the CPU part of its work is stretched until work as a whole takes
 * `magnitude` times as long. */
static double hog_cores(const struct shop_service *spec, double magnitude) {
	double cpu = spec->cpu > CPU_LEAST ? spec->cpu : CPU_LEAST;
	return spec->cpu_limit * (magnitude - 1 + cpu) / cpu;
}

static void add_image(struct shop_pod *p, const struct shop_fault *f, uint32_t mask) {
	if (f->form & SHOP_SLOWER) p->slow *= f->magnitude, p->slow_mask |= mask;
	if (f->form & SHOP_FAILING) p->errors = either(p->errors, shop_bad_share(f->magnitude)), p->error_mask |= mask;
	p->crashes |= (f->form & SHOP_CRASHING) != 0;
	p->unready |= (f->form & SHOP_UNREADY) != 0;
}

static void add_fault(struct shop *s, struct shop_pod *p, const struct shop_fault *f, uint32_t mask) {
	const struct shop_service *spec = s->members[p->service].spec;
	switch (f->kind) {
	case SHOP_LEAK:
		if (!(p->leak_pace > 0)) p->leak_pace = rng_between(&s->fault_rng, 0.85, 1.15);
		p->leak_bytes_s +=
			((double)p->kube.memory_limit - spec->memory_base * 1024 * 1024) / f->magnitude * p->leak_pace;
		p->leak_mask |= mask;
		return;
	case SHOP_CPU_HOG: p->hog += hog_cores(spec, f->magnitude), p->slow_mask |= mask; return;
	case SHOP_ERROR_BURST: p->errors = either(p->errors, f->magnitude), p->error_mask |= mask; return;
	case SHOP_POOL_EXHAUSTED: p->keeps = either(p->keeps, f->magnitude), p->keep_mask |= mask; return;
	case SHOP_BAD_DEPLOYMENT: add_image(p, f, mask); return;
	case SHOP_RETRY_STORM: p->slow *= shop_storm_pace(s, f), p->slow_mask |= mask; return;
	default: p->slow_mask |= mask; return; /* it hangs */
	}
}

/* What it leaked and what it burnt until now stays, whatever comes next. */
static void settle(struct shop *s, struct shop_pod *p) {
	int64_t now = s->queue->now_ns;
	p->leaked += p->leak_bytes_s * (double)(now - p->leak_ns) / 1e9;
	p->leak_ns = now;
	p->cpu_s = shop_pod_cpu(s, p);
	p->hog_cpu_s = p->cpu_s;
	p->hog_ns = now;
}

void shop_harm_pod(struct shop *s, uint32_t index, uint32_t has) {
	struct shop_pod *p = s->pods[index];
	settle(s, p);
	p->has = has;
	p->errors = p->hog = p->keeps = p->leak_bytes_s = 0;
	p->slow = 1;
	p->crashes = p->unready = false;
	p->error_mask = p->slow_mask = p->keep_mask = p->leak_mask = 0;
	for (int bit = 0; has >> bit; bit++)
		if (has >> bit & 1) add_fault(s, p, shop_fault_of_bit(s, bit), mask_of(bit));
	if (p->leak_bytes_s > 0)
		shop_watch_memory(s, index);
	else
		p->leaked = 0; /* what is not held any more is collected */
	if (!p->keep_mask) shop_pools_mended(s, index);
}

double shop_pod_cpu(const struct shop *s, const struct shop_pod *p) {
	if (!(p->hog > 0)) return p->cpu_s;
	double burnt = p->hog_cpu_s + s->members[p->service].spec->cpu_limit * (double)(s->queue->now_ns - p->hog_ns) / 1e9;
	return burnt > p->cpu_s ? burnt : p->cpu_s; /* threads that spin take whatever is left */
}

/* The quota as a bucket that leaks `limit` CPU-seconds a second and holds one period's worth: what does not fit
 * waits. At rest it never does. */
static double quota_wait(struct shop *s, struct shop_pod *p, double cpu_s) {
	double limit = s->members[p->service].spec->cpu_limit;
	int64_t now = s->queue->now_ns;
	if (!(limit > 0)) return 0;
	p->cpu_debt_s -= limit * (double)(now - p->cpu_debt_ns) / 1e9;
	p->cpu_debt_s = (p->cpu_debt_s > 0 ? p->cpu_debt_s : 0) + cpu_s;
	p->cpu_debt_ns = now;
	double over = p->cpu_debt_s - limit * PERIOD_S;
	return over > 0 ? over / limit : 0;
}

/* How long `seconds` of work take at this process now: collections, code not yet warm, and the CPU that it gets. */
double shop_pod_work(struct shop *s, struct shop_pod *p, double seconds) {
	const struct shop_service *spec = s->members[p->service].spec;
	double cpu_s = seconds * spec->cpu;
	p->cpu_s += cpu_s;
	seconds *= shop_pod_pace(s, p);
	if (!(p->hog > 0)) return seconds + quota_wait(s, p, cpu_s);
	/* All that run share the limit evenly. */
	double cpu = spec->cpu > CPU_LEAST ? spec->cpu : CPU_LEAST;
	double running = p->station.busy > 1 ? (double)(p->station.busy - 1) * cpu : 0;
	return seconds * (1 - cpu + cpu * (running + p->hog) / spec->cpu_limit);
}

static void crash_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	struct shop_pod *p = s->pods[(uint32_t)arg];
	if (p && p->gen == (uint32_t)(arg >> 32) && p->crashes) shop_pod_exits(s, (uint32_t)arg, "Error", 1);
}

void shop_harm_ready(struct shop *s, uint32_t index) {
	if (!s->pods[index]->crashes) return;
	double seconds = rng_exponential(&s->fault_rng, CRASH_MEAN_S);
	sim_queue_in(s->queue, (int64_t)(seconds * 1e9), crash_moment, s, (uint64_t)s->pods[index]->gen << 32 | index);
}

/* Everything that pods of the service have: for what nobody answered. */
uint32_t shop_harm_of_service(const struct shop *s, uint32_t service) {
	uint32_t mask = 0;
	for (uint32_t i = 0; i < s->pod_count; i++)
		if (s->pods[i] && s->pods[i]->service == service) mask |= s->pods[i]->has;
	return mask;
}

/* ---- a database ---- */

void shop_harm_database(struct shop *s, uint32_t database) {
	struct shop_db *db = &s->dbs[database];
	db->slow = 1;
	db->slow_mask = db->full_mask = 0;
	for (int bit = 0; bit < SHOP_FAULT_BITS; bit++) {
		const struct shop_fault *f = shop_fault_of_bit(s, bit);
		if (!f || !f->begun || f->over || f->target != (int)database || !shop_fault_at_database(f->kind)) continue;
		if (f->kind == SHOP_SLOW_DATABASE) db->slow *= f->magnitude, db->slow_mask |= mask_of(bit);
		if (f->kind == SHOP_FULL_DISK) db->full_mask |= mask_of(bit);
	}
}

/* ---- a link ---- */

double shop_link_loss(double magnitude) {
	const struct shop_fault_info *info = &shop_fault_infos[SHOP_SLOW_LINK];
	double rank = log(magnitude / info->least) / log(info->most / info->least);
	return LOSS_LEAST * pow(LOSS_MOST / LOSS_LEAST, rank < 0 ? 0 : rank > 1 ? 1 : rank);
}

/* Calls take `magnitude` times as long: what losses do not add, both ways together, delay does. */
static void add_link(struct shop *s, struct shop_edge *e, const struct shop_fault *f, uint32_t mask) {
	double loss = shop_link_loss(f->magnitude), resent_s = 2 * loss * (double)RTO_NS / 1e9;
	double more_s = (f->magnitude - 1) * shop_usual_seconds(s, e) - resent_s;
	if (more_s > 0) e->delay_ns += (int64_t)(more_s / 2 * 1e9);
	e->loss = either(e->loss, loss);
	e->link_mask |= mask;
}

void shop_harm_links(struct shop *s) {
	for (uint32_t i = 0; i < s->edge_count; i++) {
		struct shop_edge *e = &s->edges[i];
		e->delay_ns = 0;
		e->loss = 0;
		e->link_mask = 0;
		if (e->database || e->service == SHOP_NONE) continue;
		for (int bit = 0; bit < SHOP_FAULT_BITS; bit++) {
			const struct shop_fault *f = shop_fault_of_bit(s, bit);
			if (!f || !f->begun || f->over || f->kind != SHOP_SLOW_LINK || f->source != (int)e->service ||
			    f->target != (int)s->points[e->target].service)
				continue;
			add_link(s, e, f, mask_of(bit));
		}
	}
}

/* One message, one way, over a link that is slow: its delay, and a time-out of TCP for each copy that is lost. */
int64_t shop_link_way(struct shop *s, const struct shop_edge *e) {
	int64_t ns = e->delay_ns, rto_ns = RTO_NS;
	for (int n = 0; n < RESENDS_MAX && rng_unit(&s->fault_rng) < e->loss; n++) {
		ns += rto_ns;
		rto_ns *= 2;
	}
	return ns;
}
