/* What pods and nodes tell, when and how: batches, intervals with phases of their own, retries, losses. */
#include <math.h>
#include <stdio.h>

#include "sim/shop/impl.h"

#define TIMEOUT_NS   (10 * NS_PER_SEC) /* OTEL_EXPORTER_OTLP_TIMEOUT */
#define ATTEMPTS     5
#define BACK_OFF_NS  NS_PER_SEC /* times 1.5 each, at most 5 s, and chance */
#define BACK_OFF_MAX (5 * NS_PER_SEC)
#define IN_FLIGHT    100000
#define MEMORY_NOISE 0.01 /* sd of a memory reading, share of it */

static uint64_t name_of(const struct shop *s, uint32_t index) {
	return (uint64_t)s->pods[index]->gen << 32 | index;
}

static struct shop_pod *pod_of(struct shop *s, uint64_t arg, uint32_t *index) {
	*index = (uint32_t)arg;
	struct shop_pod *p = s->pods[*index];
	return p && p->gen == (uint32_t)(arg >> 32) ? p : NULL;
}

/* ---- resources ---- */

static const char *image_tag(const char *image) {
	const char *colon = strrchr(image, ':');
	return colon ? colon + 1 : "1.0.0";
}

static const char *sdk_version(const char *language) {
	return !strcmp(language, "java") ? "1.54.0" : !strcmp(language, "python") ? "1.37.0" : "1.38.0";
}

static void build_resource(struct shop *s, struct shop_pod *p) {
	const struct shop_service *spec = s->members[p->service].spec;
	struct sim_wire *w = &p->resource;
	w->n = 0;
	char instance[64];
	snprintf(instance, sizeof instance, "%.8s-%u", p->kube.uid, p->kube.restarts);
	shop_attr_str(w, 1, "service.name", spec->name);
	shop_attr_str(w, 1, "service.namespace", s->world->namespace_);
	shop_attr_str(w, 1, "service.version", image_tag(p->kube.image));
	shop_attr_str(w, 1, "service.instance.id", instance);
	shop_attr_str(w, 1, "k8s.pod.uid", p->kube.uid);
	if (!spec->by_pod_only) {
		shop_attr_str(w, 1, "k8s.namespace.name", p->kube.namespace_);
		shop_attr_str(w, 1, "k8s.pod.name", p->kube.name);
		shop_attr_str(w, 1, "k8s.node.name", p->kube.node);
		shop_attr_str(w, 1, "k8s.deployment.name", spec->deployment);
	}
	if (s->world->region_count) shop_attr_str(w, 1, "cloud.region", shop_region_of(s->world, spec->region));
	shop_attr_str(w, 1, "host.name", p->kube.name);
	shop_attr_int(w, 1, "process.pid", 1);
	shop_attr_str(w, 1, "telemetry.sdk.name", "opentelemetry");
	shop_attr_str(w, 1, "telemetry.sdk.language", spec->language);
	shop_attr_str(w, 1, "telemetry.sdk.version", sdk_version(spec->language));
	w = &p->agent_resource;
	w->n = 0;
	shop_attr_str(w, 1, "k8s.namespace.name", p->kube.namespace_);
	shop_attr_str(w, 1, "k8s.pod.name", p->kube.name);
	shop_attr_str(w, 1, "k8s.pod.uid", p->kube.uid);
	shop_attr_str(w, 1, "k8s.node.name", p->kube.node);
}

static const char *scope_of(const char *language) {
	if (!strcmp(language, "java")) return "io.opentelemetry.tomcat-10.0";
	if (!strcmp(language, "go")) return "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp";
	if (!strcmp(language, "python")) return "opentelemetry.instrumentation.flask";
	if (!strcmp(language, "dotnet")) return "Microsoft.AspNetCore";
	return "@opentelemetry/instrumentation-http";
}

/* ---- sending ---- */

static const char *const http_paths[SHOP_SIGNALS] = { "/v1/traces", "/v1/metrics", "/v1/logs" };
static const char *const grpc_paths[SHOP_SIGNALS] = {
	"/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	"/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

static struct shop_sending *find_sending(struct shop *s, uint64_t id) {
	for (uint32_t i = 0; i < s->sending_count; i++)
		if (s->sendings[i].id == id) return &s->sendings[i];
	return NULL;
}

static struct shop_sending *sending_new(struct shop *s) {
	if (s->sending_count == s->sending_cap) {
		s->sending_cap = s->sending_cap ? 2 * s->sending_cap : 64;
		s->sendings = must_grow(s->sendings, s->sending_cap, sizeof *s->sendings);
	}
	struct shop_sending *x = &s->sendings[s->sending_count++];
	*x = (struct shop_sending){ 0 };
	return x;
}

static void sending_drop(struct shop *s, struct shop_sending *x) {
	sw_done(&x->body);
	*x = s->sendings[--s->sending_count];
}

static bool post(struct shop *s, struct shop_sending *x) {
	char url[300];
	const char *base = x->copy ? s->o.copy_url : x->grpc ? s->o.grpc_url : s->o.http_url;
	snprintf(url, sizeof url, "%s%s", base, x->grpc ? grpc_paths[x->signal] : http_paths[x->signal]);
	struct http_header h[] = { { STR("content-type"),
		                         x->grpc ? STR("application/grpc") : STR("application/x-protobuf") },
		                       { STR("user-agent"), STR("OTel-OTLP-Exporter/1.38.0") },
		                       { STR("te"), STR("trailers") } };
	struct http_request r = {
		.method = STR("POST"), .url = str_of(url), .headers = h, .header_count = x->grpc ? 3 : 2
	};
	r.body = (struct str){ (const char *)x->body.p, x->body.n };
	r.connect_timeout_ns = r.timeout_ns = TIMEOUT_NS;
	r.answer_max = 4 << 20;
	s->counts.exports++;
	s->counts.bytes += x->body.n;
	return !http_client_submit(s->client, &r, &x->id, NULL);
}

static void export_next(struct shop *s, uint32_t index, enum shop_signal signal);

static void sent(struct shop *s, const struct shop_sending *x) {
	struct shop_pod *p = x->pod == SHOP_NONE ? NULL : s->pods[x->pod];
	if (!p || p->gen != x->gen) return;
	p->exporters[x->signal].sending = false;
	if (x->signal != SHOP_METRICS && p->exporters[x->signal].filled) export_next(s, x->pod, x->signal);
}

/* A gRPC body carries its length before it. */
static void make_body(struct shop_sending *x, const struct sim_wire *resource, const char *scope,
                      const struct sim_wire *elements) {
	if (x->grpc) sw_bytes(&x->body, "\0\0\0\0\0", 5);
	shop_put_request(&x->body, resource, scope, elements);
	if (!x->grpc) return;
	size_t n = x->body.n - 5;
	for (int i = 0; i < 4; i++) x->body.p[1 + i] = (unsigned char)(n >> (24 - 8 * i));
}

/* What it tells is lost on the way. */
static bool silent(const struct shop *s, uint32_t pod) {
	return pod != SHOP_NONE && s->queue->now_ns < s->members[s->pods[pod]->service].silent_until_ns;
}

/* Starts an export of these elements; `gen` of its pod, or no pod at all. */
static void send_elements(struct shop *s, uint32_t pod, enum shop_signal signal, const struct sim_wire *resource,
                          const char *scope, const struct sim_wire *elements, bool grpc, uint32_t touched) {
	if (!s->client || silent(s, pod)) return;
	struct shop_sending *x = sending_new(s);
	x->pod = pod;
	x->gen = pod == SHOP_NONE ? 0 : s->pods[pod]->gen;
	x->signal = signal;
	x->grpc = grpc;
	x->touched = touched;
	make_body(x, resource, scope, elements);
	if (pod != SHOP_NONE) s->pods[pod]->exporters[signal].sending = true;
	if (!post(s, x)) {
		s->counts.export_failures++;
		struct shop_sending lost = *x;
		sending_drop(s, x);
		sent(s, &lost);
	}
	if (!s->o.copy_url || signal != SHOP_METRICS) return;
	x = sending_new(s);
	*x = (struct shop_sending){ .pod = SHOP_NONE, .signal = signal, .copy = true };
	make_body(x, resource, scope, elements);
	if (!post(s, x)) sending_drop(s, x);
}

/* ---- answers ---- */

static void retry_moment(void *self, uint64_t arg);

static bool may_retry(const struct shop_sending *x, int status, int grpc_status) {
	if (x->grpc && status == 200) return grpc_status == 1 || grpc_status == 4 || grpc_status == 8 || grpc_status == 14;
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static void export_failed(struct shop *s, struct shop_sending *x, bool again) {
	if (x->copy || !again || ++x->attempt >= ATTEMPTS) {
		s->counts.export_failures += !x->copy;
		struct shop_sending lost = *x;
		sending_drop(s, x);
		sent(s, &lost);
		return;
	}
	s->counts.export_retries++;
	double wait = (double)BACK_OFF_NS * pow(1.5, x->attempt - 1) * rng_between(&s->export_rng, 0.8, 1.2);
	x->id = UINT64_MAX - rng_next(&s->export_rng) % (UINT64_C(1) << 40); /* no exchange's: it waits */
	sim_queue_in(s->queue, (int64_t)(wait < (double)BACK_OFF_MAX ? wait : (double)BACK_OFF_MAX), retry_moment, s,
	             x->id);
}

static void retry_moment(void *self, uint64_t id) {
	struct shop *s = self;
	struct shop_sending *x = find_sending(s, id);
	if (!x) return;
	x->status = x->grpc_status = 0;
	if (!post(s, x)) export_failed(s, x, true);
}

static void export_answered(struct shop *s, struct shop_sending *x, int status, int grpc_status) {
	if (status != 200 || grpc_status > 0) {
		export_failed(s, x, may_retry(x, status, grpc_status));
		return;
	}
	struct shop_sending done = *x;
	if (x->touched) shop_fault_delivered(s, x->touched);
	sending_drop(s, x);
	sent(s, &done);
}

static int header_int(const struct http_event *e, const char *name, int fallback) {
	int64_t v = 0;
	struct str text = http_header(e, name);
	return text.p && str_int(text, &v) ? (int)v : fallback;
}

void shop_poll(struct shop *s) {
	struct http_event e;
	while (s->client && http_client_poll(s->client, &e)) {
		struct shop_sending *x = find_sending(s, e.id);
		if (!x) continue;
		if (e.kind == HTTP_RESPONSE) {
			x->status = e.status;
			x->grpc_status = header_int(&e, "grpc-status", x->grpc ? 2 : 0); /* in the trailers, or at once */
		}
		if (e.kind == HTTP_END) export_answered(s, x, x->status, header_int(&e, "grpc-status", x->grpc_status));
		if (e.kind == HTTP_FAILED) export_failed(s, x, true);
	}
}

/* ---- spans and logs ---- */

static struct shop_batch *growing(struct shop_exporter *e) {
	return e->filled < SHOP_BATCHES ? &e->ready[(e->first + e->filled) % SHOP_BATCHES] : NULL;
}

static void batch_clear(struct shop_batch *b) {
	b->wire.n = 0;
	b->count = 0;
	b->touched = 0;
}

/* Sends the oldest batch, full or not, unless one is on its way. */
static void export_next(struct shop *s, uint32_t index, enum shop_signal signal) {
	struct shop_pod *p = s->pods[index];
	struct shop_exporter *e = &p->exporters[signal];
	struct shop_batch *b = &e->ready[e->first];
	const struct shop_service *spec = s->members[p->service].spec;
	if (e->sending || !b->count || p->hung) return;
	send_elements(s, index, signal, &p->resource, scope_of(spec->language), &b->wire, spec->grpc, b->touched);
	batch_clear(b);
	if (!e->filled) return;
	e->filled--;
	e->first = (e->first + 1) % SHOP_BATCHES;
}

static bool batch_added(struct shop *s, struct shop_pod *p, enum shop_signal signal, struct shop_batch *b,
                        uint32_t touched) {
	struct shop_exporter *e = &p->exporters[signal];
	uint32_t index;
	b->touched |= touched;
	if (++b->count < SHOP_BATCH) return false;
	e->filled++;
	if (shop_pod_by_uid(s, p->kube.uid, &index)) export_next(s, index, signal);
	return true;
}

void shop_add_span(struct shop *s, struct shop_pod *p, const struct shop_span_form *form, const struct shop_span *span,
                   enum shop_outcome o, uint32_t touched) {
	struct shop_batch *b = growing(&p->exporters[SHOP_SPANS]);
	if (s->members[p->service].spec->no_spans) return;
	if (!b) {
		s->counts.spans_dropped++;
		return;
	}
	s->counts.spans++;
	struct shop_span told = *span;
	told.start_ns += shop_skew(s, p->kube.node);
	told.end_ns += shop_skew(s, p->kube.node);
	shop_put_span(&b->wire, form, &told, o, str_of(s->tracestate));
	batch_added(s, p, SHOP_SPANS, b, touched);
}

void shop_add_log(struct shop *s, struct shop_pod *p, const struct shop_log *l, uint32_t touched) {
	struct shop_batch *b = growing(&p->exporters[SHOP_LOGS]);
	if (!b || s->members[p->service].spec->no_logs) return;
	s->counts.logs++;
	struct shop_log told = *l;
	told.at_ns += shop_skew(s, p->kube.node);
	shop_put_log(&b->wire, &told);
	batch_added(s, p, SHOP_LOGS, b, touched);
}

/* ---- metrics of a process ---- */

/* An export is written into memory that the one before has left. */
static struct sim_wire *scratch(struct sim_wire *w) {
	w->n = 0;
	return w;
}

/* By its node's clock. */
static int64_t pod_wall(const struct shop *s, const struct shop_pod *p, int64_t at_ns) {
	return shop_wall(s, at_ns) + shop_skew(s, p->kube.node);
}

/* Since when its SDK has counted. */
static int64_t counted_from(const struct shop_pod *p) {
	return p->counted_from_ns > p->began_ns ? p->counted_from_ns : p->began_ns;
}

static void put_served(struct shop *s, const struct shop_pod *p, bool consumed, struct sim_wire *metrics) {
	const struct shop_member *m = &s->members[p->service];
	struct sim_wire *points = scratch(&s->points_wire);
	int64_t start = pod_wall(s, p, counted_from(p)), now = pod_wall(s, p, s->queue->now_ns);
	for (uint32_t i = 0; i < m->point_count; i++)
		for (int o = 0; o < 3; o++) {
			if (!p->served[i][o].count || (s->points[m->first_point + i].queue != NULL) != consumed) continue;
			shop_put_histogram(points, &p->served[i][o], start, now,
			                   &s->points[m->first_point + i].metric_attributes[o]);
			s->counts.points++;
		}
	const char *name = consumed ? "messaging.process.duration" : "http.server.request.duration";
	if (points->n) shop_put_metric(metrics, name, "s", SHOP_HISTOGRAM, points);
}

enum call_kind { CALL_HTTP, CALL_DATABASE, CALL_QUEUE };

static enum call_kind kind_of(const struct shop_edge *e) {
	return e->database ? CALL_DATABASE : e->queue ? CALL_QUEUE : CALL_HTTP;
}

static void put_called(struct shop *s, const struct shop_pod *p, enum call_kind kind, struct sim_wire *metrics) {
	static const char *const names[] = { "http.client.request.duration", "db.client.operation.duration",
		                                 "messaging.client.operation.duration" };
	const struct shop_member *m = &s->members[p->service];
	struct sim_wire *points = scratch(&s->points_wire);
	int64_t start = pod_wall(s, p, counted_from(p)), now = pod_wall(s, p, s->queue->now_ns);
	for (uint32_t i = 0; i < m->edge_count; i++) {
		const struct shop_edge *e = &s->edges[m->edges[i]];
		for (int o = 0; o < SHOP_OUTCOMES && kind_of(e) == kind; o++) {
			if (!p->called[i][o].count) continue;
			shop_put_histogram(points, &p->called[i][o], start, now, &e->metric_attributes[o]);
			s->counts.points++;
		}
	}
	if (points->n) shop_put_metric(metrics, names[kind], "s", SHOP_HISTOGRAM, points);
}

static void put_one(struct sim_wire *metrics, const char *name, const char *unit, enum shop_metric kind, double v,
                    int64_t start_ns, int64_t at_ns) {
	unsigned char room[96]; /* for one number; a wire that has room enough allocates nothing */
	struct sim_wire points = { room, 0, sizeof room }, none = { 0 };
	shop_put_number(&points, v, !strcmp(unit, "By"), start_ns, at_ns, &none);
	shop_put_metric(metrics, name, unit, kind, &points);
	assert(points.p == room);
}

static double noisy_memory(struct shop *s, const struct shop_pod *p) {
	double used = shop_pod_memory(s, p) * (1 + MEMORY_NOISE * rng_normal(&s->export_rng));
	return p->kube.memory_limit && used > (double)p->kube.memory_limit ? (double)p->kube.memory_limit : used;
}

/* A leak counts as told once it shows above the noise: what it has added is more than three deviations. */
static uint32_t leaks_shown(struct shop *s, const struct shop_pod *p) {
	double base = s->members[p->service].spec->memory_base * 1024 * 1024;
	if (!p->leak_mask || shop_pod_memory(s, p) <= base * (1 + 3 * MEMORY_NOISE)) return 0;
	shop_fault_touched(s, p->leak_mask);
	for (int bit = 0; p->leak_mask >> bit; bit++)
		if (p->leak_mask >> bit & 1) shop_visible(s, shop_fault_of_bit(s, bit));
	return p->leak_mask;
}

static void export_metrics(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	const struct shop_service *spec = s->members[p->service].spec;
	struct sim_wire *metrics = scratch(&s->metrics_wire);
	int64_t start = pod_wall(s, p, p->began_ns), now = pod_wall(s, p, s->queue->now_ns);
	if (p->exporters[SHOP_METRICS].sending || p->hung || spec->no_metrics) return; /* the next collection tells all */
	put_served(s, p, false, metrics);
	put_served(s, p, true, metrics);
	put_called(s, p, CALL_HTTP, metrics);
	put_called(s, p, CALL_DATABASE, metrics);
	put_called(s, p, CALL_QUEUE, metrics);
	shop_pool_metrics(s, p, metrics);
	put_one(metrics, "process.cpu.time", "s", SHOP_SUM, shop_pod_cpu(s, p), start, now);
	put_one(metrics, "process.memory.usage", "By", SHOP_UPDOWN, noisy_memory(s, p), start, now);
	s->counts.points += 2;
	send_elements(s, index, SHOP_METRICS, &p->resource, scope_of(spec->language), metrics, spec->grpc,
	              p->touched | leaks_shown(s, p));
	p->touched = 0;
	shop_visible_process(s, p);
}

/* ---- timers ---- */

static void timer(void *self, uint64_t arg, enum shop_signal signal, int64_t interval, sim_queue_run *run) {
	struct shop *s = self;
	uint32_t index;
	if (!pod_of(s, arg, &index)) return;
	if (signal == SHOP_METRICS)
		export_metrics(s, index);
	else
		export_next(s, index, signal);
	sim_queue_in(s->queue, interval, run, s, arg);
}

static void span_timer(void *self, uint64_t arg) {
	timer(self, arg, SHOP_SPANS, ((struct shop *)self)->world->span_ns, span_timer);
}
static void metric_timer(void *self, uint64_t arg) {
	timer(self, arg, SHOP_METRICS, ((struct shop *)self)->world->metric_ns, metric_timer);
}
static void log_timer(void *self, uint64_t arg) {
	timer(self, arg, SHOP_LOGS, ((struct shop *)self)->world->log_ns, log_timer);
}

void shop_export_start(struct shop *s, uint32_t index) {
	static sim_queue_run *const runs[SHOP_SIGNALS] = { span_timer, metric_timer, log_timer };
	const int64_t intervals[SHOP_SIGNALS] = { s->world->span_ns, s->world->metric_ns, s->world->log_ns };
	build_resource(s, s->pods[index]);
	for (int i = 0; i < SHOP_SIGNALS; i++) {
		/* The first collection comes an interval after the SDK started, which is somewhere in the start-up. */
		int64_t phase = intervals[i] + (int64_t)(rng_unit(&s->export_rng) * (double)intervals[i]);
		sim_queue_in(s->queue, phase, runs[i], s, name_of(s, index));
	}
}

void shop_export_last(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	for (int signal = 0; signal < SHOP_SIGNALS; signal++) {
		if (signal == SHOP_METRICS) export_metrics(s, index);
		for (int n = 0; signal != SHOP_METRICS && n <= SHOP_BATCHES; n++) {
			p->exporters[signal].sending = false; /* it does not wait for its turn any more */
			export_next(s, index, (enum shop_signal)signal);
		}
	}
}

void shop_export_stop(struct shop_pod *p) {
	for (int signal = 0; signal < SHOP_SIGNALS; signal++) {
		struct shop_exporter *e = &p->exporters[signal];
		for (int b = 0; b < SHOP_BATCHES; b++) batch_clear(&e->ready[b]);
		e->first = e->filled = 0;
		e->sending = false;
	}
}

/* ---- the nodes' agents: a collector's kubelet receiver ---- */

static void put_pod(struct shop *s, struct shop_pod *p, struct sim_wire *body) {
	struct sim_wire *metrics = scratch(&s->metrics_wire);
	const struct shop_service *spec = s->members[p->service].spec;
	int64_t now = s->queue->now_ns, at = pod_wall(s, p, now);
	double seconds = (double)(now - p->cpu_told_ns) / 1e9, memory = noisy_memory(s, p);
	double cpu_s = shop_pod_cpu(s, p), cores = seconds > 0 ? (cpu_s - p->cpu_told_s) / seconds : 0;
	put_one(metrics, "k8s.pod.cpu.usage", "{cpu}", SHOP_GAUGE, cores, 0, at);
	put_one(metrics, "k8s.pod.cpu_limit_utilization", "1", SHOP_GAUGE, cores / spec->cpu_limit, 0, at);
	put_one(metrics, "k8s.pod.memory.working_set", "By", SHOP_GAUGE, memory, 0, at);
	if (p->kube.memory_limit)
		put_one(metrics, "k8s.pod.memory_limit_utilization", "1", SHOP_GAUGE, memory / (double)p->kube.memory_limit, 0,
		        at);
	if (!p->hung) shop_visible_agent(s, p, cores / spec->cpu_limit, seconds);
	p->cpu_told_s = cpu_s;
	p->cpu_told_ns = now;
	s->counts.points += 4;
	shop_put_request(body, &p->agent_resource,
	                 "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/kubeletstatsreceiver",
	                 metrics);
}

void shop_send_agent(struct shop *s, struct sim_wire *body, uint32_t touched) {
	struct shop_sending *x = NULL;
	if (!body->n || !s->client) {
		sw_done(body);
		return;
	}
	if (touched) shop_fault_touched(s, touched);
	if (s->o.copy_url) {
		x = sending_new(s);
		*x = (struct shop_sending){ .pod = SHOP_NONE, .signal = SHOP_METRICS, .copy = true };
		sw_bytes(&x->body, body->p, body->n);
		if (!post(s, x)) sending_drop(s, x);
	}
	x = sending_new(s);
	*x = (struct shop_sending){ .pod = SHOP_NONE, .signal = SHOP_METRICS, .touched = touched, .body = *body };
	*body = (struct sim_wire){ 0 };
	if (!post(s, x)) sending_drop(s, x);
}

static void agent_timer(void *self, uint64_t node) {
	struct shop *s = self;
	char name[64];
	uint32_t touched = 0;
	struct sim_wire body = { 0 };
	snprintf(name, sizeof name, "node-%d", (int)node + 1);
	for (uint32_t i = 0; i < s->pod_count; i++) {
		struct shop_pod *p = s->pods[i];
		if (!p || p->state == SHOP_DOWN || strcmp(p->kube.node, name)) continue;
		put_pod(s, p, &body);
		touched |= leaks_shown(s, p) | (p->hog > 0 ? p->slow_mask : 0);
	}
	sim_queue_in(s->queue, s->world->agent_ns, agent_timer, s, node);
	shop_send_agent(s, &body, touched);
}

void shop_agents_start(struct shop *s) {
	for (int i = 0; i < s->world->nodes; i++)
		sim_queue_in(s->queue, (int64_t)(rng_unit(&s->export_rng) * (double)s->world->agent_ns), agent_timer, s,
		             (uint64_t)i);
}

void shop_export_done(struct shop *s) {
	for (uint32_t i = 0; i < s->sending_count; i++) sw_done(&s->sendings[i].body);
	free(s->sendings);
	sw_done(&s->points_wire);
	sw_done(&s->metrics_wire);
}
