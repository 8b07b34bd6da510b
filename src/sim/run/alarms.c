/* The alarms that people have today, in the same world: a receiver of the very metrics that Flyball gets. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "sim/memory.h"
#include "sim/run/impl.h"

#define MINUTE      (60 * NS_PER_SEC)
#define TENS        (10 * NS_PER_SEC)
#define IMAGE_KIND  "FBAL"
#define SERIES_MAX  4096 /* of one batch */
#define RAISED_MAX  64   /* at one look */
#define PENDING_MAX 256

struct total { /* of one cumulative histogram, as last delivered */
	uint64_t count;
	double sum;
	int64_t start_ns;
};
struct service { /* what was delivered of it */
	char name[64];
	uint64_t requests;
	double memory[2]; /* share of the limit, the fullest pod since the last look of tens, of minutes; NaN: none told */
};
struct line { /* a series of the batch */
	struct series_id id;
	bool served, memory, failed, cumulative;
	uint32_t resource;
};
struct reading { /* of one batch: whatever it refers to it has defined before, so nothing is cleared between two */
	struct run_receiver *v;
	struct receiver *r;
	struct service *services[SERIES_MAX]; /* by resource */
	struct line lines[SERIES_MAX];        /* by series */
};
struct receiver { /* behind impl.h's struct */
	struct reading reading;
	struct map totals;             /* series id -> struct total */
	struct map services;           /* name -> struct service */
	uint64_t pending[PENDING_MAX]; /* tags to be told as taken */
	size_t pending_first, pending_count;
	int64_t began_ns, tens_ns, minute_ns;
};

static struct receiver *rest(struct run_receiver *v) {
	if (!v->rest) {
		struct receiver *r = must_alloc(sizeof *r);
		map_init(&r->totals, 0);
		map_init(&r->services, 0);
		v->rest = r;
	}
	return v->rest;
}

static void baselines(struct run_receiver *v) {
	if (!v->tens) v->tens = baseline_new(TENS);
	if (!v->minute) v->minute = baseline_new(MINUTE);
}

static struct service *service_of(struct receiver *r, struct str name) {
	struct service *s = map_get(&r->services, name);
	if (s) return s;
	s = must_alloc(sizeof *s);
	snprintf(s->name, sizeof s->name, STR_FMT, STR_ARG(name));
	s->memory[0] = s->memory[1] = NAN;
	enum err e = map_put(&r->services, name, s, NULL);
	assert(!e);
	return s;
}

/* ---- what is delivered ---- */

static void ratio(struct run_receiver *v, const struct service *s, const char *signal, double part, double whole) {
	int64_t interval = v->run->world.metric_ns;
	struct str name = str_of(s->name);
	baseline_ratio(v->tens, baseline_series(v->tens, name, signal, false, interval), part, whole);
	baseline_ratio(v->minute, baseline_series(v->minute, name, signal, false, interval), part, whole);
}

static void take_series(struct reading *g, const struct batch_series *s) {
	if (s->index >= SERIES_MAX) return;
	struct str status = attrs_get(s->attrs, "http.response.status_code"), error = attrs_get(s->attrs, "error.type");
	g->lines[s->index] = (struct line){
		.id = s->id,
		.served = str_is(s->name, "http.server.request.duration"),
		.memory = str_is(s->name, "k8s.pod.memory_limit_utilization"),
		.failed = error.n > 0 || (status.n && status.p[0] == '5'),
		.cumulative = s->kind == SERIES_HISTOGRAM_CUMULATIVE,
		.resource = s->resource,
	};
}

/* The increment since the point before; after a reset the whole. */
static void increment(struct receiver *r, const struct line *l, const struct batch_histogram *h, uint64_t *count,
                      double *sum) {
	struct str key = { (const char *)&l->id, sizeof l->id };
	struct total *t = map_get(&r->totals, key);
	*count = h->count;
	*sum = h->sum;
	if (!l->cumulative) return;
	if (!t) {
		t = must_alloc(sizeof *t);
		enum err e = map_put(&r->totals, key, t, NULL);
		assert(!e);
	} else if (t->start_ns == h->start.ns && h->count >= t->count) {
		*count = h->count - t->count;
		*sum = h->sum - t->sum;
	}
	*t = (struct total){ h->count, h->sum, h->start.ns };
}

static void take_histogram(struct reading *g, const struct batch_histogram *h) {
	uint64_t count = 0;
	double sum = 0;
	if (h->series >= SERIES_MAX || h->no_value || !g->lines[h->series].served) return;
	const struct line *l = &g->lines[h->series];
	struct service *s = l->resource < SERIES_MAX ? g->services[l->resource] : NULL;
	increment(g->r, l, h, &count, &sum);
	if (!s || !count) return;
	s->requests += count;
	ratio(g->v, s, "duration", isnan(sum) ? 0 : sum, (double)count);
	ratio(g->v, s, "errors", l->failed ? (double)count : 0, (double)count);
}

static void take_point(struct reading *g, const struct batch_point *p) {
	if (p->series >= SERIES_MAX || p->no_value || !g->lines[p->series].memory) return;
	uint32_t resource = g->lines[p->series].resource;
	struct service *s = resource < SERIES_MAX ? g->services[resource] : NULL;
	for (int i = 0; s && i < 2; i++)
		if (!(s->memory[i] >= p->value)) s->memory[i] = p->value;
}

static enum err put(struct batch_sink *sink, struct str bytes, uint64_t shard_key, uint64_t tag) {
	struct run_receiver *v = container_of(sink, struct run_receiver, sink);
	struct receiver *r = rest(v);
	struct batch_reader reader;
	struct batch_record rec;
	(void)shard_key;
	if (r->pending_count == PENDING_MAX) return ERR_AGAIN;
	if (batch_open(&reader, bytes, NULL)) return ERR_INVALID;
	struct reading *g = &r->reading;
	g->v = v;
	g->r = r;
	while (batch_next(&reader, &rec) == OK) {
		if (rec.type == BATCH_RESOURCE && rec.resource.index < SERIES_MAX) {
			struct str name = attrs_get(rec.resource.attrs, "service.name");
			if (!name.n) name = attrs_get(rec.resource.attrs, "k8s.deployment.name"); /* a node's agent */
			g->services[rec.resource.index] = name.n ? service_of(r, name) : NULL;
		}
		if (rec.type == BATCH_SERIES) take_series(g, &rec.series);
		if (rec.type == BATCH_HISTOGRAM) take_histogram(g, &rec.histogram);
		if (rec.type == BATCH_POINT) take_point(g, &rec.point);
	}
	r->pending[(r->pending_first + r->pending_count++) % PENDING_MAX] = tag;
	return OK;
}

static bool poll(struct batch_sink *sink, struct sink_done *out) {
	struct receiver *r = rest(container_of(sink, struct run_receiver, sink));
	if (!r->pending_count) return false;
	*out = (struct sink_done){ .tag = r->pending[r->pending_first], .err = OK };
	r->pending_first = (r->pending_first + 1) % PENDING_MAX;
	r->pending_count--;
	return true;
}

/* ---- looking ---- */

static void raised(struct run *r, bool minute, const struct baseline_alarm *a, size_t n) {
	for (size_t i = 0; i < n && r->alarm_count < RUN_ALARMS_MAX; i++) {
		struct run_alarm *x = &r->alarms[r->alarm_count++];
		*x = (struct run_alarm){ .at_ns = run_now(r), .minute = minute };
		snprintf(x->service, sizeof x->service, "%s", a[i].service);
		snprintf(x->signal, sizeof x->signal, "%s", a[i].signal);
	}
}

static void memory_levels(struct run_receiver *v, struct baseline *b, int which) {
	struct str name;
	void *service = NULL;
	for (size_t i = 0; map_next(&rest(v)->services, &i, &name, &service);) {
		struct service *s = service;
		if (isnan(s->memory[which])) continue;
		baseline_level(b, baseline_series(b, name, "memory", false, v->run->world.agent_ns), s->memory[which]);
		s->memory[which] = NAN;
	}
}

static void look(struct run_receiver *v, struct baseline *b, bool minute) {
	struct baseline_alarm a[RAISED_MAX];
	memory_levels(v, b, minute);
	raised(v->run, minute, a, baseline_look(b, a, RAISED_MAX));
}

static void look_when_due(struct run_receiver *v) {
	struct receiver *r = rest(v);
	int64_t now = v->run->queue.now_ns;
	if (now >= r->tens_ns) {
		look(v, v->tens, false);
		r->tens_ns += TENS;
	}
	if (now >= r->minute_ns) {
		look(v, v->minute, true);
		r->minute_ns += MINUTE;
	}
}

/* ---- the program ---- */

static enum err start(void *self, struct sim_host *host, struct why *why) {
	struct run_receiver *v = self;
	static const struct batch_sink_ops ops = { put, poll };
	struct receiver *r = rest(v);
	v->host = host;
	v->sink.ops = &ops;
	baselines(v);
	r->began_ns = v->run->queue.now_ns;
	r->tens_ns = v->run->begin_ns + TENS; /* the shop stands up first */
	r->minute_ns = v->run->begin_ns + MINUTE;
	struct ingest_opts o = {
		.servers = host->world.servers,
		.next = &v->sink,
		.clock = host->world.clock,
		.log = host->world.log,
		.address = STR("0.0.0.0"),
		.grpc_port = -1,
		.http_port = 4318,
		.body_max = 64 << 20,
		.requests_max = 256,
		.connections_max = 4096,
		.memory_max = 256 << 20,
	};
	return ingest_open(o, &v->ingest, why);
}

static bool step(void *self) {
	struct run_receiver *v = self;
	look_when_due(v);
	return ingest_step(v->ingest);
}

static struct mono next_due(void *self) {
	struct run_receiver *v = self;
	struct mono due = ingest_next_due(v->ingest);
	int64_t look_ns = rest(v)->tens_ns + v->host->clock.booted_ns;
	return due.ns < look_ns ? due : (struct mono){ look_ns };
}

static void stop(void *self) {
	struct run_receiver *v = self;
	ingest_close(v->ingest);
	v->ingest = NULL;
}

const struct sim_program run_receiver_program = { start, step, next_due, stop };

/* ---- what outlives the run ---- */

void run_receiver_save(const struct run *r, struct buf *out) {
	struct enc e = enc_begin(out, IMAGE_KIND, 1);
	baseline_learned(r->receiver.tens);
	baseline_learned(r->receiver.minute);
	baseline_save(r->receiver.tens, &e);
	baseline_save(r->receiver.minute, &e);
	enc_end(&e);
}

enum err run_receiver_load(struct run *r, struct str bytes, struct why *why) {
	struct dec d;
	baselines(&r->receiver);
	enum err e = dec_begin(&d, bytes, IMAGE_KIND, 1, NULL, why);
	if (!e) e = baseline_load(r->receiver.tens, &d);
	if (!e) e = baseline_load(r->receiver.minute, &d);
	if (!e) e = dec_end(&d);
	return e ? why_set(why, e, "the thresholds of the alarms are damaged") : OK;
}

static void map_drop(struct map *m) {
	void *value = NULL;
	for (size_t i = 0; map_next(m, &i, NULL, &value);) free(value);
	map_done(m);
}

void run_receiver_done(struct run *r) {
	struct run_receiver *v = &r->receiver;
	baseline_free(v->tens);
	baseline_free(v->minute);
	if (!v->rest) return;
	map_drop(&rest(v)->totals);
	map_drop(&rest(v)->services);
	free(v->rest);
}

double run_rate_of(const struct run *r, const char *service) {
	const struct receiver *v = r->receiver.rest;
	const struct service *s = v ? map_get(&v->services, str_of(service)) : NULL;
	double seconds = v ? (double)(r->queue.now_ns - v->began_ns) / 1e9 : 0;
	return s && seconds > 0 ? (double)s->requests / seconds : NAN;
}
