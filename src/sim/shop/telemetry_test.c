/* What the shop tells, read as Flyball reads it: its OTLP goes over the simulated network into src/ingest. */
#include <math.h>
#include <stdio.h>

#include "base/test.h"
#include "ingest/ingest.h"
#include "sim/memory.h"
#include "sim/shop/file.h"
#include "sim/shop/shop.h"

struct taken { /* what came through */
	uint64_t batches, spans, server_spans, client_spans, db_spans, roots, logs, points, histograms;
	double weight, served; /* sum of span weights at the frontend; requests by its histograms' increments */
	uint64_t services, pods_by_uid, deployments;
	double memory_least, memory_most;
	char seen[64][64];
	uint32_t seen_count;
	int64_t latest_ns;
	uint64_t sent, processed; /* spans of producers and consumers */
	uint64_t of_cart;         /* spans of that service */
	int64_t ahead_ns;         /* a span that ended after it was received: by most */
	bool process_metric, send_metric;
	bool wrong, skewed, mute; /* mute: ads exports no spans */
};

struct rig {
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_net net;
	struct sim_web *web;
	struct sim_host flyball, shop_host;
	struct sim_kube *kube;
	struct shop *shop;
	struct ingest *ingest;
	struct batch_sink sink;
	uint64_t tags[256];
	size_t tag_count;
	struct taken taken;
	bool full; /* the next stage takes nothing */
};

/* ---- the receiving end ---- */

static void saw(struct taken *k, struct str service) {
	for (uint32_t i = 0; i < k->seen_count; i++)
		if (str_is(service, k->seen[i])) return;
	if (service.n && k->seen_count < 64) snprintf(k->seen[k->seen_count++], 64, STR_FMT, STR_ARG(service));
}

struct context { /* of the batch that is read */
	struct str service[64], deployment[64], pod[64], name[2048];
	uint32_t resource[2048];
};

static void take_span(struct taken *k, const struct context *c, const struct batch_span *s) {
	static const unsigned char none[8] = { 0 };
	k->spans++;
	k->server_spans += s->kind == SPAN_SERVER;
	k->client_spans += s->kind == SPAN_CLIENT;
	k->db_spans += attrs_get(s->attrs, "db.system.name").n || attrs_get(s->attrs, "db.system").n;
	k->sent += s->kind == SPAN_PRODUCER && attrs_get(s->attrs, "messaging.destination.name").n;
	k->processed += s->kind == SPAN_CONSUMER && attrs_get(s->attrs, "messaging.destination.name").n;
	k->wrong = k->wrong || (k->mute && str_is(c->service[s->resource], "ads"));
	k->of_cart += str_is(c->service[s->resource], "cart");
	if (s->end.ns - k->latest_ns > k->ahead_ns) k->ahead_ns = s->end.ns - k->latest_ns;
	k->roots += !memcmp(s->parent, none, 8);
	if (s->kind == SPAN_SERVER && str_is(c->service[s->resource], "frontend")) k->weight += s->weight;
	k->wrong = k->wrong || s->end.ns < s->start.ns || !c->service[s->resource].n;
	k->wrong = k->wrong || (!k->skewed && s->end.ns > k->latest_ns);
}

static void take_batch(struct rig *r, struct str bytes) {
	struct taken *k = &r->taken;
	static struct context c;
	struct batch_reader in;
	struct batch_record rec;
	k->batches++;
	k->latest_ns = r->flyball.clock.epoch_ns + r->queue.now_ns;
	k->wrong = k->wrong || batch_open(&in, bytes, NULL);
	enum err e = OK;
	while (!(e = batch_next(&in, &rec))) {
		if (rec.type == BATCH_RESOURCE) {
			c.service[rec.resource.index] = attrs_get(rec.resource.attrs, "service.name");
			c.deployment[rec.resource.index] = attrs_get(rec.resource.attrs, "k8s.deployment.name");
			c.pod[rec.resource.index] = attrs_get(rec.resource.attrs, "k8s.pod.uid");
			saw(k, c.service[rec.resource.index]);
			bool host = attrs_get(rec.resource.attrs, "os.type").n > 0; /* a database's */
			k->wrong = k->wrong || (!host && c.pod[rec.resource.index].n != 36);
		}
		if (rec.type == BATCH_SERIES) {
			c.name[rec.series.index] = rec.series.name;
			c.resource[rec.series.index] = rec.series.resource;
			k->process_metric |= str_is(rec.series.name, "messaging.process.duration");
			k->send_metric |= str_is(rec.series.name, "messaging.client.operation.duration");
		}
		if (rec.type == BATCH_SPAN) take_span(k, &c, &rec.span);
		k->logs += rec.type == BATCH_LOG;
		k->histograms += rec.type == BATCH_HISTOGRAM;
		k->points += rec.type == BATCH_POINT;
		if (rec.type == BATCH_POINT && str_is(c.name[rec.point.series], "k8s.pod.memory_limit_utilization")) {
			if (rec.point.value > k->memory_most) k->memory_most = rec.point.value;
			if (rec.point.value < k->memory_least) k->memory_least = rec.point.value;
		}
	}
	k->wrong = k->wrong || e != ERR_NOT_FOUND;
}

static enum err sink_put(struct batch_sink *sink, struct str batch, uint64_t key, uint64_t tag) {
	struct rig *r = container_of(sink, struct rig, sink);
	(void)key;
	if (r->full || r->tag_count == sizeof r->tags / sizeof *r->tags) return ERR_AGAIN;
	take_batch(r, batch);
	r->tags[r->tag_count++] = tag;
	return OK;
}

static bool sink_poll(struct batch_sink *sink, struct sink_done *out) {
	struct rig *r = container_of(sink, struct rig, sink);
	if (!r->tag_count) return false;
	*out = (struct sink_done){ r->tags[--r->tag_count], OK };
	return true;
}

static enum err flyball_start(void *self, struct sim_host *h, struct why *why) {
	static const struct batch_sink_ops ops = { .put = sink_put, .poll = sink_poll };
	struct rig *r = self;
	r->sink.ops = &ops;
	struct ingest_opts o = { .servers = h->world.servers,
		                     .next = &r->sink,
		                     .clock = h->world.clock,
		                     .log = h->world.log,
		                     .address = STR("0.0.0.0"),
		                     .grpc_port = 4317,
		                     .http_port = 4318,
		                     .body_max = 64 << 20,
		                     .requests_max = 256,
		                     .memory_max = 256 << 20,
		                     .connections_max = 1024 };
	return ingest_open(o, &r->ingest, why);
}
static bool flyball_step(void *self) {
	return ingest_step(((struct rig *)self)->ingest);
}
static struct mono flyball_due(void *self) {
	return ingest_next_due(((struct rig *)self)->ingest);
}
static void flyball_stop(void *self) {
	ingest_close(((struct rig *)self)->ingest);
}
static const struct sim_program flyball = { flyball_start, flyball_step, flyball_due, flyball_stop };

static enum err shop_start(void *self, struct sim_host *h, struct why *why) {
	(void)self, (void)h, (void)why;
	return OK;
}
static bool shop_step(void *self) {
	struct rig *r = self;
	if (r->shop) shop_poll(r->shop);
	return false;
}
static struct mono shop_due(void *self) {
	(void)self;
	return (struct mono){ INT64_MAX };
}
static void shop_stop(void *self) {
	(void)self;
}
static const struct sim_program shop_program = { shop_start, shop_step, shop_due, shop_stop };

static void rig_init(const struct t *t, struct rig *r, const struct shop_world *w, uint64_t seed) {
	*r = (struct rig){ .taken.memory_least = 1e9 };
	struct rng rng = rng_seeded(seed);
	struct wall epoch = { 1767607200 * NS_PER_SEC };
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	sim_net_init(&r->net, &r->queue, &r->trace, rng_fork(&rng, "net"));
	r->web = sim_web_new(&r->net);
	struct sim_host_opts o = { "flyball", &r->queue, &r->trace, r->web, sim_net_add(&r->net, "flyball"),
		                       epoch,     rng,       &flyball,  r };
	sim_host_init(&r->flyball, &o);
	o.name = "shop";
	o.number = sim_net_add(&r->net, "shop");
	o.program = &shop_program;
	sim_host_init(&r->shop_host, &o);
	EXPECT_OK(sim_host_start(&r->flyball, NULL));
	EXPECT_OK(sim_host_start(&r->shop_host, NULL));
	struct shop_opts s = { .world = w,
		                   .queue = &r->queue,
		                   .trace = &r->trace,
		                   .epoch = epoch,
		                   .rng = rng_fork(&rng, "shop"),
		                   .clients = r->shop_host.world.clients,
		                   .http_url = "http://flyball:4318",
		                   .grpc_url = "http://flyball:4317" };
	r->shop = shop_new(&s);
	struct sim_kube_opts k = {
		&r->queue, &r->trace, rng_fork(&rng, "kube"), epoch, w->nodes, &shop_runtime, r->shop, 0
	};
	r->kube = sim_kube_new(&k);
	shop_open(r->shop, r->kube, 60 * NS_PER_SEC);
}

static void rig_done(struct rig *r) {
	shop_free(r->shop);
	r->shop = NULL;
	sim_host_done(&r->shop_host);
	sim_host_done(&r->flyball);
	sim_kube_free(r->kube);
	sim_web_free(r->web);
	sim_net_done(&r->net);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
}

static void run_for(struct rig *r, double seconds) {
	int64_t until = r->queue.now_ns + (int64_t)(seconds * 1e9);
	do { r->trace.now_ns = r->queue.now_ns; } while (sim_queue_next(&r->queue, until));
}

/* Closes the door and waits until everything was told. */
static void drain(struct rig *r) {
	shop_set_rate(r->shop, 0);
	run_for(r, 60);
}

static struct shop_world quiet(void) {
	struct shop_world w = shop_builtin;
	w.deployments_day = 0;
	w.rate = 30;
	return w;
}

TEST(what_the_shop_tells_is_read_whole) {
	struct rig r;
	struct shop_world w = quiet();
	rig_init(t, &r, &w, t->seed);
	run_for(&r, 300);
	drain(&r);
	const struct shop_counts *c = shop_counts(r.shop);
	const struct taken *k = &r.taken;
	EXPECT(!k->wrong && k->spans == c->spans && k->logs == c->logs && c->export_failures == 0 && c->spans_dropped == 0);
	EXPECT(k->seen_count == w.service_count);
	EXPECT(k->roots == c->requests && k->weight == (double)c->requests);
	EXPECT(k->server_spans + k->client_spans == k->spans && k->db_spans > k->spans / 20);
	EXPECT(k->histograms > 0 && k->points > 0 && k->memory_least > 0.1 && k->memory_most < 0.8);
	rig_done(&r);
}

TEST(sampled_spans_stand_for_what_was_left_out) {
	struct rig r;
	struct shop_world w = quiet();
	w.sampling = 0.1;
	rig_init(t, &r, &w, t->seed);
	run_for(&r, 900);
	drain(&r);
	double requests = (double)shop_counts(r.shop)->requests;
	EXPECT(!r.taken.wrong && (double)r.taken.roots < 0.13 * requests && (double)r.taken.roots > 0.07 * requests);
	EXPECT_NEAR(r.taken.weight / requests, 1, 0.06);
	rig_done(&r);
}

TEST(spans_that_do_not_say_what_they_stand_for_are_worth_nothing) {
	struct rig r;
	struct shop_world w = quiet();
	w.no_threshold = true;
	rig_init(t, &r, &w, t->seed);
	run_for(&r, 90);
	EXPECT(!r.taken.wrong && r.taken.spans > 1000 && r.taken.weight == 0);
	rig_done(&r);
}

TEST(messages_that_are_late_lost_or_twice_cost_nothing_but_time) {
	struct rig r;
	struct shop_world w = quiet();
	rig_init(t, &r, &w, t->seed);
	struct sim_link l = {
		.delay_ns = NS_PER_MS, .delay_sigma = 1, .lost = 0.02, .reset = 0.02, .cut = 0.02, .twice = 0.05
	};
	l.slow = (struct sim_late){ 0.05, 3 * NS_PER_SEC };
	sim_net_link(&r.net, r.flyball.ports.host, &l);
	run_for(&r, 300);
	drain(&r);
	const struct shop_counts *c = shop_counts(r.shop);
	EXPECT(c->export_retries > 20 && !r.taken.wrong);
	EXPECT(r.taken.spans >= c->spans * 99 / 100); /* five attempts a batch */
	EXPECT(r.taken.spans > c->spans);             /* and some of them arrive although the answer did not */
	rig_done(&r);
}

TEST(a_receiver_that_is_full_is_asked_again_and_the_shop_forgets_the_oldest_at_last) {
	struct rig r;
	struct shop_world w = quiet();
	w.rate = 100;
	rig_init(t, &r, &w, t->seed);
	run_for(&r, 120);
	r.full = true;
	run_for(&r, 6);
	r.full = false;
	run_for(&r, 60);
	const struct shop_counts *c = shop_counts(r.shop);
	EXPECT(c->export_retries > 0 && c->spans_dropped == 0 && c->export_failures == 0);
	r.full = true;
	run_for(&r, 120);
	EXPECT(c->export_failures > 0 && c->spans_dropped > 0); /* 2048 spans a process wait, no more */
	rig_done(&r);
}

static const char with_a_queue[] =
	"name: q\ntraffic: {rate: 20}\nlife: {deployments: 0}\nentries: [{service: a, endpoint: POST /a}]\n"
	"services:\n"
	"  a: {endpoints: {POST /a: {work: {median: 2ms}, calls: [{to: b, endpoint: POST /b, queue: things}]}}}\n"
	"  b: {endpoints: {POST /b: {work: {median: 2ms}}}}\n";

TEST(messages_are_told_by_both_ends_in_one_trace) {
	struct rig r;
	struct shop_world w;
	EXPECT_OK(shop_file_read(t->arena, str_of(with_a_queue), "q.yaml", &w, NULL));
	rig_init(t, &r, &w, t->seed);
	run_for(&r, 200);
	drain(&r);
	const struct taken *k = &r.taken;
	EXPECT(!k->wrong && k->sent == shop_counts(r.shop)->messages && k->processed == k->sent && k->sent > 1000);
	EXPECT(k->roots == shop_counts(r.shop)->requests); /* a consumer's span has its producer's for a parent */
	EXPECT(k->process_metric && k->send_metric);
	rig_done(&r);
}

TEST(a_gap_is_lost_a_skewed_clock_is_believed_and_a_mute_service_is_mute) {
	struct rig r;
	struct shop_world w = quiet();
	struct shop_service services[32];
	memcpy(services, w.services, w.service_count * sizeof *services);
	for (size_t i = 0; i < w.service_count; i++)
		services[i].no_logs = services[i].no_spans = !strcmp(services[i].name, "ads");
	w.services = services;
	rig_init(t, &r, &w, t->seed);
	r.taken.mute = true;
	run_for(&r, 120);
	EXPECT(!r.taken.wrong && r.taken.of_cart > 100);
	EXPECT(shop_lose_telemetry(r.shop, "cart", 60 * NS_PER_SEC));
	run_for(&r, 10); /* what was on its way */
	uint64_t before = r.taken.of_cart;
	run_for(&r, 45);
	EXPECT(r.taken.of_cart == before);
	run_for(&r, 60);
	EXPECT(r.taken.of_cart > before + 100);
	EXPECT(r.taken.ahead_ns == 0);
	r.taken.skewed = true;
	EXPECT(shop_skew_clock(r.shop, "node-1", 20 * NS_PER_SEC));
	run_for(&r, 60);
	EXPECT(r.taken.ahead_ns > 10 * NS_PER_SEC && r.taken.ahead_ns <= 20 * NS_PER_SEC && !r.taken.wrong);
	rig_done(&r);
}

TEST(the_same_seed_tells_the_same) {
	uint64_t hash[2], spans[2];
	for (int i = 0; i < 2; i++) {
		struct rig r;
		struct shop_world w = quiet();
		rig_init(t, &r, &w, 11);
		run_for(&r, 120);
		hash[i] = r.trace.hash;
		spans[i] = r.taken.spans;
		rig_done(&r);
	}
	EXPECT(hash[0] == hash[1] && spans[0] == spans[1] && spans[0] > 0);
}

RUN(what_the_shop_tells_is_read_whole, messages_are_told_by_both_ends_in_one_trace,
    a_gap_is_lost_a_skewed_clock_is_believed_and_a_mute_service_is_mute, sampled_spans_stand_for_what_was_left_out,
    spans_that_do_not_say_what_they_stand_for_are_worth_nothing,
    messages_that_are_late_lost_or_twice_cost_nothing_but_time,
    a_receiver_that_is_full_is_asked_again_and_the_shop_forgets_the_oldest_at_last, the_same_seed_tells_the_same)
