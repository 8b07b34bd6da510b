/* When a fault is visible: the noise-free expectation of an emitted metric has moved by more than three standard
 * deviations of that metric.
 *
 * The deviation is measured: until the first fault begins, each value that a process's export holds (mean duration and
 * share of failures of an endpoint or a call over the export's interval, CPU, connections) is taken into one estimate
 * for each series' kind; where an interval has few requests, a share is at least as uncertain as its binomial. The
 * shift is not measured, it follows from the mechanism: what the fault adds to the work, to a call, to the share that
 * fails, times the part of the interval since it began. So a fault is visible from one export on, whatever chance
 * does, and a small one never. It knows nothing of Flyball, and Flyball nothing of it. */
#include <math.h>

#include "sim/shop/impl.h"

#define SDS          3.0
#define LEAST_VALUES 10                /* of a series before its deviation is known */
#define WARM_NS      (60 * NS_PER_SEC) /* a process's first minute is no rest */

static void take(struct shop_rest *r, double v) {
	r->n++;
	double d = v - r->mean;
	r->mean += d / r->n;
	r->squares += d * (v - r->mean);
}

static double sd_of(const struct shop_rest *r) {
	return r->n > 1 ? sqrt(r->squares / (r->n - 1)) : 0;
}

static bool moved(const struct shop_rest *r, double shift) {
	return r->n >= LEAST_VALUES && shift > 0 && shift > SDS * sd_of(r);
}

/* Of `count` requests an interval, as the world expects them. */
static bool share_moved(const struct shop_rest *r, double shift, double usual, double count) {
	double share = r->mean > usual ? r->mean : usual;
	double sd = count > 0 ? sqrt(share * (1 - share) / count) : 0, measured = sd_of(r);
	return shift > 0 && shift > SDS * (measured > sd ? measured : sd);
}

static bool at_rest(const struct shop *s) {
	for (uint32_t i = 0; i < s->fault_count; i++)
		if (s->faults[i].begun) return false;
	return true;
}

void shop_visible(struct shop *s, struct shop_fault *f) {
	if (!f->visible_ns) f->visible_ns = s->queue->now_ns;
}

double shop_usual_seconds(const struct shop *s, const struct shop_edge *e) {
	if (e->rest_seconds.n >= LEAST_VALUES) return e->rest_seconds.mean;
	return shop_work_mean(e->database ? &s->dbs[e->target].spec->work : &s->points[e->target].spec->work);
}

/* ---- what an export holds since the one before ---- */

struct interval {
	double count, failed, seconds;
};

static struct interval since_told(struct shop_told *told, const struct shop_histogram *h, int outcomes) {
	struct shop_told now = { 0 };
	for (int o = 0; o < outcomes; o++) {
		now.count += h[o].count;
		now.failed += o != SHOP_OK ? h[o].count : 0;
		now.seconds += h[o].sum;
	}
	struct interval i = { (double)(now.count - told->count), (double)(now.failed - told->failed),
		                  now.seconds - told->seconds };
	*told = now;
	return i;
}

static void learn(struct shop_rest *seconds, struct shop_rest *failed, const struct interval *i) {
	if (!(i->count > 0)) return;
	take(seconds, i->seconds / i->count);
	take(failed, i->failed / i->count);
}

/* ---- what a fault adds ---- */

struct look { /* at one process's export */
	struct shop *s;
	const struct shop_pod *p;
	const struct shop_fault *f;
	double share; /* of the interval, since the fault began */
	double interval_s;
};

static double extra_pace(const struct look *l) {
	const struct shop_fault *f = l->f;
	if (f->kind == SHOP_CPU_HOG) return f->magnitude - 1;
	if (f->kind == SHOP_RETRY_STORM) return shop_storm_pace(l->s, f) - 1;
	return f->kind == SHOP_BAD_DEPLOYMENT && f->form & SHOP_SLOWER ? f->magnitude - 1 : 0;
}

static double extra_failures(const struct shop_fault *f) {
	if (f->kind == SHOP_ERROR_BURST) return f->magnitude;
	return f->kind == SHOP_BAD_DEPLOYMENT && f->form & SHOP_FAILING ? shop_bad_share(f->magnitude) : 0;
}

static bool served_moved(const struct look *l, const struct shop_point *pt) {
	const struct shop_member *m = &l->s->members[l->p->service];
	double count = pt->rate / m->spec->replicas * l->interval_s;
	return moved(&pt->rest_seconds, shop_work_mean(&pt->spec->work) * extra_pace(l) * l->share) ||
	       share_moved(&pt->rest_failed, extra_failures(l->f) * l->share, pt->spec->errors, count);
}

/* A process that the fault lies in: its requests, its connections. */
static bool process_moved(const struct look *l, const struct interval *points) {
	const struct shop_member *m = &l->s->members[l->p->service];
	if (!(l->p->has >> l->f->bit & 1)) return false;
	for (uint32_t i = 0; i < m->point_count; i++)
		if (points[i].count > 0 && served_moved(l, &l->s->points[m->first_point + i])) return true;
	for (uint32_t i = 0; l->f->kind == SHOP_POOL_EXHAUSTED && i < m->pool_count; i++) {
		const struct shop_pool *pool = &l->p->pools[i];
		if (shop_pool_is_empty(pool)) return true; /* nothing that needs it succeeds any more */
		if (shop_pool_told(l->s, l->p->service) && moved(&m->pools[i].rest_used, pool->kept)) return true;
	}
	return false;
}

/* A call's interval holds what ended in it: what gets no answer ends with its time-out. */
static bool dead_pod_shows(const struct look *l, const struct shop_edge *e, double count) {
	const struct shop_member *to = &l->s->members[l->f->target];
	int64_t told_ns = l->s->queue->now_ns - l->f->begun_ns - l->s->timers[e->timers].timeout_ns;
	double share = fmin((double)told_ns / 1e9 / l->interval_s, 1);
	return to->serving_count && share_moved(&e->rest_failed, share / to->serving_count, 0, count);
}

static bool call_moved(const struct look *l, const struct shop_edge *e) {
	const struct shop_fault *f = l->f;
	double count = e->rate / l->s->members[l->p->service].spec->replicas * l->interval_s;
	bool there = shop_fault_at_database(f->kind) == e->database &&
	             (int)(e->database ? e->target : l->s->points[e->target].service) == f->target;
	if (!there) return false;
	double usual = shop_usual_seconds(l->s, e);
	if (f->kind == SHOP_SLOW_DATABASE)
		return moved(&e->rest_seconds,
		             shop_work_mean(&l->s->dbs[e->target].spec->work) * (f->magnitude - 1) * l->share);
	if (f->kind == SHOP_SLOW_LINK && f->source == (int)l->p->service)
		return moved(&e->rest_seconds, usual * (f->magnitude - 1) * l->share);
	if (f->kind == SHOP_FULL_DISK && e->writes) return share_moved(&e->rest_failed, l->share, 0, count);
	return f->kind == SHOP_DEAD_POD && dead_pod_shows(l, e, count);
}

/* ---- exports ---- */

static void learn_process(struct shop *s, struct shop_pod *p, const struct interval *points,
                          const struct interval *calls) {
	struct shop_member *m = &s->members[p->service];
	for (uint32_t i = 0; i < m->point_count; i++) {
		struct shop_point *pt = &s->points[m->first_point + i];
		learn(&pt->rest_seconds, &pt->rest_failed, &points[i]);
	}
	for (uint32_t i = 0; i < m->edge_count; i++) {
		struct shop_edge *e = &s->edges[m->edges[i]];
		learn(&e->rest_seconds, &e->rest_failed, &calls[i]);
	}
	for (uint32_t i = 0; i < m->pool_count; i++) take(&m->pools[i].rest_used, p->pools[i].used);
}

static void look_at_process(struct shop *s, struct shop_pod *p, struct shop_fault *f, const struct interval *points,
                            const struct interval *calls) {
	const struct shop_member *m = &s->members[p->service];
	int64_t now = s->queue->now_ns;
	int64_t from_ns = f->begun_ns > p->told_ns ? f->begun_ns : p->told_ns;
	struct look l = { s, p, f, 0, (double)(now - p->told_ns) / 1e9 };
	if (!(l.interval_s > 0)) return;
	l.share = (double)(now - from_ns) / 1e9 / l.interval_s;
	bool seen = process_moved(&l, points);
	for (uint32_t i = 0; i < m->edge_count && !seen; i++)
		seen = calls[i].count > 0 && call_moved(&l, &s->edges[m->edges[i]]);
	if (seen) shop_visible(s, f);
}

void shop_visible_process(struct shop *s, struct shop_pod *p) {
	const struct shop_member *m = &s->members[p->service];
	struct interval points[SHOP_SERIES_MAX], calls[SHOP_SERIES_MAX];
	if (m->point_count > SHOP_SERIES_MAX || m->edge_count > SHOP_SERIES_MAX) return;
	for (uint32_t i = 0; i < m->point_count; i++) points[i] = since_told(&p->told_points[i], p->served[i], 3);
	for (uint32_t i = 0; i < m->edge_count; i++) calls[i] = since_told(&p->told_calls[i], p->called[i], SHOP_OUTCOMES);
	if (at_rest(s)) {
		if (p->state == SHOP_UP && p->told_ns - p->up_ns > WARM_NS) learn_process(s, p, points, calls);
	} else {
		for (uint32_t i = 0; i < s->fault_count; i++)
			if (s->faults[i].begun && !s->faults[i].over && !s->faults[i].visible_ns)
				look_at_process(s, p, &s->faults[i], points, calls);
	}
	p->told_ns = s->queue->now_ns;
}

/* A node's agent tells of a pod: CPU as a share of the limit over `seconds`. */
void shop_visible_agent(struct shop *s, struct shop_pod *p, double cpu_share, double seconds) {
	struct shop_member *m = &s->members[p->service];
	if (at_rest(s)) {
		if (p->state == SHOP_UP && s->queue->now_ns - p->up_ns > WARM_NS) take(&m->rest_cpu, cpu_share);
		return;
	}
	for (uint32_t i = 0; i < s->fault_count; i++) {
		struct shop_fault *f = &s->faults[i];
		if (!f->begun || f->over || f->visible_ns || !(p->has >> f->bit & 1) || f->kind != SHOP_CPU_HOG) continue;
		double since_s = (double)(s->queue->now_ns - f->begun_ns) / 1e9;
		double part = seconds > 0 ? fmin(since_s / seconds, 1) : 0;
		if (moved(&m->rest_cpu, (1 - m->rest_cpu.mean) * part)) shop_visible(s, f);
	}
}

/* Its container has ended, or is not ready though it should be long since: the orchestrator tells. */
void shop_visible_pod(struct shop *s, const struct shop_pod *p) {
	for (int bit = 0; p->has >> bit; bit++) {
		struct shop_fault *f = p->has >> bit & 1 ? shop_fault_of_bit(s, bit) : NULL;
		if (f && f->form & (SHOP_CRASHING | SHOP_UNREADY)) shop_visible(s, f);
	}
}
