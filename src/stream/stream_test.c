#include "stream/stream.h"

#include <math.h>
#include <string.h>

#include "base/test.h"
#include "stream/series_table.h"

#define T0   (INT64_C(1767600000) * NS_PER_SEC)
#define S(x) ((int64_t)((x)*1e9))

struct lab {
	struct stream *stream;
	struct batch_writer w;
	struct buf bytes;
	int64_t now_ns;
};

static void lab_open(struct lab *l, const struct t *t) {
	struct stream_opts o = { 10 * NS_PER_SEC, 90 * NS_PER_SEC, 1000, 50, 10000 };
	*l = (struct lab){ .now_ns = T0 };
	EXPECT_OK(stream_open(o, &l->stream));
	buf_init(&l->bytes, 0);
}
static void lab_close(struct lab *l) {
	stream_close(l->stream);
	buf_done(&l->bytes);
}

static void begin(struct lab *l, double at_s) {
	l->now_ns = T0 + S(at_s);
	buf_clear(&l->bytes);
	batch_begin(&l->w, &l->bytes, (struct wall){ l->now_ns });
}
static void end(struct lab *l, const struct t *t) {
	struct why why = { "" };
	EXPECT_OK(batch_end(&l->w));
	EXPECT_OK(stream_apply(l->stream, buf_get(&l->bytes), &why));
}

static uint32_t resource(struct lab *l, const char *service, const char *pod) {
	struct attr a[] = { { STR("service.name"), str_of(service) },
		                { STR("k8s.pod.uid"), str_of(pod) },
		                { STR("k8s.namespace.name"), STR("shop") },
		                { STR("k8s.deployment.name"), STR("pay-v2") } };
	return batch_put_resource(&l->w, (struct attrs){ a, pod ? 4 : 1 });
}

static void span(struct lab *l, uint32_t res, struct rng *rng, double start_s, double seconds, int status,
                 double weight) {
	char code[8];
	snprintf(code, sizeof code, "%d", status);
	struct attr a[] = { { STR("http.response.status_code"), str_of(code) } };
	struct batch_span s = { .resource = res, .kind = SPAN_SERVER, .weight = weight, .attrs = { a, 1 } };
	uint64_t x = rng_next(rng), y = rng_next(rng);
	memcpy(s.trace, &x, 8), memcpy(s.id, &y, 8);
	s.start.ns = T0 + S(start_s);
	s.end.ns = s.start.ns + S(seconds);
	batch_put_span(&l->w, &s);
}

static const struct entity *entity(const struct lab *l, const char *subject) {
	return catalog_find_entity(&l->stream->catalog, str_of(subject));
}

TEST(spans_become_requests_in_their_slots_and_a_tally) {
	struct lab l;
	lab_open(&l, t);
	begin(&l, 5);
	uint32_t r = resource(&l, "payment", "u1");
	for (int i = 0; i < 20; i++) span(&l, r, &t->rng, 0.2 * i, 0.05, i < 3 ? 503 : i < 6 ? 404 : 200, 4);
	end(&l, t);
	const struct entity *e = entity(&l, "service/payment");
	EXPECT(e && str_is(e->workload.name, "pay-v2") && str_is(e->workload.kind, "Deployment"));
	const struct channel *c = e->red[VIA_SPANS];
	EXPECT(l.stream->channel_count == 1 && c->tally.seen == 20 && c->tally.bad == 3 && c->tally.requests == 80);
	struct slot s = channel_sum(c, 0, INT64_MAX);
	EXPECT_NEAR((double)s.requests, 80, 1e-3);
	EXPECT_NEAR((double)s.seconds, 1, 1e-3);
	EXPECT(e->first_instance != NONE);
	begin(&l, 6);
	end(&l, t);
	EXPECT(l.stream->channel_count == 0 && c->tally.seen == 0);
	lab_close(&l);
}

/* Late beyond the lateness and dated in the future: counted, and out of the windows or taken as of now. */
TEST(time_is_trusted_within_limits) {
	struct lab l;
	lab_open(&l, t);
	begin(&l, 200);
	uint32_t r = resource(&l, "payment", "u1");
	span(&l, r, &t->rng, 100, 0.1, 200, 1);
	span(&l, r, &t->rng, 4000, 0.1, 200, 1);
	span(&l, r, &t->rng, 150, 0.1, 200, 1);
	end(&l, t);
	EXPECT(l.stream->counts.late == 1 && l.stream->counts.future == 1);
	const struct channel *c = entity(&l, "service/payment")->red[VIA_SPANS];
	EXPECT_NEAR((double)channel_sum(c, 0, INT64_MAX).seen, 2, 1e-6);
	EXPECT(c->newest == stream_slot(l.stream, T0 + S(200)));
	lab_close(&l);
}

TEST(a_batch_that_comes_twice_counts_once) {
	struct lab l;
	lab_open(&l, t);
	begin(&l, 5);
	uint32_t r = resource(&l, "payment", "u1");
	for (int i = 0; i < 10; i++) span(&l, r, &t->rng, 0.2 * i, 0.05, 200, 1);
	end(&l, t);
	EXPECT_OK(stream_apply(l.stream, buf_get(&l.bytes), NULL));
	const struct channel *c = entity(&l, "service/payment")->red[VIA_SPANS];
	EXPECT_NEAR((double)channel_sum(c, 0, INT64_MAX).seen, 10, 1e-6);
	EXPECT(l.stream->counts.duplicates == 10);
	lab_close(&l);
}

static void histogram_of(struct lab *l, uint32_t res, double at_s, uint64_t fast, uint64_t slow, const char *status,
                         const char *route) {
	static const double bounds[] = { 0.1, 1 };
	struct attr ra[] = { { STR("service.name"), STR("cart") } };
	struct attr pa[] = { { STR("http.response.status_code"), str_of(status) }, { STR("http.route"), str_of(route) } };
	struct batch_series s = { .resource = res,
		                      .kind = SERIES_HISTOGRAM_CUMULATIVE,
		                      .name = STR("http.server.request.duration"),
		                      .unit = STR("s"),
		                      .attrs = { pa, 2 } };
	s.id = series_identity(ra, 1, s.name, pa, 2);
	uint64_t counts[3] = { fast, slow, 0 };
	struct batch_histogram h = { .series = batch_put_series(&l->w, &s),
		                         .start = { T0 - S(5000) },
		                         .at = { T0 + S(at_s) },
		                         .count = fast + slow,
		                         .bound_count = 2,
		                         .sum = 0.05 * (double)fast + 0.5 * (double)slow };
	batch_put_histogram(&l->w, &h, bounds, counts);
}

static void histogram(struct lab *l, uint32_t res, double at_s, uint64_t fast, uint64_t slow, const char *status) {
	histogram_of(l, res, at_s, fast, slow, status, "/");
}

/* Cumulative histograms give the requests of their interval, spread over its slots. */
TEST(histograms_become_requests_of_their_interval) {
	struct lab l;
	lab_open(&l, t);
	for (int k = 0; k <= 3; k++) {
		begin(&l, 10 * k + 1);
		uint32_t r = resource(&l, "cart", "u1");
		histogram(&l, r, 10 * k, 1000 + 50 * (uint64_t)k, 100 + 10 * (uint64_t)k, "200");
		histogram(&l, r, 10 * k, 7 + 2 * (uint64_t)k, 0, "500");
		end(&l, t);
	}
	const struct channel *c = entity(&l, "service/cart")->red[VIA_METRICS];
	EXPECT(c && c->bound_count == 2);
	struct slot s = channel_sum(c, stream_slot(l.stream, T0), stream_slot(l.stream, T0 + S(30)) - 1);
	EXPECT_NEAR((double)s.requests, 3 * 62, 0.1);
	EXPECT_NEAR((double)s.bad, 6, 0.1);
	EXPECT_NEAR((double)s.seconds, 3 * (52 * 0.05 + 10 * 0.5), 0.1);
	struct slot one = channel_sum(c, stream_slot(l.stream, T0 + S(14)), stream_slot(l.stream, T0 + S(14)));
	EXPECT_NEAR((double)one.requests, 62.0 / 5, 0.1);
	EXPECT_NEAR((double)c->tally.counts[1], 10, 1e-6);
	lab_close(&l);
}

static void gauge(struct lab *l, uint32_t res, const char *name, double value, double at_s, const char *state) {
	struct attr pa[] = { { STR("cpu.mode"), str_of(state) } };
	struct attr ra[] = { { STR("x"), STR("y") } };
	struct batch_series s = { .resource = res, .kind = SERIES_GAUGE, .name = str_of(name), .attrs = { pa, 1 } };
	s.id = series_identity(ra, 1, s.name, pa, 1);
	struct batch_point p = { .series = batch_put_series(&l->w, &s), .at = { T0 + S(at_s) }, .value = value };
	batch_put_point(&l->w, &p);
}

/* Parts of one gauge are added, the best metric serves, the limit comes from a metric of its own. */
TEST(gauges_of_a_pod_become_levels) {
	struct lab l;
	lab_open(&l, t);
	begin(&l, 1);
	uint32_t r = resource(&l, "cart", "u7");
	gauge(&l, r, "jvm.memory.used", 100, 1, "heap");
	gauge(&l, r, "jvm.memory.used", 50, 1, "other");
	gauge(&l, r, "container.memory.limit", 1000, 1, "");
	end(&l, t);
	EXPECT(l.stream->level_count == 1 && l.stream->levels[0].value == 150);
	begin(&l, 11);
	r = resource(&l, "cart", "u7");
	gauge(&l, r, "container.memory.working_set", 400, 11, "");
	gauge(&l, r, "jvm.memory.used", 100, 11, "heap");
	end(&l, t);
	EXPECT(l.stream->level_count == 1);
	EXPECT(l.stream->levels[0].value == 400 && l.stream->levels[0].limit == 1000);
	EXPECT(l.stream->levels[0].signal == SIGNAL_MEMORY);
	lab_close(&l);
}

/* A sender that caught up: its moments are not added, in whatever order they come. */
TEST(moments_of_a_gauge_are_not_added, .seeds = 20) {
	struct lab l;
	lab_open(&l, t);
	begin(&l, 61);
	uint32_t r = resource(&l, "cart", "u7");
	int first = (int)rng_below(&t->rng, 6);
	for (int k = 0; k < 6; k++) {
		int moment = 10 * ((first + k) % 6 + 1);
		gauge(&l, r, "jvm.memory.used", 100 + moment, moment, "heap");
		gauge(&l, r, "jvm.memory.used", 50, moment + 0.001, "other");
	}
	end(&l, t);
	EXPECT(l.stream->level_count == 1 && l.stream->levels[0].value == 100 + 60 + 50);
	lab_close(&l);
}

static void pod(struct lab *l, const char *uid, bool ready, bool gone, uint32_t restarts, const char *reason) {
	struct batch_pod p = { .at = { l->now_ns },
		                   .namespace_ = STR("shop"),
		                   .name = STR("pay-1"),
		                   .uid = str_of(uid),
		                   .workload_kind = STR("Deployment"),
		                   .workload = STR("pay-v2"),
		                   .ready = ready,
		                   .gone = gone,
		                   .restarts = restarts,
		                   .wanted = 2,
		                   .reason = str_of(reason) };
	batch_put_pod(&l->w, &p);
}

/* A pod that the orchestrator names before any telemetry of its own is still the service's. */
TEST(pods_find_their_service_by_uid_or_workload) {
	struct lab l;
	lab_open(&l, t);
	begin(&l, 1);
	resource(&l, "payment", "u1");
	pod(&l, "u1", true, false, 0, "");
	pod(&l, "u2", false, false, 0, "");
	end(&l, t);
	const struct entity *e = entity(&l, "service/payment");
	int n = 0;
	for (uint32_t k = e->first_instance; k != NONE; n++) k = catalog_instance(&l.stream->catalog, k)->next;
	EXPECT(n == 2 && l.stream->pod_count == 2);
	begin(&l, 2);
	pod(&l, "u1", false, false, 1, "OOMKilled");
	end(&l, t);
	EXPECT(l.stream->pod_count == 1 && l.stream->pods[0].lost_ready && l.stream->pods[0].restarted);
	lab_close(&l);
}

/* The four states: never seen, seen, silent for twice its interval, gone. No data is never zero. */
TEST(a_signal_has_four_states) {
	struct pulse p = { 0 };
	EXPECT(stream_state(&p, 0, T0) == SIGNAL_ABSENT);
	for (int k = 0; k < 10; k++) pulse_beat(&p, T0 + S(30 * k), T0 + S(30 * k));
	EXPECT_NEAR(p.interval_s, 30, 2);
	EXPECT(stream_state(&p, 0, T0 + S(275)) == SIGNAL_ZERO);
	EXPECT(stream_state(&p, 3, T0 + S(275)) == SIGNAL_VALUE);
	EXPECT(stream_state(&p, 3, T0 + S(270 + 65)) == SIGNAL_STALE);
	p.gone = true;
	EXPECT(stream_state(&p, 3, T0 + S(275)) == SIGNAL_ABSENT);
}

/* A source that fell silent is not waited for, and what it did not tell is not covered. */
TEST(watermarks_wait_for_the_living_only, .seeds = 5) {
	struct lab l;
	lab_open(&l, t);
	for (int k = 0; k < 20; k++) {
		begin(&l, 5 * k);
		uint32_t r = resource(&l, "payment", "u1");
		span(&l, r, &t->rng, 5 * k - 1, 0.1, 200, 1);
		end(&l, t);
		if (k >= 10) continue;
		begin(&l, 5 * k + 2);
		r = resource(&l, "payment", "u2");
		span(&l, r, &t->rng, 5 * k + 1, 0.1, 200, 1);
		end(&l, t);
	}
	uint32_t e = entity(&l, "service/payment")->index;
	int64_t mark = stream_watermark(l.stream, e, VIA_SPANS, l.now_ns);
	EXPECT(mark >= T0 + S(90) && mark <= l.now_ns);
	EXPECT(stream_covered(l.stream, e, VIA_SPANS, T0 + S(60), l.now_ns));
	EXPECT(!stream_covered(l.stream, e, VIA_SPANS, T0 + S(60), l.now_ns + S(60)));
	EXPECT(stream_heard(l.stream, e, VIA_SPANS, l.now_ns + S(60)) == l.now_ns + S(60));
	EXPECT_NEAR(stream_interval(l.stream, e, VIA_SPANS), 5, 0.5);
	lab_close(&l);
}

/* What was saved is what was there; whatever is cut from it or flipped in it is refused, not believed. */
TEST(the_state_comes_back_whole_or_not_at_all, .seeds = 30) {
	struct lab l, back;
	struct buf saved, again;
	struct str rest;
	struct why why = { "" };
	lab_open(&l, t);
	for (int k = 0; k < 12; k++) {
		begin(&l, 5 * k);
		uint32_t r = resource(&l, "payment", "u1");
		for (int i = 0; i < 5; i++) span(&l, r, &t->rng, 5 * k - 4 + 0.5 * i, 0.1, i ? 200 : 500, 1);
		histogram(&l, resource(&l, "cart", "u1"), 5 * k, 100 + 3 * (uint64_t)k, 10, "200");
		gauge(&l, r, "container.memory.working_set", 400 + k, 5 * k, "");
		pod(&l, "u1", true, false, 0, "");
		end(&l, t);
	}
	buf_init(&saved, 0), buf_init(&again, 0);
	stream_save(l.stream, &saved);
	lab_open(&back, t);
	EXPECT_OK(stream_load(back.stream, buf_get(&saved), &rest, &why));
	EXPECT(rest.n == 0);
	stream_save(back.stream, &again);
	EXPECT(str_eq(buf_get(&saved), buf_get(&again)));
	lab_close(&back);
	lab_open(&back, t);
	size_t at = (size_t)rng_below(&t->rng, (int64_t)saved.n);
	if (rng_below(&t->rng, 2))
		saved.p[at] = (char)(saved.p[at] ^ (1 << rng_below(&t->rng, 8)));
	else
		saved.n = at;
	EXPECT(stream_load(back.stream, buf_get(&saved), &rest, &why) != OK);
	buf_done(&saved), buf_done(&again);
	lab_close(&l), lab_close(&back);
}

/* More series, services and pods than allowed are counted and left out. */
TEST(limits_hold_and_are_counted) {
	struct lab l;
	struct stream_opts o = { 10 * NS_PER_SEC, 90 * NS_PER_SEC, 5, 2, 100 };
	l = (struct lab){ .now_ns = T0 };
	EXPECT_OK(stream_open(o, &l.stream));
	buf_init(&l.bytes, 0);
	begin(&l, 1);
	for (int i = 0; i < 40; i++) {
		char name[16], metric[24];
		snprintf(name, sizeof name, "s%d", i);
		snprintf(metric, sizeof metric, "m%d", i);
		uint32_t r = resource(&l, name, NULL);
		gauge(&l, r, metric, 1, 1, "");
		span(&l, r, &t->rng, 0, 0.1, 200, 1);
	}
	end(&l, t);
	EXPECT(l.stream->series->by_id.count == 5 && l.stream->counts.series_refused == 35);
	EXPECT(l.stream->catalog.entities.by_key.count == 6 && l.stream->catalog.refused > 0);
	lab_close(&l);
}

/* A job's route among the usual ones: in rates and failures it counts whole, in durations hardly. */
TEST(a_route_that_was_never_asked_hardly_counts_in_durations) {
	struct lab l;
	lab_open(&l, t);
	for (int n = 1; n <= 60; n++) {
		begin(&l, 10 * n);
		uint32_t r = resource(&l, "cart", "u1");
		histogram_of(&l, r, 10 * n, 100 * (uint64_t)n, 0, "200", "/cart");
		histogram_of(&l, r, 10 * n, 0, n > 50 ? 50 * (uint64_t)(n - 50) : 0, "200", "/export");
		end(&l, t);
		const struct channel *c = entity(&l, "service/cart")->red[VIA_METRICS];
		if (n > 52) EXPECT(c->tally.seen == 150 && c->tally.counts[1] < 15 && c->tally.counts[0] > 90);
	}
	lab_close(&l);
}

RUN(a_route_that_was_never_asked_hardly_counts_in_durations, spans_become_requests_in_their_slots_and_a_tally,
    time_is_trusted_within_limits, a_batch_that_comes_twice_counts_once, histograms_become_requests_of_their_interval,
    gauges_of_a_pod_become_levels, moments_of_a_gauge_are_not_added, pods_find_their_service_by_uid_or_workload,
    a_signal_has_four_states, watermarks_wait_for_the_living_only, the_state_comes_back_whole_or_not_at_all,
    limits_hold_and_are_counted)
