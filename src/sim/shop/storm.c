/* Retry storms: an overload that its own clients keep up (Bronson et al.: Metastable Failures in Distributed Systems,
 * HotOS 2021).
 *
 * What a storm needs is there from its onset on: clients whose time-out is shorter than a full queue's wait, and who
 * try again at that interval, so often that what they ask for, all attempts counted, is `magnitude` times what the
 * service can do. At rest that shows nowhere: hardly a call fails. Then something short makes the service slow (its
 * caches are cold, say). The queue fills, every answer comes too late for whoever asked, work is done for nobody, and
 * after the trigger has gone that goes on by itself: nothing below keeps it up but the clients' habits. It is over when
 * nobody has waited for a while, however that came about. */
#include <math.h>

#include "sim/shop/impl.h"

#define TRIGGER_NS    (30 * NS_PER_SEC)
#define TRIGGER_PACE  2.0 /* times what would just be too slow */
#define LOOK_NS       NS_PER_SEC
#define CALM_LOOKS    30
#define ATTEMPTS_MAX  250
#define IMPATIENCE    4.0 /* times what a call usually takes: their time-out ... */
#define WAIT_SHARE    0.5 /* ... and at most so much of what a request at the end of a full queue waits */
#define IMPATIENCE_NS (10 * NS_PER_MS)

/* ---- what the world says of rates and capacities ---- */

static double work_mean(const struct shop_time *t) {
	if (t->shape != SHOP_LOGNORMAL) return t->median;
	double mean = t->median * exp(t->sigma * t->sigma / 2);
	if (!(t->tail > 0)) return mean;
	double a = t->tail_alpha, most = 50; /* E[min(Pareto, 50)] */
	double factor = a > 1.001 ? (a - pow(most, 1 - a)) / (a - 1) : 1 + log(most);
	return mean * (1 + t->tail * (factor - 1));
}

double shop_work_mean(const struct shop_time *t) {
	return work_mean(t);
}

/* Requests a second at each endpoint, mean over the day: entries, handed on along the calls. */
void shop_rates(struct shop *s) {
	for (int pass = 0; pass < 16; pass++) { /* deeper than calls go */
		for (uint32_t i = 0; i < s->point_count; i++) s->points[i].next_rate = 0;
		for (size_t i = 0; i < s->world->entry_count; i++)
			s->points[s->edges[s->entry_edges[i]].target].next_rate +=
				s->world->rate * s->world->entries[i].weight / s->entry_weight;
		for (uint32_t i = 0; i < s->point_count; i++)
			for (uint32_t n = 0; n < s->points[i].edge_count; n++) {
				struct shop_edge *e = &s->edges[s->points[i].edges[n]];
				e->rate = s->points[i].rate * e->probability;
				if (!e->database) s->points[e->target].next_rate += e->rate;
			}
		for (uint32_t i = 0; i < s->point_count; i++) s->points[i].rate = s->points[i].next_rate;
	}
}

struct load {
	double rate;               /* requests a second, mean over the day */
	double by_workers, by_cpu; /* what one pod can do of them; the less counts */
	double capacity;
};

static struct load load_of(const struct shop *s, uint32_t service) {
	const struct shop_member *m = &s->members[service];
	struct load l = { 0 };
	double work = 0;
	for (uint32_t i = 0; i < m->point_count; i++) {
		const struct shop_point *pt = &s->points[m->first_point + i];
		l.rate += pt->rate;
		work += pt->rate * work_mean(&pt->spec->work);
	}
	double mean = l.rate > 0 ? work / l.rate : 0;
	if (!(mean > 0)) mean = 1e-3;
	l.by_workers = m->spec->workers / mean;
	bool limited = m->spec->cpu > 0 && m->spec->cpu_limit > 0;
	l.by_cpu = limited ? m->spec->cpu_limit / (mean * m->spec->cpu) : l.by_workers;
	l.capacity = l.by_cpu < l.by_workers ? l.by_cpu : l.by_workers;
	return l;
}

/* The nearer to its capacity, the likelier; and somebody must call it. */
double shop_storm_weight(const struct shop *s, uint32_t service) {
	bool called = false;
	for (uint32_t i = 0; i < s->edge_count; i++)
		called |= !s->edges[i].database && s->edges[i].service != SHOP_NONE &&
		          s->points[s->edges[i].target].service == service;
	struct load l = load_of(s, service);
	return called ? l.rate / (l.capacity * s->members[service].spec->replicas) : 0;
}

/* ---- its course ---- */

static struct shop_storm *storm_of(const struct shop *s, const struct shop_fault *f) {
	for (uint32_t i = 0; i < s->storm_count; i++)
		if (s->storms[i].fault == (uint32_t)(f - s->faults)) return &s->storms[i];
	return NULL;
}

double shop_storm_pace(const struct shop *s, const struct shop_fault *f) {
	const struct shop_storm *x = storm_of(s, f);
	return x && s->queue->now_ns < x->trigger_ns ? x->pace : 1;
}

static bool anybody_waits(const struct shop *s, uint32_t service) {
	const struct shop_member *m = &s->members[service];
	for (uint32_t i = 0; i < m->serving_count; i++)
		if (s->pods[m->serving[i]]->station.waiting) return true;
	return false;
}

static void trigger_ends(struct shop *s, const struct shop_fault *f) {
	for (uint32_t i = 0; i < s->pod_count; i++)
		if (s->pods[i] && s->pods[i]->has >> f->bit & 1) shop_harm_pod(s, i, s->pods[i]->has);
	sim_trace_tell(s->o.trace, "shop: what slowed %s has gone", shop_target_name(s, f));
}

static void storm_looked_at(void *self, uint64_t index) {
	struct shop *s = self;
	struct shop_storm *x = &s->storms[index];
	struct shop_fault *f = &s->faults[x->fault];
	int64_t now = s->queue->now_ns;
	if (f->over) return;
	if (now >= x->trigger_ns && now - LOOK_NS < x->trigger_ns) trigger_ends(s, f);
	x->calm = now < x->trigger_ns || anybody_waits(s, (uint32_t)f->target) ? 0 : x->calm + 1;
	if (x->calm == CALM_LOOKS) {
		shop_end_fault(s, f);
		return;
	}
	sim_queue_in(s->queue, LOOK_NS, storm_looked_at, s, index);
}

/* The clients of a service are as the last storm made them that is at work there, or as they were. */
static void set_clients(struct shop *s, uint32_t service) {
	const struct shop_storm *last = NULL;
	uint32_t mask = 0;
	for (uint32_t i = 0; i < s->storm_count; i++) {
		const struct shop_fault *f = &s->faults[s->storms[i].fault];
		if (f->over || f->target != (int)service) continue;
		last = &s->storms[i];
		mask |= UINT32_C(1) << f->bit;
	}
	for (uint32_t i = 0; i < s->edge_count; i++) {
		struct shop_edge *e = &s->edges[i];
		if (e->database || e->service == SHOP_NONE || s->points[e->target].service != service) continue;
		e->storm_attempts = last ? last->attempts : 0;
		e->storm_timers = last ? last->timers : 0;
		e->storm_mask = mask;
	}
}

static int64_t impatience_ns(const struct shop *s, uint32_t service, double full_wait_s) {
	double usual_s = 0;
	for (uint32_t i = 0; i < s->edge_count; i++) {
		const struct shop_edge *e = &s->edges[i];
		if (!e->database && e->service != SHOP_NONE && s->points[e->target].service == service)
			usual_s = fmax(usual_s, shop_usual_seconds(s, e));
	}
	int64_t ns = (int64_t)(fmin(IMPATIENCE * usual_s, WAIT_SHARE * full_wait_s) * 1e9);
	return ns > IMPATIENCE_NS ? ns : IMPATIENCE_NS;
}

void shop_storm_begin(struct shop *s, const struct shop_fault *f) {
	uint32_t target = (uint32_t)f->target;
	const struct shop_service *spec = s->members[target].spec;
	struct load l = load_of(s, target);
	double rate = l.rate * shop_rate_now(s) / s->world->rate; /* at this hour */
	if (!(rate > 0)) rate = l.capacity;
	double attempts = ceil(f->magnitude * l.capacity * spec->replicas / rate);
	if (attempts > ATTEMPTS_MAX) attempts = ATTEMPTS_MAX;
	int64_t timeout_ns = impatience_ns(s, target, spec->queue_max / l.capacity);
	s->storms = must_grow(s->storms, s->storm_count + 1, sizeof *s->storms);
	s->storms[s->storm_count++] = (struct shop_storm){
		.fault = (uint32_t)(f - s->faults),
		.trigger_ns = s->queue->now_ns + TRIGGER_NS,
		.pace = fmax(TRIGGER_PACE * l.by_workers * spec->replicas / rate, 1),
		.attempts = (uint8_t)attempts,
		.timers = shop_timer_find(s, timeout_ns / NS_PER_MS * NS_PER_MS),
	};
	set_clients(s, target);
	for (uint32_t i = 0; i < s->members[target].serving_count; i++) {
		uint32_t pod = s->members[target].serving[i];
		shop_harm_pod(s, pod, s->pods[pod]->has | UINT32_C(1) << f->bit);
	}
	sim_queue_in(s->queue, LOOK_NS, storm_looked_at, s, s->storm_count - 1);
}

void shop_storm_end(struct shop *s, const struct shop_fault *f) {
	set_clients(s, (uint32_t)f->target);
}
