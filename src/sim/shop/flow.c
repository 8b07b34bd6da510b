/* Requests: they arrive, wait, are worked on, call others, and are answered. */
#include <math.h>
#include <stdio.h>

#include "sim/shop/impl.h"

#define HOP_NS          (120 * NS_PER_US) /* between two pods, at least; twice that at most */
#define BACK_OFF_NS     (50 * NS_PER_MS)  /* before an attempt is repeated, and as much again by chance */
#define BEFORE          0.6               /* share of the work done before others are called */
#define DEFAULT_TIMEOUT (2 * NS_PER_SEC)
#define TAIL_MAX        50.0
#define CACHE_S         60.0 /* until two thirds of what a cache will hold are in it */

static void arrive(void *self, uint64_t arg);
static void worked(void *self, uint64_t arg);
static void answered(void *self, uint64_t arg);

/* ---- pools: an index with a generation, so that a late moment finds nobody ---- */

static uint64_t name_of(uint32_t index, uint32_t gen) {
	return (uint64_t)gen << 32 | index;
}

static void more_flows(struct shop *s) {
	uint32_t count = s->flow_count ? 2 * s->flow_count : 1024;
	s->flows = must_grow(s->flows, count, sizeof *s->flows);
	s->free_flows = must_grow(s->free_flows, count, sizeof *s->free_flows);
	memset(s->flows + s->flow_count, 0, (count - s->flow_count) * sizeof *s->flows);
	for (uint32_t i = count; i > s->flow_count; i--) s->free_flows[s->free_flow_count++] = i - 1;
	s->flow_count = count;
}

static uint32_t flow_new(struct shop *s) {
	if (!s->free_flow_count) more_flows(s);
	uint32_t i = s->free_flows[--s->free_flow_count], gen = s->flows[i].gen + 1;
	s->flows[i] = (struct shop_flow){ .gen = gen, .used = true, .next = SHOP_NONE };
	return i;
}

static void flow_free(struct shop *s, uint32_t i) {
	s->flows[i].used = false;
	s->flows[i].gen++;
	s->free_flows[s->free_flow_count++] = i;
}

static void more_calls(struct shop *s) {
	uint32_t count = s->call_count ? 2 * s->call_count : 1024;
	s->calls = must_grow(s->calls, count, sizeof *s->calls);
	s->free_calls = must_grow(s->free_calls, count, sizeof *s->free_calls);
	memset(s->calls + s->call_count, 0, (count - s->call_count) * sizeof *s->calls);
	for (uint32_t i = count; i > s->call_count; i--) s->free_calls[s->free_call_count++] = i - 1;
	s->call_count = count;
}

static uint32_t call_new(struct shop *s) {
	if (!s->free_call_count) more_calls(s);
	uint32_t i = s->free_calls[--s->free_call_count], gen = s->calls[i].gen + 1;
	s->calls[i] = (struct shop_call_state){ .gen = gen, .used = true };
	return i;
}

static void call_free(struct shop *s, uint32_t i) {
	s->calls[i].used = false;
	s->calls[i].gen++;
	s->free_calls[s->free_call_count++] = i;
}

void shop_flows_done(struct shop *s) {
	free(s->flows);
	free(s->free_flows);
	free(s->calls);
	free(s->free_calls);
	for (uint32_t i = 0; i < s->timer_count; i++) {
		free(s->timers[i].calls);
		free(s->timers[i].ends);
	}
	free(s->timers);
}

static int64_t hop(struct shop *s) {
	return HOP_NS + (int64_t)(rng_next(&s->route_rng) % (uint64_t)HOP_NS);
}

/* ---- time of work ---- */

double shop_draw(struct rng *rng, const struct shop_time *t) {
	if (t->shape == SHOP_CONSTANT) return t->median;
	if (t->shape == SHOP_EXPONENTIAL) return rng_exponential(rng, t->median);
	double v = t->median * exp(t->sigma * rng_normal(rng));
	if (t->tail <= 0 || rng_unit(rng) >= t->tail) return v;
	double factor = pow(1 - rng_unit(rng), -1 / t->tail_alpha);
	return v * (factor < TAIL_MAX ? factor : TAIL_MAX);
}

/* ---- time-outs: one list for each length, so that the heap holds one moment a list ---- */

uint32_t shop_timer_find(struct shop *s, int64_t timeout_ns) {
	if (!timeout_ns) timeout_ns = DEFAULT_TIMEOUT;
	for (uint32_t i = 0; i < s->timer_count; i++)
		if (s->timers[i].timeout_ns == timeout_ns) return i;
	s->timers = must_grow(s->timers, s->timer_count + 1, sizeof *s->timers);
	s->timers[s->timer_count] = (struct shop_timer_list){ .timeout_ns = timeout_ns };
	return s->timer_count++;
}

static bool call_is(const struct shop *s, uint64_t name) {
	uint32_t i = (uint32_t)name;
	return i < s->call_count && s->calls[i].used && s->calls[i].gen == (uint32_t)(name >> 32);
}

static void timers_moment(void *self, uint64_t arg);

static void timers_arm(struct shop *s, uint32_t i) {
	struct shop_timer_list *l = &s->timers[i];
	while (l->count && !call_is(s, l->calls[l->first])) {
		l->first = (l->first + 1) % l->cap;
		l->count--;
	}
	l->armed = l->count > 0;
	if (l->armed) sim_queue_at(s->queue, l->ends[l->first], timers_moment, s, i);
}

static void timers_add(struct shop *s, uint32_t i, uint32_t call) {
	struct shop_timer_list *l = &s->timers[i];
	if (l->count == l->cap) {
		uint32_t cap = l->cap ? 2 * l->cap : 256;
		uint64_t *calls = must_array(cap, sizeof *calls);
		int64_t *ends = must_array(cap, sizeof *ends);
		for (uint32_t n = 0; n < l->count; n++) {
			calls[n] = l->calls[(l->first + n) % l->cap];
			ends[n] = l->ends[(l->first + n) % l->cap];
		}
		free(l->calls);
		free(l->ends);
		l->calls = calls;
		l->ends = ends;
		l->cap = cap;
		l->first = 0;
	}
	uint32_t at = (l->first + l->count++) % l->cap;
	l->calls[at] = name_of(call, s->calls[call].gen);
	l->ends[at] = s->queue->now_ns + l->timeout_ns;
	if (!l->armed) timers_arm(s, i);
}

static void call_ended(struct shop *s, uint32_t index, enum shop_outcome o);

static void timers_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	struct shop_timer_list *l = &s->timers[arg];
	while (l->count && l->ends[l->first] <= s->queue->now_ns) {
		uint64_t name = l->calls[l->first];
		l->first = (l->first + 1) % l->cap;
		l->count--;
		if (call_is(s, name)) call_ended(s, (uint32_t)name, SHOP_TIMEOUT);
	}
	timers_arm(s, (uint32_t)arg);
}

/* ---- stations ---- */

static struct shop_station *station_of(struct shop *s, const struct shop_flow *f) {
	if (f->pod != SHOP_NONE) return &s->pods[f->pod]->station;
	struct shop_db *db = &s->dbs[f->point];
	return f->replica ? &db->replicas[f->replica - 1] : &db->station;
}

/* The work until the next thing happens, in virtual time from now. */
static void work(struct shop *s, uint32_t i, double share) {
	struct shop_flow *f = &s->flows[i];
	double seconds;
	if (f->pod == SHOP_NONE) {
		struct shop_db *db = &s->dbs[f->point];
		seconds = shop_draw(&s->work_rng, &db->spec->work) * db->slow;
	} else {
		struct shop_pod *p = s->pods[f->pod];
		seconds = shop_pod_work(s, p, share * shop_draw(&s->work_rng, &s->points[f->point].spec->work));
		f->touched |= p->slow_mask;
	}
	sim_queue_in(s->queue, (int64_t)(seconds * 1e9), worked, s, name_of(i, f->gen));
}

static void begin(struct shop *s, uint32_t i) {
	struct shop_flow *f = &s->flows[i];
	station_of(s, f)->busy++;
	f->working = true;
	bool calls = f->pod != SHOP_NONE && s->points[f->point].edge_count;
	work(s, i, calls ? BEFORE : 1);
}

static void finish(struct shop *s, uint32_t i, enum shop_outcome o);

static void next_in_line(struct shop *s, struct shop_station *st) {
	while (st->waiting && st->busy < st->workers) {
		uint32_t i = st->head;
		st->head = s->flows[i].next;
		st->waiting--;
		s->flows[i].next = SHOP_NONE;
		begin(s, i);
	}
}

static void wait_in_line(struct shop *s, struct shop_station *st, uint32_t i) {
	if (st->waiting)
		s->flows[st->tail].next = i;
	else
		st->head = i;
	st->tail = i;
	st->waiting++;
}

static struct shop_flow *flow_of(struct shop *s, uint64_t arg) {
	uint32_t i = (uint32_t)arg;
	struct shop_flow *f = &s->flows[i];
	return f->used && f->gen == (uint32_t)(arg >> 32) ? f : NULL;
}

static void arrive(void *self, uint64_t arg) {
	struct shop *s = self;
	struct shop_flow *f = flow_of(s, arg);
	if (!f) return;
	sim_trace_mix(s->o.trace, arg);
	f->start_ns = s->queue->now_ns;
	if (f->pod != SHOP_NONE) {
		struct shop_pod *p = s->pods[f->pod];
		if (p->hung) {
			f->parked = true; /* nobody answers, nobody refuses */
			return;
		}
	}
	struct shop_station *st = station_of(s, f);
	if (st->busy < st->workers)
		begin(s, (uint32_t)arg);
	else if (st->waiting < st->waiting_max)
		wait_in_line(s, st, (uint32_t)arg);
	else
		finish(s, (uint32_t)arg, SHOP_BUSY);
}

/* ---- calls ---- */

int64_t shop_way(struct shop *s, const struct shop_edge *e) {
	return hop(s) + (e->remote ? shop_network_way(s) : 0) + (e->link_mask ? shop_link_way(s, e) : 0);
}

/* Reads go to the replicas in turn; who has just written would not find it there yet. */
static uint8_t pick_replica(struct shop *s, const struct shop_edge *e, const struct shop_flow *caller) {
	struct shop_db *db = &s->dbs[e->target];
	if (e->writes || !db->spec->replicas) return 0;
	if (caller->wrote_ns && caller->wrote_ns + db->spec->lag_ns > s->queue->now_ns) return 0;
	return (uint8_t)(1 + db->turn++ % (uint32_t)db->spec->replicas);
}

static uint32_t pick_pod(struct shop *s, uint32_t service) {
	struct shop_member *m = &s->members[service];
	if (!m->serving_count) return SHOP_NONE;
	return m->serving[rng_below(&s->route_rng, m->serving_count)];
}

static void answer_later(struct shop *s, uint32_t call, uint32_t gen, enum shop_outcome o, uint32_t touched) {
	struct shop_call_state *c = &s->calls[call];
	if (!c->used || c->gen != gen) return; /* the caller has given up */
	c->outcome = (uint8_t)o;
	c->touched |= touched;
	sim_queue_in(s->queue, shop_way(s, &s->edges[c->edge]), answered, s, name_of(call, gen));
}

/* Sends the request of a call to a pod or a database. `parent`: who calls, for the trace; NULL: a customer. */
static void send_request(struct shop *s, uint32_t call, const struct shop_flow *parent) {
	const struct shop_edge *e = &s->edges[s->calls[call].edge];
	uint32_t pod = e->database ? SHOP_NONE : pick_pod(s, s->points[e->target].service);
	if (!e->database && pod == SHOP_NONE) {
		uint32_t gone = shop_harm_of_service(s, s->points[e->target].service);
		answer_later(s, call, s->calls[call].gen, SHOP_REFUSED, gone);
		return;
	}
	struct shop_flow from = parent ? *parent : (struct shop_flow){ 0 };
	uint32_t i = flow_new(s);
	struct shop_flow *f = &s->flows[i];
	struct shop_call_state *c = &s->calls[call];
	f->point = e->target;
	f->pod = pod;
	f->call = call;
	f->call_gen = c->gen;
	f->parent = c->span;
	if (e->database) f->replica = pick_replica(s, e, &from);
	f->writes = e->writes;
	c->touched |= e->link_mask | (pod == SHOP_NONE ? 0 : s->pods[pod]->slow_mask);
	if (parent) {
		f->trace_hi = from.trace_hi;
		f->trace_lo = from.trace_lo;
		f->sampled = from.sampled;
	} else {
		f->trace_hi = rng_next(&s->id_rng);
		f->trace_lo = rng_next(&s->id_rng) | 1;
		f->sampled = (f->trace_lo & UINT64_C(0xffffffffffffff)) >= s->threshold; /* the last 7 bytes */
	}
	if (f->sampled && pod != SHOP_NONE) f->span = rng_next(&s->id_rng) | 1;
	sim_queue_in(s->queue, shop_way(s, e), arrive, s, name_of(i, f->gen));
}

static void call_begin(struct shop *s, uint32_t edge, uint32_t flow, int attempt) {
	uint32_t i = call_new(s);
	struct shop_call_state *c = &s->calls[i];
	c->edge = edge;
	c->flow = flow;
	c->attempt = (uint8_t)attempt;
	c->start_ns = s->queue->now_ns;
	if (flow != SHOP_NONE) {
		c->flow_gen = s->flows[flow].gen;
		if (s->flows[flow].sampled) c->span = rng_next(&s->id_rng) | 1;
	}
	const struct shop_edge *e = &s->edges[edge];
	timers_add(s, e->storm_attempts ? e->storm_timers : e->timers, i);
	if (e->database && !shop_pool_take(s, i)) return;
	if (e->queue)
		sim_queue_in(s->queue, shop_publish(s, edge, flow, c->span), answered, s, name_of(i, s->calls[i].gen));
	else
		send_request(s, i, flow == SHOP_NONE ? NULL : &s->flows[flow]);
}

void shop_call_send(struct shop *s, uint32_t call) {
	s->calls[call].start_ns = s->queue->now_ns;
	send_request(s, call, &s->flows[s->calls[call].flow]);
}

void shop_customer(struct shop *s) {
	double u = rng_unit(&s->traffic_rng) * s->entry_weight;
	size_t i = 0;
	while (i + 1 < s->world->entry_count && (u -= s->world->entries[i].weight) >= 0) i++;
	s->counts.requests++;
	call_begin(s, s->entry_edges[i], SHOP_NONE, 0);
}

void shop_job_call(struct shop *s, uint32_t edge) {
	call_begin(s, edge, SHOP_NONE, 0);
}

void shop_deliver(struct shop *s, uint32_t pod, uint32_t point, uint32_t message) {
	const struct shop_message *m = &s->messages[message];
	uint32_t i = flow_new(s);
	struct shop_flow *f = &s->flows[i];
	f->point = point;
	f->pod = pod;
	f->call = SHOP_NONE;
	f->message = message + 1;
	f->trace_hi = m->trace_hi;
	f->trace_lo = m->trace_lo;
	f->parent = m->span;
	f->sampled = m->sampled;
	if (f->sampled) f->span = rng_next(&s->id_rng) | 1;
	sim_queue_in(s->queue, hop(s), arrive, s, name_of(i, f->gen));
}

/* A cache in the process answers, more often the longer it has run. */
static bool cached(struct shop *s, const struct shop_edge *e, const struct shop_flow *f) {
	if (e->cache_hits <= 0) return false;
	double age = (double)(s->queue->now_ns - s->pods[f->pod]->began_ns) / 1e9;
	return rng_unit(&s->route_rng) < e->cache_hits * (1 - exp(-age / CACHE_S));
}

/* Calls the next groups until one has calls to wait for; then, or at the end, the rest of the work. */
static void next_group(struct shop *s, uint32_t i) {
	struct shop_flow *f = &s->flows[i];
	const struct shop_point *pt = &s->points[f->point];
	while (f->group < pt->groups && !f->failed) {
		int group = f->group++;
		uint32_t gen = f->gen;
		for (uint32_t n = 0; n < pt->edge_count; n++) {
			const struct shop_edge *e = &s->edges[pt->edges[n]];
			if (e->group != group || (e->probability < 1 && rng_unit(&s->route_rng) >= e->probability)) continue;
			if (cached(s, e, f)) continue;
			for (int copy = e->copies; copy; copy--) {
				s->flows[i].pending++;
				call_begin(s, pt->edges[n], i, 0); /* may move the pool */
			}
			f = &s->flows[i];
			assert(f->gen == gen);
		}
		if (f->pending) return;
	}
	if (f->failed)
		finish(s, i, SHOP_ERROR);
	else
		work(s, i, 1 - BEFORE);
}

static void worked(void *self, uint64_t arg) {
	struct shop *s = self;
	struct shop_flow *f = flow_of(s, arg);
	uint32_t i = (uint32_t)arg;
	if (!f) return;
	sim_trace_mix(s->o.trace, arg);
	if (f->pod == SHOP_NONE) {
		const struct shop_db *db = &s->dbs[f->point];
		bool full = db->full_mask && f->writes;
		f->touched |= db->slow_mask | (full ? db->full_mask : 0);
		finish(s, i, full ? SHOP_NO_SPACE : SHOP_OK);
		return;
	}
	struct shop_pod *p = s->pods[f->pod];
	const struct shop_point *pt = &s->points[f->point];
	if (p->hung) {
		f->parked = true;
		return;
	}
	if (f->group < pt->groups) {
		next_group(s, i);
		return;
	}
	bool by_fault = p->errors > 0 && rng_unit(&s->fault_rng) < p->errors;
	if (by_fault) f->touched |= p->error_mask;
	finish(s, i, by_fault || rng_unit(&s->work_rng) < pt->spec->errors ? SHOP_ERROR : SHOP_OK);
}

/* ---- ends ---- */

static void log_end(struct shop *s, struct shop_pod *p, const struct shop_flow *f, enum shop_outcome o) {
	const char *endpoint = s->points[f->point].spec->name;
	char text[200];
	int64_t now = s->queue->now_ns;
	double ms = (double)(now - f->start_ns) / 1e6;
	struct shop_log l = { shop_wall(s, now), 9, text, f->trace_hi, f->trace_lo, f->sampled ? f->span : 0 };
	if (o == SHOP_OK) {
		if (rng_unit(&s->work_rng) >= s->world->info_logs) return;
		snprintf(text, sizeof text, "%s served in %.1f ms", endpoint, ms);
	} else {
		l.severity = 17;
		if (f->failed_as == SHOP_NO_CONNECTION)
			shop_pool_text(s, p, f->failed_edge, ms, text, sizeof text);
		else if (f->failed_as == SHOP_NO_SPACE)
			shop_disk_text(s, f->failed_edge, text, sizeof text);
		else if (f->failed)
			snprintf(text, sizeof text, "%s failed: a service it depends on did not answer", endpoint);
		else if (o == SHOP_BUSY)
			snprintf(text, sizeof text, "%s refused: %d requests are waiting", endpoint, p->station.waiting);
		else
			snprintf(text, sizeof text, "%s failed after %.1f ms: unexpected state in handler", endpoint, ms);
	}
	shop_add_log(s, p, &l, f->touched);
}

/* What the serving pod tells of a request that it ended. */
static void tell_served(struct shop *s, const struct shop_flow *f, enum shop_outcome o) {
	struct shop_pod *p = s->pods[f->pod];
	struct shop_point *pt = &s->points[f->point];
	int64_t now = s->queue->now_ns;
	double seconds = (double)(now - f->start_ns) / 1e9;
	shop_histogram_add(&p->served[pt->index][o < 3 ? o : SHOP_ERROR], seconds);
	pt->measured.count++;
	pt->measured.failed += o != SHOP_OK;
	pt->measured.seconds += seconds;
	p->touched |= f->touched;
	if (f->touched) shop_fault_touched(s, f->touched);
	if (f->sampled) {
		struct shop_span span = { f->trace_hi,       f->trace_lo,   f->span, f->parent, shop_wall(s, f->start_ns),
			                      shop_wall(s, now), f->parent != 0 };
		shop_add_span(s, p, &pt->form, &span, o, f->touched);
	}
	log_end(s, p, f, o);
}

static void finish(struct shop *s, uint32_t i, enum shop_outcome o) {
	struct shop_flow f = s->flows[i];
	struct shop_station *st = station_of(s, &f);
	if (f.pod != SHOP_NONE) tell_served(s, &f, o);
	flow_free(s, i);
	if (f.message)
		shop_message_ended(s, f.message - 1, o);
	else
		answer_later(s, f.call, f.call_gen, o, f.touched);
	if (f.working) {
		st->busy--;
		next_in_line(s, st);
	}
	if (f.pod != SHOP_NONE && !st->busy && !st->waiting) shop_pod_idle(s, f.pod);
}

/* What the calling pod tells of a call that ended. */
static void tell_called(struct shop *s, const struct shop_call_state *c, const struct shop_flow *caller,
                        enum shop_outcome o) {
	struct shop_pod *p = s->pods[caller->pod];
	const struct shop_edge *e = &s->edges[c->edge];
	int64_t now = s->queue->now_ns;
	shop_histogram_add(&p->called[e->slot][o], (double)(now - c->start_ns) / 1e9);
	p->touched |= c->touched;
	if (c->touched) shop_fault_touched(s, c->touched);
	if (!caller->sampled) return;
	struct shop_span span = { caller->trace_hi,          caller->trace_lo,  c->span, caller->span,
		                      shop_wall(s, c->start_ns), shop_wall(s, now), false };
	shop_add_span(s, p, &e->form, &span, o, c->touched);
}

static void retry_moment(void *self, uint64_t arg);

/* The customer tries again, or gives up; a job's failures are its own. */
static void customer_goes_on(struct shop *s, const struct shop_call_state *c, enum shop_outcome o) {
	const struct shop_edge *e = &s->edges[c->edge];
	if (o == SHOP_OK || e->job) return;
	if (c->attempt >= e->retries) {
		s->counts.failed++;
		return;
	}
	uint32_t i = call_new(s);
	s->calls[i].edge = c->edge;
	s->calls[i].flow = SHOP_NONE;
	s->calls[i].attempt = (uint8_t)(c->attempt + 1);
	double wait = (double)(NS_PER_SEC << c->attempt) * rng_between(&s->traffic_rng, 0.7, 1.3);
	sim_queue_in(s->queue, (int64_t)wait, retry_moment, s, name_of(i, s->calls[i].gen));
}

/* The caller goes on: with another attempt, the next group, or its own failure. */
static void caller_goes_on(struct shop *s, const struct shop_call_state *c, enum shop_outcome o) {
	const struct shop_edge *e = &s->edges[c->edge];
	struct shop_flow *f = &s->flows[c->flow];
	int retries = e->storm_attempts ? e->storm_attempts : e->retries;
	if (o != SHOP_OK && c->attempt < retries) {
		uint32_t i = call_new(s); /* stands for the attempt to come */
		s->calls[i].edge = c->edge;
		s->calls[i].flow = c->flow;
		s->calls[i].flow_gen = c->flow_gen;
		s->calls[i].attempt = (uint8_t)(c->attempt + 1);
		int64_t wait = BACK_OFF_NS + (int64_t)(rng_unit(&s->route_rng) * (double)BACK_OFF_NS);
		if (e->storm_attempts) wait = o == SHOP_TIMEOUT ? 0 : s->timers[e->storm_timers].timeout_ns;
		sim_queue_in(s->queue, wait, retry_moment, s, name_of(i, s->calls[i].gen));
		return;
	}
	if (o != SHOP_OK && !e->optional) {
		f->failed = true;
		f->failed_as = (uint8_t)o;
		f->failed_edge = c->edge;
	}
	f->touched |= c->touched;
	f->pending--;
	if (f->pending) return;
	if (s->pods[f->pod]->hung)
		f->parked = true;
	else
		next_group(s, c->flow);
}

static void retry_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	if (!call_is(s, arg)) return;
	struct shop_call_state c = s->calls[(uint32_t)arg];
	call_free(s, (uint32_t)arg);
	bool waits = c.flow == SHOP_NONE || (s->flows[c.flow].used && s->flows[c.flow].gen == c.flow_gen);
	if (waits) call_begin(s, c.edge, c.flow, c.attempt);
}

static void call_ended(struct shop *s, uint32_t index, enum shop_outcome o) {
	struct shop_call_state c = s->calls[index];
	call_free(s, index);
	if (c.flow == SHOP_NONE) {
		customer_goes_on(s, &c, o);
		return;
	}
	struct shop_flow *f = &s->flows[c.flow];
	if (!f->used || f->gen != c.flow_gen) return; /* its pod has died */
	const struct shop_edge *e = &s->edges[c.edge];
	if (e->database && e->writes && o == SHOP_OK) f->wrote_ns = s->queue->now_ns;
	if (e->database) c.touched |= s->dbs[e->target].slow_mask;
	if (o == SHOP_TIMEOUT || o == SHOP_BUSY) c.touched |= e->storm_mask;
	if (c.queued) {
		shop_pool_gave_up(s, &c);
		o = SHOP_NO_CONNECTION;
	} else {
		if (c.connected) shop_pool_give(s, &c);
		tell_called(s, &c, &s->flows[c.flow], o);
	}
	caller_goes_on(s, &c, o);
}

static void answered(void *self, uint64_t arg) {
	struct shop *s = self;
	if (!call_is(s, arg)) return;
	sim_trace_mix(s->o.trace, arg);
	call_ended(s, (uint32_t)arg, (enum shop_outcome)s->calls[(uint32_t)arg].outcome);
}

void shop_pod_dies(struct shop *s, uint32_t pod) {
	struct shop_station *st = &s->pods[pod]->station;
	st->busy = st->waiting = 0;
	shop_pools_reset(s, s->pods[pod], false);
	for (uint32_t i = 0; i < s->flow_count; i++) {
		struct shop_flow f = s->flows[i];
		if (!f.used || f.pod != pod) continue;
		flow_free(s, i);
		if (f.message)
			shop_message_ended(s, f.message - 1, SHOP_RESET);
		else
			answer_later(s, f.call, f.call_gen, SHOP_RESET, s->pods[pod]->has);
	}
}
