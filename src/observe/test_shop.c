#include "observe/test_shop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct shop_span {
	unsigned char trace[16], id[8], parent[8];
	int service, pod, callee, db; /* callee: of a client span */
	bool client, failed, job;
	int64_t start_ns, end_ns;
};

static const double bounds[] = { 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10 };
#define BOUNDS (sizeof bounds / sizeof *bounds)

static void add_service(struct shop *s, const char *name, const char *deploy, int pods, double self_ms, int db) {
	s->services[s->count++] = (struct shop_service){ .name = name,
		                                             .deploy = deploy,
		                                             .pods = pods,
		                                             .self_ms = self_ms,
		                                             .db = db,
		                                             .slow = 1,
		                                             .sick_pod = -1,
		                                             .dead_pod = -1 };
}

static void add_call(struct shop *s, int from, int to) {
	struct shop_service *x = &s->services[from];
	x->calls[x->call_count++] = to;
}

static void pod_make(struct shop *s, int service, int pod) {
	struct shop_pod *p = &s->pods[service][pod];
	struct shop_span *spans = p->spans;
	int cap = p->span_cap;
	*p = (struct shop_pod){ .spans = spans, .span_cap = cap, .started_ns = s->at_ns, .hist_start_ns = s->at_ns };
	uint64_t a = rng_next(&s->rng), b = rng_next(&s->rng);
	snprintf(p->uid, sizeof p->uid, "%08x-%04x-%04x-%012llx", (unsigned)a, (unsigned)(a >> 32) & 0xffff,
	         (unsigned)(a >> 48), (unsigned long long)b & 0xffffffffffff);
	snprintf(p->name, sizeof p->name, "%s-%x", s->services[service].deploy, (unsigned)b & 0xffffff);
	if (s->spans_every_ns) p->next_spans_ns = s->at_ns + rng_below(&s->rng, s->spans_every_ns);
	if (s->metrics_every_ns) p->next_metrics_ns = s->at_ns + rng_below(&s->rng, s->metrics_every_ns);
}

void shop_init(struct shop *s, struct test_world *w, double per_s) {
	*s = (struct shop){ .w = w,
		                .rng = rng_fork(&w->t->rng, "shop"),
		                .per_s = per_s,
		                .weight = 1,
		                .tail = 0.01,
		                .fail = 0.0005,
		                .at_ns = w->clock.wall.ns,
		                .spans_every_ns = 5 * NS_PER_SEC,
		                .metrics_every_ns = 10 * NS_PER_SEC };
	for (int i = 0; i < SHOP_DBS; i++) s->db_slow[i] = 1;
	add_service(s, "frontend", "web", 3, 8, -1);
	add_service(s, "cart", "cart", 2, 5, 0);
	add_service(s, "checkout", "checkout-v2", 3, 10, -1);
	add_service(s, "payment", "pay", 3, 15, 1);
	add_service(s, "catalog", "catalog", 2, 6, 2);
	add_service(s, "shipping", "shipping", 2, 4, -1);
	add_service(s, "currency", "currency", 2, 2, -1);
	add_service(s, "email", "email", 1, 12, -1);
	add_call(s, 0, 1), add_call(s, 0, 2), add_call(s, 0, 4), add_call(s, 0, 6);
	add_call(s, 2, 1), add_call(s, 2, 3), add_call(s, 2, 5), add_call(s, 2, 7);
	add_call(s, 5, 6), add_call(s, 4, 6);
	for (int i = 0; i < s->count; i++)
		for (int k = 0; k < s->services[i].pods; k++) pod_make(s, i, k);
}

void shop_done(struct shop *s) {
	for (int i = 0; i < SHOP_SERVICES; i++)
		for (int k = 0; k < SHOP_PODS; k++) free(s->pods[i][k].spans);
	free(s->fly);
}

int shop_find(const struct shop *s, const char *name) {
	for (int i = 0; i < s->count; i++)
		if (strcmp(s->services[i].name, name) == 0) return i;
	abort();
}

/* ---- requests ---- */

static void span_push(struct shop_span **v, int *n, int *cap, const struct shop_span *x) {
	if (*n == *cap) {
		*cap = *cap ? 2 * *cap : 64;
		*v = realloc(*v, (size_t)*cap * sizeof **v);
	}
	(*v)[(*n)++] = *x;
}

static void new_id(struct shop *s, unsigned char id[8]) {
	uint64_t x = rng_next(&s->rng) | 1;
	memcpy(id, &x, sizeof x);
}

static double draw_ms(struct shop *s, double median_ms) {
	double ms = median_ms * exp(0.4 * rng_normal(&s->rng) + s->wander);
	if (rng_unit(&s->rng) < s->tail) ms += median_ms * 3 * pow(rng_unit(&s->rng) + 1e-6, -0.7); /* Pareto */
	return ms;
}

static bool on(const struct shop *s, const struct shop_service *x, int64_t at_ns) {
	(void)s;
	return x->fault_from_ns && at_ns >= x->fault_from_ns;
}

struct served {
	int64_t end_ns;
	bool failed;
};

static struct served serve(struct shop *s, int service, int pod, const struct shop_span *call, int64_t at_ns);

/* A client span from `by`, and what is served behind it. */
static struct served call_out(struct shop *s, const struct shop_span *by, int callee, int64_t at_ns) {
	const struct shop_service *to = &s->services[callee];
	struct shop_span c = {
		.service = by->service, .pod = by->pod, .callee = callee, .db = -1, .client = true, .start_ns = at_ns
	};
	memcpy(c.trace, by->trace, 16);
	memcpy(c.parent, by->id, 8);
	new_id(s, c.id);
	int pod = (int)rng_below(&s->rng, to->pods);
	int64_t way_ns = (int64_t)(0.3e6 + 0.2e6 * rng_unit(&s->rng));
	if (on(s, to, at_ns)) way_ns += (int64_t)(to->link_ms * 1e6 * (0.5 + rng_unit(&s->rng)));
	struct served r;
	if (on(s, to, at_ns) && to->dead_pod == pod)
		r = (struct served){ at_ns + 2 * NS_PER_MS, true };
	else {
		r = serve(s, callee, pod, &c, at_ns + way_ns / 2);
		r.end_ns += way_ns / 2;
	}
	c.end_ns = r.end_ns;
	c.failed = r.failed;
	span_push(&s->fly, &s->fly_count, &s->fly_cap, &c);
	return r;
}

static struct served query_out(struct shop *s, const struct shop_span *by, int db, int64_t at_ns) {
	struct shop_span c = {
		.service = by->service, .pod = by->pod, .callee = -1, .db = db, .client = true, .start_ns = at_ns
	};
	memcpy(c.trace, by->trace, 16);
	memcpy(c.parent, by->id, 8);
	new_id(s, c.id);
	c.end_ns = at_ns + (int64_t)(draw_ms(s, 3) * s->db_slow[db] * 1e6);
	c.failed = rng_unit(&s->rng) < s->db_fail[db];
	span_push(&s->fly, &s->fly_count, &s->fly_cap, &c);
	return (struct served){ c.end_ns, c.failed };
}

static struct served serve(struct shop *s, int service, int pod, const struct shop_span *call, int64_t at_ns) {
	const struct shop_service *x = &s->services[service];
	struct shop_span me = { .service = service, .pod = pod, .callee = -1, .db = -1, .start_ns = at_ns };
	memcpy(me.trace, call->trace, 16);
	memcpy(me.parent, call->id, 8);
	new_id(s, me.id);
	bool sick = on(s, x, at_ns) && (x->sick_pod < 0 || x->sick_pod == pod);
	double self_ns = draw_ms(s, x->self_ms) * 1e6 * (sick ? x->slow : 1);
	int64_t now_ns = at_ns + (int64_t)(self_ns / 2);
	bool failed = rng_unit(&s->rng) < s->fail || (sick && rng_unit(&s->rng) < x->fail);
	for (int i = 0; i < x->call_count && !failed; i++) {
		if (service == 0 && i == 1 && rng_unit(&s->rng) > 0.4) continue; /* not everybody buys */
		struct served r = call_out(s, &me, x->calls[i], now_ns);
		now_ns = r.end_ns;
		failed = failed || r.failed;
	}
	if (x->db >= 0 && !failed) {
		struct served r = query_out(s, &me, x->db, now_ns);
		now_ns = r.end_ns;
		failed = failed || r.failed;
	}
	me.end_ns = now_ns + (int64_t)(self_ns / 2);
	me.failed = failed;
	span_push(&s->fly, &s->fly_count, &s->fly_cap, &me);
	return (struct served){ me.end_ns, failed };
}

static void request(struct shop *s, int64_t at_ns) {
	struct shop_span root = { 0 };
	uint64_t a = rng_next(&s->rng), b = rng_next(&s->rng);
	memcpy(root.trace, &a, 8);
	memcpy(root.trace + 8, &b, 8);
	serve(s, 0, (int)rng_below(&s->rng, s->services[0].pods), &root, at_ns);
}

/* One request of the job: it asks nobody further. */
static void job_request(struct shop *s, int64_t at_ns) {
	struct shop_span me = { .service = s->job, .callee = -1, .db = -1, .job = true, .start_ns = at_ns };
	uint64_t a = rng_next(&s->rng), b = rng_next(&s->rng);
	memcpy(me.trace, &a, 8);
	memcpy(me.trace + 8, &b, 8);
	new_id(s, me.id);
	me.pod = (int)rng_below(&s->rng, s->services[s->job].pods);
	me.end_ns = at_ns + (int64_t)(draw_ms(s, s->job_ms) * 1e6);
	span_push(&s->fly, &s->fly_count, &s->fly_cap, &me);
}

/* ---- telemetry ---- */

#define MAX_ATTRS 8
struct attr_list {
	struct attr v[MAX_ATTRS];
	size_t n;
};
static void attr_add(struct attr_list *l, const char *key, const char *value) {
	l->v[l->n++] = (struct attr){ str_of(key), str_of(value) };
}

static uint32_t put_resource(struct shop *s, struct batch_writer *b, int service, int pod) {
	struct attr_list l = { .n = 0 };
	attr_add(&l, "service.name", s->services[service].name);
	attr_add(&l, "k8s.namespace.name", "shop");
	attr_add(&l, "k8s.deployment.name", s->services[service].deploy);
	attr_add(&l, "k8s.pod.uid", s->pods[service][pod].uid);
	attr_add(&l, "k8s.pod.name", s->pods[service][pod].name);
	return batch_put_resource(b, (struct attrs){ l.v, l.n });
}

static void put_span(struct shop *s, struct batch_writer *b, uint32_t resource, const struct shop_span *x) {
	static const char *const dbs[SHOP_DBS] = { "carts", "ledger", "products", "x" };
	static const char *const servers[SHOP_DBS] = { "carts-db", "ledger-db", "products-db", "x-db" };
	struct attr_list l = { .n = 0 };
	struct batch_span out = { .resource = resource,
		                      .kind = x->client ? SPAN_CLIENT : SPAN_SERVER,
		                      .weight = s->weight };
	memcpy(out.trace, x->trace, 16);
	memcpy(out.id, x->id, 8);
	memcpy(out.parent, x->parent, 8);
	out.start.ns = x->start_ns;
	out.end.ns = x->end_ns;
	out.status = x->failed ? SPAN_ERROR : SPAN_UNSET;
	if (x->db >= 0) {
		attr_add(&l, "db.system.name", "postgresql");
		attr_add(&l, "db.namespace", dbs[x->db]);
		attr_add(&l, "server.address", servers[x->db]);
		if (x->failed && s->db_code[x->db]) attr_add(&l, "db.response.status_code", s->db_code[x->db]);
	} else {
		if (x->client) attr_add(&l, "server.address", s->services[x->callee].deploy);
		attr_add(&l, "http.response.status_code", x->failed ? "500" : "200");
	}
	out.name = x->job ? STR("POST /job") : STR("GET /");
	out.attrs = (struct attrs){ l.v, l.n };
	batch_put_span(b, &out);
	s->spans_made++;
}

/* The line that goes with a request that failed. */
static void put_line(const struct shop *s, struct batch_writer *b, uint32_t resource, const struct shop_span *x) {
	const char *says = s->services[x->service].says;
	if (!says || !x->failed || x->client) return;
	struct batch_log l = { .resource = resource, .at = { x->end_ns }, .severity = 17, .body = str_of(says) };
	batch_put_log(b, &l);
}

static void put_batch(struct shop *s, struct batch_writer *b, struct buf *bytes) {
	if (batch_end(b) != OK) abort();
	test_world_put(s->w, buf_get(bytes));
	buf_done(bytes);
}

static void export_spans(struct shop *s, int service, int pod) {
	struct shop_pod *p = &s->pods[service][pod];
	struct batch_writer b;
	struct buf bytes;
	if (!p->span_count) return;
	buf_init(&bytes, 0);
	batch_begin(&b, &bytes, s->w->clock.wall);
	uint32_t resource = put_resource(s, &b, service, pod);
	for (int i = 0; i < p->span_count; i++) {
		put_span(s, &b, resource, &p->spans[i]);
		put_line(s, &b, resource, &p->spans[i]);
	}
	p->span_count = 0;
	put_batch(s, &b, &bytes);
}

static uint32_t put_series(struct batch_writer *b, uint32_t resource, const struct shop_pod *p, const char *name,
                           const char *unit, enum series_kind kind, const char *status) {
	struct attr r[] = { { STR("uid"), str_of(p->uid) } };
	struct attr a[] = { { STR("http.response.status_code"), str_of(status) } };
	struct batch_series x = { .resource = resource, .kind = kind, .name = str_of(name), .unit = str_of(unit) };
	x.id = series_identity(r, 1, x.name, a, status ? 1 : 0);
	x.attrs = (struct attrs){ a, status ? 1 : 0 };
	return batch_put_series(b, &x);
}

static void put_gauge(struct shop *s, struct batch_writer *b, uint32_t resource, const struct shop_pod *p,
                      const char *name, double value) {
	struct batch_point x = { .series = put_series(b, resource, p, name, "", SERIES_GAUGE, NULL), .value = value };
	x.at = s->w->clock.wall;
	batch_put_point(b, &x);
}

static void put_histogram(struct shop *s, struct batch_writer *b, uint32_t resource, const struct shop_pod *p,
                          bool bad) {
	struct batch_histogram h = { .bound_count = BOUNDS, .sum = bad ? p->sum_bad : p->sum };
	const uint64_t *counts = bad ? p->hist_bad : p->hist;
	h.series = put_series(b, resource, p, "http.server.request.duration", "s", SERIES_HISTOGRAM_CUMULATIVE,
	                      bad ? "500" : "200");
	h.start.ns = p->hist_start_ns;
	h.at = s->w->clock.wall;
	for (size_t i = 0; i <= BOUNDS; i++) h.count += counts[i];
	batch_put_histogram(b, &h, bounds, counts);
}

static void export_metrics(struct shop *s, int service, int pod) {
	struct shop_pod *p = &s->pods[service][pod];
	struct batch_writer b;
	struct buf bytes;
	buf_init(&bytes, 0);
	batch_begin(&b, &bytes, s->w->clock.wall);
	uint32_t resource = put_resource(s, &b, service, pod);
	put_gauge(s, &b, resource, p, "k8s.pod.memory.usage", (0.45 + 0.01 * rng_normal(&s->rng) + p->leaked) * 512e6);
	put_gauge(s, &b, resource, p, "k8s.container.memory_limit", 512e6);
	const struct shop_service *x = &s->services[service];
	double cpu = x->cpu > 0 && on(s, x, s->at_ns) ? x->cpu : 0.3;
	put_gauge(s, &b, resource, p, "k8s.pod.cpu_limit_utilization", fabs(cpu + 0.04 * rng_normal(&s->rng)));
	if (s->request_metrics) put_histogram(s, &b, resource, p, false), put_histogram(s, &b, resource, p, true);
	put_batch(s, &b, &bytes);
}

static void measure(struct shop_pod *p, const struct shop_span *x) {
	double d = (double)(x->end_ns - x->start_ns) / 1e9;
	size_t i = 0;
	while (i < BOUNDS && d > bounds[i]) i++;
	if (x->failed)
		p->hist_bad[i]++, p->sum_bad += d;
	else
		p->hist[i]++, p->sum += d;
}

/* Spans that have ended by now go to their pods' exporters. */
static void land(struct shop *s, int64_t now_ns) {
	int kept = 0;
	for (int i = 0; i < s->fly_count; i++) {
		struct shop_span *x = &s->fly[i];
		if (x->end_ns > now_ns) {
			s->fly[kept++] = *x;
			continue;
		}
		struct shop_pod *p = &s->pods[x->service][x->pod];
		if (!x->client) measure(p, x);
		if (s->spans_every_ns) span_push(&p->spans, &p->span_count, &p->span_cap, x);
	}
	s->fly_count = kept;
}

static void exports(struct shop *s, int64_t now_ns) {
	for (int i = 0; i < s->count; i++) {
		struct shop_service *x = &s->services[i];
		for (int k = 0; k < x->pods; k++) {
			struct shop_pod *p = &s->pods[i][k];
			if ((on(s, x, now_ns) && x->dead_pod == k) || x->mute) {
				p->span_count = 0;
				continue;
			}
			if (s->spans_every_ns && now_ns >= p->next_spans_ns) {
				p->next_spans_ns += s->spans_every_ns;
				export_spans(s, i, k);
			}
			if (s->metrics_every_ns && now_ns >= p->next_metrics_ns) {
				p->next_metrics_ns += s->metrics_every_ns;
				export_metrics(s, i, k);
			}
		}
	}
}

static double load(const struct shop *s, int64_t at_ns) {
	double day = (double)(at_ns % NS_PER_DAY) / (double)NS_PER_DAY;
	return s->per_s * (1 - s->rhythm * cos(2 * M_PI * (day - 0.1)));
}

#define TICK_NS (250 * NS_PER_MS)

void shop_run(struct shop *s, int64_t until_ns) {
	for (; s->at_ns < until_ns; s->at_ns += TICK_NS) {
		double mean = load(s, s->at_ns) * (double)TICK_NS / 1e9;
		s->wander += -s->wander * 0.002 + s->drift * 0.06 * rng_normal(&s->rng);
		for (double x = rng_exponential(&s->rng, 1); x < mean; x += rng_exponential(&s->rng, 1))
			request(s, s->at_ns + rng_below(&s->rng, TICK_NS));
		double jobs = s->job_per_s * (double)TICK_NS / 1e9;
		for (double x = 0; jobs > 0 && (x += rng_exponential(&s->rng, 1)) < jobs;)
			job_request(s, s->at_ns + rng_below(&s->rng, TICK_NS));
		for (int i = 0; i < s->count; i++) {
			struct shop_service *v = &s->services[i];
			for (int k = 0; k < v->pods && on(s, v, s->at_ns); k++)
				if (v->sick_pod < 0 || v->sick_pod == k) s->pods[i][k].leaked += v->leak_per_s * (double)TICK_NS / 1e9;
		}
		int64_t now_ns = s->at_ns + TICK_NS;
		land(s, now_ns);
		exports(s, now_ns);
		test_world_run(s->w, now_ns);
	}
}

void shop_skip(struct shop *s, int64_t until_ns) {
	for (int i = 0; i < s->count; i++) {
		for (int k = 0; k < s->services[i].pods; k++) {
			struct shop_pod *p = &s->pods[i][k];
			if (s->spans_every_ns) p->next_spans_ns = until_ns + rng_below(&s->rng, s->spans_every_ns);
			if (s->metrics_every_ns) p->next_metrics_ns = until_ns + rng_below(&s->rng, s->metrics_every_ns);
			p->span_count = 0;
		}
	}
	s->fly_count = 0;
	s->at_ns = until_ns;
}

/* ---- the orchestrator ---- */

void shop_tell_pod(struct shop *s, int service, int pod, bool ready, bool gone, const char *reason) {
	struct shop_pod *p = &s->pods[service][pod];
	struct batch_writer b;
	struct buf bytes;
	buf_init(&bytes, 0);
	batch_begin(&b, &bytes, s->w->clock.wall);
	struct batch_pod x = { .at = s->w->clock.wall,
		                   .namespace_ = STR("shop"),
		                   .name = str_of(p->name),
		                   .uid = str_of(p->uid),
		                   .node = STR("n1"),
		                   .workload_kind = STR("Deployment"),
		                   .workload = str_of(s->services[service].deploy),
		                   .ready = ready,
		                   .gone = gone,
		                   .restarts = p->restarts,
		                   .wanted = (uint32_t)s->services[service].pods,
		                   .reason = str_of(reason) };
	batch_put_pod(&b, &x);
	put_batch(s, &b, &bytes);
	test_world_run(s->w, s->w->clock.wall.ns);
}

void shop_tell_change(struct shop *s, int service, const char *by) {
	struct batch_writer b;
	struct buf bytes;
	buf_init(&bytes, 0);
	batch_begin(&b, &bytes, s->w->clock.wall);
	struct batch_change x = { .at = s->w->clock.wall,
		                      .namespace_ = STR("shop"),
		                      .workload_kind = STR("Deployment"),
		                      .workload = str_of(s->services[service].deploy),
		                      .kind = STR("rollout"),
		                      .by = str_of(by),
		                      .revision = STR("2") };
	batch_put_change(&b, &x);
	put_batch(s, &b, &bytes);
	test_world_run(s->w, s->w->clock.wall.ns);
}

void shop_replace(struct shop *s, int service) {
	for (int k = 0; k < s->services[service].pods; k++) {
		shop_tell_pod(s, service, k, false, true, NULL);
		pod_make(s, service, k);
		shop_tell_pod(s, service, k, true, false, NULL);
	}
}
