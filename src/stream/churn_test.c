/* Pods, names and calls that come and go for weeks: what is kept does not add up. */
#include <math.h>
#include <string.h>

#include "base/test.h"
#include "stream/series_table.h"
#include "stream/stream.h"

#define T0       (INT64_C(1767600000) * NS_PER_SEC)
#define SERVICES 6
#define PODS     4
#define STEP_S   240

struct lab {
	struct stream *stream;
	struct batch_writer w;
	struct buf bytes;
	int64_t now_ns;
	struct rng rng;
	int64_t pods[SERVICES][PODS], made; /* which one runs at each place */
};

static void lab_open(struct lab *l, const struct t *t, int64_t services_max) {
	struct stream_opts o = { 10 * NS_PER_SEC, 90 * NS_PER_SEC, 1000, services_max, 10000 };
	*l = (struct lab){ .now_ns = T0, .rng = t->rng };
	EXPECT_OK(stream_open(o, &l->stream));
	buf_init(&l->bytes, 0);
	for (int s = 0; s < SERVICES; s++)
		for (int p = 0; p < PODS; p++) l->pods[s][p] = l->made++;
}
static void lab_close(struct lab *l) {
	stream_close(l->stream);
	buf_done(&l->bytes);
}

static void begin(struct lab *l) {
	buf_clear(&l->bytes);
	batch_begin(&l->w, &l->bytes, (struct wall){ l->now_ns });
}
static void end(struct lab *l, const struct t *t) {
	struct why why = { "" };
	EXPECT_OK(batch_end(&l->w));
	EXPECT_OK(stream_apply(l->stream, buf_get(&l->bytes), &why));
}

static uint32_t resource(struct lab *l, const char *service, const char *uid) {
	struct attr a[] = { { STR("service.name"), str_of(service) }, { STR("k8s.pod.uid"), str_of(uid) } };
	return batch_put_resource(&l->w, (struct attrs){ a, 2 });
}

static void span(struct lab *l, uint32_t res, enum span_kind kind, struct attrs attrs) {
	struct batch_span s = { .resource = res, .kind = kind, .weight = 1, .attrs = attrs };
	uint64_t x = rng_next(&l->rng), y = rng_next(&l->rng);
	memcpy(s.trace, &x, 8), memcpy(s.id, &y, 8);
	s.start.ns = l->now_ns - 100 * NS_PER_MS;
	s.end.ns = l->now_ns - 50 * NS_PER_MS;
	batch_put_span(&l->w, &s);
}

static void call(struct lab *l, uint32_t res, const char *host) {
	struct attr a[] = { { STR("db.system"), STR("postgresql") }, { STR("server.address"), str_of(host) } };
	span(l, res, SPAN_CLIENT, (struct attrs){ a, 2 });
}

static void gauge(struct lab *l, uint32_t res, const char *service, const char *uid) {
	struct attr ra[] = { { STR("service.name"), str_of(service) }, { STR("k8s.pod.uid"), str_of(uid) } };
	struct batch_series s = {
		.resource = res, .kind = SERIES_GAUGE, .name = STR("container.memory.working_set"), .unit = STR("By")
	};
	s.id = series_identity(ra, 2, s.name, NULL, 0);
	batch_put_point(&l->w, &(struct batch_point){
							   .series = batch_put_series(&l->w, &s), .at = { l->now_ns - NS_PER_MS }, .value = 1e8 });
}

/* Every pod serves, calls the database and tells of its memory. */
static void export_all(struct lab *l, const char *host) {
	for (int s = 0; s < SERVICES; s++) {
		for (int p = 0; p < PODS; p++) {
			char service[16], uid[32];
			snprintf(service, sizeof service, "s%d", s);
			snprintf(uid, sizeof uid, "u-%lld", (long long)l->pods[s][p]);
			uint32_t r = resource(l, service, uid);
			span(l, r, SPAN_SERVER, (struct attrs){ NULL, 0 });
			call(l, r, host);
			gauge(l, r, service, uid);
		}
	}
}

static const struct entity *entity(const struct lab *l, const char *subject) {
	return catalog_find_entity(&l->stream->catalog, str_of(subject));
}

/* Forty days: a pod is replaced every quarter of an hour or so, each day has a database host of its own. */
TEST(what_comes_and_goes_for_weeks_does_not_add_up, .seeds = 2) {
	struct lab l;
	char host[32];
	lab_open(&l, t, 50);
	const struct catalog *c = &l.stream->catalog;
	uint32_t longest = 0, series_longest = 0;
	for (int64_t at_s = 0; at_s < 40 * 86400; at_s += STEP_S) {
		l.now_ns = T0 + at_s * NS_PER_SEC;
		if (rng_below(&l.rng, 4) == 0) l.pods[rng_below(&l.rng, SERVICES)][rng_below(&l.rng, PODS)] = l.made++;
		snprintf(host, sizeof host, "db-of-day-%lld", (long long)(at_s / 86400));
		begin(&l);
		export_all(&l, host);
		if (at_s % (7 * 86400) < 3600) span(&l, resource(&l, "weekly", "job"), SPAN_SERVER, (struct attrs){ NULL, 0 });
		end(&l, t);
		if (c->instances.count > longest) longest = c->instances.count;
		if (l.stream->series->count > series_longest) series_longest = l.stream->series->count;
	}
	EXPECT(l.made > 3000);
	EXPECT(longest <= SERVICES * PODS + 10 && c->sources.count <= SERVICES * PODS + 10);
	EXPECT(series_longest <= SERVICES * PODS + 40); /* an hour of pods that went */
	EXPECT(c->entities.count <= SERVICES + 1 + 20); /* fourteen days of hosts, and three until their edges are gone */
	EXPECT(entity(&l, "database/db-of-day-39") && entity(&l, "database/db-of-day-30"));
	EXPECT(!entity(&l, "database/db-of-day-5"));
	EXPECT(entity(&l, "service/weekly") && entity(&l, "service/weekly")->first_ns == T0);
	EXPECT(c->refused == 0);
	lab_close(&l);
}

/* Names without end fill the table: those that are spoken no more give way, those in use stay, and so does one
 * that somebody holds. */
TEST(a_crowded_table_lets_go_sooner) {
	struct lab l;
	char host[32];
	lab_open(&l, t, 10); /* thirty entities */
	const struct catalog *c = &l.stream->catalog;
	for (int64_t hour = 0; hour < 120; hour++) {
		l.now_ns = T0 + hour * 3600 * NS_PER_SEC;
		snprintf(host, sizeof host, "host-%lld.example", (long long)hour);
		begin(&l);
		export_all(&l, host);
		end(&l, t);
		if (hour == 3) ((struct entity *)(uintptr_t)entity(&l, "database/host-3.example"))->holds = 1;
	}
	for (int s = 0; s < SERVICES; s++) {
		char subject[24];
		snprintf(subject, sizeof subject, "service/s%d", s);
		EXPECT(entity(&l, subject));
	}
	EXPECT(entity(&l, "database/host-119.example") && entity(&l, "database/host-3.example"));
	EXPECT(!entity(&l, "database/host-4.example"));
	EXPECT(c->entities.count <= 30);
	lab_close(&l);
}

/* A call that is hardly ever made keeps its edge while a series names it: the number is nobody else's. */
TEST(a_series_keeps_its_edge) {
	struct lab l;
	lab_open(&l, t, 50);
	static const double bounds[] = { 0.1, 1 };
	struct attr ra[] = { { STR("service.name"), STR("caller") }, { STR("k8s.pod.uid"), STR("u") } };
	struct attr pa[] = { { STR("server.address"), STR("rare.example") }, { STR("server.port"), STR("443") } };
	uint64_t counts[3] = { 7, 0, 0 };
	for (int64_t minute = 0; minute < 5 * 1440; minute += 5) {
		l.now_ns = T0 + minute * 60 * NS_PER_SEC;
		begin(&l);
		struct batch_series s = { .resource = resource(&l, "caller", "u"),
			                      .kind = SERIES_HISTOGRAM_CUMULATIVE,
			                      .name = STR("http.client.request.duration"),
			                      .unit = STR("s"),
			                      .attrs = { pa, 2 } };
		s.id = series_identity(ra, 2, s.name, pa, 2);
		struct batch_histogram h = { .series = batch_put_series(&l.w, &s),
			                         .start = { T0 },
			                         .at = { l.now_ns },
			                         .count = 7,
			                         .bound_count = 2,
			                         .sum = 0.1 };
		batch_put_histogram(&l.w, &h, bounds, counts);
		end(&l, t);
	}
	const struct entity *e = entity(&l, "service/caller");
	EXPECT(e && e->first_edge != NONE);
	lab_close(&l);
}

/* The short name stays with whom it was given to, over a restart too, although its namesake has gone. */
TEST(a_subject_does_not_change_when_a_namesake_goes) {
	struct lab l, back;
	struct buf saved;
	struct str rest;
	struct why why = { "" };
	lab_open(&l, t, 50);
	struct catalog *c = &l.stream->catalog;
	EXPECT(catalog_get_entity(c, ENTITY_SERVICE, STR("x"), STR("pay"), T0 - 15 * NS_PER_DAY));
	EXPECT(catalog_get_entity(c, ENTITY_SERVICE, STR("y"), STR("pay"), T0));
	catalog_expire(c, T0);
	EXPECT(c->gone_entities.count == 1 && c->gone_entities.v[0] == 0);
	EXPECT(!entity(&l, "service/pay") && entity(&l, "service/y/pay"));
	buf_init(&saved, 0);
	stream_save(l.stream, &saved);
	lab_open(&back, t, 50);
	EXPECT_OK(stream_load(back.stream, buf_get(&saved), &rest, &why));
	EXPECT(!entity(&back, "service/pay") && entity(&back, "service/y/pay"));
	EXPECT(catalog_get_entity(&back.stream->catalog, ENTITY_SERVICE, STR("z"), STR("new"), T0)->index == 0);
	buf_done(&saved);
	lab_close(&l), lab_close(&back);
}

RUN(what_comes_and_goes_for_weeks_does_not_add_up, a_crowded_table_lets_go_sooner, a_series_keeps_its_edge,
    a_subject_does_not_change_when_a_namesake_goes)
